// Schema files: any text is refused with its line or makes a registry, and cron schedules, which
// come from users, are read or refused.

#include <cstdint>
#include <cstdlib>

#include "schema/formats.h"
#include "schema/graph.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace orch;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto registry = schema::Registry::build({{"input.schema", text}});
  if (!registry.ok() && !registry.error().message().starts_with("input.schema:")) std::abort();
  schema::cron_problems(text);
  return 0;
}
