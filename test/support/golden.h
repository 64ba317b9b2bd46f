#pragma once
// Golden cases: text files under test/ that a reader can follow and a flag can rewrite.
//
//   # what the file is about (before the first case only)
//   ==== name of the first case
//   input
//   ----
//   expected
//   ==== name of the second case
//   ...
//
// ORCH_REWRITE_GOLDEN=1 replaces the expected texts by what the code gives; read the diff.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace orch::test {

struct GoldenCase {
  std::string name;
  std::string input;     // each line with its newline
  std::string expected;  // likewise
  int line = 0;          // of the case's name in the file
};

// The cases of `path`, relative to test/ ("data/golden/yaml.txt"). Fails the test where there is
// no such file, no case in it, or one without `----`.
std::vector<GoldenCase> read_golden(std::string_view path);

// Runs every case through `run` and checks what comes out; an output that does not end with a
// newline is given one. Each case is checked though an earlier one failed.
void check_golden(std::string_view path, const std::function<std::string(const GoldenCase&)>& run);

// Where a file below test/ is. The one place that knows, so that the objects of tests are the same in every checkout
// (ccache).
std::string test_path(std::string_view path);

// The content of a file relative to test/; fails the test where there is none.
std::string read_test_file(std::string_view path);

}  // namespace orch::test
