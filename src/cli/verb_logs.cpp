// logs: what containers have written.

#include <algorithm>

#include "base/text.h"
#include "base/time.h"
#include "cli/pods.h"
#include "cli/verbs.h"
#include "loop/scope.h"

namespace orch::cli {

using loop::fail;
using loop::Task;

namespace {

// One container's log.
struct Source {
  Value pod;
  std::string container;
  std::string prefix;  // of each line
};

Result<std::string> log_query(Invocation& in, const Source& source) {
  std::vector<std::pair<std::string, std::string>> query;
  query.emplace_back("container", source.container);
  for (auto [flag, key] : {std::pair{"follow", "follow"}, {"previous", "previous"}, {"timestamps", "timestamps"},
                           {"insecure-skip-tls-verify-backend", "insecureSkipTLSVerifyBackend"}}) {
    if (in.on(flag)) query.emplace_back(key, "true");
  }
  if (!in.text("since").empty() && in.text("since") != "0s") {
    TRY(Duration since, parse_duration(in.text("since")));
    // Whole seconds, rounded up: nothing that was asked for is left out.
    query.emplace_back("sinceSeconds", std::to_string((since + 1s - 1ns) / 1s));
  }
  query.emplace_back("sinceTime", in.text("since-time"));
  int64_t tail = in.arguments.integer("tail");
  if (!in.arguments.given("tail") && !in.text("selector").empty()) tail = 10;
  if (tail >= 0) query.emplace_back("tailLines", std::to_string(tail));
  int64_t limit = in.arguments.integer("limit-bytes");
  if (limit > 0) query.emplace_back("limitBytes", std::to_string(limit));
  return client::format_query(query);
}

Result<void> check_flags(Invocation& in) {
  if (in.words().empty() && in.text("selector").empty()) {
    return usage_error("expected 'logs [-f] [-p] (POD | TYPE/NAME) [-c CONTAINER]'.\nPOD or TYPE/NAME is a required argument for the logs command");
  }
  if (!in.words().empty() && !in.text("selector").empty()) return failure("only a selector (-l) or a POD name is allowed");
  if (in.words().size() > 2) return usage_error("'logs (POD | TYPE/NAME) [CONTAINER_NAME]'.\nexpected one or two words");
  bool named = !in.text("container").empty() || in.words().size() == 2;
  if (in.on("all-containers") && named) return failure("--all-containers=true should not be specified with container name " +
                                                        (in.words().size() == 2 ? in.words()[1] : in.text("container")));
  if (in.words().size() == 2 && !in.text("container").empty()) {
    return usage_error("only one of -c or an inline [CONTAINER] arg is allowed");
  }
  if (!in.text("since-time").empty() && in.arguments.given("since")) {
    return failure("at most one of `sinceTime` or `sinceSeconds` may be specified");
  }
  if (in.arguments.given("tail") && in.arguments.integer("tail") < -1) return failure("--tail must be greater than or equal to -1");
  return {};
}

Result<std::vector<Source>> sources_of(Invocation& in, const std::vector<Value>& pods) {
  std::vector<Source> sources;
  for (const Value& pod : pods) {
    std::vector<std::string> names;
    std::string asked = in.words().size() == 2 ? in.words()[1] : in.text("container");
    if (in.on("all-containers")) {
      names = all_containers(pod);
    } else if (!asked.empty()) {
      if (container_of(pod, asked).is_null()) {
        return failure("container " + asked + " is not valid for pod " + std::string(pod["metadata"]["name"].as_string()));
      }
      names = {asked};
    } else {
      TRY(std::string name, choose_container(in.console, pod, "", false));
      names = {name};
    }
    for (std::string& name : names) {
      Source source{pod, std::move(name), ""};
      if (in.on("prefix")) {
        source.prefix = "[pod/" + std::string(pod["metadata"]["name"].as_string()) + "/" + source.container + "] ";
      }
      sources.push_back(std::move(source));
    }
  }
  return sources;
}

// Puts a prefix in front of each line, and gives out whole lines only, so that several logs do not mix.
class LinePrinter {
 public:
  LinePrinter(Console& console, std::string prefix, bool whole_lines)
      : console_(console), prefix_(std::move(prefix)), whole_lines_(whole_lines || !prefix_.empty()) {}
  ~LinePrinter() { flush_rest(); }
  void print(std::string_view bytes) {
    if (!whole_lines_) return console_.out(bytes);
    rest_ += bytes;
    std::string lines;
    size_t at = 0;
    for (size_t end; (end = rest_.find('\n', at)) != std::string::npos; at = end + 1) {
      lines += prefix_ + rest_.substr(at, end + 1 - at);
    }
    rest_.erase(0, at);
    if (!lines.empty()) console_.out(lines);
  }

 private:
  void flush_rest() {
    if (!rest_.empty()) console_.out(prefix_ + rest_);
  }
  Console& console_;
  std::string prefix_;
  bool whole_lines_;
  std::string rest_;
};

Task<void> print_log(Invocation& in, Source source, bool whole_lines) {
  client::RestRequest request;
  std::string query = co_await log_query(in, source);
  request.target = pod_path(source.pod, "log") + "?" + query;
  request.accept = "*/*";
  client::RestClient* client = co_await in.session.client();
  auto reply = co_await client->open(std::move(request));
  if (reply->status() != 200) {
    std::string body = co_await client::read_body(*reply, 1 << 20);
    co_await fail(client::reply_error(reply->status(), body));
  }
  LinePrinter printer(in.console, source.prefix, whole_lines);
  while (true) {
    std::string some = co_await reply->read();
    if (some.empty()) co_return;
    printer.print(some);
  }
}

struct Outcome {
  std::optional<Error> error;
};

Task<void> print_into(Invocation& in, Source source, Outcome& outcome, loop::Event& failed) {
  auto printed = co_await print_log(in, std::move(source), true).result();
  if (printed.ok()) co_return;
  if (in.on("ignore-errors")) {
    in.console.error(format_error(printed.error()));
    co_return;
  }
  if (!outcome.error) outcome.error = printed.error();
  failed.set();
}

Task<void> join_into(loop::Scope& scope, loop::Event& done) {
  co_await scope.join();
  done.set();
}

Task<void> print_all(Invocation& in, std::vector<Source> sources) {
  if (!in.on("follow") || sources.size() == 1) {
    for (Source& source : sources) {
      auto printed = co_await print_log(in, std::move(source), false).result();
      if (printed.ok()) continue;
      if (!in.on("ignore-errors")) co_await std::move(printed);
      in.console.error(format_error(printed.error()));
    }
    co_return;
  }
  int64_t most = in.arguments.integer("max-log-requests");
  if (static_cast<int64_t>(sources.size()) > most) {
    co_await fail(failure("you are attempting to follow " + std::to_string(sources.size()) +
                          " log streams, but maximum allowed concurrency is " + std::to_string(most) +
                          ", use --max-log-requests to increase the limit"));
  }
  Outcome outcome;
  loop::Event over(in.session.loop());
  loop::Scope scope(in.session.loop());
  for (Source& source : sources) scope.spawn(print_into(in, std::move(source), outcome, over));
  loop::Scope waiting(in.session.loop());
  waiting.spawn(join_into(scope, over));
  co_await over.wait();
  if (outcome.error) co_await fail(std::move(*outcome.error));
}

Task<int> run_logs(Invocation& in) {
  co_await check_flags(in);
  std::vector<Value> pods;
  if (!in.text("selector").empty()) {
    std::string ns = co_await in.session.ns();
    const Resource* resource = co_await in.session.find_resource("pods");
    pods = co_await list_objects(in, *resource, ns, in.text("selector"), "");
    if (pods.empty()) {
      in.console.error("No resources found in " + ns + " namespace.\n");
      co_return 0;
    }
  } else {
    auto found = co_await choose_pod(in, in.words()[0]).result();
    if (!found.ok() && found.error().is(Code::not_found)) {
      std::string ns = co_await in.session.ns();
      co_await fail(failure("error from server (NotFound): " + found.error().message() + " in namespace " + quote(ns)));
    }
    ChosenPod chosen = co_await std::move(found);
    if (in.on("all-pods") && chosen.object["kind"] != Value("Pod")) {
      pods = co_await pods_of(in, chosen.object);
    } else {
      if (chosen.all > 1) {
        in.console.error("Found " + std::to_string(chosen.all) + " pods, using pod/" +
                         std::string(chosen.pod["metadata"]["name"].as_string()) + "\n");
      }
      pods.push_back(chosen.pod);
    }
  }
  auto sources = co_await sources_of(in, pods);
  co_await print_all(in, std::move(sources));
  co_return 0;
}

}  // namespace

std::vector<Verb> logs_verbs() {
  Flags own = {
      {"follow", 'f', FlagType::boolean, "false", "go on as the log grows"},
      {"previous", 'p', FlagType::boolean, "false", "of the container before the last restart"},
      {"container", 'c', FlagType::text, "", "the container"},
      {"all-containers", 0, FlagType::boolean, "false", "of all containers of the pod"},
      {"all-pods", 0, FlagType::boolean, "false", "of all pods of TYPE/NAME; with --prefix"},
      {"prefix", 0, FlagType::boolean, "false", "pod and container in front of each line"},
      {"timestamps", 0, FlagType::boolean, "false", "the time in front of each line"},
      {"since", 0, FlagType::text, "0s", "only what is newer than 5s, 2m, 3h"},
      {"since-time", 0, FlagType::text, "", "only what is newer than this time (RFC 3339)"},
      {"tail", 0, FlagType::integer, "-1", "lines from the end; -1 all; 10 with a selector"},
      {"limit-bytes", 0, FlagType::integer, "0", "most bytes of each log"},
      {"selector", 'l', FlagType::text, "", "label query, such as a=b,c!=d"},
      {"max-log-requests", 0, FlagType::integer, "5", "most logs that are followed at the same time"},
      {"ignore-errors", 0, FlagType::boolean, "false", "go on after an error"},
      {"insecure-skip-tls-verify-backend", 0, FlagType::boolean, "false", "accepted"},
      {"pod-running-timeout", 0, FlagType::text, "20s", "accepted"},
  };
  return {Verb{"logs", "(POD | TYPE/NAME) [-c CONTAINER]", "Print what containers have written", own, run_logs}};
}

}  // namespace orch::cli
