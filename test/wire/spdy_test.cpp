#include "wire/spdy.h"

#include <catch2/catch_test_macros.hpp>

#include "base/random.h"
#include "loop/pipe_network.h"
#include "loop/scope.h"
#include "loop/virtual_loop.h"
#include "support/golden.h"
#include "wire/spdy_session.h"

namespace orch::wire {
namespace {

using loop::Scope;
using loop::Task;
using loop::VirtualLoop;

std::string hex(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

std::string describe(const SpdyFrame& frame) {
  std::string text = std::to_string(static_cast<int>(frame.type)) + " stream " + std::to_string(frame.stream);
  if (frame.fin) text += " fin";
  if (frame.unidirectional) text += " unidirectional";
  text += " " + std::to_string(frame.value) + "/" + std::to_string(frame.associated) + "/" + std::to_string(frame.priority);
  for (const auto& [name, value] : frame.headers.all()) text += " " + name + "=" + value;
  for (const auto& [id, value] : frame.settings) text += " " + std::to_string(id) + ":" + std::to_string(value);
  return text + " " + frame.payload;
}

std::vector<SpdyFrame> parse(SpdyParser& parser, std::string_view bytes) {
  parser.feed(bytes);
  std::vector<SpdyFrame> frames;
  while (true) {
    auto next = parser.next();
    REQUIRE(next.ok());
    if (!*next) return frames;
    frames.push_back(std::move(**next));
  }
}

SpdyFrame open_frame(uint32_t stream, std::string type) {
  SpdyFrame frame;
  frame.type = SpdyType::syn_stream;
  frame.stream = stream;
  frame.headers.add("streamType", std::move(type));
  return frame;
}

TEST_CASE("the fixed parts of frames are those of the draft") {
  SpdyWriter writer;
  SpdyFrame frame;
  frame.stream = 1;
  frame.fin = true;
  frame.payload = "hi";
  CHECK(writer.format(frame) == hex("00000001" "01" "000002") + "hi");
  frame = SpdyFrame();
  frame.type = SpdyType::ping;
  frame.value = 7;
  CHECK(writer.format(frame) == hex("80030006" "00" "000004" "00000007"));
  frame.type = SpdyType::rst_stream;
  frame.stream = 3;
  frame.value = SpdyReset::cancel;
  CHECK(writer.format(frame) == hex("80030003" "00" "000008" "00000003" "00000005"));
  CHECK(writer.format(open_frame(5, "stdin")).substr(0, 8 - 3) == hex("80030001" "00"));
}

TEST_CASE("header names are lower case on the wire and several values are kept") {
  SpdyWriter writer;
  SpdyParser parser;
  SpdyFrame frame = open_frame(1, "error");
  frame.headers.add("X", "a");
  frame.headers.add("x", "b");
  auto frames = parse(parser, writer.format(frame));
  REQUIRE(frames.size() == 1);
  CHECK(describe(frames[0]) == "1 stream 1 0/0/0 streamtype=error x=a x=b ");
  CHECK(frames[0].headers.get("streamType") == "error");
}

// fuzz/corpus/spdy/portforward was written with Python's zlib and the dictionary inside kubectl.
TEST_CASE("what another implementation compressed is read") {
  SpdyParser parser;
  auto frames = parse(parser, test::read_test_file("fuzz/corpus/spdy/portforward"));
  REQUIRE(frames.size() == 5);
  CHECK(describe(frames[0]) == "1 stream 1 0/0/0 port=80 requestid=0 streamtype=error ");
  CHECK(describe(frames[1]) == "1 stream 3 0/0/0 port=80 requestid=0 streamtype=data ");
  CHECK(describe(frames[2]) == "0 stream 1 fin 0/0/0 ");
  CHECK(frames[3].payload == "GET / HTTP/1.0\r\n\r\n");
  CHECK(describe(frames[4]) == "3 stream 3 5/0/0 ");
}

TEST_CASE("any frames come back, however their bytes are cut") {
  uint64_t seed = 20261128;
  INFO("seed " << seed);
  SeededRandom random(seed);
  static constexpr SpdyType kTypes[] = {SpdyType::data,     SpdyType::syn_stream, SpdyType::syn_reply,
                                        SpdyType::settings, SpdyType::rst_stream, SpdyType::ping,
                                        SpdyType::goaway,   SpdyType::headers,    SpdyType::window_update};
  for (int round = 0; round < 50; ++round) {
    SpdyWriter writer;
    SpdyParser parser;
    std::string bytes;
    std::vector<std::string> sent;
    for (int i = 0; i < 20; ++i) {
      SpdyFrame frame;
      frame.type = kTypes[random.below(std::size(kTypes))];
      frame.stream = frame.type == SpdyType::ping || frame.type == SpdyType::settings ? 0 : 1 + static_cast<uint32_t>(random.below(9));
      bool with_headers = frame.type == SpdyType::syn_stream || frame.type == SpdyType::syn_reply || frame.type == SpdyType::headers;
      if (with_headers || frame.type == SpdyType::data) frame.fin = random.below(2) == 1;
      if (frame.type == SpdyType::syn_stream) frame.priority = static_cast<uint8_t>(random.below(8));
      if (with_headers) frame.headers.add("h" + std::to_string(random.below(5)), std::string(random.below(3000), 'v'));
      if (frame.type == SpdyType::data) frame.payload = std::string(random.below(5000), static_cast<char>('a' + i));
      if (frame.type == SpdyType::settings) frame.settings.emplace_back(kSpdyInitialWindowSetting, 5);
      if (!with_headers && frame.type != SpdyType::data && frame.type != SpdyType::settings) {
        frame.value = static_cast<uint32_t>(random.below(1000));
      }
      bytes += writer.format(frame);
      sent.push_back(describe(frame));
    }
    std::vector<std::string> got;
    std::string pending;
    while (!bytes.empty()) {
      size_t size = 1 + random.below(3000);
      for (SpdyFrame& frame : parse(parser, std::string_view(bytes).substr(0, size))) {
        bool continues = frame.type == SpdyType::data && !got.empty() && got.back().ends_with("...");
        if (continues) got.pop_back();
        pending = continues ? pending + frame.payload : frame.payload;
        frame.payload = pending;
        got.push_back(describe(frame));
        bool whole = frame.type != SpdyType::data || got.back() == sent[got.size() - 1];
        if (!whole) got.back() += "...";
      }
      bytes.erase(0, std::min(size, bytes.size()));
    }
    CHECK(got == sent);
  }
}

TEST_CASE("frames that break SPDY are refused") {
  SpdyWriter writer;
  std::string block = writer.format(open_frame(1, "x"));
  std::string damaged = block;
  damaged[20] ^= 0x55;
  struct Case {
    std::string why, input;
    Code code;
  };
  for (const auto& c : {
           Case{"version 2", hex("80020006" "00" "000004" "00000001"), Code::parse},
           Case{"data of stream 0", hex("00000000" "00" "000000"), Code::parse},
           Case{"a ping of 5 bytes", hex("80030006" "00" "000005" "0000000100"), Code::parse},
           Case{"a reset of stream 0", hex("80030003" "00" "000008" "0000000000000001"), Code::parse},
           Case{"settings that lack entries", hex("80030004" "00" "000004" "00000001"), Code::parse},
           Case{"settings counted to overflow", hex("80030004" "00" "000004" "20000000"), Code::parse},
           Case{"an open frame without its numbers", hex("80030001" "00" "000004" "00000001"), Code::parse},
           Case{"a damaged header block", damaged, Code::parse},
           Case{"a control frame of 16 MiB", hex("80030008" "00" "FFFFFF"), Code::too_large},
       }) {
    INFO(c.why);
    SpdyParser parser;
    parser.feed(c.input);
    auto next = parser.next();
    REQUIRE_FALSE(next.ok());
    CHECK(next.error().is(c.code));
  }
  SpdyParser tolerant;
  CHECK(parse(tolerant, hex("80030005" "00" "000004" "00000001") + hex("80030063" "00" "000000")).empty());
}

TEST_CASE("a header block cannot blow up") {
  SpdyWriter writer;
  SpdyFrame frame = open_frame(1, std::string(1 << 20, 'x'));
  std::string bytes = writer.format(frame);
  CHECK(bytes.size() < 8000);
  SpdyParser parser;
  parser.feed(bytes);
  CHECK(parser.next().error().is(Code::too_large));
  frame = open_frame(3, "x");
  for (int i = 0; i < 200; ++i) frame.headers.add("h" + std::to_string(i), "v");
  SpdyWriter other;
  SpdyParser many;
  many.feed(other.format(frame));
  CHECK(many.next().error().is(Code::too_large));
}

// --- Sessions -------------------------------------------------------------------------------------

// Sends back what comes, stream by stream, with the stream's type in front.
Task<void> echo(std::unique_ptr<SpdyStream> stream) {
  std::string hello(stream->headers().get("streamtype"));
  co_await stream->write(hello + ":");
  while (true) {
    std::string some = co_await stream->read();
    if (some.empty()) break;
    co_await stream->write(std::move(some));
  }
  co_await stream->finish();
}

Task<void> echo_all(SpdySession& session, Scope& scope) {
  while (true) {
    auto stream = co_await session.accept();
    scope.spawn(echo(std::move(stream)));
  }
}

Task<std::string> exchange(SpdySession& session, std::string type, std::string text) {
  Headers headers;
  headers.add("streamType", std::move(type));
  auto stream = co_await session.open(std::move(headers));
  co_await stream->write(std::move(text));
  co_await stream->finish();
  std::string all;
  while (true) {
    std::string some = co_await stream->read();
    if (some.empty()) co_return std::move(all);
    all += some;
  }
}

struct World {
  VirtualLoop loop;
  std::pair<std::unique_ptr<loop::Stream>, std::unique_ptr<loop::Stream>> pipe = loop::make_pipe(loop);
  SpdySession server{loop, std::move(pipe.first), SpdyRole::server};
  SpdySession client{loop, std::move(pipe.second), SpdyRole::client};
  Scope scope{loop};
  World() { scope.spawn(echo_all(server, scope)); }
};

Task<void> collect(SpdySession& session, std::string type, std::string text, std::vector<std::string>& out) {
  std::string got = co_await exchange(session, std::move(type), std::move(text));
  out.push_back(std::move(got));
}

TEST_CASE("streams of one session carry their bytes beside each other") {
  World world;
  std::vector<std::string> got;
  for (std::string type : {"a", "b", "c"}) {
    world.scope.spawn(collect(world.client, type, std::string(40'000, type[0]), got));
  }
  world.loop.run_until_idle();
  REQUIRE(got.size() == 3);
  for (const auto& text : got) CHECK(text == text.substr(0, 1) + ":" + std::string(40'000, text[0]));
}

TEST_CASE("more than a window goes through both ways") {
  World world;
  std::vector<std::string> got;
  world.scope.spawn(collect(world.client, "x", std::string(900'000, 'y'), got));
  world.loop.run_until_idle();
  REQUIRE(got.size() == 1);
  CHECK(got[0].size() == 900'002);
}

// A peer of bytes: what a foreign implementation could send.
struct RawWorld {
  VirtualLoop loop;
  std::pair<std::unique_ptr<loop::Stream>, std::unique_ptr<loop::Stream>> pipe = loop::make_pipe(loop, 1 << 20);
  SpdySession server;
  SpdyWriter writer;
  SpdyParser parser;
  std::string got;
  Scope scope{loop};
  explicit RawWorld(SpdySessionLimits limits = {}) : server(loop, std::move(pipe.first), SpdyRole::server, limits) {
    auto read = [](loop::Stream& stream, std::string& out) -> Task<void> {
      while (true) {
        std::string some = co_await stream.read();
        if (some.empty()) co_return;
        out += some;
      }
    };
    scope.spawn(read(*pipe.second, got));
  }
  std::vector<SpdyFrame> send(const SpdyFrame& frame) { return send_bytes(writer.format(frame)); }
  std::vector<SpdyFrame> send_bytes(std::string bytes) {
    scope.spawn(loop::write_text(*pipe.second, std::move(bytes)));
    loop.run_until_idle();
    return parse(parser, std::exchange(got, {}));
  }
};

TEST_CASE("a ping of the peer's is answered, an answer to ours is not") {
  RawWorld world;
  SpdyFrame ping;
  ping.type = SpdyType::ping;
  ping.value = 9;
  auto frames = world.send(ping);
  REQUIRE(frames.size() == 1);
  CHECK(describe(frames[0]) == describe(ping));
  ping.value = 10;
  CHECK(world.send(ping).empty());
}

TEST_CASE("stream numbers that go down or are ours are reset, too many streams refused") {
  SpdySessionLimits limits;
  limits.max_streams = 2;
  RawWorld world(limits);
  CHECK(describe(world.send(open_frame(3, "a")).at(0)) == "2 stream 3 0/0/0 ");
  CHECK(describe(world.send(open_frame(1, "b")).at(0)) == "3 stream 1 1/0/0 ");
  CHECK(describe(world.send(open_frame(2, "b")).at(0)) == "3 stream 2 1/0/0 ");
  CHECK(describe(world.send(open_frame(5, "b")).at(0)) == "2 stream 5 0/0/0 ");
  CHECK(describe(world.send(open_frame(7, "c")).at(0)) == "3 stream 7 3/0/0 ");
}

TEST_CASE("data after the end of a stream resets it") {
  RawWorld world;
  world.send(open_frame(1, "a"));
  SpdyFrame data;
  data.stream = 1;
  data.payload = "x";
  data.fin = true;
  CHECK(world.send(data).empty());
  CHECK(describe(world.send(data).at(0)) == "3 stream 1 9/0/0 ");
}

TEST_CASE("a reset by the peer ends reads and writes of that stream only") {
  RawWorld world;
  world.send(open_frame(1, "a"));
  world.send(open_frame(3, "b"));
  auto first = *world.loop.run(world.server.accept());
  auto second = *world.loop.run(world.server.accept());
  SpdyFrame reset;
  reset.type = SpdyType::rst_stream;
  reset.stream = 1;
  reset.value = SpdyReset::cancel;
  world.send(reset);
  CHECK(world.loop.run(first->read()).error().is(Code::closed));
  CHECK(world.loop.run(first->write("x")).error().is(Code::closed));
  CHECK(world.loop.run(second->write("x")).ok());
}

TEST_CASE("a reset behind the peer's end leaves what came before it") {
  RawWorld world;
  world.send(open_frame(1, "a"));
  auto stream = *world.loop.run(world.server.accept());
  SpdyFrame data;
  data.stream = 1;
  data.payload = "last words";
  data.fin = true;
  world.send(data);
  SpdyFrame reset;
  reset.type = SpdyType::rst_stream;
  reset.stream = 1;
  reset.value = SpdyReset::cancel;
  world.send(reset);
  CHECK(*world.loop.run(stream->read()) == "last words");
  CHECK(world.loop.run(stream->read())->empty());
  CHECK(world.loop.run(stream->write("x")).error().is(Code::closed));
}

TEST_CASE("windows hold back a writer once the peer has shown that it has some") {
  RawWorld world;
  SpdyFrame settings;
  settings.type = SpdyType::settings;
  settings.settings.emplace_back(kSpdyInitialWindowSetting, 10);
  world.send(settings);
  world.send(open_frame(1, "a"));
  auto stream = *world.loop.run(world.server.accept());
  world.scope.spawn(stream->write("0123456789abcdef"));
  world.loop.run_until_idle();
  CHECK(parse(world.parser, std::exchange(world.got, {})).at(0).payload == "0123456789");
  SpdyFrame update;
  update.type = SpdyType::window_update;
  update.stream = 1;
  update.value = 3;
  CHECK(world.send(update).at(0).payload == "abc");
  update.value = 100;
  CHECK(world.send(update).at(0).payload == "def");
}

TEST_CASE("a session whose streams nobody reads stops reading, and goes on when they are") {
  SpdySessionLimits limits;
  limits.max_unread = 10'000;
  RawWorld world(limits);
  world.send(open_frame(1, "a"));
  auto stream = *world.loop.run(world.server.accept());
  SpdyFrame data;
  data.stream = 1;
  data.payload = std::string(4'000, 'x');
  for (int i = 0; i < 100; ++i) world.send(data);
  SpdyFrame ping;
  ping.type = SpdyType::ping;
  ping.value = 1;
  CHECK(world.send(ping).empty());
  size_t total = 0;
  while (total < 400'000) {
    auto some = world.loop.run(stream->read());
    REQUIRE(some.ok());
    CHECK(some->size() <= 200'000);
    total += some->size();
  }
  world.loop.run_until_idle();
  auto frames = parse(world.parser, std::exchange(world.got, {}));
  CHECK(frames.back().type == SpdyType::ping);
}

TEST_CASE("bytes that are no SPDY end the session with GOAWAY and every stream with an error") {
  RawWorld world;
  world.send(open_frame(1, "a"));
  auto stream = *world.loop.run(world.server.accept());
  auto frames = world.send_bytes(hex("80020006" "00" "000004" "00000001"));
  REQUIRE(frames.size() == 1);
  CHECK(describe(frames[0]) == "7 stream 1 1/0/0 ");
  CHECK_FALSE(world.loop.run(stream->read()).ok());
  CHECK_FALSE(world.loop.run(world.server.accept()).ok());
}

TEST_CASE("streams outlive their session as closed ones") {
  VirtualLoop loop;
  auto pipe = loop::make_pipe(loop);
  auto server = std::make_unique<SpdySession>(loop, std::move(pipe.first), SpdyRole::server);
  auto client = std::make_unique<SpdySession>(loop, std::move(pipe.second), SpdyRole::client);
  auto stream = *loop.run(client->open(Headers()));
  client.reset();
  loop.run_until_idle();
  CHECK(loop.run(stream->read()).error().is(Code::closed));
  auto other = loop.run(server->accept());
  REQUIRE(other.ok());
  CHECK(loop.run((*other)->read()).error().is(Code::closed));
  CHECK(loop.run(server->ended()).ok());
}

TEST_CASE("closing waits for the peer, but not for ever") {
  World world;
  Mono before = world.loop.now();
  CHECK(world.loop.run(world.server.close()).ok());
  CHECK(world.loop.now() == before);  // the client saw the end, and ended
  RawWorld deaf;
  before = deaf.loop.now();
  CHECK(deaf.loop.run(deaf.server.close()).ok());
  CHECK(deaf.loop.now() - before == 5s);
  CHECK(parse(deaf.parser, deaf.got).at(0).type == SpdyType::goaway);
}

}  // namespace
}  // namespace orch::wire
