#pragma once
// SHA-256 of what streams by (OpenSSL: content is hashed by the gigabyte).

#include <memory>
#include <string>
#include <string_view>

namespace orch::runtime::images {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void add(std::string_view bytes);
  std::string digest();  // "sha256:<64 hex>"; nothing may be added afterwards

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

std::string sha256_digest(std::string_view bytes);
// The 64 hexadecimal digits of a digest.
std::string_view digest_hex(std::string_view digest);
// The identity of a stack of layers (OCI image spec, config.md, "Layer ChainID"): of the stack below ("" for
// none) and the layer on top.
std::string chain_id(const std::string& below, const std::string& diff_id);

}  // namespace orch::runtime::images
