// A label selector that was read is written in a form that means the same; a field selector is read
// and matched.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "data/selector.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  if (auto selector = orch::LabelSelector::parse(text)) {
    auto again = orch::LabelSelector::parse(selector->format());
    if (!again || again->format() != selector->format()) std::abort();
    orch::Value labels = orch::Value::object({{"a", "b"}, {"in", "7"}, {"x/y", ""}});
    for (const orch::Value& value : {labels, orch::Value()}) {
      if (selector->matches(value) != again->matches(value)) std::abort();
    }
  }
  if (auto selector = orch::FieldSelector::parse(text)) {
    orch::Value object = orch::Value::object({{"a", "b"}, {"x", orch::Value::object({{"y", 1}})}});
    static_cast<void>(selector->matches(object));
  }
  return 0;
}
