// What orch asks of a shim: one function a command.

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>

#include "shim/memory.h"
#include "shim/pod.h"

namespace orch::shim {

namespace {

using steps::Kind;

char g_buffer[steps::kMaxMessage];   // of the message being read
char g_answer[steps::kMaxMessage];  // and of the one being written

// Steps that came in a memfd, mapped while they are executed.
class MappedSteps {
 public:
  explicit MappedSteps(int fd) {
    struct stat facts;
    if (fd < 0 || ::fstat(fd, &facts) != 0 || facts.st_size == 0) return;
    size_ = static_cast<size_t>(facts.st_size);
    at_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
  }
  ~MappedSteps() {
    if (at_ != MAP_FAILED) ::munmap(at_, size_);
  }
  MappedSteps(const MappedSteps&) = delete;
  MappedSteps& operator=(const MappedSteps&) = delete;
  std::string_view view() const { return at_ == MAP_FAILED ? std::string_view() : std::string_view(static_cast<char*>(at_), size_); }

 private:
  void* at_ = MAP_FAILED;
  size_t size_ = 0;
};

struct Pipe {
  sys::Fd read, write;
  bool open() {
    int fds[2];
    if (::pipe2(fds, O_CLOEXEC) != 0) return false;
    read.reset(fds[0]);
    write.reset(fds[1]);
    return true;
  }
};

void set_nonblocking(int fd) { ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK); }

}  // namespace

void Pod::read_client(Client* client) {
  int fds[sys::kMaxFds];
  const ssize_t n = sys::receive_message(client->socket.get(), g_buffer, sizeof g_buffer, fds);
  if (n <= 0) {
    if (n < 0 && errno == EAGAIN) return;
    return drop_client(client);
  }
  steps::Unpacker message({g_buffer, static_cast<size_t>(n)});
  answer(client, message, fds);
  for (int fd : fds) {
    if (fd >= 0) ::close(fd);
  }
}

void Pod::answer(Client* client, steps::Unpacker& message, int* fds) {
  switch (message.kind()) {
    case Kind::hello: return say_hello(client, message.request());
    case Kind::start: return start(client, message, fds[0]);
    case Kind::execute: return execute(client, message, fds[0]);
    case Kind::attach: return attach(client, message);
    case Kind::signal: return send_signal(client, message);
    case Kind::resize: return resize(client, message);
    case Kind::forget: return forget(client, message);
    case Kind::shutdown: return shut_down(client, message.request());
    case Kind::kill_exec: {
      const uint64_t key = message.number();
      for (Exec* at = execs_; at; at = at->next) {
        // It leads a session of its own: its children go with it.
        if (at->key == key && !at->exited && ::kill(-at->pid, SIGKILL) != 0) ::kill(at->pid, SIGKILL);
      }
      return send_done(client, message.request());
    }
    default: return send_failed(client, message.request(), ENOSYS, 0, "this shim does not know the request");
  }
}

void Pod::broadcast(std::string_view message, Client* only) {
  for (Client *next, *at = clients_; at; at = next) {
    next = at->next;
    if (only && at != only) continue;
    // A reader so slow that its socket is full asks again (hello) after it has connected again.
    if (sys::send_message(at->socket.get(), message) != 0) ::shutdown(at->socket.get(), SHUT_RDWR);
  }
}

void Pod::send_done(Client* client, uint32_t request) {
  steps::Packer packer(g_answer, sizeof g_answer);
  broadcast(packer.head(Kind::done, request).view(), client);
}

void Pod::send_failed(Client* client, uint32_t request, int error, int code, std::string_view text) {
  steps::Packer packer(g_answer, sizeof g_answer);
  packer.head(Kind::failed, request).number(static_cast<uint64_t>(error)).number(static_cast<uint64_t>(code)).text(text);
  broadcast(packer.view(), client);
}

void Pod::report_container(const Container& c, Client* only) {
  steps::Packer packer(g_answer, sizeof g_answer);
  packer.head(Kind::container, 0).text(c.id.view()).text(c.name.view()).number(c.attempt);
  packer.number(static_cast<uint64_t>(c.phase)).number(static_cast<uint64_t>(c.pid));
  packer.number(static_cast<uint64_t>(c.exit_code)).number(static_cast<uint64_t>(c.signal)).number(c.oom_killed);
  packer.number(c.created).number(c.started).number(c.finished);
  packer.text(c.image_id.view()).text(c.spec_hash.view()).text(c.start_error.view()).text(c.refused.view());
  broadcast(packer.view(), only);
}

void Pod::say_hello(Client* client, uint32_t request) {
  for (const Container* at = containers_; at; at = at->next) report_container(*at, client);
  steps::Packer packer(g_answer, sizeof g_answer);
  packer.head(Kind::hello_end, request).number(steps::kProtocolVersion).number(static_cast<uint64_t>(::getpid()));
  broadcast(packer.number(static_cast<uint64_t>(pause_)).view(), client);
}

void Pod::start(Client* client, steps::Unpacker& message, int steps_fd) {
  const uint32_t request = message.request();
  auto* c = make<Container>();
  c->id.set(message.text());
  c->name.set(message.text());
  c->attempt = message.number();
  c->flags = message.number();
  c->log_path.set(message.text());
  const uint64_t log_max_bytes = message.number(), log_max_files = message.number();
  c->cgroup.set(message.text());
  c->image_id.set(message.text());
  c->spec_hash.set(message.text());
  c->created = message.number();
  c->starter = client;
  c->start_request = request;
  auto give_up = [&](int error, std::string_view text) {
    destroy(c);
    send_failed(client, request, error, 128, text);
  };
  if (find(c->id.view())) return give_up(EEXIST, "a container of this id exists");
  if (const int error = c->log.open(c->log_path.c_str(), log_max_bytes, log_max_files)) {
    return give_up(error, "the log file cannot be opened");
  }
  const MappedSteps steps(steps_fd);
  if (steps.view().empty()) return give_up(EINVAL, "no steps came with the request");

  SpawnOptions options;
  options.die_with_parent = true;
  options.terminal = (c->flags & steps::kTerminal) != 0;
  Pipe input, output, error;
  int console[2];
  sys::Fd child_console;
  bool ok = true;
  if (options.terminal) {
    ok = ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, console) == 0;
    if (ok) {
      c->console.reset(console[0]);
      child_console.reset(console[1]);
      options.console_socket = console[1];
    }
  } else {
    ok = output.open() && error.open() && (!(c->flags & steps::kInput) || input.open());
    options.input = input.read.get();
    options.output = output.write.get();
    options.error = error.write.get();
  }
  if (!ok) return give_up(errno, "pipes for the container cannot be made");

  Spawned spawned = spawn(steps.view(), options);
  if (spawned.pid < 0) return give_up(spawned.failure.error, spawned.failure.text);
  c->pid = spawned.pid;
  c->reports = static_cast<sys::Fd&&>(spawned.reports);
  c->output = static_cast<sys::Fd&&>(output.read);
  c->error = static_cast<sys::Fd&&>(error.read);
  c->input = static_cast<sys::Fd&&>(input.write);
  // At the end: in the order they were started.
  Container** last = &containers_;
  while (*last) last = &(*last)->next;
  *last = c;
  for (sys::Fd* fd : {&c->output, &c->error}) {
    if (fd->ok()) set_nonblocking(fd->get());
  }
  if (c->output.ok()) watch(c->output.get(), c->output_source);
  if (c->error.ok()) watch(c->error.get(), c->error_source);
  watch(c->reports.get(), c->reports_source);
}

void Pod::execute(Client* client, steps::Unpacker& message, int steps_fd) {
  const uint32_t request = message.request();
  const Container* container = find(message.text());
  const uint64_t flags = message.number();
  const auto columns = static_cast<unsigned short>(message.number());
  const auto rows = static_cast<unsigned short>(message.number());
  if (!container || container->phase != Container::Phase::running || container->reaped) {
    return send_failed(client, request, ESRCH, 0, "the container does not run");
  }
  const MappedSteps steps(steps_fd);
  SpawnOptions options;
  options.terminal = (flags & steps::kTerminal) != 0;
  auto* exec = make<Exec>();
  exec->client = client;
  exec->request = request;
  exec->terminal = options.terminal;
  exec->key = ++last_key_;
  Pipe input, output, error;
  sys::Fd slave;
  bool ok = true;
  if (options.terminal) {
    // The host's devpts: the process has a terminal whose name is not seen in the container.
    sys::Fd master(::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC));
    int unlock = 0;
    const winsize size{rows, columns, 0, 0};
    ok = master.ok() && ::ioctl(master.get(), TIOCSPTLCK, &unlock) == 0;
    if (ok) slave.reset(::ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
    ok = ok && slave.ok();
    if (ok && columns > 0) ::ioctl(master.get(), TIOCSWINSZ, &size);
    options.input = options.output = options.error = slave.get();
    exec->fds[0] = master.release();
  } else {
    ok = output.open() && error.open() && (!(flags & steps::kInput) || input.open());
    options.input = input.read.get();
    options.output = output.write.get();
    options.error = error.write.get();
    exec->fds[0] = output.read.release();
    exec->fds[1] = error.read.release();
    exec->fds[2] = input.write.release();
  }
  Spawned spawned;
  if (ok) spawned = spawn(steps.view(), options);
  if (spawned.pid < 0) {
    send_failed(client, request, spawned.failure.error, 128, ok ? spawned.failure.text : "no terminal or pipe could be made");
    for (int fd : exec->fds) {
      if (fd >= 0) ::close(fd);
    }
    return destroy(exec);
  }
  exec->pid = spawned.pid;
  exec->reports = static_cast<sys::Fd&&>(spawned.reports);
  exec->next = execs_;
  execs_ = exec;
  watch(exec->reports.get(), exec->reports_source);
}

void Pod::attach(Client* client, steps::Unpacker& message) {
  Container* c = find(message.text());
  if (!c || c->phase != Container::Phase::running) return send_failed(client, message.request(), ESRCH, 0, "the container does not run");
  Pipe output, error;
  if (!output.open() || !error.open()) return send_failed(client, message.request(), errno, 0, "no pipe could be made");
  for (Pipe* pipe : {&output, &error}) {
    set_nonblocking(pipe->write.get());
    ::fcntl(pipe->write.get(), F_SETPIPE_SZ, 256 * 1024);
  }
  int fds[3] = {output.read.get(), error.read.get(), -1};
  int count = 2;
  if (c->input.ok()) fds[count++] = c->input.get();
  steps::Packer packer(g_answer, sizeof g_answer);
  packer.head(Kind::done, message.request()).number(c->flags);
  if (sys::send_message(client->socket.get(), packer.view(), fds, count) != 0) return;
  // With stdinOnce the end of this client's input is the end of the container's. A terminal stays.
  if ((c->flags & steps::kInputOnce) != 0 && (c->flags & steps::kTerminal) == 0) c->input.reset();
  auto* attached = make<Attached>();
  attached->output = static_cast<sys::Fd&&>(output.write);
  attached->error = static_cast<sys::Fd&&>(error.write);
  attached->next = c->attached;
  c->attached = attached;
}

void Pod::send_signal(Client* client, steps::Unpacker& message) {
  const Container* c = find(message.text());
  const uint64_t number = message.number();
  if (c && !c->reaped && c->pid > 0) {
    char path[4096 + 16];
    const std::string_view cgroup = c->cgroup.view();
    if (number == steps::kKillAll && !cgroup.empty() && cgroup.size() < 4096) {
      std::memcpy(path, cgroup.data(), cgroup.size());
      std::memcpy(path + cgroup.size(), "/cgroup.kill", sizeof "/cgroup.kill");
      sys::write_kernel_file(path, "1");
    }
    ::kill(c->pid, number == steps::kKillAll ? SIGKILL : static_cast<int>(number));
  }
  send_done(client, message.request());
}

void Pod::resize(Client* client, steps::Unpacker& message) {
  const Container* c = find(message.text());
  const auto columns = static_cast<unsigned short>(message.number());
  const auto rows = static_cast<unsigned short>(message.number());
  const winsize size{rows, columns, 0, 0};
  if (c && (c->flags & steps::kTerminal) && c->input.ok()) ::ioctl(c->input.get(), TIOCSWINSZ, &size);
  send_done(client, message.request());
}

void Pod::forget(Client* client, steps::Unpacker& message) {
  const std::string_view id = message.text();
  for (Container** at = &containers_; *at; at = &(*at)->next) {
    if ((*at)->id.view() != id) continue;
    Container* c = *at;
    if (c->phase != Container::Phase::exited) {
      return send_failed(client, message.request(), EBUSY, 0, "the container still runs");
    }
    *at = c->next;
    unwatch(c->reports);
    destroy(c);
    break;
  }
  send_done(client, message.request());
}

void Pod::shut_down(Client* client, uint32_t request) {
  bool running = false;
  for (Container* at = containers_; at; at = at->next) {
    if (at->reaped || at->pid <= 0) continue;
    running = true;
    ::kill(at->pid, SIGKILL);
  }
  if (!running) {
    send_done(client, request);
    ending_ = true;
    return;
  }
  shutdown_client_ = client;
  shutdown_request_ = request;
}

}  // namespace orch::shim
