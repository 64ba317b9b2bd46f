#include "cmd/server_role.h"

#include <csignal>
#include <cstdio>
#include <fstream>

#include "api/account_tokens.h"
#include "api/bootstrap.h"
#include "api/endpoints.h"
#include "api/http_api.h"
#include "api/local_port.h"
#include "api/objects.h"
#include "base/text.h"
#include "client/known_types.h"
#include "client/node_table.h"
#include "cmd/addresses.h"
#include "cmd/agent_role.h"
#include "cmd/data_dir.h"
#include "cmd/system_random.h"
#include "control/controllers.h"
#include "loop/uv_loop.h"
#include "loop/uv_network.h"
#include "scheduler/scheduler.h"
#include "schema/hooks.h"
#include "store/sqlite_store.h"
#include "wire/http_server.h"
#include "wire/resolver.h"
#include "wire/tls.h"

namespace orch::cmd {

using loop::Task;

namespace {

constexpr Duration kDrainTime = 3s;

ServerFilesRequest files_request(const ServerOptions& options, const std::string& advertise) {
  ServerFilesRequest request;
  request.data_dir = options.data_dir;
  request.server_url = "https://127.0.0.1:" + std::to_string(options.https_listen_port);
  request.dns_names = {"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
                       "kubernetes.default.svc." + options.cluster_domain, host_name()};
  request.ip_addresses = {"127.0.0.1", "::1", advertise, api::kubernetes_service_address(options.service_cidr)};
  for (const std::string& address : interface_addresses()) request.ip_addresses.push_back(address);
  for (const std::string& name : options.tls_san) {
    bool literal = name.find(':') != std::string::npos || name.find_first_not_of("0123456789.") == std::string::npos;
    (literal ? request.ip_addresses : request.dns_names).push_back(name);
  }
  request.token = options.token;
  request.write_kubeconfig = options.write_kubeconfig;
  return request;
}

AgentRoleOptions agent_options(const ServerOptions& options, const std::string& advertise) {
  AgentRoleOptions made;
  made.data_dir = options.data_dir;
  made.node_name = options.node_name.empty() ? to_lower(host_name()) : options.node_name;
  made.node_ip = options.node_ip.empty() ? advertise : options.node_ip;
  made.node_label = options.node_label;
  made.node_taint = options.node_taint;
  made.cluster_cidr = options.cluster_cidr;
  made.service_cidr = options.service_cidr;
  made.cluster_dns = options.cluster_dns;
  made.cluster_domain = options.cluster_domain;
  return made;
}

// Everything a running server owns, in the order it is made; destroyed in reverse.
struct Server {
  Server(const ServerOptions& server_options, Logger logger)
      : options(server_options), log(std::move(logger)), hooks(schema::Hooks::builtin()), stop(loop), resolver(loop), network(loop, resolver.function()) {}

  Result<void> open();
  Task<void> run();

  ServerOptions options;
  Logger log;
  loop::UvLoop loop;
  SystemRandom random;
  schema::Hooks hooks;
  loop::Event stop;
  bool ready = false;
  std::string advertise;
  std::string root_ca;
  std::shared_ptr<const schema::Registry> registry;
  std::unique_ptr<store::SqliteStore> store;
  std::unique_ptr<api::Admission> admission;
  std::optional<api::AccountTokens> tokens;
  std::unique_ptr<api::Objects> objects;
  std::unique_ptr<api::LocalPort> port;
  std::unique_ptr<api::Endpoints> endpoints;
  wire::DnsResolver resolver;  // registries and proxied servers by name
  loop::UvNetwork network;
  client::NodeTable nodes;
  std::unique_ptr<api::HttpApi> http_api;
  std::unique_ptr<wire::HttpServer> http_server;
  std::unique_ptr<control::Controllers> controllers;
  std::unique_ptr<scheduler::Scheduler> scheduler;
  std::unique_ptr<AgentRole> agent;
};

// The port is taken before anything else starts, so that a second server fails at once and changes nothing.
Result<void> Server::open() {
  TRY(auto listener, network.listen_tcp(options.bind_address, static_cast<uint16_t>(options.https_listen_port)));
  options.https_listen_port = listener->port();
  advertise = options.advertise_address.empty() ? default_advertise_address() : options.advertise_address;
  TRY_VOID(make_directories(options.data_dir, 0755));

  store::SqliteOptions store_options;
  store_options.directory = options.data_dir + "/server/db";
  // Heartbeats and leases survive a clean end, so that no node looks dead after it; Events do not.
  store_options.core.keep_soft = [](const store::Stored& object) {
    return object.value["kind"] != Value("Event");
  };
  TRY_VOID(make_directories(options.data_dir + "/server", 0700));
  TRY(store, store::SqliteStore::open(loop, std::move(store_options), log.named("store")));
  TRY(ServerFiles files, prepare_server_files(files_request(options, advertise), loop.wall(), log));

  TRY(registry, schema::Registry::builtin());
  api::AdmissionOptions admission_options;
  admission_options.service_cidr = options.service_cidr;
  admission_options.cluster_dns = options.cluster_dns;
  admission_options.mount_account_tokens = true;
  TRY(admission, api::builtin_admission(*store, admission_options));
  std::string address = advertise + ":" + std::to_string(options.https_listen_port);
  api::AccountTokens::Options token_options;
  token_options.key_pem = files.account_key_pem;
  token_options.issuer = "https://kubernetes.default.svc." + options.cluster_domain;
  token_options.base_url = "https://" + address;
  TRY(auto issuer, api::AccountTokens::make(std::move(token_options)));
  tokens.emplace(std::move(issuer));
  objects = std::make_unique<api::Objects>(
      api::Objects::Parts{loop, *store, registry, hooks, random, *admission, log.named("api"), &*tokens});
  port = std::make_unique<api::LocalPort>(*objects);
  endpoints = std::make_unique<api::Endpoints>(*objects, address,
                                               [this] { return ready ? std::string() : std::string("startup"); });
  http_api = std::make_unique<api::HttpApi>(*objects, *endpoints, random, log.named("api"),
                                            api::HttpApi::Doors{&nodes, &network});

  root_ca = files.server_ca_pem;
  TRY(auto context, wire::TlsContext::server({files.serving, files.client_ca_pem}));
  http_server = std::make_unique<wire::HttpServer>(loop, log.named("http"), *http_api);
  http_server->listen(std::move(listener), std::make_shared<wire::TlsServer>(context));
  if (!options.disable_agent) {
    TRY(agent, AgentRole::open(loop, network, random, agent_options(options, advertise), log));
  }
  return {};
}

Task<void> Server::run() {
  // With the cable out pods reach the API at an address that the node's bridge has in any case: the DNS server's.
  const bool only_loopback = advertise.starts_with("127.") || advertise == "::1";
  const std::string reached_at = only_loopback && agent ? options.cluster_dns : advertise;
  api::BootstrapOptions bootstrap_options{options.service_cidr, reached_at, options.https_listen_port};
  co_await api::bootstrap(*port, std::move(bootstrap_options));
  control::Options control_options;
  control_options.types = client::known_types(*registry);
  control_options.root_ca = root_ca;
  control_options.cluster_cidr = options.cluster_cidr;
  controllers = control::start(loop, *port, log.named("control"), std::move(control_options));
  scheduler = scheduler::start(loop, *port, random, log.named("scheduler"));
  if (agent) co_await agent->start(*port, nodes);
  ready = true;
  log.info("ready", {{"api", "https://" + options.bind_address + ":" + std::to_string(options.https_listen_port)},
                     {"kubeconfig", options.data_dir + "/kubeconfig"}});
  co_await stop.wait();
  log.info("stopping");
  scheduler.reset();
  if (agent) co_await agent->stop(options.stop_pods_on_exit);
  co_await controllers->stop();
  controllers.reset();
  co_await http_server->stop(kDrainTime);
  co_await store->close();
}

Result<ServerOptions> with_token(ServerOptions options) {
  if (options.token_file.empty()) return options;
  std::ifstream file(options.token_file);
  if (!file || !std::getline(file, options.token)) {
    return Error::make(Code::usage, "--token-file " + options.token_file + ": cannot read a token from it");
  }
  options.token = std::string(trim(options.token));
  return options;
}

int fail_with(const Error& error) {
  std::fprintf(stderr, "orch server: %s\n", error.message().c_str());
  return code_info(error.code()).exit_code;
}

}  // namespace

int run_server(const ServerOptions& options) {
  auto complete = with_token(options);
  if (!complete.ok()) return fail_with(complete.error());
  Logger log = Logger::to_stderr(parse_log_level(options.log_level, LogLevel::info));
  Server server(*complete, log);
  auto opened = server.open();
  if (!opened.ok()) return fail_with(opened.error());
  for (int number : {SIGTERM, SIGINT}) server.loop.on_signal(number, [&server] { server.stop.set(); });
  auto ended = server.loop.run(server.run());
  if (!ended.ok()) return fail_with(ended.error());
  return 0;
}

}  // namespace orch::cmd
