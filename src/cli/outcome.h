#pragma once
// What a changing verb did to its objects: "deployment.apps/web scaled", or the objects as -o says; and the
// requests that such verbs have in common.

#include <string>
#include <string_view>

#include "cli/object_printer.h"
#include "cli/selection.h"
#include "cli/verb.h"

namespace orch::cli {

class Outcome {
 public:
  // From the verb's -o and --dry-run.
  static Result<Outcome> make(Invocation& in);
  DryRun dry_run() const { return dry_run_; }
  // Prints at once. `what` is "scaled".
  Result<void> tell(const Selected& selected, std::string_view what, const Value& object);
  // An object failed: told on stderr, the others go on; code() is 1 from then on.
  void tell_error(const Error& error);
  int code() const { return failed_ ? 1 : 0; }

 private:
  Outcome(Invocation& in, ObjectPrinter printer, DryRun dry_run)
      : in_(&in), printer_(std::move(printer)), dry_run_(dry_run) {}
  Invocation* in_;
  ObjectPrinter printer_;
  DryRun dry_run_;
  bool failed_ = false;
};

constexpr std::string_view kMergePatch = "application/merge-patch+json";
constexpr std::string_view kStrategicPatch = "application/strategic-merge-patch+json";
constexpr std::string_view kJsonPatch = "application/json-patch+json";

struct PatchRequest {
  std::string_view media_type = kMergePatch;
  Value patch;
  std::string subresource;
  std::string manager = "kubectl";
};
// The patched object. With DryRun::server the server only says what it would be.
loop::Task<Value> send_patch(Invocation& in, const Selected& selected, PatchRequest patch, DryRun dry_run);
// POST. With DryRun::client the object comes back as it is.
loop::Task<Value> send_create(Invocation& in, const Selected& selected, Value object, DryRun dry_run);
// PUT.
loop::Task<Value> send_update(Invocation& in, const Selected& selected, Value object, DryRun dry_run);

}  // namespace orch::cli
