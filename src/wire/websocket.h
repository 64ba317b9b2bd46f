#pragma once
// WebSocket (RFC 6455): frames as bytes, messages from frames (sans-I/O), and a WebSocket over a Stream.
// No extensions. Text must be UTF-8.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "loop/loop.h"
#include "loop/stream.h"
#include "wire/http.h"

namespace orch::wire {

enum class Opcode : uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

// Which side we are: clients mask what they send, servers refuse what is not masked.
enum class WebSocketRole { server, client };

struct WebSocketMessage {
  Opcode opcode = Opcode::binary;  // text, binary, close, ping or pong
  std::string payload;
};

// RFC 6455 section 7.4.1.
struct CloseCode {
  static constexpr uint16_t normal = 1000, going_away = 1001, protocol_error = 1002, unsupported = 1003,
                            invalid_text = 1007, too_big = 1009, internal = 1011;
};

// One whole frame. `mask` for clients: four random bytes.
std::string encode_frame(Opcode opcode, std::string_view payload, std::optional<uint32_t> mask = std::nullopt);
std::string close_payload(uint16_t code, std::string_view reason);
// The code in a close message: 1005 where there is none (section 7.1.5).
uint16_t close_code_of(std::string_view payload);

// Bytes in, messages out. Control messages may come between the fragments of another.
class WebSocketParser {
 public:
  // A message of more than `max_message` bytes is Code::too_large.
  WebSocketParser(WebSocketRole role, size_t max_message) : role_(role), max_message_(max_message) {}

  void feed(std::string_view bytes) { input_ += bytes; }
  // The next message, or nothing until more bytes come. Code::parse for what breaks the protocol, after
  // which nothing can be read any more.
  Result<std::optional<WebSocketMessage>> next();

 private:
  struct Frame;
  Result<bool> read_frame(Frame& frame);

  WebSocketRole role_;
  size_t max_message_;
  std::string input_;
  std::optional<Opcode> fragmented_;  // of the message whose fragments are coming
  std::string fragments_;
};

class WebSocket {
 public:
  WebSocket(loop::Loop& loop, std::unique_ptr<loop::Stream> stream, WebSocketRole role, std::string protocol,
            size_t max_message = 4 * 1024 * 1024);

  const std::string& protocol() const { return protocol_; }  // the agreed subprotocol, or ""

  // The next text or binary message. Pings are answered; at the end (a close message, which is answered,
  // or the stream's end) Code::closed. One at a time, beside sends.
  loop::Task<WebSocketMessage> read();
  // Any number at a time: they are sent in order, one after the other.
  loop::Task<void> send(Opcode opcode, std::string payload);
  loop::Task<void> close(uint16_t code, std::string reason);
  // Ends the connection now; waiting reads and sends end with Code::closed.
  void abort() { stream_->close(); }
  const loop::Stream& stream() const { return *stream_; }

 private:
  loop::Task<void> send_frame(std::string frame);
  loop::Task<void> handle_control(WebSocketMessage message);

  loop::Loop& loop_;
  std::unique_ptr<loop::Stream> stream_;
  WebSocketRole role_;
  std::string protocol_;
  WebSocketParser parser_;
  loop::Event sent_;
  bool sending_ = false;
  bool close_sent_ = false;
};

// The bytes inside a WebSocket's binary messages as a stream (kubectl's SPDY inside a WebSocket). Its end is
// the WebSocket's close message.
std::unique_ptr<loop::Stream> stream_over_websocket(std::unique_ptr<WebSocket> socket);

// A GET that asks for a WebSocket.
bool wants_websocket(const Request& request);
// What the server says to the key of a client's opening handshake.
std::string websocket_accept(std::string_view key);
// The first of the client's subprotocols that is one of ours.
std::optional<std::string> choose_protocol(const Request& request, std::span<const std::string> ours);

// Answers the opening handshake. Where the client names subprotocols and none is ours, Code::bad_request,
// and nothing was sent. `request` is only used until this returns.
loop::Task<std::unique_ptr<WebSocket>> accept_websocket(loop::Loop& loop, const Request& request, Responder& responder,
                                                        std::vector<std::string> protocols);

}  // namespace orch::wire
