#include "plan/oci/device_filter.h"

#include <linux/bpf.h>

#include <vector>

#include "base/text.h"

namespace orch::plan::oci {

namespace {

constexpr int64_t kAny = -1;
constexpr uint32_t kEveryAccess = BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE;

struct Rule {
  bool allow;
  uint32_t type;  // BPF_DEVCG_DEV_*; 0 any
  int64_t major, minor;
  uint32_t access;  // BPF_DEVCG_ACC_*
};

// What no rule of a configuration takes away, as runc has it.
constexpr Rule kAlways[] = {
    {true, BPF_DEVCG_DEV_CHAR, kAny, kAny, BPF_DEVCG_ACC_MKNOD},
    {true, BPF_DEVCG_DEV_BLOCK, kAny, kAny, BPF_DEVCG_ACC_MKNOD},
    {true, BPF_DEVCG_DEV_CHAR, 1, 3, kEveryAccess},       // null
    {true, BPF_DEVCG_DEV_CHAR, 1, 5, kEveryAccess},       // zero
    {true, BPF_DEVCG_DEV_CHAR, 1, 7, kEveryAccess},       // full
    {true, BPF_DEVCG_DEV_CHAR, 1, 8, kEveryAccess},       // random
    {true, BPF_DEVCG_DEV_CHAR, 1, 9, kEveryAccess},       // urandom
    {true, BPF_DEVCG_DEV_CHAR, 5, 0, kEveryAccess},       // tty
    {true, BPF_DEVCG_DEV_CHAR, 5, 1, kEveryAccess},       // console
    {true, BPF_DEVCG_DEV_CHAR, 5, 2, kEveryAccess},       // ptmx
    {true, BPF_DEVCG_DEV_CHAR, 136, kAny, kEveryAccess},  // pts
};

// In the order of the kernel's registers' names; r1 comes with the context and is not kept.
enum Register : uint8_t { kResult = BPF_REG_0, kContext = BPF_REG_1, kType = BPF_REG_2, kAccess = BPF_REG_3, kMajor = BPF_REG_4, kMinor = BPF_REG_5, kScratch = BPF_REG_6 };

bpf_insn instruction(int code, uint8_t target, uint8_t source, int16_t offset, int32_t immediate) {
  bpf_insn made{};
  made.code = static_cast<uint8_t>(code);
  made.dst_reg = target & 0xf;
  made.src_reg = source & 0xf;
  made.off = offset;
  made.imm = immediate;
  return made;
}

class Program {
 public:
  void load(Register target, int16_t offset) { add(instruction(BPF_LDX | BPF_MEM | BPF_W, target, kContext, offset, 0)); }
  void copy(Register target, Register source) { add(instruction(BPF_ALU | BPF_MOV | BPF_X, target, source, 0, 0)); }
  void calculate(int operation, Register target, int32_t immediate) {
    add(instruction(BPF_ALU | operation | BPF_K, target, 0, 0, immediate));
  }
  // Past the rule that is being written where the comparison holds.
  void leave_rule_if(int comparison, Register target, int64_t immediate) {
    leaving_.push_back(instructions_.size());
    add(instruction(BPF_JMP | comparison | BPF_K, target, 0, 0, static_cast<int32_t>(immediate)));
  }
  void finish(bool allow) {
    calculate(BPF_MOV, kResult, allow ? 1 : 0);
    add(instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
    for (size_t at : leaving_) instructions_[at].off = static_cast<int16_t>(instructions_.size() - at - 1);
    leaving_.clear();
  }
  std::string bytes() const {
    return {reinterpret_cast<const char*>(instructions_.data()), instructions_.size() * sizeof(bpf_insn)};
  }

 private:
  void add(bpf_insn made) { instructions_.push_back(made); }
  std::vector<bpf_insn> instructions_;
  std::vector<size_t> leaving_;
};

void add_rule(Program& program, const Rule& rule) {
  if (rule.type != 0) program.leave_rule_if(BPF_JNE, kType, rule.type);
  if (rule.access != kEveryAccess) {
    program.copy(kScratch, kAccess);
    // Allowed is who asks for nothing else; denied is who asks for any of it.
    program.calculate(BPF_AND, kScratch, static_cast<int32_t>(rule.allow ? kEveryAccess & ~rule.access : rule.access));
    program.leave_rule_if(rule.allow ? BPF_JNE : BPF_JEQ, kScratch, 0);
  }
  if (rule.major != kAny) program.leave_rule_if(BPF_JNE, kMajor, rule.major);
  if (rule.minor != kAny) program.leave_rule_if(BPF_JNE, kMinor, rule.minor);
  program.finish(rule.allow);
}

Result<Rule> parse_rule(const Value& value, const std::string& where) {
  Rule rule{value["allow"].as_bool(), 0, value["major"].as_int(kAny), value["minor"].as_int(kAny), 0};
  const std::string_view type = value["type"].as_string("a");
  if (type == "c") rule.type = BPF_DEVCG_DEV_CHAR;
  if (type == "b") rule.type = BPF_DEVCG_DEV_BLOCK;
  if (rule.type == 0 && type != "a" && !type.empty()) return Error::make(Code::invalid, where + ".type: not one of a, b, c: " + quote(type));
  for (char letter : value["access"].as_string("rwm")) {
    if (letter == 'r') rule.access |= BPF_DEVCG_ACC_READ;
    else if (letter == 'w') rule.access |= BPF_DEVCG_ACC_WRITE;
    else if (letter == 'm') rule.access |= BPF_DEVCG_ACC_MKNOD;
    else return Error::make(Code::invalid, where + ".access: not of r, w and m: " + quote(value["access"].as_string()));
  }
  // v1's "a" is about everything, whatever else the rule says (cgroup-v1/devices.rst).
  if (rule.type == 0) rule = {rule.allow, 0, kAny, kAny, kEveryAccess};
  return rule;
}

}  // namespace

Result<std::string> device_filter(const Value& values) {
  std::vector<Rule> rules;
  for (size_t i = 0; i < values.size(); ++i) {
    TRY(Rule rule, parse_rule(values.at(i), "linux.resources.devices[" + std::to_string(i) + "]"));
    rules.push_back(rule);
  }
  Program program;
  // struct bpf_cgroup_dev_ctx: access << 16 | type, major, minor.
  program.load(kType, 0);
  program.copy(kAccess, kType);
  program.calculate(BPF_RSH, kAccess, 16);
  program.calculate(BPF_AND, kType, 0xffff);
  program.load(kMajor, 4);
  program.load(kMinor, 8);
  for (const Rule& rule : kAlways) add_rule(program, rule);
  for (auto rule = rules.rbegin(); rule != rules.rend(); ++rule) {
    add_rule(program, *rule);
    if (rule->type == 0) return program.bytes();  // nothing before it can matter; the verifier refuses what is never run
  }
  program.finish(false);
  return program.bytes();
}

}  // namespace orch::plan::oci
