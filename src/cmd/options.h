#pragma once
// The flags of the roles. Every flag is also a key of the YAML file --config and an environment
// variable ORCH_<FLAG>; a flag wins over the environment, that over the file (docs/contract).

#include <string>
#include <vector>

#include "base/log.h"
#include "base/result.h"

namespace orch::cmd {

struct ServerOptions {
  std::string data_dir = "/var/lib/orch";
  std::string bind_address = "0.0.0.0";
  int https_listen_port = 6443;
  std::string advertise_address;
  std::vector<std::string> tls_san;
  std::string token, token_file;
  std::string node_name, node_ip;
  std::vector<std::string> node_label, node_taint;
  bool disable_agent = false;
  std::vector<std::string> disable;
  std::string cluster_cidr = "10.42.0.0/16";
  std::string service_cidr = "10.43.0.0/16";
  std::string cluster_dns = "10.43.0.10";
  std::string cluster_domain = "cluster.local";
  std::string datastore_endpoint = "sqlite";
  std::string write_kubeconfig;
  bool stop_pods_on_exit = false;
  std::string log_level = "info";
  bool show_help = false;
  std::string help;
};

// `arguments`: what follows `orch server`. Errors: Code::usage, with the flag, variable or key.
Result<ServerOptions> parse_server_options(const std::vector<std::string>& arguments);

}  // namespace orch::cmd
