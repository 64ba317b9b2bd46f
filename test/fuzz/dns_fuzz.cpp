// DNS messages: whatever is read can be written, and then reads the same.

#include <cstdlib>

#include "wire/dns.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto message = orch::wire::decode_dns({reinterpret_cast<const char*>(data), size});
  if (!message.ok()) return 0;
  const std::string bytes = orch::wire::encode_dns(*message);
  auto again = orch::wire::decode_dns(bytes);
  // Pointers of the input may stand for more than 64 KiB of names: then it is cut.
  if (!again.ok()) std::abort();
  if (!again->truncated && orch::wire::encode_dns(*again) != bytes) std::abort();
  (void)orch::wire::encode_dns(*message, 512);
  return 0;
}
