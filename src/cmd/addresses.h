#pragma once
// This machine's names and addresses.

#include <string>
#include <vector>

namespace orch::cmd {

std::string host_name();
// Literal addresses of the interfaces that are up, loopback left out, IPv4 first.
std::vector<std::string> interface_addresses();
// What to tell others: the first of these, 127.0.0.1 with the cable out.
std::string default_advertise_address();

}  // namespace orch::cmd
