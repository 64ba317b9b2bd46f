// Protobuf objects from clients: refused or decoded, and what was decoded can be encoded again.

#include <cstdint>
#include <cstdlib>

#include "schema/codec_envelope.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace orch;
  static const auto registry = schema::Registry::builtin().value();
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  auto object = schema::decode_envelope(*registry, bytes, "v1", "Pod");
  if (!object.ok()) return 0;
  auto encoded = schema::encode_envelope(*registry, *object);
  if (!encoded.ok()) return 0;  // times that no RFC 3339 text can hold
  auto again = schema::decode_envelope(*registry, *encoded);
  if (!again.ok()) std::abort();
  return 0;
}
