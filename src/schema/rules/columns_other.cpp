// Cells of storage, quota, autoscaling, rights, certificates and component statuses.

#include <algorithm>

#include "base/text.h"
#include "schema/rules/columns.h"

namespace orch::schema::rules {

namespace {

// --- storage

std::string modes_text(const Value& modes) {
  constexpr std::pair<std::string_view, std::string_view> kModes[] = {{"ReadWriteOnce", "RWO"},
                                                                      {"ReadOnlyMany", "ROX"},
                                                                      {"ReadWriteMany", "RWX"},
                                                                      {"ReadWriteOncePod", "RWOP"}};
  std::vector<std::string> parts;
  for (const auto& [mode, text] : kModes) {
    bool has = std::ranges::any_of(modes.items(),
                                   [&](const Value& one) { return one.as_string() == mode; });
    if (has) parts.emplace_back(text);
  }
  return joined(parts, ",", "");
}

// `path` is .spec.accessModes of a volume.
Value access_modes(const Value& object, std::string_view, Instant) {
  return modes_text(object.path({"spec", "accessModes"}));
}

bool is_bound(const Value& claim) {
  return !claim.path({"spec", "volumeName"}).as_string().empty();
}

Value pvc_access_modes(const Value& claim, std::string_view, Instant) {
  return is_bound(claim) ? modes_text(claim.path({"status", "accessModes"})) : "";
}

Value pvc_capacity(const Value& claim, std::string_view, Instant) {
  return is_bound(claim) ? text_or(claim.path({"status", "capacity", "storage"}), "0") : "";
}

Value storage_class(const Value& object, std::string_view, Instant) {
  const Value& annotation =
      object.path({"metadata", "annotations", "volume.beta.kubernetes.io/storage-class"});
  if (annotation.is_string()) return annotation;
  return text_or(object.path({"spec", "storageClassName"}), "");
}

Value pv_claim(const Value& volume, std::string_view, Instant) {
  const Value& claim = volume.path({"spec", "claimRef"});
  if (!claim) return "";
  return std::string(claim["namespace"].as_string()).append("/").append(claim["name"].as_string());
}

Value storage_class_name(const Value& object, std::string_view, Instant) {
  std::string name(object.path({"metadata", "name"}).as_string());
  const Value& annotations = object.path({"metadata", "annotations"});
  for (std::string_view key : {"storageclass.kubernetes.io/is-default-class",
                               "storageclass.beta.kubernetes.io/is-default-class"}) {
    if (annotations[key].as_string() == "true") return name + " (default)";
  }
  return name;
}

Value csi_token_requests(const Value& driver, std::string_view, Instant) {
  std::vector<std::string> parts;
  for (const Value& request : driver.path({"spec", "tokenRequests"}).items()) {
    parts.emplace_back(request["audience"].as_string());
  }
  return joined(parts, ",", "<unset>");
}

// --- quota

std::string quota_text(const Value& quota, bool limits) {
  std::vector<std::string> parts;
  const Value& used = quota.path({"status", "used"});
  for (const Member& hard : quota.path({"status", "hard"}).members()) {
    if (hard.name().starts_with("limits.") != limits) continue;
    parts.push_back(std::string(hard.name()) + ": " + text_or(used[hard.name()], "0") + "/" +
                    text_or(hard.value, "0"));
  }
  return joined(parts, ", ", "");
}
Value quota_requests(const Value& quota, std::string_view, Instant) {
  return quota_text(quota, false);
}
Value quota_limits(const Value& quota, std::string_view, Instant) {
  return quota_text(quota, true);
}

// --- autoscaling

std::string percent_or(const Value& number, std::string_view absent) {
  return number.is_int() ? std::to_string(number.as_int()) + "%" : std::string(absent);
}

// One metric: what is, and what is wanted.
std::string metric_text(const Value& spec, const Value& status) {
  constexpr std::pair<std::string_view, std::string_view> kSources[] = {
      {"External", "external"},
      {"Pods", "pods"},
      {"Object", "object"},
      {"Resource", "resource"},
      {"ContainerResource", "containerResource"}};
  std::string_view type = spec["type"].as_string();
  auto row =
      std::ranges::find(kSources, type, &std::pair<std::string_view, std::string_view>::first);
  if (row == std::end(kSources)) return "<unknown type>";
  const Value& source = spec[row->second];
  const Value& target = source["target"];
  const Value& current = status[row->second]["current"];
  bool averages = target["averageValue"].is_string();
  std::string value = text_or(current[averages ? "averageValue" : "value"], "<unknown>") + "/" +
                      text_or(target[averages ? "averageValue" : "value"], "0");
  if (type == "Pods") return value;
  if (type == "External" || type == "Object") return averages ? value + " (avg)" : value;
  std::string name(source["name"].as_string());
  if (averages) return name + ": " + value;
  return name + ": " + percent_or(current["averageUtilization"], "<unknown>") + "/" +
         percent_or(target["averageUtilization"], "<auto>");
}

Value hpa_targets(const Value& scaler, std::string_view, Instant) {
  const Value& specs = scaler.path({"spec", "metrics"});
  const Value& statuses = scaler.path({"status", "currentMetrics"});
  std::vector<std::string> shown;
  for (size_t i = 0; i < std::min<size_t>(specs.size(), 2); ++i) {
    shown.push_back(metric_text(specs.at(i), statuses.at(i)));
  }
  return with_more(shown, specs.size(), ", ", "<none>");
}

// --- rights

std::string subjects_text(const Value& binding, std::string_view kind) {
  std::vector<std::string> parts;
  for (const Value& subject : binding["subjects"].items()) {
    if (subject["kind"].as_string() != kind) continue;
    std::string name(subject["name"].as_string());
    if (kind == "ServiceAccount") name = std::string(subject["namespace"].as_string()) + "/" + name;
    parts.push_back(std::move(name));
  }
  return joined(parts, ", ", "");
}
Value subject_users(const Value& binding, std::string_view, Instant) {
  return subjects_text(binding, "User");
}
Value subject_groups(const Value& binding, std::string_view, Instant) {
  return subjects_text(binding, "Group");
}
Value subject_service_accounts(const Value& binding, std::string_view, Instant) {
  return subjects_text(binding, "ServiceAccount");
}

// --- certificates

Value csr_duration(const Value& request, std::string_view, Instant) {
  const Value& seconds = request.path({"spec", "expirationSeconds"});
  if (!seconds.is_int()) return "<none>";
  return format_age(std::chrono::seconds(seconds.as_int()));
}

Value csr_condition(const Value& request, std::string_view, Instant) {
  bool approved = false, denied = false, failed = false;
  for (const Value& condition : request.path({"status", "conditions"}).items()) {
    std::string_view type = condition["type"].as_string();
    approved = approved || type == "Approved";
    denied = denied || type == "Denied";
    failed = failed || type == "Failed";
  }
  std::string text = denied ? "Denied" : approved ? "Approved" : "Pending";
  if (failed) text += ",Failed";
  if (!request.path({"status", "certificate"}).as_string().empty()) text += ",Issued";
  return text;
}

// --- component statuses

const Value& healthy_condition(const Value& component) {
  for (const Value& condition : component["conditions"].items()) {
    if (condition["type"].as_string() == "Healthy") return condition;
  }
  return Value::null();
}
Value component_status(const Value& component, std::string_view, Instant) {
  const Value& condition = healthy_condition(component);
  if (!condition) return "Unknown";
  return condition["status"].as_string() == "True" ? "Healthy" : "Unhealthy";
}
Value component_message(const Value& component, std::string_view, Instant) {
  return text_or(healthy_condition(component)["message"], "");
}
Value component_error(const Value& component, std::string_view, Instant) {
  return text_or(healthy_condition(component)["error"], "");
}

constexpr Hooks::Named<ColumnHook> kColumns[] = {
    {"access_modes", {access_modes}},
    {"pvc_access_modes", {pvc_access_modes}},
    {"pvc_capacity", {pvc_capacity}},
    {"pvc_storage_class", {storage_class}},
    {"pv_storage_class", {storage_class}},
    {"pv_claim", {pv_claim}},
    {"storage_class_name", {storage_class_name}},
    {"csi_token_requests", {csi_token_requests}},
    {"quota_requests", {quota_requests}},
    {"quota_limits", {quota_limits}},
    {"hpa_targets", {hpa_targets}},
    {"subject_users", {subject_users}},
    {"subject_groups", {subject_groups}},
    {"subject_service_accounts", {subject_service_accounts}},
    {"csr_duration", {csr_duration}},
    {"csr_condition", {csr_condition}},
    {"component_status", {component_status}},
    {"component_message", {component_message}},
    {"component_error", {component_error}},
};

}  // namespace

Hooks::Table<ColumnHook> other_columns() { return kColumns; }

}  // namespace orch::schema::rules
