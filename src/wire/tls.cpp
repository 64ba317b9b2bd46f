#include "wire/tls.h"

#include <arpa/inet.h>

#include <array>

#include "wire/openssl.h"
#include "wire/tls_stream.h"

namespace orch::wire {

using loop::Task;

namespace {

constexpr std::string_view kAlpn = "\x08http/1.1";
constexpr const char* kCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";  // of TLS 1.2
constexpr long kSessionSeconds = 3600;
// Where distributions keep the public CAs.
constexpr std::array<const char*, 4> kSystemCas = {
    "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem"};

std::string name_entry(X509_NAME* name, int id) {
  char text[256] = "";
  int size = X509_NAME_get_text_by_NID(name, id, text, sizeof text);
  return size > 0 ? std::string(text, static_cast<size_t>(size)) : std::string();
}

Result<ContextPtr> new_context(const SSL_METHOD* method) {
  // No openssl.cnf: a static binary would look for the build machine's.
  OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
  ERR_clear_error();
  ContextPtr context(SSL_CTX_new(method));
  if (!context) return openssl_error(Code::internal, "TLS context");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(context.get(), kCiphers);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return context;
}

Result<void> use_identity(SSL_CTX* context, const Identity& identity) {
  auto bio = read_only_bio(identity.certificate_pem);
  CertificatePtr leaf(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (!leaf || SSL_CTX_use_certificate(context, leaf.get()) != 1) return openssl_error(Code::parse, "certificate");
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    if (SSL_CTX_add0_chain_cert(context, next) != 1) X509_free(next);
  }
  ERR_clear_error();  // the end of the PEM text is an error to OpenSSL
  auto key_bio = read_only_bio(identity.key_pem);
  KeyPtr key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr));
  if (!key || SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    return openssl_error(Code::parse, "private key");
  }
  return {};
}

Result<void> trust(SSL_CTX* context, std::string_view ca_pem, bool announce) {
  auto bio = read_only_bio(ca_pem);
  int count = 0;
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) {
    CertificatePtr ca(next);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), ca.get());
    if (announce) SSL_CTX_add_client_CA(context, ca.get());
    ++count;
  }
  ERR_clear_error();
  if (count == 0) return Error::make(Code::parse, "CA bundle: no certificate in it");
  return {};
}

int select_alpn(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned in_size,
                void*) {
  auto* ours = reinterpret_cast<const unsigned char*>(kAlpn.data());
  int status = SSL_select_next_proto(const_cast<unsigned char**>(out), out_size, ours, kAlpn.size(), in, in_size);
  // A client that offers only others may still speak HTTP/1.1.
  return status == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

bool is_address(const std::string& text) {
  std::array<unsigned char, 16> address;
  return inet_pton(AF_INET, text.c_str(), address.data()) == 1 ||
         inet_pton(AF_INET6, text.c_str(), address.data()) == 1;
}

Peer peer_of(TlsStream& stream) {
  Peer peer;
  peer.address = stream.peer();
  CertificatePtr certificate(SSL_get1_peer_certificate(stream.ssl()));
  if (!certificate) return peer;
  long verified = SSL_get_verify_result(stream.ssl());
  if (verified != X509_V_OK) {
    peer.certificate_error = X509_verify_cert_error_string(verified);
    return peer;
  }
  peer.has_certificate = true;
  X509_NAME* name = X509_get_subject_name(certificate.get());
  peer.common_name = name_entry(name, NID_commonName);
  for (int at = X509_NAME_get_index_by_NID(name, NID_organizationName, -1); at >= 0;
       at = X509_NAME_get_index_by_NID(name, NID_organizationName, at)) {
    auto* value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at));
    peer.organizations.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                                    static_cast<size_t>(ASN1_STRING_length(value)));
  }
  return peer;
}

}  // namespace

Result<std::shared_ptr<const TlsContext>> TlsContext::server(const Server& config) {
  TRY(auto context, new_context(TLS_server_method()));
  TRY_VOID(use_identity(context.get(), config.identity));
  SSL_CTX_set_alpn_select_cb(context.get(), select_alpn, nullptr);
  // Tickets only: the server keeps nothing per session, and one ticket a connection is enough.
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context.get(), 1);
  SSL_CTX_set_timeout(context.get(), kSessionSeconds);
  SSL_CTX_set_session_id_context(context.get(), reinterpret_cast<const unsigned char*>("orch"), 4);
  if (!config.client_ca_pem.empty()) {
    TRY_VOID(trust(context.get(), config.client_ca_pem, true));
    // Never ends the handshake: the API answers a wrong certificate with 401, which clients show.
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
  }
  return std::shared_ptr<const TlsContext>(new TlsContext(context.release()));
}

Result<std::shared_ptr<const TlsContext>> TlsContext::client(const Client& config) {
  TRY(auto context, new_context(TLS_client_method()));
  if (config.identity) TRY_VOID(use_identity(context.get(), *config.identity));
  SSL_CTX_set_alpn_protos(context.get(), reinterpret_cast<const unsigned char*>(kAlpn.data()), kAlpn.size());
  if (!config.verify) return std::shared_ptr<const TlsContext>(new TlsContext(context.release()));
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  if (!config.ca_pem.empty()) {
    TRY_VOID(trust(context.get(), config.ca_pem, false));
  } else {
    for (const char* path : kSystemCas) {
      if (SSL_CTX_load_verify_file(context.get(), path) == 1) break;
    }
    ERR_clear_error();
  }
  return std::shared_ptr<const TlsContext>(new TlsContext(context.release()));
}

TlsContext::~TlsContext() { SSL_CTX_free(context_); }

Task<TlsSession> tls_accept(loop::Loop& loop, std::unique_ptr<loop::Stream> stream,
                            std::shared_ptr<const TlsContext> context) {
  auto tls = std::make_unique<TlsStream>(loop, std::move(stream), std::move(context));
  SSL_set_accept_state(tls->ssl());
  co_await tls->handshake();
  TlsSession session;
  session.peer = peer_of(*tls);
  session.stream = std::move(tls);
  co_return std::move(session);
}

Task<std::unique_ptr<loop::Stream>> tls_connect(loop::Loop& loop, std::unique_ptr<loop::Stream> stream,
                                                std::shared_ptr<const TlsContext> context, std::string server_name) {
  auto tls = std::make_unique<TlsStream>(loop, std::move(stream), std::move(context));
  SSL_set_connect_state(tls->ssl());
  auto* parameters = SSL_get0_param(tls->ssl());
  if (is_address(server_name)) {
    X509_VERIFY_PARAM_set1_ip_asc(parameters, server_name.c_str());
  } else {
    X509_VERIFY_PARAM_set1_host(parameters, server_name.data(), server_name.size());
    SSL_set_tlsext_host_name(tls->ssl(), server_name.c_str());
  }
  co_await tls->handshake();
  co_return std::unique_ptr<loop::Stream>(std::move(tls));
}

}  // namespace orch::wire
