#include "agent/reference_watcher.h"

#include "plan/core/object.h"

namespace orch::agent {

using plan::pod::ResolvedReferences;

namespace {

constexpr plan::Type secrets{"", "v1", "secrets", "Secret"};

}  // namespace

// One object (or one type) that is followed.
struct ReferenceWatcher::Item {
  Item(loop::Loop& loop, client::ApiPort& api, const plan::Type& type, client::Informer::Filter filter, Logger logger,
       std::function<void()> changed)
      : table(type.resource),
        informer(loop, api, type, table, std::move(logger),
                 [changed](const plan::Type&, const Value&, const Value&) { changed(); }, std::move(filter)),
        scope(loop) {
    scope.spawn(informer.run());
    scope.spawn(tell_synced(informer.synced(), std::move(changed)));
  }
  // That there is none is news, too.
  static loop::Task<void> tell_synced(loop::Event& synced, std::function<void()> changed) {
    co_await synced.wait();
    changed();
  }
  plan::ObjectTable table;
  client::Informer informer;
  loop::Scope scope;
};

ReferenceWatcher::ReferenceWatcher(loop::Loop& loop, client::ApiPort& api, Logger logger)
    : loop_(loop), api_(api), logger_(logger), tokens_(loop, api, logger) {}

ReferenceWatcher::~ReferenceWatcher() = default;

ReferenceWatcher::Item& ReferenceWatcher::item(const plan::Type& type, const std::string& ns, const std::string& name) {
  ItemKey key{std::string(type.resource), ns + "/" + name};
  auto& item = items_[key];
  if (!item) {
    client::Informer::Filter filter{ns, "metadata.name=" + name};
    item = std::make_unique<Item>(loop_, api_, type, std::move(filter), logger_, [this, key] { heard(key); });
  }
  return *item;
}

void ReferenceWatcher::heard(const ItemKey& key) {
  for (auto& [uid, want] : wants_) {
    if (!key.second.starts_with(want.ns + "/")) continue;
    std::string name = key.second.substr(want.ns.size() + 1);
    const auto& names = key.first == "secrets" ? want.references.secrets : want.references.config_maps;
    if (names.contains(name)) want.changed();
  }
}

void ReferenceWatcher::want(const std::string& pod_uid, const std::string& ns, plan::pod::References references,
                            std::function<void()> changed) {
  tokens_.want(pod_uid, ns, references.tokens, changed);
  wants_.insert_or_assign(pod_uid, Want{ns, references, std::move(changed)});
  for (const std::string& name : references.config_maps) item(plan::types::config_maps, ns, name);
  for (const std::string& name : references.secrets) item(secrets, ns, name);
  // Services are read when a container starts; kubelet does not restart one for them either.
  if (!services_)
    services_ = std::make_unique<Item>(loop_, api_, plan::types::services, client::Informer::Filter{}, logger_, [] {});
  prune();
}

void ReferenceWatcher::drop(const std::string& pod_uid) {
  tokens_.drop(pod_uid);
  wants_.erase(pod_uid);
  prune();
}

void ReferenceWatcher::prune() {
  std::set<ItemKey> used;
  for (const auto& [uid, want] : wants_) {
    for (const std::string& name : want.references.config_maps) used.insert({"configmaps", want.ns + "/" + name});
    for (const std::string& name : want.references.secrets) used.insert({"secrets", want.ns + "/" + name});
  }
  // Not at once: this may be called from inside one of them.
  std::vector<std::shared_ptr<Item>> gone;
  for (auto at = items_.begin(); at != items_.end();) {
    if (used.contains(at->first)) {
      ++at;
      continue;
    }
    gone.push_back(std::move(at->second));
    at = items_.erase(at);
  }
  if (!gone.empty()) loop_.defer([gone] {});
}

const ReferenceWatcher::Item* ReferenceWatcher::find(std::string_view resource, const std::string& ns,
                                                     const std::string& name) const {
  auto at = items_.find({std::string(resource), ns + "/" + name});
  return at == items_.end() ? nullptr : at->second.get();
}

ResolvedReferences ReferenceWatcher::resolve(const std::string& pod_uid, const ResolvedReferences& fallback) const {
  ResolvedReferences resolved;
  resolved.tokens = fallback.tokens;
  auto want = wants_.find(pod_uid);
  if (want == wants_.end()) return fallback;
  for (const auto& [key, token] : tokens_.tokens(pod_uid)) {
    // What was kept on disk is better than nothing while the API cannot be asked.
    auto& known = resolved.tokens[key];
    if (!token.token.empty() || known.token.empty()) known = token;
  }
  const std::string& ns = want->second.ns;
  auto fill = [&](std::string_view resource, const std::set<std::string>& names, const auto& before, auto& into) {
    for (const std::string& name : names) {
      const Item* found = find(resource, ns, name);
      if (found && found->informer.is_synced()) {
        into[name] = found->table.get(ns, name);
      } else if (auto old = before.find(name); old != before.end()) {
        into[name] = old->second;
      }
    }
  };
  fill("configmaps", want->second.references.config_maps, fallback.config_maps, resolved.config_maps);
  fill("secrets", want->second.references.secrets, fallback.secrets, resolved.secrets);
  if (services_ && services_->informer.is_synced()) {
    resolved.services = services_->table.list(ns);
    const Value& kubernetes = services_->table.get("default", "kubernetes");
    if (ns != "default" && !kubernetes.is_null())
      resolved.services.insert(ns < "default" ? resolved.services.end() : resolved.services.begin(), kubernetes);
  } else {
    resolved.services = fallback.services;
  }
  return resolved;
}

bool ReferenceWatcher::is_known(const std::string& pod_uid, const ResolvedReferences& fallback) const {
  auto want = wants_.find(pod_uid);
  if (want == wants_.end()) return false;
  ResolvedReferences resolved = resolve(pod_uid, fallback);
  for (const std::string& name : want->second.references.config_maps)
    if (!resolved.config_maps.contains(name)) return false;
  for (const std::string& name : want->second.references.secrets)
    if (!resolved.secrets.contains(name)) return false;
  for (const plan::pod::TokenWish& wish : want->second.references.tokens)
    if (!resolved.tokens.contains(wish.key)) return false;
  // Without one Service the API has not spoken: it has its own.
  return !want->second.references.needs_services || (services_ && services_->informer.is_synced()) ||
         !fallback.services.empty();
}

}  // namespace orch::agent
