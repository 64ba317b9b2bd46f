#include "netd/address_book.h"

#include <catch2/catch_test_macros.hpp>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <set>

using namespace orch;
using netd::AddressBook;

namespace {

struct Directory {
  std::string path;
  Directory() {
    char pattern[] = "/tmp/orch-book-XXXXXX";
    path = ::mkdtemp(pattern);
  }
  ~Directory() { std::filesystem::remove_all(path); }
};

AddressBook open_book(const std::string& path) {
  auto book = AddressBook::open(path + "/network");
  REQUIRE(book.ok());
  return std::move(*book);
}

}  // namespace

TEST_CASE("The book gives each pod an address of its own, until none is left") {
  Directory directory;
  AddressBook book = open_book(directory.path);
  CHECK(book.take("u", "ns", "n", {}).error().is(Code::unavailable));
  REQUIRE(book.set_range(*parse_cidr("10.42.7.0/28")).ok());
  std::set<Ip> given;
  for (int i = 0; i < 13; ++i) {
    auto ip = book.take("pod-" + std::to_string(i), "default", "p", {});
    REQUIRE(ip.ok());
    CHECK(given.insert(*ip).second);
    CHECK(book.range()->contains(*ip));
  }
  CHECK_FALSE(given.contains(*parse_ip("10.42.7.0")));
  CHECK_FALSE(given.contains(netd::gateway_of(*book.range())));
  CHECK_FALSE(given.contains(*parse_ip("10.42.7.15")));
  auto full = book.take("one-more", "default", "p", {});
  REQUIRE_FALSE(full.ok());
  CHECK(full.error().message() == "no address is free in 10.42.7.0/28: 13 are in use");
  const Ip third = book.find("pod-3")->ip;
  book.give_back("pod-3");
  CHECK(*book.take("one-more", "default", "p", {}) == third);
}

TEST_CASE("What is taken is what the files say; broken ones are as good as none") {
  Directory directory;
  {
    AddressBook book = open_book(directory.path);
    REQUIRE(book.set_range(*parse_cidr("10.42.7.0/24")).ok());
    for (const char* uid : {"a", "b"}) {
      REQUIRE(book.take(uid, "default", uid, {{"", 80, 8080, "TCP"}}).ok());
      REQUIRE(AddressBook::save(book.directory(), uid, *book.find(uid)).ok());
    }
    REQUIRE(book.take("unsaved", "default", "x", {}).ok());
  }
  std::ofstream(directory.path + "/network/pods/broken.json") << "{\"ip\": \"10.4";
  std::ofstream(directory.path + "/network/pods/empty.json");
  AddressBook book = open_book(directory.path);
  CHECK(book.range() == *parse_cidr("10.42.7.0/24"));
  REQUIRE(book.entries().size() == 2);
  CHECK(format_ip(book.find("b")->ip) == "10.42.7.3");
  CHECK(book.find("b")->host_ports.at(0).container_port == 8080);
  CHECK_FALSE(std::filesystem::exists(directory.path + "/network/pods/broken.json"));
  REQUIRE(AddressBook::erase(book.directory(), "b").ok());
  REQUIRE(AddressBook::erase(book.directory(), "b").ok());
  CHECK(open_book(directory.path).entries().size() == 1);
}
