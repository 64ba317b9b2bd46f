// HTTP requests and replies: no input crashes the parser, and cutting the input elsewhere changes
// nothing about what is understood.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wire/http_parser.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using orch::wire::HttpParser;

constexpr size_t kMaxHead = 4096;
constexpr size_t kMaxBody = 4096;

// Everything that is understood, as text.
std::string understand(HttpParser::Kind kind, std::string_view bytes, size_t piece) {
  HttpParser parser(kind, kMaxHead);
  std::string seen;
  bool limited = false;
  while (!bytes.empty()) {
    auto used = parser.feed(bytes.substr(0, piece));
    if (!used.ok()) return "error";  // the head before it may or may not have been looked at
    bytes.remove_prefix(*used);
    if (parser.head_done() && !limited) {
      limited = true;
      auto& request = parser.request();
      if (kind == HttpParser::Kind::request && orch::wire::parse_target(request).ok()) seen += request.path + "?";
      seen += request.method + " " + request.target + "\n";
      for (const auto& [name, value] : request.headers.all()) seen += name + ": " + value + "\n";
    }
    if (parser.body().size() > kMaxBody) return seen + "large";
    if (!parser.complete()) continue;
    seen += "body " + parser.body() + "\n";
    bool more = parser.facts().keep_alive && !parser.facts().upgrade;
    parser.next();
    limited = false;
    if (!more) return seen + "end";
  }
  return seen + (parser.finish().ok() ? "finished" : "unfinished");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (auto kind : {HttpParser::Kind::request, HttpParser::Kind::reply}) {
    auto whole = understand(kind, bytes, SIZE_MAX);
    auto cut = understand(kind, bytes, 1);
    // A limit is noticed earlier or later; everything else must agree.
    bool near_limit = size > kMaxHead / 2;
    if (!near_limit && whole != cut) std::abort();
  }
  return 0;
}
