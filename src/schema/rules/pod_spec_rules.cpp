// Validation of what a pod says besides its containers: security, DNS, affinity, tolerations.

#include <set>

#include "data/quantity.h"
#include "schema/rules/check.h"
#include "schema/rules/resources.h"
#include "schema/rules/rules.h"

namespace orch::schema::rules {

namespace {

// ---- the spec as a whole

void check_claims(const Value& container, const std::set<std::string>& known, const FieldPath& path,
                  Causes& causes) {
  FieldPath resources = path.child("resources");
  std::set<std::string> seen;
  each(container["resources"], "claims", resources, [&](const Value& claim, const FieldPath& at) {
    std::string name(text(claim["name"]));
    if (!seen.insert(name + "/" + std::string(text(claim["request"]))).second) {
      causes.duplicate(at, claim["name"]);
    } else if (!known.contains(name)) {
      causes.not_found(at, claim["name"]);
    }
  });
}

void check_windows_pod(const Value& spec, const FieldPath& path, Causes& causes) {
  FieldPath security = path.child("securityContext");
  const Value& context = spec["securityContext"];
  for (std::string_view name : {"appArmorProfile", "seLinuxOptions", "seccompProfile", "fsGroup",
                                "fsGroupChangePolicy", "sysctls", "runAsUser", "runAsGroup",
                                "supplementalGroups", "supplementalGroupsPolicy"}) {
    if (is_set(context[name])) causes.forbidden(security.child(name), "cannot be set for a windows pod");
  }
  for (std::string_view name : {"hostPID", "hostIPC", "hostUsers", "shareProcessNamespace"}) {
    bool set = name == "hostUsers" ? is_set(spec[name]) : is_true(spec[name]);
    if (set) causes.forbidden(path.child(name), "cannot be set for a windows pod");
  }
  for (std::string_view list : {"containers", "initContainers", "ephemeralContainers"}) {
    each(spec, list, path, [&](const Value& container, const FieldPath& at) {
      FieldPath own = at.child("securityContext");
      for (std::string_view name : {"appArmorProfile", "seLinuxOptions", "seccompProfile", "capabilities",
                                    "readOnlyRootFilesystem", "privileged", "allowPrivilegeEscalation",
                                    "procMount", "runAsUser", "runAsGroup"}) {
        if (is_set(container["securityContext"][name])) {
          causes.forbidden(own.child(name), "cannot be set for a windows pod");
        }
      }
    });
  }
}

void check_linux_pod(const Value& spec, const FieldPath& path, Causes& causes) {
  constexpr std::string_view kText = "windows options cannot be set for a linux pod";
  FieldPath security = path.child("securityContext");
  if (is_set(spec["securityContext"]["windowsOptions"])) causes.forbidden(security.child("windowsOptions"), kText);
  for (std::string_view list : {"containers", "initContainers", "ephemeralContainers"}) {
    each(spec, list, path, [&](const Value& container, const FieldPath& at) {
      FieldPath own = at.child("securityContext");
      if (is_set(container["securityContext"]["windowsOptions"])) causes.forbidden(own.child("windowsOptions"), kText);
    });
  }
}

void check_pod_resources(const Value& spec, const FieldPath& path, Causes& causes) {
  const Value& resources = spec["resources"];
  if (resources.is_null()) return;
  FieldPath at = path.child("resources");
  if (!resources["claims"].empty()) {
    causes.forbidden(at.child("claims"), "claims cannot be set for Resources at pod-level");
  }
  FieldPath requests = at.child("requests");
  for (const Member& amount : resources["requests"].members()) {
    Quantity sum;
    for (const Value& container : spec["containers"].items()) {
      sum = sum + Quantity::from(container["resources"]["requests"][amount.name()]);
    }
    if (Quantity::from(amount.value) < sum) {
      causes.invalid(requests.key(amount.name()), amount.value,
                     "must be greater than or equal to aggregate container requests of " + sum.format());
    }
  }
}

// One constraint for a topology key and what to do where it cannot be met: named at the first of two.
void check_spread_twice(const Value& spec, const FieldPath& path, Causes& causes) {
  const auto all = spec["topologySpreadConstraints"].items();
  FieldPath list = path.child("topologySpreadConstraints");
  for (size_t i = 0; i < all.size(); ++i) {
    auto is_same = [&](const Value& other) {
      return other["topologyKey"] == all[i]["topologyKey"] && other["whenUnsatisfiable"] == all[i]["whenUnsatisfiable"];
    };
    if (std::none_of(all.begin() + static_cast<ptrdiff_t>(i) + 1, all.end(), is_same)) continue;
    FieldPath at = list.index(i);
    causes.duplicate(at.child("{topologyKey, whenUnsatisfiable}"),
                     Value("{" + std::string(text(all[i]["topologyKey"])) + ", " +
                           std::string(text(all[i]["whenUnsatisfiable"])) + "}"));
  }
}

void validate_pod_spec(const Value& spec, const FieldPath& path, Causes& causes) {
  check_spread_twice(spec, path, causes);
  std::set<std::string> claims;
  for (const Value& claim : spec["resourceClaims"].items()) claims.emplace(text(claim["name"]));
  for (std::string_view list : {"containers", "initContainers"}) {
    each(spec, list, path, [&](const Value& container, const FieldPath& at) {
      check_claims(container, claims, at, causes);
    });
  }
  check_pod_resources(spec, path, causes);
  if (text(spec["os"]["name"]) == "windows") check_windows_pod(spec, path, causes);
  if (text(spec["os"]["name"]) == "linux") check_linux_pod(spec, path, causes);
}

void validate_pod_volumes(const Value& spec, const FieldPath& path, Causes& causes) {
  each(spec, "volumes", path, [&](const Value& volume, const FieldPath& at) {
    const Value& iscsi = volume["iscsi"];
    if (is_empty(iscsi["initiatorName"])) return;
    if (text(volume["name"]).size() + 1 + text(iscsi["targetPortal"]).size() > 64) {
      causes.invalid(at.child("name"), volume["name"],
                     "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if "
                     "iscsi.initiatorName is specified.");
    }
  });
}

// ---- security

// Parts of letters, digits, '-' and '_' that end in letters or digits, joined by '.' or '/'.
bool is_sysctl(std::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  auto alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  size_t start = 0;
  for (size_t i = 0; i <= name.size(); ++i) {
    if (i < name.size() && name[i] != '.' && name[i] != '/') {
      if (!alnum(name[i]) && name[i] != '-' && name[i] != '_') return false;
      continue;
    }
    if (i == start || !alnum(name[start]) || !alnum(name[i - 1])) return false;
    start = i + 1;
  }
  return true;
}

void check_sysctls(const Value& spec, const FieldPath& path, Causes& causes) {
  FieldPath security = path.child("securityContext");
  each(spec["securityContext"], "sysctls", security, [&](const Value& sysctl, const FieldPath& at) {
    std::string name(text(sysctl["name"]));
    FieldPath at_name = at.child("name");
    if (name.empty()) return;  // Required
    if (!is_sysctl(name)) {
      causes.invalid(at_name, sysctl["name"],
                     "must have at most 253 characters and match regex "
                     "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$");
      return;
    }
    std::ranges::replace(name, '/', '.');
    bool net = name.starts_with("net.");
    bool ipc = name.starts_with("kernel.shm") || name.starts_with("kernel.msg") || name == "kernel.sem" ||
               name.starts_with("fs.mqueue.");
    if (net && is_true(spec["hostNetwork"])) {
      causes.invalid(at_name, sysctl["name"], "may not be specified when 'hostNetwork' is true");
    }
    if (ipc && is_true(spec["hostIPC"])) {
      causes.invalid(at_name, sysctl["name"], "may not be specified when 'hostIPC' is true");
    }
  });
}

void check_host_processes(const Value& spec, const FieldPath& path, Causes& causes) {
  bool by_pod = is_true(spec["securityContext"]["windowsOptions"]["hostProcess"]);
  size_t count = 0, with = 0;
  for (std::string_view list : {"containers", "initContainers", "ephemeralContainers"}) {
    for (const Value& container : spec[list].items()) {
      const Value& own = container["securityContext"]["windowsOptions"]["hostProcess"];
      ++count;
      if (own.is_null() ? by_pod : is_true(own)) ++with;
    }
  }
  if (with == 0) return;
  if (with != count) {
    causes.invalid(path, "",
                   "If pod contains any hostProcess containers then all containers must be HostProcess containers");
  }
  if (!is_true(spec["hostNetwork"])) {
    causes.invalid(path.child("hostNetwork"), Value(false),
                   "hostNetwork must be true if pod contains any hostProcess containers");
  }
}

void validate_pod_security(const Value& spec, const FieldPath& path, Causes& causes) {
  check_sysctls(spec, path, causes);
  if (is_true(spec["shareProcessNamespace"]) && is_true(spec["hostPID"])) {
    FieldPath context = path.child("securityContext");
    causes.invalid(context.child("shareProcessNamespace"), spec["shareProcessNamespace"],
                   "ShareProcessNamespace and HostPID cannot both be enabled");
  }
  bool own_users = is_set(spec["hostUsers"]) && !is_true(spec["hostUsers"]);
  if (own_users) {
    // (Two of these paths are in capitals in Kubernetes.)
    constexpr std::pair<std::string_view, std::string_view> shared[] = {
        {"hostNetwork", "hostNetwork"}, {"hostPID", "HostPID"}, {"hostIPC", "HostIPC"}};
    for (const auto& [name, shown] : shared)
      if (is_true(spec[name])) causes.forbidden(path.child(shown), "when `pod.Spec.HostUsers` is false");
  } else {
    for (std::string_view list : {"containers", "initContainers", "ephemeralContainers"}) {
      each(spec, list, path, [&](const Value& container, const FieldPath& at) {
        const Value& mount = container["securityContext"]["procMount"];
        if (text(mount) != "Unmasked") return;
        FieldPath security = at.child("securityContext");
        causes.invalid(security.child("procMount"), mount, "`hostUsers` must be false to use `Unmasked`");
      });
    }
  }
  check_host_processes(spec, path, causes);
}

void validate_pod_dns(const Value& spec, const FieldPath& path, Causes& causes) {
  const Value& config = spec["dnsConfig"];
  FieldPath at = path.child("dnsConfig");
  if (text(spec["dnsPolicy"]) == "None") {
    if (config.is_null()) {
      causes.required(at, "must provide `dnsConfig` when `dnsPolicy` is None");
    } else if (config["nameservers"].empty()) {
      causes.required(at.child("nameservers"), "must provide at least one DNS nameserver when `dnsPolicy` is None");
    }
  }
  if (config["nameservers"].size() > 3) {
    causes.invalid(at.child("nameservers"), config["nameservers"], "must not have more than 3 nameservers");
  }
  if (config["searches"].size() > 32) {
    causes.invalid(at.child("searches"), config["searches"], "must not have more than 32 search paths");
  }
  size_t length = config["searches"].empty() ? 0 : config["searches"].size() - 1;
  each(config, "searches", at, [&](const Value& search, const FieldPath& one) {
    std::string name(text(search));
    length += name.size();
    if (name == ".") return;
    if (name.ends_with('.')) name.pop_back();
    std::ranges::replace(name, '_', 'a');
    add_problems(dns_subdomain_problems(name), one, search, causes);
  });
  if (length > 2048) {
    causes.invalid(at.child("searches"), config["searches"],
                   "must not have more than 2048 characters (including spaces) in the search list");
  }
}

// ---- where a pod may run

void check_node_expression(const Value& expression, const FieldPath& path, Causes& causes) {
  std::string_view op = text(expression["operator"]);
  size_t values = expression["values"].size();
  FieldPath at_values = path.child("values");
  if (op == "In" || op == "NotIn") {
    if (values == 0) causes.required(at_values, "must be specified when `operator` is 'In' or 'NotIn'");
  } else if (op == "Exists" || op == "DoesNotExist") {
    if (values > 0) {
      causes.forbidden(at_values, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
    }
  } else if (op == "Gt" || op == "Lt") {
    if (values != 1) causes.required(at_values, "must be specified single value when `operator` is 'Lt' or 'Gt'");
  } else {
    causes.invalid(path.child("operator"), expression["operator"], "not a valid selector operator");
  }
  qualified_name(expression["key"], path.child("key"), causes);
  each(expression, "values", path, [&](const Value& value, const FieldPath& at) {
    add_problems(label_value_problems(text(value)), at, value, causes);
  });
}

void check_node_field(const Value& expression, const FieldPath& path, Causes& causes) {
  if (!one_of(text(expression["operator"]), {"In", "NotIn"})) {
    causes.invalid(path.child("operator"), expression["operator"], "not a valid selector operator");
  } else if (expression["values"].size() != 1) {
    causes.required(path.child("values"),
                    "must be only one value when `operator` is 'In' or 'NotIn' for node field selector");
  }
  if (text(expression["key"]) != "metadata.name") {
    causes.invalid(path.child("key"), expression["key"], "not a valid field selector key");
    return;
  }
  each(expression, "values", path, [&](const Value& value, const FieldPath& at) { subdomain(value, at, causes); });
}

void validate_node_selector_term(const Value& term, const FieldPath& path, Causes& causes) {
  each(term, "matchExpressions", path, [&](const Value& expression, const FieldPath& at) {
    check_node_expression(expression, at, causes);
  });
  each(term, "matchFields", path, [&](const Value& expression, const FieldPath& at) {
    check_node_field(expression, at, causes);
  });
}

bool selector_has_key(const Value& selector, std::string_view key) {
  if (selector["matchLabels"].has(key)) return true;
  auto expressions = selector["matchExpressions"].items();
  return std::ranges::any_of(expressions, [&](const Value& e) { return text(e["key"]) == key; });
}

void validate_pod_affinity_term(const Value& term, const FieldPath& path, Causes& causes) {
  const Value& selector = term["labelSelector"];
  auto other = term["mismatchLabelKeys"].items();
  for (std::string_view list : {"matchLabelKeys", "mismatchLabelKeys"}) {
    if (!term[list].empty() && selector.is_null()) {
      causes.forbidden(path.child(list), "must not be specified when labelSelector is not set");
    }
    each(term, list, path, [&](const Value& key, const FieldPath& at) {
      qualified_name(key, at, causes);
      if (list == "matchLabelKeys" && std::ranges::find(other, key) != other.end()) {
        causes.invalid(at, key, "exists in both matchLabelKeys and mismatchLabelKeys");
      }
    });
  }
}

void validate_spread(const Value& constraint, const FieldPath& path, Causes& causes) {
  for (std::string_view name : {"maxSkew", "minDomains"})
    if (constraint[name].is_int() && constraint[name].as_int() <= 0)
      causes.invalid(path.child(name), constraint[name], "must be greater than zero");
  if (is_empty(constraint["topologyKey"])) causes.required(path.child("topologyKey"), "can not be empty");
  if (is_set(constraint["minDomains"]) && text(constraint["whenUnsatisfiable"]) != "DoNotSchedule") {
    causes.invalid(path.child("minDomains"), constraint["minDomains"],
                   "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not " +
                       std::string(text(constraint["whenUnsatisfiable"])));
  }
  if (constraint["matchLabelKeys"].empty()) return;
  if (constraint["labelSelector"].is_null()) {
    causes.forbidden(path.child("matchLabelKeys"), "must not be specified when labelSelector is not set");
    return;
  }
  each(constraint, "matchLabelKeys", path, [&](const Value& key, const FieldPath& at) {
    qualified_name(key, at, causes);
    if (selector_has_key(constraint["labelSelector"], text(key))) {
      causes.invalid(at, key, "exists in both matchLabelKeys and labelSelector");
    }
  });
}

void validate_topology_term(const Value& term, const FieldPath& path, Causes& causes) {
  std::set<std::string_view> keys;
  each(term, "matchLabelExpressions", path, [&](const Value& expression, const FieldPath& at) {
    if (!keys.insert(text(expression["key"])).second) causes.duplicate(at.child("key"), expression["key"]);
    std::set<std::string_view> values;
    each(expression, "values", at, [&](const Value& value, const FieldPath& one) {
      if (!values.insert(text(value)).second) causes.duplicate(one, value);
    });
  });
}

void validate_toleration(const Value& toleration, const FieldPath& path, Causes& causes) {
  std::string_view op = text(toleration["operator"]);
  FieldPath at = path.child("operator");
  if (is_empty(toleration["key"]) && op != "Exists") {
    causes.invalid(at, toleration["operator"],
                   "operator must be Exists when `key` is empty, which means \"match all values and all keys\"");
  }
  if (is_set(toleration["tolerationSeconds"]) && text(toleration["effect"]) != "NoExecute") {
    causes.invalid(path.child("effect"), toleration["effect"],
                   "effect must be 'NoExecute' when `tolerationSeconds` is set");
  }
  if (op == "Equal" || op.empty()) {
    auto problems = label_value_problems(text(toleration["value"]));
    if (!problems.empty()) causes.invalid(at, toleration["value"], join(problems, ";"));
  } else if (op == "Exists" && !is_empty(toleration["value"])) {
    causes.invalid(at, toleration["value"], "value must be empty when `operator` is 'Exists'");
  }
}

void validate_resource_claim(const Value& claim, const FieldPath& path, Causes& causes) {
  bool name = is_set(claim["resourceClaimName"]), from = is_set(claim["resourceClaimTemplateName"]);
  if (name && from) {
    causes.invalid(path, claim,
                   "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified");
  }
  if (!name && !from) {
    causes.invalid(path, claim, "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`");
  }
}

constexpr Hooks::Named<ValidateHook> kValidates[]{
    {"pod_spec", {validate_pod_spec}},
    {"pod_volumes", {validate_pod_volumes}},
    {"pod_security", {validate_pod_security}},
    {"pod_dns", {validate_pod_dns}},
    {"node_selector_term", {validate_node_selector_term}},
    {"pod_affinity_term", {validate_pod_affinity_term}},
    {"topology_spread_constraint", {validate_spread}},
    {"topology_selector_term", {validate_topology_term}},
    {"toleration", {validate_toleration}},
    {"pod_resource_claim", {validate_resource_claim}},
};

}  // namespace

void add_pod_spec_rules(Hooks& hooks) { hooks.add<ValidateHook>(kValidates); }

}  // namespace orch::schema::rules
