#include "cli/session.h"

#include <cerrno>

#include "base/text.h"
#include "data/json.h"
#include "orch/version.h"

namespace orch::cli {

using client::RestReply;
using client::RestRequest;
using loop::Task;

namespace {

constexpr std::string_view kAggregated =
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
constexpr size_t kMaxErrorBody = 1 << 20;

// kubectl's sentence for the most common mishap.
Error explain_refused(Error error, const client::RestClient& client) {
  if (error.error_number() != ECONNREFUSED) return error;
  return failure("The connection to the server " + client.options().endpoint.authority() +
                 " was refused - did you specify the right host or port?");
}

Result<client::RestOptions> rest_options(const Connection& connection) {
  client::RestOptions options;
  // Without a scheme it is http, as kubectl reads it.
  const bool has_scheme = connection.server.find("://") != std::string::npos;
  TRY(options.endpoint, wire::parse_endpoint(has_scheme ? connection.server : "http://" + connection.server));
  options.server_name = connection.server_name;
  options.bearer_token = connection.token;
  options.user_agent = "orch/" ORCH_VERSION;
  if (connection.token.empty() && !connection.username.empty()) {
    options.headers.emplace_back(
        "Authorization", "Basic " + encode_base64(connection.username + ":" + connection.password));
  }
  if (!connection.as_user.empty()) options.headers.emplace_back("Impersonate-User", connection.as_user);
  for (const std::string& group : connection.as_groups) {
    options.headers.emplace_back("Impersonate-Group", group);
  }
  if (!options.endpoint.tls) return options;
  wire::TlsContext::Client tls;
  tls.ca_pem = connection.ca_pem;
  tls.verify = !connection.insecure;
  if (!connection.certificate_pem.empty()) {
    tls.identity = wire::Identity{connection.certificate_pem, connection.key_pem};
  }
  TRY(options.tls, wire::TlsContext::client(tls));
  return options;
}

}  // namespace

std::string resource_path(const Resource& resource, const std::string& ns, const std::string& name,
                          const std::string& subresource) {
  client::Target target;
  target.group = resource.group;
  target.version = resource.version;
  target.resource = resource.plural;
  if (resource.namespaced) target.ns = ns;
  target.name = name;
  target.subresource = subresource;
  return client::target_path(target);
}

std::string with_query(std::string path, const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string query = client::format_query(pairs);
  return query.empty() ? path : path + "?" + query;
}

Result<const Kubeconfig*> Session::kubeconfig() {
  if (!kubeconfig_) {
    TRY(kubeconfig_, load_kubeconfig(console_, overrides_.kubeconfig));
  }
  return &*kubeconfig_;
}

Result<const Connection*> Session::connection() {
  if (!connection_) {
    TRY(const Kubeconfig* config, kubeconfig());
    TRY(connection_, resolve_connection(console_, *config, overrides_));
  }
  return &*connection_;
}

Result<client::RestClient*> Session::client() {
  if (!client_) {
    TRY(const Connection* to, connection());
    TRY(auto options, rest_options(*to));
    client_ = std::make_unique<client::RestClient>(loop_, network_, std::move(options));
  }
  return client_.get();
}

Result<std::string> Session::ns() {
  if (!overrides_.ns.empty()) return overrides_.ns;
  TRY(const Connection* to, connection());
  return to->ns.empty() ? std::string("default") : to->ns;
}

Result<const schema::Registry*> Session::schemas() {
  if (!schemas_) {
    TRY(schemas_, schema::Registry::builtin());
  }
  return schemas_.get();
}

// RFC 7234 section 5.5: 299 - "text"
void Session::show_warnings(const wire::Headers& headers) {
  for (const auto& [name, value] : headers.all()) {
    if (!equals_ignore_case(name, "Warning")) continue;
    size_t start = value.find('"');
    size_t end = value.rfind('"');
    if (start == std::string::npos || end <= start) continue;
    std::string text = replace_all(value.substr(start + 1, end - start - 1), "\\\"", "\"");
    if (warnings_.insert(text).second) console_.error("Warning: " + text + "\n");
  }
}

Task<RestReply> Session::call(RestRequest request) {
  client::RestClient* to = co_await client();
  auto reply = co_await to->send(std::move(request)).result();
  if (!reply.ok()) co_await loop::fail(explain_refused(std::move(reply).error(), *to));
  show_warnings(reply.value().headers);
  if (!reply.value().ok()) {
    co_await loop::fail(client::reply_error(reply.value().status, reply.value().body));
  }
  co_return std::move(reply).value();
}

Task<Value> Session::call_json(RestRequest request) {
  auto reply = co_await call(std::move(request));
  Value value = co_await parse_json(reply.body);
  co_return std::move(value);
}

Task<Value> Session::get_json(std::string target) {
  RestRequest request;
  request.target = std::move(target);
  Value value = co_await call_json(std::move(request));
  co_return std::move(value);
}

Task<std::unique_ptr<client::WatchLines>> Session::watch(RestRequest request) {
  client::RestClient* to = co_await client();
  auto stream = co_await to->open(std::move(request));
  show_warnings(stream->headers());
  if (stream->status() != 200) {
    std::string body = co_await client::read_body(*stream, kMaxErrorBody);
    co_await loop::fail(client::reply_error(stream->status(), body));
  }
  auto lines = std::make_unique<client::WatchLines>(std::move(stream));
  co_return std::move(lines);
}

Task<std::optional<ResourceMap>> Session::discover_aggregated() {
  RestRequest core;
  core.target = "/api";
  core.accept = kAggregated;
  Value core_list = co_await call_json(std::move(core));
  if (core_list["kind"].as_string() != "APIGroupDiscoveryList") {
    co_return std::optional<ResourceMap>();
  }
  RestRequest groups;
  groups.target = "/apis";
  groups.accept = kAggregated;
  Value group_list = co_await call_json(std::move(groups));
  co_return std::optional<ResourceMap>(ResourceMap::from_aggregated(core_list, group_list));
}

Task<ResourceMap> Session::discover_lists() {
  std::vector<Value> lists;
  Value core = co_await get_json("/api");
  for (const Value& version : core["versions"].items()) {
    Value list = co_await get_json("/api/" + std::string(version.as_string()));
    lists.push_back(std::move(list));
  }
  Value groups = co_await get_json("/apis");
  for (const Value& group : groups["groups"].items()) {
    for (const Value& version : group["versions"].items()) {
      Value list = co_await get_json("/apis/" + std::string(version["groupVersion"].as_string()));
      lists.push_back(std::move(list));
    }
  }
  co_return ResourceMap::from_lists(lists);
}

Task<const ResourceMap*> Session::resources() {
  if (!resources_) {
    resources_ = co_await discover_aggregated();
    if (!resources_) resources_ = co_await discover_lists();
  }
  co_return &*resources_;
}

Task<const Resource*> Session::find_resource(std::string text) {
  const ResourceMap* map = co_await resources();
  const Resource* found = map->find(text);
  if (!found) {
    co_await loop::fail(failure("the server doesn't have a resource type " + quote(text)));
  }
  co_return found;
}

Task<std::string> Session::fetch_url(std::string url) {
  for (int redirects = 0; redirects < 10; ++redirects) {
    size_t path_start = url.find('/', url.find("://") + 3);
    RestRequest request;
    request.target = path_start == std::string::npos ? "/" : url.substr(path_start);
    request.accept = "*/*";
    client::RestOptions options;
    options.endpoint = co_await wire::parse_endpoint(url.substr(0, path_start));
    options.user_agent = "orch/" ORCH_VERSION;
    if (options.endpoint.tls) {
      wire::TlsContext::Client tls;
      options.tls = co_await wire::TlsContext::client(tls);
    }
    client::RestClient client(loop_, network_, std::move(options));
    auto reply = co_await client.send(std::move(request));
    if (reply.ok()) co_return std::move(reply.body);
    std::string next(reply.headers.get("Location"));
    if (reply.status < 300 || reply.status >= 400 || next.empty()) {
      co_await loop::fail(failure("unable to read URL " + quote(url) + ", server reported " +
                                  std::to_string(reply.status)));
    }
    url = next.starts_with('/') ? url.substr(0, path_start) + next : next;
  }
  co_await loop::fail(failure("unable to read URL " + quote(url) + ": too many redirects"));
  co_return std::string();
}

}  // namespace orch::cli
