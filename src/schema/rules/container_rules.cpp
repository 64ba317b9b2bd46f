// Validation of a container's own parts: environment, resources, mounts, security.

#include "data/quantity.h"
#include "schema/rules/check.h"
#include "schema/rules/resources.h"
#include "schema/rules/rules.h"

namespace orch::schema::rules {

namespace {

// ---- environment

void validate_env_var(const Value& env, const FieldPath& path, Causes& causes) {
  if (!is_empty(env["value"]) && is_set(env["valueFrom"])) {
    causes.invalid(path.child("valueFrom"), "", "may not be specified when `value` is not empty");
  }
}

// metadata.labels['key'] -> {"metadata.labels", "key"}.
std::pair<std::string_view, std::optional<std::string_view>> split_subscript(std::string_view path) {
  size_t open = path.find("['");
  if (open == path.npos || !path.ends_with("']") || open + 4 > path.size()) return {path, std::nullopt};
  return {path.substr(0, open), path.substr(open + 2, path.size() - open - 4)};
}

void check_subscript(std::string_view name, std::string_view key, const Value& value, const FieldPath& path,
                     Causes& causes) {
  if (name == "metadata.annotations") {
    add_problems(qualified_name_problems(to_lower(key)), path, Value(key), causes);
  } else if (name == "metadata.labels") {
    add_problems(qualified_name_problems(key), path, Value(key), causes);
  } else {
    causes.invalid(path.child("fieldPath"), value,
                   "error converting fieldPath: field label does not support subscript: " + std::string(text(value)));
  }
}

void check_field_ref(const Value& reference, const FieldPath& path, Causes& causes) {
  static constexpr std::array<std::string_view, 9> kPaths{
      "metadata.name",  "metadata.namespace", "metadata.uid",  "spec.nodeName", "spec.serviceAccountName",
      "status.hostIP", "status.hostIPs",     "status.podIP", "status.podIPs"};
  // Of a pod, too, but nothing for its containers.
  static constexpr std::array<std::string_view, 8> kPodFields{
      "metadata.annotations", "metadata.labels", "spec.restartPolicy", "spec.schedulerName",
      "spec.hostNetwork",     "status.phase",    "spec.host",          "status.nominatedNodeName"};
  const Value& field = reference["fieldPath"];
  if (is_empty(field)) return;  // Required
  auto [name, key] = split_subscript(text(field));
  if (key) return check_subscript(name, *key, field, path, causes);
  if (one_of(name, kPaths)) return;
  FieldPath at = path.child("fieldPath");
  if (!one_of(name, kPodFields)) {
    return causes.invalid(at, field, "error converting fieldPath: field label not supported: " + std::string(name));
  }
  causes.not_supported(at, field,
                       {"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName",
                        "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP",
                        "status.podIPs"});
}

void validate_env_var_source(const Value& source, const FieldPath& path, Causes& causes) {
  int count = 0;
  for (std::string_view name : {"fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef"}) {
    if (is_set(source[name])) ++count;
  }
  if (is_set(source["fieldRef"])) check_field_ref(source["fieldRef"], path.child("fieldRef"), causes);
  if (count == 0) {
    causes.invalid(path, "",
                   "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`");
  } else if (count > 1) {
    causes.invalid(path, "", "may not have more than one field specified at a time");
  }
}

void validate_env_from_source(const Value& source, const FieldPath& path, Causes& causes) {
  bool map = is_set(source["configMapRef"]), secret = is_set(source["secretRef"]);
  if (!map && !secret) causes.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`");
  if (map && secret) causes.invalid(path, "", "may not have more than one field specified at a time");
}

void validate_downward_file(const Value& file, const FieldPath& path, Causes& causes) {
  static constexpr std::array<std::string_view, 5> kPaths{"metadata.name", "metadata.namespace",
                                                          "metadata.labels", "metadata.annotations",
                                                          "metadata.uid"};
  const Value& field = file["fieldRef"];
  const Value& resource = file["resourceFieldRef"];
  if (is_set(field)) {
    auto [name, key] = split_subscript(text(field["fieldPath"]));
    FieldPath at = path.child("fieldRef");
    if (key) {
      check_subscript(name, *key, field["fieldPath"], at, causes);
    } else if (!is_empty(field["fieldPath"]) && !one_of(name, kPaths)) {
      causes.not_supported(at.child("fieldPath"), field["fieldPath"],
                           {"metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace",
                            "metadata.uid"});
    }
    if (is_set(resource)) {
      causes.invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously");
    }
  } else if (is_set(resource)) {
    FieldPath at = path.child("resourceFieldRef");
    if (is_empty(resource["containerName"])) causes.required(at.child("containerName"));
  } else {
    causes.required(path, "one of fieldRef and resourceFieldRef is required");
  }
}

void validate_resource_field(const Value& selector, const FieldPath& path, Causes& causes) {
  std::string_view resource = text(selector["resource"]);
  if (resource.empty()) return;
  auto parts = split_once(resource, '.');
  bool side = parts && (parts->first == "limits" || parts->first == "requests");
  std::string_view name = side ? parts->second : "";
  bool huge = name.starts_with("hugepages-");
  if (!huge && !one_of(name, {"cpu", "memory", "ephemeral-storage"})) {
    causes.not_supported(path.child("resource"), selector["resource"],
                         {"limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu",
                          "requests.ephemeral-storage", "requests.memory"});
    return;
  }
  Quantity divisor = Quantity::from(selector["divisor"]);
  if (divisor.is_zero()) return;
  std::string shown = divisor.format();
  if (name == "cpu") {
    if (!one_of(shown, {"1m", "1"})) {
      causes.invalid(path.child("divisor"), selector["resource"],
                     "only divisor's values 1m and 1 are supported with the cpu resource");
    }
    return;
  }
  if (one_of(shown, {"1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"})) return;
  std::string what = huge ? "hugepages" : name == "memory" ? "memory" : "local ephemeral storage";
  causes.invalid(path.child("divisor"), selector["resource"],
                 "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are supported "
                 "with the " + what + " resource");
}

void validate_http_get(const Value& action, const FieldPath& path, Causes& causes) {
  FieldPath at = path.child("httpHeaders");
  for (const Value& header : action["httpHeaders"].items()) {
    add_problems(http_header_problems(text(header["name"])), at, header["name"], causes);
  }
}

// ---- resources

void check_amounts(const Value& amounts, const FieldPath& path, Causes& causes) {
  for (const Member& amount : amounts.members()) {
    FieldPath at = path.key(amount.name());
    check_container_resource(amount.name(), at, causes);
    check_amount(amount.name(), amount.value, at, causes);
  }
}

void check_request_within_limit(const Member& request, const Value& limits, const FieldPath& requests_path,
                                const FieldPath& limits_path, Causes& causes) {
  std::string name(request.name());
  bool overcommit = !is_hugepages(name) && !is_extended(name);
  const Value& limit = limits[name];
  if (limit.is_null()) {
    if (!overcommit) causes.required(limits_path, "Limit must be set for non overcommitable resources");
    return;
  }
  Quantity is = Quantity::from(request.value), may = Quantity::from(limit);
  if (!overcommit && is != may) {
    causes.invalid(requests_path, request.value, "must be equal to " + name + " limit of " + may.format());
  } else if (overcommit && is > may) {
    causes.invalid(requests_path, request.value,
                   "must be less than or equal to " + name + " limit of " + may.format());
  }
}

void validate_resources(const Value& resources, const FieldPath& path, Causes& causes) {
  FieldPath limits_path = path.child("limits"), requests_path = path.child("requests");
  const Value& limits = resources["limits"];
  const Value& requests = resources["requests"];
  check_amounts(limits, limits_path, causes);
  check_amounts(requests, requests_path, causes);
  for (const Member& request : requests.members()) {
    check_request_within_limit(request, limits, requests_path, limits_path, causes);
  }
  bool huge = false, base = false;
  for (const Value* amounts : {&limits, &requests}) {
    for (const Member& amount : amounts->members()) {
      huge = huge || is_hugepages(amount.name());
      base = base || amount.name() == "cpu" || amount.name() == "memory";
    }
  }
  if (huge && !base) causes.forbidden(path, "HugePages require cpu or memory");
}

// ---- mounts and security

void validate_volume_mount(const Value& mount, const FieldPath& path, Causes& causes) {
  if (!is_empty(mount["subPath"]) && !is_empty(mount["subPathExpr"])) {
    causes.invalid(path.child("subPathExpr"), mount["subPathExpr"],
                   "subPathExpr and subPath are mutually exclusive");
  }
  if (!one_of(text(mount["recursiveReadOnly"]), {"Enabled", "IfPossible"})) return;
  FieldPath at = path.child("recursiveReadOnly");
  if (!is_true(mount["readOnly"])) causes.forbidden(at, "may only be specified when readOnly is true");
  if (is_set(mount["mountPropagation"]) && text(mount["mountPropagation"]) != "None") {
    causes.forbidden(at, "may only be specified when mountPropagation is None or not specified");
  }
}

void validate_container(const Value& container, const FieldPath& path, Causes& causes) {
  if (is_true(container["securityContext"]["privileged"])) return;
  FieldPath mounts = path.child("volumeMounts");
  for (const Value& mount : container["volumeMounts"].items()) {
    if (text(mount["mountPropagation"]) == "Bidirectional") {
      causes.forbidden(mounts.child("mountPropagation"),
                       "Bidirectional mount propagation is available only to privileged containers");
    }
  }
}

void validate_security_context(const Value& context, const FieldPath& path, Causes& causes) {
  const Value& escalation = context["allowPrivilegeEscalation"];
  if (escalation.is_null() || is_true(escalation)) return;
  if (is_true(context["privileged"])) {
    causes.invalid(path, context, "cannot set `allowPrivilegeEscalation` to false and `privileged` to true");
  }
  for (const Value& capability : context["capabilities"]["add"].items()) {
    if (text(capability) == "CAP_SYS_ADMIN") {
      causes.invalid(path, context,
                     "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN");
    }
  }
}

void check_profile(const Value& profile, const FieldPath& path, std::string_view what, bool is_path,
                   Causes& causes) {
  const Value& local = profile["localhostProfile"];
  FieldPath at = path.child("localhostProfile");
  if (text(profile["type"]) != "Localhost") {
    if (is_set(local)) {
      causes.invalid(at, local, "can only be set when " + std::string(what) + " type is Localhost");
    }
    return;
  }
  if (is_empty(local)) {
    causes.required(at, "must be set when " + std::string(what) + " type is Localhost");
  } else if (is_path) {
    add_problems(relative_path_problems(text(local)), at, local, causes);
  } else if (trim(text(local)) != text(local)) {
    causes.invalid(at, local, "must not be padded with whitespace");
  }
}

void validate_seccomp(const Value& profile, const FieldPath& path, Causes& causes) {
  check_profile(profile, path, "seccomp", true, causes);
}
void validate_app_armor(const Value& profile, const FieldPath& path, Causes& causes) {
  check_profile(profile, path, "AppArmor", false, causes);
}

constexpr Hooks::Named<ValidateHook> kValidates[]{
    {"env_var", {validate_env_var}},
    {"env_var_source", {validate_env_var_source}},
    {"env_from_source", {validate_env_from_source}},
    {"downward_api_file", {validate_downward_file}},
    {"resource_field_selector", {validate_resource_field}},
    {"http_get", {validate_http_get}},
    {"resource_requirements", {validate_resources}},
    {"volume_mount", {validate_volume_mount}},
    {"container", {validate_container}},
    {"security_context", {validate_security_context}},
    {"seccomp_profile", {validate_seccomp}},
    {"app_armor_profile", {validate_app_armor}},
};

}  // namespace

void add_container_rules(Hooks& hooks) { hooks.add<ValidateHook>(kValidates); }

}  // namespace orch::schema::rules
