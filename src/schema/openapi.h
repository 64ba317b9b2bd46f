#pragma once
// What both OpenAPI documents are made of: schemas of types and path items of kinds, each as a
// small Value that lives until it is written. openapi_v2.h and openapi_v3.h put them together.

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/value.h"
#include "schema/discovery.h"
#include "schema/graph.h"

namespace orch::schema {

// Of a CustomResourceDefinition: what the user wrote is published as it is.
struct CustomSchema {
  const Kind* kind = nullptr;
  Value open_api_v3_schema;
};

struct OpenApiInput {
  const Registry& registry;
  std::span<const GroupVersion> served;  // the registry's and those of custom kinds
  std::span<const CustomSchema> custom;
  std::string_view version;  // "v1.33.0"
};

enum class OpenApiEncoding : uint8_t { json, protobuf };
enum class Dialect : uint8_t { v2, v3 };

// --- schemas (openapi_schema.cpp)

// "io.k8s.api.apps.v1.Deployment"; a custom kind's is its group reversed: "com.example.v1.Widget".
std::string schema_name(const Kind& kind);
Value schema_reference(Dialect dialect, std::string_view name);

// The named schemas that a document needs, sorted by name: made one by one when it is written.
class SchemaSet {
 public:
  SchemaSet(const OpenApiInput& input, Dialect dialect) : input_(input), dialect_(dialect) {}
  // The kind, its list, and all they refer to; the kinds of its subresources.
  void add(const Kind& kind);
  void add(const Type& type);
  struct Entry {
    const Type* type = nullptr;
    const Kind* kind = nullptr;  // of a kind, or of the items of a list
    bool list = false;
    const CustomSchema* custom = nullptr;
  };
  const std::map<std::string, Entry>& entries() const { return entries_; }
  Value schema(const std::string& name, const Entry& entry) const;

 private:
  void add_scalar(std::string_view name) { entries_.try_emplace(std::string(name)); }
  Value type_schema(const Type& type, const Kind* kind) const;
  Value list_schema(const Kind& kind) const;
  Value custom_schema(const CustomSchema& custom) const;
  Value field_schema(const Field& field) const;
  Value value_schema(const Field& field) const;
  Value kinds_of(const Type& type) const;
  const OpenApiInput& input_;
  Dialect dialect_;
  std::map<std::string, Entry> entries_;
};

// --- paths (openapi_paths.cpp)

struct PathItem {
  std::string path;
  Value item;
};
// All paths of a kind and its subresources, in the order of their text.
std::vector<PathItem> path_items(const OpenApiInput& input, const Kind& kind, Dialect dialect);

// --- protobuf (openapi_protobuf.cpp): gnostic's messages

// Append one entry of the document's `paths` or of its schemas to the bytes of the map's message.
void append_path_protobuf(std::string& out, Dialect dialect, std::string_view path,
                          const Value& item);
void append_schema_protobuf(std::string& out, Dialect dialect, std::string_view name,
                            const Value& schema);

}  // namespace orch::schema
