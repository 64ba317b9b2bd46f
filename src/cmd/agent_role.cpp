#include "cmd/agent_role.h"

#include "agent/agent.h"
#include "agent/disk_pod_maker.h"
#include "agent/image_api.h"
#include "agent/node_api.h"
#include "client/informer.h"
#include "cmd/addresses.h"
#include "cmd/data_dir.h"
#include "loop/files.h"
#include "loop/scope.h"
#include "plan/core/memory_snapshot.h"
#include "runtime/images/images.h"
#include "runtime/shim_runtime.h"
#include "wire/http_server.h"

namespace orch::cmd {

using loop::Task;

namespace {

constexpr Duration kStopPods = 30s, kDrainTime = 3s;

class NoNetwork final : public runtime::PodNetwork {
 public:
  std::string not_ready_reason() const override { return "there is no pod network; only pods on the host's network run"; }
  Task<runtime::PodAddresses> attach(runtime::PodNetworkRequest) override {
    co_await loop::fail(Error::make(Code::unavailable, not_ready_reason()));
    co_return runtime::PodAddresses();
  }
  Task<void> detach(std::string) override { co_return; }
  Task<void> keep_only(std::vector<std::string>) override { co_return; }
};

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
  agent::MakerOptions maker_options() const;
  void make_agent(client::ApiPort& api);

  loop::UvLoop& loop_;
  loop::UvNetwork& network_;
  Random& random_;
  AgentRoleOptions options_;
  Logger log_;
  client::NodeTable* nodes_ = nullptr;
  std::unique_ptr<loop::Listener> socket_;
  std::unique_ptr<runtime::ShimRuntime> runtime_;
  std::unique_ptr<runtime::images::Images> images_;
  std::unique_ptr<agent::ImageApi> image_api_;
  std::unique_ptr<wire::HttpServer> socket_server_;
  std::unique_ptr<runtime::PodNetwork> pod_network_;
  std::unique_ptr<plan::ObjectTable> node_table_;
  std::unique_ptr<client::Informer> node_;
  std::unique_ptr<agent::DiskPodMaker> maker_;
  std::unique_ptr<agent::Agent> agent_;
  std::unique_ptr<agent::NodeApi> node_api_;
  loop::Scope scope_;  // last
};

Result<void> Role::open() {
  for (const char* part : {"/agent/images", "/agent/pods", "/agent/containers", "/agent/logs", "/agent/network"})
    TRY_VOID(make_directories(options_.data_dir + part, 0755));
  const std::string instance = runtime::instance_of(options_.data_dir);
  runtime::RuntimeOptions runtime_options{"/run/orch/" + instance, directory() + "/containers", "orch-" + instance};
  TRY(runtime_, runtime::ShimRuntime::open(loop_, std::move(runtime_options), log_.named("runtime")));
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
  pod_network_ = std::make_unique<NoNetwork>();
  make_agent(api);
  nodes.set(options_.node_name, *node_api_);
}

void Role::make_agent(client::ApiPort& api) {
  node_table_ = std::make_unique<plan::ObjectTable>(plan::types::nodes.resource);
  auto ignore = [](const plan::Type&, const Value&, const Value&) {};
  node_ = std::make_unique<client::Informer>(loop_, api, plan::types::nodes, *node_table_, log_, ignore,
                                             client::Informer::Filter{"", "metadata.name=" + options_.node_name});
  scope_.spawn(node_->run());
  auto allocatable = [this] { return node_table_->get("", options_.node_name)["status"]["allocatable"]; };
  maker_ = std::make_unique<agent::DiskPodMaker>(loop_, *runtime_, maker_options(), allocatable, log_.named("agent"));
  agent::Options agent_options;
  agent_options.node_name = options_.node_name;
  agent_options.node_ips = {options_.node_ip};
  agent_options.pod_changed = [this](const std::string& uid) {
    if (node_api_) node_api_->pod_changed(uid);
  };
  agent::Services services{loop_, api, *runtime_, *images_, *pod_network_, *maker_, random_};
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
