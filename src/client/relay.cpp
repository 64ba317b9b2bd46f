#include "client/relay.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "loop/scope.h"

namespace orch::client {

using loop::Stream;
using loop::Task;

namespace {

// Of one connection, not of the message (RFC 9110 section 7.6.1); Host and lengths are made anew. And what the
// client proves itself with to us is nobody else's to see.
constexpr std::array<std::string_view, 10> kOwnOfConnection = {
    "Connection",        "Keep-Alive", "Proxy-Connection", "TE",             "Trailer",
    "Transfer-Encoding", "Upgrade",    "Host",             "Content-Length", "Authorization"};

bool is_own(std::string_view name, std::string_view connection) {
  auto same = [&](std::string_view other) { return equals_ignore_case(trim(other), name); };
  if (std::ranges::any_of(kOwnOfConnection, same)) return true;
  auto named = split(connection, ',');
  return std::ranges::any_of(named, same);
}

wire::Headers pass_on(const wire::Headers& headers) {
  wire::Headers passed;
  std::string_view connection = headers.get("Connection");
  for (const auto& [name, value] : headers.all()) {
    if (!is_own(name, connection)) passed.add(name, value);
  }
  return passed;
}

Task<void> copy(Stream& from, Stream& to, loop::Event& done) {
  while (true) {
    auto some = co_await from.read().result();
    if (!some.ok() || some->empty()) break;
    auto written = co_await loop::write_text(to, std::move(*some)).result();
    if (!written.ok()) break;
  }
  co_await to.shutdown().result();
  done.set();
}

Task<void> relay_upgrade(loop::Loop& loop, wire::ReplyStream& reply, wire::Headers headers, wire::Responder& responder) {
  headers.set("Connection", "Upgrade");
  headers.set("Upgrade", std::string(reply.headers().get("Upgrade")));
  co_await responder.start(101, std::move(headers));
  auto theirs = reply.upgrade();
  auto ours = responder.upgrade();
  co_await splice(loop, *ours, *theirs);
}

Task<void> relay_body(wire::ReplyStream& reply, wire::Responder& responder) {
  while (true) {
    std::string some = co_await reply.read();
    if (some.empty()) break;
    std::vector<loop::Chunk> chunks;
    chunks.emplace_back(std::move(some));
    co_await responder.write(std::move(chunks));
  }
  co_await responder.finish();
}

Task<void> watch_client(wire::Responder& responder, loop::Event& over) {
  co_await responder.client_gone().result();
  over.set();
}

Task<void> relay_until(wire::ReplyStream& reply, wire::Responder& responder, loop::Event& over) {
  co_await relay_body(reply, responder).result();
  over.set();
}

}  // namespace

Task<void> splice(loop::Loop& loop, Stream& one, Stream& other) {
  loop::Event there(loop), back(loop);
  loop::Scope scope(loop);
  scope.spawn(copy(one, other, there));
  scope.spawn(copy(other, one, back));
  co_await there.wait();
  co_await back.wait();
}

Task<void> relay(loop::Loop& loop, wire::HttpClient& client, const wire::Request& request, RelayRequest how,
                 wire::Responder& responder) {
  wire::ClientRequest out;
  out.method = request.method;
  out.target = std::move(how.target);
  out.body = request.body;
  out.headers = pass_on(request.headers);
  if (!how.host.empty()) out.headers.set("Host", how.host);
  for (const auto& [name, value] : how.extra.all()) out.headers.set(name, value);
  if (request.headers.has("Upgrade")) {
    out.headers.set("Connection", "Upgrade");
    out.headers.set("Upgrade", std::string(request.headers.get("Upgrade")));
  }
  auto reply = co_await client.open(std::move(out));
  wire::Headers headers = pass_on(reply->headers());
  if (how.change_headers) how.change_headers(headers);
  if (reply->status() == 101) co_return co_await relay_upgrade(loop, *reply, std::move(headers), responder);
  co_await responder.start(reply->status(), std::move(headers));
  // A server that has nothing to say for a long time must not keep a connection whose client is gone.
  loop::Event over(loop);
  loop::Scope scope(loop);
  scope.spawn(watch_client(responder, over));
  scope.spawn(relay_until(*reply, responder, over));
  co_await over.wait();
}

}  // namespace orch::client
