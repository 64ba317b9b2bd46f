#pragma once
// The nodes that this process reaches: a NodeDirectory one can write. The agent inside `orch server` is in
// it as a handler; other machines' agents are when they are known.
//
// Owner: main. Handlers are borrowed and taken out before they go.

#include <map>
#include <string>

#include "client/node_directory.h"

namespace orch::client {

class NodeTable final : public NodeDirectory {
 public:
  wire::Handler* find(std::string_view node) override;
  void set(std::string node, wire::Handler& handler) { handlers_[std::move(node)] = &handler; }
  void remove(std::string_view node);

 private:
  std::map<std::string, wire::Handler*, std::less<>> handlers_;
};

// Asks a handler for a whole reply, as if over a connection: for answers made of other answers. Code::closed
// where it breaks off, Code::too_large past `limit` bytes.
struct HandlerReply {
  int status = 0;
  wire::Headers headers;
  std::string body;
};
loop::Task<HandlerReply> ask_handler(wire::Handler& handler, wire::Request request, size_t limit);

// A GET of `target` ("/stats/summary?x=1"). The target must be well formed.
wire::Request handler_request(std::string target);

}  // namespace orch::client
