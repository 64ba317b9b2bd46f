#pragma once
// DNS messages as bytes: RFC 1035 with compression, EDNS0 (RFC 6891). No sockets.

#include <string>
#include <string_view>

#include "base/result.h"
#include "plan/net/dns_types.h"

namespace orch::wire {

// Code::parse for anything that is no DNS message: pointers that loop or point forward, names past 255 bytes, records past
// the end. Bytes behind the last record are ignored.
Result<plan::net::DnsMessage> decode_dns(std::string_view bytes);

// At most `limit` bytes: where the records do not fit, a message without them that says it is truncated (TC). Names that are
// none (labels past 63 bytes) make a record that is left out.
std::string encode_dns(const plan::net::DnsMessage& message, size_t limit = 65535);

}  // namespace orch::wire
