// Types of the graph -> JSON schemas, in the shape that Kubernetes publishes.

#include <algorithm>

#include "base/text.h"
#include "schema/openapi.h"

namespace orch::schema {

namespace {

constexpr std::string_view kMetaPackage = "k8s.io.apimachinery.pkg.apis.meta.v1";
constexpr std::string_view kMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.";

// Scalars that are named schemas of their own.
struct NamedScalar {
  Scalar scalar;
  std::string_view name, type, format, description;
};
constexpr NamedScalar kNamedScalars[] = {
    {Scalar::time, "io.k8s.apimachinery.pkg.apis.meta.v1.Time", "string", "date-time",
     "a time in RFC 3339, in seconds"},
    {Scalar::micro_time, "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime", "string", "date-time",
     "a time in RFC 3339, in microseconds"},
    {Scalar::duration, "io.k8s.apimachinery.pkg.apis.meta.v1.Duration", "string", "",
     "a length of time, such as 1m30s"},
    {Scalar::quantity, "io.k8s.apimachinery.pkg.api.resource.Quantity", "string", "",
     "a number with a suffix, such as 100m, 2 or 1.5Gi"},
    {Scalar::int_or_string, "io.k8s.apimachinery.pkg.util.intstr.IntOrString", "string",
     "int-or-string", "a number or a text"},
    {Scalar::raw, "io.k8s.apimachinery.pkg.runtime.RawExtension", "object", "", "any object"},
    {Scalar::fields, "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1", "object", "",
     "a set of fields, as a tree"},
    {Scalar::json, "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON", "", "",
     "any value"},
};
constexpr std::string_view kPatchName = "io.k8s.apimachinery.pkg.apis.meta.v1.Patch";

struct PlainScalar {
  Scalar scalar;
  std::string_view type, format;
};
constexpr PlainScalar kPlainScalars[] = {
    {Scalar::string, "string", ""},       {Scalar::boolean, "boolean", ""},
    {Scalar::int32, "integer", "int32"},  {Scalar::int64, "integer", "int64"},
    {Scalar::number, "number", "double"}, {Scalar::bytes, "string", "byte"},
};

const NamedScalar* named_scalar(Scalar scalar) {
  auto row = std::ranges::find(kNamedScalars, scalar, &NamedScalar::scalar);
  return row != std::end(kNamedScalars) ? row : nullptr;
}

Value typed(std::string_view type, std::string_view format) {
  ObjectBuilder out;
  out.set_if("type", type);
  out.set_if("format", format);
  return std::move(out).build();
}

Value text_list(const std::vector<std::string>& texts) {
  return Value::list(std::vector<Value>(texts.begin(), texts.end()));
}

Value named_scalar_schema(const NamedScalar& scalar, Dialect dialect) {
  ObjectBuilder out(typed(scalar.type, scalar.format));
  out.set("description", scalar.description);
  if (dialect == Dialect::v3) {
    Value text = typed("string", "");
    if (scalar.scalar == Scalar::quantity) {
      out.remove("type").set("oneOf", Value::list({text, typed("number", "")}));
    } else if (scalar.scalar == Scalar::int_or_string) {
      out.remove("type").set("oneOf", Value::list({typed("integer", ""), text}));
    }
  }
  return std::move(out).build();
}

std::string strategy_text(const PatchStrategy& patch) {
  std::string out = patch.merge ? "merge" : patch.replace ? "replace" : "";
  if (patch.retain_keys) out += out.empty() ? "retainKeys" : ",retainKeys";
  return out;
}

void add_extensions(ObjectBuilder& out, const Field& field) {
  out.set_if("x-kubernetes-patch-strategy", strategy_text(field.patch));
  out.set_if("x-kubernetes-patch-merge-key", field.patch.key);
  if (field.type.shape == Shape::list) {
    constexpr std::string_view kKinds[] = {"atomic", "set", "map"};
    out.set("x-kubernetes-list-type", kKinds[static_cast<size_t>(field.list)]);
    out.set_if("x-kubernetes-list-map-keys", text_list(field.keys));
  } else if (field.atomic) {
    out.set("x-kubernetes-map-type", "atomic");
  } else if (field.granular) {
    out.set("x-kubernetes-map-type", "granular");
  }
}

Value kind_entry(std::string_view group, std::string_view version, std::string_view kind) {
  return Value::object({{"group", group}, {"kind", kind}, {"version", version}});
}

void add_type_meta(ObjectBuilder& properties) {
  properties.set("apiVersion",
                 typed("string", "").with("description", "group and version of the object's kind"));
  properties.set("kind", typed("string", "").with("description", "the object's kind"));
}

// Keywords of JSON schema that OpenAPI v2 has not.
Value without_v3_keywords(const Value& schema) {
  if (schema.is_list()) {
    std::vector<Value> items;
    for (const Value& item : schema.items()) items.push_back(without_v3_keywords(item));
    return Value::list(std::move(items));
  }
  if (!schema.is_object()) return schema;
  bool int_or_string = schema["x-kubernetes-int-or-string"].as_bool();
  ObjectBuilder out;
  for (const Member& member : schema.members()) {
    std::string_view name = member.name();
    if (name == "nullable" || name == "oneOf" || name == "anyOf" || name == "not") continue;
    if (name == "type" && int_or_string) continue;
    if (name == "properties") {  // names of fields, not keywords
      ObjectBuilder properties;
      for (const Member& one : member.value.members()) {
        properties.set(one.key, without_v3_keywords(one.value));
      }
      out.set(member.key, std::move(properties).build());
    } else if (name == "items" || name == "additionalProperties" || name == "allOf") {
      out.set(member.key, without_v3_keywords(member.value));
    } else {
      out.set(member.key, member.value);
    }
  }
  return std::move(out).build();
}

}  // namespace

std::string schema_name(const Kind& kind) {
  if (!kind.custom) return kind.type->openapi_name();
  auto parts = split(kind.group, '.');
  std::string out;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) out.append(*part).append(".");
  return out + kind.version + "." + kind.kind;
}

Value schema_reference(Dialect dialect, std::string_view name) {
  std::string_view prefix = dialect == Dialect::v2 ? "#/definitions/" : "#/components/schemas/";
  return Value::object({{"$ref", std::string(prefix).append(name)}});
}

void SchemaSet::add(const Type& type) {
  // A kind may be part of another (a StatefulSet's claims): it stays a kind there.
  const Kind* kind = nullptr;
  for (const GroupVersion& one : input_.registry.group_versions()) {
    if (one.package != type.package) continue;
    auto found = std::ranges::find(one.kinds, &type, &Kind::type);
    if (found != one.kinds.end()) kind = *found;
  }
  if (!entries_.try_emplace(type.openapi_name(), Entry{&type, kind, false, nullptr}).second) return;
  for (const Type::Entry& entry : type.index) {
    if (entry.field->type.object) add(*entry.field->type.object);
    if (const NamedScalar* scalar = named_scalar(entry.field->type.scalar))
      add_scalar(scalar->name);
  }
}

void SchemaSet::add(const Kind& kind) {
  for (std::string_view name : {"ListMeta", "ObjectMeta", "Status", "DeleteOptions"}) {
    if (const Type* type = input_.registry.find_type(kMetaPackage, name)) add(*type);
  }
  add_scalar(kPatchName);
  std::string name = schema_name(kind);
  auto custom = std::ranges::find(input_.custom, &kind, &CustomSchema::kind);
  if (custom != input_.custom.end()) {
    entries_.insert_or_assign(name, Entry{kind.type, &kind, false, &*custom});
  } else if (kind.custom) {
    entries_.try_emplace(name, Entry{kind.type, &kind, false, nullptr});
  } else {
    add(*kind.type);
  }
  if (std::ranges::find(kind.verbs, "list") != kind.verbs.end()) {
    entries_.try_emplace(name + "List", Entry{kind.type, &kind, true, nullptr});
  }
  for (const Subresource& subresource : kind.subresources) {
    ServedSubresource served = served_subresource(kind, subresource);
    std::string_view package = input_.registry.package_of(served.group, served.version);
    const Type* type = input_.registry.find_type(package, served.kind);
    if (type && !served.kind.ends_with("Options")) add(*type);
  }
}

// A value of the field's scalar or object, not of its shape.
Value SchemaSet::value_schema(const Field& field) const {
  if (field.type.object) return schema_reference(dialect_, field.type.object->openapi_name());
  if (const NamedScalar* scalar = named_scalar(field.type.scalar)) {
    return schema_reference(dialect_, scalar->name);
  }
  auto row = std::ranges::find(kPlainScalars, field.type.scalar, &PlainScalar::scalar);
  Value out = typed(row->type, row->format);
  if (field.limits.allowed.empty()) return out;
  std::vector<std::string> allowed = field.limits.allowed;
  std::ranges::sort(allowed);
  return out.with("enum", text_list(allowed));
}

Value SchemaSet::field_schema(const Field& field) const {
  Value value = value_schema(field);
  ObjectBuilder extra;
  extra.set_if("description", field.description);
  add_extensions(extra, field);
  const auto& preset = field.default_value;
  if (preset && !preset->is_object() && !preset->is_list() && !preset->is_null()) {
    extra.set("default", *preset);
  }
  bool wrapped = field.type.shape != Shape::single;
  if (field.type.shape == Shape::map) {
    if (field.proto_items) value = Value::object({{"type", "array"}, {"items", value}});
    extra.set("type", "object").set("additionalProperties", value);
  } else if (field.type.shape == Shape::list) {
    extra.set("type", "array").set("items", value);
  } else if (value.has("$ref") && dialect_ == Dialect::v3 && !extra.empty()) {
    // A reference has no neighbours in OpenAPI 3.0.
    extra.set("allOf", Value::list({value}));
    wrapped = true;
  }
  if (!wrapped) {
    for (const Member& member : value.members()) extra.set(member.key, member.value);
  }
  return std::move(extra).build();
}

// The kinds a schema stands for. Options and results of requests are the same in every group.
Value SchemaSet::kinds_of(const Type& type) const {
  std::vector<Value> kinds;
  if (type.package == kMetaPackage) {
    if (type.name != "DeleteOptions" && type.name != "WatchEvent") {
      return Value::list({kind_entry("", "v1", type.name)});
    }
    for (const GroupVersion* one : sorted_group_versions(input_.served)) {
      kinds.push_back(kind_entry(one->group, one->version, type.name));
    }
    return Value::list(std::move(kinds));
  }
  for (const GroupVersion& one : input_.registry.group_versions()) {
    if (one.package == type.package) kinds.push_back(kind_entry(one.group, one.version, type.name));
  }
  return Value::list(std::move(kinds));
}

Value SchemaSet::type_schema(const Type& type, const Kind* kind) const {
  ObjectBuilder properties;
  std::vector<std::string> required;
  for (const Type::Entry& entry : type.index) {
    properties.set(entry.field->key, field_schema(*entry.field));
    if (entry.field->openapi_required) required.push_back(entry.field->name);
  }
  if (kind || type.type_meta) add_type_meta(properties);
  ObjectBuilder out;
  out.set("type", "object");
  out.set_if("description", type.description);
  if (!properties.empty()) out.set("properties", std::move(properties).build());
  out.set_if("required", text_list(required));
  if (type.atomic) out.set("x-kubernetes-map-type", "atomic");
  if (kind) {
    out.set("x-kubernetes-group-version-kind",
            Value::list({kind_entry(kind->group, kind->version, kind->kind)}));
  } else if (type.type_meta) {
    out.set("x-kubernetes-group-version-kind", kinds_of(type));
  }
  return std::move(out).build();
}

Value SchemaSet::list_schema(const Kind& kind) const {
  ObjectBuilder properties;
  add_type_meta(properties);
  Value metadata = schema_reference(dialect_, std::string(kMeta) + "ListMeta");
  properties.set("metadata", metadata);
  properties.set(
      "items",
      Value::object({{"type", "array"}, {"items", schema_reference(dialect_, schema_name(kind))}}));
  return Value::object({{"type", "object"},
                        {"description", "list of " + kind.kind},
                        {"properties", std::move(properties).build()},
                        {"required", Value::list({"items"})},
                        {"x-kubernetes-group-version-kind",
                         Value::list({kind_entry(kind.group, kind.version, kind.list_kind())})}});
}

Value SchemaSet::custom_schema(const CustomSchema& custom) const {
  const Kind& kind = *custom.kind;
  Value schema =
      custom.open_api_v3_schema.is_object() ? custom.open_api_v3_schema : typed("object", "");
  if (dialect_ == Dialect::v2) schema = without_v3_keywords(schema);
  ObjectBuilder out(schema);
  out.set("type", "object");
  // An object whose fields are not described may have any: no properties then.
  bool open = schema["x-kubernetes-preserve-unknown-fields"].as_bool() && !schema.has("properties");
  if (!open) {
    ObjectBuilder properties(schema["properties"]);
    add_type_meta(properties);
    properties.set("metadata", schema_reference(dialect_, std::string(kMeta) + "ObjectMeta"));
    out.set("properties", std::move(properties).build());
  }
  out.set("x-kubernetes-group-version-kind",
          Value::list({kind_entry(kind.group, kind.version, kind.kind)}));
  return std::move(out).build();
}

Value SchemaSet::schema(const std::string& name, const Entry& entry) const {
  if (entry.list) return list_schema(*entry.kind);
  if (entry.custom) return custom_schema(*entry.custom);
  if (entry.kind && entry.kind->custom) return custom_schema(CustomSchema{entry.kind, Value()});
  if (entry.type) return type_schema(*entry.type, entry.kind);
  auto scalar = std::ranges::find(kNamedScalars, name, &NamedScalar::name);
  if (scalar != std::end(kNamedScalars)) return named_scalar_schema(*scalar, dialect_);
  return Value::object({{"type", "object"}, {"description", "a patch of an object"}});
}

}  // namespace orch::schema
