#pragma once
// A container as its shim knows it: state, pipes, log, who is attached. Room-private.

#include <cstdint>

#include "shim/execute.h"
#include "shim/log_file.h"

namespace orch::shim {

struct Client;
struct Container;

// What epoll tells of: `kind` says which member of its owner.
struct Source {
  enum class Kind : uint8_t { child_signal, listener, client, output, error, reports, exec_reports };
  Kind kind;
  void* owner;
};

// A heap text of our own: NUL-terminated.
class Text {
 public:
  Text() = default;
  Text(const Text&) = delete;
  Text& operator=(const Text&) = delete;
  ~Text();
  void set(std::string_view text);
  const char* c_str() const { return text_ ? text_ : ""; }
  std::string_view view() const { return {c_str(), size_}; }

 private:
  char* text_ = nullptr;
  size_t size_ = 0;
};

// Somebody who reads along: the write ends of two pipes.
struct Attached {
  Attached* next = nullptr;
  sys::Fd output, error;
};

struct Container {
  Container* next = nullptr;
  Text id, name, log_path, cgroup, image_id, spec_hash, start_error;
  uint64_t attempt = 0, flags = 0;
  uint64_t created = 0, started = 0, finished = 0;
  enum class Phase : uint64_t { created = 0, running = 1, exited = 2 } phase = Phase::created;
  pid_t pid = 0;
  int exit_code = 0, signal = 0;
  bool oom_killed = false;
  bool reaped = false;      // the process is gone; what its pipes hold is still read
  uint64_t reaped_at = 0;

  sys::Fd reports, output, error, input, console;  // console: our end of the pair that brings the terminal
  LogFile log;
  LogStream output_log{"stdout"}, error_log{"stderr"};
  Attached* attached = nullptr;

  uint32_t start_request = 0;  // to be answered once it runs
  Client* starter = nullptr;
  bool refused_said = false;
  Text refused;                // tolerated steps that were refused, a line each

  Source output_source{Source::Kind::output, this}, error_source{Source::Kind::error, this},
      reports_source{Source::Kind::reports, this};
};

// A process of an exec.
struct Exec {
  Exec* next = nullptr;
  uint64_t key = 0;
  pid_t pid = 0;
  Client* client = nullptr;   // null: gone
  uint32_t request = 0;       // not yet answered
  sys::Fd reports, console;
  int fds[3] = {-1, -1, -1};  // what the client gets
  bool terminal = false;
  bool answered = false, exited = false;
  int exit_code = 0, signal = 0;
  Source reports_source{Source::Kind::exec_reports, this};
};

struct Client {
  Client* next = nullptr;
  sys::Fd socket;
  Source source{Source::Kind::client, this};
};

}  // namespace orch::shim
