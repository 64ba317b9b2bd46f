#pragma once
// The foreground of `run` and `exec`: a terminal between two, signals handed on, the exit code.

#include <sys/types.h>

#include <string>

#include "base/result.h"
#include "linux/raw.h"

namespace orch::runc {

// Where the master of a new terminal arrives: the socket that a caller listens at (--console-socket), or one of our own.
class ConsoleSocket {
 public:
  static Result<ConsoleSocket> connect(const std::string& path);
  static Result<ConsoleSocket> own();
  int get() const { return theirs_.get(); }
  Result<sys::Fd> receive();  // of our own

 private:
  sys::Fd theirs_, ours_;
};

// Orphans of the shim shall become our children.
void become_subreaper();

// Until the process (our child) ends: 128 + signal, or its exit code. `master`: -1 without a terminal.
int supervise(pid_t pid, int master);

}  // namespace orch::runc
