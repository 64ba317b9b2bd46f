#include "linux/host_facts.h"

#include <dirent.h>

#include <catch2/catch_test_macros.hpp>

#include "data/json.h"
#include "plan/check/host.h"

namespace orch::sys {
namespace {

TEST_CASE("every fact that the check asks for is gathered") {
  const Value facts = gather_host_facts("/nonexistent/orch");
  INFO(format_json(facts));
  CHECK(facts["kernel"].as_string().find('.') != std::string_view::npos);
  for (const char* name : {"mount", "pid", "network", "ipc", "uts", "cgroup", "user", "time"}) {
    CHECK(facts["namespaces"][name].is_int());
  }
  for (const char* name : {"nf_tables", "veth", "bridge", "vxlan"}) CHECK(facts["network"][name].is_int());
  for (const char* key : {"overlay", "memory", "uid"}) CHECK(facts[key].is_int());
  CHECK(facts["disk"]["path"].as_string() == "/");
  CHECK(facts["disk"]["total"].as_int() > 0);
  CHECK(facts["limits"]["files"].as_int() > 0);
  CHECK(facts["clock"]["year"].as_int() > 2020);
  CHECK_FALSE(facts["server_running"].as_bool());
  CHECK(!plan::check::check_host(facts).empty());
}

size_t open_descriptors() {
  size_t count = 0;
  DIR* directory = ::opendir("/proc/self/fd");
  while (::readdir(directory) != nullptr) ++count;
  ::closedir(directory);
  return count;
}

TEST_CASE("gathering facts leaves no descriptor behind") {
  const size_t before = open_descriptors();
  static_cast<void>(gather_host_facts("/"));
  CHECK(open_descriptors() == before);
}

}  // namespace
}  // namespace orch::sys
