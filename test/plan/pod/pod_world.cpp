#include "plan/pod/pod_world.h"

#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <sstream>

#include "base/text.h"
#include "plan/core/pod.h"
#include "plan/pod/container_facts.h"

namespace orch::test {

using namespace plan::pod;

namespace {

std::string describe_state(const Value& state) {
  const Value& terminated = state["terminated"];
  if (state["running"].is_object()) return "running";
  if (state["waiting"].is_object()) return "waiting(" + std::string(state["waiting"]["reason"].as_string()) + ")";
  if (terminated.is_object())
    return std::string(terminated["reason"].as_string()) + "(" + std::to_string(terminated["exitCode"].as_int()) + ")";
  return "?";
}

std::string describe(const Value& status) {
  std::string text(status["phase"].as_string());
  if (status["reason"].is_string()) text += " " + std::string(status["reason"].as_string());
  for (std::string_view type : {"Initialized", "Ready"}) {
    const Value& condition = plan::pod_condition(Value::object({{"status", status}}), type);
    text += " " + std::string(type) + "=" + std::string(condition["status"].as_string());
  }
  for (std::string_view list : {"initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses"}) {
    for (const Value& container : status[list].items()) {
      text += " " + std::string(container["name"].as_string()) + "=" + describe_state(container["state"]);
      if (container["lastState"]["terminated"].is_object()) text += "<" + describe_state(container["lastState"]);
      if (container["restartCount"].as_int() > 0) text += "x" + std::to_string(container["restartCount"].as_int());
    }
  }
  return text;
}

}  // namespace

PodWorld::PodWorld(Value pod) : pod_(std::move(pod)), now_{1'800'000'000'000'000'000}, start_(now_) {
  Value metadata = pod_["metadata"];
  if (metadata["name"].is_null()) metadata = metadata.with("name", "web");
  pod_ = pod_.with("metadata", metadata.with("namespace", "default").with("uid", "u1"));
  memory_.status = pod_["status"];
  PodView view(pod_);
  for (const ContainerView& container : view.containers())
    images_[std::string(container.image())] = ImageView{true, true, std::string(container.image()) + "@sha256:1", SIGTERM};
}

Situation PodWorld::situation(const PodView& view) const {
  Situation situation{view};
  situation.sandbox = sandbox_ ? &*sandbox_ : nullptr;
  situation.images = images_;
  situation.probes = &probes_;
  situation.gone = gone_;
  situation.rejection = rejection_;
  situation.network_not_ready = network_not_ready_;
  situation.references_generation = generation_;
  situation.host_ips = {"192.0.2.1"};
  situation.now = now_;
  situation.mono = Mono{now_.ns - start_.ns};
  return situation;
}

void PodWorld::write(const std::string& text) {
  std::string time = format_duration(std::chrono::duration_cast<std::chrono::milliseconds>(now_ - start_));
  log_ += time + std::string(time.size() < 5 ? 5 - time.size() : 1, ' ') + text + "\n";
}

void PodWorld::write_status() {
  std::string text = describe(memory_.status);
  if (text != last_status_) write("= " + text);
  last_status_ = text;
  if (publishes_) pod_ = pod_.with("status", memory_.status);
}

ContainerRecord* PodWorld::running(const std::string& name) {
  if (!sandbox_) return nullptr;
  for (ContainerRecord& record : sandbox_->containers)
    if (record.name == name && record.is_live()) return &record;
  return nullptr;
}

ContainerRecord* PodWorld::by_id(const std::string& id) {
  if (!sandbox_) return nullptr;
  for (ContainerRecord& record : sandbox_->containers)
    if (record.id == id) return &record;
  return nullptr;
}

void PodWorld::exit_container(const std::string& name, int code, bool oom) {
  ContainerRecord* record = running(name);
  REQUIRE(record);
  record->phase = ContainerRecord::Phase::exited;
  record->exit_code = code;
  record->oom_killed = oom;
  record->finished_at = now_;
}

void PodWorld::end(const PodAction& action) {
  PodView view(pod_);
  ActionOutcome outcome;
  auto wanted = outcomes.find(format_action(action));
  if (wanted == outcomes.end()) wanted = outcomes.find(std::string(text_of(action.kind)));
  if (wanted != outcomes.end()) outcome = wanted->second;
  outcome.generation = generation_;
  switch (action.kind) {
    case ActionKind::create_sandbox:
      if (!outcome.failure) sandbox_ = SandboxRecord{.attempt = action.attempt, .created_at = now_};
      break;
    case ActionKind::attach_network: outcome.ips = {"10.42.0.5"}; break;
    case ActionKind::pull_image:
      if (!outcome.failure) images_[action.image] = ImageView{true, true, action.image + "@sha256:1", SIGTERM};
      break;
    case ActionKind::start_container: {
      if (outcome.failure || !sandbox_ || !sandbox_->alive) break;
      REQUIRE(!running(action.container));  // never two of one name
      ContainerRecord record;
      record.id = action.container + "-" + std::to_string(++ids_);
      record.name = action.container;
      record.attempt = action.attempt;
      record.phase = outcome.start_error.empty() ? ContainerRecord::Phase::running : ContainerRecord::Phase::exited;
      record.start_error = outcome.start_error;
      record.exit_code = outcome.start_error.empty() ? 0 : 127;
      record.created_at = record.started_at = record.finished_at = now_;
      record.spec_hash = spec_hash(*view.find(action.container));
      record.image_id = action.image + "@sha256:1";
      outcome.id = record.id;
      sandbox_->containers.push_back(record);
      break;
    }
    case ActionKind::signal_container: {
      ContainerRecord* record = by_id(action.id);
      if (!record || !record->is_live()) break;
      if (action.signal == SIGKILL || !ignores_term_[record->name]) exit_container(record->name, 128 + action.signal, false);
      break;
    }
    case ActionKind::remove_container:
      REQUIRE(!by_id(action.id)->is_live());
      std::erase_if(sandbox_->containers, [&](const ContainerRecord& record) { return record.id == action.id; });
      break;
    case ActionKind::remove_sandbox:
    case ActionKind::release:
    case ActionKind::tear_down:
      if (!outcome.failure) sandbox_.reset();
      break;
    case ActionKind::delete_object: object_deleted_ = gone_ = true; break;
    case ActionKind::forget: forgotten_ = true; break;
    default: break;
  }
  for (const plan::Note& note : finish(memory_, view, action, outcome, now_, Mono{now_.ns - start_.ns}))
    write(std::string("! ") + (note.type == plan::NoteType::normal ? "Normal " : "Warning ") + note.reason + ": " + note.message);
}

void PodWorld::act(const PodAction& action) {
  write(format_action(action));
  const bool held = (holds_pulls && action.kind == ActionKind::pull_image) ||
                    (holds_starts && action.kind == ActionKind::start_container) ||
                    (holds_hooks && (action.kind == ActionKind::pre_stop || action.kind == ActionKind::post_start));
  if (held) {
    held_[format_action(action)] = action;
  } else {
    end(action);
  }
}

bool PodWorld::look() {
  PodView view(pod_);
  Memory before = memory_;
  PodPlan plan = reconcile(situation(view), memory_);
  Memory again = before;
  PodPlan twin = reconcile(situation(view), again);  // deterministic
  REQUIRE(twin.status == plan.status);
  REQUIRE(twin.actions.size() == plan.actions.size());
  for (const plan::Note& note : plan.notes)
    write(std::string("! ") + (note.type == plan::NoteType::normal ? "Normal " : "Warning ") + note.reason + ": " + note.message);
  write_status();
  if (invariant) invariant(*this);
  for (const PodAction& action : plan.actions) act(action);
  next_look_ = plan.next_look;
  return !plan.actions.empty();
}

void PodWorld::settle() {
  for (int i = 0; i < 200; ++i) {
    if (forgotten_ || !look()) return;
  }
  FAIL("the pod never settles:\n" << log_);
}

void PodWorld::wait(Duration duration) {
  const Instant until = now_ + duration;
  settle();
  for (int i = 0; i < 10'000 && next_look_ && now_ + *next_look_ <= until; ++i) {
    now_ = now_ + *next_look_;
    settle();
  }
  now_ = until;
  settle();
}

// settle | wait 10s | exit NAME CODE | oom NAME | delete SECONDS | gone | die (the shim) | reboot |
// probe NAME startup|liveness|readiness success|failure | image NAME absent|invalid | hold pulls|hooks|starts | end ACTION |
// fail ACTION REASON MESSAGE | start-error NAME MESSAGE | succeed ACTION | ignore-term NAME | references | reject REASON MESSAGE |
// network REASON | set FIELD JSON-less VALUE | no-publish | restart (of the agent)
void PodWorld::step(const std::string& line) {
  std::istringstream words(line);
  std::string verb, a, b, rest;
  words >> verb >> a >> b;
  std::getline(words, rest);
  rest = trim(rest);
  auto unquoted = [](std::string text) { return replace_all(text, "_", " "); };
  if (verb == "wait") return wait(parse_duration(a).value());
  if (verb == "exit") exit_container(a, static_cast<int>(parse_int(b).value()), false);
  if (verb == "oom") exit_container(a, 137, true);
  if (verb == "delete") {
    Value metadata = pod_["metadata"].with("deletionTimestamp", format_time(now_));
    pod_ = pod_.with("metadata", metadata.with("deletionGracePeriodSeconds", parse_int(a).value()));
  }
  if (verb == "gone") gone_ = true;
  if (verb == "die" && sandbox_) sandbox_->alive = false;
  if (verb == "reboot" || verb == "restart") {
    memory_ = Memory{};
    memory_.status = pod_["status"];
    held_.clear();
    if (verb == "reboot") sandbox_.reset();
    if (sandbox_) adopt(*sandbox_, memory_);
  }
  if (verb == "probe") {
    ContainerRecord* record = running(a);
    REQUIRE(record);
    ProbeResult result = rest == "success" ? ProbeResult::success : ProbeResult::failure;
    ContainerHealth& health = probes_[record->id];
    (b == "startup" ? health.startup : b == "liveness" ? health.liveness : health.readiness) = result;
  }
  if (verb == "image") {
    if (b == "absent") images_[a].present = false;
    if (b == "invalid") images_[a] = ImageView{false, false, "", SIGTERM};
  }
  if (verb == "hold") (a == "pulls" ? holds_pulls : a == "hooks" ? holds_hooks : holds_starts) = true;
  if (verb == "end") {
    auto action = held_.find(unquoted(a));
    INFO(line);
    REQUIRE(action != held_.end());
    PodAction taken = action->second;
    held_.erase(action);
    end(taken);
  }
  if (verb == "fail") outcomes[unquoted(a)].failure = Failure{b == "-" ? "" : b, rest, "config"};
  if (verb == "start-error") outcomes["start " + a + " #" + b].start_error = rest;
  if (verb == "succeed") outcomes.erase(unquoted(a));
  if (verb == "ignore-term") ignores_term_[a] = true;
  if (verb == "references") ++generation_;
  if (verb == "reject") rejection_ = Rejection{a, b + " " + rest};
  if (verb == "network") network_not_ready_ = a == "ready" ? "" : a;
  if (verb == "new-image") {
    Value main = pod_["spec"]["containers"].at(0).with("image", a);
    pod_ = pod_.with_path({"spec", "containers"}, Value::list({main}));
    images_[a] = ImageView{true, true, a, SIGTERM};
  }
  if (verb == "debug") pod_ = pod_.with_path({"spec", "ephemeralContainers"}, Value::list({Value::object({{"name", a}, {"image", "busybox"}})}));
  if (verb == "debug") images_["busybox"] = ImageView{true, true, "busybox@sha256:1", SIGTERM};
  if (verb == "no-publish") publishes_ = false;
  if (verb == "publish") publishes_ = true;
  // The others prepare what comes.
  for (std::string_view prepares : {"image", "hold", "fail", "start-error", "succeed", "ignore-term", "reject", "network"})
    if (verb == prepares) return;
  settle();
}

}  // namespace orch::test
