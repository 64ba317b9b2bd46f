#include "wire/resolver.h"

#include <ares.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/stat.h>

#include <array>
#include <map>

#include "loop/fd.h"

namespace orch::wire {

using loop::Task;

namespace {

constexpr const char* kResolvConf = "/etc/resolv.conf";

int64_t changed_at(const char* path) {
  struct stat info {};
  if (::stat(path, &info) != 0) return 0;
  return int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
}

struct Lookup {
  explicit Lookup(loop::Loop& loop) : done(loop) {}
  int status = ARES_SUCCESS;
  std::vector<std::string> addresses;
  loop::Event done;
};

std::string address_text(const sockaddr* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address->sa_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(address)->sin_addr, text.data(), text.size());
  } else if (address->sa_family == AF_INET6) {
    inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr, text.data(), text.size());
  }
  return text.data();
}

// c-ares holds the other owner of the Lookup until it has called this.
void finish_lookup(void* context, int status, int, ares_addrinfo* found) {
  std::unique_ptr<std::shared_ptr<Lookup>> mine(static_cast<std::shared_ptr<Lookup>*>(context));
  Lookup& lookup = **mine;
  lookup.status = status;
  for (auto* node = found ? found->nodes : nullptr; node; node = node->ai_next) {
    std::string address = address_text(node->ai_addr);
    if (!address.empty()) lookup.addresses.push_back(std::move(address));
  }
  ares_freeaddrinfo(found);
  lookup.done.set();
}

bool is_missing(int status) { return status == ARES_ENOTFOUND || status == ARES_ENODATA || status == ARES_EBADNAME; }

}  // namespace

struct DnsResolver::Channel {
  Channel(loop::UvLoop& l, ResolverOptions o) : loop(l), options(std::move(o)) {}
  ~Channel() { close(); }

  Result<void> open();
  void close();
  void process(ares_socket_t readable, ares_socket_t writable);
  void watch(ares_socket_t socket, bool readable, bool writable);
  void arm_timer();

  loop::UvLoop& loop;
  ResolverOptions options;
  ares_channel channel = nullptr;
  int64_t configured_at = 0;
  size_t running = 0;
  std::map<ares_socket_t, std::unique_ptr<loop::FdPoll>> sockets;
  std::optional<loop::Loop::TimerId> timer;
};

void DnsResolver::Channel::close() {
  if (channel) ares_destroy(std::exchange(channel, nullptr));  // ends every lookup, and its sockets
  sockets.clear();
  if (timer) loop.cancel_timer(*std::exchange(timer, std::nullopt));
}

Result<void> DnsResolver::Channel::open() {
  bool stale = options.servers.empty() && running == 0 && changed_at(kResolvConf) != configured_at;
  if (channel && !stale) return {};
  close();
  configured_at = changed_at(kResolvConf);
  ares_options settings{};
  settings.timeout = static_cast<int>(options.timeout / 1ms);
  settings.tries = options.tries;
  settings.sock_state_cb = [](void* context, ares_socket_t socket, int readable, int writable) {
    static_cast<Channel*>(context)->watch(socket, readable != 0, writable != 0);
  };
  settings.sock_state_cb_data = this;
  int status = ares_init_options(&channel, &settings, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
  if (status == ARES_SUCCESS && !options.servers.empty()) {
    status = ares_set_servers_ports_csv(channel, options.servers.c_str());
  }
  if (status == ARES_SUCCESS) return {};
  close();
  return Error::make(Code::internal, std::string("the DNS resolver: ") + ares_strerror(status));
}

void DnsResolver::Channel::watch(ares_socket_t socket, bool readable, bool writable) {
  if (!readable && !writable) {
    sockets.erase(socket);
    return;
  }
  auto& poll = sockets[socket];
  if (!poll) {
    auto ready = [this, socket](bool can_read, bool can_write) {
      process(can_read ? socket : ARES_SOCKET_BAD, can_write ? socket : ARES_SOCKET_BAD);
    };
    poll = std::make_unique<loop::FdPoll>(loop, socket, ready);
  }
  poll->wait_for(readable, writable);
}

void DnsResolver::Channel::process(ares_socket_t readable, ares_socket_t writable) {
  ares_process_fd(channel, readable, writable);
  arm_timer();
}

void DnsResolver::Channel::arm_timer() {
  if (timer) loop.cancel_timer(*std::exchange(timer, std::nullopt));
  timeval room{};
  timeval* next = ares_timeout(channel, nullptr, &room);
  if (!next) return;
  Duration wait = std::chrono::seconds(next->tv_sec) + std::chrono::microseconds(next->tv_usec) + 1ms;
  timer = loop.start_timer(loop.now() + wait, [this] {
    timer.reset();
    process(ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  });
}

DnsResolver::DnsResolver(loop::UvLoop& loop, ResolverOptions options)
    : channel_(std::make_shared<Channel>(loop, std::move(options))) {}

DnsResolver::~DnsResolver() { channel_->close(); }

Task<std::vector<std::string>> DnsResolver::resolve(std::string name) {
  auto channel = channel_;
  co_await channel->open();
  auto lookup = std::make_shared<Lookup>(channel->loop);
  struct Running {
    size_t& count;
    explicit Running(size_t& all) : count(all) { ++count; }
    ~Running() { --count; }
  } running(channel->running);
  ares_addrinfo_hints hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  ares_getaddrinfo(channel->channel, name.c_str(), nullptr, &hints, finish_lookup, new std::shared_ptr<Lookup>(lookup));
  channel->arm_timer();
  co_await lookup->done.wait();
  if (!lookup->addresses.empty()) co_return std::move(lookup->addresses);
  bool missing = lookup->status == ARES_SUCCESS || is_missing(lookup->status);
  if (missing) co_return Error::make(Code::not_found, "lookup " + name + ": no such host");
  co_return Error::make(Code::unavailable, "lookup " + name + ": " + ares_strerror(lookup->status));
}

}  // namespace orch::wire
