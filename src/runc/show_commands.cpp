// state, list, ps, events, spec, features.

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>

#include "base/text.h"
#include "data/json.h"
#include "linux/raw.h"
#include "loop/files.h"
#include "runc/container.h"
#include "runc/documents.h"

namespace orch::runc {

namespace {

using Kind = Option::Kind;

void print(const std::string& text) { std::fputs(text.c_str(), stdout); }

// --- state, list ------------------------------------------------------------------------

Result<int> run_state(const Context& context, const Options& options) {
  TRY(const std::string id, options.id());
  TRY(const Container container, load_container(context, id));
  print(format_json_pretty(state_value(container, status_of(container)), 2) + "\n");
  return 0;
}

constexpr Option kList[] = {
    {"format", 'f', Kind::text, "table or json"},
    {"quiet", 'q', Kind::flag, "ids only"},
};

void print_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line += std::string(std::max<size_t>(widths[i], 9) + 3 - row[i].size(), ' ');
    }
    print(line + "\n");
  }
}

Result<int> run_list(const Context& context, const Options& options) {
  TRY(const std::vector<Container> containers, load_all(context));
  if (options.on("quiet")) {
    for (const Container& container : containers) print(container.id + "\n");
    return 0;
  }
  const std::string format = options.text("format", "table");
  if (format == "json") {
    std::vector<Value> states;
    for (const Container& container : containers) states.push_back(state_value(container, status_of(container)));
    // As runc: null where there is none.
    print((states.empty() ? "null" : format_json(Value::list(std::move(states)))) + "\n");
    return 0;
  }
  if (format != "table") return Error::make(Code::usage, "invalid format option");
  std::vector<std::vector<std::string>> rows = {{"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"}};
  for (const Container& container : containers) {
    const Status status = status_of(container);
    rows.push_back({container.id, std::to_string(status == Status::stopped ? 0 : container.pid), std::string(status_name(status)),
                    container.bundle, format_micro_time(container.created), "root"});
  }
  print_table(rows);
  return 0;
}

// --- ps -----------------------------------------------------------------------------------

constexpr Option kPs[] = {{"format", 'f', Kind::text, "table or json"}};

Result<std::string> output_of_ps(std::vector<std::string> arguments) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Error::from_errno(errno, "pipe");
  sys::Fd read_end(ends[0]), write_end(ends[1]);
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) return Error::from_errno(errno, "fork");
  if (pid == 0) {
    ::dup2(write_end.get(), 1);
    ::execvp(pointers[0], pointers.data());
    ::_exit(127);
  }
  write_end.reset();
  std::string text;
  char buffer[8192];
  for (ssize_t n; (n = ::read(read_end.get(), buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<size_t>(n));
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
    return Error::make(Code::unavailable, "there is no ps here; install procps, or use --format json");
  }
  return text;
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  for (std::string_view word : split(line, ' ')) {
    if (!word.empty()) words.push_back(word);
  }
  return words;
}

Result<int> run_ps(const Context& context, const Options& options) {
  TRY(const std::string id, options.id());
  TRY(const Container container, load_container(context, id));
  // `ps ID --format json` is how many write it.
  TRY(const Options behind, Options::parse(kPs, std::span(options.words()).subspan(1)));
  const std::string format = behind.text("format", options.text("format", "table"));
  const std::vector<pid_t> pids = processes_of(container);
  if (format == "json") {
    std::vector<Value> numbers;
    for (pid_t pid : pids) numbers.emplace_back(int64_t{pid});
    print(format_json(Value::list(std::move(numbers))) + "\n");
    return 0;
  }
  std::vector<std::string> arguments = {"ps"};
  arguments.insert(arguments.end(), behind.words().begin(), behind.words().end());
  if (arguments.size() == 1) arguments.emplace_back("-ef");
  TRY(const std::string text, output_of_ps(std::move(arguments)));
  const auto lines = split(text, '\n');
  const auto header = words_of(lines[0]);
  const auto column = std::ranges::find(header, "PID");
  if (column == header.end()) return Error::make(Code::invalid, "couldn't find PID field in ps output");
  const auto index = static_cast<size_t>(column - header.begin());
  print(std::string(lines[0]) + "\n");
  for (std::string_view line : std::span(lines).subspan(1)) {
    const auto words = words_of(line);
    if (index >= words.size()) continue;
    const auto pid = parse_int(words[index]);
    if (pid && std::ranges::find(pids, static_cast<pid_t>(*pid)) != pids.end()) print(std::string(line) + "\n");
  }
  return 0;
}

// --- events -------------------------------------------------------------------------------

constexpr Option kEvents[] = {
    {"stats", 0, Kind::flag, "once, and end"},
    {"interval", 0, Kind::text, "seconds between two (5)"},
};

Value number_in(const std::string& path) {
  auto text = loop::read_file_now(path);
  if (!text.ok()) return Value();
  if (trim(*text) == "max") return int64_t{INT64_MAX};
  if (auto number = parse_int(trim(*text))) return *number;
  return Value();
}

// "usage_usec 17\n...": an object, times in nanoseconds where `scale` is 1000.
int64_t keyed(const std::string& text, std::string_view key, int64_t scale = 1) {
  for (std::string_view line : split(text, '\n')) {
    auto pair = split_once(line, ' ');
    if (pair && pair->first == key) return parse_int(pair->second).value_or(0) * scale;
  }
  return 0;
}

// runc's "stats" event, as far as cgroup v2 has the figures.
Value stats_of(const Container& container) {
  const std::string& cgroup = container.cgroup;
  const std::string cpu = loop::read_file_now(cgroup + "/cpu.stat").value_or("");
  const Value usage = Value::object({{"total", keyed(cpu, "usage_usec", 1000)},
                                     {"kernel", keyed(cpu, "system_usec", 1000)},
                                     {"user", keyed(cpu, "user_usec", 1000)}});
  const Value throttling = Value::object({{"periods", keyed(cpu, "nr_periods")},
                                          {"throttledPeriods", keyed(cpu, "nr_throttled")},
                                          {"throttledTime", keyed(cpu, "throttled_usec", 1000)}});
  ObjectBuilder memory, pids;
  memory.set_if("usage", number_in(cgroup + "/memory.current")).set_if("limit", number_in(cgroup + "/memory.max")).set_if("max", number_in(cgroup + "/memory.peak"));
  pids.set_if("current", number_in(cgroup + "/pids.current")).set_if("limit", number_in(cgroup + "/pids.max"));
  const Value data = Value::object({{"cpu", Value::object({{"usage", usage}, {"throttling", throttling}})},
                                    {"memory", Value::object({{"usage", std::move(memory).build()}})},
                                    {"pids", std::move(pids).build()}});
  return Value::object({{"type", "stats"}, {"id", container.id}, {"data", data}});
}

Result<int> run_events(const Context& context, const Options& options) {
  TRY(const std::string id, options.id());
  TRY(const Container container, load_container(context, id));
  if (container.cgroup.empty()) return Error::make(Code::unavailable, "the container has no cgroup: there are no figures");
  const auto seconds = parse_uint(options.text("interval", "5"));
  if (!seconds || *seconds == 0) return Error::make(Code::usage, "duration interval must be greater than 0");
  for (;;) {
    if (status_of(container) == Status::stopped) return options.on("stats") ? Result<int>(Error::make(Code::conflict, "container with id " + id + " is not running")) : Result<int>(0);
    print(format_json(stats_of(container)) + "\n");
    std::fflush(stdout);
    if (options.on("stats")) return 0;
    const timespec pause{static_cast<time_t>(*seconds), 0};
    ::nanosleep(&pause, nullptr);
  }
}

// --- spec, features -------------------------------------------------------------------------

constexpr Option kSpec[] = {
    {"bundle", 'b', Kind::text, "the bundle's directory (default: the current one)"},
    {"rootless", 0, Kind::flag, "for a container in a user namespace of the caller's"},
};

Result<int> run_spec(const Context&, const Options& options) {
  const std::string path = options.text("bundle", ".") + "/config.json";
  if (::access(path.c_str(), F_OK) == 0) return Error::make(Code::already_exists, "File config.json exists. Remove it first");
  Value config = default_config();
  if (options.on("rootless")) config = rootless_config(config, ::getuid(), ::getgid());
  TRY_VOID(loop::write_file_atomic_now(path, format_json_pretty(config, 4) + "\n", 0666));
  return 0;
}

Result<int> run_features(const Context&, const Options&) {
  print(format_json_pretty(features(), 2) + "\n");
  return 0;
}

constexpr Command kCommands[] = {
    {"state", "ID", "shows a container's state as JSON", {}, run_state},
    {"list", "", "shows all containers", kList, run_list},
    {"ps", "ID [PS OPTION]...", "shows the processes of a container", kPs, run_ps},
    {"events", "ID", "shows figures of a container", kEvents, run_events},
    {"spec", "", "writes a config.json to start from", kSpec, run_spec},
    {"features", "", "shows what this runtime can do as JSON", {}, run_features},
};

}  // namespace

std::span<const Command> show_commands() { return kCommands; }

}  // namespace orch::runc
