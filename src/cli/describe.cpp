#include "cli/describe.h"

#include <algorithm>

#include "base/text.h"
#include "cli/describe_text.h"
#include "cli/table_printer.h"
#include "data/json.h"

namespace orch::cli {

// --- events

Instant event_time(const Value& event) {
  for (const Value* time : {&event["series"]["lastObservedTime"], &event["lastTimestamp"],
                            &event["eventTime"], &event["metadata"]["creationTimestamp"]}) {
    auto parsed = parse_time(time->as_string());
    if (parsed.ok()) return parsed.value();
  }
  return Instant{};
}

std::string event_age(const Value& event, Instant now) {
  std::string age = format_age(now - event_time(event));
  int64_t count = event["count"].as_int();
  if (event["series"].is_object()) count = event["series"]["count"].as_int();
  if (count <= 1) return age;
  auto first = parse_time(event["firstTimestamp"].as_string());
  if (!first.ok()) first = parse_time(event["eventTime"].as_string());
  if (!first.ok()) return age;
  return age + " (x" + std::to_string(count) + " over " + format_age(now - first.value()) + ")";
}

std::string describe_events(const std::vector<Value>& events, Instant now) {
  if (events.empty()) return "Events:\t<none>\n";
  std::vector<Value> sorted = events;
  std::ranges::stable_sort(sorted, {}, event_time);
  std::string text = "Events:\n  Type\tReason\tAge\tFrom\tMessage\n  ----\t------\t----\t----\t-------\n";
  for (const Value& event : sorted) {
    std::string_view from = event["reportingComponent"].as_string();
    if (from.empty()) from = event["source"]["component"].as_string();
    text += "  " + std::string(event["type"].as_string()) + "\t" +
            std::string(event["reason"].as_string()) + "\t" + event_age(event, now) + "\t" +
            std::string(from) + "\t" + std::string(trim(event["message"].as_string())) + "\n";
  }
  return text;
}

// --- Deployment

namespace {

std::string replica_sets_line(const std::vector<Value>& sets) {
  std::vector<std::string> shown;
  for (const Value& set : sets) {
    shown.push_back(std::string(set["metadata"]["name"].as_string()) + " (" +
                    std::to_string(set["status"]["replicas"].as_int()) + "/" +
                    std::to_string(set["spec"]["replicas"].as_int()) + " replicas created)");
  }
  return shown.empty() ? "<none>" : join(shown, ", ");
}

std::string describe_deployment(const Value& object, const Surroundings& around) {
  const Value& spec = object["spec"];
  const Value& status = object["status"];
  std::string text = describe_head(object);
  text += "CreationTimestamp:\t" + shown_time(object["metadata"]["creationTimestamp"]) + "\n";
  text += describe_labels("Labels", object["metadata"]["labels"]);
  text += describe_labels("Annotations", object["metadata"]["annotations"]);
  text += "Selector:\t" + format_labels(spec["selector"]["matchLabels"]) + "\n";
  auto count = [&](std::string_view name) { return std::to_string(status[name].as_int()); };
  text += "Replicas:\t" + std::to_string(spec["replicas"].as_int()) + " desired | " +
          count("updatedReplicas") + " updated | " + count("replicas") + " total | " +
          count("availableReplicas") + " available | " + count("unavailableReplicas") + " unavailable\n";
  text += "StrategyType:\t" + std::string(spec["strategy"]["type"].as_string()) + "\n";
  text += "MinReadySeconds:\t" + std::to_string(spec["minReadySeconds"].as_int()) + "\n";
  if (const Value& rolling = spec["strategy"]["rollingUpdate"]; rolling.is_object()) {
    text += "RollingUpdateStrategy:\t" + shown_scalar(rolling["maxUnavailable"]) + " max unavailable, " +
            shown_scalar(rolling["maxSurge"]) + " max surge\n";
  }
  text += describe_pod_template(spec["template"]);
  text += describe_conditions(status["conditions"], {"Type", "Status", "Reason"});
  if (!around.replica_sets.empty()) {
    std::vector<Value> old_sets, new_sets;
    std::string_view revision =
        object["metadata"]["annotations"]["deployment.kubernetes.io/revision"].as_string();
    for (const Value& set : around.replica_sets) {
      const bool is_new =
          set["metadata"]["annotations"]["deployment.kubernetes.io/revision"].as_string() == revision;
      if (is_new) {
        new_sets.push_back(set);
      } else {
        old_sets.push_back(set);
      }
    }
    text += "OldReplicaSets:\t" + replica_sets_line(old_sets) + "\n";
    text += "NewReplicaSet:\t" + replica_sets_line(new_sets) + "\n";
  }
  return text + describe_events(around.events, around.now);
}

// --- Service

std::string endpoints_of(const std::vector<Value>& slices, const Value& port) {
  std::vector<std::string> all;
  for (const Value& slice : slices) {
    for (const Value& served : slice["ports"].items()) {
      if (served["name"].as_string() != port["name"].as_string()) continue;
      for (const Value& endpoint : slice["endpoints"].items()) {
        if (!endpoint["conditions"]["ready"].as_bool(true)) continue;
        for (const Value& address : endpoint["addresses"].items()) {
          all.push_back(std::string(address.as_string()) + ":" + shown_scalar(served["port"]));
        }
      }
    }
  }
  if (all.size() > 3) {
    size_t more = all.size() - 3;
    all.resize(3);
    return join(all, ",") + " + " + std::to_string(more) + " more...";
  }
  return join(all, ",");
}

std::string describe_service(const Value& object, const Surroundings& around) {
  const Value& spec = object["spec"];
  std::string text = describe_head(object);
  text += describe_labels("Labels", object["metadata"]["labels"]);
  text += describe_labels("Annotations", object["metadata"]["annotations"]);
  text += "Selector:\t" + format_labels(spec["selector"]) + "\n";
  text += "Type:\t" + shown_scalar(spec["type"]) + "\n";
  text += "IP Family Policy:\t" + shown_scalar(spec["ipFamilyPolicy"]) + "\n";
  text += "IP Families:\t" + shown_list(spec["ipFamilies"]) + "\n";
  text += "IP:\t" + shown_scalar(spec["clusterIP"]) + "\n";
  text += "IPs:\t" + shown_list(spec["clusterIPs"]) + "\n";
  if (spec.has("externalName")) text += "External Name:\t" + shown_scalar(spec["externalName"]) + "\n";
  for (const Value& port : spec["ports"].items()) {
    std::string name = port["name"].as_string().empty() ? "<unset>" : std::string(port["name"].as_string());
    text += "Port:\t" + name + "\t" + shown_scalar(port["port"]) + "/" + shown_scalar(port["protocol"]) + "\n";
    text += "TargetPort:\t" + shown_scalar(port["targetPort"]) + "/" + shown_scalar(port["protocol"]) + "\n";
    if (port["nodePort"].as_int() > 0) {
      text += "NodePort:\t" + name + "\t" + shown_scalar(port["nodePort"]) + "/" +
              shown_scalar(port["protocol"]) + "\n";
    }
    text += "Endpoints:\t" + endpoints_of(around.slices, port) + "\n";
  }
  text += "Session Affinity:\t" + shown_scalar(spec["sessionAffinity"]) + "\n";
  if (spec.has("externalTrafficPolicy")) {
    text += "External Traffic Policy:\t" + shown_scalar(spec["externalTrafficPolicy"]) + "\n";
  }
  text += "Internal Traffic Policy:\t" + shown_scalar(spec["internalTrafficPolicy"]) + "\n";
  return text + describe_events(around.events, around.now);
}

// --- everything else, field by field

std::string describe_any(const Value& object, const Surroundings& around) {
  std::string text = describe_head(object);
  text += describe_labels("Labels", object["metadata"]["labels"]);
  text += describe_labels("Annotations", object["metadata"]["annotations"]);
  text += "API Version:\t" + shown_scalar(object["apiVersion"]) + "\n";
  text += "Kind:\t" + shown_scalar(object["kind"]) + "\n";
  Value rest = object.without("apiVersion").without("kind");
  Value metadata = object["metadata"];
  for (std::string_view name : {"name", "namespace", "labels", "annotations", "managedFields"}) {
    metadata = metadata.without(name);
  }
  text += describe_tree(rest.with("metadata", metadata), 0);
  return text + describe_events(around.events, around.now);
}

}  // namespace

std::string describe(const Value& object, const Surroundings& around) {
  using Describe = std::string (*)(const Value&, const Surroundings&);
  struct Entry {
    std::string_view api_version, kind;
    Describe describe;
  };
  static constexpr Entry kOwn[] = {{"v1", "Pod", describe_pod},
                                   {"v1", "Service", describe_service},
                                   {"v1", "Node", describe_node},
                                   {"apps/v1", "Deployment", describe_deployment}};
  Describe chosen = describe_any;
  for (const Entry& entry : kOwn) {
    if (entry.kind == object["kind"].as_string() && entry.api_version == object["apiVersion"].as_string()) {
      chosen = entry.describe;
    }
  }
  return lay_out(chosen(object, around));
}

}  // namespace orch::cli
