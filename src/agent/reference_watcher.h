#pragma once
// ReferenceWatcher: the ConfigMaps, Secrets and Services that this node's pods are made from, watched by
// name, each once however many pods ask for it, and only as long as one does. On the loop's thread.

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/log.h"
#include "agent/token_keeper.h"
#include "client/informer.h"
#include "loop/scope.h"
#include "plan/pod/references.h"

namespace orch::agent {

class ReferenceWatcher {
 public:
  ReferenceWatcher(loop::Loop& loop, client::ApiPort& api, Logger logger);
  ~ReferenceWatcher();

  // `changed` is called when something the pod refers to has; again for the same pod: new references.
  void want(const std::string& pod_uid, const std::string& ns, plan::pod::References references,
            std::function<void()> changed);
  void drop(const std::string& pod_uid);

  // What is known of a pod's references now. `fallback` (a checkpoint's) speaks where the API has not yet.
  plan::pod::ResolvedReferences resolve(const std::string& pod_uid, const plan::pod::ResolvedReferences& fallback) const;
  // Everything it refers to is known, by the API or by the fallback.
  bool is_known(const std::string& pod_uid, const plan::pod::ResolvedReferences& fallback) const;

 private:
  struct Item;
  struct Want {
    std::string ns;
    plan::pod::References references;
    std::function<void()> changed;
  };
  using ItemKey = std::pair<std::string, std::string>;  // resource, "namespace/name"
  Item& item(const plan::Type& type, const std::string& ns, const std::string& name);
  void heard(const ItemKey& key);
  void prune();
  const Item* find(std::string_view resource, const std::string& ns, const std::string& name) const;

  loop::Loop& loop_;
  client::ApiPort& api_;
  Logger logger_;
  std::map<std::string, Want> wants_;  // by pod uid
  std::map<ItemKey, std::unique_ptr<Item>> items_;
  std::unique_ptr<Item> services_;
  TokenKeeper tokens_;
};

}  // namespace orch::agent
