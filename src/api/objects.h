#pragma once
// The verbs on stored objects: everything between a decoded request and the store. HTTP (http_api.h)
// and the in-process door (local_port.h) both end here. On the loop's thread; each call is one
// request; errors carry the code and details of the Status they become.

#include <memory>
#include <string>
#include <vector>

#include "api/admission.h"
#include "base/log.h"
#include "base/random.h"
#include "client/api_port.h"
#include "data/selector.h"
#include "loop/loop.h"
#include "schema/engine.h"
#include "schema/graph.h"
#include "store/store.h"

namespace orch::api {

class AccountTokens;

struct Requester {
  std::string user, uid;
  std::vector<std::string> groups;
};

// What came back of a write: the object and what the client should be warned of.
struct Written {
  store::StoredPtr stored;  // null: dry run, or a Status; then `value`
  Value value;
  std::vector<std::string> warnings;
  bool created = false;
};

struct ListPage {
  const schema::Kind* kind = nullptr;
  std::vector<store::StoredPtr> items;
  store::Revision revision = 0;
  std::string continue_token;
  int64_t remaining = 0;
};

struct ListQuery {
  std::string label_selector, field_selector;
  int64_t limit = 0;
  std::string continue_token;
  std::string resource_version;        // "", "0" or a number
  std::string resource_version_match;  // "", NotOlderThan, Exact
};

class Objects {
 public:
  struct Parts {
    loop::Loop& loop;
    store::Store& store;
    std::shared_ptr<const schema::Registry> registry;
    const schema::Hooks& hooks;
    Random& random;
    Admission& admission;
    Logger log;
    const AccountTokens* tokens = nullptr;  // null: TokenRequests are refused, tokens are not believed
  };
  explicit Objects(Parts parts) : p_(std::move(parts)) {}

  // The kind a target names. Errors: not_found in Kubernetes' words.
  Result<const schema::Kind*> kind_of(const client::Target& target) const;

  loop::Task<store::StoredPtr> get(client::Target target);
  loop::Task<ListPage> list(client::Target target, ListQuery query);
  loop::Task<Written> create(client::Target target, Value object, client::WriteOptions options);
  loop::Task<Written> update(client::Target target, Value object, client::WriteOptions options);
  loop::Task<Written> patch(client::Target target, client::PatchType type, Value patch,
                            client::WriteOptions options);
  // The object where it stays (finalizers, grace), else a Status.
  loop::Task<Written> remove(client::Target target, client::RemoveOptions options);
  loop::Task<ListPage> remove_collection(client::Target target, ListQuery which,
                                         client::RemoveOptions options);

  loop::Loop& loop() const { return p_.loop; }
  store::Store& store() const { return p_.store; }
  const schema::Registry& registry() const { return *p_.registry; }
  const schema::Hooks& hooks() const { return p_.hooks; }
  const AccountTokens* tokens() const { return p_.tokens; }

  // The stored form seen as `kind` (events.k8s.io shows core Events). Shares where it can.
  Value as_kind(const schema::Kind& kind, const Value& stored) const;
  Value as_kind(const schema::Kind& kind, const store::Stored& stored) const { return as_kind(kind, stored.value); }
  // The kind that objects of `kind` are kept as (autoscaling/v1 HPAs are kept as v2).
  const schema::Kind& storage_kind(const schema::Kind& kind) const;

 private:
  using Change = std::function<Result<Value>(const Value& current)>;

  Result<Value> check_body(const schema::Kind& kind, const client::Target& target, Value object) const;
  Result<schema::Pruned> prune_checked(const schema::Kind& kind, const Value& object,
                                       const client::WriteOptions& options,
                                       std::vector<std::string>& warnings) const;
  Value stamp_new(const schema::Kind& kind, const client::Target& target, Value object) const;
  // Reads, lets `change` make the new object, checks, stores; again if another writer came between
  // and `retry` allows it (patches do, updates do not).
  loop::Task<Written> change(const schema::Kind& kind, client::Target target, client::WriteOptions options,
                             Change make, bool retry);
  loop::Task<Written> change_once(const schema::Kind& kind, client::Target target,
                                  client::WriteOptions options, const Change& make);
  loop::Task<Written> store_changed(const schema::Kind& kind, client::Target target,
                                    client::WriteOptions options, store::StoredPtr current, Value object);
  loop::Task<Written> finish_removal(const schema::Kind& kind, std::string key, store::StoredPtr current,
                                     bool dry_run);
  loop::Task<Written> scale_write(const schema::Kind& kind, client::Target target, Change make,
                                  client::WriteOptions options, bool retry);
  loop::Task<Written> bind(client::Target target, Value binding, client::WriteOptions options);
  loop::Task<Written> evict(client::Target target, Value eviction, client::WriteOptions options);
  loop::Task<Written> request_token(client::Target target, Value request, client::WriteOptions options);
  loop::Task<Written> review_token(const schema::Kind& kind, Value review, client::WriteOptions options);
  // The object in the form it is kept in.
  Value to_storage(const schema::Kind& kind, const Value& object) const;

  Parts p_;
};

// "/registry/apps/deployments/<ns>/<name>"; without name (and ns): a prefix ending in '/'.
std::string storage_key(const schema::Kind& kind, std::string_view ns, std::string_view name);

// The object with the revision it got as metadata.resourceVersion: the store's Stamp.
Value stamp_revision(const Value& object, store::Revision revision);

// The Scale object of a kind with `sub scale` (autoscaling/v1).
Value scale_of(const schema::Kind& kind, const Value& object);

}  // namespace orch::api
