#include "plan/pod/downward.h"

#include "base/text.h"
#include "data/quantity.h"

namespace orch::plan::pod {

namespace {

// kubelet's FormatMap: one line a key, Go-quoted, sorted.
std::string format_map(const Value& map) {
  std::string text;
  for (const Member& member : map.members()) {
    if (!text.empty()) text += "\n";
    text += std::string(member.name()) + "=" + quote(member.value.as_string());
  }
  return text;
}

// metadata.labels['key'] -> key
std::optional<std::string_view> subscript(std::string_view path, std::string_view of) {
  if (!path.starts_with(of) || !path.substr(of.size()).starts_with("['") || !path.ends_with("']")) return std::nullopt;
  return path.substr(of.size() + 2, path.size() - of.size() - 4);
}

int64_t divide_up(int64_t value, int64_t divisor) { return divisor <= 0 ? value : (value + divisor - 1) / divisor; }

}  // namespace

Result<std::string> field_value(const PodView& pod, const Surroundings& around, std::string_view path) {
  if (auto key = subscript(path, "metadata.labels")) return std::string(pod.metadata()["labels"][*key].as_string());
  if (auto key = subscript(path, "metadata.annotations")) return std::string(pod.metadata()["annotations"][*key].as_string());
  if (path == "metadata.labels") return format_map(pod.metadata()["labels"]);
  if (path == "metadata.annotations") return format_map(pod.metadata()["annotations"]);
  if (path == "metadata.name") return std::string(pod.name());
  if (path == "metadata.namespace") return std::string(pod.ns());
  if (path == "metadata.uid") return std::string(pod.uid());
  if (path == "spec.nodeName") return std::string(pod.spec()["nodeName"].as_string());
  if (path == "spec.serviceAccountName") return std::string(pod.spec()["serviceAccountName"].as_string());
  if (path == "status.hostIP") return around.host_ips.empty() ? std::string() : around.host_ips.front();
  if (path == "status.hostIPs") return join(around.host_ips, ",");
  if (path == "status.podIP") return around.pod_ips.empty() ? std::string() : around.pod_ips.front();
  if (path == "status.podIPs") return join(around.pod_ips, ",");
  return Error::make(Code::invalid, "unsupported fieldPath: " + std::string(path));
}

Result<std::string> resource_value(const PodView& pod, const Surroundings& around, std::string_view container,
                                   const Value& selector) {
  std::string_view name = selector["containerName"].as_string(container);
  const ContainerView* view = pod.find(name);
  if (!view) return Error::make(Code::invalid, "container " + std::string(name) + " not found");
  std::string_view resource = selector["resource"].as_string();
  const bool limit = resource.starts_with("limits.");
  if (!limit && !resource.starts_with("requests.")) return Error::make(Code::invalid, "unsupported container resource : " + std::string(resource));
  std::string_view what = resource.substr(resource.find('.') + 1);
  const Value& set = view->spec["resources"][limit ? "limits" : "requests"][what];
  const Quantity amount = Quantity::from(set.is_null() && limit ? around.allocatable[what] : set);
  Quantity divisor = Quantity::from(selector["divisor"]);
  if (divisor.is_zero()) divisor = Quantity::of(1);
  if (what == "cpu") return std::to_string(divide_up(amount.milli_value(), divisor.milli_value()));
  return std::to_string(divide_up(amount.value(), divisor.value()));
}

}  // namespace orch::plan::pod
