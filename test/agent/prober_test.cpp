#include "agent/prober.h"

#include <catch2/catch_test_macros.hpp>

#include "agent/fake_node.h"
#include "agent/http_get.h"
#include "base/text.h"
#include "data/yaml.h"
#include "loop/pipe_network.h"
#include "loop/virtual_loop.h"
#include "wire/http_server.h"

using namespace orch;
using namespace orch::agent;
using namespace orch::plan::pod;
using loop::Task;

namespace {

Value yaml(std::string_view text) { return parse_yaml(text).value().at(0).value; }

struct Site final : wire::Handler {
  int status = 200;
  std::string seen_host, seen_agent, seen_extra;
  Task<void> handle(wire::Request request, wire::Peer, wire::Responder& responder) override {
    seen_host = request.headers.get("Host");
    seen_agent = request.headers.get("User-Agent");
    seen_extra = request.headers.get("X-Extra");
    wire::Headers headers;
    int answer = status;
    if (request.path == "/moved") {
      headers.add("Location", "/there");
      answer = 302;
    } else if (request.path == "/away") {
      headers.add("Location", "http://elsewhere.example/");
      answer = 302;
    }
    std::vector<loop::Chunk> body;
    body.emplace_back(std::string("hello"));
    co_await responder.send(answer, std::move(headers), std::move(body));
  }
  size_t max_body(const wire::Request&) const override { return 0; }
};

struct World {
  loop::VirtualLoop loop;
  loop::PipeNetwork network{loop};
  test::FakeMachine machine;
  test::FakeRuntime runtime{loop, machine};
  Handlers handlers{loop, network, runtime};
  std::vector<std::string> told;
  int changes = 0;
  Site site;
  std::unique_ptr<wire::HttpServer> server;
  std::unique_ptr<Prober> prober;
  SandboxRecord sandbox;
  std::optional<PodView> pod;

  World() {
    Prober::Parts parts{loop, handlers, Logger::discard(), [this](const PodView&, const plan::Note& note) { told.push_back(note.message); }};
    prober = std::make_unique<Prober>(std::move(parts));
  }
  void serve() {
    auto listener = network.listen_tcp("10.42.0.2", 8080);
    REQUIRE(listener.ok());
    server = std::make_unique<wire::HttpServer>(loop, Logger::discard(), site);
    server->listen(std::move(*listener));
  }
  void run(std::string_view container) {
    Value spec = yaml(container);
    pod.emplace(Value::object({{"metadata", Value::object({{"name", "p"}, {"namespace", "d"}, {"uid", "u"}})},
                               {"spec", Value::object({{"containers", Value::list({spec})}})}}));
    ContainerRecord record;
    record.id = "c1";
    record.name = "main";
    record.phase = ContainerRecord::Phase::running;
    record.started_at = loop.wall();
    sandbox.containers = {record};
    watch();
  }
  void watch() { prober->watch(*pod, &sandbox, {"10.42.0.2"}, [this] { ++changes; }); }
  ContainerHealth health() const {
    auto found = prober->results("u").find("c1");
    return found == prober->results("u").end() ? ContainerHealth{} : found->second;
  }
};

}  // namespace

TEST_CASE("an HTTP readiness probe follows the server, with its headers, and tells of failures") {
  World world;
  world.serve();
  world.run(R"({name: main, ports: [{name: web, containerPort: 8080}], readinessProbe: {periodSeconds: 1, failureThreshold: 2,
    httpGet: {port: web, path: /healthz, httpHeaders: [{name: Host, value: shop.example}, {name: X-Extra, value: '1'}]}}})");
  world.loop.run_for(100ms);
  CHECK(world.health().readiness == ProbeResult::success);
  CHECK(world.changes == 1);
  CHECK(world.site.seen_host == "shop.example");
  CHECK(world.site.seen_extra == "1");
  CHECK(world.site.seen_agent == "kube-probe/1.33");
  world.site.status = 500;
  world.loop.run_for(1s);
  CHECK(world.health().readiness == ProbeResult::success);
  world.loop.run_for(1s);
  CHECK(world.health().readiness == ProbeResult::failure);
  REQUIRE(world.told.size() == 2);
  CHECK(world.told[0] == "Readiness probe failed: HTTP probe failed with statuscode: 500");
  world.site.status = 204;
  world.loop.run_for(1s);
  CHECK(world.health().readiness == ProbeResult::success);
}

TEST_CASE("liveness waits for the startup probe; a failed one is asked no more") {
  World world;
  world.run(R"({name: main, startupProbe: {periodSeconds: 2, failureThreshold: 30, tcpSocket: {port: 8080}},
    livenessProbe: {periodSeconds: 1, failureThreshold: 1, httpGet: {port: 8080}}})");
  world.loop.run_for(5s);
  CHECK(world.health() == ContainerHealth{});
  const size_t before = world.told.size();
  CHECK(before == 3);
  CHECK(world.told[0].starts_with("Startup probe failed: dial tcp 10.42.0.2:8080: connect"));
  world.serve();
  world.loop.run_for(2s);
  CHECK(world.health().startup == ProbeResult::success);
  CHECK(world.health().liveness == ProbeResult::success);
  world.site.status = 503;
  world.loop.run_for(10s);
  CHECK(world.health().liveness == ProbeResult::failure);
  CHECK(world.told.size() == before + 1);
}

TEST_CASE("redirects are followed on the same host only") {
  World world;
  world.serve();
  world.run(R"({name: main, readinessProbe: {httpGet: {port: 8080, path: /moved}}, livenessProbe: {httpGet: {port: 8080, path: /away}}})");
  world.loop.run_for(1s);
  CHECK(world.health().readiness == ProbeResult::success);
  CHECK(world.health().liveness == ProbeResult::success);
  REQUIRE(world.told.size() == 1);
  CHECK(world.told[0] == "Liveness probe warning: Probe terminated redirects, Response body: hello");
}

TEST_CASE("a container that has gone is forgotten, and the next one begins anew") {
  World world;
  world.serve();
  world.run(R"({name: main, readinessProbe: {httpGet: {port: 8080}}})");
  world.loop.run_for(1s);
  CHECK(world.health().readiness == ProbeResult::success);
  world.sandbox.containers[0].phase = ContainerRecord::Phase::exited;
  world.watch();
  CHECK(world.prober->results("u").empty());
  world.prober->stop("u");
  world.loop.run_for(60s);
  CHECK_FALSE(world.loop.has_timers());
}

TEST_CASE("a port that the container does not have is an error of the probe, not of the container") {
  World world;
  world.run(R"({name: main, livenessProbe: {failureThreshold: 1, httpGet: {port: metrics}}})");
  world.loop.run_for(1s);
  CHECK(world.health().liveness == ProbeResult::unknown);
  REQUIRE(world.told.size() == 1);
  CHECK(world.told[0] == "Liveness probe errored and resulted in unknown state: couldn't find port: metrics in container \"main\"");
}

TEST_CASE("an HTTP hook succeeds whatever it answers, and says why it could not be asked") {
  World world;
  HandlerTarget target{"u", "c1", "10.42.0.2", Value::empty_object()};
  Value handler = yaml("{httpGet: {port: 8080, path: /bye}}");
  auto refused = world.loop.run(world.handlers.run_hook(target, handler, 5s));
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message().starts_with("Get \"http://10.42.0.2:8080/bye\": "));
  world.serve();
  world.site.status = 500;
  CHECK(world.loop.run(world.handlers.run_hook(target, handler, 5s)).ok());
  CHECK(world.site.seen_agent == "kube-lifecycle/1.33");
  Value sleep = yaml("{sleep: {seconds: 3}}");
  const Mono before = world.loop.now();
  CHECK(world.loop.run(world.handlers.run_hook(target, sleep, 10s)).ok());
  CHECK(world.loop.now() - before == Duration{3s});
}

TEST_CASE("where a redirect leads") {
  HandlerTarget target{"u", "c", "10.0.0.1", Value::empty_object()};
  HttpGetPlan plan = plan_http_get(yaml("{port: 80, path: '/a/b?x=1'}"), target, "x").value();
  CHECK(plan.url == "http://10.0.0.1:80/a/b?x=1");
  CHECK(follow_redirect(plan, "/c")->url == "http://10.0.0.1:80/c");
  CHECK(follow_redirect(plan, "c?y=2#z")->url == "http://10.0.0.1:80/a/c?y=2");
  CHECK(follow_redirect(plan, "https://10.0.0.1:8443/d")->url == "https://10.0.0.1:8443/d");
  CHECK(follow_redirect(plan, "//other/d")->url == "http://other:80/d");
  CHECK_FALSE(follow_redirect(plan, "").has_value());
}
