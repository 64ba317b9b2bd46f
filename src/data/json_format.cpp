#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

#include "base/utf8.h"
#include "data/json.h"

namespace orch {

namespace {

enum class Html : bool { keep, escape };

// What a byte needs inside a string: 0 nothing, 'u' \u00xx, '8' a look at its UTF-8 sequence,
// 'h' escaping where the text may end up in HTML; else the letter after the backslash.
constexpr std::array<char, 256> kEscapes = [] {
  std::array<char, 256> table{};
  for (size_t c = 0; c < 0x20; ++c) table[c] = 'u';
  for (size_t c = 0x80; c < 0x100; ++c) table[c] = '8';
  table['\b'] = 'b';
  table['\f'] = 'f';
  table['\n'] = 'n';
  table['\r'] = 'r';
  table['\t'] = 't';
  table['"'] = '"';
  table['\\'] = '\\';
  table['<'] = table['>'] = table['&'] = 'h';
  return table;
}();

void append_unicode_escape(std::string& out, unsigned c) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const char text[] = {'\\', 'u', kHex[c >> 12 & 15], kHex[c >> 8 & 15], kHex[c >> 4 & 15],
                       kHex[c & 15]};
  out.append(text, sizeof text);
}

// True where none of eight bytes is a control, a quote, a backslash or beyond ASCII.
bool plain_word(const char* at) {
  constexpr uint64_t kOnes = 0x0101'0101'0101'0101;
  constexpr uint64_t kHigh = 0x8080'8080'8080'8080;
  uint64_t word;
  std::memcpy(&word, at, sizeof word);
  // The classic zero-byte test, (x - 1) & ~x & 0x80; it may err, but only towards "not plain".
  uint64_t quote = word ^ (kOnes * '"');
  uint64_t backslash = word ^ (kOnes * '\\');
  uint64_t hit = ((quote - kOnes) & ~quote) | ((backslash - kOnes) & ~backslash) |
                 ((word - kOnes * 0x20) & ~word) | word;
  return (hit & kHigh) == 0;
}

template <Html html>
void append_string(std::string& out, std::string_view text) {
  out += '"';
  size_t from = 0, i = 0;
  while (i < text.size()) {
    if (html == Html::keep) {
      while (i + 8 <= text.size() && plain_word(text.data() + i)) i += 8;
      if (i == text.size()) break;
    }
    char escape = kEscapes[static_cast<unsigned char>(text[i])];
    if (escape == 0 || (html == Html::keep && escape == 'h')) {
      ++i;
      continue;
    }
    uint8_t size = 1;
    char32_t c = static_cast<unsigned char>(text[i]);
    if (escape == '8') {
      Utf8 decoded = decode_utf8(text.substr(i));
      size = decoded.size;
      c = decoded.code_point;
      // U+2028 and U+2029 end lines in JavaScript: Go escapes them.
      if (decoded.valid && c != 0x2028 && c != 0x2029) {
        i += size;
        continue;
      }
    }
    out.append(text, from, i - from);
    if (c == 0xFFFD) {
      out += "\uFFFD";
    } else if (escape == 'u' || escape == '8' || escape == 'h') {
      append_unicode_escape(out, c);
    } else {
      out += '\\';
      out += escape;
    }
    i += size;
    from = i;
  }
  out.append(text, from, text.size() - from);
  out += '"';
}

void append_int(std::string& out, int64_t i) {
  char text[24];
  out.append(text, static_cast<size_t>(std::to_chars(text, text + sizeof text, i).ptr - text));
}

// The shortest digits that read back as the same double; an exponent where Go's encoding/json
// has one. JSON cannot say NaN or infinity.
void append_double(std::string& out, double d) {
  if (!std::isfinite(d)) {
    out += "null";
    return;
  }
  double size = std::fabs(d);
  bool exponent = size != 0 && (size < 1e-6 || size >= 1e21);
  char text[40];
  char* end = std::to_chars(text, text + sizeof text, d,
                            exponent ? std::chars_format::scientific : std::chars_format::fixed)
                  .ptr;
  // e-09 -> e-9, but e+300 stays
  if (exponent && end[-2] == '0' && (end[-3] == '-' || end[-3] == '+')) {
    end[-2] = end[-1];
    --end;
  }
  out.append(text, static_cast<size_t>(end - text));
}

template <Html html>
void append_scalar(std::string& out, const Value& value) {
  switch (value.kind()) {
    case Value::Kind::null: out += "null"; return;
    case Value::Kind::boolean: out += value.as_bool() ? "true" : "false"; return;
    case Value::Kind::integer: append_int(out, value.as_int()); return;
    case Value::Kind::number: append_double(out, value.as_double()); return;
    case Value::Kind::string: append_string<html>(out, value.as_string()); return;
    default: return;
  }
}

class PrettyWriter {
 public:
  PrettyWriter(std::string& out, size_t indent) : out_(out), indent_(indent) {}

  void write(const Value& value) {
    bool object = value.is_object();
    if ((!object && !value.is_list()) || value.empty()) {
      if (object || value.is_list()) {
        out_ += object ? "{}" : "[]";
      } else {
        append_scalar<Html::escape>(out_, value);
      }
      return;
    }
    out_ += object ? '{' : '[';
    ++level_;
    bool first = true;
    for (const Member& member : value.members()) {
      next_line(first);
      append_string<Html::escape>(out_, member.name());
      out_ += ": ";
      write(member.value);
    }
    for (const Value& item : value.items()) {
      next_line(first);
      write(item);
    }
    --level_;
    out_ += '\n';
    out_.append(level_ * indent_, ' ');
    out_ += object ? '}' : ']';
  }

 private:
  void next_line(bool& first) {
    out_ += first ? "\n" : ",\n";
    first = false;
    out_.append(level_ * indent_, ' ');
  }

  std::string& out_;
  size_t indent_;
  size_t level_ = 0;
};

}  // namespace

void append_json(std::string& out, const Value& value) {
  if (value.is_object()) {
    char separator = '{';
    for (const Member& member : value.members()) {
      out += separator;
      separator = ',';
      append_string<Html::keep>(out, member.name());
      out += ':';
      append_json(out, member.value);
    }
    out += value.empty() ? "{}" : "}";
  } else if (value.is_list()) {
    char separator = '[';
    for (const Value& item : value.items()) {
      out += separator;
      separator = ',';
      append_json(out, item);
    }
    out += value.empty() ? "[]" : "]";
  } else {
    append_scalar<Html::keep>(out, value);
  }
}

std::string format_json(const Value& value) {
  std::string out;
  append_json(out, value);
  return out;
}

std::string format_json_pretty(const Value& value, int indent) {
  std::string out;
  PrettyWriter(out, static_cast<size_t>(indent)).write(value);
  return out;
}

}  // namespace orch
