#include <catch2/catch_test_macros.hpp>

#include "base/text.h"
#include "data/json.h"
#include "data/protobuf.h"
#include "golden_lines.h"
#include "schema/codec_envelope.h"
#include "schema/engine.h"

using namespace orch;
using namespace orch::schema;

namespace {

const Registry& registry() {
  static const auto built = Registry::builtin().value();
  return *built;
}

Value json(std::string_view text) { return parse_json(text).value(); }

bool is_zero(const Value& value) {
  return value.is_null() || value == Value("") || value == Value(0) || value == Value(false) ||
         ((value.is_list() || value.is_object()) && value.empty());
}

// Without zero values: Go's JSON writes some that are not in the bytes (`null` for an empty list).
Value without_zeros(const Value& value) {
  if (value.is_object()) {
    ObjectBuilder out;
    for (const Member& member : value.members()) {
      Value inner = without_zeros(member.value);
      if (!is_zero(inner)) out.set(member.key, inner);
    }
    return std::move(out).build();
  }
  if (!value.is_list()) return value;
  std::vector<Value> items;
  for (const Value& item : value.items()) items.push_back(without_zeros(item));
  return Value::list(std::move(items));
}

}  // namespace

TEST_CASE("every kind has the bytes that Kubernetes' generated code gives") {
  size_t count = 0;
  for (const Value& line : golden_lines("protobuf.jsonl", "ORCH_PROTOBUF_CASES")) {
    ++count;
    const Value& object = line["object"];
    INFO(object["apiVersion"].as_string() << " " << object["kind"].as_string());
    std::string bytes = decode_base64(line["bytes"].as_string()).value();
    auto encoded = encode_envelope(registry(), object);
    if (!encoded.ok()) FAIL(encoded.error().message());
    CHECK(encode_hex(*encoded) == encode_hex(bytes));
    auto decoded = decode_envelope(registry(), bytes);
    if (!decoded.ok()) FAIL(decoded.error().message());
    CHECK(format_json(without_zeros(*decoded)) == format_json(without_zeros(object)));
    auto again = encode_envelope(registry(), *decoded);
    REQUIRE(again.ok());
    CHECK(encode_hex(*again) == encode_hex(bytes));
  }
  CHECK(count > 60);
}

TEST_CASE("cut and changed bytes are refused or decoded, never more") {
  for (const Value& line : golden_lines("protobuf.jsonl", "ORCH_PROTOBUF_CASES")) {
    std::string bytes = decode_base64(line["bytes"].as_string()).value();
    for (size_t cut = 0; cut < bytes.size(); cut += 7) {
      (void)decode_envelope(registry(), std::string_view(bytes).substr(0, cut));
      std::string changed = bytes;
      changed[cut] = static_cast<char>(changed[cut] ^ static_cast<char>(cut * 37 + 1));
      (void)decode_envelope(registry(), changed);
    }
  }
}

TEST_CASE("messages nested without end are refused") {
  // No built-in type is recursive yet: made of one that contains itself.
  auto built = Registry::build({{"x_v1.schema", "package p.v1\ntype Node\n  1 inner?: *Node\n"}});
  REQUIRE(built.ok());
  std::string bytes;
  for (int i = 0; i < 1000; ++i) {
    std::string outer;
    ProtoWriter(outer).bytes(1, bytes);
    bytes = std::move(outer);
  }
  auto decoded = decode_protobuf(*(*built)->find_type("p.v1", "Node"), bytes);
  REQUIRE_FALSE(decoded.ok());
  CHECK(decoded.error().is(Code::bad_request));
}

TEST_CASE("packed numbers and unknown fields are understood") {
  auto built = Registry::build(
      {{"x_v1.schema", "package p.v1\ntype T\n  1 numbers?: int32[]\n  3 on?: bool\n"}});
  REQUIRE(built.ok());
  std::string bytes("\x0a\x03\x01\xac\x02\x10\x05\x18\x01", 9);
  auto decoded = decode_protobuf(*(*built)->find_type("p.v1", "T"), bytes);
  if (!decoded.ok()) FAIL(decoded.error().message());
  CHECK(format_json(*decoded) == R"({"numbers":[1,300],"on":true})");
}

TEST_CASE("the request's kind counts where the bytes name none") {
  std::string unnamed = wrap_envelope("", "", "");
  auto decoded = decode_envelope(registry(), unnamed, "apps/v1", "DeleteOptions");
  REQUIRE(decoded.ok());
  CHECK(format_json(*decoded) == R"({"apiVersion":"apps/v1","kind":"DeleteOptions"})");
  CHECK(decode_envelope(registry(), unnamed).error().is(Code::not_acceptable));
  CHECK(decode_envelope(registry(), "{}").error().is(Code::bad_request));
}

TEST_CASE("a list of encoded items equals the encoded list") {
  Value item = json(R"({"metadata":{"name":"a","creationTimestamp":null},"data":{"k":"v"}})");
  Value list =
      json(R"({"apiVersion":"v1","kind":"ConfigMapList","metadata":{"resourceVersion":"7"}})")
          .with("items", Value::list({item, item}));
  const Kind* kind = registry().find_kind("", "v1", "ConfigMap");
  std::string bytes = encode_protobuf(*kind->type, item).value();
  std::string_view items[] = {bytes, bytes};
  auto wrapped = wrap_list_envelope(registry(), "v1", "ConfigMapList", list["metadata"], items);
  REQUIRE(wrapped.ok());
  CHECK(encode_hex(*wrapped) == encode_hex(encode_envelope(registry(), list).value()));
  auto decoded = decode_envelope(registry(), *wrapped);
  REQUIRE(decoded.ok());
  CHECK((*decoded)["items"].at(1)["data"] == item["data"]);
}

TEST_CASE("a watch event travels as a frame with its object's envelope inside") {
  Value status = json(
      R"({"apiVersion":"v1","kind":"Status","code":410,"reason":"Expired","status":"Failure"})");
  std::string frame = frame_watch_event("ERROR", encode_envelope(registry(), status).value());
  REQUIRE(frame.size() > 4);
  CHECK(static_cast<size_t>(static_cast<unsigned char>(frame[3])) == frame.size() - 4);
  auto event = decode_watch_event(registry(), std::string_view(frame).substr(4));
  REQUIRE(event.ok());
  CHECK(event->type == "ERROR");
  CHECK(event->object["code"] == Value(410));
  CHECK(event->object["kind"] == Value("Status"));
}
