#include "plan/workloads/pod_template.h"

#include "plan/core/object.h"

namespace orch::plan {

Value pod_from_template(const Value& pod_template, const Type& owner_type, const Value& owner) {
  const Value& given = pod_template["metadata"];
  ObjectBuilder meta;
  meta.set("generateName", std::string(name_of(owner)) + "-");
  meta.set("namespace", Value(namespace_of(owner)));
  meta.set_if("labels", given["labels"]);
  meta.set_if("annotations", given["annotations"]);
  meta.set_if("finalizers", given["finalizers"]);
  meta.set("ownerReferences", Value::list({controller_reference(owner_type, owner)}));
  return Value::object({{"apiVersion", "v1"},
                        {"kind", "Pod"},
                        {"metadata", std::move(meta).build()},
                        {"spec", pod_template["spec"]}});
}

}  // namespace orch::plan
