#include "wire/http_client.h"

#include <catch2/catch_test_macros.hpp>

#include "loop/pipe_network.h"
#include "loop/scope.h"
#include "loop/virtual_loop.h"
#include "wire/http_server.h"

namespace orch::wire {
namespace {

using loop::Chunk;
using loop::PipeNetwork;
using loop::Scope;
using loop::Stream;
using loop::Task;
using loop::VirtualLoop;

// Echoes the request, or streams.
class EchoHandler final : public Handler {
 public:
  explicit EchoHandler(loop::Loop& loop) : loop_(loop) {}
  Task<void> handle(Request request, Peer peer, Responder& responder) override {
    Headers headers;
    headers.add("X-Peer", peer.common_name);
    if (request.path == "/never") co_await loop::sleep(loop_, 1h);
    if (request.path == "/stream") {
      co_await responder.start(200, headers);
      for (int i = 0; i < 3; ++i) {
        std::vector<Chunk> chunks;
        chunks.emplace_back("event " + std::to_string(i) + "\n");
        co_await responder.write(std::move(chunks));
        co_await loop::sleep(loop_, 1s);
      }
      co_return co_await responder.finish();
    }
    if (request.path == "/upgrade") {
      co_await responder.start(101, headers);
      auto stream = responder.upgrade();
      std::string first = co_await stream->read();
      co_return co_await loop::write_text(*stream, "echo " + first);
    }
    std::vector<Chunk> chunks;
    chunks.emplace_back(request.method + " " + request.target + " " + std::string(request.headers.get("Host")) + " " +
                        request.body);
    co_await responder.send(request.path == "/missing" ? 404 : 200, headers, std::move(chunks));
  }
  size_t max_body(const Request&) const override { return 1'000'000; }

 private:
  loop::Loop& loop_;
};

struct World {
  VirtualLoop loop;
  PipeNetwork network{loop};
  EchoHandler handler{loop};
  std::unique_ptr<HttpServer> server = std::make_unique<HttpServer>(loop, Logger::discard(), handler);
  void listen(uint16_t port, std::shared_ptr<TlsServer> tls = {}) {
    server->listen(*network.listen_tcp("0.0.0.0", port), std::move(tls));
  }
};

ClientRequest request_of(std::string method, std::string target, std::string body = "") {
  ClientRequest request;
  request.method = method;
  request.target = target;
  request.body = body;
  return request;
}

TEST_CASE("server addresses are read and written as URLs have them") {
  auto https = parse_endpoint("https://node-1:6443/base/");
  REQUIRE(https.ok());
  CHECK(https->tls);
  CHECK(https->host == "node-1");
  CHECK(https->port == 6443);
  CHECK(https->base_path == "/base");
  CHECK(https->authority() == "node-1:6443");
  auto v6 = parse_endpoint("http://[::1]");
  REQUIRE(v6.ok());
  CHECK(v6->host == "::1");
  CHECK(v6->port == 80);
  CHECK(v6->authority() == "[::1]");
  CHECK(parse_endpoint("unix:///run/o.sock")->unix_path == "/run/o.sock");
  for (auto wrong : {"", "node:6443", "ftp://x", "http://", "http://x:0", "http://x:70000", "http://[::1", "http://[::1]x",
                     "unix://relative"}) {
    INFO(wrong);
    CHECK_FALSE(parse_endpoint(wrong).ok());
  }
}

TEST_CASE("requests share one connection, and a whole reply comes back") {
  World world;
  world.listen(80);
  HttpClient client(world.loop, world.network, *parse_endpoint("http://h/base"));
  auto reply = world.loop.run(client.call(request_of("POST", "/x?q=1", "body")));
  REQUIRE(reply.ok());
  CHECK(reply->status == 200);
  CHECK(reply->body == "POST /base/x?q=1 h body");
  CHECK(client.idle_connections() == 1);
  CHECK(world.loop.run(client.call(request_of("GET", "/missing")))->status == 200);
  auto head = world.loop.run(client.call(request_of("HEAD", "/x")));
  REQUIRE(head.ok());
  CHECK(head->body.empty());
  CHECK(head->headers.get("content-length") == "15");
  CHECK(world.server->connections() == 1);
}

Task<void> collect(HttpClient& client, std::vector<std::string>& pieces) {
  auto stream = co_await client.open(request_of("GET", "/stream"));
  while (true) {
    std::string some = co_await stream->read();
    pieces.push_back(some);
    if (some.empty()) co_return;
  }
}

TEST_CASE("a streamed reply comes piece by piece, and its connection is used again after the end") {
  World world;
  world.listen(80);
  HttpClient client(world.loop, world.network, *parse_endpoint("http://h"));
  std::vector<std::string> pieces;
  Scope scope(world.loop);
  scope.spawn(collect(client, pieces));
  world.loop.run_for(1s);
  CHECK(pieces == std::vector<std::string>{"event 0\n", "event 1\n"});
  CHECK(client.idle_connections() == 0);
  world.loop.run_for(5s);
  CHECK(pieces.back().empty());
  CHECK(pieces.size() == 4);
  CHECK(client.idle_connections() == 1);
}

TEST_CASE("giving up a streamed reply closes its connection") {
  World world;
  world.listen(80);
  HttpClient client(world.loop, world.network, *parse_endpoint("http://h"));
  std::vector<std::string> pieces;
  {
    Scope scope(world.loop);
    scope.spawn(collect(client, pieces));
    world.loop.run_for(500ms);
  }
  world.loop.run_for(5s);
  CHECK(world.server->connections() == 0);
  CHECK(client.idle_connections() == 0);
}

TEST_CASE("a server that restarts breaks no GET, though its pooled connection is gone") {
  World world;
  world.listen(80);
  HttpClient client(world.loop, world.network, *parse_endpoint("http://h"));
  REQUIRE(world.loop.run(client.call(request_of("GET", "/a"))).ok());
  world.server = std::make_unique<HttpServer>(world.loop, Logger::discard(), world.handler);
  world.loop.run_until_idle();
  world.listen(80);
  CHECK(world.loop.run(client.call(request_of("GET", "/b"))).ok());
  world.server = std::make_unique<HttpServer>(world.loop, Logger::discard(), world.handler);
  world.loop.run_until_idle();
  world.listen(80);
  // Nobody knows whether a POST was done: the caller decides.
  auto posted = world.loop.run(client.call(request_of("POST", "/c")));
  REQUIRE_FALSE(posted.ok());
  CHECK(posted.error().is(Code::closed));
}

TEST_CASE("no server and no answer are errors in time") {
  World world;
  HttpClient client(world.loop, world.network, *parse_endpoint("http://h"));
  CHECK(world.loop.run(client.call(request_of("GET", "/"))).error().error_number() == ECONNREFUSED);
  world.listen(80);
  auto start = world.loop.now();
  auto late = world.loop.run(client.call(request_of("GET", "/never")));
  REQUIRE_FALSE(late.ok());
  CHECK(late.error().is(Code::timeout));
  CHECK(world.loop.now() - start == 60s);
}

Task<std::string> upgraded(HttpClient& client) {
  auto reply = co_await client.open(request_of("GET", "/upgrade"));
  if (reply->status() != 101) co_return "status " + std::to_string(reply->status());
  auto stream = reply->upgrade();
  co_await loop::write_text(*stream, "hi");
  co_return co_await loop::read_all(*stream, 100);
}

TEST_CASE("an upgraded connection is handed over") {
  World world;
  world.listen(80);
  HttpClient client(world.loop, world.network, *parse_endpoint("http://h"));
  auto text = world.loop.run(upgraded(client));
  REQUIRE(text.ok());
  CHECK(*text == "echo hi");
}

TEST_CASE("over TLS the server sees who calls, and contexts can be swapped on both sides") {
  World world;
  auto now = world.loop.wall();
  auto ca = *make_ca("ca", now);
  auto make = [&](std::string name, bool server) {
    LeafRequest request;
    request.common_name = name;
    request.dns_names = {"h"};
    request.for_server = server;
    request.for_client = !server;
    return *issue(ca, request, now);
  };
  TlsContext::Server server_config;
  server_config.identity = make("server", true);
  server_config.client_ca_pem = ca.certificate_pem;
  auto tls = std::make_shared<TlsServer>(*TlsContext::server(server_config));
  world.listen(443, tls);
  TlsContext::Client client_config;
  client_config.ca_pem = ca.certificate_pem;
  client_config.identity = make("alice", false);
  HttpClient client(world.loop, world.network, *parse_endpoint("https://h"), *TlsContext::client(client_config));
  auto reply = world.loop.run(client.call(request_of("GET", "/")));
  REQUIRE(reply.ok());
  CHECK(reply->headers.get("X-Peer") == "alice");
  // Another CA altogether: connections that are open go on, new ones use it.
  ca = *make_ca("ca-2", now);
  server_config.identity = make("server", true);
  server_config.client_ca_pem = ca.certificate_pem;
  tls->swap(*TlsContext::server(server_config));
  CHECK(world.loop.run(client.call(request_of("GET", "/"))).ok());
  client_config.ca_pem = ca.certificate_pem;
  client_config.identity = make("bob", false);
  client.use_tls(*TlsContext::client(client_config));
  reply = world.loop.run(client.call(request_of("GET", "/")));
  REQUIRE(reply.ok());
  CHECK(reply->headers.get("X-Peer") == "bob");
}

}  // namespace
}  // namespace orch::wire
