// Steps as a shim gets them: read without a byte beyond their end, and what could be read is the same when written again.

#include <cstdint>
#include <cstdlib>

#include "steps/protocol.h"
#include "steps/reader.h"
#include "steps/step.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace orch::steps;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Unpacker message(bytes);
  size_t sum = message.number() + message.text().size() + message.text().size();
  StepReader reader(bytes);
  StepView view;
  while (!reader.at_end() && reader.next(view)) {
    sum += view.number(0) + view.text(view.texts()).size();
    // A C string in place: its NUL is behind it.
    view.each_text(0, [&sum](std::string_view text) {
      if (text.data()[text.size()] != '\0') std::abort();
      sum += text.size();
    });
  }
  [[maybe_unused]] static volatile size_t everything_read;
  everything_read = sum;
  auto steps = decode_steps(bytes);
  if (!steps.ok()) return 0;
  auto again = decode_steps(encode_steps(*steps));
  if (!again.ok() || *again != *steps) std::abort();
  if (check_steps(*steps).ok() && format_steps(*steps).empty() && !steps->empty()) std::abort();
  return 0;
}
