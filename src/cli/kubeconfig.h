#pragma once
// kubeconfig files: finding, merging and changing them, and what a connection needs of them.
// The rules of merging are kubectl's: the first file that has a name or a value wins.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/console.h"
#include "data/value.h"

namespace orch::cli {

struct Kubeconfig {
  Value config;            // {clusters, users, contexts: [{name, cluster|user|context}], current-context}
  std::string write_path;  // the file that changes go to
  std::vector<std::string> searched;  // for the message when there is none
};

// --kubeconfig (must exist), else $KUBECONFIG (a list, absent files are fine), else ~/.kube/config, else
// /var/lib/orch/kubeconfig. None at all is an empty configuration.
Result<Kubeconfig> load_kubeconfig(Console& console, const std::string& explicit_path);

Value merge_kubeconfigs(const std::vector<Value>& configs);
// Paths of certificates are relative to the file they are written in.
Value with_absolute_paths(const Value& config, const std::string& directory);

// The {name, ...} entry's `section` object ("clusters" -> "cluster"), null where absent.
const Value& find_entry(const Value& config, std::string_view section, std::string_view name);
// The same list with that entry replaced or added.
Value with_entry(const Value& config, std::string_view section, std::string_view name, const Value& value);

struct Overrides {  // the command line's
  std::string kubeconfig, context, cluster, user, ns, server, token, server_name;
  std::string certificate_authority, client_certificate, client_key;
  std::string username, password, as_user;
  std::vector<std::string> as_groups;
  bool insecure = false;
};

struct Connection {
  std::string server;
  std::string ca_pem, certificate_pem, key_pem;
  std::string token, username, password;
  std::string server_name;  // of the certificate
  std::string ns;           // "" : the configuration names none
  std::string as_user;
  std::vector<std::string> as_groups;
  bool insecure = false;
};
// Errors: a context, cluster or file that is named and not there.
Result<Connection> resolve_connection(Console& console, const Kubeconfig& kubeconfig,
                                      const Overrides& overrides);

}  // namespace orch::cli
