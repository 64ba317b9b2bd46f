#include "loop/uv_network.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <uv.h>

#include <cctype>
#include <cstring>
#include <deque>
#include <fstream>
#include <iterator>

#include "loop/uv_stream.h"

namespace orch::loop {

namespace {

constexpr int kBacklog = 1024;
// Connections taken from the kernel before somebody asked; more wait in its backlog.
constexpr size_t kAcceptAhead = 64;

class UvListener final : public Listener {
 public:
  UvListener(UvLoop& loop, UvStream::Kind kind) : loop_(loop), kind_(kind), handle_(new Handle), changed_(loop) {
    handle_->owner = this;
    if (kind == UvStream::Kind::tcp) {
      uv_tcp_init(loop.raw(), &handle_->tcp);
    } else {
      uv_pipe_init(loop.raw(), &handle_->pipe, 0);
    }
    handle_->stream.data = handle_;
  }
  ~UvListener() override { close(); }

  int bind_tcp(const sockaddr_storage& address);
  int bind_unix(const std::string& path);
  Task<std::unique_ptr<Stream>> accept() override;
  void close() override;
  uint16_t port() const override { return port_; }

 private:
  struct Handle {
    union {
      uv_stream_t stream;
      uv_tcp_t tcp;
      uv_pipe_t pipe;
    };
    UvListener* owner = nullptr;
    Handle() : tcp{} {}
  };
  int listen();
  void take();

  UvLoop& loop_;
  UvStream::Kind kind_;
  Handle* handle_;  // null: closed
  Event changed_;
  std::deque<std::unique_ptr<UvStream>> accepted_;
  bool more_ = false;  // libuv holds one more connection, and takes no others until we take it
  std::string path_;
  uint16_t port_ = 0;
};

int UvListener::listen() {
  return uv_listen(&handle_->stream, kBacklog, [](uv_stream_t* server, int status) {
    auto* owner = static_cast<Handle*>(server->data)->owner;
    if (!owner || status != 0) return;
    owner->more_ = true;
    if (owner->accepted_.size() < kAcceptAhead) owner->take();
  });
}

void UvListener::take() {
  more_ = false;
  auto stream = std::make_unique<UvStream>(loop_, kind_);
  if (uv_accept(&handle_->stream, stream->raw()) != 0) return;
  stream->tune();
  accepted_.push_back(std::move(stream));
  changed_.set();
}

Task<std::unique_ptr<Stream>> UvListener::accept() {
  while (accepted_.empty()) {
    if (!handle_) co_await fail(Error::make(Code::closed, "the listener is closed"));
    if (more_) {
      take();
      continue;
    }
    changed_.reset();
    co_await changed_.wait();
  }
  std::unique_ptr<Stream> stream = std::move(accepted_.front());
  accepted_.pop_front();
  if (more_ && handle_) take();
  co_return std::move(stream);
}

void UvListener::close() {
  if (!handle_) return;
  auto* handle = std::exchange(handle_, nullptr);
  handle->owner = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(&handle->stream),
           [](uv_handle_t* closed) { delete static_cast<Handle*>(closed->data); });
  if (!path_.empty()) unlink(path_.c_str());
  accepted_.clear();
  changed_.set();
}

int UvListener::bind_tcp(const sockaddr_storage& address) {
  int status = uv_tcp_bind(&handle_->tcp, reinterpret_cast<const sockaddr*>(&address), 0);
  if (status == 0) status = listen();
  if (status != 0) return status;
  sockaddr_storage bound{};
  int size = sizeof bound;
  uv_tcp_getsockname(&handle_->tcp, reinterpret_cast<sockaddr*>(&bound), &size);
  port_ = ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(bound).sin6_port
                                            : reinterpret_cast<sockaddr_in&>(bound).sin_port);
  return 0;
}

int UvListener::bind_unix(const std::string& path) {
  int status = uv_pipe_bind(&handle_->pipe, path.c_str());
  if (status != 0) return status;
  path_ = path;
  // Nobody can connect before listen(): there is no moment with wider rights.
  if (chmod(path.c_str(), 0600) != 0) return -errno;
  return listen();
}

bool parse_address(const std::string& text, uint16_t port, sockaddr_storage& address) {
  return uv_ip4_addr(text.c_str(), port, reinterpret_cast<sockaddr_in*>(&address)) == 0 ||
         uv_ip6_addr(text.c_str(), port, reinterpret_cast<sockaddr_in6*>(&address)) == 0;
}

bool fits_unix_address(const std::string& path) { return path.size() < sizeof(sockaddr_un::sun_path); }

// A socket file that a dead process left behind: connecting to it is refused at once.
bool is_stale_socket(const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0 || !S_ISSOCK(info.st_mode)) return false;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return false;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  int status = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
  bool refused = status != 0 && errno == ECONNREFUSED;
  close(fd);
  return refused;
}

std::string read_hosts_file() {
  std::ifstream in("/etc/hosts");
  return {std::istreambuf_iterator<char>(in), {}};
}

bool same_name(std::string_view a, std::string_view b) {
  auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [&](char x, char y) { return lower(x) == lower(y); });
}

// The words of one line up to a comment.
std::vector<std::string_view> words_of(std::string_view line) {
  line = line.substr(0, line.find('#'));
  std::vector<std::string_view> words;
  while (true) {
    size_t start = line.find_first_not_of(" \t\r");
    if (start == std::string_view::npos) return words;
    line.remove_prefix(start);
    size_t end = std::min(line.find_first_of(" \t\r"), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

}  // namespace

std::vector<std::string> find_in_hosts(std::string_view hosts_file, std::string_view name) {
  std::vector<std::string> addresses;
  while (!hosts_file.empty()) {
    size_t end = std::min(hosts_file.find('\n'), hosts_file.size());
    auto words = words_of(hosts_file.substr(0, end));
    hosts_file.remove_prefix(std::min(end + 1, hosts_file.size()));
    for (size_t i = 1; i < words.size(); ++i) {
      if (!same_name(words[i], name)) continue;
      addresses.emplace_back(words[0]);
      break;
    }
  }
  return addresses;
}

Result<std::unique_ptr<Listener>> UvNetwork::listen_tcp(std::string address, uint16_t port) {
  std::string what = "listen on " + address + ":" + std::to_string(port);
  sockaddr_storage parsed{};
  if (!parse_address(address, port, parsed)) return Error::make(Code::io, what + ": not a literal address");
  auto listener = std::make_unique<UvListener>(loop_, UvStream::Kind::tcp);
  int status = listener->bind_tcp(parsed);
  if (status != 0) return uv_error(status, what);
  return std::unique_ptr<Listener>(std::move(listener));
}

Result<std::unique_ptr<Listener>> UvNetwork::listen_unix(std::string path) {
  std::string what = "listen on " + path;
  if (!fits_unix_address(path)) return Error::make(Code::io, what + ": the path is too long for a socket");
  if (is_stale_socket(path)) unlink(path.c_str());
  auto listener = std::make_unique<UvListener>(loop_, UvStream::Kind::pipe);
  int status = listener->bind_unix(path);
  if (status != 0) return uv_error(status, what);
  return std::unique_ptr<Listener>(std::move(listener));
}

Task<std::vector<std::string>> UvNetwork::resolve(std::string host) {
  std::vector<std::string> addresses;
  sockaddr_storage literal{};
  if (parse_address(host, 0, literal)) {
    addresses.push_back(host);
    co_return std::move(addresses);
  }
  std::string hosts = co_await offload(loop_, read_hosts_file);
  addresses = find_in_hosts(hosts, host);
  if (addresses.empty() && same_name(host, "localhost")) addresses.assign({"127.0.0.1", "::1"});
  if (addresses.empty() && resolver_) addresses = co_await resolver_(host);
  if (addresses.empty()) co_await fail(Error::make(Code::not_found, "no address for the name " + host));
  co_return std::move(addresses);
}

Task<std::unique_ptr<Stream>> UvNetwork::connect_tcp(std::string host, uint16_t port) {
  std::string what = "connect to " + host + ":" + std::to_string(port);
  std::vector<std::string> addresses = co_await resolve(host);
  Result<void> last = Error::make(Code::not_found, what + ": no address");
  for (const auto& text : addresses) {
    sockaddr_storage address{};
    if (!parse_address(text, port, address)) continue;
    auto stream = std::make_unique<UvStream>(loop_, UvStream::Kind::tcp);
    last = co_await stream->connect_tcp(address, what).result();
    if (last.ok()) co_return std::unique_ptr<Stream>(std::move(stream));
  }
  co_await std::move(last);
  ORCH_UNREACHABLE();
}

Task<std::unique_ptr<Stream>> UvNetwork::connect_unix(std::string path) {
  if (!fits_unix_address(path)) co_await fail(Error::make(Code::io, path + ": too long for a socket"));
  auto stream = std::make_unique<UvStream>(loop_, UvStream::Kind::pipe);
  co_await stream->connect_pipe(path);
  co_return std::unique_ptr<Stream>(std::move(stream));
}

}  // namespace orch::loop
