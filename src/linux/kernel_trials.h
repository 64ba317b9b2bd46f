#pragma once
// Things that the kernel lets us do, or not: each is tried in a process and namespaces of its own. 0, or an errno.
// Room-private.

#include <cstdint>

namespace orch::sys {

int try_unshare(uint64_t flags);  // CLONE_NEW*
int try_overlay();
int try_nf_tables();
int try_link(const char* kind);  // "veth", "bridge", "vxlan"

}  // namespace orch::sys
