#include "loop/udp.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/ip.h"

namespace orch::loop {

namespace {

constexpr size_t most_at_once = 32, longest = 4096;

Result<int> open_socket(int family) {
  const int fd = ::socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return Error::from_errno(errno, "open a UDP socket");
  return fd;
}

}  // namespace

struct UdpSocket::Batch {
  explicit Batch(size_t count) : buffers(count), addresses(count), parts(count), headers(count) {}
  std::vector<std::array<char, longest>> buffers;
  std::vector<sockaddr_storage> addresses;
  std::vector<iovec> parts;
  std::vector<mmsghdr> headers;
  struct Out {
    std::string bytes;
    UdpPeer to;
  };
  std::vector<Out> out;
};

Result<UdpPeer> make_udp_peer(std::string_view address, uint16_t port) {
  auto ip = parse_ip(address);
  if (!ip) return Error::make(Code::parse, "\"" + std::string(address) + "\" is no IP address");
  UdpPeer peer;
  if (ip->v6) {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&peer.address);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    std::memcpy(&v6->sin6_addr, ip->bytes.data(), sizeof v6->sin6_addr);
    peer.size = sizeof *v6;
  } else {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&peer.address);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    std::memcpy(&v4->sin_addr, ip->bytes.data(), sizeof v4->sin_addr);
    peer.size = sizeof *v4;
  }
  return peer;
}

Result<std::unique_ptr<UdpSocket>> UdpSocket::bind(UvLoop& loop, std::string_view address, uint16_t port) {
  TRY(UdpPeer local, make_udp_peer(address, port));
  TRY(int fd, open_socket(local.address.ss_family));
  std::unique_ptr<UdpSocket> socket(new UdpSocket(loop, fd, port));
  constexpr int buffer = 4 * 1024 * 1024;
  (void)::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&local.address), local.size) != 0)
    return Error::from_errno(errno, "listen on " + std::string(address) + ":" + std::to_string(port) + " (UDP)");
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (port == 0 && ::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) == 0)
    socket->port_ = ntohs(reinterpret_cast<sockaddr_in*>(&bound)->sin_port);  // at the same place in both families
  return socket;
}

Result<std::unique_ptr<UdpSocket>> UdpSocket::connect(UvLoop& loop, const UdpPeer& peer) {
  TRY(int fd, open_socket(peer.address.ss_family));
  std::unique_ptr<UdpSocket> socket(new UdpSocket(loop, fd, 0));
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&peer.address), peer.size) != 0)
    return Error::from_errno(errno, "connect a UDP socket");
  socket->connected_ = true;
  return socket;
}

UdpSocket::UdpSocket(UvLoop& loop, int fd, uint16_t port) : loop_(loop), fd_(fd), port_(port), alive_(std::make_shared<bool>(true)) {}

UdpSocket::~UdpSocket() {
  *alive_ = false;
  watch_.reset();
  ::close(fd_);
}

void UdpSocket::on_received(Received received) {
  received_ = std::move(received);
  batch_ = std::make_unique<Batch>(connected_ ? 1 : most_at_once);
  auto readable = [this] { read(); };
  watch_ = std::make_unique<FdWatch>(loop_, fd_, readable);
}

void UdpSocket::read() {
  Batch& batch = *batch_;
  for (size_t i = 0; i < batch.buffers.size(); ++i) {
    batch.parts[i] = {batch.buffers[i].data(), longest};
    batch.headers[i] = {};
    msghdr& header = batch.headers[i].msg_hdr;
    header.msg_name = &batch.addresses[i];
    header.msg_namelen = sizeof batch.addresses[i];
    header.msg_iov = &batch.parts[i];
    header.msg_iovlen = 1;
  }
  const int count = ::recvmmsg(fd_, batch.headers.data(), static_cast<unsigned>(batch.headers.size()), MSG_DONTWAIT, nullptr);
  auto alive = alive_;
  auto received = received_;
  reading_ = true;
  for (int i = 0; i < count; ++i) {
    const auto& header = batch.headers[static_cast<size_t>(i)];
    UdpPeer from;
    from.address = batch.addresses[static_cast<size_t>(i)];
    from.size = header.msg_hdr.msg_namelen;
    received({batch.buffers[static_cast<size_t>(i)].data(), header.msg_len}, from);
    if (!*alive) return;
  }
  reading_ = false;
  flush();
}

void UdpSocket::flush() {
  std::vector<Batch::Out>& out = batch_->out;
  for (size_t first = 0; first < out.size();) {
    std::array<mmsghdr, most_at_once> headers{};
    std::array<iovec, most_at_once> parts{};
    const size_t count = std::min(most_at_once, out.size() - first);
    for (size_t i = 0; i < count; ++i) {
      Batch::Out& each = out[first + i];
      parts[i] = {each.bytes.data(), each.bytes.size()};
      headers[i].msg_hdr.msg_name = &each.to.address;
      headers[i].msg_hdr.msg_namelen = each.to.size;
      headers[i].msg_hdr.msg_iov = &parts[i];
      headers[i].msg_hdr.msg_iovlen = 1;
    }
    const int sent = ::sendmmsg(fd_, headers.data(), static_cast<unsigned>(count), MSG_DONTWAIT);
    first += sent > 0 ? static_cast<size_t>(sent) : 1;  // the one that failed is dropped
  }
  out.clear();
}

void UdpSocket::send_to(std::string datagram, const UdpPeer& to) {
  if (reading_) {
    batch_->out.push_back({std::move(datagram), to});
    return;
  }
  (void)::sendto(fd_, datagram.data(), datagram.size(), MSG_DONTWAIT, reinterpret_cast<const sockaddr*>(&to.address), to.size);
}

Result<void> UdpSocket::send(std::string_view datagram) {
  if (::send(fd_, datagram.data(), datagram.size(), MSG_DONTWAIT) < 0) return Error::from_errno(errno, "send a datagram");
  return {};
}

}  // namespace orch::loop
