#include "agent/token_keeper.h"

#include <algorithm>

namespace orch::agent {

using loop::Task;
using plan::pod::ServiceAccountToken;
using plan::pod::TokenWish;

namespace {

constexpr Duration longest_life = 24h;  // kubelet's maxTTL: older ones are replaced whatever their end
constexpr Duration first_retry = 500ms, longest_retry = 30s;

}  // namespace

struct TokenKeeper::Pod {
  explicit Pod(loop::Loop& loop) : scope(loop) {}
  std::string ns;
  std::vector<TokenWish> wishes;
  std::function<void()> changed;
  Tokens tokens;
  loop::Scope scope;  // last
};

Instant renewal_of(Instant issued, Instant expires) {
  return issued + std::min<Duration>((expires - issued) / 10 * 8, longest_life);
}

TokenKeeper::TokenKeeper(loop::Loop& loop, client::ApiPort& api, Logger logger) : loop_(loop), api_(api), logger_(std::move(logger)) {}
TokenKeeper::~TokenKeeper() = default;

void TokenKeeper::want(const std::string& pod_uid, const std::string& ns, const std::vector<TokenWish>& wishes,
                       std::function<void()> changed) {
  if (wishes.empty()) return drop(pod_uid);
  auto& pod = pods_[pod_uid];
  if (pod && pod->wishes == wishes) {
    pod->changed = std::move(changed);
    return;
  }
  pod = std::make_unique<Pod>(loop_);
  pod->ns = ns;
  pod->wishes = wishes;
  pod->changed = std::move(changed);
  for (const TokenWish& wish : wishes) pod->scope.spawn(keep(*pod, wish));
}

void TokenKeeper::drop(const std::string& pod_uid) { pods_.erase(pod_uid); }

const TokenKeeper::Tokens& TokenKeeper::tokens(const std::string& pod_uid) const {
  static const Tokens none;
  auto pod = pods_.find(pod_uid);
  return pod == pods_.end() ? none : pod->second->tokens;
}

Task<ServiceAccountToken> TokenKeeper::request(std::string ns, TokenWish wish) {
  client::Target target{"", "v1", "serviceaccounts", std::move(ns), wish.account, "token"};
  Value bound = Value::object({{"kind", "Pod"}, {"apiVersion", "v1"}, {"name", wish.pod_name}, {"uid", wish.pod_uid}});
  ObjectBuilder spec;
  spec.set("expirationSeconds", wish.expiration_seconds);
  spec.set("boundObjectRef", bound);
  spec.set("audiences", wish.audience.empty() ? Value::empty_list() : Value::list({Value(wish.audience)}));
  Value body = Value::object({{"apiVersion", "authentication.k8s.io/v1"}, {"kind", "TokenRequest"}, {"spec", std::move(spec).build()}});
  client::WriteOptions options;
  options.field_manager = "kubelet";
  Value answer = co_await api_.create(target, std::move(body), options);
  ServiceAccountToken token;
  token.token = answer["status"]["token"].as_string();
  token.expires = co_await parse_time(answer["status"]["expirationTimestamp"].as_string());
  co_return std::move(token);
}

Task<void> TokenKeeper::keep(Pod& pod, TokenWish wish) {
  Duration retry = first_retry;
  for (;;) {
    const Instant asked = loop_.wall();
    auto answer = co_await request(pod.ns, wish).result();
    if (answer.ok()) {
      retry = first_retry;
      pod.tokens[wish.key] = *answer;
      if (pod.changed) pod.changed();
      co_await loop::sleep(loop_, std::max<Duration>(renewal_of(asked, answer->expires) - loop_.wall(), first_retry));
      continue;
    }
    logger_.debug("no token for a pod", {{"account", pod.ns + "/" + wish.account}, {"error", answer.error().message()}});
    // The one before, where there is one, is good for a while; else the pod says what is wrong.
    ServiceAccountToken& known = pod.tokens[wish.key];
    if (known.token.empty() && known.error != answer.error().message()) {
      known.error = answer.error().message();
      if (pod.changed) pod.changed();
    }
    co_await loop::sleep(loop_, retry);
    retry = std::min<Duration>(retry * 2, longest_retry);
  }
}

}  // namespace orch::agent
