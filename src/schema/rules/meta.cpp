// Rules of metadata, label selectors, conditions and delete options.

#include "schema/rules/check.h"
#include "schema/rules/rules.h"

namespace orch::schema::rules {

namespace {

constexpr std::string_view kOrphan = "orphan";
constexpr std::string_view kForeground = "foregroundDeletion";

void check_owners(const Value& metadata, const FieldPath& path, Causes& causes) {
  std::string controller;
  FieldPath list = path.child("ownerReferences");
  for (const Value& owner : metadata["ownerReferences"].items()) {
    // (That the four fields are there is their lines' check.)
    std::string_view api_version = text(owner["apiVersion"]);
    if (api_version.ends_with('/')) {
      causes.invalid(list.child("apiVersion"), owner["apiVersion"], "version must not be empty");
    }
    if (api_version == "v1" && text(owner["kind"]) == "Event") {
      causes.invalid(list, owner, "/v1, Kind=Event is disallowed from being an owner");
    }
    if (!is_true(owner["controller"])) continue;
    std::string name = std::string(text(owner["kind"])) + "/" + std::string(text(owner["name"]));
    if (!controller.empty()) {
      causes.invalid(list, metadata["ownerReferences"],
                     "Only one reference can have Controller set to true. Found \"true\" in references for " +
                         controller + " and " + name);
    }
    controller = name;
  }
}

void check_managed_fields(const Value& metadata, const FieldPath& path, Causes& causes) {
  each(metadata, "managedFields", path, [&](const Value& entry, const FieldPath& at) {
    if (!one_of(text(entry["operation"]), {"Apply", "Update"})) {
      causes.invalid(at.child("operation"), entry["operation"], "must be `Apply` or `Update`");
    }
    if (!is_empty(entry["fieldsType"]) && text(entry["fieldsType"]) != "FieldsV1") {
      causes.invalid(at.child("fieldsType"), entry["fieldsType"], "must be `FieldsV1`");
    }
    if (text(entry["manager"]).size() > 128) causes.too_long(at.child("manager"), 128);
    if (text(entry["subresource"]).size() > 256) causes.too_long(at.child("subresource"), 256);
  });
}

void validate_object_meta(const Value& metadata, const FieldPath& path, Causes& causes) {
  if (metadata["generation"].as_int() < 0) {
    causes.invalid(path.child("generation"), metadata["generation"], "must be greater than or equal to 0");
  }
  check_finalizers(metadata["finalizers"], path.child("finalizers"), causes);
  check_owners(metadata, path, causes);
  check_managed_fields(metadata, path, causes);
}

void update_object_meta(const Value& before, const Value& after, const WriteContext&, const FieldPath& path,
                        Causes& causes) {
  if (path.text() != "metadata") return;  // a template's metadata is free to change
  if (is_set(before["deletionTimestamp"])) {
    auto kept = before["finalizers"].items();
    std::vector<std::string> added;
    for (const Value& finalizer : after["finalizers"].items()) {
      if (std::ranges::find(kept, finalizer) == kept.end()) added.push_back(quote(text(finalizer)));
    }
    std::ranges::sort(added);
    if (!added.empty()) {
      causes.forbidden(path.child("finalizers"),
                       "no new finalizers can be added if the object is being deleted, found new "
                       "finalizers []string{" + join(added, ", ") + "}");
    }
  }
  if (is_empty(after["resourceVersion"])) {
    causes.invalid(path.child("resourceVersion"), Value(""), "must be specified for an update");
  }
  if (after["generation"].as_int() < before["generation"].as_int()) {
    causes.invalid(path.child("generation"), after["generation"], "must not be decremented");
  }
  for (std::string_view name : {"name", "namespace", "uid", "creationTimestamp", "deletionTimestamp",
                                "deletionGracePeriodSeconds"}) {
    immutable(before[name], after[name], path.child(name), causes);
  }
}

void validate_delete_options(const Value& options, const FieldPath& path, Causes& causes) {
  const Value& policy = options["propagationPolicy"];
  if (is_set(policy) && is_set(options["orphanDependents"])) {
    causes.invalid(path.child("propagationPolicy"), policy,
                   "orphanDependents and deletionPropagation cannot be both set");
  }
  if (is_set(policy) && !one_of(text(policy), {"Foreground", "Background", "Orphan"})) {
    causes.not_supported(path.child("propagationPolicy"), policy,
                         {"Foreground", "Background", "Orphan", "nil"});
  }
  bool all = std::ranges::all_of(options["dryRun"].items(), [](const Value& v) { return text(v) == "All"; });
  if (!all) causes.not_supported(path.child("dryRun"), options["dryRun"], {"All"});
}

bool operator_takes_values(std::string_view op) { return op == "In" || op == "NotIn"; }

void check_requirement(const Value& requirement, const FieldPath& path, Causes& causes) {
  std::string_view op = text(requirement["operator"]);
  bool has_values = !requirement["values"].empty();
  if (operator_takes_values(op) && !has_values) {
    causes.required(path.child("values"), "must be specified when `operator` is 'In' or 'NotIn'");
  } else if ((op == "Exists" || op == "DoesNotExist") && has_values) {
    causes.forbidden(path.child("values"), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
  } else if (!one_of(op, {"In", "NotIn", "Exists", "DoesNotExist"})) {
    causes.invalid(path.child("operator"), requirement["operator"], "not a valid selector operator");
  }
}

void validate_condition(const Value& condition, const FieldPath& path, Causes& causes) {
  std::string_view reason = text(condition["reason"]);
  if (is_empty(condition["type"])) add_problems(qualified_name_problems(""), path.child("type"), condition["type"], causes);
  if (!is_set(condition["lastTransitionTime"])) causes.required(path.child("lastTransitionTime"), "must be set");
  if (reason.empty()) return causes.required(path.child("reason"), "must be set");
  auto alpha = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  auto inner = [&](char c) { return alpha(c) || (c >= '0' && c <= '9') || c == '_' || c == ',' || c == ':'; };
  bool fine = alpha(reason.front()) && reason.back() != ',' && reason.back() != ':' &&
              std::ranges::all_of(reason, inner);
  if (fine) return;
  causes.invalid(path.child("reason"), condition["reason"],
                 regex_problem("a condition reason must start with alphabetic character, optionally followed "
                               "by a string of alphanumeric characters or '_,:', and must end with an "
                               "alphanumeric character or '_'",
                               "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?",
                               {"my_name", "MY_NAME", "MyName", "ReasonA,ReasonB", "ReasonA:ReasonB"}));
}

constexpr Hooks::Named<ValidateHook> kValidates[]{
    {"object_meta", {validate_object_meta}},
    {"delete_options", {validate_delete_options}},
    {"label_selector_requirement", {check_requirement}},  // (the values' form is their field's)
    {"field_selector_requirement", {check_requirement}},
    {"condition", {validate_condition}},
};
constexpr Hooks::Named<UpdateHook> kUpdates[]{{"object_meta", {update_object_meta}}};

}  // namespace

void check_finalizer(const Value& finalizer, const FieldPath& path, const FieldPath& item, Causes& causes) {
  std::string_view name = text(finalizer);
  qualified_name(finalizer, path, causes);
  if (name.find('/') == name.npos && !one_of(name, {"kubernetes", kOrphan, kForeground})) {
    causes.invalid(item, finalizer, "name is neither a standard finalizer name nor is it fully qualified");
  }
}

void check_finalizers(const Value& finalizers, const FieldPath& path, Causes& causes) {
  bool orphan = false, foreground = false;
  size_t i = 0;
  for (const Value& finalizer : finalizers.items()) {
    check_finalizer(finalizer, path, path.index(i++), causes);
    orphan = orphan || text(finalizer) == kOrphan;
    foreground = foreground || text(finalizer) == kForeground;
  }
  if (orphan && foreground) {
    causes.invalid(path, finalizers, "finalizer orphan and foregroundDeletion cannot be both set");
  }
}

void add_meta_rules(Hooks& hooks) {
  hooks.add<ValidateHook>(kValidates);
  hooks.add<UpdateHook>(kUpdates);
}

}  // namespace orch::schema::rules
