#include "schema/openapi_v3.h"

#include <algorithm>

#include "base/text.h"
#include "data/hash.h"
#include "data/json.h"
#include "data/protobuf.h"
#include "schema/builtin.h"

namespace orch::schema {

namespace {

std::string path_of(const GroupVersion& one) {
  return one.group.empty() ? "api/" + one.version : "apis/" + one.group + "/" + one.version;
}

// Writes `"name": value` members between braces, one at a time.
class JsonMembers {
 public:
  explicit JsonMembers(std::string& out) : out_(out) { out_ += "{"; }
  void add(std::string_view name, const Value& value) {
    if (!first_) out_ += ",";
    first_ = false;
    append_json(out_, Value(name));
    out_ += ":";
    append_json(out_, value);
  }
  void end() { out_ += "}"; }

 private:
  std::string& out_;
  bool first_ = true;
};

constexpr std::string_view kTokenHelp = "bearer token";

std::string json_document(const OpenApiInput& input, const GroupVersion& served,
                          const SchemaSet& schemas) {
  std::string out = R"({"components":{"schemas":)";
  JsonMembers members(out);
  for (const auto& [name, entry] : schemas.entries())
    members.add(name, schemas.schema(name, entry));
  members.end();
  Value token = Value::object({{"description", kTokenHelp},
                               {"in", "header"},
                               {"name", "authorization"},
                               {"type", "apiKey"}});
  out += R"(,"securitySchemes":)";
  append_json(out, Value::object({{"BearerToken", token}}));
  out += R"(},"info":)";
  append_json(out, Value::object({{"title", "Kubernetes"}, {"version", input.version}}));
  out += R"(,"openapi":"3.0.0","paths":)";
  JsonMembers paths(out);
  for (const Kind* kind : served.kinds) {
    for (const PathItem& one : path_items(input, *kind, Dialect::v3)) paths.add(one.path, one.item);
  }
  paths.end();
  return out + "}";
}

std::string protobuf_document(const OpenApiInput& input, const GroupVersion& served,
                              const SchemaSet& schemas) {
  std::string out;
  ProtoWriter writer(out);
  writer.bytes(1, "3.0.0");
  writer.message(2, [&](ProtoWriter& info) {
    info.bytes(1, "Kubernetes");
    info.bytes(6, input.version);
  });
  std::string map;
  for (const Kind* kind : served.kinds) {
    for (const PathItem& one : path_items(input, *kind, Dialect::v3)) {
      append_path_protobuf(map, Dialect::v3, one.path, one.item);
    }
  }
  writer.bytes(4, map);
  map.clear();
  for (const auto& [name, entry] : schemas.entries()) {
    append_schema_protobuf(map, Dialect::v3, name, schemas.schema(name, entry));
  }
  writer.message(5, [&](ProtoWriter& components) {
    components.bytes(1, map);
    components.message(7, [&](ProtoWriter& security) {
      security.message(1, [&](ProtoWriter& named) {
        named.bytes(1, "BearerToken");
        named.message(2, [&](ProtoWriter& either) {
          either.message(1, [&](ProtoWriter& scheme) {
            scheme.bytes(1, "apiKey");
            scheme.bytes(2, kTokenHelp);
            scheme.bytes(3, "authorization");
            scheme.bytes(4, "header");
          });
        });
      });
    });
  });
  return out;
}

// Of everything built in: the schema files make the documents.
uint64_t builtin_hash() {
  uint64_t hash = 0;
  for (const BuiltinFile& file : builtin_files())
    hash = hash * 1099511628211U + fnv1a_64(file.text);
  return hash;
}

std::string hash_of(const OpenApiInput& input, const GroupVersion& served, uint64_t seed) {
  std::string text = std::to_string(seed).append(input.version).append(path_of(served));
  for (const Kind* kind : served.kinds) {
    text.append("/").append(kind->plural);
    auto custom = std::ranges::find(input.custom, kind, &CustomSchema::kind);
    if (custom == input.custom.end()) continue;
    text += std::to_string(hash_value(custom->open_api_v3_schema));
    for (const Subresource& one : kind->subresources) text.append(",").append(one.name);
  }
  return to_upper(sha256_hex(text)).substr(0, 32);
}

}  // namespace

std::string openapi_v3_hash(const OpenApiInput& input, const GroupVersion& group_version) {
  return hash_of(input, group_version, builtin_hash());
}

Value openapi_v3_index(const OpenApiInput& input) {
  uint64_t seed = builtin_hash();
  ObjectBuilder paths;
  for (const GroupVersion& one : input.served) {
    std::string path = path_of(one);
    std::string url = "/openapi/v3/" + path + "?hash=" + hash_of(input, one, seed);
    paths.set(path, Value::object({{"serverRelativeURL", url}}));
  }
  return Value::object({{"paths", std::move(paths).build()}});
}

std::string openapi_v3_document(const OpenApiInput& input, std::string_view group,
                                std::string_view version, OpenApiEncoding encoding) {
  auto served = std::ranges::find_if(input.served, [&](const GroupVersion& one) {
    return one.group == group && one.version == version;
  });
  if (served == input.served.end()) return {};
  SchemaSet schemas(input, Dialect::v3);
  for (const Kind* kind : served->kinds) schemas.add(*kind);
  return encoding == OpenApiEncoding::json ? json_document(input, *served, schemas)
                                           : protobuf_document(input, *served, schemas);
}

}  // namespace orch::schema
