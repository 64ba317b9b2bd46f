#include "wire/http_server.h"

#include <catch2/catch_test_macros.hpp>
#include <functional>

#include "loop/pipe_network.h"
#include "loop/scope.h"
#include "loop/virtual_loop.h"
#include "wire/gzip.h"

namespace orch::wire {
namespace {

using loop::Chunk;
using loop::PipeNetwork;
using loop::Scope;
using loop::Stream;
using loop::Task;
using loop::VirtualLoop;

std::vector<Chunk> one(std::string text) {
  std::vector<Chunk> chunks;
  chunks.emplace_back(std::move(text));
  return chunks;
}

// Answers by path; remembers what it saw.
class TestHandler final : public Handler {
 public:
  explicit TestHandler(loop::Loop& loop) : loop_(loop) {}

  Task<void> handle(Request request, Peer, Responder& responder) override {
    seen.push_back(request.method + " " + request.path + " " + request.body);
    Headers headers;
    headers.add("Content-Type", "text/plain");
    if (request.path == "/slow") co_await loop::sleep(loop_, 5s);
    if (request.path == "/fail") co_await loop::fail(Error::make(Code::internal, "no"));
    if (request.path == "/silent") co_return;
    if (request.path == "/big") co_return co_await responder.send(200, headers, one(big));
    if (request.path == "/stream") co_return co_await stream(responder, headers);
    if (request.path == "/watch") co_return co_await watch(responder, headers);
    if (request.path == "/torn") {
      co_await responder.start(200, headers);
      co_await responder.write(one("half"));
      co_await loop::fail(Error::make(Code::internal, "torn"));
    }
    if (request.path == "/upgrade") co_return co_await upgrade(responder);
    if (request.path == "/none") co_return co_await responder.send(204, Headers(), {});
    headers.add("X-Query", std::string(request.query.get("q")));
    co_await responder.send(200, headers, one("body of " + request.path + request.body));
  }
  size_t max_body(const Request& head) const override { return head.path == "/upload" ? 1000 : 100; }

  std::vector<std::string> seen;
  std::string big = std::string(300'000, 'x');
  int watch_events = 0;
  bool watch_saw_gone = false;

 private:
  Task<void> stream(Responder& responder, Headers headers) {
    co_await responder.start(200, headers);
    co_await responder.write(one("hello "));
    std::vector<Chunk> two = one("wor");
    two.emplace_back(std::make_shared<const std::string>("ld"));
    co_await responder.write(std::move(two));
    co_await responder.write({});
    co_await responder.finish();
  }
  // Ends when the client goes.
  Task<void> watch(Responder& responder, Headers headers) {
    co_await responder.start(200, headers);
    Scope scope(loop_);
    scope.spawn(send_events(responder));
    co_await responder.client_gone();
    watch_saw_gone = true;
  }
  Task<void> send_events(Responder& responder) {
    while (true) {
      co_await responder.write(one(std::string(1000, 'e')));
      ++watch_events;
      co_await loop::sleep(loop_, 1s);
    }
  }
  Task<void> upgrade(Responder& responder) {
    Headers headers;
    headers.add("Connection", "Upgrade");
    headers.add("Upgrade", "echo");
    co_await responder.start(101, headers);
    auto stream = responder.upgrade();
    std::string first = co_await stream->read();
    co_await loop::write_text(*stream, "echo " + first);
  }
  loop::Loop& loop_;
};

struct Server {
  VirtualLoop loop;
  PipeNetwork network{loop};
  TestHandler handler{loop};
  HttpServer server;
  explicit Server(ServerOptions options = {}) : server(loop, Logger::discard(), handler, options) {
    server.listen(*network.listen_tcp("0.0.0.0", 80));
  }
  std::unique_ptr<Stream> connect() { return std::move(*loop.run(network.connect_tcp("h", 80))); }
};

struct Read {
  std::string text;
  bool ended = false;
};
Task<void> read_into(Stream& stream, Read& read) {
  while (true) {
    auto some = co_await stream.read().result();
    if (!some.ok() || some->empty()) break;
    read.text += *some;
  }
  read.ended = true;
}

// Sends the bytes and collects what comes until nothing more happens (no time passes).
class Client {
 public:
  explicit Client(Server& server) : server_(server), stream_(server.connect()), scope_(server.loop) {
    scope_.spawn(read_into(*stream_, read_));
  }
  std::string send(std::string bytes) {
    scope_.spawn(loop::write_text(*stream_, std::move(bytes)));
    server_.loop.run_until_idle();
    return take();
  }
  std::string wait(Duration duration) {
    server_.loop.run_for(duration);
    return take();
  }
  std::string take() { return std::exchange(read_.text, {}); }
  bool ended() const { return read_.ended; }
  void close() { stream_->close(); }

 private:
  Server& server_;
  Read read_;
  std::unique_ptr<Stream> stream_;
  Scope scope_;
};

const std::string kDate = "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n";

TEST_CASE("a request is answered, byte for byte, and the connection stays") {
  Server server;
  Client client(server);
  CHECK(client.send("GET /a%20b?q=x%2By&z HTTP/1.1\r\nHost: h\r\n\r\n") ==
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Query: x+y\r\n" + kDate +
            "Content-Length: 12\r\n\r\nbody of /a b");
  CHECK_FALSE(client.ended());
  CHECK(client.send("GET /none HTTP/1.1\r\nHost: h\r\n\r\n") == "HTTP/1.1 204 No Content\r\n" + kDate + "\r\n");
  CHECK(server.server.connections() == 1);
}

TEST_CASE("the same request is understood however its bytes are cut") {
  std::string bytes = "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
  for (size_t cut = 1; cut < bytes.size(); ++cut) {
    Server server;
    Client client(server);
    client.send(bytes.substr(0, cut));
    std::string reply = client.send(bytes.substr(cut));
    INFO("cut at " << cut);
    CHECK(reply.ends_with("body of /phello"));
  }
}

TEST_CASE("pipelined requests are answered in order") {
  Server server;
  Client client(server);
  std::string reply = client.send(
      "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nPOST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nxxGET /3 HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(server.handler.seen == std::vector<std::string>{"GET /1 ", "POST /2 xx", "GET /3 "});
  auto at1 = reply.find("body of /1"), at2 = reply.find("body of /2xx"), at3 = reply.find("body of /3");
  CHECK(at1 < at2);
  CHECK(at2 < at3);
  CHECK(at3 != std::string::npos);
}

TEST_CASE("chunked requests are put together, also with extensions and trailers") {
  Server server;
  Client client(server);
  std::string reply = client.send(
      "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: v\r\n\r\n");
  CHECK(reply.ends_with("body of /cabcde"));
}

TEST_CASE("a streamed reply is chunked, and raw for HTTP/1.0") {
  Server server;
  Client client(server);
  CHECK(client.send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n") ==
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" + kDate +
            "Transfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n");
  Client old(server);
  CHECK(old.send("GET /stream HTTP/1.0\r\n\r\n") ==
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" + kDate + "Connection: close\r\n\r\nhello world");
  CHECK(old.ended());
}

TEST_CASE("HEAD gets the head of the reply and nothing else") {
  Server server;
  Client client(server);
  std::string reply = client.send("HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(reply.find("Content-Length: 10\r\n") != std::string::npos);
  CHECK(reply.ends_with("\r\n\r\n"));
  reply = client.send("HEAD /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(reply.ends_with("\r\n\r\n"));
  CHECK_FALSE(client.ended());
}

TEST_CASE("Connection: close and HTTP/1.0 end the connection after the reply") {
  for (std::string request : {"GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "GET /x HTTP/1.0\r\n\r\n"}) {
    Server server;
    Client client(server);
    std::string reply = client.send(request);
    CHECK(reply.find("Connection: close\r\n") != std::string::npos);
    CHECK(reply.ends_with("body of /x"));
    CHECK(client.ended());
  }
}

TEST_CASE("what is not HTTP, or could be read in two ways, gets 400 and the end") {
  for (std::string bytes : {
           "\x16\x03\x01\x02garbage\r\n\r\n",
           "GET / HTTP/1.1\r\n\r\n",  // no Host
           "GET nopath HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET / HTTP/1.1\r\nHost : h\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
           "GET / HTTP/1.1\rHost: h\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: h\r\nX: a\nb: c\r\n\r\n",
       }) {
    Server server;
    Client client(server);
    std::string reply = client.send(bytes);
    INFO(bytes);
    CHECK(reply.starts_with("HTTP/1.1 400 Bad Request\r\n"));
    client.wait(3s);
    CHECK(client.ended());
    CHECK(server.handler.seen.empty());
  }
}

TEST_CASE("bodies past the handler's limit are refused: by their length at once, by counting when chunked") {
  Server server;
  Client client(server);
  std::string reply = client.send("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 104857600\r\n\r\n");
  CHECK(reply.starts_with("HTTP/1.1 413 "));
  CHECK(reply.find("Connection: close") != std::string::npos);
  Client chunked(server);
  std::string start = "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  CHECK(chunked.send(start + "32\r\n" + std::string(50, 'a') + "\r\n").empty());
  CHECK(chunked.send("33\r\n" + std::string(51, 'a') + "\r\n").starts_with("HTTP/1.1 413 "));
  Client allowed(server);
  CHECK(allowed.send("POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n" + std::string(1000, 'a'))
            .starts_with("HTTP/1.1 200 "));
  CHECK(server.handler.seen.size() == 1);
}

TEST_CASE("a chunked body of endless framing is refused too") {
  Server server;
  Client client(server);
  client.send("POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  std::string reply;
  for (int i = 0; i < 100 && reply.empty(); ++i) reply = client.send("1;" + std::string(5000, 'x') + "\r\na\r\n");
  CHECK(reply.starts_with("HTTP/1.1 413 "));
}

TEST_CASE("a head past its limit gets 431") {
  Server server;
  Client client(server);
  std::string reply = client.send("GET / HTTP/1.1\r\nHost: h\r\n");
  for (int i = 0; i < 20 && reply.empty(); ++i) reply = client.send("X: " + std::string(5000, 'a') + "\r\n");
  CHECK(reply.starts_with("HTTP/1.1 431 "));
  Client many(server);
  std::string fields;
  for (int i = 0; i < 300; ++i) fields += "A:\r\n";
  CHECK(many.send("GET / HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n").starts_with("HTTP/1.1 431 "));
}

TEST_CASE("100-continue is said before the body comes, and not for a refused one") {
  Server server;
  Client client(server);
  std::string head = "POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n";
  CHECK(client.send(head + "Content-Length: 3\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  CHECK(client.send("abc").ends_with("body of /xabc"));
  CHECK(client.send(head + "Content-Length: 999\r\n\r\n").starts_with("HTTP/1.1 413 "));
  Client other(server);
  CHECK(other.send("POST /x HTTP/1.1\r\nHost: h\r\nExpect: tea\r\nContent-Length: 3\r\n\r\n").starts_with("HTTP/1.1 417 "));
}

TEST_CASE("a handler that fails or says nothing is a 500, and the connection goes on") {
  Server server;
  Client client(server);
  CHECK(client.send("GET /fail HTTP/1.1\r\nHost: h\r\n\r\n").starts_with("HTTP/1.1 500 "));
  CHECK(client.send("GET /silent HTTP/1.1\r\nHost: h\r\n\r\n").starts_with("HTTP/1.1 500 "));
  CHECK_FALSE(client.ended());
}

TEST_CASE("a reply that breaks off half-way is cut off, not ended") {
  Server server;
  Client client(server);
  std::string reply = client.send("GET /torn HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(reply.ends_with("4\r\nhalf\r\n"));
  CHECK(client.ended());
}

TEST_CASE("a head that does not come to its end in time ends the connection, however it trickles") {
  Server server;
  Client client(server);
  client.send("GET / HTTP/1.1\r\n");
  for (int i = 0; i < 9; ++i) {
    client.send("X-" + std::to_string(i) + ": y\r\n");
    client.wait(1s);
    CHECK_FALSE(client.ended());
  }
  client.send("X: y\r\n");
  client.wait(2s);
  CHECK(client.ended());
  CHECK(server.server.connections() == 0);
}

TEST_CASE("an idle connection is closed after the idle timeout and not before") {
  Server server;
  Client client(server);
  client.send("GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
  client.wait(149s);
  CHECK_FALSE(client.ended());
  client.wait(2s);
  CHECK(client.ended());
}

TEST_CASE("a body that stalls ends the connection") {
  Server server;
  Client client(server);
  client.send("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
  client.wait(59s);
  CHECK_FALSE(client.ended());
  client.wait(2s);
  CHECK(client.ended());
}

TEST_CASE("a watch ends when its client goes") {
  Server server;
  Client client(server);
  client.send("GET /watch HTTP/1.1\r\nHost: h\r\n\r\n");
  client.wait(3s);
  CHECK(server.handler.watch_events == 4);
  client.close();
  client.wait(1s);
  CHECK(server.handler.watch_saw_gone);
  CHECK(server.server.connections() == 0);
}

TEST_CASE("a watcher that never reads makes its writer wait, and is dropped in the end") {
  Server server;
  auto stream = server.connect();
  REQUIRE(server.loop.run(loop::write_text(*stream, "GET /watch HTTP/1.1\r\nHost: h\r\n\r\n")).ok());
  // The pipe takes 64 KiB, which is 64 events of some 1,007 bytes; then the writer waits.
  server.loop.run_for(100s);
  CHECK(server.handler.watch_events == 64);
  server.loop.run_for(60s);
  CHECK(server.server.connections() == 0);
}

TEST_CASE("bytes sent during a watch are kept for later, up to a limit") {
  Server server;
  Client client(server);
  client.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\nGET /next HTTP/1.1\r\nHost: h\r\n\r\n");
  std::string reply = client.wait(6s);
  CHECK(reply.find("body of /slow") != std::string::npos);
  CHECK(reply.find("body of /next") != std::string::npos);
}

TEST_CASE("large replies are gzipped for those who accept it") {
  Server server;
  Client client(server);
  std::string reply = client.send("GET /big HTTP/1.1\r\nHost: h\r\nAccept-Encoding: br, gzip;q=0.5\r\n\r\n");
  CHECK(reply.find("Content-Encoding: gzip\r\n") != std::string::npos);
  auto body = reply.substr(reply.find("\r\n\r\n") + 4);
  CHECK(reply.find("Content-Length: " + std::to_string(body.size()) + "\r\n") != std::string::npos);
  auto text = gunzip(body, 1'000'000);
  REQUIRE(text.ok());
  CHECK(*text == server.handler.big);
  for (std::string accept : {"", "Accept-Encoding: gzip;q=0\r\n", "Accept-Encoding: br\r\n"}) {
    reply = client.send("GET /big HTTP/1.1\r\nHost: h\r\n" + accept + "\r\n");
    CHECK(reply.find("Content-Encoding") == std::string::npos);
    CHECK(reply.ends_with(server.handler.big));
  }
}

TEST_CASE("after an upgrade the handler has the stream, with what came early") {
  Server server;
  Client client(server);
  std::string reply = client.send("GET /upgrade HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly");
  CHECK(reply.starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
  CHECK(reply.find("Transfer-Encoding") == std::string::npos);
  CHECK(reply.ends_with("\r\n\r\necho early"));
  CHECK(client.ended());
  Client declined(server);
  CHECK(declined.send("GET /x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nGET /y HTTP/1.1\r\nHost: h\r\n\r\n")
            .find("body of /y") != std::string::npos);
}

TEST_CASE("no more connections than the limit are served at once") {
  ServerOptions options;
  options.max_connections = 2;
  Server server(options);
  Client first(server), second(server), third(server);
  std::string request = "GET /x HTTP/1.1\r\nHost: h\r\n\r\n";
  CHECK_FALSE(first.send(request).empty());
  CHECK_FALSE(second.send(request).empty());
  CHECK(third.send(request).empty());
  first.close();
  CHECK(third.wait(1s).starts_with("HTTP/1.1 200 OK"));
}

TEST_CASE("stopping closes idle connections, lets requests finish and refuses new ones") {
  Server server;
  Client idle(server), busy(server);
  idle.send("GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
  busy.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
  auto start = server.loop.now();
  CHECK(server.loop.run(server.server.stop(60s)).ok());
  CHECK(server.loop.now() - start <= 8s);
  CHECK(idle.ended());
  std::string reply = busy.take();
  CHECK(reply.ends_with("body of /slow"));
  CHECK(reply.find("Connection: close\r\n") != std::string::npos);
  CHECK_FALSE(server.loop.run(server.network.connect_tcp("h", 80)).ok());
}

TEST_CASE("stopping ends watches at once") {
  Server server;
  Client watch(server);
  watch.send("GET /watch HTTP/1.1\r\nHost: h\r\n\r\n");
  auto start = server.loop.now();
  CHECK(server.loop.run(server.server.stop(10s)).ok());
  CHECK(server.loop.now() - start <= 2s);
  CHECK(server.handler.watch_saw_gone);
}

TEST_CASE("stopping cuts off what does not end in time") {
  Server server;
  Client slow(server);
  slow.send("GET /slow HTTP/1.1\r\nHost: h\r\n\r\n");
  auto start = server.loop.now();
  CHECK(server.loop.run(server.server.stop(3s)).ok());
  CHECK(server.loop.now() - start <= 4s);
  CHECK(server.server.connections() == 0);
}

TEST_CASE("a thousand idle connections come and go") {
  Server server;
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 1000; ++i) clients.push_back(std::make_unique<Client>(server));
  for (auto& client : clients) client->send("GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(server.server.connections() == 1000);
  clients.clear();
  server.loop.run_until_idle();
  CHECK(server.server.connections() == 0);
}

}  // namespace
}  // namespace orch::wire
