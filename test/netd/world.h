#pragma once
// A node in a network namespace of the test process's own: netd over a fake API, pods that are nothing but namespaces, and
// sockets in any of them.

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <thread>

#include "data/yaml.h"
#include "loop/uv_loop.h"
#include "netd/netd.h"
#include "support/fake_api.h"

namespace orch::test {

// Puts the whole process into a new namespace, once, before libuv makes its threads. False: refused.
bool enter_own_namespace();
std::string shell(const std::string& command);

// A network namespace held by a sleeping child.
class Namespace {
 public:
  Namespace();
  ~Namespace();
  Namespace(const Namespace&) = delete;
  Namespace& operator=(const Namespace&) = delete;
  std::string path() const { return "/proc/" + std::to_string(pid_) + "/ns/net"; }
  // Runs on a thread inside.
  void inside(const std::function<void()>& work) const;
  std::string shell(const std::string& command) const { return test::shell("nsenter --net=" + path() + " " + command); }

 private:
  pid_t pid_;
};

// Answers each connection (or datagram) with its text and the client's address: "web 10.42.0.1". In the namespace of the
// thread that makes it.
class Responder {
 public:
  Responder(std::string text, uint16_t port, int type = SOCK_STREAM, const std::string& address = "0.0.0.0");
  ~Responder();

 private:
  std::string text_;
  int fd_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

// What a Responder at the address says; "refused", "timeout", "unreachable". From the thread's namespace.
std::string ask(const std::string& address, uint16_t port, int type = SOCK_STREAM);

struct World {
  World();
  ~World();

  void start();
  void stop();
  // Turns the loop until it holds; false after 10 s.
  bool wait(const std::function<bool()>& condition);
  template <class T>
  Result<T> run(loop::Task<T> task);
  Result<void> run(loop::Task<void> task);
  runtime::PodAddresses attach(const std::string& uid, const Namespace& pod, std::vector<runtime::HostPort> ports = {});
  std::string ask_in(const Namespace* pod, const std::string& address, uint16_t port, int type = SOCK_STREAM);
  // A command, while the loop turns.
  std::string shell_turning(const std::string& command);
  Value put(const plan::Type& type, std::string_view text);
  void service(std::string_view text) { put(plan::types::services, text); }
  void slice(std::string_view text) { put(plan::types::endpoint_slices, text); }
  std::string rules() { return test::shell("nft list ruleset"); }

  std::string directory;
  loop::UvLoop loop;
  FakeCluster cluster;
  FakeApi api{loop, cluster};
  std::unique_ptr<netd::Netd> netd;
  std::vector<std::string> log;
};

template <class T>
Result<T> World::run(loop::Task<T> task) {
  std::optional<Result<T>> result;
  auto body = [](loop::Task<T> t, std::optional<Result<T>>& out) -> loop::Task<void> {
    auto r = co_await std::move(t).result();
    out.emplace(std::move(r));
  };
  (void)loop.run(body(std::move(task), result)).ok();
  return std::move(*result);
}

}  // namespace orch::test
