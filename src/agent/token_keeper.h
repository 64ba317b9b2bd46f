#pragma once
// TokenKeeper: the service account tokens that pods' volumes hold. Asks the API for each, and for a new one when four
// fifths of its life are over (kubelet's token manager). On the loop's thread.

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/log.h"
#include "client/api_port.h"
#include "loop/loop.h"
#include "loop/scope.h"
#include "plan/pod/references.h"

namespace orch::agent {

class TokenKeeper {
 public:
  using Tokens = std::map<std::string, plan::pod::ServiceAccountToken, std::less<>>;
  TokenKeeper(loop::Loop& loop, client::ApiPort& api, Logger logger);
  ~TokenKeeper();

  // What the pod's volumes need from now on. `changed`: a token is another, or could not be had.
  void want(const std::string& pod_uid, const std::string& ns, const std::vector<plan::pod::TokenWish>& wishes,
            std::function<void()> changed);
  void drop(const std::string& pod_uid);
  // By TokenWish::key; those that are not known yet are absent.
  const Tokens& tokens(const std::string& pod_uid) const;

 private:
  struct Pod;
  loop::Task<void> keep(Pod& pod, plan::pod::TokenWish wish);
  loop::Task<plan::pod::ServiceAccountToken> request(std::string ns, plan::pod::TokenWish wish);

  loop::Loop& loop_;
  client::ApiPort& api_;
  Logger logger_;
  std::map<std::string, std::unique_ptr<Pod>> pods_;  // by uid
};

// When a token that was issued at `issued` and ends at `expires` is to be replaced. Pure.
Instant renewal_of(Instant issued, Instant expires);

}  // namespace orch::agent
