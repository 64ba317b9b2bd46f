#include "linux/netlink_links.h"

#include <arpa/inet.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>

#include <cstring>

namespace orch::sys {

namespace {

constexpr uint16_t create_new = NLM_F_CREATE | NLM_F_EXCL;
constexpr int ipv4_bits = 32;

std::string_view bytes_of(const Mac& mac) { return {reinterpret_cast<const char*>(mac.data()), mac.size()}; }
std::string_view bytes_of(const Ip& ip) { return {reinterpret_cast<const char*>(ip.bytes.data()), 4}; }

std::optional<Ip> ip_of(std::string_view bytes) {
  if (bytes.size() != 4) return std::nullopt;
  Ip ip;
  std::memcpy(ip.bytes.data(), bytes.data(), 4);
  return ip;
}

ifinfomsg link_header(uint32_t index, bool up) {
  ifinfomsg header{};
  header.ifi_family = AF_UNSPEC;
  header.ifi_index = static_cast<int>(index);
  if (up) header.ifi_flags = header.ifi_change = IFF_UP;
  return header;
}

Result<void> ignoring(int error_number, Result<void> result) {
  if (!result.ok() && result.error().error_number() == error_number) return {};
  return result;
}

Link read_link(const nlmsghdr& message) {
  const auto* info = static_cast<const ifinfomsg*>(NLMSG_DATA(&message));
  const Attributes attributes = Attributes::of(message, sizeof *info);
  Link link;
  link.index = static_cast<uint32_t>(info->ifi_index);
  link.up = (info->ifi_flags & IFF_UP) != 0;
  link.name = attributes.text(IFLA_IFNAME);
  link.mtu = attributes.u32(IFLA_MTU);
  link.master = attributes.u32(IFLA_MASTER);
  link.kind = Attributes::of(attributes.bytes(IFLA_LINKINFO)).text(IFLA_INFO_KIND);
  if (std::string_view mac = attributes.bytes(IFLA_ADDRESS); mac.size() == link.mac.size())
    std::memcpy(link.mac.data(), mac.data(), mac.size());
  return link;
}

}  // namespace

Result<std::optional<Link>> find_link(Socket& socket, const std::string& name) {
  Message message(RTM_GETLINK, 0, "look for link " + name);
  message.header(link_header(0, false)).text(IFLA_IFNAME, name);
  auto reply = socket.ask(message);
  if (!reply.ok() && reply.error().error_number() == ENODEV) return std::optional<Link>();
  if (!reply.ok()) return std::move(reply).error();
  return std::optional(read_link(*reinterpret_cast<const nlmsghdr*>(reply->data())));
}

Result<std::vector<Link>> list_links(Socket& socket) {
  Message message(RTM_GETLINK, 0, "list links");
  message.header(link_header(0, false));
  std::vector<Link> links;
  TRY_VOID(socket.dump(message, [&links](const nlmsghdr& each) { links.push_back(read_link(each)); }));
  return links;
}

Result<void> add_bridge(Socket& socket, const BridgeSpec& spec) {
  Message message(RTM_NEWLINK, create_new, "add bridge " + spec.name);
  message.header(link_header(0, true)).text(IFLA_IFNAME, spec.name).u32(IFLA_MTU, spec.mtu).bytes(IFLA_ADDRESS, bytes_of(spec.mac));
  message.nested(IFLA_LINKINFO, [&] { message.text(IFLA_INFO_KIND, "bridge"); });
  return socket.request(message);
}

Result<void> add_veth(Socket& socket, const VethSpec& spec) {
  Message message(RTM_NEWLINK, create_new, "add link " + spec.name);
  message.header(link_header(0, true)).text(IFLA_IFNAME, spec.name).u32(IFLA_MTU, spec.mtu).u32(IFLA_MASTER, spec.bridge);
  message.nested(IFLA_LINKINFO, [&] {
    message.text(IFLA_INFO_KIND, "veth");
    message.nested(IFLA_INFO_DATA, [&] {
      // The peer cannot be up from the start: the pair is not joined when its flags are set (ENOTCONN).
      message.nested(VETH_INFO_PEER, [&] {
        message.header(link_header(0, false)).text(IFLA_IFNAME, spec.peer_name).u32(IFLA_MTU, spec.mtu);
        message.bytes(IFLA_ADDRESS, bytes_of(spec.peer_mac));
        message.u32(IFLA_NET_NS_FD, static_cast<uint32_t>(spec.peer_namespace));
      });
    });
  });
  return socket.request(message);
}

Result<void> delete_link(Socket& socket, const std::string& name) {
  Message message(RTM_DELLINK, 0, "delete link " + name);
  message.header(link_header(0, false)).text(IFLA_IFNAME, name);
  return ignoring(ENODEV, socket.request(message));
}

Result<void> set_link_up(Socket& socket, uint32_t index) {
  Message message(RTM_NEWLINK, 0, "set link " + std::to_string(index) + " up");
  message.header(link_header(index, true));
  return socket.request(message);
}

Result<void> set_link_mtu(Socket& socket, uint32_t index, uint32_t mtu) {
  Message message(RTM_NEWLINK, 0, "set the MTU of link " + std::to_string(index));
  message.header(link_header(index, false)).u32(IFLA_MTU, mtu);
  return socket.request(message);
}

Result<void> set_port_hairpin(Socket& socket, uint32_t index) {
  Message message(RTM_SETLINK, 0, "set hairpin mode of bridge port " + std::to_string(index));
  ifinfomsg header = link_header(index, false);
  header.ifi_family = AF_BRIDGE;
  message.header(header);
  message.nested(IFLA_PROTINFO | NLA_F_NESTED, [&] { message.u8(IFLA_BRPORT_MODE, 1); });
  return socket.request(message);
}

namespace {

Message address_message(uint16_t type, uint16_t flags, uint32_t link, const Cidr& address, std::string_view verb) {
  Message message(type, flags, std::string(verb) + " address " + format_cidr(address));
  ifaddrmsg header{};
  header.ifa_family = AF_INET;
  header.ifa_prefixlen = static_cast<uint8_t>(address.bits);
  header.ifa_scope = RT_SCOPE_UNIVERSE;
  header.ifa_index = link;
  message.header(header).bytes(IFA_LOCAL, bytes_of(address.ip)).bytes(IFA_ADDRESS, bytes_of(address.ip));
  return message;
}

Message route_message(uint16_t type, uint16_t flags, const Route& route, std::string_view verb) {
  Message message(type, flags, std::string(verb) + " route " + format_cidr(route.destination));
  rtmsg header{};
  header.rtm_family = AF_INET;
  header.rtm_dst_len = static_cast<uint8_t>(route.destination.bits);
  header.rtm_table = RT_TABLE_MAIN;
  header.rtm_protocol = RTPROT_STATIC;
  header.rtm_scope = route.gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
  header.rtm_type = RTN_UNICAST;
  if (route.gateway) header.rtm_flags = RTNH_F_ONLINK;
  message.header(header);
  const Ip network = route.destination.network();
  if (route.destination.bits != 0) message.bytes(RTA_DST, bytes_of(network));
  if (route.gateway) message.bytes(RTA_GATEWAY, bytes_of(*route.gateway));
  if (route.source) message.bytes(RTA_PREFSRC, bytes_of(*route.source));
  if (route.link != 0) message.u32(RTA_OIF, route.link);
  return message;
}

}  // namespace

Result<std::vector<Cidr>> list_addresses(Socket& socket, uint32_t link) {
  Message message(RTM_GETADDR, 0, "list addresses");
  ifaddrmsg header{};
  header.ifa_family = AF_INET;
  header.ifa_index = link;
  message.header(header);
  std::vector<Cidr> addresses;
  auto each = [&](const nlmsghdr& answer) {
    const auto* info = static_cast<const ifaddrmsg*>(NLMSG_DATA(&answer));
    auto ip = ip_of(Attributes::of(answer, sizeof *info).bytes(IFA_LOCAL));
    if (ip && info->ifa_index == link) addresses.push_back(Cidr{*ip, info->ifa_prefixlen});
  };
  TRY_VOID(socket.dump(message, each));
  return addresses;
}

Result<void> add_address(Socket& socket, uint32_t link, const Cidr& address) {
  Message message = address_message(RTM_NEWADDR, create_new, link, address, "add");
  return ignoring(EEXIST, socket.request(message));
}

Result<void> delete_address(Socket& socket, uint32_t link, const Cidr& address) {
  Message message = address_message(RTM_DELADDR, 0, link, address, "delete");
  return ignoring(EADDRNOTAVAIL, socket.request(message));
}

Result<void> add_route(Socket& socket, const Route& route) {
  Message message = route_message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, route, "add");
  return socket.request(message);
}

Result<void> delete_route(Socket& socket, const Route& route) {
  Message message = route_message(RTM_DELROUTE, 0, route, "delete");
  return ignoring(ESRCH, socket.request(message));
}

Result<std::vector<Route>> list_routes(Socket& socket) {
  Message message(RTM_GETROUTE, 0, "list routes");
  rtmsg header{};
  header.rtm_family = AF_INET;
  message.header(header);
  std::vector<Route> routes;
  auto each = [&](const nlmsghdr& answer) {
    const auto* info = static_cast<const rtmsg*>(NLMSG_DATA(&answer));
    if (info->rtm_table != RT_TABLE_MAIN || info->rtm_type != RTN_UNICAST) return;
    const Attributes attributes = Attributes::of(answer, sizeof *info);
    Route route;
    route.destination = Cidr{ip_of(attributes.bytes(RTA_DST)).value_or(Ip{}), info->rtm_dst_len};
    route.gateway = ip_of(attributes.bytes(RTA_GATEWAY));
    route.source = ip_of(attributes.bytes(RTA_PREFSRC));
    route.link = attributes.u32(RTA_OIF);
    routes.push_back(route);
  };
  TRY_VOID(socket.dump(message, each));
  return routes;
}

Result<void> set_neighbour(Socket& socket, const Neighbour& neighbour) {
  Message message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, "set neighbour " + format_ip(neighbour.address));
  ndmsg header{};
  header.ndm_family = AF_INET;
  header.ndm_ifindex = static_cast<int>(neighbour.link);
  header.ndm_state = NUD_PERMANENT;
  message.header(header).bytes(NDA_DST, bytes_of(neighbour.address)).bytes(NDA_LLADDR, bytes_of(neighbour.mac));
  return socket.request(message);
}

}  // namespace orch::sys
