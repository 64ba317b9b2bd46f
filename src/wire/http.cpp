#include "wire/http.h"

#include <algorithm>
#include <array>

#include "base/text.h"

namespace orch::wire {

void Headers::set(std::string_view name, std::string value) {
  std::erase_if(all_, [&](const auto& header) { return equals_ignore_case(header.first, name); });
  all_.emplace_back(std::string(name), std::move(value));
}

std::string_view Headers::get(std::string_view name) const {
  for (const auto& [key, value] : all_) {
    if (equals_ignore_case(key, name)) return value;
  }
  return {};
}

bool Headers::has(std::string_view name) const {
  return std::ranges::any_of(all_, [&](const auto& header) { return equals_ignore_case(header.first, name); });
}

Result<Query> Query::parse(std::string_view text) {
  Query query;
  if (text.empty()) return query;
  for (auto part : split(text, '&')) {
    if (part.empty()) continue;
    auto equals = std::min(part.find('='), part.size());
    TRY(auto key, decode_percent(part.substr(0, equals), true));
    TRY(auto value, decode_percent(part.substr(std::min(equals + 1, part.size())), true));
    query.pairs_.emplace_back(std::move(key), std::move(value));
  }
  return query;
}

std::optional<std::string_view> Query::find(std::string_view key) const {
  for (const auto& [name, value] : pairs_) {
    if (name == key) return value;
  }
  return std::nullopt;
}

std::string_view Query::get(std::string_view key) const { return find(key).value_or(std::string_view()); }

std::vector<std::string_view> Query::all(std::string_view key) const {
  std::vector<std::string_view> values;
  for (const auto& [name, value] : pairs_) {
    if (name == key) values.push_back(value);
  }
  return values;
}

Result<bool> Query::flag(std::string_view key) const {
  static constexpr std::array<std::string_view, 7> kTrue = {"", "1", "t", "T", "true", "TRUE", "True"};
  static constexpr std::array<std::string_view, 6> kFalse = {"0", "f", "F", "false", "FALSE", "False"};
  auto value = find(key);
  if (!value || std::ranges::find(kFalse, *value) != kFalse.end()) return false;
  if (std::ranges::find(kTrue, *value) != kTrue.end()) return true;
  return Error::make(Code::bad_request, "invalid value for " + std::string(key) + ": " + quote(*value));
}

namespace {

// RFC 9110 section 15, and RFC 6585.
struct StatusText {
  int status;
  std::string_view text;
};
constexpr std::array<StatusText, 33> kStatusTexts{{
    {100, "Continue"},
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {204, "No Content"},
    {206, "Partial Content"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {413, "Request Entity Too Large"},
    {415, "Unsupported Media Type"},
    {417, "Expectation Failed"},
    {422, "Unprocessable Entity"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
}};

}  // namespace

std::string_view status_text(int status) {
  auto found = std::ranges::find(kStatusTexts, status, &StatusText::status);
  return found != kStatusTexts.end() ? found->text : std::string_view("Status");
}

}  // namespace orch::wire
