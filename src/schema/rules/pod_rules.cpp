// Validation of a pod as a whole: its annotations, what only a created pod may have, and what an
// update may change.

#include <map>
#include <set>

#include "base/ip.h"
#include "data/json.h"
#include "schema/rules/check.h"
#include "schema/rules/edit.h"
#include "schema/rules/rules.h"

namespace orch::schema::rules {

namespace {

constexpr std::string_view kMirror = "kubernetes.io/config.mirror";
constexpr std::string_view kAppArmor = "container.apparmor.security.beta.kubernetes.io/";
constexpr std::string_view kSeccompPod = "seccomp.security.alpha.kubernetes.io/pod";
constexpr std::string_view kSeccomp = "container.seccomp.security.alpha.kubernetes.io/";

bool valid_seccomp(std::string_view profile) {
  if (profile == "runtime/default" || profile == "docker/default" || profile == "unconfined") return true;
  if (!profile.starts_with("localhost/")) return false;
  return relative_path_problems(profile.substr(10)).empty();
}

bool has_container(const Value& spec, std::string_view name) {
  for (std::string_view list : {"containers", "initContainers", "ephemeralContainers"}) {
    for (const Value& container : spec[list].items()) {
      if (text(container["name"]) == name) return true;
    }
  }
  return false;
}

// Annotations that mean something, on a pod or on a template. `path` is the metadata's.
void check_annotations_of(const Value& annotations, const Value& spec, const FieldPath& path, Causes& causes) {
  FieldPath list = path.child("annotations");
  for (const Member& annotation : annotations.members()) {
    std::string_view name = annotation.name(), value = text(annotation.value);
    FieldPath at = list.key(name);
    if (name == kMirror && is_empty(spec["nodeName"])) {
      causes.invalid(at, annotation.value, "must set spec.nodeName if mirror pod annotation is set");
    } else if (name == "controller.kubernetes.io/pod-deletion-cost") {
      auto cost = parse_int(value);
      bool fine = cost && *cost >= INT32_MIN && *cost <= INT32_MAX && std::to_string(*cost) == value;
      if (!fine) causes.invalid(at, annotation.value, "must be a 32bit integer");
    } else if (name == kSeccompPod || name.starts_with(kSeccomp)) {
      if (!valid_seccomp(value)) causes.invalid(list.child(name), annotation.value, "must be a valid seccomp profile");
    } else if (name.starts_with(kAppArmor)) {
      if (!has_container(spec, name.substr(kAppArmor.size()))) {
        causes.invalid(at, Value(name.substr(kAppArmor.size())), "container not found");
      }
      if (!value.empty() && value != "runtime/default" && value != "unconfined" && !value.starts_with("localhost/")) {
        causes.invalid(at, annotation.value, "invalid AppArmor profile name: " + quote(value));
      }
    }
  }
}

void check_volumes_of_pod(const Value& pod, const FieldPath& spec_path, Causes& causes) {
  std::set<std::string> made;
  const Value& spec = pod["spec"];
  each(spec, "volumes", spec_path, [&](const Value& volume, const FieldPath& at) {
    if (is_set(volume["ephemeral"]) && !is_empty(pod["metadata"]["name"])) {
      std::string claim = std::string(text(pod["metadata"]["name"])) + "-" + std::string(text(volume["name"]));
      for (const std::string& problem : dns_subdomain_problems(claim)) {
        causes.invalid(at.child("name"), volume["name"], "PVC name " + quote(claim) + ": " + problem);
      }
      made.insert(std::move(claim));
    }
    FieldPath projected = at.child("projected");
    each(volume["projected"], "sources", projected, [&](const Value& source, const FieldPath& one) {
      if (is_set(source["serviceAccountToken"]) && is_empty(spec["serviceAccountName"])) {
        causes.forbidden(one.child("serviceAccountToken"), "must not be specified when serviceAccountName is not set");
      }
    });
    if (is_set(volume["image"]) && is_empty(volume["image"]["reference"])) {
      FieldPath image = at.child("image");
      causes.required(image.child("reference"));
    }
  });
  each(spec, "volumes", spec_path, [&](const Value& volume, const FieldPath& at) {
    const Value& claim = volume["persistentVolumeClaim"]["claimName"];
    if (!made.contains(std::string(text(claim)))) return;
    FieldPath source = at.child("persistentVolumeClaim");
    causes.invalid(source.child("claimName"), claim,
                   "must not reference a PVC that gets created for an ephemeral volume");
  });
}

void validate_pod(const Value& pod, const FieldPath& path, Causes& causes) {
  const Value& spec = pod["spec"];
  FieldPath spec_path = path.child("spec");
  check_annotations_of(pod["metadata"]["annotations"], spec, path.child("metadata"), causes);
  check_volumes_of_pod(pod, spec_path, causes);
  for (std::string_view list : {"containers", "initContainers"}) {
    each(spec, list, spec_path, [&](const Value& container, const FieldPath& at) {
      std::string_view image = text(container["image"]);
      if (trim(image) != image) {
        causes.invalid(at.child("image"), container["image"], "must not have leading or trailing whitespace");
      }
      if (!is_true(spec["hostNetwork"])) return;
      each(container, "ports", at, [&](const Value& port, const FieldPath& one) {
        if (!is_empty(port["hostPort"]) && port["hostPort"] != port["containerPort"]) {
          causes.invalid(one.child("hostPort"), port["hostPort"],
                         "must match `containerPort` when `hostNetwork` is true");
        }
      });
    });
  }
}

void validate_template(const Value& pod_template, const FieldPath& path, Causes& causes) {
  const Value& metadata = pod_template["metadata"];
  check_labels(metadata["labels"], path.child("labels"), causes);
  check_annotations(metadata["annotations"], path.child("annotations"), causes);
  check_annotations_of(metadata["annotations"], pod_template["spec"], path, causes);
  FieldPath spec = path.child("spec");
  if (!pod_template["spec"]["ephemeralContainers"].empty()) {
    causes.forbidden(spec.child("ephemeralContainers"), "ephemeral containers not allowed in pod template");
  }
}

// The annotations that profiles had before they were fields: where both are given they say the same.
struct ProfileWords {
  std::string_view name;               // in the cause
  std::string_view pod_annotation;     // "" without one
  std::string_view container_prefix;   // of annotations, with the container's name behind
  std::string_view field;              // of a securityContext
};
constexpr ProfileWords kProfiles[] = {
    {"seccomp", "seccomp.security.alpha.kubernetes.io/pod", "container.seccomp.security.alpha.kubernetes.io/",
     "seccompProfile"},
    {"apparmor", "", "container.apparmor.security.beta.kubernetes.io/", "appArmorProfile"},
};

bool is_type_of_annotation(std::string_view type, std::string_view annotation) {
  if (type == "Unconfined") return annotation == "unconfined";
  if (type == "RuntimeDefault") return annotation == "runtime/default" || annotation == "docker/default";
  return type != "Localhost" || annotation.starts_with("localhost/");
}

void check_same_profile(const ProfileWords& words, const Value& annotation, const Value& holder, const FieldPath& path,
                        Causes& causes) {
  const Value& profile = holder["securityContext"][words.field];
  if (annotation.is_null() || profile.is_null()) return;
  FieldPath context = path.child("securityContext"), at = context.child(words.field);
  std::string_view type = text(profile["type"]), said = text(annotation);
  if (!is_type_of_annotation(type, said)) {
    causes.forbidden(at.child("type"), std::string(words.name) + " type in annotation and field must match");
  } else if (type == "Localhost" && said.substr(std::string_view("localhost/").size()) != text(profile["localhostProfile"])) {
    causes.forbidden(at.child("localhostProfile"),
                     std::string(words.name) + " profile in annotation and field must match");
  }
}

void check_profile_annotations(const Value& pod, const FieldPath& spec_path, Causes& causes) {
  const Value& annotations = pod["metadata"]["annotations"];
  if (annotations.empty()) return;
  for (const ProfileWords& words : kProfiles) {
    if (!words.pod_annotation.empty())
      check_same_profile(words, annotations[words.pod_annotation], pod["spec"], spec_path, causes);
    for (std::string_view list : {"initContainers", "containers"}) {
      each(pod["spec"], list, spec_path, [&](const Value& container, const FieldPath& at) {
        std::string key = std::string(words.container_prefix) + std::string(text(container["name"]));
        check_same_profile(words, annotations[key], container, at, causes);
      });
    }
  }
}

void create_pod(const Value& pod, const WriteContext&, const FieldPath& path, Causes& causes) {
  FieldPath spec = path.child("spec");
  if (!pod["spec"]["ephemeralContainers"].empty()) {
    causes.forbidden(spec.child("ephemeralContainers"), "cannot be set on create");
  }
  if (!is_empty(pod["spec"]["nodeName"]) && !pod["spec"]["schedulingGates"].empty()) {
    causes.forbidden(spec.child("nodeName"), "cannot be set until all schedulingGates have been cleared");
  }
  check_profile_annotations(pod, spec, causes);
}

// ---- updates of the object

void check_deadline(const Value& before, const Value& after, const FieldPath& path, Causes& causes) {
  const Value& was = before["activeDeadlineSeconds"];
  const Value& is = after["activeDeadlineSeconds"];
  FieldPath at = path.child("activeDeadlineSeconds");
  if (is_set(is) && is_set(was) && is.as_int() > was.as_int()) {
    causes.invalid(at, is, "must be less than or equal to previous value");
  } else if (is.is_null() && is_set(was)) {
    causes.invalid(at, is, "must not update from a positive integer to nil value");
  }
}

void check_tolerations(const Value& before, const Value& after, const FieldPath& path, Causes& causes) {
  for (const Value& old_toleration : before["tolerations"].items()) {
    auto now = after["tolerations"].items();
    bool kept = std::ranges::any_of(now, [&](const Value& toleration) {
      return toleration.without("tolerationSeconds") == old_toleration.without("tolerationSeconds");
    });
    if (kept) continue;
    causes.forbidden(path.child("tolerations"),
                     "existing toleration can not be modified except its tolerationSeconds");
    return;
  }
}

void check_gates(const Value& before, const Value& after, const FieldPath& path, Causes& causes) {
  auto old_gates = before["schedulingGates"].items();
  each(after, "schedulingGates", path, [&](const Value& gate, const FieldPath& at) {
    bool known = std::ranges::any_of(old_gates, [&](const Value& g) { return g["name"] == gate["name"]; });
    if (!known) {
      causes.forbidden(at.child("name"), "only deletion is allowed, but found new scheduling gate '" +
                                             std::string(text(gate["name"])) + "'");
    }
  });
}

Value with_images_of(const Value& spec, std::string_view list, const Value& old_spec) {
  size_t i = 0;
  return map_member(spec, list, [&](const Value& containers) {
    return map_items(containers, [&](const Value& container) {
      const Value& image = old_spec[list].at(i++)["image"];
      return container["image"] == image ? container : container.with("image", image);
    });
  });
}

void set(Value& spec, std::string_view name, const Value& value) {
  if (spec[name] != value) spec = value.is_null() ? spec.without(name) : spec.with(name, value);
}

// The names of the members that differ, for the text after the rule.
std::string difference(const Value& before, const Value& after) {
  std::string lines;
  auto show = [&](char sign, std::string_view name, const Value& value) {
    if (is_set(value)) {
      lines.append("\n").append(1, sign).append(" ").append(name).append(": ").append(format_json(value));
    }
  };
  std::set<std::string_view> names;
  for (const Member& member : before.members()) names.insert(member.name());
  for (const Member& member : after.members()) names.insert(member.name());
  for (std::string_view name : names) {
    if (before[name] == after[name]) continue;
    show('-', name, before[name]);
    show('+', name, after[name]);
  }
  return lines;
}

void check_rest_of_spec(const Value& before, const Value& after, const FieldPath& path, Causes& causes) {
  Value munged = with_images_of(after, "containers", before);
  munged = with_images_of(munged, "initContainers", before);
  for (std::string_view name : {"activeDeadlineSeconds", "tolerations"}) set(munged, name, before[name]);
  if (after["schedulingGates"].size() < before["schedulingGates"].size() || !before["schedulingGates"].empty()) {
    set(munged, "schedulingGates", before["schedulingGates"]);
  }
  if (before["terminationGracePeriodSeconds"].as_int() < 0 &&
      after["terminationGracePeriodSeconds"].as_int() == 1) {
    set(munged, "terminationGracePeriodSeconds", before["terminationGracePeriodSeconds"]);
  }
  if (!before["schedulingGates"].empty()) {  // checked by itself below
    set(munged, "nodeSelector", before["nodeSelector"]);
    set(munged, "affinity", before["affinity"]);
  }
  if (munged == before) return;
  causes.forbidden(path,
                   "pod updates may not change fields other than `spec.containers[*].image`,"
                   "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only "
                   "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be "
                   "set to 1 if it was previously negative)" + difference(before, munged) + "\n");
}

void check_gated_spec(const Value& before, const Value& after, const FieldPath& path, Causes& causes) {
  if (before["schedulingGates"].empty()) return;
  for (const Member& label : before["nodeSelector"].members()) {
    if (after["nodeSelector"][label.name()] != label.value) {
      causes.invalid(path.child("nodeSelector"), after["nodeSelector"],
                     "only additions to spec.nodeSelector are allowed (no mutations or deletions)");
      break;
    }
  }
}

void check_fixed_annotations(const Value& before, const Value& after, const FieldPath& path, Causes& causes) {
  FieldPath list = path.child("annotations");
  auto fixed = [](std::string_view name) { return name == kMirror || name.starts_with(kAppArmor); };
  for (const Member& annotation : before.members()) {
    std::string_view name = annotation.name();
    if (!fixed(name) || after[name] == annotation.value) continue;
    causes.forbidden(list.key(name), name == kMirror ? "may not remove or update mirror pod annotation"
                                                     : "may not remove or update AppArmor annotations");
  }
  for (const Member& annotation : after.members()) {
    std::string_view name = annotation.name();
    if (!fixed(name) || before.has(name)) continue;
    causes.forbidden(list.key(name), name == kMirror ? "may not add mirror pod annotation"
                                                     : "may not add AppArmor annotations");
  }
}

void update_object(const Value& old_pod, const Value& pod, const FieldPath& path, Causes& causes) {
  const Value& before = old_pod["spec"];
  const Value& after = pod["spec"];
  FieldPath spec = path.child("spec");
  check_fixed_annotations(old_pod["metadata"]["annotations"], pod["metadata"]["annotations"],
                          path.child("metadata"), causes);
  for (std::string_view list : {"containers", "initContainers"}) {
    if (before[list].size() != after[list].size()) {
      causes.forbidden(spec.child(list), "pod updates may not add or remove containers");
      return;
    }
  }
  check_deadline(before, after, spec, causes);
  check_tolerations(before, after, spec, causes);
  check_gates(before, after, spec, causes);
  check_gated_spec(before, after, spec, causes);
  check_rest_of_spec(before, after, spec, causes);
}

// ---- updates of the subresources

void check_addresses(const Value& status, std::string_view name, const FieldPath& path, Causes& causes) {
  int v4 = 0, v6 = 0;
  FieldPath list = path.child(name);
  each(status, name, path, [&](const Value& item, const FieldPath& at) {
    auto ip = parse_ip(text(item["ip"]));
    if (!ip) {
      add_problems(ip_problems(text(item["ip"])), at, item["ip"], causes);
    } else {
      ++(ip->v6 ? v6 : v4);
    }
  });
  if (v4 > 1 || v6 > 1) {
    causes.invalid(list, status[name], "may specify no more than one IP for each IP family");
  }
}

// A container that ended for good does not run again.
void check_restarts(const Value& spec, const Value& before, const Value& after, const FieldPath& path,
                    Causes& causes) {
  std::string_view policy = text(spec["restartPolicy"]);
  if (policy == "Always") return;
  each(after, "containerStatuses", path, [&](const Value& status, const FieldPath& at) {
    for (const Value& old_status : before["containerStatuses"].items()) {
      const Value& ended = old_status["state"]["terminated"];
      if (old_status["name"] != status["name"] || ended.is_null() || is_set(status["state"]["terminated"])) continue;
      if (policy == "OnFailure" && ended["exitCode"].as_int() != 0) continue;
      causes.forbidden(at.child("state"), "may not be transitioned to non-terminated state");
    }
  });
}

void update_status(const Value& old_pod, const Value& pod, const FieldPath& path, Causes& causes) {
  const Value& before = old_pod["status"];
  const Value& after = pod["status"];
  FieldPath status = path.child("status");
  if (old_pod["spec"]["nodeName"] != pod["spec"]["nodeName"]) {
    causes.forbidden(status.child("nodeName"), "may not be changed directly");
  }
  if (!is_empty(before["qosClass"]) && before["qosClass"] != after["qosClass"]) {
    causes.invalid(status.child("qosClass"), after["qosClass"], "field is immutable");
  }
  check_restarts(pod["spec"], before, after, status, causes);
  each(after, "conditions", status, [&](const Value& condition, const FieldPath& at) {
    qualified_name(condition["type"], at.child("Type"), causes);
  });
  if (!after["hostIPs"].empty() && after["hostIPs"].at(0)["ip"] != after["hostIP"]) {
    FieldPath list = status.child("hostIPs"), first = list.index(0);
    causes.invalid(first.child("ip"), after["hostIPs"].at(0)["ip"], "must be equal to `hostIP`");
  }
  check_addresses(after, "podIPs", status, causes);
  check_addresses(after, "hostIPs", status, causes);
}

void update_ephemeral(const Value& old_pod, const Value& pod, const FieldPath& path, Causes& causes) {
  FieldPath spec = path.child("spec");
  FieldPath at = spec.child("ephemeralContainers");
  if (old_pod["metadata"]["annotations"].has(kMirror)) {
    causes.forbidden(FieldPath(), "static pods do not support ephemeral containers");
  }
  std::map<std::string_view, const Value*> now;
  for (const Value& container : pod["spec"]["ephemeralContainers"].items()) {
    now[text(container["name"])] = &container;
  }
  std::vector<std::string> removed;
  for (const Value& container : old_pod["spec"]["ephemeralContainers"].items()) {
    auto found = now.find(text(container["name"]));
    if (found == now.end()) {
      removed.push_back(quote(text(container["name"])));
    } else if (*found->second != container) {
      causes.forbidden(at, "existing ephemeral containers " + quote(found->first) + " may not be changed\n" +
                               difference(container, *found->second));
    }
  }
  if (!removed.empty()) {
    causes.forbidden(at, "existing ephemeral containers [" + join(removed, " ") + "] may not be removed\n");
  }
}

void check_resized_container(const Value& before, const Value& after, const FieldPath& path, Causes& causes) {
  FieldPath resources = path.child("resources");
  for (std::string_view side : {"requests", "limits"}) {
    const Value& was = before["resources"][side];
    const Value& is = after["resources"][side];
    for (const Member& amount : was.members()) {
      if (!is.has(amount.name())) {
        causes.forbidden(resources.child(side), side == "requests" ? "resource requests cannot be removed"
                                                                   : "resource limits cannot be removed");
      }
    }
    for (const Value* amounts : {&was, &is}) {
      for (const Member& amount : amounts->members()) {
        bool fixed = !one_of(amount.name(), {"cpu", "memory"}) && was[amount.name()] != is[amount.name()];
        if (fixed) causes.forbidden(path, "only cpu and memory resources are mutable");
      }
    }
  }
}

void update_resources(const Value& old_pod, const Value& pod, const FieldPath& path, Causes& causes) {
  FieldPath spec = path.child("spec");
  if (old_pod["metadata"]["annotations"].has(kMirror)) causes.forbidden(FieldPath(), "static pods cannot be resized");
  for (std::string_view list : {"containers", "initContainers"}) {
    const Value& before = old_pod["spec"][list];
    if (before.size() != pod["spec"][list].size()) {
      causes.forbidden(spec.child(list), "containers may not be added or removed on resize");
      continue;
    }
    size_t i = 0;
    each(pod["spec"], list, spec, [&](const Value& container, const FieldPath& at) {
      const Value& was = before.at(i++);
      if (was["name"] != container["name"]) {
        causes.forbidden(at.child("name"), "containers may not be renamed or reordered on resize");
      } else if (list == "initContainers" && text(container["restartPolicy"]) != "Always" &&
                 was["resources"] != container["resources"]) {
        causes.forbidden(at.child("resources"), "resources for non-sidecar init containers are immutable");
      } else {
        check_resized_container(was, container, at, causes);
      }
    });
  }
  if (pod_qos_class(old_pod["spec"]) != pod_qos_class(pod["spec"])) {
    causes.invalid(spec, Value(pod_qos_class(pod["spec"])), "Pod QOS Class may not change as a result of resizing");
  }
}

void update_pod(const Value& old_pod, const Value& pod, const WriteContext& write, const FieldPath& path,
                Causes& causes) {
  if (write.subresource.empty()) update_object(old_pod, pod, path, causes);
  if (write.subresource == "status") update_status(old_pod, pod, path, causes);
  if (write.subresource == "ephemeralcontainers") update_ephemeral(old_pod, pod, path, causes);
  if (write.subresource == "resize") update_resources(old_pod, pod, path, causes);
}

constexpr Hooks::Named<ValidateHook> kValidates[]{{"pod", {validate_pod}},
                                                  {"pod_template_spec", {validate_template}}};
constexpr Hooks::Named<CreateHook> kCreates[]{{"pod", {create_pod}}};
constexpr Hooks::Named<UpdateHook> kUpdates[]{{"pod", {update_pod}}};

}  // namespace

void add_pod_rules(Hooks& hooks) {
  hooks.add<ValidateHook>(kValidates);
  hooks.add<CreateHook>(kCreates);
  hooks.add<UpdateHook>(kUpdates);
}

}  // namespace orch::schema::rules
