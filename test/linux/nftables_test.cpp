#include "linux/nftables.h"

#include <catch2/catch_test_macros.hpp>
#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <thread>

#include "base/random.h"
#include "data/json.h"
#include "plan/net/ruleset_text.h"
#include "plan/net/service_rules.h"
#include "plan/net/skeleton.h"

using namespace orch;
using namespace orch::plan::net;

namespace {

// Runs on a thread with a network namespace of its own, which ends with it. False: the machine refuses one.
bool in_new_namespace(const std::function<void()>& work) {
  bool entered = false;
  std::thread thread([&] {
    entered = ::unshare(CLONE_NEWNET) == 0;
    if (entered) work();
  });
  thread.join();
  return entered;
}

std::string run(const std::string& command) {
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  std::string output;
  char buffer[4096];
  while (size_t n = std::fread(buffer, 1, sizeof buffer, pipe)) output.append(buffer, n);
  ::pclose(pipe);
  return output;
}

// What nft(8) shows of the thread's namespace, without handles and version.
Value listed() {
  auto parsed = parse_json(run("nft -j list ruleset"));
  REQUIRE(parsed.ok());
  std::function<Value(const Value&)> clean = [&](const Value& value) -> Value {
    if (value.is_list()) {
      std::vector<Value> items;
      for (const Value& item : value.items()) items.push_back(clean(item));
      return Value::list(std::move(items));
    }
    if (!value.is_object()) return value;
    ObjectBuilder object;
    for (const Member& member : value.members())
      if (member.name() != "handle") object.set(member.name(), clean(member.value));
    return std::move(object).build();
  };
  std::vector<Value> items;
  const Value all = parsed.value()["nftables"];
  for (const Value& item : all.items())
    if (!item.has("metainfo")) items.push_back(clean(item));
  // Elements of hashed sets come in any order.
  for (Value& item : items) {
    for (const char* kind : {"set", "map"}) {
      if (!item[kind]["elem"].is_list()) continue;
      const Value elements = item[kind]["elem"];
      std::vector<Value> sorted(elements.items().begin(), elements.items().end());
      std::sort(sorted.begin(), sorted.end(), [](const Value& a, const Value& b) { return Value::compare(a, b) < 0; });
      item = item.with_path({kind, "elem"}, Value::list(std::move(sorted)));
    }
  }
  std::sort(items.begin(), items.end(), [](const Value& a, const Value& b) {
    // Rules keep their order within a chain: only other objects are sorted.
    if (a.has("rule") != b.has("rule")) return b.has("rule");
    if (a.has("rule")) return a["rule"]["chain"].as_string() < b["rule"]["chain"].as_string();
    return Value::compare(a, b) < 0;
  });
  return Value::list(std::move(items));
}

NetworkOptions options() {
  return {"orch_test", "orch0", "node-1", *parse_cidr("10.42.0.0/16"), *parse_cidr("10.43.0.0/16"), *parse_ip("10.43.0.10")};
}

Value json(std::string_view text) {
  auto parsed = parse_json(text);
  REQUIRE(parsed.ok());
  return parsed.value();
}

// A cluster with one of everything.
Assembly busy_assembly() {
  Assembly assembly("orch_test");
  assembly.put("", skeleton(options()));
  const Value service = json(R"({"metadata": {"name": "web", "namespace": "default"}, "spec": {"type": "LoadBalancer",
    "clusterIP": "10.43.1.1", "externalIPs": ["192.0.2.7"], "loadBalancerSourceRanges": ["198.51.100.0/24"],
    "ports": [{"name": "http", "port": 80, "nodePort": 30080, "protocol": "TCP"},
              {"name": "dns", "port": 53, "nodePort": 30053, "protocol": "UDP"}]},
    "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.8"}]}}})");
  const Value slice = json(R"({"metadata": {"name": "web-1"}, "addressType": "IPv4",
    "endpoints": [{"addresses": ["10.42.0.5"], "nodeName": "node-1"}, {"addresses": ["10.42.1.6"], "nodeName": "node-2"}],
    "ports": [{"name": "http", "port": 8080}]})");
  assembly.put("service/default/web", service_fragment(service, {slice}, options()));
  const Value sticky = json(R"({"metadata": {"name": "sticky", "namespace": "default"}, "spec": {"clusterIP": "10.43.1.2",
    "sessionAffinity": "ClientIP", "externalTrafficPolicy": "Local", "ports": [{"port": 81, "nodePort": 30081}]}})");
  const Value slice2 = json(R"({"metadata": {"name": "s-1"}, "addressType": "IPv4",
    "endpoints": [{"addresses": ["10.42.0.5"], "nodeName": "node-1"}, {"addresses": ["10.42.1.6"], "nodeName": "node-2"}],
    "ports": [{"port": 8080}]})");
  assembly.put("service/default/sticky", service_fragment(sticky, {slice2}, options()));
  assembly.put("pod/u1", pod_fragment("u1", *parse_ip("10.42.0.5"), {{"", 6, 8080, 80}, {"192.0.2.1", 17, 53, 53}}));
  return assembly;
}

}  // namespace

TEST_CASE("nft shows the same for our messages as for the ruleset's text") {
  Ruleset ruleset = busy_assembly().take_all();
  Value ours, theirs;
  std::string complaints;
  const bool entered = in_new_namespace([&] {
    auto nftables = sys::Nftables::open();
    REQUIRE(nftables.ok());
    auto applied = nftables->apply(sys::encode_replace(ruleset));
    if (!applied.ok()) complaints = applied.error().message();
    ours = listed();
  });
  if (!entered) SKIP("this machine gives no network namespaces");
  REQUIRE(complaints == "");
  in_new_namespace([&] {
    const std::string path = "/tmp/orch-nft-" + std::to_string(::getpid());
    std::ofstream(path) << format_ruleset(ruleset);
    complaints = run("nft -f " + path);
    ::unlink(path.c_str());
    theirs = listed();
  });
  REQUIRE(complaints == "");
  REQUIRE(ours.size() == theirs.size());
  for (size_t i = 0; i < ours.size(); ++i) CHECK(format_json(ours.at(i)) == format_json(theirs.at(i)));
}

TEST_CASE("Ten thousand Services: the whole table, and one change", "[.figures]") {
  auto service = [](int i) {
    const std::string number = std::to_string(i);
    return json(R"({"metadata": {"name": "s)" + number + R"(", "namespace": "default"}, "spec": {"type": "NodePort", "clusterIP": "10.43.)" +
                std::to_string(i / 250) + "." + std::to_string(1 + i % 250) + R"(", "ports": [{"port": 80, "nodePort": )" +
                std::to_string(20000 + i) + "}]}}");
  };
  auto slice = [](int i) {
    return json(R"({"metadata": {"name": "x"}, "endpoints": [{"addresses": ["10.42.0.)" + std::to_string(2 + i % 200) +
                R"("]}, {"addresses": ["10.42.1.5"]}, {"addresses": ["10.42.1.6"]}], "ports": [{"port": 8080}]})");
  };
  constexpr int count = 10'000, changes = 50;
  Assembly assembly("orch_test");
  assembly.put("", skeleton(options()));
  auto now = [] { return std::chrono::steady_clock::now(); };
  auto us = [](auto d) { return std::chrono::duration_cast<std::chrono::microseconds>(d).count(); };
  const auto start = now();
  for (int i = 0; i < count; ++i)
    assembly.put(service_owner("default", "s" + std::to_string(i)), service_fragment(service(i), {slice(i)}, options()));
  const auto planned = now();
  std::string complaints, text;
  const bool entered = in_new_namespace([&] {
    auto nftables = sys::Nftables::open();
    const Ruleset all = assembly.take_all();
    const auto taken = now();
    auto batch = sys::encode_replace(all);
    const auto encoded = now();
    const size_t bytes = batch.bytes.size();
    auto applied = nftables->apply(std::move(batch));
    if (!applied.ok()) complaints = applied.error().message();
    const auto first = now();
    int64_t plan_time = 0, kernel_time = 0;
    for (int i = 0; i < changes; ++i) {
      const auto a = now();
      assembly.put(service_owner("default", "s" + std::to_string(i)), service_fragment(service(i), {slice(i + 1)}, options()));
      auto change = sys::encode_changes(assembly.take_changes());
      const auto b = now();
      applied = nftables->apply(std::move(change));
      if (!applied.ok()) complaints = applied.error().message();
      plan_time += us(b - a);
      kernel_time += us(now() - b);
    }
    text = "10,000 Services of 3 endpoints: planned in " + std::to_string(us(planned - start) / 1000) + " ms, encoded in " +
           std::to_string(us(encoded - taken) / 1000) + " ms (" + std::to_string(bytes / 1024) + " KiB), kernel " +
           std::to_string(us(first - encoded) / 1000) + " ms; one change: plan and encode " + std::to_string(plan_time / changes) +
           " us, kernel " + std::to_string(kernel_time / changes) + " us";
  });
  if (!entered) SKIP("this machine gives no network namespaces");
  REQUIRE(complaints == "");
  WARN(text);
}
