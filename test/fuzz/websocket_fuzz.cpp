// WebSocket frames: no input crashes the parser, and cutting the input elsewhere changes nothing.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wire/websocket.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using namespace orch::wire;

std::string understand(WebSocketRole role, std::string_view bytes, size_t piece) {
  WebSocketParser parser(role, 1000);
  std::string seen;
  while (!bytes.empty()) {
    auto some = bytes.substr(0, piece);
    parser.feed(some);
    bytes.remove_prefix(some.size());
    while (true) {
      auto next = parser.next();
      if (!next.ok()) return seen + "error";
      if (!*next) break;
      if ((*next)->payload.size() > 1000) std::abort();
      seen += std::to_string(static_cast<int>((*next)->opcode)) + " " + (*next)->payload + "\n";
    }
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (auto role : {WebSocketRole::server, WebSocketRole::client}) {
    if (understand(role, bytes, SIZE_MAX) != understand(role, bytes, 1)) std::abort();
  }
  return 0;
}
