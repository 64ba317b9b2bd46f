#include "plan/pod/starting.h"

#include "base/text.h"

namespace orch::plan::pod {

namespace {

// For this long a failed pull is ErrImagePull, then it is ImagePullBackOff.
constexpr Duration show_pull_error = 2s;

PodAction start_of(const ContainerFacts& container) {
  PodAction action{ActionKind::start_container, std::string(container.view->name())};
  action.image = container.view->image();
  action.attempt = container.next_attempt;
  return action;
}

PodAction pull_of(const ContainerFacts& container) {
  PodAction action{ActionKind::pull_image, std::string(container.view->name())};
  action.image = container.view->image();
  action.attempt = container.next_attempt;
  return action;
}

void wait_for(ContainerMemory& memory, std::string_view reason, std::string message) {
  memory.waiting_reason = reason;
  memory.waiting_message = std::move(message);
}

// True: it has crashed and has to wait.
bool is_backing_off(Pass& pass, const ContainerFacts& container, ContainerMemory& memory) {
  if (!container.ended || container.lost) return false;
  Duration left = time_left(memory.crash, crash_rule, container.ended->at, pass.situation.now);
  if (left <= Duration{}) return false;
  std::string name(container.view->name());
  wait_for(memory, "CrashLoopBackOff", "back-off " + format_duration(memory.crash.delay) + " restarting failed container=" + name +
                                           " pod=" + format_pod(pass.pod()));
  if (memory.back_off_noted != container.next_attempt) {
    memory.back_off_noted = container.next_attempt;
    pass.note_container(name, warning("BackOff", "Back-off restarting failed container " + name + " in pod " + format_pod(pass.pod())));
  }
  pass.look_after(left);
  return true;
}

// A pull that failed: true while the next one has to wait.
bool is_pull_backing_off(Pass& pass, const ContainerFacts& container, ContainerMemory& memory, PullMemory& pull) {
  Duration left = time_left(pull.back_off, pull_rule, pull.failed_at, pass.situation.now);
  if (pull.error.empty() || left <= Duration{}) return false;
  pass.look_after(left);
  std::string image = quote(container.view->image());
  Duration passed = pass.situation.now - pull.failed_at;
  if (memory.waiting_reason != "ImagePullBackOff" && passed >= Duration{} && passed < show_pull_error) {
    wait_for(memory, "ErrImagePull", pull.error);
    pass.look_after(show_pull_error - passed);
    return true;
  }
  wait_for(memory, "ImagePullBackOff", "Back-off pulling image " + image + ": ErrImagePull: " + pull.error);
  if (!pull.noted) {
    pull.noted = true;
    pass.note_container(container.view->name(), normal("BackOff", "Back-off pulling image " + image));
    pass.note_container(container.view->name(), warning("Failed", "Error: ImagePullBackOff"));
  }
  return true;
}

// A start that cannot be until the user changes something: said once.
void refuse(Pass& pass, const ContainerFacts& container, ContainerMemory& memory, std::string_view reason,
            std::string message, std::string_view event) {
  if (memory.waiting_reason == reason && memory.waiting_message == message) return;
  pass.note_container(container.view->name(), warning(event, message));
  pass.note_container(container.view->name(), warning("Failed", "Error: " + std::string(reason)));
  wait_for(memory, reason, std::move(message));
}

// True: the image is there.
bool ensure_image(Pass& pass, const ContainerFacts& container, ContainerMemory& memory) {
  const std::string_view name = container.view->image();
  auto found = pass.situation.images.find(name);
  const ImageView image = found == pass.situation.images.end() ? ImageView{} : found->second;
  std::string_view policy = container.view->spec["imagePullPolicy"].as_string("IfNotPresent");
  if (!image.name_is_valid) {
    refuse(pass, container, memory, "InvalidImageName",
           "Failed to apply default image tag " + quote(name) + ": couldn't parse image name " + quote(name) +
               ": invalid reference format", "InspectFailed");
    return false;
  }
  const bool pulled = memory.pulled_for == container.next_attempt;
  if (image.present && (policy != "Always" || pulled)) {
    if (!pulled)
      pass.note_container(container.view->name(), normal("Pulled", "Container image " + quote(name) + " already present on machine"));
    return true;
  }
  if (policy == "Never") {
    refuse(pass, container, memory, "ErrImageNeverPull",
           "Container image " + quote(name) + " is not present with pull policy of Never", "ErrImageNeverPull");
    return false;
  }
  PullMemory& pull = pass.memory.pulls[std::string(name)];
  if (pass.is_under_way(pull_of(container).key()) || is_pull_backing_off(pass, container, memory, pull)) return false;
  pass.note_container(container.view->name(), normal("Pulling", "Pulling image " + quote(name)));
  pass.ask(pull_of(container));
  return false;
}

}  // namespace

bool is_being_started(const Pass& pass, const ContainerFacts& container) {
  return pass.is_under_way(start_of(container).key()) || pass.is_under_way(pull_of(container).key());
}

void start_container(Pass& pass, const ContainerFacts& container) {
  if (pass.is_under_way(start_of(container).key())) return;
  ContainerMemory& memory = pass.memory.containers[std::string(container.view->name())];
  if (is_backing_off(pass, container, memory) || pass.must_wait(memory.retry)) return;
  if (!ensure_image(pass, container, memory)) return;
  if (container.ended) memory.crash = grown(memory.crash, crash_rule, container.ended->at, pass.situation.now);
  pass.ask(start_of(container));
}

}  // namespace orch::plan::pod
