// The grammar of k8s.io/client-go/util/jsonpath: text with actions in braces. Sides of filters,
// members of unions and quoted keys are actions of their own; since each ends at the first bracket
// that is not in its one quoted text, they nest only a few levels deep.

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "base/text.h"
#include "data/json_path_node.h"

namespace orch {

namespace {

using Node = JsonPath::Node;
using Type = Node::Type;

Error wrong(std::string message) { return Error::make(Code::parse, std::move(message)); }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Bytes of characters beyond ASCII count as letters.
bool is_alphanumeric(char c) {
  return c == '_' || is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool is_terminator(char c) {
  return std::string_view(" \t\r\n.,[]$@{}").find(c) != std::string_view::npos;
}

void append_utf8(std::string& out, uint32_t point) {
  if (point < 0x80) {
    out += static_cast<char>(point);
    return;
  }
  int more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
  constexpr unsigned char kLead[] = {0, 0xC0, 0xE0, 0xF0};
  out += static_cast<char>(kLead[more] | (point >> (6 * more)));
  for (int i = more; i-- > 0;) out += static_cast<char>(0x80 | ((point >> (6 * i)) & 0x3F));
}

// The number of `digits` digits at text[position]; moves the position behind them.
std::optional<uint32_t> take_number(std::string_view text, size_t& position, size_t digits, int base) {
  if (position + digits > text.size()) return std::nullopt;
  uint32_t number = 0;
  const char* begin = text.data() + position;
  auto [end, error] = std::from_chars(begin, begin + digits, number, base);
  if (error != std::errc() || end != begin + digits) return std::nullopt;
  position += digits;
  return number;
}

// One backslash sequence of Go's string literals; `position` is behind the backslash.
bool unescape(std::string_view text, size_t& position, char quote_mark, std::string& out) {
  if (position >= text.size()) return false;
  constexpr std::string_view kNames = "abfnrtv\\";
  constexpr std::string_view kMeanings = "\a\b\f\n\r\t\v\\";
  char c = text[position++];
  if (size_t i = kNames.find(c); i != kNames.npos) {
    out += kMeanings[i];
    return true;
  }
  if (c == '\'' || c == '"') {
    out += c;
    return c == quote_mark;
  }
  if (c == 'x') {
    auto byte = take_number(text, position, 2, 16);
    if (byte) out += static_cast<char>(*byte);
    return byte.has_value();
  }
  if (c == 'u' || c == 'U') {
    auto point = take_number(text, position, c == 'u' ? 4 : 8, 16);
    if (!point || *point > 0x10FFFF || (*point >= 0xD800 && *point < 0xE000)) return false;
    append_utf8(out, *point);
    return true;
  }
  if (c < '0' || c > '7') return false;
  auto byte = take_number(text, --position, 3, 8);
  if (!byte || *byte > 255) return false;
  out += static_cast<char>(*byte);
  return true;
}

std::optional<std::string> unquote(std::string_view text) {
  if (text.size() < 2) return std::nullopt;
  char mark = text[0];
  text = text.substr(1, text.size() - 2);
  std::string out;
  for (size_t i = 0; i < text.size();) {
    char c = text[i++];
    if (c == mark) return std::nullopt;
    if (c != '\\') {
      out += c;
    } else if (!unescape(text, i, mark, out)) {
      return std::nullopt;
    }
  }
  return out;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<std::vector<Node>> parse() {
    std::vector<Node> nodes;
    while (position_ < text_.size()) {
      size_t brace = std::min(text_.find('{', position_), text_.size());
      if (brace > position_) {
        std::string_view plain = text_.substr(position_, brace - position_);
        nodes.push_back({.type = Type::text, .text = std::string(plain)});
      }
      position_ = brace;
      if (brace == text_.size()) break;
      ++position_;
      Node& action = nodes.emplace_back();
      while (!take("}")) TRY_VOID(parse_step(action.children));
    }
    return nodes;
  }

 private:
  char peek(size_t ahead = 0) const {
    return position_ + ahead < text_.size() ? text_[position_ + ahead] : '\0';
  }
  bool at_end() const { return position_ >= text_.size(); }
  bool take(std::string_view prefix) {
    if (!text_.substr(position_).starts_with(prefix)) return false;
    position_ += prefix.size();
    return true;
  }

  // An action of its own inside this one.
  static Result<Node> parse_part(std::string_view text) {
    std::string braced = "{" + std::string(text) + "}";
    TRY(auto nodes, Parser(braced).parse());
    return std::move(nodes[0]);
  }

  Result<void> parse_step(std::vector<Node>& out) {
    if (take("[?(")) return parse_filter(out);
    if (take("..")) return parse_recursive(out);
    char c = peek();
    if (at_end() || c == '\n' || c == '\r') return wrong("unclosed action");
    if (c == ' ' || c == '@' || c == '$') {
      ++position_;
      return {};
    }
    if (take("[")) return parse_array(out);
    if (c == '"' || c == '\'') return parse_quote(out);
    if (take(".")) return parse_field(out);
    if (c == '+' || c == '-' || is_digit(c)) return parse_number(out);
    if (is_alphanumeric(c)) return parse_identifier(out);
    char buffer[48];
    auto code = static_cast<unsigned>(c);
    bool printable = c > ' ' && c < 0x7F;
    std::snprintf(buffer, sizeof buffer, printable ? "U+%04X '%c'" : "U+%04X", code, c);
    return wrong(std::string("unrecognized character in action: ") + buffer);
  }

  Result<void> parse_field(std::vector<Node>& out) {
    std::string name;
    bool escaped = false;
    size_t start = position_;
    for (; !at_end() && !is_terminator(peek()); ++position_) {
      if (peek() == '\\') {
        escaped = true;
        if (++position_ == text_.size()) break;
        if (peek() == '\\') continue;  // every backslash goes
      }
      name += peek();
    }
    bool star = !escaped && text_.substr(start, position_ - start) == "*";
    out.push_back({.type = star ? Type::wildcard : Type::field, .text = star ? "" : std::move(name)});
    return {};
  }

  Result<void> parse_recursive(std::vector<Node>& out) {
    if (!out.empty() && out.back().type == Type::recursive) {
      return wrong("invalid multiple recursive descent");
    }
    out.push_back({.type = Type::recursive});
    if (!at_end() && is_alphanumeric(peek())) return parse_field(out);
    return {};
  }

  Result<void> parse_identifier(std::vector<Node>& out) {
    size_t start = position_;
    while (!at_end() && !is_terminator(peek())) ++position_;
    std::string_view word = text_.substr(start, position_ - start);
    if (word == "true" || word == "false") {
      out.push_back({.type = Type::literal, .value = Value(word == "true")});
    } else {
      out.push_back({.type = Type::identifier, .text = std::string(word)});
    }
    return {};
  }

  Result<void> parse_number(std::vector<Node>& out) {
    size_t start = position_;
    if (peek() == '+' || peek() == '-') ++position_;
    while (peek() == '.' || is_digit(peek())) ++position_;
    std::string_view digits = text_.substr(start, position_ - start);
    if (std::optional<int64_t> number = parse_int(digits)) {
      out.push_back({.type = Type::literal, .value = Value(*number)});
      return {};
    }
    std::string_view unsigned_digits = digits;
    if (digits[0] == '+') unsigned_digits.remove_prefix(1);
    double number = 0;
    const char* end = unsigned_digits.data() + unsigned_digits.size();
    auto [stop, error] = std::from_chars(unsigned_digits.data(), end, number);
    if (error != std::errc() || stop != end) return wrong("cannot parse number " + std::string(digits));
    out.push_back({.type = Type::literal, .value = Value(number)});
    return {};
  }

  Result<void> parse_quote(std::vector<Node>& out) {
    size_t start = position_;
    char mark = text_[position_++];
    for (;; ++position_) {
      if (at_end() || peek() == '\n') return wrong("unterminated quoted string");
      if (peek() == mark && text_[position_ - 1] != '\\') break;
    }
    ++position_;
    std::string_view quoted = text_.substr(start, position_ - start);
    std::optional<std::string> text = unquote(quoted);
    if (!text) return wrong("unquote string " + std::string(quoted) + " error invalid syntax");
    out.push_back({.type = Type::text, .text = std::move(*text)});
    return {};
  }

  // Behind "[".
  Result<void> parse_array(std::vector<Node>& out) {
    size_t end = text_.find_first_of("]\n", position_);
    if (end == text_.npos || text_[end] == '\n') return wrong("unterminated array");
    std::string_view inner = text_.substr(position_, end - position_);
    position_ = end + 1;
    if (inner.find(',') != inner.npos) {
      Node set{.type = Type::set};
      for (std::string_view part : split(inner, ',')) {
        part.remove_prefix(std::min(part.find_first_not_of(' '), part.size()));
        part = part.substr(0, part.find_last_not_of(' ') + 1);
        TRY(Node action, parse_part("[" + std::string(part) + "]"));
        set.children.push_back(std::move(action));
      }
      out.push_back(std::move(set));
      return {};
    }
    bool quoted = inner.size() >= 2 && inner.front() == '\'' && inner.find('\'', 1) == inner.size() - 1;
    if (!quoted) return parse_slice(inner == "*" ? ":" : inner, out);
    // A key is read like a field behind a dot: an unescaped dot in it starts another field.
    TRY(Node action, parse_part("." + std::string(inner.substr(1, inner.size() - 2))));
    for (Node& node : action.children) out.push_back(std::move(node));
    return {};
  }

  static Result<void> parse_slice(std::string_view inner, std::vector<Node>& out) {
    std::vector<std::string_view> parts = split(inner, ':');
    bool fine = parts.size() <= 3 && std::ranges::all_of(parts, [](std::string_view part) {
      if (part.starts_with('-')) part.remove_prefix(1);
      return std::ranges::all_of(part, is_digit);
    });
    if (!fine) return wrong("invalid array index " + std::string(inner));
    Node node{.type = Type::array};
    for (size_t i = 0; i < parts.size(); ++i) {
      if (parts[i].empty()) continue;
      std::optional<int64_t> number = parse_int(parts[i]);
      if (!number) return wrong("array index " + std::string(parts[i]) + " is not a number");
      node.bounds[i] = {.value = *number, .known = true};
    }
    if (parts.size() == 1) {
      int64_t start = node.bounds[0].value;
      if (start == INT64_MAX) return wrong("array index " + std::string(inner) + " is not a number");
      node.bounds[1] = {.value = start + 1, .known = true, .derived = true};
    }
    out.push_back(std::move(node));
    return {};
  }

  // Behind "[?(". A parenthesis inside the (one) quoted text does not end the filter.
  Result<void> parse_filter(std::vector<Node>& out) {
    size_t start = position_;
    char mark = '\0';
    bool closed = false;
    for (;; ++position_) {
      if (at_end() || peek() == '\n') return wrong("unterminated filter");
      char c = peek();
      if (c == ')' && (mark != '\0') == closed) break;
      if (c != '"' && c != '\'') continue;
      if (mark == '\0') {
        mark = c;
      } else if (c == mark && text_[position_ - 1] != '\\') {
        closed = true;
      }
    }
    std::string_view inner = text_.substr(start, position_ - start);
    ++position_;
    if (!take("]")) return wrong("unclosed array expect ]");
    return add_filter(inner, out);
  }

  static Result<void> add_filter(std::string_view inner, std::vector<Node>& out) {
    Node filter{.type = Type::filter, .text = "exists"};
    size_t begin = inner.find_first_of("!<>=");
    size_t end = std::min(inner.find_first_not_of("!<>=", begin), inner.size());
    // The operator leaves at least one character for the right side.
    if (begin != inner.npos && end == inner.size()) --end;
    if (begin == inner.npos || begin == 0 || end <= begin) {
      TRY(Node side, parse_part(inner));
      filter.children.push_back(std::move(side));
    } else {
      filter.text = inner.substr(begin, end - begin);
      TRY(Node left, parse_part(inner.substr(0, begin)));
      TRY(Node right, parse_part(inner.substr(end)));
      filter.children.push_back(std::move(left));
      filter.children.push_back(std::move(right));
    }
    out.push_back(std::move(filter));
    return {};
  }

  std::string_view text_;
  size_t position_ = 0;
};

}  // namespace

Result<std::vector<JsonPath::Node>> parse_json_path(std::string_view text) {
  return Parser(text).parse();
}

}  // namespace orch
