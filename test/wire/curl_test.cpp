// The server as curl and openssl see it: a real loop, real sockets, the programs on a worker thread.

#include <unistd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "loop/timeout.h"
#include "loop/uv_network.h"
#include "wire/http_client.h"
#include "wire/http_server.h"

namespace orch::wire {
namespace {

using loop::Chunk;
using loop::Task;
using loop::UvLoop;
using loop::UvNetwork;

class Handler_ final : public Handler {
 public:
  Task<void> handle(Request request, Peer peer, Responder& responder) override {
    Headers headers;
    std::vector<Chunk> body;
    if (request.path == "/big") {
      body.emplace_back(std::string(1'000'000, 'x'));
      co_return co_await responder.send(200, headers, std::move(body));
    }
    if (request.path == "/stream") {
      co_await responder.start(200, headers);
      body.emplace_back(std::string("a stream"));
      co_await responder.write(std::move(body));
      co_return co_await responder.finish();
    }
    body.emplace_back(request.method + " " + request.path + " " + std::to_string(request.body.size()) + " " +
                      peer.common_name);
    co_await responder.send(200, headers, std::move(body));
  }
  size_t max_body(const Request&) const override { return 3'000'000; }
};

std::string output_of(std::string command) {
  std::string text;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (!pipe) return "popen failed";
  std::array<char, 4096> piece;
  while (size_t count = fread(piece.data(), 1, piece.size(), pipe)) text.append(piece.data(), count);
  pclose(pipe);
  return text;
}

bool has_program(const char* name) {
  return std::system((std::string("command -v ") + name + " >/dev/null 2>&1").c_str()) == 0;
}

// A server over TLS, and its keys in files.
struct World {
  std::filesystem::path directory =
      std::filesystem::temp_directory_path() / ("orch-curl-" + std::to_string(getpid()));
  UvLoop loop;
  UvNetwork network{loop};
  Handler_ handler;
  HttpServer server{loop, Logger::discard(), handler};
  uint16_t port = 0;

  World() {
    std::filesystem::create_directories(directory);
    auto now = loop.wall();
    auto ca = *make_ca("test-ca", now);
    LeafRequest leaf;
    leaf.common_name = "server";
    leaf.ip_addresses = {"127.0.0.1"};
    leaf.for_server = true;
    TlsContext::Server config;
    config.identity = *issue(ca, leaf, now);
    config.client_ca_pem = ca.certificate_pem;
    leaf.common_name = "alice";
    leaf.for_client = true;
    auto client = *issue(ca, leaf, now);
    write("ca.pem", ca.certificate_pem);
    write("client.pem", client.certificate_pem);
    write("client.key", client.key_pem);
    auto listener = *network.listen_tcp("127.0.0.1", 0);
    port = listener->port();
    server.listen(std::move(listener), std::make_shared<TlsServer>(*TlsContext::server(config)));
  }
  ~World() { std::filesystem::remove_all(directory); }
  void write(const std::string& name, const std::string& text) { std::ofstream(directory / name) << text; }
  std::string url(const std::string& path) const { return "https://127.0.0.1:" + std::to_string(port) + path; }

  std::string run(std::string command) {
    std::string out;
    auto ran = loop.run(loop::with_timeout(loop, run_into(loop, "cd " + directory.string() + " && " + command, out), 30s));
    REQUIRE(ran.ok());
    return out;
  }
  static Task<void> run_into(UvLoop& loop, std::string command, std::string& out) {
    auto work = [command] { return output_of(command); };
    out = co_await loop::offload(loop, work);
  }
};

TEST_CASE("curl gets, posts, streams and reuses its connection, with and without a certificate") {
  if (!has_program("curl")) SKIP("no curl");
  World world;
  std::string curl = "curl -sS --max-time 20 --cacert ca.pem ";
  CHECK(world.run(curl + world.url("/x")) == "GET /x 0 ");
  CHECK(world.run(curl + "--cert client.pem --key client.key " + world.url("/x")) == "GET /x 0 alice");
  CHECK(world.run(curl + "--tls-max 1.2 --cert client.pem --key client.key " + world.url("/x")) == "GET /x 0 alice");
  CHECK(world.run(curl + world.url("/a") + " " + world.url("/b") + " -w '%{num_connects} '") == "GET /a 0 1 GET /b 0 0 ");
  CHECK(world.run(curl + world.url("/stream")) == "a stream");
  CHECK(world.run(curl + "--compressed -o big -w '%{size_download} ' " + world.url("/big") + " && wc -c <big").find("1000000\n") !=
        std::string::npos);
  world.write("body", std::string(2'000'000, 'b'));
  CHECK(world.run(curl + "--data-binary @body " + world.url("/p")) == "POST /p 2000000 ");
  CHECK(world.run(curl + "-H 'Transfer-Encoding: chunked' -T body " + world.url("/p")) == "PUT /p 2000000 ");
  world.write("body", std::string(5'000'000, 'b'));
  CHECK(world.run(curl + "-o /dev/null -w '%{http_code}' --data-binary @body " + world.url("/p")) == "413");
  CHECK(world.run(curl + "-I " + world.url("/x")).starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(world.run("curl -sS --max-time 20 " + world.url("/x")).find("certificate") != std::string::npos);
}

TEST_CASE("openssl agrees on protocol, name and ALPN, and old TLS is refused") {
  if (!has_program("openssl")) SKIP("no openssl");
  World world;
  std::string connect = "openssl s_client -CAfile ca.pem -verify_ip 127.0.0.1 -connect 127.0.0.1:" + std::to_string(world.port);
  std::string out = world.run(connect + " -alpn h2,http/1.1 </dev/null");
  CHECK(out.find("Verification: OK") != std::string::npos);
  CHECK(out.find("ALPN protocol: http/1.1") != std::string::npos);
  CHECK(out.find("TLSv1.3") != std::string::npos);
  CHECK(world.run(connect + " -tls1_1 </dev/null").find("Cipher is (NONE)") != std::string::npos);
}

Task<void> call_into(HttpClient& client, std::optional<Result<Reply>>& out) {
  ClientRequest request;
  request.target = "/big";
  out.emplace(co_await client.call(std::move(request)).result());
}

TEST_CASE("our client talks to our server over sockets") {
  World world;
  TlsContext::Client config;
  config.ca_pem = output_of("cat " + (world.directory / "ca.pem").string());
  HttpClient client(world.loop, world.network, *parse_endpoint(world.url("")), *TlsContext::client(config));
  std::optional<Result<Reply>> reply;
  REQUIRE(world.loop.run(loop::with_timeout(world.loop, call_into(client, reply), 20s)).ok());
  REQUIRE(reply->ok());
  CHECK((*reply)->body.size() == 1'000'000);
}

}  // namespace
}  // namespace orch::wire
