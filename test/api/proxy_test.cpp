#include "api/proxy.h"

#include <catch2/catch_test_macros.hpp>

#include "data/json.h"
#include "loop/pipe_network.h"
#include "loop/scope.h"
#include "loop/virtual_loop.h"
#include "wire/http_server.h"

namespace orch::api {
namespace {

using loop::Task;

TEST_CASE("the path behind a proxy is passed on as it is") {
  auto path = proxy_path("/api/v1/namespaces/ns/pods/p:80/proxy/a%2Fb//c/?x=1", 7);
  CHECK(path.base == "/api/v1/namespaces/ns/pods/p:80/proxy");
  CHECK(path.path == "/a%2Fb//c/");
  CHECK(path.query == "?x=1");
  path = proxy_path("/api/v1/nodes/n/proxy", 5);
  CHECK(path.base == "/api/v1/nodes/n/proxy");
  CHECK(path.path.empty());
}

std::string name(std::string text) {
  auto parsed = parse_proxy_name(text);
  return parsed.ok() ? parsed->scheme + " " + parsed->name + " " + parsed->port : "refused";
}

TEST_CASE("names with scheme and port") {
  CHECK(name("p") == "http p ");
  CHECK(name("p:80") == "http p 80");
  CHECK(name("https:p:") == "https p ");
  CHECK(name("https:p:web") == "https p web");
  CHECK(name(":p:1") == "http p 1");
  CHECK(name("ftp:p:1") == "refused");
  CHECK(name("a:b:c:d") == "refused");
  CHECK(name("") == "refused");
}

std::string address(const Result<ProxyAddress>& made) {
  return made.ok() ? made->host + ":" + std::to_string(made->port) : made.error().message();
}

TEST_CASE("where a pod answers") {
  Value pod = *parse_json(R"({"spec":{"containers":[{},{"ports":[{"containerPort":8080}]}]},"status":{"podIP":"10.0.0.5"}})");
  CHECK(address(pod_address(pod, {"http", "p", ""})) == "10.0.0.5:8080");
  CHECK(address(pod_address(pod, {"http", "p", "81"})) == "10.0.0.5:81");
  CHECK(address(pod_address(*parse_json("{}"), {"http", "p", ""})) == "address not allowed");
}

TEST_CASE("where a service answers") {
  Value service = *parse_json(R"({"spec":{"ports":[{"name":"web","port":80},{"name":"admin","port":81}]}})");
  Value endpoints = *parse_json(R"({"subsets":[{"addresses":[{"ip":"10.0.0.5"}],"ports":[{"name":"web","port":8080}]}]})");
  CHECK(address(service_address(service, endpoints, {"http", "s", "web"})) == "10.0.0.5:8080");
  CHECK(address(service_address(service, endpoints, {"http", "s", "80"})) == "10.0.0.5:8080");
  CHECK(address(service_address(service, endpoints, {"http", "s", "admin"})) == "no endpoints available for service \"s\"");
  CHECK(address(service_address(service, endpoints, {"http", "s", "82"})) == "no service port 82 found for service \"s\"");
  Value single = *parse_json(R"({"spec":{"ports":[{"name":"web","port":80}]}})");
  CHECK(address(service_address(single, endpoints, {"http", "s", ""})) == "10.0.0.5:8080");
}

// Behind the proxy: says what it was asked, or answers with a redirect, or upgrades to an echo.
class Behind final : public wire::Handler {
 public:
  Task<void> handle(wire::Request request, wire::Peer, wire::Responder& responder) override {
    wire::Headers headers;
    if (request.path == "/moved") {
      headers.add("Location", "/other");
      co_return co_await responder.send(302, std::move(headers), {});
    }
    if (request.headers.has("Upgrade")) {
      headers.add("Connection", "Upgrade");
      headers.add("Upgrade", "echo");
      co_await responder.start(101, std::move(headers));
      auto stream = responder.upgrade();
      std::string some = co_await stream->read();
      co_await loop::write_text(*stream, "<" + some + ">");
      co_return;
    }
    std::string text = request.method + " " + request.target + " " + std::string(request.headers.get("X-Mine")) + " " +
                       std::string(request.headers.get("Authorization")) + " " + request.body;
    std::vector<loop::Chunk> body;
    body.emplace_back(std::move(text));
    co_await responder.send(200, std::move(headers), std::move(body));
  }
  size_t max_body(const wire::Request&) const override { return 1000; }
};

class Proxy final : public wire::Handler {
 public:
  Proxy(loop::Loop& loop, loop::Network& network) : loop_(loop), network_(network) {}
  Task<void> handle(wire::Request request, wire::Peer, wire::Responder& responder) override {
    ProxyPath path = proxy_path(request.target, 1);
    ProxyAddress address{false, "pod", 8080};
    if (path.path == "/nobody") address.port = 1;
    auto relayed = co_await relay_to(loop_, network_, request, address, path.path + path.query, path.base, responder).result();
    if (relayed.ok()) co_return;
    std::vector<loop::Chunk> body;
    body.emplace_back(relayed.error().message());
    co_await responder.send(code_info(relayed.error().code()).http_status, wire::Headers(), std::move(body));
  }
  size_t max_body(const wire::Request&) const override { return 1000; }

 private:
  loop::Loop& loop_;
  loop::Network& network_;
};

TEST_CASE("requests, redirects and upgrades go through the proxy; who the client is stays here") {
  loop::VirtualLoop loop;
  loop::PipeNetwork network(loop);
  Behind behind;
  Proxy proxy(loop, network);
  wire::HttpServer far(loop, Logger::discard(), behind);
  wire::HttpServer near(loop, Logger::discard(), proxy);
  far.listen(*network.listen_tcp("0.0.0.0", 8080));
  near.listen(*network.listen_tcp("0.0.0.0", 80));
  auto ask = [&](std::string head, std::string body = "") {
    auto stream = *loop.run(network.connect_tcp("h", 80));
    REQUIRE(loop.run(loop::write_text(*stream, head + "Host: h\r\nConnection: close\r\n\r\n" + body)).ok());
    return *loop.run(loop::read_all(*stream, 10'000));
  };
  std::string reply = ask("POST /proxy/a%20b?q=1 HTTP/1.1\r\nX-Mine: yes\r\nAuthorization: Bearer secret\r\nContent-Length: 3\r\n", "abc");
  CHECK(reply.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(reply.find("POST /a%20b?q=1 yes  abc") != std::string::npos);
  CHECK(ask("GET /proxy/moved HTTP/1.1\r\n").find("Location: /proxy/other\r\n") != std::string::npos);
  reply = ask("GET /proxy/nobody HTTP/1.1\r\n");
  CHECK(reply.starts_with("HTTP/1.1 503 "));
  CHECK(reply.find("error trying to reach service: ") != std::string::npos);
  auto stream = *loop.run(network.connect_tcp("h", 80));
  REQUIRE(loop.run(loop::write_text(*stream, "GET /proxy/up HTTP/1.1\r\nHost: h\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n")).ok());
  CHECK(loop.run(stream->read())->starts_with("HTTP/1.1 101 "));
  REQUIRE(loop.run(loop::write_text(*stream, "hi")).ok());
  CHECK(*loop.run(stream->read()) == "<hi>");
}

}  // namespace
}  // namespace orch::api
