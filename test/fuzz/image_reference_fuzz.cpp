// Image names: what parses has a canonical text that reads back as the same name.

#include <cstdint>
#include <cstdlib>

#include "data/image_reference.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto parsed = orch::parse_image_reference(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!parsed.ok()) return 0;
  auto again = orch::parse_image_reference(parsed->text());
  if (!again.ok() || !(*again == *parsed)) std::abort();
  if (parsed->tag.empty() && parsed->digest.empty()) std::abort();
  return 0;
}
