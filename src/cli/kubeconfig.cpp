#include "cli/kubeconfig.h"

#include <algorithm>

#include "base/text.h"
#include "data/yaml.h"

namespace orch::cli {

namespace {

constexpr std::string_view kOwnPath = "/var/lib/orch/kubeconfig";

std::string_view inner_name(std::string_view section) {
  return section.substr(0, section.size() - 1);  // clusters -> cluster
}

std::string directory_of(const std::string& path) {
  size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<Value> read_config(Console& console, const std::string& path) {
  TRY(std::string text, console.read_file(path));
  auto parsed = parse_yaml_document(text);
  if (!parsed.ok()) {
    return failure("error loading config file " + quote(path) + ": " + parsed.error().message());
  }
  if (!parsed.value().is_object() && !parsed.value().is_null()) {
    return failure("error loading config file " + quote(path) + ": it is no mapping");
  }
  return with_absolute_paths(parsed.value(), directory_of(path));
}

}  // namespace

Value with_absolute_paths(const Value& config, const std::string& directory) {
  auto fix = [&](Value list, std::string_view section, std::initializer_list<std::string_view> names) {
    for (size_t i = 0; i < list.size(); ++i) {
      Value inner = list.at(i)[inner_name(section)];
      for (std::string_view name : names) {
        std::string_view path = inner[name].as_string();
        if (path.empty() || path.starts_with('/')) continue;
        inner = inner.with(name, Value(directory + "/" + std::string(path)));
      }
      if (inner.is_object()) list = list.with_item(i, list.at(i).with(inner_name(section), inner));
    }
    return list;
  };
  Value fixed = config;
  if (config.has("clusters")) {
    fixed = fixed.with("clusters", fix(config["clusters"], "clusters", {"certificate-authority"}));
  }
  if (config.has("users")) {
    fixed = fixed.with("users", fix(config["users"], "users",
                                    {"client-certificate", "client-key", "tokenFile"}));
  }
  return fixed;
}

Value merge_kubeconfigs(const std::vector<Value>& configs) {
  Value merged = Value::object({{"apiVersion", "v1"}, {"kind", "Config"}, {"preferences", Value::empty_object()}});
  std::string current;
  for (std::string_view section : {"clusters", "contexts", "users"}) {
    std::vector<Value> entries;
    for (const Value& config : configs) {
      for (const Value& entry : config[section].items()) {
        auto same = [&](const Value& other) { return other["name"] == entry["name"]; };
        if (std::ranges::none_of(entries, same)) entries.push_back(entry);
      }
    }
    merged = merged.with(section, Value::list(std::move(entries)));
  }
  for (const Value& config : configs) {
    if (current.empty()) current = config["current-context"].as_string();
  }
  return merged.with("current-context", Value(current));
}

const Value& find_entry(const Value& config, std::string_view section, std::string_view name) {
  for (const Value& entry : config[section].items()) {
    if (entry["name"].as_string() == name) return entry[inner_name(section)];
  }
  return Value::null();
}

Value with_entry(const Value& config, std::string_view section, std::string_view name,
                 const Value& value) {
  Value list = config[section].is_list() ? config[section] : Value::empty_list();
  Value entry = Value::object({{"name", Value(name)}, {inner_name(section), value}});
  for (size_t i = 0; i < list.size(); ++i) {
    if (list.at(i)["name"].as_string() == name) return config.with(section, list.with_item(i, entry));
  }
  return config.with(section, list.appended(entry));
}

Result<Kubeconfig> load_kubeconfig(Console& console, const std::string& explicit_path) {
  Kubeconfig result;
  std::vector<Value> configs;
  if (!explicit_path.empty()) {
    TRY(Value config, read_config(console, explicit_path));
    configs.push_back(std::move(config));
    result.write_path = explicit_path;
  } else if (auto list = console.variable("KUBECONFIG"); list && !list->empty()) {
    for (std::string_view part : split(*list, ':')) {
      if (part.empty()) continue;
      std::string path(part);
      result.searched.push_back(path);
      if (!console.exists(path)) continue;
      TRY(Value config, read_config(console, path));
      configs.push_back(std::move(config));
      if (result.write_path.empty()) result.write_path = path;
    }
    if (result.write_path.empty() && !result.searched.empty()) result.write_path = result.searched.back();
  } else {
    std::string home = console.variable("HOME").value_or("");
    if (!home.empty()) result.searched.push_back(home + "/.kube/config");
    result.searched.emplace_back(kOwnPath);
    result.write_path = result.searched.front();
    for (const std::string& path : result.searched) {
      if (!console.exists(path)) continue;
      TRY(Value config, read_config(console, path));
      configs.push_back(std::move(config));
      result.write_path = path;
      break;
    }
  }
  result.config = merge_kubeconfigs(configs);
  return result;
}

namespace {

// `name-data` in base64, or the content of the file `name`.
Result<std::string> read_material(Console& console, const Value& entry, std::string_view name) {
  std::string data_name = std::string(name) + "-data";
  if (auto data = entry[data_name].as_string(); !data.empty()) {
    auto decoded = decode_base64(data);
    if (!decoded.ok()) return failure("invalid base64 in " + data_name + " of the kubeconfig");
    return std::move(decoded).value();
  }
  if (auto path = entry[name].as_string(); !path.empty()) {
    auto text = console.read_file(std::string(path));
    if (!text.ok()) return failure("unable to read " + std::string(name) + " " + std::string(path) +
                                   ": " + text.error().message());
    return std::move(text).value();
  }
  return std::string();
}

Result<void> fill_user(Console& console, const Value& user, Connection& connection) {
  if (user.has("exec") || user.has("auth-provider")) {
    return failure("the user of this context gets its credentials from a plugin, which orch does not run");
  }
  TRY(connection.certificate_pem, read_material(console, user, "client-certificate"));
  TRY(connection.key_pem, read_material(console, user, "client-key"));
  connection.token = user["token"].as_string();
  if (auto path = user["tokenFile"].as_string(); !path.empty()) {
    TRY(std::string text, console.read_file(std::string(path)));
    connection.token = trim(text);
  }
  connection.username = user["username"].as_string();
  connection.password = user["password"].as_string();
  connection.as_user = user["as"].as_string();
  return {};
}

Result<void> apply_overrides(Console& console, const Overrides& overrides, Connection& connection) {
  if (!overrides.server.empty()) connection.server = overrides.server;
  if (!overrides.ns.empty()) connection.ns = overrides.ns;
  if (!overrides.token.empty()) connection.token = overrides.token;
  if (!overrides.server_name.empty()) connection.server_name = overrides.server_name;
  if (!overrides.username.empty()) connection.username = overrides.username;
  if (!overrides.password.empty()) connection.password = overrides.password;
  if (!overrides.as_user.empty()) connection.as_user = overrides.as_user;
  connection.as_groups = overrides.as_groups;
  if (!overrides.certificate_authority.empty()) {
    TRY(connection.ca_pem, console.read_file(overrides.certificate_authority));
  }
  if (!overrides.client_certificate.empty()) {
    TRY(connection.certificate_pem, console.read_file(overrides.client_certificate));
  }
  if (!overrides.client_key.empty()) {
    TRY(connection.key_pem, console.read_file(overrides.client_key));
  }
  if (overrides.insecure) {
    connection.insecure = true;
    connection.ca_pem.clear();
  }
  return {};
}

}  // namespace

Result<Connection> resolve_connection(Console& console, const Kubeconfig& kubeconfig,
                                      const Overrides& overrides) {
  const Value& config = kubeconfig.config;
  std::string context_name =
      overrides.context.empty() ? std::string(config["current-context"].as_string()) : overrides.context;
  const Value& context = find_entry(config, "contexts", context_name);
  if (!overrides.context.empty() && context.is_null()) {
    return failure("context " + quote(overrides.context) + " does not exist");
  }
  std::string cluster_name =
      overrides.cluster.empty() ? std::string(context["cluster"].as_string()) : overrides.cluster;
  std::string user_name =
      overrides.user.empty() ? std::string(context["user"].as_string()) : overrides.user;
  const Value& cluster = find_entry(config, "clusters", cluster_name);
  if (!overrides.cluster.empty() && cluster.is_null()) {
    return failure("cluster " + quote(overrides.cluster) + " does not exist");
  }
  const Value& user = find_entry(config, "users", user_name);
  if (!overrides.user.empty() && user.is_null()) {
    return failure("auth info " + quote(overrides.user) + " does not exist");
  }
  Connection connection;
  connection.server = cluster["server"].as_string();
  connection.server_name = cluster["tls-server-name"].as_string();
  connection.insecure = cluster["insecure-skip-tls-verify"].as_bool();
  connection.ns = context["namespace"].as_string();
  TRY(connection.ca_pem, read_material(console, cluster, "certificate-authority"));
  TRY_VOID(fill_user(console, user, connection));
  TRY_VOID(apply_overrides(console, overrides, connection));
  if (connection.server.empty()) {
    std::string where = join(kubeconfig.searched, ", ");
    return failure("no server to talk to: no cluster is configured" +
                   (where.empty() ? std::string() : " in " + where) +
                   "; pass --kubeconfig FILE or --server URL");
  }
  if (connection.certificate_pem.empty() != connection.key_pem.empty()) {
    return failure("a client certificate and its key are needed together");
  }
  return connection;
}

}  // namespace orch::cli
