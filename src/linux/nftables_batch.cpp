#include "linux/nftables_batch.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

namespace orch::sys {

using namespace plan::net;

namespace {

constexpr size_t message_capacity = 64 * 1024;
// Elements in one message: an attribute holds 64 KiB, one with a chain's name takes up to 200 bytes.
constexpr size_t elements_in_message = 200;

// Numbers by which nft(8) knows types of keys; the kernel only keeps them.
constexpr uint32_t type_integer = 4, type_ipv4 = 7, type_protocol = 12, type_port = 13, type_bits = 6;
constexpr uint32_t type_verdict = 0xffffff00;  // NFT_DATA_VERDICT

struct FieldCode {
  uint32_t type, length;  // of the key's part, in bytes before padding
};
FieldCode code_of(Field field) {
  switch (field) {
    case Field::protocol: return {type_protocol, 1};
    case Field::port: return {type_port, 2};
    default: return {type_ipv4, 4};
  }
}

uint32_t key_type(const Key& key) {
  uint32_t type = 0;
  for (Field field : key) type = type << type_bits | code_of(field).type;
  return type;
}

// nft(8) notes the byte order of keys and data in a set's user data: type, length, 32 bits each.
enum ByteOrder : uint32_t { host_order = 1, network_order = 2 };
std::string user_data(ByteOrder key, std::optional<ByteOrder> data) {
  std::string bytes;
  auto add = [&bytes](uint8_t type, uint32_t value) {
    bytes += static_cast<char>(type);
    bytes += static_cast<char>(sizeof value);
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  };
  add(0, key);
  if (data) add(1, *data);
  return bytes;
}

int32_t code_of(Verdict::Kind kind) {
  switch (kind) {
    case Verdict::Kind::accept: return 1;  // NF_ACCEPT
    case Verdict::Kind::drop: return 0;    // NF_DROP
    case Verdict::Kind::return_: return NFT_RETURN;
    case Verdict::Kind::jump: return NFT_JUMP;
    case Verdict::Kind::goto_: return NFT_GOTO;
  }
  return 0;
}

void put_verdict(Message& message, const Verdict& verdict) {
  message.nested(NFTA_DATA_VERDICT, [&] {
    message.be32(NFTA_VERDICT_CODE, static_cast<uint32_t>(code_of(verdict.kind)));
    if (!verdict.chain.empty()) message.text(NFTA_VERDICT_CHAIN, verdict.chain);
  });
}

void put_element(Message& message, std::string_view key, const std::optional<Verdict>& verdict, std::string_view data) {
  message.nested(NFTA_LIST_ELEM, [&] {
    message.nested(NFTA_SET_ELEM_KEY, [&] { message.bytes(NFTA_DATA_VALUE, key); });
    if (verdict) message.nested(NFTA_SET_ELEM_DATA, [&] { put_verdict(message, *verdict); });
    if (!data.empty()) message.nested(NFTA_SET_ELEM_DATA, [&] { message.bytes(NFTA_DATA_VALUE, data); });
  });
}

std::string_view bytes_of(const uint32_t& number) { return {reinterpret_cast<const char*>(&number), sizeof number}; }

// Registers of four bytes each.
constexpr uint32_t reg(uint32_t index) { return NFT_REG32_00 + index; }

}  // namespace

// The expressions of one rule. Each statement starts at register 0.
struct BatchWriter::Expressions {
  Message& message;
  const std::vector<uint32_t>& map_ids;  // of the rule's anonymous maps, in order
  size_t next_map = 0;

  template <class F>
  void expression(std::string_view name, F attributes) {
    message.nested(NFTA_LIST_ELEM, [&] {
      message.text(NFTA_EXPR_NAME, name);
      message.nested(NFTA_EXPR_DATA, attributes);
    });
  }
  void payload(uint32_t base, uint32_t offset, uint32_t length, uint32_t to) {
    expression("payload", [&] {
      message.be32(NFTA_PAYLOAD_DREG, to).be32(NFTA_PAYLOAD_BASE, base);
      message.be32(NFTA_PAYLOAD_OFFSET, offset).be32(NFTA_PAYLOAD_LEN, length);
    });
  }
  void meta(uint32_t key, uint32_t to) {
    expression("meta", [&] { message.be32(NFTA_META_DREG, to).be32(NFTA_META_KEY, key); });
  }
  void compare(Sense sense, std::string_view value) {
    expression("cmp", [&] {
      message.be32(NFTA_CMP_SREG, reg(0)).be32(NFTA_CMP_OP, sense == Sense::equal ? NFT_CMP_EQ : NFT_CMP_NEQ);
      message.nested(NFTA_CMP_DATA, [&] { message.bytes(NFTA_DATA_VALUE, value); });
    });
  }
  void bitwise(std::string_view mask, std::string_view exclusive_or) {
    expression("bitwise", [&] {
      message.be32(NFTA_BITWISE_SREG, reg(0)).be32(NFTA_BITWISE_DREG, reg(0));
      message.be32(NFTA_BITWISE_LEN, static_cast<uint32_t>(mask.size()));
      message.nested(NFTA_BITWISE_MASK, [&] { message.bytes(NFTA_DATA_VALUE, mask); });
      message.nested(NFTA_BITWISE_XOR, [&] { message.bytes(NFTA_DATA_VALUE, exclusive_or); });
    });
  }
  void immediate(uint32_t to, std::string_view value) {
    expression("immediate", [&] {
      message.be32(NFTA_IMMEDIATE_DREG, to);
      message.nested(NFTA_IMMEDIATE_DATA, [&] { message.bytes(NFTA_DATA_VALUE, value); });
    });
  }
  void load(Field field, uint32_t to) {
    constexpr uint32_t source_offset = 12, destination_offset = 16, port_offset = 2;
    switch (field) {
      case Field::source: return payload(NFT_PAYLOAD_NETWORK_HEADER, source_offset, 4, to);
      case Field::destination: return payload(NFT_PAYLOAD_NETWORK_HEADER, destination_offset, 4, to);
      case Field::protocol: return meta(NFT_META_L4PROTO, to);
      case Field::port: return payload(NFT_PAYLOAD_TRANSPORT_HEADER, port_offset, 2, to);
      case Field::in_interface: return meta(NFT_META_IIFNAME, to);
      case Field::out_interface: return meta(NFT_META_OIFNAME, to);
      case Field::mark: return meta(NFT_META_MARK, to);
    }
  }
  void load(const Key& key) {
    for (size_t i = 0; i < key.size(); ++i) load(key[i], reg(static_cast<uint32_t>(i)));
  }
  void fib_type_local(uint32_t flags) {
    expression("fib", [&] {
      message.be32(NFTA_FIB_DREG, reg(0)).be32(NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE).be32(NFTA_FIB_FLAGS, flags);
    });
    const uint32_t local = RTN_LOCAL;
    compare(Sense::equal, bytes_of(local));
  }
  void change_mark(uint32_t mask, uint32_t exclusive_or) {
    meta(NFT_META_MARK, reg(0));
    bitwise(bytes_of(mask), bytes_of(exclusive_or));
    expression("meta", [&] { message.be32(NFTA_META_KEY, NFT_META_MARK).be32(NFTA_META_SREG, reg(0)); });
  }
  void numbered_lookup(size_t count, bool verdicts) {
    expression("numgen", [&] {
      message.be32(NFTA_NG_DREG, reg(0)).be32(NFTA_NG_MODULUS, static_cast<uint32_t>(count));
      message.be32(NFTA_NG_TYPE, NFT_NG_RANDOM).be32(NFTA_NG_OFFSET, 0);
    });
    expression("lookup", [&] {
      message.text(NFTA_LOOKUP_SET, "__map%d").be32(NFTA_LOOKUP_SREG, reg(0));
      message.be32(NFTA_LOOKUP_DREG, verdicts ? static_cast<uint32_t>(NFT_REG_VERDICT) : reg(0));
      message.be32(NFTA_LOOKUP_SET_ID, map_ids[next_map++]);
    });
  }

  void operator()(const MatchPrefix& s) {
    load(s.field, reg(0));
    uint32_t mask = htonl(s.prefix.bits == 0 ? 0 : ~uint32_t{0} << (32 - s.prefix.bits));
    if (s.prefix.bits != 32) bitwise(bytes_of(mask), bytes_of(0));
    const Ip network = s.prefix.network();
    compare(s.sense, {reinterpret_cast<const char*>(network.bytes.data()), 4});
  }
  void operator()(const MatchProtocol& s) {
    meta(NFT_META_L4PROTO, reg(0));
    compare(Sense::equal, {reinterpret_cast<const char*>(&s.protocol), 1});
  }
  void operator()(const MatchInterface& s) {
    constexpr size_t name_size = 16;
    load(s.field, reg(0));
    std::string name = s.name;
    name.resize(name_size);
    compare(s.sense, name);
  }
  void operator()(const MatchMark& s) {
    meta(NFT_META_MARK, reg(0));
    bitwise(bytes_of(s.bits), bytes_of(0));
    compare(Sense::equal, bytes_of(s.bits));
  }
  void operator()(const MatchNew&) {
    constexpr uint32_t state_new = 8;  // 1 << (IP_CT_NEW + 1)
    expression("ct", [&] { message.be32(NFTA_CT_DREG, reg(0)).be32(NFTA_CT_KEY, NFT_CT_STATE); });
    bitwise(bytes_of(state_new), bytes_of(0));
    compare(Sense::not_equal, bytes_of(0));
  }
  void operator()(const MatchLocal&) { fib_type_local(NFTA_FIB_F_DADDR); }
  void operator()(const MatchLocalSource&) { fib_type_local(NFTA_FIB_F_SADDR); }
  void operator()(const MatchRedirect&) {
    constexpr uint8_t icmp = 1, redirect = 5;
    (*this)(MatchProtocol{icmp});
    payload(NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, reg(0));
    compare(Sense::equal, {reinterpret_cast<const char*>(&redirect), 1});
  }
  void operator()(const InSet& s) {
    load(s.key);
    expression("lookup", [&] { message.text(NFTA_LOOKUP_SET, s.set).be32(NFTA_LOOKUP_SREG, reg(0)); });
  }
  void operator()(const Remember& s) {
    load(s.key);
    expression("dynset", [&] {
      message.text(NFTA_DYNSET_SET_NAME, s.set).be32(NFTA_DYNSET_OP, NFT_DYNSET_OP_UPDATE);
      message.be32(NFTA_DYNSET_SREG_KEY, reg(0));
    });
  }
  void operator()(const VerdictMap& s) {
    load(s.key);
    expression("lookup", [&] {
      message.text(NFTA_LOOKUP_SET, s.map).be32(NFTA_LOOKUP_SREG, reg(0)).be32(NFTA_LOOKUP_DREG, NFT_REG_VERDICT);
    });
  }
  void operator()(const SetMark& s) { change_mark(~s.bits, s.bits); }
  void operator()(const FlipMark& s) { change_mark(~uint32_t{0}, s.bits); }
  void operator()(const Dnat& s) {
    if (s.to.size() == 1) {
      const uint16_t port = htons(s.to[0].port);
      immediate(reg(0), {reinterpret_cast<const char*>(s.to[0].address.bytes.data()), 4});
      immediate(reg(1), {reinterpret_cast<const char*>(&port), sizeof port});
    } else {
      numbered_lookup(s.to.size(), false);
    }
    expression("nat", [&] {
      message.be32(NFTA_NAT_TYPE, NFT_NAT_DNAT).be32(NFTA_NAT_FAMILY, NFPROTO_IPV4);
      message.be32(NFTA_NAT_REG_ADDR_MIN, reg(0)).be32(NFTA_NAT_REG_PROTO_MIN, reg(1));
    });
  }
  void operator()(const Spread& s) {
    if (s.chains.size() == 1) return (*this)(go(s.chains[0]));
    numbered_lookup(s.chains.size(), true);
  }
  void operator()(const Masquerade&) {
    expression("masq", [] {});
  }
  void operator()(const Reject& s) {
    constexpr uint8_t port_unreachable = 3;
    if (s.with == Reject::With::reset)
      return expression("reject", [&] { message.be32(NFTA_REJECT_TYPE, NFT_REJECT_TCP_RST).u8(NFTA_REJECT_ICMP_CODE, 0); });
    expression("reject", [&] {
      message.be32(NFTA_REJECT_TYPE, NFT_REJECT_ICMP_UNREACH).u8(NFTA_REJECT_ICMP_CODE, port_unreachable);
    });
  }
  void operator()(const Verdict& s) {
    expression("immediate", [&] {
      message.be32(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
      message.nested(NFTA_IMMEDIATE_DATA, [&] { put_verdict(message, s); });
    });
  }
};

BatchWriter::BatchWriter(std::string table) : table_(std::move(table)), message_(0, 0, "", message_capacity) {
  batch_mark(NFNL_MSG_BATCH_BEGIN);
}

void BatchWriter::batch_mark(uint16_t type) {
  message_.reset(type, 0, "batch");
  message_.header(nfgenmsg{AF_UNSPEC, NFNETLINK_V0, htons(NFNL_SUBSYS_NFTABLES)});
  end();
}

void BatchWriter::begin(uint16_t type, uint16_t flags, std::string what) {
  message_.reset(static_cast<uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type), flags, std::move(what));
  message_.header(nfgenmsg{NFPROTO_IPV4, NFNETLINK_V0, 0});
}

void BatchWriter::end() {
  nlmsghdr* header = message_.raw();
  header->nlmsg_seq = static_cast<uint32_t>(batch_.whats.size());
  batch_.whats.push_back(message_.overflown() ? message_.what() + " (too large)" : message_.what());
  batch_.bytes.append(reinterpret_cast<const char*>(header), header->nlmsg_len);
  batch_.bytes.resize(NLMSG_ALIGN(batch_.bytes.size()));
}

NfBatch BatchWriter::finish() && {
  batch_mark(NFNL_MSG_BATCH_END);
  return std::move(batch_);
}

void BatchWriter::add_table() {
  begin(NFT_MSG_NEWTABLE, NLM_F_CREATE, "add table " + table_);
  message_.text(NFTA_TABLE_NAME, table_).be32(NFTA_TABLE_FLAGS, 0);
  end();
}
void BatchWriter::delete_table() {
  begin(NFT_MSG_DELTABLE, 0, "delete table " + table_);
  message_.text(NFTA_TABLE_NAME, table_);
  end();
}

void BatchWriter::add_set(const std::string& name, const Set& set) {
  begin(NFT_MSG_NEWSET, NLM_F_CREATE, "add set " + name);
  uint32_t flags = set.verdicts ? static_cast<uint32_t>(NFT_SET_MAP) : 0;
  if (set.timeout_seconds != 0) flags |= NFT_SET_TIMEOUT | NFT_SET_EVAL;
  uint32_t length = 0;
  for (size_t i = 0; i < set.key.size(); ++i) {
    // A key of one part has its own length; in a concatenation each part fills a register.
    const uint32_t own = code_of(set.key[i]).length;
    length += set.key.size() == 1 ? own : (own + 3) / 4 * 4;
  }
  message_.text(NFTA_SET_TABLE, table_).text(NFTA_SET_NAME, name).be32(NFTA_SET_FLAGS, flags);
  message_.be32(NFTA_SET_KEY_TYPE, key_type(set.key)).be32(NFTA_SET_KEY_LEN, length).be32(NFTA_SET_ID, ++last_set_id_);
  if (set.verdicts) message_.be32(NFTA_SET_DATA_TYPE, type_verdict).be32(NFTA_SET_DATA_LEN, 0);
  if (set.timeout_seconds != 0) {
    constexpr uint32_t most_clients = 65535;
    message_.be64(NFTA_SET_TIMEOUT, uint64_t{set.timeout_seconds} * 1000);
    message_.nested(NFTA_SET_DESC, [&] { message_.be32(NFTA_SET_DESC_SIZE, most_clients); });
  }
  message_.bytes(NFTA_SET_USERDATA, user_data(network_order, std::nullopt));
  end();
}

void BatchWriter::delete_set(const std::string& name) {
  begin(NFT_MSG_DELSET, 0, "delete set " + name);
  message_.text(NFTA_SET_TABLE, table_).text(NFTA_SET_NAME, name);
  end();
}

void BatchWriter::add_chain(const std::string& name, const std::optional<Hook>& hook) {
  begin(NFT_MSG_NEWCHAIN, NLM_F_CREATE, "add chain " + name);
  message_.text(NFTA_CHAIN_TABLE, table_).text(NFTA_CHAIN_NAME, name);
  if (hook) {
    message_.nested(NFTA_CHAIN_HOOK, [&] {
      message_.be32(NFTA_HOOK_HOOKNUM, static_cast<uint32_t>(hook->point));
      message_.be32(NFTA_HOOK_PRIORITY, static_cast<uint32_t>(hook->priority));
    });
    message_.text(NFTA_CHAIN_TYPE, hook->type == Hook::Type::nat ? "nat" : "filter");
    message_.be32(NFTA_CHAIN_POLICY, 1);  // NF_ACCEPT
  }
  end();
}

void BatchWriter::delete_chain(const std::string& name) {
  begin(NFT_MSG_DELCHAIN, 0, "delete chain " + name);
  message_.text(NFTA_CHAIN_TABLE, table_).text(NFTA_CHAIN_NAME, name);
  end();
}

void BatchWriter::flush_chain(const std::string& name) {
  begin(NFT_MSG_DELRULE, 0, "flush chain " + name);
  message_.text(NFTA_RULE_TABLE, table_).text(NFTA_RULE_CHAIN, name);
  end();
}

uint32_t BatchWriter::begin_numbered_map(bool verdicts) {
  begin(NFT_MSG_NEWSET, NLM_F_CREATE, "add a map for a rule");
  message_.text(NFTA_SET_TABLE, table_).text(NFTA_SET_NAME, "__map%d");
  message_.be32(NFTA_SET_FLAGS, NFT_SET_ANONYMOUS | NFT_SET_CONSTANT | NFT_SET_MAP);
  message_.be32(NFTA_SET_KEY_TYPE, type_integer).be32(NFTA_SET_KEY_LEN, 4).be32(NFTA_SET_ID, ++last_set_id_);
  const uint32_t backend_type = type_ipv4 << type_bits | type_port;
  message_.be32(NFTA_SET_DATA_TYPE, verdicts ? type_verdict : backend_type).be32(NFTA_SET_DATA_LEN, verdicts ? 0 : 8);
  message_.bytes(NFTA_SET_USERDATA, user_data(host_order, verdicts ? std::nullopt : std::optional(network_order)));
  end();
  return last_set_id_;
}

namespace {

// Elements 0, 1, 2, ... of an anonymous map, some at a time.
template <class Begin, class Put, class End>
void put_numbered(size_t count, Begin begin, Put put, End end) {
  for (size_t first = 0; first < count; first += elements_in_message) {
    begin();
    const size_t last = std::min(count, first + elements_in_message);
    end(first, last, put);
  }
}

}  // namespace

uint32_t BatchWriter::add_numbered_map(const Dnat& dnat) {
  const uint32_t id = begin_numbered_map(false);
  auto open = [&] {
    begin(NFT_MSG_NEWSETELEM, NLM_F_CREATE, "add endpoints to a map");
    message_.text(NFTA_SET_ELEM_LIST_TABLE, table_).text(NFTA_SET_ELEM_LIST_SET, "__map%d").be32(NFTA_SET_ELEM_LIST_SET_ID, id);
  };
  auto put = [&](uint32_t i) {
    const std::string data = encode_key({dnat.to[i].address, dnat.to[i].port});
    put_element(message_, bytes_of(i), std::nullopt, data);
  };
  auto close = [&](size_t first, size_t last, auto& each) {
    message_.nested(NFTA_SET_ELEM_LIST_ELEMENTS, [&] {
      for (size_t i = first; i < last; ++i) each(static_cast<uint32_t>(i));
    });
    end();
  };
  put_numbered(dnat.to.size(), open, put, close);
  return id;
}

uint32_t BatchWriter::add_numbered_map(const Spread& spread) {
  const uint32_t id = begin_numbered_map(true);
  auto open = [&] {
    begin(NFT_MSG_NEWSETELEM, NLM_F_CREATE, "add chains to a map");
    message_.text(NFTA_SET_ELEM_LIST_TABLE, table_).text(NFTA_SET_ELEM_LIST_SET, "__map%d").be32(NFTA_SET_ELEM_LIST_SET_ID, id);
  };
  auto put = [&](uint32_t i) { put_element(message_, bytes_of(i), go(spread.chains[i]), {}); };
  auto close = [&](size_t first, size_t last, auto& each) {
    message_.nested(NFTA_SET_ELEM_LIST_ELEMENTS, [&] {
      for (size_t i = first; i < last; ++i) each(static_cast<uint32_t>(i));
    });
    end();
  };
  put_numbered(spread.chains.size(), open, put, close);
  return id;
}

void BatchWriter::add_rules(const std::string& chain, const std::vector<Rule>& rules) {
  for (const Rule& rule : rules) {
    std::vector<uint32_t> map_ids;
    for (const Statement& statement : rule) {
      if (auto* dnat = std::get_if<Dnat>(&statement); dnat && dnat->to.size() > 1) map_ids.push_back(add_numbered_map(*dnat));
      if (auto* spread = std::get_if<Spread>(&statement); spread && spread->chains.size() > 1)
        map_ids.push_back(add_numbered_map(*spread));
    }
    begin(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, "add rules of chain " + chain);
    message_.text(NFTA_RULE_TABLE, table_).text(NFTA_RULE_CHAIN, chain);
    message_.nested(NFTA_RULE_EXPRESSIONS, [&] {
      Expressions expressions{message_, map_ids};
      for (const Statement& statement : rule) std::visit(expressions, statement);
    });
    end();
  }
}

void BatchWriter::elements(uint16_t type, std::span<const Element> elements) {
  const bool adds = type == NFT_MSG_NEWSETELEM;
  for (size_t first = 0; first < elements.size();) {
    const std::string& set = elements[first].set;
    size_t last = first;
    while (last < elements.size() && last - first < elements_in_message && elements[last].set == set) ++last;
    begin(type, adds ? NLM_F_CREATE : 0, (adds ? "add to set " : "take out of set ") + set);
    message_.text(NFTA_SET_ELEM_LIST_TABLE, table_).text(NFTA_SET_ELEM_LIST_SET, set);
    message_.nested(NFTA_SET_ELEM_LIST_ELEMENTS, [&] {
      for (const Element& element : elements.subspan(first, last - first))
        put_element(message_, element.key, element.verdict, {});
    });
    end();
    first = last;
  }
}

}  // namespace orch::sys
