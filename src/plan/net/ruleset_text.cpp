#include "plan/net/ruleset_text.h"

#include <cstdio>

namespace orch::plan::net {

namespace {

struct FieldText {
  std::string_view expression;
  std::string_view type;  // of keys
};
// By Field.
constexpr FieldText field_texts[] = {
    {"ip saddr", "ipv4_addr"}, {"ip daddr", "ipv4_addr"}, {"meta l4proto", "inet_proto"}, {"th dport", "inet_service"},
    {"iifname", ""},           {"oifname", ""},           {"meta mark", ""},
};
constexpr std::string_view point_names[] = {"prerouting", "input", "forward", "output", "postrouting"};

std::string text_of(Field field) { return std::string(field_texts[static_cast<size_t>(field)].expression); }

std::string text_of(const Key& key) {
  std::string text;
  for (Field field : key) text += (text.empty() ? "" : " . ") + text_of(field);
  return text;
}

std::string type_of(const Key& key) {
  std::string text;
  for (Field field : key)
    text += (text.empty() ? "" : " . ") + std::string(field_texts[static_cast<size_t>(field)].type);
  return text;
}

std::string text_of_sense(Sense sense) { return sense == Sense::equal ? "" : "!= "; }

std::string hex(uint32_t number) {
  char text[16];
  std::snprintf(text, sizeof text, "0x%08x", number);
  return text;
}

std::string text_of_protocol(uint8_t protocol) {
  switch (protocol) {
    case 6: return "tcp";
    case 17: return "udp";
    case 132: return "sctp";
    default: return std::to_string(protocol);
  }
}

std::string text_of(const Verdict& verdict) {
  switch (verdict.kind) {
    case Verdict::Kind::accept: return "accept";
    case Verdict::Kind::drop: return "drop";
    case Verdict::Kind::return_: return "return";
    case Verdict::Kind::jump: return "jump " + verdict.chain;
    case Verdict::Kind::goto_: return "goto " + verdict.chain;
  }
  return {};
}

struct StatementText {
  std::string operator()(const MatchPrefix& s) const {
    return text_of(s.field) + " " + text_of_sense(s.sense) + (s.prefix.bits == 32 ? format_ip(s.prefix.ip) : format_cidr(s.prefix));
  }
  std::string operator()(const MatchProtocol& s) const { return "meta l4proto " + text_of_protocol(s.protocol); }
  std::string operator()(const MatchInterface& s) const {
    return text_of(s.field) + " " + text_of_sense(s.sense) + "\"" + s.name + "\"";
  }
  std::string operator()(const MatchMark& s) const { return "meta mark & " + hex(s.bits) + " == " + hex(s.bits); }
  std::string operator()(const MatchNew&) const { return "ct state new"; }
  std::string operator()(const MatchLocal&) const { return "fib daddr type local"; }
  std::string operator()(const MatchLocalSource&) const { return "fib saddr type local"; }
  std::string operator()(const MatchRedirect&) const { return "icmp type redirect"; }
  std::string operator()(const InSet& s) const { return text_of(s.key) + " @" + s.set; }
  std::string operator()(const Remember& s) const { return "update @" + s.set + " { " + text_of(s.key) + " }"; }
  std::string operator()(const VerdictMap& s) const { return text_of(s.key) + " vmap @" + s.map; }
  std::string operator()(const SetMark& s) const { return "meta mark set meta mark | " + hex(s.bits); }
  std::string operator()(const FlipMark& s) const { return "meta mark set meta mark ^ " + hex(s.bits); }
  std::string operator()(const Dnat& s) const {
    if (s.to.size() == 1) return "dnat to " + format_ip(s.to[0].address) + ":" + std::to_string(s.to[0].port);
    std::string text = "dnat ip to numgen random mod " + std::to_string(s.to.size()) + " map { ";
    for (size_t i = 0; i < s.to.size(); ++i)
      text += (i == 0 ? "" : ", ") + std::to_string(i) + " : " + format_ip(s.to[i].address) + " . " + std::to_string(s.to[i].port);
    return text + " }";
  }
  std::string operator()(const Spread& s) const {
    if (s.chains.size() == 1) return "goto " + s.chains[0];
    std::string text = "numgen random mod " + std::to_string(s.chains.size()) + " vmap { ";
    for (size_t i = 0; i < s.chains.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(i) + " : goto " + s.chains[i];
    return text + " }";
  }
  std::string operator()(const Masquerade&) const { return "masquerade"; }
  std::string operator()(const Reject& s) const {
    return s.with == Reject::With::reset ? "reject with tcp reset" : "reject";
  }
  std::string operator()(const Verdict& s) const { return text_of(s); }
};

std::string text_of_hook(const Hook& hook) {
  return std::string("type ") + (hook.type == Hook::Type::nat ? "nat" : "filter") + " hook " +
         std::string(point_names[static_cast<size_t>(hook.point)]) + " priority " + std::to_string(hook.priority) +
         "; policy accept;";
}

std::string text_of_set(const Set& set) {
  std::string text = "type " + type_of(set.key) + (set.verdicts ? " : verdict" : "") + ";";
  if (set.timeout_seconds != 0)
    text += " size 65535; flags dynamic,timeout; timeout " + std::to_string(set.timeout_seconds) + "s;";
  return text;
}

std::string text_of_key(const Key& key, std::string_view bytes) {
  std::string text;
  auto byte = [&bytes](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  for (Field field : key) {
    if (!text.empty()) text += " . ";
    if (field == Field::protocol) {
      text += text_of_protocol(byte(0));
    } else if (field == Field::port) {
      text += std::to_string(byte(0) << 8 | byte(1));
    } else {
      Ip ip;
      for (size_t i = 0; i < 4; ++i) ip.bytes[i] = byte(i);
      text += format_ip(ip);
    }
    bytes.remove_prefix(4);
  }
  return text;
}

std::string text_of_element(const Key& key, std::string_view bytes, const std::optional<Verdict>& verdict) {
  return text_of_key(key, bytes) + (verdict ? " : " + text_of(*verdict) : "");
}

std::string_view keyword(const Set& set) { return set.verdicts ? "map " : "set "; }

}  // namespace

std::string format_rule(const Rule& rule) {
  std::string text;
  for (const Statement& statement : rule) text += (text.empty() ? "" : " ") + std::visit(StatementText{}, statement);
  return text;
}

std::string format_ruleset(const Ruleset& ruleset) {
  std::string text = "table ip " + ruleset.table + " {\n";
  for (const auto& [name, set] : ruleset.sets) {
    text += "\t" + std::string(keyword(set)) + name + " {\n\t\t" + text_of_set(set) + "\n";
    auto elements = ruleset.elements.find(name);
    if (elements != ruleset.elements.end()) {
      text += "\t\telements = {\n";
      for (const auto& [key, verdict] : elements->second)
        text += "\t\t\t" + text_of_element(set.key, key, verdict) + ",\n";
      text += "\t\t}\n";
    }
    text += "\t}\n";
  }
  for (const auto& [name, chain] : ruleset.chains) {
    text += "\tchain " + name + " {\n";
    if (chain.hook) text += "\t\t" + text_of_hook(*chain.hook) + "\n";
    for (const Rule& rule : chain.rules) text += "\t\t" + format_rule(rule) + "\n";
    text += "\t}\n";
  }
  return text + "}\n";
}

std::string format_changes(const Changes& changes, const Ruleset& keys_of_sets) {
  const std::string table = " ip " + changes.table + " ";
  std::string text;
  auto line = [&text](std::string content) { text += std::move(content) + "\n"; };
  auto elements = [&](std::string_view verb, const Element& element) {
    const Set& set = keys_of_sets.sets.find(element.set)->second;
    line(std::string(verb) + " element" + table + element.set + " { " + text_of_element(set.key, element.key, element.verdict) + " }");
  };
  for (const auto& [name, set] : changes.added_sets)
    line("add " + std::string(set.verdicts ? "map" : "set") + table + name + " { " + text_of_set(set) + " }");
  for (const auto& [name, hook] : changes.added_chains)
    line("add chain" + table + name + (hook ? " { " + text_of_hook(*hook) + " }" : ""));
  for (const auto& [name, rules] : changes.rules) {
    line("flush chain" + table + name);
    for (const Rule& rule : rules) line("add rule" + table + name + " " + format_rule(rule));
  }
  for (const Element& element : changes.removed_elements) elements("delete", element);
  for (const Element& element : changes.added_elements) elements("add", element);
  for (const std::string& name : changes.removed_chains) line("delete chain" + table + name);
  for (const std::string& name : changes.removed_sets) line("delete set" + table + name);
  return text;
}

}  // namespace orch::plan::net
