#pragma once
// Options of a mount in an OCI configuration (and fstab(5)) as flags of mount(2) and mount_setattr(2). Room-private.

#include <cstdint>
#include <string>
#include <vector>

#include "data/value.h"

namespace orch::plan::oci {

struct MountOptions {
  uint64_t flags = 0;        // MS_*: of a new file system; MS_BIND and MS_REC of a bind
  uint64_t attributes = 0;   // MOUNT_ATTR_* to set
  uint64_t cleared = 0;      // and to clear
  bool recursive = false;    // they hold for what is mounted below, too
  uint64_t propagation = 0;  // MS_SHARED, ... with MS_REC
  std::string data;          // what is not for the kernel's generic part
  bool copy_up = false;      // tmpcopyup
  bool bind() const;
};

MountOptions parse_mount_options(const Value& options);
// All that are no data of a file system, for `features`.
std::vector<std::string> mount_option_names();

}  // namespace orch::plan::oci
