// SPDY frames: no input crashes the parser, cutting the input elsewhere changes nothing, and what was read
// can be written and read again.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wire/spdy.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using namespace orch::wire;

void append(std::string& seen, const SpdyFrame& frame) {
  if (frame.type == SpdyType::data) {  // pieces of one frame read as one
    seen += "d" + std::to_string(frame.stream) + (frame.fin ? "f" : "");
    return;
  }
  seen += std::to_string(static_cast<int>(frame.type)) + " " + std::to_string(frame.stream) + " " +
          std::to_string(frame.value) + (frame.fin ? "f" : "");
  for (const auto& [name, value] : frame.headers.all()) seen += name + "=" + value;
  for (const auto& [id, value] : frame.settings) seen += std::to_string(id) + ":" + std::to_string(value);
  seen += "\n";
}

struct Reading {
  std::string control, bytes;
  bool operator==(const Reading&) const = default;
};

Reading understand(std::string_view input, size_t piece) {
  SpdyParser parser;
  SpdyWriter writer;
  SpdyParser again;
  Reading seen;
  while (!input.empty()) {
    auto some = input.substr(0, piece);
    parser.feed(some);
    input.remove_prefix(some.size());
    while (true) {
      auto next = parser.next();
      if (!next.ok()) {
        seen.control += "error";
        return seen;
      }
      if (!*next) break;
      const SpdyFrame& frame = **next;
      if (frame.type == SpdyType::data) {
        seen.bytes += frame.payload;
        if (frame.fin) append(seen.control, frame);
        continue;
      }
      append(seen.control, frame);
      again.feed(writer.format(frame));
      auto back = again.next();
      std::string was, is;
      append(was, frame);
      if (!back.ok() || !*back) std::abort();
      append(is, **back);
      if (was != is) std::abort();
    }
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (understand(bytes, SIZE_MAX) != understand(bytes, 1)) std::abort();
  return 0;
}
