#include "data/hash.h"

#include <catch2/catch_test_macros.hpp>

#include "data/json.h"
#include "support/random_value.h"

using namespace orch;

TEST_CASE("FNV-1a agrees with its published vectors") {
  REQUIRE(fnv1a_32("") == 0x811c9dc5);
  REQUIRE(fnv1a_32("a") == 0xe40c292c);
  REQUIRE(fnv1a_32("foobar") == 0xbf9cf968);
  REQUIRE(fnv1a_64("") == 0xcbf29ce484222325);
  REQUIRE(fnv1a_64("a") == 0xaf63dc4c8601ec8c);
  REQUIRE(fnv1a_64("foobar") == 0x85944171f73967e8);
}

TEST_CASE("SHA-256 agrees with FIPS 180-4's examples") {
  REQUIRE(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  REQUIRE(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  REQUIRE(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  REQUIRE(sha256_hex(std::string(1'000'000, 'a')) ==
          "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("equal values hash alike, whatever way they were made") {
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    INFO("seed " << seed);
    SeededRandom random(seed);
    Value value = test::random_value(random);
    REQUIRE(hash_value(*parse_json(format_json(value))) == hash_value(value));
    Value other = test::random_change(random, value);
    if (!(other == value)) REQUIRE(hash_value(other) != hash_value(value));
  }
}

TEST_CASE("values that differ in structure only hash differently") {
  REQUIRE(hash_value(Value::list({"ab", "c"})) != hash_value(Value::list({"a", "bc"})));
  REQUIRE(hash_value(Value::list({})) != hash_value(Value::object({})));
  REQUIRE(hash_value(1) != hash_value(1.0));
  REQUIRE(hash_value("1") != hash_value(1));
  REQUIRE(hash_value(nullptr) != hash_value(false));
  REQUIRE(hash_value(0.0) == hash_value(-0.0));
}
