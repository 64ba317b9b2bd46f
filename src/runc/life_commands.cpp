// create, start, run, exec.

#include <sys/stat.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "base/text.h"
#include "data/json.h"
#include "linux/seccomp_filter.h"
#include "loop/files.h"
#include "runc/bundle.h"
#include "runc/container.h"
#include "runc/hooks.h"
#include "runc/launch.h"
#include "runc/removal.h"
#include "runc/terminal.h"

namespace orch::runc {

namespace {

using Kind = Option::Kind;

Error usage(std::string message) { return Error::make(Code::usage, std::move(message)); }

// --- Where the terminal goes --------------------------------------------------------

struct Console {
  std::optional<ConsoleSocket> socket;
  bool own = false;  // we keep the master
};

// Words of runc's, which callers know.
Result<Console> open_console(bool terminal, bool detached, const std::string& path) {
  Console console;
  if (!terminal) {
    if (!path.empty()) return usage("cannot use console socket if runc will not detach or allocate tty");
    return console;
  }
  if (!path.empty()) {
    TRY(console.socket, ConsoleSocket::connect(path));
  } else if (detached) {
    return usage("cannot allocate tty if runc will detach without setting console socket");
  } else {
    TRY(console.socket, ConsoleSocket::own());
    console.own = true;
  }
  return console;
}

// systemd's socket activation (sd_listen_fds(3)): its descriptors come first.
unsigned activated_fds() {
  const char* count = std::getenv("LISTEN_FDS");
  return count ? static_cast<unsigned>(parse_uint(count).value_or(0)) : 0;
}

unsigned preserved_fds(const Options& options) {
  return activated_fds() + static_cast<unsigned>(parse_uint(options.text("preserve-fds", "0")).value_or(0));
}

Value with_activation(const Value& process) {
  const unsigned count = activated_fds();
  if (count == 0) return process;
  Value env = process["env"];
  return process.with("env", env.appended("LISTEN_FDS=" + std::to_string(count)).appended("LISTEN_PID=1"));
}

Result<void> write_pid_file(const std::string& path, pid_t pid) {
  if (path.empty()) return {};
  return replace_file(path, std::to_string(pid), 0644);
}

Result<sys::SeccompFilter> filter_of(const Value& config) {
  const Value& seccomp = config["linux"]["seccomp"];
  if (seccomp.empty()) return sys::SeccompFilter{};
  return sys::compile_seccomp(seccomp);
}

// --- create ---------------------------------------------------------------------------

constexpr Option kCreate[] = {
    {"bundle", 'b', Kind::text, "the bundle's directory (default: the current one)"},
    {"console-socket", 0, Kind::text, "Unix socket that gets the terminal's master"},
    {"pid-file", 0, Kind::text, "file for the process's id"},
    {"no-pivot", 0, Kind::flag, "change the root by moving mounts, where the host's root is an initramfs"},
    {"no-new-keyring", 0, Kind::flag, "keep the caller's session keyring"},
    {"preserve-fds", 0, Kind::text, "how many descriptors after standard error the program gets"},
};
constexpr Option kRun[] = {
    kCreate[0], kCreate[1], kCreate[2], kCreate[3], kCreate[4], kCreate[5],
    {"detach", 'd', Kind::flag, "do not wait for the program"},
    {"keep", 0, Kind::flag, "do not delete the container after its end"},
    {"no-subreaper", 0, Kind::flag, "accepted and not used"},
};

Result<Container> new_container(const Context& context, const Options& options) {
  TRY(const std::string id, options.id());
  TRY_VOID(check_id(id));
  Container container;
  container.id = id;
  container.directory = context.root + "/" + id;
  std::error_code error;
  container.bundle = std::filesystem::absolute(options.text("bundle", "."), error).lexically_normal().string();
  while (container.bundle.size() > 1 && container.bundle.ends_with('/')) container.bundle.pop_back();
  TRY(container.config, load_config(container.bundle));
  const std::string root(container.config["root"]["path"].as_string("rootfs"));
  container.rootfs = root.starts_with('/') ? root : container.bundle + "/" + root;
  if (!std::filesystem::is_directory(container.rootfs, error)) {
    return Error::make(Code::invalid, "root.path: " + quote(container.rootfs) + " is no directory");
  }
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  container.created = Instant{std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()};
  return container;
}

Result<void> make_directory(const Context& context, const Container& container) {
  std::error_code error;
  std::filesystem::create_directories(context.root, error);
  if (::mkdir(container.directory.c_str(), 0711) != 0) {
    if (errno == EEXIST) return Error::make(Code::already_exists, "container with given ID already exists: " + container.id);
    return Error::from_errno(errno, "mkdir " + container.directory);
  }
  if (::mkfifo(container.fifo().c_str(), 0622) != 0) return Error::from_errno(errno, "mkfifo");
  return {};
}

Result<LaunchRequest> launch_request(const Container& container, const Host& host, const Options& options) {
  plan::oci::Request request;
  request.config = container.config.with("process", with_activation(container.config["process"]));
  request.root.path = container.rootfs;
  request.cgroup = host.cgroup;
  request.facts = host.facts;
  request.wait_for_start = true;
  request.meet = has_hooks(container.config);
  request.no_pivot = options.on("no-pivot");
  TRY(sys::SeccompFilter filter, filter_of(container.config));
  request.seccomp_filter = std::move(filter.program);
  request.seccomp_flags = filter.flags;
  LaunchRequest launched;
  TRY(launched.steps, plan::oci::compile(request));
  if (options.on("no-new-keyring")) std::erase_if(launched.steps, [](const steps::Step& step) { return step.op == steps::Op::keyring; });
  launched.preserved_fds = preserved_fds(options);
  launched.terminal = container.config["process"]["terminal"].as_bool();
  return launched;
}

// The process stands and waits for its start.
Result<void> set_up(Container& container, const Options& options, const Console& console, LaunchRequest request) {
  sys::Fd fifo(::open(container.fifo().c_str(), O_RDWR | O_CLOEXEC));
  if (!fifo.ok()) return Error::from_errno(errno, "open of the fifo");
  sys::Fd high(::fcntl(fifo.get(), F_DUPFD_CLOEXEC, static_cast<int>(3 + request.preserved_fds)));
  if (!high.ok()) return Error::from_errno(errno, "dup");
  request.start_fifo = high.get();
  sys::Fd console_fd;
  if (console.socket) {
    console_fd.reset(::fcntl(console.socket->get(), F_DUPFD_CLOEXEC, static_cast<int>(3 + request.preserved_fds)));
    request.console_socket = console_fd.get();
  }
  request.on_meet = [&container](pid_t pid) -> Result<void> {
    container.pid = pid;
    container.started = process_start(pid);
    TRY_VOID(container.save());
    TRY_VOID(run_hooks(container, "prestart", Status::creating, Where::runtime));
    TRY_VOID(run_hooks(container, "createRuntime", Status::creating, Where::runtime));
    return run_hooks(container, "createContainer", Status::creating, Where::container);
  };
  TRY(container.pid, launch(request).with_context("unable to start container process"));
  container.started = process_start(container.pid);
  container.creating = false;
  TRY_VOID(write_pid_file(options.text("pid-file"), container.pid));
  return container.save();
}

struct Created {
  Container container;
  Console console;
};

Result<Created> create_container(const Context& context, const Options& options, bool detached) {
  Created created;
  TRY(created.container, new_container(context, options));
  Container& container = created.container;
  const bool terminal = container.config["process"]["terminal"].as_bool();
  TRY(created.console, open_console(terminal, detached, options.text("console-socket")));
  TRY(const Host host, host_for(context, container.config, container.id));
  container.cgroup = host.cgroup;
  TRY(LaunchRequest request, launch_request(container, host, options));
  TRY_VOID(make_directory(context, container));
  auto done = container.save();
  if (done.ok()) done = set_up(container, options, created.console, std::move(request));
  if (!done.ok()) {
    remove_container(container);
    return std::move(done).error();
  }
  return created;
}

Result<int> run_create(const Context& context, const Options& options) {
  TRY_VOID(create_container(context, options, true).with_context("runc create failed"));
  return 0;
}

// --- start, run -------------------------------------------------------------------------

Result<void> start_container(const Container& container) {
  switch (status_of(container)) {
    case Status::created: break;
    case Status::stopped: return Error::make(Code::conflict, "cannot start a container that has stopped");
    case Status::running: return Error::make(Code::conflict, "cannot start an already running container");
    case Status::paused: return Error::make(Code::conflict, "cannot start a paused container");
    case Status::creating: return Error::make(Code::conflict, "cannot start a container that is being created");
  }
  TRY_VOID(run_hooks(container, "startContainer", Status::created, Where::container));
  sys::Fd fifo(::open(container.fifo().c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
  if (!fifo.ok()) return Error::from_errno(errno, "open of the fifo");
  // Once it is gone the container counts as running.
  if (::unlink(container.fifo().c_str()) != 0) return Error::make(Code::conflict, "cannot start an already running container");
  if (const int error = sys::write_all(fifo.get(), "s")) return Error::from_errno(error, "write to the fifo");
  // runtime.md, "Lifecycle": a poststart hook that fails is said, and the rest goes on.
  if (auto hooks = run_hooks(container, "poststart", Status::running, Where::runtime); !hooks.ok()) {
    sys::write_all(STDERR_FILENO, hooks.error().message() + "\n");
  }
  return {};
}

Result<int> run_start(const Context& context, const Options& options) {
  TRY(const std::string id, options.id());
  TRY(const Container container, load_container(context, id));
  TRY_VOID(start_container(container));
  return 0;
}

Result<int> run_run(const Context& context, const Options& options) {
  const bool detached = options.on("detach");
  if (!detached) become_subreaper();
  TRY(Created created, create_container(context, options, detached).with_context("runc run failed"));
  const Container& container = created.container;
  sys::Fd master;
  Result<void> started;
  if (created.console.own) {
    auto received = created.console.socket->receive();
    if (received.ok()) master = std::move(received).value();
    if (!received.ok()) started = std::move(received).error();
  }
  if (started.ok()) started = start_container(container);
  if (!started.ok()) {
    remove_container(container);
    return std::move(started).error().with_context("runc run failed");
  }
  if (detached) return 0;
  const int code = supervise(container.pid, master.get());
  if (!options.on("keep")) remove_container(container);
  return code;
}

// --- exec -------------------------------------------------------------------------------

constexpr Option kExec[] = {
    {"console-socket", 0, Kind::text, "Unix socket that gets the terminal's master"},
    {"cwd", 0, Kind::text, "working directory"},
    {"env", 'e', Kind::list, "NAME=value"},
    {"tty", 't', Kind::flag, "with a terminal"},
    {"user", 'u', Kind::text, "uid[:gid]"},
    {"additional-gids", 'g', Kind::list, "further group"},
    {"process", 'p', Kind::text, "file with an OCI process object"},
    {"detach", 'd', Kind::flag, "do not wait for the program"},
    {"pid-file", 0, Kind::text, "file for the process's id"},
    {"process-label", 0, Kind::text, "accepted and not used"},
    {"apparmor", 0, Kind::text, "accepted and not used"},
    {"no-new-privs", 0, Kind::flag, "no privileges from setuid programs"},
    {"cap", 'c', Kind::list, "further capability"},
    {"preserve-fds", 0, Kind::text, "how many descriptors after standard error the program gets"},
    {"cgroup", 0, Kind::text, "a cgroup below the container's"},
    {"ignore-paused", 0, Kind::flag, "also in a paused container"},
};

Result<Value> user_of(const Options& options, Value user) {
  if (const std::string text = options.text("user"); !text.empty()) {
    const auto parts = split(text, ':');
    const auto uid = parse_uint(parts[0]);
    const auto gid = parts.size() > 1 ? parse_uint(parts[1]) : std::optional<uint64_t>(0);
    if (!uid || !gid) return usage("--user: " + quote(text) + " is not uid[:gid]; numbers only");
    user = Value::object({{"uid", *uid}, {"gid", *gid}});
  }
  std::vector<Value> groups(user["additionalGids"].items().begin(), user["additionalGids"].items().end());
  for (const std::string& text : options.list("additional-gids")) {
    const auto gid = parse_uint(text);
    if (!gid) return usage("--additional-gids: " + quote(text) + " is no number");
    groups.emplace_back(*gid);
  }
  if (!groups.empty()) user = user.with("additionalGids", Value::list(std::move(groups)));
  return user;
}

Result<Value> process_from_file(const std::string& path) {
  TRY(const std::string text, loop::read_file_now(path));
  return parse_json(text).with_context(path);
}

// The container's own process, with what the flags say.
Result<Value> process_from_flags(const Value& config, const Options& options) {
  const auto& words = options.words();
  if (words.size() < 2) return usage("process args cannot be empty");
  std::vector<Value> arguments(words.begin() + 1, words.end());
  Value process = config["process"].with("args", Value::list(std::move(arguments))).with("terminal", options.on("tty"));
  if (options.given("cwd")) process = process.with("cwd", options.text("cwd"));
  Value env = process["env"];
  for (const std::string& variable : options.list("env")) env = env.appended(variable);
  if (!env.is_null()) process = process.with("env", env);
  TRY(Value user, user_of(options, process["user"]));
  process = process.with("user", user);
  if (options.on("no-new-privs")) process = process.with("noNewPrivileges", true);
  Value capabilities = process["capabilities"];
  for (const std::string& name : options.list("cap")) {
    for (std::string_view set : {"bounding", "effective", "permitted", "ambient"}) {
      capabilities = capabilities.with(set, capabilities[set].appended(name));
    }
  }
  return capabilities.is_null() ? process : process.with("capabilities", capabilities);
}

Result<pid_t> launch_exec(const Container& container, const Value& process, const Options& options, const Console& console) {
  plan::oci::ExecRequest request;
  request.config = container.config;
  request.process = with_activation(process);
  request.pid = container.pid;
  request.cgroup = container.cgroup;
  if (options.given("cgroup") && !container.cgroup.empty()) request.cgroup += "/" + options.text("cgroup");
  request.console = process["terminal"].as_bool();
  TRY(sys::SeccompFilter filter, filter_of(container.config));
  request.seccomp_filter = std::move(filter.program);
  request.seccomp_flags = filter.flags;
  LaunchRequest launched;
  TRY(launched.steps, plan::oci::compile_exec(request));
  launched.preserved_fds = preserved_fds(options);
  launched.terminal = request.console;
  sys::Fd console_fd;
  if (console.socket) {
    console_fd.reset(::fcntl(console.socket->get(), F_DUPFD_CLOEXEC, static_cast<int>(3 + launched.preserved_fds)));
    launched.console_socket = console_fd.get();
  }
  return launch(launched);
}

Result<int> exec_in(const Container& container, const Options& options) {
  const Status status = status_of(container);
  if (status == Status::stopped) return Error::make(Code::conflict, "cannot exec in a stopped container");
  if (status == Status::paused && !options.on("ignore-paused")) {
    return Error::make(Code::conflict, "cannot exec in a paused container (use --ignore-paused to override)");
  }
  const std::string file = options.text("process");
  TRY(Value process, file.empty() ? process_from_flags(container.config, options) : process_from_file(file));
  if (options.on("tty")) process = process.with("terminal", true);
  const bool detached = options.on("detach");
  TRY(Console console, open_console(process["terminal"].as_bool(), detached, options.text("console-socket")));
  if (!detached) become_subreaper();
  TRY(const pid_t pid, launch_exec(container, process, options, console));
  TRY_VOID(write_pid_file(options.text("pid-file"), pid));
  if (detached) return 0;
  sys::Fd master;
  if (console.own) {
    TRY(master, console.socket->receive());
  }
  return supervise(pid, master.get());
}

Result<int> run_exec(const Context& context, const Options& options) {
  TRY(const std::string id, options.id());
  TRY(const Container container, load_container(context, id));
  return exec_in(container, options).with_context("exec failed");
}

constexpr Command kCommands[] = {
    {"create", "ID", "makes a container from a bundle; its program waits for `start`", kCreate, run_create},
    {"start", "ID", "starts the program of a created container", {}, run_start},
    {"run", "ID", "creates and starts a container, and waits for it", kRun, run_run},
    {"exec", "ID PROGRAM [ARGUMENT]...", "runs a further program in a container", kExec, run_exec},
};

}  // namespace

std::span<const Command> life_commands() { return kCommands; }

}  // namespace orch::runc
