#pragma once
// Where things of pods are below <data-dir>/agent (docs/node.md). Pure.

#include <string>
#include <string_view>

#include "plan/pod/pod_view.h"

namespace orch::plan::pod {

class NodePaths {
 public:
  explicit NodePaths(std::string root) : root_(std::move(root)) {}  // <data-dir>/agent

  const std::string& root() const { return root_; }
  std::string pods() const { return root_ + "/pods"; }
  std::string logs() const { return root_ + "/logs"; }
  std::string pod(std::string_view uid) const { return pods() + "/" + std::string(uid); }
  std::string checkpoint(std::string_view uid) const { return pod(uid) + "/pod.json"; }
  std::string hosts(std::string_view uid) const { return pod(uid) + "/etc-hosts"; }
  std::string resolv_conf(std::string_view uid) const { return pod(uid) + "/resolv.conf"; }
  std::string hostname(std::string_view uid) const { return pod(uid) + "/hostname"; }
  std::string volumes(std::string_view uid) const { return pod(uid) + "/volumes"; }
  std::string volume(std::string_view uid, std::string_view name) const { return volumes(uid) + "/" + std::string(name); }
  // Bound to terminationMessagePath of one attempt of a container.
  std::string termination_log(std::string_view uid, std::string_view container, uint32_t attempt) const {
    return pod(uid) + "/containers/" + std::string(container) + "/" + std::to_string(attempt);
  }
  // kubelet's: <namespace>_<name>_<uid>
  std::string pod_logs(std::string_view ns, std::string_view name, std::string_view uid) const {
    return logs() + "/" + std::string(ns) + "_" + std::string(name) + "_" + std::string(uid);
  }
  std::string pod_logs(const PodView& pod) const { return pod_logs(pod.ns(), pod.name(), pod.uid()); }
  std::string log(const PodView& pod, std::string_view container, uint32_t attempt) const {
    return pod_logs(pod) + "/" + std::string(container) + "/" + std::to_string(attempt) + ".log";
  }

 private:
  std::string root_;
};

}  // namespace orch::plan::pod
