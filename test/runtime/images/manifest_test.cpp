#include "runtime/images/manifest.h"

#include <catch2/catch_test_macros.hpp>

#include "data/json.h"
#include "runtime/images/docker_config.h"
#include "runtime/images/registries.h"
#include "runtime/images/registry.h"

namespace orch::runtime::images {
namespace {

std::string digest_of(char c) { return "sha256:" + std::string(64, c); }

std::string descriptor(char c, const std::string& more = "") {
  return R"({"mediaType":"m","digest":")" + digest_of(c) + R"(","size":7)" + more + "}";
}

TEST_CASE("a manifest names its configuration and its layers, bottom first") {
  auto parsed = parse_manifest(R"({"schemaVersion":2,"config":)" + descriptor('a') + R"(,"layers":[)" + descriptor('b') + "," +
                               descriptor('c') + "]}");
  REQUIRE(parsed.ok());
  REQUIRE(parsed->manifest);
  CHECK(parsed->manifest->config.digest == digest_of('a'));
  REQUIRE(parsed->manifest->layers.size() == 2);
  CHECK(parsed->manifest->layers[1].digest == digest_of('c'));
  CHECK(parsed->manifest->layers[1].size == 7);
}

TEST_CASE("documents that are no manifest, or two things at once, are refused") {
  const std::pair<std::string, std::string> cases[] = {
      {"", "manifest: "},
      {"[]", "manifest: not a JSON object"},
      {R"({"schemaVersion":1,"fsLayers":[]})", "manifest: schema 1 is no longer supported"},
      {R"({"schemaVersion":2,"config":{"digest":"md5:1","size":1}})", "manifest: config: \"md5:1\" is no sha256 digest"},
      {R"({"schemaVersion":2,"config":{"digest":")" + digest_of('a') + R"("}})", "manifest: config: no size"},
      {R"({"schemaVersion":2,"manifests":[],"layers":[]})", "manifest: both an index and a manifest"},
      {R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","manifests":[]})",
       "manifest: its media type says something else"},
  };
  for (const auto& [text, expected] : cases) {
    INFO(text);
    auto parsed = parse_manifest(text);
    REQUIRE_FALSE(parsed.ok());
    CHECK(parsed.error().is(Code::invalid));
    CHECK(parsed.error().message().starts_with(expected));
  }
}

Descriptor for_platform(std::string architecture, std::string variant) {
  Descriptor entry;
  entry.digest = architecture + variant;
  entry.platform = normalise(Platform{"linux", std::move(architecture), std::move(variant)});
  return entry;
}

TEST_CASE("of an index the entry is taken that this machine runs best") {
  std::vector<Descriptor> index = {for_platform("amd64", ""), for_platform("arm", "v6"), for_platform("arm", "v7"),
                                   for_platform("arm64", "v8")};
  index.push_back(for_platform("unknown", ""));
  auto choose = [&](Platform wanted) {
    const Descriptor* entry = choose_platform(index, normalise(std::move(wanted)));
    return entry ? entry->digest : std::string("none");
  };
  CHECK(choose({"linux", "amd64", ""}) == "amd64");
  CHECK(choose({"linux", "arm64", ""}) == "arm64v8");
  CHECK(choose({"linux", "arm", "v7"}) == "armv7");
  CHECK(choose({"linux", "arm", "v6"}) == "armv6");
  CHECK(choose({"linux", "arm", "v5"}) == "none");
  CHECK(choose({"linux", "riscv64", ""}) == "none");
  std::vector<Descriptor> unsaid(1);
  CHECK(choose_platform(unsaid, host_platform()) == unsaid.data());
}

TEST_CASE("docker's configuration gives user and password of each server") {
  auto all = parse_docker_config(R"({"auths":{"https://index.docker.io/v1/":{"auth":"dTpwOnc="},
      "r.example:5000":{"username":"v","password":"w"},"empty":{}, "t.example":{"identitytoken":"i"}}})");
  REQUIRE(all.ok());
  REQUIRE(all->size() == 3);
  CHECK((*all)[0].server == "https://index.docker.io/v1/");
  CHECK((*all)[0].username == "u");
  CHECK((*all)[0].password == "p:w");
  CHECK((*all)[1].username == "v");
  CHECK((*all)[2].identity_token == "i");
  auto old = parse_docker_config(R"({"r.example":{"auth":"dTpw"}})");
  REQUIRE(old.ok());
  CHECK(old->at(0).password == "p");
  CHECK_FALSE(parse_docker_config("nope").ok());
  CHECK_FALSE(parse_docker_config("[]").ok());
  CHECK_FALSE(parse_docker_config(R"({"auths":{"x":{"auth":"%"}}})").ok());
  CHECK_FALSE(parse_docker_config(R"({"auths":{"x":{"auth":"dQ=="}}})").ok());
}

TEST_CASE("credentials match an image by host glob, port and path, the most precise first") {
  auto servers_for = [](const std::string& image, std::vector<std::string> servers) {
    std::vector<RegistryCredentials> all;
    for (std::string& server : servers) {
      RegistryCredentials credentials;
      credentials.server = std::move(server);
      all.push_back(std::move(credentials));
    }
    std::string found;
    for (const auto& one : credentials_for(parse_image_reference(image).value(), all)) found += one.server + " ";
    return found;
  };
  CHECK(servers_for("busybox", {"https://index.docker.io/v1/"}) == "https://index.docker.io/v1/ ");
  CHECK(servers_for("busybox", {"docker.io", "quay.io"}) == "docker.io ");
  CHECK(servers_for("r.example.org/a/b", {"r.example.org", "r.example.org/a", "r.example.org/ab", "*.example.org", "*.org"}) ==
        "r.example.org/a r.example.org *.example.org ");
  CHECK(servers_for("r.example.org:5000/a", {"r.example.org", "r.example.org:5000", "r.example.org:*"}) == "r.example.org:5000 ");
}

std::string hosts_text(const std::string& yaml, const std::string& image) {
  auto registries = parse_registries(yaml);
  if (!registries.ok()) return registries.error().message();
  std::string text;
  for (const RegistryHost& host : hosts_for(*registries, parse_image_reference(image).value())) {
    text += host.url + " " + host.repository + (host.ns.empty() ? "" : " for " + host.ns) + (host.config.auth ? " auth" : "") +
            (host.config.tls ? " tls" : "") + "\n";
  }
  return text;
}

TEST_CASE("without registries.yaml a registry is asked itself, one on this machine without TLS") {
  CHECK(hosts_text("", "busybox") == "https://registry-1.docker.io/v2 library/busybox\n");
  CHECK(hosts_text("", "quay.io/a/b") == "https://quay.io/v2 a/b\n");
  CHECK(hosts_text("", "localhost:5000/a") == "http://localhost:5000/v2 a\n");
  CHECK(hosts_text("", "127.0.0.1:5000/a") == "http://127.0.0.1:5000/v2 a\n");
  CHECK(hosts_text("configs: {\"localhost:5000\": {tls: {ca_file: /x}}}", "localhost:5000/a") ==
        "https://localhost:5000/v2 a tls\n");
}

TEST_CASE("mirrors come first, with rewritten names and logins of their own") {
  const std::string yaml = R"yaml(
mirrors:
  docker.io:
    endpoint: ["http://m1:5000", "https://m2/prefix/"]
    rewrite: {"^library/(.*)": "mirrored/${1}"}
  "*":
    endpoint: [any.example]
configs:
  "m1:5000": {auth: {username: u, password: p}}
)yaml";
  CHECK(hosts_text(yaml, "busybox") ==
        "http://m1:5000/v2 mirrored/busybox for docker.io auth\n"
        "https://m2/prefix/v2 mirrored/busybox for docker.io\n"
        "https://registry-1.docker.io/v2 library/busybox\n");
  CHECK(hosts_text(yaml, "quay.io/a") == "https://any.example/v2 a for quay.io\nhttps://quay.io/v2 a\n");
}

TEST_CASE("registries.yaml with a mistake names the key") {
  CHECK(hosts_text("mirror: {}", "x") == "registries.yaml: unknown key \"mirror\"");
  CHECK(hosts_text("mirrors: {docker.io: {endpoints: []}}", "x") == "mirrors.docker.io: unknown key \"endpoints\"");
  CHECK(hosts_text("mirrors: {r: {rewrite: {\"(\": x}}}", "x") == "mirrors.r.rewrite: \"(\" is no regular expression");
  CHECK(hosts_text("configs: {r: {tls: {ca: x}}}", "x") == "configs.r.tls: unknown key \"ca\"");
}

TEST_CASE("login challenges are read as RFC 9110 writes them") {
  auto challenges = parse_challenges(R"(Basic realm="a, \"b\"", Bearer realm="https://auth/token",service=s , scope="x:pull,push")");
  REQUIRE(challenges.size() == 2);
  CHECK(challenges[0].scheme == "basic");
  CHECK(challenges[0].parameters["realm"] == "a, \"b\"");
  CHECK(challenges[1].scheme == "bearer");
  CHECK(challenges[1].parameters["realm"] == "https://auth/token");
  CHECK(challenges[1].parameters["service"] == "s");
  CHECK(challenges[1].parameters["scope"] == "x:pull,push");
  CHECK(parse_challenges("").empty());
  CHECK(parse_challenges("=\"").empty());
}

TEST_CASE("redirects are followed to absolute and relative places") {
  auto base = split_url("https://h:1/v2/a/blobs/x?y=1#z");
  REQUIRE(base.ok());
  CHECK(base->origin == "https://h:1");
  CHECK(base->target == "/v2/a/blobs/x?y=1");
  CHECK(resolve_location(*base, "http://o/p") == "http://o/p");
  CHECK(resolve_location(*base, "//o/p") == "https://o/p");
  CHECK(resolve_location(*base, "/p") == "https://h:1/p");
  CHECK(resolve_location(*base, "p?q") == "https://h:1/v2/a/blobs/p?q");
  CHECK(split_url("http://h")->target == "/");
  CHECK_FALSE(split_url("h/x").ok());
}

}  // namespace
}  // namespace orch::runtime::images
