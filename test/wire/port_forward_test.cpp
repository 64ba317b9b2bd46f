#include "wire/port_forward.h"

#include <catch2/catch_test_macros.hpp>

#include "base/text.h"
#include "loop/pipe_network.h"
#include "loop/scope.h"
#include "loop/virtual_loop.h"
#include "wire/http_server.h"
#include "wire/prefixed_stream.h"
#include "wire/spdy_session.h"
#include "wire/websocket.h"

namespace orch::wire {
namespace {

using loop::Scope;
using loop::Stream;
using loop::Task;
using loop::VirtualLoop;

class ForwardHandler final : public Handler {
 public:
  ForwardHandler(loop::Loop& loop, loop::PipeNetwork& network) : loop_(loop), network_(network) {}
  Task<void> handle(Request request, Peer, Responder& responder) override {
    PortForwardTarget target;
    target.describe = "pod web-0, uid 17";
    target.connect = [this](uint16_t port) { return network_.connect_tcp("pod", port); };
    auto served = co_await serve_port_forward(loop_, request, responder, std::move(target)).result();
    if (served.ok() || served.error().is(Code::closed)) co_return;
    std::vector<loop::Chunk> body;
    body.emplace_back(served.error().message());
    co_await responder.send(code_info(served.error().code()).http_status, Headers(), std::move(body));
  }
  size_t max_body(const Request&) const override { return 0; }

 private:
  loop::Loop& loop_;
  loop::PipeNetwork& network_;
};

Task<void> answer(std::unique_ptr<Stream> stream) {
  while (true) {
    std::string some = co_await stream->read();
    if (some.empty()) break;
    co_await loop::write_text(*stream, "<" + some + ">");
  }
  co_await loop::write_text(*stream, "bye");
}

Task<void> answer_all(loop::Listener& listener, Scope& scope) {
  while (true) {
    auto stream = co_await listener.accept();
    scope.spawn(answer(std::move(stream)));
  }
}

struct World {
  VirtualLoop loop;
  loop::PipeNetwork network{loop};
  ForwardHandler handler{loop, network};
  HttpServer server{loop, Logger::discard(), handler};
  std::unique_ptr<loop::Listener> service = *network.listen_tcp("0.0.0.0", 8080);
  Scope scope{loop};
  World() {
    server.listen(*network.listen_tcp("0.0.0.0", 80));
    scope.spawn(answer_all(*service, scope));
  }
  std::unique_ptr<Stream> request(std::string method, std::string target, std::string headers, std::string& head) {
    auto stream = *loop.run(network.connect_tcp("h", 80));
    std::string text = method + " " + target + " HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n";
    REQUIRE(loop.run(loop::write_text(*stream, text)).ok());
    head = *loop.run(stream->read());
    size_t end = head.find("\r\n\r\n") + 4;
    std::string rest = head.starts_with("HTTP/1.1 101 ") ? head.substr(end) : "";
    return std::make_unique<PrefixedStream>(std::move(stream), std::move(rest));
  }
  std::unique_ptr<SpdyStream> open(SpdySession& session, std::string type, std::string port, std::string request_id) {
    Headers headers;
    headers.add("streamType", type);
    headers.add("port", port);
    if (!request_id.empty()) headers.add("requestID", request_id);
    return *loop.run(session.open(std::move(headers)));
  }
};

std::string websocket_headers(std::string protocol) {
  return "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
         "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: " + protocol + "\r\n";
}

const std::string kSpdy = "Upgrade: SPDY/3.1\r\nConnection: Upgrade\r\nX-Stream-Protocol-Version: portforward.k8s.io\r\n";

Task<void> read_stream(SpdyStream& stream, std::string& out) {
  while (true) {
    auto some = co_await stream.read().result();
    if (!some.ok() || some->empty()) break;
    out += *some;
  }
  out += "|";
}

void check_session(World& world, SpdySession& session) {
  auto error = world.open(session, "error", "8080", "1");
  auto other_error = world.open(session, "error", "8080", "2");
  auto other_data = world.open(session, "data", "8080", "2");
  auto data = world.open(session, "data", "8080", "1");
  std::string got, failed, other;
  world.scope.spawn(read_stream(*data, got));
  world.scope.spawn(read_stream(*error, failed));
  world.scope.spawn(read_stream(*other_data, other));
  world.scope.spawn(data->write("one"));
  world.scope.spawn(other_data->write("two"));
  world.loop.run_until_idle();
  CHECK(got == "<one>");
  CHECK(other == "<two>");
  CHECK(failed.empty());
  world.scope.spawn(data->finish());
  world.loop.run_until_idle();
  CHECK(got == "<one>bye|");
  CHECK(failed == "|");
  CHECK(other == "<two>");
}

TEST_CASE("connections are forwarded over SPDY") {
  World world;
  std::string head;
  auto stream = world.request("POST", "/portForward", kSpdy, head);
  CHECK(head.find("X-Stream-Protocol-Version: portforward.k8s.io\r\n") != std::string::npos);
  SpdySession session(world.loop, std::move(stream), SpdyRole::client);
  check_session(world, session);
}

TEST_CASE("connections are forwarded over SPDY inside a WebSocket") {
  World world;
  std::string head;
  auto stream = world.request("GET", "/portForward", websocket_headers("SPDY/3.1+portforward.k8s.io"), head);
  CHECK(head.find("Sec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io\r\n") != std::string::npos);
  auto socket = std::make_unique<WebSocket>(world.loop, std::move(stream), WebSocketRole::client, "");
  SpdySession session(world.loop, stream_over_websocket(std::move(socket)), SpdyRole::client);
  check_session(world, session);
}

TEST_CASE("streams without a request id belong together by their numbers") {
  World world;
  std::string head;
  SpdySession session(world.loop, world.request("POST", "/portForward", kSpdy, head), SpdyRole::client);
  auto error = world.open(session, "error", "8080", "");
  auto data = world.open(session, "data", "8080", "");
  std::string got;
  world.scope.spawn(read_stream(*data, got));
  world.scope.spawn(data->write("one"));
  world.loop.run_until_idle();
  CHECK(got == "<one>");
}

TEST_CASE("a port nobody listens on is told on the error stream, in kubelet's words") {
  World world;
  std::string head;
  SpdySession session(world.loop, world.request("POST", "/portForward", kSpdy, head), SpdyRole::client);
  auto error = world.open(session, "error", "81", "1");
  auto data = world.open(session, "data", "81", "1");
  std::string got, failed;
  world.scope.spawn(read_stream(*data, got));
  world.scope.spawn(read_stream(*error, failed));
  world.loop.run_until_idle();
  CHECK(got == "|");
  CHECK(failed.starts_with("error forwarding port 81 to pod web-0, uid 17: "));
}

TEST_CASE("streams that make no sense are reset, a pair's half is given up after a while") {
  World world;
  std::string head;
  SpdySession session(world.loop, world.request("POST", "/portForward", kSpdy, head), SpdyRole::client);
  for (auto [type, port] : {std::pair{"data", "0"}, {"data", "x"}, {"data", "65536"}, {"stdin", "80"}}) {
    auto stream = world.open(session, type, port, "9");
    CHECK(world.loop.run(stream->read()).error().is(Code::closed));
  }
  auto error = world.open(session, "error", "8080", "1");
  auto again = world.open(session, "error", "8080", "1");
  CHECK(world.loop.run(again->read()).error().is(Code::closed));
  Mono before = world.loop.now();
  CHECK(*world.loop.run(error->read()) == "timed out waiting for the data stream of the connection");
  CHECK(world.loop.now() - before <= 30s);
}

TEST_CASE("when the client goes, the connections into the pod go") {
  World world;
  std::string head;
  auto session = std::make_unique<SpdySession>(world.loop, world.request("POST", "/portForward", kSpdy, head), SpdyRole::client);
  auto error = world.open(*session, "error", "8080", "1");
  auto data = world.open(*session, "data", "8080", "1");
  world.scope.spawn(data->write("one"));
  world.loop.run_until_idle();
  CHECK(world.scope.size() == 2);  // the listener, one connection
  session.reset();
  world.loop.run_until_idle();
  CHECK(world.scope.size() == 1);
  CHECK(world.server.connections() == 0);
}

Task<void> read_messages(WebSocket& socket, std::vector<std::string>& out) {
  while (true) {
    WebSocketMessage message = co_await socket.read();
    out.push_back(message.payload);
  }
}

TEST_CASE("the old WebSocket protocol forwards a channel pair for each port") {
  World world;
  std::string head;
  auto stream = world.request("GET", "/portForward?port=8080&port=81", websocket_headers("v4.channel.k8s.io"), head);
  WebSocket socket(world.loop, std::move(stream), WebSocketRole::client, "");
  std::vector<std::string> got;
  world.scope.spawn(read_messages(socket, got));
  world.scope.spawn(socket.send(Opcode::binary, std::string(1, '\0') + "one"));
  world.loop.run_until_idle();
  auto channel = [](int number, std::string text) { return std::string(1, static_cast<char>(number)) + text; };
  REQUIRE(got.size() == 6);
  CHECK(got[0] == channel(0, "\x90\x1f"));
  CHECK(got[1] == channel(1, "\x90\x1f"));
  CHECK(got[2] == channel(2, std::string("\x51\0", 2)));
  CHECK(got[3] == channel(3, std::string("\x51\0", 2)));
  CHECK(got[4].starts_with("\x03" "error forwarding port 81 to pod web-0, uid 17: "));
  CHECK(got[5] == channel(0, "<one>"));
}

TEST_CASE("ports of the query are checked before the 101") {
  auto ports = [](std::string query) { return parse_forwarded_ports(*Query::parse(query)); };
  CHECK(*ports("port=80&port=443,8080") == std::vector<uint16_t>{80, 443, 8080});
  for (std::string bad : {"", "port=", "port=0", "port=65536", "port=x", "port=80,"}) CHECK_FALSE(ports(bad).ok());
  World world;
  std::string head;
  world.request("GET", "/portForward", websocket_headers("v4.channel.k8s.io"), head);
  CHECK(head.starts_with("HTTP/1.1 400 "));
  CHECK(head.ends_with("query parameter \"port\" is required"));
}

}  // namespace
}  // namespace orch::wire
