#include "wire/http_connection.h"

#include <algorithm>
#include <ctime>

#include "base/text.h"
#include "loop/scope.h"
#include "wire/gzip.h"
#include "wire/prefixed_stream.h"

namespace orch::wire {

using loop::Chunk;
using loop::Task;

namespace {

// Bytes of later requests that are kept while a reply is under way.
constexpr size_t kMaxReadAhead = 64 * 1024;
// After a refusal: what a client that is still sending may send until it sees the reply.
constexpr size_t kLingerBytes = 1024 * 1024;
constexpr Duration kLingerTime = 2s;
constexpr int kGzipLevel = 1;

bool has_no_body(int status) { return status / 100 == 1 || status == 204 || status == 304; }

// A comma-separated list has this token (parameters such as ";q=0.5" aside; q=0 counts as absent).
bool list_has(std::string_view list, std::string_view token) {
  for (auto part : split(list, ',')) {
    auto name = trim(part.substr(0, part.find(';')));
    if (!equals_ignore_case(name, token)) continue;
    auto q = part.find("q=0");
    bool refused = q != std::string_view::npos && part.find_first_of("123456789", q + 3) == std::string_view::npos;
    return !refused;
  }
  return false;
}

size_t total_size(const std::vector<Chunk>& chunks) {
  size_t total = 0;
  for (const auto& chunk : chunks) total += chunk.view().size();
  return total;
}

void append_header(std::string& head, std::string_view name, std::string_view value) {
  head += name;
  head += ": ";
  // A line break in a value would begin a header of its own.
  for (char c : value) head += c == '\r' || c == '\n' ? ' ' : c;
  head += "\r\n";
}

std::string format_http_date(int64_t seconds) {
  static constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  time_t time = seconds;
  tm t{};
  gmtime_r(&time, &t);
  char text[64];
  snprintf(text, sizeof text, "%s, %02d %s %d %02d:%02d:%02d GMT", kDays[t.tm_wday], t.tm_mday,
           kMonths[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
  return text;
}

}  // namespace

std::string_view ServerShared::http_date() {
  int64_t now = loop.wall().seconds();
  if (now != date_second) {
    date_second = now;
    date = format_http_date(now);
  }
  return date;
}

// --- The reply to one request ---------------------------------------------------------------------

class Connection::Reply final : public Responder {
 public:
  Reply(Connection& connection, const HeadFacts& facts, const Request& request)
      : connection_(connection),
        head_only_(request.method == "HEAD"),
        http10_(facts.http10),
        keep_alive_(facts.keep_alive),
        accepts_gzip_(list_has(request.headers.get("Accept-Encoding"), "gzip")) {}

  Task<void> send(int status, Headers headers, std::vector<Chunk> body) override;
  Task<void> start(int status, Headers headers) override;
  Task<void> write(std::vector<Chunk> chunks) override;
  Task<void> finish() override;
  std::unique_ptr<loop::Stream> upgrade() override;
  Task<void> client_gone() override;

  bool untouched() const { return state_ == State::nothing; }
  bool upgraded() const { return upgraded_; }
  // The connection can carry another request.
  bool reusable() const { return state_ == State::complete && keep_alive_ && !writing_; }
  bool complete() const { return state_ == State::complete && !writing_; }

 private:
  enum class State { nothing, streaming, complete };
  std::string head(int status, const Headers& headers, std::optional<size_t> length);
  Task<void> write_out(std::vector<Chunk> chunks);
  Task<void> read_ahead(loop::Event& gone);

  Connection& connection_;
  State state_ = State::nothing;
  bool head_only_, http10_, keep_alive_, accepts_gzip_;
  bool no_body_ = false, upgraded_ = false;
  bool writing_ = false;  // still true after the handler: a write was cancelled half-way
};

std::string Connection::Reply::head(int status, const Headers& headers, std::optional<size_t> length) {
  if (connection_.shared_.stopping.is_set() || equals_ignore_case(headers.get("Connection"), "close")) {
    keep_alive_ = false;
  }
  std::string text;
  text.reserve(256);
  text += "HTTP/1.1 " + std::to_string(status) + " ";
  text += status_text(status);
  text += "\r\n";
  for (const auto& [name, value] : headers.all()) append_header(text, name, value);
  if (!headers.has("Date")) append_header(text, "Date", connection_.shared_.http_date());
  if (status != 101) {
    bool chunked = !length && !no_body_ && !http10_;
    if (chunked) append_header(text, "Transfer-Encoding", "chunked");
    if (!length && !no_body_ && http10_) keep_alive_ = false;  // its end is the connection's
    if (length && !has_no_body(status)) append_header(text, "Content-Length", std::to_string(*length));
    if (!headers.has("Connection")) {
      if (!keep_alive_) append_header(text, "Connection", "close");
      if (keep_alive_ && http10_) append_header(text, "Connection", "keep-alive");
    }
  }
  text += "\r\n";
  return text;
}

Task<void> Connection::Reply::write_out(std::vector<Chunk> chunks) {
  if (!connection_.stream_) co_await loop::fail(Error::make(Code::closed, "the connection was handed over"));
  writing_ = true;
  connection_.deadline_.set(connection_.shared_.options.write_timeout);
  co_await connection_.stream_->write(std::move(chunks));
  connection_.deadline_.clear();
  writing_ = false;
}

Task<void> Connection::Reply::send(int status, Headers headers, std::vector<Chunk> body) {
  if (state_ != State::nothing) co_await loop::fail(Error::make(Code::internal, "the request has been answered already"));
  size_t size = total_size(body);
  if (accepts_gzip_ && size > connection_.shared_.options.gzip_above && !headers.has("Content-Encoding")) {
    auto work = [chunks = std::move(body)] { return gzip(chunks, kGzipLevel); };
    std::string packed = co_await loop::offload(connection_.shared_.loop, work);
    headers.add("Content-Encoding", "gzip");
    headers.add("Vary", "Accept-Encoding");
    size = packed.size();
    body.clear();
    body.emplace_back(std::move(packed));
  }
  no_body_ = has_no_body(status);
  std::vector<Chunk> chunks;
  chunks.reserve(body.size() + 1);
  chunks.emplace_back(head(status, headers, size));
  if (!head_only_ && !no_body_) std::ranges::move(body, std::back_inserter(chunks));
  state_ = State::complete;
  co_await write_out(std::move(chunks));
}

Task<void> Connection::Reply::start(int status, Headers headers) {
  if (state_ != State::nothing) co_await loop::fail(Error::make(Code::internal, "the request has been answered already"));
  no_body_ = has_no_body(status);
  state_ = State::streaming;
  std::vector<Chunk> chunks;
  chunks.emplace_back(head(status, headers, std::nullopt));
  co_await write_out(std::move(chunks));
}

Task<void> Connection::Reply::write(std::vector<Chunk> chunks) {
  if (state_ != State::streaming) co_await loop::fail(Error::make(Code::internal, "no reply has been started"));
  size_t size = total_size(chunks);
  if (size == 0 || head_only_ || no_body_) co_return;  // an empty chunk would be the end
  if (!http10_) {
    char line[32];
    snprintf(line, sizeof line, "%zx\r\n", size);
    chunks.insert(chunks.begin(), Chunk(std::string(line)));
    chunks.emplace_back(std::string("\r\n"));
  }
  co_await write_out(std::move(chunks));
}

Task<void> Connection::Reply::finish() {
  if (state_ != State::streaming) co_await loop::fail(Error::make(Code::internal, "no reply has been started"));
  state_ = State::complete;
  if (http10_ || head_only_ || no_body_) co_return;
  std::vector<Chunk> chunks;
  chunks.emplace_back(std::string("0\r\n\r\n"));
  co_await write_out(std::move(chunks));
}

std::unique_ptr<loop::Stream> Connection::Reply::upgrade() {
  upgraded_ = true;
  connection_.deadline_.clear();
  return std::make_unique<PrefixedStream>(std::move(connection_.stream_), std::exchange(connection_.input_, {}));
}

// Reads until the client ends, keeping what comes for later. If it sends and sends we stop: should it
// go, a write will tell.
Task<void> Connection::Reply::read_ahead(loop::Event& gone) {
  while (connection_.stream_ && connection_.input_.size() < kMaxReadAhead) {
    auto some = co_await connection_.stream_->read().result();
    if (!some.ok() || some->empty()) {
      gone.set();
      co_return;
    }
    connection_.input_ += *some;
  }
}

Task<void> Connection::Reply::client_gone() {
  struct Registered {
    Connection& connection;
    ~Registered() { connection.gone_ = nullptr; }
  };
  loop::Event gone(connection_.shared_.loop);
  if (connection_.shared_.stopping.is_set()) co_return;
  connection_.gone_ = &gone;
  Registered registered{connection_};
  loop::Scope reading(connection_.shared_.loop);
  reading.spawn(read_ahead(gone));
  co_await gone.wait();
}

// --- Reading requests -----------------------------------------------------------------------------

Connection::Connection(ServerShared& shared, std::unique_ptr<loop::Stream> stream, Peer peer)
    : shared_(shared),
      stream_(std::move(stream)),
      peer_(std::move(peer)),
      parser_(HttpParser::Kind::request, shared.options.max_header_bytes),
      deadline_(shared.loop, [this] {
        if (stream_) stream_->close();
      }) {
  shared_.connections.insert(this);
}

Connection::~Connection() { shared_.connections.erase(this); }

void Connection::stop() {
  if (idle_ && stream_) stream_->close();
  if (gone_) gone_->set();
}

// What an idle connection holds are the frames of run and read_head: whatever answering needs has
// frames of its own.
Task<void> Connection::run() {
  while (true) {
    bool more = co_await wait_for_request();
    if (!more) co_return;
    bool again = co_await answer();
    if (!again) co_return;
  }
}

Task<bool> Connection::wait_for_request() {
  auto head = co_await read_head().result();
  if (head.ok()) co_return *head;
  co_await refuse_error(std::move(head).error());
  co_return false;
}

Result<void> Connection::parse_input() {
  TRY(size_t used, parser_.feed(input_));
  input_.erase(0, used);
  if (input_.empty()) input_.shrink_to_fit();  // an idle connection keeps no buffer
  return {};
}

Task<bool> Connection::read_head() {
  idle_ = true;
  deadline_.set(shared_.options.idle_timeout);
  while (true) {
    if (!input_.empty()) {
      co_await parse_input();
      if (parser_.started() && idle_) {
        idle_ = false;
        deadline_.set(shared_.options.header_timeout);
      }
    }
    if (parser_.head_done()) co_return true;
    if (idle_ && shared_.stopping.is_set()) co_return false;
    std::string some = co_await stream_->read();
    if (some.empty()) co_return false;
    input_ += some;
  }
}

// Checks the head; then the handler says how large a body it takes.
Task<bool> Connection::admit() {
  auto& request = parser_.request();
  const auto& facts = parser_.facts();
  auto target = parse_target(request);
  std::string expectation(request.headers.get("Expect"));
  int status = 0;
  std::string why;
  if (!target.ok()) {
    status = 400;
    why = target.error().message();
  } else if (!facts.http10 && !request.headers.has("Host")) {
    status = 400;  // RFC 9112 section 3.2
    why = "no Host header";
  } else if (!expectation.empty() && !facts.expects_continue) {
    status = 417;
    why = "unknown expectation";
  } else {
    size_t limit = shared_.handler.max_body(request);
    parser_.limit_body(limit);
    if (facts.content_length.value_or(0) > limit || parser_.body().size() > limit) {
      status = 413;
      why = "the body is larger than " + std::to_string(limit) + " bytes";
    }
  }
  if (status == 0) co_return true;
  co_await refuse(status, why);
  co_return false;
}

Task<void> Connection::read_body() {
  if (!parser_.complete() && parser_.facts().expects_continue && parser_.body().empty() && input_.empty()) {
    co_await loop::write_text(*stream_, "HTTP/1.1 100 Continue\r\n\r\n");
  }
  while (!parser_.complete()) {
    if (input_.empty()) {
      deadline_.set(shared_.options.body_timeout);
      input_ = co_await stream_->read();
      if (input_.empty()) co_await loop::fail(Error::make(Code::closed, "the client went away"));
    }
    co_await parse_input();
  }
  deadline_.clear();
}

// A reply of our own, and the end of the connection: where the next request would begin is unknown.
Task<void> Connection::refuse(int status, std::string message) {
  message += "\n";
  std::string text = "HTTP/1.1 " + std::to_string(status) + " ";
  text += status_text(status);
  text += "\r\n";
  append_header(text, "Content-Type", "text/plain; charset=utf-8");
  append_header(text, "Content-Length", std::to_string(message.size()));
  append_header(text, "Connection", "close");
  text += "\r\n";
  if (parser_.request().method != "HEAD") text += message;
  deadline_.set(shared_.options.write_timeout);
  co_await loop::write_text(*stream_, std::move(text));
  co_await linger();
}

// Closing a socket with unread bytes resets the connection, and the reply may be lost with it.
Task<void> Connection::linger() {
  co_await stream_->shutdown();
  deadline_.set(kLingerTime);
  for (size_t left = kLingerBytes; left > 0;) {
    std::string some = co_await stream_->read();
    if (some.empty()) break;
    left -= std::min(left, some.size());
  }
}

// Tells the client what it did wrong; other errors are ours or the network's.
Task<void> Connection::refuse_error(Error error) {
  if (error.is(Code::parse)) co_await refuse(400, error.message());
  if (error.is(Code::too_large)) co_await refuse(parser_.head_done() ? 413 : 431, error.message());
}

Task<bool> Connection::answer() {
  bool admitted = co_await admit();
  if (!admitted) co_return false;
  auto body = co_await read_body().result();
  if (!body.ok()) {
    co_await refuse_error(std::move(body).error());
    co_return false;
  }
  Reply reply(*this, parser_.facts(), parser_.request());
  Request request = std::move(parser_.request());
  parser_.next();
  auto handled = co_await shared_.handler.handle(std::move(request), peer_, reply).result();
  if (reply.upgraded()) co_return false;
  if (reply.untouched()) {
    std::string why = handled.ok() ? "no answer" : handled.error().message();
    shared_.log.warn("a handler gave no answer", {{"peer", peer_.address}, {"error", why}});
    Headers headers;
    headers.add("Content-Type", "text/plain; charset=utf-8");
    std::vector<Chunk> text;
    text.emplace_back(std::string("internal error\n"));
    co_await reply.send(500, std::move(headers), std::move(text));
  }
  if (reply.reusable()) co_return true;
  // A reply that was cut short is cut off, so that the client sees it.
  if (reply.complete()) co_await linger();
  co_return false;
}

}  // namespace orch::wire
