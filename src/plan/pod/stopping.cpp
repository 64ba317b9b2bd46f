#include "plan/pod/stopping.h"

#include <csignal>

namespace orch::plan::pod {

namespace {

// kubelet's minimumGracePeriodInSeconds: between SIGTERM and SIGKILL, also when a hook has used up the rest.
constexpr Duration least_window = 2s;
constexpr Duration kill_again = 5s;

int stop_signal(const Pass& pass, const ContainerFacts& container) {
  auto image = pass.situation.images.find(container.view->image());
  return image == pass.situation.images.end() ? SIGTERM : image->second.stop_signal;
}

void send(Pass& pass, const ContainerFacts& container, int signal) {
  PodAction action{ActionKind::signal_container, std::string(container.view->name()), container.record->id};
  action.signal = signal;
  pass.ask(std::move(action));
}

// True while the preStop hook holds SIGTERM back.
bool run_hook(Pass& pass, const ContainerFacts& container, Stop& stop, Duration left) {
  if (container.view->spec["lifecycle"]["preStop"].is_null() || stop.hook_ended || left <= Duration{}) return false;
  if (container.record->phase != ContainerRecord::Phase::running) return false;
  if (!stop.hook_begun) {
    stop.hook_begun = true;
    PodAction action{ActionKind::pre_stop, std::string(container.view->name()), container.record->id};
    action.limit = left;
    pass.ask(std::move(action));
  }
  return true;
}

}  // namespace

void stop_container(Pass& pass, const ContainerFacts& container, Duration grace, std::string why, bool may_ask) {
  const Mono now = pass.situation.mono;
  auto [at, is_new] = pass.memory.stops.try_emplace(container.record->id);
  Stop& stop = at->second;
  if (is_new) {
    stop = Stop{std::move(why), now, grace};
    pass.note_container(container.view->name(), normal("Killing", stop.why));
  }
  stop.grace = std::min(stop.grace, grace);
  const Mono end = stop.begun + stop.grace;
  if (stop.killed) {  // gone as soon as the kernel lets it; asked again in case the first one was lost
    if (now - *stop.killed >= kill_again) {
      stop.killed = now;
      send(pass, container, SIGKILL);
    }
    return pass.look_after(*stop.killed + kill_again - now);
  }
  if (!stop.asked) {
    bool held = run_hook(pass, container, stop, end - now) || (!may_ask && now < end);
    if (held) return pass.look_after(end - now);
    stop.asked = now;
    if (stop.grace > Duration{}) send(pass, container, stop_signal(pass, container));
  }
  const Mono kill_at = std::max(end, *stop.asked + std::min(least_window, stop.grace));
  if (now < kill_at) return pass.look_after(kill_at - now);
  stop.killed = now;
  send(pass, container, SIGKILL);
  pass.look_after(kill_again);
}

bool stop_all(Pass& pass, Duration grace) {
  bool any_live = false;
  auto stop = [&](const ContainerFacts& container, bool may_ask) {
    stop_container(pass, container, grace, "Stopping container " + std::string(container.view->name()), may_ask);
  };
  for (const ContainerFacts& container : pass.facts) {
    if (!container.live || container.view->kind == ContainerKind::sidecar) continue;
    any_live = true;
    stop(container, true);
  }
  // The last sidecar first; each waits for those after it.
  for (auto at = pass.facts.rbegin(); at != pass.facts.rend(); ++at) {
    if (!at->live || at->view->kind != ContainerKind::sidecar) continue;
    stop(*at, !any_live);
    any_live = true;
  }
  return !any_live;
}

}  // namespace orch::plan::pod
