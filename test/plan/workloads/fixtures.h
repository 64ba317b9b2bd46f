#pragma once
// Objects that the tests of workloads start from, as the API would hand them out.

#include <string>

#include "data/value.h"

namespace orch::test {

inline Value labels(std::string_view app) { return Value::object({{"app", app}}); }

inline Value pod_template(std::string_view app, std::string_view image) {
  Value container = Value::object({{"name", "main"}, {"image", image}});
  return Value::object({{"metadata", Value::object({{"labels", labels(app)}})},
                        {"spec", Value::object({{"containers", Value::list({container})}})}});
}

inline Value replica_set(std::string_view name, int64_t replicas) {
  Value spec = Value::object({{"replicas", replicas},
                              {"selector", Value::object({{"matchLabels", labels(name)}})},
                              {"template", pod_template(name, "image:1")}});
  return Value::object({{"metadata", Value::object({{"name", name}, {"namespace", "default"}})}, {"spec", spec}});
}

struct Pace {
  Value max_surge = "25%";
  Value max_unavailable = "25%";
};

inline Value deployment(std::string_view name, int64_t replicas, const Pace& pace = {}) {
  Value rolling = Value::object({{"maxSurge", pace.max_surge}, {"maxUnavailable", pace.max_unavailable}});
  Value spec = Value::object({{"replicas", replicas},
                              {"selector", Value::object({{"matchLabels", labels(name)}})},
                              {"template", pod_template(name, "image:1")},
                              {"strategy", Value::object({{"type", "RollingUpdate"}, {"rollingUpdate", rolling}})},
                              {"revisionHistoryLimit", 10},
                              {"progressDeadlineSeconds", 600}});
  return Value::object({{"metadata", Value::object({{"name", name}, {"namespace", "default"}})}, {"spec", spec}});
}

inline Value with_image(const Value& deployment, std::string_view image) {
  return deployment.with_path({"spec", "template"},
                              pod_template(deployment["metadata"]["name"].as_string(), image));
}

}  // namespace orch::test
