#include "plan/pod/events.h"

namespace orch::plan::pod {

Note normal(std::string_view reason, std::string message) {
  return {NoteType::normal, std::string(reason), std::move(message), {}};
}

Note warning(std::string_view reason, std::string message) {
  return {NoteType::warning, std::string(reason), std::move(message), {}};
}

Note about(const PodView& pod, std::string_view container, Note note) {
  const ContainerView* view = pod.find(container);
  std::string_view list = "containers";
  if (view && (view->kind == ContainerKind::init || view->kind == ContainerKind::sidecar)) list = "initContainers";
  if (view && view->kind == ContainerKind::ephemeral) list = "ephemeralContainers";
  note.about = Value::object({{"apiVersion", "v1"},
                              {"kind", "Pod"},
                              {"name", pod.name()},
                              {"namespace", pod.ns()},
                              {"uid", pod.uid()},
                              {"fieldPath", "spec." + std::string(list) + "{" + std::string(container) + "}"}});
  return note;
}

std::string format_pod(const PodView& pod) {
  return std::string(pod.name()) + "_" + std::string(pod.ns()) + "(" + std::string(pod.uid()) + ")";
}

}  // namespace orch::plan::pod
