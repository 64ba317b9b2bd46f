#pragma once
// What a decision sees: a Snapshot of the cluster, the key of the object it is about, and a Context
// with the rest of its inputs. And the table entry that makes a decision a reconciler.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "plan/core/plan.h"
#include "plan/core/type.h"

namespace orch::plan {

// The objects as the informers know them: a moment's view that may lag behind the API, but never
// behind the writes of this process. All results are shared immutable Values.
class Snapshot {
 public:
  virtual ~Snapshot() = default;
  virtual Value get(const Type& type, std::string_view ns, std::string_view name) const = 0;  // null: absent
  // `ns` "": of all namespaces. In the order of namespace and name.
  virtual std::vector<Value> list(const Type& type, std::string_view ns) const = 0;
  // The objects that an index function (index.h) files under `key`.
  virtual std::vector<Value> indexed(const Type& type, std::string_view index, std::string_view key) const = 0;
  // All types there are; `watched` is false for those whose objects no snapshot holds (Events).
  struct KnownType {
    Type type;
    bool watched = true;
    bool deletable = true;
  };
  virtual std::vector<KnownType> known_types() const = 0;
  // When this process last saw the object change (or appear), by its own monotonic clock: neither a
  // peer's clock nor one that is set on the way says how long it has been silent. nullopt: no such object.
  virtual std::optional<Mono> seen_at(const Type& type, std::string_view ns, std::string_view name) const = 0;
};

struct ObjectKey {
  std::string resource;  // Type::id(), for reconcilers of more than one type; else ""
  std::string ns, name;
  auto operator<=>(const ObjectKey&) const = default;
};

struct Context {
  Instant now;
  Mono mono;  // the same moment, for what seen_at says
  // The first error of the last execution of this key's plan, conflicts (and names taken) left out;
  // null if there was none.
  const Error* last_failure = nullptr;
  std::string_view root_ca;  // PEM, for kube-root-ca.crt
  std::string_view cluster_cidr;  // pods' addresses: "10.42.0.0/16"; "": Nodes get none from us
  // Since when this key's plans have asked to be looked at again; nullopt: the last one had nothing to wait
  // for and nothing to do. For what has to stay as it is for a while before something is done about it.
  std::optional<Mono> waiting_since;
};

// Told of a change to an object (`old` is null for a new one, `now` for a deleted one): which keys
// to look at. Pure.
using KeysOf = void (*)(const Snapshot& snapshot, const Type& type, const Value& old, const Value& now,
                        std::vector<ObjectKey>& keys);

struct Watch {
  Type type;  // without a resource: all types
  KeysOf keys_of;
};

struct Reconciler {
  std::string_view name;  // "replicaset-controller": the source of its Events
  Type type;              // of the object that a key names
  std::vector<Watch> watches;
  Plan (*reconcile)(const Snapshot& snapshot, const ObjectKey& key, const Context& context);
};

inline ObjectKey key_of(const Value& object) {
  const Value& metadata = object["metadata"];
  return ObjectKey{"", std::string(metadata["namespace"].as_string()), std::string(metadata["name"].as_string())};
}
// The KeysOf of a reconciler's own type.
inline void own_key(const Snapshot&, const Type&, const Value& old, const Value& now, std::vector<ObjectKey>& keys) {
  keys.push_back(key_of(now.is_null() ? old : now));
}

}  // namespace orch::plan
