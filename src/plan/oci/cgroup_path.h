#pragma once
// linux.cgroupsPath as a directory below the mount of cgroup v2.

#include <string>
#include <string_view>

#include "base/result.h"

namespace orch::plan::oci {

// cgroupfs: "/a/b" and "a/b" -> "/a/b"; "" -> "/<id>".
// systemd (`--systemd-cgroup`): "slice:prefix:name" -> the directory that systemd would give the scope:
// "machine-a.slice:crio:web" -> "/machine.slice/machine-a.slice/crio-web.scope"; "" -> below system.slice.
// A name that ends in .slice stays as it is. Errors: Code::invalid for "..", and for a form that is not systemd's.
Result<std::string> cgroup_path(std::string_view path, bool systemd, std::string_view id);

}  // namespace orch::plan::oci
