#include "api/account_tokens.h"

#include <algorithm>

#include "api/status.h"
#include "base/text.h"
#include "wire/jwt.h"

namespace orch::api {

namespace {

constexpr std::string_view user_prefix = "system:serviceaccount:";
constexpr int64_t removal_leeway_seconds = 60;  // kube-apiserver's, for objects that are being deleted

struct BoundKind {
  std::string_view kind, claim, resource;
  bool namespaced;
};
constexpr BoundKind bound_kinds[] = {{"Pod", "pod", "pods", true}, {"Secret", "secret", "secrets", true}, {"Node", "node", "nodes", false}};

std::string key_of(const BoundKind& kind, std::string_view ns, std::string_view name) {
  return "/registry/core/" + std::string(kind.resource) + "/" + (kind.namespaced ? std::string(ns) + "/" : "") + std::string(name);
}

std::string_view uid_of(const Value& object) { return object["metadata"]["uid"].as_string(); }

Error refused(std::string why) { return Error::make(Code::unauthorized, std::move(why)); }

// Is the object there still, the same one, and not long on its way out?
bool is_alive(const store::StoredPtr& stored, std::string_view uid, Instant now) {
  if (!stored || uid_of(stored->value) != uid) return false;
  auto deletion = parse_time(stored->value["metadata"]["deletionTimestamp"].as_string());
  return !deletion.ok() || deletion->seconds() + removal_leeway_seconds >= now.seconds();
}

std::vector<std::string> texts_of(const Value& list) {
  std::vector<std::string> texts;
  if (list.is_string()) texts.emplace_back(list.as_string());
  for (const Value& item : list.items()) texts.emplace_back(item.as_string());
  return texts;
}

Value list_of(const std::vector<std::string>& texts) { return Value::list(std::vector<Value>(texts.begin(), texts.end())); }

}  // namespace

Result<AccountTokens> AccountTokens::make(Options options) {
  TRY(Value keys, wire::jwk_set_of(options.key_pem));
  return AccountTokens(std::move(options), std::move(keys));
}

Result<Value> AccountTokens::bound_claims(const store::Store& store, const Value& account, const Value& bound) const {
  ObjectBuilder claims;
  if (bound.is_null()) return std::move(claims).build();
  std::string_view ns = account["metadata"]["namespace"].as_string(), name = bound["name"].as_string();
  auto kind = std::ranges::find_if(bound_kinds, [&](const BoundKind& each) { return each.kind == bound["kind"].as_string(); });
  if (kind == std::end(bound_kinds) || bound["apiVersion"].as_string("v1") != "v1") {
    return bad_request("cannot bind token to object of type " + std::string(bound["apiVersion"].as_string()) +
                       ", Kind=" + std::string(bound["kind"].as_string()));
  }
  store::StoredPtr found = store.get(key_of(*kind, ns, name));
  if (!found) {
    return Error::make(Code::not_found, std::string(kind->resource) + " " + quote(name) + " not found").about("", kind->resource, name);
  }
  if (std::string_view uid = bound["uid"].as_string(); !uid.empty() && uid != uid_of(found->value)) {
    return Error::make(Code::conflict, "Operation cannot be fulfilled on " + std::string(kind->resource) + " " + quote(name) +
                                           ": the UID in the bound object reference (" + std::string(uid) +
                                           ") does not match the UID in record. The object might have been deleted and then recreated");
  }
  std::string_view account_name = account["metadata"]["name"].as_string();
  if (kind->kind == "Pod" && found->value["spec"]["serviceAccountName"].as_string() != account_name) {
    return bad_request("cannot bind token for serviceaccount " + quote(account_name) +
                       " to pod running with different serviceaccount name.");
  }
  auto reference = [](const Value& object) {
    return Value::object({{"name", object["metadata"]["name"]}, {"uid", object["metadata"]["uid"]}});
  };
  claims.set(kind->claim, reference(found->value));
  // A pod's token names its node too (KEP-4193).
  if (std::string_view node = found->value["spec"]["nodeName"].as_string(); kind->kind == "Pod" && !node.empty()) {
    store::StoredPtr machine = store.get("/registry/core/nodes/" + std::string(node));
    claims.set("node", machine ? reference(machine->value) : Value::object({{"name", node}}));
  }
  return std::move(claims).build();
}

Result<Value> AccountTokens::issue(const store::Store& store, const Value& account, const Value& request, Instant now, Random& random) const {
  const Value& metadata = account["metadata"];
  TRY(Value own, bound_claims(store, account, request["spec"]["boundObjectRef"]));
  ObjectBuilder kubernetes(own);
  kubernetes.set("namespace", metadata["namespace"]);
  kubernetes.set("serviceaccount", Value::object({{"name", metadata["name"]}, {"uid", metadata["uid"]}}));
  std::vector<std::string> audiences = texts_of(request["spec"]["audiences"]);
  if (audiences.empty()) audiences = {options_.issuer};
  const int64_t seconds = now.seconds();
  const int64_t end = seconds + request["spec"]["expirationSeconds"].as_int(3600);
  Value claims = Value::object({{"aud", list_of(audiences)},
                                {"exp", end},
                                {"iat", seconds},
                                {"nbf", seconds},
                                {"iss", options_.issuer},
                                {"jti", random.uuid()},
                                {"kubernetes.io", std::move(kubernetes).build()},
                                {"sub", std::string(user_prefix) + std::string(metadata["namespace"].as_string()) + ":" +
                                            std::string(metadata["name"].as_string())}});
  TRY(std::string token, wire::sign_jwt(options_.key_pem, claims));
  Value answer = request.with_path({"spec", "audiences"}, list_of(audiences));
  answer = answer.with("metadata", Value::object({{"name", metadata["name"]},
                                                  {"namespace", metadata["namespace"]},
                                                  {"creationTimestamp", format_time(now)}}));
  Instant expires{end * 1'000'000'000};
  return answer.with("apiVersion", "authentication.k8s.io/v1")
      .with("kind", "TokenRequest")
      .with("status", Value::object({{"token", token}, {"expirationTimestamp", format_time(expires)}}));
}

Result<AccountTokens::Verified> AccountTokens::verify(const store::Store& store, std::string_view token,
                                                      const std::vector<std::string>& audiences, Instant now) const {
  auto parsed = wire::parse_jwt(token);
  if (!parsed.ok()) return refused(parsed.error().message());
  const Value& claims = parsed->claims;
  if (claims["iss"].as_string() != options_.issuer) return refused("the token has another issuer");
  TRY(bool ours, wire::is_signed_by(*parsed, options_.key_pem));
  if (!ours) return refused("the token's signature is wrong");
  if (!claims["exp"].is_int() || now.seconds() >= claims["exp"].as_int()) return refused("service account token has expired");
  if (now.seconds() < claims["nbf"].as_int()) return refused("service account token is not valid yet");
  Verified verified;
  const std::vector<std::string> meant = texts_of(claims["aud"]);
  for (const std::string& audience : audiences.empty() ? std::vector{options_.issuer} : audiences)
    if (std::ranges::count(meant, audience)) verified.audiences.push_back(audience);
  if (verified.audiences.empty()) return refused("token audiences " + join(meant, ",") + " is invalid for the target audiences");

  const Value& kubernetes = claims["kubernetes.io"];
  const std::string ns(kubernetes["namespace"].as_string()), name(kubernetes["serviceaccount"]["name"].as_string());
  store::StoredPtr account = store.get("/registry/core/serviceaccounts/" + ns + "/" + name);
  if (!is_alive(account, kubernetes["serviceaccount"]["uid"].as_string(), now)) return refused("the service account has been deleted");
  ObjectBuilder extra;
  extra.set("authentication.kubernetes.io/credential-id", Value::list({Value("JTI=" + std::string(claims["jti"].as_string()))}));
  for (const BoundKind& kind : bound_kinds) {
    const Value& bound = kubernetes[kind.claim];
    if (bound.is_null()) continue;
    const std::string_view uid = bound["uid"].as_string();
    // A node that is only told of with the pod does not end the token.
    const bool decides = kind.kind != "Node" || kubernetes["pod"].is_null();
    if (decides && !is_alive(store.get(key_of(kind, ns, bound["name"].as_string())), uid, now)) return refused("service account token has been invalidated");
    const std::string prefix = "authentication.kubernetes.io/" + std::string(kind.claim) + "-";
    if (kind.kind == "Secret") continue;
    extra.set(prefix + "name", Value::list({bound["name"]}));
    if (!uid.empty()) extra.set(prefix + "uid", Value::list({bound["uid"]}));
  }
  verified.who.user = std::string(user_prefix) + ns + ":" + name;
  verified.who.uid = uid_of(account->value);
  verified.who.groups = {"system:serviceaccounts", "system:serviceaccounts:" + ns, "system:authenticated"};
  verified.extra = std::move(extra).build();
  return verified;
}

Value AccountTokens::review(const store::Store& store, const Value& review, Instant now) const {
  auto verified = verify(store, review["spec"]["token"].as_string(), texts_of(review["spec"]["audiences"]), now);
  Value answer = review.with("apiVersion", "authentication.k8s.io/v1").with("kind", "TokenReview");
  if (!verified.ok()) return answer.with("status", Value::object({{"authenticated", false}, {"error", verified.error().message()}}));
  Value user = Value::object({{"username", verified->who.user},
                              {"uid", verified->who.uid},
                              {"groups", list_of(verified->who.groups)},
                              {"extra", verified->extra}});
  return answer.with("status", Value::object({{"authenticated", true}, {"user", user}, {"audiences", list_of(verified->audiences)}}));
}

Value AccountTokens::discovery() const {
  return Value::object({{"issuer", options_.issuer},
                        {"jwks_uri", options_.base_url + "/openid/v1/jwks"},
                        {"response_types_supported", Value::list({Value("id_token")})},
                        {"subject_types_supported", Value::list({Value("public")})},
                        {"id_token_signing_alg_values_supported", Value::list({Value("ES256")})}});
}

}  // namespace orch::api
