#include "wire/port_forward.h"

#include <map>

#include "base/text.h"
#include "loop/scope.h"
#include "loop/timeout.h"
#include "wire/remote_command.h"
#include "wire/spdy_session.h"
#include "wire/websocket.h"

namespace orch::wire {

using loop::Stream;
using loop::Task;

namespace {

constexpr std::string_view kProtocol = "portforward.k8s.io";
constexpr std::string_view kTunnel = "SPDY/3.1+portforward.k8s.io";
constexpr std::string_view kChannels = "v4.channel.k8s.io";
constexpr std::string_view kBase64Channels = "v4.base64.channel.k8s.io";
constexpr Duration kPairTimeout = 30s;   // kubelet's streamCreationTimeout
constexpr size_t kMaxForwardedPorts = 64;

std::optional<uint16_t> parse_port(std::string_view text) {
  auto port = parse_uint(text);
  if (!port || *port == 0 || *port > 65535) return std::nullopt;
  return static_cast<uint16_t>(*port);
}

std::string forwarding_error(const PortForwardTarget& target, uint16_t port, const Error& error) {
  return "error forwarding port " + std::to_string(port) + " to " + target.describe + ": " + error.message();
}

// --- Over SPDY ------------------------------------------------------------------------------------

struct Pair {
  std::unique_ptr<SpdyStream> data, error;
  uint16_t port = 0;
  bool complete() const { return data && error; }
};
using PairPtr = std::shared_ptr<Pair>;

class Forwarder {
 public:
  Forwarder(loop::Loop& loop, SpdySession& session, PortForwardTarget target)
      : loop_(loop), session_(session), target_(std::move(target)), scope_(loop) {}
  Task<void> run();

 private:
  void take(std::unique_ptr<SpdyStream> stream);
  Task<void> forget_incomplete(std::string request_id, std::weak_ptr<Pair> pair);
  Task<void> forward(PairPtr pair);
  Task<void> copy(PairPtr pair);
  static Task<void> drain(SpdyStream& stream);
  static Task<void> to_pod(SpdyStream& from, Stream& to);
  static Task<void> from_pod(Stream& from, SpdyStream& to, loop::Event& over);

  loop::Loop& loop_;
  SpdySession& session_;
  PortForwardTarget target_;
  std::map<std::string, PairPtr> pairs_;  // half of them is here
  loop::Scope scope_;
};

Task<void> Forwarder::run() {
  while (true) {
    auto stream = co_await session_.accept();
    take(std::move(stream));
  }
}

void Forwarder::take(std::unique_ptr<SpdyStream> stream) {
  auto port = parse_port(stream->headers().get("port"));
  std::string_view type = stream->headers().get("streamType");
  bool is_error = type == "error";
  if (!port || (!is_error && type != "data")) return stream->reset(SpdyReset::protocol_error);
  std::string request_id(stream->headers().get("requestID"));
  // Clients of old name none: the data stream is the one after the error stream.
  if (request_id.empty()) request_id = "#" + std::to_string(is_error ? stream->id() : stream->id() - 2);
  auto& pair = pairs_[request_id];
  if (!pair) {
    pair = std::make_shared<Pair>();
    pair->port = *port;
    scope_.spawn(forget_incomplete(request_id, pair));
  }
  auto& place = is_error ? pair->error : pair->data;
  if (place) return stream->reset(SpdyReset::stream_in_use);
  place = std::move(stream);
  if (!pair->complete()) return;
  auto whole = std::move(pair);
  pairs_.erase(request_id);
  scope_.spawn(forward(std::move(whole)));
}

Task<void> Forwarder::forget_incomplete(std::string request_id, std::weak_ptr<Pair> pair) {
  co_await loop::sleep(loop_, kPairTimeout);
  auto found = pairs_.find(request_id);
  if (found == pairs_.end() || found->second != pair.lock()) co_return;
  if (found->second->error) {
    co_await found->second->error->write("timed out waiting for the data stream of the connection").result();
  }
  pairs_.erase(request_id);
}

Task<void> Forwarder::forward(PairPtr pair) {
  auto copied = co_await copy(pair).result();
  if (!copied.ok() && !copied.error().is(Code::closed)) {
    co_await pair->error->write(forwarding_error(target_, pair->port, copied.error())).result();
  }
  co_await pair->error->finish().result();
  co_await pair->data->finish().result();
  // A client ends its side once it has read ours; a reset before that would hurry it.
  co_await loop::with_timeout(loop_, drain(*pair->data), kPairTimeout).result();
}

Task<void> Forwarder::drain(SpdyStream& stream) {
  while (true) {
    std::string some = co_await stream.read();
    if (some.empty()) co_return;
  }
}

Task<void> Forwarder::copy(PairPtr pair) {
  auto connection = co_await target_.connect(pair->port);
  loop::Event over(loop_);
  loop::Scope scope(loop_);
  scope.spawn(to_pod(*pair->data, *connection));
  scope.spawn(from_pod(*connection, *pair->data, over));
  // What the pod sends has ended: kubectl closes the connection then, and what it still sends goes nowhere.
  co_await over.wait();
}

Task<void> Forwarder::to_pod(SpdyStream& from, Stream& to) {
  while (true) {
    auto some = co_await from.read().result();
    if (!some.ok()) {
      to.close();  // reset: the other direction ends with it
      co_return;
    }
    if (some->empty()) break;
    auto written = co_await loop::write_text(to, std::move(*some)).result();
    if (!written.ok()) co_return;
  }
  co_await to.shutdown().result();
}

Task<void> Forwarder::from_pod(Stream& from, SpdyStream& to, loop::Event& over) {
  while (true) {
    auto some = co_await from.read().result();
    if (!some.ok() || some->empty()) break;
    auto written = co_await to.write(std::move(*some)).result();
    if (!written.ok()) break;
  }
  co_await to.finish().result();
  over.set();
}

Task<void> serve_session(loop::Loop& loop, std::unique_ptr<Stream> stream, PortForwardTarget target) {
  SpdySession session(loop, std::move(stream), SpdyRole::server);
  Forwarder forwarder(loop, session, std::move(target));
  co_await forwarder.run().result();
  co_await session.ended();  // after a GOAWAY, too: connections that are open go on
}

// --- Channels of a WebSocket ----------------------------------------------------------------------

class ChannelForwarder {
 public:
  ChannelForwarder(loop::Loop& loop, std::unique_ptr<WebSocket> socket, PortForwardTarget target)
      : loop_(loop), socket_(std::move(socket)), base64_(socket_->protocol() == kBase64Channels), target_(std::move(target)) {}
  Task<void> run(std::vector<uint16_t> ports);

 private:
  struct Port {
    uint16_t number = 0;
    std::unique_ptr<Stream> connection;
  };
  Task<void> send(size_t channel, std::string bytes);
  Task<void> copy_from_pod(size_t index);
  Task<void> open(size_t index);
  Task<void> receive();

  loop::Loop& loop_;
  std::unique_ptr<WebSocket> socket_;
  bool base64_;
  PortForwardTarget target_;
  std::vector<Port> ports_;
};

Task<void> ChannelForwarder::send(size_t channel, std::string bytes) {
  std::string message(1, static_cast<char>((base64_ ? '0' : 0) + channel));
  message += base64_ ? encode_base64(bytes) : bytes;
  co_await socket_->send(base64_ ? Opcode::text : Opcode::binary, std::move(message));
}

Task<void> ChannelForwarder::copy_from_pod(size_t index) {
  while (true) {
    std::string some = co_await ports_[index].connection->read();
    if (some.empty()) co_return;
    co_await send(2 * index, std::move(some));
  }
}

Task<void> ChannelForwarder::open(size_t index) {
  Port& port = ports_[index];
  std::string number;
  number += static_cast<char>(port.number & 0xFF);
  number += static_cast<char>(port.number >> 8);
  co_await send(2 * index, number);
  co_await send(2 * index + 1, number);
  auto connection = co_await target_.connect(port.number).result();
  if (!connection.ok()) co_return co_await send(2 * index + 1, forwarding_error(target_, port.number, connection.error()));
  port.connection = std::move(*connection);
}

Task<void> ChannelForwarder::receive() {
  while (true) {
    WebSocketMessage message = co_await socket_->read();
    if (message.payload.empty()) continue;
    size_t channel = static_cast<uint8_t>(message.payload[0]) - (base64_ ? '0' : 0);
    std::string bytes = message.payload.substr(1);
    if (base64_) bytes = co_await decode_base64(bytes);
    if (channel % 2 != 0 || channel / 2 >= ports_.size()) continue;
    auto& connection = ports_[channel / 2].connection;
    if (connection) co_await loop::write_text(*connection, std::move(bytes)).result();
  }
}

Task<void> ChannelForwarder::run(std::vector<uint16_t> ports) {
  ports_.resize(ports.size());
  for (size_t i = 0; i < ports.size(); ++i) {
    ports_[i].number = ports[i];
    co_await open(i);
  }
  loop::Scope scope(loop_);
  for (size_t i = 0; i < ports_.size(); ++i) {
    if (ports_[i].connection) scope.spawn(copy_from_pod(i));
  }
  co_await receive().result();
}

}  // namespace

Result<std::vector<uint16_t>> parse_forwarded_ports(const Query& query) {
  std::vector<uint16_t> ports;
  for (std::string_view text : query.all("port")) {
    for (std::string_view part : split(text, ',')) {
      auto port = parse_port(part);
      if (!port) return Error::make(Code::bad_request, "unable to parse " + quote(text) + " as a port");
      ports.push_back(*port);
    }
  }
  if (ports.empty()) return Error::make(Code::bad_request, "query parameter \"port\" is required");
  if (ports.size() > kMaxForwardedPorts) return Error::make(Code::bad_request, "too many ports");
  return ports;
}

Task<void> serve_port_forward(loop::Loop& loop, const Request& request, Responder& responder, PortForwardTarget target) {
  if (!wants_websocket(request)) {
    std::vector<std::string> ours(1, std::string(kProtocol));
    SpdyUpgrade upgrade = co_await accept_spdy(request, responder, std::move(ours));
    co_return co_await serve_session(loop, std::move(upgrade.stream), std::move(target));
  }
  std::vector<std::string> protocols = {std::string(kTunnel), std::string(kChannels), std::string(kBase64Channels)};
  std::vector<uint16_t> ports;
  auto chosen = choose_protocol(request, protocols);
  bool tunnelled = chosen == kTunnel;
  if (!tunnelled) ports = co_await parse_forwarded_ports(request.query);
  auto socket = co_await accept_websocket(loop, request, responder, std::move(protocols));
  if (tunnelled) co_return co_await serve_session(loop, stream_over_websocket(std::move(socket)), std::move(target));
  ChannelForwarder forwarder(loop, std::move(socket), std::move(target));
  co_await forwarder.run(std::move(ports));
}

}  // namespace orch::wire
