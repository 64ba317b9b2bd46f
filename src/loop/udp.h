#pragma once
// UDP on the loop: datagrams in batches, as many as came, with one system call for all of them and one for the answers.

#include <sys/socket.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "loop/fd.h"

namespace orch::loop {

struct UdpPeer {
  sockaddr_storage address{};
  socklen_t size = 0;
};
// Code::parse unless `address` is a literal.
Result<UdpPeer> make_udp_peer(std::string_view address, uint16_t port);

class UdpSocket {
 public:
  using Received = std::function<void(std::string_view datagram, const UdpPeer& from)>;

  // Port 0: one of the kernel's choice. "listen on 10.43.0.10:53 (UDP): Address already in use".
  static Result<std::unique_ptr<UdpSocket>> bind(UvLoop& loop, std::string_view address, uint16_t port);
  // Only datagrams of the peer come in; send_to() is not needed.
  static Result<std::unique_ptr<UdpSocket>> connect(UvLoop& loop, const UdpPeer& peer);
  ~UdpSocket();
  UdpSocket(const UdpSocket&) = delete;
  UdpSocket& operator=(const UdpSocket&) = delete;

  // Called for each datagram that comes; longer ones than 4 KiB are cut. `received` may destroy the socket.
  void on_received(Received received);
  // Leaves with the others of this batch when called from `received`, else at once. What the kernel has no room for is
  // dropped, as the network does.
  void send_to(std::string datagram, const UdpPeer& to);
  Result<void> send(std::string_view datagram);  // of a connected one
  uint16_t port() const { return port_; }

 private:
  struct Batch;
  UdpSocket(UvLoop& loop, int fd, uint16_t port);
  void read();
  void flush();

  UvLoop& loop_;
  int fd_;
  uint16_t port_;
  Received received_;
  std::unique_ptr<FdWatch> watch_;
  std::unique_ptr<Batch> batch_;
  std::shared_ptr<bool> alive_;
  bool reading_ = false;
  bool connected_ = false;
};

}  // namespace orch::loop
