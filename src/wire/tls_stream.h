#pragma once
// A TLS connection over a Stream. Room-private; tls.cpp makes these.

#include <memory>
#include <string>
#include <vector>

#include "loop/loop.h"
#include "loop/stream.h"
#include "wire/openssl.h"
#include "wire/tls.h"

namespace orch::wire {

class TlsStream final : public loop::Stream {
 public:
  TlsStream(loop::Loop& loop, std::unique_ptr<loop::Stream> raw, std::shared_ptr<const TlsContext> context);
  ~TlsStream() override;

  loop::Task<void> handshake();  // after SSL_set_accept_state or SSL_set_connect_state on ssl()
  SSL* ssl() { return ssl_.get(); }

  loop::Task<std::string> read() override;
  loop::Task<void> write(std::vector<loop::Chunk> chunks) override;
  loop::Task<void> shutdown() override;
  void close() override { raw_->close(); }
  std::string peer() const override { return raw_->peer(); }
  std::string local() const override { return raw_->local(); }

  // What OpenSSL reads from and writes to.
  struct Buffers {
    std::string in;
    size_t in_used = 0;
    std::string out;
  };

 private:
  enum class Outcome { done, wants_input, ended, failed };
  struct Decrypted {
    std::string text;
    Outcome outcome = Outcome::done;
    std::string error;
  };
  Outcome outcome_of(int result, std::string& error);
  Decrypted decrypt();
  Result<void> encrypt(std::string_view text);
  loop::Task<void> flush();
  loop::Task<bool> read_more();  // false: the stream has ended

  loop::Loop& loop_;
  std::unique_ptr<loop::Stream> raw_;
  std::shared_ptr<const TlsContext> context_;
  Buffers buffers_;
  SslPtr ssl_;
  loop::Event flushed_;
  bool flushing_ = false;
  bool ended_ = false;
};

}  // namespace orch::wire
