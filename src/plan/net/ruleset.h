#pragma once
// Ruleset: what one nf_tables table of family ip shall hold, as a value. linux/nftables.h makes messages of it,
// ruleset_text.h the syntax of nft(8). And Changes: what leads from one ruleset to another.
//
// Of the kernel's language only what Services need is here: rules are statements in the order they are evaluated; sets
// and verdict maps are keyed by concatenations of address, protocol and port.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ip.h"

namespace orch::plan::net {

// What a statement looks at. The first four can be parts of keys.
enum class Field : uint8_t { source, destination, protocol, port, in_interface, out_interface, mark };

using Key = std::vector<Field>;
inline const Key address_key{Field::destination, Field::protocol, Field::port};
inline const Key port_key{Field::protocol, Field::port};

struct Verdict {
  enum class Kind : uint8_t { accept, drop, return_, jump, goto_ };
  Kind kind = Kind::accept;
  std::string chain;  // of jump and goto_
  bool operator==(const Verdict&) const = default;
};
inline Verdict go(std::string_view chain) { return {Verdict::Kind::goto_, std::string(chain)}; }

struct Backend {
  Ip address;
  uint16_t port = 0;
  auto operator<=>(const Backend&) const = default;
};

enum class Sense : uint8_t { equal, not_equal };

// --- statements

struct MatchPrefix {  // ip saddr 10.42.0.0/16
  Field field = Field::source;
  Sense sense = Sense::equal;
  Cidr prefix;
  bool operator==(const MatchPrefix&) const = default;
};
struct MatchProtocol {  // meta l4proto tcp
  uint8_t protocol = 6;
  bool operator==(const MatchProtocol&) const = default;
};
struct MatchInterface {  // iifname "orch1234"
  Field field = Field::in_interface;
  Sense sense = Sense::equal;
  std::string name;
  bool operator==(const MatchInterface&) const = default;
};
struct MatchMark {  // meta mark & 0x4000 == 0x4000
  uint32_t bits = 0;
  bool operator==(const MatchMark&) const = default;
};
struct MatchNew {  // ct state new
  bool operator==(const MatchNew&) const = default;
};
struct MatchLocal {  // fib daddr type local
  bool operator==(const MatchLocal&) const = default;
};
struct MatchLocalSource {  // fib saddr type local
  bool operator==(const MatchLocalSource&) const = default;
};
struct MatchRedirect {  // icmp type redirect
  bool operator==(const MatchRedirect&) const = default;
};
struct InSet {  // ip saddr . ip daddr @hairpin
  Key key;
  std::string set;
  bool operator==(const InSet&) const = default;
};
struct Remember {  // update @set { ip saddr }
  Key key;
  std::string set;
  bool operator==(const Remember&) const = default;
};
struct VerdictMap {  // ip daddr . meta l4proto . th dport vmap @services
  Key key;
  std::string map;
  bool operator==(const VerdictMap&) const = default;
};
struct SetMark {  // meta mark set meta mark | 0x4000
  uint32_t bits = 0;
  bool operator==(const SetMark&) const = default;
};
struct FlipMark {  // meta mark set meta mark ^ 0x4000
  uint32_t bits = 0;
  bool operator==(const FlipMark&) const = default;
};
struct Dnat {  // dnat to one of them, by chance; at least one
  std::vector<Backend> to;
  bool operator==(const Dnat&) const = default;
};
struct Spread {  // goes to one of the chains, by chance; at least one
  std::vector<std::string> chains;
  bool operator==(const Spread&) const = default;
};
struct Masquerade {
  bool operator==(const Masquerade&) const = default;
};
struct Reject {  // ICMP port unreachable; of TCP a reset, which also reaches a connect() in the same call on this host
  enum class With : uint8_t { unreachable, reset } with = With::unreachable;
  bool operator==(const Reject&) const = default;
};

using Statement = std::variant<MatchPrefix, MatchProtocol, MatchInterface, MatchMark, MatchNew, MatchLocal, MatchLocalSource, MatchRedirect, InSet, Remember,
                               VerdictMap, SetMark, FlipMark, Dnat, Spread, Masquerade, Reject, Verdict>;
using Rule = std::vector<Statement>;

// --- objects of the table

struct Hook {
  enum class Type : uint8_t { filter, nat };
  enum class Point : uint8_t { prerouting, input, forward, output, postrouting };  // NF_INET_*
  Type type = Type::filter;
  Point point = Point::prerouting;
  int32_t priority = 0;
  bool operator==(const Hook&) const = default;
};

struct Chain {
  std::optional<Hook> hook;
  std::vector<Rule> rules;
  bool operator==(const Chain&) const = default;
};

struct Set {
  Key key;
  bool verdicts = false;         // a verdict map
  uint32_t timeout_seconds = 0;  // not 0: rules fill it, entries go after this time without a renewal
  bool operator==(const Set&) const = default;
};

// A part of a key, by its field: an address, a protocol number, a port.
using KeyPart = std::variant<Ip, uint8_t, uint16_t>;
// The bytes the kernel compares: each part in network order, padded to four bytes.
std::string encode_key(std::initializer_list<KeyPart> parts);

struct Element {
  std::string set;
  std::string key;                 // encode_key
  std::optional<Verdict> verdict;  // of maps
  bool operator==(const Element&) const = default;
};

struct Ruleset {
  using Elements = std::map<std::string, std::optional<Verdict>, std::less<>>;
  std::string table;
  std::map<std::string, Set, std::less<>> sets;
  std::map<std::string, Chain, std::less<>> chains;
  std::map<std::string, Elements, std::less<>> elements;  // by set; no empty ones
  bool operator==(const Ruleset&) const = default;
};

// In the order they have to be applied, all at once: new sets and chains, rules of chains (each whole), elements that go,
// elements that come, chains and sets that go.
struct Changes {
  std::string table;
  std::vector<std::pair<std::string, Set>> added_sets;
  std::vector<std::pair<std::string, std::optional<Hook>>> added_chains;
  std::vector<std::pair<std::string, std::vector<Rule>>> rules;
  std::vector<Element> removed_elements, added_elements;
  std::vector<std::string> removed_chains, removed_sets;

  bool empty() const {
    return added_sets.empty() && added_chains.empty() && rules.empty() && removed_elements.empty() &&
           added_elements.empty() && removed_chains.empty() && removed_sets.empty();
  }
};

Changes diff(const Ruleset& from, const Ruleset& to);
// What `changes` make of a ruleset: the model of the kernel that tests hold against.
void apply(Ruleset& ruleset, const Changes& changes);

}  // namespace orch::plan::net
