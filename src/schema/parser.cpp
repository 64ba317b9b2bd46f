#include "schema/parser.h"

#include <algorithm>
#include <array>
#include <span>

#include "base/text.h"
#include "schema/line.h"

namespace orch::schema {

namespace {

Error bad(std::string message) { return Error::make(Code::parse, std::move(message)); }

// ---- attributes of a field

using Text = std::string_view;

std::vector<std::string> split_owned(Text text, char separator) {
  std::vector<std::string> parts;
  for (Text part : split(text, separator)) parts.emplace_back(part);
  return parts;
}

Result<void> set_bound(std::optional<int64_t>& bound, Text text) {
  bound = parse_int(text);
  if (!bound) return bad("not a number: " + quote(text));
  return {};
}

Result<void> set_patch(Field& field, Text text) {
  if (auto open = text.find('('); open != Text::npos) {
    if (!text.ends_with(')')) return bad("a parenthesis is not closed");
    field.patch.key = text.substr(open + 1, text.size() - open - 2);
    text = text.substr(0, open);
  }
  for (Text word : split(text, ',')) {
    if (word == "merge") {
      field.patch.merge = true;
    } else if (word == "retainKeys") {
      field.patch.retain_keys = true;
    } else if (word == "replace") {
      field.patch.replace = true;
    } else {
      return bad("unknown patch strategy " + quote(word));
    }
  }
  return {};
}

Result<void> set_unique(Field& field, Text text) {
  if (text.empty()) {
    field.unique = "";
    return {};
  }
  if (!text.starts_with('(') || !text.ends_with(')')) return bad("unique(name) is meant");
  field.unique = std::string(text.substr(1, text.size() - 2));
  return {};
}

struct Attribute {
  Text name;  // with ':' where something must follow, with '(' where something may
  Result<void> (*set)(Field&, Text rest);
};

template <bool Field::*Flag>
Result<void> flag(Field& field, Text) {
  field.*Flag = true;
  return {};
}

template <std::optional<int64_t> Limits::*Bound>
Result<void> bound(Field& field, Text text) {
  return set_bound(field.limits.*Bound, text);
}

Result<void> set_required(Field& field, Text) {
  field.required = true;
  return {};
}
Result<void> set_optional(Field& field, Text) {
  field.openapi_required = false;
  return {};
}
Result<void> set_set(Field& field, Text) {
  field.list = ListKind::set;
  return {};
}
Result<void> set_enum(Field& field, Text text) {
  field.limits.allowed = split_owned(text, '|');
  return {};
}
Result<void> set_enum_in_order(Field& field, Text text) {
  field.limits.in_order = true;
  return set_enum(field, text);
}
Result<void> set_format(Field& field, Text text) {
  field.limits.format = text;
  return {};
}
Result<void> set_key(Field& field, Text text) {
  field.list = ListKind::map;
  field.keys = split_owned(text, ',');
  return {};
}
Result<void> set_proto(Field& field, Text text) {
  if (text != "items") return bad("proto:items is meant");
  field.proto_items = true;
  return {};
}

constexpr std::array<Attribute, 23> kAttributes{{
    {"required", set_required},
    {"optional", set_optional},
    {"mandatory", flag<&Field::openapi_required>},
    {"omitzero", flag<&Field::omit_zero>},
    {"immutable", flag<&Field::immutable>},
    {"atomic", flag<&Field::atomic>},
    {"granular", flag<&Field::granular>},
    {"inline", flag<&Field::inlined>},
    {"unchecked", flag<&Field::unchecked>},
    {"set", set_set},
    {"unique(", set_unique},
    {"min:", bound<&Limits::min>},
    {"max:", bound<&Limits::max>},
    {"minlen:", bound<&Limits::min_len>},
    {"maxlen:", bound<&Limits::max_len>},
    {"minitems:", bound<&Limits::min_items>},
    {"maxitems:", bound<&Limits::max_items>},
    {"enum:", set_enum},
    {"enum-in-order:", set_enum_in_order},
    {"format:", set_format},
    {"key:", set_key},
    {"patch:", set_patch},
    {"proto:", set_proto},
}};

Result<void> apply_attribute(Field& field, Text word) {
  for (const Attribute& attribute : kAttributes) {
    Text name = attribute.name;
    if (name.ends_with(':')) {
      if (word.starts_with(name)) return attribute.set(field, word.substr(name.size()));
    } else if (name.ends_with('(')) {
      name.remove_suffix(1);
      if (word == name || word.starts_with(attribute.name)) {
        return attribute.set(field, word.substr(name.size()));
      }
    } else if (word == name) {
      return attribute.set(field, {});
    }
  }
  return bad("unknown attribute " + quote(word));
}

// ---- the type of a field

struct ScalarName {
  Text name;
  Scalar scalar;
};
constexpr std::array<ScalarName, 14> kScalars{{
    {"string", Scalar::string},
    {"bool", Scalar::boolean},
    {"int32", Scalar::int32},
    {"int64", Scalar::int64},
    {"double", Scalar::number},
    {"bytes", Scalar::bytes},
    {"time", Scalar::time},
    {"microtime", Scalar::micro_time},
    {"duration", Scalar::duration},
    {"quantity", Scalar::quantity},
    {"intorstring", Scalar::int_or_string},
    {"raw", Scalar::raw},
    {"fields", Scalar::fields},
    {"json", Scalar::json},
}};

bool take_prefix(Text& text, Text prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}
bool take_suffix(Text& text, Text suffix) {
  if (!text.ends_with(suffix)) return false;
  text.remove_suffix(suffix.size());
  return true;
}

Result<void> parse_type(Text text, FieldType& type, Document::Reference& reference) {
  type.pointer = take_prefix(text, "*");
  if (take_prefix(text, "map[")) {
    if (!take_suffix(text, "]")) return bad("map[T] is meant");
    type.shape = Shape::map;
    type.list_values = take_suffix(text, "[]");
  } else if (take_suffix(text, "[]")) {
    type.shape = Shape::list;
  }
  if (text.empty() || text.find_first_of("[]*") != Text::npos) return bad("not a type: " + quote(text));
  auto scalar = std::ranges::find(kScalars, text, &ScalarName::name);
  if (scalar != kScalars.end()) {
    type.scalar = scalar->scalar;
    return {};
  }
  auto parts = split_once(text, '.');
  if (parts) reference.alias = parts->first;
  reference.name = parts ? parts->second : text;
  return {};
}

// ---- the lines of a type

// <number> <name>[?]: <type> [= json] [attribute...] ["description"]
Result<void> parse_field(Line& line, Document::Section& section, int number) {
  Field field;
  Document::Reference reference{.line = number};
  auto wire_number = parse_uint(line.word());
  if (!wire_number || *wire_number > 536870911) return bad("a field begins with its protobuf number");
  field.number = static_cast<uint32_t>(*wire_number);
  Text name = line.word();
  if (!take_suffix(name, ":")) return bad("`name: type` or `name?: type` is meant");
  field.omit_empty = take_suffix(name, "?");
  if (name.empty()) return bad("a field without a name");
  field.name = name;
  field.key = Key(name);
  field.openapi_required = !field.omit_empty;
  TRY_VOID(parse_type(line.word(), field.type, reference));
  if (line.peek() == "=") {
    line.word();
    TRY(field.default_value, line.json());
  }
  while (!line.done() && !line.at_quote()) TRY_VOID(apply_attribute(field, line.word()));
  if (line.at_quote()) {
    TRY(field.description, line.quoted());
  }
  if (std::ranges::find(section.type.fields, field.name, &Field::name) != section.type.fields.end()) {
    return bad("a second field " + quote(field.name));
  }
  section.type.fields.push_back(std::move(field));
  section.references.push_back(std::move(reference));
  return {};
}

Result<void> parse_union(Line& line, Type& type, bool required) {
  Union one{.required = required, .fields = {}, .what = {}};
  while (!line.done() && !line.at_quote()) one.fields.emplace_back(line.word());
  if (line.at_quote()) {
    TRY(one.what, line.quoted());
  }
  if (one.fields.size() < 2) return bad("a union has two fields or more");
  type.unions.push_back(std::move(one));
  return {};
}

Result<std::string> hook_name(Line& line) {
  Text word = line.word();
  if (!take_prefix(word, "@") || word.empty()) return bad("@name of a function is meant");
  return std::string(word);
}

using Section = Document::Section;

template <std::vector<std::string> Type::*Hooks>
Result<void> parse_hook(Line& line, Section& section) {
  TRY(std::string name, hook_name(line));
  (section.type.*Hooks).push_back(std::move(name));
  return {};
}

// ---- the lines of a kind

Result<void> parse_scope(Line& line, Section& section) {
  Text scope = line.word();
  if (scope != "namespaced" && scope != "cluster") return bad("scope namespaced or cluster");
  section.kind->namespaced = scope == "namespaced";
  return {};
}

template <std::vector<std::string> Kind::*Words>
Result<void> parse_words(Line& line, Section& section) {
  while (!line.done()) (section.kind.value().*Words).emplace_back(line.word());
  return {};
}

Result<void> parse_name_format(Line& line, Section& section) {
  section.kind->name_format = line.word();
  return {};
}

Result<void> parse_generation(Line& line, Section& section) {
  section.kind->counts_generation = true;
  while (!line.done()) {
    Text word = line.word();
    if (word != "annotations" && word != "labels") return bad("generation of what: " + quote(word));
    section.kind->generation_metadata.emplace_back(word);
  }
  return {};
}

constexpr std::array<Text, 14> kSubresources{
    "status", "scale",   "log",     "exec",  "attach",   "portforward", "proxy", "eviction",
    "binding", "ephemeralcontainers", "token", "approval", "finalize", "resize"};

Result<void> parse_subresource(Line& line, Section& section) {
  Subresource sub;
  sub.name = line.word();
  if (std::ranges::find(kSubresources, sub.name) == kSubresources.end()) {
    return bad("unknown subresource " + quote(sub.name));
  }
  while (!line.done()) sub.words.emplace_back(line.word());
  if (sub.name == "status" && std::ranges::find(sub.words, "kept") != sub.words.end()) {
    section.kind->keeps_status_on_create = true;
  } else if (sub.name == "scale") {
    if (sub.words.size() < 2) return bad("scale needs the paths of the two replicas");
  } else if (sub.words.size() == 2) {  // eviction policy/v1 Eviction
    auto parts = split_once(sub.words[0], '/');
    sub.group = parts ? parts->first : "";
    sub.version = parts ? parts->second : Text(sub.words[0]);
    sub.kind = sub.words[1];
  }
  section.kind->subresources.push_back(std::move(sub));
  return {};
}

Result<void> parse_select(Line& line, Section& section) {
  while (!line.done()) {
    Text word = line.word();
    auto parts = split_once(word, '=');
    section.kind->selectable.push_back({.name = std::string(parts ? parts->first : word),
                                        .paths = split_owned(parts ? parts->second : word, '|')});
  }
  return {};
}

Result<void> parse_stored(Line& line, Section& section) {
  Kind::StoredAs stored;
  Text api_version = line.word();
  auto parts = split_once(api_version, '/');
  stored.group = parts ? parts->first : "";
  stored.version = parts ? parts->second : api_version;
  stored.kind = line.word();
  TRY(stored.function, hook_name(line));
  section.kind->stored_as = std::move(stored);
  return {};
}

Result<void> parse_column(Line& line, Section& section) {
  Column column;
  TRY(column.name, line.name());
  column.type = line.word();
  if (column.type.empty()) return bad("a column without a type");
  while (!line.done() && !line.at_quote() && !line.peek().starts_with('@')) {
    Text word = line.word();
    if (word == "wide") {
      column.wide = true;
    } else if (take_prefix(word, "format:")) {
      column.format = word;
    } else {
      return bad("unknown word of a column " + quote(word));
    }
  }
  if (line.at_quote()) {
    TRY(column.path_template, line.quoted());
  } else {
    TRY(column.function, hook_name(line));
    while (!line.done() && !line.at_quote()) {
      if (!column.argument.empty()) column.argument += ' ';
      column.argument += line.word();
    }
  }
  if (line.at_quote()) {
    TRY(column.description, line.quoted());
  }
  section.kind->columns.push_back(std::move(column));
  return {};
}

Result<void> parse_row(Line& line, Section& section) {
  TRY(section.kind->row_function, hook_name(line));
  return {};
}

Result<void> parse_exactly_one(Line& line, Section& section) {
  return parse_union(line, section.type, true);
}
Result<void> parse_at_most_one(Line& line, Section& section) {
  return parse_union(line, section.type, false);
}
Result<void> parse_type_meta(Line&, Section& section) {
  section.type.type_meta = true;
  return {};
}
Result<void> parse_atomic(Line&, Section& section) {
  section.type.atomic = true;
  return {};
}
Result<void> parse_required(Line& line, Section& section) {
  while (!line.done()) section.type.required_paths.push_back(split_owned(line.word(), '.'));
  return {};
}

struct Keyword {
  Text name;
  bool of_kinds_only;
  Result<void> (*parse)(Line&, Section&);
};
constexpr std::array<Keyword, 21> kKeywords{{
    {"exactlyone", false, parse_exactly_one},
    {"atmostone", false, parse_at_most_one},
    {"required", false, parse_required},
    {"typemeta", false, parse_type_meta},
    {"atomic", false, parse_atomic},
    {"default", false, parse_hook<&Type::default_hooks>},
    {"validate", false, parse_hook<&Type::validate_hooks>},
    {"create", false, parse_hook<&Type::create_hooks>},
    {"update", false, parse_hook<&Type::update_hooks>},
    {"prepare", true, parse_hook<&Type::prepare_hooks>},
    {"scope", true, parse_scope},
    {"short", true, parse_words<&Kind::short_names>},
    {"in", true, parse_words<&Kind::categories>},
    {"verbs", true, parse_words<&Kind::verbs>},
    {"name", true, parse_name_format},
    {"generation", true, parse_generation},
    {"sub", true, parse_subresource},
    {"select", true, parse_select},
    {"stored", true, parse_stored},
    {"column", true, parse_column},
    {"row", true, parse_row},
}};

Result<void> parse_indented(Line& line, Document& document, int number) {
  if (document.sections.empty()) return bad("an indented line outside of a type or kind");
  Section& section = document.sections.back();
  Text first = line.peek();
  if (first.front() >= '0' && first.front() <= '9') return parse_field(line, section, number);
  auto keyword = std::ranges::find(kKeywords, first, &Keyword::name);
  if (keyword == kKeywords.end()) return bad("unknown line " + quote(first));
  if (keyword->of_kinds_only && !section.kind) return bad(quote(first) + " belongs to kinds");
  line.word();
  return keyword->parse(line, section);
}

// ---- the lines that open a section

Result<void> open_section(Line& line, Document& document, int number, bool is_kind) {
  Section section;
  section.line = number;
  section.type.name = line.word();
  if (section.type.name.empty()) return bad("a type without a name");
  if (is_kind) {
    if (document.version.empty()) return bad("a kind in a file without a group");
    Kind kind;
    kind.kind = section.type.name;
    kind.singular = to_lower(kind.kind);
    kind.plural = line.word();
    if (kind.plural.empty()) return bad("a kind without the name of its resource");
    section.kind = std::move(kind);
    section.type.type_meta = true;
  }
  if (line.at_quote()) {
    TRY(section.type.description, line.quoted());
  }
  document.sections.push_back(std::move(section));
  return {};
}

Result<void> parse_top(Line& line, Document& document, int number) {
  Text first = line.word();
  if (first == "kind" || first == "type") return open_section(line, document, number, first == "kind");
  if (first == "package") {
    document.package = line.word();
    return {};
  }
  if (first == "group") {
    Text group = line.word();
    document.group = group == "core" ? "" : group;
    document.version = line.word();
    if (document.version.empty()) return bad("group <name> <version> is meant");
    return {};
  }
  if (first == "import") {
    Document::Import import;
    import.alias = line.word();
    import.package = line.word();
    if (import.package.empty()) return bad("import <alias> <package> is meant");
    document.imports.push_back(std::move(import));
    return {};
  }
  return bad("unknown line " + quote(first));
}

Result<void> parse_line(Text text, Document& document, int number) {
  Line line(text);
  if (line.done()) return {};
  bool indented = text.front() == ' ' || text.front() == '\t';
  TRY_VOID(indented ? parse_indented(line, document, number) : parse_top(line, document, number));
  if (!line.done()) return bad("more than the line can hold: " + quote(line.peek()));
  return {};
}

}  // namespace

Result<Document> parse_document(std::string_view file, std::string_view text) {
  Document document;
  document.file = file;
  int number = 0;
  while (!text.empty()) {
    ++number;
    size_t end = std::min(text.find('\n'), text.size());
    auto parsed = parse_line(text.substr(0, end), document, number);
    if (!parsed.ok()) {
      return std::move(parsed).error().with_context(document.file + ":" + std::to_string(number));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  if (document.package.empty()) return bad(document.file + ":1: no package line");
  return document;
}

}  // namespace orch::schema
