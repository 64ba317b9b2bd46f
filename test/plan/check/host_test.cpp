#include "plan/check/host.h"

#include <catch2/catch_test_macros.hpp>

#include "data/json.h"
#include "data/patch.h"
#include "support/golden.h"

namespace orch::plan::check {
namespace {

constexpr std::string_view kGoodHost = R"({
  "uid": 0, "kernel": "6.1.0-18-amd64", "machine": "", "capabilities_missing": [], "seccomp": true, "overlay": 0,
  "namespaces": {"mount": 0, "pid": 0, "network": 0, "ipc": 0, "uts": 0, "cgroup": 0, "user": 0, "time": 0},
  "cgroup": {"mount": "/sys/fs/cgroup", "controllers": ["cpu", "cpuset", "io", "memory", "pids", "hugetlb"], "v1": [], "disabled": [], "write": 0},
  "network": {"nf_tables": 0, "veth": 0, "bridge": 0, "vxlan": 0, "br_netfilter": true},
  "ports": [{"port": 6443, "free": true}, {"port": 10250, "free": true}], "server_running": false,
  "clock": {"year": 2026, "synchronized": true},
  "disk": {"path": "/var/lib/orch", "free": 50000000000, "total": 100000000000, "free_inodes": 900, "total_inodes": 1000, "read_only": false},
  "memory": 8000000000, "limits": {"files": 65536, "inotify_instances": 512}})";

// A case is what is merged into the facts of a good host; its result is all, or what is not fine.
TEST_CASE("what a host lacks is said with its fix") {
  const Value good = parse_json(kGoodHost).value();
  test::check_golden("plan/check/golden/host.txt", [&](const test::GoldenCase& test_case) {
    const Value change = parse_json(test_case.input).value();
    auto findings = check_host(apply_merge_patch(good, change));
    if (!change.empty()) std::erase_if(findings, [](const Finding& finding) { return finding.level == Level::fine; });
    return format_findings(findings);
  });
}

TEST_CASE("only what keeps pods from running makes the check fail") {
  const Value good = parse_json(kGoodHost).value();
  CHECK(pods_can_run(check_host(good)));
  CHECK(pods_can_run(check_host(good.with_path({"cgroup", "controllers"}, Value::list({})))));
  CHECK_FALSE(pods_can_run(check_host(good.with("overlay", 19))));
  // Nothing known at all is no good host, and no crash.
  CHECK_FALSE(pods_can_run(check_host(Value())));
}

TEST_CASE("every finding that is not fine has a fix, and no other") {
  const Value good = parse_json(kGoodHost).value();
  for (const Value& facts : {good, Value::empty_object(), good.with("uid", 7)}) {
    for (const Finding& finding : check_host(facts)) {
      INFO(finding.area << " " << finding.text);
      CHECK((finding.level == Level::fine) == finding.fix.empty());
    }
  }
}

}  // namespace
}  // namespace orch::plan::check
