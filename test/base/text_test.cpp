#include "base/text.h"

#include <catch2/catch_test_macros.hpp>

#include "base/random.h"

using namespace orch;
using namespace std::string_literals;

TEST_CASE("split keeps empty parts") {
  REQUIRE(split("a,,b,", ',') == std::vector<std::string_view>{"a", "", "b", ""});
  REQUIRE(split("", ',') == std::vector<std::string_view>{""});
  REQUIRE(split_once("a=b=c", '=') == std::pair<std::string_view, std::string_view>("a", "b=c"));
  REQUIRE(!split_once("abc", '='));
  std::vector<std::string> parts{"a", "b", "c"};
  REQUIRE(join(parts, ", ") == "a, b, c");
  REQUIRE(join({}, ", ").empty());
}

TEST_CASE("trimming and case folding touch ASCII only") {
  REQUIRE(trim(" \t\r\n a b \v\f") == "a b");
  REQUIRE(trim("  ").empty());
  REQUIRE(to_lower("AbÄ") == "abÄ");
  REQUIRE(to_upper("abä") == "ABä");
  REQUIRE(equals_ignore_case("Content-TYPE", "content-type"));
  REQUIRE(!equals_ignore_case("a", "ab"));
}

TEST_CASE("replacing everything does not look at what it inserted") {
  REQUIRE(replace_all("aaa", "a", "aa") == "aaaaaa");
  REQUIRE(replace_all("abc", "", "x") == "abc");
}

TEST_CASE("quoting follows Go's %q") {
  REQUIRE(quote("a\"b\\c") == R"("a\"b\\c")");
  REQUIRE(quote("\a\b\f\n\r\t\v") == R"("\a\b\f\n\r\t\v")");
  REQUIRE(quote("\x01\x7F\0"s) == R"("\x01\x7f\x00")");
  REQUIRE(quote("ä世😀") == "\"ä世😀\"");
  REQUIRE(quote("\xff\xc3") == R"("\xff\xc3")");
  REQUIRE(quote("\u00a0\u200b\ufeff\u0085") == R"("\u00a0\u200b\ufeff\u0085")");
  REQUIRE(quote("\U000e0001") == R"("\U000e0001")");
}

TEST_CASE("UTF-8 validity knows overlong forms, surrogates and the upper end") {
  REQUIRE(is_valid_utf8("aä世😀"));
  REQUIRE(is_valid_utf8("\xF4\x8F\xBF\xBF"));
  for (std::string_view bad : {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80",
                               "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE4\xB8", "\xFF"}) {
    INFO(quote(bad));
    REQUIRE(!is_valid_utf8(bad));
  }
}

TEST_CASE("integers are the whole text or nothing") {
  REQUIRE(parse_int("-9223372036854775808") == INT64_MIN);
  REQUIRE(parse_int("+7") == 7);
  for (std::string_view bad : {"", "-", "+", "+-1", " 1", "1 ", "0x1", "9223372036854775808"}) {
    INFO(bad);
    REQUIRE(!parse_int(bad));
  }
  REQUIRE(parse_uint("18446744073709551615") == UINT64_MAX);
  REQUIRE(!parse_uint("-1"));
}

TEST_CASE("base64 agrees with RFC 4648's vectors") {
  const std::pair<std::string_view, std::string_view> vectors[] = {
      {"", ""},         {"f", "Zg=="},         {"fo", "Zm8="},        {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
  for (auto [plain, encoded] : vectors) {
    REQUIRE(encode_base64(plain) == encoded);
    REQUIRE(decode_base64(encoded).value() == plain);
    std::string_view bare = encoded.substr(0, encoded.find('='));
    REQUIRE(encode_base64url(plain) == bare);
    REQUIRE(decode_base64url(encoded).value() == plain);
    REQUIRE(decode_base64url(bare).value() == plain);
  }
  REQUIRE(encode_base64("\xfb\xff") == "+/8=");
  REQUIRE(encode_base64url("\xfb\xff") == "-_8");
  REQUIRE(decode_base64("Zm9v\nYmFy\n").value() == "foobar");
  for (std::string_view bad : {"Zg", "Zg=", "Z", "Zg===", "Zm9v=", "Zm9*", "Z=g=", "-_8="}) {
    INFO(bad);
    REQUIRE(!decode_base64(bad).ok());
  }
}

TEST_CASE("base64 and percent encoding round-trip any bytes") {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    INFO("seed " << seed);
    SeededRandom random(seed);
    std::string bytes;
    for (uint64_t n = random.below(40); n > 0; --n) bytes += static_cast<char>(random.next() >> 16);
    REQUIRE(decode_base64(encode_base64(bytes)).value() == bytes);
    REQUIRE(decode_base64url(encode_base64url(bytes)).value() == bytes);
    REQUIRE(decode_percent(encode_percent(bytes), true).value() == bytes);
  }
}

TEST_CASE("percent encoding leaves the unreserved characters") {
  REQUIRE(encode_percent("aZ09-._~/ +%") == "aZ09-._~%2F%20%2B%25");
  REQUIRE(decode_percent("a+b%2Fc", true).value() == "a b/c");
  REQUIRE(decode_percent("a+b%2fc", false).value() == "a+b/c");
  for (std::string_view bad : {"%", "%2", "%zz", "a%1"}) {
    INFO(bad);
    REQUIRE(!decode_percent(bad, false).ok());
  }
  REQUIRE(decode_percent("x%zzy", false).error().message() == "invalid URL escape \"%zz\"");
}

TEST_CASE("hex is lower case") { REQUIRE(encode_hex("\x01\xAF") == "01af"); }
