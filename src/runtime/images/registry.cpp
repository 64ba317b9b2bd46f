#include "runtime/images/registry.h"

#include <algorithm>

#include "base/text.h"
#include "data/json.h"
#include "loop/files.h"
#include "loop/timeout.h"
#include "runtime/images/digest.h"
#include "runtime/images/manifest.h"

namespace orch::runtime::images {

using loop::fail;
using loop::Task;
using wire::ClientRequest;
using wire::Headers;
using wire::ReplyStream;

namespace {

constexpr size_t kMaxDocument = 8 << 20;
constexpr int kMaxRedirects = 5;
constexpr Duration kReadTimeout = 60s;

std::string_view skip_space(std::string_view text) {
  while (!text.empty() && (text[0] == ' ' || text[0] == '\t' || text[0] == ',')) text.remove_prefix(1);
  return text;
}

bool is_token_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

std::string_view take_token(std::string_view& text) {
  size_t end = 0;
  while (end < text.size() && is_token_char(text[end])) ++end;
  std::string_view token = text.substr(0, end);
  text.remove_prefix(end);
  return token;
}

// A token or a quoted string.
std::string take_value(std::string_view& text) {
  if (!text.starts_with('"')) return std::string(take_token(text));
  text.remove_prefix(1);
  std::string value;
  while (!text.empty() && text[0] != '"') {
    if (text[0] == '\\' && text.size() > 1) text.remove_prefix(1);
    value += text[0];
    text.remove_prefix(1);
  }
  if (!text.empty()) text.remove_prefix(1);
  return value;
}

}  // namespace

std::vector<Challenge> parse_challenges(std::string_view header) {
  std::vector<Challenge> challenges;
  for (std::string_view text = skip_space(header); !text.empty(); text = skip_space(text)) {
    std::string_view word = take_token(text);
    if (word.empty()) break;
    std::string_view after = text;
    while (after.starts_with(' ')) after.remove_prefix(1);
    if (after.starts_with('=') && !challenges.empty()) {
      after.remove_prefix(1);
      while (after.starts_with(' ')) after.remove_prefix(1);
      challenges.back().parameters[to_lower(word)] = take_value(after);
      text = after;
    } else {
      challenges.push_back(Challenge{to_lower(word), {}});
    }
  }
  return challenges;
}

Result<SplitUrl> split_url(std::string_view url) {
  size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return Error::make(Code::invalid, "not a URL: " + quote(url));
  size_t end = std::min(url.find_first_of("/?#", scheme + 3), url.size());
  SplitUrl split;
  split.origin = url.substr(0, end);
  split.target = url.substr(end, url.find('#') == std::string_view::npos ? std::string_view::npos : url.find('#') - end);
  if (!split.target.starts_with('/')) split.target = "/" + split.target;
  return split;
}

std::string resolve_location(const SplitUrl& base, std::string_view location) {
  if (location.find("://") != std::string_view::npos) return std::string(location);
  if (location.starts_with("//")) return base.origin.substr(0, base.origin.find(':') + 1) + std::string(location);
  if (location.starts_with('/')) return base.origin + std::string(location);
  std::string path = base.target.substr(0, base.target.find('?'));
  return base.origin + path.substr(0, path.rfind('/') + 1) + std::string(location);
}

// ---- Origins

namespace {

Task<std::string> read_optional(loop::Loop& loop, std::string path) {
  if (path.empty()) co_return std::string();
  std::string text = co_await loop::read_file(loop, std::move(path));
  co_return std::move(text);
}

Task<std::shared_ptr<const wire::TlsContext>> make_tls(loop::Loop& loop, std::optional<RegistryTls> settings) {
  wire::TlsContext::Client config;
  if (settings) {
    config.verify = !settings->skip_verify;
    config.ca_pem = co_await read_optional(loop, settings->ca_file);
    if (!settings->cert_file.empty()) {
      wire::Identity identity;
      identity.certificate_pem = co_await read_optional(loop, settings->cert_file);
      identity.key_pem = co_await read_optional(loop, settings->key_file);
      config.identity = std::move(identity);
    }
  }
  co_return co_await wire::TlsContext::client(config);
}

}  // namespace

Task<wire::HttpClient*> Origins::client(std::string origin) {
  auto found = clients_.find(origin);
  if (found != clients_.end()) co_return found->second.get();
  wire::Endpoint endpoint = co_await wire::parse_endpoint(origin);
  std::shared_ptr<const wire::TlsContext> tls;
  if (endpoint.tls) {
    std::string host = origin.substr(origin.find("://") + 3);
    auto config = registries_.configs.find(host);
    if (config == registries_.configs.end()) config = registries_.configs.find("*");
    std::optional<RegistryTls> settings;
    if (config != registries_.configs.end()) settings = config->second.tls;
    tls = co_await make_tls(loop_, std::move(settings));
  }
  wire::ClientOptions options;
  options.connect_timeout = 30s;
  options.max_reply = kMaxDocument;
  auto& place = clients_[origin];
  if (!place) place = std::make_unique<wire::HttpClient>(loop_, network_, std::move(endpoint), std::move(tls), options);
  co_return place.get();
}

// ---- RegistryClient

RegistryClient::RegistryClient(Origins& origins, RegistryHost host, std::vector<RegistryCredentials> credentials)
    : origins_(origins), host_(std::move(host)), credentials_(std::move(credentials)) {
  // What the administrator set for this server serves when the pod brings nothing.
  if (credentials_.empty() && host_.config.auth) credentials_.push_back(*host_.config.auth);
}

const RegistryCredentials* RegistryClient::credentials() const {
  return attempt_ < credentials_.size() ? &credentials_[attempt_] : nullptr;
}

namespace {

// "Get \"https://host/v2/\": connect to 1.2.3.4:443: Connection refused"
Error cannot_ask(const std::string& url, Error error) {
  Code code = error.is(Code::cancelled) ? Code::cancelled : Code::unavailable;
  return std::move(error).with_context("failed to do request: Get " + quote(url)).with_code(code);
}

Error unexpected_status(const std::string& url, int status) {
  Code code = status == 429 ? Code::too_many_requests : Code::unavailable;
  return Error::make(code, "unexpected status from GET request to " + url + ": " + std::to_string(status) + " " +
                               std::string(wire::status_text(status)));
}

std::string basic(const RegistryCredentials& credentials) {
  return "Basic " + encode_base64(credentials.username + ":" + credentials.password);
}

Task<std::string> read_body(loop::Loop& loop, ReplyStream& stream, size_t limit) {
  std::string body;
  while (true) {
    std::string piece = co_await with_timeout(loop, stream.read(), kReadTimeout);
    if (piece.empty()) co_return std::move(body);
    body += piece;
    if (body.size() > limit) co_await fail(Error::make(Code::invalid, "the reply has more than " + std::to_string(limit) + " bytes"));
  }
}

// What the registry itself says: {"errors": [{"code": "DENIED", "message": "..."}]}.
std::string server_message(const std::string& body) {
  auto value = parse_json(body);
  if (!value.ok()) return {};
  const Value& first = (*value)["errors"].at(0);
  std::string message(first["message"].as_string());
  return message.empty() ? std::string(first["code"].as_string()) : message;
}

}  // namespace

// One GET, along its redirects. The login goes to the registry only: where it sends us is another server's
// business, and storage services refuse two kinds of authorization in one request.
Task<std::unique_ptr<ReplyStream>> RegistryClient::send(std::string url, Headers headers) {
  SplitUrl at = co_await split_url(url);
  const std::string home = at.origin;
  for (int redirects = 0;; ++redirects) {
    wire::HttpClient* client = co_await origins_.client(at.origin);
    ClientRequest request;
    request.target = at.target;
    request.headers = headers;
    if (at.origin == home && !authorization_.empty()) request.headers.add("Authorization", authorization_);
    std::string here = at.origin + at.target;
    auto reply = co_await client->open(std::move(request)).result();
    if (!reply.ok()) co_await fail(cannot_ask(here, std::move(reply).error()));
    int status = (*reply)->status();
    std::string location((*reply)->headers().get("Location"));
    bool redirected = (status == 301 || status == 302 || status == 303 || status == 307 || status == 308) && !location.empty();
    if (!redirected) co_return std::move(*reply);
    if (redirects == kMaxRedirects) co_await fail(Error::make(Code::unavailable, "too many redirects from " + url));
    at = co_await split_url(resolve_location(at, location));
  }
}

Task<std::unique_ptr<ReplyStream>> RegistryClient::request(std::string path, Headers headers) {
  std::string url = host_.url + "/" + host_.repository + path;
  if (!host_.ns.empty()) url += "?ns=" + encode_percent(host_.ns);
  bool logged_in = false;
  while (true) {
    auto reply = co_await send(url, headers);
    int status = reply->status();
    if (status == 200 || status == 206) co_return std::move(reply);
    if (status == 401 && !logged_in) {
      std::string challenge(reply->headers().get("WWW-Authenticate"));
      (void)co_await read_body(origins_.loop(), *reply, kMaxDocument).result();
      auto authorization = co_await authorize(std::move(challenge)).result();
      bool next = !authorization.ok() && authorization.error().is(Code::unauthorized) && attempt_ + 1 < credentials_.size();
      if (next) {
        ++attempt_;
        authorization_.clear();
        continue;
      }
      authorization_ = co_await std::move(authorization);
      logged_in = true;
      continue;
    }
    if ((status == 401 || status == 403) && attempt_ + 1 < credentials_.size()) {
      ++attempt_;
      authorization_.clear();
      logged_in = false;
      continue;
    }
    auto body = co_await read_body(origins_.loop(), *reply, kMaxDocument).result();
    std::string message = body.ok() ? server_message(*body) : std::string();
    if (status == 404) {
      if (message.empty()) message = "not found";
      co_await fail(Error::make(Code::not_found, std::move(message)));
    }
    if (status == 401 || status == 403) {
      std::string words = "pull access denied, repository does not exist or may require authorization";
      if (!message.empty()) words += ": server message: " + message;
      co_await fail(Error::make(Code::unauthorized, std::move(words)));
    }
    co_await fail(unexpected_status(url, status));
  }
}

Task<std::string> RegistryClient::authorize(std::string www_authenticate) {
  const RegistryCredentials* login = credentials();
  if (login && !login->registry_token.empty()) co_return "Bearer " + login->registry_token;
  for (Challenge& challenge : parse_challenges(www_authenticate)) {
    if (challenge.scheme == "bearer") {
      std::string token = co_await fetch_token(std::move(challenge));
      co_return "Bearer " + token;
    }
    if (challenge.scheme != "basic") continue;
    if (!login || login->username.empty()) {
      co_await fail(Error::make(Code::unauthorized, "no basic auth credentials"));
    }
    co_return basic(*login);
  }
  co_await fail(Error::make(Code::unauthorized, "the registry wants a login of an unknown kind: " + quote(www_authenticate)));
  co_return std::string();
}

namespace {

Result<std::string> token_in(const std::string& body) {
  auto value = parse_json(body);
  if (!value.ok()) return Error::make(Code::unavailable, "failed to fetch a token: the answer is no JSON");
  for (std::string_view key : {"token", "access_token"}) {
    std::string_view token = (*value)[key].as_string();
    if (!token.empty()) return std::string(token);
  }
  return Error::make(Code::unauthorized, "authorization server did not include a token in the response");
}

}  // namespace

// distribution.github.io/distribution/spec/auth/token
Task<std::string> RegistryClient::fetch_token(Challenge challenge) {
  const RegistryCredentials* login = credentials();
  std::string realm = challenge.parameters["realm"];
  std::string service = challenge.parameters["service"];
  std::string scope = challenge.parameters["scope"];
  if (scope.empty()) scope = "repository:" + host_.repository + ":pull";
  if (login && !login->identity_token.empty()) {
    std::string token = co_await fetch_oauth_token(realm, service, scope);
    co_return std::move(token);
  }
  bool has_query = realm.find('?') != std::string::npos;
  std::string url = realm + (has_query ? "&" : "?") + "scope=" + encode_percent(scope);
  if (!service.empty()) url += "&service=" + encode_percent(service);
  if (login) url += "&account=" + encode_percent(login->username);
  SplitUrl split = co_await split_url(url);
  wire::HttpClient* client = co_await origins_.client(split.origin);
  ClientRequest request;
  request.target = split.target;
  if (login && !login->username.empty()) request.headers.add("Authorization", basic(*login));
  auto reply = co_await client->call(std::move(request)).result();
  if (!reply.ok()) co_await fail(cannot_ask(url, std::move(reply).error()).with_context("failed to authorize"));
  if (reply->status != 200) {
    std::string what = login ? "failed to authorize: failed to fetch oauth token" : "failed to authorize: failed to fetch anonymous token";
    Error error = unexpected_status(url, reply->status).with_context(what);
    if (reply->status == 401 || reply->status == 403) error = std::move(error).with_code(Code::unauthorized);
    co_await fail(std::move(error));
  }
  std::string token = co_await token_in(reply->body);
  co_return std::move(token);
}

Task<std::string> RegistryClient::fetch_oauth_token(std::string realm, std::string service, std::string scope) {
  SplitUrl split = co_await split_url(realm);
  wire::HttpClient* client = co_await origins_.client(split.origin);
  ClientRequest request;
  request.method = "POST";
  request.target = split.target;
  request.headers.add("Content-Type", "application/x-www-form-urlencoded");
  request.body = "grant_type=refresh_token&client_id=orch&service=" + encode_percent(service) + "&scope=" + encode_percent(scope) +
                 "&refresh_token=" + encode_percent(credentials()->identity_token);
  auto reply = co_await client->call(std::move(request)).result();
  if (!reply.ok()) co_await fail(cannot_ask(realm, std::move(reply).error()).with_context("failed to authorize"));
  if (reply->status != 200) {
    Error error = unexpected_status(realm, reply->status).with_context("failed to authorize: failed to fetch oauth token");
    co_await fail(std::move(error).with_code(Code::unauthorized));
  }
  std::string token = co_await token_in(reply->body);
  co_return std::move(token);
}

Task<RegistryClient::Document> RegistryClient::manifest(std::string reference) {
  Headers headers;
  headers.add("Accept", std::string(media_type::kDockerManifest) + ", " + std::string(media_type::kDockerList) + ", " +
                            std::string(media_type::kOciManifest) + ", " + std::string(media_type::kOciIndex) + ", */*");
  auto reply = co_await request("/manifests/" + reference, std::move(headers));
  Document document;
  document.media_type = reply->headers().get("Content-Type");
  document.media_type = trim(document.media_type.substr(0, document.media_type.find(';')));
  std::string promised(reply->headers().get("Docker-Content-Digest"));
  auto body = co_await read_body(origins_.loop(), *reply, kMaxDocument).result();
  if (!body.ok()) co_await fail(std::move(body).error().with_context("read the manifest").with_code(Code::unavailable));
  document.body = std::move(*body);
  document.digest = sha256_digest(document.body);
  std::string expected = reference.starts_with("sha256:") ? reference : promised;
  bool checkable = expected.starts_with("sha256:");
  if (checkable && expected != document.digest) {
    co_await fail(Error::make(Code::invalid, "unexpected digest of the manifest " + document.digest + ", expected " + expected +
                                                 ": failed precondition"));
  }
  co_return std::move(document);
}

Task<RegistryClient::Blob> RegistryClient::blob(std::string digest, int64_t offset) {
  Headers headers;
  if (offset > 0) headers.add("Range", "bytes=" + std::to_string(offset) + "-");
  Blob blob;
  blob.stream = co_await request("/blobs/" + digest, std::move(headers));
  blob.from_offset = blob.stream->status() == 206;
  co_return std::move(blob);
}

Task<std::string> RegistryClient::document(std::string digest, int64_t size) {
  if (size > static_cast<int64_t>(kMaxDocument)) co_await fail(Error::make(Code::invalid, digest + " is too large"));
  auto opened = co_await blob(digest, 0);
  auto body = co_await read_body(origins_.loop(), *opened.stream, kMaxDocument).result();
  if (!body.ok()) co_await fail(std::move(body).error().with_context("read " + digest).with_code(Code::unavailable));
  std::string actual = sha256_digest(*body);
  if (actual != digest) {
    co_await fail(Error::make(Code::invalid, "unexpected commit digest " + actual + ", expected " + digest + ": failed precondition"));
  }
  co_return std::move(*body);
}

}  // namespace orch::runtime::images
