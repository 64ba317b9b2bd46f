#include "cli/object_printer.h"

#include <array>

#include "base/text.h"
#include "cli/tab_writer.h"
#include "cli/table_printer.h"
#include "data/json.h"
#include "data/yaml.h"

namespace orch::cli {

namespace {

struct Format {
  std::string_view name;
  ObjectPrinter::Kind kind;
};
constexpr std::array kPlainFormats{
    Format{"", ObjectPrinter::Kind::table}, Format{"wide", ObjectPrinter::Kind::wide},
    Format{"json", ObjectPrinter::Kind::json}, Format{"yaml", ObjectPrinter::Kind::yaml},
    Format{"name", ObjectPrinter::Kind::name}};

Error unknown_format(const std::string& format) {
  return failure("unable to match a printer suitable for the output format " + quote(format) +
                 ", allowed formats are: custom-columns,custom-columns-file,json,jsonpath,"
                 "jsonpath-as-json,jsonpath-file,name,wide,yaml");
}

}  // namespace

Value make_list(std::vector<Value> items) {
  return Value::object({{"apiVersion", "v1"},
                        {"kind", "List"},
                        {"items", Value::list(std::move(items))},
                        {"metadata", Value::object({{"resourceVersion", ""}})}});
}

Result<ObjectPrinter> ObjectPrinter::make(Console& console, const std::string& format, Options options) {
  ObjectPrinter printer;
  printer.options_ = options;
  for (const Format& plain : kPlainFormats) {
    if (format == plain.name) {
      printer.kind_ = plain.kind;
      return printer;
    }
  }
  auto parts = split_once(format, '=');
  std::string name(parts ? parts->first : std::string_view(format));
  std::string argument(parts ? parts->second : std::string_view());
  if (name == "jsonpath-file" || name == "custom-columns-file") {
    TRY(argument, console.read_file(argument));
    if (name == "custom-columns-file") {
      printer.kind_ = Kind::columns;
      TRY_VOID(printer.read_column_file(argument));
      return printer;
    }
    name = "jsonpath";
  }
  if (name == "jsonpath" || name == "jsonpath-as-json") {
    if (argument.empty()) return failure("template format specified but no template given");
    printer.kind_ = name == "jsonpath" ? Kind::jsonpath : Kind::jsonpath_as_json;
    auto path = JsonPath::parse(argument);
    if (!path.ok()) {
      return failure("error parsing jsonpath " + argument + ", " + path.error().message());
    }
    printer.path_ = std::move(path).value();
    return printer;
  }
  if (name == "custom-columns") {
    if (argument.empty()) return failure("custom-columns format specified but no custom columns given");
    printer.kind_ = Kind::columns;
    TRY_VOID(printer.read_columns(argument));
    return printer;
  }
  return unknown_format(format);
}

Result<void> ObjectPrinter::read_columns(std::string_view text) {
  for (std::string_view part : split(text, ',')) {
    auto pieces = split_once(part, ':');
    if (!pieces) {
      return failure("unexpected custom-columns spec: " + std::string(part) +
                     ", expected <header>:<json-path-expr>");
    }
    TRY(std::string relaxed, relaxed_json_path(pieces->second));
    TRY(JsonPath path, JsonPath::parse(relaxed));
    columns_.push_back({std::string(pieces->first), std::move(path)});
  }
  return {};
}

Result<void> ObjectPrinter::read_column_file(const std::string& text) {
  auto words_of = [](std::string_view line) {
    std::vector<std::string> words;
    const std::string spaced = replace_all(trim(line), "\t", " ");  // the words point into it
    for (std::string_view word : split(spaced, ' ')) {
      if (!word.empty()) words.emplace_back(word);
    }
    return words;
  };
  auto lines = split(text, '\n');
  auto headers = words_of(lines[0]);
  auto paths = lines.size() > 1 ? words_of(lines[1]) : std::vector<std::string>();
  if (headers.empty() || headers.size() != paths.size()) {
    return failure("the custom-columns file needs a line of headers and one of as many paths");
  }
  for (size_t i = 0; i < headers.size(); ++i) {
    TRY(std::string relaxed, relaxed_json_path(paths[i]));
    TRY(JsonPath path, JsonPath::parse(relaxed));
    columns_.push_back({headers[i], std::move(path)});
  }
  return {};
}

Value ObjectPrinter::cleaned(const Value& object) const {
  if (options_.managed_fields || !object["metadata"].has("managedFields")) return object;
  return object.with("metadata", object["metadata"].without("managedFields"));
}

Result<std::string> ObjectPrinter::print_columns(const std::vector<Item>& items) const {
  TabWriter writer = TabWriter::for_tables();
  if (options_.headers) {
    std::vector<std::string> headers;
    for (const Column& column : columns_) headers.push_back(column.header);
    writer.write(join(headers, "\t") + "\n");
  }
  for (const Item& item : items) {
    std::vector<std::string> cells;
    for (const Column& column : columns_) {
      auto selected = column.path.select(item.object, true);
      std::vector<std::string> texts;
      if (selected.ok()) {
        for (const Value& value : selected.value()) texts.push_back(format_cell(value));
      }
      cells.push_back(texts.empty() ? "<none>" : join(texts, ","));
    }
    writer.write(join(cells, "\t") + "\n");
  }
  return writer.flush();
}

Result<std::string> ObjectPrinter::print(const Value& object, const std::string& type) const {
  switch (kind_) {
    case Kind::json: return format_json_pretty(cleaned(object), 4) + "\n";
    case Kind::yaml: return format_yaml(cleaned(object));
    case Kind::name: return type + "/" + std::string(object.path({"metadata", "name"}).as_string()) + "\n";
    case Kind::jsonpath: {
      auto text = path_->format(cleaned(object), options_.allow_missing_keys);
      if (!text.ok()) {
        return failure("error executing jsonpath: Error executing template: " + text.error().message());
      }
      return std::move(text).value();
    }
    case Kind::jsonpath_as_json: {
      TRY(auto values, path_->select(cleaned(object), options_.allow_missing_keys));
      return format_json_pretty(Value::list(std::move(values)), 4) + "\n";
    }
    case Kind::columns: {
      std::vector<Item> one;
      one.push_back({object, type});
      return print_columns(one);
    }
    default: return failure("this verb does not print tables");
  }
}

Result<std::string> ObjectPrinter::print_all(const std::vector<Item>& items, bool as_list) const {
  if (kind_ == Kind::columns) return print_columns(items);
  if (kind_ == Kind::name || !as_list) {
    std::string text;
    for (const Item& item : items) {
      if (kind_ == Kind::yaml && !text.empty()) text += "---\n";
      TRY(std::string one, print(item.object, item.type));
      text += one;
    }
    return text;
  }
  std::vector<Value> objects;
  for (const Item& item : items) objects.push_back(cleaned(item.object));
  return print(make_list(std::move(objects)), "list");
}

}  // namespace orch::cli
