#include "cli/outcome.h"

#include "data/json.h"

namespace orch::cli {

using loop::Task;

Result<Outcome> Outcome::make(Invocation& in) {
  ObjectPrinter::Options options;
  options.managed_fields = in.on("show-managed-fields");
  TRY(ObjectPrinter printer, ObjectPrinter::make(in.console, in.text("output"), options));
  DryRun dry_run = DryRun::none;
  if (in.arguments.has_flag("dry-run")) {
    TRY(dry_run, dry_run_of(in.arguments));
  }
  return Outcome(in, std::move(printer), dry_run);
}

Result<void> Outcome::tell(const Selected& selected, std::string_view what, const Value& object) {
  if (printer_.is_table()) {
    in_->console.out(selected.shown() + " " + std::string(what) + std::string(dry_run_suffix(dry_run_)) +
                     "\n");
    return {};
  }
  TRY(std::string text, printer_.print(object, selected.resource->type_name()));
  in_->console.out(text);
  return {};
}

void Outcome::tell_error(const Error& error) {
  failed_ = true;
  in_->console.error(format_error(error));
}

namespace {

std::string target_of(Invocation& in, const Selected& selected, const std::string& name,
                      const std::string& subresource, const std::string& manager, DryRun dry_run) {
  std::string validation;
  if (in.arguments.has_flag("validate")) {
    auto given = field_validation_of(in.arguments);
    if (given.ok()) validation = given.value();
  }
  return with_query(resource_path(*selected.resource, selected.ns, name, subresource),
                    {{"fieldManager", manager},
                     {"fieldValidation", validation},
                     {"dryRun", dry_run == DryRun::server ? "All" : ""}});
}

std::string manager_of(Invocation& in, const std::string& fallback) {
  if (in.arguments.has_flag("field-manager") && !in.text("field-manager").empty()) {
    return in.text("field-manager");
  }
  return fallback;
}

}  // namespace

Task<Value> send_patch(Invocation& in, const Selected& selected, PatchRequest patch, DryRun dry_run) {
  client::RestRequest request;
  request.method = "PATCH";
  request.target = target_of(in, selected, selected.name, patch.subresource,
                             manager_of(in, patch.manager), dry_run);
  request.content_type = patch.media_type;
  request.body = format_json(patch.patch);
  Value object = co_await in.session.call_json(std::move(request));
  co_return std::move(object);
}

Task<Value> send_create(Invocation& in, const Selected& selected, Value object, DryRun dry_run) {
  if (dry_run == DryRun::client) co_return std::move(object);
  client::RestRequest request;
  request.method = "POST";
  request.target = target_of(in, selected, "", "", manager_of(in, "kubectl-create"), dry_run);
  request.content_type = "application/json";
  request.body = format_json(object);
  Value created = co_await in.session.call_json(std::move(request));
  co_return std::move(created);
}

Task<Value> send_update(Invocation& in, const Selected& selected, Value object, DryRun dry_run) {
  if (dry_run == DryRun::client) co_return std::move(object);
  client::RestRequest request;
  request.method = "PUT";
  request.target = target_of(in, selected, selected.name, "", manager_of(in, "kubectl-replace"), dry_run);
  request.content_type = "application/json";
  request.body = format_json(object);
  Value updated = co_await in.session.call_json(std::move(request));
  co_return std::move(updated);
}

}  // namespace orch::cli
