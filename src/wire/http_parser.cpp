#include "wire/http_parser.h"

#include <llhttp.h>

#include <algorithm>

#include "base/text.h"

namespace orch::wire {

namespace {

constexpr size_t kMaxHeaders = 256;
// Chunked framing of single bytes takes six for one; extensions and trailers could take any number.
constexpr uint64_t kFramingFactor = 8;
constexpr uint64_t kFramingAllowance = 64 * 1024;

}  // namespace

struct HttpParser::Impl {
  llhttp_t parser{};
  Kind kind;
  size_t max_head;
  size_t max_body = SIZE_MAX;
  uint64_t head_bytes = 0;
  uint64_t body_bytes = 0;       // of the body itself
  uint64_t body_wire_bytes = 0;  // with its framing
  bool started = false, head_done = false, complete = false, no_body = false;
  bool too_large = false;
  bool value_open = false;  // a header's value has begun: the next name is a new header
  std::string name, value;
  HeadFacts facts;
  Request request;

  Impl(Kind k, size_t limit) : kind(k), max_head(limit) { reset(); }
  void reset();
  void end_header();
  int end_head();
  Error error(llhttp_errno_t code);
  static const llhttp_settings_t& settings();
  static Impl& of(llhttp_t* p) { return *static_cast<Impl*>(p->data); }
};

const llhttp_settings_t& HttpParser::Impl::settings() {
  static const llhttp_settings_t table = [] {
    llhttp_settings_t s;
    llhttp_settings_init(&s);
    s.on_message_begin = [](llhttp_t* p) {
      of(p).started = true;
      return 0;
    };
    s.on_url = [](llhttp_t* p, const char* at, size_t size) {
      of(p).request.target.append(at, size);
      return 0;
    };
    s.on_header_field = [](llhttp_t* p, const char* at, size_t size) {
      auto& i = of(p);
      if (i.head_done) return 0;  // a trailer
      if (i.value_open) i.end_header();
      i.name.append(at, size);
      return 0;
    };
    s.on_header_value = [](llhttp_t* p, const char* at, size_t size) {
      auto& i = of(p);
      if (i.head_done) return 0;
      i.value_open = true;
      i.value.append(at, size);
      return 0;
    };
    // A header without a value has no on_header_value.
    s.on_header_value_complete = [](llhttp_t* p) {
      of(p).value_open = true;
      return 0;
    };
    s.on_headers_complete = [](llhttp_t* p) { return of(p).end_head(); };
    s.on_body = [](llhttp_t* p, const char* at, size_t size) {
      auto& i = of(p);
      i.body_bytes += size;
      if (i.body_bytes > i.max_body) {
        i.too_large = true;
        return -1;
      }
      i.request.body.append(at, size);
      return 0;
    };
    s.on_message_complete = [](llhttp_t* p) {
      of(p).complete = true;
      return static_cast<int>(HPE_PAUSED);
    };
    return s;
  }();
  return table;
}

void HttpParser::Impl::reset() {
  llhttp_init(&parser, kind == Kind::request ? HTTP_REQUEST : HTTP_RESPONSE, &settings());
  parser.data = this;
  max_body = SIZE_MAX;
  head_bytes = body_bytes = body_wire_bytes = 0;
  started = head_done = complete = no_body = too_large = value_open = false;
  name.clear();
  value.clear();
  facts = {};
  request = {};
}

void HttpParser::Impl::end_header() {
  request.headers.add(std::exchange(name, {}), std::string(trim(value)));
  value.clear();
  value_open = false;
  if (request.headers.all().size() > kMaxHeaders) too_large = true;
}

int HttpParser::Impl::end_head() {
  if (value_open) end_header();
  if (too_large) return -1;
  head_done = true;
  // An informational reply (100 Continue) is followed by the real one; 101 is the last.
  bool informational = kind == Kind::reply && parser.status_code / 100 == 1 && parser.status_code != 101;
  if (kind == Kind::request) {
    request.method = llhttp_method_name(static_cast<llhttp_method_t>(llhttp_get_method(&parser)));
  }
  facts.chunked = (parser.flags & F_CHUNKED) != 0;
  if ((parser.flags & F_CONTENT_LENGTH) != 0) facts.content_length = parser.content_length;
  facts.http10 = llhttp_get_http_major(&parser) == 1 && llhttp_get_http_minor(&parser) == 0;
  facts.upgrade = llhttp_get_upgrade(&parser) != 0;
  facts.keep_alive = llhttp_should_keep_alive(&parser) != 0;
  facts.expects_continue = equals_ignore_case(request.headers.get("Expect"), "100-continue");
  return no_body || informational ? 1 : 0;
}

Error HttpParser::Impl::error(llhttp_errno_t code) {
  if (too_large) {
    return Error::make(Code::too_large, head_done ? "the body is too large" : "the header has too many fields");
  }
  const char* reason = llhttp_get_error_reason(&parser);
  return Error::make(Code::parse, std::string("not HTTP: ") + (reason && *reason ? reason : llhttp_errno_name(code)));
}

HttpParser::HttpParser(Kind kind, size_t max_head) : impl_(std::make_unique<Impl>(kind, max_head)) {}
HttpParser::~HttpParser() = default;
HttpParser::HttpParser(HttpParser&&) noexcept = default;
HttpParser& HttpParser::operator=(HttpParser&&) noexcept = default;

Result<size_t> HttpParser::feed(std::string_view bytes) {
  auto& i = *impl_;
  ORCH_CHECK(!i.complete);
  if (bytes.empty()) return size_t{0};
  bool in_head = !i.head_done;
  // Not a byte of the head past its limit is looked at, however large the pieces are.
  auto piece = in_head ? bytes.substr(0, i.max_head - i.head_bytes + 1) : bytes;
  auto code = llhttp_execute(&i.parser, piece.data(), piece.size());
  size_t used = piece.size();
  if (code == HPE_PAUSED || code == HPE_PAUSED_UPGRADE) {
    used = static_cast<size_t>(llhttp_get_error_pos(&i.parser) - piece.data());
    if (code == HPE_PAUSED_UPGRADE) i.complete = true;
  } else if (code != HPE_OK) {
    return i.error(code);
  }
  if (in_head) {
    i.head_bytes += used;
    if (!i.head_done && i.head_bytes > i.max_head) {
      return Error::make(Code::too_large, "the header is larger than " + std::to_string(i.max_head) + " bytes");
    }
  } else {
    i.body_wire_bytes += used;
    if (i.max_body < UINT64_MAX / 16 && i.body_wire_bytes > i.max_body * kFramingFactor + kFramingAllowance) {
      return Error::make(Code::too_large, "the body's framing is too large");
    }
  }
  return used;
}

Result<void> HttpParser::finish() {
  auto& i = *impl_;
  if (i.complete) return {};
  auto code = llhttp_finish(&i.parser);
  if (i.complete) return {};
  if (code != HPE_OK) return i.error(code);
  return Error::make(Code::closed, "the connection ended inside a message");
}

bool HttpParser::started() const { return impl_->started; }
bool HttpParser::head_done() const { return impl_->head_done; }
bool HttpParser::complete() const { return impl_->complete; }
const HeadFacts& HttpParser::facts() const { return impl_->facts; }
Request& HttpParser::request() { return impl_->request; }
int HttpParser::status() const { return impl_->parser.status_code; }
void HttpParser::limit_body(size_t bytes) {
  impl_->max_body = bytes;
  if (impl_->body_bytes > bytes) impl_->too_large = true;
}
void HttpParser::expect_no_body() { impl_->no_body = true; }
void HttpParser::next() { impl_->reset(); }

Result<void> parse_target(Request& request) {
  std::string_view target = request.target;
  if (auto scheme = target.find("://"); scheme != std::string_view::npos && !target.starts_with('/')) {
    auto slash = target.find('/', scheme + 3);
    target = slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
  }
  if (!target.starts_with('/') && target != "*") {
    return Error::make(Code::parse, "the request's target is no path");
  }
  target = target.substr(0, target.find('#'));
  auto question = std::min(target.find('?'), target.size());
  TRY(request.path, decode_percent(target.substr(0, question), false));
  TRY(request.query, Query::parse(target.substr(std::min(question + 1, target.size()))));
  return {};
}

}  // namespace orch::wire
