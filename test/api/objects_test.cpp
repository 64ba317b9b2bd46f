#include "api/api_fixture.h"

using namespace orch;
using namespace orch::test;

namespace {
std::string name_of(const Value& object) { return std::string(object["metadata"]["name"].as_string()); }
}  // namespace

TEST_CASE("A new object gets uid, creation time and revision, and keeps what the user may not set out of it") {
  ApiFixture api;
  Value asked = ApiFixture::config_map("a").with_path({"metadata", "uid"}, Value("mine"));
  Value made = api.create(ApiFixture::maps(), asked).value();
  CHECK(made["metadata"]["uid"].as_string().size() == 36);
  CHECK(made["metadata"]["creationTimestamp"].as_string() == "2026-01-01T00:00:00Z");
  CHECK(made["metadata"]["namespace"].as_string() == "default");
  CHECK(api.get(ApiFixture::maps("a")).value() == made);
}

TEST_CASE("generateName completes a name of 63 characters at most") {
  ApiFixture api;
  Value asked = ApiFixture::config_map("").with(
      "metadata", Value::object({{"generateName", std::string(80, 'x')}}));
  Value made = api.create(ApiFixture::maps(), asked).value();
  CHECK(name_of(made).size() == 63);
  CHECK(name_of(made).starts_with(std::string(58, 'x')));
}

TEST_CASE("A second object of the name is refused, and so is one in a namespace that is not there") {
  ApiFixture api;
  REQUIRE(api.create(ApiFixture::maps(), ApiFixture::config_map("a")).ok());
  Error twice = api.create(ApiFixture::maps(), ApiFixture::config_map("a")).error();
  CHECK(twice.is(Code::already_exists));
  CHECK(twice.message() == "configmaps \"a\" already exists");
  client::Target nowhere = ApiFixture::maps();
  nowhere.ns = "nowhere";
  Error missing = api.create(nowhere, ApiFixture::config_map("a")).error();
  CHECK(missing.is(Code::not_found));
  CHECK(missing.message() == "namespaces \"nowhere\" not found");
}

TEST_CASE("An update needs the current revision, an update that changes nothing writes nothing") {
  ApiFixture api;
  Value first = api.create(ApiFixture::maps(), ApiFixture::config_map("a", "1")).value();
  Value second = api.update(ApiFixture::maps("a"), first.with_path({"data", "a"}, Value("2"))).value();
  CHECK(second["metadata"]["resourceVersion"] != first["metadata"]["resourceVersion"]);
  CHECK(api.update(ApiFixture::maps("a"), first).error().is(Code::conflict));
  auto revision = api.store.revision();
  CHECK(api.update(ApiFixture::maps("a"), second).value() == second);
  CHECK(api.store.revision() == revision);
}

TEST_CASE("A dry run answers like the real thing and changes nothing") {
  ApiFixture api;
  auto revision = api.store.revision();
  client::WriteOptions dry;
  dry.dry_run = true;
  Value made = api.loop.run(api.port.create(ApiFixture::services(), Value::object({{"metadata", Value::object({{"name", "s"}})}, {"spec", Value::object({{"ports", Value::list({Value::object({{"port", 80}})})}})}}), dry)).value();
  CHECK(made["spec"]["clusterIP"].as_string().starts_with("10.43."));
  CHECK(api.get(ApiFixture::services("s")).error().is(Code::not_found));
  CHECK(api.store.revision() == revision);
}

TEST_CASE("Unknown fields are refused, reported or dropped, as asked") {
  ApiFixture api;
  Value typo = ApiFixture::pod("p").with_path({"spec", "restartPolicyy"}, Value("Always"));
  client::WriteOptions options;
  options.dry_run = true;
  options.field_validation = client::WriteOptions::FieldValidation::strict;
  Error refused = api.loop.run(api.objects.create(ApiFixture::pods(), typo, options)).error();
  CHECK(refused.message() ==
        "Pod in version \"v1\" cannot be handled as a Pod: strict decoding error: unknown field "
        "\"spec.restartPolicyy\"");
  options.field_validation = client::WriteOptions::FieldValidation::warn;
  auto warned = api.loop.run(api.objects.create(ApiFixture::pods(), typo, options)).value();
  CHECK(warned.warnings == std::vector<std::string>{"unknown field \"spec.restartPolicyy\""});
  CHECK(!warned.value["spec"].has("restartPolicyy"));
}

TEST_CASE("Pages of a list show one state, whatever is written between them") {
  ApiFixture api;
  for (char c = 'a'; c <= 'f'; ++c) {
    REQUIRE(api.create(ApiFixture::maps(), ApiFixture::config_map(std::string(1, c))).ok());
  }
  api::ListQuery query;
  query.limit = 2;
  auto page = api.list(ApiFixture::maps(), query).value();
  CHECK(page.remaining == 4);
  REQUIRE(api.remove(ApiFixture::maps("d")).ok());
  REQUIRE(api.create(ApiFixture::maps(), ApiFixture::config_map("cc")).ok());
  std::string names;
  while (true) {
    for (const auto& item : page.items) names += name_of(item->value) + " ";
    if (page.continue_token.empty()) break;
    query.continue_token = page.continue_token;
    page = api.list(ApiFixture::maps(), query).value();
  }
  CHECK(names == "a b c d e f ");
}

TEST_CASE("Finalizers hold an object back until the last one is taken off") {
  ApiFixture api;
  Value asked = ApiFixture::config_map("held").with_path({"metadata", "finalizers"}, Value::list({Value("x.io/y")}));
  REQUIRE(api.create(ApiFixture::maps(), asked).ok());
  Value waiting = api.remove(ApiFixture::maps("held")).value();
  CHECK(waiting["metadata"].has("deletionTimestamp"));
  CHECK(waiting["metadata"]["deletionGracePeriodSeconds"].as_int(-1) == 0);
  Value none = Value::object({{"metadata", Value::object({{"finalizers", nullptr}})}});
  REQUIRE(api.merge(ApiFixture::maps("held"), none).ok());
  CHECK(api.get(ApiFixture::maps("held")).error().is(Code::not_found));
}

TEST_CASE("Propagation puts the collector's finalizers on") {
  ApiFixture api;
  for (auto [policy, finalizer] : {std::pair{"Orphan", "orphan"}, std::pair{"Foreground", "foregroundDeletion"}}) {
    REQUIRE(api.create(ApiFixture::maps(), ApiFixture::config_map(finalizer == std::string("orphan") ? "o" : "f")).ok());
    client::RemoveOptions options;
    options.propagation = policy;
    Value waiting = api.remove(ApiFixture::maps(finalizer == std::string("orphan") ? "o" : "f"), options).value();
    CHECK(waiting["metadata"]["finalizers"].at(0).as_string() == finalizer);
  }
}

TEST_CASE("A pod on a node gets its grace, one that nobody runs goes at once") {
  ApiFixture api;
  REQUIRE(api.create(ApiFixture::pods(), ApiFixture::pod("free")).ok());
  CHECK(api.remove(ApiFixture::pods("free")).value()["kind"].as_string() == "Status");
  REQUIRE(api.create(ApiFixture::pods(), ApiFixture::pod("bound")).ok());
  client::Target binding = ApiFixture::pods("bound");
  binding.subresource = "binding";
  Value body = Value::object({{"metadata", Value::object({{"name", "bound"}})},
                              {"target", Value::object({{"kind", "Node"}, {"name", "n1"}})}});
  REQUIRE(api.create(binding, body).ok());
  CHECK(api.create(binding, body).error().is(Code::conflict));
  Value scheduled = api.get(ApiFixture::pods("bound")).value()["status"]["conditions"].at(0);
  CHECK(scheduled["type"].as_string() == "PodScheduled");
  CHECK(scheduled["status"].as_string() == "True");
  Value dying = api.remove(ApiFixture::pods("bound")).value();
  CHECK(dying["metadata"]["deletionGracePeriodSeconds"].as_int() == 30);
  CHECK(dying["metadata"]["deletionTimestamp"].as_string() == "2026-01-01T00:00:30Z");
  client::RemoveOptions now;
  now.grace_seconds = 0;
  CHECK(api.remove(ApiFixture::pods("bound"), now).value()["status"].as_string() == "Success");
  CHECK(api.get(ApiFixture::pods("bound")).error().is(Code::not_found));
}

TEST_CASE("Cluster addresses are unique, stay with their Service and come free with it") {
  ApiFixture api;
  auto service = [](std::string_view name, std::string_view address) {
    ObjectBuilder spec;
    spec.set("ports", Value::list({Value::object({{"port", 80}})})).set_if("clusterIP", address);
    return Value::object({{"metadata", Value::object({{"name", name}})}, {"spec", std::move(spec).build()}});
  };
  Value one = api.create(ApiFixture::services(), service("one", "")).value();
  std::string address(one["spec"]["clusterIP"].as_string());
  Value two = api.create(ApiFixture::services(), service("two", "")).value();
  CHECK(two["spec"]["clusterIP"].as_string() != address);
  Error taken = api.create(ApiFixture::services(), service("three", address)).error();
  CHECK(taken.is(Code::invalid));
  CHECK(taken.causes().at(0).field == "spec.clusterIPs");
  CHECK(api.create(ApiFixture::services(), service("far", "192.168.1.1")).error().is(Code::invalid));
  Value renamed = api.merge(ApiFixture::services("one"), Value::object({{"metadata", Value::object({{"labels", Value::object({{"a", "b"}})}})}})).value();
  CHECK(renamed["spec"]["clusterIP"].as_string() == address);
  REQUIRE(api.remove(ApiFixture::services("one")).ok());
  CHECK(api.create(ApiFixture::services(), service("three", address)).ok());
}

TEST_CASE("A watch with a selector sees objects come into it and leave it") {
  ApiFixture api;
  api::WatchQuery query;
  query.label_selector = "tier=x";
  query.resource_version = std::to_string(api.store.revision());
  auto session = std::move(api::WatchSession::open(api.objects, ApiFixture::maps(), query)).value();
  auto labelled = [](std::string_view tier) { return Value::object({{"metadata", Value::object({{"labels", Value::object({{"tier", tier}})}})}}); };
  REQUIRE(api.create(ApiFixture::maps(), ApiFixture::config_map("a")).ok());
  REQUIRE(api.merge(ApiFixture::maps("a"), labelled("x")).ok());
  REQUIRE(api.merge(ApiFixture::maps("a"), Value::object({{"data", Value::object({{"a", "2"}})}})).ok());
  REQUIRE(api.merge(ApiFixture::maps("a"), labelled("y")).ok());
  std::string types;
  while (types.size() < 3) {
    auto events = api.loop.run(session->next()).value();
    for (const auto& event : events) {
      types += "amdb"[static_cast<size_t>(event.type)];
    }
  }
  CHECK(types == "amd");
}

TEST_CASE("A watch that asks for the initial state gets it, and a bookmark behind it") {
  ApiFixture api;
  REQUIRE(api.create(ApiFixture::maps(), ApiFixture::config_map("a")).ok());
  api::WatchQuery query;
  query.send_initial_events = true;
  query.bookmarks = true;
  auto session = std::move(api::WatchSession::open(api.objects, ApiFixture::maps(), query)).value();
  auto events = api.loop.run(session->next()).value();
  REQUIRE(events.size() == 2);
  CHECK(events[0].type == client::EventType::added);
  CHECK(events[1].object["metadata"]["annotations"]["k8s.io/initial-events-end"].as_string() == "true");
}

TEST_CASE("Scale changes the replicas and nothing else") {
  ApiFixture api;
  Value template_ = ApiFixture::pod("x").with("metadata", Value::object({{"labels", Value::object({{"a", "b"}})}}));
  Value deployment = Value::object(
      {{"metadata", Value::object({{"name", "d"}})},
       {"spec", Value::object({{"selector", Value::object({{"matchLabels", Value::object({{"a", "b"}})}})},
                               {"template", template_.without("kind").without("apiVersion")}})}});
  client::Target target{"apps", "v1", "deployments", "default", "", ""};
  Value before = api.create(target, deployment).value();
  target.name = "d";
  target.subresource = "scale";
  Value scale = api.get(target).value();
  CHECK(scale["spec"]["replicas"].as_int() == 1);
  CHECK(scale["status"]["selector"].as_string() == "a=b");
  Value scaled = api.merge(target, Value::object({{"spec", Value::object({{"replicas", 5}})}})).value();
  CHECK(scaled["spec"]["replicas"].as_int() == 5);
  target.subresource.clear();
  Value after = api.get(target).value();
  CHECK(after["spec"]["replicas"].as_int() == 5);
  CHECK(after["metadata"]["generation"].as_int() == 2);
  CHECK(after["spec"].without("replicas") == before["spec"].without("replicas"));
}
