#include "netd/service_proxy.h"

#include "base/text.h"
#include "plan/core/index.h"
#include "plan/core/object.h"
#include "plan/net/service_rules.h"

namespace orch::netd {

using loop::Task;

namespace {

// Of a status only a load balancer's addresses count.
bool is_same_to_us(const plan::Type& type, const Value& old, const Value& now) {
  if (old.is_null() || now.is_null()) return false;
  if (type.same(plan::types::services))
    return old["spec"] == now["spec"] && old["status"]["loadBalancer"] == now["status"]["loadBalancer"] &&
           plan::labels_of(old) == plan::labels_of(now);
  return old["endpoints"] == now["endpoints"] && old["ports"] == now["ports"] &&
         plan::labels_of(old) == plan::labels_of(now) && plan::is_deleting(old) == plan::is_deleting(now);
}

}  // namespace

ServiceProxy::ServiceProxy(loop::Loop& loop, client::Informers& informers, Rules& rules, plan::net::NetworkOptions options)
    : loop_(loop), informers_(informers), rules_(rules), options_(std::move(options)), wanted_(loop), scope_(loop) {
  informers.add({plan::types::services});
  informers.add({plan::types::endpoint_slices});
  informers.on_change([this](const plan::Type& type, const Value& old, const Value& now) { hear(type, old, now); });
  scope_.spawn(run());
}

void ServiceProxy::hear(const plan::Type& type, const Value& old, const Value& now) {
  const bool is_service = type.same(plan::types::services);
  if (!is_service && !type.same(plan::types::endpoint_slices)) return;
  if (is_same_to_us(type, old, now)) return;
  for (const Value* object : {&old, &now}) {
    if (object->is_null()) continue;
    std::string_view name = is_service ? plan::name_of(*object)
                                       : plan::labels_of(*object)["kubernetes.io/service-name"].as_string();
    if (!name.empty()) dirty_.insert(std::string(plan::namespace_of(*object)) + "/" + std::string(name));
  }
  wanted_.set();
}

Task<void> ServiceProxy::run() {
  co_await informers_.wait_synced();
  for (;;) {
    co_await loop::yield_turn(loop_);
    wanted_.reset();
    std::set<std::string> dirty;
    dirty.swap(dirty_);
    constexpr size_t most_in_a_turn = 200;  // others want to run, too
    size_t planned = 0;
    for (const std::string& key : dirty) {
      plan(key);
      if (++planned % most_in_a_turn == 0) co_await loop::yield_turn(loop_);
    }
    rules_.release();  // the first time: now everything is known
    co_await wanted_.wait();
  }
}

void ServiceProxy::plan(const std::string& key) {
  const auto parts = *split_once(key, '/');
  const Value service = informers_.snapshot().get(plan::types::services, parts.first, parts.second);
  plan::net::Fragment fragment;
  if (!service.is_null())
    fragment = plan::net::service_fragment(
        service, informers_.snapshot().indexed(plan::types::endpoint_slices, plan::index::service, key), options_);
  rules_.put(plan::net::service_owner(parts.first, parts.second), std::move(fragment));
}

}  // namespace orch::netd
