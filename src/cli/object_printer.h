#pragma once
// Prints objects as -o says: json, yaml, name, jsonpath, custom-columns. Pure but for the files that
// -o jsonpath-file and custom-columns-file name.

#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "cli/console.h"
#include "data/path.h"
#include "data/value.h"

namespace orch::cli {

class ObjectPrinter {
 public:
  enum class Kind : uint8_t { table, wide, json, yaml, name, jsonpath, jsonpath_as_json, columns };
  struct Options {
    bool headers = true;
    bool managed_fields = false;     // --show-managed-fields
    bool allow_missing_keys = true;  // --allow-missing-template-keys
  };

  // `format` is what follows -o; "" is the table. Errors: Code::usage for an unknown one.
  static Result<ObjectPrinter> make(Console& console, const std::string& format, Options options);

  Kind kind() const { return kind_; }
  bool is_table() const { return kind_ == Kind::table || kind_ == Kind::wide; }
  // One object; `type` is what -o name shows before the slash ("deployment.apps").
  Result<std::string> print(const Value& object, const std::string& type) const;
  // Several, as kubectl does: a List for json, yaml and jsonpath, else one after the other.
  struct Item {
    Value object;
    std::string type;
  };
  Result<std::string> print_all(const std::vector<Item>& items, bool as_list) const;

 private:
  struct Column {
    std::string header;
    JsonPath path;
  };
  Result<void> read_columns(std::string_view text);
  Result<void> read_column_file(const std::string& text);
  Result<std::string> print_columns(const std::vector<Item>& items) const;
  Value cleaned(const Value& object) const;

  Kind kind_ = Kind::table;
  Options options_;
  std::optional<JsonPath> path_;
  std::vector<Column> columns_;
};

// {apiVersion: v1, kind: List, items, metadata: {resourceVersion: ""}}
Value make_list(std::vector<Value> items);

}  // namespace orch::cli
