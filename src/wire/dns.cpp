#include "wire/dns.h"

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace orch::wire {

using namespace plan::net;

namespace {

constexpr size_t header_size = 12, longest_name = 255, longest_label = 63;
constexpr uint16_t flag_response = 0x8000, flag_authoritative = 0x0400, flag_truncated = 0x0200, flag_recursion_desired = 0x0100,
                   flag_recursion_available = 0x0080, flag_authentic = 0x0020, flag_checking_disabled = 0x0010;
constexpr uint32_t edns_dnssec_ok = 0x8000;
constexpr uint8_t pointer_bits = 0xc0;

Error broken(std::string_view what) { return Error::make(Code::parse, "DNS message: " + std::string(what)); }

// --- reading

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  size_t at() const { return at_; }
  size_t left() const { return bytes_.size() - at_; }
  Result<uint16_t> u16() {
    if (left() < 2) return broken("it ends too early");
    const auto value = static_cast<uint16_t>(byte(at_) << 8 | byte(at_ + 1));
    at_ += 2;
    return value;
  }
  Result<uint32_t> u32() {
    TRY(uint16_t high, u16());
    TRY(uint16_t low, u16());
    return uint32_t{high} << 16 | low;
  }
  Result<std::string> take(size_t size) {
    if (left() < size) return broken("it ends too early");
    std::string taken(bytes_.substr(at_, size));
    at_ += size;
    return taken;
  }
  Result<std::string> name();
  void seek(size_t at) { at_ = at; }

 private:
  uint8_t byte(size_t i) const { return static_cast<uint8_t>(bytes_[i]); }
  std::string_view bytes_;
  size_t at_ = 0;
};

void append_label(std::string& name, std::string_view label) {
  if (!name.empty()) name += '.';
  for (char c : label) {
    const auto byte = static_cast<uint8_t>(c);
    if (c == '.' || c == '\\') {
      name += '\\';
      name += c;
    } else if (byte <= ' ' || byte >= 0x7f) {
      name += '\\';
      name += static_cast<char>('0' + byte / 100);
      name += static_cast<char>('0' + byte / 10 % 10);
      name += static_cast<char>('0' + byte % 10);
    } else {
      name += c;
    }
  }
}

// Pointers must point before where their name began, each before the last: so they end.
Result<std::string> Reader::name() {
  std::string name;
  size_t at = at_, length = 1, lowest = at_;
  bool jumped = false;
  for (;;) {
    if (at >= bytes_.size()) return broken("a name ends too early");
    const uint8_t size = byte(at);
    if ((size & pointer_bits) == pointer_bits) {
      if (at + 1 >= bytes_.size()) return broken("a name ends too early");
      const size_t target = static_cast<size_t>(size & ~pointer_bits) << 8 | byte(at + 1);
      if (!jumped) at_ = at + 2;
      jumped = true;
      if (target >= lowest) return broken("a name points forward");
      lowest = at = target;
      continue;
    }
    if (size > longest_label) return broken("a label of an unknown kind");
    if (at + 1 + size > bytes_.size()) return broken("a name ends too early");
    if (size == 0) break;
    length += size + 1U;
    if (length > longest_name) return broken("a name is too long");
    append_label(name, bytes_.substr(at + 1, size));
    at += size + 1U;
  }
  if (!jumped) at_ = at + 1;
  return name;
}

Result<DnsRecord::Data> read_data(Reader& reader, uint16_t type, size_t size) {
  switch (type) {
    case dns_type::a:
    case dns_type::aaaa: {
      const bool v6 = type == dns_type::aaaa;
      TRY(std::string bytes, reader.take(size));
      if (size != (v6 ? 16U : 4U)) return broken("an address of the wrong length");
      Ip ip;
      ip.v6 = v6;
      std::copy(bytes.begin(), bytes.end(), ip.bytes.begin());
      return DnsRecord::Data(ip);
    }
    case dns_type::ns:
    case dns_type::cname:
    case dns_type::ptr: {
      TRY(std::string name, reader.name());
      return DnsRecord::Data(std::move(name));
    }
    case dns_type::srv: {
      DnsSrv srv;
      TRY(srv.priority, reader.u16());
      TRY(srv.weight, reader.u16());
      TRY(srv.port, reader.u16());
      TRY(srv.target, reader.name());
      return DnsRecord::Data(std::move(srv));
    }
    case dns_type::mx: {
      DnsMx mx;
      TRY(mx.preference, reader.u16());
      TRY(mx.target, reader.name());
      return DnsRecord::Data(std::move(mx));
    }
    case dns_type::soa: {
      DnsSoa soa;
      TRY(soa.server, reader.name());
      TRY(soa.mailbox, reader.name());
      for (uint32_t* number : {&soa.serial, &soa.refresh, &soa.retry, &soa.expire, &soa.minimum}) {
        TRY(*number, reader.u32());
      }
      return DnsRecord::Data(std::move(soa));
    }
    default: {
      TRY(std::string bytes, reader.take(size));
      return DnsRecord::Data(DnsRaw{std::move(bytes)});
    }
  }
}

Result<DnsRecord> read_record(Reader& reader) {
  DnsRecord record;
  TRY(record.name, reader.name());
  TRY(record.type, reader.u16());
  TRY(record.klass, reader.u16());
  TRY(record.ttl, reader.u32());
  TRY(uint16_t size, reader.u16());
  if (reader.left() < size) return broken("a record ends too early");
  const size_t end = reader.at() + size;
  const bool known = record.klass == dns_class_in;
  TRY(record.data, read_data(reader, known ? record.type : 0, size));
  if (reader.at() != end) return broken("a record of the wrong length");
  return record;
}

Result<void> read_records(Reader& reader, uint16_t count, std::vector<DnsRecord>& records, DnsMessage& message) {
  for (uint16_t i = 0; i < count; ++i) {
    TRY(DnsRecord record, read_record(reader));
    if (record.type != dns_type::opt) {
      records.push_back(std::move(record));
      continue;
    }
    if (message.edns || !record.name.empty()) return broken("more than one OPT record");
    message.edns = true;
    message.udp_size = std::max<uint16_t>(512, record.klass);
    message.code = static_cast<uint16_t>(message.code | (record.ttl >> 24) << 4);
    message.edns_version = static_cast<uint8_t>(record.ttl >> 16);
    message.dnssec_ok = (record.ttl & edns_dnssec_ok) != 0;
  }
  return {};
}

// --- writing

class Writer {
 public:
  std::string bytes;

  void u16(uint16_t value) {
    bytes += static_cast<char>(value >> 8);
    bytes += static_cast<char>(value & 0xff);
  }
  void u32(uint32_t value) {
    u16(static_cast<uint16_t>(value >> 16));
    u16(static_cast<uint16_t>(value & 0xffff));
  }
  void put_u16(size_t at, size_t value) {
    bytes[at] = static_cast<char>(value >> 8);
    bytes[at + 1] = static_cast<char>(value & 0xff);
  }
  // False: not a name.
  bool name(std::string_view text, bool compress = true);
  bool record(const DnsRecord& record);
  // Takes back what was written since.
  void rewind(size_t size) {
    bytes.resize(size);
    while (!known_.empty() && known_.back().offset >= size) known_.pop_back();
  }

 private:
  struct Known {
    std::string text;
    size_t offset;
  };
  std::vector<Known> known_;  // names, and ends of names, written before
  bool data(const DnsRecord& record);
};

// One label in wire form, from the text's start up to an unescaped dot. nullopt: none.
std::optional<std::string> next_label(std::string_view& text) {
  std::string label;
  size_t i = 0;
  for (; i < text.size() && text[i] != '.'; ++i) {
    if (text[i] != '\\') {
      label += text[i];
      continue;
    }
    if (++i >= text.size()) return std::nullopt;
    auto digit = [&text](size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '9' ? text[at] - '0' : -1; };
    if (digit(i) < 0) {
      label += text[i];
      continue;
    }
    if (digit(i + 1) < 0 || digit(i + 2) < 0) return std::nullopt;
    const int value = digit(i) * 100 + digit(i + 1) * 10 + digit(i + 2);
    if (value > 255) return std::nullopt;
    label += static_cast<char>(value);
    i += 2;
  }
  text.remove_prefix(std::min(text.size(), i + 1));
  if (label.empty() || label.size() > longest_label) return std::nullopt;
  return label;
}

bool Writer::name(std::string_view text, bool compress) {
  constexpr size_t farthest = 0x3fff;
  const size_t start = bytes.size(), known_before = known_.size();
  size_t length = 1;
  while (!text.empty()) {
    if (compress) {
      auto found = std::find_if(known_.begin(), known_.end(), [&](const Known& known) { return known.text == text; });
      if (found != known_.end()) {
        u16(static_cast<uint16_t>(pointer_bits << 8 | found->offset));
        return true;
      }
    }
    if (bytes.size() <= farthest) known_.push_back({std::string(text), bytes.size()});
    auto label = next_label(text);
    length += label ? label->size() + 1 : longest_name;
    if (!label || length > longest_name) {
      known_.resize(known_before);
      bytes.resize(start);
      return false;
    }
    bytes += static_cast<char>(label->size());
    bytes += *label;
  }
  bytes += '\0';
  return true;
}

bool Writer::data(const DnsRecord& record) {
  if (auto* raw = std::get_if<DnsRaw>(&record.data)) {
    bytes += raw->bytes;
    return true;
  }
  if (auto* ip = std::get_if<Ip>(&record.data)) {
    bytes.append(reinterpret_cast<const char*>(ip->bytes.data()), ip->v6 ? 16 : 4);
    return true;
  }
  if (auto* target = std::get_if<std::string>(&record.data)) return name(*target);
  if (auto* srv = std::get_if<DnsSrv>(&record.data)) {
    u16(srv->priority);
    u16(srv->weight);
    u16(srv->port);
    return name(srv->target, false);  // RFC 2782: not compressed
  }
  if (auto* mx = std::get_if<DnsMx>(&record.data)) {
    u16(mx->preference);
    return name(mx->target);
  }
  const auto& soa = std::get<DnsSoa>(record.data);
  if (!name(soa.server) || !name(soa.mailbox)) return false;
  for (uint32_t number : {soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum}) u32(number);
  return true;
}

bool Writer::record(const DnsRecord& record) {
  const size_t start = bytes.size();
  if (!name(record.name)) return false;
  u16(record.type);
  u16(record.klass);
  u32(record.ttl);
  const size_t size_at = bytes.size();
  u16(0);
  if (!data(record) || bytes.size() - size_at - 2 > 0xffff) {
    rewind(start);
    return false;
  }
  put_u16(size_at, bytes.size() - size_at - 2);
  return true;
}

uint16_t flags_of(const DnsMessage& message) {
  auto flag = [](bool set, uint16_t bit) { return set ? bit : uint16_t{0}; };
  return static_cast<uint16_t>(
      flag(message.response, flag_response) | (message.opcode & 0xf) << 11 | flag(message.authoritative, flag_authoritative) |
      flag(message.truncated, flag_truncated) | flag(message.recursion_desired, flag_recursion_desired) |
      flag(message.recursion_available, flag_recursion_available) | flag(message.authentic, flag_authentic) |
      flag(message.checking_disabled, flag_checking_disabled) | (message.code & 0xf));
}

}  // namespace

Result<DnsMessage> decode_dns(std::string_view bytes) {
  Reader reader(bytes);
  DnsMessage message;
  TRY(message.id, reader.u16());
  TRY(uint16_t flags, reader.u16());
  message.response = flags & flag_response;
  message.opcode = static_cast<uint8_t>(flags >> 11 & 0xf);
  message.authoritative = flags & flag_authoritative;
  message.truncated = flags & flag_truncated;
  message.recursion_desired = flags & flag_recursion_desired;
  message.recursion_available = flags & flag_recursion_available;
  message.authentic = flags & flag_authentic;
  message.checking_disabled = flags & flag_checking_disabled;
  message.code = flags & 0xf;
  uint16_t counts[4];
  for (uint16_t& count : counts) {
    TRY(count, reader.u16());
  }
  for (uint16_t i = 0; i < counts[0]; ++i) {
    DnsQuestion question;
    TRY(question.name, reader.name());
    TRY(question.type, reader.u16());
    TRY(question.klass, reader.u16());
    message.questions.push_back(std::move(question));
  }
  TRY_VOID(read_records(reader, counts[1], message.answers, message));
  TRY_VOID(read_records(reader, counts[2], message.authority, message));
  TRY_VOID(read_records(reader, counts[3], message.additional, message));
  return message;
}

std::string encode_dns(const DnsMessage& message, size_t limit) {
  Writer writer;
  writer.bytes.reserve(512);
  writer.u16(message.id);
  writer.u16(flags_of(message));
  for (int i = 0; i < 4; ++i) writer.u16(0);
  size_t questions = 0;
  for (const DnsQuestion& question : message.questions) {
    if (!writer.name(question.name)) continue;
    writer.u16(question.type);
    writer.u16(question.klass);
    ++questions;
  }
  writer.put_u16(4, questions);
  constexpr size_t opt_size = 11;
  const size_t room = limit - (message.edns ? opt_size : 0), records_at = writer.bytes.size();
  const std::vector<DnsRecord>* sections[] = {&message.answers, &message.authority, &message.additional};
  size_t counts[3] = {};
  for (size_t s = 0; s < 3; ++s) {
    for (const DnsRecord& record : *sections[s]) {
      const size_t before = writer.bytes.size();
      if (!writer.record(record)) continue;
      if (writer.bytes.size() > room) {
        writer.rewind(before);
        if (s == 2) break;  // what is only additional can be left out (RFC 2181 section 9)
        writer.rewind(records_at);
        std::fill(std::begin(counts), std::end(counts), 0);
        writer.put_u16(2, flags_of(message) | flag_truncated);
        s = 2;
        break;
      }
      ++counts[s];
    }
  }
  if (message.edns) {
    writer.bytes += '\0';
    writer.u16(dns_type::opt);
    writer.u16(message.udp_size);
    writer.u32(uint32_t{message.code} >> 4 << 24 | uint32_t{message.edns_version} << 16 | (message.dnssec_ok ? edns_dnssec_ok : 0));
    writer.u16(0);
    ++counts[2];
  }
  for (size_t s = 0; s < 3; ++s) writer.put_u16(6 + 2 * s, counts[s]);
  return std::move(writer.bytes);
}

}  // namespace orch::wire
