#include "netd/dns_forwarder.h"

#include <sys/random.h>

#include <algorithm>

#include "base/text.h"
#include "loop/files.h"
#include "loop/timeout.h"
#include "loop/udp.h"
#include "wire/dns.h"

namespace orch::netd {

using loop::Task;
using plan::net::DnsCode;
using plan::net::DnsMessage;
using plan::net::DnsQuestion;
using plan::net::DnsRecord;

namespace {

constexpr uint16_t dns_port = 53;
constexpr uint16_t our_udp_size = 1232;  // what passes unfragmented everywhere
constexpr Duration patience = 2s, reread_after = 5s;
constexpr int64_t most_seconds = 30;  // CoreDNS's cache as k3s sets it up

uint16_t random_id() {
  uint16_t id = 0;
  if (::getrandom(&id, sizeof id, 0) != static_cast<ssize_t>(sizeof id)) id = 1;  // never, after boot
  return id;
}

bool is_answer_to(const DnsMessage& answer, const DnsMessage& query) {
  return answer.response && answer.id == query.id && answer.questions.size() == 1 &&
         answer.questions[0].type == query.questions[0].type && answer.questions[0].klass == query.questions[0].klass &&
         equals_ignore_case(answer.questions[0].name, query.questions[0].name);
}

// Seconds the answer may be kept: its shortest TTL, of a negative one the SOA's (RFC 2308).
int64_t seconds_of(const DnsMessage& message) {
  if (message.code != static_cast<uint16_t>(DnsCode::no_error) && message.code != static_cast<uint16_t>(DnsCode::name_error)) return 0;
  int64_t seconds = most_seconds;
  bool any = false;
  for (const auto* section : {&message.answers, &message.authority, &message.additional}) {
    for (const DnsRecord& record : *section) {
      seconds = std::min<int64_t>(seconds, record.ttl);
      if (auto* soa = std::get_if<plan::net::DnsSoa>(&record.data)) seconds = std::min<int64_t>(seconds, soa->minimum);
      any = true;
    }
  }
  return any ? seconds : 0;
}

}  // namespace

std::vector<std::string> parse_nameservers(std::string_view text, const std::vector<std::string>& own) {
  std::vector<std::string> servers;
  for (std::string_view line : split(text, '\n')) {
    line = trim(line);
    if (!line.starts_with("nameserver")) continue;
    std::string_view rest = trim(line.substr(std::string_view("nameserver").size()));
    std::string address(rest.substr(0, rest.find_first_of(" \t#")));
    address = address.substr(0, address.find('%'));
    auto ip = parse_ip(address);
    if (!ip || std::find(own.begin(), own.end(), format_ip(*ip)) != own.end()) continue;
    servers.push_back(format_ip(*ip));
  }
  return servers;
}

DnsForwarder::DnsForwarder(loop::UvLoop& loop, std::string resolv_conf)
    : loop_(loop), network_(loop), resolv_conf_(std::move(resolv_conf)), scope_(loop) {}

DnsForwarder::~DnsForwarder() = default;

const DnsMessage* DnsForwarder::find(const std::string& key, DnsMessage& aged) {
  auto found = cache_.find(key);
  if (found == cache_.end()) return nullptr;
  if (loop_.now() >= found->second.until) {
    cached_bytes_ -= found->second.bytes;
    cache_.erase(found);  // its place in order_ goes later
    return nullptr;
  }
  aged = found->second.message;
  const auto age = static_cast<uint32_t>((loop_.now() - found->second.at) / 1s);
  for (auto* section : {&aged.answers, &aged.authority, &aged.additional})
    for (DnsRecord& record : *section) record.ttl -= std::min(record.ttl, age);
  return &aged;
}

void DnsForwarder::keep(const std::string& key, const DnsMessage& message, size_t bytes) {
  const int64_t seconds = seconds_of(message);
  constexpr size_t overhead = 256;  // of names and nodes, about
  bytes = bytes * 4 + key.size() * 2 + overhead;
  if (seconds <= 0 || bytes > cache_bytes / 8) return;
  if (auto old = cache_.find(key); old != cache_.end()) {
    cached_bytes_ -= old->second.bytes;
    cache_.erase(old);
  } else {
    order_.push_back(key);
  }
  cached_bytes_ += bytes;
  cache_.emplace(key, Cached{message, loop_.now(), loop_.now() + Duration(seconds * 1s), bytes});
  while (cached_bytes_ > cache_bytes && !order_.empty()) {
    if (auto oldest = cache_.find(order_.front()); oldest != cache_.end()) {
      cached_bytes_ -= oldest->second.bytes;
      cache_.erase(oldest);
    }
    order_.pop_front();
  }
  // Names of what has expired are few; they must not pile up either.
  constexpr size_t most_names = 8192;
  while (order_.size() > most_names) {
    if (auto oldest = cache_.find(order_.front()); oldest != cache_.end()) {
      cached_bytes_ -= oldest->second.bytes;
      cache_.erase(oldest);
    }
    order_.pop_front();
  }
}

Task<DnsMessage> DnsForwarder::resolve(DnsQuestion question, bool dnssec_ok, bool checking_disabled) {
  const std::string key = to_lower(question.name) + "/" + std::to_string(question.type) + "/" + std::to_string(question.klass) +
                          (dnssec_ok ? "+do" : "") + (checking_disabled ? "+cd" : "");
  DnsMessage aged;
  if (find(key, aged)) co_return std::move(aged);
  std::shared_ptr<Pending> pending;
  if (auto found = pending_.find(key); found != pending_.end()) {
    pending = found->second;
  } else {
    if (pending_.size() >= most_pending) co_await loop::fail(Error::make(Code::unavailable, "too many questions at once"));
    pending = std::make_shared<Pending>(loop_);
    pending_.emplace(key, pending);
    DnsMessage query;
    query.questions.push_back(std::move(question));
    query.recursion_desired = true;
    query.checking_disabled = checking_disabled;
    query.edns = true;
    query.dnssec_ok = dnssec_ok;
    query.udp_size = our_udp_size;
    scope_.spawn(run(key, wire::encode_dns(query), pending));
  }
  co_await pending->done.wait();
  Result<DnsMessage> result = *pending->result;
  co_return co_await std::move(result);
}

Task<std::vector<std::string>> DnsForwarder::servers() {
  if (read_at_ && loop_.now() - *read_at_ < reread_after) co_return servers_;
  read_at_ = loop_.now();
  auto text = co_await loop::read_file(loop_, resolv_conf_).result();
  if (text.ok()) servers_ = parse_nameservers(*text, own_);
  co_return servers_;
}

Task<void> DnsForwarder::run(std::string key, std::string query, std::shared_ptr<Pending> pending) {
  const std::vector<std::string> list = co_await servers();
  Result<DnsMessage> result = Error::make(Code::unavailable, "no resolver in " + resolv_conf_);
  for (const std::string& server : list) {
    auto bytes = co_await ask(server, query).result();
    if (!bytes.ok()) {
      result = std::move(bytes).error();
      continue;
    }
    result = wire::decode_dns(*bytes);
    if (!result.ok()) continue;
    keep(key, *result, bytes->size());
    if (result->code != static_cast<uint16_t>(DnsCode::server_failure) && result->code != static_cast<uint16_t>(DnsCode::refused)) break;
  }
  pending->result = std::move(result);
  pending_.erase(key);
  pending->done.set();
}

Task<std::string> DnsForwarder::ask(std::string server, std::string query) {
  std::string answer = co_await loop::with_timeout(loop_, ask_udp(server, query), patience);
  constexpr size_t flags_at = 2;
  constexpr uint8_t truncated = 0x02;
  if (answer.size() <= flags_at || !(static_cast<uint8_t>(answer[flags_at]) & truncated)) co_return std::move(answer);
  std::string whole = co_await loop::with_timeout(loop_, ask_tcp(server, query), patience);
  co_return std::move(whole);
}

// A socket, and so a port, for each question, and an id that nobody can guess (RFC 5452).
Task<std::string> DnsForwarder::ask_udp(std::string server, std::string query) {
  auto made = loop::make_udp_peer(server, dns_port);
  const loop::UdpPeer peer = co_await std::move(made);
  auto opened = loop::UdpSocket::connect(loop_, peer);
  std::unique_ptr<loop::UdpSocket> socket = co_await std::move(opened);
  const uint16_t id = random_id();
  query[0] = static_cast<char>(id >> 8);
  query[1] = static_cast<char>(id & 0xff);
  auto decoded = wire::decode_dns(query);
  const DnsMessage asked = co_await std::move(decoded);
  loop::Event arrived(loop_);
  std::string answer;
  auto received = [&](std::string_view datagram, const loop::UdpPeer&) {
    auto message = wire::decode_dns(datagram);
    if (arrived.is_set() || !message.ok() || !is_answer_to(*message, asked)) return;
    answer = std::string(datagram);
    arrived.set();
  };
  socket->on_received(received);
  auto sent = socket->send(query);
  co_await std::move(sent);
  co_await arrived.wait();
  co_return std::move(answer);
}

Task<std::string> DnsForwarder::ask_tcp(std::string server, std::string query) {
  std::unique_ptr<loop::Stream> stream = co_await network_.connect_tcp(server, dns_port);
  std::string framed{static_cast<char>(query.size() >> 8), static_cast<char>(query.size() & 0xff)};
  framed += query;
  co_await loop::write_text(*stream, framed);
  std::string buffer;
  for (;;) {
    std::string more = co_await stream->read();
    if (more.empty()) co_await loop::fail(Error::make(Code::closed, "the resolver hung up"));
    buffer += more;
    if (buffer.size() < 2) continue;
    const size_t size = static_cast<size_t>(static_cast<uint8_t>(buffer[0])) << 8 | static_cast<uint8_t>(buffer[1]);
    if (buffer.size() >= size + 2) co_return buffer.substr(2, size);
  }
}

}  // namespace orch::netd
