#pragma once
// Session: a verb's way to the server. The kubeconfig is read and the server asked for its resources the
// first time somebody wants to know; a verb that needs neither works without a server.

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "cli/console.h"
#include "cli/discovery.h"
#include "cli/kubeconfig.h"
#include "client/http_port.h"
#include "client/rest_client.h"
#include "loop/loop.h"
#include "loop/stream.h"
#include "schema/graph.h"

namespace orch::cli {

class Session {
 public:
  Session(loop::Loop& loop, loop::Network& network, Console& console, Overrides overrides)
      : loop_(loop), network_(network), console_(console), overrides_(std::move(overrides)) {}
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  loop::Loop& loop() { return loop_; }
  loop::Network& network() { return network_; }
  const Overrides& overrides() const { return overrides_; }
  Result<const Kubeconfig*> kubeconfig();
  Result<const Connection*> connection();
  Result<client::RestClient*> client();
  // -n, else the context's, else "default".
  Result<std::string> ns();

  // Every status but 2xx is an error; the server's warnings are shown, each once.
  loop::Task<client::RestReply> call(client::RestRequest request);
  loop::Task<Value> call_json(client::RestRequest request);
  loop::Task<Value> get_json(std::string target);
  loop::Task<std::unique_ptr<client::WatchLines>> watch(client::RestRequest request);
  loop::Task<const ResourceMap*> resources();
  // The resource, or `the server doesn't have a resource type "x"`.
  loop::Task<const Resource*> find_resource(std::string text);
  // Of a manifest elsewhere; only plain http and https, no redirects beyond ten.
  loop::Task<std::string> fetch_url(std::string url);

  Result<const schema::Registry*> schemas();

 private:
  loop::Task<std::optional<ResourceMap>> discover_aggregated();
  loop::Task<ResourceMap> discover_lists();
  void show_warnings(const wire::Headers& headers);

  loop::Loop& loop_;
  loop::Network& network_;
  Console& console_;
  Overrides overrides_;
  std::optional<Kubeconfig> kubeconfig_;
  std::optional<Connection> connection_;
  std::unique_ptr<client::RestClient> client_;
  std::optional<ResourceMap> resources_;
  std::shared_ptr<const schema::Registry> schemas_;
  std::set<std::string> warnings_;
};

// The path of an object, a collection (no name) or a subresource.
std::string resource_path(const Resource& resource, const std::string& ns, const std::string& name,
                          const std::string& subresource = "");
std::string with_query(std::string path, const std::vector<std::pair<std::string, std::string>>& pairs);

}  // namespace orch::cli
