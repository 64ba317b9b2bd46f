#pragma once
// PodWorker: one pod on this node. Gathers the situation, lets plan/pod decide, runs the actions as tasks
// of its own, publishes the status. Nothing waits for anything: whatever changes leads to a new look.

#include <map>
#include <optional>
#include <string>

#include "agent/agent.h"
#include "agent/pod_maker.h"
#include "agent/reference_watcher.h"
#include "client/event_recorder.h"
#include "loop/scope.h"
#include "plan/pod/reconcile.h"

namespace orch::agent {

// What all workers of a node share.
struct NodeParts {
  loop::Loop& loop;
  client::ApiPort& api;
  runtime::PodRuntime& runtime;
  runtime::ImageService& images;
  runtime::PodNetwork& network;
  PodMaker& maker;
  Random& random;
  ReferenceWatcher& references;
  client::EventRecorder& events;
  Logger log;
  std::vector<std::string> node_ips;
  // nullopt: not known yet; else whether the node takes the pod.
  std::function<std::optional<std::optional<plan::pod::Rejection>>(const Value& pod)> admit;
  std::function<void(const Value& pod)> absorb;           // an answer of the API about a pod
  std::function<void(const Value& pod)> absorb_removal;
  std::function<void(const std::string& uid)> forget;      // destroys the worker, later
  std::function<void()> images_changed;
};

class PodWorker {
 public:
  PodWorker(NodeParts& parts, Checkpoint known);
  ~PodWorker();
  PodWorker(const PodWorker&) = delete;
  PodWorker& operator=(const PodWorker&) = delete;

  void update(const Value& pod);  // as the API has it now
  void set_gone();                // the API has it no more
  void look_soon();

  const plan::pod::PodView& pod() const { return view_; }
  const Value& status() const { return memory_.status; }
  const std::vector<std::string>& ips() const { return memory_.ips; }
  bool is_admitted() const { return admitted_; }
  bool is_gone() const { return gone_; }

 private:
  using Action = plan::pod::PodAction;
  using Outcome = plan::pod::ActionOutcome;

  void look();
  bool admit();
  bool read_messages();
  plan::pod::Situation situation();
  void adopt();
  void record(const std::vector<plan::Note>& notes);
  void references_changed();
  void publish();
  loop::Task<void> write_status(Duration delay);
  void keep();
  loop::Task<void> write_checkpoint();
  loop::Task<void> read_message(plan::pod::ContainerRecord record);

  loop::Task<void> run(Action action);
  loop::Task<void> carry_out(const Action& action, Outcome& outcome);
  loop::Task<void> prepare_volumes(Outcome& outcome);
  loop::Task<void> create_sandbox(const Action& action);
  loop::Task<void> attach_network(Outcome& outcome);
  loop::Task<void> pull_image(const Action& action, Outcome& outcome);
  loop::Task<void> start_container(const Action& action, Outcome& outcome);
  loop::Task<void> run_hook(const Action& action);
  loop::Task<void> remove_container(const Action& action);
  loop::Task<void> remove_sandbox(bool with_files);
  loop::Task<void> delete_object();
  loop::Task<void> wait_for_references();

  NodeParts& parts_;
  std::string uid_;
  plan::pod::PodView view_;
  plan::pod::Memory memory_;
  plan::pod::ResolvedReferences references_;  // as last used
  std::optional<plan::pod::SandboxRecord> sandbox_;
  std::optional<plan::pod::Rejection> rejection_;
  std::map<std::string, std::string, std::less<>> messages_;  // of ended containers, by id
  std::set<std::string> reading_;
  uint64_t generation_ = 1;
  bool admitted_ = false, gone_ = false;
  bool look_pending_ = false;
  bool writing_ = false, keeping_ = false;
  bool leaving_ = false;  // its files are being removed
  Value kept_;  // the last checkpoint
  loop::Event references_known_;
  std::optional<loop::Loop::TimerId> timer_, keep_timer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  loop::Scope scope_;  // last
};

// runtime's words in plan/pod's.
plan::pod::SandboxRecord record_of(const runtime::SandboxState& state);

}  // namespace orch::agent
