#include "schema/causes.h"

#include "base/text.h"
#include "data/json.h"

namespace orch::schema {

namespace {

std::string with_detail(std::string text, std::string_view detail) {
  if (!detail.empty()) text.append(": ").append(detail);
  return text;
}

// Strings as Go's %q, everything else as JSON (numbers and booleans look the same as with %v).
std::string shown(const Value& value) {
  return value.is_string() ? quote(value.as_string()) : format_json(value);
}

std::string plural(int64_t count, std::string_view noun) {
  std::string text = std::to_string(count) + " " + std::string(noun);
  if (count != 1) text += 's';
  return text;
}

template <class Texts>
std::string listed(const Texts& texts) {
  std::string all;
  for (const auto& text : texts) {
    if (!all.empty()) all += ", ";
    all += quote(text);
  }
  return all;
}

}  // namespace

void Causes::add(std::string_view reason, const FieldPath& path, std::string message) {
  std::string field = path.text();
  if (!said_.insert(field + "\n" + message).second) return;
  causes_.push_back({.reason = std::string(reason), .field = std::move(field), .message = std::move(message)});
}

void Causes::required(const FieldPath& path, std::string_view detail) {
  add("FieldValueRequired", path, with_detail("Required value", detail));
}

void Causes::invalid(const FieldPath& path, const Value& value, std::string_view detail) {
  add("FieldValueInvalid", path, with_detail("Invalid value: " + shown(value), detail));
}

void Causes::invalid(const FieldPath& path, std::string_view detail) {
  add("FieldValueInvalid", path, "Invalid value: " + std::string(detail));
}

void Causes::invalid_name(const FieldPath& path, std::string_view name, std::string_view detail) {
  add("FieldValueInvalid", path, with_detail("Invalid value: " + std::string(name), detail));
}

void Causes::not_supported(const FieldPath& path, const Value& value,
                           std::span<const std::string> supported) {
  add("FieldValueNotSupported", path,
      "Unsupported value: " + shown(value) + ": supported values: " + listed(supported));
}

void Causes::not_supported(const FieldPath& path, const Value& value,
                           std::initializer_list<std::string_view> supported) {
  add("FieldValueNotSupported", path,
      "Unsupported value: " + shown(value) + ": supported values: " + listed(supported));
}

void Causes::duplicate(const FieldPath& path, const Value& value) {
  add("FieldValueDuplicate", path, "Duplicate value: " + shown(value));
}

void Causes::not_found(const FieldPath& path, const Value& value) {
  add("FieldValueNotFound", path, "Not found: " + shown(value));
}

void Causes::forbidden(const FieldPath& path, std::string_view detail) {
  add("FieldValueForbidden", path, with_detail("Forbidden", detail));
}

void Causes::too_long(const FieldPath& path, int64_t max) {
  add("FieldValueTooLong", path, "Too long: may not be more than " + plural(max, "byte"));
}

void Causes::too_many(const FieldPath& path, size_t actual, int64_t max) {
  add("FieldValueTooMany", path,
      "Too many: " + std::to_string(actual) + ": must have at most " + plural(max, "item"));
}

void Causes::internal(const FieldPath& path, std::string_view detail) {
  add("InternalError", path, with_detail("Internal error", detail));
}

}  // namespace orch::schema
