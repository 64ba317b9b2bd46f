#include "runc/hooks.h"

#include <poll.h>
#include <sched.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <vector>

#include "base/text.h"
#include "data/json.h"
#include "linux/raw.h"
#include "runtime/shim_launcher.h"

namespace orch::runc {

namespace {

struct Strings {
  explicit Strings(const Value& list) {
    for (const Value& item : list.items()) texts.emplace_back(item.as_string());
  }
  std::vector<char*> pointers() {
    std::vector<char*> result;
    for (std::string& text : texts) result.push_back(text.data());
    result.push_back(nullptr);
    return result;
  }
  std::vector<std::string> texts;
};

// "exit status 1", "signal: 9", or what is wrong with the hook itself.
std::string outcome_text(int status) {
  if (WIFSIGNALED(status)) return "signal: " + std::to_string(WTERMSIG(status));
  return "exit status " + std::to_string(WEXITSTATUS(status));
}

constexpr int kNamespaces = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP;

[[noreturn]] void become_hook(const std::string& path, char* const* arguments, char* const* environment, int input,
                              int error, int container) {
  ::dup2(input, 0);
  ::dup2(error, 1);
  ::dup2(error, 2);
  const bool inside = container < 0 || ::setns(container, kNamespaces) == 0;
  if (!inside) ::_exit(125);
  ::execve(path.c_str(), arguments, environment);
  const std::string why = std::string("cannot be executed: ") + std::strerror(errno) + "\n";
  sys::write_all(2, why);
  ::_exit(126);
}

std::string read_rest(int fd) {
  std::string text;
  char buffer[1024];
  for (ssize_t n; text.size() < 4096 && (n = ::read(fd, buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<size_t>(n));
  return std::string(trim(text));
}

Result<void> run_hook(const Value& hook, const std::string& state, pid_t container) {
  const std::string path(hook["path"].as_string());
  if (!path.starts_with('/')) return Error::make(Code::invalid, "its path " + quote(path) + " is not absolute");
  Strings arguments(hook["args"].empty() ? Value::list({path}) : hook["args"]), environment(hook["env"]);
  const auto argument_pointers = arguments.pointers(), environment_pointers = environment.pointers();
  TRY(sys::Fd input, runtime::memory_file(state));
  ::lseek(input.get(), 0, SEEK_SET);
  // A file and no pipe for what it says: somebody that it leaves behind may keep it open for ever.
  TRY(sys::Fd output, runtime::memory_file(""));
  sys::Fd inside;
  if (container > 0) {
    inside.reset(sys::pidfd_open(container));
    if (!inside.ok()) return Error::from_errno(errno, "pidfd_open");
  }
  const pid_t pid = ::fork();
  if (pid < 0) return Error::from_errno(errno, "fork");
  if (pid == 0) become_hook(path, argument_pointers.data(), environment_pointers.data(), input.get(), output.get(), inside.get());
  const int64_t limit = hook["timeout"].as_int(0);
  sys::Fd ended(sys::pidfd_open(pid));
  pollfd wait{ended.get(), POLLIN, 0};
  int ready;
  do ready = ::poll(&wait, 1, limit > 0 ? static_cast<int>(limit * 1000) : -1);
  while (ready < 0 && errno == EINTR);
  if (ready == 0) ::kill(pid, SIGKILL);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  if (ready == 0) return Error::make(Code::timeout, "it took longer than its timeout of " + std::to_string(limit) + " s");
  if (status == 0) return {};
  ::lseek(output.get(), 0, SEEK_SET);
  return Error::make(Code::internal, outcome_text(status) + ": " + read_rest(output.get()));
}

}  // namespace

bool has_hooks(const Value& config) {
  for (std::string_view kind : {"prestart", "createRuntime", "createContainer"}) {
    if (!config["hooks"][kind].empty()) return true;
  }
  return false;
}

Result<void> run_hooks(const Container& container, std::string_view kind, Status status, Where where) {
  const Value& hooks = container.config["hooks"][kind];
  const std::string state = format_json(state_value(container, status));
  for (size_t i = 0; i < hooks.size(); ++i) {
    auto result = run_hook(hooks.at(i), state, where == Where::container ? container.pid : 0);
    if (!result.ok()) {
      return std::move(result).error().with_context("error running " + std::string(kind) + " hook #" + std::to_string(i));
    }
  }
  return {};
}

}  // namespace orch::runc
