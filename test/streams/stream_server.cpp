// stream_server DIRECTORY: an API server over plain HTTP on a free port of 127.0.0.1, which takes everybody for
// system:masters, and one node whose pods are host processes. Prints "ready <port>" and serves until SIGTERM.
//
//   default/one   container main: prints a line a tenth of a second, echoes its input
//   default/two   containers a (prints "from a" and waits), b (likewise); init container setup
//   default/done  container main: printed three lines on its second try and ended with 3; waits to be restarted
//   default/far   on no node yet

#include <csignal>
#include <cstdio>

#include "agent/node_api.h"
#include "api/bootstrap.h"
#include "api/endpoints.h"
#include "api/http_api.h"
#include "api/local_port.h"
#include "base/random.h"
#include "client/node_table.h"
#include "data/json.h"
#include "loop/files.h"
#include "loop/uv_network.h"
#include "schema/hooks.h"
#include "store/memory_store.h"
#include "streams/process_runtime.h"
#include "wire/http_server.h"

namespace orch::test {
namespace {

using client::Target;
using loop::Task;

class EverybodyIsMaster final : public wire::Handler {
 public:
  explicit EverybodyIsMaster(wire::Handler& inner) : inner_(inner) {}
  Task<void> handle(wire::Request request, wire::Peer peer, wire::Responder& responder) override {
    peer.has_certificate = true;
    peer.common_name = "test";
    peer.organizations = {"system:masters"};
    return inner_.handle(std::move(request), std::move(peer), responder);
  }
  size_t max_body(const wire::Request& head) const override { return inner_.max_body(head); }

 private:
  wire::Handler& inner_;
};

struct PodText {
  std::string name, spec, status;
};

std::string running(const std::string& name, int id, bool ready = true) {
  return R"({"name":")" + name + R"(","ready":)" + (ready ? "true" : "false") + R"(,"restartCount":0,"image":"x","imageID":"x","containerID":"orch://)" +
         std::string(63, 'a') + std::to_string(id) + R"(","state":{"running":{"startedAt":"2026-01-01T00:00:00Z"}}})";
}

const std::vector<PodText>& pods() {
  static const std::vector<PodText> all = {
      {"one", R"({"nodeName":"n1","containers":[{"name":"main","image":"x","stdin":true,"ports":[{"containerPort":80}]}]})",
       R"({"phase":"Running","podIP":"127.0.0.1","podIPs":[{"ip":"127.0.0.1"}],"conditions":[{"type":"Ready","status":"True"}],"containerStatuses":[)" + running("main", 0) + "]}"},
      {"two", R"({"nodeName":"n1","initContainers":[{"name":"setup","image":"x"}],"containers":[{"name":"a","image":"x"},{"name":"b","image":"x"}]})",
       R"({"phase":"Running","conditions":[{"type":"Ready","status":"True"}],"containerStatuses":[)" + running("a", 1) + "," + running("b", 2) +
           R"(],"initContainerStatuses":[{"name":"setup","ready":true,"restartCount":0,"image":"x","imageID":"x","state":{"terminated":{"exitCode":0,"containerID":"orch://)" + std::string(63, 'a') + R"(3"}}}]})"},
      {"done", R"({"nodeName":"n1","containers":[{"name":"main","image":"x"}]})",
       R"({"phase":"Running","containerStatuses":[{"name":"main","ready":false,"restartCount":1,"image":"x","imageID":"x","state":{"waiting":{"reason":"CrashLoopBackOff"}},"lastState":{"terminated":{"exitCode":3,"containerID":"orch://gone"}}}]})"},
      {"waits", R"({"nodeName":"n1","containers":[{"name":"main","image":"x"}]})",
       R"({"phase":"Pending","containerStatuses":[{"name":"main","ready":false,"restartCount":0,"image":"x","imageID":"x","state":{"waiting":{"reason":"ContainerCreating"}}}]})"},
      {"far", R"({"containers":[{"name":"main","image":"x"}]})", R"({"phase":"Pending"})"},
  };
  return all;
}

struct World {
  explicit World(std::string dir) : directory(std::move(dir)) {}
  std::string directory;
  loop::UvLoop loop;
  SeededRandom random{7};
  store::MemoryStore store{loop};
  std::shared_ptr<const schema::Registry> registry = schema::Registry::builtin().value();
  schema::Hooks hooks = schema::Hooks::builtin();
  std::unique_ptr<api::Admission> admission = std::move(api::builtin_admission(store, {})).value();
  api::Objects objects{{loop, store, registry, hooks, random, *admission, Logger::discard()}};
  api::LocalPort port{objects};
  api::Endpoints endpoints{objects, "127.0.0.1:0", [] { return std::string(); }};
  loop::UvNetwork network{loop};
  client::NodeTable nodes;
  api::HttpApi http_api{objects, endpoints, random, Logger::to_stderr(LogLevel::info), {&nodes, &network}};
  EverybodyIsMaster door{http_api};
  wire::HttpServer server{loop, Logger::to_stderr(LogLevel::info), door};
  ProcessRuntime runtime{loop, directory + "/logs"};
  std::vector<Value> node_pods;
  std::unique_ptr<agent::NodeApi> node;
  loop::Event stop{loop};

  Task<void> run();
  Task<void> make_pods();
};

Task<void> World::make_pods() {
  for (const PodText& text : pods()) {
    Value metadata = Value::object({{"name", text.name}, {"labels", Value::object({{"app", text.name}})}});
    Value spec = co_await parse_json(text.spec);
    Value pod = Value::object({{"apiVersion", "v1"}, {"kind", "Pod"}, {"metadata", metadata}, {"spec", spec}});
    Target target{"", "v1", "pods", "default", "", ""};
    client::WriteOptions options;
    Value made = co_await port.create(target, pod, options);
    Value status = co_await parse_json(text.status);
    Target of_status{"", "v1", "pods", "default", text.name, "status"};
    Value updated = made.with("status", status);
    Value stored = co_await port.update(of_status, updated, options);
    node_pods.push_back(stored);
    std::string uid(stored["metadata"]["uid"].as_string());
    std::string place = "default_" + text.name + "_" + uid;
    if (text.name == "one") {
      runtime.add(uid, place, "main", {"sh", "-c", "i=0; while sleep 0.1; do echo line $i; i=$((i+1)); done & pid=$!; "
                                                   "while read x; do echo got $x; [ $x = end ] && break; done; kill $pid; wait"}, 0);
    } else if (text.name == "two") {
      runtime.add(uid, place, "a", {"sh", "-c", "echo from a; exec sleep 1000"}, 0);
      runtime.add(uid, place, "b", {"sh", "-c", "echo from b; exec sleep 1000"}, 0);
      runtime.add(uid, place, "setup", {"echo", "set up"}, 0);
    } else if (text.name == "done") {
      runtime.add(uid, place, "main", {"sh", "-c", "echo first; echo second; echo third"}, 1);
      runtime.add(uid, place, "main", {"sh", "-c", "echo the first try"}, 0);
    }
  }
}

Task<void> World::run() {
  api::BootstrapOptions bootstrap{"10.43.0.0/16", "127.0.0.1", 6443};
  co_await api::bootstrap(port, bootstrap);
  client::WriteOptions options;
  Target nodes_target{"", "v1", "nodes", "", "", ""};
  Value node_object = co_await parse_json(
      R"({"apiVersion":"v1","kind":"Node","metadata":{"name":"n1"},"status":{"capacity":{"cpu":"2","memory":"4Gi"},"allocatable":{"cpu":"2","memory":"4Gi"}}})");
  co_await port.create(nodes_target, node_object, options);
  Target accounts{"", "v1", "serviceaccounts", "default", "", ""};
  Value account = co_await parse_json(R"({"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"default"}})");
  co_await port.create(accounts, account, options).result();
  co_await make_pods();
  agent::NodeApi::Parts parts{loop, Logger::to_stderr(LogLevel::info), runtime, "n1", directory + "/logs",
                              [this] { return node_pods; }};
  node = std::make_unique<agent::NodeApi>(std::move(parts));
  runtime.on_change([this](const std::string& uid) { node->pod_changed(uid); });
  nodes.set("n1", *node);
  auto listener = co_await network.listen_tcp("127.0.0.1", 0);
  std::printf("ready %d\n", listener->port());
  std::fflush(stdout);
  server.listen(std::move(listener));
  co_await stop.wait();
  co_await server.stop(1s);
}

}  // namespace
}  // namespace orch::test

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: stream_server DIRECTORY\n");
    return 2;
  }
  orch::test::World world(arguments[1]);
  world.loop.on_signal(SIGTERM, [&world] { world.stop.set(); });
  auto ended = world.loop.run(world.run());
  if (!ended.ok()) std::fprintf(stderr, "stream_server: %s\n", ended.error().message().c_str());
  return ended.ok() ? 0 : 1;
}
