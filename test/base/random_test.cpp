#include "base/random.h"

#include <catch2/catch_test_macros.hpp>
#include <set>

using namespace orch;

TEST_CASE("uuids are version 4 of RFC 4122 and differ") {
  SeededRandom random(7);
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    std::string uuid = random.uuid();
    REQUIRE(uuid.size() == 36);
    for (size_t at : {8, 13, 18, 23}) REQUIRE(uuid[at] == '-');
    REQUIRE(uuid[14] == '4');
    REQUIRE(std::string("89ab").find(uuid[19]) != std::string::npos);
    REQUIRE(uuid.find_first_not_of("0123456789abcdef-") == std::string::npos);
    seen.insert(uuid);
  }
  REQUIRE(seen.size() == 1000);
}

TEST_CASE("name suffixes use only the safe alphabet, all of it") {
  SeededRandom random(1);
  std::string text = random.suffix(5000);
  REQUIRE(text.size() == 5000);
  REQUIRE(std::set<char>(text.begin(), text.end()).size() == 27);
  REQUIRE(text.find_first_of("aeiouy013") == std::string::npos);
}

TEST_CASE("the same seed gives the same sequence, another seed another one") {
  SeededRandom a(3), b(3), c(4);
  std::string text = a.suffix(20);
  REQUIRE(text == b.suffix(20));
  REQUIRE(text != c.suffix(20));
  REQUIRE(SeededRandom(0).next() != 0);
  REQUIRE(a.below(0) == 0);
}

TEST_CASE("safe encoding maps each character by its code modulo 27") {
  // 'a' = 97 = 16 mod 27, '0' = 48 = 21 mod 27
  REQUIRE(safe_encode("a0") == "v4");
  // what pod-template-hash is made of: the digits of an FNV sum
  REQUIRE(safe_encode("0123456789") == "456789bcdf");
}
