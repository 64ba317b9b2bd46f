#pragma once
// Child processes over libuv. The child gets default signal dispositions (libuv resets them) and no file
// descriptors but its three.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "loop/stream.h"
#include "loop/uv_loop.h"

namespace orch::loop {

struct ProcessRequest {
  enum class Stdio { null, pipe, inherit };
  std::vector<std::string> arguments;                   // the first is looked up in PATH
  std::optional<std::vector<std::string>> environment;  // "NAME=value"; nullopt: ours
  std::string directory;                                // "": ours
  Stdio input = Stdio::null, output = Stdio::null, error = Stdio::null;
};

struct ExitStatus {
  int code = 0;
  int signal = 0;  // not 0: killed by it
  bool ok() const { return code == 0 && signal == 0; }
};

class Process {
 public:
  // Code::io with the errno, e.g. ENOENT.
  static Result<std::unique_ptr<Process>> start(UvLoop& loop, const ProcessRequest& request);
  // Kills it if it still runs.
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  int pid() const { return pid_; }
  void kill(int signal_number);
  Task<ExitStatus> wait();
  // Null where the request says no pipe. They may be taken away (moved from).
  std::unique_ptr<Stream>& input() { return pipes_[0]; }
  std::unique_ptr<Stream>& output() { return pipes_[1]; }
  std::unique_ptr<Stream>& error() { return pipes_[2]; }

 private:
  struct Handle;
  explicit Process(UvLoop& loop);
  int spawn(const ProcessRequest& request);

  UvLoop& loop_;
  Handle* handle_;  // libuv's, freed by its close callback
  int pid_ = 0;
  std::unique_ptr<Stream> pipes_[3];
  Event exited_;
  ExitStatus status_;
};

// Runs it to its end: what it wrote to its output and error (each up to `limit` bytes).
struct ProcessOutput {
  ExitStatus status;
  std::string output;
  std::string error;
};
Task<ProcessOutput> run_process(UvLoop& loop, ProcessRequest request, std::string input, size_t limit = 16 << 20);

}  // namespace orch::loop
