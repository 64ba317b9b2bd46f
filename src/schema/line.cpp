#include "schema/line.h"

#include <vector>

#include "base/text.h"

namespace orch::schema {

namespace {
Error bad(std::string message) { return Error::make(Code::parse, std::move(message)); }
}  // namespace

void Line::skip_blanks() {
  while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t' || rest_.front() == '\r')) {
    rest_.remove_prefix(1);
  }
}

std::string_view Line::peek() const {
  if (done()) return {};
  return rest_.substr(0, rest_.find_first_of(" \t\r"));
}

std::string_view Line::word() {
  std::string_view found = peek();
  rest_.remove_prefix(found.size());
  skip_blanks();
  return found;
}

Result<std::string> Line::quoted() {
  if (!at_quote()) return bad("a text in quotes is missing");
  std::string text;
  for (size_t i = 1; i < rest_.size(); ++i) {
    if (rest_[i] == '"') {
      rest_.remove_prefix(i + 1);
      skip_blanks();
      return text;
    }
    if (rest_[i] == '\\' && i + 1 < rest_.size()) ++i;
    text += rest_[i];
  }
  return bad("a quote is not closed");
}

Result<std::string> Line::name() {
  if (at_quote()) return quoted();
  std::string_view found = word();
  if (found.empty()) return bad("a name is missing");
  return std::string(found);
}

Result<Value> Line::json() {
  if (at_quote()) {
    TRY(std::string text, quoted());
    return Value(text);
  }
  if (rest_.starts_with("{}")) {
    rest_.remove_prefix(2);
    skip_blanks();
    return Value::empty_object();
  }
  if (rest_.starts_with('[')) {
    rest_.remove_prefix(1);
    skip_blanks();
    std::vector<Value> items;
    while (!rest_.starts_with(']')) {
      // Lists do not nest: nobody needs it, and the depth stays bounded.
      if (rest_.starts_with('[')) return bad("a list inside a default's list");
      TRY(Value item, json());
      items.push_back(std::move(item));
      if (rest_.starts_with(',')) rest_.remove_prefix(1);
      skip_blanks();
    }
    rest_.remove_prefix(1);
    skip_blanks();
    return Value::list(std::move(items));
  }
  std::string_view text = rest_.substr(0, rest_.find_first_of(" \t\r,]"));
  rest_.remove_prefix(text.size());
  skip_blanks();
  if (text == "true" || text == "false") return Value(text == "true");
  if (auto number = parse_int(text)) return Value(*number);
  return bad("a default that is no JSON value: " + quote(text));
}

}  // namespace orch::schema
