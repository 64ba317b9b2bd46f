#pragma once
// Options and objects of the tests of plan/net.

#include <catch2/catch_test_macros.hpp>

#include "base/text.h"
#include "data/yaml.h"
#include "plan/net/service_rules.h"
#include "plan/net/skeleton.h"

namespace orch::test {

inline plan::net::NetworkOptions network_options() {
  return {"orch_test", "orch0", "node-1", *parse_cidr("10.42.0.0/16"), *parse_cidr("10.43.0.0/16"), *parse_ip("10.43.0.10")};
}

inline Value yaml(std::string_view text) {
  auto parsed = parse_yaml_document(text);
  REQUIRE(parsed.ok());
  return *parsed;
}

}  // namespace orch::test
