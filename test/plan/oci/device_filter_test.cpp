#include "plan/oci/device_filter.h"

#include <linux/bpf.h>

#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <optional>
#include <random>
#include <vector>

#include "data/json.h"

namespace orch::plan::oci {
namespace {

struct Request {
  char type;
  uint32_t major, minor;
  std::string access;
};

uint32_t access_bits(std::string_view letters) {
  uint32_t bits = 0;
  for (char letter : letters) bits |= letter == 'r' ? BPF_DEVCG_ACC_READ : letter == 'w' ? BPF_DEVCG_ACC_WRITE : BPF_DEVCG_ACC_MKNOD;
  return bits;
}

// What the kernel would do with the few instructions that such a program uses.
bool run_program(const std::string& bytes, const Request& request) {
  std::vector<bpf_insn> program(bytes.size() / sizeof(bpf_insn));
  std::memcpy(program.data(), bytes.data(), bytes.size());
  const uint32_t type = request.type == 'c' ? BPF_DEVCG_DEV_CHAR : BPF_DEVCG_DEV_BLOCK;
  const uint32_t context[3] = {access_bits(request.access) << 16 | type, request.major, request.minor};
  uint64_t registers[11] = {};
  for (size_t at = 0; at < program.size(); ++at) {
    const bpf_insn& in = program[at];
    uint64_t& target = registers[in.dst_reg];
    const auto immediate = static_cast<uint64_t>(int64_t{in.imm});
    switch (in.code) {
      case BPF_LDX | BPF_MEM | BPF_W: target = context[in.off / 4]; break;
      case BPF_ALU | BPF_MOV | BPF_X: target = static_cast<uint32_t>(registers[in.src_reg]); break;
      case BPF_ALU | BPF_MOV | BPF_K: target = static_cast<uint32_t>(immediate); break;
      case BPF_ALU | BPF_AND | BPF_K: target &= static_cast<uint32_t>(immediate); break;
      case BPF_ALU | BPF_RSH | BPF_K: target = static_cast<uint32_t>(target) >> immediate; break;
      case BPF_JMP | BPF_JNE | BPF_K: if (target != immediate) at += static_cast<size_t>(in.off); break;
      case BPF_JMP | BPF_JEQ | BPF_K: if (target == immediate) at += static_cast<size_t>(in.off); break;
      case BPF_JMP | BPF_EXIT: return registers[0] == 1;
      default: FAIL("an instruction that the test does not know: " << int{in.code});
    }
  }
  FAIL("the program runs off its end");
  return false;
}

bool allows(std::string_view rules, const Request& request) {
  return run_program(device_filter(parse_json(rules).value()).value(), request);
}

TEST_CASE("a device filter denies what no rule allows, but never the devices that all containers have") {
  constexpr std::string_view kNone = R"([{"allow": false, "access": "rwm"}])";
  CHECK_FALSE(allows(kNone, {'b', 8, 0, "r"}));
  CHECK_FALSE(allows("[]", {'c', 10, 200, "rw"}));
  CHECK(allows(kNone, {'c', 1, 3, "rw"}));
  CHECK(allows(kNone, {'c', 136, 17, "rw"}));
  CHECK(allows(kNone, {'b', 8, 0, "m"}));
}

TEST_CASE("the last rule that fits decides about a device") {
  constexpr std::string_view kRules = R"([{"allow": false, "access": "rwm"}, {"allow": true, "type": "c", "major": 10, "access": "rw"},
    {"allow": false, "type": "c", "major": 10, "minor": 200, "access": "w"}])";
  CHECK(allows(kRules, {'c', 10, 229, "rw"}));
  CHECK(allows(kRules, {'c', 10, 200, "r"}));
  CHECK_FALSE(allows(kRules, {'c', 10, 200, "rw"}));
  CHECK_FALSE(allows(kRules, {'b', 10, 229, "r"}));
  CHECK(allows(R"([{"allow": true}])", {'b', 8, 0, "rw"}));
}

// The rules read one by one, as cgroup-v1/devices.rst tells them.
bool expected(const Value& rules, const Request& request) {
  const uint32_t wanted = access_bits(request.access);
  for (size_t i = rules.size(); i-- > 0;) {
    const Value& rule = rules.at(i);
    const std::string_view type = rule["type"].as_string();
    if (type == "a") return rule["allow"].as_bool();
    if (type[0] != request.type) continue;
    if (rule.has("major") && rule["major"].as_int() != request.major) continue;
    if (rule.has("minor") && rule["minor"].as_int() != request.minor) continue;
    const uint32_t named = access_bits(rule["access"].as_string());
    if (rule["allow"].as_bool() ? (wanted & ~named) == 0 : (wanted & named) != 0) return rule["allow"].as_bool();
  }
  return false;
}

TEST_CASE("a device filter agrees with the rules read one by one") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const auto pick = [&random](uint32_t below) { return static_cast<uint32_t>(random() % below); };
  constexpr std::string_view kAccesses[] = {"r", "w", "rw", "rwm", "m"};
  for (int round = 0; round < 300; ++round) {
    std::vector<Value> rules;
    for (uint32_t i = pick(6); i > 0; --i) {
      ObjectBuilder rule;
      rule.set("allow", pick(2) == 0).set("type", pick(8) == 0 ? "a" : pick(2) == 0 ? "c" : "b").set("access", kAccesses[pick(5)]);
      if (pick(3) > 0) rule.set("major", int64_t{20 + pick(2)});
      if (pick(3) > 0) rule.set("minor", int64_t{pick(2)});
      rules.push_back(std::move(rule).build());
    }
    const Value list = Value::list(std::move(rules));
    const std::string program = device_filter(list).value();
    for (char type : {'b', 'c'}) {
      for (uint32_t number = 0; number < 4; ++number) {
        for (std::string access : {"r", "w", "rw"}) {
          const Request request{type, 20 + number / 2, number % 2, access};
          INFO(format_json(list) << " " << type << " " << request.major << ":" << request.minor << " " << access);
          CHECK(run_program(program, request) == expected(list, request));
        }
      }
    }
  }
}

TEST_CASE("mistakes in device rules are named by their path") {
  const auto error = [](std::string_view rules) { return device_filter(parse_json(rules).value()).error().message(); };
  CHECK(error(R"([{"type": "x"}])") == R"(linux.resources.devices[0].type: not one of a, b, c: "x")");
  CHECK(error(R"([{"type": "c", "access": "rx"}])") == R"(linux.resources.devices[0].access: not of r, w and m: "rx")");
}

}  // namespace
}  // namespace orch::plan::oci
