#pragma once
// JSON Web Tokens signed with ES256 (RFC 7519, RFC 7515 compact form) and the JWK Set that others check them with
// (RFC 7517). Pure; no clock: whoever verifies looks at the claims of time himself.

#include <string>
#include <string_view>

#include "base/result.h"
#include "data/value.h"

namespace orch::wire {

struct Jwt {
  Value header, claims;
  std::string signed_part, signature;  // of the text: what was signed, and the raw bytes
};

// Code::parse for what is not three parts of base64url with JSON objects in front. Says nothing about who signed it.
Result<Jwt> parse_jwt(std::string_view token);
// With the key's id in the header.
Result<std::string> sign_jwt(std::string_view key_pem, const Value& claims);
// Signed by this key (private or public, PEM), with the algorithm that goes with it: "none" and HMAC are never good.
Result<bool> is_signed_by(const Jwt& token, std::string_view key_pem);

// Hash of the public key: base64url of SHA-256 over it, as kube-apiserver names keys.
Result<std::string> key_id_of(std::string_view key_pem);
// {"keys": [...]}: of an EC P-256 key.
Result<Value> jwk_set_of(std::string_view key_pem);

}  // namespace orch::wire
