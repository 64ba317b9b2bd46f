#pragma once
// IP addresses and prefixes as values; text forms only, no sockets.

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace orch {

struct Ip {
  std::array<uint8_t, 16> bytes{};  // IPv4: the first four
  bool v6 = false;
  auto operator<=>(const Ip&) const = default;
  bool is_unspecified() const;
  bool is_loopback() const;
  bool is_link_local() const;            // 169.254.0.0/16, fe80::/10
  bool is_link_local_multicast() const;  // 224.0.0.0/24, ff02::/16
};

// Leading zeros in IPv4 are read as decimal, as Kubernetes always did; `::ffff:1.2.3.4` is the IPv4
// address. No zones.
std::optional<Ip> parse_ip(std::string_view text);
// The canonical form (RFC 5952 for IPv6).
std::string format_ip(const Ip& ip);

struct Cidr {
  Ip ip;  // as written, host bits included
  int bits = 0;
  bool operator==(const Cidr&) const = default;
  Ip network() const;  // host bits cleared
  bool contains(const Ip& other) const;
};
std::optional<Cidr> parse_cidr(std::string_view text);
std::string format_cidr(const Cidr& cidr);

}  // namespace orch
