// Cells of pods, jobs, nodes, events and what owns them.

#include <algorithm>
#include <set>

#include "base/text.h"
#include "schema/rules/columns.h"

namespace orch::schema::rules {

namespace {

// --- pods

struct PodSummary {
  int64_t ready = 0, total = 0, restarts = 0;
  std::string status;
  std::string last_restart;  // RFC 3339 texts of one form compare as times do
};

struct Restarts {
  int64_t count = 0;
  std::string last;
  void add(const Value& status) {
    count += status["restartCount"].as_int();
    std::string_view finished = status.path({"lastState", "terminated", "finishedAt"}).as_string();
    if (finished > last) last = finished;
  }
};

bool is_sidecar(const Value& pod, std::string_view name) {
  for (const Value& container : pod.path({"spec", "initContainers"}).items()) {
    if (container["name"].as_string() == name)
      return container["restartPolicy"].as_string() == "Always";
  }
  return false;
}

// "Error", "Signal:9", "ExitCode:1".
std::string end_of(const Value& terminated) {
  std::string_view reason = terminated["reason"].as_string();
  if (!reason.empty()) return std::string(reason);
  int64_t signal = terminated["signal"].as_int();
  if (signal != 0) return "Signal:" + std::to_string(signal);
  return "ExitCode:" + std::to_string(terminated["exitCode"].as_int());
}

// Goes through the init containers until the first that is not done; whether there is one.
bool summarize_init(const Value& pod, PodSummary& out, Restarts& all, Restarts& sidecars) {
  const Value& statuses = pod.path({"status", "initContainerStatuses"});
  for (size_t i = 0; i < statuses.size(); ++i) {
    const Value& one = statuses.at(i);
    bool sidecar = is_sidecar(pod, one["name"].as_string());
    all.add(one);
    if (sidecar) sidecars.add(one);
    const Value& terminated = one.path({"state", "terminated"});
    std::string_view waiting = one.path({"state", "waiting", "reason"}).as_string();
    if (terminated && terminated["exitCode"].as_int() == 0) continue;
    if (sidecar && one["started"].as_bool()) {
      if (one["ready"].as_bool()) ++out.ready;
      continue;
    }
    if (terminated) {
      out.status = "Init:" + end_of(terminated);
    } else if (!waiting.empty() && waiting != "PodInitializing") {
      out.status = "Init:" + std::string(waiting);
    } else {
      size_t count = pod.path({"spec", "initContainers"}).size();
      out.status = "Init:" + std::to_string(i) + "/" + std::to_string(count);
    }
    return true;
  }
  return false;
}

void summarize_containers(const Value& pod, PodSummary& out, Restarts& restarts) {
  bool running = false;
  auto statuses = pod.path({"status", "containerStatuses"}).items();
  for (auto one = statuses.rbegin(); one != statuses.rend(); ++one) {
    restarts.add(*one);
    const Value& state = (*one)["state"];
    std::string_view waiting = state.path({"waiting", "reason"}).as_string();
    if (!waiting.empty()) {
      out.status = waiting;
    } else if (state["terminated"]) {
      out.status = end_of(state["terminated"]);
    } else if ((*one)["ready"].as_bool() && state["running"]) {
      running = true;
      ++out.ready;
    }
  }
  if (out.status == "Completed" && running) {
    bool ready = condition_status(pod.path({"status", "conditions"}), "Ready") == "True";
    out.status = ready ? "Running" : "NotReady";
  }
}

PodSummary summarize(const Value& pod) {
  const Value& status = pod["status"];
  PodSummary out;
  out.total = static_cast<int64_t>(pod.path({"spec", "containers"}).size());
  for (const Value& container : pod.path({"spec", "initContainers"}).items()) {
    if (container["restartPolicy"].as_string() == "Always") ++out.total;
  }
  std::string_view phase = status["phase"].as_string();
  out.status = text_or(status["reason"], phase);
  for (const Value& condition : status["conditions"].items()) {
    bool gated = condition["type"].as_string() == "PodScheduled" &&
                 condition["reason"].as_string() == "SchedulingGated";
    if (gated) out.status = "SchedulingGated";
  }
  Restarts restarts, sidecars;
  bool initializing = summarize_init(pod, out, restarts, sidecars);
  if (!initializing || condition_status(status["conditions"], "Initialized") == "True") {
    restarts = sidecars;
    summarize_containers(pod, out, restarts);
  }
  if (pod.path({"metadata", "deletionTimestamp"})) {
    if (status["reason"].as_string() == "NodeLost") {
      out.status = "Unknown";
    } else if (phase != "Succeeded" && phase != "Failed") {
      out.status = "Terminating";
    }
  }
  out.restarts = restarts.count;
  out.last_restart = restarts.last;
  return out;
}

Value pod_ready(const Value& pod, std::string_view, Instant) {
  PodSummary summary = summarize(pod);
  return std::to_string(summary.ready) + "/" + std::to_string(summary.total);
}

Value pod_status(const Value& pod, std::string_view, Instant) { return summarize(pod).status; }

Value pod_restarts(const Value& pod, std::string_view, Instant now) {
  PodSummary summary = summarize(pod);
  std::string text = std::to_string(summary.restarts);
  if (summary.restarts == 0 || summary.last_restart.empty()) return text;
  return text + " (" + age_or(summary.last_restart, now, "<unknown>") + " ago)";
}

Value pod_readiness_gates(const Value& pod, std::string_view, Instant) {
  auto gates = pod.path({"spec", "readinessGates"}).items();
  if (gates.empty()) return "<none>";
  size_t met = 0;
  for (const Value& gate : gates) {
    std::string_view type = gate["conditionType"].as_string();
    if (condition_status(pod.path({"status", "conditions"}), type) == "True") ++met;
  }
  return std::to_string(met) + "/" + std::to_string(gates.size());
}

Value pod_row(const Value& pod) {
  std::string_view phase = pod.path({"status", "phase"}).as_string();
  if (phase != "Succeeded" && phase != "Failed") return nullptr;
  std::string_view message =
      phase == "Succeeded" ? "The pod has completed successfully." : "The pod failed.";
  return Value::list({Value::object(
      {{"type", "Completed"}, {"status", "True"}, {"reason", phase}, {"message", message}})});
}

// --- jobs and revisions

Value job_status(const Value& job, std::string_view, Instant) {
  const Value& conditions = job.path({"status", "conditions"});
  auto holds = [&](std::string_view type) { return condition_status(conditions, type) == "True"; };
  for (std::string_view type : {"Complete", "Failed"}) {
    if (holds(type)) return type;
  }
  if (job.path({"metadata", "deletionTimestamp"})) return "Terminating";
  for (std::string_view type : {"Suspended", "FailureTarget"}) {
    if (holds(type)) return type;
  }
  return "Running";
}

Value job_completions(const Value& job, std::string_view, Instant) {
  std::string succeeded = std::to_string(job.path({"status", "succeeded"}).as_int());
  const Value& wanted = job.path({"spec", "completions"});
  if (wanted) return succeeded + "/" + std::to_string(wanted.as_int());
  int64_t parallelism = job.path({"spec", "parallelism"}).as_int();
  if (parallelism > 1) return succeeded + "/1 of " + std::to_string(parallelism);
  return succeeded + "/1";
}

Value job_duration(const Value& job, std::string_view, Instant now) {
  auto start = parse_time(job.path({"status", "startTime"}).as_string());
  if (!start.ok()) return "";
  auto end = parse_time(job.path({"status", "completionTime"}).as_string());
  return format_age((end.ok() ? *end : now) - *start);
}

Value controller_owner(const Value& object, std::string_view, Instant) {
  for (const Value& owner : object.path({"metadata", "ownerReferences"}).items()) {
    if (!owner["controller"].as_bool()) continue;
    std::string kind(owner["kind"].as_string());
    auto parts = split_once(owner["apiVersion"].as_string(), '/');
    if (parts) kind.append(".").append(parts->first);
    return to_lower(kind) + "/" + std::string(owner["name"].as_string());
  }
  return "<none>";
}

// --- nodes

Value node_status(const Value& node, std::string_view, Instant) {
  std::string_view ready = condition_status(node.path({"status", "conditions"}), "Ready");
  std::string text = ready.empty() ? "Unknown" : ready == "True" ? "Ready" : "NotReady";
  if (node.path({"spec", "unschedulable"}).as_bool()) text += ",SchedulingDisabled";
  return text;
}

Value node_roles(const Value& node, std::string_view, Instant) {
  constexpr std::string_view kPrefix = "node-role.kubernetes.io/";
  std::set<std::string> roles;
  for (const Member& label : node.path({"metadata", "labels"}).members()) {
    std::string_view name = label.name();
    if (name.starts_with(kPrefix))
      name.remove_prefix(kPrefix.size());
    else
      name = name == "kubernetes.io/role" ? label.value.as_string() : std::string_view();
    if (!name.empty()) roles.emplace(name);
  }
  return joined({roles.begin(), roles.end()}, ",", "<none>");
}

std::string node_address(const Value& node, std::string_view type) {
  for (const Value& one : node.path({"status", "addresses"}).items()) {
    if (one["type"].as_string() == type) return std::string(one["address"].as_string());
  }
  return "<none>";
}
Value node_internal_ip(const Value& node, std::string_view, Instant) {
  return node_address(node, "InternalIP");
}
Value node_external_ip(const Value& node, std::string_view, Instant) {
  return node_address(node, "ExternalIP");
}

// --- events

Value event_first_seen(const Value& event, std::string_view, Instant now) {
  const Value& first = event["firstTimestamp"];
  return age_or(first.is_null() ? event["eventTime"] : first, now, "<unknown>");
}

Value event_last_seen(const Value& event, std::string_view argument, Instant now) {
  if (event["series"]) return age_or(event.path({"series", "lastObservedTime"}), now, "<unknown>");
  if (event["lastTimestamp"]) return age_or(event["lastTimestamp"], now, "<unknown>");
  return event_first_seen(event, argument, now);
}

Value event_object(const Value& event, std::string_view, Instant) {
  const Value& object = event["involvedObject"];
  std::string kind = to_lower(object["kind"].as_string());
  std::string_view name = object["name"].as_string();
  return name.empty() ? kind : kind.append("/").append(name);
}

Value event_source(const Value& event, std::string_view, Instant) {
  const Value& source = event["source"];
  std::string text = text_or(source["component"], event["reportingComponent"].as_string());
  std::string host = text_or(source["host"], event["reportingInstance"].as_string());
  return host.empty() ? text : text + ", " + host;
}

Value event_message(const Value& event, std::string_view, Instant) {
  return trim(event["message"].as_string());
}

Value event_count(const Value& event, std::string_view, Instant) {
  if (event["series"]) return event.path({"series", "count"}).as_int();
  int64_t count = event["count"].as_int();
  return count == 0 ? int64_t{1} : count;
}

constexpr Hooks::Named<ColumnHook> kColumns[] = {
    {"pod_ready", {pod_ready}},
    {"pod_status", {pod_status}},
    {"pod_restarts", {pod_restarts}},
    {"pod_readiness_gates", {pod_readiness_gates}},
    {"job_status", {job_status}},
    {"job_completions", {job_completions}},
    {"job_duration", {job_duration}},
    {"controller_owner", {controller_owner}},
    {"node_status", {node_status}},
    {"node_roles", {node_roles}},
    {"node_internal_ip", {node_internal_ip}},
    {"node_external_ip", {node_external_ip}},
    {"event_first_seen", {event_first_seen}},
    {"event_last_seen", {event_last_seen}},
    {"event_object", {event_object}},
    {"event_source", {event_source}},
    {"event_message", {event_message}},
    {"event_count", {event_count}},
};
constexpr Hooks::Named<RowHook> kRows[] = {{"pod_row", {pod_row}}};

}  // namespace

Hooks::Table<ColumnHook> workload_columns() { return kColumns; }
Hooks::Table<RowHook> rows() { return kRows; }

}  // namespace orch::schema::rules
