// create, replace: whole objects, from manifests or from flags.

#include "base/text.h"
#include "cli/apply_patch.h"
#include "cli/generators.h"
#include "cli/outcome.h"
#include "cli/verbs.h"
#include "cli/waiting.h"

namespace orch::cli {

using loop::fail;
using loop::Task;

namespace {

Error with_source(Error error, std::string_view doing, const Selected& selected) {
  if (selected.source.empty() || (error.is(Code::invalid) && !error.kind().empty())) return error;
  return std::move(error).with_context("error when " + std::string(doing) + " " + selected.source);
}

Task<void> create_one(Invocation& in, Manifest manifest, Outcome& outcome) {
  Selected selected = co_await select_manifest(in, std::move(manifest));
  Value object = selected.object;
  if (in.on("save-config")) object = with_configuration(object);
  auto created = co_await send_create(in, selected, object, outcome.dry_run()).result();
  if (!created.ok()) co_await fail(with_source(std::move(created).error(), "creating", selected));
  selected.name = created.value()["metadata"]["name"].as_string();
  co_await outcome.tell(selected, "created", created.value());
}

Task<std::vector<Manifest>> manifests_of(Invocation& in) {
  auto texts = co_await read_manifest_texts(in);
  std::string validation = co_await field_validation_of(in.arguments);
  std::vector<Manifest> manifests;
  for (const ManifestText& text : texts) {
    auto some = co_await parse_manifests(text, validation == "Strict");
    for (Manifest& manifest : some) manifests.push_back(std::move(manifest));
  }
  co_return std::move(manifests);
}

Task<int> run_create(Invocation& in) {
  if (!in.arguments.given("filename")) {
    std::string problem = "must specify one of -f and -k";
    if (!in.words().empty()) {
      problem = "unknown kind of object to create from flags: " + quote(in.words()[0]);
    }
    co_await fail(usage_error(problem));
  }
  Outcome outcome = co_await Outcome::make(in);
  auto manifests = co_await manifests_of(in);
  if (manifests.empty()) co_await fail(failure("no objects passed to create"));
  for (Manifest& manifest : manifests) {
    auto done = co_await create_one(in, std::move(manifest), outcome).result();
    if (!done.ok()) outcome.tell_error(done.error());
  }
  co_return outcome.code();
}

Task<int> create_generated(Invocation& in, Generator generator) {
  const size_t at = generator.has_kind_word ? 1 : 0;
  const size_t words = in.arguments.dash().value_or(in.words().size());
  if (words != at + 1) {
    const size_t names = words > at ? words - at : 0;
    co_await fail(usage_error("exactly one NAME is required, got " + std::to_string(names)));
  }
  Outcome outcome = co_await Outcome::make(in);
  Value object = co_await generator.make(in.console, in.arguments, in.words()[at]);
  if (in.on("save-config")) object = with_configuration(object);
  // What is only printed needs no server, and no namespace that nobody asked for.
  if (outcome.dry_run() == DryRun::client) {
    Resource resource;
    resource.kind = object["kind"].as_string();
    auto group = split_once(object["apiVersion"].as_string(), '/');
    if (group) resource.group = group->first;
    Selected selected;
    selected.resource = &resource;
    selected.name = in.words()[at];
    if (!in.session.overrides().ns.empty() && resource.kind != "Namespace") {
      object = object.with_path({"metadata", "namespace"}, Value(in.session.overrides().ns));
    }
    co_await outcome.tell(selected, "created", object);
    co_return 0;
  }
  Manifest manifest;
  manifest.object = object;
  Selected selected = co_await select_manifest(in, std::move(manifest));
  Value created = co_await send_create(in, selected, selected.object, outcome.dry_run());
  co_await outcome.tell(selected, "created", created);
  co_return 0;
}

Task<int> run_generator(Invocation& in, std::string_view word) {
  for (const Generator& generator : generators()) {
    if (generator.word != word) continue;
    int code = co_await create_generated(in, generator);
    co_return code;
  }
  co_return 2;
}

template <size_t kIndex>
Task<int> run_generated(Invocation& in) {
  int code = co_await run_generator(in, generators()[kIndex].word);
  co_return code;
}

constexpr loop::Task<int> (*kGeneratorRuns[])(Invocation&) = {
    run_generated<0>, run_generated<1>, run_generated<2>, run_generated<3>,
    run_generated<4>, run_generated<5>, run_generated<6>};

// --- replace

Task<void> delete_and_wait(Invocation& in, const Selected& selected) {
  client::RestRequest request;
  request.method = "DELETE";
  request.target = resource_path(*selected.resource, selected.ns, selected.name);
  auto deleted = co_await in.session.call(std::move(request)).result();
  if (!deleted.ok() && !deleted.error().is(Code::not_found)) co_await fail(std::move(deleted).error());
  Condition gone = [](const Value& object) -> Result<bool> { return object.is_null(); };
  co_await wait_until(in, *selected.resource, selected.ns, selected.name, gone, kWaitForever);
}

Task<void> replace_one(Invocation& in, Manifest manifest, Outcome& outcome) {
  Selected selected = co_await select_manifest(in, std::move(manifest));
  Value object = selected.object;
  // The annotation of apply is kept current where there is one.
  if (in.on("save-config") || object["metadata"]["annotations"].has(kLastApplied)) {
    object = with_configuration(object);
  }
  Result<Value> replaced = Value();
  if (in.on("force")) {
    co_await delete_and_wait(in, selected);
    replaced = co_await send_create(in, selected, object, outcome.dry_run()).result();
  } else {
    // As kubectl does: what names no version replaces whatever is there now.
    if (object["metadata"]["resourceVersion"].as_string().empty()) {
      auto live = co_await read_object(in, selected).result();
      if (!live.ok()) co_await fail(with_source(std::move(live).error(), "replacing", selected));
      object = object.with_path({"metadata", "resourceVersion"},
                                live.value()["metadata"]["resourceVersion"]);
    }
    replaced = co_await send_update(in, selected, object, outcome.dry_run()).result();
  }
  if (!replaced.ok()) co_await fail(with_source(std::move(replaced).error(), "replacing", selected));
  co_await outcome.tell(selected, "replaced", replaced.value());
}

Task<int> run_replace(Invocation& in) {
  if (!in.arguments.given("filename")) co_await fail(usage_error("Must specify --filename to replace"));
  Outcome outcome = co_await Outcome::make(in);
  auto manifests = co_await manifests_of(in);
  for (Manifest& manifest : manifests) {
    auto done = co_await replace_one(in, std::move(manifest), outcome).result();
    if (!done.ok()) outcome.tell_error(done.error());
  }
  co_return outcome.code();
}

}  // namespace

std::vector<Verb> create_verbs() {
  Flags common = flags::join({flags::output(), flags::dry_run(), flags::field_manager(""),
                              {flags::validate(),
                               {"save-config", 0, FlagType::boolean, "false", "remember it as applied"}}});
  Flags force = {{"force", 0, FlagType::boolean, "false", "delete it first"},
                 {"grace-period", 0, FlagType::integer, "-1", "accepted"}};
  std::vector<Verb> verbs = {
      Verb{"create", "-f FILE", "Create objects", flags::join({flags::files(), common}), run_create},
      Verb{"replace", "-f FILE", "Replace objects as a whole", flags::join({flags::files(), common, force}),
           run_replace}};
  static constexpr std::string_view kNames[] = {
      "create namespace", "create configmap", "create secret", "create serviceaccount",
      "create deployment", "create job", "create service"};
  static constexpr std::string_view kAliases[] = {"create ns", "create cm", "", "create sa",
                                                  "create deploy", "", "create svc"};
  auto all = generators();
  for (size_t i = 0; i < all.size(); ++i) {
    Flags flags = flags::join({all[i].flags, common});
    verbs.push_back(Verb{kNames[i], all[i].usage, "Create one from flags", flags, kGeneratorRuns[i]});
    if (!kAliases[i].empty()) {
      verbs.push_back(Verb{kAliases[i], all[i].usage, "The same", flags, kGeneratorRuns[i]});
    }
  }
  return verbs;
}

}  // namespace orch::cli
