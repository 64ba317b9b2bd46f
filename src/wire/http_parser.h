#pragma once
// HTTP/1.1 messages from bytes, sans-I/O, over llhttp in its strict mode: what could be read in two
// ways (two lengths, a length beside chunks, bare CR or LF, odd chunk sizes) is refused, so that a
// proxy in front of us and we never disagree about where a request ends (RFC 9112 section 11).
//
// One parser per connection. After a message is complete, next() makes it ready for the one behind it.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/http.h"

namespace orch::wire {

// What a head says, besides its Request or status.
struct HeadFacts {
  std::optional<uint64_t> content_length;
  bool chunked = false;
  bool keep_alive = false;
  bool http10 = false;
  bool upgrade = false;           // asks for another protocol
  bool expects_continue = false;  // "Expect: 100-continue"
};

class HttpParser {
 public:
  enum class Kind { request, reply };
  // `max_head`: bytes of the head; more is Code::too_large.
  HttpParser(Kind kind, size_t max_head);
  ~HttpParser();
  HttpParser(HttpParser&&) noexcept;
  HttpParser& operator=(HttpParser&&) noexcept;

  // Reads up to the end of one message; returns how many bytes that took. Code::parse for what is no
  // HTTP, Code::too_large for heads, bodies (limit_body) and trailers past their limits. After an
  // error there is nothing left to do but to close.
  Result<size_t> feed(std::string_view bytes);
  // The stream has ended: completes a reply without a length, and is an error in any other message.
  Result<void> finish();

  bool started() const;    // some byte of this message was seen
  bool head_done() const;  // request()/status() are filled in
  bool complete() const;
  const HeadFacts& facts() const;

  // The head's; `body` grows as bytes come (and may be taken out at any time).
  Request& request();
  int status() const;
  Headers& headers() { return request().headers; }
  std::string& body() { return request().body; }

  void limit_body(size_t bytes);
  void expect_no_body();  // the reply to a HEAD; before its head is read
  void next();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Splits `target` into the decoded path and the query. Takes the origin form ("/a?b"), the absolute
// form ("http://host/a?b", RFC 9112 section 3.2.2) and "*".
Result<void> parse_target(Request& request);

}  // namespace orch::wire
