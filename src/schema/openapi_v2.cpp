#include "schema/openapi_v2.h"

#include "data/json.h"
#include "data/protobuf.h"

namespace orch::schema {

namespace {

std::string json_document(const OpenApiInput& input, const SchemaSet& schemas) {
  std::string out = R"({"definitions":{)";
  auto add = [&](std::string_view name, const Value& value) {
    if (!out.ends_with('{')) out += ",";
    append_json(out, Value(name));
    out += ":";
    append_json(out, value);
  };
  for (const auto& [name, entry] : schemas.entries()) add(name, schemas.schema(name, entry));
  out += R"(},"info":)";
  append_json(out, Value::object({{"title", "Kubernetes"}, {"version", input.version}}));
  out += R"(,"paths":{)";
  for (const GroupVersion* served : sorted_group_versions(input.served)) {
    for (const Kind* kind : served->kinds) {
      for (const PathItem& one : path_items(input, *kind, Dialect::v2)) add(one.path, one.item);
    }
  }
  out += R"(},"security":[{"BearerToken":[]}],"securityDefinitions":{"BearerToken":)"
         R"({"description":"bearer token","in":"header","name":"authorization","type":"apiKey"}},)"
         R"("swagger":"2.0"})";
  return out;
}

void append_security(ProtoWriter& writer) {
  writer.message(12, [](ProtoWriter& requirement) {
    requirement.message(1, [](ProtoWriter& named) {
      named.bytes(1, "BearerToken");
      named.bytes(2, {});
    });
  });
  writer.message(13, [](ProtoWriter& definitions) {
    definitions.message(1, [](ProtoWriter& named) {
      named.bytes(1, "BearerToken");
      named.message(2, [](ProtoWriter& either) {
        either.message(2, [](ProtoWriter& key) {
          key.bytes(1, "apiKey");
          key.bytes(2, "authorization");
          key.bytes(3, "header");
          key.bytes(4, "bearer token");
        });
      });
    });
  });
}

std::string protobuf_document(const OpenApiInput& input, const SchemaSet& schemas) {
  std::string out;
  ProtoWriter writer(out);
  writer.bytes(1, "2.0");
  writer.message(2, [&](ProtoWriter& info) {
    info.bytes(1, "Kubernetes");
    info.bytes(2, input.version);
  });
  std::string map;
  for (const GroupVersion* served : sorted_group_versions(input.served)) {
    for (const Kind* kind : served->kinds) {
      for (const PathItem& one : path_items(input, *kind, Dialect::v2)) {
        append_path_protobuf(map, Dialect::v2, one.path, one.item);
      }
    }
  }
  writer.bytes(8, map);
  map.clear();
  for (const auto& [name, entry] : schemas.entries()) {
    append_schema_protobuf(map, Dialect::v2, name, schemas.schema(name, entry));
  }
  writer.bytes(9, map);
  append_security(writer);
  return out;
}

}  // namespace

std::string openapi_v2_document(const OpenApiInput& input, OpenApiEncoding encoding) {
  SchemaSet schemas(input, Dialect::v2);
  for (const GroupVersion& served : input.served) {
    for (const Kind* kind : served.kinds) schemas.add(*kind);
  }
  return encoding == OpenApiEncoding::json ? json_document(input, schemas)
                                           : protobuf_document(input, schemas);
}

}  // namespace orch::schema
