// Defaults of pods that need more than a line, and what happens to a pod before it is validated.

#include <array>

#include "base/text.h"
#include "schema/rules/edit.h"
#include "schema/rules/rules.h"

namespace orch::schema::rules {

namespace {

Value requests_from_limits(const Value& container) {
  const Value& limits = container["resources"]["limits"];
  if (limits.empty()) return container;
  Value requests = container["resources"]["requests"];
  for (const Member& limit : limits.members()) {
    if (!requests.has(limit.name())) requests = requests.with(limit.name(), limit.value);
  }
  if (requests.same(container["resources"]["requests"])) return container;
  return container.with_path({"resources", "requests"}, std::move(requests));
}

Value host_ports(const Value& container) {
  return map_member(container, "ports", [](const Value& ports) {
    return map_items(ports, [](const Value& port) {
      return is_empty(port["hostPort"]) ? port.with("hostPort", port["containerPort"]) : port;
    });
  });
}

Value without_init_annotations(const Value& metadata) {
  static constexpr std::array<std::string_view, 4> kOld{
      "pod.alpha.kubernetes.io/init-containers", "pod.beta.kubernetes.io/init-containers",
      "pod.alpha.kubernetes.io/init-container-statuses", "pod.beta.kubernetes.io/init-container-statuses"};
  return map_member(metadata, "annotations", [](const Value& annotations) {
    Value kept = annotations;
    for (std::string_view name : kOld) kept = kept.without(name);
    return kept;
  });
}

Value default_pod(const Value& pod) {
  Value result = map_member(pod, "metadata", without_init_annotations);
  return map_member(result, "spec", [](const Value& old_spec) {
    Value spec = with_default(old_spec, "enableServiceLinks", true);
    for (std::string_view list : {"containers", "initContainers"}) {
      spec = map_member(spec, list, [&](const Value& containers) {
        return map_items(containers, [&](const Value& container) {
          Value changed = requests_from_limits(container);
          return is_true(old_spec["hostNetwork"]) ? host_ports(changed) : changed;
        });
      });
    }
    if (spec["terminationGracePeriodSeconds"].as_int() < 0) {
      spec = spec.with("terminationGracePeriodSeconds", 1);
    }
    return spec;
  });
}

Value default_pod_spec(const Value& spec) {
  Value name = is_empty(spec["serviceAccountName"]) ? spec["serviceAccount"] : spec["serviceAccountName"];
  if (is_empty(name)) return spec;
  Value result = spec["serviceAccountName"] == name ? spec : spec.with("serviceAccountName", name);
  return result["serviceAccount"] == name ? result : result.with("serviceAccount", name);
}

// podIP and podIPs, podCIDR and podCIDRs: the first of the list is the single one.
Value pair(const Value& object, std::string_view one, std::string_view many, bool in_objects) {
  const Value& single = object[one];
  const Value& list = object[many];
  auto wrapped = [&](const Value& value) { return in_objects ? Value::object({{"ip", value}}) : value; };
  auto unwrapped = [&](const Value& value) -> const Value& { return in_objects ? value["ip"] : value; };
  if (is_empty(single)) {
    return is_empty(unwrapped(list.at(0))) ? object : object.with(one, unwrapped(list.at(0)));
  }
  if (list.empty()) return object.with(many, Value::list({wrapped(single)}));
  if (unwrapped(list.at(0)) == single) return object;
  return object.with(many, list.with_item(0, wrapped(single)));
}

Value default_pod_status(const Value& status) { return pair(status, "podIP", "podIPs", true); }
Value default_node_spec(const Value& spec) { return pair(spec, "podCIDR", "podCIDRs", false); }

Value default_node_status(const Value& status) {
  if (!status["allocatable"].empty() || status["capacity"].empty()) return status;
  return status.with("allocatable", status["capacity"]);
}

// "repo/name:tag@digest": no tag and no digest means latest.
bool is_latest(std::string_view image) {
  size_t digest = image.find('@');
  std::string_view name = image.substr(0, digest);
  size_t slash = name.rfind('/');
  size_t colon = name.rfind(':');
  bool tagged = colon != name.npos && (slash == name.npos || colon > slash);
  if (tagged) return name.substr(colon + 1) == "latest";
  return digest == image.npos;
}

Value pull_policy(const Value& image) { return is_latest(text(image)) ? "Always" : "IfNotPresent"; }

Value default_image_pull_policy(const Value& container) {
  if (!is_empty(container["imagePullPolicy"])) return container;
  return container.with("imagePullPolicy", pull_policy(container["image"]));
}

Value default_volume(const Value& volume) {
  // A volume is its name and one source.
  bool has_source = volume.size() > (volume.has("name") ? 1U : 0U);
  if (!has_source) return volume.with("emptyDir", Value::empty_object());
  return map_member(volume, "image", [](const Value& image) {
    return is_empty(image["pullPolicy"]) ? image.with("pullPolicy", pull_policy(image["reference"])) : image;
  });
}

constexpr Hooks::Named<DefaultHook> kDefaults[]{
    {"pod", {default_pod}},
    {"pod_spec", {default_pod_spec}},
    {"pod_status", {default_pod_status}},
    {"node_spec", {default_node_spec}},
    {"node_status", {default_node_status}},
    {"image_pull_policy", {default_image_pull_policy}},
    {"volume", {default_volume}},
};

}  // namespace

void add_pod_defaults(Hooks& hooks) { hooks.add<DefaultHook>(kDefaults); }

}  // namespace orch::schema::rules
