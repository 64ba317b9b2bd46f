#include "cmd/agent_role.h"

#include "agent/agent.h"
#include "agent/disk_pod_maker.h"
#include "agent/image_api.h"
#include "agent/machine_facts.h"
#include "agent/node_api.h"
#include "agent/node_keeper.h"
#include "cmd/addresses.h"
#include "cmd/data_dir.h"
#include "loop/files.h"
#include "loop/scope.h"
#include "netd/netd.h"
#include "orch/version.h"
#include "runtime/images/images.h"
#include "runtime/shim_runtime.h"
#include "wire/http_server.h"

namespace orch::cmd {

using loop::Task;

namespace {

constexpr Duration kStopPods = 30s, kDrainTime = 3s;

class Role final : public AgentRole {
 public:
  Role(loop::UvLoop& loop, loop::UvNetwork& network, Random& random, AgentRoleOptions options, Logger log)
      : loop_(loop), network_(network), random_(random), options_(std::move(options)), log_(std::move(log)), scope_(loop) {}

  Result<void> open();
  Task<void> start(client::ApiPort& api, client::NodeTable& nodes) override;
  Task<void> stop(bool stop_pods) override;
  ~Role() override {
    if (nodes_) nodes_->remove(options_.node_name);
  }

 private:
  std::string directory() const { return options_.data_dir + "/agent"; }
  std::string instance() const { return runtime::instance_of(options_.data_dir); }
  agent::MakerOptions maker_options() const;
  Result<void> start_network(client::ApiPort& api);
  void keep_node(client::ApiPort& api);
  void make_agent(client::ApiPort& api);

  loop::UvLoop& loop_;
  loop::UvNetwork& network_;
  Random& random_;
  AgentRoleOptions options_;
  plan::NodeFacts facts_;  // what does not change while we run
  Logger log_;
  client::NodeTable* nodes_ = nullptr;
  std::unique_ptr<loop::Listener> socket_;
  std::unique_ptr<runtime::ShimRuntime> runtime_;
  std::unique_ptr<runtime::images::Images> images_;
  std::unique_ptr<agent::ImageApi> image_api_;
  std::unique_ptr<wire::HttpServer> socket_server_;
  std::unique_ptr<netd::Netd> netd_;
  std::unique_ptr<agent::NodeKeeper> node_;
  std::unique_ptr<agent::DiskPodMaker> maker_;
  std::unique_ptr<agent::Agent> agent_;
  std::unique_ptr<agent::NodeApi> node_api_;
  loop::Scope scope_;  // last
};

// The controllers that limits of pods are enforced with.
constexpr const char* kControllers[] = {"cpu", "memory", "pids", "cpuset"};

Result<plan::NodeFacts> node_facts(const AgentRoleOptions& options) {
  plan::NodeFacts facts;
  facts.name = options.node_name;
  facts.hostname = host_name();
  facts.ips = {options.node_ip};
  facts.orch_version = ORCH_VERSION;
  facts.kubernetes_version = ORCH_KUBERNETES_VERSION;
  for (const std::string& text : options.node_label) {
    TRY(auto label, plan::parse_node_label(text));
    facts.labels.insert(std::move(label));
  }
  for (const std::string& text : options.node_taint) {
    TRY(Value taint, plan::parse_node_taint(text));
    facts.taints.push_back(std::move(taint));
  }
  return facts;
}

Result<void> Role::open() {
  TRY(facts_, node_facts(options_));
  for (const char* part : {"/agent/images", "/agent/pods", "/agent/containers", "/agent/logs", "/agent/network"})
    TRY_VOID(make_directories(options_.data_dir + part, 0755));
  runtime::RuntimeOptions runtime_options{"/run/orch/" + instance(), directory() + "/containers", "orch-" + instance()};
  TRY(runtime_, runtime::ShimRuntime::open(loop_, std::move(runtime_options), log_.named("runtime")));
  for (const char* controller : kControllers)
    if (!runtime_->controllers().contains(controller)) facts_.missing_controllers.emplace_back(controller);
  TRY(socket_, network_.listen_unix(options_.data_dir + "/orch.sock"));
  return {};
}

agent::MakerOptions Role::maker_options() const {
  agent::MakerOptions made;
  made.directory = directory();
  auto host_conf = loop::read_file_now("/etc/resolv.conf", 1 << 16);
  made.dns = {options_.cluster_dns, options_.cluster_domain, host_conf.ok() ? host_conf.value() : ""};
  made.node_ips = {options_.node_ip};
  made.node_hostname = host_name();
  made.seccomp_directory = directory() + "/seccomp";
  return made;
}

Task<void> Role::start(client::ApiPort& api, client::NodeTable& nodes) {
  nodes_ = &nodes;
  runtime::images::ImagesOptions image_options;
  image_options.directory = directory() + "/images";
  images_ = co_await runtime::images::Images::open(loop_, network_, std::move(image_options), log_.named("images"));
  image_api_ = std::make_unique<agent::ImageApi>(loop_, *images_);
  socket_server_ = std::make_unique<wire::HttpServer>(loop_, log_.named("socket"), *image_api_);
  socket_server_->listen(std::move(socket_));
  scope_.spawn(images_->import_preloaded());
  co_await runtime_->adopt();
  co_await start_network(api);
  keep_node(api);
  make_agent(api);
  nodes.set(options_.node_name, *node_api_);
}

Result<void> Role::start_network(client::ApiPort& api) {
  netd::Options netd_options;
  netd_options.data_dir = options_.data_dir;
  netd_options.instance = instance();
  netd_options.node = options_.node_name;
  netd_options.cluster_cidr = options_.cluster_cidr;
  netd_options.service_cidr = options_.service_cidr;
  netd_options.cluster_dns = options_.cluster_dns;
  netd_options.cluster_domain = options_.cluster_domain;
  netd_options.ready = [this] {
    if (node_) node_->look_soon();
  };
  TRY(netd_, netd::Netd::start(loop_, api, log_.named("netd"), std::move(netd_options)));
  return {};
}

void Role::keep_node(client::ApiPort& api) {
  auto read_machine = [directory = directory()] { return agent::read_machine_facts(directory); };
  auto complete = [this](plan::NodeFacts& facts) {
    facts.network_not_ready = netd_->pod_network().not_ready_reason();
    for (const runtime::Image& image : images_->list()) {
      plan::NodeImage& known = facts.images.emplace_back();
      known.names = image.tags;
      known.names.insert(known.names.end(), image.digests.begin(), image.digests.end());
      known.size_bytes = image.size_bytes;
    }
  };
  node_ = std::make_unique<agent::NodeKeeper>(agent::NodeKeeper::Parts{loop_, api, log_.named("node"), read_machine, complete}, facts_);
  node_->start();
}

void Role::make_agent(client::ApiPort& api) {
  auto allocatable = [this] { return node_->node()["status"]["allocatable"]; };
  auto tell = [this](const plan::pod::PodView& pod, const plan::Note& note) {
    if (agent_) agent_->record(pod, note);
  };
  maker_ = std::make_unique<agent::DiskPodMaker>(
      agent::DiskPodMaker::Parts{loop_, network_, *runtime_, log_.named("agent"), allocatable, tell}, maker_options());
  agent::Options agent_options;
  agent_options.node_name = options_.node_name;
  agent_options.node_ips = {options_.node_ip};
  agent_options.pod_changed = [this](const std::string& uid) {
    if (node_api_) node_api_->pod_changed(uid);
  };
  agent::Services services{loop_, api, *runtime_, *images_, netd_->pod_network(), *maker_, random_};
  agent_ = agent::start(services, log_, std::move(agent_options));
  agent::NodeApi::Parts parts{loop_, log_.named("node-api"), *runtime_, options_.node_name, maker_->paths().logs(), [this] {
                                std::vector<Value> all;
                                for (agent::PodOnNode& pod : agent_->pods()) all.push_back(std::move(pod.pod));
                                return all;
                              }};
  node_api_ = std::make_unique<agent::NodeApi>(std::move(parts));
}

Task<void> Role::stop(bool stop_pods) {
  if (!agent_) co_return;
  if (stop_pods) co_await agent_->stop_pods(kStopPods);
  co_await agent_->stop();
  co_await node_->stop();
  co_await netd_->stop();
  if (socket_server_) co_await socket_server_->stop(kDrainTime);
  scope_.cancel();
  if (nodes_) nodes_->remove(options_.node_name);
  nodes_ = nullptr;
}

}  // namespace

Result<std::unique_ptr<AgentRole>> AgentRole::open(loop::UvLoop& loop, loop::UvNetwork& network, Random& random,
                                                   AgentRoleOptions options, Logger log) {
  auto role = std::make_unique<Role>(loop, network, random, std::move(options), std::move(log));
  TRY_VOID(role->open());
  return std::unique_ptr<AgentRole>(std::move(role));
}

}  // namespace orch::cmd
