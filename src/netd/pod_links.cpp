#include "netd/pod_links.h"

#include <fcntl.h>
#include <linux/netlink.h>

#include <algorithm>

#include "data/hash.h"
#include "linux/netlink_links.h"
#include "netd/address_book.h"

namespace orch::netd {

namespace {

constexpr std::string_view pod_interface = "eth0";
constexpr uint32_t default_mtu = 1500;

// As the CNI plugins do: an address that says which pod it is.
sys::Mac mac_of(const Ip& ip) { return {0x0a, 0x58, ip.bytes[0], ip.bytes[1], ip.bytes[2], ip.bytes[3]}; }

// The MTU of the link that leads out; without one, Ethernet's.
uint32_t node_mtu(sys::Socket& socket) {
  auto routes = sys::list_routes(socket);
  auto links = sys::list_links(socket);
  if (!routes.ok() || !links.ok()) return default_mtu;
  for (const sys::Route& route : *routes) {
    if (route.destination.bits != 0) continue;
    for (const sys::Link& link : *links)
      if (link.index == route.link && link.mtu != 0) return link.mtu;
  }
  return default_mtu;
}

// Nothing is written where it already is so: a container may be refused the write.
void set_sysctl(const std::string& name, std::string_view value, std::vector<std::string>& refused) {
  const std::string path = "/proc/sys/net/ipv4/" + name;
  char now[16];
  if (sys::read_small_file(path.c_str(), now, sizeof now) > 0 && std::string_view(now).substr(0, value.size()) == value) return;
  if (int error = sys::write_kernel_file(path.c_str(), value)) refused.push_back(Error::from_errno(error, "write " + path).message());
}

Result<sys::Link> ensure_bridge(sys::Socket& socket, const NodeLinks& links) {
  TRY(auto found, sys::find_link(socket, links.bridge));
  if (found && found->kind != "bridge")
    return Error::make(Code::already_exists, "there is a link " + links.bridge + " that is no bridge: remove it");
  if (!found) {
    sys::BridgeSpec spec{links.bridge, node_mtu(socket), mac_of(gateway_of(links.range))};
    TRY_VOID(sys::add_bridge(socket, spec));
    TRY(found, sys::find_link(socket, links.bridge));
    if (!found) return Error::make(Code::internal, "the bridge " + links.bridge + " is gone again");
  }
  if (!found->up) TRY_VOID(sys::set_link_up(socket, found->index));
  return *found;
}

}  // namespace

Result<std::vector<std::string>> set_up_node(const NodeLinks& links) {
  std::vector<std::string> refused;
  TRY(sys::Socket socket, sys::Socket::open(NETLINK_ROUTE));
  TRY(sys::Link bridge, ensure_bridge(socket, links));
  const Ip gateway = gateway_of(links.range);
  TRY_VOID(sys::add_address(socket, bridge.index, Cidr{gateway, links.range.bits}));
  TRY_VOID(sys::add_address(socket, bridge.index, Cidr{links.dns_address, 32}));
  sys::Route services{links.service_cidr, std::nullopt, gateway, bridge.index};
  TRY_VOID(sys::add_route(socket, services));
  set_sysctl("ip_forward", "1", refused);
  set_sysctl("conf/" + links.bridge + "/route_localnet", "1", refused);
  return refused;
}

Result<void> attach_pod(const PodLink& link) {
  sys::Fd pod_namespace(::open(link.network_namespace.c_str(), O_RDONLY | O_CLOEXEC));
  if (!pod_namespace.ok()) return Error::from_errno(errno, "open the pod's network namespace " + link.network_namespace);
  TRY(sys::Socket node, sys::Socket::open(NETLINK_ROUTE));
  TRY(sys::Socket pod, sys::Socket::open_in(pod_namespace.get(), NETLINK_ROUTE));
  TRY(auto bridge, sys::find_link(node, link.bridge));
  if (!bridge) return Error::make(Code::unavailable, "the bridge " + link.bridge + " is gone");

  TRY(auto port, sys::find_link(node, link.name));
  TRY(auto inside, sys::find_link(pod, std::string(pod_interface)));
  if (port && !inside) {  // of a sandbox before this one
    TRY_VOID(sys::delete_link(node, link.name));
    port.reset();
  }
  if (!port) {
    sys::VethSpec spec{link.name, bridge->index, bridge->mtu, std::string(pod_interface), mac_of(link.address), pod_namespace.get()};
    TRY_VOID(sys::add_veth(node, spec));
    TRY(port, sys::find_link(node, link.name));
    TRY(inside, sys::find_link(pod, std::string(pod_interface)));
    if (!port || !inside) return Error::make(Code::internal, "the link " + link.name + " is gone again");
    TRY_VOID(sys::set_port_hairpin(node, port->index));
  }
  constexpr uint32_t loopback = 1;  // the first link of any namespace
  TRY_VOID(sys::set_link_up(pod, loopback));
  if (!inside->up) TRY_VOID(sys::set_link_up(pod, inside->index));
  TRY_VOID(sys::add_address(pod, inside->index, Cidr{link.address, 32}));
  sys::Route out{Cidr{Ip{}, 0}, link.gateway, std::nullopt, inside->index};
  return sys::add_route(pod, out);
}

Result<void> detach_pod(const std::string& name) {
  TRY(sys::Socket node, sys::Socket::open(NETLINK_ROUTE));
  return sys::delete_link(node, name);
}

Result<std::vector<std::string>> remove_other_ports(const std::string& bridge, const std::vector<std::string>& keep) {
  TRY(sys::Socket node, sys::Socket::open(NETLINK_ROUTE));
  TRY(auto bridge_link, sys::find_link(node, bridge));
  std::vector<std::string> removed;
  if (!bridge_link) return removed;
  TRY(auto links, sys::list_links(node));
  for (const sys::Link& link : links) {
    if (link.master != bridge_link->index || link.kind != "veth") continue;
    if (std::find(keep.begin(), keep.end(), link.name) != keep.end()) continue;
    TRY_VOID(sys::delete_link(node, link.name));
    removed.push_back(link.name);
  }
  return removed;
}

Result<void> tear_down_node(const std::string& bridge) {
  TRY(auto removed, remove_other_ports(bridge, {}));
  (void)removed;
  TRY(sys::Socket node, sys::Socket::open(NETLINK_ROUTE));
  return sys::delete_link(node, bridge);
}

std::string bridge_name(const std::string& instance) { return "orch" + instance.substr(0, 4); }

std::string port_name(const std::string& instance, const std::string& pod_uid) {
  constexpr size_t digits = 9;
  return "o" + instance.substr(0, 4) + sha256_hex(pod_uid).substr(0, digits);
}

}  // namespace orch::netd
