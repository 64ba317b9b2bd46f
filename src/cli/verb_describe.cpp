// describe, events.

#include <algorithm>

#include "base/text.h"
#include "cli/describe.h"
#include "cli/object_printer.h"
#include "cli/selection.h"
#include "cli/tab_writer.h"
#include "cli/verbs.h"

namespace orch::cli {

using loop::fail;
using loop::Task;

namespace {

// What a list brings, or nothing where the server does not let us or has no such resource: a description
// without it is better than none.
Task<std::vector<Value>> try_list(Invocation& in, std::string type, std::string ns, std::string labels,
                                  std::string fields) {
  const ResourceMap* map = co_await in.session.resources();
  const Resource* resource = map->find(type);
  if (!resource) co_return std::vector<Value>();
  auto objects = co_await list_objects(in, *resource, ns, labels, fields).result();
  if (!objects.ok()) co_return std::vector<Value>();
  co_return std::move(objects).value();
}

Task<Surroundings> read_surroundings(Invocation& in, const Value& object) {
  Surroundings around;
  around.now = in.console.now();
  const Value& metadata = object["metadata"];
  std::string ns(metadata["namespace"].as_string());
  std::string name(metadata["name"].as_string());
  std::string kind(object["kind"].as_string());
  if (in.on("show-events")) {
    std::string fields = "involvedObject.name=" + name + ",involvedObject.kind=" + kind;
    if (!ns.empty()) fields += ",involvedObject.namespace=" + ns;
    // A node's events say its name as their uid.
    if (kind != "Node") fields += ",involvedObject.uid=" + std::string(metadata["uid"].as_string());
    around.events = co_await try_list(in, "events.v1.", ns, "", fields);
    if (around.events.empty()) around.events = co_await try_list(in, "events", ns, "", fields);
  }
  if (kind == "Deployment") {
    auto sets = co_await try_list(in, "replicasets.apps", ns, "", "");
    for (Value& set : sets) {
      bool owned = false;
      for (const Value& owner : set["metadata"]["ownerReferences"].items()) {
        owned = owned || owner["uid"] == metadata["uid"];
      }
      if (owned) around.replica_sets.push_back(std::move(set));
    }
  }
  if (kind == "Service") {
    std::string label = "kubernetes.io/service-name=" + name;
    around.slices = co_await try_list(in, "endpointslices.discovery.k8s.io", ns, label, "");
  }
  if (kind == "Node") {
    std::string fields = "spec.nodeName=" + name + ",status.phase!=Succeeded,status.phase!=Failed";
    around.pods = co_await try_list(in, "pods", "", "", fields);
    auto leases = co_await try_list(in, "leases.coordination.k8s.io", "kube-node-lease", "", "metadata.name=" + name);
    if (!leases.empty()) around.lease = leases.front();
  }
  co_return std::move(around);
}

// Words with types alone describe all of the type; a name may be the start of one.
Task<std::vector<Selected>> find_described(Invocation& in) {
  std::vector<Selected> all;
  if (in.arguments.given("filename")) {
    all = co_await select_manifests(in);
    co_return std::move(all);
  }
  if (in.words().empty()) {
    co_await fail(usage_error("You must specify the type of resource to describe; `orch api-resources` lists them"));
  }
  auto types = co_await parse_types(in, in.words());
  for (const TypeNames& type : types) {
    std::string ns;
    if (type.resource->namespaced && !in.on("all-namespaces")) ns = co_await in.session.ns();
    if (!type.names.empty()) {
      for (const std::string& name : type.names) {
        Selected selected;
        selected.resource = type.resource;
        selected.ns = ns;
        selected.name = name;
        all.push_back(std::move(selected));
      }
      continue;
    }
    auto objects = co_await list_objects(in, *type.resource, ns, in.text("selector"), "");
    for (Value& object : objects) {
      Selected selected;
      selected.resource = type.resource;
      selected.ns = object["metadata"]["namespace"].as_string();
      selected.name = object["metadata"]["name"].as_string();
      all.push_back(std::move(selected));
    }
  }
  co_return std::move(all);
}

Task<std::vector<Value>> read_or_by_prefix(Invocation& in, const Selected& selected) {
  std::vector<Value> found;
  auto read = co_await read_object(in, selected).result();
  if (read.ok()) {
    found.push_back(std::move(read).value());
    co_return std::move(found);
  }
  if (!read.error().is(Code::not_found)) co_await fail(std::move(read).error());
  auto objects = co_await list_objects(in, *selected.resource, selected.ns, "", "");
  for (Value& object : objects) {
    if (object["metadata"]["name"].as_string().starts_with(selected.name)) found.push_back(std::move(object));
  }
  if (found.empty()) co_await fail(std::move(read).error());
  co_return std::move(found);
}

Task<int> run_describe(Invocation& in) {
  auto all = co_await find_described(in);
  if (all.empty()) {
    std::string ns = co_await in.session.ns();
    in.console.error("No resources found in " + ns + " namespace.\n");
    co_return 0;
  }
  int code = 0;
  bool first = true;
  for (const Selected& selected : all) {
    auto objects = co_await read_or_by_prefix(in, selected).result();
    if (!objects.ok()) {
      in.console.error(format_error(objects.error()));
      code = 1;
      continue;
    }
    for (const Value& object : objects.value()) {
      Surroundings around = co_await read_surroundings(in, object);
      in.console.out((first ? "" : "\n\n") + describe(object, around));
      first = false;
    }
  }
  co_return code;
}

// --- events

// `about`: "deployment/web", or "" for all.
bool wanted_event(const Invocation& in, const std::string& about, const Value& event) {
  auto types = in.arguments.list("types");
  auto is_this = [&](const std::string& type) {
    return equals_ignore_case(type, event["type"].as_string());
  };
  if (!types.empty() && std::ranges::none_of(types, is_this)) return false;
  if (about.empty()) return true;
  const Value& object = event["involvedObject"];
  std::string shown = to_lower(object["kind"].as_string()) + "/" + std::string(object["name"].as_string());
  return shown == about;
}

Task<int> run_events(Invocation& in) {
  std::string ns;
  const bool everywhere = in.on("all-namespaces");
  if (!everywhere) ns = co_await in.session.ns();
  // "deploy/web" -> "deployment/web", as events write it.
  std::string about = in.text("for");
  if (!about.empty()) {
    size_t slash = about.find('/');
    if (slash == std::string::npos) co_await fail(usage_error("--for must be in resource/name form"));
    const Resource* resource = co_await in.session.find_resource(about.substr(0, slash));
    about = to_lower(resource->kind) + about.substr(slash);
  }
  auto read = co_await try_list(in, "events", ns, "", "");
  std::vector<Value> events;
  for (Value& event : read) {
    if (wanted_event(in, about, event)) events.push_back(std::move(event));
  }
  std::ranges::stable_sort(events, {}, event_time);
  if (!in.text("output").empty()) {
    ObjectPrinter::Options options;
    ObjectPrinter printer = co_await ObjectPrinter::make(in.console, in.text("output"), options);
    std::vector<ObjectPrinter::Item> items;
    for (Value& event : events) items.push_back({std::move(event), "event"});
    std::string text = co_await printer.print_all(items, true);
    in.console.out(text);
    co_return 0;
  }
  if (events.empty()) {
    in.console.error(everywhere ? "No events found.\n" : "No events found in " + ns + " namespace.\n");
    co_return 0;
  }
  TabWriter writer = TabWriter::for_tables();
  const std::string start = everywhere ? "NAMESPACE\t" : "";
  if (!in.on("no-headers")) writer.write(start + "LAST SEEN\tTYPE\tREASON\tOBJECT\tMESSAGE\n");
  for (const Value& event : events) {
    const Value& object = event["involvedObject"];
    if (everywhere) writer.write(std::string(event["metadata"]["namespace"].as_string()) + "\t");
    writer.write(event_age(event, in.console.now()) + "\t" + std::string(event["type"].as_string()) + "\t" +
                 std::string(event["reason"].as_string()) + "\t" + std::string(object["kind"].as_string()) +
                 "/" + std::string(object["name"].as_string()) + "\t" +
                 std::string(trim(event["message"].as_string())) + "\n");
  }
  in.console.out(writer.flush());
  co_return 0;
}

}  // namespace

std::vector<Verb> describe_verbs() {
  Flags own = {{"show-events", 0, FlagType::boolean, "true", "with what happened to it"},
               {"selector", 'l', FlagType::text, "", "label query"},
               {"chunk-size", 0, FlagType::integer, "500", "accepted"}};
  Flags events = {{"for", 0, FlagType::text, "", "only of TYPE/NAME"},
                  {"types", 0, FlagType::list, "", "only Normal or Warning"},
                  {"no-headers", 0, FlagType::boolean, "false", "no header line"},
                  {"output", 'o', FlagType::text, "", "json, yaml, ..."}};
  return {Verb{"describe", "TYPE [NAME ...]", "Tell all about objects",
               flags::join({own, flags::files(), flags::all_namespaces()}), run_describe},
          Verb{"events", "", "What happened, oldest first", flags::join({events, flags::all_namespaces()}),
               run_events}};
}

}  // namespace orch::cli
