#include "loop/stream.h"

namespace orch::loop {

Task<void> write_text(Stream& stream, std::string text) {
  std::vector<Chunk> chunks;
  chunks.emplace_back(std::move(text));
  co_await stream.write(std::move(chunks));
}

Task<std::string> read_all(Stream& stream, size_t limit) {
  std::string all;
  while (true) {
    std::string some = co_await stream.read();
    if (some.empty()) co_return std::move(all);
    if (all.size() + some.size() > limit) {
      co_await fail(Error::make(Code::too_large, "more than " + std::to_string(limit) + " bytes"));
    }
    all += some;
  }
}

}  // namespace orch::loop
