#include "wire/tls.h"

#include <catch2/catch_test_macros.hpp>

#include "base/text.h"
#include "loop/pipe_network.h"
#include "loop/scope.h"
#include "loop/virtual_loop.h"

namespace orch::wire {
namespace {

using loop::Chunk;
using loop::Scope;
using loop::Stream;
using loop::Task;
using loop::VirtualLoop;

constexpr Instant kNow{1'790'000'000'000'000'000};  // in 2026

struct Pki {
  Identity ca = *make_ca("test-ca", kNow);
  Identity other_ca = *make_ca("other-ca", kNow);
  Identity server = server_of(ca);
  Identity client = client_of(ca, kNow);

  static Identity server_of(const Identity& ca) {
    LeafRequest request;
    request.common_name = "server";
    request.dns_names = {"node-1", "*.example.com"};
    request.ip_addresses = {"127.0.0.1", "fd00::1"};
    request.for_server = true;
    return *issue(ca, request, kNow);
  }
  static Identity client_of(const Identity& ca, Instant now) {
    LeafRequest request;
    request.common_name = "admin";
    request.organizations = {"system:masters", "ops"};
    request.for_client = true;
    return *issue(ca, request, now);
  }
};

struct Outcome {
  std::optional<Result<TlsSession>> server;
  std::optional<Result<std::unique_ptr<Stream>>> client;
};

Task<void> accept_into(VirtualLoop& loop, std::unique_ptr<Stream> raw, std::shared_ptr<const TlsContext> context,
                       Outcome& out) {
  out.server.emplace(co_await tls_accept(loop, std::move(raw), context).result());
}
Task<void> connect_into(VirtualLoop& loop, std::unique_ptr<Stream> raw, std::shared_ptr<const TlsContext> context,
                        std::string name, Outcome& out) {
  out.client.emplace(co_await tls_connect(loop, std::move(raw), context, name).result());
}

Outcome shake(VirtualLoop& loop, const TlsContext::Server& server, const TlsContext::Client& client, std::string name) {
  auto server_context = TlsContext::server(server);
  auto client_context = TlsContext::client(client);
  REQUIRE(server_context.ok());
  REQUIRE(client_context.ok());
  auto ends = loop::make_pipe(loop);
  Outcome out;
  Scope scope(loop);
  scope.spawn(accept_into(loop, std::move(ends.first), *server_context, out));
  scope.spawn(connect_into(loop, std::move(ends.second), *client_context, name, out));
  loop.run_until_idle();
  return out;
}

TlsContext::Server server_config(const Pki& pki) {
  TlsContext::Server config;
  config.identity = pki.server;
  config.client_ca_pem = pki.ca.certificate_pem;
  return config;
}
TlsContext::Client client_config(const Pki& pki) {
  TlsContext::Client config;
  config.ca_pem = pki.ca.certificate_pem;
  config.identity = pki.client;
  return config;
}

Task<void> send(Stream& stream, std::string text) {
  co_await loop::write_text(stream, text);
  co_await stream.shutdown();
}

Result<std::string> through(VirtualLoop& loop, Stream& from, Stream& to, std::string text) {
  Scope scope(loop);
  scope.spawn(send(from, text));
  return loop.run(loop::read_all(to, 64 << 20));
}

TEST_CASE("both sides talk after the handshake, and the client is who its certificate says") {
  VirtualLoop loop;
  Pki pki;
  Outcome out = shake(loop, server_config(pki), client_config(pki), "node-1");
  REQUIRE(out.server);
  REQUIRE(out.server->ok());
  REQUIRE(out.client);
  REQUIRE(out.client->ok());
  const Peer& peer = (*out.server)->peer;
  CHECK(peer.has_certificate);
  CHECK(peer.common_name == "admin");
  CHECK(peer.organizations == std::vector<std::string>{"system:masters", "ops"});
  CHECK(peer.certificate_error.empty());
  std::string big;
  for (int i = 0; i < 1'000'000; ++i) big += static_cast<char>('a' + i % 23);
  CHECK(*through(loop, ***out.client, *(*out.server)->stream, big) == big);
  CHECK(*through(loop, *(*out.server)->stream, ***out.client, "small") == "small");
}

Task<void> connect_and_read(VirtualLoop& loop, std::unique_ptr<Stream> raw, std::shared_ptr<const TlsContext> context,
                            Outcome& out) {
  co_await connect_into(loop, std::move(raw), context, "127.0.0.1", out);
  // The server's handshake ends with a session ticket that somebody must take.
  (void)co_await (**out.client)->read().result();
}

TEST_CASE("the handshake survives a stream that takes a byte at a time") {
  VirtualLoop loop;
  Pki pki;
  auto ends = loop::make_pipe(loop, 1);
  Outcome out;
  Scope scope(loop);
  scope.spawn(accept_into(loop, std::move(ends.first), *TlsContext::server(server_config(pki)), out));
  scope.spawn(connect_and_read(loop, std::move(ends.second), *TlsContext::client(client_config(pki)), out));
  loop.run_until_idle();
  REQUIRE(out.server);
  CHECK(out.server->ok());
  REQUIRE(out.client);
  CHECK(out.client->ok());
}

TEST_CASE("a client without a certificate is anonymous") {
  VirtualLoop loop;
  Pki pki;
  auto client = client_config(pki);
  client.identity.reset();
  Outcome out = shake(loop, server_config(pki), client, "fd00::1");
  REQUIRE(out.server);
  REQUIRE(out.server->ok());
  CHECK_FALSE((*out.server)->peer.has_certificate);
  CHECK((*out.server)->peer.certificate_error.empty());
}

TEST_CASE("a client certificate of another CA, or for servers only, is none, and said so") {
  VirtualLoop loop;
  Pki pki;
  for (Identity identity : {Pki::client_of(pki.other_ca, kNow), pki.server}) {
    auto client = client_config(pki);
    client.identity = identity;
    Outcome out = shake(loop, server_config(pki), client, "node-1");
    REQUIRE(out.server);
    REQUIRE(out.server->ok());
    CHECK_FALSE((*out.server)->peer.has_certificate);
    CHECK((*out.server)->peer.common_name.empty());
    CHECK_FALSE((*out.server)->peer.certificate_error.empty());
  }
}

TEST_CASE("an expired client certificate is none") {
  VirtualLoop loop;
  Pki pki;
  LeafRequest request;
  request.common_name = "late";
  request.for_client = true;
  request.lifetime = -24h * 366 * 5;  // ended in 2021
  auto client = client_config(pki);
  client.identity = *issue(pki.ca, request, Instant{});
  Outcome out = shake(loop, server_config(pki), client, "node-1");
  REQUIRE(out.server);
  REQUIRE(out.server->ok());
  CHECK_FALSE((*out.server)->peer.has_certificate);
  CHECK((*out.server)->peer.certificate_error == "certificate has expired");
}

TEST_CASE("the client refuses a server of another CA or another name, unless told not to look") {
  VirtualLoop loop;
  Pki pki;
  auto stranger = client_config(pki);
  stranger.ca_pem = pki.other_ca.certificate_pem;
  Outcome out = shake(loop, server_config(pki), stranger, "node-1");
  REQUIRE(out.client);
  CHECK_FALSE(out.client->ok());
  CHECK_FALSE(out.server->ok());
  for (std::string name : {"node-2", "10.0.0.1", "a.b.example.com"}) {
    out = shake(loop, server_config(pki), client_config(pki), name);
    REQUIRE(out.client);
    INFO(name);
    CHECK_FALSE(out.client->ok());
  }
  CHECK(shake(loop, server_config(pki), client_config(pki), "a.example.com").client->ok());
  auto careless = client_config(pki);
  careless.verify = false;
  CHECK(shake(loop, server_config(pki), careless, "node-2").client->ok());
}

TEST_CASE("garbage instead of a handshake is an error") {
  VirtualLoop loop;
  Pki pki;
  auto context = TlsContext::server(server_config(pki));
  auto ends = loop::make_pipe(loop);
  Outcome out;
  Scope scope(loop);
  scope.spawn(accept_into(loop, std::move(ends.first), *context, out));
  REQUIRE(loop.run(loop::write_text(*ends.second, "GET / HTTP/1.1\r\n\r\n")).ok());
  loop.run_until_idle();
  REQUIRE(out.server);
  CHECK_FALSE(out.server->ok());
}

TEST_CASE("a writer waits while the other side does not read, and holds little") {
  VirtualLoop loop;
  Pki pki;
  Outcome out = shake(loop, server_config(pki), client_config(pki), "node-1");
  REQUIRE(out.client->ok());
  Scope scope(loop);
  scope.spawn(send(***out.client, std::string(1'000'000, 'x')));
  loop.run_until_idle();
  CHECK(scope.size() == 1);
  auto all = loop.run(loop::read_all(*(*out.server)->stream, 2'000'000));
  REQUIRE(all.ok());
  CHECK(all->size() == 1'000'000);
  CHECK(scope.size() == 0);
}

TEST_CASE("keys that do not fit and broken PEM are refused") {
  Pki pki;
  TlsContext::Server config = server_config(pki);
  config.identity.key_pem = pki.client.key_pem;
  CHECK_FALSE(TlsContext::server(config).ok());
  config = server_config(pki);
  config.identity.certificate_pem = "x";
  CHECK_FALSE(TlsContext::server(config).ok());
  config = server_config(pki);
  config.client_ca_pem = "x";
  CHECK_FALSE(TlsContext::server(config).ok());
}

}  // namespace
}  // namespace orch::wire
