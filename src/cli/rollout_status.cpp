#include "cli/rollout_status.h"

#include "base/text.h"
#include "cli/console.h"

namespace orch::cli {

namespace {

bool observed(const Value& object) {
  return object["metadata"]["generation"].as_int() <= object["status"]["observedGeneration"].as_int();
}

std::string name_of(const Value& object) {
  return quote(object["metadata"]["name"].as_string());
}

std::string text(int64_t number) { return std::to_string(number); }

Result<RolloutStatus> deployment_status(const Value& object) {
  const Value& status = object["status"];
  if (!observed(object)) return RolloutStatus{"Waiting for deployment spec update to be observed...", false};
  for (const Value& condition : status["conditions"].items()) {
    if (condition["type"].as_string() == "Progressing" &&
        condition["reason"].as_string() == "ProgressDeadlineExceeded") {
      return failure("deployment " + name_of(object) + " exceeded its progress deadline");
    }
  }
  const int64_t wanted = object["spec"]["replicas"].as_int(1);
  const int64_t updated = status["updatedReplicas"].as_int();
  const int64_t all = status["replicas"].as_int();
  const int64_t available = status["availableReplicas"].as_int();
  const std::string start = "Waiting for deployment " + name_of(object) + " rollout to finish: ";
  if (updated < wanted) {
    return RolloutStatus{start + text(updated) + " out of " + text(wanted) +
                             " new replicas have been updated...", false};
  }
  if (all > updated) {
    return RolloutStatus{start + text(all - updated) + " old replicas are pending termination...", false};
  }
  if (available < updated) {
    return RolloutStatus{start + text(available) + " of " + text(updated) +
                             " updated replicas are available...", false};
  }
  return RolloutStatus{"deployment " + name_of(object) + " successfully rolled out", true};
}

Result<RolloutStatus> daemon_set_status(const Value& object) {
  if (object["spec"]["updateStrategy"]["type"].as_string() != "RollingUpdate") {
    return failure("rollout status is only available for RollingUpdate strategy type");
  }
  if (!observed(object)) return RolloutStatus{"Waiting for daemon set spec update to be observed...", false};
  const Value& status = object["status"];
  const int64_t wanted = status["desiredNumberScheduled"].as_int();
  const int64_t updated = status["updatedNumberScheduled"].as_int();
  const int64_t available = status["numberAvailable"].as_int();
  const std::string start = "Waiting for daemon set " + name_of(object) + " rollout to finish: ";
  if (updated < wanted) {
    return RolloutStatus{start + text(updated) + " out of " + text(wanted) +
                             " new pods have been updated...", false};
  }
  if (available < wanted) {
    return RolloutStatus{start + text(available) + " of " + text(wanted) +
                             " updated pods are available...", false};
  }
  return RolloutStatus{"daemon set " + name_of(object) + " successfully rolled out", true};
}

Result<RolloutStatus> stateful_set_status(const Value& object) {
  const Value& spec = object["spec"];
  const Value& status = object["status"];
  if (spec["updateStrategy"]["type"].as_string() != "RollingUpdate") {
    return failure("rollout status is only available for RollingUpdate strategy type");
  }
  if (status["observedGeneration"].as_int() == 0 || !observed(object)) {
    return RolloutStatus{"Waiting for statefulset spec update to be observed...", false};
  }
  const int64_t wanted = spec["replicas"].as_int(1);
  const int64_t ready = status["readyReplicas"].as_int();
  if (ready < wanted) {
    return RolloutStatus{"Waiting for " + text(wanted - ready) + " pods to be ready...", false};
  }
  const int64_t partition = spec["updateStrategy"]["rollingUpdate"]["partition"].as_int();
  const int64_t updated = status["updatedReplicas"].as_int();
  if (partition > 0) {
    if (updated < wanted - partition) {
      return RolloutStatus{"Waiting for partitioned roll out to finish: " + text(updated) + " out of " +
                               text(wanted - partition) + " new pods have been updated...", false};
    }
    return RolloutStatus{"partitioned roll out complete: " + text(updated) +
                             " new pods have been updated...", true};
  }
  if (status["updateRevision"] != status["currentRevision"]) {
    return RolloutStatus{"waiting for statefulset rolling update to complete " + text(updated) +
                             " pods at revision " + std::string(status["updateRevision"].as_string()) +
                             "...", false};
  }
  return RolloutStatus{"statefulset rolling update complete " +
                           text(status["currentReplicas"].as_int()) + " pods at revision " +
                           std::string(status["currentRevision"].as_string()) + "...", true};
}

}  // namespace

Result<RolloutStatus> rollout_status(const Value& object) {
  std::string_view kind = object["kind"].as_string();
  if (kind == "Deployment") return deployment_status(object);
  if (kind == "DaemonSet") return daemon_set_status(object);
  if (kind == "StatefulSet") return stateful_set_status(object);
  return failure("no status viewer has been implemented for " + std::string(kind));
}

}  // namespace orch::cli
