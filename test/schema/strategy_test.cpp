#include <catch2/catch_test_macros.hpp>

#include "data/json.h"
#include "schema/engine.h"
#include "schema/hooks.h"

using namespace orch;
using namespace orch::schema;

namespace {

const Registry& registry() {
  static const auto built = Registry::builtin().value();
  return *built;
}
const Hooks& hooks() {
  static const Hooks all = Hooks::builtin();
  return all;
}
Value json(std::string_view text) { return parse_json(text).value(); }
const Kind& deployment() { return *registry().find_kind("apps", "v1", "Deployment"); }
const Kind& pod() { return *registry().find_kind("", "v1", "Pod"); }

bool selects(std::string_view selector, std::string_view object) {
  auto result = matches_fields(pod(), json(object), selector);
  if (!result.ok()) FAIL(result.error().message());
  return *result;
}

const std::string kStored =
    R"({"metadata":{"name":"a","uid":"u1","generation":3,"creationTimestamp":"2026-01-01T00:00:00Z",
        "resourceVersion":"5","labels":{"l":"1"}},
        "spec":{"replicas":1},"status":{"replicas":1}})";

}  // namespace

TEST_CASE("a created object has generation 1, no status of the client's, no deletion time") {
  Value made = prepare_create(deployment(), json(R"({"metadata":{"name":"a","generation":7,
      "deletionTimestamp":"2026-01-01T00:00:00Z"},"spec":{"replicas":1},"status":{"replicas":9}})"),
                              hooks(), {});
  CHECK(format_json(made) ==
        R"({"metadata":{"generation":1,"name":"a"},"spec":{"replicas":1},"status":{}})");
}

TEST_CASE("an update of the object keeps the status and counts the change") {
  Value after = prepare_update(deployment(), json(kStored),
                               json(R"({"metadata":{"name":"a","resourceVersion":"5","generation":99},
                                        "spec":{"replicas":2},"status":{"replicas":7}})"),
                               hooks(), {});
  CHECK(after["metadata"]["generation"] == 4);
  CHECK(after["metadata"]["uid"] == "u1");
  CHECK(after["metadata"]["creationTimestamp"] == "2026-01-01T00:00:00Z");
  CHECK(after["status"]["replicas"] == 1);
  CHECK(after["spec"]["replicas"] == 2);
}

TEST_CASE("a change of labels alone does not raise the generation") {
  Value stored = json(kStored);
  Value after = prepare_update(deployment(), stored, stored.with_path({"metadata", "labels", "l"}, "2"),
                               hooks(), {});
  CHECK(after["metadata"]["generation"] == 3);
  CHECK(after["metadata"]["labels"]["l"] == "2");
}

TEST_CASE("a write of the status changes the status and little of the metadata") {
  Value after = prepare_update(deployment(), json(kStored),
                               json(R"({"metadata":{"name":"b","resourceVersion":"5","labels":{"l":"2"}},
                                        "spec":{"replicas":2},"status":{"replicas":7}})"),
                               hooks(), {.subresource = "status"});
  CHECK(after["metadata"]["name"] == "a");
  CHECK(after["metadata"]["labels"]["l"] == "2");
  CHECK(after["metadata"]["generation"] == 3);
  CHECK(after["spec"]["replicas"] == 1);
  CHECK(after["status"]["replicas"] == 7);
}

TEST_CASE("an update that changes nothing shares the stored object's parts") {
  Value stored = json(kStored);
  Value after = prepare_update(deployment(), stored, stored, hooks(), {});
  CHECK(after.same(stored));
}

TEST_CASE("field selectors read what an absent field means") {
  CHECK(selects("spec.nodeName=n1", R"({"spec":{"nodeName":"n1"}})"));
  CHECK_FALSE(selects("spec.nodeName!=n1", R"({"spec":{"nodeName":"n1"}})"));
  CHECK(selects("spec.nodeName=", R"({"spec":{}})"));
  CHECK(selects("spec.host=n1", R"({"spec":{"nodeName":"n1"}})"));
  CHECK(selects("spec.hostNetwork=false", R"({"spec":{}})"));
  CHECK(selects("spec.hostNetwork=true", R"({"spec":{"hostNetwork":true}})"));
  CHECK(selects("metadata.name=a,status.phase!=Failed", R"({"metadata":{"name":"a"},"status":{"phase":"Running"}})"));
  CHECK(matches_fields(pod(), json("{}"), "spec.nope=1").error().message() ==
        "field label not supported: spec.nope");
  const Kind& node = *registry().find_kind("", "v1", "Node");
  CHECK(*matches_fields(node, json("{}"), "spec.unschedulable=false"));
  const Kind& job = *registry().find_kind("batch", "v1", "Job");
  CHECK(*matches_fields(job, json("{}"), "status.successful=0"));
  const Kind& event = *registry().find_kind("", "v1", "Event");
  CHECK(*matches_fields(event, json(R"({"reportingComponent":"k"})"), "source=k"));
}
