// tar archives: no input crashes the reader, and cutting the input elsewhere changes nothing.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "cli/tar.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using namespace orch::cli;

std::string understand(std::string_view bytes, size_t piece) {
  TarReader reader;
  std::string seen;
  while (!bytes.empty()) {
    auto some = bytes.substr(0, piece);
    reader.feed(some);
    bytes.remove_prefix(some.size());
    while (true) {
      auto next = reader.next();
      if (!next.ok()) return seen + "error";
      if (!*next) break;
      const auto& event = **next;
      if (event.entry) {
        seen += std::to_string(static_cast<int>(event.entry->type)) + event.entry->path + ">" + event.entry->link +
                std::to_string(event.entry->size) + "\n";
        auto safe = safe_path(event.entry->path);
        if (safe && (safe->starts_with('/') || ("/" + *safe + "/").find("/../") != std::string::npos)) std::abort();
      }
      seen += event.content;
    }
  }
  return seen + (reader.finish().ok() ? "whole" : "cut");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (understand(bytes, SIZE_MAX) != understand(bytes, 100)) std::abort();
  return 0;
}
