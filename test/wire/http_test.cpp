#include "wire/http.h"

#include <catch2/catch_test_macros.hpp>

#include "wire/gzip.h"
#include "wire/http_parser.h"

namespace orch::wire {
namespace {

TEST_CASE("headers are found in any case, and set replaces all of a name") {
  Headers headers;
  headers.add("Accept", "a");
  headers.add("ACCEPT", "b");
  headers.add("Host", "h");
  CHECK(headers.get("accept") == "a");
  headers.set("aCCept", "c");
  CHECK(headers.all().size() == 2);
  CHECK(headers.get("Accept") == "c");
  CHECK_FALSE(headers.has("X"));
  CHECK(headers.get("X").empty());
}

TEST_CASE("a query is decoded, keeps repeated keys, and knows booleans as Go does") {
  auto query = Query::parse("a=1&b=x%20y+z&a=2&c&d=&&f=False&bad=maybe");
  REQUIRE(query.ok());
  CHECK(query->get("a") == "1");
  CHECK(query->all("a") == std::vector<std::string_view>{"1", "2"});
  CHECK(query->get("b") == "x y z");
  CHECK(query->find("c") == std::string_view());
  CHECK_FALSE(query->find("e"));
  CHECK(*query->flag("a") == true);
  CHECK(*query->flag("c") == true);
  CHECK(*query->flag("f") == false);
  CHECK(*query->flag("absent") == false);
  CHECK_FALSE(query->flag("bad").ok());
  CHECK_FALSE(Query::parse("a=%4").ok());
}

TEST_CASE("targets are split into path and query") {
  Request request;
  request.target = "/api/v1/a%2Fb?x=1?2#f";
  REQUIRE(parse_target(request).ok());
  CHECK(request.path == "/api/v1/a/b");
  CHECK(request.query.get("x") == "1?2");
  request.target = "http://host:1/p?q=http://x";
  REQUIRE(parse_target(request).ok());
  CHECK(request.path == "/p");
  request.target = "http://host";
  REQUIRE(parse_target(request).ok());
  CHECK(request.path == "/");
  request.target = "/p?u=http://x/y";
  REQUIRE(parse_target(request).ok());
  CHECK(request.path == "/p");
  CHECK(request.query.get("u") == "http://x/y");
  request.target = "p";
  CHECK_FALSE(parse_target(request).ok());
}

TEST_CASE("replies are parsed with a length, in chunks, up to the end, and without a body") {
  struct Case {
    std::string bytes;
    int status;
    std::string body;
    bool ends_with_stream;
    bool keep_alive;
  };
  for (const auto& c : {
           Case{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, "abc", false, true},
           Case{"HTTP/1.1 404 x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", 404, "abc", false, true},
           Case{"HTTP/1.1 200 OK\r\n\r\nabc", 200, "abc", true, false},
           Case{"HTTP/1.1 204 No\r\n\r\n", 204, "", false, true},
           Case{"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", 200, "a", false, false},
       }) {
    HttpParser parser(HttpParser::Kind::reply, 4096);
    INFO(c.bytes);
    for (char byte : c.bytes) REQUIRE(parser.feed(std::string_view(&byte, 1)).ok());
    CHECK(parser.complete() == !c.ends_with_stream);
    CHECK(parser.finish().ok());
    CHECK(parser.complete());
    CHECK(parser.status() == c.status);
    CHECK(parser.body() == c.body);
    CHECK(parser.facts().keep_alive == c.keep_alive);
  }
  HttpParser cut(HttpParser::Kind::reply, 4096);
  REQUIRE(cut.feed("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab").ok());
  CHECK_FALSE(cut.finish().ok());
  HttpParser head(HttpParser::Kind::reply, 4096);
  head.expect_no_body();
  REQUIRE(head.feed("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n").ok());
  CHECK(head.complete());
}

TEST_CASE("an informational reply comes before the real one") {
  HttpParser parser(HttpParser::Kind::reply, 4096);
  std::string bytes = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
  auto used = parser.feed(bytes);
  REQUIRE(used.ok());
  CHECK(parser.complete());
  CHECK(parser.status() == 100);
  parser.next();
  REQUIRE(parser.feed(bytes.substr(*used)).ok());
  CHECK(parser.complete());
  CHECK(parser.status() == 200);
}

TEST_CASE("gzip comes back as it was, within limits") {
  std::vector<loop::Chunk> chunks;
  std::string all;
  for (int i = 0; i < 1000; ++i) {
    std::string text = "line " + std::to_string(i * 7919) + "\n";
    all += text;
    chunks.emplace_back(text);
  }
  std::string packed = gzip(chunks, 1);
  CHECK(packed.size() < all.size());
  CHECK(*gunzip(packed, 1 << 20) == all);
  CHECK(gunzip(packed, 100).error().is(Code::too_large));
  CHECK(gunzip(packed.substr(0, packed.size() - 9), 1 << 20).error().is(Code::parse));
  CHECK(gunzip("plain", 100).error().is(Code::parse));
}

}  // namespace
}  // namespace orch::wire
