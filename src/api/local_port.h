#pragma once
// ApiPort inside the process: hands over the shared immutable objects themselves.

#include "api/objects.h"
#include "client/api_port.h"

namespace orch::api {

class LocalPort final : public client::ApiPort {
 public:
  explicit LocalPort(Objects& objects) : objects_(objects) {}
  loop::Task<Value> get(client::Target target) override;
  loop::Task<client::ListResult> list(client::Target target, client::ListOptions options) override;
  loop::Task<std::unique_ptr<client::WatchStream>> watch(client::Target target,
                                                         client::WatchOptions options) override;
  loop::Task<Value> create(client::Target target, Value object, client::WriteOptions options) override;
  loop::Task<Value> update(client::Target target, Value object, client::WriteOptions options) override;
  loop::Task<Value> patch(client::Target target, client::PatchType type, Value patch,
                          client::WriteOptions options) override;
  loop::Task<Value> remove(client::Target target, client::RemoveOptions options) override;
  loop::Task<Value> remove_collection(client::Target target, client::ListOptions which,
                                      client::RemoveOptions options) override;

 private:
  Objects& objects_;
};

}  // namespace orch::api
