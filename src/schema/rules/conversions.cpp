// Kinds that are kept as another kind: events.k8s.io/v1 Events as v1 Events, autoscaling/v1
// HorizontalPodAutoscalers as autoscaling/v2 ones. What the old form cannot say travels in
// annotations, in the JSON that Kubernetes writes there.

#include <algorithm>
#include <optional>
#include <span>

#include "base/text.h"
#include "data/json.h"
#include "schema/rules/rules.h"

namespace orch::schema::rules {

namespace {

Value as_kind(const Value& object, std::string_view api_version) {
  return object.with("apiVersion", api_version);
}

// --- events

struct Renamed {
  std::string_view ours, stored;
};
constexpr Renamed kEventFields[] = {
    {"regarding", "involvedObject"},
    {"note", "message"},
    {"reportingController", "reportingComponent"},
    {"deprecatedSource", "source"},
    {"deprecatedFirstTimestamp", "firstTimestamp"},
    {"deprecatedLastTimestamp", "lastTimestamp"},
    {"deprecatedCount", "count"},
};

Value event_to_stored(const Value& event) {
  ObjectBuilder out(event);
  for (const Renamed& field : kEventFields) {
    out.remove(field.ours);
    if (const Value* value = event.find(field.ours)) out.set(field.stored, *value);
  }
  // Always written there.
  for (std::string_view name : {"reportingController", "reportingInstance"}) {
    std::string_view stored = name == "reportingController" ? "reportingComponent" : name;
    if (!event.has(name)) out.set(stored, "");
  }
  return as_kind(std::move(out).build(), "v1");
}

Value event_from_stored(const Value& event) {
  ObjectBuilder out(event);
  for (const Renamed& field : kEventFields) {
    out.remove(field.stored);
    if (const Value* value = event.find(field.stored)) {
      if (*value != Value("")) out.set(field.ours, *value);
    }
  }
  if (event["reportingInstance"] == Value("")) out.remove("reportingInstance");
  return as_kind(std::move(out).build(), "events.k8s.io/v1");
}

// --- autoscalers: metrics

// A field of a metric in v1 (flat) and where it is in v2.
struct MetricField {
  std::string_view v1;
  std::string_view outer, inner;  // v2: outer.inner, or inner alone where outer is ""
};
struct MetricSource {
  std::string_view type, member;
  std::span<const MetricField> spec, status;
};

constexpr MetricField kResourceSpec[] = {
    {"name", "", "name"},
    {"container", "", "container"},
    {"targetAverageUtilization", "target", "averageUtilization"},
    {"targetAverageValue", "target", "averageValue"}};
constexpr MetricField kResourceStatus[] = {
    {"name", "", "name"},
    {"container", "", "container"},
    {"currentAverageUtilization", "current", "averageUtilization"},
    {"currentAverageValue", "current", "averageValue"}};
constexpr MetricField kPodsSpec[] = {{"metricName", "metric", "name"},
                                     {"selector", "metric", "selector"},
                                     {"targetAverageValue", "target", "averageValue"}};
constexpr MetricField kPodsStatus[] = {{"metricName", "metric", "name"},
                                       {"selector", "metric", "selector"},
                                       {"currentAverageValue", "current", "averageValue"}};
constexpr MetricField kObjectSpec[] = {{"target", "", "describedObject"},
                                       {"metricName", "metric", "name"},
                                       {"selector", "metric", "selector"},
                                       {"targetValue", "target", "value"},
                                       {"averageValue", "target", "averageValue"}};
constexpr MetricField kObjectStatus[] = {{"target", "", "describedObject"},
                                         {"metricName", "metric", "name"},
                                         {"selector", "metric", "selector"},
                                         {"currentValue", "current", "value"},
                                         {"averageValue", "current", "averageValue"}};
constexpr MetricField kExternalSpec[] = {{"metricName", "metric", "name"},
                                         {"metricSelector", "metric", "selector"},
                                         {"targetValue", "target", "value"},
                                         {"targetAverageValue", "target", "averageValue"}};
constexpr MetricField kExternalStatus[] = {{"metricName", "metric", "name"},
                                           {"metricSelector", "metric", "selector"},
                                           {"currentValue", "current", "value"},
                                           {"currentAverageValue", "current", "averageValue"}};
constexpr MetricSource kSources[] = {
    {"Resource", "resource", kResourceSpec, kResourceStatus},
    {"ContainerResource", "containerResource", kResourceSpec, kResourceStatus},
    {"Pods", "pods", kPodsSpec, kPodsStatus},
    {"Object", "object", kObjectSpec, kObjectStatus},
    {"External", "external", kExternalSpec, kExternalStatus},
};

const MetricSource* source_of(const Value& metric) {
  auto row = std::ranges::find(kSources, metric["type"].as_string(), &MetricSource::type);
  return row != std::end(kSources) ? row : nullptr;
}

std::string_view target_type(const Value& target) {
  if (target.has("averageUtilization")) return "Utilization";
  return target.has("averageValue") ? "AverageValue" : "Value";
}

Value metric_to_v2(const Value& metric, bool status) {
  const MetricSource* source = source_of(metric);
  if (!source) return metric;
  const Value& flat = metric[source->member];
  Value out = Value::empty_object();
  // v1 writes the value of an Object metric even where the average counts.
  bool averages = flat.has("averageValue");
  for (const MetricField& field : status ? source->status : source->spec) {
    const Value* value = flat.find(field.v1);
    if (!value || value->is_null()) continue;
    if (averages && field.v1 == "targetValue") continue;
    out = field.outer.empty() ? out.with(field.inner, *value)
                              : out.with_path({field.outer, field.inner}, *value);
  }
  if (!status) out = out.with_path({"target", "type"}, Value(target_type(out["target"])));
  return Value::object({{"type", source->type}, {source->member, out}});
}

Value metric_to_v1(const Value& metric, bool status) {
  const MetricSource* source = source_of(metric);
  if (!source) return metric;
  const Value& deep = metric[source->member];
  ObjectBuilder out;
  for (const MetricField& field : status ? source->status : source->spec) {
    const Value& from = field.outer.empty() ? deep : deep[field.outer];
    if (from[field.inner]) out.set(field.v1, from[field.inner]);
  }
  Value flat = std::move(out).build();
  std::string_view always = status ? "currentValue" : "targetValue";
  bool has_always = source->type == "Object" || (status && source->type == "External");
  if (has_always && !flat.has(always)) flat = flat.with(always, "0");
  return Value::object({{"type", source->type}, {source->member, flat}});
}

// The metric that v1 has a field for; `part` is target or current.
bool is_cpu_load(const Value& metric, std::string_view part) {
  return metric["type"].as_string() == "Resource" &&
         metric.path({"resource", "name"}).as_string() == "cpu" &&
         metric.path({"resource", part, "averageUtilization"}).is_int();
}

Value cpu_load(std::string_view part, int64_t percent) {
  Value load = Value::object({{"averageUtilization", percent}});
  if (part == "target") load = load.with("type", "Utilization");
  return Value::object(
      {{"type", "Resource"}, {"resource", Value::object({{"name", "cpu"}, {part, load}})}});
}

// Go's names of the fields (StabilizationWindowSeconds), or back.
Value rename_first(const Value& value, bool upper) {
  if (value.is_list()) {
    std::vector<Value> items;
    for (const Value& item : value.items()) items.push_back(rename_first(item, upper));
    return Value::list(std::move(items));
  }
  if (!value.is_object()) return value;
  ObjectBuilder out;
  for (const Member& member : value.members()) {
    std::string name(member.name());
    if (member.value.is_null() || name.empty()) continue;
    name[0] = (upper ? to_upper(name.substr(0, 1)) : to_lower(name.substr(0, 1)))[0];
    out.set(name, rename_first(member.value, upper));
  }
  return std::move(out).build();
}

// --- autoscalers: annotations

constexpr std::string_view kMetrics = "autoscaling.alpha.kubernetes.io/metrics";
constexpr std::string_view kCurrentMetrics = "autoscaling.alpha.kubernetes.io/current-metrics";
constexpr std::string_view kConditions = "autoscaling.alpha.kubernetes.io/conditions";
constexpr std::string_view kBehavior = "autoscaling.alpha.kubernetes.io/behavior";
constexpr std::string_view kAll[] = {kMetrics, kCurrentMetrics, kConditions, kBehavior};

// null where there is none, or none that can be read.
Value annotated(const Value& object, std::string_view key) {
  auto parsed = parse_json(object.path({"metadata", "annotations", key}).as_string());
  return parsed.ok() ? std::move(parsed).value() : Value();
}

Value with_annotations(const Value& object, ObjectBuilder annotations) {
  if (annotations.empty()) return object.with_path({"metadata", "annotations"}, std::nullopt);
  return object.with_path({"metadata", "annotations"}, std::move(annotations).build());
}

ObjectBuilder without_ours(const Value& object) {
  ObjectBuilder out(object.path({"metadata", "annotations"}));
  for (std::string_view key : kAll) out.remove(key);
  return out;
}

// The metrics of v2: those of the annotation, then the one of v1's own field; of the status the
// annotation has them all.
std::vector<Value> metrics_of(const Value& object, bool status, const Value& percent) {
  std::vector<Value> out;
  Value others = annotated(object, status ? kCurrentMetrics : kMetrics);
  for (const Value& metric : others.items()) out.push_back(metric_to_v2(metric, status));
  if (status && !out.empty()) return out;
  if (percent.is_int()) out.push_back(cpu_load(status ? "current" : "target", percent.as_int()));
  return out;
}

Value scaler_to_stored(const Value& scaler) {
  constexpr std::string_view kTarget = "targetCPUUtilizationPercentage";
  constexpr std::string_view kCurrent = "currentCPUUtilizationPercentage";
  ObjectBuilder spec(scaler["spec"]);
  std::vector<Value> metrics = metrics_of(scaler, false, scaler.path({"spec", kTarget}));
  if (metrics.empty()) metrics.push_back(cpu_load("target", 80));
  spec.remove(kTarget).set("metrics", Value::list(std::move(metrics)));
  spec.set_if("behavior", rename_first(annotated(scaler, kBehavior), false));
  ObjectBuilder status(scaler["status"]);
  status.remove(kCurrent);
  std::vector<Value> current = metrics_of(scaler, true, scaler.path({"status", kCurrent}));
  if (scaler.has("status")) {
    status.set("currentMetrics", current.empty() ? Value() : Value::list(std::move(current)));
    status.set_if("conditions", annotated(scaler, kConditions));
  }
  Value out = as_kind(scaler, "autoscaling/v2").with("spec", std::move(spec).build());
  if (scaler.has("status")) out = out.with("status", std::move(status).build());
  return scaler.path({"metadata", "annotations"}) ? with_annotations(out, without_ours(scaler))
                                                  : out;
}

// The load v1 has a field for, and what travels in the annotation: the other metrics, and of the
// status all.
struct SplitMetrics {
  Value percent;
  std::vector<Value> others;
};
SplitMetrics split_metrics(const Value& metrics, bool status) {
  SplitMetrics out;
  std::string_view part = status ? "current" : "target";
  for (const Value& metric : metrics.items()) {
    bool cpu = is_cpu_load(metric, part);
    if (status || !cpu) out.others.push_back(metric_to_v1(metric, status));
    // The first target, the last load.
    if (cpu && (status || !out.percent)) {
      out.percent = metric.path({"resource", part, "averageUtilization"});
    }
  }
  return out;
}

Value scaler_from_stored(const Value& scaler) {
  ObjectBuilder annotations = without_ours(scaler);
  auto annotate = [&](std::string_view key, const Value& value) {
    if (!value.is_null() && !value.empty()) annotations.set(key, format_json(value));
  };
  ObjectBuilder spec(scaler["spec"]);
  SplitMetrics metrics = split_metrics(scaler.path({"spec", "metrics"}), false);
  spec.remove("metrics").remove("behavior");
  spec.set_if("targetCPUUtilizationPercentage", metrics.percent);
  annotate(kMetrics, Value::list(std::move(metrics.others)));
  annotate(kBehavior, rename_first(scaler.path({"spec", "behavior"}), true));
  Value out = as_kind(scaler, "autoscaling/v1").with("spec", std::move(spec).build());
  if (scaler.has("status")) {
    ObjectBuilder status(scaler["status"]);
    SplitMetrics current = split_metrics(scaler.path({"status", "currentMetrics"}), true);
    status.remove("currentMetrics").remove("conditions");
    status.set_if("currentCPUUtilizationPercentage", current.percent);
    annotate(kCurrentMetrics, Value::list(std::move(current.others)));
    annotate(kConditions, scaler.path({"status", "conditions"}));
    if (!scaler["status"].has("currentReplicas")) status.set("currentReplicas", 0);
    out = out.with("status", std::move(status).build());
  }
  bool none = annotations.empty() && !scaler.path({"metadata", "annotations"});
  return none ? out : with_annotations(out, std::move(annotations));
}

constexpr Hooks::Named<ConvertHook> kConversions[] = {
    {"events_v1", {event_to_stored, event_from_stored}},
    {"hpa_v1", {scaler_to_stored, scaler_from_stored}},
};

}  // namespace

void add_conversions(Hooks& hooks) { hooks.add(Hooks::Table<ConvertHook>(kConversions)); }

}  // namespace orch::schema::rules
