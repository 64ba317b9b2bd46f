// edit: the user's editor on an object, then what was changed as a patch.

#include "base/text.h"
#include "cli/outcome.h"
#include "cli/verbs.h"
#include "data/json.h"
#include "data/patch.h"
#include "data/yaml.h"
#include "schema/make_strategic_merge.h"

namespace orch::cli {

using loop::fail;
using loop::Task;

namespace {

constexpr std::string_view kHeader =
    "# Please edit the object below. Lines beginning with a '#' will be ignored,\n"
    "# and an empty file will abort the edit. If an error occurs while saving this file will be\n"
    "# reopened with the relevant failures.\n#\n";

std::string editor_of(const Console& console) {
  for (std::string_view name : {"KUBE_EDITOR", "EDITOR"}) {
    if (auto value = console.variable(name); value && !value->empty()) return *value;
  }
  return "vi";
}

Result<PatchRequest> patch_between(const schema::Type* type, const Value& before, const Value& after) {
  PatchRequest request;
  request.manager = "kubectl-edit";
  if (!type) {
    request.patch = make_merge_patch(before, after);
    return request;
  }
  TRY(request.patch, schema::make_two_way_merge(*type, before, after));
  request.media_type = kStrategicPatch;
  return request;
}

Task<void> edit_one(Invocation& in, const Selected& selected, Outcome& outcome) {
  Value object = co_await read_object(in, selected);
  Value before = object.with("metadata", object["metadata"].without("managedFields"));
  std::string temporary = in.console.variable("TMPDIR").value_or("/tmp") + "/orch-edit-" +
                          std::string(object["metadata"]["uid"].as_string()) + ".yaml";
  const std::string shown = in.text("output") == "json" ? format_json_pretty(before, 4) + "\n"
                                                        : format_yaml(before);
  co_await in.console.write_file(temporary, std::string(kHeader) + shown);
  int code = co_await in.console.run_editor(editor_of(in.console), temporary);
  if (code != 0) co_await fail(failure("there was a problem with the editor " + quote(editor_of(in.console))));
  std::string text = co_await in.console.read_file(temporary);
  auto edited = parse_yaml_document(text);
  if (!edited.ok()) {
    co_await fail(failure("the edited file was invalid: " + edited.error().message() +
                          "; it is kept as " + temporary));
  }
  if (edited.value().is_null() || edited.value() == before) {
    in.console.out("Edit cancelled, no changes made.\n");
    co_return;
  }
  const schema::Registry* schemas = co_await in.session.schemas();
  const Resource& resource = *selected.resource;
  const schema::Kind* kind = schemas->find_kind(resource.group, resource.version, resource.kind);
  PatchRequest patch = co_await patch_between(kind ? kind->type : nullptr, before, edited.value());
  auto after = co_await send_patch(in, selected, std::move(patch), outcome.dry_run()).result();
  if (!after.ok()) {
    in.console.error("A copy of your changes has been stored to " + quote(temporary) + "\n");
    co_await fail(std::move(after).error());
  }
  co_await outcome.tell(selected, "edited", after.value());
}

Task<int> run_edit(Invocation& in) {
  auto all = co_await select_objects(in, in.words());
  Outcome outcome = co_await Outcome::make(in);
  for (const Selected& selected : all) {
    auto done = co_await edit_one(in, selected, outcome).result();
    if (!done.ok()) outcome.tell_error(done.error());
  }
  co_return outcome.code();
}

}  // namespace

std::vector<Verb> edit_verbs() {
  return {Verb{"edit", "TYPE NAME", "Edit objects in your editor",
               flags::join({flags::files(), flags::output(), flags::selection(), flags::field_manager("")}),
               run_edit}};
}

}  // namespace orch::cli
