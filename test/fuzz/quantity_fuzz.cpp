// A quantity that was read is written in a form that reads as the same amount.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "data/quantity.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto quantity = orch::Quantity::parse({reinterpret_cast<const char*>(data), size});
  if (!quantity) return 0;
  auto again = orch::Quantity::parse(quantity->format());
  if (!again || *again != *quantity) std::abort();
  auto third = orch::Quantity::parse(again->format());
  if (!third || *third != *again || third->format() != again->format()) std::abort();
  orch::Quantity twice = *quantity + *quantity;
  if (twice.sign() != quantity->sign()) std::abort();
  // The difference of a saturated sum may be less, but it never changes sides.
  if ((twice - *quantity).sign() * quantity->sign() < 0) std::abort();
  static_cast<void>(quantity->value() + 0 * quantity->milli_value());
  return 0;
}
