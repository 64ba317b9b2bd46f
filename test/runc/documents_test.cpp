#include "runc/documents.h"

#include <catch2/catch_test_macros.hpp>

#include "plan/oci/compile.h"

namespace orch::runc {
namespace {

TEST_CASE("the configurations that `spec` writes become steps") {
  for (const Value& config : {default_config(), rootless_config(default_config(), 1000, 1000)}) {
    plan::oci::Request request;
    request.config = config;
    request.root.path = "/b/rootfs";
    CHECK(plan::oci::compile(request).ok());
  }
}

TEST_CASE("a rootless configuration maps root to the caller and leaves the host's network") {
  const Value config = rootless_config(default_config(), 1000, 100);
  CHECK(config["linux"]["uidMappings"].at(0)["hostID"].as_int() == 1000);
  CHECK(config["linux"]["gidMappings"].at(0)["hostID"].as_int() == 100);
  for (const Value& item : config["linux"]["namespaces"].items()) CHECK(item["type"].as_string() != "network");
}

TEST_CASE("features name what the tables hold") {
  const Value all = features();
  CHECK(all["ociVersionMax"].as_string() == "1.2.0");
  CHECK(all["linux"]["capabilities"].at(0).as_string() == "CAP_CHOWN");
  CHECK(all["linux"]["namespaces"].size() == 8);
  CHECK(all["mountOptions"].size() > 40);
}

}  // namespace
}  // namespace orch::runc
