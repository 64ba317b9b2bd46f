#pragma once
// TLS 1.2 and 1.3 as a Stream over a Stream (OpenSSL between two buffers; no socket of its own).
//
// A context is immutable and shared; to renew certificates while running, make a new one and swap it into
// the TlsServer: connections that are open keep theirs. An idle connection keeps no record buffers.

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "loop/loop.h"
#include "loop/stream.h"
#include "wire/certificates.h"
#include "wire/http.h"

struct ssl_ctx_st;

namespace orch::wire {

class TlsContext {
 public:
  struct Server {
    Identity identity;
    // Clients are asked for a certificate of these CAs; none has to have one. Empty: not asked.
    std::string client_ca_pem;
  };
  struct Client {
    std::string ca_pem;  // empty: the system's (/etc/ssl/certs/ca-certificates.crt and the like)
    std::optional<Identity> identity;
    bool verify = true;  // false: --insecure-skip-tls-verify
  };
  static Result<std::shared_ptr<const TlsContext>> server(const Server& config);
  static Result<std::shared_ptr<const TlsContext>> client(const Client& config);

  ~TlsContext();
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  ssl_ctx_st* raw() const { return context_; }

 private:
  explicit TlsContext(ssl_ctx_st* context) : context_(context) {}
  ssl_ctx_st* context_;
};

// The context that new connections of a listener get.
class TlsServer {
 public:
  explicit TlsServer(std::shared_ptr<const TlsContext> context) : current_(std::move(context)) {}
  std::shared_ptr<const TlsContext> current() const { return current_; }
  void swap(std::shared_ptr<const TlsContext> context) { current_ = std::move(context); }

 private:
  std::shared_ptr<const TlsContext> current_;
};

struct TlsSession {
  std::unique_ptr<loop::Stream> stream;
  Peer peer;
};

// The handshake. A client certificate that does not verify is none (Peer::certificate_error says why).
loop::Task<TlsSession> tls_accept(loop::Loop& loop, std::unique_ptr<loop::Stream> stream,
                                  std::shared_ptr<const TlsContext> context);
// `server_name`: name or literal address that the certificate must be for.
loop::Task<std::unique_ptr<loop::Stream>> tls_connect(loop::Loop& loop, std::unique_ptr<loop::Stream> stream,
                                                      std::shared_ptr<const TlsContext> context,
                                                      std::string server_name);

}  // namespace orch::wire
