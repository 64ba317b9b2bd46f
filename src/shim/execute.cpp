#include "shim/execute.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "shim/step_context.h"

namespace orch::shim {

namespace {

constexpr std::string_view kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// A text of bounded size, put together without a heap.
class Text {
 public:
  Text(char* buffer, size_t size) : buffer_(buffer), size_(size) { buffer_[0] = '\0'; }
  Text& add(std::string_view part) {
    const size_t room = size_ - 1 - used_;
    const size_t n = part.size() < room ? part.size() : room;
    std::memcpy(buffer_ + used_, part.data(), n);
    used_ += n;
    buffer_[used_] = '\0';
    return *this;
  }

 private:
  char* buffer_;
  size_t size_;
  size_t used_ = 0;
};

std::string_view error_text(int error) {
  // strerror(3) would pull locales in; runc's words for what users meet.
  switch (error) {
    case ENOENT: return "no such file or directory";
    case EACCES: return "permission denied";
    case EPERM: return "operation not permitted";
    case ENOTDIR: return "not a directory";
    case EISDIR: return "is a directory";
    case ENOEXEC: return "exec format error";
    case EBUSY: return "device or resource busy";
    case EINVAL: return "invalid argument";
    case ENODEV: return "no such device";
    case ENOSPC: return "no space left on device";
    case ENOMEM: return "cannot allocate memory";
    case ENOSYS: return "function not implemented";
    case ELOOP: return "too many levels of symbolic links";
    case EXDEV: return "leads outside of its root";
    case EROFS: return "read-only file system";
    case E2BIG: return "argument list too long";
    case EAGAIN: return "resource temporarily unavailable";
    case ENAMETOOLONG: return "file name too long";
    case ETXTBSY: return "text file busy";
    default: return "";
  }
}

void add_error(Text& text, int error) {
  text.add(": ");
  if (const auto known = error_text(error); !known.empty()) {
    text.add(known);
    return;
  }
  char digits[12];
  size_t at = sizeof digits;
  do digits[--at] = static_cast<char>('0' + error % 10);
  while ((error /= 10) > 0);
  text.add("errno ").add({digits + at, sizeof digits - at});
}

void describe(Report& report, const StepContext& context, const steps::StepView& step, int error) {
  report.error = error;
  Text text(report.text, sizeof report.text);
  text.add(steps::info(step.op()).name);
  if (*context.detail != '\0') text.add(" (").add(context.detail).add(")");
  if (step.texts() > 0 && step.op() != steps::Op::seccomp && step.op() != steps::Op::write_file) {
    for (size_t i = 0; i < step.texts() && i < 2; ++i) {
      if (!step.text(i).empty()) text.add(" ").add(step.text(i));
    }
  }
  add_error(text, error);
}

void send_report(const StepContext& context, const Report& report) {
  sys::write_all(context.report_pipe, {reinterpret_cast<const char*>(&report), sizeof report});
}

// 0, or the errno of a step that was not tolerated.
int run_step(StepContext& context, const steps::StepView& step, Report& report, uint32_t& refused) {
  const StepFunction function = step_function(step.op());
  context.detail = "";
  const int error = function ? function(context, step) : EINVAL;
  if (error == 0) return 0;
  describe(report, context, step, error);
  if (!step.tolerated()) return error;
  ++refused;
  report.what = Report::What::refused;
  return 0;
}

// --- The program itself -----------------------------------------------------

std::string_view variable_of(const StepContext& context, std::string_view name) {
  std::string_view found;
  if (!context.has_environment) return found;
  context.environment_step.each_text(0, [&](std::string_view text) {
    if (text.size() > name.size() && text.starts_with(name) && text[name.size()] == '=') found = text.substr(name.size() + 1);
  });
  return found;
}

// Calls `use(path)` for each place that a name can be in; use returns 0 to stop.
template <class F>
int each_candidate(std::string_view name, std::string_view path, F use) {
  char candidate[4096];
  int error = ENOENT;
  while (true) {
    const size_t end = path.find(':');
    const std::string_view directory = path.substr(0, end);
    if (directory.size() + name.size() + 2 <= sizeof candidate) {
      Text text(candidate, sizeof candidate);
      text.add(directory.empty() ? "." : directory).add("/").add(name);
      const int tried = use(candidate);
      if (tried == 0) return 0;
      // execvp(3): a place without permission is remembered, the search goes on.
      if (tried == EACCES || error == ENOENT) error = tried == ENOTDIR ? ENOENT : tried;
      if (tried != ENOENT && tried != ENOTDIR && tried != EACCES) return tried;
    }
    if (end == std::string_view::npos) return error;
    path.remove_prefix(end + 1);
  }
}

template <class F>
int find_program(const StepContext& context, std::string_view name, F use) {
  if (name.empty()) return ENOENT;
  if (name.find('/') != std::string_view::npos) return use(name.data());
  std::string_view path = variable_of(context, "PATH");
  return each_candidate(name, path.empty() ? kDefaultPath : path, use);
}

int check_program(const char* path) {
  struct stat facts;
  if (::stat(path, &facts) != 0) return errno;
  if (S_ISDIR(facts.st_mode)) return EACCES;
  return ::access(path, X_OK) == 0 ? 0 : errno;
}

void describe_program(Report& report, std::string_view name, int error) {
  report.error = error;
  report.code = error == ENOENT || error == ENOTDIR ? 127 : 126;
  Text text(report.text, sizeof report.text);
  text.add("exec: \"").add(name).add("\": ");
  if (report.code == 127 && name.find('/') == std::string_view::npos) {
    text.add("executable file not found in $PATH");
  } else if (report.code == 127) {
    text.add("stat ").add(name).add(": no such file or directory");
  } else {
    const auto known = error_text(error);
    text.add(known.empty() ? "cannot be executed" : known);
  }
}

// The next part of a line that ends at `separator`, which is taken away too.
std::string_view cut(std::string_view& text, char separator) {
  const size_t end = text.find(separator);
  const std::string_view part = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return part;
}

// "HOME=/root" as passwd(5) of the container has it for our user, "HOME=/" where it has none: what programs find in
// runc's containers too. Of a file of more than 64 KiB the beginning counts.
const char* home_variable() {
  static char passwd[64 * 1024];
  static char variable[512];
  char uid[12];
  size_t at = sizeof uid;
  uid_t rest_of_uid = ::getuid();
  do uid[--at] = static_cast<char>('0' + rest_of_uid % 10);
  while ((rest_of_uid /= 10) > 0);
  const ssize_t n = sys::read_small_file("/etc/passwd", passwd, sizeof passwd);
  std::string_view rest(passwd, n > 0 ? static_cast<size_t>(n) : 0);
  std::string_view home = "/";
  while (!rest.empty()) {
    std::string_view line = cut(rest, '\n');
    cut(line, ':');
    cut(line, ':');
    if (cut(line, ':') != std::string_view(uid + at, sizeof uid - at)) continue;
    cut(line, ':');
    cut(line, ':');
    if (const std::string_view named = cut(line, ':'); !named.empty()) home = named;
    break;
  }
  Text(variable, sizeof variable).add("HOME=").add(home);
  return variable;
}

// execve(2) of the step's arguments; returns only where it failed.
void execute_program(StepContext& context, const steps::StepView& step, Report& report) {
  auto** arguments = static_cast<const char**>(__builtin_alloca((step.texts() + 1) * sizeof(char*)));
  size_t count = 0;
  step.each_text(0, [&](std::string_view text) { arguments[count++] = text.data(); });
  arguments[count] = nullptr;
  const size_t variables = context.has_environment ? context.environment_step.texts() : 0;
  auto** environment = static_cast<const char**>(__builtin_alloca((variables + 2) * sizeof(char*)));
  count = 0;
  if (context.has_environment) {
    context.environment_step.each_text(0, [&](std::string_view text) { environment[count++] = text.data(); });
  }
  if (variable_of(context, "HOME").empty()) environment[count++] = home_variable();
  environment[count] = nullptr;
  sys::close_range(3 + context.options.preserved_fds, ~0U, sys::kCloseRangeCloexec);
  // Cleared by changes of user or capabilities, so it comes last (PR_SET_PDEATHSIG(2const)).
  if (context.options.die_with_parent) ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  auto try_one = [&](const char* path) {
    ::execve(path, const_cast<char**>(arguments), const_cast<char**>(environment));
    return errno;
  };
  const int error = find_program(context, step.text(0), try_one);
  describe_program(report, step.text(0), error);
}

// The name of the program in the steps that are left.
std::string_view program_of(steps::StepReader rest) {
  steps::StepView step;
  while (!rest.at_end() && rest.next(step)) {
    if (step.op() == steps::Op::execute) return step.text(0);
  }
  return {};
}

void note_environment(StepContext& context, steps::StepReader rest) {
  steps::StepView step;
  while (!rest.at_end() && rest.next(step)) {
    if (step.op() != steps::Op::environment) continue;
    context.environment_step = step;
    context.has_environment = true;
  }
}

// Says how far we are and waits for a byte; false where the caller went away.
bool tell_and_wait(const StepContext& context, Report::What what, int fd) {
  Report report;
  report.what = what;
  report.code = 0;
  send_report(context, report);
  char byte;
  ssize_t n;
  do n = ::read(fd, &byte, 1);
  while (n < 0 && errno == EINTR);
  return n == 1;
}

// `orch runc create` ends here, `start` lets us go on: a byte through the fifo. A program that is not there is
// told before, as runc does.
bool wait_for_start(StepContext& context, const steps::StepReader& rest, Report& report) {
  const std::string_view name = program_of(rest);
  if (const int error = find_program(context, name, check_program)) {
    describe_program(report, name, error);
    return false;
  }
  return tell_and_wait(context, Report::What::ready, context.options.start_fifo);
}

void reset_signals() {
  sigset_t none;
  sigemptyset(&none);
  for (int number = 1; number < 32; ++number) ::signal(number, SIG_DFL);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Closes what the steps do not need: nothing of the caller's (sockets, directories of cgroups) may be found through
// /proc/self/fd by a working directory or a program's path (CVE-2024-21626), nor by those inside (CVE-2016-9962).
void close_others(const SpawnOptions& options, int report_pipe) {
  const unsigned first = 3 + options.preserved_fds;
  unsigned kept[4];
  size_t count = 0;
  for (int fd : {report_pipe, options.console_socket, options.start_fifo, options.meeting_pipe}) {
    if (fd < static_cast<int>(first)) continue;
    size_t at = count++;
    for (; at > 0 && kept[at - 1] > static_cast<unsigned>(fd); --at) kept[at] = kept[at - 1];
    kept[at] = static_cast<unsigned>(fd);
  }
  unsigned next = first;
  for (size_t i = 0; i < count; ++i) {
    if (kept[i] > next) sys::close_range(next, kept[i] - 1, 0);
    next = kept[i] + 1;
  }
  sys::close_range(next, ~0U, 0);
}

int place_stdio(const SpawnOptions& options) {
  const int wanted[3] = {options.input, options.output, options.error};
  for (int standard = 0; standard < 3; ++standard) {
    if (wanted[standard] >= 0) {
      if (::dup2(wanted[standard], standard) < 0) return errno;
      continue;
    }
    sys::Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!null.ok()) return errno;
    if (::dup2(null.get(), standard) < 0) return errno;
  }
  return 0;
}

[[noreturn]] void run_child(steps::StepReader reader, const SpawnOptions& options, int report_pipe, int go_pipe) {
  StepContext context{options, report_pipe, {}, {}, false, ""};
  Report report;
  uint32_t refused = 0;
  char go;
  reset_signals();
  // The caller writes id maps and moves us into the cgroup meanwhile; its end means that it gave up.
  if (::read(go_pipe, &go, 1) != 1) ::_exit(128);
  if (place_stdio(options) != 0) ::_exit(128);
  close_others(options, report_pipe);
  note_environment(context, reader);
  steps::StepView step;
  while (!reader.at_end()) {
    report = Report{};
    bool ok = reader.next(step);
    if (ok && step.op() == steps::Op::environment) continue;
    if (ok && step.op() == steps::Op::wait_for_start) {
      ok = wait_for_start(context, reader, report);
    } else if (ok && step.op() == steps::Op::meet) {
      ok = tell_and_wait(context, Report::What::met, options.meeting_pipe);
    } else if (ok && step.op() == steps::Op::execute) {
      execute_program(context, step, report);
      ok = false;
    } else if (ok) {
      ok = run_step(context, step, report, refused) == 0;
      if (ok && report.what == Report::What::refused) send_report(context, report);
    }
    if (!ok) break;
  }
  report.what = Report::What::failed;
  send_report(context, report);
  ::_exit(report.code);
}

// --- The caller's side --------------------------------------------------------

bool write_id_maps(pid_t pid, const steps::StepView& clone) {
  for (size_t which = 0; which < 2; ++which) {
    if (clone.text(1 + which).empty()) continue;
    char path[64];
    char digits[12];
    size_t at = sizeof digits;
    for (pid_t rest = pid; rest > 0; rest /= 10) digits[--at] = static_cast<char>('0' + rest % 10);
    Text text(path, sizeof path);
    text.add("/proc/").add({digits + at, sizeof digits - at}).add(which == 0 ? "/uid_map" : "/gid_map");
    if (sys::write_kernel_file(path, clone.text(1 + which)) != 0) return false;
  }
  return true;
}

bool move_into_cgroup(pid_t pid, std::string_view cgroup) {
  char path[4096];
  Text text(path, sizeof path);
  text.add(cgroup).add("/cgroup.procs");
  char digits[12];
  size_t at = sizeof digits;
  for (pid_t rest = pid; rest > 0; rest /= 10) digits[--at] = static_cast<char>('0' + rest % 10);
  return sys::write_kernel_file(path, {digits + at, sizeof digits - at}) == 0;
}

void fail(Spawned& spawned, std::string_view what, int error) {
  spawned.failure.error = error;
  Text text(spawned.failure.text, sizeof spawned.failure.text);
  text.add(what);
  add_error(text, error);
}

void clone_process(const steps::StepView& clone, const steps::StepReader& rest, const SpawnOptions& options,
                   Spawned& spawned) {
  int reports[2], go[2];
  if (::pipe2(reports, O_CLOEXEC) != 0) return fail(spawned, "pipe", errno);
  sys::Fd report_read(reports[0]), report_write(reports[1]);
  if (::pipe2(go, O_CLOEXEC) != 0) return fail(spawned, "pipe", errno);
  sys::Fd go_read(go[0]), go_write(go[1]);
  sys::Fd cgroup;
  clone_args args{};
  args.flags = clone.number(0);
  args.exit_signal = SIGCHLD;
  if (!clone.text(0).empty()) {
    cgroup.reset(::open(clone.c_str(0), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!cgroup.ok()) return fail(spawned, "open of the cgroup", errno);
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<uint64_t>(cgroup.get());
  }
  pid_t pid = sys::clone3(args);
  const bool by_moving = pid < 0 && cgroup.ok() && (errno == ENOSYS || errno == EINVAL || errno == E2BIG);
  if (by_moving) {  // kernels before 5.7
    args.flags &= ~static_cast<uint64_t>(CLONE_INTO_CGROUP);
    args.cgroup = 0;
    pid = sys::clone3(args);
  }
  if (pid < 0) return fail(spawned, "clone", errno);
  if (pid == 0) {
    go_write.reset();
    run_child(rest, options, report_write.get(), go_read.get());
  }
  const bool ready = (!by_moving || move_into_cgroup(pid, clone.text(0))) && write_id_maps(pid, clone);
  if (!ready) {
    const int error = errno;
    go_write.reset();  // the child ends itself, and its end is reaped like any other
    ::kill(pid, SIGKILL);
    return fail(spawned, "the id maps of the user namespace", error);
  }
  sys::write_all(go_write.get(), "g");
  ::fcntl(report_read.get(), F_SETFL, O_NONBLOCK);
  spawned.pid = pid;
  spawned.reports = static_cast<sys::Fd&&>(report_read);
}

}  // namespace

Spawned spawn(std::string_view bytes, const SpawnOptions& options) {
  Spawned spawned;
  StepContext context{options, -1, {}, {}, false, ""};
  steps::StepReader reader(bytes);
  steps::StepView step;
  sys::Fd own_pid_namespace;
  while (!reader.at_end()) {
    if (!reader.next(step)) {
      fail(spawned, "the steps", EINVAL);
      break;
    }
    if (step.op() == steps::Op::clone) {
      clone_process(step, reader, options, spawned);
      break;
    }
    if (step.op() == steps::Op::join_pid) {
      // For children only (setns(2)); undone below.
      own_pid_namespace.reset(::open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC));
      sys::Fd other(::open(step.c_str(0), O_RDONLY | O_CLOEXEC));
      if (!own_pid_namespace.ok() || !other.ok() || ::setns(other.get(), CLONE_NEWPID) != 0) {
        fail(spawned, "join of the pid namespace", errno);
        break;
      }
      continue;
    }
    if (run_step(context, step, spawned.failure, spawned.refused) != 0) break;
  }
  if (own_pid_namespace.ok()) ::setns(own_pid_namespace.get(), CLONE_NEWPID);
  return spawned;
}

bool execute_here(std::string_view bytes, Report& failure) {
  const SpawnOptions options;
  StepContext context{options, -1, {}, {}, false, ""};
  steps::StepReader reader(bytes);
  steps::StepView step;
  uint32_t refused = 0;
  while (!reader.at_end()) {
    if (!reader.next(step) || run_step(context, step, failure, refused) != 0) {
      failure.what = Report::What::failed;
      return false;
    }
  }
  return true;
}

}  // namespace orch::shim
