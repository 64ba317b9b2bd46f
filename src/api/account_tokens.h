#pragma once
// Tokens of service accounts: issued for TokenRequests, believed when they come back. A token ends with its time, with
// its account, and with the object it is bound to. Claims are kube-apiserver's (serviceaccount/claims.go).

#include <memory>
#include <string>
#include <vector>

#include "api/objects.h"
#include "base/random.h"
#include "data/value.h"
#include "store/store.h"

namespace orch::api {

class AccountTokens {
 public:
  struct Options {
    std::string key_pem;  // EC P-256, private
    std::string issuer = "https://kubernetes.default.svc.cluster.local";
    std::string base_url;  // where the API is: "https://192.0.2.1:6443"
  };
  // Code::parse for a key that is none.
  static Result<AccountTokens> make(Options options);

  // `account`: the ServiceAccount; `request`: a TokenRequest, defaulted and validated. The same with its status.
  Result<Value> issue(const store::Store& store, const Value& account, const Value& request, Instant now, Random& random) const;

  struct Verified {
    Requester who;
    std::vector<std::string> audiences;  // of those asked for
    Value extra;                         // of UserInfo: lists of texts
  };
  // `audiences`: one of them must be meant; empty: the API's own. Code::unauthorized with the reason, which is for the
  // log and for TokenReviews, not for who sent it.
  Result<Verified> verify(const store::Store& store, std::string_view token, const std::vector<std::string>& audiences,
                          Instant now) const;
  // A TokenReview with its status.
  Value review(const store::Store& store, const Value& review, Instant now) const;

  // /.well-known/openid-configuration and /openid/v1/jwks.
  Value discovery() const;
  const Value& key_set() const { return key_set_; }

 private:
  explicit AccountTokens(Options options, Value key_set) : options_(std::move(options)), key_set_(std::move(key_set)) {}
  Result<Value> bound_claims(const store::Store& store, const Value& account, const Value& bound) const;

  Options options_;
  Value key_set_;
};

}  // namespace orch::api
