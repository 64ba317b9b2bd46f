#include "wire/dns.h"

#include <catch2/catch_test_macros.hpp>

#include "base/random.h"

using namespace orch;
using namespace orch::plan::net;

namespace {

std::string random_name(Random& random) {
  static const char* labels[] = {"web", "default", "svc", "cluster", "local", "a\\.b", "\\000x", "_tcp"};
  std::string name;
  for (uint64_t n = random.below(6); n > 0; --n) name += (name.empty() ? "" : ".") + std::string(labels[random.below(8)]);
  return name;
}

DnsRecord random_record(Random& random) {
  DnsRecord record{random_name(random), 0, dns_class_in, static_cast<uint32_t>(random.below(1000)), DnsRaw{}};
  switch (random.below(6)) {
    case 0:
      record.type = dns_type::a;
      record.data = *parse_ip("10.42.0." + std::to_string(random.below(256)));
      break;
    case 1:
      record.type = dns_type::aaaa;
      record.data = *parse_ip("fd00::" + std::to_string(random.below(999)));
      break;
    case 2:
      record.type = dns_type::cname;
      record.data = random_name(random);
      break;
    case 3:
      record.type = dns_type::srv;
      record.data = DnsSrv{1, 2, static_cast<uint16_t>(random.below(65536)), random_name(random)};
      break;
    case 4:
      record.type = dns_type::soa;
      record.data = DnsSoa{random_name(random), random_name(random), 1, 2, 3, 4, 5};
      break;
    default:
      record.type = dns_type::txt;
      record.data = DnsRaw{std::string("\x03" "abc", 4)};
  }
  return record;
}

std::string bytes(std::initializer_list<int> list) {
  std::string text;
  for (int byte : list) text += static_cast<char>(byte);
  return text;
}
const std::string query_header = bytes({0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0});

}  // namespace

TEST_CASE("DNS messages read back as they were written") {
  SeededRandom random(20261128);
  for (int i = 0; i < 500; ++i) {
    DnsMessage message;
    message.id = static_cast<uint16_t>(random.next());
    message.response = random.below(2);
    message.recursion_desired = random.below(2);
    message.authoritative = random.below(2);
    message.edns = random.below(2);
    if (message.edns) {
      message.udp_size = static_cast<uint16_t>(512 + random.below(4000));
      message.dnssec_ok = random.below(2);
    }
    message.code = static_cast<uint16_t>(random.below(message.edns ? 24 : 16));
    message.questions.push_back({random_name(random), dns_type::a, dns_class_in});
    for (auto* section : {&message.answers, &message.authority, &message.additional})
      for (uint64_t n = random.below(5); n > 0; --n) section->push_back(random_record(random));
    auto decoded = wire::decode_dns(wire::encode_dns(message));
    INFO("message " << i);
    REQUIRE(decoded.ok());
    CHECK(*decoded == message);
  }
}

TEST_CASE("Names that come again are pointers") {
  DnsMessage message;
  message.questions.push_back({"web.default.svc.cluster.local", dns_type::a, dns_class_in});
  for (int i = 0; i < 10; ++i)
    message.answers.push_back({"web.default.svc.cluster.local", dns_type::a, dns_class_in, 5, *parse_ip("10.42.0.1")});
  CHECK(wire::encode_dns(message).size() == 12 + 31 + 4 + 10 * 16);
}

TEST_CASE("What does not fit is cut off whole and says so; additional records are merely left out") {
  DnsMessage message;
  message.response = true;
  message.questions.push_back({"big.default.svc.cluster.local", dns_type::a, dns_class_in});
  for (int i = 0; i < 100; ++i)
    message.answers.push_back({"big.default.svc.cluster.local", dns_type::a, dns_class_in, 5, *parse_ip("10.42.0.1")});
  const std::string cut = wire::encode_dns(message, 512);
  CHECK(cut.size() <= 512);
  auto decoded = wire::decode_dns(cut);
  REQUIRE(decoded.ok());
  CHECK(decoded->truncated);
  CHECK(decoded->answers.empty());
  CHECK(decoded->questions == message.questions);

  std::swap(message.additional, message.answers);
  message.answers.resize(1, message.additional[0]);
  decoded = wire::decode_dns(wire::encode_dns(message, 512));
  REQUIRE(decoded.ok());
  CHECK_FALSE(decoded->truncated);
  CHECK(decoded->answers.size() == 1);
  CHECK(decoded->additional.size() < 100);
}

TEST_CASE("Malformed DNS messages are errors") {
  const std::string type_a = bytes({0, 1, 0, 1});
  CHECK_FALSE(wire::decode_dns("").ok());
  CHECK_FALSE(wire::decode_dns(query_header).ok());                                             // the question is missing
  CHECK_FALSE(wire::decode_dns(query_header + bytes({0xc0, 12}) + type_a).ok());                // points at itself
  CHECK_FALSE(wire::decode_dns(query_header + bytes({0xc0, 20}) + type_a).ok());                // points forward
  CHECK_FALSE(wire::decode_dns(query_header + bytes({0x41, 'a', 0}) + type_a).ok());            // an unknown kind of label
  CHECK_FALSE(wire::decode_dns(query_header + bytes({5, 'a', 'b'})).ok());                      // ends in a label
  std::string long_name;
  for (int i = 0; i < 130; ++i) long_name += bytes({1, 'a'});
  CHECK_FALSE(wire::decode_dns(query_header + long_name + bytes({0}) + type_a).ok());
  CHECK(wire::decode_dns(query_header + bytes({1, 'a', 0}) + type_a).ok());
}
