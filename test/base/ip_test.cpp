#include "base/ip.h"

#include <catch2/catch_test_macros.hpp>

using namespace orch;

namespace {
std::string canonical(std::string_view text) {
  auto ip = parse_ip(text);
  return ip ? format_ip(*ip) : "no";
}
}  // namespace

TEST_CASE("addresses read and write in canonical form") {
  CHECK(canonical("10.9.8.7") == "10.9.8.7");
  CHECK(canonical("010.009.8.7") == "10.9.8.7");
  CHECK(canonical("::1") == "::1");
  CHECK(canonical("::") == "::");
  CHECK(canonical("2001:DB8:0:0:1:0:0:1") == "2001:db8::1:0:0:1");
  CHECK(canonical("fe80:0:0:0:0:0:0:0abc") == "fe80::abc");
  CHECK(canonical("::ffff:1.2.3.4") == "1.2.3.4");
  CHECK(canonical("64:ff9b::1.2.3.4") == "64:ff9b::102:304");
  CHECK(canonical("1:2:3:4:5:6:7:8") == "1:2:3:4:5:6:7:8");
  CHECK(canonical("1:0:3:4:5:6:7:8") == "1:0:3:4:5:6:7:8");
  CHECK(canonical("2001:db8::") == "2001:db8::");
}

TEST_CASE("texts that are no address are refused") {
  for (const char* text : {"", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "a.b.c.d", "1:2", ":::", "1::2::3",
                           "::12345", "1:2:3:4:5:6:7:8:9", "fe80::1%eth0", "1.2.3.4::", "::1.2.3"}) {
    INFO(text);
    CHECK_FALSE(parse_ip(text));
  }
}

TEST_CASE("a prefix contains the addresses of its network") {
  auto net = parse_cidr("10.42.5.1/16");
  REQUIRE(net);
  CHECK(format_cidr(*net) == "10.42.5.1/16");
  CHECK(format_ip(net->network()) == "10.42.0.0");
  CHECK(net->contains(*parse_ip("10.42.255.9")));
  CHECK_FALSE(net->contains(*parse_ip("10.43.0.1")));
  CHECK_FALSE(net->contains(*parse_ip("2001:db8::1")));
  CHECK(parse_cidr("2001:db8::/33")->contains(*parse_ip("2001:db8:7fff::1")));
  CHECK_FALSE(parse_cidr("2001:db8::/33")->contains(*parse_ip("2001:db8:8000::1")));
  CHECK(parse_cidr("0.0.0.0/0")->contains(*parse_ip("255.1.2.3")));
  for (const char* text : {"10.0.0.0", "10.0.0.0/33", "::/129", "10.0.0.0/", "x/8", "10.0.0.0/-1"}) {
    CHECK_FALSE(parse_cidr(text));
  }
}
