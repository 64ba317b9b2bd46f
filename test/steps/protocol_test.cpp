#include "steps/protocol.h"

#include <catch2/catch_test_macros.hpp>
#include <string>

using namespace orch::steps;

TEST_CASE("A message is read as it was written") {
  char buffer[128];
  Packer packer(buffer, sizeof buffer);
  packer.head(Kind::signal, 7).text("container").number(15);
  REQUIRE(packer.ok());
  Unpacker unpacker(packer.view());
  CHECK(unpacker.kind() == Kind::signal);
  CHECK(unpacker.request() == 7);
  CHECK(unpacker.text() == "container");
  CHECK(unpacker.number() == 15);
}

TEST_CASE("Fields that an older peer did not send are empty") {
  char buffer[64];
  Packer packer(buffer, sizeof buffer);
  packer.head(Kind::done, 1).number(5);
  Unpacker unpacker(packer.view());
  CHECK(unpacker.number() == 5);
  CHECK(unpacker.number() == 0);
  CHECK(unpacker.text().empty());
}

TEST_CASE("A message that does not fit is not sent") {
  char buffer[16];
  Packer packer(buffer, sizeof buffer);
  packer.head(Kind::start, 1).text("longer than the rest of it");
  CHECK_FALSE(packer.ok());
  CHECK(packer.view().empty());
}

TEST_CASE("A cut message yields empty fields, and no byte beyond it") {
  char buffer[64];
  Packer packer(buffer, sizeof buffer);
  packer.head(Kind::signal, 1).text("name").number(3);
  const std::string whole(packer.view());
  for (size_t length = 0; length < whole.size(); ++length) {
    const std::string cut = whole.substr(0, length);
    Unpacker unpacker(cut);
    const auto text = unpacker.text();
    CHECK((text.empty() || text == "name"));
    CHECK(unpacker.number() == 0);
  }
}
