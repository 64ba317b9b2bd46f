#pragma once
// HttpPort: ApiPort over HTTPS. Agents on other machines and the command line come through here; inside
// the server the same interface is api/local_port.h.

#include <memory>
#include <string>

#include "client/api_port.h"
#include "client/rest_client.h"

namespace orch::client {

// "/apis/apps/v1/namespaces/n/deployments/x/scale"
std::string target_path(const Target& target);

class HttpPort final : public ApiPort {
 public:
  explicit HttpPort(RestClient& client) : client_(client) {}

  loop::Task<Value> get(Target target) override;
  loop::Task<ListResult> list(Target target, ListOptions options) override;
  loop::Task<std::unique_ptr<WatchStream>> watch(Target target, WatchOptions options) override;
  loop::Task<Value> create(Target target, Value object, WriteOptions options) override;
  loop::Task<Value> update(Target target, Value object, WriteOptions options) override;
  loop::Task<Value> patch(Target target, PatchType type, Value patch, WriteOptions options) override;
  loop::Task<Value> remove(Target target, RemoveOptions options) override;
  loop::Task<Value> remove_collection(Target target, ListOptions which, RemoveOptions options) override;

 private:
  loop::Task<Value> call_json(RestRequest request);
  RestClient& client_;
};

// The events of a watch's body, one JSON document a line.
class WatchLines {
 public:
  explicit WatchLines(std::unique_ptr<wire::ReplyStream> stream) : stream_(std::move(stream)) {}
  // {type, object}: at least one; none at the end of the watch. An ERROR event is an Error.
  loop::Task<std::vector<Value>> next();

 private:
  std::unique_ptr<wire::ReplyStream> stream_;
  KeyCache keys_;
  std::string buffer_;
};

}  // namespace orch::client
