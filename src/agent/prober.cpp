#include "agent/prober.h"

#include <deque>

#include "plan/pod/events.h"

namespace orch::agent {

using loop::Task;
using namespace plan::pod;

namespace {

constexpr int most_tries = 3;  // kubelet's maxProbeRetries, for attempts that could not be made
constexpr ProbeKind kinds[] = {ProbeKind::startup, ProbeKind::liveness, ProbeKind::readiness};

// A container that was started by an agent before us, and whose startup probe has passed then.
bool has_started_before(const PodView& pod, const ContainerRecord& record) {
  for (std::string_view list : {"containerStatuses", "initContainerStatuses"})
    for (const Value& status : pod.status()[list].items())
      if (status["containerID"].as_string() == "orch://" + record.id && status["started"].as_bool()) return true;
  return false;
}

}  // namespace

struct Prober::Container {
  Container(loop::Loop& loop, ContainerView container_view, std::string container_id)
      : view(std::move(container_view)), id(std::move(container_id)), opened(loop), scope(loop) {}
  ContainerView view;
  std::string id;
  std::deque<ProbeCourse> courses;  // stable addresses: tasks hold them
  loop::Event opened;               // a probe may be open that was not
  bool has_startup = false;
  loop::Scope scope;  // last
};

struct Prober::Pod {
  explicit Pod(PodView view_) : view(std::move(view_)) {}
  PodView view;
  std::vector<std::string> ips;
  std::function<void()> changed;
  ProbeResults results;
  std::map<std::string, std::unique_ptr<Container>, std::less<>> containers;  // by id
};

Prober::Prober(Parts parts) : parts_(std::move(parts)) {}
Prober::~Prober() = default;

void Prober::watch(const PodView& pod, const SandboxRecord* sandbox, const std::vector<std::string>& ips,
                   std::function<void()> changed) {
  auto& known = pods_[std::string(pod.uid())];
  if (!known) known = std::make_unique<Pod>(pod);
  known->view = pod;
  known->ips = ips;
  known->changed = std::move(changed);
  auto runs = [&](std::string_view id) {
    const ContainerRecord* record = sandbox && sandbox->alive ? sandbox->find(id) : nullptr;
    return record && record->phase == ContainerRecord::Phase::running;
  };
  std::erase_if(known->containers, [&](const auto& entry) { return !runs(entry.first); });
  std::erase_if(known->results, [&](const auto& entry) { return !known->containers.contains(entry.first); });
  if (!sandbox || !sandbox->alive) return;
  for (const ContainerRecord& record : sandbox->containers) {
    if (!runs(record.id) || known->containers.contains(record.id)) continue;
    const ContainerView* view = pod.find(record.name);
    if (!view || view->kind == ContainerKind::init || view->kind == ContainerKind::ephemeral) continue;
    auto begun = begin(*known, *view, record);
    if (begun) known->containers[record.id] = std::move(begun);
  }
  for (auto& [id, container] : known->containers) container->opened.set();
}

std::unique_ptr<Prober::Container> Prober::begin(Pod& pod, const ContainerView& view, const ContainerRecord& record) {
  auto container = std::make_unique<Container>(parts_.loop, view, record.id);
  const Duration running = parts_.loop.wall() - record.started_at;
  ContainerHealth health;
  for (ProbeKind kind : kinds) {
    const Value& probe = probe_of(view.spec, kind);
    if (probe.is_null()) continue;
    ProbeCourse course = begin_probe(kind, probe, running, parts_.loop.now());
    if (kind == ProbeKind::startup) {
      container->has_startup = true;
      if (has_started_before(pod.view, record)) health.startup = course.result = ProbeResult::success;
    }
    container->courses.push_back(course);
  }
  if (container->courses.empty()) return nullptr;
  pod.results[record.id] = health;
  for (ProbeCourse& course : container->courses) container->scope.spawn(follow(pod, *container, course));
  return container;
}

Task<void> Prober::follow(Pod& pod, Container& container, ProbeCourse& course) {
  while (true) {
    const ProbeResult startup = pod.results[container.id].startup;
    if (!is_probe_open(course, container.has_startup, startup, pod.view.is_deleting())) {
      const bool is_over = course.held || (course.kind == ProbeKind::startup && course.result == ProbeResult::success);
      if (is_over) co_return;
      container.opened.reset();
      co_await container.opened.wait();
      open_probe(course, parts_.loop.now());
      continue;
    }
    if (course.next > parts_.loop.now()) {
      co_await loop::sleep(parts_.loop, course.next - parts_.loop.now());
      continue;
    }
    co_await attempt(pod, container, course);
  }
}

Task<void> Prober::attempt(Pod& pod, Container& container, ProbeCourse& course) {
  HandlerTarget target;
  target.pod_uid = pod.view.uid();
  target.container_id = container.id;
  if (!pod.ips.empty()) target.pod_ip = pod.ips.front();
  target.container = container.view.spec;
  const Value probe = probe_of(container.view.spec, course.kind);
  const Mono begun = parts_.loop.now();
  for (int tries = 1;; ++tries) {
    auto made = co_await parts_.handlers.probe(target, probe, course.rule.timeout).result();
    if (made.ok()) {
      conclude(pod, container, course, *made);
      co_return;
    }
    if (tries < most_tries) continue;
    // It says nothing about the container: the result stays as it is.
    course.next = begun + course.rule.period;
    std::string message = unhealthy_message(course.kind, made.error().message());
    message.replace(message.find("failed: "), 8, "errored and resulted in unknown state: ");
    parts_.tell(pod.view, about(pod.view, container.view.name(), warning("Unhealthy", std::move(message))));
    co_return;
  }
}

void Prober::conclude(Pod& pod, Container& container, ProbeCourse& course, const Attempt& attempt) {
  if (!attempt.success) {
    parts_.tell(pod.view, about(pod.view, container.view.name(), warning("Unhealthy", unhealthy_message(course.kind, attempt.output))));
  } else if (attempt.warning) {
    std::string message = unhealthy_message(course.kind, attempt.output);
    message.replace(message.find("failed: "), 8, "warning: ");
    parts_.tell(pod.view, about(pod.view, container.view.name(), warning("ProbeWarning", std::move(message))));
  }
  const bool changed = note_attempt(course, attempt.success, course.next);
  course.next = std::max(course.next, parts_.loop.now());
  if (!changed) return;
  ContainerHealth& health = pod.results[container.id];
  (course.kind == ProbeKind::startup    ? health.startup
   : course.kind == ProbeKind::liveness ? health.liveness
                                        : health.readiness) = course.result;
  container.opened.set();
  if (pod.changed) pod.changed();
}

const ProbeResults& Prober::results(std::string_view pod_uid) const {
  static const ProbeResults none;
  auto pod = pods_.find(pod_uid);
  return pod == pods_.end() ? none : pod->second->results;
}

void Prober::stop(std::string_view pod_uid) {
  auto pod = pods_.find(pod_uid);
  if (pod != pods_.end()) pods_.erase(pod);
}

}  // namespace orch::agent
