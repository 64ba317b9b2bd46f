#include "cli/verb.h"

#include "base/text.h"

namespace orch::cli {

namespace flags {

Flags join(std::initializer_list<Flags> parts) {
  Flags all;
  for (const Flags& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

Flags files() {
  return {{"filename", 'f', FlagType::list, "", "files, directories, URLs or - for standard input"},
          {"recursive", 'R', FlagType::boolean, "false", "directories with all below them"},
          {"kustomize", 'k', FlagType::text, "", "not supported"},
          {"substitute", 0, FlagType::boolean, "false", "fill ${NAME} in manifests from the environment"}};
}

Flags output() {
  return {{"output", 'o', FlagType::text, "",
           "wide, json, yaml, name, jsonpath=..., custom-columns=..., or -file of the last two"},
          {"show-managed-fields", 0, FlagType::boolean, "false", "keep managedFields in the output"},
          {"template", 0, FlagType::text, "", "the template of -o jsonpath"},
          {"allow-missing-template-keys", 0, FlagType::boolean, "true", "a missing field is no error"}};
}

Flags selection() {
  return {{"selector", 'l', FlagType::text, "", "label query, such as a=b,c!=d"},
          {"field-selector", 0, FlagType::text, "", "field query, such as status.phase=Running"},
          {"all", 0, FlagType::boolean, "false", "all of the type in the namespace"}};
}

Flags all_namespaces() {
  return {{"all-namespaces", 'A', FlagType::boolean, "false", "in all namespaces"}};
}

Flags dry_run() {
  return {{"dry-run", 0, FlagType::text, "none", "none, client or server", "unchanged"}};
}

Flags field_manager(std::string_view fallback) {
  return {{"field-manager", 0, FlagType::text, fallback, "who owns the fields that are set"}};
}

Flag validate() {
  return {"validate", 0, FlagType::text, "strict", "strict, warn or ignore unknown fields", "strict"};
}

}  // namespace flags

Result<DryRun> dry_run_of(const Arguments& arguments) {
  std::string text = arguments.text("dry-run");
  if (text == "none" || text == "false") return DryRun::none;
  if (text == "client" || text == "unchanged" || text == "true") return DryRun::client;
  if (text == "server") return DryRun::server;
  return usage_error("Invalid dry-run value (" + text + "). Must be \"none\", \"server\", or \"client\".");
}

std::string_view dry_run_suffix(DryRun dry_run) {
  if (dry_run == DryRun::client) return " (dry run)";
  if (dry_run == DryRun::server) return " (server dry run)";
  return "";
}

Result<std::string> field_validation_of(const Arguments& arguments) {
  std::string text = to_lower(arguments.text("validate"));
  if (text == "strict" || text == "true" || text.empty()) return std::string("Strict");
  if (text == "warn") return std::string("Warn");
  if (text == "ignore" || text == "false") return std::string("Ignore");
  return usage_error("invalid - validate option " + quote(text) + "; must be one of strict/warn/ignore");
}

}  // namespace orch::cli
