#include "plan/oci/process.h"

#include "base/text.h"
#include "plan/oci/names.h"

namespace orch::plan::oci {

namespace {

using steps::Op;
using steps::Step;

Error invalid(std::string message) { return Error::make(Code::invalid, std::move(message)); }

Result<void> add_rlimits(steps::Steps& steps, const Value& limits) {
  for (size_t i = 0; i < limits.size(); ++i) {
    const Value& limit = limits.at(i);
    const auto number = rlimit_number(limit["type"].as_string());
    const std::string where = "process.rlimits[" + std::to_string(i) + "]";
    if (!number) return invalid(where + ".type: unknown limit " + quote(limit["type"].as_string()));
    const auto soft = static_cast<uint64_t>(limit["soft"].as_int()), hard = static_cast<uint64_t>(limit["hard"].as_int());
    if (soft > hard) return invalid(where + ": the soft limit is above the hard one");
    // Above the caller's own hard limit it takes CAP_SYS_RESOURCE, which a nested container lacks.
    steps.push_back(tolerate(Step{Op::rlimit, {static_cast<uint64_t>(*number), soft, hard}, {}}));
  }
  return {};
}

Result<Step> user_step(const Value& user) {
  Step step{Op::user, {}, {}};
  for (std::string_view key : {"uid", "gid"}) {
    const int64_t id = user[key].as_int();
    if (id < 0 || id > 0xfffffffeLL) return invalid("process.user." + std::string(key) + ": not a user or group id");
    step.numbers.push_back(static_cast<uint64_t>(id));
  }
  for (const Value& group : user["additionalGids"].items()) step.numbers.push_back(static_cast<uint64_t>(group.as_int()));
  if (step.numbers.size() > 200) return invalid("process.user.additionalGids: too many groups");
  return step;
}

std::vector<std::string> texts_of(const Value& list) {
  std::vector<std::string> texts;
  for (const Value& item : list.items()) texts.emplace_back(item.as_string());
  return texts;
}

// Of a configuration without capabilities the process keeps none (runtime-spec: "process.capabilities").
uint64_t set_of(const Value& process, std::string_view name) { return capability_set(process["capabilities"][name]); }

}  // namespace

Result<void> add_process(steps::Steps& steps, const ProcessRequest& request) {
  const Value& process = request.process;
  if (process["args"].empty()) return invalid("process.args: at least the program is needed");
  const std::string_view directory = process["cwd"].as_string("/");
  if (!directory.starts_with('/')) return invalid("process.cwd: " + quote(directory) + " is not absolute");
  const bool no_new_privileges = process["noNewPrivileges"].as_bool();

  steps.push_back(Step{Op::new_session, {}, {}});
  TRY_VOID(add_rlimits(steps, process["rlimits"]));
  if (process.has("oomScoreAdj")) {
    // Lowering it takes CAP_SYS_RESOURCE.
    steps.push_back(tolerate(Step{Op::oom_score, {static_cast<uint64_t>(process["oomScoreAdj"].as_int())}, {}}));
  }
  steps.push_back(Step{Op::umask, {static_cast<uint64_t>(process["user"]["umask"].as_int(022))}, {}});
  steps.push_back(Step{Op::keyring, {}, {"_ses"}});
  if (no_new_privileges) steps.push_back(Step{Op::no_new_privileges, {}, {}});
  Step seccomp{Op::seccomp, {request.seccomp_flags}, {request.seccomp_filter}};
  const bool filtered = !request.seccomp_filter.empty();
  // Without no_new_privs a filter takes CAP_SYS_ADMIN: before that goes (seccomp(2)). With it, as late as can be.
  if (filtered && !no_new_privileges) steps.push_back(seccomp);
  // As root, as in runc: a user who may not make or enter it has it all the same.
  steps.push_back(Step{Op::directory, {}, {std::string(directory)}});
  steps.push_back(Step{Op::bounding, {set_of(process, "bounding")}, {}});
  TRY(Step user, user_step(process["user"]));
  steps.push_back(std::move(user));
  steps.push_back(Step{Op::capabilities,
                       {set_of(process, "effective"), set_of(process, "permitted"), set_of(process, "inheritable"),
                        set_of(process, "ambient")},
                       {}});
  steps.push_back(Step{Op::environment, {}, texts_of(process["env"])});
  if (request.wait_for_start) steps.push_back(Step{Op::wait_for_start, {}, {}});
  if (filtered && no_new_privileges) steps.push_back(std::move(seccomp));
  steps.push_back(Step{Op::execute, {}, texts_of(process["args"])});
  return {};
}

}  // namespace orch::plan::oci
