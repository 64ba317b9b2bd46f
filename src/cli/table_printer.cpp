#include "cli/table_printer.h"

#include <algorithm>

#include "base/text.h"
#include "base/time.h"
#include "cli/console.h"
#include "data/json.h"
#include "data/path.h"
#include "data/quantity.h"

namespace orch::cli {

std::string format_labels(const Value& labels) {
  std::string text;
  for (const Member& label : labels.members()) {
    if (!text.empty()) text += ',';
    text += std::string(label.name()) + "=" + std::string(label.value.as_string());
  }
  return text.empty() ? "<none>" : text;
}

std::string format_cell(const Value& cell) {
  if (cell.is_null()) return "<none>";
  if (!cell.is_string()) return format_json(cell);
  // One line a row: what follows a line break is left out.
  std::string_view text = cell.as_string();
  size_t end = text.find_first_of("\n\f\r");
  if (end != std::string_view::npos) return std::string(text.substr(0, end)) + "...";
  return replace_all(text, "\t", " ");
}

namespace {

// Label columns are headed by the last part of the key.
std::string label_header(const std::string& key) {
  size_t slash = key.rfind('/');
  return to_upper(slash == std::string::npos ? key : key.substr(slash + 1));
}


}  // namespace

std::vector<std::string> TablePrinter::extra_headers() const {
  std::vector<std::string> headers;
  for (const std::string& key : options_.label_columns) headers.push_back(label_header(key));
  if (options_.show_labels) headers.emplace_back("LABELS");
  return headers;
}

void TablePrinter::write_header(const Value& columns) {
  std::string line;
  bool first = true;
  auto add = [&](const std::string& text) {
    if (!first) line += '\t';
    first = false;
    line += text;
  };
  if (events_) add("EVENT");
  if (options_.with_namespace) add("NAMESPACE");
  for (const Value& column : columns.items()) {
    if (column["priority"].as_int() != 0 && !options_.wide) continue;
    add(to_upper(column["name"].as_string()));
  }
  for (const std::string& header : extra_headers()) add(header);
  writer_.write(line + "\n");
}

void TablePrinter::write_row(const Value& row) {
  std::vector<std::string> cells;
  const Value& metadata = row["object"]["metadata"];
  if (events_) cells.push_back(event_);
  if (options_.with_namespace) cells.emplace_back(metadata["namespace"].as_string());
  for (size_t i = 0; i < columns_.size(); ++i) {
    if (columns_.at(i)["priority"].as_int() != 0 && !options_.wide) continue;
    std::string text = i < row["cells"].size() ? format_cell(row["cells"].at(i)) : "<none>";
    if (i == 0 && !options_.type_prefix.empty()) text = options_.type_prefix + "/" + text;
    cells.push_back(std::move(text));
  }
  for (const std::string& key : options_.label_columns) {
    const Value& label = metadata["labels"][key];
    cells.push_back(label.is_null() ? "" : std::string(label.as_string()));
  }
  if (options_.show_labels) cells.push_back(format_labels(metadata["labels"]));
  writer_.write(join(cells, "\t") + "\n");
}

void TablePrinter::restart() {
  header_written_ = false;
  columns_ = Value();
  writer_ = TabWriter::for_tables();
}

void TablePrinter::add(const Value& table) {
  const Value& columns = table["columnDefinitions"];
  if (!columns.empty() && !(columns == columns_)) {
    if (!header_written_ && options_.headers) {
      write_header(columns);
      header_written_ = true;
    }
    columns_ = columns;
  }
  for (const Value& row : table["rows"].items()) write_row(row);
}

void TablePrinter::add_event(std::string_view event, const Value& table) {
  events_ = true;
  event_ = event;
  add(table);
}

// --- sorting

namespace {

// Numbers by value, quantities and times as what they are, text as text; absent first.
int compare_values(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) {
    return a.as_double() < b.as_double() ? -1 : a.as_double() > b.as_double();
  }
  if (a.is_string() && b.is_string()) {
    auto time_a = parse_time(a.as_string()), time_b = parse_time(b.as_string());
    if (time_a.ok() && time_b.ok()) {
      return time_a.value() < time_b.value() ? -1 : time_a.value() > time_b.value();
    }
    auto quantity_a = Quantity::parse(a.as_string()), quantity_b = Quantity::parse(b.as_string());
    if (quantity_a.ok() && quantity_b.ok()) {
      return quantity_a.value() < quantity_b.value() ? -1 : quantity_b.value() < quantity_a.value();
    }
    return a.as_string().compare(b.as_string());
  }
  return Value::compare(a, b);
}

struct Keyed {
  Value key;
  Value item;
};

Result<std::vector<Value>> sort_by_path(std::vector<Keyed> all, const std::string& path, bool found) {
  if (!found && !all.empty()) {
    return failure("couldn't find any field with path " + quote(path) + " in the list of objects");
  }
  std::ranges::stable_sort(all, [](const Keyed& a, const Keyed& b) {
    return compare_values(a.key, b.key) < 0;
  });
  std::vector<Value> items;
  for (Keyed& keyed : all) items.push_back(std::move(keyed.item));
  return items;
}

Result<std::vector<Value>> sort_items(const std::vector<Value>& items, const std::string& path,
                                      std::string_view inner) {
  TRY(std::string relaxed, relaxed_json_path(path));
  TRY(JsonPath compiled, JsonPath::parse(relaxed));
  std::vector<Keyed> all;
  bool found = false;
  for (const Value& item : items) {
    auto selected = compiled.select(inner.empty() ? item : item[inner], true);
    Value key;
    if (selected.ok() && !selected.value().empty()) {
      key = selected.value().front();
      found = true;
    }
    all.push_back({std::move(key), item});
  }
  return sort_by_path(std::move(all), relaxed, found);
}

}  // namespace

Result<std::vector<Value>> sort_objects(std::vector<Value> objects, const std::string& path) {
  return sort_items(objects, path, "");
}

Result<Value> sort_rows(const Value& table, const std::string& path) {
  std::vector<Value> rows(table["rows"].items().begin(), table["rows"].items().end());
  TRY(auto sorted, sort_items(rows, path, "object"));
  return table.with("rows", Value::list(std::move(sorted)));
}

}  // namespace orch::cli
