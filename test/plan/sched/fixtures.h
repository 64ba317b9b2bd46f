#pragma once
// Nodes and pods for tests, written as YAML as a user would.

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "data/yaml.h"
#include "plan/sched/pod_info.h"

namespace orch::test {

inline Value yaml(const std::string& text) {
  auto parsed = parse_yaml_document(text);
  REQUIRE(parsed.ok());
  return parsed.value();
}

inline Value make_node(const std::string& name, const std::string& cpu = "4", const std::string& memory = "8Gi",
                       const std::string& pods = "110") {
  return Value::object({{"apiVersion", "v1"},
                        {"kind", "Node"},
                        {"metadata", Value::object({{"name", name},
                                                    {"uid", "uid-" + name},
                                                    {"labels", Value::object({{"kubernetes.io/hostname", name}})}})},
                        {"spec", Value::empty_object()},
                        {"status", Value::object({{"allocatable", Value::object({{"cpu", cpu},
                                                                                 {"memory", memory},
                                                                                 {"pods", pods}})}})}});
}

// `spec` replaces nothing of the container unless it names containers itself.
inline Value make_pod(const std::string& name, const std::string& cpu = "", const std::string& memory = "",
                      const Value& spec = Value::empty_object()) {
  ObjectBuilder requests;
  if (!cpu.empty()) requests.set("cpu", cpu);
  if (!memory.empty()) requests.set("memory", memory);
  Value container = Value::object(
      {{"name", "main"}, {"resources", Value::object({{"requests", std::move(requests).build()}})}});
  ObjectBuilder full(Value::object({{"containers", Value::list({container})}, {"schedulerName", "default-scheduler"}}));
  for (const Member& member : spec.members()) full.set(member.key, member.value);
  return Value::object(
      {{"apiVersion", "v1"},
       {"kind", "Pod"},
       {"metadata", Value::object({{"name", name}, {"namespace", "default"}, {"uid", "uid-" + name}})},
       {"spec", std::move(full).build()},
       {"status", Value::object({{"phase", "Pending"}})}});
}

inline Value on_node(const Value& pod, const std::string& node) {
  return pod.with_path({"spec", "nodeName"}, Value(node));
}

}  // namespace orch::test
