#pragma once
// Services and pods for the tests of endpoints.

#include "data/value.h"
#include "support/plan_world.h"

namespace orch::test {

inline Value service_port(std::string_view name, int64_t port, Value target) {
  return Value::object({{"name", name}, {"port", port}, {"targetPort", std::move(target)}, {"protocol", "TCP"}});
}

inline Value service(std::string_view name, std::vector<Value> ports) {
  Value spec = Value::object({{"selector", Value::object({{"app", name}})},
                              {"clusterIP", "10.43.0.7"},
                              {"ipFamilies", Value::list({"IPv4"})},
                              {"ports", Value::list(std::move(ports))}});
  return Value::object({{"metadata", Value::object({{"name", name}, {"namespace", "default"}})}, {"spec", spec}});
}

struct Services : PlanWorld {
  using PlanWorld::PlanWorld;

  Value pod(std::string_view name, std::string_view app, std::string_view ip, bool ready = true) {
    Value port = Value::object({{"name", "web"}, {"containerPort", 8080}, {"protocol", "TCP"}});
    Value container = Value::object({{"name", "c"}, {"ports", Value::list({port})}});
    Value meta = Value::object(
        {{"name", name}, {"namespace", "default"}, {"labels", Value::object({{"app", app}})}});
    Value made = add(plan::types::pods,
                     Value::object({{"metadata", meta},
                                    {"spec", Value::object({{"nodeName", "n1"}, {"containers", Value::list({container})}})}}));
    return change(plan::types::pods, made, [&](const Value& v) {
      Value condition = Value::object({{"type", "Ready"}, {"status", ready ? "True" : "False"}});
      return v.with("status", Value::object({{"phase", "Running"},
                                             {"podIP", ip},
                                             {"podIPs", Value::list({Value::object({{"ip", ip}})})},
                                             {"conditions", Value::list({condition})}}));
    });
  }
};

}  // namespace orch::test
