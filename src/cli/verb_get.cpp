// get: objects as tables made by the server, or as -o says.

#include "base/text.h"
#include "cli/object_printer.h"
#include "cli/selection.h"
#include "cli/table_printer.h"
#include "cli/verbs.h"
#include "data/json.h"

namespace orch::cli {

using loop::fail;
using loop::Task;

namespace {

constexpr std::string_view kTableAccept =
    "application/json;as=Table;v=v1;g=meta.k8s.io,"
    "application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";

// One request: a collection, or one object by its name.
struct Wanted {
  const Resource* resource = nullptr;
  std::string ns, name;
};

struct Get {
  Invocation& in;
  ObjectPrinter printer;
  bool everywhere = false;
  bool failed = false;  // something was not there; told already
  std::string sort_by;
};

Task<std::vector<Wanted>> find_wanted(Get& get) {
  Invocation& in = get.in;
  std::vector<Wanted> all;
  if (in.arguments.given("filename")) {
    auto selected = co_await select_manifests(in);
    for (const Selected& one : selected) all.push_back({one.resource, one.ns, one.name});
    co_return std::move(all);
  }
  if (in.words().empty()) {
    co_await fail(usage_error("Required resource not specified: give the type of resource to get; "
                              "`orch api-resources` lists them"));
  }
  auto types = co_await parse_types(in, in.words());
  const bool selecting = !in.text("selector").empty() || !in.text("field-selector").empty();
  for (const TypeNames& type : types) {
    if (!type.names.empty() && selecting) {
      co_await fail(failure("name cannot be provided when a selector is specified"));
    }
    if (!type.names.empty() && get.everywhere) {
      co_await fail(failure("a resource cannot be retrieved by name across all namespaces"));
    }
    std::string ns;
    if (type.resource->namespaced && !get.everywhere) ns = co_await in.session.ns();
    if (type.names.empty()) all.push_back({type.resource, ns, ""});
    for (const std::string& name : type.names) all.push_back({type.resource, ns, name});
  }
  co_return std::move(all);
}

client::RestRequest request_for(const Get& get, const Wanted& wanted, const std::string& token) {
  const Invocation& in = get.in;
  std::vector<std::pair<std::string, std::string>> query;
  if (wanted.name.empty()) {
    query = {{"labelSelector", in.text("selector")},
             {"fieldSelector", in.text("field-selector")},
             {"limit", in.arguments.integer("chunk-size") > 0 ? in.text("chunk-size") : ""},
             {"continue", token}};
  }
  client::RestRequest request;
  if (get.printer.is_table()) {
    request.accept = kTableAccept;
    if (!get.sort_by.empty()) query.emplace_back("includeObject", "Object");
  }
  request.target = with_query(
      resource_path(*wanted.resource, wanted.ns, wanted.name, in.text("subresource")), query);
  return request;
}

Value append_rows(const Value& table, const Value& more) {
  std::vector<Value> rows(table["rows"].items().begin(), table["rows"].items().end());
  rows.insert(rows.end(), more["rows"].items().begin(), more["rows"].items().end());
  return table.with("rows", Value::list(std::move(rows))).with("metadata", more["metadata"]);
}

Value append_items(const Value& list, const Value& more) {
  std::vector<Value> items(list["items"].items().begin(), list["items"].items().end());
  items.insert(items.end(), more["items"].items().begin(), more["items"].items().end());
  return list.with("items", Value::list(std::move(items))).with("metadata", more["metadata"]);
}

// The whole answer, all pages of it.
Task<Value> fetch(Get& get, const Wanted& wanted) {
  Value whole;
  std::string token;
  do {
    client::RestRequest request = request_for(get, wanted, token);
    Value page = co_await get.in.session.call_json(std::move(request));
    token = page["metadata"]["continue"].as_string();
    if (whole.is_null()) {
      whole = page;
    } else {
      whole = page["kind"].as_string() == "Table" ? append_rows(whole, page) : append_items(whole, page);
    }
  } while (wanted.name.empty() && !token.empty());
  co_return std::move(whole);
}

// fetch() where one that is missing is told and the others are still shown.
Task<Value> fetch_or_tell(Get& get, const Wanted& wanted) {
  auto value = co_await fetch(get, wanted).result();
  if (value.ok()) co_return std::move(value).value();
  const Error& error = value.error();
  if (error.is(Code::not_found) && get.in.on("ignore-not-found")) co_return Value();
  get.failed = true;
  get.in.console.error(format_error(error));
  co_return Value();
}

TableOptions table_options(const Get& get) {
  const Invocation& in = get.in;
  TableOptions options;
  options.wide = get.printer.kind() == ObjectPrinter::Kind::wide;
  options.headers = !in.on("no-headers");
  options.show_labels = in.on("show-labels");
  options.label_columns = in.arguments.list("label-columns");
  return options;
}

void tell_nothing_found(const Get& get, const std::vector<Wanted>& wanted) {
  if (get.failed || get.in.on("ignore-not-found")) return;
  std::string ns = wanted.empty() ? std::string() : wanted.front().ns;
  get.in.console.error(ns.empty() ? "No resources found\n"
                                  : "No resources found in " + ns + " namespace.\n");
}

// A server that makes no tables: names alone.
Value plain_table(const Value& answer) {
  std::vector<Value> rows;
  auto add = [&](const Value& object) {
    rows.push_back(Value::object({{"cells", Value::list({object["metadata"]["name"],
                                                         object["metadata"]["creationTimestamp"]})},
                                  {"object", object}}));
  };
  if (answer["items"].is_list()) {
    for (const Value& item : answer["items"].items()) add(item);
  } else {
    add(answer);
  }
  Value name = Value::object({{"name", "Name"}, {"priority", 0}});
  Value created = Value::object({{"name", "Created At"}, {"priority", 0}});
  return Value::object({{"kind", "Table"},
                        {"metadata", answer["metadata"]},
                        {"columnDefinitions", Value::list({name, created})},
                        {"rows", Value::list(std::move(rows))}});
}

Task<void> print_tables(Get& get, const std::vector<Wanted>& wanted) {
  const bool prefixed = several_types(get.in.words()) || get.in.on("show-kind");
  const Resource* previous = nullptr;
  std::optional<TablePrinter> printer;
  for (const Wanted& one : wanted) {
    Value table = co_await fetch_or_tell(get, one);
    if (table.is_null()) continue;
    if (table["kind"].as_string() != "Table") table = plain_table(table);
    if (table["rows"].empty()) continue;
    if (!get.sort_by.empty()) table = co_await sort_rows(table, get.sort_by);
    if (one.resource != previous) {
      if (printer) get.in.console.out(printer->flush() + "\n");
      TableOptions options = table_options(get);
      options.with_namespace = get.everywhere && one.resource->namespaced;
      if (prefixed) options.type_prefix = one.resource->type_name();
      printer.emplace(std::move(options));
      previous = one.resource;
    }
    printer->add(table);
  }
  if (printer) {
    get.in.console.out(printer->flush());
  } else {
    tell_nothing_found(get, wanted);
  }
}

Task<void> print_objects(Get& get, const std::vector<Wanted>& wanted) {
  std::vector<ObjectPrinter::Item> items;
  for (const Wanted& one : wanted) {
    Value answer = co_await fetch_or_tell(get, one);
    if (answer.is_null()) continue;
    if (!one.name.empty()) {
      items.push_back({std::move(answer), one.resource->type_name()});
      continue;
    }
    for (const Value& item : answer["items"].items()) {
      Value object = item.with("apiVersion", Value(one.resource->api_version()))
                         .with("kind", Value(one.resource->kind));
      items.push_back({std::move(object), one.resource->type_name()});
    }
  }
  if (!get.sort_by.empty()) {
    std::vector<Value> objects;
    for (auto& item : items) objects.push_back(std::move(item.object));
    auto sorted = co_await sort_objects(std::move(objects), get.sort_by);
    for (size_t i = 0; i < items.size(); ++i) items[i].object = std::move(sorted[i]);
  }
  const bool single = wanted.size() == 1 && !wanted.front().name.empty();
  if (single && items.empty()) co_return;
  if (items.empty() && get.failed) co_return;
  std::string text = co_await get.printer.print_all(items, !single);
  get.in.console.out(text);
}

// --- -w

Task<void> print_event(Get& get, const Value& event, TablePrinter& table, const Wanted& wanted) {
  const Value& object = event["object"];
  std::string type(event["type"].as_string());
  if (type == "BOOKMARK") co_return;
  const bool show_type = get.in.on("output-watch-events");
  if (get.printer.is_table()) {
    Value rows = object["kind"].as_string() == "Table" ? object : plain_table(object);
    if (show_type) {
      table.add_event(type, rows);
    } else {
      table.add(rows);
    }
    get.in.console.out(table.flush());
    co_return;
  }
  Value shown = show_type && get.printer.kind() != ObjectPrinter::Kind::name
                    ? Value::object({{"type", Value(type)}, {"object", object}})
                    : object;
  std::string text = co_await get.printer.print(shown, wanted.resource->type_name());
  if (get.printer.kind() == ObjectPrinter::Kind::yaml) text = "---\n" + text;
  get.in.console.out(text);
}

Task<void> follow(Get& get, const Wanted& wanted, TablePrinter& table, std::string version) {
  Invocation& in = get.in;
  std::string fields = in.text("field-selector");
  if (!wanted.name.empty()) fields = "metadata.name=" + wanted.name;
  client::RestRequest request;
  if (get.printer.is_table()) request.accept = kTableAccept;
  std::vector<std::pair<std::string, std::string>> query = {{"watch", "true"},
                                                            {"resourceVersion", version},
                                                            {"labelSelector", in.text("selector")},
                                                            {"fieldSelector", fields}};
  request.target = with_query(resource_path(*wanted.resource, wanted.ns, ""), query);
  auto lines = co_await in.session.watch(std::move(request));
  while (true) {
    auto events = co_await lines->next();
    if (events.empty()) co_return;
    for (const Value& event : events) co_await print_event(get, event, table, wanted);
  }
}

Task<void> watch(Get& get, const std::vector<Wanted>& wanted) {
  if (wanted.size() != 1) {
    co_await fail(failure("you may only specify a single resource type"));
  }
  const Wanted& one = wanted.front();
  TableOptions options = table_options(get);
  options.with_namespace = get.everywhere && one.resource->namespaced;
  if (get.in.on("show-kind")) options.type_prefix = one.resource->type_name();
  TablePrinter table(std::move(options));
  Value first = co_await fetch(get, one);
  std::string version(first["metadata"]["resourceVersion"].as_string());
  if (!get.in.on("watch-only")) {
    if (get.printer.is_table()) {
      Value rows = first["kind"].as_string() == "Table" ? first : plain_table(first);
      if (get.in.on("output-watch-events")) {
        table.add_event("ADDED", rows);
      } else {
        table.add(rows);
      }
      get.in.console.out(table.flush());
    } else {
      std::vector<Value> objects(first["items"].items().begin(), first["items"].items().end());
      if (!one.name.empty()) objects = {first};
      for (const Value& object : objects) {
        Value full = object.with("apiVersion", Value(one.resource->api_version()))
                         .with("kind", Value(one.resource->kind));
        Value event = Value::object({{"type", "ADDED"}, {"object", full}});
        co_await print_event(get, event, table, one);
      }
    }
  }
  co_await follow(get, one, table, version);
}

Task<int> run_get(Invocation& in) {
  if (std::string raw = in.text("raw"); !raw.empty()) {
    client::RestRequest request;
    request.target = raw;
    auto reply = co_await in.session.call(std::move(request));
    in.console.out(reply.body);
    co_return 0;
  }
  ObjectPrinter::Options options;
  options.headers = !in.on("no-headers");
  options.managed_fields = in.on("show-managed-fields");
  options.allow_missing_keys = in.on("allow-missing-template-keys");
  std::string format = in.text("output");
  if (format == "jsonpath" && !in.text("template").empty()) format += "=" + in.text("template");
  ObjectPrinter printer = co_await ObjectPrinter::make(in.console, format, options);
  Get get{in, std::move(printer), in.on("all-namespaces"), false, in.text("sort-by")};
  auto wanted = co_await find_wanted(get);
  if (in.on("watch") || in.on("watch-only")) {
    co_await watch(get, wanted);
  } else if (get.printer.is_table()) {
    co_await print_tables(get, wanted);
  } else {
    co_await print_objects(get, wanted);
  }
  co_return get.failed ? 1 : 0;
}

}  // namespace

std::vector<Verb> get_verbs() {
  Flags own = {{"watch", 'w', FlagType::boolean, "false", "then show what changes"},
               {"watch-only", 0, FlagType::boolean, "false", "show what changes, not what is there"},
               {"output-watch-events", 0, FlagType::boolean, "false", "tell ADDED, MODIFIED, DELETED"},
               {"selector", 'l', FlagType::text, "", "label query, such as a=b,c!=d"},
               {"field-selector", 0, FlagType::text, "", "field query, such as status.phase=Running"},
               {"no-headers", 0, FlagType::boolean, "false", "no header line"},
               {"show-labels", 0, FlagType::boolean, "false", "labels as the last column"},
               {"show-kind", 0, FlagType::boolean, "false", "names with their type"},
               {"label-columns", 'L', FlagType::list, "", "labels as columns"},
               {"sort-by", 0, FlagType::text, "", "JSONPath to order by"},
               {"ignore-not-found", 0, FlagType::boolean, "false", "a missing object is no error"},
               {"chunk-size", 0, FlagType::integer, "500", "objects a request"},
               {"server-print", 0, FlagType::boolean, "true", "accepted; the server always prints"},
               {"subresource", 0, FlagType::text, "", "status, scale, ..."},
               {"raw", 0, FlagType::text, "", "path to get as it is"}};
  return {Verb{"get", "TYPE[,TYPE] [NAME ...] | TYPE/NAME ... | -f FILE", "Show objects",
               flags::join({own, flags::files(), flags::output(), flags::all_namespaces()}), run_get}};
}

}  // namespace orch::cli
