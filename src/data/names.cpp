#include "data/names.h"

#include <algorithm>

#include "base/text.h"

namespace orch {

namespace {

constexpr std::string_view kNameExamples =
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

bool is_lower_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_alphanumeric(char c) { return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z'); }

bool is_name(std::string_view text) {
  return !text.empty() && is_alphanumeric(text.front()) && is_alphanumeric(text.back()) &&
         std::ranges::all_of(text, [](char c) {
           return is_alphanumeric(c) || c == '-' || c == '_' || c == '.';
         });
}

bool is_dns_label(std::string_view text) {
  return !text.empty() && is_lower_or_digit(text.front()) && is_lower_or_digit(text.back()) &&
         std::ranges::all_of(text, [](char c) { return is_lower_or_digit(c) || c == '-'; });
}

std::string too_long(int limit) { return "must be no more than " + std::to_string(limit) + " characters"; }

}  // namespace

std::vector<std::string> dns_subdomain_problems(std::string_view text) {
  std::vector<std::string> problems;
  if (text.size() > 253) problems.push_back(too_long(253));
  if (!std::ranges::all_of(split(text, '.'), is_dns_label)) {
    problems.push_back(
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
        "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex "
        "used for validation is "
        "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')");
  }
  return problems;
}

std::vector<std::string> qualified_name_problems(std::string_view text) {
  std::vector<std::string> problems;
  std::string_view name = text;
  if (auto parts = split_once(text, '/')) {
    name = parts->second;
    if (name.find('/') != name.npos) {
      return {"a qualified name " + std::string(kNameExamples) +
              " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"};
    }
    if (parts->first.empty()) {
      problems.push_back("prefix part must be non-empty");
    } else {
      for (const std::string& problem : dns_subdomain_problems(parts->first)) {
        problems.push_back("prefix part " + problem);
      }
    }
  }
  if (name.empty()) problems.push_back("name part must be non-empty");
  if (name.size() > 63) problems.push_back("name part " + too_long(63));
  if (!is_name(name)) problems.push_back("name part " + std::string(kNameExamples));
  return problems;
}

std::vector<std::string> label_value_problems(std::string_view text) {
  std::vector<std::string> problems;
  if (text.size() > 63) problems.push_back(too_long(63));
  if (!text.empty() && !is_name(text)) {
    problems.push_back(
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
        "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or "
        "'my_value',  or '12345', regex used for validation is "
        "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')");
  }
  return problems;
}

}  // namespace orch
