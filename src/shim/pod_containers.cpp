// What comes from the containers: reports of their start, output, exits of execs.

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include <cstdlib>

#include "shim/memory.h"
#include "shim/pod.h"

namespace orch::shim {

namespace {

using steps::Kind;

char g_output[64 * 1024];
char g_message[steps::kMaxMessage];

// One report, or nothing: false at the end of the pipe. `more` is false when the pipe is empty but open.
enum class Read { report, end, nothing };
Read read_report(int fd, Report& report) {
  size_t used = 0;
  while (used < sizeof report) {
    const ssize_t n = ::read(fd, reinterpret_cast<char*>(&report) + used, sizeof report - used);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return used == 0 ? Read::nothing : Read::end;
    if (n == 0) return Read::end;
    used += static_cast<size_t>(n);
  }
  report.text[sizeof report.text - 1] = '\0';
  return Read::report;
}

int take_terminal(const sys::Fd& console) {
  char name[64];
  int fds[sys::kMaxFds];
  ::fcntl(console.get(), F_SETFL, O_NONBLOCK);
  if (sys::receive_message(console.get(), name, sizeof name, fds) <= 0) return -1;
  for (int i = 1; i < sys::kMaxFds; ++i) {
    if (fds[i] >= 0) ::close(fds[i]);
  }
  return fds[0];
}

void add_line(Text& text, std::string_view line) {
  char joined[1024];
  const std::string_view old = text.view();
  if (old.size() + line.size() + 1 > sizeof joined) return;
  std::memcpy(joined, old.data(), old.size());
  size_t used = old.size();
  if (used > 0) joined[used++] = '\n';
  std::memcpy(joined + used, line.data(), line.size());
  text.set({joined, used + line.size()});
}

}  // namespace

Text::~Text() { std::free(text_); }

void Text::set(std::string_view text) {
  char* copy = static_cast<char*>(std::malloc(text.size() + 1));
  if (copy == nullptr) ::abort();
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = '\0';
  std::free(text_);
  text_ = copy;
  size_ = text.size();
}

void Pod::read_reports(Container* c) {
  Report report;
  for (;;) {
    const Read read = read_report(c->reports.get(), report);
    if (read == Read::nothing) return;
    if (read == Read::report && report.what == Report::What::refused) {
      add_line(c->refused, report.text);
      continue;
    }
    unwatch(c->reports);
    if (c->console.ok()) {
      const int terminal = take_terminal(c->console);
      c->console.reset();
      if (terminal >= 0) {
        ::fcntl(terminal, F_SETFL, O_NONBLOCK);
        // Read here, written by whoever attaches.
        c->input.reset(::fcntl(terminal, F_DUPFD_CLOEXEC, 3));
        c->output.reset(terminal);
        watch(terminal, c->output_source);
      }
    }
    if (read == Read::report) {
      c->start_error.set(report.text);
      c->exit_code = report.code;
    } else {
      c->phase = Container::Phase::running;
      c->started = wall_clock();
    }
    break;
  }
  if (c->start_error.view().empty()) {
    report_container(*c);
    if (c->starter) {
      steps::Packer packer(g_message, sizeof g_message);
      packer.head(Kind::done, c->start_request).number(static_cast<uint64_t>(c->pid)).number(c->started);
      broadcast(packer.text(c->refused.view()).view(), c->starter);
    }
    c->starter = nullptr;
    return;
  }
  // Its process has ended itself: wait for it, so that nobody sees it twice.
  const int code = c->exit_code;
  int status;
  if (!c->reaped) ::waitpid(c->pid, &status, 0);
  c->exit_code = code;
  c->signal = 0;
  c->reaped = true;
  c->reaped_at = c->finished = wall_clock();
  Client* starter = c->starter;
  const uint32_t request = c->start_request;
  c->starter = nullptr;
  finish_if_drained(c, true);
  if (starter) send_failed(starter, request, report.error, report.code, report.text);
}

void Pod::read_exec_reports(Exec* exec) {
  Report report;
  for (;;) {
    const Read read = read_report(exec->reports.get(), report);
    if (read == Read::nothing) return;
    if (read == Read::report && report.what == Report::What::refused) continue;
    unwatch(exec->reports);
    if (exec->client && read == Read::report) {
      send_failed(exec->client, exec->request, report.error, report.code, report.text);
    } else if (exec->client) {
      int fds[3];
      int count = 0;
      for (int fd : exec->fds) {
        if (fd >= 0) fds[count++] = fd;
      }
      steps::Packer packer(g_message, sizeof g_message);
      packer.head(Kind::done, exec->request).number(exec->key).number(static_cast<uint64_t>(exec->pid));
      if (sys::send_message(exec->client->socket.get(), packer.view(), fds, count) != 0) ::kill(-exec->pid, SIGKILL);
    }
    for (int& fd : exec->fds) {
      if (fd >= 0) ::close(fd);
      fd = -1;
    }
    exec->answered = true;
    return finish_exec(exec);
  }
}

// An exec is over when its process has ended and its start has been answered, in whatever order.
void Pod::finish_exec(Exec* exec) {
  if (!exec->exited) return;
  if (!exec->answered) return read_exec_reports(exec);
  for (Exec** at = &execs_; *at; at = &(*at)->next) {
    if (*at != exec) continue;
    *at = exec->next;
    break;
  }
  if (exec->client) {
    steps::Packer packer(g_message, sizeof g_message);
    packer.head(Kind::exec_exited, 0).number(exec->key).number(static_cast<uint64_t>(exec->exit_code));
    broadcast(packer.number(static_cast<uint64_t>(exec->signal)).view(), exec->client);
  }
  destroy(exec);
}

void Pod::read_output(Container* c, bool error) {
  sys::Fd& fd = error ? c->error : c->output;
  if (!fd.ok()) return;
  const ssize_t n = ::read(fd.get(), g_output, sizeof g_output);
  if (n > 0) {
    const std::string_view bytes(g_output, static_cast<size_t>(n));
    (error ? c->error_log : c->output_log).feed(c->log, bytes);
    copy_to_attached(c, error, bytes);
    return;
  }
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  // The end; of a terminal it is EIO once nobody has the other side open.
  unwatch(fd);
  if (c->reaped && c->phase != Container::Phase::exited) finish_if_drained(c, false);
}

// A reader that takes nothing for a second is let go: it must not stop the container, nor its log.
void Pod::copy_to_attached(Container* c, bool error, std::string_view bytes) {
  for (Attached** at = &c->attached; *at;) {
    const sys::Fd& fd = error ? (*at)->error : (*at)->output;
    std::string_view rest = bytes;
    bool gone = false;
    while (!rest.empty() && !gone) {
      const ssize_t n = ::write(fd.get(), rest.data(), rest.size());
      if (n > 0) {
        rest.remove_prefix(static_cast<size_t>(n));
      } else if (errno == EAGAIN) {
        pollfd wait{fd.get(), POLLOUT, 0};
        gone = ::poll(&wait, 1, 1000) <= 0;
      } else if (errno != EINTR) {
        gone = true;
      }
    }
    if (gone) {
      Attached* attached = *at;
      *at = attached->next;
      destroy(attached);
    } else {
      at = &(*at)->next;
    }
  }
}

}  // namespace orch::shim
