// check: what this kernel and host can and cannot do.

#include "cli/verbs.h"
#include "data/json.h"
#include "linux/host_facts.h"
#include "plan/check/host.h"

namespace orch::cli {

using loop::Task;

namespace {

Task<int> run_check(Invocation& in) {
  const std::string output = in.text("output");
  if (!output.empty() && output != "facts") co_await loop::fail(usage_error("--output: only facts can be had"));
  const Value facts = sys::gather_host_facts(in.text("data-dir"));
  const auto findings = plan::check::check_host(facts);
  in.console.out(output == "facts" ? format_json_pretty(facts, 4) + "\n" : plan::check::format_findings(findings));
  co_return plan::check::pods_can_run(findings) ? 0 : 1;
}

}  // namespace

std::vector<Verb> check_verbs() {
  return {{"check", "", "what this kernel and host can and cannot do, each gap with its fix",
           {{"data-dir", 0, FlagType::text, "/var/lib/orch", "where the node keeps its state"},
            {"output", 'o', FlagType::text, "", "facts: what was found out, as JSON"}},
           run_check}};
}

}  // namespace orch::cli
