#include "api/connect.h"

#include <algorithm>
#include <array>

#include "api/pod_options.h"
#include "api/proxy.h"
#include "api/status.h"
#include "base/text.h"
#include "wire/http_parser.h"

namespace orch::api {

using client::Target;
using loop::fail;
using loop::Task;

namespace {

struct Connected {
  std::string_view resource, subresource;
  bool reads_only;  // GET; the others take POST as well, proxy any method
};
constexpr std::array<Connected, 7> kConnected = {{
    {"pods", "log", true},
    {"pods", "exec", false},
    {"pods", "attach", false},
    {"pods", "portforward", false},
    {"pods", "proxy", false},
    {"services", "proxy", false},
    {"nodes", "proxy", false},
}};

const Connected* find_connected(const Target& target) {
  if (!target.group.empty() || target.version != "v1") return nullptr;
  auto found = std::ranges::find_if(kConnected, [&](const Connected& one) {
    return one.resource == target.resource && one.subresource == target.subresource;
  });
  return found == kConnected.end() ? nullptr : &*found;
}

// "/<verb>/<namespace>/<pod>[/<container>][?query]": a kubelet's path.
std::string node_target(std::string_view verb, const Value& pod, std::string_view container, std::string query) {
  const Value& metadata = pod["metadata"];
  std::string target = "/" + std::string(verb) + "/" + encode_percent(metadata["namespace"].as_string()) + "/" +
                       encode_percent(metadata["name"].as_string());
  if (!container.empty()) target += "/" + encode_percent(container);
  if (!query.empty()) target += "?" + query;
  return target;
}

}  // namespace

bool Connect::serves(const RequestInfo& info) {
  return info.is_resource && !info.target.name.empty() && find_connected(info.target) != nullptr;
}

Result<wire::Handler*> Connect::node(std::string_view name) const {
  wire::Handler* handler = nodes_ ? nodes_->find(name) : nullptr;
  if (handler) return handler;
  return Error::make(Code::unavailable, "no agent answers for node " + quote(name) + "; it is down or not connected");
}

Task<void> Connect::serve(wire::Request request, const RequestInfo& info, wire::Peer peer, wire::Responder& responder) {
  const Connected& connected = *find_connected(info.target);
  bool read = request.method == "GET";
  bool allowed = connected.subresource == "proxy" || read || (!connected.reads_only && request.method == "POST");
  if (!allowed) {
    co_await fail(Error::make(Code::method_not_allowed, "the server does not allow this method on the requested resource"));
  }
  if (connected.subresource == "proxy") co_return co_await proxy(std::move(request), info, std::move(peer), responder);
  Target target = info.target;
  target.subresource.clear();
  store::StoredPtr stored = co_await objects_.get(std::move(target));
  Value pod = stored->value;
  if (connected.subresource == "log") {
    co_return co_await pod_log(std::move(request), std::move(pod), std::move(peer), responder);
  }
  co_await pod_stream(std::move(request), std::string(connected.subresource), std::move(pod), std::move(peer), responder);
}

Task<void> Connect::pod_log(wire::Request request, Value pod, wire::Peer peer, wire::Responder& responder) {
  std::string query = co_await log_query(request.query, pod["metadata"]["name"].as_string());
  std::string container = co_await choose_container(pod, request.query.get("container"));
  std::string node_name(pod["spec"]["nodeName"].as_string());
  if (node_name.empty()) {  // not scheduled: nothing has been written
    wire::Headers headers;
    headers.add("Content-Type", "text/plain");
    std::vector<loop::Chunk> nothing;
    co_return co_await responder.send(200, std::move(headers), std::move(nothing));
  }
  std::string target = node_target("containerLogs", pod, container, std::move(query));
  co_await hand_over(std::move(request), std::move(node_name), std::move(target), std::move(peer), responder);
}

Task<void> Connect::pod_stream(wire::Request request, std::string verb, Value pod, wire::Peer peer,
                               wire::Responder& responder) {
  std::string pod_name(pod["metadata"]["name"].as_string());
  bool forwards = verb == "portforward";
  std::string container;
  if (!forwards) container = co_await choose_container(pod, request.query.get("container"));
  std::string node_name(pod["spec"]["nodeName"].as_string());
  if (node_name.empty()) co_await fail(bad_request("pod " + pod_name + " does not have a host assigned"));
  std::string query = forwards ? port_query(request.query) : command_query(request.query);
  std::string target = node_target(forwards ? "portForward" : verb, pod, container, std::move(query));
  co_await hand_over(std::move(request), std::move(node_name), std::move(target), std::move(peer), responder);
}

Task<void> Connect::hand_over(wire::Request request, std::string node_name, std::string target, wire::Peer peer,
                              wire::Responder& responder) {
  wire::Handler* handler = co_await node(node_name);
  request.target = std::move(target);
  request.query = wire::Query();
  co_await wire::parse_target(request);
  co_await handler->handle(std::move(request), std::move(peer), responder);
}

Task<void> Connect::proxy(wire::Request request, const RequestInfo& info, wire::Peer peer, wire::Responder& responder) {
  ProxyPath path = proxy_path(request.target, info.target.ns.empty() ? 5 : 7);
  bool reads = request.method == "GET" || request.method == "HEAD";
  if (path.path.empty() && reads) {  // so that relative links in the page work
    wire::Headers headers;
    headers.add("Location", path.base + "/" + path.query);
    std::vector<loop::Chunk> nothing;
    co_return co_await responder.send(301, std::move(headers), std::move(nothing));
  }
  std::string target = (path.path.empty() ? "/" : path.path) + path.query;
  if (info.target.resource == "nodes") {
    std::string name(split(info.target.name, ':')[0]);
    Target node_object{"", "v1", "nodes", "", name, ""};
    co_await objects_.get(std::move(node_object));
    co_return co_await hand_over(std::move(request), std::move(name), std::move(target), std::move(peer), responder);
  }
  if (!network_) co_await fail(Error::make(Code::unavailable, "this server has no network to reach pods"));
  ProxyName name = co_await parse_proxy_name(info.target.name);
  ProxyAddress address;
  Target about{"", "v1", info.target.resource, info.target.ns, name.name, ""};
  store::StoredPtr object = co_await objects_.get(std::move(about));
  if (info.target.resource == "pods") {
    address = co_await pod_address(object->value, name);
  } else {
    Target endpoints_of{"", "v1", "endpoints", info.target.ns, name.name, ""};
    auto found = co_await objects_.get(std::move(endpoints_of)).result();
    Value endpoints;
    if (found.ok()) endpoints = (*found)->value;
    address = co_await service_address(object->value, endpoints, name);
  }
  co_await relay_to(objects_.loop(), *network_, request, address, std::move(target), path.base, responder);
}

}  // namespace orch::api
