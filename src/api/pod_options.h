#pragma once
// The options of pods' connecting subresources (PodLogOptions, PodExecOptions, ...): checked, and put into the
// kubelet's own words. Pure; errors are kube-apiserver's.

#include <string>
#include <string_view>

#include "base/result.h"
#include "data/value.h"
#include "wire/http.h"

namespace orch::api {

// The container a request is about: the one it names, or the only one.
Result<std::string> choose_container(const Value& pod, std::string_view asked);

// Queries of the node's paths. `pod`: the pod's name, for messages.
Result<std::string> log_query(const wire::Query& query, std::string_view pod);   // /containerLogs
std::string command_query(const wire::Query& query);                             // /exec, /attach
std::string port_query(const wire::Query& query);                                // /portForward

}  // namespace orch::api
