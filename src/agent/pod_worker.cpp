#include "agent/pod_worker.h"

#include "agent/image_name.h"
#include "agent/status_patch.h"
#include "plan/core/object.h"
#include "plan/pod/container_facts.h"

namespace orch::agent {

using namespace plan::pod;

namespace {

// A status that can wait is written this much later: what a pod goes through while it starts is one write.
constexpr Duration status_delay = 100ms, checkpoint_delay = 300ms;
constexpr Duration first_retry = 100ms, longest_retry = 10s;

}  // namespace

SandboxRecord record_of(const runtime::SandboxState& state) {
  SandboxRecord record;
  record.attempt = state.attempt;
  record.alive = state.alive;
  record.shim_pid = state.shim_pid;
  record.created_at = state.created_at;
  for (const runtime::ContainerState& from : state.containers) {
    ContainerRecord& to = record.containers.emplace_back();
    to.id = from.id;
    to.name = from.name;
    to.attempt = from.attempt;
    to.phase = static_cast<ContainerRecord::Phase>(from.phase);
    to.pid = from.pid;
    to.exit_code = from.exit_code;
    to.signal = from.signal;
    to.oom_killed = from.oom_killed;
    to.start_error = from.start_error;
    to.created_at = from.created_at;
    to.started_at = from.started_at;
    to.finished_at = from.finished_at;
    to.image_id = from.image_id;
    to.spec_hash = from.spec_hash;
  }
  return record;
}

PodWorker::PodWorker(NodeParts& parts, Checkpoint known)
    : parts_(parts),
      uid_(plan::uid_of(known.pod)),
      view_(known.pod),
      references_(std::move(known.references)),
      references_known_(parts.loop),
      scope_(parts.loop) {
  memory_.status = view_.status();
  adopt();
  parts_.references.want(uid_, std::string(view_.ns()), references_of(view_), [this] { references_changed(); });
  look_soon();
}

PodWorker::~PodWorker() {
  *alive_ = false;
  if (timer_) parts_.loop.cancel_timer(*timer_);
  if (keep_timer_) parts_.loop.cancel_timer(*keep_timer_);
  parts_.references.drop(uid_);
  parts_.maker.stop_probes(uid_);
}

// What an agent before us has begun goes on.
void PodWorker::adopt() {
  auto state = parts_.runtime.find(uid_);
  if (!state) return;
  admitted_ = true;
  plan::pod::adopt(record_of(*state), memory_);
}

void PodWorker::update(const Value& pod) {
  const Value& was = view_.metadata();
  const Value& is = pod["metadata"];
  const bool same_spec = pod["spec"] == view_.spec();
  // Annotations and labels are part of downward volumes.
  if (!same_spec || is["labels"] != was["labels"] || is["annotations"] != was["annotations"]) ++generation_;
  view_ = PodView(pod);
  if (!same_spec)
    parts_.references.want(uid_, std::string(view_.ns()), references_of(view_), [this] { references_changed(); });
  look_soon();
}

void PodWorker::set_gone() {
  gone_ = true;
  look_soon();
}

void PodWorker::references_changed() {
  references_known_.set();
  ResolvedReferences now = parts_.references.resolve(uid_, references_);
  if (now.config_maps != references_.config_maps || now.secrets != references_.secrets || now.tokens != references_.tokens) ++generation_;
  look_soon();
}

void PodWorker::look_soon() {
  if (std::exchange(look_pending_, true)) return;
  parts_.loop.defer([this, alive = alive_] {
    if (!*alive) return;
    look_pending_ = false;
    look();
  });
}

bool PodWorker::admit() {
  if (admitted_ || gone_ || view_.is_deleting() || !memory_.status["startTime"].is_null()) {
    admitted_ = true;
    return true;
  }
  auto verdict = parts_.admit(view_.object());
  if (!verdict) return false;  // the node is not known yet; looked at again when it is
  rejection_ = *verdict;
  admitted_ = true;
  return true;
}

// True: messages of ended containers are being read; a look follows.
bool PodWorker::read_messages() {
  if (!sandbox_) return false;
  for (const ContainerRecord& record : sandbox_->containers) {
    if (record.is_live() || messages_.contains(record.id)) continue;
    if (!record.start_error.empty()) {
      messages_[record.id];
    } else if (reading_.insert(record.id).second) {
      scope_.spawn(read_message(record));
    }
  }
  std::erase_if(messages_, [&](const auto& message) { return !sandbox_->find(message.first); });
  return !reading_.empty();
}

loop::Task<void> PodWorker::read_message(ContainerRecord record) {
  std::string message;
  if (const ContainerView* view = view_.find(record.name)) {
    auto read = co_await parts_.maker.termination_message(view_, *view, record.attempt, record.exit_code != 0).result();
    if (read.ok()) message = std::move(read).value();
  }
  messages_[record.id] = std::move(message);
  reading_.erase(record.id);
  look_soon();
}

Situation PodWorker::situation() {
  Situation situation{view_};
  situation.sandbox = sandbox_ ? &*sandbox_ : nullptr;
  for (const ContainerView& container : view_.containers()) {
    ImageView image;
    image.name_is_valid = is_valid_image_name(container.image());
    auto found = image.name_is_valid ? parts_.images.find(container.image()) : std::nullopt;
    if (found) {
      image.present = true;
      image.id = found->digests.empty() ? found->id : found->digests.front();
      image.stop_signal = stop_signal_of(found->config);
    }
    situation.images[std::string(container.image())] = std::move(image);
  }
  situation.probes = &parts_.maker.probe_results(uid_);
  situation.termination_messages = messages_;
  situation.gone = gone_;
  situation.rejection = rejection_;
  situation.network_not_ready = parts_.network.not_ready_reason();
  situation.references_generation = generation_;
  situation.host_ips = parts_.node_ips;
  situation.now = parts_.loop.wall();
  situation.mono = parts_.loop.now();
  return situation;
}

void PodWorker::look() {
  if (timer_) parts_.loop.cancel_timer(*std::exchange(timer_, std::nullopt));
  auto state = parts_.runtime.find(uid_);
  sandbox_.reset();
  if (state) sandbox_ = record_of(*state);
  if (!admit() || read_messages()) return;
  const bool runs = sandbox_ && sandbox_->alive && (memory_.attached || view_.host_network());
  parts_.maker.watch_probes(view_, runs ? &*sandbox_ : nullptr, view_.host_network() ? parts_.node_ips : memory_.ips,
                            [this] { look_soon(); });
  PodPlan plan = reconcile(situation(), memory_);
  record(plan.notes);
  if (plan.next_look) timer_ = parts_.loop.start_timer(parts_.loop.now() + *plan.next_look, [this] {
    timer_.reset();
    look_soon();
  });
  publish();
  keep();
  for (PodAction& action : plan.actions) {
    if (parts_.log.enabled(LogLevel::debug))
      parts_.log.debug("pod", {{"pod", std::string(view_.ns()) + "/" + std::string(view_.name())}, {"action", format_action(action)}});
    scope_.spawn(run(std::move(action)));
  }
}

void PodWorker::record(const std::vector<plan::Note>& notes) {
  if (notes.empty()) return;
  Value reference = client::EventRecorder::reference(
      view_.object().with("apiVersion", "v1").with("kind", "Pod"));
  for (const plan::Note& note : notes) parts_.events.record("kubelet", reference, note);
}

void PodWorker::publish() {
  if (writing_ || gone_) return;
  if (status_patch(view_.object(), memory_.status).is_null()) return;
  writing_ = true;
  scope_.spawn(write_status(is_urgent(view_.status(), memory_.status) ? Duration{} : status_delay));
}

// Writes until the API has what we want it to have; the latest state counts, not each one on the way.
loop::Task<void> PodWorker::write_status(Duration delay) {
  Duration retry = first_retry;
  while (!gone_) {
    // A status that becomes urgent meanwhile does not wait.
    for (; delay > Duration{} && !is_urgent(view_.status(), memory_.status); delay -= 10ms) co_await loop::sleep(parts_.loop, 10ms);
    Value patch = status_patch(view_.object(), memory_.status);
    if (patch.is_null()) break;
    client::Target target = client::target_of(plan::types::pods);
    target.ns = view_.ns();
    target.name = view_.name();
    target.subresource = "status";
    client::WriteOptions options;
    options.field_manager = "kubelet";
    auto written = co_await parts_.api.patch(target, client::PatchType::strategic, patch, options).result();
    if (written.ok()) {
      parts_.absorb(written.value());
      retry = first_retry;
      delay = status_delay;
      continue;
    }
    if (written.error().is(Code::not_found)) break;  // the watch tells of its end
    parts_.log.debug("a status was not written", {{"pod", view_.name()}, {"error", written.error().message()}});
    co_await loop::sleep(parts_.loop, retry);
    retry = std::min<Duration>(retry * 2, longest_retry);
  }
  writing_ = false;
}

namespace {

int64_t restarts_of(const Value& status) {
  int64_t restarts = 0;
  for (std::string_view list : {"initContainerStatuses", "containerStatuses"}) {
    for (const Value& container : status[list].items()) restarts += container["restartCount"].as_int();
  }
  return restarts;
}

}  // namespace

// The pod, what it is made from and how it stands, on disk: for the time after a reboot. A little later, so that what
// comes in quick succession is one write.
void PodWorker::keep() {
  if (keeping_ || gone_ || leaving_) return;
  // A restart is kept before its count is told to the API (status_delay): a power cut must not make the count smaller.
  const bool urgent = restarts_of(memory_.status) > restarts_of(kept_["status"]);
  if (keep_timer_ && !urgent) return;
  // (What else is in the metadata changes with every write of ours.)
  auto same_text = [&](std::string_view field) { return kept_["metadata"][field] == view_.metadata()[field]; };
  const bool same_metadata = same_text("labels") && same_text("annotations") && same_text("deletionTimestamp");
  if (same_metadata && kept_["spec"] == view_.spec() && kept_["status"] == memory_.status) return;
  if (keep_timer_) parts_.loop.cancel_timer(*std::exchange(keep_timer_, std::nullopt));
  const Duration delay = urgent ? Duration{} : checkpoint_delay;
  keep_timer_ = parts_.loop.start_timer(parts_.loop.now() + delay, [this] {
    keep_timer_.reset();
    if (gone_ || leaving_) return;
    keeping_ = true;
    scope_.spawn(write_checkpoint());
  });
}

loop::Task<void> PodWorker::write_checkpoint() {
  Checkpoint checkpoint;
  kept_ = checkpoint.pod = view_.object().with("status", memory_.status);
  checkpoint.references = parts_.references.resolve(uid_, references_);
  auto saved = co_await parts_.maker.save_checkpoint(std::move(checkpoint)).result();
  if (!saved.ok()) parts_.log.warn("a pod could not be kept on disk", {{"pod", view_.name()}, {"error", saved.error().message()}});
  keeping_ = false;
  if (!leaving_) look_soon();
}

}  // namespace orch::agent
