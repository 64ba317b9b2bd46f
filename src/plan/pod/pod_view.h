#pragma once
// PodView: a Pod object with what everybody on the node asks of it, parsed once. Holds the object;
// views and texts borrow from it, copying a PodView keeps them valid (Values are shared).

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "data/value.h"

namespace orch::plan::pod {

enum class RestartPolicy : uint8_t { always, on_failure, never };

enum class ContainerKind : uint8_t {
  init,       // runs to its end before the next starts
  sidecar,    // an init container with restartPolicy Always (KEP-753)
  main,
  ephemeral,  // added to a running pod; never restarted (KEP-277)
};

enum class QosClass : uint8_t { guaranteed, burstable, best_effort };

struct ContainerView {
  Value spec;  // the Container or EphemeralContainer
  ContainerKind kind = ContainerKind::main;
  RestartPolicy restart_policy = RestartPolicy::always;  // the pod's, or a sidecar's own

  std::string_view name() const { return spec["name"].as_string(); }
  std::string_view image() const { return spec["image"].as_string(); }
  // Init containers that run to their end; the pod is initialized after the last of them.
  bool runs_to_end() const { return kind == ContainerKind::init; }
};

class PodView {
 public:
  explicit PodView(Value pod);

  const Value& object() const { return pod_; }
  const Value& metadata() const { return pod_["metadata"]; }
  const Value& spec() const { return pod_["spec"]; }
  const Value& status() const { return pod_["status"]; }
  std::string_view uid() const { return metadata()["uid"].as_string(); }
  std::string_view ns() const { return metadata()["namespace"].as_string(); }
  std::string_view name() const { return metadata()["name"].as_string(); }

  // In the order they are started: init containers and sidecars as listed, main, ephemeral ones.
  const std::vector<ContainerView>& containers() const { return containers_; }
  const ContainerView* find(std::string_view container) const;  // null: no such container

  RestartPolicy restart_policy() const { return restart_policy_; }
  QosClass qos() const;
  bool host_network() const { return spec()["hostNetwork"].as_bool(); }
  bool is_deleting() const { return metadata()["deletionTimestamp"].is_string(); }
  // Of a pod being deleted: what its deletion asked for; else spec.terminationGracePeriodSeconds (30).
  Duration grace_period() const;
  // spec.hostname or the pod's name, cut to 63 bytes; with hostNetwork: "" (the node's own).
  std::string hostname() const;
  // "<subdomain>.<namespace>.svc.<cluster domain>" where spec.subdomain is set, else "".
  std::string domainname(std::string_view cluster_domain) const;

 private:
  Value pod_;
  RestartPolicy restart_policy_;
  std::vector<ContainerView> containers_;
};

std::string_view text_of(QosClass qos);  // "Guaranteed"
// "guaranteed/pod<uid>", "burstable/pod<uid>", "besteffort/pod<uid>": below the node's cgroup.
std::string cgroup_of(const PodView& pod);

}  // namespace orch::plan::pod
