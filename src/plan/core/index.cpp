#include "plan/core/index.h"

#include "plan/core/object.h"

namespace orch::plan {

namespace {

using Keys = std::vector<std::string>;

void controller_keys(const Value& object, Keys& keys) {
  const Value& controller = controller_of(object);
  if (controller.is_null()) {
    keys.push_back(orphan_key(namespace_of(object)));
  } else {
    keys.emplace_back(controller["uid"].as_string());
  }
}

void owner_keys(const Value& object, Keys& keys) {
  for (const Value& owner : metadata(object)["ownerReferences"].items())
    keys.emplace_back(owner["uid"].as_string());
}

void uid_keys(const Value& object, Keys& keys) { keys.emplace_back(uid_of(object)); }

void node_keys(const Value& pod, Keys& keys) { keys.emplace_back(pod["spec"]["nodeName"].as_string()); }

void service_keys(const Value& slice, Keys& keys) {
  keys.push_back(std::string(namespace_of(slice)) + "/" +
                 std::string(labels_of(slice)["kubernetes.io/service-name"].as_string()));
}

constexpr IndexFunction functions[] = {
    {index::controller, "", controller_keys}, {index::owner, "", owner_keys},
    {index::uid, "", uid_keys},               {index::node, "pods", node_keys},
    {index::service, "endpointslices", service_keys},
};

}  // namespace

std::span<const IndexFunction> index_functions() { return functions; }

}  // namespace orch::plan
