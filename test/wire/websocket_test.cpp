#include "wire/websocket.h"

#include <catch2/catch_test_macros.hpp>

#include "base/random.h"
#include "loop/pipe_network.h"
#include "loop/scope.h"
#include "loop/virtual_loop.h"
#include "wire/http_server.h"

namespace orch::wire {
namespace {

using loop::Scope;
using loop::Stream;
using loop::Task;
using loop::VirtualLoop;

using Role = WebSocketRole;

std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (int value : values) text += static_cast<char>(value);
  return text;
}

std::optional<WebSocketMessage> parse(Role role, std::string input, size_t limit = 1000) {
  WebSocketParser parser(role, limit);
  parser.feed(input);
  auto next = parser.next();
  REQUIRE(next.ok());
  return *next;
}

TEST_CASE("the examples of RFC 6455 section 5.7 are read and written") {
  auto hello = bytes({0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f});
  CHECK(encode_frame(Opcode::text, "Hello") == hello);
  CHECK(parse(Role::client, hello)->payload == "Hello");
  auto masked = bytes({0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58});
  CHECK(encode_frame(Opcode::text, "Hello", 0x37fa213d) == masked);
  CHECK(parse(Role::server, masked)->payload == "Hello");
  WebSocketParser parser(Role::client, 1000);
  parser.feed(bytes({0x01, 0x03, 0x48, 0x65, 0x6c}));
  CHECK_FALSE(parser.next()->has_value());
  parser.feed(encode_frame(Opcode::ping, "between"));
  CHECK((*parser.next())->opcode == Opcode::ping);
  parser.feed(bytes({0x80, 0x02, 0x6c, 0x6f}));
  auto whole = *parser.next();
  CHECK(whole->opcode == Opcode::text);
  CHECK(whole->payload == "Hello");
  CHECK(encode_frame(Opcode::binary, std::string(256, 'x')).substr(0, 4) == bytes({0x82, 0x7E, 0x01, 0x00}));
  CHECK(encode_frame(Opcode::binary, std::string(65536, 'x')).substr(0, 10) ==
        bytes({0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0}));
}

TEST_CASE("the accept key is the one of RFC 6455 section 1.3") {
  CHECK(websocket_accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST_CASE("messages of any size come back, however their bytes are cut") {
  auto seed = 20251121u;
  INFO("seed " << seed);
  SeededRandom random(seed);
  for (int round = 0; round < 50; ++round) {
    std::vector<std::string> sent;
    std::string stream;
    for (int i = 0; i < 5; ++i) {
      std::string payload(random.below(70'000), static_cast<char>('a' + i));
      sent.push_back(payload);
      stream += encode_frame(Opcode::binary, payload, static_cast<uint32_t>(random.next()));
    }
    WebSocketParser parser(Role::server, 70'000);
    std::vector<std::string> got;
    while (!stream.empty()) {
      size_t size = 1 + random.below(20'000);
      parser.feed(stream.substr(0, size));
      stream.erase(0, size);
      while (true) {
        auto next = parser.next();
        REQUIRE(next.ok());
        if (!*next) break;
        got.push_back((*next)->payload);
      }
    }
    CHECK(got == sent);
  }
}

TEST_CASE("what breaks the protocol is refused") {
  struct Case {
    Role role;
    std::string input;
    Code code;
  };
  for (const auto& c : {
           Case{Role::server, encode_frame(Opcode::text, "x"), Code::parse},                     // not masked
           Case{Role::client, encode_frame(Opcode::text, "x", 1), Code::parse},                  // masked
           Case{Role::client, bytes({0xC1, 0x00}), Code::parse},                                 // reserved bit
           Case{Role::client, bytes({0x83, 0x00}), Code::parse},                                 // opcode 3
           Case{Role::client, bytes({0x80, 0x00}), Code::parse},                                 // continues nothing
           Case{Role::client, bytes({0x01, 0x00, 0x81, 0x00}), Code::parse},                     // interrupts
           Case{Role::client, bytes({0x09, 0x00}), Code::parse},                                 // ping in parts
           Case{Role::client, bytes({0x89, 0x7E, 0x00, 0x80}), Code::parse},                     // large ping
           Case{Role::client, bytes({0x88, 0x01, 0x03}), Code::parse},                           // half a code
           Case{Role::client, bytes({0x81, 0x01, 0xFF}), Code::parse},                           // not UTF-8
           Case{Role::client, bytes({0x82, 0x7F, 0xFF, 0, 0, 0, 0, 0, 0, 0}), Code::too_large},  // 2^63
           Case{Role::client, bytes({0x82, 0x7E, 0x03, 0xE9}), Code::too_large},                 // 1001
       }) {
    WebSocketParser parser(c.role, 1000);
    parser.feed(c.input);
    auto next = parser.next();
    if (next.ok() && !*next) next = parser.next();
    REQUIRE_FALSE(next.ok());
    CHECK(next.error().is(c.code));
  }
}

TEST_CASE("fragments add up towards the limit") {
  WebSocketParser parser(Role::client, 1000);
  std::string piece = encode_frame(Opcode::continuation, std::string(400, 'x'));
  piece[0] = 0;  // not the last
  std::string first = piece;
  first[0] = 2;
  parser.feed(first + piece + piece);
  auto next = parser.next();
  REQUIRE_FALSE(next.ok());
  CHECK(next.error().is(Code::too_large));
}

// Echoes with the protocol's name in front.
class EchoHandler final : public Handler {
 public:
  explicit EchoHandler(loop::Loop& loop) : loop_(loop) {}
  Task<void> handle(Request request, Peer, Responder& responder) override {
    std::vector<std::string> protocols = {"v5.channel.k8s.io", "v4.channel.k8s.io"};
    auto accepted = co_await accept_websocket(loop_, request, responder, protocols).result();
    if (!accepted.ok()) co_return co_await responder.send(400, Headers(), {});
    auto socket = std::move(*accepted);
    while (true) {
      WebSocketMessage message = co_await socket->read();
      co_await socket->send(message.opcode, socket->protocol() + " " + message.payload);
    }
  }
  size_t max_body(const Request&) const override { return 0; }

 private:
  loop::Loop& loop_;
};

Task<void> read_some(Stream& stream, std::string& out) {
  while (true) {
    std::string some = co_await stream.read();
    out += some;
    if (some.empty()) co_return;
  }
}

struct World {
  VirtualLoop loop;
  loop::PipeNetwork network{loop};
  EchoHandler handler{loop};
  HttpServer server{loop, Logger::discard(), handler};
  std::unique_ptr<Stream> stream;
  std::string got;
  Scope scope{loop};
  World() {
    server.listen(*network.listen_tcp("0.0.0.0", 80));
    stream = *loop.run(network.connect_tcp("h", 80));
    scope.spawn(read_some(*stream, got));
  }
  std::string send(std::string text) {
    scope.spawn(loop::write_text(*stream, std::move(text)));
    loop.run_until_idle();
    return std::exchange(got, {});
  }
};

const std::string kHandshake =
    "GET /x HTTP/1.1\r\nHost: h\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

TEST_CASE("a handshake through the server, then messages, a ping and the end") {
  World world;
  std::string reply = world.send(kHandshake + "Sec-WebSocket-Protocol: v9, v4.channel.k8s.io\r\n\r\n" +
                                 encode_frame(Opcode::text, "early", 7));
  CHECK(reply.starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
  CHECK(reply.find("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") != std::string::npos);
  CHECK(reply.find("Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n") != std::string::npos);
  CHECK(reply.ends_with(encode_frame(Opcode::text, "v4.channel.k8s.io early")));
  CHECK(world.send(encode_frame(Opcode::ping, "p", 1) + encode_frame(Opcode::binary, "b", 2)) ==
        encode_frame(Opcode::pong, "p") + encode_frame(Opcode::binary, "v4.channel.k8s.io b"));
  CHECK(world.send(encode_frame(Opcode::close, close_payload(1000, "bye"), 3)) ==
        encode_frame(Opcode::close, close_payload(1000, "")));
  CHECK(world.server.connections() == 0);
}

TEST_CASE("a broken frame is answered with the code for it") {
  World world;
  world.send(kHandshake + "\r\n");
  std::string reply = world.send(encode_frame(Opcode::text, "not masked"));
  REQUIRE(reply.size() > 4);
  CHECK(close_code_of(reply.substr(2)) == CloseCode::protocol_error);
}

TEST_CASE("handshakes without a key, of another version or for unknown subprotocols are refused") {
  for (std::string rest : {"Sec-WebSocket-Key: short\r\nSec-WebSocket-Version: 13\r\n",
                           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n",
                           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                           "Sec-WebSocket-Protocol: v9\r\n"}) {
    World world;
    std::string head = "GET /x HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    CHECK(world.send(head + rest + "\r\n").starts_with("HTTP/1.1 400 "));
  }
}

}  // namespace
}  // namespace orch::wire
