#pragma once
// PodDialer: a Network that connects from inside a pod's network namespace, whatever the node's routes are.

#include "loop/stream.h"
#include "runtime/pod_runtime.h"

namespace orch::agent {

class PodDialer final : public loop::Network {
 public:
  PodDialer(runtime::PodRuntime& runtime, std::string pod_uid) : runtime_(runtime), pod_uid_(std::move(pod_uid)) {}

  Result<std::unique_ptr<loop::Listener>> listen_tcp(std::string, uint16_t) override { return refused(); }
  Result<std::unique_ptr<loop::Listener>> listen_unix(std::string) override { return refused(); }
  loop::Task<std::unique_ptr<loop::Stream>> connect_tcp(std::string host, uint16_t port) override {
    return runtime_.connect(pod_uid_, std::move(host), port);
  }
  loop::Task<std::unique_ptr<loop::Stream>> connect_unix(std::string) override {
    co_await loop::fail(refused());
    co_return std::unique_ptr<loop::Stream>();
  }

 private:
  static Error refused() { return Error::make(Code::not_implemented, "a pod is connected to over TCP only"); }
  runtime::PodRuntime& runtime_;
  std::string pod_uid_;
};

}  // namespace orch::agent
