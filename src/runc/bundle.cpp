#include "runc/bundle.h"

#include "base/text.h"
#include "data/json.h"
#include "loop/files.h"
#include "plan/oci/cgroup_path.h"
#include "runtime/cgroups.h"

namespace orch::runc {

Result<Value> load_config(const std::string& bundle) {
  auto text = loop::read_file_now(bundle + "/config.json");
  if (!text.ok() && text.error().is(Code::not_found)) {
    return Error::make(Code::not_found, "JSON specification file config.json not found in " + bundle);
  }
  if (!text.ok()) return std::move(text).error();
  auto config = parse_json(*text);
  if (!config.ok()) return std::move(config).error().with_context(bundle + "/config.json");
  const std::string_view version = (*config)["ociVersion"].as_string();
  if (!version.starts_with("1.")) {
    return Error::make(Code::invalid, "ociVersion: " + quote(version) + " is not a version that orch knows; 1.0.0 to 1.2.x are");
  }
  for (std::string_view part : {"process", "linux", "root"}) {
    if (!(*config)[part].is_object()) return Error::make(Code::invalid, std::string(part) + ": needed");
  }
  return config;
}

Result<Host> host_for(const Context& context, const Value& config, const std::string& id) {
  Host host;
  if (context.no_cgroup) return host;
  auto mount = runtime::open_cgroup_mount();
  if (!mount.ok()) {
    const Value& resources = config["linux"]["resources"];
    if (resources["memory"].empty() && resources["cpu"].empty() && resources["pids"].empty()) return host;
    return std::move(mount).error().with_context("linux.resources");
  }
  TRY(const std::string path, plan::oci::cgroup_path(config["linux"]["cgroupsPath"].as_string(), context.systemd_cgroup, id));
  host.cgroup = mount->path + path;
  host.facts.controllers = mount->controllers;
  return host;
}

}  // namespace orch::runc
