#include "shim/pod.h"

#include <sched.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdlib>

#include "shim/memory.h"

namespace orch::shim {

namespace {

// How long the pipes of a dead container may still be held open by somebody before its end is told.
constexpr uint64_t kDrainTime = 1'000'000'000;

bool say_ready(const Report& report) {
  const bool ok = sys::write_all(kReadyFd, {reinterpret_cast<const char*>(&report), sizeof report}) == 0;
  ::close(kReadyFd);
  return ok;
}

// The bytes of a descriptor, mapped: steps come in a memfd.
std::string_view map_file(int fd) {
  struct stat facts;
  if (::fstat(fd, &facts) != 0 || facts.st_size == 0) return {};
  void* at = ::mmap(nullptr, static_cast<size_t>(facts.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
  return at == MAP_FAILED ? std::string_view() : std::string_view(static_cast<char*>(at), static_cast<size_t>(facts.st_size));
}

// The first process of a pid namespace that a pod's containers share: reaps what they leave.
[[noreturn]] void run_pause() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  ::prctl(PR_SET_NAME, "pause", 0, 0, 0);
  sys::close_range(0, ~0U, 0);
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  for (;;) {
    int number;
    ::sigwait(&child, &number);
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
  }
}

pid_t start_pause() {
  clone_args args{};
  args.flags = CLONE_NEWPID;
  args.exit_signal = SIGCHLD;
  const pid_t pid = sys::clone3(args);
  if (pid == 0) run_pause();
  return pid;
}

}  // namespace

bool Pod::begin(bool shared_pid_namespace) {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGCHLD);
  // Only SIGKILL and orch end a shim; nothing that a terminal or a service manager sends to a group.
  for (int ignored : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2}) ::signal(ignored, SIG_IGN);
  ::sigprocmask(SIG_SETMASK, &mask, nullptr);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  ::fcntl(kListenerFd, F_SETFD, FD_CLOEXEC);
  ::fcntl(kReadyFd, F_SETFD, FD_CLOEXEC);
  ::umask(0);

  Report report;
  const std::string_view steps = map_file(kStepsFd);
  bool ok = execute_here(steps, report);
  if (!steps.empty()) ::munmap(const_cast<char*>(steps.data()), steps.size());
  ::close(kStepsFd);
  if (ok && shared_pid_namespace) {
    pause_ = start_pause();
    ok = pause_ > 0;
    report.error = ok ? 0 : errno;
  }
  listener_.reset(kListenerFd);
  epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  signals_.reset(::signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK));
  ok = ok && epoll_.ok() && signals_.ok();
  if (ok) {
    watch(signals_.get(), signal_source_);
    watch(listener_.get(), listener_source_);
    report.what = Report::What::ready;
    // Tells the runtime which process holds a shared pid namespace.
    report.code = pause_;
  }
  return say_ready(report) && ok;
}

int Pod::run() {
  while (!ending_) {
    // One at a time: handling one event may free the owner of another.
    epoll_event event;
    const int n = ::epoll_wait(epoll_.get(), &event, 1, timeout());
    if (n < 0 && errno != EINTR) return 1;
    if (n > 0) handle(*static_cast<Source*>(event.data.ptr));
    for (Container *next, *at = containers_; at; at = next) {
      next = at->next;
      if (at->reaped && at->phase != Container::Phase::exited) finish_if_drained(at, false);
    }
  }
  return 0;
}

int Pod::timeout() const {
  for (const Container* at = containers_; at; at = at->next) {
    if (at->reaped && at->phase != Container::Phase::exited) return 50;
  }
  return -1;
}

void Pod::handle(const Source& source) {
  switch (source.kind) {
    case Source::Kind::child_signal: return reap();
    case Source::Kind::listener: return accept_client();
    case Source::Kind::client: return read_client(static_cast<Client*>(source.owner));
    case Source::Kind::output: return read_output(static_cast<Container*>(source.owner), false);
    case Source::Kind::error: return read_output(static_cast<Container*>(source.owner), true);
    case Source::Kind::reports: return read_reports(static_cast<Container*>(source.owner));
    case Source::Kind::exec_reports: return read_exec_reports(static_cast<Exec*>(source.owner));
  }
}

void Pod::watch(int fd, Source& source) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = &source;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
}

void Pod::unwatch(sys::Fd& fd) {
  if (!fd.ok()) return;
  // Others may hold the same open file: closing alone would not take it out.
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd.get(), nullptr);
  fd.reset();
}

void Pod::accept_client() {
  const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  auto* client = make<Client>();
  client->socket.reset(fd);
  client->next = clients_;
  clients_ = client;
  watch(fd, client->source);
}

void Pod::drop_client(Client* client) {
  for (Client** at = &clients_; *at; at = &(*at)->next) {
    if (*at != client) continue;
    *at = client->next;
    break;
  }
  for (Container* at = containers_; at; at = at->next) {
    if (at->starter == client) at->starter = nullptr;
  }
  for (Exec* at = execs_; at; at = at->next) {
    if (at->client == client) at->client = nullptr;
  }
  if (shutdown_client_ == client) shutdown_client_ = nullptr;
  unwatch(client->socket);
  destroy(client);
}

void Pod::reap() {
  signalfd_siginfo info;
  while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
  }
  int status;
  pid_t pid;
  while ((pid = ::waitpid(-1, &status, WNOHANG)) > 0) take_exit(pid, status);
}

bool Pod::take_exit(pid_t pid, int status) {
  const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + signal;
  for (Container* at = containers_; at; at = at->next) {
    if (at->pid != pid || at->reaped) continue;
    at->exit_code = code;
    at->signal = signal;
    at->reaped = true;
    at->reaped_at = at->finished = wall_clock();
    finish_if_drained(at, false);
    return true;
  }
  for (Exec* at = execs_; at; at = at->next) {
    if (at->pid != pid || at->exited) continue;
    at->exit_code = code;
    at->signal = signal;
    at->exited = true;
    finish_exec(at);
    return true;
  }
  return false;
}

void Pod::finish_if_drained(Container* container, bool now) {
  if (container->reports.ok()) read_reports(container);
  const bool drained = !container->output.ok() && !container->error.ok();
  if (!drained && !now && wall_clock() - container->reaped_at < kDrainTime) return;
  if (!drained) {
    // What still holds the pipes is not the container any more.
    read_output(container, false);
    read_output(container, true);
    unwatch(container->output);
    unwatch(container->error);
  }
  container->output_log.finish(container->log);
  container->error_log.finish(container->log);
  container->log.close();
  while (Attached* attached = container->attached) {
    container->attached = attached->next;
    destroy(attached);
  }
  container->input.reset();
  container->phase = Container::Phase::exited;
  // What is left of it (in a pid namespace that it did not own) ends with it; then the cgroup can go.
  char path[4096 + 32];
  const std::string_view cgroup = container->cgroup.view();
  if (!cgroup.empty() && cgroup.size() < 4096) {
    std::memcpy(path, cgroup.data(), cgroup.size());
    std::memcpy(path + cgroup.size(), "/memory.events", sizeof "/memory.events");
    char text[512];
    if (sys::read_small_file(path, text, sizeof text) > 0) {
      const char* kills = std::strstr(text, "oom_kill ");
      container->oom_killed = kills != nullptr && kills[9] != '0';
    }
    std::memcpy(path + cgroup.size(), "/cgroup.kill", sizeof "/cgroup.kill");
    sys::write_kernel_file(path, "1");
    path[cgroup.size()] = '\0';
    ::rmdir(path);
  }
  report_container(*container);
  if (!shutdown_client_ && shutdown_request_ == 0) return;
  for (const Container* at = containers_; at; at = at->next) {
    if (at->phase == Container::Phase::running || (at->pid > 0 && !at->reaped)) return;
  }
  if (shutdown_client_) send_done(shutdown_client_, shutdown_request_);
  ending_ = true;
}

Container* Pod::find(std::string_view id) {
  for (Container* at = containers_; at; at = at->next) {
    if (at->id.view() == id) return at;
  }
  return nullptr;
}

}  // namespace orch::shim
