#include "wire/websocket.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "wire/openssl.h"

namespace orch::wire {

using loop::Task;

namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455 section 1.3
constexpr size_t kMaxControl = 125;
constexpr uint16_t kNoCode = 1005;

bool is_control(Opcode opcode) { return static_cast<uint8_t>(opcode) >= 8; }

void apply_mask(std::string& payload, size_t from, const std::array<uint8_t, 4>& key) {
  for (size_t i = from; i < payload.size(); ++i) {
    payload[i] = static_cast<char>(static_cast<uint8_t>(payload[i]) ^ key[(i - from) % 4]);
  }
}

uint64_t big_endian(std::string_view bytes) {
  uint64_t value = 0;
  for (char byte : bytes) value = value << 8 | static_cast<uint8_t>(byte);
  return value;
}

Error broken(std::string_view why) { return Error::make(Code::parse, "WebSocket: " + std::string(why)); }

bool has_token(std::string_view list, std::string_view token) {
  auto parts = split(list, ',');
  return std::ranges::any_of(parts, [&](auto part) { return equals_ignore_case(trim(part), token); });
}

uint32_t random_mask() {
  std::array<unsigned char, 4> bytes{};
  BIGNUM* number = BN_new();
  BN_rand(number, 32, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY);
  BN_bn2binpad(number, bytes.data(), bytes.size());
  BN_free(number);
  return static_cast<uint32_t>(big_endian({reinterpret_cast<char*>(bytes.data()), bytes.size()}));
}

}  // namespace

std::string encode_frame(Opcode opcode, std::string_view payload, std::optional<uint32_t> mask) {
  std::string frame;
  frame.reserve(payload.size() + 14);
  frame += static_cast<char>(0x80 | static_cast<uint8_t>(opcode));
  uint8_t mask_bit = mask ? 0x80 : 0;
  auto append = [&](uint64_t value, int bytes) {
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) frame += static_cast<char>(value >> shift);
  };
  if (payload.size() < 126) {
    append(mask_bit | payload.size(), 1);
  } else if (payload.size() <= 0xFFFF) {
    append(mask_bit | 126, 1);
    append(payload.size(), 2);
  } else {
    append(mask_bit | 127, 1);
    append(payload.size(), 8);
  }
  if (mask) append(*mask, 4);
  size_t start = frame.size();
  frame += payload;
  if (mask) {
    std::array<uint8_t, 4> key{};
    for (int i = 0; i < 4; ++i) key[static_cast<size_t>(i)] = static_cast<uint8_t>(*mask >> (24 - 8 * i));
    apply_mask(frame, start, key);
  }
  return frame;
}

std::string close_payload(uint16_t code, std::string_view reason) {
  std::string payload;
  payload += static_cast<char>(code >> 8);
  payload += static_cast<char>(code & 0xFF);
  payload += reason.substr(0, kMaxControl - 2);
  return payload;
}

uint16_t close_code_of(std::string_view payload) {
  return payload.size() < 2 ? kNoCode : static_cast<uint16_t>(big_endian(payload.substr(0, 2)));
}

struct WebSocketParser::Frame {
  bool last = false;
  Opcode opcode{};
  std::string payload;
};

// Section 5.2. False: not all of it is here.
Result<bool> WebSocketParser::read_frame(Frame& frame) {
  if (input_.size() < 2) return false;
  auto first = static_cast<uint8_t>(input_[0]);
  auto second = static_cast<uint8_t>(input_[1]);
  frame.last = (first & 0x80) != 0;
  frame.opcode = static_cast<Opcode>(first & 0x0F);
  if ((first & 0x70) != 0) return broken("a reserved bit is set");
  uint8_t code = first & 0x0F;
  if ((code > 2 && code < 8) || code > 10) return broken("unknown opcode");
  bool masked = (second & 0x80) != 0;
  if (masked != (role_ == WebSocketRole::server)) return broken("wrong masking");
  uint64_t size = second & 0x7F;
  if (is_control(frame.opcode) && (size > kMaxControl || !frame.last)) return broken("control frame too large or in parts");
  size_t header = 2;
  if (size >= 126) {
    size_t width = size == 126 ? 2 : 8;
    if (input_.size() < header + width) return false;
    size = big_endian(std::string_view(input_).substr(header, width));
    header += width;
  }
  if (size > max_message_ || fragments_.size() + size > max_message_) {
    return Error::make(Code::too_large, "WebSocket: the message is too large");
  }
  std::array<uint8_t, 4> key{};
  size_t start = header + (masked ? 4 : 0);
  if (input_.size() < start + size) return false;
  for (size_t i = 0; masked && i < 4; ++i) key[i] = static_cast<uint8_t>(input_[header + i]);
  frame.payload = input_.substr(start, size);
  if (masked) apply_mask(frame.payload, 0, key);
  input_.erase(0, start + size);
  return true;
}

Result<std::optional<WebSocketMessage>> WebSocketParser::next() {
  while (true) {
    Frame frame;
    TRY(bool whole, read_frame(frame));
    if (!whole) return std::optional<WebSocketMessage>();
    if (is_control(frame.opcode)) {
      if (frame.opcode == Opcode::close && frame.payload.size() == 1) return broken("half a close code");
      return std::optional(WebSocketMessage{frame.opcode, std::move(frame.payload)});
    }
    bool continues = frame.opcode == Opcode::continuation;
    if (continues != fragmented_.has_value()) return broken("fragments out of order");
    if (!continues) fragmented_ = frame.opcode;
    fragments_ += frame.payload;
    if (!frame.last) continue;
    WebSocketMessage message{*std::exchange(fragmented_, std::nullopt), std::exchange(fragments_, {})};
    if (message.opcode == Opcode::text && !is_valid_utf8(message.payload)) return broken("text that is not UTF-8");
    return std::optional(std::move(message));
  }
}

// --- Over a stream --------------------------------------------------------------------------------

WebSocket::WebSocket(loop::Loop& loop, std::unique_ptr<loop::Stream> stream, WebSocketRole role, std::string protocol,
                     size_t max_message)
    : loop_(loop),
      stream_(std::move(stream)),
      role_(role),
      protocol_(std::move(protocol)),
      parser_(role, max_message),
      sent_(loop) {}

Task<void> WebSocket::send_frame(std::string frame) {
  struct Sending {
    WebSocket& socket;
    ~Sending() {
      socket.sending_ = false;
      socket.sent_.set();
    }
  };
  while (sending_) {
    sent_.reset();
    co_await sent_.wait();
  }
  sending_ = true;
  Sending sending{*this};
  co_await loop::write_text(*stream_, std::move(frame));
}

Task<void> WebSocket::send(Opcode opcode, std::string payload) {
  if (close_sent_) co_await loop::fail(Error::make(Code::closed, "the WebSocket is closed"));
  if (opcode == Opcode::close) close_sent_ = true;
  std::optional<uint32_t> mask;
  if (role_ == WebSocketRole::client) mask = random_mask();
  co_await send_frame(encode_frame(opcode, payload, mask));
}

Task<void> WebSocket::close(uint16_t code, std::string reason) {
  if (close_sent_) co_return;
  co_await send(Opcode::close, close_payload(code, reason));
}

Task<void> WebSocket::handle_control(WebSocketMessage message) {
  if (message.opcode == Opcode::ping && !close_sent_) co_await send(Opcode::pong, std::move(message.payload));
  if (message.opcode != Opcode::close) co_return;
  uint16_t code = close_code_of(message.payload);
  // Section 5.5.1: the answer carries the code that came.
  (void)co_await close(code == kNoCode ? CloseCode::normal : code, "").result();
  (void)co_await stream_->shutdown().result();
  co_await loop::fail(Error::make(Code::closed, "the WebSocket was closed: " + std::to_string(code)));
}

Task<WebSocketMessage> WebSocket::read() {
  while (true) {
    auto next = parser_.next();
    if (!next.ok()) {
      uint16_t code = next.error().is(Code::too_large) ? CloseCode::too_big : CloseCode::protocol_error;
      (void)co_await close(code, next.error().message()).result();
      co_await loop::fail(std::move(next).error());
    }
    if (*next && !is_control((*next)->opcode)) co_return std::move(**next);
    if (*next) {
      co_await handle_control(std::move(**next));
      continue;
    }
    std::string bytes = co_await stream_->read();
    if (bytes.empty()) co_await loop::fail(Error::make(Code::closed, "the WebSocket's stream has ended"));
    parser_.feed(bytes);
  }
}

namespace {

class WebSocketStream final : public loop::Stream {
 public:
  explicit WebSocketStream(std::unique_ptr<WebSocket> socket) : socket_(std::move(socket)) {}
  Task<std::string> read() override;
  Task<void> write(std::vector<loop::Chunk> chunks) override;
  Task<void> shutdown() override { return socket_->close(CloseCode::normal, ""); }
  void close() override { socket_->abort(); }
  std::string peer() const override { return socket_->stream().peer(); }
  std::string local() const override { return socket_->stream().local(); }

 private:
  std::unique_ptr<WebSocket> socket_;
};

Task<std::string> WebSocketStream::read() {
  while (true) {
    auto message = co_await socket_->read().result();
    if (!message.ok() && message.error().is(Code::closed)) co_return std::string();
    if (!message.ok()) co_await loop::fail(std::move(message).error());
    if (!message->payload.empty()) co_return std::move(message->payload);
  }
}

Task<void> WebSocketStream::write(std::vector<loop::Chunk> chunks) {
  std::string bytes;
  for (const auto& chunk : chunks) bytes += chunk.view();
  co_await socket_->send(Opcode::binary, std::move(bytes));
}

}  // namespace

std::unique_ptr<loop::Stream> stream_over_websocket(std::unique_ptr<WebSocket> socket) {
  return std::make_unique<WebSocketStream>(std::move(socket));
}

// --- The opening handshake ------------------------------------------------------------------------

bool wants_websocket(const Request& request) {
  return request.method == "GET" && equals_ignore_case(request.headers.get("Upgrade"), "websocket") &&
         has_token(request.headers.get("Connection"), "upgrade");
}

std::string websocket_accept(std::string_view key) {
  std::string text(key);
  text += kGuid;
  std::array<unsigned char, 20> digest;
  ORCH_CHECK(EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha1(), nullptr) == 1);
  return encode_base64({reinterpret_cast<char*>(digest.data()), digest.size()});
}

std::optional<std::string> choose_protocol(const Request& request, std::span<const std::string> ours) {
  for (const auto& [name, value] : request.headers.all()) {
    if (!equals_ignore_case(name, "Sec-WebSocket-Protocol")) continue;
    for (auto part : split(value, ',')) {
      auto found = std::ranges::find(ours, trim(part));
      if (found != ours.end()) return *found;
    }
  }
  return std::nullopt;
}

Task<std::unique_ptr<WebSocket>> accept_websocket(loop::Loop& loop, const Request& request, Responder& responder,
                                                  std::vector<std::string> protocols) {
  std::string key(request.headers.get("Sec-WebSocket-Key"));
  auto decoded = decode_base64(key);
  if (!wants_websocket(request) || !decoded.ok() || decoded->size() != 16) {
    co_await loop::fail(Error::make(Code::bad_request, "not a WebSocket handshake"));
  }
  if (request.headers.get("Sec-WebSocket-Version") != "13") {
    co_await loop::fail(Error::make(Code::bad_request, "the WebSocket version must be 13"));
  }
  auto protocol = choose_protocol(request, protocols);
  if (!protocol && request.headers.has("Sec-WebSocket-Protocol")) {
    co_await loop::fail(Error::make(Code::bad_request, "none of the WebSocket subprotocols is known"));
  }
  Headers headers;
  headers.add("Upgrade", "websocket");
  headers.add("Connection", "Upgrade");
  headers.add("Sec-WebSocket-Accept", websocket_accept(key));
  if (protocol) headers.add("Sec-WebSocket-Protocol", *protocol);
  co_await responder.start(101, std::move(headers));
  co_return std::make_unique<WebSocket>(loop, responder.upgrade(), WebSocketRole::server, protocol.value_or(""));
}

}  // namespace orch::wire
