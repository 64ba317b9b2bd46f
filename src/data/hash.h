#pragma once
// Hashes: FNV-1a (names, pod-template-hash) and SHA-256 (content addresses are computed elsewhere,
// with OpenSSL; this one is for the pure floors).

#include <cstdint>
#include <string>
#include <string_view>

#include "data/value.h"

namespace orch {

uint32_t fnv1a_32(std::string_view bytes);
uint64_t fnv1a_64(std::string_view bytes);
// A stable 64-bit hash of a value: equal values hash alike. Other bytes than the JSON text are fed.
uint64_t hash_value(const Value& value);
std::string sha256_hex(std::string_view bytes);

}  // namespace orch
