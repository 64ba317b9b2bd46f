#pragma once
// The objects a cluster has from the start: system namespaces, priority classes, the `kubernetes`
// Service with its endpoints. Idempotent; existing ones are only brought up to date.

#include <string>

#include "client/api_port.h"

namespace orch::api {

struct BootstrapOptions {
  std::string service_cidr = "10.43.0.0/16";
  std::string advertise_address;  // where this server is reached
  int port = 6443;
};

loop::Task<void> bootstrap(client::ApiPort& port, BootstrapOptions options);

// The first address of the service network: "10.43.0.1", the API's own Service.
std::string kubernetes_service_address(std::string_view service_cidr);

}  // namespace orch::api
