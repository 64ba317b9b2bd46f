// How many pods a second get a node: the decision alone (parse, queue, place, assume), and the whole
// driver over an API that costs nothing but a turn of the loop for each call.
//
//   scheduler_bench [nodes] [pods]

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <string>
#include <vector>

#include "loop/virtual_loop.h"
#include "plan/core/object.h"
#include "plan/sched/placer.h"
#include "plan/sched/queue.h"
#include "scheduler/scheduler.h"

using namespace orch;
using namespace orch::plan::sched;

namespace {

Value make_node(size_t number) {
  std::string name = "node-" + std::to_string(number);
  Value labels = Value::object({{"kubernetes.io/hostname", name},
                                {"topology.kubernetes.io/zone", "zone-" + std::to_string(number % 3)}});
  Value metadata = Value::object({{"name", name}, {"uid", "uid-" + name}, {"labels", labels}, {"resourceVersion", "1"}});
  Value allocatable = Value::object({{"cpu", "32"}, {"memory", "256Gi"}, {"pods", "110"}});
  return Value::object({{"apiVersion", "v1"},
                        {"kind", "Node"},
                        {"metadata", metadata},
                        {"spec", Value::empty_object()},
                        {"status", Value::object({{"allocatable", allocatable}})}});
}

Value make_pod(size_t number) {
  std::string name = "pod-" + std::to_string(number);
  Value requests = Value::object({{"cpu", "100m"}, {"memory", "500Mi"}});
  Value container = Value::object(
      {{"name", "main"}, {"image", "image:1"}, {"resources", Value::object({{"requests", requests}})}});
  Value metadata =
      Value::object({{"name", name}, {"namespace", "default"}, {"uid", "uid-" + name}, {"resourceVersion", "1"}});
  Value spec = Value::object({{"containers", Value::list({container})}, {"schedulerName", "default-scheduler"}});
  return Value::object({{"apiVersion", "v1"},
                        {"kind", "Pod"},
                        {"metadata", metadata},
                        {"spec", spec},
                        {"status", Value::object({{"phase", "Pending"}})}});
}

// Lists what it was given; a binding comes back through the watch of pods. The rest does nothing.
class BenchApi final : public client::ApiPort {
 public:
  BenchApi(loop::Loop& loop, std::vector<Value> nodes, std::vector<Value> pods)
      : loop_(loop), nodes_(std::move(nodes)), pods_(std::move(pods)), changed_(loop) {
    for (size_t i = 0; i < pods_.size(); ++i) index_[std::string(plan::name_of(pods_[i]))] = i;
  }
  size_t bound = 0;

  loop::Task<client::ListResult> list(client::Target target, client::ListOptions) override {
    co_await loop::yield_turn(loop_);
    client::ListResult result;
    result.items = target.resource == "nodes" ? nodes_ : pods_;
    result.resource_version = "1";
    co_return std::move(result);
  }
  loop::Task<std::unique_ptr<client::WatchStream>> watch(client::Target target, client::WatchOptions) override {
    co_await loop::yield_turn(loop_);
    std::unique_ptr<client::WatchStream> stream = std::make_unique<Stream>(*this, target.resource == "pods");
    co_return std::move(stream);
  }
  loop::Task<Value> create(client::Target target, Value object, client::WriteOptions) override {
    co_await loop::yield_turn(loop_);
    if (target.subresource != "binding") co_return object;
    Value& pod = pods_[index_.at(target.name)];
    pod = pod.with_path({"spec", "nodeName"}, object["target"]["name"])
              .with_path({"metadata", "resourceVersion"}, Value(std::to_string(++revision_)));
    events_.push_back(client::WatchEvent{client::EventType::modified, pod});
    changed_.set();
    ++bound;
    co_return Value::empty_object();
  }
  loop::Task<Value> get(client::Target) override { co_return Value(); }
  loop::Task<Value> update(client::Target, Value object, client::WriteOptions) override { co_return object; }
  loop::Task<Value> patch(client::Target, client::PatchType, Value patch, client::WriteOptions) override {
    co_return patch;
  }
  loop::Task<Value> remove(client::Target, client::RemoveOptions) override { co_return Value(); }
  loop::Task<Value> remove_collection(client::Target, client::ListOptions, client::RemoveOptions) override {
    co_return Value();
  }

 private:
  class Stream final : public client::WatchStream {
   public:
    Stream(BenchApi& api, bool pods) : api_(api), pods_(pods), silent_(api.loop_) {}
    loop::Task<std::vector<client::WatchEvent>> next() override {
      if (!pods_) co_await silent_.wait();
      while (api_.events_.empty()) {
        api_.changed_.reset();
        co_await api_.changed_.wait();
      }
      std::vector<client::WatchEvent> events = std::exchange(api_.events_, {});
      co_return std::move(events);
    }

   private:
    BenchApi& api_;
    bool pods_;
    loop::Event silent_;
  };

  loop::Loop& loop_;
  std::vector<Value> nodes_, pods_;
  std::map<std::string, size_t> index_;
  std::vector<client::WatchEvent> events_;
  loop::Event changed_;
  int64_t revision_ = 1;
};

// Elapsed and processor time: on a busy machine only the latter says something about the code.
struct Watch {
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
  std::clock_t cpu_start = std::clock();
  void print(const char* what, size_t nodes, size_t pods) const {
    const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const double cpu = static_cast<double>(std::clock() - cpu_start) / CLOCKS_PER_SEC;
    const auto count = static_cast<double>(pods);
    std::printf("%-10s %6zu nodes %7zu pods: %8.3f s, %8.0f pods/s; processor time %8.3f s, %8.0f pods/s\n", what,
                nodes, pods, wall, count / wall, cpu, count / cpu);
  }
};

void decide(const std::vector<Value>& nodes, const std::vector<Value>& pods) {
  ClusterState cluster;
  for (const Value& node : nodes) cluster.put_node(node);
  Placer placer;
  Queue queue;
  SeededRandom random(1);
  const Watch watch;
  for (const Value& pod : pods) queue.put(parse_pod(pod), Mono{});
  size_t placed = 0;
  while (PodPtr pod = queue.take(Mono{})) {
    Decision decision = placer.place(cluster, *pod, random);
    if (auto* placement = std::get_if<Placement>(&decision)) {
      cluster.assume(pod, *placement->node);
      ++placed;
    }
    queue.done(pod->uid);
  }
  watch.print("decision", nodes.size(), placed);
}

void drive(const std::vector<Value>& nodes, const std::vector<Value>& pods) {
  loop::VirtualLoop loop;
  BenchApi api(loop, nodes, pods);
  SeededRandom random(1);
  const Watch watch;
  auto scheduler = scheduler::start(loop, api, random, Logger::discard());
  loop.run_until_idle();
  watch.print("driver", nodes.size(), api.bound);
}

void run(size_t node_count, size_t pod_count) {
  std::vector<Value> nodes, pods;
  for (size_t i = 0; i < node_count; ++i) nodes.push_back(make_node(i));
  for (size_t i = 0; i < pod_count; ++i) pods.push_back(make_pod(i));
  decide(nodes, pods);
  drive(nodes, pods);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3) {
    run(std::strtoul(argv[1], nullptr, 10), std::strtoul(argv[2], nullptr, 10));
    return 0;
  }
  run(1000, 30'000);
  run(5000, 30'000);
}
