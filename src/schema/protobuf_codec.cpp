// JSON values <-> protobuf messages, by the field numbers of the graph. The bytes are those of
// Kubernetes' generated code: fields in the order of their numbers, values that are no pointers
// written even when zero (proto2), map entries sorted by key, repeated numbers not packed. Decoding
// accepts any valid encoding and skips unknown fields.

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "base/text.h"
#include "base/time.h"
#include "data/json.h"
#include "data/protobuf.h"
#include "schema/engine.h"

namespace orch::schema {

namespace {

constexpr int kMaxDepth = 200;  // nesting of messages; JSONSchemaProps is the only recursive type

// --- encoding

Error wrong_value(const Field& field, std::string_view wanted) {
  return Error::make(
      Code::internal,
      std::string("cannot encode field ").append(field.name).append(": not ").append(wanted));
}

std::string varint_bytes(uint64_t value) {
  std::string out;
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
  return out;
}

// Appends tag, length and what `body` writes, without a buffer per level: the length goes in
// afterwards.
template <class F>
Result<void> append_message(std::string& out, uint32_t number, F&& body) {
  out += varint_bytes(uint64_t{number} << 3 | static_cast<uint64_t>(WireType::length));
  size_t start = out.size();
  out.push_back(0);
  TRY_VOID(body());
  size_t size = out.size() - start - 1;
  if (size < 0x80) {
    out[start] = static_cast<char>(size);
  } else {
    out.replace(start, 1, varint_bytes(size));
  }
  return {};
}

Result<void> append_fields(std::string& out, const Type& type, const Value& object, int depth);

Result<void> append_timestamp(std::string& out, const Field& field, const Value& value) {
  if (value.is_null()) return {};
  auto time = parse_time(value.as_string());
  if (!time.ok()) return wrong_value(field, "a time");
  int64_t seconds = time.value().seconds();
  int64_t nanos = time.value().ns - seconds * 1'000'000'000;
  bool micro = field.type.scalar == Scalar::micro_time;
  ProtoWriter writer(out);
  writer.varint(1, static_cast<uint64_t>(seconds));
  writer.varint(2, micro ? static_cast<uint64_t>(nanos / 1000 * 1000) : 0);
  return {};
}

Result<void> append_int_or_string(std::string& out, const Field& field, const Value& value) {
  if (!value.is_null() && !value.is_string() && !value.is_number())
    return wrong_value(field, "a number or string");
  ProtoWriter writer(out);
  writer.varint(1, value.is_string() ? 1 : 0);
  writer.varint(2, static_cast<uint64_t>(value.as_int()));
  writer.bytes(3, value.as_string());
  return {};
}

Result<void> append_quantity(std::string& out, const Field& field, const Value& value) {
  ProtoWriter writer(out);
  if (value.is_null()) {
    writer.bytes(1, "0");
  } else if (value.is_int()) {
    writer.bytes(1, std::to_string(value.as_int()));
  } else if (value.is_string()) {
    writer.bytes(1, value.as_string());
  } else {
    return wrong_value(field, "a quantity");
  }
  return {};
}

// The scalars that are messages of their own.
Result<void> append_message_scalar(std::string& out, const Field& field, const Value& value) {
  switch (field.type.scalar) {
    case Scalar::time:
    case Scalar::micro_time:
      return append_timestamp(out, field, value);
    case Scalar::quantity:
      return append_quantity(out, field, value);
    case Scalar::int_or_string:
      return append_int_or_string(out, field, value);
    case Scalar::duration: {
      auto duration = parse_duration(value.is_null() ? "0s" : value.as_string());
      if (!duration.ok()) return wrong_value(field, "a duration");
      ProtoWriter(out).varint(1, static_cast<uint64_t>(duration.value().count()));
      return {};
    }
    default:  // raw, fields, json
      if (!value.is_null()) ProtoWriter(out).bytes(1, format_json(value));
      return {};
  }
}

// One value under a field number: not a list, not a map.
Result<void> append_value(std::string& out, const Field& field, uint32_t number, const Value& value,
                          int depth) {
  ProtoWriter writer(out);
  switch (field.type.scalar) {
    case Scalar::none:
      if (!value.is_null() && !value.is_object()) return wrong_value(field, "an object");
      return append_message(
          out, number, [&] { return append_fields(out, *field.type.object, value, depth + 1); });
    case Scalar::string:
      if (!value.is_null() && !value.is_string()) return wrong_value(field, "a string");
      writer.bytes(number, value.as_string());
      return {};
    case Scalar::boolean:
      if (!value.is_null() && !value.is_bool()) return wrong_value(field, "a boolean");
      writer.varint(number, value.as_bool() ? 1 : 0);
      return {};
    case Scalar::int32:
    case Scalar::int64:
      if (!value.is_null() && !value.is_number()) return wrong_value(field, "a number");
      writer.varint(number, static_cast<uint64_t>(value.as_int()));
      return {};
    case Scalar::number:
      if (!value.is_null() && !value.is_number()) return wrong_value(field, "a number");
      writer.fixed64(number, std::bit_cast<uint64_t>(value.as_double()));
      return {};
    case Scalar::bytes: {
      auto bytes = decode_base64(value.as_string());
      if (!bytes.ok()) return wrong_value(field, "base64");
      writer.bytes(number, bytes.value());
      return {};
    }
    default:
      return append_message(out, number, [&] { return append_message_scalar(out, field, value); });
  }
}

Result<void> append_items(std::string& out, const Field& field, uint32_t number, const Value& list,
                          int depth) {
  if (!list.is_list()) return wrong_value(field, "a list");
  for (const Value& item : list.items()) TRY_VOID(append_value(out, field, number, item, depth));
  return {};
}

Result<void> append_map(std::string& out, const Field& field, const Value& map, int depth) {
  if (!map.is_object()) return wrong_value(field, "an object");
  for (const Member& member : map.members()) {
    TRY_VOID(append_message(out, field.number, [&]() -> Result<void> {
      ProtoWriter(out).bytes(1, member.name());
      if (!field.proto_items) return append_value(out, field, 2, member.value, depth);
      return append_message(out, 2, [&]() -> Result<void> {
        if (member.value.is_null()) return {};
        return append_items(out, field, 1, member.value, depth);
      });
    }));
  }
  return {};
}

Result<void> append_field(std::string& out, const Field& field, const Value& object, int depth) {
  const Value& value = field.inlined ? object : object[field.name];
  if (field.type.shape == Shape::single) {
    // A nil pointer, and nil bytes, are not written; the zero of everything else is.
    bool nullable = field.type.pointer || field.type.scalar == Scalar::bytes;
    if (value.is_null() && nullable && !field.inlined) return {};
    return append_value(out, field, field.number, value, depth);
  }
  if (value.is_null()) return {};
  if (field.type.shape == Shape::map) return append_map(out, field, value, depth);
  if (!field.proto_items) return append_items(out, field, field.number, value, depth);
  return append_message(out, field.number,
                        [&] { return append_items(out, field, 1, value, depth); });
}

Result<void> append_fields(std::string& out, const Type& type, const Value& object, int depth) {
  if (depth > kMaxDepth)
    return Error::make(Code::internal, "object is nested too deeply for protobuf");
  for (const Field* field : type.by_number) TRY_VOID(append_field(out, *field, object, depth));
  return {};
}

// --- decoding

Error bad_wire(const Field& field) {
  return Error::make(Code::bad_request, "proto: wrong wireType for field " + field.name);
}

const Field* field_by_number(const Type& type, uint32_t number) {
  auto place = std::ranges::lower_bound(type.by_number, number, {},
                                        [](const Field* f) { return f->number; });
  return place != type.by_number.end() && (*place)->number == number ? *place : nullptr;
}

Result<Value> decode_fields(const Type& type, std::string_view bytes, int depth);

// The fields 1 to 3 of the small messages that are scalars in JSON.
struct SmallMessage {
  uint64_t numbers[4] = {};
  std::string_view texts[4];
};

Result<SmallMessage> decode_small(std::string_view bytes) {
  SmallMessage out;
  ProtoReader reader(bytes);
  while (!reader.done()) {
    TRY(ProtoField field, reader.next());
    if (field.number > 3) continue;
    out.numbers[field.number] = field.value;
    out.texts[field.number] = field.bytes;
  }
  return out;
}

Result<Value> decode_timestamp(const SmallMessage& message, bool micro) {
  auto seconds = static_cast<int64_t>(message.numbers[1]);
  // Beyond what an Instant holds (years 1678 to 2261) nothing sensible was meant.
  constexpr int64_t kLimit = std::numeric_limits<int64_t>::max() / 1'000'000'000 - 1;
  if (seconds > kLimit || seconds < -kLimit) return Value(nullptr);
  Instant time{seconds * 1'000'000'000};
  if (!micro) return Value(format_time(time));
  int64_t nanos = static_cast<int32_t>(message.numbers[2]);
  return Value(format_micro_time(time + Duration(nanos / 1000 * 1000)));
}

Result<Value> decode_message_scalar(const Field& field, std::string_view bytes) {
  TRY(SmallMessage message, decode_small(bytes));
  switch (field.type.scalar) {
    case Scalar::time:
    case Scalar::micro_time:
      if (bytes.empty()) return Value(nullptr);
      return decode_timestamp(message, field.type.scalar == Scalar::micro_time);
    case Scalar::duration:
      return Value(format_duration(Duration(static_cast<int64_t>(message.numbers[1]))));
    case Scalar::quantity:
      return Value(message.texts[1].empty() ? std::string_view("0") : message.texts[1]);
    case Scalar::int_or_string:
      if (message.numbers[1] == 1) return Value(message.texts[3]);
      return Value(static_cast<int64_t>(static_cast<int32_t>(message.numbers[2])));
    default: {  // raw, fields, json
      if (message.texts[1].empty()) return Value(nullptr);
      auto parsed = parse_json(message.texts[1]);
      if (parsed.ok()) return std::move(parsed).value();
      return std::move(parsed).error().with_context(field.name).with_code(Code::bad_request);
    }
  }
}

Result<Value> decode_text(const Field& field, std::string_view bytes) {
  if (is_valid_utf8(bytes)) return Value(bytes);
  return Error::make(Code::bad_request, "proto: field " + field.name + " contains invalid UTF-8");
}

WireType wire_type_of(Scalar scalar) {
  switch (scalar) {
    case Scalar::boolean:
    case Scalar::int32:
    case Scalar::int64:
      return WireType::varint;
    case Scalar::number:
      return WireType::fixed64;
    default:
      return WireType::length;
  }
}

Result<Value> decode_value(const Field& field, const ProtoField& wire, int depth) {
  if (wire.type != wire_type_of(field.type.scalar)) return bad_wire(field);
  switch (field.type.scalar) {
    case Scalar::none:
      return decode_fields(*field.type.object, wire.bytes, depth + 1);
    case Scalar::string:
      return decode_text(field, wire.bytes);
    case Scalar::boolean:
      return Value(wire.value != 0);
    case Scalar::int32:
      return Value(static_cast<int64_t>(static_cast<int32_t>(wire.value)));
    case Scalar::int64:
      return Value(static_cast<int64_t>(wire.value));
    case Scalar::number: {
      // JSON has no infinities; nor does any published field need them.
      auto number = std::bit_cast<double>(wire.value);
      if (!std::isfinite(number))
        return Error::make(Code::bad_request,
                           "proto: field " + field.name + " is not a finite number");
      return Value(number);
    }
    case Scalar::bytes:
      return Value(encode_base64(wire.bytes));
    default:
      return decode_message_scalar(field, wire.bytes);
  }
}

Value zero_of(const Field& field) {
  switch (field.type.scalar) {
    case Scalar::none:
      return Value::empty_object();
    case Scalar::string:
    case Scalar::bytes:
      return Value("");
    case Scalar::boolean:
      return Value(false);
    case Scalar::int32:
    case Scalar::int64:
      return Value(0);
    case Scalar::number:
      return Value(0.0);
    case Scalar::duration:
      return Value("0s");
    case Scalar::quantity:
      return Value("0");
    case Scalar::int_or_string:
      return Value(0);
    default:
      return Value(nullptr);
  }
}

// Numbers of a repeated field that came packed into one length-delimited field.
Result<void> decode_packed(const Field& field, std::string_view bytes, std::vector<Value>& items) {
  // A tag in front of each makes them fields of their own.
  WireType type = wire_type_of(field.type.scalar);
  size_t at = 0;
  while (at < bytes.size()) {
    size_t size = 8;
    if (type == WireType::varint) {
      size = 1;
      while (at + size <= bytes.size() && (bytes[at + size - 1] & 0x80)) ++size;
    }
    if (at + size > bytes.size()) return bad_wire(field);
    std::string one = varint_bytes(uint64_t{1} << 3 | static_cast<uint64_t>(type));
    one += bytes.substr(at, size);
    TRY(ProtoField wire, ProtoReader(one).next());
    TRY(Value value, decode_value(field, wire, 0));
    items.push_back(std::move(value));
    at += size;
  }
  return {};
}

Result<void> decode_item(const Field& field, const ProtoField& wire, std::vector<Value>& items,
                         int depth) {
  if (wire.type == WireType::length && wire_type_of(field.type.scalar) != WireType::length) {
    return decode_packed(field, wire.bytes, items);
  }
  TRY(Value value, decode_value(field, wire, depth));
  items.push_back(std::move(value));
  return {};
}

// A message {1 repeated}.
Result<Value> decode_items_message(const Field& field, std::string_view bytes, int depth) {
  std::vector<Value> items;
  ProtoReader reader(bytes);
  while (!reader.done()) {
    TRY(ProtoField wire, reader.next());
    if (wire.number == 1) TRY_VOID(decode_item(field, wire, items, depth));
  }
  return Value::list(std::move(items));
}

Result<void> decode_entry(const Field& field, std::string_view bytes, ObjectBuilder& map,
                          int depth) {
  std::string_view key;
  Value value = field.proto_items ? Value(nullptr) : zero_of(field);
  ProtoReader reader(bytes);
  while (!reader.done()) {
    TRY(ProtoField wire, reader.next());
    if (wire.number == 1) {
      TRY_VOID(decode_text(field, wire.bytes));
      key = wire.bytes;
    } else if (wire.number == 2 && field.proto_items) {
      TRY(value, decode_items_message(field, wire.bytes, depth));
    } else if (wire.number == 2) {
      TRY(value, decode_value(field, wire, depth));
    }
  }
  map.set(key, std::move(value));
  return {};
}

// What has come of one repeated field or map.
struct Collected {
  const Field* field;
  std::vector<Value> items;
  ObjectBuilder map;
};

bool is_zero(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::null:
      return true;
    case Value::Kind::boolean:
      return !value.as_bool();
    case Value::Kind::integer:
    case Value::Kind::number:
      return value.as_double() == 0;
    case Value::Kind::string:
      return value.as_string().empty();
    default:
      return false;
  }
}

Result<void> decode_single(const Field& field, const ProtoField& wire, ObjectBuilder& out,
                           int depth) {
  TRY(Value value, decode_value(field, wire, depth));
  if (field.inlined) {
    for (const Member& member : value.members()) out.set(member.key, member.value);
    return {};
  }
  bool is_message = wire_type_of(field.type.scalar) == WireType::length &&
                    field.type.scalar != Scalar::string && field.type.scalar != Scalar::bytes;
  bool drop = field.omit_empty && !field.type.pointer && !is_message && is_zero(value);
  if (!drop) out.set(field.key, std::move(value));
  return {};
}

Result<Value> decode_fields(const Type& type, std::string_view bytes, int depth) {
  if (depth > kMaxDepth)
    return Error::make(Code::bad_request, "protobuf message is nested too deeply");
  ObjectBuilder out;
  std::vector<Collected> collected;
  ProtoReader reader(bytes);
  while (!reader.done()) {
    TRY(ProtoField wire, reader.next());
    const Field* field = field_by_number(type, wire.number);
    if (!field) continue;
    if (field->type.shape == Shape::single) {
      TRY_VOID(decode_single(*field, wire, out, depth));
      continue;
    }
    auto slot = std::ranges::find(collected, field, &Collected::field);
    if (slot == collected.end()) slot = collected.insert(slot, Collected{field, {}, {}});
    bool is_map = field->type.shape == Shape::map;
    if ((is_map || field->proto_items) && wire.type != WireType::length) return bad_wire(*field);
    if (is_map) {
      TRY_VOID(decode_entry(*field, wire.bytes, slot->map, depth));
    } else if (field->proto_items) {
      TRY(Value items, decode_items_message(*field, wire.bytes, depth));
      slot->items.assign(items.items().begin(), items.items().end());
    } else {
      TRY_VOID(decode_item(*field, wire, slot->items, depth));
    }
  }
  for (Collected& field : collected) {
    out.set(field.field->key, field.field->type.shape == Shape::map
                                  ? std::move(field.map).build()
                                  : Value::list(std::move(field.items)));
  }
  return std::move(out).build();
}

}  // namespace

Result<Value> decode_protobuf(const Type& type, std::string_view bytes) {
  auto decoded = decode_fields(type, bytes, 0);
  if (!decoded.ok()) return std::move(decoded).error().with_code(Code::bad_request);
  return decoded;
}

Result<std::string> encode_protobuf(const Type& type, const Value& object) {
  std::string out;
  TRY_VOID(append_fields(out, type, object, 0));
  return out;
}

}  // namespace orch::schema
