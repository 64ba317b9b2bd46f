// delete: by manifest, name or selector; waits until the objects are gone.

#include "base/text.h"
#include "cli/object_printer.h"
#include "cli/selection.h"
#include "cli/verbs.h"
#include "cli/waiting.h"
#include "data/json.h"

namespace orch::cli {

using loop::fail;
using loop::Task;

namespace {

struct Delete {
  Invocation& in;
  DryRun dry_run = DryRun::none;
  std::string propagation;
  int64_t grace_seconds = -1;
  bool ignore_missing = false;
  bool failed = false;
};

struct Deleted {
  Selected selected;
  std::string uid;
};

Result<std::string> propagation_of(const std::string& cascade) {
  if (cascade == "background" || cascade == "true") return std::string("Background");
  if (cascade == "foreground") return std::string("Foreground");
  if (cascade == "orphan" || cascade == "false") return std::string("Orphan");
  return usage_error("invalid cascade value (" + cascade +
                     "). Must be \"background\", \"foreground\", or \"orphan\"");
}

Value delete_options(const Delete& how) {
  ObjectBuilder options;
  options.set("kind", "DeleteOptions").set("apiVersion", "v1");
  options.set("propagationPolicy", how.propagation);
  if (how.grace_seconds >= 0) options.set("gracePeriodSeconds", how.grace_seconds);
  if (how.dry_run == DryRun::server) options.set("dryRun", Value::list({Value("All")}));
  return std::move(options).build();
}

void tell(Delete& how, const Selected& selected) {
  if (how.in.text("output") == "name") {
    how.in.console.out(selected.shown() + "\n");
    return;
  }
  std::string_view what = how.grace_seconds == 0 ? "force deleted" : "deleted";
  how.in.console.out(selected.resource->type_name() + " " + quote(selected.name) + " " +
                     std::string(what) + std::string(dry_run_suffix(how.dry_run)) + "\n");
}

Task<void> delete_one(Delete& how, const Selected& selected, std::vector<Deleted>& deleted) {
  std::string path = resource_path(*selected.resource, selected.ns, selected.name);
  if (how.dry_run == DryRun::client) {
    Value object = co_await how.in.session.get_json(path);
    tell(how, selected);
    co_return;
  }
  client::RestRequest request;
  request.method = "DELETE";
  request.target = std::move(path);
  request.content_type = "application/json";
  request.body = format_json(delete_options(how));
  Value answer = co_await how.in.session.call_json(std::move(request));
  tell(how, selected);
  Deleted one;
  one.selected = selected;
  one.uid = answer["kind"].as_string() == "Status" ? answer["details"]["uid"].as_string()
                                                   : answer["metadata"]["uid"].as_string();
  deleted.push_back(std::move(one));
}

Task<void> wait_for_all(Invocation& in, std::vector<Deleted> deleted, Duration limit) {
  const Mono end = in.session.loop().now() + limit;
  for (const Deleted& one : deleted) {
    std::string uid = one.uid;
    // A new object of the same name is not the one that was deleted.
    Condition gone = [uid](const Value& object) -> Result<bool> {
      return object.is_null() || (!uid.empty() && object["metadata"]["uid"].as_string() != uid);
    };
    co_await wait_until(in, *one.selected.resource, one.selected.ns, one.selected.name, gone,
                        end - in.session.loop().now());
  }
}

Task<void> check_flags(Invocation& in, Delete& how) {
  how.dry_run = co_await dry_run_of(in.arguments);
  how.propagation = co_await propagation_of(in.text("cascade"));
  how.grace_seconds = in.arguments.integer("grace-period");
  const bool grace_given = how.grace_seconds >= 0;
  if (in.on("now")) {
    if (grace_given) co_await fail(usage_error("--now and --grace-period cannot be specified together"));
    how.grace_seconds = 1;
  }
  if (how.grace_seconds == 0 && !in.on("force")) {
    // Without --force, zero means as fast as is safe.
    how.grace_seconds = 1;
  } else if (in.on("force") && how.grace_seconds < 0) {
    how.grace_seconds = 0;
  }
  if (in.on("force") && how.grace_seconds > 0) {
    co_await fail(usage_error("--force and --grace-period greater than 0 cannot be specified together"));
  }
  if (how.grace_seconds == 0) {
    in.console.error("Warning: Immediate deletion does not wait for confirmation that the running resource "
                     "has been terminated. The resource may continue to run on the cluster indefinitely.\n");
  }
  std::string output = in.text("output");
  if (!output.empty() && output != "name") {
    co_await fail(usage_error("unexpected -o output mode: " + output + ". We only support '-o name'"));
  }
  // What a selector finds may be gone by the time it is deleted.
  const bool by_selector = in.on("all") || !in.text("selector").empty();
  how.ignore_missing = in.arguments.given("ignore-not-found") ? in.on("ignore-not-found") : by_selector;
}

Task<int> run_delete(Invocation& in) {
  Delete how{in};
  co_await check_flags(in, how);
  auto all = co_await select_objects(in, in.words());
  if (all.empty()) {
    in.console.out("No resources found\n");
    co_return 0;
  }
  std::vector<Deleted> deleted;
  for (const Selected& selected : all) {
    auto done = co_await delete_one(how, selected, deleted).result();
    if (done.ok()) continue;
    if (done.error().is(Code::not_found) && how.ignore_missing) continue;
    how.failed = true;
    Error error = std::move(done).error();
    if (!selected.source.empty()) {
      error = std::move(error).with_context("error when deleting " + selected.source);
    }
    in.console.error(format_error(error));
  }
  if (in.on("wait") && how.dry_run == DryRun::none && how.grace_seconds != 0 && !deleted.empty()) {
    Duration limit = kWaitForever;
    if (in.arguments.given("timeout")) {
      limit = co_await parse_duration(in.text("timeout"));
      if (limit <= Duration::zero()) limit = kWaitForever;
    }
    co_await wait_for_all(in, std::move(deleted), limit);
  }
  co_return how.failed ? 1 : 0;
}

}  // namespace

std::vector<Verb> delete_verbs() {
  Flags own = {{"cascade", 0, FlagType::text, "background", "background, orphan or foreground", "background"},
               {"force", 0, FlagType::boolean, "false", "at once, without waiting for the end of what runs"},
               {"grace-period", 0, FlagType::integer, "-1", "seconds that what runs gets to end"},
               {"now", 0, FlagType::boolean, "false", "a grace period of one second"},
               {"ignore-not-found", 0, FlagType::boolean, "false", "a missing object is no error"},
               {"timeout", 0, FlagType::text, "0s", "how long to wait for the objects to be gone"},
               {"wait", 0, FlagType::boolean, "true", "wait until the objects are gone"},
               {"output", 'o', FlagType::text, "", "name"}};
  return {Verb{"delete", "TYPE NAME ... | TYPE -l QUERY | TYPE --all | -f FILE", "Delete objects",
               flags::join({own, flags::files(), flags::selection(), flags::all_namespaces(),
                            flags::dry_run()}),
               run_delete}};
}

}  // namespace orch::cli
