#pragma once
// The formats of docs/schema.md, and the spellings behind them for the hooks. Each *_problems
// function says what is wrong with a text in Kubernetes' words; nothing: it is fine.

#include <string>
#include <string_view>
#include <vector>

#include "data/names.h"
#include "data/path.h"
#include "data/value.h"
#include "schema/causes.h"

namespace orch::schema {

using Problems = std::vector<std::string>;

Problems dns_label_problems(std::string_view text);
Problems dns1035_label_problems(std::string_view text);
Problems wildcard_subdomain_problems(std::string_view text);
Problems config_key_problems(std::string_view text);
Problems env_name_problems(std::string_view text);
Problems port_name_problems(std::string_view text);
Problems port_number_problems(int64_t number);
Problems path_segment_problems(std::string_view text);
Problems ip_problems(std::string_view text);
Problems cidr_problems(std::string_view text);
Problems percent_problems(std::string_view text);
Problems http_header_problems(std::string_view text);
Problems relative_path_problems(std::string_view text);
Problems cron_problems(std::string_view text);
Problems timezone_problems(std::string_view text);

// "must be ..." + how apimachinery ends a text about a regular expression.
std::string regex_problem(std::string_view message, std::string_view regex,
                          std::initializer_list<std::string_view> examples);

// Each problem as an `Invalid value` of the text.
void add_problems(const Problems& problems, const FieldPath& path, const Value& value, Causes& causes);

// The names of metadata.name and the like: the function of a kind's `name` format. `prefix` is for
// generateName, whose last dash does not count. nullptr: unknown.
using NameCheck = Problems (*)(std::string_view text);
NameCheck find_name_format(std::string_view name);
Problems name_problems(NameCheck check, std::string_view name, bool prefix);

// A `format:` of a field. It sees a whole map for `labels` and `annotations`, else one value.
struct Format {
  std::string_view name;
  void (*check)(const Value& value, const FieldPath& path, Causes& causes);
  bool whole_map = false;
};
const Format* find_format(std::string_view name);

void check_labels(const Value& labels, const FieldPath& path, Causes& causes);
void check_annotations(const Value& annotations, const FieldPath& path, Causes& causes);

}  // namespace orch::schema
