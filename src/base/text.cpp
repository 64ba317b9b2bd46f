#include "base/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "base/utf8.h"

namespace orch {

namespace {

constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kBase64Url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view kHex = "0123456789abcdef";

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool is_unreserved(char c) {
  return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

// Nearly Go's unicode.IsPrint: spaces other than U+0020, controls, format characters, private use
// and non-characters are not printable. Unassigned code points count as printable here.
bool is_printable(char32_t c) {
  struct Range {
    char32_t first, last;
  };
  static constexpr std::array<Range, 13> kNot{{{0x00, 0x1F},
                                              {0x7F, 0xA0},
                                              {0xAD, 0xAD},
                                              {0x600, 0x605},
                                              {0x61C, 0x61C},
                                              {0x1680, 0x1680},
                                              {0x180E, 0x180E},
                                              {0x2000, 0x200F},
                                              {0x2028, 0x202F},
                                              {0x205F, 0x206F},
                                              {0x3000, 0x3000},
                                              {0xD800, 0xF8FF},
                                              {0xFFF0, 0xFFFB}}};
  if (c == 0xFEFF || (c & 0xFFFE) == 0xFFFE || c >= 0xE0000) return false;
  return std::ranges::none_of(kNot, [&](const Range& r) { return c >= r.first && c <= r.last; });
}

void append_escape(std::string& out, char32_t c) {
  char text[12];
  const char* format = c < 0x80 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x";
  switch (c) {
    case '\a': out += "\\a"; return;
    case '\b': out += "\\b"; return;
    case '\f': out += "\\f"; return;
    case '\n': out += "\\n"; return;
    case '\r': out += "\\r"; return;
    case '\t': out += "\\t"; return;
    case '\v': out += "\\v"; return;
    default: break;
  }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  std::snprintf(text, sizeof text, format, static_cast<unsigned>(c));
#pragma GCC diagnostic pop
  out += text;
}

std::string encode_64(std::string_view bytes, std::string_view alphabet, bool padded) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    size_t have = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j) {
      group = group << 8 | (j < have ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    for (size_t j = 0; j <= have; ++j) out += alphabet[group >> (18 - 6 * j) & 63];
    if (padded) out.append(3 - have, '=');
  }
  return out;
}

Error bad_base64(size_t offset) {
  return Error::make(Code::parse, "illegal base64 data at input byte " + std::to_string(offset));
}

// `text` without padding. Line breaks are skipped, as Go's decoder does.
Result<std::string> decode_64(std::string_view text, std::string_view alphabet) {
  std::array<int8_t, 256> value;
  value.fill(-1);
  for (size_t i = 0; i < alphabet.size(); ++i) {
    value[static_cast<unsigned char>(alphabet[i])] = static_cast<int8_t>(i);
  }
  std::string out;
  out.reserve(text.size() / 4 * 3 + 2);
  uint32_t group = 0;
  int bits = 0;
  size_t digits = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n' || text[i] == '\r') continue;
    int digit = value[static_cast<unsigned char>(text[i])];
    if (digit < 0) return bad_base64(i);
    group = group << 6 | static_cast<uint32_t>(digit);
    bits += 6;
    ++digits;
    if (bits >= 8) {
      bits -= 8;
      out += static_cast<char>(group >> bits & 0xFF);
    }
  }
  if (digits % 4 == 1) return bad_base64(text.size());
  return out;
}

// Takes the padding off; `size` gets the number of characters that mean something.
std::string_view without_padding(std::string_view text, size_t& padding) {
  padding = 0;
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == '=')) {
    if (text.back() == '=') ++padding;
    text.remove_suffix(1);
  }
  return text;
}

template <class T>
std::optional<T> parse_whole(std::string_view text) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  T value{};
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

std::optional<std::pair<std::string_view, std::string_view>> split_once(std::string_view text,
                                                                        char separator) {
  size_t at = text.find(separator);
  if (at == std::string_view::npos) return std::nullopt;
  return std::pair(text.substr(0, at), text.substr(at + 1));
}

std::string join(std::span<const std::string> parts, std::string_view separator) {
  std::string out;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out += separator;
    out += parts[i];
  }
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::string to_lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), lower);
  return out;
}

std::string to_upper(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), upper);
  return out;
}

bool equals_ignore_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  if (from.empty()) return std::string(text);
  std::string out;
  while (true) {
    size_t at = text.find(from);
    out += text.substr(0, at);
    if (at == std::string_view::npos) return out;
    out += to;
    text.remove_prefix(at + from.size());
  }
}

std::string quote(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    Utf8 decoded = decode_utf8(text);
    if (!decoded.valid) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\x%02x", static_cast<unsigned char>(text[0]));
      out += escape;
    } else if (decoded.code_point == '"' || decoded.code_point == '\\') {
      out += '\\';
      out += text[0];
    } else if (is_printable(decoded.code_point)) {
      out += text.substr(0, decoded.size);
    } else {
      append_escape(out, decoded.code_point);
    }
    text.remove_prefix(decoded.size);
  }
  return out + '"';
}

bool is_valid_utf8(std::string_view text) {
  size_t i = 0;
  while (i < text.size()) {
    uint64_t word;
    if (i + sizeof word <= text.size()) {  // most text is ASCII: eight bytes at a time
      std::memcpy(&word, text.data() + i, sizeof word);
      if ((word & 0x8080'8080'8080'8080) == 0) {
        i += sizeof word;
        continue;
      }
    }
    if (static_cast<unsigned char>(text[i]) < 0x80) {
      ++i;
      continue;
    }
    Utf8 decoded = decode_utf8(text.substr(i));
    if (!decoded.valid) return false;
    i += decoded.size;
  }
  return true;
}

std::string to_valid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 16);
  while (!text.empty()) {
    Utf8 decoded = decode_utf8(text);
    if (decoded.valid) {
      out += text.substr(0, decoded.size);
    } else {
      out += "\uFFFD";
    }
    text.remove_prefix(decoded.size);
  }
  return out;
}

std::optional<int64_t> parse_int(std::string_view text) { return parse_whole<int64_t>(text); }
std::optional<uint64_t> parse_uint(std::string_view text) { return parse_whole<uint64_t>(text); }

std::string encode_base64(std::string_view bytes) { return encode_64(bytes, kBase64, true); }

Result<std::string> decode_base64(std::string_view text) {
  size_t padding = 0;
  std::string_view digits = without_padding(text, padding);
  TRY(std::string bytes, decode_64(digits, kBase64));
  // Padded to a multiple of four, which is two thirds of what the bytes say.
  if ((bytes.size() + padding) % 3 != 0 || padding > 2) return bad_base64(text.size());
  return bytes;
}

std::string encode_base64url(std::string_view bytes) { return encode_64(bytes, kBase64Url, false); }

Result<std::string> decode_base64url(std::string_view text) {
  size_t padding = 0;
  return decode_64(without_padding(text, padding), kBase64Url);
}

std::string encode_hex(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (unsigned char c : bytes) {
    out += kHex[c >> 4];
    out += kHex[c & 15];
  }
  return out;
}

Result<std::string> decode_percent(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high < 0 || low < 0) {
        return Error::make(Code::parse, "invalid URL escape " + quote(text.substr(i, 3)));
      }
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

std::string encode_percent(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (is_unreserved(c)) {
      out += c;
    } else {
      out += '%';
      out += upper(kHex[static_cast<unsigned char>(c) >> 4]);
      out += upper(kHex[static_cast<unsigned char>(c) & 15]);
    }
  }
  return out;
}

}  // namespace orch
