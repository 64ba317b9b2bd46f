#pragma once
// What this machine is, read from /proc, /sys and /etc.

#include <map>
#include <string>
#include <string_view>

#include "plan/nodes/node_object.h"

namespace orch::agent {

// Blocking, well under a millisecond. What cannot be read is zero or "". `data_directory`: whose file system counts.
plan::MachineFacts read_machine_facts(const std::string& data_directory);

// Pure halves.
int64_t parse_meminfo(std::string_view text, std::string_view name);          // bytes of "MemTotal"
std::string parse_os_release(std::string_view text);                          // PRETTY_NAME
int64_t parse_loadavg_processes(std::string_view text);                       // all threads
std::string go_architecture(std::string_view machine);                        // of uname(2)

}  // namespace orch::agent
