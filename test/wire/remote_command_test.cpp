#include "wire/remote_command.h"

#include <catch2/catch_test_macros.hpp>

#include "base/text.h"
#include "data/json.h"
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

// A command: says what it was told on stdin and how large its window became, then ends with exit code 3.
class CommandHandler final : public Handler {
 public:
  explicit CommandHandler(loop::Loop& loop) : loop_(loop) {}
  CommandChannels channels{true, true, true, false};
  bool was_gone = false;

  Task<void> handle(Request request, Peer, Responder& responder) override {
    auto accepted = co_await accept_remote_command(loop_, request, responder, channels).result();
    if (!accepted.ok()) {
      std::vector<loop::Chunk> body;
      body.emplace_back(accepted.error().message());
      co_return co_await responder.send(code_info(accepted.error().code()).http_status, Headers(), std::move(body));
    }
    auto command = std::move(*accepted);
    Scope scope(loop_);
    scope.spawn(sizes(*command));
    scope.spawn(watch(*command));
    std::string all;
    while (true) {
      std::string some = co_await command->read_input();
      if (some.empty()) break;
      all += some;
      if (all.ends_with("\n")) break;  // before v5 a WebSocket cannot end it
    }
    co_await command->write(CommandChannel::output, "out " + all);
    co_await command->write(CommandChannel::error, "err " + all);
    if (!size_.empty()) co_await command->write(CommandChannel::output, size_);
    co_await command->finish(command_exited("[cat]", 3));
  }
  size_t max_body(const Request&) const override { return 0; }

 private:
  Task<void> sizes(RemoteCommand& command) {
    while (true) {
      WindowSize size = co_await command.read_size();
      size_ = std::to_string(size.columns) + "x" + std::to_string(size.rows);
    }
  }
  Task<void> watch(RemoteCommand& command) {
    co_await command.gone();
    was_gone = true;
  }
  loop::Loop& loop_;
  std::string size_;
};

struct World {
  VirtualLoop loop;
  loop::PipeNetwork network{loop};
  CommandHandler handler{loop};
  HttpServer server{loop, Logger::discard(), handler};
  Scope scope{loop};
  World() { server.listen(*network.listen_tcp("0.0.0.0", 80)); }

  std::unique_ptr<Stream> request(std::string method, std::string headers, std::string& head) {
    auto stream = *loop.run(network.connect_tcp("h", 80));
    REQUIRE(loop.run(loop::write_text(*stream, method + " /exec HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n")).ok());
    head = *loop.run(stream->read());
    size_t end = head.find("\r\n\r\n") + 4;
    std::string rest = head.starts_with("HTTP/1.1 101 ") ? head.substr(end) : "";
    return std::make_unique<PrefixedStream>(std::move(stream), std::move(rest));
  }
};

std::string websocket_headers(std::string protocol) {
  return "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
         "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: " + protocol + "\r\n";
}

std::string spdy_headers(std::string protocol) {
  return "Upgrade: SPDY/3.1\r\nConnection: Upgrade\r\nContent-Length: 0\r\nX-Stream-Protocol-Version: " + protocol + "\r\n";
}

Task<void> read_messages(WebSocket& socket, std::vector<std::string>& out) {
  while (true) {
    WebSocketMessage message = co_await socket.read();
    out.push_back(message.payload);
  }
}

std::string channel(int number, std::string text) { return std::string(1, static_cast<char>(number)) + text; }

const std::string kStatusJson = format_json(command_exited("[cat]", 3));
const std::string kStatusText = "command terminated with non-zero exit code: error executing command [cat], exit code 3";

TEST_CASE("a command over each WebSocket subprotocol") {
  struct Case {
    std::string protocol;
    bool base64, json;
  };
  for (const auto& c : {Case{"v5.channel.k8s.io", false, true}, Case{"v4.channel.k8s.io", false, true},
                        Case{"v4.base64.channel.k8s.io", true, true}, Case{"v3.channel.k8s.io", false, false},
                        Case{"v2.channel.k8s.io", false, false}, Case{"channel.k8s.io", false, false},
                        Case{"base64.channel.k8s.io", true, false}}) {
    INFO(c.protocol);
    World world;
    std::string head;
    auto stream = world.request("GET", websocket_headers(c.protocol), head);
    CHECK(head.starts_with("HTTP/1.1 101 "));
    WebSocket socket(world.loop, std::move(stream), WebSocketRole::client, c.protocol);
    std::vector<std::string> got;
    world.scope.spawn(read_messages(socket, got));
    auto wrap = [&](int number, std::string text) {
      return c.base64 ? std::to_string(number) + encode_base64(text) : channel(number, text);
    };
    Opcode opcode = c.base64 ? Opcode::text : Opcode::binary;
    world.scope.spawn(socket.send(opcode, wrap(4, "{\"Width\":132,\"Height\":43}")));
    world.scope.spawn(socket.send(opcode, wrap(0, "hello\n")));
    world.loop.run_until_idle();
    std::vector<std::string> expected = {wrap(1, ""), wrap(1, "out hello\n"), wrap(2, "err hello\n"), wrap(1, "132x43"),
                                         wrap(3, c.json ? kStatusJson : kStatusText)};
    CHECK(got == expected);
    CHECK(world.handler.was_gone);
  }
}

TEST_CASE("a v5 client ends its input, and its window size is heard of") {
  World world;
  std::string head;
  auto stream = world.request("GET", websocket_headers("v5.channel.k8s.io"), head);
  WebSocket socket(world.loop, std::move(stream), WebSocketRole::client, "v5.channel.k8s.io");
  std::vector<std::string> got;
  world.scope.spawn(read_messages(socket, got));
  world.scope.spawn(socket.send(Opcode::binary, channel(4, "{\"Width\":132,\"Height\":43}")));
  world.scope.spawn(socket.send(Opcode::binary, channel(0, "no newline")));
  world.loop.run_until_idle();
  CHECK(std::exchange(got, {}) == std::vector<std::string>{channel(1, "")});  // says that it is connected
  world.scope.spawn(socket.send(Opcode::binary, channel(255, std::string(1, '\0'))));
  world.loop.run_until_idle();
  std::vector<std::string> expected = {channel(1, "out no newline"), channel(2, "err no newline"), channel(1, "132x43"),
                                       channel(3, kStatusJson)};
  CHECK(got == expected);
}

TEST_CASE("channels the client did not ask for stay silent") {
  World world;
  world.handler.channels = {true, true, true, true};  // a terminal: no error channel
  std::string head;
  auto stream = world.request("GET", websocket_headers("v5.channel.k8s.io"), head);
  WebSocket socket(world.loop, std::move(stream), WebSocketRole::client, "");
  std::vector<std::string> got;
  world.scope.spawn(read_messages(socket, got));
  world.scope.spawn(socket.send(Opcode::binary, channel(0, "x\n")));
  world.loop.run_until_idle();
  CHECK(got == std::vector<std::string>{channel(1, ""), channel(1, "out x\n"), channel(3, kStatusJson)});
}

Task<void> read_stream(SpdyStream& stream, std::string& out) {
  while (true) {
    auto some = co_await stream.read().result();
    if (!some.ok() || some->empty()) break;
    out += *some;
  }
  out += "|";
}

TEST_CASE("a command over each SPDY protocol") {
  struct Case {
    std::string protocol;
    bool json, resize;
  };
  for (const auto& c : {Case{"v4.channel.k8s.io", true, true}, Case{"v3.channel.k8s.io", false, true},
                        Case{"v2.channel.k8s.io", false, false}, Case{"channel.k8s.io", false, false}}) {
    INFO(c.protocol);
    World world;
    std::string head;
    auto stream = world.request("POST", spdy_headers("v9.channel.k8s.io, " + c.protocol), head);
    CHECK(head.starts_with("HTTP/1.1 101 "));
    CHECK(head.find("Upgrade: SPDY/3.1\r\n") != std::string::npos);
    CHECK(head.find("X-Stream-Protocol-Version: " + c.protocol + "\r\n") != std::string::npos);
    SpdySession session(world.loop, std::move(stream), SpdyRole::client);
    std::vector<std::unique_ptr<SpdyStream>> streams;
    std::vector<std::string> got(4);
    for (std::string type : {"error", "stdin", "stdout", "stderr"}) {
      Headers headers;
      headers.add("streamType", type);
      streams.push_back(*world.loop.run(session.open(std::move(headers))));
      if (type != "stdin") world.scope.spawn(read_stream(*streams.back(), got[streams.size() - 1]));
    }
    world.scope.spawn(streams[1]->write("hello"));
    world.scope.spawn(streams[1]->finish());
    world.loop.run_until_idle();
    CHECK(got[0] == (c.json ? kStatusJson : kStatusText) + "|");
    CHECK(got[2] == "out hello|");
    CHECK(got[3] == "err hello|");
    CHECK(world.loop.run(session.close()).ok());
    world.loop.run_until_idle();
    CHECK(world.server.connections() == 0);
  }
}

TEST_CASE("a SPDY client with a terminal sends its window's sizes") {
  World world;
  world.handler.channels = {true, true, false, true};
  std::string head;
  auto stream = world.request("POST", spdy_headers("v4.channel.k8s.io"), head);
  SpdySession session(world.loop, std::move(stream), SpdyRole::client);
  std::map<std::string, std::unique_ptr<SpdyStream>> streams;
  for (std::string type : {"error", "stdin", "stdout", "resize"}) {
    Headers headers;
    headers.add("streamType", type);
    streams[type] = *world.loop.run(session.open(std::move(headers)));
  }
  std::string got;
  world.scope.spawn(read_stream(*streams["stdout"], got));
  world.scope.spawn(streams["resize"]->write("{\"Width\":80,\"Hei"));
  world.loop.run_until_idle();
  world.scope.spawn(streams["resize"]->write("ght\":24}\n{\"Width\":100,\"Height\":30}\n"));
  world.loop.run_until_idle();
  world.scope.spawn(streams["stdin"]->finish());
  world.loop.run_until_idle();
  CHECK(got == "out 100x30|");
}

TEST_CASE("a client that goes away is noticed, and its command's input ends") {
  for (bool spdy : {false, true}) {
    World world;
    std::string head;
    auto stream = spdy ? world.request("POST", spdy_headers("v4.channel.k8s.io"), head)
                       : world.request("GET", websocket_headers("v5.channel.k8s.io"), head);
    if (spdy) {
      SpdySession session(world.loop, std::move(stream), SpdyRole::client);
      std::vector<std::unique_ptr<SpdyStream>> streams;
      for (std::string type : {"error", "stdin", "stdout", "stderr"}) {
        Headers headers;
        headers.add("streamType", type);
        streams.push_back(*world.loop.run(session.open(std::move(headers))));
      }
    }
    stream.reset();
    world.loop.run_until_idle();
    CHECK(world.server.connections() == 0);
  }
}

TEST_CASE("a client that never opens its streams is given up") {
  World world;
  std::string head;
  auto stream = world.request("POST", spdy_headers("v4.channel.k8s.io"), head);
  Mono before = world.loop.now();
  CHECK(world.loop.run(stream->read()).ok());
  CHECK(world.loop.now() - before == 30s);
}

TEST_CASE("requests that are no upgrade, or for unknown protocols, are refused before the 101") {
  struct Case {
    std::string headers, status, body;
  };
  for (const auto& c :
       {Case{"", "400", "Upgrade request required"},
        Case{spdy_headers("v9.channel.k8s.io"), "403",
             "unable to upgrade: unable to negotiate protocol: client supports [v9.channel.k8s.io], server accepts "
             "[v5.channel.k8s.io v4.channel.k8s.io v3.channel.k8s.io v2.channel.k8s.io channel.k8s.io]"}}) {
    World world;
    std::string head;
    world.request("POST", c.headers, head);
    CHECK(head.starts_with("HTTP/1.1 " + c.status));
    CHECK(head.ends_with(c.body));
  }
  World world;
  world.handler.channels = {};
  std::string head;
  world.request("POST", spdy_headers("v4.channel.k8s.io"), head);
  CHECK(head.ends_with("you must specify at least 1 of stdin, stdout, stderr"));
}

TEST_CASE("a Status says with which exit code a command ended") {
  CHECK(exit_code_of(command_succeeded()) == 0);
  CHECK(exit_code_of(command_exited("[x]", 0)) == 0);
  CHECK(exit_code_of(command_exited("[x]", 137)) == 137);
  CHECK(exit_code_of(command_failed("no")) == std::nullopt);
  CHECK(format_json(command_exited("[x]", 2)) ==
        "{\"details\":{\"causes\":[{\"message\":\"2\",\"reason\":\"ExitCode\"}]},\"message\":\"command terminated with "
        "non-zero exit code: error executing command [x], exit code 2\",\"metadata\":{},\"reason\":\"NonZeroExitCode\","
        "\"status\":\"Failure\"}");
}

TEST_CASE("window sizes: what is no document is skipped, what never ends is dropped") {
  WindowSizeParser parser;
  parser.feed("garbage}{\"Width\":70000,\"Height\":-1}");
  auto size = parser.take();
  REQUIRE(size.has_value());
  CHECK(size->columns == 65535);
  CHECK(size->rows == 0);
  CHECK_FALSE(parser.take().has_value());
  parser.feed(std::string(5000, '{'));
  parser.feed("{\"Width\":1,\"Height\":2}");
  CHECK(parser.take()->rows == 2);
}

}  // namespace
}  // namespace orch::wire
