// apply: brings the server's objects to what manifests say, by a three-way patch made here, or
// --server-side by the server.

#include "base/text.h"
#include "cli/apply_patch.h"
#include "cli/object_printer.h"
#include "cli/selection.h"
#include "cli/verbs.h"
#include "cli/waiting.h"
#include "data/json.h"

namespace orch::cli {

using loop::fail;
using loop::Task;

namespace {

constexpr std::string_view kClientSideManager = "kubectl-client-side-apply";

struct Apply {
  Invocation& in;
  ObjectPrinter printer;
  DryRun dry_run = DryRun::none;
  std::string validation;
  std::vector<ObjectPrinter::Item> results;  // for -o
  bool failed = false;
};

std::string write_target(const Apply& apply, const Selected& selected, const std::string& name) {
  std::string manager = apply.in.text("field-manager");
  if (manager.empty()) manager = apply.in.on("server-side") ? "kubectl" : std::string(kClientSideManager);
  return with_query(resource_path(*selected.resource, selected.ns, name),
                    {{"fieldManager", manager},
                     {"fieldValidation", apply.validation},
                     {"force", apply.in.on("server-side") && apply.in.on("force-conflicts") ? "true" : ""},
                     {"dryRun", apply.dry_run == DryRun::server ? "All" : ""}});
}

void tell(Apply& apply, const Selected& selected, std::string_view what, const Value& object) {
  if (!apply.printer.is_table()) {
    apply.results.push_back({object, selected.resource->type_name()});
    return;
  }
  apply.in.console.out(selected.shown() + " " + std::string(what) +
                       std::string(dry_run_suffix(apply.dry_run)) + "\n");
}

// The server's error with what was being done to which manifest.
Error with_source(Error error, std::string_view doing, const Selected& selected) {
  if (error.is(Code::invalid) && !error.kind().empty()) return error;
  return std::move(error).with_context("error when " + std::string(doing) + " " + selected.source);
}

Task<void> create(Apply& apply, const Selected& selected) {
  Value object = with_configuration(selected.object);
  if (apply.dry_run == DryRun::client) {
    tell(apply, selected, "created", object);
    co_return;
  }
  client::RestRequest request;
  request.method = "POST";
  request.target = write_target(apply, selected, "");
  request.content_type = "application/json";
  request.body = format_json(object);
  auto created = co_await apply.in.session.call_json(std::move(request)).result();
  if (!created.ok()) co_await fail(with_source(std::move(created).error(), "creating", selected));
  tell(apply, selected, "created", created.value());
}

void warn_unmanaged(Apply& apply, const Selected& selected) {
  apply.in.console.error(
      "Warning: resource " + selected.resource->qualified() + "/" + selected.name + " is missing the " +
      std::string(kLastApplied) + " annotation which is required by orch apply. orch apply should only be "
      "used on resources created declaratively by either orch create --save-config or orch apply. The "
      "missing annotation will be patched automatically.\n");
}

// --force: what cannot be changed is made anew.
Task<void> replace(Apply& apply, const Selected& selected) {
  client::RestRequest request;
  request.method = "DELETE";
  request.target = resource_path(*selected.resource, selected.ns, selected.name);
  co_await apply.in.session.call(std::move(request));
  Condition gone = [](const Value& object) -> Result<bool> { return object.is_null(); };
  co_await wait_until(apply.in, *selected.resource, selected.ns, selected.name, gone, kWaitForever);
  co_await create(apply, selected);
}

Task<void> change(Apply& apply, const Selected& selected, const Value& live) {
  const Resource& resource = *selected.resource;
  const schema::Registry* schemas = co_await apply.in.session.schemas();
  const schema::Kind* kind = schemas->find_kind(resource.group, resource.version, resource.kind);
  auto last = co_await last_configuration(live);
  if (!last) warn_unmanaged(apply, selected);
  ApplyPatch patch = co_await make_apply_patch(kind ? kind->type : nullptr, selected.object, live);
  if (patch.empty()) {
    tell(apply, selected, "unchanged", live);
    co_return;
  }
  if (apply.dry_run == DryRun::client) {
    tell(apply, selected, "configured", live);
    co_return;
  }
  client::RestRequest request;
  request.method = "PATCH";
  request.target = write_target(apply, selected, selected.name);
  request.content_type = patch.media_type;
  request.body = format_json(patch.patch);
  auto patched = co_await apply.in.session.call_json(std::move(request)).result();
  if (!patched.ok()) {
    const bool may_replace = patched.error().is(Code::invalid) || patched.error().is(Code::conflict);
    if (may_replace && apply.in.on("force") && apply.dry_run == DryRun::none) {
      co_await replace(apply, selected);
      co_return;
    }
    co_await fail(with_source(std::move(patched).error(), "applying patch to", selected));
  }
  const bool same = patched.value()["metadata"]["resourceVersion"] == live["metadata"]["resourceVersion"];
  tell(apply, selected, same && apply.dry_run == DryRun::none ? "unchanged" : "configured", patched.value());
}

Task<void> apply_by_server(Apply& apply, const Selected& selected) {
  client::RestRequest request;
  request.method = "PATCH";
  request.target = write_target(apply, selected, selected.name);
  request.content_type = "application/apply-patch+yaml";
  request.body = format_json(selected.object);
  auto applied = co_await apply.in.session.call_json(std::move(request)).result();
  if (!applied.ok()) co_await fail(with_source(std::move(applied).error(), "applying", selected));
  tell(apply, selected, "serverside-applied", applied.value());
}

Task<void> apply_one(Apply& apply, Manifest manifest) {
  Selected selected = co_await select_manifest(apply.in, std::move(manifest));
  if (selected.name.empty()) {
    co_await fail(failure("from " + selected.source + ": metadata.name is not set" +
                          (selected.object["metadata"].has("generateName")
                               ? "; cannot use generate name with apply" : "")));
  }
  if (apply.in.on("server-side")) {
    co_await apply_by_server(apply, selected);
    co_return;
  }
  auto live = co_await read_object(apply.in, selected).result();
  if (live.ok()) {
    co_await change(apply, selected, live.value());
  } else if (live.error().is(Code::not_found)) {
    co_await create(apply, selected);
  } else {
    co_await fail(with_source(std::move(live).error(), "retrieving current configuration of", selected));
  }
}

Task<int> run_apply(Invocation& in) {
  if (!in.arguments.given("filename")) {
    co_await fail(usage_error("must specify one of -f and -k"));
  }
  if (!in.words().empty()) {
    co_await fail(usage_error("Unexpected args: " + join(in.words(), " ")));
  }
  ObjectPrinter::Options options;
  options.managed_fields = in.on("show-managed-fields");
  ObjectPrinter printer = co_await ObjectPrinter::make(in.console, in.text("output"), options);
  Apply apply{in, std::move(printer), DryRun::none, "", {}, false};
  apply.dry_run = co_await dry_run_of(in.arguments);
  apply.validation = co_await field_validation_of(in.arguments);
  if (in.on("server-side") && apply.dry_run == DryRun::client) {
    co_await fail(usage_error("--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)"));
  }
  auto texts = co_await read_manifest_texts(in);
  std::vector<Manifest> manifests;
  for (const ManifestText& text : texts) {
    auto some = co_await parse_manifests(text, apply.validation == "Strict");
    for (Manifest& manifest : some) manifests.push_back(std::move(manifest));
  }
  if (manifests.empty()) co_await fail(failure("no objects passed to apply"));
  // One that fails does not keep the others from being applied.
  for (Manifest& manifest : manifests) {
    auto done = co_await apply_one(apply, std::move(manifest)).result();
    if (done.ok()) continue;
    if (done.error().is(Code::closed)) co_await fail(std::move(done).error());
    apply.failed = true;
    in.console.error(format_error(done.error()));
  }
  if (!apply.results.empty()) {
    std::string text = co_await apply.printer.print_all(apply.results, apply.results.size() > 1);
    in.console.out(text);
  }
  co_return apply.failed ? 1 : 0;
}

Task<int> run_view_last_applied(Invocation& in) {
  std::string format = in.arguments.given("output") ? in.text("output") : "yaml";
  ObjectPrinter::Options options;
  ObjectPrinter printer = co_await ObjectPrinter::make(in.console, format, options);
  auto all = co_await select_objects(in, in.words());
  for (const Selected& selected : all) {
    Value live = co_await read_object(in, selected);
    auto last = co_await last_configuration(live);
    if (!last) {
      co_await fail(failure("no last-applied-configuration annotation found on resource: " + selected.name));
    }
    std::string text = co_await printer.print(*last, selected.resource->type_name());
    in.console.out(text);
  }
  co_return 0;
}

}  // namespace

std::vector<Verb> apply_verbs() {
  Flags own = {{"server-side", 0, FlagType::boolean, "false", "the server merges, and keeps who owns what"},
               {"force-conflicts", 0, FlagType::boolean, "false", "take fields that others own"},
               {"force", 0, FlagType::boolean, "false", "delete and create anew what cannot be changed"},
               {"field-manager", 0, FlagType::text, "", "who owns the fields that are set"},
               {"overwrite", 0, FlagType::boolean, "true", "accepted; the manifest always wins"},
               {"wait", 0, FlagType::boolean, "false", "accepted"},
               {"openapi-patch", 0, FlagType::boolean, "true", "accepted"},
               flags::validate()};
  return {Verb{"apply", "-f FILE", "Bring objects to what manifests say",
               flags::join({own, flags::files(), flags::output(), flags::dry_run()}), run_apply},
          Verb{"apply view-last-applied", "TYPE NAME | -f FILE", "Show what was applied last",
               flags::join({flags::files(), flags::output(), flags::selection()}), run_view_last_applied}};
}

}  // namespace orch::cli
