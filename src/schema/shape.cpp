#include "schema/shape.h"

#include <array>

#include "schema/rebuild.h"

namespace orch::schema {

bool is_empty(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::null: return true;
    case Value::Kind::boolean: return !value.as_bool();
    case Value::Kind::integer: return value.as_int() == 0;
    case Value::Kind::number: return value.as_double() == 0;
    case Value::Kind::string: return value.as_string().empty();
    case Value::Kind::list:
    case Value::Kind::object: return value.empty();
  }
  return false;
}

namespace {

// The zero value of a scalar that is no pointer. Types whose Go form marshals itself say what they
// write: a Time is null, a Quantity "0".
Value zero_scalar(Scalar scalar) {
  switch (scalar) {
    case Scalar::string: return "";
    case Scalar::boolean: return false;
    case Scalar::int32:
    case Scalar::int64:
    case Scalar::number:
    case Scalar::int_or_string: return 0;
    case Scalar::quantity: return "0";
    case Scalar::duration: return "0s";
    case Scalar::none:
    case Scalar::bytes:
    case Scalar::time:
    case Scalar::micro_time:
    case Scalar::raw:
    case Scalar::fields:
    case Scalar::json: return nullptr;
  }
  return nullptr;
}

// Go's encoding/json leaves out empty numbers, strings, slices and maps, never a struct; these
// are structs in Go.
bool is_struct(Scalar scalar) {
  return scalar == Scalar::time || scalar == Scalar::micro_time || scalar == Scalar::raw ||
         scalar == Scalar::quantity || scalar == Scalar::int_or_string || scalar == Scalar::duration ||
         scalar == Scalar::fields;
}

}  // namespace

Value zero_item(const FieldType& type) {
  if (type.list_values) return nullptr;
  return type.object ? zero_object(*type.object) : zero_scalar(type.scalar);
}

Absent absent_field(const Field& field) {
  const FieldType& type = field.type;
  bool nil_when_zero = type.pointer || type.shape != Shape::single;
  if (nil_when_zero) return {field.omit_empty, nullptr};
  if (type.object) {
    if (field.omit_zero) return {true, nullptr};
    return {false, zero_object(*type.object)};
  }
  if (field.omit_empty && !is_struct(type.scalar)) return {true, nullptr};
  if (field.omit_zero) return {true, nullptr};
  return {false, zero_scalar(type.scalar)};
}

Value zero_object(const Type& type) {
  ObjectRebuild rebuild(Value::empty_object());
  for (const Type::Entry& entry : type.index) {
    Absent absent = absent_field(*entry.field);
    if (!absent.stays_absent) rebuild.insert(entry.field->key, std::move(absent.value));
  }
  return std::move(rebuild).finish();
}

std::string go_type_name(const Type& type) {
  size_t dot = type.package.rfind('.');
  return type.package.substr(dot == std::string::npos ? 0 : dot + 1) + "." + type.name;
}

std::string go_type_name(const FieldType& type) {
  static constexpr std::array<std::string_view, 15> kNames{
      "",          "string",          "bool",        "int32",  "int64",
      "float64",   "[]uint8",         "v1.Time",     "v1.MicroTime", "v1.Duration",
      "resource.Quantity", "intstr.IntOrString", "runtime.RawExtension", "v1.FieldsV1", "interface {}"};
  std::string name = type.object ? go_type_name(*type.object)
                                 : std::string(kNames[static_cast<size_t>(type.scalar)]);
  if (type.list_values) name = "[]" + name;
  if (type.shape == Shape::list) return "[]" + name;
  if (type.shape == Shape::map && type.scalar == Scalar::quantity) return "v1.ResourceList";
  if (type.shape == Shape::map) return "map[string]" + name;
  return name;
}

}  // namespace orch::schema
