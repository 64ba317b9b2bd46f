#pragma once
// Sockets in other network namespaces, and terminals' sizes. Blocking, for a worker thread.

#include <string>

#include "base/result.h"
#include "linux/raw.h"
#include "runtime/pod_runtime.h"

namespace orch::runtime {

// A connected TCP socket made in the network namespace at a path ("" ours); the thread is back in its own afterwards.
// Code::unavailable in the words of Go's net package: "dial tcp4 127.0.0.1:80: connect: connection refused".
Result<sys::Fd> connect_in_namespace(const std::string& ns, const std::string& address, uint16_t port);

void set_terminal_size(int fd, TerminalSize size);

}  // namespace orch::runtime
