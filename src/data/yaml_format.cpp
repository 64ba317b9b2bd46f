// Writes YAML the way kubectl does (go-yaml v2 under sigs.k8s.io/yaml): block style, lists not indented
// below their key, long text folded past column 80.

#include <string>

#include "data/json.h"
#include "data/yaml.h"
#include "data/yaml_scalar.h"

namespace orch {

namespace {

constexpr size_t kFoldPast = 80;

enum class Style : uint8_t { plain, single_quoted, double_quoted, literal };

struct CodePoint {
  uint32_t value;
  size_t length;
};

CodePoint decode(std::string_view text, size_t at) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char first = byte(at);
  size_t length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (at + length > text.size()) return {first, 1};
  uint32_t value = length == 1 ? first : first & (0xFFu >> (length + 1));
  for (size_t i = 1; i < length; ++i) value = value << 6 | (byte(at + i) & 0x3F);
  return {value, length};
}

bool is_printable(uint32_t c) {
  return c == '\n' || (c >= 0x20 && c <= 0x7E) || (c >= 0xA0 && c <= 0xD7FF) ||
         (c >= 0xE000 && c <= 0xFFFD && c != 0xFEFF) || c >= 0x10000;
}

// What libyaml's emitter asks of a scalar before it chooses a style.
struct Analysis {
  bool special = false;          // something unprintable
  bool line_break = false;
  bool indicator = false;        // reads as syntax when plain
  bool leading_space = false, trailing_space = false;
  bool leading_break = false, trailing_break = false;
  bool space_before_break = false, space_after_break = false;
};

bool starts_as_syntax(std::string_view text) {
  if (text.starts_with("---") || text.starts_with("...")) return true;
  if (std::string_view("#,[]{}&*!|>'\"%@`").find(text[0]) != std::string_view::npos) return true;
  bool alone = text.size() == 1 || text[1] == ' ' || text[1] == '\n' || text[1] == '\t';
  return (text[0] == '-' || text[0] == '?' || text[0] == ':') && alone;
}

Analysis analyze(std::string_view text) {
  Analysis found;
  found.indicator = starts_as_syntax(text);
  bool previous_space = false, previous_break = false;
  for (size_t at = 0; at < text.size();) {
    CodePoint point = decode(text, at);
    bool first = at == 0, last = at + point.length == text.size();
    uint32_t c = point.value;
    uint32_t next = last ? ' ' : static_cast<unsigned char>(text[at + point.length]);
    if (!is_printable(c)) found.special = true;
    if (c == ':' && (next == ' ' || next == '\n' || next == '\t')) found.indicator = true;
    if (c == '#' && (previous_space || previous_break)) found.indicator = true;
    if (c == ' ') {
      found.leading_space |= first;
      found.trailing_space |= last;
      found.space_after_break |= previous_break;
    }
    if (c == '\n') {
      found.line_break = true;
      found.leading_break |= first;
      found.trailing_break |= last;
      found.space_before_break |= previous_space;
    }
    previous_space = c == ' ';
    previous_break = c == '\n';
    at += point.length;
  }
  return found;
}

Style style_of(std::string_view text, bool key) {
  if (yaml_needs_quotes(text)) return Style::double_quoted;
  Analysis found = analyze(text);
  if (found.special || found.space_before_break) return Style::double_quoted;
  if (found.line_break) {
    return key || found.trailing_space ? Style::double_quoted : Style::literal;
  }
  bool plain = !found.indicator && !found.leading_space && !found.trailing_space;
  return plain ? Style::plain : Style::single_quoted;
}

struct Escape {
  uint32_t value;
  std::string_view text;
};
constexpr Escape kEscapes[] = {{0x00, "\\0"}, {0x07, "\\a"}, {0x08, "\\b"}, {0x09, "\\t"},  {0x0A, "\\n"},
                               {0x0B, "\\v"}, {0x0C, "\\f"}, {0x0D, "\\r"}, {0x1B, "\\e"},  {0x22, "\\\""},
                               {0x5C, "\\\\"}, {0x85, "\\N"}, {0xA0, "\\_"}, {0x2028, "\\L"}, {0x2029, "\\P"}};

std::string escape(uint32_t c) {
  for (const Escape& known : kEscapes) {
    if (known.value == c) return std::string(known.text);
  }
  int digits = c <= 0xFF ? 2 : c <= 0xFFFF ? 4 : 8;
  std::string text = c <= 0xFF ? "\\x" : c <= 0xFFFF ? "\\u" : "\\U";
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) text += "0123456789abcdef"[(c >> shift) & 0xF];
  return text;
}

class Writer {
 public:
  std::string take() { return std::move(out_); }

  // `indent`: of the node's own lines; -1 at the top.
  void node(const Value& value, int indent, bool after_dash) {
    if (value.is_object() && !value.empty()) return object(value, indent, after_dash);
    if (value.is_list() && !value.empty()) return list(value, indent, after_dash);
    scalar(value, indent, false);
    newline();
  }

 private:
  void put(std::string_view text) {
    out_ += text;
    for (char c : text) column_ += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }
  void newline() {
    out_ += '\n';
    column_ = 0;
  }
  void pad(int indent) {
    out_.append(static_cast<size_t>(indent), ' ');
    column_ += static_cast<size_t>(indent);
  }

  void object(const Value& value, int indent, bool after_dash) {
    bool first = true;
    for (const Member& member : value.members()) {
      if (!first || !after_dash) pad(indent);
      first = false;
      text(member.name(), indent, true);
      put(":");
      const Value& child = member.value;
      if (child.is_object() && !child.empty()) {
        newline();
        node(child, indent + 2, false);
      } else if (child.is_list() && !child.empty()) {
        newline();
        node(child, indent, false);
      } else {
        put(" ");
        scalar(child, indent, false);
        newline();
      }
    }
  }

  void list(const Value& value, int indent, bool after_dash) {
    bool first = true;
    for (const Value& item : value.items()) {
      if (!first || !after_dash) pad(indent);
      first = false;
      put("- ");
      if ((item.is_object() || item.is_list()) && !item.empty()) {
        node(item, indent + 2, true);
      } else {
        scalar(item, indent, false);
        newline();
      }
    }
  }

  void scalar(const Value& value, int indent, bool key) {
    if (value.is_string()) return text(value.as_string(), indent, key);
    put(format_json(value));  // null, booleans, numbers, {} and [] are the same in JSON
  }

  void text(std::string_view value, int indent, bool key) {
    int inner = indent < 0 ? 0 : indent + 2;
    switch (style_of(value, key)) {
      case Style::plain: return folded(value, inner, key, "");
      case Style::single_quoted: return folded(value, inner, key, "'");
      case Style::double_quoted: return double_quoted(value, inner, key);
      case Style::literal: return literal(value, inner);
    }
  }

  // Plain or single-quoted; a single space past the column limit becomes a line break.
  void folded(std::string_view value, int inner, bool key, std::string_view quote) {
    put(quote);
    bool spaces = false;
    for (size_t i = 0; i < value.size(); ++i) {
      bool inside = quote.empty() || (i > 0 && i + 1 < value.size());
      bool next_space = i + 1 < value.size() && value[i + 1] == ' ';
      if (value[i] == ' ') {
        if (!key && !spaces && column_ > kFoldPast && inside && !next_space) {
          newline();
          pad(inner);
        } else {
          put(" ");
        }
        spaces = true;
        continue;
      }
      if (value[i] == '\'' && !quote.empty()) put("'");
      put(value.substr(i, 1));
      spaces = false;
    }
    put(quote);
  }

  void double_quoted(std::string_view value, int inner, bool key) {
    put("\"");
    bool spaces = false;
    for (size_t at = 0; at < value.size();) {
      CodePoint point = decode(value, at);
      uint32_t c = point.value;
      bool last = at + point.length == value.size();
      if (c == ' ' && !key && !spaces && column_ > kFoldPast && at > 0 && !last) {
        newline();
        pad(inner);
        if (value[at + 1] == ' ') put("\\");
        spaces = true;
      } else if (!is_printable(c) || c == '\n' || c == '"' || c == '\\' || c == 0xA0) {
        put(escape(c));
        spaces = false;
      } else {
        put(value.substr(at, point.length));
        spaces = c == ' ';
      }
      at += point.length;
    }
    put("\"");
  }

  void literal(std::string_view value, int inner) {
    put("|");
    if (value[0] == ' ' || value[0] == '\n') put("2");
    bool ends_open = !value.ends_with('\n');
    bool keeps = value.ends_with("\n\n") || value == "\n";
    put(ends_open ? "-" : keeps ? "+" : "");
    newline();
    size_t start = 0;
    while (start < value.size()) {
      size_t end = value.find('\n', start);
      std::string_view line = value.substr(start, end == std::string_view::npos ? end : end - start);
      if (!line.empty()) pad(inner);
      put(line);
      if (end == std::string_view::npos) return;
      start = end + 1;
      if (start < value.size()) newline();  // the last one is written by whoever called
    }
  }

  std::string out_;
  size_t column_ = 0;
};

}  // namespace

std::string format_yaml(const Value& value) {
  Writer writer;
  writer.node(value, 0, false);
  return writer.take();
}

}  // namespace orch
