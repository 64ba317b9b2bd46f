// What the containers of a pod must be to each other and to the pod: names, mounts, ports, and what
// init and ephemeral containers may not have.

#include <set>

#include "schema/rules/check.h"
#include "schema/rules/rules.h"

namespace orch::schema::rules {

namespace {

using Names = std::set<std::string_view>;

void check_names(const Value& spec, const FieldPath& path, Causes& causes) {
  // Within one list the line's `unique` sees it.
  Names seen;
  for (std::string_view list : {"containers", "initContainers", "ephemeralContainers"}) {
    Names here;
    each(spec, list, path, [&](const Value& container, const FieldPath& at) {
      std::string_view name = text(container["name"]);
      if (!name.empty() && seen.contains(name)) causes.duplicate(at.child("name"), container["name"]);
      if (!here.insert(name).second && list == "ephemeralContainers") {
        causes.duplicate(at.child("name"), container["name"]);
      }
    });
    seen.insert(here.begin(), here.end());
  }
}

void check_mounts(const Value& container, const Names& volumes, const FieldPath& path, Causes& causes) {
  Names device_names, device_paths, mount_names, mount_paths;
  for (const Value& device : container["volumeDevices"].items()) {
    device_names.insert(text(device["name"]));
    device_paths.insert(text(device["devicePath"]));
  }
  each(container, "volumeMounts", path, [&](const Value& mount, const FieldPath& at) {
    std::string_view name = text(mount["name"]), where = text(mount["mountPath"]);
    if (!name.empty() && !volumes.contains(name)) causes.not_found(at.child("name"), mount["name"]);
    if (!mount_paths.insert(where).second) causes.invalid(at.child("mountPath"), mount["mountPath"], "must be unique");
    if (device_names.contains(name)) {
      causes.invalid(at.child("name"), mount["name"], "must not already exist in volumeDevices");
    }
    if (device_paths.contains(where)) {
      causes.invalid(at.child("mountPath"), mount["mountPath"], "must not already exist as a path in volumeDevices");
    }
    mount_names.insert(name);
  });
  Names seen_names, seen_paths;
  each(container, "volumeDevices", path, [&](const Value& device, const FieldPath& at) {
    std::string_view name = text(device["name"]), where = text(device["devicePath"]);
    FieldPath at_name = at.child("name"), at_path = at.child("devicePath");
    if (!volumes.contains(name)) causes.not_found(at_name, device["name"]);
    if (!seen_names.insert(name).second) causes.invalid(at_name, device["name"], "must be unique");
    if (!seen_paths.insert(where).second) causes.invalid(at_path, device["devicePath"], "must be unique");
    if (where.find("..") != where.npos) {
      causes.invalid(at_path, device["devicePath"], "can not contain backsteps ('..')");
    }
    if (mount_names.contains(name)) causes.invalid(at_name, device["name"], "must not already exist in volumeMounts");
    if (mount_paths.contains(where)) {
      causes.invalid(at_path, device["devicePath"], "must not already exist as a path in volumeMounts");
    }
  });
}

void check_host_ports(const Value& spec, const FieldPath& path, Causes& causes) {
  std::set<std::string> taken;
  each(spec, "containers", path, [&](const Value& container, const FieldPath& at) {
    each(container, "ports", at, [&](const Value& port, const FieldPath& port_path) {
      if (is_empty(port["hostPort"])) return;
      std::string key = std::string(text(port["protocol"])) + "/" + std::string(text(port["hostIP"])) + "/" +
                        std::to_string(port["hostPort"].as_int());
      if (!taken.insert(key).second) causes.duplicate(port_path.child("hostPort"), Value(key));
    });
  });
}

// Probes that must see one success, and what a sleep may last.
void check_lifecycle(const Value& container, const Value& grace, const FieldPath& path, Causes& causes) {
  for (std::string_view probe : {"livenessProbe", "startupProbe"}) {
    const Value& threshold = container[probe]["successThreshold"];
    FieldPath at = path.child(probe);
    if (is_set(container[probe]) && !is_empty(threshold) && threshold.as_int() != 1) {
      causes.invalid(at.child("successThreshold"), threshold, "must be 1");
    }
  }
  if (is_set(container["readinessProbe"]["terminationGracePeriodSeconds"])) {
    FieldPath at = path.child("readinessProbe");
    causes.invalid(at.child("terminationGracePeriodSeconds"),
                   container["readinessProbe"]["terminationGracePeriodSeconds"],
                   "must not be set for readinessProbes");
  }
  FieldPath lifecycle = path.child("lifecycle");
  for (std::string_view moment : {"postStart", "preStop"}) {
    const Value& sleep = container["lifecycle"][moment]["sleep"];
    if (sleep.is_null()) continue;
    int64_t seconds = sleep["seconds"].as_int();
    FieldPath handler = lifecycle.child(moment);
    if (seconds < 0 || (is_set(grace) && seconds > grace.as_int())) {
      causes.invalid(handler.child("sleep"), sleep["seconds"],
                     "must be non-negative and less than terminationGracePeriodSeconds (" +
                         std::to_string(grace.as_int()) + ")");
    }
  }
}

void check_resize_policy(const Value& container, const Value& spec, const FieldPath& path, Causes& causes) {
  Names seen;
  each(container, "resizePolicy", path, [&](const Value& policy, const FieldPath& at) {
    if (!seen.insert(text(policy["resourceName"])).second) causes.duplicate(at, policy["resourceName"]);
    if (text(spec["restartPolicy"]) == "Never" && text(policy["restartPolicy"]) != "NotRequired") {
      causes.invalid(at, policy["restartPolicy"], "must be 'NotRequired' when `restartPolicy` is 'Never'");
    }
  });
}

void check_stop_signal(const Value& container, const Value& spec, const FieldPath& path, Causes& causes) {
  const Value& signal = container["lifecycle"]["stopSignal"];
  if (signal.is_null()) return;
  FieldPath lifecycle = path.child("lifecycle");
  FieldPath at = lifecycle.child("stopSignal");
  std::string_view os = text(spec["os"]["name"]);
  if (os.empty()) causes.forbidden(at, "may not be set for containers with empty `spec.os.name`");
  if (os == "windows" && !one_of(text(signal), {"SIGKILL", "SIGTERM"})) {
    causes.not_supported(at, signal, {"SIGKILL", "SIGTERM"});
  }
}

void check_init_container(const Value& container, const FieldPath& path, Causes& causes) {
  const Value& policy = container["restartPolicy"];
  if (is_set(policy)) {
    if (text(policy) != "Always") causes.not_supported(path.child("restartPolicy"), policy, {"Always"});
    return;
  }
  for (std::string_view name : {"lifecycle", "livenessProbe", "readinessProbe", "startupProbe"}) {
    if (is_set(container[name])) {
      causes.forbidden(path.child(name), "may not be set for init containers without restartPolicy=Always");
    }
  }
}

void check_ephemeral_container(const Value& container, const Value& spec, const FieldPath& path,
                               Causes& causes) {
  for (std::string_view name : {"ports", "resources", "livenessProbe", "readinessProbe", "startupProbe",
                                "lifecycle", "resizePolicy", "restartPolicy"}) {
    const Value& value = container[name];
    bool set = value.is_list() || value.is_object() ? !value.empty() : is_set(value);
    if (set) causes.forbidden(path.child(name), "cannot be set for an Ephemeral Container");
  }
  each(container, "volumeMounts", path, [&](const Value& mount, const FieldPath& at) {
    for (std::string_view name : {"subPath", "subPathExpr"}) {
      if (!is_empty(mount[name])) causes.forbidden(at.child(name), "cannot be set for an Ephemeral Container");
    }
  });
  const Value& target = container["targetContainerName"];
  if (is_empty(target)) return;
  for (std::string_view list : {"containers", "initContainers"}) {
    for (const Value& other : spec[list].items()) {
      if (other["name"] == target) return;
    }
  }
  causes.not_found(path.child("targetContainerName"), target);
}

void validate_pod_containers(const Value& spec, const FieldPath& path, Causes& causes) {
  Names volumes;
  for (const Value& volume : spec["volumes"].items()) volumes.insert(text(volume["name"]));
  check_names(spec, path, causes);
  check_host_ports(spec, path, causes);
  const Value& grace = spec["terminationGracePeriodSeconds"];
  for (std::string_view list : {"containers", "initContainers", "ephemeralContainers"}) {
    each(spec, list, path, [&](const Value& container, const FieldPath& at) {
      check_mounts(container, volumes, at, causes);
      if (list == "ephemeralContainers") {
        check_ephemeral_container(container, spec, at, causes);
        return;
      }
      check_lifecycle(container, grace, at, causes);
      check_resize_policy(container, spec, at, causes);
      check_stop_signal(container, spec, at, causes);
      if (list == "initContainers") {
        check_init_container(container, at, causes);
      } else if (is_set(container["restartPolicy"])) {
        causes.forbidden(at.child("restartPolicy"), "may not be set for non-init containers");
      }
    });
  }
}

constexpr Hooks::Named<ValidateHook> kValidates[]{{"pod_containers", {validate_pod_containers}}};

}  // namespace

void add_pod_container_rules(Hooks& hooks) { hooks.add<ValidateHook>(kValidates); }

}  // namespace orch::schema::rules
