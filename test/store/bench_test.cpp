// Figures rather than facts: `store_test "[bench]"` in a build without sanitizers.

#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <fcntl.h>
#include <fstream>
#include <malloc.h>
#include <unistd.h>

#include "loop/scope.h"
#include "store/sqlite_store.h"
#include "support.h"
#include "thread_loop.h"

namespace orch::store {
namespace {

using loop::Scope;
using loop::Task;
using test::stamp;

size_t heap_bytes() {
  auto info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

long resident_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stol(line.substr(6));
  }
  return 0;
}

double seconds_since(Mono start, const loop::Loop& loop) {
  return static_cast<double>((loop.now() - start).count()) / 1e9;
}

// What the machine's disk can do, to judge the rest by.
double synced_writes(const std::string& path) {
  int fd = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  REQUIRE(fd >= 0);
  std::string page(8192, 'x');
  constexpr int kWrites = 500;
  auto start = std::chrono::steady_clock::now();
  for (int n = 0; n < kWrites; ++n) {
    REQUIRE(::pwrite(fd, page.data(), page.size(), n * 8192) == 8192);
    REQUIRE(::fdatasync(fd) == 0);
  }
  ::close(fd);
  return kWrites / std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Keys in no order, as generated names are.
std::string key_of(int n) {
  uint32_t mixed = static_cast<uint32_t>(n) * 2654435761u;
  return "/registry/pods/default/web-7d9f8b6c5d-" + std::to_string(mixed);
}

Task<void> create_some(SqliteStore* store, const std::vector<Value>* pods, int* next, int end) {
  while (*next < end) {
    int n = (*next)++;
    StoredPtr made = co_await store->create(key_of(n), (*pods)[static_cast<size_t>(n)], stamp, Durability::durable);
  }
}

TEST_CASE("figures: creates a second, memory, load time", "[.bench]") {
  constexpr int kPods = 10'000;
  test::TemporaryDirectory directory;
  test::ThreadLoop loop;
  SqliteOptions options{.directory = directory.path()};
  auto open = [&] {
    auto store = SqliteStore::open(loop, options, Logger::discard());
    REQUIRE(store.ok());
    return std::move(store).value();
  };
  std::vector<Value> pods;
  for (int n = 0; n < kPods; ++n) {
    pods.push_back(test::pod(key_of(n).substr(37)));
  }
  std::printf("pod: %zu bytes of JSON, %zu on the heap\n", format_json(pods[0]).size(), pods[0].heap_bytes());
  std::printf("the disk: %.0f synced writes/s\n", synced_writes(directory.file("sync")));
  auto store = open();
  int next = 0;
  for (auto [writers, end] : {std::pair{1, 1000}, std::pair{50, kPods}}) {
    int from = next;
    auto start = loop.now();
    Scope scope(loop);
    for (int n = 0; n < writers; ++n) scope.spawn(create_some(store.get(), &pods, &next, end));
    REQUIRE(loop.run(scope.join()).ok());
    std::printf("%d writers: %.0f creates/s\n", writers, (end - from) / seconds_since(start, loop));
  }
  auto start = loop.now();
  auto range = store->range("/registry/pods/", "", 1000, 0);
  std::printf("range of 1000 of %zu: %.3f ms\n", store->count(""), seconds_since(start, loop) * 1e3);
  range = RangeResult{};
  start = loop.now();
  size_t found = 0;
  for (int n = 0; n < kPods; ++n) found += store->get(key_of(n)) != nullptr;
  std::printf("get: %.2f us\n", seconds_since(start, loop) * 1e6 / kPods);
  REQUIRE(found == kPods);
  store.reset();
  pods.clear();
  pods.shrink_to_fit();
  ::malloc_trim(0);
  for (bool clean : {false, true}) {
    size_t before = heap_bytes();
    long resident = resident_kib();
    std::clock_t cpu = std::clock();
    start = loop.now();
    store = open();
    std::printf("%s open with %d pods: %.3f s (%.3f of the processor's), heap %+.1f MB, resident %+ld KiB, file %ld KiB\n",
                clean ? "clean" : "unclean", kPods, seconds_since(start, loop),
                static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC,
                static_cast<double>(heap_bytes() - before) / 1e6, resident_kib() - resident,
                file_size(directory.file("state.db")) / 1024);
    REQUIRE(store->count("") == kPods);
    REQUIRE(loop.run(store->close()).ok());
    store.reset();
    ::malloc_trim(0);
  }
}

TEST_CASE("figures: one write to 500 watchers", "[.bench]") {
  test::TemporaryDirectory directory;
  test::ThreadLoop loop;
  auto store = SqliteStore::open(loop, {.directory = directory.path(), .sync = false}, Logger::discard()).value();
  REQUIRE(loop.run(store->create("/pods/a", test::pod("a"), stamp, Durability::durable)).ok());
  std::vector<std::unique_ptr<Watch>> watches;
  size_t got = 0;
  Scope scope(loop);
  auto follow = [](Watch* watch, size_t* n) -> Task<void> {
    for (;;) {
      std::vector<Event> events = co_await watch->next();
      for (const Event& event : events) *n += event.object->json()->size() > 0;
    }
  };
  for (int n = 0; n < 500; ++n) {
    watches.push_back(store->watch("/pods/", 0).value());
    scope.spawn(follow(watches.back().get(), &got));
  }
  auto start = loop.now();
  for (int n = 0; n < 1000; ++n) {
    REQUIRE(loop.run(store->update("/pods/a", test::pod("a"), 0, stamp, Durability::soft)).ok());
    while (got < static_cast<size_t>(n + 1) * 500) loop.turn(std::chrono::milliseconds(1));
  }
  std::printf("write -> last of 500 watchers: %.3f ms\n", seconds_since(start, loop));
  scope.cancel();
}

}  // namespace
}  // namespace orch::store
