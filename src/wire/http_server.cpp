#include "wire/http_server.h"

#include <list>

#include "loop/timeout.h"
#include "wire/http_connection.h"
#include "wire/tls.h"

namespace orch::wire {

using loop::Task;

namespace {

// After accept() failed, usually for want of file descriptors.
constexpr Duration kAcceptPause = 100ms;

// Counts a connection from accept() to its end.
class Open {
 public:
  explicit Open(ServerShared& shared) : shared_(&shared) { ++shared_->open; }
  ~Open() {
    --shared_->open;
    shared_->changed.set();
  }
  Open(const Open&) = delete;
  Open& operator=(const Open&) = delete;

 private:
  ServerShared* shared_;
};

}  // namespace

struct HttpServer::State {
  State(loop::Loop& loop, Logger log, Handler& handler, ServerOptions options)
      : shared(loop, log.named("http"), handler, options), accepting(loop), serving(loop) {}
  ServerShared shared;
  loop::Scope accepting;
  loop::Scope serving;

  Task<void> accept_all(std::unique_ptr<loop::Listener> listener, std::shared_ptr<TlsServer> tls);
  Task<void> serve(std::unique_ptr<loop::Stream> stream, std::shared_ptr<TlsServer> tls);
  Task<void> handshake(std::unique_ptr<loop::Stream>& stream, Peer& peer, std::shared_ptr<TlsServer> tls);
  Task<void> wait_below(size_t connections);
};

Task<void> HttpServer::State::wait_below(size_t connections) {
  while (shared.open >= connections) {
    shared.changed.reset();
    co_await shared.changed.wait();
  }
}

// Replaces the stream by its TLS side, in time.
Task<void> HttpServer::State::handshake(std::unique_ptr<loop::Stream>& stream, Peer& peer,
                                        std::shared_ptr<TlsServer> tls) {
  auto accepting_tls = tls_accept(shared.loop, std::move(stream), tls->current());
  auto session = co_await with_timeout(shared.loop, std::move(accepting_tls), shared.options.handshake_timeout).result();
  if (!session.ok()) {
    shared.log.debug("TLS handshake failed", {{"peer", peer.address}, {"error", session.error().message()}});
    co_await loop::fail(std::move(session).error());
  }
  stream = std::move(session->stream);
  peer = std::move(session->peer);
}

// Its frame lives as long as the connection: it holds no more than it must.
Task<void> HttpServer::State::serve(std::unique_ptr<loop::Stream> stream, std::shared_ptr<TlsServer> tls) {
  Open open(shared);
  Peer peer;
  peer.address = stream->peer();
  if (tls) co_await handshake(stream, peer, std::move(tls));
  Connection connection(shared, std::move(stream), std::move(peer));
  co_await connection.run();
}

Task<void> HttpServer::State::accept_all(std::unique_ptr<loop::Listener> listener, std::shared_ptr<TlsServer> tls) {
  while (true) {
    co_await wait_below(shared.options.max_connections);
    auto stream = co_await listener->accept().result();
    if (stream.ok()) {
      serving.spawn(serve(std::move(*stream), tls));
    } else if (stream.error().is(Code::closed)) {
      co_return;
    } else {
      shared.log.warn("accept failed", {{"error", stream.error().message()}});
      co_await loop::sleep(shared.loop, kAcceptPause);
    }
  }
}

HttpServer::HttpServer(loop::Loop& loop, Logger log, Handler& handler, ServerOptions options)
    : state_(std::make_unique<State>(loop, std::move(log), handler, options)) {}

HttpServer::~HttpServer() = default;

void HttpServer::listen(std::unique_ptr<loop::Listener> listener, std::shared_ptr<TlsServer> tls) {
  state_->accepting.spawn(state_->accept_all(std::move(listener), std::move(tls)));
}

loop::Event& HttpServer::stopping() { return state_->shared.stopping; }

size_t HttpServer::connections() const { return state_->shared.open; }

Task<void> HttpServer::stop(Duration grace) {
  auto& state = *state_;
  state.accepting.cancel();  // destroys the listeners
  state.shared.stopping.set();
  for (auto* connection : state.shared.connections) connection->stop();
  (void)co_await with_timeout(state.shared.loop, state.wait_below(1), grace).result();
  state.serving.cancel();
  co_await state.wait_below(1);
}

}  // namespace orch::wire
