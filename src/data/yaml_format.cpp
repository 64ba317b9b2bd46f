// Writes YAML the way kubectl does (go-yaml v2 under sigs.k8s.io/yaml): block style, lists not indented
// below their key, long text folded past column 80.

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/text.h"
#include "base/utf8.h"
#include "data/json.h"
#include "data/yaml.h"
#include "data/yaml_scalar.h"

namespace orch {

namespace {

constexpr size_t kFoldPast = 80;
constexpr size_t kLongestSimpleKey = 128;  // bytes; a longer key is written as "? key"
constexpr std::string_view kByteOrderMark = "\uFEFF";

enum class Style : uint8_t { plain, single_quoted, double_quoted, literal };

// libyaml's idea of printable: nothing beyond the basic plane.
bool is_printable(char32_t c) {
  return c == '\n' || (c >= 0x20 && c <= 0x7E) || (c >= 0xA0 && c <= 0xFFFD && c != 0xFEFF);
}

// Line breaks of YAML 1.1.
bool is_break(char32_t c) {
  return c == '\n' || c == '\r' || c == 0x85 || c == 0x2028 || c == 0x2029;
}

// What libyaml's emitter asks of a scalar before it chooses a style.
struct Analysis {
  bool special = false;      // something unprintable
  bool multiline = false;    // holds a line break
  bool indicator = false;    // reads as syntax when plain
  bool leading_space = false, trailing_space = false;
  bool space_before_break = false, space_after_break = false;
};

bool starts_as_syntax(std::string_view text) {
  if (text.starts_with("---") || text.starts_with("...")) return true;
  if (std::string_view("#,[]{}&*!|>'\"%@`").find(text[0]) != std::string_view::npos) return true;
  bool alone = text.size() == 1 || text[1] == ' ' || text[1] == '\t';
  return (text[0] == '-' || text[0] == '?' || text[0] == ':') && alone;
}

Analysis analyze(std::string_view text) {
  Analysis found;
  if (text.empty()) return found;
  found.indicator = starts_as_syntax(text);
  found.leading_space = text.front() == ' ';
  found.trailing_space = text.back() == ' ';
  char32_t previous = 0;
  for (size_t at = 0; at < text.size();) {
    Utf8 point = decode_utf8(text.substr(at));
    char32_t c = point.code_point;
    at += point.size;
    bool blank_follows = at == text.size() || text[at] == ' ' || text[at] == '\t';
    bool blank_precedes = previous == ' ' || previous == '\t' || is_break(previous);
    if (!is_printable(c)) found.special = true;
    if (c == ':' && blank_follows) found.indicator = true;
    if (c == '#' && blank_precedes) found.indicator = true;
    if (c == ' ' && is_break(previous)) found.space_after_break = true;
    if (is_break(c)) {
      found.multiline = true;
      if (previous == ' ') found.space_before_break = true;
    }
    previous = c;
  }
  return found;
}

Style style_of(std::string_view text, const Analysis& found, bool simple_key) {
  bool newline = text.find('\n') != std::string_view::npos;
  // kubectl leaves the key << plain, which then reads back as a merge.
  if (!newline && (yaml_needs_quotes(text) || (simple_key && text == "<<"))) return Style::double_quoted;
  if (found.special || found.space_before_break) return Style::double_quoted;
  if (newline) {
    return simple_key || found.trailing_space ? Style::double_quoted : Style::literal;
  }
  if (found.space_after_break) return Style::double_quoted;
  bool plain = !found.indicator && !found.leading_space && !found.trailing_space && !found.multiline;
  return plain ? Style::plain : Style::single_quoted;
}

struct Escape {
  char32_t value;
  std::string_view text;
};
constexpr Escape kEscapes[] = {{0x00, "\\0"}, {0x07, "\\a"}, {0x08, "\\b"}, {0x09, "\\t"},  {0x0A, "\\n"},
                               {0x0B, "\\v"}, {0x0C, "\\f"}, {0x0D, "\\r"}, {0x1B, "\\e"},  {0x22, "\\\""},
                               {0x5C, "\\\\"}, {0x85, "\\N"}, {0xA0, "\\_"}, {0x2028, "\\L"}, {0x2029, "\\P"}};

std::string escape(char32_t c) {
  for (const Escape& known : kEscapes) {
    if (known.value == c) return std::string(known.text);
  }
  int digits = c <= 0xFF ? 2 : c <= 0xFFFF ? 4 : 8;
  std::string text = c <= 0xFF ? "\\x" : c <= 0xFFFF ? "\\u" : "\\U";
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) text += "0123456789ABCDEF"[(c >> shift) & 0xF];
  return text;
}

// A double as Go's %g with the fewest digits: the exponent from 1e-05 down and from 1e+06 up. What
// JSON writes as an integer of 64 bits is one for YAML too.
std::string format_number(double d) {
  std::string json = format_json(d);
  if (json.find_first_of(".en") == std::string::npos && (parse_int(json) || parse_uint(json))) return json;
  if (json == "null") return json;
  char text[40];
  char* end = std::to_chars(text, text + sizeof text, d, std::chars_format::scientific).ptr;
  std::string scientific(text, end);
  int exponent = std::atoi(scientific.c_str() + scientific.find('e') + 1);
  return exponent < -4 || exponent >= 6 ? scientific : json;
}

class Writer {
 public:
  std::string take() { return std::move(out_); }

  // `indent`: of the node's own lines.
  void node(const Value& value, int indent, bool after_dash) {
    if (value.is_object() && !value.empty()) return object(value, indent, after_dash);
    if (value.is_list() && !value.empty()) return list(value, indent, after_dash);
    scalar(value, indent);
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
    std::vector<const Member*> members;
    members.reserve(value.size());
    for (const Member& member : value.members()) members.push_back(&member);
    std::stable_sort(members.begin(), members.end(), [](const Member* a, const Member* b) {
      return yaml_key_less(a->name(), b->name());
    });
    bool first = true;
    for (const Member* member : members) {
      if (!first || !after_dash) pad(indent);
      first = false;
      this->member(member->name(), member->value, indent);
    }
  }

  void member(std::string_view key, const Value& child, int indent) {
    bool nested = (child.is_object() || child.is_list()) && !child.empty();
    if (key.size() > kLongestSimpleKey || analyze(key).multiline) {
      put("? ");
      text(key, indent, false);
      newline();
      pad(indent);
      put(": ");
      // After this colon as after the dash of a list.
      if (nested) return node(child, indent + 2, true);
    } else {
      text(key, indent, true);
      put(":");
      if (nested) {
        newline();
        return node(child, child.is_object() ? indent + 2 : indent, false);
      }
      put(" ");
    }
    scalar(child, indent);
    newline();
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
        scalar(item, indent);
        newline();
      }
    }
  }

  void scalar(const Value& value, int indent) {
    if (value.is_string()) return text(value.as_string(), indent, false);
    if (value.is_double()) return put(format_number(value.as_double()));
    put(format_json(value));  // null, booleans, integers, {} and [] are the same in JSON
  }

  void text(std::string_view value, int indent, bool simple_key) {
    // As through JSON, which cannot hold anything else.
    if (!is_valid_utf8(value)) return text(to_valid_utf8(value), indent, simple_key);
    int inner = indent + 2;
    switch (style_of(value, analyze(value), simple_key)) {
      case Style::plain: return folded(value, inner, simple_key, "");
      case Style::single_quoted: return folded(value, inner, simple_key, "'");
      case Style::double_quoted: return double_quoted(value, inner, simple_key);
      case Style::literal: return literal(value, inner);
    }
  }

  // Plain or single-quoted; a single space past the column limit becomes a line break.
  void folded(std::string_view value, int inner, bool key, std::string_view quote) {
    put(quote);
    bool spaces = false, after_break = false;
    for (size_t at = 0; at < value.size();) {
      Utf8 point = decode_utf8(value.substr(at));
      bool inside = quote.empty() || (at > 0 && at + 1 < value.size());
      bool next_space = at + 1 < value.size() && value[at + 1] == ' ';
      if (point.code_point == ' ') {
        if (!key && !spaces && column_ > kFoldPast && inside && !next_space) {
          newline();
          pad(inner);
        } else {
          put(" ");
        }
        spaces = true;
      } else if (is_break(point.code_point)) {  // U+2028 or U+2029: the others go elsewhere
        put(value.substr(at, point.size));
        column_ = 0;
        after_break = true;
      } else {
        if (after_break) pad(inner);
        if (point.code_point == '\'' && !quote.empty()) put("'");
        put(value.substr(at, point.size));
        spaces = after_break = false;
      }
      at += point.size;
    }
    put(quote);
  }

  void double_quoted(std::string_view value, int inner, bool key) {
    put("\"");
    // go-yaml escapes everything in a text that begins with a byte order mark.
    bool all = value.starts_with(kByteOrderMark);
    bool spaces = false;
    for (size_t at = 0; at < value.size();) {
      Utf8 point = decode_utf8(value.substr(at));
      char32_t c = point.code_point;
      bool last = at + point.size == value.size();
      if (all || !is_printable(c) || is_break(c) || c == '"' || c == '\\') {
        put(escape(c));
        spaces = false;
      } else if (c == ' ' && !key && !spaces && column_ > kFoldPast && at > 0 && !last) {
        newline();
        pad(inner);
        if (value[at + 1] == ' ') put("\\");
        spaces = true;
      } else {
        put(value.substr(at, point.size));
        spaces = c == ' ';
      }
      at += point.size;
    }
    put("\"");
  }

  void literal(std::string_view value, int inner) {
    put("|");
    if (value[0] == ' ' || is_break(decode_utf8(value).code_point)) put("2");
    put(chomping(value));
    newline();
    bool at_line_start = true;
    for (size_t at = 0; at < value.size();) {
      Utf8 point = decode_utf8(value.substr(at));
      bool breaks = is_break(point.code_point);
      if (point.code_point == '\n') {
        // The last one is written by whoever called.
        if (at + 1 < value.size()) newline();
      } else {
        if (at_line_start && !breaks) pad(inner);
        put(value.substr(at, point.size));
        if (breaks) column_ = 0;
      }
      at_line_start = breaks;
      at += point.size;
    }
  }

  // What becomes of the line breaks at the end.
  static std::string_view chomping(std::string_view value) {
    size_t breaks = 0;
    while (!value.empty() && breaks < 2) {
      size_t size = value.ends_with('\n') ? 1 : value.ends_with("\u2028") || value.ends_with("\u2029") ? 3 : 0;
      if (size == 0) return breaks == 0 ? "-" : "";
      value.remove_suffix(size);
      ++breaks;
    }
    return "+";
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
