#include "wire/remote_command_client.h"

#include <openssl/rand.h>

#include <array>

#include "base/text.h"

namespace orch::wire {

using loop::Task;

std::string make_websocket_key() {
  std::array<unsigned char, 16> bytes{};
  ORCH_CHECK(RAND_bytes(bytes.data(), bytes.size()) == 1);
  return encode_base64({reinterpret_cast<char*>(bytes.data()), bytes.size()});
}

Headers websocket_headers(const std::string& key, const std::vector<std::string>& protocols) {
  Headers headers;
  headers.add("Connection", "Upgrade");
  headers.add("Upgrade", "websocket");
  headers.add("Sec-WebSocket-Version", "13");
  headers.add("Sec-WebSocket-Key", key);
  if (!protocols.empty()) headers.add("Sec-WebSocket-Protocol", join(protocols, ", "));
  return headers;
}

Result<std::unique_ptr<WebSocket>> open_websocket(loop::Loop& loop, ReplyStream& reply, const std::string& key,
                                                  size_t max_message) {
  bool agreed = reply.status() == 101 && equals_ignore_case(reply.headers().get("Upgrade"), "websocket") &&
                reply.headers().get("Sec-WebSocket-Accept") == websocket_accept(key);
  if (!agreed) return Error::make(Code::parse, "the server answered the WebSocket handshake wrongly");
  std::string protocol(reply.headers().get("Sec-WebSocket-Protocol"));
  return std::make_unique<WebSocket>(loop, reply.upgrade(), WebSocketRole::client, protocol, max_message);
}

std::vector<std::string> command_protocols() { return {"v5.channel.k8s.io", "v4.channel.k8s.io"}; }

RemoteCommandClient::RemoteCommandClient(std::unique_ptr<WebSocket> socket) : socket_(std::move(socket)) {}

Task<RemoteCommandClient::Piece> RemoteCommandClient::read() {
  while (true) {
    WebSocketMessage message = co_await socket_->read();
    if (message.payload.size() < 2) continue;  // an empty piece says that the channel is connected
    auto number = static_cast<uint8_t>(message.payload[0]);
    bool ours = number >= static_cast<uint8_t>(CommandChannel::output) && number <= static_cast<uint8_t>(CommandChannel::status);
    if (!ours) continue;
    message.payload.erase(0, 1);
    Piece piece{static_cast<CommandChannel>(number), std::move(message.payload)};
    co_return std::move(piece);
  }
}

Task<void> RemoteCommandClient::send(CommandChannel channel, std::string bytes) {
  std::string message(1, static_cast<char>(channel));
  message += bytes;
  co_await socket_->send(Opcode::binary, std::move(message));
}

Task<void> RemoteCommandClient::write_input(std::string bytes) {
  co_await send(CommandChannel::input, std::move(bytes));
}

Task<void> RemoteCommandClient::close_input() {
  if (socket_->protocol() != "v5.channel.k8s.io") co_return;
  std::string message = {static_cast<char>(0xFF), static_cast<char>(CommandChannel::input)};
  co_await socket_->send(Opcode::binary, std::move(message));
}

Task<void> RemoteCommandClient::resize(WindowSize size) {
  co_await send(CommandChannel::resize, format_window_size(size));
}

Task<void> RemoteCommandClient::close() { co_await socket_->close(CloseCode::normal, ""); }

}  // namespace orch::wire
