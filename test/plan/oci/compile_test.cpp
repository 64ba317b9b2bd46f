#include "plan/oci/compile.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>

#include "base/text.h"
#include "data/json.h"
#include "data/patch.h"
#include "support/golden.h"

namespace orch::plan::oci {
namespace {

constexpr std::string_view kBase = R"({"ociVersion": "1.2.0", "root": {"path": "rootfs"},
  "process": {"args": ["true"], "cwd": "/", "user": {"uid": 0, "gid": 0}},
  "linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}]}})";

std::string steps_of(const Value& config, const Value& asked) {
  Request request;
  request.config = config;
  request.root.path = "/bundle/rootfs";
  for (const Value& layer : asked["layers"].items()) request.root.layers.emplace_back(layer.as_string());
  request.root.upper = std::string(asked["upper"].as_string());
  request.root.work = std::string(asked["work"].as_string());
  request.cgroup = std::string(asked["cgroup"].as_string());
  request.wait_for_start = asked["wait"].as_bool();
  request.meet = asked["meet"].as_bool();
  request.no_pivot = asked["noPivot"].as_bool();
  if (asked.has("seccomp")) request.seccomp_filter = "12345678";
  request.facts.controllers = {"cpu", "cpuset", "io", "memory", "pids", "hugetlb"};
  if (asked.has("controllers")) request.facts.controllers.clear();
  auto steps = compile(request);
  return steps.ok() ? steps::format_steps(*steps) : "error: " + steps.error().message() + "\n";
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  for (std::string_view line : split(text, '\n')) {
    if (!line.empty()) lines.emplace_back(line);
  }
  return lines;
}

// What one text has more than the other, in its order.
std::string more(const std::vector<std::string>& lines, std::vector<std::string> than, char sign) {
  std::string text;
  for (const std::string& line : lines) {
    if (auto found = std::ranges::find(than, line); found != than.end()) {
      than.erase(found);
    } else {
      text += std::string(1, sign) + line + "\n";
    }
  }
  return text;
}

// A case is what is merged into the base; its result, what the steps have less and more for it.
TEST_CASE("each part of an OCI configuration becomes steps") {
  const Value base = parse_json(kBase).value();
  const auto before = lines_of(steps_of(base, Value()));
  test::check_golden("plan/oci/golden/compile.txt", [&](const test::GoldenCase& test_case) {
    auto input = parse_json(test_case.input);
    if (!input.ok()) return input.error().message();
    const Value asked = (*input)["request"];
    const std::string text = steps_of(apply_merge_patch(base, input->without("request")), asked);
    if (text.starts_with("error")) return text;
    if (input->empty()) return text;
    return more(before, lines_of(text), '-') + more(lines_of(text), before, '+');
  });
}

TEST_CASE("a process in a container joins its namespaces and takes its own identity") {
  test::check_golden("plan/oci/golden/exec.txt", [&](const test::GoldenCase& test_case) {
    const Value input = parse_json(test_case.input).value();
    ExecRequest request;
    request.config = input["config"];
    request.process = input["process"];
    request.pid = 42;
    request.console = input["console"].as_bool();
    auto steps = compile_exec(request);
    return steps.ok() ? steps::format_steps(*steps) : "error: " + steps.error().message();
  });
}

}  // namespace
}  // namespace orch::plan::oci
