#include "api/endpoints.h"

#include "api/account_tokens.h"
#include "api/negotiation.h"
#include "api/status.h"
#include "base/text.h"
#include "data/hash.h"
#include "data/json.h"
#include "orch/version.h"
#include "schema/discovery.h"
#include "schema/openapi_v2.h"
#include "schema/openapi_v3.h"

namespace orch::api {

using loop::fail;
using loop::Task;

namespace {

constexpr std::string_view kJson = "application/json";
// What clients ask for has an @, which no media type may; the reply has a dot instead, as kube-apiserver's.
constexpr std::string_view kOpenapiV2Protobuf = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
constexpr std::string_view kOpenapiV3Protobuf = "application/com.github.proto-openapi.spec.v3@v1.0+protobuf";
std::string as_reply_type(std::string_view asked) { return replace_all(asked, "@", "."); }

Value version_object() {
  // gitVersion leads with what clients compare: the published level of the API.
  std::string full = std::string(ORCH_KUBERNETES_VERSION) + "+orch." + ORCH_VERSION;
  return Value::object({{"major", "1"},
                        {"minor", "33"},
                        {"gitVersion", full},
                        {"gitCommit", ORCH_GIT_COMMIT},
                        {"gitTreeState", "clean"},
                        {"buildDate", "1970-01-01T00:00:00Z"},
                        {"goVersion", "none"},
                        {"compiler", "gcc"},
                        {"platform", "linux/amd64"}});
}

Error no_such_path() { return Error::make(Code::not_found, "the server could not find the requested resource"); }

// The version of aggregated discovery the client prefers, "" for the legacy lists.
std::string aggregated_version(std::string_view accept) {
  for (const MediaRange& range : parse_accept(accept)) {
    if (range.type != kJson) continue;
    if (range.parameter("g") != "apidiscovery.k8s.io" || range.parameter("as") != "APIGroupDiscoveryList") {
      return {};
    }
    std::string_view version = range.parameter("v");
    if (version == "v2" || version == "v2beta1") return std::string(version);
  }
  return {};
}

bool prefers(std::string_view accept, std::string_view media_type) {
  for (const MediaRange& range : parse_accept(accept)) {
    if (range.type == media_type) return true;
    if (range.type == kJson) return false;
  }
  return false;
}

std::string hex(uint64_t number) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift);
  return to_upper(encode_hex(bytes));
}

}  // namespace

const Endpoints::Document& Endpoints::document(const std::string& name, std::string content_type, const Make& make) {
  auto found = documents_.find(name);
  if (found != documents_.end()) return found->second;
  auto bytes = std::make_shared<const std::string>(make());
  std::string etag = "\"" + hex(fnv1a_64(*bytes)) + "\"";
  return documents_.emplace(name, Document{std::move(content_type), std::move(etag), std::move(bytes)}).first->second;
}

Result<const Endpoints::Document*> Endpoints::discovery_document(const wire::Request& request, std::string_view path) {
  const std::vector<schema::GroupVersion>& served = objects_.registry().group_versions();
  std::string accept(request.headers.get("Accept"));
  std::string name(path);
  auto json = [&](Value value) { return &document(name, std::string(kJson), [&] { return format_json(value) + "\n"; }); };
  if (path == "/api" || path == "/apis") {
    if (std::string version = aggregated_version(accept); !version.empty()) {
      bool core = path == "/api";
      std::string type = "application/json;g=apidiscovery.k8s.io;v=" + version + ";as=APIGroupDiscoveryList";
      return &document(name + ";" + version, type,
                       [&] { return format_json(schema::discover_aggregated(served, core, version)) + "\n"; });
    }
    return json(path == "/api" ? schema::discover_versions(address_) : schema::discover_groups(served));
  }
  std::vector<std::string_view> parts = split(path.substr(1), '/');
  if (parts.size() == 2 && parts[0] == "apis") {
    auto group = schema::discover_group(served, parts[1]);
    if (!group) return no_such_path();
    return json(std::move(*group));
  }
  std::string_view group = parts[0] == "api" ? std::string_view() : parts[1];
  auto list = schema::discover_resources(served, group, parts.back());
  if (!list) return no_such_path();
  return json(std::move(*list));
}

Result<const Endpoints::Document*> Endpoints::openapi_document(const wire::Request& request, std::string_view path) {
  std::string version = ORCH_KUBERNETES_VERSION;
  const schema::Registry& registry = objects_.registry();
  schema::OpenApiInput input{registry, registry.group_versions(), {}, version};
  using schema::OpenApiEncoding;
  std::string_view accept = request.headers.get("Accept");
  if (path == "/openapi/v2") {
    if (prefers(accept, kOpenapiV2Protobuf)) {
      return &document("v2.pb", as_reply_type(kOpenapiV2Protobuf),
                       [&] { return schema::openapi_v2_document(input, OpenApiEncoding::protobuf); });
    }
    return &document("v2.json", std::string(kJson),
                     [&] { return schema::openapi_v2_document(input, OpenApiEncoding::json); });
  }
  if (path == "/openapi/v3") {
    return &document("v3", std::string(kJson), [&] { return format_json(schema::openapi_v3_index(input)); });
  }
  std::string at(path.substr(std::string_view("/openapi/v3/").size()));
  std::vector<std::string_view> parts = split(at, '/');
  bool core = parts.size() == 2 && parts[0] == "api";
  bool grouped = parts.size() == 3 && parts[0] == "apis";
  std::string_view group = grouped ? parts[1] : std::string_view();
  if ((!core && !grouped) || registry.package_of(group, parts.back()).empty()) return no_such_path();
  bool protobuf = prefers(accept, kOpenapiV3Protobuf);
  std::string name = (protobuf ? "v3.pb/" : "v3.json/") + at;
  return &document(name, as_reply_type(protobuf ? kOpenapiV3Protobuf : kJson), [&] {
    return schema::openapi_v3_document(input, group, parts.back(),
                                       protobuf ? OpenApiEncoding::protobuf : OpenApiEncoding::json);
  });
}

Result<const Endpoints::Document*> Endpoints::find_document(const wire::Request& request) {
  std::string_view path = request.path;
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  if (path == "/version") {
    return &document("/version", std::string(kJson), [] { return format_json_pretty(version_object(), 2) + "\n"; });
  }
  if (path == "/openapi/v2" || path == "/openapi/v3" || path.starts_with("/openapi/v3/")) {
    return openapi_document(request, path);
  }
  if (const AccountTokens* tokens = objects_.tokens()) {
    if (path == "/.well-known/openid-configuration")
      return &document(std::string(path), std::string(kJson), [&] { return format_json(tokens->discovery()); });
    if (path == "/openid/v1/jwks")
      return &document(std::string(path), "application/jwk-set+json", [&] { return format_json(tokens->key_set()); });
  }
  size_t depth = split(path, '/').size() - 1;
  bool core = path == "/api" || (path.starts_with("/api/") && depth == 2);
  bool groups = path == "/apis" || (path.starts_with("/apis/") && depth <= 3);
  if (core || groups) return discovery_document(request, path);
  if (path == "/") {
    return &document("/", std::string(kJson), [] {
      return format_json(Value::object({{"paths", Value::list({Value("/api"), Value("/apis"), Value("/healthz"),
                                                               Value("/livez"), Value("/openapi/v2"),
                                                               Value("/openapi/v3"), Value("/readyz"),
                                                               Value("/version")})}}));
    });
  }
  return no_such_path();
}

Task<void> Endpoints::serve_health(const wire::Request& request, wire::Responder& responder) {
  std::string missing = request.path.starts_with("/livez") ? std::string() : ready_();
  wire::Headers headers;
  headers.add("Content-Type", "text/plain; charset=utf-8");
  headers.add("X-Content-Type-Options", "nosniff");
  headers.add("Cache-Control", "no-cache, private");
  std::string text = "ok";
  if (!missing.empty()) text = "[-]" + missing + " failed: not there yet\n";
  if (request.query.find("verbose")) {
    text = missing.empty() ? "[+]ping ok\n[+]store ok\n" + request.path.substr(1) + " check passed\n" : text;
  }
  std::vector<loop::Chunk> body;
  body.emplace_back(std::move(text));
  co_await responder.send(missing.empty() ? 200 : 500, std::move(headers), std::move(body));
}

Task<void> Endpoints::serve(const wire::Request& request, wire::Responder& responder) {
  for (std::string_view health : {"/healthz", "/livez", "/readyz"}) {
    if (request.path == health || request.path.starts_with(std::string(health) + "/")) {
      co_await serve_health(request, responder);
      co_return;
    }
  }
  if (request.method != "GET" && request.method != "HEAD") {
    co_await fail(Error::make(Code::method_not_allowed, "the server does not allow this method on the requested resource"));
  }
  const Document* found = co_await find_document(request);
  wire::Headers headers;
  headers.add("Content-Type", found->content_type);
  headers.add("ETag", found->etag);
  headers.add("Vary", "Accept");
  headers.add("Cache-Control", "no-cache, private");
  std::vector<loop::Chunk> body;
  bool unchanged = request.headers.get("If-None-Match") == found->etag;
  if (!unchanged) body.emplace_back(found->bytes);
  co_await responder.send(unchanged ? 304 : 200, std::move(headers), std::move(body));
}

}  // namespace orch::api
