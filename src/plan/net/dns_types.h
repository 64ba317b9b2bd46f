#pragma once
// DNS messages as values (RFC 1035, 2782, 3596, 6891). Names are in presentation form without the dot at the end, "" is the
// root; bytes that would confuse it are escaped (\. \\ \DDD). wire/dns.h has the bytes.

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/ip.h"

namespace orch::plan::net {

namespace dns_type {
inline constexpr uint16_t a = 1, ns = 2, cname = 5, soa = 6, ptr = 12, mx = 15, txt = 16, aaaa = 28, srv = 33, opt = 41, any = 255;
}
inline constexpr uint16_t dns_class_in = 1;

enum class DnsCode : uint8_t { no_error = 0, format_error = 1, server_failure = 2, name_error = 3, not_implemented = 4, refused = 5 };

struct DnsSrv {
  uint16_t priority = 0, weight = 0, port = 0;
  std::string target;
  bool operator==(const DnsSrv&) const = default;
};
struct DnsMx {
  uint16_t preference = 0;
  std::string target;
  bool operator==(const DnsMx&) const = default;
};
struct DnsSoa {
  std::string server, mailbox;
  uint32_t serial = 0, refresh = 0, retry = 0, expire = 0, minimum = 0;
  bool operator==(const DnsSoa&) const = default;
};
struct DnsRaw {  // of any other type
  std::string bytes;
  bool operator==(const DnsRaw&) const = default;
};

struct DnsRecord {
  // A string is the name of CNAME, NS, PTR.
  using Data = std::variant<DnsRaw, Ip, std::string, DnsSrv, DnsMx, DnsSoa>;
  std::string name;
  uint16_t type = 0;
  uint16_t klass = dns_class_in;
  uint32_t ttl = 0;
  Data data;
  bool operator==(const DnsRecord&) const = default;
};

struct DnsQuestion {
  std::string name;
  uint16_t type = 0;
  uint16_t klass = dns_class_in;
  bool operator==(const DnsQuestion&) const = default;
};

struct DnsMessage {
  uint16_t id = 0;
  bool response = false, authoritative = false, truncated = false, recursion_desired = false, recursion_available = false,
       authentic = false, checking_disabled = false;
  uint8_t opcode = 0;
  uint16_t code = 0;  // with the upper bits of EDNS
  std::vector<DnsQuestion> questions;
  std::vector<DnsRecord> answers, authority, additional;  // without OPT
  bool edns = false;
  bool dnssec_ok = false;
  uint16_t udp_size = 512;  // what the sender can receive
  uint8_t edns_version = 0;
  bool operator==(const DnsMessage&) const = default;
};

}  // namespace orch::plan::net
