#include "client/node_table.h"

#include "wire/http_parser.h"

namespace orch::client {

using loop::Task;

namespace {

// Collects what a handler says.
class Collector final : public wire::Responder {
 public:
  explicit Collector(size_t limit) : limit_(limit) {}
  HandlerReply reply;
  bool complete = false;

  Task<void> send(int status, wire::Headers headers, std::vector<loop::Chunk> body) override {
    reply.status = status;
    reply.headers = std::move(headers);
    co_await write(std::move(body));
    complete = true;
  }
  Task<void> start(int status, wire::Headers headers) override {
    reply.status = status;
    reply.headers = std::move(headers);
    co_return;
  }
  Task<void> write(std::vector<loop::Chunk> chunks) override {
    for (const auto& chunk : chunks) {
      if (reply.body.size() + chunk.view().size() > limit_) {
        co_await loop::fail(Error::make(Code::too_large, "the node's answer is too large"));
      }
      reply.body += chunk.view();
    }
  }
  Task<void> finish() override {
    complete = true;
    co_return;
  }
  std::unique_ptr<loop::Stream> upgrade() override { return nullptr; }
  Task<void> client_gone() override {
    co_await std::suspend_always();  // we stay; the caller's task is destroyed instead
  }

 private:
  size_t limit_;
};

}  // namespace

wire::Handler* NodeTable::find(std::string_view node) {
  auto found = handlers_.find(node);
  return found == handlers_.end() ? nullptr : found->second;
}

void NodeTable::remove(std::string_view node) {
  auto found = handlers_.find(node);
  if (found != handlers_.end()) handlers_.erase(found);
}

wire::Request handler_request(std::string target) {
  wire::Request request;
  request.method = "GET";
  request.target = std::move(target);
  ORCH_CHECK(wire::parse_target(request).ok());
  return request;
}

Task<HandlerReply> ask_handler(wire::Handler& handler, wire::Request request, size_t limit) {
  Collector collector(limit);
  wire::Peer peer;
  peer.address = "in process";
  co_await handler.handle(std::move(request), std::move(peer), collector);
  if (!collector.complete) co_await loop::fail(Error::make(Code::closed, "the node's answer broke off"));
  co_return std::move(collector.reply);
}

}  // namespace orch::client
