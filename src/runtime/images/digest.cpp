#include "runtime/images/digest.h"

#include <openssl/evp.h>

#include "base/check.h"
#include "base/text.h"

namespace orch::runtime::images {

struct Sha256::Impl {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~Impl() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : impl_(std::make_unique<Impl>()) {
  ORCH_CHECK(impl_->context && EVP_DigestInit_ex(impl_->context, EVP_sha256(), nullptr) == 1);
}
Sha256::~Sha256() = default;

void Sha256::add(std::string_view bytes) {
  ORCH_CHECK(EVP_DigestUpdate(impl_->context, bytes.data(), bytes.size()) == 1);
}

std::string Sha256::digest() {
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  ORCH_CHECK(EVP_DigestFinal_ex(impl_->context, bytes, &size) == 1);
  return "sha256:" + encode_hex(std::string_view(reinterpret_cast<char*>(bytes), size));
}

std::string sha256_digest(std::string_view bytes) {
  Sha256 hash;
  hash.add(bytes);
  return hash.digest();
}

std::string_view digest_hex(std::string_view digest) { return digest.substr(digest.find(':') + 1); }

std::string chain_id(const std::string& below, const std::string& diff_id) {
  return below.empty() ? diff_id : sha256_digest(below + " " + diff_id);
}

}  // namespace orch::runtime::images
