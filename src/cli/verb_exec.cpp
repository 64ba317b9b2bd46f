// exec, attach: a program in a container, connected to this terminal.

#include "base/text.h"
#include "base/time.h"
#include "cli/remote.h"
#include "cli/terminal.h"
#include "cli/verbs.h"

namespace orch::cli {

using loop::fail;
using loop::Task;

namespace {

bool use_terminal(Invocation& in) {
  if (!in.on("tty") || !in.on("stdin")) return false;
  Terminal* terminal = in.console.terminal();
  if (terminal && terminal->is_terminal()) return true;
  in.console.error("Unable to use a TTY - input is not a terminal or the right kind of file\n");
  return false;
}

Task<int> run_exec(Invocation& in) {
  std::vector<std::string> words = in.words();
  size_t before_dash = in.arguments.dash().value_or(words.size());
  if (before_dash == 0) co_await fail(usage_error("pod, type/name or --filename must be specified"));
  if (before_dash > 1) {
    co_await fail(failure("exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] instead"));
  }
  if (words.size() == before_dash) co_await fail(usage_error("you must specify at least one command for the container"));
  ChosenPod chosen = co_await choose_pod(in, words[0]);
  std::string phase(chosen.pod["status"]["phase"].as_string());
  if (phase == "Succeeded" || phase == "Failed") {
    co_await fail(failure("cannot exec into a container in a completed pod; current phase is " + phase));
  }
  RemoteOptions options;
  options.pod = chosen.pod;
  options.container = co_await choose_container(in.console, chosen.pod, in.text("container"), in.on("quiet"));
  options.command.assign(words.begin() + 1, words.end());
  options.input = in.on("stdin");
  options.terminal = use_terminal(in);
  options.error = !options.terminal;
  int code = co_await run_remote(in, std::move(options));
  if (code != 0) in.console.error("command terminated with exit code " + std::to_string(code) + "\n");
  co_return code;
}

Task<int> run_attach(Invocation& in) {
  if (in.words().size() != 1) co_await fail(usage_error("at least 1 argument is required for attach"));
  ChosenPod chosen = co_await choose_pod(in, in.words()[0]);
  std::string phase(chosen.pod["status"]["phase"].as_string());
  if (phase == "Succeeded" || phase == "Failed") {
    co_await fail(failure("cannot attach a container in a completed pod; current phase is " + phase));
  }
  Duration limit = co_await parse_duration(in.text("pod-running-timeout"));
  RemoteOptions options;
  options.pod = co_await wait_for_running(in, chosen.pod, limit);
  options.container = co_await choose_container(in.console, options.pod, in.text("container"), in.on("quiet"));
  options.subresource = "attach";
  const Value& container = container_of(options.pod, options.container);
  options.input = in.on("stdin");
  options.terminal = use_terminal(in);
  if (options.terminal && !container["tty"].as_bool()) {
    options.terminal = false;
    if (!in.on("quiet")) {
      in.console.error("error: Unable to use a TTY - container " + options.container + " did not allocate one\n");
    }
  }
  if (!in.on("stdin") && container["tty"].as_bool()) options.terminal = false;
  options.error = !container["tty"].as_bool();
  if (!in.on("quiet")) in.console.error("If you don't see a command prompt, try pressing enter.\n");
  int code = co_await run_remote(in, std::move(options));
  co_return code;
}

Flags stream_flags() {
  return {{"container", 'c', FlagType::text, "", "the container"},
          {"stdin", 'i', FlagType::boolean, "false", "pass standard input on"},
          {"tty", 't', FlagType::boolean, "false", "a terminal; with -i"},
          {"quiet", 'q', FlagType::boolean, "false", "only what the program says"},
          {"pod-running-timeout", 0, FlagType::text, "1m0s", "how long to wait until the pod runs"}};
}

}  // namespace

std::vector<Verb> exec_verbs() {
  return {Verb{"exec", "(POD | TYPE/NAME) [-c CONTAINER] [flags] -- COMMAND [args...]", "Run a command in a container",
               stream_flags(), run_exec},
          Verb{"attach", "(POD | TYPE/NAME) -c CONTAINER", "Connect to a container's program", stream_flags(), run_attach}};
}

}  // namespace orch::cli
