#include "schema/rules/columns.h"

#include "base/text.h"
#include "data/selector.h"

namespace orch::schema::rules {

namespace {

const Value& at_path(const Value& object, std::string_view path) {
  const Value* value = &object;
  for (std::string_view name : split(path, '.')) {
    if (!name.empty()) value = &(*value)[name];
  }
  return *value;
}

Value count(const Value& object, std::string_view paths, Instant) {
  int64_t total = 0;
  for (std::string_view path : split(paths, ' ')) {
    if (!path.empty()) total += static_cast<int64_t>(at_path(object, path).size());
  }
  return total;
}

Value labels(const Value& object, std::string_view path, Instant) {
  std::vector<std::string> parts;
  for (const Member& label : at_path(object, path).members()) {
    parts.push_back(std::string(label.name()) + "=" + std::string(label.value.as_string()));
  }
  return joined(parts, ",", "<none>");
}

Value label_selector(const Value& object, std::string_view path, Instant) {
  const Value& selector = at_path(object, path);
  if (selector.is_null()) return "<none>";
  auto parsed = LabelSelector::from_object(selector);
  if (!parsed.ok()) return "<error>";
  std::string text = parsed->format();
  return text.empty() ? Value("<none>") : Value(text);
}

Value boolean(const Value& object, std::string_view path, Instant) {
  const Value& value = at_path(object, path);
  if (!value.is_bool()) return "<unset>";
  return value.as_bool() ? "True" : "False";
}

Value age(const Value& object, std::string_view path, Instant now) {
  return age_or(at_path(object, path), now, "<none>");
}

Value phase_or_terminating(const Value& object, std::string_view, Instant) {
  if (object.path({"metadata", "deletionTimestamp"})) return "Terminating";
  return text_or(object.path({"status", "phase"}), "");
}

constexpr Hooks::Named<ColumnHook> kColumns[] = {
    {"count", {count}},     {"labels", {labels}}, {"label_selector", {label_selector}},
    {"boolean", {boolean}}, {"age", {age}},       {"phase_or_terminating", {phase_or_terminating}},
};

}  // namespace

Hooks::Table<ColumnHook> general_columns() { return kColumns; }

std::string age_or(const Value& time, Instant now, std::string_view absent) {
  if (!time.is_string()) return std::string(absent);
  auto instant = parse_time(time.as_string());
  return instant.ok() ? format_age(now - *instant) : std::string(absent);
}

std::string with_more(std::span<const std::string> shown, size_t count, std::string_view separator,
                      std::string_view empty) {
  std::string text = join(shown, separator);
  if (count > shown.size()) text += " + " + std::to_string(count - shown.size()) + " more...";
  return text.empty() ? std::string(empty) : text;
}

std::string text_or(const Value& text, std::string_view absent) {
  return std::string(text.as_string().empty() ? absent : text.as_string());
}

std::string_view condition_status(const Value& conditions, std::string_view type) {
  for (const Value& condition : conditions.items()) {
    if (condition["type"].as_string() == type) return condition["status"].as_string();
  }
  return {};
}

std::string joined(const std::vector<std::string>& parts, std::string_view separator,
                   std::string_view empty) {
  return parts.empty() ? std::string(empty) : join(parts, separator);
}

}  // namespace orch::schema::rules
