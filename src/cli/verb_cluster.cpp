// version, cluster-info, api-resources, api-versions: about the server as a whole.

#include <algorithm>

#include "base/text.h"
#include "cli/object_printer.h"
#include "cli/tab_writer.h"
#include "cli/verbs.h"
#include "data/json.h"
#include "data/yaml.h"
#include "orch/version.h"

namespace orch::cli {

using loop::fail;
using loop::Task;

namespace {

Value client_version() {
  return Value::object({{"gitVersion", ORCH_KUBERNETES_VERSION "+orch." ORCH_VERSION},
                        {"gitCommit", ORCH_GIT_COMMIT},
                        {"major", "1"},
                        {"minor", "33"}});
}

bool has_cluster(Invocation& in) {
  auto connection = in.session.connection();
  return connection.ok();
}

Task<int> run_version(Invocation& in) {
  std::string output = in.text("output");
  if (!output.empty() && output != "json" && output != "yaml") {
    co_await fail(usage_error("--output must be 'yaml' or 'json'"));
  }
  Value versions = Value::object({{"clientVersion", client_version()}});
  if (output.empty()) {
    in.console.out("orch " ORCH_VERSION " (" ORCH_GIT_COMMIT ")\nClient Version: " ORCH_KUBERNETES_VERSION "\n");
  }
  Result<Value> server = Value();
  // Without any cluster the client's version is the whole answer.
  if (!in.on("client") && has_cluster(in)) {
    server = co_await in.session.get_json("/version").result();
    if (server.ok()) versions = versions.with("serverVersion", server.value());
  }
  if (output == "json") in.console.out(format_json_pretty(versions, 2) + "\n");
  if (output == "yaml") in.console.out(format_yaml(versions));
  if (!server.ok()) co_await fail(std::move(server).error());
  if (output.empty() && versions.has("serverVersion")) {
    in.console.out("Server Version: " +
                   std::string(versions["serverVersion"]["gitVersion"].as_string()) + "\n");
  }
  co_return 0;
}

Task<int> run_cluster_info(Invocation& in) {
  client::RestClient* to = co_await in.session.client();
  Value services = co_await in.session.get_json(
      "/api/v1/namespaces/kube-system/services?labelSelector=kubernetes.io%2Fcluster-service%3Dtrue");
  in.console.out("Kubernetes control plane is running at " + to->origin() + "\n");
  for (const Value& service : services["items"].items()) {
    const Value& metadata = service["metadata"];
    std::string name(metadata["labels"]["kubernetes.io/name"].as_string());
    std::string service_name(metadata["name"].as_string());
    const Value& port = service["spec"]["ports"].at(0);
    std::string suffix = port["name"].as_string().empty()
                             ? std::string()
                             : ":" + std::string(port["name"].as_string());
    in.console.out((name.empty() ? service_name : name) + " is running at " + to->origin() +
                   "/api/v1/namespaces/kube-system/services/" + service_name + suffix + "/proxy\n");
  }
  co_return 0;
}

// --- api-resources

bool shown(const Invocation& in, const Resource& resource) {
  if (resource.verbs.empty()) return false;
  if (in.arguments.given("namespaced") && in.on("namespaced") != resource.namespaced) return false;
  if (in.arguments.given("api-group") && in.text("api-group") != resource.group) return false;
  for (const std::string& verb : in.arguments.list("verbs")) {
    if (!resource.can(verb)) return false;
  }
  for (const std::string& category : in.arguments.list("categories")) {
    if (std::ranges::find(resource.categories, category) == resource.categories.end()) return false;
  }
  return resource.preferred;
}

std::string resource_line(const Resource& resource, bool wide) {
  std::string line = resource.plural + "\t" + join(resource.short_names, ",") + "\t" +
                     resource.api_version() + "\t" + (resource.namespaced ? "true" : "false") + "\t" +
                     resource.kind;
  if (wide) line += "\t" + join(resource.verbs, ",") + "\t" + join(resource.categories, ",");
  return line + "\n";
}

Task<int> run_api_resources(Invocation& in) {
  std::string output = in.text("output");
  if (!output.empty() && output != "wide" && output != "name") {
    co_await fail(usage_error("--output " + output + " is not available; wide and name are"));
  }
  const ResourceMap* map = co_await in.session.resources();
  std::vector<const Resource*> resources;
  for (const Resource& resource : map->all()) {
    if (shown(in, resource)) resources.push_back(&resource);
  }
  const bool by_kind = in.text("sort-by") == "kind";
  auto key = [by_kind](const Resource* resource) {
    if (by_kind) return std::pair(resource->kind, resource->group);
    return std::pair(resource->group, resource->plural);
  };
  std::ranges::stable_sort(resources, {}, key);
  if (in.text("sort-by") == "name") std::ranges::stable_sort(resources, {}, &Resource::plural);
  if (output == "name") {
    for (const Resource* resource : resources) in.console.out(resource->qualified() + "\n");
    co_return 0;
  }
  TabWriter writer = TabWriter::for_tables();
  if (!in.on("no-headers")) {
    writer.write(std::string("NAME\tSHORTNAMES\tAPIVERSION\tNAMESPACED\tKIND") +
                 (output == "wide" ? "\tVERBS\tCATEGORIES\n" : "\n"));
  }
  for (const Resource* resource : resources) writer.write(resource_line(*resource, output == "wide"));
  in.console.out(writer.flush());
  co_return 0;
}

Task<int> run_api_versions(Invocation& in) {
  std::vector<std::string> versions;
  Value core = co_await in.session.get_json("/api");
  for (const Value& version : core["versions"].items()) versions.emplace_back(version.as_string());
  Value groups = co_await in.session.get_json("/apis");
  for (const Value& group : groups["groups"].items()) {
    for (const Value& version : group["versions"].items()) {
      versions.emplace_back(version["groupVersion"].as_string());
    }
  }
  std::ranges::sort(versions);
  for (const std::string& version : versions) in.console.out(version + "\n");
  co_return 0;
}

}  // namespace

std::vector<Verb> cluster_verbs() {
  Flags version = {{"client", 0, FlagType::boolean, "false", "do not ask the server"},
                   {"output", 'o', FlagType::text, "", "json or yaml"},
                   {"short", 0, FlagType::boolean, "false", "accepted"}};
  Flags resources = {{"output", 'o', FlagType::text, "", "wide or name"},
                     {"no-headers", 0, FlagType::boolean, "false", "no header line"},
                     {"namespaced", 0, FlagType::boolean, "true", "only those in namespaces; =false: only others"},
                     {"api-group", 0, FlagType::text, "", "only of this group"},
                     {"verbs", 0, FlagType::list, "", "only those that have these verbs"},
                     {"categories", 0, FlagType::list, "", "only of these categories"},
                     {"sort-by", 0, FlagType::text, "", "name or kind"},
                     {"cached", 0, FlagType::boolean, "false", "accepted"}};
  return {Verb{"version", "", "Versions of orch and of the server", version, run_version},
          Verb{"cluster-info", "", "Where the control plane and its services are", {}, run_cluster_info},
          Verb{"api-resources", "", "The resources the server has", resources, run_api_resources},
          Verb{"api-versions", "", "The group versions the server has", {}, run_api_versions}};
}

}  // namespace orch::cli
