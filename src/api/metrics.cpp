#include "api/metrics.h"

#include <set>

#include "client/node_table.h"
#include "data/json.h"
#include "loop/scope.h"
#include "loop/timeout.h"

namespace orch::api {

using client::Target;
using loop::fail;
using loop::Task;

namespace {

constexpr size_t kMaxSummary = 16 << 20;
constexpr Duration kNodeTimeout = 10s;
constexpr std::string_view kApiVersion = "metrics.k8s.io/v1beta1";

// {"cpu": "1234n", "memory": "5678Ki"} as metrics-server writes them; null where a figure is missing.
Value usage_of(const Value& stats) {
  const Value& cpu = stats["cpu"]["usageNanoCores"];
  const Value& memory = stats["memory"]["workingSetBytes"];
  if (!cpu.is_int() || !memory.is_int()) return Value();
  int64_t nanos = cpu.as_int();
  std::string cores = nanos == 0 ? "0" : std::to_string(nanos) + "n";
  return Value::object({{"cpu", cores}, {"memory", std::to_string(memory.as_int() / 1024) + "Ki"}});
}

Value metadata_of(const Value& object, Instant now) {
  const Value& from = object["metadata"];
  ObjectBuilder metadata;
  metadata.set("name", from["name"]).set_if("namespace", from["namespace"].as_string());
  metadata.set("creationTimestamp", format_time(now));
  if (!from["labels"].empty()) metadata.set("labels", from["labels"]);
  return std::move(metadata).build();
}

Value envelope(std::string_view kind, const Value& object, const Value& stats, Instant now) {
  return Value::object({{"apiVersion", kApiVersion},
                        {"kind", kind},
                        {"metadata", metadata_of(object, now)},
                        {"timestamp", stats["cpu"]["time"].as_string(format_time(now))},
                        {"window", stats["cpu"]["window"].as_string("10s")}});
}

Value list_of(std::string_view kind, std::vector<Value> items) {
  return Value::object({{"apiVersion", kApiVersion},
                        {"kind", kind},
                        {"metadata", Value::empty_object()},
                        {"items", Value::list(std::move(items))}});
}

Error missing(std::string_view resource, std::string name) {
  std::string message = std::string(resource) + ".metrics.k8s.io \"" + name + "\" not found";
  return Error::make(Code::not_found, message).about("metrics.k8s.io", resource, name);
}

}  // namespace

Value node_metrics(const Value& node, const Value& summary, Instant now) {
  Value usage = usage_of(summary["node"]);
  if (usage.is_null()) return Value();
  return envelope("NodeMetrics", node, summary["node"], now).with("usage", std::move(usage));
}

Value pod_metrics(const Value& pod, const Value& summary, Instant now) {
  for (const Value& stats : summary["pods"].items()) {
    if (stats["podRef"]["uid"] != pod["metadata"]["uid"]) continue;
    std::vector<Value> containers;
    for (const Value& container : stats["containers"].items()) {
      Value usage = usage_of(container);
      if (!usage.is_null()) containers.push_back(Value::object({{"name", container["name"]}, {"usage", usage}}));
    }
    if (containers.empty()) return Value();
    return envelope("PodMetrics", pod, stats["containers"].at(0), now).with("containers", Value::list(std::move(containers)));
  }
  return Value();
}

Task<void> Metrics::ask_one(std::string node, Summaries& into) {
  wire::Handler* handler = co_await connect_.node(node);
  wire::Request request = client::handler_request("/stats/summary");
  auto asking = client::ask_handler(*handler, std::move(request), kMaxSummary);
  auto reply = co_await loop::with_timeout(objects_.loop(), std::move(asking), kNodeTimeout);
  if (reply.status != 200) co_return;
  into[node] = co_await parse_json(reply.body);
}

Task<Metrics::Summaries> Metrics::ask(std::vector<std::string> nodes) {
  Summaries summaries;
  loop::Scope scope(objects_.loop());
  for (std::string& node : nodes) scope.spawn(ask_one(std::move(node), summaries));
  co_await scope.join();
  co_return std::move(summaries);
}

Task<Value> Metrics::read_nodes(ListQuery query, std::string name) {
  Target target{"", "v1", "nodes", "", "", ""};
  ListPage page = co_await objects_.list(std::move(target), std::move(query));
  std::vector<std::string> names;
  for (const auto& node : page.items) {
    std::string_view one = node->value["metadata"]["name"].as_string();
    if (name.empty() || name == one) names.emplace_back(one);
  }
  Summaries summaries = co_await ask(std::move(names));
  std::vector<Value> items;
  for (const auto& node : page.items) {
    auto found = summaries.find(node->value["metadata"]["name"].as_string());
    if (found == summaries.end()) continue;
    Value metrics = node_metrics(node->value, found->second, objects_.loop().wall());
    if (!metrics.is_null()) items.push_back(std::move(metrics));
  }
  if (name.empty()) co_return list_of("NodeMetricsList", std::move(items));
  if (items.empty()) co_await fail(missing("nodemetrics", name));
  co_return std::move(items[0]);
}

Task<Value> Metrics::read_pods(ListQuery query, std::string ns, std::string name) {
  if (!name.empty()) query.field_selector = "metadata.name=" + name;
  Target target{"", "v1", "pods", ns, "", ""};
  ListPage page = co_await objects_.list(std::move(target), std::move(query));
  std::set<std::string> names;
  for (const auto& pod : page.items) {
    std::string_view node = pod->value["spec"]["nodeName"].as_string();
    if (!node.empty() && pod->value["status"]["phase"] == Value("Running")) names.emplace(node);
  }
  Summaries summaries = co_await ask(std::vector<std::string>(names.begin(), names.end()));
  std::vector<Value> items;
  for (const auto& pod : page.items) {
    auto found = summaries.find(pod->value["spec"]["nodeName"].as_string());
    if (found == summaries.end()) continue;
    Value metrics = pod_metrics(pod->value, found->second, objects_.loop().wall());
    if (!metrics.is_null()) items.push_back(std::move(metrics));
  }
  if (name.empty()) co_return list_of("PodMetricsList", std::move(items));
  if (items.empty()) co_await fail(missing("podmetrics", ns + "/" + name));
  co_return std::move(items[0]);
}

Task<Value> Metrics::read(const wire::Request& request, const RequestInfo& info) {
  if (info.verb != "get" && info.verb != "list") {
    co_await fail(Error::make(Code::method_not_allowed, "the server does not allow this method on the requested resource"));
  }
  ListQuery query;
  query.label_selector = request.query.get("labelSelector");
  query.field_selector = request.query.get("fieldSelector");
  const Target& target = info.target;
  if (target.resource == "nodes") co_return co_await read_nodes(std::move(query), target.name);
  co_return co_await read_pods(std::move(query), target.ns, target.name);
}

}  // namespace orch::api
