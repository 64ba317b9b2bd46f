// Rows of tables. A cell is a text with paths in braces, or what a named function gives;
// docs/schema.md has the language. Custom kinds' columns are JSONPaths instead.

#include "base/text.h"
#include "data/json.h"
#include "data/path.h"
#include "schema/engine.h"
#include "schema/hooks.h"

namespace orch::schema {

namespace {

std::string text_of(const Value& value) {
  if (value.is_null()) return {};
  return value.is_string() ? std::string(value.as_string()) : format_json(value);
}

bool is_nothing(const Value& value) { return value.is_null() || value == Value(""); }

// Collects what a path (".spec.containers[*].name") selects.
void select(const Value& value, std::string_view path, std::vector<Value>& out) {
  if (path.empty()) {
    out.push_back(value);
    return;
  }
  if (path.starts_with("[*]")) {
    for (const Value& item : value.items()) select(item, path.substr(3), out);
    return;
  }
  if (path.starts_with('[')) {
    size_t close = std::min(path.find(']'), path.size() - 1);
    auto index = parse_uint(path.substr(1, close - 1));
    if (index && *index < value.size()) select(value.at(*index), path.substr(close + 1), out);
    return;
  }
  path.remove_prefix(1);  // '.'
  size_t end = std::min(path.find_first_of(".["), path.size());
  select(value[path.substr(0, end)], path.substr(end), out);
}

Value fallback_value(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  if (auto number = parse_int(text)) return *number;
  return text;
}

// What stands between two braces: `.path` or `.path|fallback`. null where there is nothing.
Value reference_value(const Value& object, std::string_view reference) {
  size_t bar = reference.find('|');
  std::string_view path = reference.substr(0, bar);
  std::vector<Value> found;
  select(object, path, found);
  Value value;
  if (path.find("[*]") == path.npos) {
    if (!found.empty()) value = found.front();
  } else {
    std::string joined;
    for (size_t i = 0; i < found.size(); ++i) {
      if (i > 0) joined += ",";
      joined += text_of(found[i]);
    }
    value = joined;
  }
  if (is_nothing(value) && bar != reference.npos) return fallback_value(reference.substr(bar + 1));
  return value;
}

Value template_value(const Value& object, std::string_view text) {
  if (text.starts_with('{') && text.find('}') == text.size() - 1) {
    return reference_value(object, text.substr(1, text.size() - 2));
  }
  std::string out;
  while (!text.empty()) {
    size_t open = text.find('{');
    out += text.substr(0, open);
    if (open == text.npos) break;
    size_t close = std::min(text.find('}', open), text.size() - 1);
    Value value = reference_value(object, text.substr(open + 1, close - open - 1));
    out += text_of(value);
    text.remove_prefix(close + 1);
  }
  return out;
}

Value age_of(const Value& time, Instant now) {
  auto instant = time.is_string() ? parse_time(time.as_string()) : Error::make(Code::parse, "");
  return instant.ok() ? Value(format_age(now - *instant)) : Value("<unknown>");
}

// A cell of a custom kind: the first thing the path selects, where it is of the column's type.
Value custom_cell(const Column& column, const Value& object, Instant now) {
  auto path = JsonPath::parse(column.path_template);
  if (!path.ok()) return nullptr;
  auto found = path->select(object, true);
  if (!found.ok() || found->empty() || found->front().is_null()) return nullptr;
  const Value& value = found->front();
  if (column.type == "string") return text_of(value);
  if (column.type == "date") return value.is_string() ? age_of(value, now) : Value("<invalid>");
  if (column.type == "integer") return value.is_number() ? Value(value.as_int()) : Value(nullptr);
  if (column.type == "number") return value.is_number() ? value : Value(nullptr);
  return value.is_bool() ? value : Value(nullptr);
}

Value cell(const Kind& kind, const Column& column, const Value& object, const Hooks& hooks,
           Instant now) {
  if (!column.function.empty()) {
    const ColumnHook* hook = hooks.find<ColumnHook>(column.function);
    return hook ? hook->run(object, column.argument, now) : Value("<unknown>");
  }
  if (kind.custom) return custom_cell(column, object, now);
  Value value = template_value(object, column.path_template);
  if (column.type == "date") return age_of(value, now);
  if (value.is_null() && column.type == "string") return "";
  return value;
}

Value column_definition(std::string_view name, std::string_view type, std::string_view format,
                        std::string_view description, int priority) {
  return Value::object({{"name", name},
                        {"type", type},
                        {"format", format},
                        {"description", description},
                        {"priority", priority}});
}

constexpr std::string_view kNameHelp = "unique name within the namespace";

}  // namespace

Value table_columns(const Kind& kind) {
  std::vector<Value> columns;
  if (kind.columns.empty()) {
    columns.push_back(column_definition("Name", "string", "name", kNameHelp, 0));
    columns.push_back(
        column_definition("Created At", "date", "", "when the object was created", 0));
  }
  for (const Column& column : kind.columns) {
    std::string_view help = column.description;
    if (help.empty() && column.format == "name") help = kNameHelp;
    // Kubernetes' own tables give ages as texts; those of custom kinds say `date`.
    std::string_view type = column.type;
    if (type == "date" && !kind.custom) type = "string";
    columns.push_back(
        column_definition(column.name, type, column.format, help, column.wide ? 1 : 0));
  }
  return Value::list(std::move(columns));
}

Value table_row(const Kind& kind, const Value& given, const Hooks& hooks, Instant now) {
  // A kind that is kept as another has that one's columns.
  const ConvertHook* convert =
      kind.stored_as ? hooks.find<ConvertHook>(kind.stored_as->function) : nullptr;
  Value object = convert ? convert->to_stored(given) : given;
  std::vector<Value> cells;
  if (kind.columns.empty()) {
    cells = {object.path({"metadata", "name"}), object.path({"metadata", "creationTimestamp"})};
  }
  for (const Column& column : kind.columns) cells.push_back(cell(kind, column, object, hooks, now));
  ObjectBuilder row;
  row.set("cells", Value::list(std::move(cells)));
  if (const RowHook* hook =
          kind.row_function.empty() ? nullptr : hooks.find<RowHook>(kind.row_function)) {
    row.set_if("conditions", hook->run(object));
  }
  return std::move(row).build();
}

}  // namespace orch::schema
