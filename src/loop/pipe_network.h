#pragma once
// PipeNetwork: a network in memory, for tests and simulations. A pipe holds a bounded number of bytes,
// so that a peer that does not read makes its writer wait, as a socket does.

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "loop/loop.h"
#include "loop/stream.h"

namespace orch::loop {

// Two ends of one connection. `capacity`: bytes one end may write before the other has read them.
std::pair<std::unique_ptr<Stream>, std::unique_ptr<Stream>> make_pipe(Loop& loop, size_t capacity = 64 * 1024,
                                                                      std::string name = "pipe");

class PipeNetwork final : public Network {
 public:
  explicit PipeNetwork(Loop& loop, size_t capacity = 64 * 1024) : loop_(loop), capacity_(capacity) {}

  // Port 0 picks one. The address only names the listener: connections find it by port.
  Result<std::unique_ptr<Listener>> listen_tcp(std::string address, uint16_t port) override;
  Result<std::unique_ptr<Listener>> listen_unix(std::string path) override;
  Task<std::unique_ptr<Stream>> connect_tcp(std::string host, uint16_t port) override;
  Task<std::unique_ptr<Stream>> connect_unix(std::string path) override;

  struct Backlog;  // the listener's half that connecting finds

 private:
  Result<std::unique_ptr<Listener>> listen(std::string name, uint16_t port);
  Task<std::unique_ptr<Stream>> connect(std::string name);

  Loop& loop_;
  size_t capacity_;
  uint16_t next_port_ = 40000;
  std::map<std::string, std::weak_ptr<Backlog>> listeners_;
};

}  // namespace orch::loop
