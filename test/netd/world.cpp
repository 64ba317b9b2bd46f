#include "netd/world.h"

#include <catch2/catch_test_macros.hpp>

namespace orch::test {

namespace {

sockaddr_in address_of(const std::string& text, uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  inet_pton(AF_INET, text.c_str(), &address.sin_addr);
  return address;
}

std::string text_of(const sockaddr_in& address) {
  char text[INET_ADDRSTRLEN];
  return inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
}

std::string failure() {
  if (errno == ECONNREFUSED) return "refused";
  if (errno == ENETUNREACH || errno == EHOSTUNREACH) return "unreachable";
  if (errno == EAGAIN || errno == ETIMEDOUT || errno == EINPROGRESS) return "timeout";
  return std::string("error ") + std::to_string(errno);
}

}  // namespace

bool enter_own_namespace() {
  static const bool entered = [] {
    if (::unshare(CLONE_NEWNET) != 0) return false;
    return shell("ip link set lo up").empty();
  }();
  return entered;
}

std::string shell(const std::string& command) {
  FILE* pipe = ::popen(("{ " + command + "; } 2>&1").c_str(), "r");
  std::string output;
  char buffer[4096];
  while (size_t n = std::fread(buffer, 1, sizeof buffer, pipe)) output.append(buffer, n);
  ::pclose(pipe);
  return output;
}

Namespace::Namespace() {
  int ready[2];
  REQUIRE(::pipe2(ready, O_CLOEXEC) == 0);
  pid_ = ::fork();
  if (pid_ == 0) {
    const char ok = ::unshare(CLONE_NEWNET) == 0 ? '1' : '0';
    (void)!::write(ready[1], &ok, 1);
    for (;;) ::pause();
  }
  char ok = '0';
  REQUIRE(::read(ready[0], &ok, 1) == 1);
  ::close(ready[0]);
  ::close(ready[1]);
  REQUIRE(ok == '1');
}

Namespace::~Namespace() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Namespace::inside(const std::function<void()>& work) const {
  std::thread thread([&] {
    const int fd = ::open(path().c_str(), O_RDONLY | O_CLOEXEC);
    const bool entered = ::setns(fd, CLONE_NEWNET) == 0;
    ::close(fd);
    if (entered) work();
  });
  thread.join();
}

Responder::Responder(std::string text, uint16_t port, int type, const std::string& address)
    : text_(std::move(text)), fd_(::socket(AF_INET, type | SOCK_CLOEXEC, 0)) {
  const int one = 1;
  ::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  const sockaddr_in local = address_of(address, port);
  const bool bound = ::bind(fd_, reinterpret_cast<const sockaddr*>(&local), sizeof local) == 0;
  if (bound && type == SOCK_STREAM) ::listen(fd_, 64);
  thread_ = std::thread([this, type, bound] {
    while (bound && !stop_) {
      pollfd ready{fd_, POLLIN, 0};
      if (::poll(&ready, 1, 20) <= 0) continue;
      sockaddr_in from{};
      socklen_t size = sizeof from;
      if (type == SOCK_STREAM) {
        const int client = ::accept(fd_, reinterpret_cast<sockaddr*>(&from), &size);
        const std::string answer = text_ + " " + text_of(from);
        (void)!::write(client, answer.data(), answer.size());
        ::close(client);
      } else {
        char buffer[64];
        (void)::recvfrom(fd_, buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size);
        const std::string answer = text_ + " " + text_of(from);
        (void)::sendto(fd_, answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
      }
    }
  });
}

Responder::~Responder() {
  stop_ = true;
  thread_.join();
  ::close(fd_);
}

std::string ask(const std::string& address, uint16_t port, int type) {
  const int fd = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
  const timeval patience{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  const sockaddr_in to = address_of(address, port);
  std::string answer;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
    answer = failure();
  } else {
    if (type == SOCK_DGRAM) (void)!::write(fd, "?", 1);
    char buffer[256];
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    answer = n < 0 ? failure() : std::string(buffer, static_cast<size_t>(n));
  }
  ::close(fd);
  return answer;
}

World::World() {
  char pattern[] = "/tmp/orch-netd-XXXXXX";
  directory = ::mkdtemp(pattern);
  cluster.add(plan::types::namespaces, Value::object({{"metadata", Value::object({{"name", "default"}})}}));
  cluster.add(plan::types::namespaces, Value::object({{"metadata", Value::object({{"name", "kube-system"}})}}));
  cluster.add(plan::types::nodes, Value::object({{"metadata", Value::object({{"name", "node-1"}})},
                                                 {"spec", Value::object({{"podCIDR", "10.42.0.0/24"}})}}));
}

World::~World() {
  if (netd) (void)run(netd->remove_everything()).ok();
  netd.reset();
  std::filesystem::remove_all(directory);
}

void World::start() {
  netd::Options options;
  options.data_dir = directory;
  options.instance = "abcd00000000";
  options.node = "node-1";
  options.resolv_conf = directory + "/resolv.conf";
  auto sink = [this](LogLevel level, std::string_view line) {
    if (level >= LogLevel::warn) log.emplace_back(line);
  };
  auto started = netd::Netd::start(loop, api, Logger(sink, LogLevel::info), options);
  REQUIRE(started.ok());
  netd = std::move(*started);
  const bool ready = wait([this] { return netd->pod_network().not_ready_reason().empty(); });
  if (!ready) UNSCOPED_INFO(netd->pod_network().not_ready_reason());
  REQUIRE(ready);
}

void World::stop() {
  REQUIRE(run(netd->stop()).ok());
  netd.reset();
}

namespace {

loop::Task<void> turn_until(loop::Loop& loop, const std::function<bool()>& condition, bool& holds) {
  for (int i = 0; i < 2000; ++i) {
    holds = condition();
    if (holds) co_return;
    co_await loop::sleep(loop, 5ms);
  }
}

loop::Task<void> shell_task(loop::Loop& loop, std::string command, std::string& output) {
  auto work = [command] { return shell(command); };
  output = co_await loop::offload(loop, work);
}

loop::Task<void> keep_result(loop::Task<void> task, std::optional<Result<void>>& out) {
  auto result = co_await std::move(task).result();
  out.emplace(std::move(result));
}

}  // namespace

bool World::wait(const std::function<bool()>& condition) {
  bool holds = false;
  (void)loop.run(turn_until(loop, condition, holds)).ok();
  return holds;
}

std::string World::shell_turning(const std::string& command) {
  std::string output;
  (void)loop.run(shell_task(loop, command, output)).ok();
  return output;
}

Result<void> World::run(loop::Task<void> task) {
  std::optional<Result<void>> result;
  (void)loop.run(keep_result(std::move(task), result)).ok();
  return std::move(*result);
}

runtime::PodAddresses World::attach(const std::string& uid, const Namespace& pod, std::vector<runtime::HostPort> ports) {
  runtime::PodNetworkRequest request{uid, "default", uid, pod.path(), std::move(ports)};
  auto attached = run(netd->pod_network().attach(std::move(request)));
  if (!attached.ok()) UNSCOPED_INFO(attached.error().message());
  REQUIRE(attached.ok());
  return *attached;
}

std::string World::ask_in(const Namespace* pod, const std::string& address, uint16_t port, int type) {
  if (!pod) return ask(address, port, type);
  std::string answer;
  pod->inside([&] { answer = ask(address, port, type); });
  return answer;
}

Value World::put(const plan::Type& type, std::string_view text) {
  auto parsed = parse_yaml_document(text);
  REQUIRE(parsed.ok());
  const Value object = parsed->with_path({"metadata", "namespace"}, Value("default"));
  const Value found = cluster.get(type, "default", plan::name_of(object));
  if (found.is_null()) return cluster.add(type, object);
  return cluster.change(type, found, [&](const Value& current) {
    ObjectBuilder changed(current);
    for (const Member& member : object.members())
      if (member.name() != "metadata") changed.set(member.name(), member.value);
    return std::move(changed).build();
  });
}

}  // namespace orch::test
