#pragma once
// HTTP/1.1 messages as values, shared by server and client. Parsing is llhttp's (http_parser.h).

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "loop/stream.h"
#include "loop/task.h"

namespace orch::wire {

class Headers {
 public:
  void add(std::string name, std::string value) { all_.emplace_back(std::move(name), std::move(value)); }
  void set(std::string_view name, std::string value);  // replaces all of that name
  // First value of the name (any case), "" if absent.
  std::string_view get(std::string_view name) const;
  bool has(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& all() const { return all_; }

 private:
  std::vector<std::pair<std::string, std::string>> all_;
};

// The query of a URL, decoded; keys may repeat.
class Query {
 public:
  static Result<Query> parse(std::string_view text);
  std::optional<std::string_view> find(std::string_view key) const;  // first
  std::string_view get(std::string_view key) const;                  // "" if absent
  std::vector<std::string_view> all(std::string_view key) const;
  // Go's strconv.ParseBool; absent is false, "" (key without value) is true as in Kubernetes.
  Result<bool> flag(std::string_view key) const;
  const std::vector<std::pair<std::string, std::string>>& pairs() const { return pairs_; }

 private:
  std::vector<std::pair<std::string, std::string>> pairs_;
};

struct Request {
  std::string method;  // "GET"
  std::string target;  // as on the wire: "/api/v1/pods?watch=1"
  std::string path;    // decoded path, without query
  Query query;
  Headers headers;
  std::string body;    // whole body, bounded by the server's limit
};

// Who is on the other side, from the TLS handshake.
struct Peer {
  std::string address;
  bool has_certificate = false;             // verified against the client CA
  std::string common_name;                  // subject CN
  std::vector<std::string> organizations;   // subject O
  std::string certificate_error;            // one was presented, and this is wrong with it
};

// A handler answers through this: a whole reply, a streamed one, or by taking the connection over.
class Responder {
 public:
  virtual ~Responder() = default;
  // A whole reply with Content-Length. Chunks may be shared with a cache.
  virtual loop::Task<void> send(int status, Headers headers, std::vector<loop::Chunk> body) = 0;
  // A chunked reply: start, then write any number of times, then finish. write() returns when the
  // bytes are with the kernel; it fails with Code::closed when the client went away.
  virtual loop::Task<void> start(int status, Headers headers) = 0;
  virtual loop::Task<void> write(std::vector<loop::Chunk> chunks) = 0;
  virtual loop::Task<void> finish() = 0;
  // After a 101: the raw stream, with what was already read in front.
  virtual std::unique_ptr<loop::Stream> upgrade() = 0;
  // Resumes when the client has closed its side, or the server is stopping (to end watches). Not beside
  // another read of the connection.
  virtual loop::Task<void> client_gone() = 0;
};

class Handler {
 public:
  virtual ~Handler() = default;
  // One request. `request` and `responder` live until the task ends. An error before anything
  // was sent becomes a plain 500; handlers send their own Status.
  virtual loop::Task<void> handle(Request request, Peer peer, Responder& responder) = 0;
  // Largest body for this request (bytes); asked after the headers, larger ones get 413.
  virtual size_t max_body(const Request& head) const = 0;
};

std::string_view status_text(int status);  // "Not Found"

}  // namespace orch::wire
