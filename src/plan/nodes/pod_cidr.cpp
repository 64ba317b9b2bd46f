#include "plan/nodes/pod_cidr.h"

#include <set>

#include "base/ip.h"
#include "plan/core/object.h"

namespace orch::plan {

namespace {

constexpr int node_bits_v4 = 24, node_bits_v6 = 64;
constexpr int most_index_bits = 24;  // ranges that are counted through; a cluster has fewer nodes
constexpr Duration retry_when_full = 30s;

// The network of number `index` among those of `bits` in `cluster`.
Cidr subnet(const Cidr& cluster, int bits, uint64_t index) {
  Cidr result{cluster.network(), bits};
  for (int bit = bits - 1; index != 0 && bit >= cluster.bits; --bit, index >>= 1)
    if (index & 1) result.ip.bytes[static_cast<size_t>(bit / 8)] |= static_cast<uint8_t>(0x80 >> bit % 8);
  return result;
}

bool overlaps(const Cidr& a, const Cidr& b) { return a.contains(b.network()) || b.contains(a.network()); }

struct Taken {
  std::set<Cidr, bool (*)(const Cidr&, const Cidr&)> exact{[](const Cidr& a, const Cidr& b) { return a.ip < b.ip; }};
  std::vector<Cidr> odd;  // of another size: given by hand

  void add(const Cidr& cidr, int bits) {
    Cidr network{cidr.network(), cidr.bits};
    cidr.bits == bits ? (void)exact.insert(network) : odd.push_back(network);
  }
  bool has(const Cidr& cidr) const {
    if (exact.contains(cidr)) return true;
    for (const Cidr& other : odd)
      if (overlaps(other, cidr)) return true;
    return false;
  }
};

std::optional<Cidr> first_free(const Cidr& cluster, int bits, const Taken& taken, uint64_t& index) {
  const uint64_t count = uint64_t{1} << std::min(bits - cluster.bits, most_index_bits);
  for (; index < count; ++index) {
    const Cidr candidate = subnet(cluster, bits, index);
    if (!taken.has(candidate)) return candidate;
  }
  return std::nullopt;
}

Value reference_to(const Value& node) {
  return Value::object({{"apiVersion", "v1"}, {"kind", "Node"}, {"name", name_of(node)}, {"uid", uid_of(node)}});
}

}  // namespace

Plan reconcile_pod_cidrs(const Snapshot& snapshot, const ObjectKey&, const Context& context) {
  Plan plan;
  auto cluster = parse_cidr(context.cluster_cidr);
  if (!cluster) return plan;
  const int bits = std::max(cluster->bits, cluster->ip.v6 ? node_bits_v6 : node_bits_v4);
  Taken taken;
  std::vector<Value> without;
  for (const Value& node : snapshot.list(types::nodes, "")) {
    auto own = parse_cidr(node["spec"]["podCIDR"].as_string());
    if (own) {
      taken.add(*own, bits);
    } else if (!is_deleting(node)) {
      without.push_back(node);
    }
  }
  uint64_t index = 0;
  for (const Value& node : without) {
    auto range = first_free(*cluster, bits, taken, index);
    if (!range) {
      plan.notes.push_back(Note{NoteType::normal, "CIDRNotAvailable",
                                "Node " + std::string(name_of(node)) + " status is now: CIDRNotAvailable", reference_to(node)});
      plan.requeue(retry_when_full);
      continue;
    }
    taken.add(*range, bits);
    const std::string text = format_cidr(*range);
    Value spec = Value::object({{"podCIDR", text}, {"podCIDRs", Value::list({Value(text)})}});
    plan.add(merge_patch(types::nodes, node, Value::object({{"spec", std::move(spec)}})));
  }
  return plan;
}

namespace {

void keys_of_node(const Snapshot&, const Type&, const Value& old, const Value& now, std::vector<ObjectKey>& keys) {
  const bool needs = !now.is_null() && now["spec"]["podCIDR"].as_string().empty();
  const bool frees = now.is_null() && !old["spec"]["podCIDR"].as_string().empty();
  if (needs || frees) keys.push_back(ObjectKey{});
}

}  // namespace

Reconciler pod_cidr_reconciler() {
  return Reconciler{"cidrAllocator", types::nodes, {{types::nodes, keys_of_node}}, reconcile_pod_cidrs};
}

}  // namespace orch::plan
