#include "plan/pod/container_facts.h"

#include "data/hash.h"
#include "plan/core/object.h"

namespace orch::plan::pod {

namespace {

constexpr int killed_exit_code = 137;  // kubelet's guess where it does not know
constexpr std::string_view unknown_reason = "ContainerStatusUnknown";

const Value* status_in(const Value& statuses, std::string_view container) {
  for (const Value& status : statuses.items())
    if (status["name"].as_string() == container) return &status;
  return nullptr;
}

Ended ended_from(const Value& terminated) {
  return {static_cast<int>(terminated["exitCode"].as_int()), time_of(terminated["finishedAt"]).value_or(Instant{})};
}

// A container without a record: the last status speaks.
void remember(const Value& status, Instant now, ContainerFacts& facts) {
  facts.restarts = facts.next_attempt = static_cast<uint32_t>(status["restartCount"].as_int());
  const Value& state = status["state"];
  const Value& last = status["lastState"]["terminated"];
  if (!state["running"].is_null()) {
    facts.lost = true;
    facts.ended = Ended{killed_exit_code, now};
    facts.next_attempt = ++facts.restarts;
  } else if (!state["terminated"].is_null()) {
    facts.ended = ended_from(state["terminated"]);
    ++facts.next_attempt;
  } else if (!last.is_null()) {
    facts.ended = ended_from(last);
    // A lost one was counted when it was found to be lost.
    if (last["reason"].as_string() != unknown_reason) ++facts.next_attempt;
  }
}

void judge_health(const Situation& situation, const ContainerMemory* memory, ContainerFacts& facts) {
  const Value& spec = facts.view->spec;
  const ContainerRecord& record = *facts.record;
  if (record.phase != ContainerRecord::Phase::running) return;
  ContainerHealth health;
  if (situation.probes) {
    auto found = situation.probes->find(record.id);
    if (found != situation.probes->end()) health = found->second;
  }
  if (memory && memory->adopted_id == record.id) {
    if (memory->adopted_started && health.startup == ProbeResult::unknown) health.startup = ProbeResult::success;
    if (memory->adopted_ready && health.readiness == ProbeResult::unknown) health.readiness = ProbeResult::success;
  }
  bool hook_pending = !spec["lifecycle"]["postStart"].is_null() && memory && !memory->post_start_done.contains(record.id);
  facts.started = !hook_pending && (spec["startupProbe"].is_null() || health.startup == ProbeResult::success);
  facts.ready = facts.started && (spec["readinessProbe"].is_null() || health.readiness == ProbeResult::success);
}

void read_records(const Situation& situation, ContainerFacts& facts) {
  for (const ContainerRecord& record : situation.sandbox->containers) {
    if (record.name != facts.view->name()) continue;
    if (!facts.record || record.attempt >= facts.record->attempt) {
      facts.previous = facts.record;
      facts.record = &record;
    } else if (!facts.previous || record.attempt > facts.previous->attempt) {
      facts.previous = &record;
    }
  }
  if (!facts.record) return;
  facts.here = situation.sandbox->alive;
  facts.live = facts.here && facts.record->is_live();
  facts.lost = !facts.here && facts.record->is_live();
  facts.restarts = facts.record->attempt;
  facts.next_attempt = facts.record->attempt + 1;
  if (facts.lost) {
    facts.restarts = facts.next_attempt;  // as kubelet counts it
    facts.ended = Ended{killed_exit_code, situation.now};
  } else if (!facts.live) {
    facts.ended = Ended{facts.record->exit_code, facts.record->finished_at};
  }
}

}  // namespace

bool ContainerFacts::wants_start() const {
  if (live) return false;
  switch (view->kind) {
    case ContainerKind::ephemeral: return !ended;
    case ContainerKind::init:  // once more in each new sandbox
      return !here || (ended && ended->exit_code != 0 && view->restart_policy != RestartPolicy::never);
    case ContainerKind::sidecar: return true;
    case ContainerKind::main: break;
  }
  if (!ended || view->restart_policy == RestartPolicy::always) return true;
  return view->restart_policy == RestartPolicy::on_failure && ended->exit_code != 0;
}

std::string spec_hash(const ContainerView& container) {
  uint64_t hash = fnv1a_64(std::string(container.name()) + "\n" + std::string(container.image()));
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += "0123456789abcdef"[(hash >> shift) & 15];
  return text;
}

const Value& remembered_status(const Value& pod_status, std::string_view container) {
  for (std::string_view list : {"containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"})
    if (const Value* found = status_in(pod_status[list], container)) return *found;
  return Value::null();
}

std::vector<ContainerFacts> gather_facts(const Situation& situation, const Memory& memory) {
  std::vector<ContainerFacts> all;
  for (const ContainerView& view : situation.pod.containers()) {
    ContainerFacts& facts = all.emplace_back();
    facts.view = &view;
    auto remembered = memory.containers.find(view.name());
    if (situation.sandbox) read_records(situation, facts);
    if (!facts.record) {
      const Value& status = remembered_status(memory.status, view.name());
      if (!status.is_null()) remember(status, situation.now, facts);
    }
    if (facts.live) judge_health(situation, remembered == memory.containers.end() ? nullptr : &remembered->second, facts);
  }
  return all;
}

}  // namespace orch::plan::pod
