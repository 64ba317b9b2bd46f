// The program's entry: the roles (server, agent) and the OCI runtime; everything else is a verb of the user's.

#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "cli/run.h"
#include "cmd/options.h"
#include "cmd/server_role.h"
#include "runc/run.h"

namespace {

int server_main(const std::vector<std::string>& arguments) {
  auto options = orch::cmd::parse_server_options(arguments);
  if (!options.ok()) {
    std::fprintf(stderr, "orch server: %s\n", options.error().message().c_str());
    return orch::code_info(options.error().code()).exit_code;
  }
  if (options->show_help) {
    std::fputs(options->help.c_str(), stdout);
    return 0;
  }
  return orch::cmd::run_server(*options);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> arguments(argv + (argc > 1 ? 2 : 1), argv + argc);
  std::string_view verb = argc > 1 ? argv[1] : "";
  if (verb == "server") return server_main(arguments);
  if (verb == "runc") return orch::runc::run(arguments);
  // A symbolic link for who wants a program of that name.
  const std::string_view name = argc > 0 ? argv[0] : "";
  if (name.ends_with("orch-runc")) return orch::runc::run({argv + 1, argv + argc});
  return orch::cli::run(argc, argv);
}
