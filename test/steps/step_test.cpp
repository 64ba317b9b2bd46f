#include "steps/step.h"

#include <catch2/catch_test_macros.hpp>

#include "steps/reader.h"

using namespace orch;
using namespace orch::steps;

namespace {

Steps some_steps() {
  return {
      {Op::clone, {0x20020000}, {"/sys/fs/cgroup/orch/c", "", ""}},
      tolerate({Op::rlimit, {7, 1024, 4096}, {}}),
      {Op::oom_score, {static_cast<uint64_t>(-998)}, {}},
      {Op::overlay, {}, {"/root", "/upper", "/work", "/l2", "/l1"}},
      {Op::user, {1000, 1000, 4, 24}, {}},
      {Op::seccomp, {0}, {std::string("\0\1\2\3\4\5\6\7", 8)}},
      {Op::execute, {}, {"sh", "-c", "echo \"hi\""}},
  };
}

}  // namespace

TEST_CASE("Steps are what they were after their bytes") {
  Steps steps = some_steps();
  REQUIRE(check_steps(steps).ok());
  auto again = decode_steps(encode_steps(steps));
  REQUIRE(again.ok());
  CHECK(*again == steps);
}

TEST_CASE("A step reads like a line") {
  CHECK(format_steps(some_steps()) ==
        "clone flags=0x20020000 cgroup=\"/sys/fs/cgroup/orch/c\" uid_map=\"\" gid_map=\"\"\n"
        "?rlimit resource=7 soft=1024 hard=4096\n"
        "oom_score value=-998\n"
        "overlay target=\"/root\" upper=\"/upper\" work=\"/work\" lower=\"/l2\" lower=\"/l1\"\n"
        "user uid=1000 gid=1000 group=4 group=24\n"
        "seccomp flags=0 filter=8 bytes\n"
        "execute argument=\"sh\" argument=\"-c\" argument=\"echo \\\"hi\\\"\"\n");
}

TEST_CASE("A step with other operands than the table's is refused") {
  CHECK_FALSE(check_steps({{Op::clone, {}, {"", "", ""}}}).ok());
  CHECK_FALSE(check_steps({{Op::hostname, {}, {}}}).ok());
  CHECK_FALSE(check_steps({{Op::hostname, {}, {"a", "b"}}}).ok());
  CHECK_FALSE(check_steps({{Op::user, {0}, {}}}).ok());
  CHECK(check_steps({{Op::user, {0, 0}, {}}}).ok());
  CHECK(check_steps({{Op::environment, {}, {}}}).ok());
  CHECK_FALSE(check_steps({{Op::environment, {}, {std::string("A=b\0c", 5)}}}).ok());
}

TEST_CASE("Damaged bytes are no steps, wherever they are cut or changed") {
  const std::string bytes = encode_steps(some_steps());
  const size_t whole = decode_steps(bytes)->size();
  for (size_t length = 0; length < bytes.size(); ++length) {
    auto cut = decode_steps(std::string_view(bytes).substr(0, length));
    CHECK((!cut.ok() || cut->size() < whole));
  }
  std::string unknown = bytes;
  unknown[0] = '\xff';
  CHECK_FALSE(decode_steps(unknown).ok());
}

TEST_CASE("Texts are C strings in place, and what is not there is empty") {
  const std::string bytes = encode_steps(some_steps());
  StepReader reader(bytes);
  StepView step;
  REQUIRE(reader.next(step));
  CHECK(std::string(step.c_str(0)) == "/sys/fs/cgroup/orch/c");
  CHECK(step.text(7).empty());
  CHECK(step.number(7) == 0);
}
