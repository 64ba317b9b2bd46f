#include "wire/jwt.h"

#include "base/text.h"
#include "data/json.h"
#include "wire/certificates.h"

namespace orch::wire {

namespace {

constexpr size_t most_bytes = 16 * 1024;  // of a whole token

// The DER bytes inside a PEM text.
Result<std::string> der_of(std::string_view pem) {
  std::string body;
  for (std::string_view line : split(pem, '\n'))
    if (!line.starts_with("-----")) body += trim(line);
  return decode_base64(body);
}

Result<Value> parse_part(std::string_view part) {
  TRY(std::string text, decode_base64url(part));
  JsonOptions options;
  options.max_depth = 16;
  TRY(Value value, parse_json(text, options));
  if (!value.is_object()) return Error::make(Code::parse, "not a JSON object");
  return value;
}

}  // namespace

Result<Jwt> parse_jwt(std::string_view token) {
  auto broken = [](std::string_view why) { return Error::make(Code::parse, "not a JSON Web Token: " + std::string(why)); };
  if (token.size() > most_bytes) return broken("too long");
  std::vector<std::string_view> parts = split(token, '.');
  if (parts.size() != 3) return broken("it has not three parts");
  Jwt jwt;
  TRY(jwt.header, parse_part(parts[0]).with_context("header"));
  TRY(jwt.claims, parse_part(parts[1]).with_context("claims"));
  TRY(jwt.signature, decode_base64url(parts[2]));
  jwt.signed_part = token.substr(0, parts[0].size() + 1 + parts[1].size());
  return jwt;
}

Result<std::string> sign_jwt(std::string_view key_pem, const Value& claims) {
  TRY(std::string id, key_id_of(key_pem));
  const Value header = Value::object({{"alg", "ES256"}, {"kid", id}});
  std::string text = encode_base64url(format_json(header)) + "." + encode_base64url(format_json(claims));
  TRY(std::string signature, sign_es256(key_pem, text));
  return text + "." + encode_base64url(signature);
}

Result<bool> is_signed_by(const Jwt& token, std::string_view key_pem) {
  if (token.header["alg"].as_string() != "ES256") return false;
  return verify_signature(key_pem, token.signed_part, token.signature);
}

Result<std::string> key_id_of(std::string_view key_pem) {
  std::string public_pem(key_pem);
  if (key_pem.find("PRIVATE KEY") != std::string_view::npos) {
    TRY(public_pem, public_key_of(key_pem));
  }
  TRY(std::string der, der_of(public_pem));
  return encode_base64url(sha256(der));
}

Result<Value> jwk_set_of(std::string_view key_pem) {
  TRY(std::string id, key_id_of(key_pem));
  TRY(EcPoint point, ec_point_of(key_pem));
  Value key = Value::object({{"use", "sig"},
                             {"kty", "EC"},
                             {"kid", id},
                             {"crv", "P-256"},
                             {"alg", "ES256"},
                             {"x", encode_base64url(point.x)},
                             {"y", encode_base64url(point.y)}});
  return Value::object({{"keys", Value::list({key})}});
}

}  // namespace orch::wire
