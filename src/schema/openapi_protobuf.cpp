// OpenAPI values -> the messages of gnostic's OpenAPIv2.proto and OpenAPIv3.proto, by tables of
// keyword and field number. Extensions (x-...) and other free values travel as YAML text; JSON is
// YAML. Keywords that a table does not name are left out.

#include <bit>

#include "data/json.h"
#include "data/protobuf.h"
#include "schema/openapi.h"

namespace orch::schema {

namespace {

using Write = void (*)(ProtoWriter& out, uint32_t number, const Value& value);
using Body = void (*)(ProtoWriter& out, const Value& value);

struct Rule {
  std::string_view key;
  uint32_t number;
  Write write;
};

// --- scalars

void text(ProtoWriter& out, uint32_t number, const Value& value) {
  out.bytes(number, value.as_string());
}
void flag(ProtoWriter& out, uint32_t number, const Value& value) {
  out.varint(number, value.as_bool() ? 1 : 0);
}
void integer(ProtoWriter& out, uint32_t number, const Value& value) {
  out.varint(number, static_cast<uint64_t>(value.as_int()));
}
void real(ProtoWriter& out, uint32_t number, const Value& value) {
  out.fixed64(number, std::bit_cast<uint64_t>(value.as_double()));
}
void texts(ProtoWriter& out, uint32_t number, const Value& value) {
  for (const Value& item : value.items()) text(out, number, item);
}
// Any {2 yaml}
void any(ProtoWriter& out, uint32_t number, const Value& value) {
  out.message(number, [&](ProtoWriter& inner) { inner.bytes(2, format_json(value)); });
}
void anys(ProtoWriter& out, uint32_t number, const Value& value) {
  for (const Value& item : value.items()) any(out, number, item);
}

// --- messages

template <Body body>
void message(ProtoWriter& out, uint32_t number, const Value& value) {
  out.message(number, [&](ProtoWriter& inner) { body(inner, value); });
}
template <Body body>
void messages(ProtoWriter& out, uint32_t number, const Value& value) {
  for (const Value& item : value.items()) message<body>(out, number, item);
}
// One entry of a map: {1 name, 2 value}.
template <Body body>
void entry(ProtoWriter& out, uint32_t number, std::string_view name, const Value& value) {
  out.message(number, [&](ProtoWriter& inner) {
    inner.bytes(1, name);
    message<body>(inner, 2, value);
  });
}
// A map: a message whose field `inner_number` repeats the entries.
template <Body body, uint32_t inner_number = 1>
void named(ProtoWriter& out, uint32_t number, const Value& value) {
  out.message(number, [&](ProtoWriter& inner) {
    for (const Member& member : value.members())
      entry<body>(inner, inner_number, member.name(), member.value);
  });
}

void write_fields(ProtoWriter& out, const Value& value, std::span<const Rule> rules,
                  uint32_t extensions) {
  for (const Rule& rule : rules) {
    if (const Value* found = value.find(rule.key)) rule.write(out, rule.number, *found);
  }
  for (const Member& member : value.members()) {
    if (!member.name().starts_with("x-")) continue;
    out.message(extensions, [&](ProtoWriter& named_any) {
      named_any.bytes(1, member.name());
      any(named_any, 2, member.value);
    });
  }
}

// --- version 2

void schema_v2(ProtoWriter& out, const Value& value);

// TypeItem {1 repeated}: one type, or several.
void type_v2(ProtoWriter& out, uint32_t number, const Value& value) {
  out.message(number, [&](ProtoWriter& inner) {
    value.is_list() ? texts(inner, 1, value) : text(inner, 1, value);
  });
}
// ItemsItem {1 repeated Schema}
void items_v2(ProtoWriter& out, uint32_t number, const Value& value) {
  out.message(number, [&](ProtoWriter& inner) {
    value.is_list() ? messages<schema_v2>(inner, 1, value) : message<schema_v2>(inner, 1, value);
  });
}
void additional_v2(ProtoWriter& out, uint32_t number, const Value& value) {
  out.message(number, [&](ProtoWriter& inner) {
    value.is_bool() ? flag(inner, 2, value) : message<schema_v2>(inner, 1, value);
  });
}

constexpr Rule kSchemaV2[] = {
    {"$ref", 1, text},
    {"format", 2, text},
    {"title", 3, text},
    {"description", 4, text},
    {"default", 5, any},
    {"multipleOf", 6, real},
    {"maximum", 7, real},
    {"exclusiveMaximum", 8, flag},
    {"minimum", 9, real},
    {"exclusiveMinimum", 10, flag},
    {"maxLength", 11, integer},
    {"minLength", 12, integer},
    {"pattern", 13, text},
    {"maxItems", 14, integer},
    {"minItems", 15, integer},
    {"uniqueItems", 16, flag},
    {"maxProperties", 17, integer},
    {"minProperties", 18, integer},
    {"required", 19, texts},
    {"enum", 20, anys},
    {"additionalProperties", 21, additional_v2},
    {"type", 22, type_v2},
    {"items", 23, items_v2},
    {"allOf", 24, messages<schema_v2>},
    {"properties", 25, named<schema_v2>},
    {"example", 30, any},
};
void schema_v2(ProtoWriter& out, const Value& value) { write_fields(out, value, kSchemaV2, 31); }

constexpr Rule kBodyV2[] = {{"description", 1, text},
                            {"name", 2, text},
                            {"in", 3, text},
                            {"required", 4, flag},
                            {"schema", 5, message<schema_v2>}};
constexpr Rule kQueryV2[] = {{"required", 1, flag},    {"in", 2, text},   {"description", 3, text},
                             {"name", 4, text},        {"type", 6, text}, {"format", 7, text},
                             {"uniqueItems", 20, flag}};
constexpr Rule kPathV2[] = {{"required", 1, flag},    {"in", 2, text},   {"description", 3, text},
                            {"name", 4, text},        {"type", 5, text}, {"format", 6, text},
                            {"uniqueItems", 19, flag}};

// ParametersItem {1 Parameter {1 body, 2 NonBodyParameter {3 query, 4 path}}}
void parameter_v2(ProtoWriter& out, const Value& value) {
  std::string_view in = value["in"].as_string();
  out.message(1, [&](ProtoWriter& parameter) {
    if (in == "body") {
      parameter.message(1, [&](ProtoWriter& body) { write_fields(body, value, kBodyV2, 6); });
      return;
    }
    parameter.message(2, [&](ProtoWriter& other) {
      if (in == "path") {
        other.message(4, [&](ProtoWriter& path) { write_fields(path, value, kPathV2, 22); });
      } else {
        other.message(3, [&](ProtoWriter& query) { write_fields(query, value, kQueryV2, 23); });
      }
    });
  });
}

// SchemaItem {1 schema}
void schema_item_v2(ProtoWriter& out, const Value& value) { message<schema_v2>(out, 1, value); }
constexpr Rule kResponseV2[] = {{"description", 1, text}, {"schema", 2, message<schema_item_v2>}};
// ResponseValue {1 Response}
void response_v2(ProtoWriter& out, const Value& value) {
  out.message(1, [&](ProtoWriter& inner) { write_fields(inner, value, kResponseV2, 5); });
}

constexpr Rule kOperationV2[] = {{"tags", 1, texts},
                                 {"description", 3, text},
                                 {"operationId", 5, text},
                                 {"produces", 6, texts},
                                 {"consumes", 7, texts},
                                 {"parameters", 8, messages<parameter_v2>},
                                 {"responses", 9, named<response_v2>},
                                 {"schemes", 10, texts},
                                 {"deprecated", 11, flag}};
void operation_v2(ProtoWriter& out, const Value& value) {
  write_fields(out, value, kOperationV2, 13);
}

constexpr Rule kPathItemV2[] = {
    {"get", 2, message<operation_v2>},   {"put", 3, message<operation_v2>},
    {"post", 4, message<operation_v2>},  {"delete", 5, message<operation_v2>},
    {"patch", 8, message<operation_v2>}, {"parameters", 9, messages<parameter_v2>}};
void path_item_v2(ProtoWriter& out, const Value& value) {
  write_fields(out, value, kPathItemV2, 10);
}

// --- version 3

void schema_v3(ProtoWriter& out, const Value& value);

// SchemaOrReference {1 schema, 2 reference {1 ref}}
void schema_or_reference(ProtoWriter& out, const Value& value) {
  if (const Value* reference = value.find("$ref")) {
    out.message(2, [&](ProtoWriter& inner) { text(inner, 1, *reference); });
  } else {
    message<schema_v3>(out, 1, value);
  }
}
void items_v3(ProtoWriter& out, uint32_t number, const Value& value) {
  out.message(number, [&](ProtoWriter& inner) { message<schema_or_reference>(inner, 1, value); });
}
void additional_v3(ProtoWriter& out, uint32_t number, const Value& value) {
  out.message(number, [&](ProtoWriter& inner) {
    value.is_bool() ? flag(inner, 2, value) : message<schema_or_reference>(inner, 1, value);
  });
}
// DefaultType {1 number, 2 boolean, 3 string}: others have no place there.
void default_v3(ProtoWriter& out, uint32_t number, const Value& value) {
  if (value.is_list() || value.is_object() || value.is_null()) return;
  out.message(number, [&](ProtoWriter& inner) {
    if (value.is_number()) real(inner, 1, value);
    if (value.is_bool()) flag(inner, 2, value);
    if (value.is_string()) text(inner, 3, value);
  });
}

constexpr Rule kSchemaV3[] = {
    {"nullable", 1, flag},
    {"example", 7, any},
    {"title", 9, text},
    {"multipleOf", 10, real},
    {"maximum", 11, real},
    {"exclusiveMaximum", 12, flag},
    {"minimum", 13, real},
    {"exclusiveMinimum", 14, flag},
    {"maxLength", 15, integer},
    {"minLength", 16, integer},
    {"pattern", 17, text},
    {"maxItems", 18, integer},
    {"minItems", 19, integer},
    {"uniqueItems", 20, flag},
    {"maxProperties", 21, integer},
    {"minProperties", 22, integer},
    {"required", 23, texts},
    {"enum", 24, anys},
    {"type", 25, text},
    {"allOf", 26, messages<schema_or_reference>},
    {"oneOf", 27, messages<schema_or_reference>},
    {"anyOf", 28, messages<schema_or_reference>},
    {"not", 29, message<schema_v3>},
    {"items", 30, items_v3},
    {"properties", 31, named<schema_or_reference>},
    {"additionalProperties", 32, additional_v3},
    {"default", 33, default_v3},
    {"description", 34, text},
    {"format", 35, text},
};
void schema_v3(ProtoWriter& out, const Value& value) { write_fields(out, value, kSchemaV3, 36); }

constexpr Rule kParameterV3[] = {{"name", 1, text},
                                 {"in", 2, text},
                                 {"description", 3, text},
                                 {"required", 4, flag},
                                 {"schema", 10, message<schema_or_reference>}};
// ParameterOrReference {1 parameter}
void parameter_v3(ProtoWriter& out, const Value& value) {
  out.message(1, [&](ProtoWriter& inner) { write_fields(inner, value, kParameterV3, 14); });
}

constexpr Rule kMediaTypeV3[] = {{"schema", 1, message<schema_or_reference>}};
void media_type_v3(ProtoWriter& out, const Value& value) {
  write_fields(out, value, kMediaTypeV3, 5);
}
constexpr Rule kRequestBodyV3[] = {
    {"description", 1, text}, {"content", 2, named<media_type_v3>}, {"required", 3, flag}};
// RequestBodyOrReference {1 request_body}
void request_body_v3(ProtoWriter& out, const Value& value) {
  out.message(1, [&](ProtoWriter& inner) { write_fields(inner, value, kRequestBodyV3, 4); });
}
constexpr Rule kResponseV3[] = {{"description", 1, text}, {"content", 3, named<media_type_v3>}};
// ResponseOrReference {1 response}
void response_v3(ProtoWriter& out, const Value& value) {
  out.message(1, [&](ProtoWriter& inner) { write_fields(inner, value, kResponseV3, 5); });
}

constexpr Rule kOperationV3[] = {{"tags", 1, texts},
                                 {"description", 3, text},
                                 {"operationId", 5, text},
                                 {"parameters", 6, messages<parameter_v3>},
                                 {"requestBody", 7, message<request_body_v3>},
                                 {"responses", 8, named<response_v3, 2>},
                                 {"deprecated", 10, flag}};
void operation_v3(ProtoWriter& out, const Value& value) {
  write_fields(out, value, kOperationV3, 13);
}

constexpr Rule kPathItemV3[] = {
    {"get", 4, message<operation_v3>},    {"put", 5, message<operation_v3>},
    {"post", 6, message<operation_v3>},   {"delete", 7, message<operation_v3>},
    {"patch", 10, message<operation_v3>}, {"parameters", 13, messages<parameter_v3>}};
void path_item_v3(ProtoWriter& out, const Value& value) {
  write_fields(out, value, kPathItemV3, 14);
}

}  // namespace

void append_path_protobuf(std::string& out, Dialect dialect, std::string_view path,
                          const Value& item) {
  ProtoWriter writer(out);
  if (dialect == Dialect::v2) {
    entry<path_item_v2>(writer, 2, path, item);
  } else {
    entry<path_item_v3>(writer, 1, path, item);
  }
}

void append_schema_protobuf(std::string& out, Dialect dialect, std::string_view name,
                            const Value& schema) {
  ProtoWriter writer(out);
  if (dialect == Dialect::v2) {
    entry<schema_v2>(writer, 1, name, schema);
  } else {
    entry<schema_or_reference>(writer, 1, name, schema);
  }
}

}  // namespace orch::schema
