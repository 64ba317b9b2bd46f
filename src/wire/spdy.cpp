#include "wire/spdy.h"

#include <zlib.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace orch::wire {

namespace {

constexpr uint16_t kVersion = 3;
constexpr size_t kHeaderSize = 8;
constexpr uint8_t kFlagFin = 1;
constexpr uint8_t kFlagUnidirectional = 2;
constexpr uint32_t kStreamMask = 0x7FFFFFFF;
constexpr size_t kMaxPayload = 0xFFFFFF;  // a length has 24 bits

void append_number(std::string& out, uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}

uint32_t number_at(std::string_view bytes, size_t at, size_t width = 4) {
  uint32_t value = 0;
  for (char byte : bytes.substr(at, width)) value = value << 8 | static_cast<uint8_t>(byte);
  return value;
}

Error broken(std::string_view why) { return Error::make(Code::parse, "SPDY: " + std::string(why)); }
Error too_large(std::string_view what) { return Error::make(Code::too_large, "SPDY: " + std::string(what) + " is too large"); }

// The compression dictionary of section 2.6.10.1: words with their lengths in front, then plain text.
std::string make_dictionary() {
  static constexpr std::string_view kWords[] = {
      "options",           "head",           "post",                "put",
      "delete",            "trace",          "accept",              "accept-charset",
      "accept-encoding",   "accept-language", "accept-ranges",      "age",
      "allow",             "authorization",  "cache-control",       "connection",
      "content-base",      "content-encoding", "content-language",  "content-length",
      "content-location",  "content-md5",    "content-range",       "content-type",
      "date",              "etag",           "expect",              "expires",
      "from",              "host",           "if-match",            "if-modified-since",
      "if-none-match",     "if-range",       "if-unmodified-since", "last-modified",
      "location",          "max-forwards",   "pragma",              "proxy-authenticate",
      "proxy-authorization", "range",        "referer",             "retry-after",
      "server",            "te",             "trailer",             "transfer-encoding",
      "upgrade",           "user-agent",     "vary",                "via",
      "warning",           "www-authenticate", "method",            "get",
      "status",            "200 OK",         "version",             "HTTP/1.1",
      "url",               "public",         "set-cookie",          "keep-alive",
      "origin",
  };
  std::string dictionary;
  for (std::string_view word : kWords) {
    append_number(dictionary, word.size(), 4);
    dictionary += word;
  }
  dictionary +=
      "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
      "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized"
      "403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
      "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
      "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,"
      "text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.";
  return dictionary;
}

const std::string& dictionary() {
  static const std::string text = make_dictionary();
  return text;
}

Bytef* bytes_of(const char* text) { return const_cast<Bytef*>(reinterpret_cast<const Bytef*>(text)); }

}  // namespace

// --- Header blocks --------------------------------------------------------------------------------

struct SpdyParser::Inflater {
  Inflater() { ORCH_CHECK(inflateInit(&stream) == Z_OK); }
  ~Inflater() { inflateEnd(&stream); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  z_stream stream{};

  Result<std::string> inflate_block(std::string_view block, size_t limit) {
    std::string text;
    std::array<char, 4096> buffer;
    stream.next_in = bytes_of(block.data());
    stream.avail_in = static_cast<uInt>(block.size());
    while (true) {
      stream.next_out = bytes_of(buffer.data());
      stream.avail_out = static_cast<uInt>(buffer.size());
      int code = inflate(&stream, Z_SYNC_FLUSH);
      if (code == Z_NEED_DICT) {
        code = inflateSetDictionary(&stream, bytes_of(dictionary().data()), static_cast<uInt>(dictionary().size()));
        if (code != Z_OK) return broken("headers compressed with another dictionary");
        continue;
      }
      size_t got = buffer.size() - stream.avail_out;
      text.append(buffer.data(), got);
      if (text.size() > limit) return too_large("a header block");
      // Z_BUF_ERROR: everything there was has been inflated.
      if (code == Z_BUF_ERROR || (code == Z_OK && stream.avail_in == 0 && stream.avail_out > 0)) return text;
      if (code != Z_OK) return broken("headers that cannot be inflated");
    }
  }
};

struct SpdyWriter::Deflater {
  Deflater() {
    ORCH_CHECK(deflateInit(&stream, Z_BEST_SPEED) == Z_OK);
    ORCH_CHECK(deflateSetDictionary(&stream, bytes_of(dictionary().data()), static_cast<uInt>(dictionary().size())) == Z_OK);
  }
  ~Deflater() { deflateEnd(&stream); }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
  z_stream stream{};

  std::string deflate_block(std::string_view text) {
    std::string block;
    std::array<char, 4096> buffer;
    stream.next_in = bytes_of(text.data());
    stream.avail_in = static_cast<uInt>(text.size());
    do {
      stream.next_out = bytes_of(buffer.data());
      stream.avail_out = static_cast<uInt>(buffer.size());
      int code = deflate(&stream, Z_SYNC_FLUSH);
      ORCH_CHECK(code == Z_OK || code == Z_BUF_ERROR);
      block.append(buffer.data(), buffer.size() - stream.avail_out);
    } while (stream.avail_out == 0);
    return block;
  }
};

// Section 2.6.10. Several values of one name are one value with NULs between them.
Result<Headers> SpdyParser::read_headers(std::string_view block) {
  TRY(std::string text, inflater_->inflate_block(block, limits_.max_header_block));
  std::string_view rest = text;
  auto take_number = [&rest]() -> std::optional<uint32_t> {
    if (rest.size() < 4) return std::nullopt;
    uint32_t value = number_at(rest, 0);
    rest.remove_prefix(4);
    return value;
  };
  auto take_text = [&]() -> std::optional<std::string_view> {
    auto size = take_number();
    if (!size || *size > rest.size()) return std::nullopt;
    std::string_view value = rest.substr(0, *size);
    rest.remove_prefix(*size);
    return value;
  };
  auto count = take_number();
  if (!count) return broken("a header block that is cut short");
  if (*count > limits_.max_headers) return too_large("the number of headers");
  Headers headers;
  for (uint32_t i = 0; i < *count; ++i) {
    auto name = take_text();
    auto value = take_text();
    if (!name || !value) return broken("a header block that is cut short");
    if (name->empty() || to_lower(*name) != *name) return broken("a header name that is empty or not in lower case");
    for (std::string_view one : split(*value, '\0')) headers.add(std::string(*name), std::string(one));
  }
  if (!rest.empty()) return broken("bytes behind the headers");
  return headers;
}

std::string SpdyWriter::format_headers(const Headers& headers) {
  std::vector<std::pair<std::string, std::string>> merged;
  for (const auto& [name, value] : headers.all()) {
    std::string lower = to_lower(name);
    auto same = std::ranges::find(merged, lower, &std::pair<std::string, std::string>::first);
    if (same == merged.end()) {
      merged.emplace_back(std::move(lower), value);
    } else {
      same->second += '\0';
      same->second += value;
    }
  }
  std::string text;
  append_number(text, merged.size(), 4);
  for (const auto& [name, value] : merged) {
    append_number(text, name.size(), 4);
    text += name;
    append_number(text, value.size(), 4);
    text += value;
  }
  return deflater_->deflate_block(text);
}

// --- Reading --------------------------------------------------------------------------------------

SpdyParser::SpdyParser(SpdyLimits limits) : limits_(limits), inflater_(std::make_unique<Inflater>()) {}
SpdyParser::~SpdyParser() = default;

std::optional<SpdyFrame> SpdyParser::next_piece() {
  if (data_left_ > 0 && input_.empty()) return std::nullopt;
  SpdyFrame piece;
  piece.stream = data_stream_;
  piece.payload = input_.substr(0, data_left_);
  input_.erase(0, piece.payload.size());
  data_left_ -= piece.payload.size();
  in_data_ = data_left_ > 0;
  piece.fin = data_fin_ && !in_data_;
  return piece;
}

Result<std::optional<SpdyFrame>> SpdyParser::next() {
  while (true) {
    if (in_data_) return next_piece();
    if (input_.size() < kHeaderSize) return std::optional<SpdyFrame>();
    uint32_t first = number_at(input_, 0);
    auto flags = static_cast<uint8_t>(input_[4]);
    size_t length = number_at(input_, 5, 3);
    if ((first & ~kStreamMask) == 0) {
      if (first == 0) return broken("data of stream 0");
      in_data_ = true;
      data_stream_ = first;
      data_fin_ = (flags & kFlagFin) != 0;
      data_left_ = length;
      input_.erase(0, kHeaderSize);
      continue;
    }
    if (((first & kStreamMask) >> 16) != kVersion) return broken("a frame of another version");
    if (length > limits_.max_control) return too_large("a control frame");
    if (input_.size() < kHeaderSize + length) return std::optional<SpdyFrame>();
    std::string payload = input_.substr(kHeaderSize, length);
    input_.erase(0, kHeaderSize + length);
    uint16_t type = first & 0xFFFF;
    bool known = type >= 1 && type <= 9 && type != 5;
    if (!known) continue;  // section 2.2.1: an unknown control frame is ignored
    TRY(SpdyFrame frame, read_control(static_cast<SpdyType>(type), flags, payload));
    return std::optional(std::move(frame));
  }
}

Result<SpdyFrame> SpdyParser::read_control(SpdyType type, uint8_t flags, std::string_view payload) {
  // Bytes in front of the header block, or all of them where the length is fixed.
  static constexpr std::array<size_t, 10> kSizes = {0, 10, 4, 8, 4, 0, 4, 8, 4, 8};
  size_t fixed = kSizes[static_cast<size_t>(type)];
  bool has_headers = type == SpdyType::syn_stream || type == SpdyType::syn_reply || type == SpdyType::headers;
  bool open_ended = has_headers || type == SpdyType::settings;
  if (payload.size() < fixed || (!open_ended && payload.size() != fixed)) return broken("a control frame of a wrong length");
  SpdyFrame frame;
  frame.type = type;
  uint32_t first = number_at(payload, 0);
  switch (type) {
    case SpdyType::ping:
      frame.value = first;
      return frame;
    case SpdyType::settings:
      if (payload.size() != 4 + size_t{8} * first) return broken("settings of a wrong length");
      for (size_t at = 4; at < payload.size(); at += 8) {
        frame.settings.emplace_back(number_at(payload, at + 1, 3), number_at(payload, at + 4));
      }
      return frame;
    default:
      break;
  }
  frame.stream = first & kStreamMask;
  bool session_wide = type == SpdyType::goaway || type == SpdyType::window_update;
  if (frame.stream == 0 && !session_wide) return broken("a control frame about stream 0");
  if (!has_headers) {
    frame.value = number_at(payload, 4);
    if (type == SpdyType::window_update) frame.value &= kStreamMask;
    return frame;
  }
  frame.fin = (flags & kFlagFin) != 0;
  if (type == SpdyType::syn_stream) {
    frame.unidirectional = (flags & kFlagUnidirectional) != 0;
    frame.associated = number_at(payload, 4) & kStreamMask;
    frame.priority = static_cast<uint8_t>(payload[8]) >> 5;
  }
  TRY(frame.headers, read_headers(payload.substr(fixed)));
  return frame;
}

// --- Writing --------------------------------------------------------------------------------------

SpdyWriter::SpdyWriter() : deflater_(std::make_unique<Deflater>()) {}
SpdyWriter::~SpdyWriter() = default;

std::string SpdyWriter::format(const SpdyFrame& frame) {
  std::string payload;
  uint8_t flags = frame.fin ? kFlagFin : 0;
  switch (frame.type) {
    case SpdyType::data:
      payload = frame.payload;
      break;
    case SpdyType::syn_stream:
      if (frame.unidirectional) flags |= kFlagUnidirectional;
      append_number(payload, frame.stream, 4);
      append_number(payload, frame.associated, 4);
      append_number(payload, static_cast<uint64_t>(frame.priority & 7) << 5, 1);
      append_number(payload, 0, 1);
      payload += format_headers(frame.headers);
      break;
    case SpdyType::syn_reply:
    case SpdyType::headers:
      append_number(payload, frame.stream, 4);
      payload += format_headers(frame.headers);
      break;
    case SpdyType::settings:
      append_number(payload, frame.settings.size(), 4);
      for (const auto& [id, value] : frame.settings) {
        append_number(payload, id & 0xFFFFFF, 4);
        append_number(payload, value, 4);
      }
      break;
    case SpdyType::ping:
      append_number(payload, frame.value, 4);
      break;
    case SpdyType::rst_stream:
    case SpdyType::goaway:
    case SpdyType::window_update:
      append_number(payload, frame.stream, 4);
      append_number(payload, frame.value, 4);
      break;
  }
  ORCH_CHECK(payload.size() <= kMaxPayload);
  std::string bytes;
  bytes.reserve(kHeaderSize + payload.size());
  if (frame.type == SpdyType::data) {
    append_number(bytes, frame.stream & kStreamMask, 4);
  } else {
    append_number(bytes, 0x8000 | kVersion, 2);
    append_number(bytes, static_cast<uint16_t>(frame.type), 2);
  }
  append_number(bytes, flags, 1);
  append_number(bytes, payload.size(), 3);
  bytes += payload;
  return bytes;
}

}  // namespace orch::wire
