#pragma once
// Prints the server's Tables as `kubectl get` does. Pure: text out.

#include <string>
#include <vector>

#include "base/result.h"
#include "cli/tab_writer.h"
#include "data/value.h"

namespace orch::cli {

struct TableOptions {
  bool wide = false;
  bool headers = true;
  bool with_namespace = false;  // -A: a first column
  bool show_labels = false;
  std::vector<std::string> label_columns;  // -L
  std::string type_prefix;  // "deployment.apps": names are printed as type/name
};

class TablePrinter {
 public:
  explicit TablePrinter(TableOptions options) : options_(std::move(options)) {}

  // Adds a Table's rows. The header is printed first and again when the columns change; a table without
  // column definitions (of a watch) goes on with those before it.
  void add(const Value& table);
  // `event`: the first column of a watch's rows with --output-watch-events ("ADDED").
  void add_event(std::string_view event, const Value& table);
  void set_type_prefix(std::string prefix) { options_.type_prefix = std::move(prefix); }
  // The next table gets a header whatever came before it.
  void restart();
  std::string flush() { return writer_.flush(true); }

 private:
  void write_header(const Value& columns);
  void write_row(const Value& row);
  std::vector<std::string> extra_headers() const;

  TableOptions options_;
  TabWriter writer_ = TabWriter::for_tables();
  Value columns_;
  bool header_written_ = false;
  std::string event_;
  bool events_ = false;
};

// Orders the rows of a Table by the JSONPath `path` in their objects (kubectl's --sort-by).
Result<Value> sort_rows(const Value& table, const std::string& path);
// Orders objects likewise.
Result<std::vector<Value>> sort_objects(std::vector<Value> objects, const std::string& path);

std::string format_labels(const Value& labels);  // "a=b,c=d" or "<none>"
std::string format_cell(const Value& cell);

}  // namespace orch::cli
