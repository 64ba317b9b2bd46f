#include "base/ip.h"

#include <algorithm>
#include <cstdio>

#include "base/text.h"

namespace orch {

bool Ip::is_unspecified() const {
  return std::ranges::all_of(bytes, [](uint8_t byte) { return byte == 0; });
}

bool Ip::is_loopback() const {
  if (!v6) return bytes[0] == 127;
  return std::all_of(bytes.begin(), bytes.end() - 1, [](uint8_t byte) { return byte == 0; }) &&
         bytes[15] == 1;
}

bool Ip::is_link_local() const {
  if (!v6) return bytes[0] == 169 && bytes[1] == 254;
  return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
}

bool Ip::is_link_local_multicast() const {
  if (!v6) return bytes[0] == 224 && bytes[1] == 0 && bytes[2] == 0;
  return bytes[0] == 0xff && (bytes[1] & 0x0f) == 0x02;
}

namespace {

bool parse_v4(std::string_view text, uint8_t* out) {
  int count = 0;
  for (std::string_view part : split(text, '.')) {
    if (count == 4 || part.empty() || part.size() > 3) return false;
    int value = 0;
    for (char c : part) {
      if (c < '0' || c > '9') return false;
      value = value * 10 + (c - '0');
    }
    if (value > 255) return false;
    out[count++] = static_cast<uint8_t>(value);
  }
  return count == 4;
}

std::optional<uint16_t> parse_group(std::string_view text) {
  if (text.empty() || text.size() > 4) return std::nullopt;
  unsigned value = 0;
  for (char c : text) {
    unsigned digit = c >= '0' && c <= '9'   ? static_cast<unsigned>(c - '0')
                     : c >= 'a' && c <= 'f' ? static_cast<unsigned>(c - 'a' + 10)
                     : c >= 'A' && c <= 'F' ? static_cast<unsigned>(c - 'A' + 10)
                                            : 16;
    if (digit == 16) return std::nullopt;
    value = value * 16 + digit;
  }
  return static_cast<uint16_t>(value);
}

// Groups separated by colons, the last perhaps an IPv4 address. Returns the number of bytes; -1: no.
int parse_groups(std::string_view text, uint8_t* out) {
  if (text.empty()) return 0;
  int size = 0;
  auto parts = split(text, ':');
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i + 1 == parts.size() && parts[i].find('.') != std::string_view::npos) {
      if (size > 12 || !parse_v4(parts[i], out + size)) return -1;
      return size + 4;
    }
    auto group = parse_group(parts[i]);
    if (!group || size > 14) return -1;
    out[size++] = static_cast<uint8_t>(*group >> 8);
    out[size++] = static_cast<uint8_t>(*group & 0xff);
  }
  return size;
}

}  // namespace

std::optional<Ip> parse_ip(std::string_view text) {
  Ip ip;
  if (text.find(':') == std::string_view::npos) {
    if (!parse_v4(text, ip.bytes.data())) return std::nullopt;
    return ip;
  }
  ip.v6 = true;
  size_t gap = text.find("::");
  if (gap == std::string_view::npos) {
    if (parse_groups(text, ip.bytes.data()) != 16) return std::nullopt;
  } else {
    uint8_t tail[16] = {};
    std::string_view front = text.substr(0, gap);
    if (front.find('.') != std::string_view::npos) return std::nullopt;
    int before = parse_groups(front, ip.bytes.data());
    int after = parse_groups(text.substr(gap + 2), tail);
    if (before < 0 || after < 0 || before + after > 14) return std::nullopt;
    std::copy_n(tail, after, ip.bytes.end() - after);
  }
  bool mapped = std::all_of(ip.bytes.begin(), ip.bytes.begin() + 10, [](uint8_t b) { return b == 0; }) &&
                ip.bytes[10] == 0xff && ip.bytes[11] == 0xff;
  if (mapped) {
    Ip v4;
    std::copy_n(ip.bytes.begin() + 12, 4, v4.bytes.begin());
    return v4;
  }
  return ip;
}

std::string format_ip(const Ip& ip) {
  char text[8];
  std::string out;
  if (!ip.v6) {
    for (size_t i = 0; i < 4; ++i) {
      if (i > 0) out += '.';
      out += std::to_string(ip.bytes[i]);
    }
    return out;
  }
  auto group = [&](size_t i) { return (ip.bytes[2 * i] << 8) | ip.bytes[2 * i + 1]; };
  // The longest run of two or more zero groups becomes "::".
  size_t best = 8, best_size = 1;
  for (size_t i = 0; i < 8;) {
    size_t end = i;
    while (end < 8 && group(end) == 0) ++end;
    if (end - i > best_size) {
      best = i;
      best_size = end - i;
    }
    i = std::max(end, i + 1);
  }
  for (size_t i = 0; i < 8; ++i) {
    if (i == best) {
      out += "::";
      i += best_size - 1;
      continue;
    }
    if (!out.empty() && out.back() != ':') out += ':';
    std::snprintf(text, sizeof text, "%x", group(i));
    out += text;
  }
  return out;
}

std::optional<Cidr> parse_cidr(std::string_view text) {
  auto parts = split_once(text, '/');
  if (!parts) return std::nullopt;
  auto ip = parse_ip(parts->first);
  auto bits = parse_uint(parts->second);
  if (!ip || !bits || *bits > (ip->v6 ? 128U : 32U)) return std::nullopt;
  return Cidr{*ip, static_cast<int>(*bits)};
}

Ip Cidr::network() const {
  Ip result = ip;
  for (size_t i = 0; i < 16; ++i) {
    int kept = std::clamp(bits - static_cast<int>(i) * 8, 0, 8);
    result.bytes[i] = static_cast<uint8_t>(result.bytes[i] & (0xff00 >> kept));
  }
  return result;
}

bool Cidr::contains(const Ip& other) const {
  return other.v6 == ip.v6 && Cidr{other, bits}.network() == network();
}

std::string format_cidr(const Cidr& cidr) { return format_ip(cidr.ip) + "/" + std::to_string(cidr.bits); }

}  // namespace orch
