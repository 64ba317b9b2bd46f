#pragma once
// Links, addresses, routes and neighbours over rtnetlink, in the namespace a Socket was opened in. Addresses are IPv4.

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "linux/netlink_socket.h"

namespace orch::sys {

using Mac = std::array<uint8_t, 6>;

struct Link {
  uint32_t index = 0;
  std::string name;
  std::string kind;     // "bridge", "veth", ...; "" for hardware
  uint32_t mtu = 0;
  uint32_t master = 0;  // the index of the bridge it is a port of; 0: none
  Mac mac{};
  bool up = false;
};

struct BridgeSpec {
  std::string name;
  uint32_t mtu = 1500;
  Mac mac{};
};

// A pair: one end here, a port of `bridge` and up, the other one in the pod's namespace.
struct VethSpec {
  std::string name;
  uint32_t bridge = 0;  // index
  uint32_t mtu = 1500;
  std::string peer_name;
  Mac peer_mac{};
  int peer_namespace = -1;  // descriptor
};

struct Route {
  Cidr destination;             // 0.0.0.0/0: default
  std::optional<Ip> gateway;    // taken to be on the link
  std::optional<Ip> source;     // preferred source address
  uint32_t link = 0;            // index; 0: the gateway says
};

struct Neighbour {
  Ip address;
  Mac mac{};
  uint32_t link = 0;
};

// nullopt: there is none.
Result<std::optional<Link>> find_link(Socket& socket, const std::string& name);
Result<std::vector<Link>> list_links(Socket& socket);
Result<void> add_bridge(Socket& socket, const BridgeSpec& spec);
Result<void> add_veth(Socket& socket, const VethSpec& spec);
// Succeeds where there is none. Deleting one end of a pair deletes both.
Result<void> delete_link(Socket& socket, const std::string& name);
Result<void> set_link_up(Socket& socket, uint32_t index);
Result<void> set_link_mtu(Socket& socket, uint32_t index, uint32_t mtu);
// A port of a bridge may send back what came in by it (hairpin mode).
Result<void> set_port_hairpin(Socket& socket, uint32_t index);

Result<std::vector<Cidr>> list_addresses(Socket& socket, uint32_t link);
// Adding what is there and deleting what is not succeed.
Result<void> add_address(Socket& socket, uint32_t link, const Cidr& address);
Result<void> delete_address(Socket& socket, uint32_t link, const Cidr& address);
Result<void> add_route(Socket& socket, const Route& route);
Result<void> delete_route(Socket& socket, const Route& route);
Result<std::vector<Route>> list_routes(Socket& socket);  // of the main table
Result<void> set_neighbour(Socket& socket, const Neighbour& neighbour);  // permanent

}  // namespace orch::sys
