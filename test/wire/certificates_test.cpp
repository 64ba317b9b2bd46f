#include "wire/certificates.h"

#include <catch2/catch_test_macros.hpp>

#include "base/text.h"

namespace orch::wire {
namespace {

constexpr Instant kNow{1'790'000'000'000'000'000};  // in 2026
constexpr Instant kBoot{5'000'000'000};             // a board without a clock battery

LeafRequest leaf_request() {
  LeafRequest request;
  request.common_name = "system:node:n1";
  request.organizations = {"system:nodes", "Zürich, \"AG\""};
  request.dns_names = {"n1", "kubernetes.default.svc"};
  request.ip_addresses = {"10.43.0.1", "fd00::1"};
  request.for_server = true;
  request.for_client = true;
  return request;
}

TEST_CASE("a CA is one, lasts ten years and was valid when clocks stood at zero") {
  auto ca = make_ca("orch-ca", kNow);
  REQUIRE(ca.ok());
  auto info = parse_certificate(ca->certificate_pem);
  REQUIRE(info.ok());
  CHECK(info->is_ca);
  CHECK(info->common_name == "orch-ca");
  CHECK(info->issuer == "orch-ca");
  CHECK(info->not_before == Instant{0});
  CHECK(info->not_after == kNow + 24h * 3653);
  CHECK(info->sha256.size() == 64);
}

TEST_CASE("what a board without the time issues lasts beyond the day it learns it") {
  auto ca = make_ca("orch-ca", kBoot);
  REQUIRE(ca.ok());
  auto leaf = issue(*ca, leaf_request(), kBoot);
  REQUIRE(leaf.ok());
  auto info = parse_certificate(leaf->certificate_pem);
  REQUIRE(info.ok());
  CHECK(info->not_before == Instant{0});
  CHECK(format_time(info->not_after) == "2027-01-01T00:00:00Z");
}

TEST_CASE("a leaf says what was asked for") {
  auto ca = make_ca("orch-ca", kNow);
  auto leaf = issue(*ca, leaf_request(), kNow);
  REQUIRE(leaf.ok());
  auto info = parse_certificate(leaf->certificate_pem);
  REQUIRE(info.ok());
  CHECK_FALSE(info->is_ca);
  CHECK(info->common_name == "system:node:n1");
  CHECK(info->organizations == leaf_request().organizations);
  CHECK(info->issuer == "orch-ca");
  CHECK(info->dns_names == leaf_request().dns_names);
  CHECK(info->ip_addresses == std::vector<std::string>{"10.43.0.1", "fd00::1"});
  auto other = issue(*ca, leaf_request(), kNow);
  CHECK(parse_certificate(other->certificate_pem)->sha256 != info->sha256);
  auto bundle = parse_certificates(leaf->certificate_pem + ca->certificate_pem);
  REQUIRE(bundle.ok());
  CHECK(bundle->size() == 2);
}

TEST_CASE("names and addresses that are none are refused, not smuggled into the extension") {
  auto ca = make_ca("orch-ca", kNow);
  for (std::string name : {"a,DNS:evil", "", "a b", "a\n"}) {
    auto request = leaf_request();
    request.dns_names = {name};
    CHECK_FALSE(issue(*ca, request, kNow).ok());
  }
  auto request = leaf_request();
  request.ip_addresses = {"10.0.0.1,DNS:evil"};
  CHECK_FALSE(issue(*ca, request, kNow).ok());
}

TEST_CASE("a signing request carries names and key, and a changed one is refused") {
  auto ca = make_ca("orch-ca", kNow);
  auto key = make_key();
  REQUIRE(key.ok());
  auto csr = make_signing_request(*key, leaf_request());
  REQUIRE(csr.ok());
  auto parsed = parse_signing_request(*csr);
  REQUIRE(parsed.ok());
  CHECK(parsed->common_name == "system:node:n1");
  CHECK(parsed->organizations == leaf_request().organizations);
  CHECK(parsed->dns_names == leaf_request().dns_names);
  CHECK(parsed->ip_addresses == leaf_request().ip_addresses);
  auto approved = *parsed;
  approved.for_client = true;
  auto certificate = sign_request(*ca, *csr, approved, kNow);
  REQUIRE(certificate.ok());
  CHECK(*public_key_of(*certificate) == *public_key_of(*key));
  CHECK(parse_certificate(*certificate)->common_name == "system:node:n1");
  std::string broken = *csr;
  broken[broken.size() / 2] = broken[broken.size() / 2] == 'A' ? 'B' : 'A';
  CHECK_FALSE(parse_signing_request(broken).ok());
  CHECK_FALSE(parse_signing_request("x").ok());
}

TEST_CASE("renewal is due at two thirds of the time from the issue to the end") {
  CHECK_FALSE(needs_renewal(Instant{0}, Instant{0} + 300s, Instant{0} + 199s));
  CHECK(needs_renewal(Instant{0}, Instant{0} + 300s, Instant{0} + 200s));
}

TEST_CASE("sha256 is SHA-256") {
  // FIPS 180-2, appendix B.1.
  CHECK(encode_hex(sha256("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("ES256 signatures are verified by the public key and by no other") {
  auto key = make_key();
  auto other = make_key();
  auto signature = sign_es256(*key, "header.payload");
  REQUIRE(signature.ok());
  CHECK(signature->size() == 64);
  auto public_key = public_key_of(*key);
  CHECK(*verify_signature(*public_key, "header.payload", *signature));
  CHECK_FALSE(*verify_signature(*public_key, "header.payloae", *signature));
  CHECK_FALSE(*verify_signature(*public_key_of(*other), "header.payload", *signature));
  CHECK_FALSE(*verify_signature(*public_key, "header.payload", "short"));
  CHECK_FALSE(verify_signature("x", "y", "z").ok());
}

TEST_CASE("the ES256 example of RFC 7515 appendix A.3 verifies") {
  // The key's coordinates there, as a SubjectPublicKeyInfo.
  auto x = *decode_base64url("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU");
  auto y = *decode_base64url("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
  auto prefix = *decode_base64("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE");
  std::string pem = "-----BEGIN PUBLIC KEY-----\n" + encode_base64(prefix + x + y) + "\n-----END PUBLIC KEY-----\n";
  std::string signed_text =
      "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl"
      "fQ";
  auto signature =
      *decode_base64url("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q");
  auto verified = verify_signature(pem, signed_text, signature);
  REQUIRE(verified.ok());
  CHECK(*verified);
  auto point = ec_point_of(pem);
  REQUIRE(point.ok());
  CHECK(point->x == x);
  CHECK(point->y == y);
}

}  // namespace
}  // namespace orch::wire
