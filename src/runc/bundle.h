#pragma once
// A bundle's config.json: reading, checking, and what of it concerns the host.

#include <string>

#include "plan/oci/compile.h"
#include "runc/command.h"

namespace orch::runc {

// Errors: Code::not_found in runc's words; Code::invalid with the path in the configuration.
Result<Value> load_config(const std::string& bundle);

struct Host {
  std::string cgroup;  // directory of the container; "" none
  plan::oci::Facts facts;
};
// Without cgroup v2 there is none, unless the configuration asks for limits (an error then).
Result<Host> host_for(const Context& context, const Value& config, const std::string& id);

}  // namespace orch::runc
