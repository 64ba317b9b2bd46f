// rollout status, history, undo, restart, pause, resume.

#include <algorithm>
#include <map>

#include "base/text.h"
#include "base/time.h"
#include "cli/outcome.h"
#include "cli/rollout_status.h"
#include "cli/tab_writer.h"
#include "cli/verbs.h"
#include "cli/waiting.h"
#include "data/selector.h"
#include "data/yaml.h"

namespace orch::cli {

using loop::fail;
using loop::Task;

namespace {

// --- status

Task<void> follow_status(Invocation& in, const Selected& selected, bool watching, int64_t revision,
                         Duration limit) {
  Console& console = in.console;
  std::string last;
  std::string* last_shown = &last;
  // Each state the object goes through is a line, but never the same one twice.
  Condition rolled_out = [&console, last_shown, watching, revision](const Value& object) -> Result<bool> {
    if (object.is_null()) return failure("object has been deleted");
    std::string_view now = object["metadata"]["annotations"]["deployment.kubernetes.io/revision"].as_string();
    if (revision > 0 && now != std::to_string(revision)) {
      return failure("desired revision (" + std::to_string(revision) +
                     ") is different from the running revision (" + std::string(now) + ")");
    }
    TRY(RolloutStatus status, rollout_status(object));
    if (status.message != *last_shown) console.out(status.message + "\n");
    *last_shown = status.message;
    return status.done || !watching;
  };
  co_await wait_until(in, *selected.resource, selected.ns, selected.name, rolled_out, limit);
}

Task<int> run_status(Invocation& in) {
  Duration limit = co_await parse_duration(in.text("timeout"));
  if (limit <= Duration::zero()) limit = kWaitForever;
  auto all = co_await select_objects(in, in.words());
  for (const Selected& selected : all) {
    auto done =
        co_await follow_status(in, selected, in.on("watch"), in.arguments.integer("revision"), limit)
            .result();
    if (done.ok()) continue;
    if (done.error().is(Code::timeout)) co_await fail(failure("timed out waiting for the condition"));
    co_await fail(std::move(done).error());
  }
  co_return 0;
}

// --- restart, pause, resume

Task<int> patch_all(Invocation& in, PatchRequest patch, std::string what) {
  Outcome outcome = co_await Outcome::make(in);
  auto all = co_await select_objects(in, in.words());
  for (const Selected& selected : all) {
    Value before = co_await read_object(in, selected);
    if (!before["spec"]["template"].is_object()) {
      outcome.tell_error(failure(selected.resource->plural + " " + quote(selected.name) +
                                 " has no pod template to roll out"));
      continue;
    }
    const bool paused = before["spec"]["paused"].as_bool();
    const std::string full = selected.resource->qualified() + " " + quote(selected.name);
    if (what == "restarted" && paused) {
      outcome.tell_error(failure("can't restart paused deployment (run rollout resume first)"));
      continue;
    }
    if ((what == "paused" && paused) || (what == "resumed" && !paused)) {
      outcome.tell_error(failure(full + (paused ? " is already paused" : " is not paused")));
      continue;
    }
    auto after = co_await send_patch(in, selected, patch, outcome.dry_run()).result();
    if (!after.ok()) {
      outcome.tell_error(after.error());
      continue;
    }
    co_await outcome.tell(selected, what, after.value());
  }
  co_return outcome.code();
}

Task<int> run_restart(Invocation& in) {
  PatchRequest patch;
  Value stamp = Value::object({{"kubectl.kubernetes.io/restartedAt", Value(format_time(in.console.now()))}});
  patch.patch = Value().with_path({"spec", "template", "metadata", "annotations"}, stamp);
  patch.manager = "kubectl-rollout";
  int code = co_await patch_all(in, std::move(patch), "restarted");
  co_return code;
}

Task<int> run_pause(Invocation& in) {
  PatchRequest patch;
  patch.patch = Value().with_path({"spec", "paused"}, Value(true));
  patch.manager = "kubectl-rollout";
  int code = co_await patch_all(in, std::move(patch), "paused");
  co_return code;
}

Task<int> run_resume(Invocation& in) {
  PatchRequest patch;
  patch.patch = Value().with_path({"spec", "paused"}, Value());
  patch.manager = "kubectl-rollout";
  int code = co_await patch_all(in, std::move(patch), "resumed");
  co_return code;
}

// --- history, undo

struct Revision {
  Value pod_template;
  std::string cause;
  std::string name;
};
using Revisions = std::map<int64_t, Revision>;

bool owned_by(const Value& object, const Value& owner) {
  for (const Value& reference : object["metadata"]["ownerReferences"].items()) {
    if (reference["uid"] == owner["metadata"]["uid"]) return true;
  }
  return false;
}

std::string cause_of(const Value& object) {
  std::string_view cause = object["metadata"]["annotations"]["kubernetes.io/change-cause"].as_string();
  return cause.empty() ? "<none>" : std::string(cause);
}

Task<Revisions> read_revisions(Invocation& in, const Selected& selected, const Value& owner) {
  const bool deployment = selected.resource->kind == "Deployment";
  const Resource* keeper =
      co_await in.session.find_resource(deployment ? "replicasets.apps" : "controllerrevisions.apps");
  LabelSelector selector = co_await LabelSelector::from_object(owner["spec"]["selector"]);
  auto objects = co_await list_objects(in, *keeper, selected.ns, selector.format(), "");
  Revisions revisions;
  for (const Value& object : objects) {
    if (!owned_by(object, owner)) continue;
    Revision revision;
    revision.name = object["metadata"]["name"].as_string();
    revision.cause = cause_of(object);
    int64_t number = object["revision"].as_int();
    revision.pod_template = object["data"]["spec"]["template"].without("$patch");
    if (deployment) {
      std::string_view text =
          object["metadata"]["annotations"]["deployment.kubernetes.io/revision"].as_string();
      number = parse_int(text).value_or(0);
      revision.pod_template = object["spec"]["template"];
    }
    if (number > 0) revisions[number] = std::move(revision);
  }
  co_return std::move(revisions);
}

Task<void> show_history(Invocation& in, const Selected& selected) {
  Value owner = co_await read_object(in, selected);
  Revisions revisions = co_await read_revisions(in, selected, owner);
  int64_t wanted = in.arguments.integer("revision");
  in.console.out(selected.shown() + " " +
                 (wanted > 0 ? "with revision #" + std::to_string(wanted) : std::string()) + "\n");
  if (wanted > 0) {
    auto found = revisions.find(wanted);
    if (found == revisions.end()) {
      co_await fail(failure("unable to find the specified revision"));
    }
    in.console.out(format_yaml(Value::object({{"Pod Template", found->second.pod_template}})));
    co_return;
  }
  TabWriter writer = TabWriter::for_describe();
  writer.write("REVISION\tCHANGE-CAUSE\n");
  for (const auto& [number, revision] : revisions) {
    writer.write(std::to_string(number) + "\t" + revision.cause + "\n");
  }
  in.console.out(writer.flush() + "\n");
}

Task<int> run_history(Invocation& in) {
  auto all = co_await select_objects(in, in.words());
  for (const Selected& selected : all) co_await show_history(in, selected);
  co_return 0;
}

Result<const Revision*> choose(const Revisions& revisions, int64_t wanted) {
  if (wanted > 0) {
    auto found = revisions.find(wanted);
    if (found == revisions.end()) {
      return failure("unable to find specified revision " + std::to_string(wanted) + " in history");
    }
    return &found->second;
  }
  if (revisions.size() < 2) return failure("no rollout history found");
  return &std::prev(revisions.end(), 2)->second;
}

Task<void> undo(Invocation& in, const Selected& selected, Outcome& outcome) {
  Value owner = co_await read_object(in, selected);
  if (owner["spec"]["paused"].as_bool()) {
    co_await fail(failure("you cannot rollback a paused deployment; resume it first with 'orch rollout resume' and try again"));
  }
  Revisions revisions = co_await read_revisions(in, selected, owner);
  const Revision* target = co_await choose(revisions, in.arguments.integer("to-revision"));
  // The hash is the ReplicaSet's, not the Deployment's.
  Value labels = target->pod_template["metadata"]["labels"].without("pod-template-hash");
  Value wanted = target->pod_template.with_path({"metadata", "labels"}, labels);
  if (wanted == owner["spec"]["template"]) {
    co_await outcome.tell(selected, "skipped rollback (current template already matches revision " +
                                        std::to_string(in.arguments.integer("to-revision")) + ")",
                          owner);
    co_return;
  }
  PatchRequest patch;
  patch.media_type = kJsonPatch;
  Value replace = Value::object({{"op", "replace"}, {"path", "/spec/template"}, {"value", wanted}});
  std::vector<Value> operations = {replace};
  patch.patch = Value::list(std::move(operations));
  patch.manager = "kubectl-rollout";
  Value after = owner;
  if (outcome.dry_run() != DryRun::client) {
    after = co_await send_patch(in, selected, std::move(patch), outcome.dry_run());
  }
  co_await outcome.tell(selected, "rolled back", after);
}

Task<int> run_undo(Invocation& in) {
  Outcome outcome = co_await Outcome::make(in);
  auto all = co_await select_objects(in, in.words());
  for (const Selected& selected : all) {
    auto done = co_await undo(in, selected, outcome).result();
    if (!done.ok()) outcome.tell_error(done.error());
  }
  co_return outcome.code();
}

}  // namespace

std::vector<Verb> rollout_verbs() {
  Flags common = flags::join({flags::files(), flags::selection()});
  Flags changing = flags::join({common, flags::output(), flags::dry_run(), flags::field_manager("")});
  Flags status = {{"watch", 'w', FlagType::boolean, "true", "until it is done"},
                  {"timeout", 0, FlagType::text, "0s", "how long; zero: without end"},
                  {"revision", 0, FlagType::integer, "0", "fail if another is rolled out meanwhile"}};
  Flags history = {{"revision", 0, FlagType::integer, "0", "show this one whole"}};
  Flags to = {{"to-revision", 0, FlagType::integer, "0", "the one to go back to; 0: the one before"}};
  return {Verb{"rollout status", "TYPE NAME", "How far a rollout is", flags::join({status, common}), run_status},
          Verb{"rollout history", "TYPE NAME", "The revisions there were", flags::join({history, common}),
               run_history},
          Verb{"rollout undo", "TYPE NAME", "Go back to a revision", flags::join({to, changing}), run_undo},
          Verb{"rollout restart", "TYPE NAME", "Replace all pods", changing, run_restart},
          Verb{"rollout pause", "TYPE NAME", "Hold changes back", changing, run_pause},
          Verb{"rollout resume", "TYPE NAME", "Let changes through again", changing, run_resume}};
}

}  // namespace orch::cli
