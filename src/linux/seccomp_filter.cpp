#include "linux/seccomp_filter.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>

#include "base/text.h"
#include "linux/raw.h"

namespace orch::sys {

namespace {

Error invalid(std::string message) { return Error::make(Code::invalid, "linux.seccomp." + std::move(message)); }

// --- Names -----------------------------------------------------------------------

struct Named {
  std::string_view name;
  uint64_t value;
};

template <size_t N>
std::optional<uint64_t> find(const Named (&table)[N], std::string_view name) {
  for (const Named& entry : table) {
    if (entry.name == name) return entry.value;
  }
  return std::nullopt;
}

constexpr uint64_t kDefaultErrno = EPERM;

constexpr Named kActions[] = {
    {"SCMP_ACT_KILL", SCMP_ACT_KILL},
    {"SCMP_ACT_KILL_THREAD", SCMP_ACT_KILL_THREAD},
    {"SCMP_ACT_KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
    {"SCMP_ACT_TRAP", SCMP_ACT_TRAP},
    {"SCMP_ACT_ERRNO", SECCOMP_RET_ERRNO},
    {"SCMP_ACT_TRACE", SECCOMP_RET_TRACE},
    {"SCMP_ACT_LOG", SCMP_ACT_LOG},
    {"SCMP_ACT_ALLOW", SCMP_ACT_ALLOW},
};

constexpr Named kOperators[] = {
    {"SCMP_CMP_NE", SCMP_CMP_NE}, {"SCMP_CMP_LT", SCMP_CMP_LT}, {"SCMP_CMP_LE", SCMP_CMP_LE},
    {"SCMP_CMP_EQ", SCMP_CMP_EQ}, {"SCMP_CMP_GE", SCMP_CMP_GE}, {"SCMP_CMP_GT", SCMP_CMP_GT},
    {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ},
};

constexpr Named kFlags[] = {
    {"SECCOMP_FILTER_FLAG_TSYNC", SECCOMP_FILTER_FLAG_TSYNC},
    {"SECCOMP_FILTER_FLAG_LOG", SECCOMP_FILTER_FLAG_LOG},
    {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", SECCOMP_FILTER_FLAG_SPEC_ALLOW},
};

// runtime-spec 1.2, "architectures"; libseccomp's own names are the same in lower case.
std::optional<uint32_t> architecture(std::string_view name) {
  constexpr std::string_view kPrefix = "SCMP_ARCH_";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  const uint32_t token = seccomp_arch_resolve_name(to_lower(name.substr(kPrefix.size())).c_str());
  if (token == 0) return std::nullopt;
  return token;
}

// Calls that libseccomp 2.5 does not know yet. Since 5.1 all architectures number new ones alike (but Alpha).
constexpr Named kNewCalls[] = {
    {"set_mempolicy_home_node", 450}, {"cachestat", 451},        {"fchmodat2", 452},         {"map_shadow_stack", 453},
    {"futex_wake", 454},              {"futex_wait", 455},       {"futex_requeue", 456},     {"statmount", 457},
    {"listmount", 458},               {"lsm_get_self_attr", 459}, {"lsm_set_self_attr", 460}, {"lsm_list_modules", 461},
    {"mseal", 462},                   {"setxattrat", 463},       {"getxattrat", 464},        {"listxattrat", 465},
    {"removexattrat", 466},           {"open_tree_attr", 467},   {"file_getattr", 468},      {"file_setattr", 469},
};
constexpr int kFirstShared = 424;  // pidfd_send_signal, the first of the common numbers

// --- Rules -----------------------------------------------------------------------

struct Release {
  void operator()(void* context) const { seccomp_release(context); }
};
using Context = std::unique_ptr<void, Release>;

// A call that libseccomp cannot name, with what becomes of it.
struct NewCall {
  uint64_t number;
  uint32_t action;
};

struct Compilation {
  Context context;
  uint32_t default_action = 0;
  std::vector<NewCall> new_calls;
  uint64_t newest = 0;  // number of the newest call that the profile names
};

Result<uint32_t> action_of(std::string_view name, const Value& errno_value, const std::string& where) {
  if (name == "SCMP_ACT_NOTIFY") return invalid(where + ": SCMP_ACT_NOTIFY needs a listener, which orch does not offer");
  const auto action = find(kActions, name);
  if (!action) return invalid(where + ": unknown action " + quote(name));
  if (*action != SECCOMP_RET_ERRNO && *action != SECCOMP_RET_TRACE) {
    if (!errno_value.is_null()) return invalid(where + ": only SCMP_ACT_ERRNO and SCMP_ACT_TRACE take an errnoRet");
    return static_cast<uint32_t>(*action);
  }
  const int64_t number = errno_value.as_int(kDefaultErrno);
  if (number < 0 || number > 0xffff) return invalid(where + ": an errnoRet out of range");
  return static_cast<uint32_t>(*action) | static_cast<uint32_t>(number);
}

Result<scmp_arg_cmp> condition_of(const Value& argument, const std::string& where) {
  const int64_t index = argument["index"].as_int(-1);
  if (index < 0 || index > 5) return invalid(where + ".index: a system call has the arguments 0 to 5");
  const auto op = find(kOperators, argument["op"].as_string());
  if (!op) return invalid(where + ".op: unknown operator " + quote(argument["op"].as_string()));
  // JSON numbers beyond int64 arrive as doubles; values are unsigned.
  const auto number = [](const Value& value) {
    return value.is_double() ? static_cast<uint64_t>(value.as_double()) : static_cast<uint64_t>(value.as_int());
  };
  scmp_arg_cmp condition{};
  condition.arg = static_cast<unsigned>(index);
  condition.op = static_cast<scmp_compare>(*op);
  condition.datum_a = number(argument["value"]);
  condition.datum_b = number(argument["valueTwo"]);
  return condition;
}

Result<void> add_rule(const Compilation& compilation, uint32_t action, int call, std::span<const scmp_arg_cmp> conditions,
                      const std::string& where) {
  const int error = seccomp_rule_add_array(compilation.context.get(), action, call,
                                           static_cast<unsigned>(conditions.size()), conditions.data());
  // The same rule twice is no mistake of the profile's.
  if (error == 0 || error == -EEXIST) return {};
  return Error::from_errno(-error, "linux.seccomp." + where);
}

// libseccomp takes each argument once in a rule: with one argument tested twice, each test is a rule (runc does so).
bool tests_one_twice(std::span<const scmp_arg_cmp> conditions) {
  unsigned seen = 0;
  for (const scmp_arg_cmp& condition : conditions) {
    if (seen >> condition.arg & 1) return true;
    seen |= 1U << condition.arg;
  }
  return false;
}

Result<void> add_call(Compilation& compilation, std::string_view name, uint32_t action,
                      std::span<const scmp_arg_cmp> conditions, const std::string& where) {
  const int call = seccomp_syscall_resolve_name(std::string(name).c_str());
  if (call == __NR_SCMP_ERROR) {
    if (const auto number = find(kNewCalls, name); number && conditions.empty()) {
      compilation.new_calls.push_back({*number, action});
      compilation.newest = std::max(compilation.newest, *number);
    }
    return {};
  }
  if (call > 0) compilation.newest = std::max(compilation.newest, static_cast<uint64_t>(call));
  if (action == compilation.default_action) return {};
  if (!tests_one_twice(conditions)) return add_rule(compilation, action, call, conditions, where);
  for (const scmp_arg_cmp& condition : conditions) TRY_VOID(add_rule(compilation, action, call, {&condition, 1}, where));
  return {};
}

Result<void> add_entry(Compilation& compilation, const Value& entry, const std::string& where) {
  TRY(const uint32_t action, action_of(entry["action"].as_string(), entry["errnoRet"], where + ".action"));
  std::vector<scmp_arg_cmp> conditions;
  const Value& arguments = entry["args"];
  for (size_t i = 0; i < arguments.size(); ++i) {
    TRY(const scmp_arg_cmp condition, condition_of(arguments.at(i), where + ".args[" + std::to_string(i) + "]"));
    conditions.push_back(condition);
  }
  if (entry["names"].empty()) return invalid(where + ".names: at least one is needed");
  for (const Value& name : entry["names"].items()) {
    TRY_VOID(add_call(compilation, name.as_string(), action, conditions, where));
  }
  return {};
}

Result<void> add_architectures(const Compilation& compilation, const Value& architectures) {
  for (size_t i = 0; i < architectures.size(); ++i) {
    const std::string_view name = architectures.at(i).as_string();
    const auto token = architecture(name);
    const std::string where = "architectures[" + std::to_string(i) + "]";
    if (!token) return invalid(where + ": unknown architecture " + quote(name));
    const int error = seccomp_arch_add(compilation.context.get(), *token);
    if (error != 0 && error != -EEXIST) return Error::from_errno(-error, "linux.seccomp." + where);
  }
  return {};
}

// --- The program ------------------------------------------------------------------

Result<std::string> export_program(const Context& context) {
  Fd file(::memfd_create("orch-seccomp", MFD_CLOEXEC));
  if (!file.ok()) return Error::from_errno(errno, "memfd_create");
  if (const int error = seccomp_export_bpf(context.get(), file.get())) return Error::from_errno(-error, "linux.seccomp");
  std::string program;
  char buffer[4096];
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return Error::from_errno(errno, "linux.seccomp");
  for (ssize_t n; (n = ::read(file.get(), buffer, sizeof buffer)) > 0;) program.append(buffer, static_cast<size_t>(n));
  return program;
}

#if defined(__x86_64__)
constexpr uint32_t kNativeArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t kNativeArchitecture = AUDIT_ARCH_AARCH64;
#elif defined(__riscv) && __riscv_xlen == 64
constexpr uint32_t kNativeArchitecture = AUDIT_ARCH_RISCV64;
#else
constexpr uint32_t kNativeArchitecture = 0;  // without the part before
#endif

// What stands before libseccomp's program, for the machine's own architecture: calls it could not name, and ENOSYS for
// calls that are newer than the profile. Calls of x32 (bit 30 set) go to libseccomp's part.
std::string prologue(const Compilation& compilation) {
  const uint32_t default_kind = compilation.default_action & SECCOMP_RET_ACTION_FULL;
  if (kNativeArchitecture == 0 || default_kind == SECCOMP_RET_ALLOW || default_kind == SECCOMP_RET_LOG) return {};
  const auto newest = static_cast<uint32_t>(std::max<uint64_t>(compilation.newest, kFirstShared));
  const size_t calls = compilation.new_calls.size();
  std::vector<sock_filter> program;
  const auto left = [&program](size_t length) { return static_cast<uint8_t>(length - program.size() - 1); };
  const size_t length = 4 + 2 * calls + 2;  // the first instruction behind
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)));
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kNativeArchitecture, 0, left(length)));
  program.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, left(length), 0));
  for (const NewCall& call : compilation.new_calls) {
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(call.number), 0, 1));
    program.push_back(BPF_STMT(BPF_RET | BPF_K, call.action));
  }
  program.push_back(BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, newest, 0, 1));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS));
  return {reinterpret_cast<const char*>(program.data()), program.size() * sizeof(sock_filter)};
}

Result<uint64_t> flags_of(const Value& seccomp) {
  // runc's choice where a profile says nothing: no mitigation of speculative stores for filtered programs.
  if (!seccomp.has("flags")) return uint64_t{SECCOMP_FILTER_FLAG_SPEC_ALLOW};
  uint64_t flags = 0;
  for (const Value& item : seccomp["flags"].items()) {
    const auto flag = find(kFlags, item.as_string());
    if (!flag) return invalid("flags: orch has no " + quote(item.as_string()));
    // The filter is loaded by a process of one thread: there is nothing to synchronize.
    if (*flag != SECCOMP_FILTER_FLAG_TSYNC) flags |= *flag;
  }
  return flags;
}

}  // namespace

Result<SeccompFilter> compile_seccomp(const Value& seccomp) {
  if (!seccomp["listenerPath"].as_string().empty()) return invalid("listenerPath: orch offers no listener");
  Compilation compilation;
  TRY(compilation.default_action,
      action_of(seccomp["defaultAction"].as_string(), seccomp["defaultErrnoRet"], "defaultAction"));
  compilation.context.reset(seccomp_init(compilation.default_action));
  if (!compilation.context) return invalid("defaultAction: libseccomp refuses it");
  SeccompFilter filter;
  TRY(filter.flags, flags_of(seccomp));
  TRY_VOID(add_architectures(compilation, seccomp["architectures"]));
  // Without a tree a call that is named last waits for hundreds of comparisons.
  seccomp_attr_set(compilation.context.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  const Value& entries = seccomp["syscalls"];
  for (size_t i = 0; i < entries.size(); ++i) {
    TRY_VOID(add_entry(compilation, entries.at(i), "syscalls[" + std::to_string(i) + "]"));
  }
  TRY(const std::string program, export_program(compilation.context));
  filter.program = prologue(compilation) + program;
  constexpr size_t kMostInstructions = 4096;  // BPF_MAXINSNS
  if (filter.program.size() / sizeof(sock_filter) > kMostInstructions) return invalid("syscalls: too many rules for the kernel");
  return filter;
}

Result<SeccompFilter> SeccompCache::compile(const Value& seccomp) {
  for (const auto& [profile, filter] : entries_) {
    if (profile == seccomp) return filter;
  }
  TRY(SeccompFilter filter, compile_seccomp(seccomp));
  constexpr size_t kKept = 16;
  if (entries_.size() == kKept) entries_.erase(entries_.begin());
  entries_.emplace_back(seccomp, filter);
  return filter;
}

}  // namespace orch::sys
