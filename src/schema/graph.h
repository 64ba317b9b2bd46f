#pragma once
// The schema graph: what the lines of kinds/*.schema say, linked. Built once (Registry::build),
// immutable afterwards, shared by every operation. A CustomResourceDefinition's schema becomes the
// same graph, so custom kinds run through the same engine. docs/schema.md explains each property.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/value.h"

namespace orch::schema {

struct Type;

enum class Scalar : uint8_t {
  none,  // not a scalar: an object (FieldType::object)
  string,
  boolean,
  int32,
  int64,
  number,  // double
  bytes,
  time,
  micro_time,
  duration,
  quantity,
  int_or_string,
  raw,     // any JSON object, kept as it is
  fields,  // FieldsV1
  json,    // any JSON value
};

enum class Shape : uint8_t { single, list, map };

// The type of a field's value: a shape of scalars or of objects.
struct FieldType {
  Shape shape = Shape::single;
  Scalar scalar = Scalar::none;
  const Type* object = nullptr;  // where scalar is none
  bool pointer = false;          // *T: presence is tracked
  bool list_values = false;      // map[T[]]: each value of the map is a list
};

enum class ListKind : uint8_t { atomic, set, map };  // server-side apply's listType

struct PatchStrategy {
  bool merge = false;        // lists are merged: by `key`, or as a set of scalars
  bool replace = false;      // objects are replaced (lists are, unless merge)
  bool retain_keys = false;
  std::string key;
};

// Bounds and format; what a line can say of a value.
struct Limits {
  std::optional<int64_t> min, max;
  std::optional<int64_t> min_len, max_len;
  std::optional<int64_t> min_items, max_items;
  std::vector<std::string> allowed;  // enum
  bool in_order = false;             // causes name them as written, not sorted
  std::string format;                // "dns-label", ...
  bool empty() const {
    return !min && !max && !min_len && !max_len && !min_items && !max_items && allowed.empty() &&
           format.empty();
  }
};

struct Field {
  std::string name;
  Key key{""};  // the same text as an object key, shared by all objects that defaulting makes
  uint32_t number = 0;  // protobuf; 0: not in protobuf
  FieldType type;
  bool omit_empty = false;  // name?
  bool omit_zero = false;
  bool required = false;          // validation
  bool openapi_required = false;  // in the published OpenAPI's `required`
  bool immutable = false;
  bool atomic = false;
  bool granular = false;
  bool inlined = false;
  bool proto_items = false;
  bool unchecked = false;  // validation does not go into it
  ListKind list = ListKind::atomic;
  std::vector<std::string> keys;  // of ListKind::map
  // Items must differ: in the `keys`, as values, or (where not "") in this field of theirs.
  std::optional<std::string> unique;
  PatchStrategy patch;
  std::optional<Value> default_value;
  Limits limits;
  std::string description;
};

struct Union {
  bool required = false;  // exactlyone
  std::vector<std::string> fields;
  std::string what;  // "volume type"
};

struct Type {
  std::string name;         // "DeploymentSpec"
  std::string package;      // "k8s.io.api.apps.v1"
  std::string description;
  std::vector<Field> fields;  // in the order of the file
  std::vector<Union> unions;
  std::vector<std::vector<std::string>> required_paths;  // {"secretRef", "name"}
  bool type_meta = false;  // carries apiVersion and kind; so do the types of all kinds
  bool atomic = false;
  std::vector<std::string> default_hooks, validate_hooks, create_hooks, update_hooks, prepare_hooks;

  const Field* find(std::string_view field) const;  // inlined types' fields included
  std::string openapi_name() const;                 // "io.k8s.api.apps.v1.DeploymentSpec"
  // All fields of the JSON object sorted by name, those of inlined types included and the inlined
  // fields themselves left out; made by Registry::build. Members of a Value are sorted too, so that
  // an object and its type can be walked side by side.
  struct Entry {
    std::string_view name;
    const Field* field;
  };
  std::vector<Entry> index;
  // The fields that are in protobuf, by their numbers; made by Registry::build.
  std::vector<const Field*> by_number;
};

struct Column {
  std::string name;
  std::string type;    // as in the Table: string, integer, boolean, number, date
  std::string format;  // "name" or ""
  std::string description;
  bool wide = false;
  std::string path_template;  // or:
  std::string function;       // without '@'
  std::string argument;
};

struct Subresource {
  std::string name;
  // Where it is another kind: sub eviction policy/v1 Eviction.
  std::string group, version, kind;
  std::vector<std::string> words;  // what else the line says (scale's paths, "kept")
};

struct Selectable {
  std::string name;
  std::vector<std::string> paths;  // the first that is not empty counts
};

struct Kind {
  std::string group, version;  // "" is core
  std::string kind;            // "Deployment"
  std::string plural, singular;
  std::vector<std::string> short_names, categories, verbs;
  bool namespaced = true;
  bool counts_generation = false;
  std::vector<std::string> generation_metadata;  // "annotations", "labels": counted as well
  bool keeps_status_on_create = false;
  std::string name_format;
  std::vector<Subresource> subresources;
  std::vector<Selectable> selectable;
  std::vector<Column> columns;
  std::string row_function;
  // Stored as another kind (events.k8s.io/v1 Event is kept as core/v1 Event).
  struct StoredAs {
    std::string group, version, kind, function;
  };
  std::optional<StoredAs> stored_as;
  const Type* type = nullptr;
  bool custom = false;  // from a CustomResourceDefinition

  std::string api_version() const { return group.empty() ? version : group + "/" + version; }
  std::string list_kind() const { return kind + "List"; }
  const Subresource* subresource(std::string_view name) const;
  bool has_status() const { return subresource("status") != nullptr; }
};

// One parsed schema file before linking (parser.h).
struct Document;

// All kinds and types, found by name. Kinds without a resource (Scale, Eviction, DeleteOptions) are
// types with `type_meta`, found through find_type.
class Registry {
 public:
  // `files`: name (for messages) and text of each. Errors say file and line.
  static Result<std::shared_ptr<const Registry>> build(
      const std::vector<std::pair<std::string, std::string_view>>& files);
  // The built-in kinds, embedded in the binary.
  static Result<std::shared_ptr<const Registry>> builtin();

  const Kind* find_kind(std::string_view group, std::string_view version, std::string_view kind) const;
  const Kind* find_resource(std::string_view group, std::string_view version,
                            std::string_view plural) const;
  const Type* find_type(std::string_view package, std::string_view name) const;
  // "apps/v1" -> the package its types are in, "" if unknown.
  std::string_view package_of(std::string_view group, std::string_view version) const;

  struct GroupVersion {
    std::string group, version, package;
    std::vector<const Kind*> kinds;  // in file order
  };
  const std::vector<GroupVersion>& group_versions() const { return group_versions_; }
  const std::vector<std::unique_ptr<Type>>& types() const { return types_; }

 private:
  friend class Linker;
  std::vector<std::unique_ptr<Type>> types_;
  std::vector<std::unique_ptr<Kind>> kinds_;
  std::vector<GroupVersion> group_versions_;
  std::map<std::string, const Type*, std::less<>> types_by_name_;       // "package.Name"
  std::map<std::string, const Kind*, std::less<>> kinds_by_name_;       // "group/version/Kind"
  std::map<std::string, const Kind*, std::less<>> kinds_by_resource_;   // "group/version/plural"
};

}  // namespace orch::schema
