// The status of one container.

#include "plan/pod/pod_status.h"

#include "plan/core/object.h"

namespace orch::plan::pod {

namespace {

constexpr std::string_view id_scheme = "orch://";
constexpr int killed_exit_code = 137;

Value time_value(Instant at) { return at.ns == 0 ? Value() : Value(format_time(at)); }

std::string_view reason_of(const ContainerRecord& record) {
  if (!record.start_error.empty()) return "StartError";
  if (record.oom_killed) return "OOMKilled";
  return record.exit_code == 0 ? "Completed" : "Error";
}

Value lost_state(const Value& running, std::string_view container_id) {
  ObjectBuilder state;
  state.set("exitCode", killed_exit_code);
  state.set("reason", "ContainerStatusUnknown");
  state.set("message", "The container could not be located when the pod was deleted.  The container used to be Running");
  state.set("startedAt", running["startedAt"]);
  state.set("finishedAt", nullptr);
  state.set_if("containerID", container_id);
  return std::move(state).build();
}

Value terminated_state(const Situation& situation, const ContainerRecord& record) {
  ObjectBuilder state;
  auto message = situation.termination_messages.find(record.id);
  std::string text = message == situation.termination_messages.end() ? "" : message->second;
  if (!record.start_error.empty()) text = record.start_error;
  state.set("exitCode", record.exit_code);
  state.set("reason", reason_of(record));
  state.set_if("message", Value(text));
  // One that never ran has no start of its own.
  state.set("startedAt", time_value(record.started_at.ns == 0 ? record.created_at : record.started_at));
  state.set("finishedAt", time_value(record.finished_at));
  state.set("containerID", std::string(id_scheme) + record.id);
  return std::move(state).build();
}

Value wrap(std::string_view what, Value state) { return Value::object({{what, std::move(state)}}); }

Value waiting_state(const Pass& pass, const ContainerFacts& container) {
  auto memory = pass.memory.containers.find(container.view->name());
  if (memory != pass.memory.containers.end() && !memory->second.waiting_reason.empty()) {
    ObjectBuilder state;
    state.set("reason", memory->second.waiting_reason);
    state.set_if("message", Value(memory->second.waiting_message));
    return std::move(state).build();
  }
  bool behind_others = !pass.pod().spec()["initContainers"].empty() && container.view->kind != ContainerKind::init &&
                       container.view->kind != ContainerKind::sidecar;
  return Value::object({{"reason", behind_others || container.view->kind == ContainerKind::init ||
                                           container.view->kind == ContainerKind::sidecar
                                       ? "PodInitializing"
                                       : "ContainerCreating"}});
}

struct States {
  Value now, last;
};

// What the last status had to say, for a container that has no record.
States states_from_memory(const Pass& pass, const ContainerFacts& container, bool goes_on) {
  const Value& old = remembered_status(pass.memory.status, container.view->name());
  const Value& state = old["state"];
  Value last = old["lastState"];
  Value ended;
  if (!state["running"].is_null()) ended = lost_state(state["running"], old["containerID"].as_string());
  if (!state["terminated"].is_null()) ended = state["terminated"];
  if (!ended.is_null() && !goes_on) return {wrap("terminated", ended), last};
  if (!ended.is_null()) last = wrap("terminated", ended);
  if (!goes_on && last["terminated"].is_object() && container.ended) return {last, Value()};
  return {wrap("waiting", waiting_state(pass, container)), last};
}

States states_from_records(const Pass& pass, const ContainerFacts& container, bool goes_on) {
  const ContainerRecord& record = *container.record;
  const Value& old = remembered_status(pass.memory.status, container.view->name());
  Value last = old["lastState"];
  std::string id = std::string(id_scheme) + record.id;
  if (container.previous && !container.previous->is_live()) {
    last = wrap("terminated", terminated_state(pass.situation, *container.previous));
  } else if (old["containerID"].as_string() != id) {  // the one before belonged to another sandbox
    if (!old["state"]["terminated"].is_null()) last = wrap("terminated", old["state"]["terminated"]);
    if (!old["state"]["running"].is_null()) last = wrap("terminated", lost_state(old["state"]["running"], old["containerID"].as_string()));
  }
  if (container.live) {
    if (record.phase == ContainerRecord::Phase::created) return {wrap("waiting", waiting_state(pass, container)), last};
    return {wrap("running", Value::object({{"startedAt", time_value(record.started_at)}})), last};
  }
  Value running = Value::object({{"startedAt", time_value(record.started_at)}});
  Value ended = wrap("terminated", container.lost ? lost_state(running, id) : terminated_state(pass.situation, record));
  auto memory = pass.memory.containers.find(container.view->name());
  bool waits = memory != pass.memory.containers.end() && !memory->second.waiting_reason.empty();
  if (goes_on && container.wants_start() && (waits || container.lost)) return {wrap("waiting", waiting_state(pass, container)), ended};
  return {ended, last};
}

// KEP-3857: what is mounted where, and how read-only.
Value mount_statuses(const ContainerView& view) {
  std::vector<Value> list;
  for (const Value& mount : view.spec["volumeMounts"].items()) {
    ObjectBuilder status;
    status.set("name", mount["name"]);
    status.set("mountPath", mount["mountPath"]);
    if (mount["readOnly"].as_bool()) status.set("readOnly", true).set("recursiveReadOnly", "Disabled");
    list.push_back(std::move(status).build());
  }
  return Value::list(std::move(list));
}

}  // namespace

Value make_container_status(const Pass& pass, const ContainerFacts& container, const Standing& standing) {
  const ContainerView& view = *container.view;
  const Value& old = remembered_status(pass.memory.status, view.name());
  States states = container.record ? states_from_records(pass, container, !standing.ending)
                                   : states_from_memory(pass, container, !standing.ending);
  ObjectBuilder status;
  status.set("name", view.name());
  status.set("state", states.now);
  status.set("lastState", states.last.is_null() ? Value::empty_object() : states.last);
  bool completed = view.kind == ContainerKind::init && container.here && container.succeeded();
  if (view.kind == ContainerKind::init && !container.record && states.now["terminated"]["exitCode"].is_int())
    completed = states.now["terminated"]["exitCode"].as_int() == 0;
  status.set("ready", completed || (view.kind != ContainerKind::init && view.kind != ContainerKind::ephemeral && container.ready));
  status.set("restartCount", static_cast<int64_t>(container.restarts));
  status.set("image", view.image());
  status.set("imageID", container.record ? Value(container.record->image_id) : Value(old["imageID"].as_string()));
  if (container.record) {
    status.set("containerID", std::string(id_scheme) + container.record->id);
  } else if (!old["containerID"].is_null()) {
    status.set("containerID", old["containerID"]);
  }
  bool started = container.live && (view.kind == ContainerKind::init || container.started);
  if (view.kind != ContainerKind::ephemeral || container.record) status.set("started", started);
  if (container.live && view.kind != ContainerKind::ephemeral) {
    status.set_if("allocatedResources", view.spec["resources"]["requests"]);
    status.set("resources", view.spec["resources"].is_null() ? Value::empty_object() : view.spec["resources"].without("claims"));
  }
  status.set_if("volumeMounts", mount_statuses(view));
  return std::move(status).build();
}

}  // namespace orch::plan::pod
