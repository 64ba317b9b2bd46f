#include "support/golden.h"

#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "base/text.h"

namespace orch::test {

namespace {

constexpr std::string_view kCase = "==== ";
constexpr std::string_view kExpected = "----";

struct GoldenFile {
  std::string preamble;
  std::vector<GoldenCase> cases;
};

GoldenFile parse_golden(const std::string& text) {
  GoldenFile file;
  bool in_expected = true;  // so that a case may begin
  int number = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
    ++number;
    if (line.starts_with(kCase)) {
      INFO("case " << (file.cases.empty() ? "" : file.cases.back().name) << " has no ----");
      REQUIRE(in_expected);
      file.cases.push_back({std::string(line.substr(kCase.size())), {}, {}, number});
      in_expected = false;
    } else if (file.cases.empty()) {
      file.preamble += std::string(line) + "\n";
    } else if (!in_expected && line == kExpected) {
      in_expected = true;
    } else {
      GoldenCase& current = file.cases.back();
      (in_expected ? current.expected : current.input) += std::string(line) + "\n";
    }
  }
  REQUIRE(in_expected);
  REQUIRE(!file.cases.empty());
  return file;
}

}  // namespace

std::string test_path(std::string_view path) { return std::string(ORCH_SOURCE_ROOT) + "/test/" + std::string(path); }

std::string read_test_file(std::string_view path) {
  std::ifstream in(test_path(path), std::ios::binary);
  INFO("cannot read test/" << path);
  REQUIRE(in.good());
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<GoldenCase> read_golden(std::string_view path) {
  return parse_golden(read_test_file(path)).cases;
}

void check_golden(std::string_view path, const std::function<std::string(const GoldenCase&)>& run) {
  GoldenFile file = parse_golden(read_test_file(path));
  const char* flag = std::getenv("ORCH_REWRITE_GOLDEN");
  bool rewrite = flag && std::string_view(flag) == "1";
  std::string text = file.preamble;
  for (const GoldenCase& item : file.cases) {
    std::string actual = run(item);
    if (!actual.empty() && actual.back() != '\n') actual += '\n';
    text += std::string(kCase) + item.name + "\n" + item.input + std::string(kExpected) + "\n";
    text += actual;
    if (rewrite) continue;
    INFO("test/" << path << ":" << item.line << ": " << item.name << "\n" << item.input);
    CHECK(actual == item.expected);
  }
  if (rewrite) std::ofstream(test_path(path), std::ios::binary) << text;
}

}  // namespace orch::test
