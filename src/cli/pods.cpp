#include "cli/pods.h"

#include <algorithm>

#include "base/text.h"
#include "cli/waiting.h"
#include "client/http_port.h"
#include "data/selector.h"

namespace orch::cli {

using loop::fail;
using loop::Task;

namespace {

constexpr std::string_view kDefaultContainer = "kubectl.kubernetes.io/default-container";

std::vector<std::string> names_of(const Value& containers) {
  std::vector<std::string> names;
  for (const Value& container : containers.items()) names.emplace_back(container["name"].as_string());
  return names;
}

struct Rank {
  bool unassigned;
  int phase;
  bool not_ready;
  int64_t restarts;
  std::string_view created;
  auto operator<=>(const Rank&) const = default;
};

Rank rank_of(const Value& pod) {
  const Value& status = pod["status"];
  std::string_view phase = status["phase"].as_string();
  bool ready = false;
  for (const Value& condition : status["conditions"].items()) {
    if (condition["type"] == Value("Ready")) ready = condition["status"] == Value("True");
  }
  int64_t restarts = 0;
  for (const Value& container : status["containerStatuses"].items()) {
    restarts = std::max(restarts, container["restartCount"].as_int());
  }
  int order = phase == "Running" ? 0 : phase == "Unknown" ? 1 : phase == "Pending" ? 2 : 3;
  return {pod["spec"]["nodeName"].as_string().empty(), order, !ready, restarts, pod["metadata"]["creationTimestamp"].as_string()};
}

}  // namespace

bool preferred_pod(const Value& a, const Value& b) { return rank_of(a) < rank_of(b); }

const Value& container_of(const Value& pod, std::string_view name) {
  for (const char* list : {"containers", "initContainers", "ephemeralContainers"}) {
    for (const Value& container : pod["spec"][list].items()) {
      if (container["name"].as_string() == name) return container;
    }
  }
  return Value::null();
}

std::vector<std::string> all_containers(const Value& pod) {
  std::vector<std::string> all;
  for (const char* list : {"initContainers", "containers", "ephemeralContainers"}) {
    for (std::string& name : names_of(pod["spec"][list])) all.push_back(std::move(name));
  }
  return all;
}

Result<std::string> choose_container(Console& console, const Value& pod, std::string asked, bool quiet) {
  const std::string pod_name(pod["metadata"]["name"].as_string());
  if (!asked.empty()) {
    if (!container_of(pod, asked).is_null()) return asked;
    return failure("container " + asked + " not found in pod " + pod_name);
  }
  auto names = names_of(pod["spec"]["containers"]);
  if (names.empty()) return failure("pod " + pod_name + " does not have any containers");
  std::string annotated(pod["metadata"]["annotations"][kDefaultContainer].as_string());
  if (!annotated.empty()) {
    if (!container_of(pod, annotated).is_null()) return annotated;
    console.error("Default container name " + quote(annotated) + " not found in pod " + pod_name + "\n");
  }
  auto all = names;
  for (const auto& name : names_of(pod["spec"]["initContainers"])) all.push_back(name + " (init)");
  for (const auto& name : names_of(pod["spec"]["ephemeralContainers"])) all.push_back(name + " (ephem)");
  if (all.size() > 1 && !quiet) {
    console.error("Defaulted container " + quote(names[0]) + " out of: " + join(all, ", ") + "\n");
  }
  return names[0];
}

Result<std::string> pod_selector(const Value& object) {
  const Value& selector = object["spec"]["selector"];
  std::string name(object["metadata"]["name"].as_string());
  std::string kind(object["kind"].as_string());
  if (kind == "Service" || kind == "ReplicationController") {
    if (selector.empty()) return failure("invalid service '" + name + "': Service is defined without a selector");
    TRY(LabelSelector parsed, LabelSelector::from_object(Value::object({{"matchLabels", selector}})));
    return parsed.format();
  }
  if (!selector.is_object()) return failure("cannot attach to *v1." + kind + ": it has no pods");
  TRY(LabelSelector parsed, LabelSelector::from_object(selector));
  return parsed.format();
}

Task<std::vector<Value>> pods_of(Invocation& in, const Value& object) {
  std::string labels = co_await pod_selector(object);
  const Resource* pods = co_await in.session.find_resource("pods");
  std::string ns(object["metadata"]["namespace"].as_string());
  auto all = co_await list_objects(in, *pods, ns, labels, "");
  std::ranges::sort(all, preferred_pod);
  co_return std::move(all);
}

Task<ChosenPod> choose_pod(Invocation& in, std::string word) {
  std::vector<std::string> words;
  if (word.find('/') == std::string::npos) words.push_back("pods");
  words.push_back(word);
  auto selected = co_await select_objects(in, words);
  if (selected.size() != 1) co_await fail(failure("expected one object, got " + std::to_string(selected.size())));
  ChosenPod chosen;
  chosen.object = co_await read_object(in, selected[0]);
  if (chosen.object["kind"] == Value("Pod")) {
    chosen.pod = chosen.object;
    co_return std::move(chosen);
  }
  auto pods = co_await pods_of(in, chosen.object);
  if (pods.empty()) co_await fail(failure("timed out waiting for the condition: " + word + " has no pods"));
  chosen.all = pods.size();
  chosen.pod = pods[0];
  co_return std::move(chosen);
}

Task<Value> wait_for_running(Invocation& in, Value pod, Duration limit) {
  if (pod["status"]["phase"] == Value("Running")) co_return std::move(pod);
  const Resource* pods = co_await in.session.find_resource("pods");
  std::string ns(pod["metadata"]["namespace"].as_string());
  std::string name(pod["metadata"]["name"].as_string());
  Value latest = pod;
  Value* latest_seen = &latest;
  Condition runs = [latest_seen](const Value& object) -> Result<bool> {
    if (object.is_null()) return failure("the pod has been deleted");
    *latest_seen = object;
    std::string_view phase = object["status"]["phase"].as_string();
    if (phase == "Failed" || phase == "Succeeded") return failure("pod ran to completion");
    return phase == "Running";
  };
  auto waited = co_await wait_until(in, *pods, ns, name, runs, limit).result();
  if (!waited.ok() && waited.error().is(Code::timeout)) {
    co_await fail(failure("timed out waiting for the condition"));
  }
  co_await std::move(waited);
  co_return std::move(latest);
}

std::string pod_path(const Value& pod, std::string_view subresource) {
  client::Target target{"", "v1", "pods", std::string(pod["metadata"]["namespace"].as_string()),
                        std::string(pod["metadata"]["name"].as_string()), std::string(subresource)};
  return client::target_path(target);
}

}  // namespace orch::cli
