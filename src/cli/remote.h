#pragma once
// A command in a container, connected to this process's streams: exec, attach and cp.

#include <string>
#include <vector>

#include "cli/pods.h"
#include "wire/remote_command_client.h"

namespace orch::cli {

struct RemoteOptions {
  Value pod;
  std::string container;
  std::string subresource = "exec";    // or "attach"
  std::vector<std::string> command;
  bool input = false, output = true, error = true, terminal = false;
};

// Opens the WebSocket. Errors are the server's Status.
loop::Task<std::unique_ptr<wire::RemoteCommandClient>> open_remote(Invocation& in, RemoteOptions options);

// Connects it to the console and the terminal until it ends: its exit code. Code::closed: the connection was lost.
loop::Task<int> run_remote(Invocation& in, RemoteOptions options);

// What a command's Status says: the exit code, or the failure.
Result<int> command_result(const std::string& status);

}  // namespace orch::cli
