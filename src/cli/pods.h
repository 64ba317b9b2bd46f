#pragma once
// From what a user names to pods and containers, as kubectl's logs, exec, attach, cp and port-forward do.

#include <string>
#include <vector>

#include "cli/selection.h"

namespace orch::cli {

struct ChosenPod {
  Value pod;
  Value object;    // what was named: the pod itself, a Deployment, a Service, ...
  size_t all = 1;  // how many pods it has
};

// "web-0", "pod/web-0", "deploy/web", "svc/web": the pod, or the best of its pods.
loop::Task<ChosenPod> choose_pod(Invocation& in, std::string word);
// Every pod of it.
loop::Task<std::vector<Value>> pods_of(Invocation& in, const Value& object);
// Waits until the pod runs. Errors: it has ended, or Code::timeout.
loop::Task<Value> wait_for_running(Invocation& in, Value pod, Duration limit);

// The container asked for, the one an annotation names, or the first; the choice is told on stderr unless
// `quiet`.
Result<std::string> choose_container(Console& console, const Value& pod, std::string asked, bool quiet);
// init ones, ordinary ones, ephemeral ones.
std::vector<std::string> all_containers(const Value& pod);
const Value& container_of(const Value& pod, std::string_view name);

// The order in which kubectl prefers pods: on a node, running, ready, fewer restarts, older.
bool preferred_pod(const Value& a, const Value& b);
// The labels an object's pods have, as a query. Code::usage for objects without pods.
Result<std::string> pod_selector(const Value& object);

std::string pod_path(const Value& pod, std::string_view subresource);

}  // namespace orch::cli
