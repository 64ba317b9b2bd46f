#include "cmd/options.h"

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "base/text.h"
#include "data/yaml.h"

namespace orch::cmd {

namespace {

constexpr std::string_view kDefaultConfig = "/etc/orch/config.yaml";

using Settings = std::map<std::string, std::vector<std::string>>;  // flag name -> values

void add_server_flags(CLI::App& app, ServerOptions& options) {
  app.add_option("--data-dir", options.data_dir, "where all state is kept");
  app.add_option("--bind-address", options.bind_address, "address to listen on");
  app.add_option("--https-listen-port", options.https_listen_port, "port of the API")->check(CLI::Range(0, 65535));
  app.add_option("--advertise-address", options.advertise_address, "address others reach this server at");
  app.add_option("--tls-san", options.tls_san, "further name or address for the certificate")->delimiter(',');
  app.add_option("--token", options.token, "what agents join with");
  app.add_option("--token-file", options.token_file, "file with the token");
  app.add_option("--node-name", options.node_name, "name of this node");
  app.add_option("--node-ip", options.node_ip, "address of this node");
  app.add_option("--node-label", options.node_label, "label of this node, key=value")->delimiter(',');
  app.add_option("--node-taint", options.node_taint, "taint of this node, key=value:Effect")->delimiter(',');
  app.add_flag("--disable-agent", options.disable_agent, "control plane only, no pods here");
  app.add_option("--disable", options.disable, "parts to leave out")->delimiter(',')
      ->check(CLI::IsMember({"ingress", "servicelb", "local-storage", "metrics", "dns"}));
  app.add_option("--cluster-cidr", options.cluster_cidr, "network of the pods");
  app.add_option("--service-cidr", options.service_cidr, "network of the Services");
  app.add_option("--cluster-dns", options.cluster_dns, "address of the cluster's DNS");
  app.add_option("--cluster-domain", options.cluster_domain, "DNS domain of the cluster");
  app.add_option("--datastore-endpoint", options.datastore_endpoint, "sqlite, or http(s)://ETCD,...");
  app.add_option("--write-kubeconfig", options.write_kubeconfig, "also write the admin's kubeconfig here");
  app.add_flag("--stop-pods-on-exit", options.stop_pods_on_exit, "end the pods on SIGTERM");
  app.add_option("-v,--log-level", options.log_level, "trace, debug, info, warn, error");
}

std::string variable_of(const std::string& flag) { return "ORCH_" + to_upper(replace_all(flag, "-", "_")); }

std::string text_of(const Value& value) {
  if (value.is_bool()) return value.as_bool() ? "true" : "false";
  if (value.is_int()) return std::to_string(value.as_int());
  return std::string(value.as_string());
}

Result<Settings> read_config(const std::string& path, bool must_exist) {
  std::ifstream file(path);
  Settings settings;
  if (!file) {
    if (must_exist) return Error::make(Code::usage, "cannot read the configuration file " + path);
    return settings;
  }
  std::stringstream text;
  text << file.rdbuf();
  auto parsed = parse_yaml_document(text.str());
  if (!parsed.ok()) return std::move(parsed).error().with_context(path).with_code(Code::usage);
  if (!parsed->is_null() && !parsed->is_object()) {
    return Error::make(Code::usage, path + ": expected a mapping of flags to values");
  }
  for (const Member& member : parsed->members()) {
    std::vector<std::string> values;
    for (const Value& item : member.value.items()) values.push_back(text_of(item));
    if (!member.value.is_list()) values.push_back(text_of(member.value));
    settings[std::string(member.name())] = std::move(values);
  }
  return settings;
}

// Fills what the command line left out, from the environment or the file.
Result<void> fill_from(CLI::App& app, const Settings& file, const std::string& path) {
  for (const auto& [key, values] : file) {
    if (!app.get_option_no_throw("--" + key)) {
      return Error::make(Code::usage, path + ": unknown key " + quote(key) + "; keys are the names of the flags");
    }
  }
  for (CLI::Option* option : app.get_options()) {
    std::string flag = option->get_name(false, true);
    flag = option->get_lnames().empty() ? "" : option->get_lnames().front();
    if (flag.empty() || flag == "help" || flag == "config" || option->count() > 0) continue;
    std::vector<std::string> values;
    std::string source;
    if (const char* variable = std::getenv(variable_of(flag).c_str())) {
      values = {variable};
      source = variable_of(flag);
    } else if (auto found = file.find(flag); found != file.end()) {
      values = found->second;
      source = path + ": " + flag;
    } else {
      continue;
    }
    try {
      for (std::string& value : values) option->add_result(std::move(value));
      option->run_callback();
    } catch (const CLI::Error& error) {
      return Error::make(Code::usage, source + ": " + error.what());
    }
  }
  return {};
}

}  // namespace

Result<ServerOptions> parse_server_options(const std::vector<std::string>& arguments) {
  ServerOptions options;
  CLI::App app("Runs the whole cluster: API, controllers, scheduler and (unless disabled) the node agent.",
               "orch server");
  std::string config(kDefaultConfig);
  app.add_option("--config", config, "YAML file of flags");
  add_server_flags(app, options);
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // what CLI11 wants
    app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    options.show_help = true;
    options.help = app.help();
    return options;
  } catch (const CLI::Error& error) {
    return Error::make(Code::usage, std::string(error.what()) + " (see orch server --help)");
  }
  TRY(Settings file, read_config(config, app.get_option("--config")->count() > 0));
  TRY_VOID(fill_from(app, file, config));
  return options;
}

}  // namespace orch::cmd
