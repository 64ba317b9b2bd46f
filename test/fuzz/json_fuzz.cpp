// JSON: what parses is written as JSON that reads back as the same value; nothing else happens.

#include <cstdint>
#include <cstdlib>

#include "data/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> duplicates;
  orch::JsonOptions options;
  options.duplicates = &duplicates;
  auto value = orch::parse_json(text, options);
  if (!value.ok()) return 0;
  // Once more: doubles that are whole numbers come back as integers (-0.0 as 0), and stay so.
  auto again = orch::parse_json(orch::format_json(*value));
  if (!again.ok()) std::abort();
  auto third = orch::parse_json(orch::format_json_pretty(*again, 2));
  if (!third.ok() || !(*third == *again)) std::abort();
  if (orch::format_json(*third) != orch::format_json(*again)) std::abort();
  return 0;
}
