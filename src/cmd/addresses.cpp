#include "cmd/addresses.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>

namespace orch::cmd {

std::string host_name() {
  char buffer[256] = "";
  if (gethostname(buffer, sizeof buffer - 1) != 0 || buffer[0] == '\0') return "localhost";
  std::string name(buffer);
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name;
}

std::vector<std::string> interface_addresses() {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return {};
  std::vector<std::string> v4, v6;
  for (ifaddrs* each = list; each; each = each->ifa_next) {
    if (!each->ifa_addr || !(each->ifa_flags & IFF_UP) || (each->ifa_flags & IFF_LOOPBACK)) continue;
    char buffer[INET6_ADDRSTRLEN];
    if (each->ifa_addr->sa_family == AF_INET) {
      auto* address = reinterpret_cast<sockaddr_in*>(each->ifa_addr);
      v4.emplace_back(inet_ntop(AF_INET, &address->sin_addr, buffer, sizeof buffer));
    } else if (each->ifa_addr->sa_family == AF_INET6) {
      auto* address = reinterpret_cast<sockaddr_in6*>(each->ifa_addr);
      if (IN6_IS_ADDR_LINKLOCAL(&address->sin6_addr)) continue;
      v6.emplace_back(inet_ntop(AF_INET6, &address->sin6_addr, buffer, sizeof buffer));
    }
  }
  freeifaddrs(list);
  v4.insert(v4.end(), v6.begin(), v6.end());
  return v4;
}

std::string default_advertise_address() {
  std::vector<std::string> addresses = interface_addresses();
  return addresses.empty() ? "127.0.0.1" : addresses.front();
}

}  // namespace orch::cmd
