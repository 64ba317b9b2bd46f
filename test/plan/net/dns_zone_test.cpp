#include "plan/net/dns_zone.h"

#include "plan/net/fixtures.h"

using namespace orch;
using namespace orch::plan::net;
using namespace orch::test;

namespace {

struct Zone : DnsZone {
  Zone() : DnsZone({"cluster.local", *parse_ip("10.43.0.10"), *parse_cidr("10.42.0.0/16"), *parse_cidr("10.43.0.0/16")}) {
    put_namespace("default");
    put_namespace("kube-system");
  }
  void service(const std::string& name, std::string_view spec, std::string_view slice = {}) {
    std::vector<Value> slices;
    if (!slice.empty()) slices.push_back(yaml(slice));
    put_service("default", name, yaml("spec: " + std::string(spec)), slices);
  }
  // "A 10.43.1.1", "NXDOMAIN", "NODATA", "forward"; additional records after "+".
  std::string ask(std::string_view name, uint16_t type) const {
    auto found = answer(name, type);
    if (!found) return "forward";
    if (found->code == DnsCode::name_error) return "NXDOMAIN";
    if (found->answers.empty()) return "NODATA";
    std::string text;
    for (const DnsRecord& record : found->answers) text += (text.empty() ? "" : ", ") + format(record);
    for (const DnsRecord& record : found->additional) text += " + " + record.name + " " + format(record);
    return text;
  }
  static std::string format(const DnsRecord& record) {
    if (auto* ip = std::get_if<Ip>(&record.data)) return (ip->v6 ? "AAAA " : "A ") + format_ip(*ip);
    if (auto* name = std::get_if<std::string>(&record.data)) return *name;
    if (auto* srv = std::get_if<DnsSrv>(&record.data))
      return "SRV " + std::to_string(srv->weight) + " " + std::to_string(srv->port) + " " + srv->target;
    if (auto* raw = std::get_if<DnsRaw>(&record.data)) return "\"" + raw->bytes.substr(1) + "\"";
    return "SOA";
  }
};

}  // namespace

TEST_CASE("Services by name (DNS specification 2.3)") {
  Zone zone;
  zone.service("web", "{clusterIP: 10.43.1.1, clusterIPs: [10.43.1.1, 'fd00::1'], ports: [{name: http, port: 80, protocol: TCP}]}");
  CHECK(zone.ask("web.default.svc.cluster.local", dns_type::a) == "A 10.43.1.1");
  CHECK(zone.ask("WEB.Default.svc.Cluster.Local", dns_type::a) == "A 10.43.1.1");
  CHECK(zone.ask("web.default.svc.cluster.local", dns_type::aaaa) == "AAAA fd00::1");
  CHECK(zone.ask("web.default.svc.cluster.local", dns_type::txt) == "NODATA");
  CHECK(zone.ask("_http._tcp.web.default.svc.cluster.local", dns_type::srv) ==
        "SRV 100 80 web.default.svc.cluster.local + web.default.svc.cluster.local A 10.43.1.1 + web.default.svc.cluster.local AAAA fd00::1");
  CHECK(zone.ask("_https._tcp.web.default.svc.cluster.local", dns_type::srv) == "NXDOMAIN");
  CHECK(zone.ask("1.1.43.10.in-addr.arpa", dns_type::ptr) == "web.default.svc.cluster.local");
  CHECK(zone.ask("nobody.default.svc.cluster.local", dns_type::a) == "NXDOMAIN");
  CHECK(zone.ask("web.nowhere.svc.cluster.local", dns_type::a) == "NXDOMAIN");
  CHECK(zone.ask("example.org", dns_type::a) == "forward");
  CHECK(zone.ask("web", dns_type::a) == "forward");
}

TEST_CASE("Names that have names below them exist without records") {
  Zone zone;
  CHECK(zone.ask("svc.cluster.local", dns_type::a) == "NODATA");
  CHECK(zone.ask("default.svc.cluster.local", dns_type::a) == "NODATA");
  CHECK(zone.ask("other.svc.cluster.local", dns_type::a) == "NXDOMAIN");
  CHECK(zone.ask("cluster.local", dns_type::soa) == "SOA");
  CHECK(zone.ask("cluster.local", dns_type::ns) == "ns.dns.cluster.local + ns.dns.cluster.local A 10.43.0.10");
  CHECK(zone.ask("ns.dns.cluster.local", dns_type::a) == "A 10.43.0.10");
  CHECK(zone.ask("dns-version.cluster.local", dns_type::txt) == "\"1.1.0\"");
  CHECK(zone.answer("x.svc.cluster.local", dns_type::a)->authority.size() == 1);
}

TEST_CASE("Headless Services: ready endpoints, with host names and without (2.4)") {
  Zone zone;
  zone.service("db", "{clusterIP: None, ports: [{name: sql, port: 5432}]}", R"(
endpoints:
- {addresses: [10.42.0.5], hostname: db-0}
- {addresses: [10.42.1.6]}
- {addresses: [10.42.1.7], conditions: {ready: false}}
ports: [{name: sql, port: 5432, protocol: TCP}])");
  CHECK(zone.ask("db.default.svc.cluster.local", dns_type::a) == "A 10.42.0.5, A 10.42.1.6");
  CHECK(zone.ask("db-0.db.default.svc.cluster.local", dns_type::a) == "A 10.42.0.5");
  CHECK(zone.ask("10-42-1-6.db.default.svc.cluster.local", dns_type::a) == "A 10.42.1.6");
  CHECK(zone.ask("db-1.db.default.svc.cluster.local", dns_type::a) == "NXDOMAIN");
  CHECK(zone.ask("_sql._tcp.db.default.svc.cluster.local", dns_type::srv) ==
        "SRV 50 5432 db-0.db.default.svc.cluster.local, SRV 50 5432 10-42-1-6.db.default.svc.cluster.local"
        " + db-0.db.default.svc.cluster.local A 10.42.0.5 + 10-42-1-6.db.default.svc.cluster.local A 10.42.1.6");
  CHECK(zone.ask("5.0.42.10.in-addr.arpa", dns_type::ptr) == "db-0.db.default.svc.cluster.local");
  zone.service("db", "{clusterIP: None}");
  CHECK(zone.ask("db.default.svc.cluster.local", dns_type::a) == "NODATA");
  CHECK(zone.ask("5.0.42.10.in-addr.arpa", dns_type::ptr) == "NXDOMAIN");
  CHECK(zone.ask("1.2.0.192.in-addr.arpa", dns_type::ptr) == "forward");
  zone.put_service("default", "db", Value(), {});
  CHECK(zone.ask("db.default.svc.cluster.local", dns_type::a) == "NXDOMAIN");
}

TEST_CASE("ExternalName is an alias to be followed; pods answer for their own address") {
  Zone zone;
  zone.service("ext", "{type: ExternalName, externalName: example.org}");
  CHECK(zone.ask("ext.default.svc.cluster.local", dns_type::a) == "example.org");
  CHECK(zone.answer("ext.default.svc.cluster.local", dns_type::a)->follow);
  CHECK_FALSE(zone.answer("ext.default.svc.cluster.local", dns_type::cname)->follow);
  CHECK(zone.ask("10-42-0-9.default.pod.cluster.local", dns_type::a) == "A 10.42.0.9");
  CHECK(zone.ask("10-42-0-9.default.pod.cluster.local", dns_type::aaaa) == "NODATA");
  CHECK(zone.ask("10-42-0-9.nowhere.pod.cluster.local", dns_type::a) == "NXDOMAIN");
  CHECK(zone.ask("hello.default.pod.cluster.local", dns_type::a) == "NXDOMAIN");
}
