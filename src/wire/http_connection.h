#pragma once
// One connection of an HttpServer. Room-private.

#include <set>
#include <string>

#include "base/log.h"
#include "loop/deadline.h"
#include "loop/loop.h"
#include "wire/http.h"
#include "wire/http_parser.h"
#include "wire/http_server.h"

namespace orch::wire {

class Connection;

// What the connections of one server share.
struct ServerShared {
  ServerShared(loop::Loop& l, Logger logger, Handler& h, ServerOptions o)
      : loop(l), log(std::move(logger)), handler(h), options(o), stopping(l), changed(l) {}
  loop::Loop& loop;
  Logger log;
  Handler& handler;
  ServerOptions options;
  loop::Event stopping;
  loop::Event changed;  // a connection has ended
  std::set<Connection*> connections;
  size_t open = 0;  // with those in their handshake
  std::string date;
  int64_t date_second = INT64_MIN;

  std::string_view http_date();  // RFC 9110 section 5.6.7
};

class Connection final {
 public:
  Connection(ServerShared& shared, std::unique_ptr<loop::Stream> stream, Peer peer);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  loop::Task<void> run();
  void stop();  // the server stops: an idle connection is closed, a watch is told

 private:
  class Reply;
  loop::Task<bool> wait_for_request();  // false: there is none any more
  loop::Task<bool> read_head();         // likewise, without telling the client what was wrong
  loop::Task<bool> answer();            // false: the connection ends
  loop::Task<bool> admit();             // false: refused, and told so
  loop::Task<void> read_body();
  loop::Task<void> refuse_error(Error error);
  loop::Task<void> refuse(int status, std::string message);
  loop::Task<void> linger();
  Result<void> parse_input();

  ServerShared& shared_;
  std::unique_ptr<loop::Stream> stream_;
  Peer peer_;
  HttpParser parser_;
  std::string input_;  // read and not yet parsed
  loop::Deadline deadline_;
  loop::Event* gone_ = nullptr;  // of a handler that waits for the client to go
  bool idle_ = true;
};

}  // namespace orch::wire
