#include "wire/http_client.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "loop/timeout.h"
#include "wire/http_parser.h"
#include "wire/prefixed_stream.h"

namespace orch::wire {

using loop::Chunk;
using loop::Stream;
using loop::Task;

namespace {

constexpr size_t kMaxReplyHead = 256 * 1024;

// RFC 9110 section 9.2.2.
bool is_idempotent(std::string_view method) {
  static constexpr std::array<std::string_view, 5> kMethods = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"};
  return std::ranges::find(kMethods, method) != kMethods.end();
}

std::string clean(std::string_view value) {  // no line breaks: they would begin another header
  std::string text(value);
  std::erase_if(text, [](char c) { return c == '\r' || c == '\n'; });
  return text;
}

std::string format_head(const ClientRequest& request, const Endpoint& endpoint, const ClientOptions& options) {
  std::string head = request.method + " " + endpoint.base_path + clean(request.target) + " HTTP/1.1\r\n";
  auto add = [&](std::string_view name, std::string_view value) {
    head += name;
    head += ": ";
    head += clean(value);
    head += "\r\n";
  };
  if (!request.headers.has("Host")) add("Host", endpoint.authority());
  if (!request.headers.has("User-Agent")) add("User-Agent", options.user_agent);
  for (const auto& [name, value] : request.headers.all()) add(name, value);
  bool has_body = !request.body.empty() || request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (has_body) add("Content-Length", std::to_string(request.body.size()));
  head += "\r\n";
  return head;
}

}  // namespace

std::string Endpoint::authority() const {
  if (!unix_path.empty()) return "localhost";
  std::string text = host.find(':') != std::string::npos ? "[" + host + "]" : host;
  if (port != (tls ? 443 : 80)) text += ":" + std::to_string(port);
  return text;
}

Result<Endpoint> parse_endpoint(std::string_view url) {
  Endpoint endpoint;
  auto wrong = [&] { return Error::make(Code::parse, "not a server address: " + quote(url)); };
  std::string_view rest = url;
  if (rest.starts_with("unix://")) {
    endpoint.unix_path = rest.substr(7);
    if (!endpoint.unix_path.starts_with('/')) return wrong();
    return endpoint;
  }
  endpoint.tls = rest.starts_with("https://");
  if (!endpoint.tls && !rest.starts_with("http://")) return wrong();
  rest.remove_prefix(endpoint.tls ? 8 : 7);
  auto slash = std::min(rest.find('/'), rest.size());
  endpoint.base_path = rest.substr(slash);
  while (endpoint.base_path.ends_with('/')) endpoint.base_path.pop_back();
  rest = rest.substr(0, slash);
  std::string_view port;
  if (rest.starts_with('[')) {
    auto end = rest.find(']');
    if (end == std::string_view::npos) return wrong();
    endpoint.host = rest.substr(1, end - 1);
    port = rest.substr(end + 1);
  } else {
    auto colon = std::min(rest.find(':'), rest.size());
    endpoint.host = rest.substr(0, colon);
    port = rest.substr(colon);
  }
  endpoint.port = endpoint.tls ? 443 : 80;
  if (!port.empty()) {
    auto number = port.starts_with(':') ? parse_uint(port.substr(1)) : std::nullopt;
    if (!number || *number == 0 || *number > 65535) return wrong();
    endpoint.port = static_cast<uint16_t>(*number);
  }
  if (endpoint.host.empty()) return wrong();
  return endpoint;
}

// --- The pool -------------------------------------------------------------------------------------

struct HttpClient::Pool {
  Pool(loop::Loop& l, loop::Network& n, Endpoint e, std::shared_ptr<const TlsContext> t, ClientOptions o)
      : loop(l), network(n), endpoint(std::move(e)), tls(std::move(t)), options(std::move(o)) {}
  loop::Loop& loop;
  loop::Network& network;
  Endpoint endpoint;
  std::shared_ptr<const TlsContext> tls;
  ClientOptions options;
  struct Idle {
    std::unique_ptr<Stream> stream;
    Mono since;
    std::shared_ptr<const TlsContext> tls;
  };
  std::vector<Idle> idle;

  std::unique_ptr<Stream> take();  // null: none is idle
  void give(std::unique_ptr<Stream> stream, std::shared_ptr<const TlsContext> made_with);
  Task<std::unique_ptr<Stream>> connect();
};

std::unique_ptr<Stream> HttpClient::Pool::take() {
  std::erase_if(idle, [&](const Idle& entry) { return loop.now() - entry.since > options.idle_timeout; });
  if (idle.empty()) return nullptr;
  auto stream = std::move(idle.back().stream);  // the warmest
  idle.pop_back();
  return stream;
}

void HttpClient::Pool::give(std::unique_ptr<Stream> stream, std::shared_ptr<const TlsContext> made_with) {
  if (idle.size() >= options.max_idle || made_with != tls) return;
  Idle entry;
  entry.stream = std::move(stream);
  entry.since = loop.now();
  idle.push_back(std::move(entry));
}

Task<std::unique_ptr<Stream>> HttpClient::Pool::connect() {
  if (!endpoint.unix_path.empty()) co_return co_await network.connect_unix(endpoint.unix_path);
  auto stream = co_await network.connect_tcp(endpoint.host, endpoint.port);
  if (!endpoint.tls) co_return std::move(stream);
  if (!tls) co_await loop::fail(Error::make(Code::internal, "an https endpoint without a TLS context"));
  std::string name = options.tls_name.empty() ? endpoint.host : options.tls_name;
  co_return co_await tls_connect(loop, std::move(stream), tls, name);
}

// --- One exchange ---------------------------------------------------------------------------------

namespace {

class Exchange final : public ReplyStream {
 public:
  Exchange(std::shared_ptr<HttpClient::Pool> pool, std::unique_ptr<Stream> stream)
      : pool_(pool), tls_(pool->tls), stream_(std::move(stream)), parser_(HttpParser::Kind::reply, kMaxReplyHead) {}

  // Sends the request and reads the reply's head.
  Task<void> begin(std::string head, std::shared_ptr<const std::string> body, bool head_only);
  bool got_bytes() const { return got_bytes_; }

  int status() const override { return parser_.status(); }
  const Headers& headers() const override { return const_cast<HttpParser&>(parser_).headers(); }
  Task<std::string> read() override;
  std::unique_ptr<Stream> upgrade() override {
    return std::make_unique<PrefixedStream>(std::move(stream_), std::exchange(input_, {}));
  }

 private:
  Task<void> more();
  void give_back();

  std::weak_ptr<HttpClient::Pool> pool_;
  std::shared_ptr<const TlsContext> tls_;
  std::unique_ptr<Stream> stream_;
  HttpParser parser_;
  std::string input_;
  bool got_bytes_ = false;
};

Task<void> Exchange::more() {
  if (input_.empty()) {
    input_ = co_await stream_->read();
    if (input_.empty()) {
      co_await parser_.finish();
      co_return;
    }
    got_bytes_ = true;
  }
  size_t used = co_await parser_.feed(input_);
  input_.erase(0, used);
}

Task<void> Exchange::begin(std::string head, std::shared_ptr<const std::string> body, bool head_only) {
  std::vector<Chunk> chunks;
  chunks.emplace_back(std::move(head));
  if (!body->empty()) chunks.emplace_back(body);
  // A server may answer, and close, before it has read all.
  auto written = co_await stream_->write(std::move(chunks)).result();
  if (head_only) parser_.expect_no_body();
  while (true) {
    auto read = co_await more().result();
    if (!read.ok()) {
      if (!written.ok()) co_await std::move(written);
      co_await std::move(read);
    }
    bool informational = parser_.complete() && status() / 100 == 1 && status() != 101;
    if (informational) {
      parser_.next();
      if (head_only) parser_.expect_no_body();
    } else if (parser_.head_done()) {
      break;
    }
  }
}

void Exchange::give_back() {
  auto pool = pool_.lock();
  if (!stream_ || !pool || !parser_.facts().keep_alive || !input_.empty()) return;
  pool->give(std::move(stream_), tls_);
}

Task<std::string> Exchange::read() {
  while (parser_.body().empty() && !parser_.complete()) co_await more();
  std::string some = std::exchange(parser_.body(), {});
  if (some.empty()) give_back();
  co_return std::move(some);
}

}  // namespace

// --- The client -----------------------------------------------------------------------------------

HttpClient::HttpClient(loop::Loop& loop, loop::Network& network, Endpoint endpoint,
                       std::shared_ptr<const TlsContext> tls, ClientOptions options)
    : pool_(std::make_shared<Pool>(loop, network, std::move(endpoint), std::move(tls), std::move(options))) {}

HttpClient::~HttpClient() = default;

void HttpClient::use_tls(std::shared_ptr<const TlsContext> tls) {
  pool_->tls = std::move(tls);
  pool_->idle.clear();
}

size_t HttpClient::idle_connections() const { return pool_->idle.size(); }

Task<std::unique_ptr<ReplyStream>> HttpClient::open(ClientRequest request) {
  auto pool = pool_;
  std::string head = format_head(request, pool->endpoint, pool->options);
  auto body = std::make_shared<const std::string>(std::move(request.body));
  while (true) {
    auto stream = pool->take();
    bool reused = stream != nullptr;
    if (!stream) stream = co_await with_timeout(pool->loop, pool->connect(), pool->options.connect_timeout);
    auto exchange = std::make_unique<Exchange>(pool, std::move(stream));
    auto begin = exchange->begin(head, body, request.method == "HEAD");
    auto begun = co_await with_timeout(pool->loop, std::move(begin), pool->options.head_timeout).result();
    if (begun.ok()) co_return std::unique_ptr<ReplyStream>(std::move(exchange));
    bool stale = reused && !exchange->got_bytes() && begun.error().is(Code::closed);
    if (!stale || !is_idempotent(request.method)) co_await std::move(begun);
  }
}

Task<Reply> HttpClient::call(ClientRequest request) {
  auto pool = pool_;
  auto stream = co_await open(std::move(request));
  Reply reply;
  reply.status = stream->status();
  reply.headers = stream->headers();
  while (true) {
    std::string some = co_await stream->read();
    if (some.empty()) break;
    if (reply.body.size() + some.size() > pool->options.max_reply) {
      co_await loop::fail(Error::make(Code::too_large, "the reply is too large"));
    }
    reply.body += some;
  }
  co_return std::move(reply);
}

}  // namespace orch::wire
