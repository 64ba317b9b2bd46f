// Kinds -> path items with an operation for each verb. Clients read three things here: which kind a
// path is of (x-kubernetes-group-version-kind), what an operation does (x-kubernetes-action), and
// whether its query takes dryRun and fieldValidation.

#include <algorithm>
#include <array>

#include "base/text.h"
#include "schema/openapi.h"

namespace orch::schema {

namespace {

constexpr std::string_view kMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.";

struct Parameter {
  std::string_view name, type, description;
};

constexpr Parameter kFieldManager = {"fieldManager", "string", "name of who makes the change"};
constexpr Parameter kDryRun = {"dryRun", "string", "All: check, but change nothing"};
constexpr Parameter kFieldValidation = {"fieldValidation", "string",
                                        "what unknown fields do: Ignore, Warn or Strict"};
constexpr Parameter kWrite[] = {kDryRun, kFieldManager, kFieldValidation};
constexpr Parameter kPatch[] = {
    kDryRun,
    kFieldManager,
    kFieldValidation,
    {"force", "boolean", "take fields from other managers (apply only)"}};
constexpr Parameter kDelete[] = {
    kDryRun,
    {"gracePeriodSeconds", "integer", "seconds until the object is removed"},
    {"ignoreStoreReadErrorWithClusterBreakingPotential", "boolean", "delete what cannot be read"},
    {"orphanDependents", "boolean", "old form of propagationPolicy"},
    {"propagationPolicy", "string",
     "what happens to dependents: Orphan, Background or Foreground"}};
constexpr Parameter kList[] = {
    {"allowWatchBookmarks", "boolean", "send BOOKMARK events"},
    {"continue", "string", "token to read the next part of the list"},
    {"fieldSelector", "string", "only objects with these fields"},
    {"labelSelector", "string", "only objects with these labels"},
    {"limit", "integer", "most objects in one answer"},
    {"resourceVersion", "string", "revision to read at"},
    {"resourceVersionMatch", "string", "how resourceVersion is meant"},
    {"sendInitialEvents", "boolean", "begin a watch with the objects there are"},
    {"timeoutSeconds", "integer", "how long the call may last"}};
constexpr Parameter kWatch = {"watch", "boolean", "follow changes"};
constexpr Parameter kPretty = {"pretty", "string", "true: indented output"};

constexpr std::string_view kMediaTypes[] = {
    "application/json", "application/vnd.kubernetes.protobuf", "application/yaml"};
constexpr std::string_view kStreamTypes[] = {"application/json;stream=watch",
                                             "application/vnd.kubernetes.protobuf;stream=watch"};
constexpr std::string_view kPatchTypes[] = {
    "application/apply-patch+yaml", "application/json-patch+json", "application/merge-patch+json",
    "application/strategic-merge-patch+json"};

// What an operation is, apart from where.
struct Operation {
  std::string method;                // "get"
  std::string action;                // x-kubernetes-action
  std::string id;                    // operationId
  std::string text;                  // description
  std::string group, version, kind;  // x-kubernetes-group-version-kind
  std::string body;                  // schema's name, or ""
  std::string response;              // schema's name, or "" for text
  std::vector<Parameter> query;
  bool streams = false;
  std::span<const std::string_view> consumes;
};

std::string capital(std::string_view word) {
  std::string out(word);
  if (!out.empty()) out[0] = to_upper(out.substr(0, 1))[0];
  return out;
}

// "rbac.authorization.k8s.io" -> "RbacAuthorization"; the legacy group -> "Core".
std::string group_word(std::string_view group) {
  if (group.empty()) return "Core";
  if (group.ends_with(".k8s.io")) group.remove_suffix(7);
  std::string out;
  for (std::string_view part : split(group, '.')) out += capital(part);
  return out;
}

std::vector<Parameter> list_of(std::span<const Parameter> parameters) {
  return {parameters.begin(), parameters.end()};
}

class Writer {
 public:
  Writer(const OpenApiInput& input, const Kind& kind, Dialect dialect)
      : input_(input), kind_(kind), dialect_(dialect) {
    base_ =
        kind.group.empty() ? "/api/" + kind.version : "/apis/" + kind.group + "/" + kind.version;
    std::string group = group_word(kind.group);
    tag_ = group;
    tag_[0] = to_lower(tag_.substr(0, 1))[0];
    tag_ += "_" + kind.version;
    scope_ = group + capital(kind.version);
    place_ = kind.namespaced ? "Namespaced" : "";
  }

  std::vector<PathItem> items() {
    std::string collection =
        base_ + (kind_.namespaced ? "/namespaces/{namespace}/" : "/") + kind_.plural;
    if (kind_.namespaced && has("list")) add_list_everywhere();
    add_collection(collection);
    std::string item = collection + "/{name}";
    add_item(item);
    for (const Subresource& one : kind_.subresources) add_subresource(item, one);
    std::ranges::sort(items_, {}, &PathItem::path);
    return std::move(items_);
  }

 private:
  bool has(std::string_view verb) const {
    return std::ranges::find(kind_.verbs, verb) != kind_.verbs.end();
  }
  std::string own_schema() const { return schema_name(kind_); }

  Operation operation(std::string_view method, std::string_view action, std::string id,
                      std::string text) const {
    Operation out;
    out.method = method;
    out.action = action;
    out.id = std::move(id);
    out.text = std::move(text);
    out.group = kind_.group;
    out.version = kind_.version;
    out.kind = kind_.kind;
    out.response = own_schema();
    return out;
  }

  Operation list_operation(const std::string& suffix) const {
    Operation out = operation("get", "list", "list" + scope_ + suffix, "list " + kind_.plural);
    out.query = list_of(kList);
    if (has("watch")) out.query.push_back(kWatch);
    out.streams = has("watch");
    out.response += "List";
    return out;
  }

  void add_list_everywhere() {
    std::vector<Operation> operations = {list_operation(kind_.kind + "ForAllNamespaces")};
    add(base_ + "/" + kind_.plural, operations);
  }

  void add_collection(const std::string& path) {
    std::vector<Operation> operations;
    if (has("list")) operations.push_back(list_operation(place_ + kind_.kind));
    if (has("create")) {
      Operation one = operation("post", "post", "create" + scope_ + place_ + kind_.kind,
                                "create one of the " + kind_.plural);
      one.body = own_schema();
      one.query = list_of(kWrite);
      operations.push_back(std::move(one));
    }
    if (has("deletecollection")) {
      Operation one = operation("delete", "deletecollection",
                                "delete" + scope_ + "Collection" + place_ + kind_.kind,
                                "delete several " + kind_.plural);
      one.body = std::string(kMeta) + "DeleteOptions";
      one.response = std::string(kMeta) + "Status";
      one.query = list_of(kDelete);
      for (const Parameter& parameter : kList) {
        if (parameter.name != "allowWatchBookmarks") one.query.push_back(parameter);
      }
      operations.push_back(std::move(one));
    }
    add(path, operations);
  }

  // The operations get, put and patch on an object or a part of it.
  void add_modifying(std::vector<Operation>& operations, std::string_view verb,
                     const std::string& suffix, const std::string& what,
                     const std::string& schema) {
    if (verb == "get") {
      operations.push_back(
          operation("get", "get", "read" + scope_ + place_ + kind_.kind + suffix, "read " + what));
    } else if (verb == "update") {
      operations.push_back(operation(
          "put", "put", "replace" + scope_ + place_ + kind_.kind + suffix, "replace " + what));
      operations.back().body = schema;
      operations.back().query = list_of(kWrite);
    } else if (verb == "patch") {
      operations.push_back(operation("patch", "patch",
                                     "patch" + scope_ + place_ + kind_.kind + suffix,
                                     "change parts of " + what));
      operations.back().body = std::string(kMeta) + "Patch";
      operations.back().query = list_of(kPatch);
      operations.back().consumes = kPatchTypes;
      if (kind_.custom) operations.back().consumes = std::span(kPatchTypes).first(3);
    } else {
      return;
    }
    operations.back().response = schema;
  }

  void add_item(const std::string& path) {
    std::vector<Operation> operations;
    std::string what = "one of the " + kind_.plural;
    for (std::string_view verb : {"get", "update", "patch"}) {
      if (has(verb)) add_modifying(operations, verb, "", what, own_schema());
    }
    if (has("delete")) {
      Operation one =
          operation("delete", "delete", "delete" + scope_ + place_ + kind_.kind, "delete " + what);
      one.body = std::string(kMeta) + "DeleteOptions";
      one.response = std::string(kMeta) + "Status";
      one.query = list_of(kDelete);
      operations.push_back(std::move(one));
    }
    add(path, operations);
  }

  void add_subresource(const std::string& item, const Subresource& subresource) {
    ServedSubresource served = served_subresource(kind_, subresource);
    std::string_view package = input_.registry.package_of(served.group, served.version);
    const Type* type = input_.registry.find_type(package, served.kind);
    std::string schema = served.kind == kind_.kind ? own_schema()
                         : type                    ? type->openapi_name()
                                                   : "";
    std::string suffix = capital(served.name);
    std::string what = std::string(served.name) + " of one of the " + kind_.plural;
    bool connects = served.kind.ends_with("Options");
    std::vector<Operation> operations;
    for (std::string_view verb : served.verbs) {
      if (connects) {
        add_connect(operations, verb, suffix, what, type);
      } else if (verb == "create") {
        operations.push_back(operation(
            "post", "post", "create" + scope_ + place_ + kind_.kind + suffix, "create " + what));
        operations.back().body = schema;
        operations.back().response = schema;
        operations.back().query = list_of(kWrite);
      } else {
        add_modifying(operations, verb, suffix, what, schema);
      }
    }
    for (Operation& one : operations) {
      one.group = served.group;
      one.version = served.version;
      one.kind = served.kind;
    }
    if (served.name == "log" && !operations.empty()) add_log_query(operations.front());
    add(item + "/" + std::string(served.name), operations);
    if (served.name == "proxy") add_connect_path(item, operations);
  }

  void add_connect(std::vector<Operation>& operations, std::string_view verb,
                   const std::string& suffix, const std::string& what, const Type* options) const {
    constexpr std::pair<std::string_view, std::string_view> kMethods[] = {{"create", "post"},
                                                                          {"get", "get"},
                                                                          {"update", "put"},
                                                                          {"patch", "patch"},
                                                                          {"delete", "delete"}};
    auto method =
        std::ranges::find(kMethods, verb, &std::pair<std::string_view, std::string_view>::first);
    Operation one =
        operation(method->second, "connect",
                  "connect" + scope_ + capital(method->second) + place_ + kind_.kind + suffix,
                  "connect to " + what);
    one.response.clear();
    if (options) add_query_of(one, *options);
    operations.push_back(std::move(one));
  }

  void add_connect_path(const std::string& item, std::vector<Operation> operations) {
    for (Operation& one : operations) one.id += "WithPath";
    add(item + "/proxy/{path}", operations);
  }

  void add_log_query(Operation& log) const {
    log.response.clear();
    std::string_view package = input_.registry.package_of(kind_.group, kind_.version);
    if (const Type* options = input_.registry.find_type(package, "PodLogOptions"))
      add_query_of(log, *options);
  }

  static void add_query_of(Operation& operation, const Type& options) {
    for (const Field& field : options.fields) {
      std::string_view type = "string";
      if (field.type.scalar == Scalar::boolean) type = "boolean";
      if (field.type.scalar == Scalar::int64 || field.type.scalar == Scalar::int32)
        type = "integer";
      operation.query.push_back({field.name, type, field.description});
    }
  }

  // --- values

  Value parameter(const Parameter& one, std::string_view in) const {
    ObjectBuilder out;
    out.set("name", one.name).set("in", in);
    out.set_if("description", one.description);
    if (in == "path") out.set("required", true);
    Value type = Value::object({{"type", one.type}, {"uniqueItems", true}});
    if (dialect_ == Dialect::v3) {
      out.set("schema", type);
    } else {
      for (const Member& member : type.members()) out.set(member.key, member.value);
    }
    return std::move(out).build();
  }

  Value contents(std::span<const std::string_view> types, const std::string& schema) const {
    ObjectBuilder out;
    Value media = Value::object({{"schema", schema.empty() ? Value::object({{"type", "string"}})
                                                           : schema_reference(dialect_, schema)}});
    for (std::string_view type : types) out.set(type, media);
    return std::move(out).build();
  }

  std::vector<std::string_view> produced(const Operation& one) const {
    if (one.response.empty()) return {"*/*"};
    std::vector<std::string_view> types(std::begin(kMediaTypes), std::end(kMediaTypes));
    if (one.streams) types.insert(types.end(), std::begin(kStreamTypes), std::end(kStreamTypes));
    // Custom kinds have no protobuf.
    if (kind_.custom)
      std::erase_if(types,
                    [](std::string_view type) { return type.find("protobuf") != type.npos; });
    return types;
  }

  Value responses(const Operation& one) const {
    ObjectBuilder ok;
    ok.set("description", "OK");
    if (dialect_ == Dialect::v3) {
      ok.set("content", contents(produced(one), one.response));
    } else {
      ok.set("schema", one.response.empty() ? Value::object({{"type", "string"}})
                                            : schema_reference(dialect_, one.response));
    }
    return Value::object({{"200", std::move(ok).build()},
                          {"401", Value::object({{"description", "Unauthorized"}})}});
  }

  void add_body(ObjectBuilder& out, std::vector<Value>& parameters, const Operation& one) const {
    std::vector<std::string_view> any = {"*/*"};
    std::span<const std::string_view> consumes = one.consumes.empty() ? any : one.consumes;
    bool required = one.method != "delete";
    if (dialect_ == Dialect::v3) {
      if (one.body.empty()) return;
      ObjectBuilder body;
      body.set("content", contents(consumes, one.body));
      if (required) body.set("required", true);
      out.set("requestBody", std::move(body).build());
      return;
    }
    out.set("consumes", texts(consumes))
        .set("produces", texts(produced(one)))
        .set("schemes", Value::list({"https"}));
    if (one.body.empty()) return;
    ObjectBuilder body;
    body.set("name", "body").set("in", "body").set("schema", schema_reference(dialect_, one.body));
    if (required) body.set("required", true);
    parameters.push_back(std::move(body).build());
  }

  static Value texts(std::span<const std::string_view> list) {
    return Value::list(std::vector<Value>(list.begin(), list.end()));
  }

  Value operation_value(const Operation& one) const {
    ObjectBuilder out;
    std::vector<Value> parameters;
    add_body(out, parameters, one);
    for (const Parameter& query : one.query) parameters.push_back(parameter(query, "query"));
    out.set("tags", Value::list({tag_}));
    out.set("description", one.text);
    out.set("operationId", one.id);
    out.set_if("parameters", Value::list(std::move(parameters)));
    out.set("responses", responses(one));
    out.set("x-kubernetes-action", one.action);
    out.set("x-kubernetes-group-version-kind",
            Value::object({{"group", one.group}, {"kind", one.kind}, {"version", one.version}}));
    return std::move(out).build();
  }

  void add(const std::string& path, const std::vector<Operation>& operations) {
    if (operations.empty()) return;
    ObjectBuilder out;
    for (const Operation& one : operations) out.set(one.method, operation_value(one));
    std::vector<Value> parameters;
    if (path.find("{name}") != path.npos) {
      parameters.push_back(parameter({"name", "string", "name of the object"}, "path"));
    }
    if (path.find("{namespace}") != path.npos) {
      parameters.push_back(parameter({"namespace", "string", "namespace of the object"}, "path"));
    }
    if (path.find("{path}") != path.npos) {
      parameters.push_back(parameter({"path", "string", "path to pass on"}, "path"));
    }
    parameters.push_back(parameter(kPretty, "query"));
    out.set("parameters", Value::list(std::move(parameters)));
    items_.push_back({path, std::move(out).build()});
  }

  const OpenApiInput& input_;
  const Kind& kind_;
  Dialect dialect_;
  std::string base_, tag_, scope_, place_;
  std::vector<PathItem> items_;
};

}  // namespace

std::vector<PathItem> path_items(const OpenApiInput& input, const Kind& kind, Dialect dialect) {
  return Writer(input, kind, dialect).items();
}

}  // namespace orch::schema
