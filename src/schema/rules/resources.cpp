#include "schema/rules/resources.h"

#include "data/quantity.h"
#include "schema/rules/check.h"

namespace orch::schema::rules {

namespace {

bool is_countable_object(std::string_view name) {
  return one_of(name, {"pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps",
                       "persistentvolumeclaims", "services.nodeports", "services.loadbalancers"});
}

bool is_standard(std::string_view name) {
  if (is_hugepages(name) || is_countable_object(name)) return true;
  if (name.starts_with("requests.hugepages-")) return true;
  return one_of(name, {"cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory",
                       "requests.ephemeral-storage", "limits.cpu", "limits.memory",
                       "limits.ephemeral-storage", "storage", "requests.storage"});
}

}  // namespace

bool is_hugepages(std::string_view name) { return name.starts_with("hugepages-"); }

bool is_extended(std::string_view name) {
  size_t slash = name.find('/');
  if (slash == name.npos || name.starts_with("requests.")) return false;
  std::string_view domain = name.substr(0, slash);
  if (domain == "kubernetes.io" || domain.ends_with(".kubernetes.io")) return false;
  return qualified_name_problems("requests." + std::string(name)).empty();
}

void check_resource_name(std::string_view name, const FieldPath& path, Causes& causes) {
  auto problems = qualified_name_problems(name);
  for (const std::string& problem : problems) causes.invalid_name(path, name, problem);
  if (problems.empty() && name.find('/') == name.npos && !is_standard(name)) {
    causes.invalid_name(path, name, "must be a standard resource type or fully qualified");
  }
}

void check_container_resource(std::string_view name, const FieldPath& path, Causes& causes) {
  check_resource_name(name, path, causes);
  if (name.find('/') == name.npos) {
    if (!is_hugepages(name) && !one_of(name, {"cpu", "memory", "ephemeral-storage"})) {
      causes.invalid_name(path, name, "must be a standard resource for containers");
    }
    return;
  }
  std::string_view domain = name.substr(0, name.find('/'));
  bool native = domain == "kubernetes.io" || domain.ends_with(".kubernetes.io");
  if (!native && !is_extended(name)) {
    causes.invalid_name(path, name, "doesn't follow extended resource name standard");
  }
}

void check_quota_resource(std::string_view name, const FieldPath& path, Causes& causes) {
  check_resource_name(name, path, causes);
  bool quota = is_standard(name) && name != "storage";
  if (name.find('/') == name.npos && !quota) {
    causes.invalid_name(path, name, "must be a standard resource for quota");
  }
}

void check_amount(std::string_view name, const Value& amount, const FieldPath& path, Causes& causes) {
  Quantity quantity = Quantity::from(amount);
  if (quantity.sign() < 0) {
    causes.invalid(path, amount, "must be greater than or equal to 0");
    return;
  }
  bool whole = is_extended(name) || is_countable_object(name);
  if (whole && Quantity::of(quantity.value()) != quantity) causes.invalid(path, amount, "must be an integer");
  if (!is_hugepages(name)) return;
  auto page = Quantity::parse(name.substr(10));
  if (!page.ok() || page->value() <= 0 || quantity.value() % page->value() != 0) {
    causes.invalid(path, amount,
                   std::string(amount.as_string()) + " is not positive integer multiple of " + std::string(name));
  }
}

}  // namespace orch::schema::rules
