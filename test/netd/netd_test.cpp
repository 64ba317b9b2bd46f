#include "netd/netd.h"

#include <catch2/catch_test_macros.hpp>

#include <chrono>
#include <ctime>
#include <set>

#include "base/text.h"
#include "loop/scope.h"
#include "netd/address_book.h"
#include "netd/world.h"

using namespace orch;
using namespace orch::test;

#define NEEDS_NAMESPACE \
  if (!enter_own_namespace()) SKIP("this machine gives no network namespaces")

namespace {

constexpr const char* web_service =
    "metadata: {name: web}\nspec: {type: NodePort, clusterIP: 10.43.1.1, clusterIPs: [10.43.1.1], ports: [{name: http, port: 80, nodePort: 30080}]}";

std::string slice_of(const std::string& service, const std::vector<std::string>& addresses) {
  std::string text = "metadata: {name: " + service + "-1, labels: {kubernetes.io/service-name: " + service +
                     "}}\naddressType: IPv4\nports: [{name: http, port: 8080, protocol: TCP}]\nendpoints: [";
  for (const std::string& address : addresses) text += "{addresses: [" + address + "], nodeName: node-1}, ";
  return text + "]";
}

// A pod with something that listens on 8080.
struct Pod {
  Namespace ns;
  std::string ip;
  std::unique_ptr<Responder> responder;

  Pod(World& world, const std::string& name, std::vector<runtime::HostPort> ports = {}) {
    ip = world.attach(name, ns, std::move(ports)).ips.at(0);
    ns.inside([&] { responder = std::make_unique<Responder>(name, 8080); });
  }
};

}  // namespace

TEST_CASE("Pods get an address, reach each other and the node, and leave nothing behind") {
  NEEDS_NAMESPACE;
  World world;
  world.start();
  {
    Pod a(world, "pod-a"), b(world, "pod-b");
    CHECK(a.ip == "10.42.0.2");
    CHECK(b.ip == "10.42.0.3");
    CHECK(world.ask_in(&a.ns, b.ip, 8080) == "pod-b 10.42.0.2");
    CHECK(world.ask_in(nullptr, a.ip, 8080) == "pod-a 10.42.0.1");
    CHECK(a.ns.shell("ip -br addr show lo").find("127.0.0.1/8") != std::string::npos);
    // Once more: the same.
    CHECK(world.attach("pod-a", a.ns).ips.at(0) == "10.42.0.2");
    CHECK(world.run(world.netd->pod_network().detach("pod-a")).ok());
    CHECK(world.run(world.netd->pod_network().detach("pod-a")).ok());
    CHECK(shell("ip -br link show type veth").find('\n') == shell("ip -br link show type veth").rfind('\n'));
    CHECK(world.run(world.netd->pod_network().detach("pod-b")).ok());
  }
  CHECK(shell("ip -br link show type veth") == "");
  CHECK(std::filesystem::is_empty(world.directory + "/agent/network/pods"));
  CHECK(world.run(world.netd->remove_everything()).ok());
  CHECK(shell("ip -br link show type bridge") == "");
  CHECK(world.rules() == "");
  CHECK(world.log == std::vector<std::string>{});
}

TEST_CASE("A Service is reached from pods, from itself, from the node and at its node port") {
  NEEDS_NAMESPACE;
  World world;
  world.start();
  Pod a(world, "pod-a"), client(world, "client");
  world.service(web_service);
  world.slice(slice_of("web", {a.ip}));
  REQUIRE(world.wait([&] { return world.rules().find("service/default/web/tcp/80") != std::string::npos; }));
  CHECK(world.ask_in(&client.ns, "10.43.1.1", 80) == "pod-a 10.42.0.3");
  CHECK(world.ask_in(&a.ns, "10.43.1.1", 80) == "pod-a 10.42.0.1");  // hairpin
  CHECK(world.ask_in(nullptr, "10.43.1.1", 80) == "pod-a 10.42.0.1");
  CHECK(world.ask_in(nullptr, "10.42.0.1", 30080) == "pod-a 10.42.0.1");
  CHECK(world.ask_in(nullptr, "127.0.0.1", 30080) == "pod-a 10.42.0.1");
  CHECK(world.ask_in(&client.ns, "10.42.0.1", 30080) == "pod-a 10.42.0.1");
  CHECK(world.ask_in(&client.ns, "10.43.1.1", 81) == "refused");  // a port that the Service does not have

  world.slice(slice_of("web", {}));
  REQUIRE(world.wait([&] { return world.rules().find("goto service/") == std::string::npos; }));
  CHECK(world.ask_in(&client.ns, "10.43.1.1", 80) == "refused");
  CHECK(world.ask_in(nullptr, "10.43.1.1", 80) == "refused");
  CHECK(world.ask_in(nullptr, "10.42.0.1", 30080) == "refused");
}

TEST_CASE("Endpoints are picked by chance; with affinity a client stays") {
  NEEDS_NAMESPACE;
  World world;
  world.start();
  Pod a(world, "pod-a"), b(world, "pod-b"), client(world, "client");
  world.service(web_service);
  world.slice(slice_of("web", {a.ip, b.ip}));
  world.service("metadata: {name: sticky}\nspec: {clusterIP: 10.43.1.2, sessionAffinity: ClientIP, ports: [{name: http, port: 80}]}");
  world.slice(slice_of("sticky", {a.ip, b.ip}));
  REQUIRE(world.wait([&] { return world.rules().find("service/default/sticky/tcp/80") != std::string::npos; }));
  std::set<std::string> web, sticky;
  for (int i = 0; i < 40; ++i) {
    web.insert(world.ask_in(&client.ns, "10.43.1.1", 80));
    sticky.insert(world.ask_in(&client.ns, "10.43.1.2", 80));
  }
  CHECK(web.size() == 2);
  CHECK(sticky.size() == 1);
}

TEST_CASE("Host ports lead to their pod, on all addresses or on one") {
  NEEDS_NAMESPACE;
  World world;
  world.start();
  Pod a(world, "pod-a", {{"", 9090, 8080, "TCP"}}), b(world, "pod-b", {{"10.42.0.1", 9091, 8080, "TCP"}});
  REQUIRE(world.wait([&] { return world.rules().find("host_port/pod-b") != std::string::npos; }));
  CHECK(world.ask_in(nullptr, "10.42.0.1", 9090) == "pod-a 10.42.0.1");
  CHECK(world.ask_in(nullptr, "127.0.0.1", 9090) == "pod-a 10.42.0.1");
  CHECK(world.ask_in(nullptr, "10.42.0.1", 9091) == "pod-b 10.42.0.1");
  CHECK(world.ask_in(nullptr, "127.0.0.1", 9091) == "refused");
  CHECK(world.run(world.netd->pod_network().detach("pod-a")).ok());
  REQUIRE(world.wait([&] { return world.rules().find("host_port/pod-a") == std::string::npos; }));
  CHECK(world.ask_in(nullptr, "10.42.0.1", 9090) == "refused");
}

TEST_CASE("A restart keeps addresses and traffic; what is no pod's any more goes") {
  NEEDS_NAMESPACE;
  World world;
  world.start();
  Pod a(world, "pod-a", {{"", 9090, 8080, "TCP"}}), b(world, "pod-b"), client(world, "client");
  world.service(web_service);
  world.slice(slice_of("web", {a.ip}));
  REQUIRE(world.wait([&] { return world.rules().find("service/default/web/tcp/80") != std::string::npos; }));
  world.stop();
  CHECK(world.ask_in(&client.ns, "10.43.1.1", 80) == "pod-a " + client.ip);
  world.start();
  CHECK(world.ask_in(&client.ns, "10.43.1.1", 80) == "pod-a " + client.ip);
  CHECK(world.attach("pod-a", a.ns, {{"", 9090, 8080, "TCP"}}).ips.at(0) == a.ip);
  CHECK(world.run(world.netd->pod_network().keep_only({"pod-a", "client"})).ok());
  CHECK(world.ask_in(&client.ns, b.ip, 8080) != "pod-b " + client.ip);
  CHECK_FALSE(std::filesystem::exists(world.directory + "/agent/network/pods/pod-b.json"));
  Namespace fresh;
  CHECK(world.attach("pod-c", fresh).ips.at(0) != b.ip);  // not the one that was given back just now
  CHECK(world.ask_in(nullptr, "10.42.0.1", 9090) == "pod-a 10.42.0.1");
}

TEST_CASE("After a reboot, without the API, pods get addresses and reach out of the node") {
  NEEDS_NAMESPACE;
  World world;
  world.start();
  world.stop();
  shell("ip link del orchabcd; nft flush ruleset");
  world.cluster.fault = [](std::string_view, const plan::Ref&) { return Error::make(Code::unavailable, "down"); };
  world.cluster.request_deletion(plan::types::nodes, world.cluster.get(plan::types::nodes, "", "node-1"));
  world.start();
  Pod a(world, "pod-a");
  CHECK(world.ask_in(nullptr, a.ip, 8080) == "pod-a 10.42.0.1");
  CHECK(world.wait([&] { return world.rules().find("masquerade") != std::string::npos; }));
}

TEST_CASE("Rules that somebody flushes come back") {
  NEEDS_NAMESPACE;
  World world;
  world.start();
  Pod a(world, "pod-a");
  world.service(web_service);
  world.slice(slice_of("web", {a.ip}));
  REQUIRE(world.wait([&] { return world.rules().find("service/default/web/tcp/80") != std::string::npos; }));
  shell("nft flush ruleset");
  CHECK(world.wait([&] { return world.rules().find("service/default/web/tcp/80") != std::string::npos; }));
  shell("nft delete element ip orch_abcd00000000 local_ports '{ tcp . 30080 }'");
  CHECK(world.wait([&] { return world.ask_in(nullptr, "10.42.0.1", 30080) == "pod-a 10.42.0.1"; }));
}

TEST_CASE("The DNS answers pods and the node for the cluster, and forwards the rest") {
  NEEDS_NAMESPACE;
  if (shell("command -v dig").empty()) SKIP("no dig: install bind9-dnsutils");
  World world;
  world.start();
  Pod client(world, "client");
  world.service(web_service);
  world.slice(slice_of("web", {"10.42.0.77"}));
  REQUIRE(world.wait([&] { return world.rules().find("service/default/web/tcp/80") != std::string::npos; }));
  auto dig = [&](const std::string& arguments, const Namespace* from = nullptr) {
    std::string prefix = from ? "nsenter --net=" + from->path() + " " : "";
    return std::string(trim(world.shell_turning(prefix + "dig @10.43.0.10 +time=2 +tries=1 " + arguments)));
  };
  CHECK(dig("+short web.default.svc.cluster.local") == "10.43.1.1");
  CHECK(dig("+short web.default.svc.cluster.local", &client.ns) == "10.43.1.1");
  CHECK(dig("+short +tcp web.default.svc.cluster.local", &client.ns) == "10.43.1.1");
  CHECK(dig("+short -t srv _http._tcp.web.default.svc.cluster.local", &client.ns) == "0 100 80 web.default.svc.cluster.local.");
  CHECK(dig("+short -x 10.43.1.1", &client.ns) == "web.default.svc.cluster.local.");
  CHECK(dig("nothing.default.svc.cluster.local").find("status: NXDOMAIN") != std::string::npos);
  CHECK(dig("-t aaaa web.default.svc.cluster.local").find("status: NOERROR") != std::string::npos);
  CHECK(dig("example.org").find("status: SERVFAIL") != std::string::npos);  // nobody to ask
  CHECK(dig("+opcode=update web.default.svc.cluster.local").find("status: NOTIMP") != std::string::npos);
  const Value service = world.cluster.get(plan::types::services, "kube-system", "kube-dns");
  CHECK(service["spec"]["clusterIP"] == Value("10.43.0.10"));
  const Value slice = world.cluster.get(plan::types::endpoint_slices, "kube-system", "kube-dns-node-1");
  CHECK(slice["endpoints"].at(0)["addresses"].at(0) == Value("10.42.0.1"));
  CHECK(std::string(trim(world.shell_turning("dig @10.42.0.1 +short web.default.svc.cluster.local"))) == "10.43.1.1");
}

TEST_CASE("A hundred and ten pods attached at once") {
  NEEDS_NAMESPACE;
  World world;
  world.start();
  constexpr int count = 110;
  std::vector<std::unique_ptr<Namespace>> pods;
  for (int i = 0; i < count; ++i) pods.push_back(std::make_unique<Namespace>());
  std::set<std::string> addresses;
  int failed = 0;
  auto one = [](World& w, int i, std::string path, std::set<std::string>& out, int& errors) -> loop::Task<void> {
    runtime::PodNetworkRequest request{"pod-" + std::to_string(i), "default", "p", path, {}};
    auto attached = co_await w.netd->pod_network().attach(std::move(request)).result();
    if (attached.ok()) {
      out.insert(attached->ips.at(0));
    } else {
      ++errors;
    }
  };
  const auto start = std::chrono::steady_clock::now();
  {
    loop::Scope scope(world.loop);
    for (int i = 0; i < count; ++i) scope.spawn(one(world, i, pods[static_cast<size_t>(i)]->path(), addresses, failed));
    CHECK(world.wait([&] { return scope.size() == 0; }));
  }
  const auto attached = std::chrono::steady_clock::now();
  CHECK(failed == 0);
  CHECK(addresses.size() == count);
  CHECK(world.run(world.netd->pod_network().keep_only({})).ok());
  const auto ended = std::chrono::steady_clock::now();
  auto ms = [](auto d) { return std::chrono::duration_cast<std::chrono::milliseconds>(d).count(); };
  WARN("110 pods: attached in " << ms(attached - start) << " ms, detached in " << ms(ended - attached) << " ms");
}

TEST_CASE("Questions a second that the DNS answers", "[.figures]") {
  NEEDS_NAMESPACE;
  if (shell("command -v dnsperf").empty()) SKIP("no dnsperf");
  World world;
  world.start();
  std::string queries;
  for (int i = 0; i < 100; ++i) {
    const std::string name = "web" + std::to_string(i);
    world.service("metadata: {name: " + name + "}\nspec: {clusterIP: 10.43.1." + std::to_string(i + 1) + ", ports: [{name: http, port: 80}]}");
    queries += name + ".default.svc.cluster.local A\n";
  }
  REQUIRE(world.wait([&] { return world.rules().find("10.43.1.100") != std::string::npos; }));
  const std::string file = world.directory + "/queries";
  FILE* out = std::fopen(file.c_str(), "w");
  std::fputs(queries.c_str(), out);
  std::fclose(out);
  timespec before{}, after{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
  const std::string report = world.shell_turning("dnsperf -s 10.43.0.10 -d " + file + " -l 5 -c 4 -q 200 2>&1 | grep -E 'Queries (sent|completed|lost|per second)|Average Latency'");
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
  const double seconds = static_cast<double>(after.tv_sec - before.tv_sec) + static_cast<double>(after.tv_nsec - before.tv_nsec) / 1e9;
  WARN(report << "CPU time of the server's thread: " << seconds << " s");
}
