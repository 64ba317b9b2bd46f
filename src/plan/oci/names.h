#pragma once
// Names of an OCI configuration as the kernel's numbers: capabilities, resource limits, namespaces.

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "data/value.h"

namespace orch::plan::oci {

// "CAP_SYS_ADMIN" (the prefix may be missing, any case) -> 21.
std::optional<int> capability_number(std::string_view name);
// All names, by number: "CAP_CHOWN" first.
std::span<const std::string_view> capability_names();
// Bits of a list of names; those that this table does not know are left out, as runc does (with a warning).
uint64_t capability_set(const Value& names);

std::optional<int> rlimit_number(std::string_view name);  // "RLIMIT_NOFILE" -> 7

struct NamespaceType {
  std::string_view name;  // in config.json: "network"
  std::string_view file;  // in /proc/<pid>/ns: "net"
  uint64_t flag;          // CLONE_NEWNET
};
std::span<const NamespaceType> namespace_types();
const NamespaceType* find_namespace_type(std::string_view name);

}  // namespace orch::plan::oci
