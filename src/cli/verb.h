#pragma once
// A verb: one row of the table in run.cpp. docs: README.md says how to add one.

#include <string>
#include <string_view>
#include <vector>

#include "cli/arguments.h"
#include "cli/console.h"
#include "cli/session.h"
#include "loop/task.h"

namespace orch::cli {

// What a verb works with. Lives until its task has ended.
struct Invocation {
  Arguments arguments;
  Console& console;
  Session& session;

  std::string text(std::string_view flag) const { return arguments.text(flag); }
  bool on(std::string_view flag) const { return arguments.on(flag); }
  const std::vector<std::string>& words() const { return arguments.words(); }
};

struct Verb {
  std::string_view name;     // "get", or two words: "rollout status"
  std::string_view usage;    // what follows the name
  std::string_view summary;  // one line
  Flags flags;               // besides the global ones
  // The exit code; an error is printed by the caller (console.h, format_error).
  loop::Task<int> (*run)(Invocation&);
};

// Flags that several verbs share.
namespace flags {
Flags join(std::initializer_list<Flags> parts);
Flags files();       // -f, -R, --substitute
Flags output();      // -o, --show-managed-fields, --allow-missing-template-keys
Flags selection();   // -l, --field-selector, --all
Flags all_namespaces();
Flags dry_run();
Flags field_manager(std::string_view fallback);
Flag validate();
}  // namespace flags

// --dry-run's value: "none", "client", "server". Errors: Code::usage.
enum class DryRun : uint8_t { none, client, server };
Result<DryRun> dry_run_of(const Arguments& arguments);
std::string_view dry_run_suffix(DryRun dry_run);  // "", " (dry run)", " (server dry run)"
// --validate's: "Strict", "Warn", "Ignore".
Result<std::string> field_validation_of(const Arguments& arguments);

inline Error usage_error(std::string message) { return Error::make(Code::usage, std::move(message)); }

}  // namespace orch::cli
