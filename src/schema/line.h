#pragma once
// One line of a schema file as words, quoted texts and JSON values, taken from left to right.

#include <string>
#include <string_view>

#include "base/result.h"
#include "data/value.h"

namespace orch::schema {

class Line {
 public:
  explicit Line(std::string_view text) : rest_(text) { skip_blanks(); }

  // Nothing more but perhaps a comment.
  bool done() const { return rest_.empty() || rest_.front() == '#'; }
  bool at_quote() const { return !done() && rest_.front() == '"'; }
  // Up to the next blank; "" at the end. Does not look at quotes.
  std::string_view word();
  std::string_view peek() const;
  // The text in double quotes, with \" and \\ resolved. Errors: no opening or closing quote.
  Result<std::string> quoted();
  // A quoted text where there is a quote, else a word (a column's name).
  Result<std::string> name();
  // A default: null, true, a number, "text", {} or a list of them.
  Result<Value> json();

 private:
  void skip_blanks();
  std::string_view rest_;
};

}  // namespace orch::schema
