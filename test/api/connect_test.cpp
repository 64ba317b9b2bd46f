#include "api/connect.h"

#include "api/endpoints.h"
#include "api/http_api.h"
#include "api_fixture.h"
#include "client/node_table.h"
#include "data/json.h"

namespace orch::api {
namespace {

using loop::Task;

// A node that says what it was asked.
class EchoNode final : public wire::Handler {
 public:
  Task<void> handle(wire::Request request, wire::Peer peer, wire::Responder& responder) override {
    std::string text = request.method + " " + request.path + " from " + peer.common_name;
    for (const auto& [key, value] : request.query.pairs()) text += " " + key + "=" + value;
    std::vector<loop::Chunk> body;
    body.emplace_back(std::move(text));
    co_await responder.send(200, wire::Headers(), std::move(body));
  }
  size_t max_body(const wire::Request&) const override { return 0; }
};

struct World : test::ApiFixture {
  Endpoints endpoints{objects, "h:1", [] { return std::string(); }};
  client::NodeTable nodes;
  EchoNode node;
  HttpApi http{objects, endpoints, random, Logger::discard(), {&nodes, nullptr}};

  World() {
    nodes.set("n1", node);
    for (auto [name, on] : {std::pair{"near", "n1"}, {"far", "n2"}, {"nowhere", ""}}) {
      Value object = pod(name);
      Value spec = object["spec"];
      if (*on) spec = spec.with("nodeName", on);
      REQUIRE(create(pods(), object.with("spec", spec)).ok());
    }
  }
  std::string ask(std::string method, std::string target) {
    wire::Request request = client::handler_request(target);
    request.method = method;
    // ask_handler's peer has no certificate: one that has.
    struct Door final : wire::Handler {
      wire::Handler& inner;
      explicit Door(wire::Handler& h) : inner(h) {}
      Task<void> handle(wire::Request r, wire::Peer peer, wire::Responder& responder) override {
        peer.has_certificate = true;
        peer.common_name = "me";
        peer.organizations = {"system:masters"};
        return inner.handle(std::move(r), std::move(peer), responder);
      }
      size_t max_body(const wire::Request&) const override { return 0; }
    } door(http);
    auto reply = loop.run(client::ask_handler(door, std::move(request), 100'000));
    REQUIRE(reply.ok());
    auto status = parse_json(reply->body);
    std::string text = status.ok() ? std::string((*status)["message"].as_string()) : reply->body;
    return std::to_string(reply->status) + " " + text;
  }
};

const std::string kPods = "/api/v1/namespaces/default/pods/";

TEST_CASE("what is asked of a pod goes to its node, in the kubelet's words") {
  World world;
  CHECK(world.ask("GET", kPods + "near/log?follow=true") == "200 GET /containerLogs/default/near/main from me follow=true");
  CHECK(world.ask("POST", kPods + "near/exec?command=ls&stdout=true") ==
        "200 POST /exec/default/near/main from me output=1 command=ls");
  CHECK(world.ask("GET", kPods + "near/attach?stdin=true") == "200 GET /attach/default/near/main from me input=1");
  CHECK(world.ask("POST", kPods + "near/portforward?ports=80") == "200 POST /portForward/default/near from me port=80");
}

TEST_CASE("what cannot be handed over is refused in kube-apiserver's words") {
  World world;
  CHECK(world.ask("GET", kPods + "none/log") == "404 pods \"none\" not found");
  CHECK(world.ask("GET", kPods + "near/log?container=x") == "400 container x is not valid for pod near");
  CHECK(world.ask("GET", kPods + "nowhere/log") == "200 ");
  CHECK(world.ask("POST", kPods + "nowhere/exec?command=ls&stdout=1") == "400 pod nowhere does not have a host assigned");
  CHECK(world.ask("GET", kPods + "far/log").starts_with("503 no agent answers for node \"n2\""));
  CHECK(world.ask("DELETE", kPods + "near/log").starts_with("405 "));
  CHECK(world.ask("POST", kPods + "near/log").starts_with("405 "));
}

TEST_CASE("a node's own paths are reached through its proxy") {
  World world;
  Value node = *parse_json(R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"n1"}})");
  REQUIRE(world.create({"", "v1", "nodes", "", "", ""}, node).ok());
  CHECK(world.ask("GET", "/api/v1/nodes/n1:10250/proxy/stats/summary?a=b") == "200 GET /stats/summary from me a=b");
  CHECK(world.ask("GET", "/api/v1/nodes/none/proxy/pods").starts_with("404 "));
  CHECK(world.ask("GET", "/api/v1/nodes/n1/proxy").starts_with("301 "));
}

}  // namespace
}  // namespace orch::api
