// The JWS half of certificates.h: raw ES256 and RS256 signatures.

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>

#include "wire/certificates.h"
#include "wire/openssl.h"

namespace orch::wire {

namespace {

using DigestPtr = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;
using SignaturePtr = Owned<ECDSA_SIG, ECDSA_SIG_free>;
using NumberPtr = Owned<BIGNUM, BN_free>;

constexpr size_t kScalar = 32;  // bytes of a number of P-256

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

Result<KeyPtr> read_key(std::string_view pem) {
  auto bio = read_only_bio(pem);
  KeyPtr key(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr));
  if (!key) {
    bio = read_only_bio(pem);
    key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  }
  if (!key) return openssl_error(Code::parse, "key");
  ERR_clear_error();
  return key;
}

std::string fixed_width(const BIGNUM* number) {
  std::string bytes(kScalar, '\0');
  BN_bn2binpad(number, reinterpret_cast<unsigned char*>(bytes.data()), kScalar);
  return bytes;
}

// JWS has r||s, OpenSSL wants the DER form.
std::string der_signature(std::string_view raw) {
  SignaturePtr signature(ECDSA_SIG_new());
  auto number = [&](size_t at) { return BN_bin2bn(bytes_of(raw) + at, kScalar, nullptr); };
  ECDSA_SIG_set0(signature.get(), number(0), number(kScalar));
  unsigned char* der = nullptr;
  int size = i2d_ECDSA_SIG(signature.get(), &der);
  std::string bytes(reinterpret_cast<char*>(der), size > 0 ? static_cast<size_t>(size) : 0);
  OPENSSL_free(der);
  return bytes;
}

}  // namespace

Result<std::string> sign_es256(std::string_view key_pem, std::string_view bytes) {
  TRY(auto key, read_key(key_pem));
  if (EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_EC) return Error::make(Code::parse, "not an EC key");
  DigestPtr digest(EVP_MD_CTX_new());
  std::string der(256, '\0');
  size_t size = der.size();
  auto* out = reinterpret_cast<unsigned char*>(der.data());
  if (EVP_DigestSignInit(digest.get(), nullptr, EVP_sha256(), nullptr, key.get()) != 1 ||
      EVP_DigestSign(digest.get(), out, &size, bytes_of(bytes), bytes.size()) != 1) {
    return openssl_error(Code::internal, "signing");
  }
  const unsigned char* at = out;
  SignaturePtr signature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size)));
  if (!signature) return openssl_error(Code::internal, "signing");
  return fixed_width(ECDSA_SIG_get0_r(signature.get())) + fixed_width(ECDSA_SIG_get0_s(signature.get()));
}

Result<bool> verify_signature(std::string_view key_pem, std::string_view bytes, std::string_view signature) {
  TRY(auto key, read_key(key_pem));
  std::string der(signature);
  if (EVP_PKEY_get_base_id(key.get()) == EVP_PKEY_EC) {
    if (signature.size() != 2 * kScalar) return false;
    der = der_signature(signature);
  }
  DigestPtr digest(EVP_MD_CTX_new());
  if (EVP_DigestVerifyInit(digest.get(), nullptr, EVP_sha256(), nullptr, key.get()) != 1) {
    return openssl_error(Code::parse, "key");
  }
  bool right = EVP_DigestVerify(digest.get(), bytes_of(der), der.size(), bytes_of(bytes), bytes.size()) == 1;
  ERR_clear_error();
  return right;
}

Result<EcPoint> ec_point_of(std::string_view key_pem) {
  TRY(auto key, read_key(key_pem));
  BIGNUM* x = nullptr;
  BIGNUM* y = nullptr;
  EVP_PKEY_get_bn_param(key.get(), OSSL_PKEY_PARAM_EC_PUB_X, &x);
  EVP_PKEY_get_bn_param(key.get(), OSSL_PKEY_PARAM_EC_PUB_Y, &y);
  NumberPtr own_x(x), own_y(y);
  if (!x || !y) return openssl_error(Code::parse, "not an EC key");
  return EcPoint{fixed_width(x), fixed_width(y)};
}

}  // namespace orch::wire
