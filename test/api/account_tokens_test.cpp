#include "api/account_tokens.h"

#include <catch2/catch_test_macros.hpp>

#include "api/api_fixture.h"
#include "api/authenticator.h"
#include "base/text.h"
#include "data/json.h"
#include "wire/certificates.h"
#include "wire/jwt.h"

using namespace orch;
using namespace orch::test;

namespace {

struct World : ApiFixture {
  std::string key = wire::make_key().value();
  api::AccountTokens tokens = api::AccountTokens::make({key, "https://issuer.example", "https://192.0.2.1:6443"}).value();
  std::unique_ptr<api::Admission> mounting = std::move(api::builtin_admission(store, mount())).value();
  api::Objects served{{loop, store, registry, hooks, random, *mounting, Logger::discard(), &tokens}};
  api::LocalPort door{served};

  static api::AdmissionOptions mount() {
    api::AdmissionOptions options;
    options.mount_account_tokens = true;
    return options;
  }
  World() {
    REQUIRE(create(accounts(), Value::object({{"apiVersion", "v1"}, {"kind", "ServiceAccount"}, {"metadata", Value::object({{"name", "robot"}})}})).ok());
  }
  static client::Target accounts(std::string name = "", std::string sub = "") {
    return {"", "v1", "serviceaccounts", "default", std::move(name), std::move(sub)};
  }
  Result<Value> request(Value spec, std::string account = "robot") {
    Value body = Value::object({{"apiVersion", "authentication.k8s.io/v1"}, {"kind", "TokenRequest"}, {"spec", std::move(spec)}});
    return loop.run(door.create(accounts(std::move(account), "token"), body, {}));
  }
  std::string token(Value spec = Value::empty_object()) {
    auto answer = request(std::move(spec));
    REQUIRE(answer.ok());
    return std::string((*answer)["status"]["token"].as_string());
  }
  Result<api::AccountTokens::Verified> verify(const std::string& text, std::vector<std::string> audiences = {}) {
    return tokens.verify(store, text, audiences, loop.wall());
  }
};

Value bound_to(std::string_view name, std::string_view uid) {
  return Value::object({{"boundObjectRef", Value::object({{"kind", "Pod"}, {"apiVersion", "v1"}, {"name", name}, {"uid", uid}})}});
}

}  // namespace

TEST_CASE("a requested token says whose it is, for how long and for whom") {
  World world;
  auto answer = world.request(Value::object({{"audiences", Value::list({Value("vault")})}, {"expirationSeconds", 600}}));
  REQUIRE(answer.ok());
  CHECK((*answer)["kind"].as_string() == "TokenRequest");
  auto jwt = wire::parse_jwt((*answer)["status"]["token"].as_string()).value();
  CHECK(jwt.header["alg"].as_string() == "ES256");
  CHECK(jwt.claims["sub"].as_string() == "system:serviceaccount:default:robot");
  CHECK(jwt.claims["iss"].as_string() == "https://issuer.example");
  CHECK(jwt.claims["exp"].as_int() - jwt.claims["iat"].as_int() == 600);
  CHECK(jwt.claims["kubernetes.io"]["serviceaccount"]["name"].as_string() == "robot");
  CHECK((*answer)["status"]["expirationTimestamp"].as_string() == format_time(Instant{jwt.claims["exp"].as_int() * 1'000'000'000}));
  // Meant for somebody else, it opens nothing here.
  CHECK_FALSE(world.verify(std::string((*answer)["status"]["token"].as_string())).ok());
  CHECK(world.verify(std::string((*answer)["status"]["token"].as_string()), {"x", "vault"})->audiences == std::vector<std::string>{"vault"});
}

TEST_CASE("a token is good until its time is over, and no longer") {
  World world;
  std::string token = world.token();
  auto verified = world.verify(token);
  REQUIRE(verified.ok());
  CHECK(verified->who.user == "system:serviceaccount:default:robot");
  CHECK(verified->who.groups == std::vector<std::string>{"system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"});
  world.loop.run_for(3599s);
  CHECK(world.verify(token).ok());
  world.loop.run_for(1s);
  CHECK(world.verify(token).error().message() == "service account token has expired");
}

TEST_CASE("bounds of expirationSeconds are the API's") {
  World world;
  CHECK_FALSE(world.request(Value::object({{"expirationSeconds", 599}})).ok());
  CHECK_FALSE(world.request(Value::object({{"expirationSeconds", int64_t{1} << 33}})).ok());
  CHECK(world.request(Value::empty_object(), "nobody").error().is(Code::not_found));
}

TEST_CASE("a token ends with the pod it is bound to") {
  World world;
  Value pod = ApiFixture::pod("web").with_path({"spec", "serviceAccountName"}, Value("robot"));
  Value made = world.create(ApiFixture::pods(), pod).value();
  std::string_view uid = made["metadata"]["uid"].as_string();
  std::string token = world.token(bound_to("web", uid));
  CHECK(world.verify(token)->extra["authentication.kubernetes.io/pod-name"].at(0).as_string() == "web");
  CHECK(world.request(bound_to("web", "another")).error().is(Code::conflict));
  CHECK(world.request(bound_to("none", "")).error().is(Code::not_found));
  client::RemoveOptions now;
  now.grace_seconds = 0;
  REQUIRE(world.remove(ApiFixture::pods("web"), now).ok());
  CHECK(world.verify(token).error().message() == "service account token has been invalidated");
  Value other = world.create(ApiFixture::pods(), ApiFixture::pod("other")).value();
  CHECK(world.request(bound_to("other", other["metadata"]["uid"].as_string())).error().message() ==
        "cannot bind token for serviceaccount \"robot\" to pod running with different serviceaccount name.");
}

TEST_CASE("a token ends with its account, also when another one has taken the name") {
  World world;
  std::string token = world.token();
  REQUIRE(world.remove(World::accounts("robot")).ok());
  CHECK_FALSE(world.verify(token).ok());
  REQUIRE(world.create(World::accounts(), Value::object({{"metadata", Value::object({{"name", "robot"}})}})).ok());
  CHECK_FALSE(world.verify(token).ok());
}

TEST_CASE("what was not signed with our key is not believed") {
  World world;
  std::string token = world.token();
  auto parts = split(token, '.');
  auto jwt = wire::parse_jwt(token).value();
  std::string claims = encode_base64url(format_json(jwt.claims.with("sub", "system:serviceaccount:kube-system:admin")));
  std::string none = encode_base64url(R"({"alg":"none"})");
  const std::string h(parts[0]), c(parts[1]), s(parts[2]);
  for (const std::string& forged : {h + "." + claims + "." + s, none + "." + c + ".", h + "." + c + "." + encode_base64url(std::string(64, '\0')),
                                    h + "." + c, std::string("a.b.c"), std::string(), wire::sign_jwt(wire::make_key().value(), jwt.claims).value()})
    CHECK_FALSE(world.verify(forged).ok());
}

TEST_CASE("TokenReview answers who a token is of") {
  World world;
  auto review = [&](const std::string& token) {
    Value body = Value::object({{"apiVersion", "authentication.k8s.io/v1"}, {"kind", "TokenReview"}, {"spec", Value::object({{"token", token}})}});
    return world.loop.run(world.door.create({"authentication.k8s.io", "v1", "tokenreviews", "", "", ""}, body, {})).value();
  };
  Value good = review(world.token());
  CHECK(good["status"]["authenticated"].as_bool());
  CHECK(good["status"]["user"]["username"].as_string() == "system:serviceaccount:default:robot");
  CHECK_FALSE(review("nonsense")["status"]["authenticated"].as_bool());
}

TEST_CASE("a service account is known, and may ask for nothing but the keys") {
  World world;
  std::string token = world.token();
  auto believe = [&](std::string_view text) -> Result<api::Requester> {
    TRY(auto verified, world.verify(std::string(text)));
    return verified.who;
  };
  auto ask = [&](std::string path, std::string authorization) {
    wire::Request request;
    request.method = "GET";
    request.target = request.path = std::move(path);
    if (!authorization.empty()) request.headers.add("Authorization", std::move(authorization));
    return api::authenticate({}, api::parse_request_info(request), request, believe);
  };
  auto pods = ask("/api/v1/namespaces/default/pods", "Bearer " + token);
  REQUIRE_FALSE(pods.ok());
  CHECK(pods.error().is(Code::forbidden));
  CHECK(pods.error().message() == "pods is forbidden: User \"system:serviceaccount:default:robot\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\"");
  CHECK(ask("/openid/v1/jwks", "bearer " + token).ok());
  CHECK(ask("/openid/v1/jwks", "").error().is(Code::unauthorized));
  CHECK(ask("/version", "").ok());
  CHECK(ask("/api/v1/pods", "Bearer wrong").error().is(Code::unauthorized));
}

TEST_CASE("a new pod mounts its account's token, unless somebody minds") {
  World world;
  auto made = [&](Value pod) { return world.loop.run(world.door.create(ApiFixture::pods(), pod, {})).value(); };
  Value pod = made(ApiFixture::pod("a"));
  REQUIRE(pod["spec"]["volumes"].size() == 1);
  const Value& volume = pod["spec"]["volumes"].at(0);
  CHECK(volume["name"].as_string().starts_with("kube-api-access-"));
  CHECK(volume["projected"]["sources"].at(0)["serviceAccountToken"]["expirationSeconds"].as_int() == 3607);
  CHECK(volume["projected"]["sources"].at(1)["configMap"]["name"].as_string() == "kube-root-ca.crt");
  CHECK(volume["projected"]["sources"].at(2)["downwardAPI"]["items"].at(0)["path"].as_string() == "namespace");
  const Value& mount = pod["spec"]["containers"].at(0)["volumeMounts"].at(0);
  CHECK(mount["mountPath"].as_string() == "/var/run/secrets/kubernetes.io/serviceaccount");
  CHECK(mount["name"] == volume["name"]);
  CHECK(mount["readOnly"].as_bool());
  CHECK(made(ApiFixture::pod("b").with_path({"spec", "automountServiceAccountToken"}, Value(false)))["spec"]["volumes"].empty());
  REQUIRE(world.merge(World::accounts("robot"), Value::object({{"automountServiceAccountToken", false}})).ok());
  CHECK(made(ApiFixture::pod("c").with_path({"spec", "serviceAccountName"}, Value("robot")))["spec"]["volumes"].empty());
}

TEST_CASE("others can check our tokens: discovery and key set") {
  World world;
  CHECK(world.tokens.discovery()["jwks_uri"].as_string() == "https://192.0.2.1:6443/openid/v1/jwks");
  const Value& key = world.tokens.key_set()["keys"].at(0);
  CHECK(key["crv"].as_string() == "P-256");
  CHECK(key["kid"] == wire::parse_jwt(world.token()).value().header["kid"]);
}
