// Any template is read or refused, and runs over a small document without harm.

#include <cstdint>
#include <string_view>

#include "data/path.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using orch::Value;
  if (size > 4096) return 0;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(orch::parse_json_pointer(text));
  static_cast<void>(orch::relaxed_json_path(text));
  auto path = orch::JsonPath::parse(text);
  if (!path) return 0;
  Value item = Value::object({{"a", 1}, {"b", "x<y"}, {"c", Value::list({1, 2.5, true, Value()})}});
  Value document = Value::object({{"a", Value::list({item, item.with("a", 2)})}, {"b", item}});
  for (bool allow_missing : {true, false}) {
    auto formatted = path->format(document, allow_missing);
    auto selected = path->select(document, allow_missing);
    if (formatted.ok() != selected.ok()) __builtin_trap();
  }
  return 0;
}
