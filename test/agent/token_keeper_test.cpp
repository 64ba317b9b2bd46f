#include "agent/token_keeper.h"

#include <catch2/catch_test_macros.hpp>

#include "loop/virtual_loop.h"
#include "support/fake_api.h"

using namespace orch;
using namespace orch::test;
using loop::Task;

namespace {

// Answers TokenRequests, everything else is the fake's.
struct Issuer final : client::ApiPort {
  explicit Issuer(loop::Loop& l) : loop(l) {}
  loop::Loop& loop;
  std::string failure;
  std::vector<Value> asked;
  int64_t seconds = 600;

  Task<Value> create(client::Target target, Value object, client::WriteOptions) override {
    co_await loop::yield_turn(loop);
    CHECK(target.resource == "serviceaccounts");
    CHECK(target.subresource == "token");
    if (!failure.empty()) co_await loop::fail(Error::make(Code::not_found, failure));
    asked.push_back(object);
    Value status = Value::object({{"token", "token-" + std::to_string(asked.size())},
                                  {"expirationTimestamp", format_time(loop.wall() + std::chrono::seconds(seconds))}});
    co_return object.with("status", status);
  }
  template <class T>
  Task<T> none() {
    co_await loop::fail(Error::make(Code::not_implemented, "no"));
    co_return T{};
  }
  Task<Value> get(client::Target) override { return none<Value>(); }
  Task<client::ListResult> list(client::Target, client::ListOptions) override { return none<client::ListResult>(); }
  Task<std::unique_ptr<client::WatchStream>> watch(client::Target, client::WatchOptions) override {
    return none<std::unique_ptr<client::WatchStream>>();
  }
  Task<Value> update(client::Target, Value, client::WriteOptions) override { return none<Value>(); }
  Task<Value> patch(client::Target, client::PatchType, Value, client::WriteOptions) override { return none<Value>(); }
  Task<Value> remove(client::Target, client::RemoveOptions) override { return none<Value>(); }
  Task<Value> remove_collection(client::Target, client::ListOptions, client::RemoveOptions) override { return none<Value>(); }
};

plan::pod::TokenWish wish() {
  plan::pod::TokenWish made;
  made.key = "api/token";
  made.account = "robot";
  made.pod_name = "web";
  made.pod_uid = "u";
  made.expiration_seconds = 600;
  return made;
}

struct World {
  loop::VirtualLoop loop;
  Issuer api{loop};
  agent::TokenKeeper keeper{loop, api, Logger::discard()};
  int changes = 0;
  void want() { keeper.want("u", "default", {wish()}, [this] { ++changes; }); }
  std::string token() const {
    auto found = keeper.tokens("u").find("api/token");
    return found == keeper.tokens("u").end() ? "" : found->second.token;
  }
};

}  // namespace

TEST_CASE("a token is bound to its pod, and replaced at four fifths of its life") {
  World world;
  world.want();
  world.loop.run_for(1s);
  CHECK(world.token() == "token-1");
  CHECK(world.api.asked[0]["spec"]["boundObjectRef"]["uid"].as_string() == "u");
  CHECK(world.api.asked[0]["spec"]["expirationSeconds"].as_int() == 600);
  world.loop.run_for(478s);
  CHECK(world.token() == "token-1");
  world.loop.run_for(2s);
  CHECK(world.token() == "token-2");
  CHECK(world.changes == 2);
}

TEST_CASE("wanting the same again asks for nothing; a pod that is gone wants none") {
  World world;
  world.want();
  world.loop.run_for(1s);
  world.want();
  world.loop.run_for(1s);
  CHECK(world.api.asked.size() == 1);
  world.keeper.drop("u");
  CHECK(world.keeper.tokens("u").empty());
  world.loop.run_for(24h);
  CHECK(world.api.asked.size() == 1);
}

TEST_CASE("without an answer the pod is told why, and an old token stays") {
  World world;
  world.api.failure = "serviceaccounts \"robot\" not found";
  world.want();
  world.loop.run_for(5s);
  CHECK(world.keeper.tokens("u").at("api/token").error == world.api.failure);
  CHECK(world.changes == 1);
  world.api.failure.clear();
  world.loop.run_for(10s);
  CHECK(world.token() == "token-1");
  world.api.failure = "gone";
  world.loop.run_for(2h);
  CHECK(world.token() == "token-1");
}

TEST_CASE("tokens of a long life are replaced once a day") {
  constexpr Instant start{1'767'225'600'000'000'000};
  CHECK(agent::renewal_of(start, start + 600s) == start + 480s);
  CHECK(agent::renewal_of(start, start + 24h * 365) == start + 24h);
}
