#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <filesystem>

#include "loop/pipe_network.h"
#include "loop/scope.h"
#include "loop/timeout.h"
#include "loop/uv_network.h"
#include "loop/virtual_loop.h"

namespace orch::loop {
namespace {

// Echoes until the other side ends, then ends too.
Task<void> echo(std::unique_ptr<Stream> stream) {
  while (true) {
    std::string some = co_await stream->read();
    if (some.empty()) break;
    co_await write_text(*stream, some);
  }
  co_await stream->shutdown();
  // Keeps the stream until the other side has gone.
  (void)co_await stream->read().result();
}

Task<void> accept_all(Listener& listener, Scope& scope) {
  while (true) {
    auto stream = co_await listener.accept();
    scope.spawn(echo(std::move(stream)));
  }
}

Task<std::string> ask(std::unique_ptr<Stream> stream, std::string text) {
  std::vector<Chunk> chunks;
  chunks.emplace_back(text.substr(0, text.size() / 2));
  chunks.emplace_back(std::make_shared<const std::string>(text.substr(text.size() / 2)));
  co_await stream->write(std::move(chunks));
  co_await stream->shutdown();
  co_return co_await read_all(*stream, 64 << 20);
}

Task<std::string> ask_tcp(Network& network, std::string host, uint16_t port, std::string text) {
  auto stream = co_await network.connect_tcp(host, port);
  co_return co_await ask(std::move(stream), text);
}

Task<std::string> ask_unix(Network& network, std::string path, std::string text) {
  auto stream = co_await network.connect_unix(path);
  co_return co_await ask(std::move(stream), text);
}

template <class T>
Task<void> into(Task<T> task, std::optional<Result<T>>& out) {
  out.emplace(co_await std::move(task).result());
}

template <class T>
Result<T> run(UvLoop& loop, Task<T> task) {
  std::optional<Result<T>> out;
  auto ran = loop.run(with_timeout(loop, into(std::move(task), out), 20s));
  if (!ran.ok()) return std::move(ran).error();
  return std::move(*out);
}
template <class T>
Result<T> run(VirtualLoop& loop, Task<T> task) {
  return loop.run(std::move(task));
}

template <class L>
void check_tcp(L& loop, Network& network) {
  auto listener = network.listen_tcp("127.0.0.1", 0);
  REQUIRE(listener.ok());
  Scope scope(loop);
  scope.spawn(accept_all(**listener, scope));
  auto port = (*listener)->port();
  CHECK(port != 0);
  for (const char* host : {"127.0.0.1", "localhost"}) {
    auto answer = run(loop, ask_tcp(network, host, port, "hello"));
    REQUIRE(answer.ok());
    CHECK(*answer == "hello");
  }
  auto again = network.listen_tcp("127.0.0.1", port);
  REQUIRE_FALSE(again.ok());
  CHECK(again.error().error_number() == EADDRINUSE);
  (*listener)->close();
  loop.defer([] {});
  auto refused = run(loop, ask_tcp(network, "127.0.0.1", port, "x"));
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().error_number() == ECONNREFUSED);
}

TEST_CASE("tcp: connect, talk, end; a used port and a closed one are refused") {
  UvLoop loop;
  UvNetwork network(loop);
  check_tcp(loop, network);
}

TEST_CASE("the network in memory behaves the same") {
  VirtualLoop loop;
  PipeNetwork network(loop);
  check_tcp(loop, network);
}

TEST_CASE("megabytes go through a socket with back-pressure") {
  UvLoop loop;
  UvNetwork network(loop);
  auto listener = network.listen_tcp("::1", 0);
  if (!listener.ok()) listener = network.listen_tcp("127.0.0.1", 0);
  REQUIRE(listener.ok());
  std::string big;
  for (int i = 0; i < 1'000'000; ++i) big += static_cast<char>('a' + i % 26);
  auto exchange = [](Network& n, Listener& l, std::string text) -> Task<std::string> {
    auto client = co_await n.connect_tcp("localhost", l.port()).result();
    if (!client.ok()) client = co_await n.connect_tcp("::1", l.port()).result();
    std::unique_ptr<Stream> stream = co_await std::move(client);
    auto server = co_await l.accept();
    std::vector<Chunk> chunks;
    for (int i = 0; i < 8; ++i) chunks.emplace_back(text);
    co_await stream->write(std::move(chunks));
    co_await stream->shutdown();
    co_return co_await read_all(*server, 64 << 20);
  };
  // Nobody reads while the writer waits: it must not return before the kernel has the bytes.
  auto stuck = loop.run(with_timeout(loop, [](Task<std::string> t) -> Task<void> {
    (void)co_await std::move(t);
  }(exchange(network, **listener, big)), 300ms));
  REQUIRE_FALSE(stuck.ok());
  CHECK(stuck.error().is(Code::timeout));
  Scope scope(loop);
  scope.spawn(accept_all(**listener, scope));
  auto writer = [](UvNetwork& n, uint16_t port, std::string text) -> Task<std::string> {
    auto client = co_await n.connect_tcp("localhost", port).result();
    if (!client.ok()) client = co_await n.connect_tcp("::1", port).result();
    std::unique_ptr<Stream> stream = co_await std::move(client);
    co_await write_text(*stream, text.substr(0, 100'000));
    std::string all;
    while (all.size() < 100'000) {
      std::string some = co_await stream->read();
      all += some;
    }
    co_return std::move(all);
  };
  auto echoed = run(loop, writer(network, (*listener)->port(), big));
  REQUIRE(echoed.ok());
  CHECK(*echoed == big.substr(0, 100'000));
}

TEST_CASE("a unix socket is for its owner only, and a stale one is replaced") {
  auto directory = std::filesystem::temp_directory_path() / ("orch-loop-" + std::to_string(getpid()));
  std::filesystem::create_directories(directory);
  std::string path = directory / "s.sock";
  UvLoop loop;
  UvNetwork network(loop);
  {
    auto listener = network.listen_unix(path);
    REQUIRE(listener.ok());
    struct stat info {};
    REQUIRE(stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0600);
    Scope scope(loop);
    scope.spawn(accept_all(**listener, scope));
    auto answer = run(loop, ask_unix(network, path, "hello"));
    REQUIRE(answer.ok());
    CHECK(*answer == "hello");
    CHECK_FALSE(network.listen_unix(path).ok());
    // What a killed process leaves: the file without a listener.
    std::filesystem::rename(path, path + ".kept");
  }
  std::filesystem::rename(path + ".kept", path);
  auto again = network.listen_unix(path);
  CHECK(again.ok());
  CHECK_FALSE(network.listen_unix(directory / std::string(200, 'x')).ok());
  std::filesystem::remove_all(directory);
}

TEST_CASE("a name without an address fails, and asks the resolver where there is one") {
  UvLoop loop;
  UvNetwork plain(loop);
  auto failed = run(loop, ask_tcp(plain, "no-such-name.invalid", 1, ""));
  REQUIRE_FALSE(failed.ok());
  CHECK(failed.error().is(Code::not_found));
  UvNetwork resolving(loop, [](std::string name) -> Task<std::vector<std::string>> {
    std::vector<std::string> addresses;
    if (name == "here.invalid") addresses.emplace_back("127.0.0.1");
    co_return std::move(addresses);
  });
  auto listener = resolving.listen_tcp("127.0.0.1", 0);
  REQUIRE(listener.ok());
  Scope scope(loop);
  scope.spawn(accept_all(**listener, scope));
  auto answer = run(loop, ask_tcp(resolving, "here.invalid", (*listener)->port(), "x"));
  REQUIRE(answer.ok());
  CHECK(*answer == "x");
}

TEST_CASE("a hosts file is read as hosts(5) says") {
  std::string file = "# a comment\n127.0.0.1\tlocalhost\n10.0.0.1  Node-1.example node-1 # more\n\n::1 localhost";
  CHECK(find_in_hosts(file, "localhost") == std::vector<std::string>{"127.0.0.1", "::1"});
  CHECK(find_in_hosts(file, "NODE-1") == std::vector<std::string>{"10.0.0.1"});
  CHECK(find_in_hosts(file, "more").empty());
  CHECK(find_in_hosts("", "x").empty());
}

Task<void> read_fails_with(Stream& stream, std::optional<Code>& code) {
  auto result = co_await stream.read().result();
  if (!result.ok()) code = result.error().code();
}

TEST_CASE("closing a stream ends its waiting read with closed") {
  UvLoop uv;
  UvNetwork network(uv);
  auto listener = network.listen_tcp("127.0.0.1", 0);
  REQUIRE(listener.ok());
  auto stream = run(uv, network.connect_tcp("127.0.0.1", (*listener)->port()));
  REQUIRE(stream.ok());
  std::optional<Code> code;
  Scope scope(uv);
  scope.spawn(read_fails_with(**stream, code));
  (*stream)->close();
  CHECK(uv.run(with_timeout(uv, scope.join(), 10s)).ok());
  CHECK(code == Code::closed);

  VirtualLoop loop;
  auto ends = make_pipe(loop);
  code.reset();
  Scope pipes(loop);
  pipes.spawn(read_fails_with(*ends.first, code));
  ends.first->close();
  loop.run_until_idle();
  CHECK(code == Code::closed);
}

Task<void> write_then_note(Stream& stream, std::string text, bool& done) {
  co_await write_text(stream, text);
  done = true;
}

TEST_CASE("a writer to a full pipe waits until the other side reads") {
  VirtualLoop loop;
  auto ends = make_pipe(loop, 10);
  bool done = false;
  Scope scope(loop);
  scope.spawn(write_then_note(*ends.first, "0123456789abc", done));
  loop.run_until_idle();
  CHECK_FALSE(done);
  CHECK(*loop.run(ends.second->read()) == "0123456789");
  loop.run_until_idle();
  CHECK(done);
  CHECK(*loop.run(ends.second->read()) == "abc");
}

}  // namespace
}  // namespace orch::loop
