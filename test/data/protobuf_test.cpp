#include "data/protobuf.h"

#include <catch2/catch_test_macros.hpp>
#include <variant>
#include <vector>

#include "base/text.h"
#include "support/random_value.h"

using namespace orch;
using namespace std::string_literals;

TEST_CASE("protobuf bytes are those of the encoding guide") {
  std::string out;
  ProtoWriter writer(out);
  writer.varint(1, 150);
  writer.bytes(2, "testing");
  writer.message(3, [](ProtoWriter& nested) { nested.varint(1, 150); });
  writer.fixed64(4, 0x0102030405060708);
  REQUIRE(encode_hex(out) == "089601" "120774657374696e67" "1a03089601" "210807060504030201");
}

TEST_CASE("negative numbers take ten bytes") {
  std::string out;
  ProtoWriter(out).varint(1, static_cast<uint64_t>(int64_t{-1}));
  REQUIRE(encode_hex(out) == "08ffffffffffffffffff01");
  ProtoReader reader(out);
  REQUIRE(reader.next()->value == UINT64_MAX);
  REQUIRE(reader.done());
}

TEST_CASE("protobuf fields read back") {
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    INFO("seed " << seed);
    SeededRandom random(seed);
    struct Field {
      uint32_t number;
      std::variant<uint64_t, std::string> content;
      bool fixed;
    };
    std::vector<Field> fields;
    std::string out;
    ProtoWriter writer(out);
    for (uint64_t n = random.below(6); n > 0; --n) {
      Field field{static_cast<uint32_t>(random.below((1U << 29) - 1)) + 1, {}, random.below(2) == 1};
      if (random.below(2)) {
        uint64_t number = random.next() >> random.below(64);
        field.content = number;
        field.fixed ? writer.fixed64(field.number, number) : writer.varint(field.number, number);
      } else {
        field.content = test::random_bytes(random, 300);
        writer.bytes(field.number, std::get<std::string>(field.content));
      }
      fields.push_back(std::move(field));
    }
    ProtoReader reader(out);
    for (const Field& expected : fields) {
      auto field = reader.next();
      REQUIRE(field.ok());
      REQUIRE(field->number == expected.number);
      if (const auto* number = std::get_if<uint64_t>(&expected.content)) {
        REQUIRE(field->type == (expected.fixed ? WireType::fixed64 : WireType::varint));
        REQUIRE(field->value == *number);
      } else {
        REQUIRE(field->type == WireType::length);
        REQUIRE(field->bytes == std::get<std::string>(expected.content));
      }
    }
    REQUIRE(reader.done());
  }
}

TEST_CASE("fixed32 is read") {
  std::string bytes("\x0d\x01\x02\x03\x04");
  ProtoReader reader(bytes);
  auto field = reader.next();
  REQUIRE(field->type == WireType::fixed32);
  REQUIRE(field->value == 0x04030201);
}

TEST_CASE("truncated and malformed protobuf is an error") {
  for (const std::string& bad :
       {"\x08"s, "\x08\x80"s, "\x80"s, "\x12\x05" "abc"s, "\x21\x01\x02"s, "\x0d\x01"s, "\x00\x01"s,
        "\x0b"s, "\x0c"s, "\x0e\x01"s, "\x0f\x01"s,
        "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"s,
        "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s,
        "\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s, "\xf8\xff\xff\xff\xff\x01\x01"s}) {
    INFO(encode_hex(bad));
    ProtoReader reader(bad);
    auto field = reader.next();
    REQUIRE(!field.ok());
    REQUIRE(field.error().is(Code::parse));
  }
}

TEST_CASE("every prefix of a message ends in an error or between two fields") {
  std::string out;
  ProtoWriter writer(out);
  writer.varint(1, 300);
  writer.bytes(200, "hello");
  writer.fixed64(3, 7);
  for (size_t size = 0; size <= out.size(); ++size) {
    std::string part = out.substr(0, size);
    ProtoReader reader(part);
    size_t fields = 0;
    while (!reader.done()) {
      if (!reader.next().ok()) break;
      ++fields;
    }
    REQUIRE(fields <= 3);
  }
}
