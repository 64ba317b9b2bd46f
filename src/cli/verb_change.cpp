// patch, scale: small changes to objects.

#include "base/text.h"
#include "cli/outcome.h"
#include "cli/verbs.h"
#include "data/yaml.h"

namespace orch::cli {

using loop::fail;
using loop::Task;

namespace {

Result<std::string_view> media_type_of(const std::string& type) {
  if (type == "strategic") return kStrategicPatch;
  if (type == "merge") return kMergePatch;
  if (type == "json") return kJsonPatch;
  return usage_error("--type must be one of [json merge strategic], not " + quote(type));
}

Task<int> run_patch(Invocation& in) {
  std::string text = in.text("patch");
  if (!in.text("patch-file").empty()) {
    if (!text.empty()) co_await fail(usage_error("cannot specify --patch and --patch-file together"));
    text = co_await in.console.read_file(in.text("patch-file"));
  }
  if (text.empty()) co_await fail(usage_error("must specify --patch or --patch-file containing the contents of the patch"));
  PatchRequest patch;
  patch.media_type = co_await media_type_of(in.text("type"));
  patch.subresource = in.text("subresource");
  patch.manager = "kubectl-patch";
  auto parsed = parse_yaml_document(text);
  if (!parsed.ok()) co_await fail(failure("unable to parse " + quote(text) + ": " + parsed.error().message()));
  patch.patch = std::move(parsed).value();
  Outcome outcome = co_await Outcome::make(in);
  auto all = co_await select_objects(in, in.words());
  for (const Selected& selected : all) {
    Value before = co_await read_object(in, selected);
    if (outcome.dry_run() == DryRun::client) {
      co_await outcome.tell(selected, "patched", before);
      continue;
    }
    auto after = co_await send_patch(in, selected, patch, outcome.dry_run()).result();
    if (!after.ok()) {
      outcome.tell_error(after.error());
      continue;
    }
    const bool same = before["metadata"]["resourceVersion"] == after.value()["metadata"]["resourceVersion"];
    co_await outcome.tell(selected, same && patch.subresource.empty() ? "patched (no change)" : "patched",
                          after.value());
  }
  co_return outcome.code();
}

Task<void> check_current(Invocation& in, const Selected& selected) {
  if (in.arguments.integer("current-replicas") < 0) co_return;
  Value scale = co_await in.session.get_json(
      resource_path(*selected.resource, selected.ns, selected.name, "scale"));
  int64_t now = scale["spec"]["replicas"].as_int();
  if (now != in.arguments.integer("current-replicas")) {
    co_await fail(failure("Expected replicas to be " + in.text("current-replicas") + ", was " +
                          std::to_string(now)));
  }
}

Task<int> run_scale(Invocation& in) {
  if (!in.arguments.given("replicas") || in.arguments.integer("replicas") < 0) {
    co_await fail(usage_error("The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0"));
  }
  PatchRequest patch;
  Value spec = Value::object({{"replicas", Value(in.arguments.integer("replicas"))}});
  patch.patch = Value::object({{"spec", spec}});
  patch.subresource = "scale";
  Outcome outcome = co_await Outcome::make(in);
  auto all = co_await select_objects(in, in.words());
  if (all.empty()) co_await fail(failure("no objects passed to scale"));
  for (const Selected& selected : all) {
    if (!selected.resource->has_subresource("scale")) {
      outcome.tell_error(failure("the server could not find the requested resource: " +
                                 selected.resource->plural + " cannot be scaled"));
      continue;
    }
    auto checked = co_await check_current(in, selected).result();
    if (!checked.ok()) {
      outcome.tell_error(checked.error());
      continue;
    }
    if (outcome.dry_run() == DryRun::client) {
      co_await outcome.tell(selected, "scaled", selected.object);
      continue;
    }
    auto scaled = co_await send_patch(in, selected, patch, outcome.dry_run()).result();
    if (!scaled.ok()) {
      outcome.tell_error(scaled.error());
      continue;
    }
    Value object = co_await read_object(in, selected);
    co_await outcome.tell(selected, "scaled", object);
  }
  co_return outcome.code();
}

}  // namespace

std::vector<Verb> change_verbs() {
  Flags patch = {{"patch", 'p', FlagType::text, "", "the patch, JSON or YAML"},
                 {"patch-file", 0, FlagType::text, "", "file with the patch"},
                 {"type", 0, FlagType::text, "strategic", "strategic, merge or json"},
                 {"subresource", 0, FlagType::text, "", "status or scale"}};
  Flags scale = {{"replicas", 0, FlagType::integer, "0", "how many there shall be"},
                 {"current-replicas", 0, FlagType::integer, "-1", "only where there are as many now"},
                 {"timeout", 0, FlagType::text, "0s", "accepted"}};
  return {Verb{"patch", "TYPE NAME -p PATCH", "Change fields of an object",
               flags::join({patch, flags::files(), flags::output(), flags::dry_run(),
                            flags::field_manager("")}),
               run_patch},
          Verb{"scale", "TYPE NAME --replicas=COUNT", "Set how many replicas there are",
               flags::join({scale, flags::files(), flags::output(), flags::selection(), flags::dry_run()}),
               run_scale}};
}

}  // namespace orch::cli
