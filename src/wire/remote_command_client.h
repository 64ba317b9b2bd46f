#pragma once
// The client's side of a remote command over a WebSocket (remote_command.h has the server's), and the opening
// handshake of any WebSocket from the client's side.

#include <memory>
#include <string>
#include <vector>

#include "wire/http_client.h"
#include "wire/remote_command.h"
#include "wire/websocket.h"

namespace orch::wire {

// The headers of a GET that asks for a WebSocket. `key`: make_websocket_key().
std::string make_websocket_key();
Headers websocket_headers(const std::string& key, const std::vector<std::string>& protocols);
// From the 101. Code::parse where the answer breaks the protocol. `max_message` of what the server sends.
Result<std::unique_ptr<WebSocket>> open_websocket(loop::Loop& loop, ReplyStream& reply, const std::string& key,
                                                  size_t max_message = 16 << 20);

// What a command's client asks for: newest first.
std::vector<std::string> command_protocols();

class RemoteCommandClient {
 public:
  explicit RemoteCommandClient(std::unique_ptr<WebSocket> socket);

  struct Piece {
    CommandChannel channel;  // output, error or status
    std::string bytes;
  };
  // Code::closed at the end. One at a time, beside writes.
  loop::Task<Piece> read();
  loop::Task<void> write_input(std::string bytes);
  loop::Task<void> close_input();  // before v5 there is no way to say so: nothing happens
  loop::Task<void> resize(WindowSize size);
  loop::Task<void> close();

 private:
  loop::Task<void> send(CommandChannel channel, std::string bytes);
  std::unique_ptr<WebSocket> socket_;
};

}  // namespace orch::wire
