#pragma once
// Keys and X.509 certificates: our own CA, the leaves it issues, and looking into what others made.
// Pure functions, PEM in and PEM out; making keys takes milliseconds on a small board, so offload it.
//
// Validity begins at 1970, because a board without a clock battery boots there and must be able to talk
// TLS before it knows the time (edge.md: wrong clocks). For the same reason the end is counted from
// `now` or from 2026, whichever is later.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace orch::wire {

// A certificate (chain, leaf first) and its private key, in PEM.
struct Identity {
  std::string certificate_pem;
  std::string key_pem;
  bool operator==(const Identity&) const = default;
};

constexpr Duration kCaLifetime = 24h * 3653;
constexpr Duration kLeafLifetime = 24h * 365;

// ECDSA P-256, PKCS#8.
Result<std::string> make_key();
// The public half, SubjectPublicKeyInfo in PEM.
Result<std::string> public_key_of(std::string_view key_pem);

Result<Identity> make_ca(std::string_view common_name, Instant now);

struct LeafRequest {
  std::string common_name;
  std::vector<std::string> organizations;
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_addresses;  // literal IPv4 or IPv6
  bool for_server = false;                // extended key usage
  bool for_client = false;
  Duration lifetime = kLeafLifetime;
};
// With a new key. Code::parse for a CA that is no PEM or an address that is none.
Result<Identity> issue(const Identity& ca, const LeafRequest& request, Instant now);

// A certificate signing request (PKCS#10): makes one, reads one, and signs the key in one; what goes into
// the certificate is `request`, which the caller took from the parsed request and checked.
Result<std::string> make_signing_request(std::string_view key_pem, const LeafRequest& request);
Result<LeafRequest> parse_signing_request(std::string_view request_pem);  // checks its self-signature
Result<std::string> sign_request(const Identity& ca, std::string_view request_pem, const LeafRequest& request,
                                 Instant now);

struct CertificateInfo {
  std::string common_name;
  std::vector<std::string> organizations;
  std::string issuer;  // its common name
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_addresses;
  Instant not_before, not_after;
  bool is_ca = false;
  std::string sha256;  // of the DER form, hex
};
Result<CertificateInfo> parse_certificate(std::string_view pem);                // the first
Result<std::vector<CertificateInfo>> parse_certificates(std::string_view pem);  // all; none is an error

// Certificates are renewed at two thirds of the time between `issued` and their end.
bool needs_renewal(Instant issued, Instant not_after, Instant now);

std::string sha256(std::string_view bytes);  // 32 bytes, raw

// ES256 (RFC 7518 section 3.4): 64 bytes r||s over SHA-256.
Result<std::string> sign_es256(std::string_view key_pem, std::string_view bytes);
// RS256 or ES256, by the kind of key (public or private, PEM). False: not signed by it.
Result<bool> verify_signature(std::string_view key_pem, std::string_view bytes, std::string_view signature);
// The affine coordinates of an EC P-256 key, 32 bytes each, for a JWK.
struct EcPoint {
  std::string x, y;
};
Result<EcPoint> ec_point_of(std::string_view key_pem);

}  // namespace orch::wire
