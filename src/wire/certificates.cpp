#include "wire/certificates.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "wire/openssl.h"

namespace orch::wire {

namespace {

using Asn1TimePtr = Owned<ASN1_TIME, ASN1_TIME_free>;
using ExtensionPtr = Owned<X509_EXTENSION, X509_EXTENSION_free>;
using NamePtr = Owned<X509_NAME, X509_NAME_free>;
using ExtensionsPtr = Owned<STACK_OF(X509_EXTENSION), [](STACK_OF(X509_EXTENSION)* all) {
  sk_X509_EXTENSION_pop_free(all, X509_EXTENSION_free);
}>;

constexpr Instant kEarliestEnd{1'767'225'600'000'000'000};  // 2026-01-01, plus the lifetime
constexpr int kSerialBits = 127;

std::string take_text(BIO* bio) {
  char* data = nullptr;
  long size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<size_t>(size));
}

template <class Write>
std::string to_pem(Write write) {
  BioPtr bio(BIO_new(BIO_s_mem()));
  ORCH_CHECK(write(bio.get()) == 1);
  return take_text(bio.get());
}

std::string certificate_pem(X509* certificate) {
  return to_pem([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
}

Result<KeyPtr> new_key() {
  KeyPtr key(EVP_EC_gen("P-256"));
  if (!key) return openssl_error(Code::internal, "making a key");
  return key;
}

Result<std::string> key_pem_of(EVP_PKEY* key) {
  return to_pem([&](BIO* bio) {
    return PEM_write_bio_PKCS8PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
}

Result<KeyPtr> read_private_key(std::string_view pem) {
  auto bio = read_only_bio(pem);
  KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  if (!key) return openssl_error(Code::parse, "private key");
  return key;
}

// A private key's public half, a public key, or a certificate's.
Result<KeyPtr> read_any_key(std::string_view pem) {
  auto bio = read_only_bio(pem);
  KeyPtr key(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr));
  if (key) return key;
  bio = read_only_bio(pem);
  key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  if (!key) {
    bio = read_only_bio(pem);
    if (CertificatePtr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)); certificate) {
      key.reset(X509_get_pubkey(certificate.get()));
    }
  }
  if (!key) return openssl_error(Code::parse, "key");
  ERR_clear_error();
  return key;
}

Result<CertificatePtr> read_certificate(std::string_view pem) {
  auto bio = read_only_bio(pem);
  CertificatePtr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (!certificate) return openssl_error(Code::parse, "certificate");
  return certificate;
}

void add_name(X509_NAME* name, const char* field, std::string_view value) {
  X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(value.data()),
                             static_cast<int>(value.size()), -1, 0);
}

std::vector<std::string> name_entries(const X509_NAME* name, int id) {
  std::vector<std::string> values;
  for (int at = X509_NAME_get_index_by_NID(name, id, -1); at >= 0;
       at = X509_NAME_get_index_by_NID(name, id, at)) {
    unsigned char* text = nullptr;
    int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    if (size < 0) continue;
    values.emplace_back(reinterpret_cast<char*>(text), static_cast<size_t>(size));
    OPENSSL_free(text);
  }
  return values;
}

std::string first_or_empty(std::vector<std::string> values) { return values.empty() ? "" : std::move(values[0]); }

void set_subject(X509_NAME* name, const LeafRequest& request) {
  for (const auto& organization : request.organizations) add_name(name, "O", organization);
  add_name(name, "CN", request.common_name);
}

Result<void> add_extension(X509* certificate, X509* issuer, int id, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str()));
  if (!extension) return openssl_error(Code::parse, "certificate extension");
  X509_add_ext(certificate, extension.get(), -1);
  return {};
}

bool is_host_name(std::string_view name) {
  return !name.empty() && name.size() <= 253 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '*';
  });
}

// "DNS:a,IP:1.2.3.4" for OpenSSL's extension parser; names are checked, since a comma would add entries.
Result<std::string> alternative_names(const LeafRequest& request) {
  std::string text;
  for (const auto& name : request.dns_names) {
    if (!is_host_name(name)) return Error::make(Code::parse, "not a host name: " + quote(name));
    text += (text.empty() ? "DNS:" : ",DNS:") + name;
  }
  for (const auto& address : request.ip_addresses) {
    std::array<unsigned char, 16> parsed;
    if (inet_pton(AF_INET, address.c_str(), parsed.data()) != 1 &&
        inet_pton(AF_INET6, address.c_str(), parsed.data()) != 1) {
      return Error::make(Code::parse, "not an IP address: " + quote(address));
    }
    text += (text.empty() ? "IP:" : ",IP:") + address;
  }
  return text;
}

void set_serial(X509* certificate) {
  Owned<BIGNUM, BN_free> number(BN_new());
  BN_rand(number.get(), kSerialBits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY);
  BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate));
}

// A certificate with everything but its subject, extensions and signature.
Result<CertificatePtr> begin_certificate(EVP_PKEY* key, Instant now, Duration lifetime) {
  CertificatePtr certificate(X509_new());
  ORCH_CHECK(certificate != nullptr);
  X509_set_version(certificate.get(), X509_VERSION_3);
  set_serial(certificate.get());
  Instant end = std::max(now, kEarliestEnd) + lifetime;
  Asn1TimePtr from(ASN1_TIME_set(nullptr, 0));
  Asn1TimePtr to(ASN1_TIME_set(nullptr, end.seconds()));
  if (!from || !to) return openssl_error(Code::internal, "validity");
  X509_set1_notBefore(certificate.get(), from.get());
  X509_set1_notAfter(certificate.get(), to.get());
  X509_set_pubkey(certificate.get(), key);
  return certificate;
}

Result<std::string> issue_for_key(const Identity& ca, EVP_PKEY* key, const LeafRequest& request, Instant now) {
  TRY(auto issuer, read_certificate(ca.certificate_pem));
  TRY(auto issuer_key, read_private_key(ca.key_pem));
  TRY(auto names, alternative_names(request));
  TRY(auto leaf, begin_certificate(key, now, request.lifetime));
  set_subject(X509_get_subject_name(leaf.get()), request);
  X509_set_issuer_name(leaf.get(), X509_get_subject_name(issuer.get()));
  std::string usage = request.for_server ? "serverAuth" : "";
  if (request.for_client) usage += usage.empty() ? "clientAuth" : ",clientAuth";
  TRY_VOID(add_extension(leaf.get(), issuer.get(), NID_basic_constraints, "critical,CA:FALSE"));
  TRY_VOID(add_extension(leaf.get(), issuer.get(), NID_key_usage, "critical,digitalSignature,keyEncipherment"));
  if (!usage.empty()) TRY_VOID(add_extension(leaf.get(), issuer.get(), NID_ext_key_usage, usage));
  TRY_VOID(add_extension(leaf.get(), issuer.get(), NID_authority_key_identifier, "keyid"));
  if (!names.empty()) TRY_VOID(add_extension(leaf.get(), issuer.get(), NID_subject_alt_name, names));
  if (X509_sign(leaf.get(), issuer_key.get(), EVP_sha256()) <= 0) return openssl_error(Code::internal, "signing");
  return certificate_pem(leaf.get());
}

void read_alternative_names(const GENERAL_NAMES* names, std::vector<std::string>& dns, std::vector<std::string>& ips) {
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type == GEN_DNS) {
      dns.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                       static_cast<size_t>(ASN1_STRING_length(name->d.dNSName)));
    } else if (name->type == GEN_IPADD) {
      int size = ASN1_STRING_length(name->d.iPAddress);
      char text[INET6_ADDRSTRLEN] = "";
      if (size == 4 || size == 16) {
        inet_ntop(size == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(name->d.iPAddress), text, sizeof text);
        ips.emplace_back(text);
      }
    }
  }
}

using NamesPtr = Owned<GENERAL_NAMES, GENERAL_NAMES_free>;

Instant instant_of(const ASN1_TIME* time) {
  tm parts{};
  ASN1_TIME_to_tm(time, &parts);
  return Instant{int64_t{timegm(&parts)} * 1'000'000'000};
}

CertificateInfo info_of(X509* certificate) {
  CertificateInfo info;
  const X509_NAME* subject = X509_get_subject_name(certificate);
  info.common_name = first_or_empty(name_entries(subject, NID_commonName));
  info.organizations = name_entries(subject, NID_organizationName);
  info.issuer = first_or_empty(name_entries(X509_get_issuer_name(certificate), NID_commonName));
  info.not_before = instant_of(X509_get0_notBefore(certificate));
  info.not_after = instant_of(X509_get0_notAfter(certificate));
  info.is_ca = X509_check_ca(certificate) > 0;
  NamesPtr names(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  read_alternative_names(names.get(), info.dns_names, info.ip_addresses);
  unsigned char* der = nullptr;
  int size = i2d_X509(certificate, &der);
  if (size > 0) info.sha256 = encode_hex(sha256({reinterpret_cast<char*>(der), static_cast<size_t>(size)}));
  OPENSSL_free(der);
  return info;
}

Result<RequestPtr> read_request(std::string_view pem) {
  auto bio = read_only_bio(pem);
  RequestPtr request(PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr));
  if (!request) return openssl_error(Code::parse, "certificate signing request");
  return request;
}

}  // namespace

Result<std::string> make_key() {
  TRY(auto key, new_key());
  return key_pem_of(key.get());
}

Result<std::string> public_key_of(std::string_view key_pem) {
  TRY(auto key, read_any_key(key_pem));
  return to_pem([&](BIO* bio) { return PEM_write_bio_PUBKEY(bio, key.get()); });
}

Result<Identity> make_ca(std::string_view common_name, Instant now) {
  TRY(auto key, new_key());
  TRY(auto ca, begin_certificate(key.get(), now, kCaLifetime));
  X509_NAME* name = X509_get_subject_name(ca.get());
  add_name(name, "CN", common_name);
  X509_set_issuer_name(ca.get(), name);
  TRY_VOID(add_extension(ca.get(), ca.get(), NID_basic_constraints, "critical,CA:TRUE"));
  TRY_VOID(add_extension(ca.get(), ca.get(), NID_key_usage, "critical,digitalSignature,keyCertSign,cRLSign"));
  TRY_VOID(add_extension(ca.get(), ca.get(), NID_subject_key_identifier, "hash"));
  if (X509_sign(ca.get(), key.get(), EVP_sha256()) <= 0) return openssl_error(Code::internal, "signing");
  TRY(auto key_pem, key_pem_of(key.get()));
  return Identity{certificate_pem(ca.get()), std::move(key_pem)};
}

Result<Identity> issue(const Identity& ca, const LeafRequest& request, Instant now) {
  TRY(auto key, new_key());
  TRY(auto certificate, issue_for_key(ca, key.get(), request, now));
  TRY(auto key_pem, key_pem_of(key.get()));
  return Identity{std::move(certificate), std::move(key_pem)};
}

Result<std::string> make_signing_request(std::string_view key_pem, const LeafRequest& request) {
  TRY(auto key, read_private_key(key_pem));
  TRY(auto names, alternative_names(request));
  RequestPtr made(X509_REQ_new());
  X509_REQ_set_version(made.get(), X509_REQ_VERSION_1);
  set_subject(X509_REQ_get_subject_name(made.get()), request);
  X509_REQ_set_pubkey(made.get(), key.get());
  if (!names.empty()) {
    ExtensionsPtr extensions(sk_X509_EXTENSION_new_null());
    auto* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str());
    if (!extension) return openssl_error(Code::parse, "alternative names");
    sk_X509_EXTENSION_push(extensions.get(), extension);
    X509_REQ_add_extensions(made.get(), extensions.get());
  }
  if (X509_REQ_sign(made.get(), key.get(), EVP_sha256()) <= 0) return openssl_error(Code::internal, "signing");
  return to_pem([&](BIO* bio) { return PEM_write_bio_X509_REQ(bio, made.get()); });
}

Result<LeafRequest> parse_signing_request(std::string_view request_pem) {
  TRY(auto request, read_request(request_pem));
  EVP_PKEY* key = X509_REQ_get0_pubkey(request.get());
  if (!key || X509_REQ_verify(request.get(), key) != 1) {
    ERR_clear_error();
    return Error::make(Code::parse, "certificate signing request: its signature is wrong");
  }
  LeafRequest parsed;
  const X509_NAME* subject = X509_REQ_get_subject_name(request.get());
  parsed.common_name = first_or_empty(name_entries(subject, NID_commonName));
  parsed.organizations = name_entries(subject, NID_organizationName);
  ExtensionsPtr extensions(X509_REQ_get_extensions(request.get()));
  NamesPtr names(static_cast<GENERAL_NAMES*>(X509V3_get_d2i(extensions.get(), NID_subject_alt_name, nullptr, nullptr)));
  read_alternative_names(names.get(), parsed.dns_names, parsed.ip_addresses);
  return parsed;
}

Result<std::string> sign_request(const Identity& ca, std::string_view request_pem, const LeafRequest& request,
                                 Instant now) {
  TRY(auto parsed, read_request(request_pem));
  EVP_PKEY* key = X509_REQ_get0_pubkey(parsed.get());
  if (!key) return openssl_error(Code::parse, "certificate signing request");
  return issue_for_key(ca, key, request, now);
}

Result<CertificateInfo> parse_certificate(std::string_view pem) {
  TRY(auto certificate, read_certificate(pem));
  return info_of(certificate.get());
}

Result<std::vector<CertificateInfo>> parse_certificates(std::string_view pem) {
  std::vector<CertificateInfo> all;
  auto bio = read_only_bio(pem);
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    CertificatePtr certificate(next);
    all.push_back(info_of(certificate.get()));
  }
  if (all.empty()) return openssl_error(Code::parse, "certificate");
  ERR_clear_error();
  return all;
}

bool needs_renewal(Instant issued, Instant not_after, Instant now) {
  return now >= issued + (not_after - issued) / 3 * 2;
}

std::string sha256(std::string_view bytes) {
  std::array<unsigned char, 32> digest;
  ORCH_CHECK(EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha256(), nullptr) == 1);
  return std::string(reinterpret_cast<char*>(digest.data()), digest.size());
}

}  // namespace orch::wire
