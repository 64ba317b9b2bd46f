#pragma once
// The Node object that an agent keeps about its machine: labels, taints, capacity, addresses, conditions; what
// kubelet writes. Pure: the machine comes in as facts.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "data/value.h"
#include "plan/core/plan.h"

namespace orch::plan {

// What a machine is; all of it may be asked again at any time.
struct MachineFacts {
  int64_t cpus = 0;
  int64_t memory_bytes = 0, memory_available_bytes = 0;
  int64_t disk_bytes = 0, disk_available_bytes = 0;  // of the file system with the data directory
  int64_t inodes = 0, inodes_free = 0;               // 0: it does not count them
  int64_t processes_limit = 0, processes = 0;        // threads, as the kernel counts
  std::map<int64_t, int64_t> huge_pages;             // bytes of one page -> how many
  std::string architecture;                          // Go's: "amd64", "arm64"
  std::string kernel_version, os_image, machine_id, system_uuid, boot_id;
};

struct NodeImage {
  std::vector<std::string> names;
  int64_t size_bytes = 0;
};

// What the agent is, and how it stands.
struct NodeFacts {
  std::string name, hostname;
  std::vector<std::string> ips;                // the first is the one that counts
  std::map<std::string, std::string> labels;   // of flags
  std::vector<Value> taints;                   // of flags: key, value, effect
  std::string orch_version, kubernetes_version;  // "0.1.0", "v1.33.0"
  MachineFacts machine;
  std::vector<std::string> missing_controllers;  // of cgroup v2: "cpu", "memory", "pids"
  std::string network_not_ready;               // "": pods can be attached
  std::vector<NodeImage> images;
};

// "key=value:Effect", "key:Effect" of --node-taint. Code::usage with what is wrong.
Result<Value> parse_node_taint(std::string_view text);
// "key=value" of --node-label.
Result<std::pair<std::string, std::string>> parse_node_label(std::string_view text);

// Labels that every node has, with those of its flags.
std::map<std::string, std::string> node_labels(const NodeFacts& facts);
// To be created, with its status.
Value make_node(const NodeFacts& facts, Instant now);
// Of a node that is there already: a merge patch of its metadata; null: nothing is missing.
Value node_metadata_patch(const NodeFacts& facts, const Value& node);
// The status as it should be: times of conditions that hold on are kept, conditions of others too. The same facts
// give the same Value.
Value make_node_status(const NodeFacts& facts, const Value& node, Instant now);
// Events that tell of the way from one status to the other: NodeReady, NodeHasDiskPressure, Rebooted.
std::vector<Note> node_status_notes(std::string_view name, const Value& before, const Value& after);

}  // namespace orch::plan
