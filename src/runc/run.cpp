#include "runc/run.h"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "base/text.h"
#include "base/time.h"
#include "data/json.h"
#include "linux/raw.h"
#include "orch/version.h"
#include "runc/command.h"

namespace orch::runc {

namespace {

using Kind = Option::Kind;

constexpr Option kGlobal[] = {
    {"root", 0, Kind::text, "where the state of containers is kept (default /run/orch/runc)"},
    {"log", 0, Kind::text, "file for messages instead of standard error"},
    {"log-format", 0, Kind::text, "text or json"},
    {"debug", 0, Kind::flag, "say more"},
    {"systemd-cgroup", 's', Kind::flag, "cgroup paths are slice:prefix:name"},
    {"cgroup-manager", 0, Kind::text, "cgroupfs, systemd (paths as with --systemd-cgroup) or disabled"},
    {"rootless", 0, Kind::text, "accepted and not used"},
    {"criu", 0, Kind::text, "accepted and not used"},
    {"help", 'h', Kind::flag, "this text"},
    {"version", 'v', Kind::flag, "the version"},
};

constexpr Option kHelp[] = {{"help", 'h', Kind::flag, "this text"}};

// Messages where --log wants them, in logrus' forms, which podman and containerd read.
class Log {
 public:
  Log(std::string path, bool json) : path_(std::move(path)), json_(json) {}
  void error(const std::string& message) const {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    const std::string time = format_time(Instant{std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()});
    std::string line;
    if (json_) {
      line = format_json(Value::object({{"level", "error"}, {"msg", message}, {"time", time}})) + "\n";
    } else {
      line = "time=" + quote(time) + " level=error msg=" + quote(message) + "\n";
    }
    if (path_.empty()) {
      sys::write_all(STDERR_FILENO, line);
      return;
    }
    sys::Fd file(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    if (file.ok()) sys::write_all(file.get(), line);
    sys::write_all(STDERR_FILENO, message + "\n");
  }

 private:
  std::string path_;
  bool json_;
};

std::vector<const Command*> commands() {
  std::vector<const Command*> all;
  for (auto group : {life_commands(), control_commands(), show_commands()}) {
    for (const Command& command : group) all.push_back(&command);
  }
  return all;
}

std::string describe(std::span<const Option> options) {
  std::string text;
  for (const Option& option : options) {
    std::string name = "--" + std::string(option.name);
    if (option.shorthand) name += std::string(", -") + option.shorthand;
    if (option.kind != Kind::flag) name += " VALUE";
    if (name.size() < 28) name.resize(28, ' ');
    text += "  " + name + " " + std::string(option.help) + "\n";
  }
  return text;
}

std::string general_help() {
  std::string text = "orch runc: an OCI runtime with runc's command line.\n\nUsage:\n  orch runc [flags] COMMAND [flags] ID\n\nCommands:\n";
  for (const Command* command : commands()) {
    std::string name(command->name);
    name.resize(10, ' ');
    text += "  " + name + std::string(command->summary) + "\n";
  }
  return text + "\nFlags:\n" + describe(kGlobal);
}

std::string command_help(const Command& command) {
  return std::string(command.summary) + "\n\nUsage:\n  orch runc " + std::string(command.name) + " " +
         std::string(command.usage) + "\n\nFlags:\n" + describe(command.options);
}

int print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  return 0;
}

Context context_of(const Options& options) {
  Context context;
  context.root = options.text("root", context.root);
  const std::string manager = options.text("cgroup-manager");
  context.systemd_cgroup = options.on("systemd-cgroup") || manager == "systemd";
  context.no_cgroup = manager == "disabled";
  return context;
}

int run_command(const Context& context, const Command& command, std::vector<std::string> words, const Log& log) {
  for (const std::string& word : words) {
    if (!word.starts_with('-')) break;
    if (word == "--help" || word == "-h") return print(command_help(command));
  }
  auto options = Options::parse(command.options, words);
  auto code = options.ok() ? command.run(context, *options) : Result<int>(options.error());
  if (code.ok()) return *code;
  log.error(code.error().message());
  // runc exec tells its own failures from the program's exit code that way.
  return command.name == "exec" ? 255 : 1;
}

}  // namespace

int run(const std::vector<std::string>& words) {
  auto global = Options::parse(kGlobal, words);
  if (!global.ok()) {
    Log("", false).error(global.error().message());
    return 1;
  }
  if (global->on("version")) {
    return print("runc version orch-" ORCH_VERSION "\ncommit: " ORCH_GIT_COMMIT "\nspec: 1.2.0\n");
  }
  if (global->on("help") || global->words().empty() || global->words()[0] == "help") return print(general_help());
  const Log log(global->text("log"), global->text("log-format") == "json");
  const std::string& name = global->words()[0];
  for (const Command* command : commands()) {
    if (command->name != name) continue;
    return run_command(context_of(*global), *command, {global->words().begin() + 1, global->words().end()}, log);
  }
  log.error("no such command: " + quote(name) + "; `orch runc --help` lists them");
  return 1;
}

}  // namespace orch::runc
