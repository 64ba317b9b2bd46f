#pragma once
// A whole cluster in one test process: the real API pipeline on a store with a disk in memory, the
// real controllers, scheduler and node agents; below the agents are machines made of records. Time is
// virtual: a rollout of hundreds of pods takes milliseconds. Faults come from a seed.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/fake_node.h"
#include "api/admission.h"
#include "api/local_port.h"
#include "api/objects.h"
#include "base/random.h"
#include "client/api_port.h"
#include "control/controllers.h"
#include "loop/scope.h"
#include "loop/virtual_loop.h"
#include "scheduler/scheduler.h"
#include "schema/graph.h"
#include "schema/hooks.h"
#include "sim/faulty_port.h"
#include "store/memory_store.h"

namespace orch::test {

struct SimFaults {
  double failed_writes = 0;             // share of store transactions that fail
  uint64_t crash_every = 0;             // the server dies at every n-th transaction, on average
  PortFaults port;                      // of what controllers, scheduler and agents see of the API
  Duration start_time = 1s;             // a container needs to become ready
};

// The half of a node that outlives the program: the machine.
struct SimNode {
  std::string name;
  bool alive = true;
  FakeMachine machine;
};

class SimCluster {
 public:
  explicit SimCluster(uint64_t seed, SimFaults faults = {});
  ~SimCluster();

  void start();                          // the server and its loops
  void crash();                          // like kill -9: the disk stays
  void add_node(std::string name, std::string_view cpu = "64");
  void lose_node(const std::string& name);
  FakeMachine& machine(const std::string& name) { return nodes_.at(name).machine; }
  size_t live_containers() const;

  // As a client; failures of injected faults are tried again.
  Value create(client::Target target, Value object);
  Value get(client::Target target);
  std::vector<Value> list(client::Target target);
  Value patch(client::Target target, Value merge_patch);
  void remove(client::Target target);

  // Lets time pass until it holds; false after `limit` of virtual time.
  bool run_until(const std::function<bool()>& holds, Duration limit);
  void run_for(Duration duration);
  // Called after each step of the clock, for invariants.
  std::function<void()> invariant;

  size_t crashes() const { return crashes_; }
  size_t conflicts() const;     // that were injected since the last crash
  size_t lost_watches() const;  // likewise
  loop::VirtualLoop& loop() { return loop_; }
  uint64_t commits() const { return disk_->commits; }

 private:
  struct Server;
  template <class T>
  Result<T> call(loop::Task<T> task);
  void start_node(SimNode& node);
  loop::Task<void> keep_lease(SimNode& node);
  store::MemoryFaults store_faults();
  bool chance(double share) { return static_cast<double>(random_.below(1'000'000)) < share * 1e6; }

  loop::VirtualLoop loop_;
  SeededRandom random_;
  SimFaults faults_;
  std::shared_ptr<const schema::Registry> registry_;
  schema::Hooks hooks_;
  std::shared_ptr<store::MemoryDisk> disk_ = std::make_shared<store::MemoryDisk>();
  std::map<std::string, SimNode> nodes_;
  std::unique_ptr<Server> server_;
  bool crash_wanted_ = false;
  size_t crashes_ = 0;
};

// Objects and targets the tests use.
client::Target pods(std::string name = "");
client::Target deployments(std::string name = "");
Value sim_deployment(std::string_view name, int replicas, std::string_view image);
size_t ready_pods(const std::vector<Value>& pods, std::string_view image = "");

}  // namespace orch::test
