#include "wire/tls_stream.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace orch::wire {

using loop::Chunk;
using loop::Task;

namespace {

constexpr size_t kRecord = 16 * 1024;
// Ciphertext that is made before it is sent.
constexpr size_t kFlushAbove = 128 * 1024;
constexpr size_t kReadLimit = 64 * 1024;

// --- A BIO over TlsStream::Buffers; unlike BIO_s_mem it keeps no memory when it is empty ----------------

TlsStream::Buffers& buffers_of(BIO* bio) { return *static_cast<TlsStream::Buffers*>(BIO_get_data(bio)); }

int read_bio(BIO* bio, char* to, int size) {
  auto& buffers = buffers_of(bio);
  BIO_clear_retry_flags(bio);
  size_t left = buffers.in.size() - buffers.in_used;
  if (left == 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  size_t count = std::min(left, static_cast<size_t>(size));
  std::memcpy(to, buffers.in.data() + buffers.in_used, count);
  buffers.in_used += count;
  if (buffers.in_used == buffers.in.size()) {
    buffers.in = std::string();
    buffers.in_used = 0;
  }
  return static_cast<int>(count);
}

int write_bio(BIO* bio, const char* bytes, int size) {
  buffers_of(bio).out.append(bytes, static_cast<size_t>(size));
  return size;
}

long control_bio(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

// One method table for all connections of the process: OpenSSL wants it to outlive every BIO.
BIO_METHOD* bio_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "orch buffers");
    BIO_meth_set_read(made, read_bio);
    BIO_meth_set_write(made, write_bio);
    BIO_meth_set_ctrl(made, control_bio);
    return made;
  }();
  return method;
}

}  // namespace

TlsStream::TlsStream(loop::Loop& loop, std::unique_ptr<loop::Stream> raw, std::shared_ptr<const TlsContext> context)
    : loop_(loop), raw_(std::move(raw)), context_(std::move(context)), ssl_(SSL_new(context_->raw())), flushed_(loop) {
  ORCH_CHECK(ssl_ != nullptr);
  BIO* bio = BIO_new(bio_method());
  ORCH_CHECK(bio != nullptr);
  BIO_set_data(bio, &buffers_);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
}

TlsStream::~TlsStream() = default;

// Must follow the operation at once: it looks at the thread's error queue.
TlsStream::Outcome TlsStream::outcome_of(int result, std::string& error) {
  int code = SSL_get_error(ssl_.get(), result);
  if (code == SSL_ERROR_NONE) return Outcome::done;
  if (code == SSL_ERROR_WANT_READ) return Outcome::wants_input;
  if (code == SSL_ERROR_ZERO_RETURN) return Outcome::ended;
  error = take_openssl_error();
  long verified = SSL_get_verify_result(ssl_.get());
  if (!SSL_is_server(ssl_.get()) && verified != X509_V_OK) {
    error += std::string(" (") + X509_verify_cert_error_string(verified) + ")";
  }
  return Outcome::failed;
}

Task<bool> TlsStream::read_more() {
  std::string bytes = co_await raw_->read();
  if (bytes.empty()) co_return false;
  if (buffers_.in.empty()) {
    buffers_.in = std::move(bytes);
  } else {
    buffers_.in += bytes;
  }
  co_return true;
}

// Sends all ciphertext there is. Readers call this too (alerts, key updates), so that it may be running
// already; then the bytes added meanwhile go in the next round.
Task<void> TlsStream::flush() {
  struct Running {
    TlsStream& stream;
    ~Running() {
      stream.flushing_ = false;
      stream.flushed_.set();
    }
  };
  while (flushing_ || !buffers_.out.empty()) {
    if (flushing_) {
      flushed_.reset();
      co_await flushed_.wait();
      continue;
    }
    flushing_ = true;
    Running running{*this};
    std::string bytes = std::exchange(buffers_.out, {});
    co_await loop::write_text(*raw_, std::move(bytes));
  }
}

Task<void> TlsStream::handshake() {
  while (true) {
    ERR_clear_error();
    std::string error;
    Outcome outcome = outcome_of(SSL_do_handshake(ssl_.get()), error);
    auto flushed = co_await flush().result();  // also the alert that says why
    if (outcome == Outcome::failed) co_await loop::fail(Error::make(Code::io, "TLS handshake: " + error));
    co_await std::move(flushed);
    if (outcome == Outcome::done) co_return;
    bool more = co_await read_more();
    if (!more) co_await loop::fail(Error::make(Code::closed, "TLS handshake: the other side went away"));
  }
}

TlsStream::Decrypted TlsStream::decrypt() {
  Decrypted result;
  std::array<char, kRecord> piece;
  ERR_clear_error();
  while (result.text.size() < kReadLimit) {
    int count = SSL_read(ssl_.get(), piece.data(), piece.size());
    if (count <= 0) {
      result.outcome = outcome_of(count, result.error);
      break;
    }
    result.text.append(piece.data(), static_cast<size_t>(count));
  }
  return result;
}

Task<std::string> TlsStream::read() {
  while (!ended_) {
    Decrypted got = decrypt();
    if (!buffers_.out.empty() && !flushing_) co_await flush();
    if (got.outcome == Outcome::ended || got.outcome == Outcome::failed) ended_ = true;
    if (!got.text.empty()) co_return std::move(got.text);
    if (got.outcome == Outcome::failed) co_await loop::fail(Error::make(Code::closed, "TLS: " + got.error));
    if (ended_) break;
    // An end without close_notify is an end: HTTP knows by itself when something is missing.
    bool more = co_await read_more();
    if (!more) ended_ = true;
  }
  co_return std::string();
}

Result<void> TlsStream::encrypt(std::string_view text) {
  ERR_clear_error();
  while (!text.empty()) {
    auto some = text.substr(0, size_t{1} << 20);
    int count = SSL_write(ssl_.get(), some.data(), static_cast<int>(some.size()));
    if (count <= 0) {
      std::string error;
      outcome_of(count, error);
      return Error::make(Code::closed, "TLS: " + error);
    }
    text.remove_prefix(static_cast<size_t>(count));
  }
  return {};
}

// Small chunks share a record; large ones are encrypted from where they are.
Task<void> TlsStream::write(std::vector<Chunk> chunks) {
  std::string small;
  for (const auto& chunk : chunks) {
    auto view = chunk.view();
    if (small.size() + view.size() <= kRecord) {
      small += view;
      continue;
    }
    co_await encrypt(small);
    small.clear();
    while (!view.empty()) {
      auto some = view.substr(0, kFlushAbove);
      co_await encrypt(some);
      view.remove_prefix(some.size());
      if (buffers_.out.size() >= kFlushAbove) co_await flush();
    }
  }
  co_await encrypt(small);
  co_await flush();
}

Task<void> TlsStream::shutdown() {
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
  co_await flush();
  co_await raw_->shutdown();
}

}  // namespace orch::wire
