#include "netd/dns_server.h"

#include <algorithm>

#include "base/text.h"
#include "loop/timeout.h"
#include "plan/core/index.h"
#include "plan/core/object.h"
#include "wire/dns.h"

namespace orch::netd {

using loop::Task;
using namespace plan::net;

namespace {

constexpr uint16_t our_udp_size = 1232;
constexpr size_t udp_without_edns = 512, tcp_limit = 65535;
constexpr size_t most_connections = 256;
constexpr Duration idle_limit = 10s;
constexpr uint16_t bad_version = 16;  // BADVERS
constexpr uint16_t class_any = 255;
constexpr int most_aliases = 8;

DnsMessage response_to(const DnsMessage& query) {
  DnsMessage response;
  response.id = query.id;
  response.response = true;
  response.opcode = query.opcode;
  response.recursion_desired = query.recursion_desired;
  response.recursion_available = true;
  response.checking_disabled = query.checking_disabled;
  response.questions = query.questions;
  response.edns = query.edns;
  response.dnssec_ok = query.dnssec_ok;
  response.udp_size = our_udp_size;
  return response;
}

void set_code(DnsMessage& message, DnsCode code) { message.code = static_cast<uint16_t>(code); }

// The answer of a TCP connection's question on its way.
struct Waiting {
  explicit Waiting(loop::Loop& loop) : done(loop) {}
  loop::Event done;
  std::string answer;
};
Task<void> wait_for(std::shared_ptr<Waiting> waiting) { co_await waiting->done.wait(); }

size_t limit_of(const DnsMessage& query, size_t transport) {
  if (transport == tcp_limit) return transport;
  return query.edns ? std::min<size_t>(query.udp_size, our_udp_size) : udp_without_edns;
}

}  // namespace

DnsServer::DnsServer(loop::UvLoop& loop, client::Informers& informers, Logger logger, DnsZoneOptions options,
                     std::string resolv_conf)
    : loop_(loop),
      informers_(informers),
      logger_(std::move(logger)),
      network_(loop),
      zone_(std::move(options)),
      forwarder_(loop, std::move(resolv_conf)),
      scope_(loop) {
  informers.add({plan::types::services});
  informers.add({plan::types::endpoint_slices});
  informers.add({plan::types::namespaces});
  informers.on_change([this](const plan::Type& type, const Value& old, const Value& now) { hear(type, old, now); });
  scope_.spawn(follow_sync());
}

DnsServer::~DnsServer() = default;

Result<void> DnsServer::listen(const std::string& address, uint16_t port) {
  forwarder_.never_ask(address);
  TRY(auto socket, loop::UdpSocket::bind(loop_, address, port));
  TRY(auto listener, network_.listen_tcp(address, socket->port()));
  loop::UdpSocket* raw = socket.get();
  auto received = [this, raw](std::string_view datagram, const loop::UdpPeer& from) {
    auto reply = [raw, from](std::string answer) { raw->send_to(std::move(answer), from); };
    handle(datagram, udp_without_edns, reply);
  };
  socket->on_received(received);
  scope_.spawn(serve_tcp(*listener));
  sockets_.push_back(std::move(socket));
  listeners_.push_back(std::move(listener));
  logger_.info("DNS listens", {{"address", address}});
  return {};
}

void DnsServer::close() {
  scope_.cancel();
  for (auto& listener : listeners_) listener->close();
  sockets_.clear();
}

// --- the zone

void DnsServer::hear(const plan::Type& type, const Value& old, const Value& now) {
  const Value& object = now.is_null() ? old : now;
  if (type.same(plan::types::namespaces))
    return now.is_null() ? zone_.remove_namespace(plan::name_of(object)) : zone_.put_namespace(plan::name_of(object));
  const bool is_service = type.same(plan::types::services);
  if (!is_service && !type.same(plan::types::endpoint_slices)) return;
  for (const Value* each : {&old, &now}) {
    if (each->is_null()) continue;
    std::string_view name =
        is_service ? plan::name_of(*each) : plan::labels_of(*each)["kubernetes.io/service-name"].as_string();
    if (!name.empty()) dirty_.insert(std::string(plan::namespace_of(*each)) + "/" + std::string(name));
  }
}

// Before the next question, or never: changes nobody asks about cost nothing.
void DnsServer::update_zone() {
  if (dirty_.empty()) return;
  std::set<std::string> dirty;
  dirty.swap(dirty_);
  const plan::Snapshot& snapshot = informers_.snapshot();
  for (const std::string& key : dirty) {
    const auto parts = *split_once(key, '/');
    zone_.put_service(parts.first, parts.second, snapshot.get(plan::types::services, parts.first, parts.second),
                      snapshot.indexed(plan::types::endpoint_slices, plan::index::service, key));
  }
}

Task<void> DnsServer::follow_sync() {
  co_await informers_.wait_synced();
  synced_ = true;
}

// --- questions

void DnsServer::handle(std::string_view bytes, size_t limit, Reply reply) {
  auto decoded = wire::decode_dns(bytes);
  if (!decoded.ok()) {
    constexpr size_t header_size = 12;
    if (bytes.size() < header_size || (static_cast<uint8_t>(bytes[2]) & 0x80)) return;
    DnsMessage response;
    response.id = static_cast<uint16_t>(static_cast<uint8_t>(bytes[0]) << 8 | static_cast<uint8_t>(bytes[1]));
    response.response = true;
    set_code(response, DnsCode::format_error);
    return reply(wire::encode_dns(response, limit));
  }
  DnsMessage& query = *decoded;
  if (query.response) return;  // answers are not answered
  DnsMessage response = response_to(query);
  limit = limit_of(query, limit);
  auto refuse = [&](uint16_t code) {
    response.code = code;
    reply(wire::encode_dns(response, limit));
  };
  if (query.opcode != 0) return refuse(static_cast<uint16_t>(DnsCode::not_implemented));
  if (query.questions.size() != 1) return refuse(static_cast<uint16_t>(DnsCode::format_error));
  if (query.edns_version != 0) return refuse(bad_version);
  const DnsQuestion& question = query.questions[0];
  if (question.klass != dns_class_in && question.klass != class_any) return refuse(static_cast<uint16_t>(DnsCode::refused));

  update_zone();
  auto answer = zone_.answer(question.name, question.type);
  if (answer && !synced_) return refuse(static_cast<uint16_t>(DnsCode::server_failure));
  if (answer && !answer->follow) {
    answer_from_zone(response, std::move(*answer));
    return reply(wire::encode_dns(response, limit));
  }
  if (answer) answer_from_zone(response, std::move(*answer));
  scope_.spawn(answer_later(std::move(query), std::move(response), limit, std::move(reply)));
}

void DnsServer::answer_from_zone(DnsMessage& response, DnsAnswer answer) {
  response.authoritative = true;
  set_code(response, answer.code);
  if (answer.answers.size() > 1)
    std::rotate(answer.answers.begin(), answer.answers.begin() + static_cast<ptrdiff_t>(turn_++ % answer.answers.size()),
                answer.answers.end());
  response.answers = std::move(answer.answers);
  response.authority = std::move(answer.authority);
  response.additional = std::move(answer.additional);
}

Task<void> DnsServer::answer_later(DnsMessage query, DnsMessage response, size_t limit, Reply reply) {
  if (!response.answers.empty()) {
    co_await follow_alias(std::move(query), response);
    reply(wire::encode_dns(response, limit));
    co_return;
  }
  auto found = co_await forwarder_.resolve(query.questions[0], query.dnssec_ok, query.checking_disabled).result();
  if (!found.ok()) {
    set_code(response, DnsCode::server_failure);
  } else {
    response.code = found->code;
    response.authentic = found->authentic;
    response.answers = std::move(found->answers);
    response.authority = std::move(found->authority);
    response.additional = std::move(found->additional);
  }
  reply(wire::encode_dns(response, limit));
}

// What an ExternalName stands for: clients ask us for the whole chain.
Task<void> DnsServer::follow_alias(DnsMessage query, DnsMessage& response) {
  DnsQuestion question = query.questions[0];
  for (int i = 0; i < most_aliases; ++i) {
    const auto* target = std::get_if<std::string>(&response.answers.back().data);
    if (!target) co_return;
    question.name = *target;
    auto inside = zone_.answer(question.name, question.type);
    if (inside) {
      set_code(response, inside->code);
      response.authority = std::move(inside->authority);
      std::move(inside->answers.begin(), inside->answers.end(), std::back_inserter(response.answers));
      if (inside->follow) continue;
      co_return;
    }
    auto found = co_await forwarder_.resolve(question, query.dnssec_ok, query.checking_disabled).result();
    if (!found.ok()) {
      set_code(response, DnsCode::server_failure);
      co_return;
    }
    response.code = found->code;
    std::move(found->answers.begin(), found->answers.end(), std::back_inserter(response.answers));
    response.authority = std::move(found->authority);
    co_return;
  }
}

// --- TCP

Task<void> DnsServer::serve_tcp(loop::Listener& listener) {
  for (;;) {
    auto accepted = co_await listener.accept().result();
    if (!accepted.ok()) co_return;
    if (connections_ >= most_connections) continue;  // closes
    scope_.spawn(serve_connection(std::move(*accepted)));
  }
}

Task<void> DnsServer::serve_connection(std::unique_ptr<loop::Stream> stream) {
  struct Count {
    size_t& number;
    explicit Count(size_t& n) : number(n) { ++number; }
    ~Count() { --number; }
  } count(connections_);
  std::string buffer;
  for (;;) {
    auto more = co_await loop::with_timeout(loop_, stream->read(), idle_limit).result();
    if (!more.ok() || more->empty()) co_return;
    buffer += *more;
    while (buffer.size() >= 2) {
      const size_t size = static_cast<size_t>(static_cast<uint8_t>(buffer[0])) << 8 | static_cast<uint8_t>(buffer[1]);
      if (buffer.size() < size + 2) break;
      const std::string query = buffer.substr(2, size);
      buffer.erase(0, size + 2);
      // One after the other: an answer that comes later may find the connection gone.
      auto waiting = std::make_shared<Waiting>(loop_);
      auto reply = [waiting](std::string answer) {
        waiting->answer = std::move(answer);
        waiting->done.set();
      };
      handle(query, tcp_limit, reply);
      auto answered = co_await loop::with_timeout(loop_, wait_for(waiting), idle_limit).result();
      if (!answered.ok()) co_return;
      std::string framed{static_cast<char>(waiting->answer.size() >> 8), static_cast<char>(waiting->answer.size() & 0xff)};
      framed += waiting->answer;
      auto written = co_await loop::with_timeout(loop_, loop::write_text(*stream, framed), idle_limit).result();
      if (!written.ok()) co_return;
    }
  }
}

}  // namespace orch::netd
