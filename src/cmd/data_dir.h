#pragma once
// What a server keeps beside its database: CAs, certificates, the join token, the admin's kubeconfig.
// Blocking file work, done once before the loop runs.

#include <string>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "base/time.h"
#include "wire/certificates.h"

namespace orch::cmd {

struct ServerFiles {
  wire::Identity serving;     // the API's certificate
  std::string client_ca_pem;  // who may sign clients
  std::string server_ca_pem;  // who signed the serving certificate: what clients trust
  std::string token;
  std::string account_key_pem;  // signs the tokens of service accounts
};

struct ServerFilesRequest {
  std::string data_dir;
  std::string server_url;                 // for the kubeconfig: "https://127.0.0.1:6443"
  std::vector<std::string> dns_names;     // of the serving certificate
  std::vector<std::string> ip_addresses;
  std::string token;                      // "" : keep or make one
  std::string write_kubeconfig;           // a second place for the kubeconfig, "" none
};

// Makes what is missing and renews what ends soon or lacks a name; keeps the rest.
// Errors: Code::io with path and advice.
Result<ServerFiles> prepare_server_files(const ServerFilesRequest& request, Instant now, const Logger& log);

// mkdir -p with a mode for what it makes.
Result<void> make_directories(const std::string& path, int mode);

}  // namespace orch::cmd
