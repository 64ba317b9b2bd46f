#pragma once
// HttpServer: HTTP/1.1 over any listeners, plain or TLS, in front of one Handler.
//
// Every connection is one task that reads a request, runs the handler and goes on with the next;
// pipelined requests wait their turn. What a client can make us hold is bounded: the head, the body
// the handler allows, one buffer of bytes behind it, and what the handler itself writes. A client that
// does not read makes its own writer wait, and is dropped after write_timeout.
//
// Owner: main or a test. Destroying it cancels what runs; stop() before that is the graceful way.

#include <memory>
#include <string>

#include "base/log.h"
#include "loop/loop.h"
#include "loop/scope.h"
#include "loop/stream.h"
#include "wire/http.h"

namespace orch::wire {

class TlsServer;

struct ServerOptions {
  size_t max_header_bytes = 64 * 1024;
  size_t max_connections = 4096;        // more wait in the kernel's backlog
  Duration handshake_timeout = 10s;     // TLS
  Duration header_timeout = 10s;        // from a request's first byte to the end of its head
  Duration body_timeout = 60s;          // without a byte of the body
  Duration idle_timeout = 150s;         // between requests; clients commonly give up after 90
  Duration write_timeout = 60s;         // for bytes that the client does not take
  size_t gzip_above = 128 * 1024;       // whole replies larger than this, where accepted
};

class HttpServer {
 public:
  HttpServer(loop::Loop& loop, Logger log, Handler& handler, ServerOptions options = {});
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // Serves this listener too, over TLS if `tls` is given (its contexts may be swapped meanwhile).
  void listen(std::unique_ptr<loop::Listener> listener, std::shared_ptr<TlsServer> tls = {});

  // Refuses new connections, closes idle ones, sets stopping() and waits until the running requests
  // are answered; what is left after `grace` is cut off.
  loop::Task<void> stop(Duration grace);
  // Set when stop() begins: handlers of endless replies (watches, logs) end them then. Those that wait
  // for Responder::client_gone() hear of it there.
  loop::Event& stopping();

  size_t connections() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace orch::wire
