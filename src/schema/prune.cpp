// prune: what decoding into Kubernetes' Go types and encoding again makes of an object.

#include <array>
#include <optional>

#include "base/text.h"
#include "data/json.h"
#include "data/quantity.h"
#include "schema/engine.h"
#include "schema/rebuild.h"
#include "schema/shape.h"

namespace orch::schema {

namespace {

// Where the decoder is, on the stack. Unlike FieldPath it can be written as Go's decoder does:
// names joined with dots, without indices and keys of maps.
struct Place {
  const Place* parent = nullptr;
  std::string_view name;
  int64_t index = -1;
  bool is_key = false;  // of a map, not a field

  std::string dotted() const {
    if (!parent) return "";
    if (index >= 0 || is_key) return parent->dotted();
    std::string before = parent->dotted();
    return before.empty() ? std::string(name) : before + "." + std::string(name);
  }
  std::string with_indices() const {
    if (!parent) return "";
    std::string before = parent->with_indices();
    if (index >= 0) return before + "[" + std::to_string(index) + "]";
    return before.empty() ? std::string(name) : before + "." + std::string(name);
  }
};

constexpr size_t kMaxUnknown = 100;
// Types can contain themselves (JSONSchemaProps); the parsers bound the depth of what arrives, and
// this bounds the stack for what is built otherwise.
constexpr int kMaxDepth = 512;

// What the decoder calls a JSON value.
std::string json_word(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::null: return "null";
    case Value::Kind::boolean: return "bool";
    case Value::Kind::integer:
    case Value::Kind::number: return "number";
    case Value::Kind::string: return "string";
    case Value::Kind::list: return "array";
    case Value::Kind::object: return "object";
  }
  return "";
}

class Pruner {
 public:
  Result<Value> run(const Type& type, const Value& value) {
    TRY(Value pruned, object(type, value, Place{}));
    if (wrong_type_) return std::move(*wrong_type_);
    return pruned;
  }
  std::vector<std::string> take_unknown() { return std::move(unknown_); }

 private:
  Result<Value> object(const Type& type, const Value& value, const Place& place);
  Result<Value> field(const Type& owner, const Field& field, const Value& value, const Place& place);
  Result<Value> single(const Type& owner, const FieldType& type, const Value& value, const Place& place);
  Result<Value> list(const Type& owner, const FieldType& type, const Value& value, const Place& place);
  Result<Value> map(const Type& owner, const FieldType& type, const Value& value, const Place& place);
  Result<Value> scalar(const Type& owner, Scalar scalar, const Value& value, const Place& place);
  Result<Value> integer(const Type& owner, Scalar scalar, const Value& value, const Place& place);
  Result<Value> bytes(const Type& owner, const Value& value, const Place& place);
  Result<Value> time(const Value& value, bool micro);
  Result<Value> quantity(const Value& value);
  Result<Value> duration(const Value& value);

  void unknown(const Place& place, std::string_view name) {
    if (unknown_.size() >= kMaxUnknown) return;
    unknown_.push_back("unknown field " + quote(Place{&place, name, -1}.with_indices()));
  }
  static Error bad(std::string message) { return Error::make(Code::bad_request, std::move(message)); }
  // Go's decoder goes on after a value of the wrong type and reports the first of them in the end;
  // what a type's own parser refuses (a quantity, a time) ends it at once.
  Value wrong_type(const Type& owner, std::string_view what, const std::string& wanted,
                   const Place& place) {
    if (!wrong_type_) {
      wrong_type_ = bad("json: cannot unmarshal " + std::string(what) + " into Go struct field " +
                        owner.name + "." + place.dotted() + " of type " + wanted);
    }
    return nullptr;
  }
  Error wrong_type_now(const Type& owner, const Value& value, const char* wanted, const Place& place) {
    std::string what = json_word(value);
    if (value.is_number() && std::string_view(wanted) == "int32") what += " " + format_json(value);
    wrong_type_.reset();
    wrong_type(owner, what, wanted, place);
    return std::move(*wrong_type_);
  }

  std::vector<std::string> unknown_;
  std::optional<Error> wrong_type_;
  int depth_ = 0;
};

// The members of the object and the fields of the type, both sorted by name, side by side.
Result<Value> Pruner::object(const Type& type, const Value& value, const Place& place) {
  if (++depth_ > kMaxDepth) return bad("the object is nested too deeply");
  ObjectRebuild rebuild(value);
  auto entry = type.index.begin();
  auto add_absent_before = [&](std::string_view name, bool to_the_end) {
    for (; entry != type.index.end() && (to_the_end || entry->name < name); ++entry) {
      Absent absent = absent_field(*entry->field);
      if (!absent.stays_absent) rebuild.insert(entry->field->key, std::move(absent.value));
    }
  };
  for (const Member& member : value.members()) {
    std::string_view name = member.name();
    add_absent_before(name, false);
    if (entry == type.index.end() || entry->name != name) {
      if (!type.type_meta || (name != "apiVersion" && name != "kind")) {
        unknown(place, name);
        rebuild.drop(member);
      } else if (is_empty(member.value)) {
        rebuild.drop(member);
      } else if (!member.value.is_string()) {
        wrong_type(type, json_word(member.value), "string", Place{&place, name, -1});
      } else {
        rebuild.keep(member, member.value);
      }
      continue;
    }
    const Field& known = *entry++->field;
    if (member.value.is_null()) {
      Absent absent = absent_field(known);
      absent.stays_absent ? rebuild.drop(member) : rebuild.keep(member, std::move(absent.value));
      continue;
    }
    TRY(Value pruned, field(type, known, member.value, Place{&place, name, -1}));
    bool omitted = known.omit_empty && !known.type.pointer && is_empty(pruned) &&
                   absent_field(known).stays_absent;
    omitted ? rebuild.drop(member) : rebuild.keep(member, std::move(pruned));
  }
  add_absent_before({}, true);
  --depth_;
  return std::move(rebuild).finish();
}

Result<Value> Pruner::field(const Type& owner, const Field& field, const Value& value,
                            const Place& place) {
  if (field.type.shape == Shape::list) return list(owner, field.type, value, place);
  if (field.type.shape == Shape::map) return map(owner, field.type, value, place);
  return single(owner, field.type, value, place);
}

Result<Value> Pruner::single(const Type& owner, const FieldType& type, const Value& value,
                             const Place& place) {
  if (!type.object) return scalar(owner, type.scalar, value, place);
  if (!value.is_object()) return wrong_type(owner, json_word(value), go_type_name(*type.object), place);
  return object(*type.object, value, place);
}

Result<Value> Pruner::list(const Type& owner, const FieldType& type, const Value& value,
                           const Place& place) {
  if (!value.is_list()) return wrong_type(owner, json_word(value), go_type_name(type), place);
  ListRebuild rebuild(value);
  FieldType item_type = type;
  item_type.list_values = false;
  int64_t index = 0;
  for (const Value& item : value.items()) {
    if (item.is_null()) {
      rebuild.keep(item, zero_item(item_type));
    } else {
      TRY(Value pruned, single(owner, item_type, item, Place{&place, {}, index}));
      rebuild.keep(item, std::move(pruned));
    }
    ++index;
  }
  return std::move(rebuild).finish();
}

Result<Value> Pruner::map(const Type& owner, const FieldType& type, const Value& value,
                          const Place& place) {
  if (!value.is_object()) return wrong_type(owner, json_word(value), go_type_name(type), place);
  ObjectRebuild rebuild(value);
  for (const Member& member : value.members()) {
    Place inside{&place, member.name(), -1, true};
    if (member.value.is_null()) {
      rebuild.keep(member, zero_item(type));
    } else if (type.list_values) {
      FieldType list_type = type;
      list_type.shape = Shape::list;
      list_type.list_values = false;
      TRY(Value pruned, list(owner, list_type, member.value, inside));
      rebuild.keep(member, std::move(pruned));
    } else {
      TRY(Value pruned, single(owner, type, member.value, inside));
      rebuild.keep(member, std::move(pruned));
    }
  }
  return std::move(rebuild).finish();
}

bool is_int32(const Value& value) {
  return value.is_int() && value.as_int() >= INT32_MIN && value.as_int() <= INT32_MAX;
}

Result<Value> Pruner::integer(const Type& owner, Scalar scalar, const Value& value,
                              const Place& place) {
  if (scalar == Scalar::int64 ? value.is_int() : is_int32(value)) return value;
  std::string what = json_word(value);
  if (value.is_number()) what += " " + format_json(value);
  return wrong_type(owner, what, scalar == Scalar::int64 ? "int64" : "int32", place);
}

// How Go's time.Parse says where a text leaves the layout.
std::string go_time_error(std::string_view text, bool micro) {
  struct Part {
    std::string_view layout;
    size_t digits;  // 0: the text itself
  };
  static constexpr std::array<Part, 11> kParts{{{"2006", 4}, {"-", 0}, {"01", 2}, {"-", 0}, {"02", 2},
                                                {"T", 0}, {"15", 2}, {":", 0}, {"04", 2}, {":", 0},
                                                {"05", 2}}};
  std::string head = "parsing time " + quote(text);
  std::string_view layout = micro ? "2006-01-02T15:04:05.000000Z07:00" : "2006-01-02T15:04:05Z07:00";
  std::string_view rest = text;
  std::string_view wanted = micro ? ".000000" : "Z07:00";
  for (const Part& part : kParts) {
    size_t size = part.digits > 0 ? part.digits : 1;
    std::string_view piece = rest.substr(0, size);
    bool fits = part.digits > 0 ? piece.size() == size && parse_uint(piece) : piece == part.layout;
    if (!fits) {
      wanted = part.layout;
      break;
    }
    rest.remove_prefix(size);
  }
  return head + " as " + quote(layout) + ": cannot parse " + quote(rest) + " as " + quote(wanted);
}

Result<Value> Pruner::time(const Value& value, bool micro) {
  std::string_view text = value.as_string();
  auto parsed = parse_time(text);
  if (!parsed.ok()) return bad(go_time_error(text, micro));
  std::string canonical = micro ? format_micro_time(*parsed) : format_time(*parsed);
  return canonical == text ? value : Value(canonical);
}

Result<Value> Pruner::quantity(const Value& value) {
  std::string text(value.as_string());
  if (value.is_number()) text = format_json(value);
  auto parsed = value.is_string() || value.is_number()
                    ? Quantity::parse(text)
                    : Result<Quantity>(Error::make(
                          Code::invalid,
                          "quantities must match the regular expression "
                          "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"));
  if (!parsed.ok()) return std::move(parsed).error().with_code(Code::bad_request);
  std::string canonical = parsed->format();
  return value.is_string() && canonical == value.as_string() ? value : Value(canonical);
}

// A []byte: base64 or, as in any slice, a list of numbers.
Result<Value> Pruner::bytes(const Type& owner, const Value& value, const Place& place) {
  if (value.is_string()) {
    auto decoded = decode_base64(value.as_string());
    if (decoded.ok()) return value;
    if (!wrong_type_) wrong_type_ = bad(decoded.error().message());
    return nullptr;
  }
  if (!value.is_list()) return wrong_type(owner, json_word(value), "[]uint8", place);
  std::string bytes;
  for (const Value& item : value.items()) {
    if (!item.is_null() && (!item.is_int() || item.as_int() < 0 || item.as_int() > 255)) {
      std::string what = json_word(item);
      if (item.is_number()) what += " " + format_json(item);
      return wrong_type(owner, what, "uint8", place);
    }
    bytes += static_cast<char>(item.as_int());
  }
  return Value(encode_base64(bytes));
}

Result<Value> Pruner::duration(const Value& value) {
  auto parsed = parse_duration(value.as_string());
  if (!parsed.ok()) return bad("time: invalid duration " + quote(value.as_string()));
  std::string canonical = format_duration(*parsed);
  return canonical == value.as_string() ? value : Value(canonical);
}

Result<Value> Pruner::scalar(const Type& owner, Scalar scalar, const Value& value,
                             const Place& place) {
  auto typed = [&](bool right, const char* wanted) {
    return right ? value : wrong_type(owner, json_word(value), wanted, place);
  };
  auto is_text = [&] { return value.is_string(); };
  switch (scalar) {
    case Scalar::string: return typed(is_text(), "string");
    case Scalar::boolean: return typed(value.is_bool(), "bool");
    case Scalar::int32:
    case Scalar::int64: return integer(owner, scalar, value, place);
    case Scalar::number: return typed(value.is_number(), "float64");
    case Scalar::bytes: return bytes(owner, value, place);
    case Scalar::time:
    case Scalar::micro_time:
      if (!is_text()) return wrong_type_now(owner, value, "string", place);
      return time(value, scalar == Scalar::micro_time);
    case Scalar::duration:
      if (!is_text()) return wrong_type_now(owner, value, "string", place);
      return duration(value);
    case Scalar::quantity: return quantity(value);
    case Scalar::int_or_string:
      if (is_text() || is_int32(value)) return value;
      return wrong_type_now(owner, value, "int32", place);
    case Scalar::raw:
    case Scalar::fields:
    case Scalar::json:
    case Scalar::none: return value;
  }
  return value;
}

}  // namespace

Result<Pruned> prune(const Type& type, const Value& object) {
  if (!object.is_object()) {
    return Error::make(Code::bad_request, "json: cannot unmarshal " + json_word(object) +
                                              " into Go value of type " + go_type_name(type));
  }
  Pruner pruner;
  TRY(Value pruned, pruner.run(type, object));
  return Pruned{std::move(pruned), pruner.take_unknown()};
}

}  // namespace orch::schema
