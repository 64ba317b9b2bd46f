#include "cli/run.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "loop/uv_loop.h"
#include "loop/uv_network.h"
#include "wire/resolver.h"

namespace orch::cli {

using loop::Task;

namespace {

using MakeVerbs = std::vector<Verb> (*)();

// The table of verbs, in the order of the help text.
constexpr MakeVerbs kVerbs[] = {get_verbs,    apply_verbs,   delete_verbs, change_verbs,
                                label_verbs,  rollout_verbs, wait_verbs,   node_verbs,
                                config_verbs, cluster_verbs, create_verbs, edit_verbs,
                                describe_verbs, explain_verbs, image_verbs, check_verbs,
                                logs_verbs,     exec_verbs,    cp_verbs,
                                port_forward_verbs, top_verbs};

}  // namespace

Flags global_flags() {
  return {{"kubeconfig", 0, FlagType::text, "", "path of the kubeconfig file"},
          {"context", 0, FlagType::text, "", "the kubeconfig's context to use"},
          {"cluster", 0, FlagType::text, "", "the kubeconfig's cluster to use"},
          {"user", 0, FlagType::text, "", "the kubeconfig's user to use"},
          {"namespace", 'n', FlagType::text, "", "the namespace of the request"},
          {"server", 's', FlagType::text, "", "address of the API server"},
          {"token", 0, FlagType::text, "", "bearer token"},
          {"tls-server-name", 0, FlagType::text, "", "name that the server's certificate must have"},
          {"insecure-skip-tls-verify", 0, FlagType::boolean, "false", "do not check the server's certificate"},
          {"certificate-authority", 0, FlagType::text, "", "file with the CA's certificate"},
          {"client-certificate", 0, FlagType::text, "", "file with the client's certificate"},
          {"client-key", 0, FlagType::text, "", "file with the client's key"},
          {"username", 0, FlagType::text, "", "for basic authentication"},
          {"password", 0, FlagType::text, "", "for basic authentication"},
          {"as", 0, FlagType::text, "", "user to impersonate"},
          {"as-group", 0, FlagType::array, "", "group to impersonate"},
          {"request-timeout", 0, FlagType::text, "0", "accepted and not used"},
          {"cache-dir", 0, FlagType::text, "", "accepted and not used"},
          {"v", 'v', FlagType::text, "0", "accepted and not used"},
          {"help", 'h', FlagType::boolean, "false", "what this verb does"}};
}

std::vector<Verb> verbs() {
  std::vector<Verb> all;
  for (MakeVerbs make : kVerbs) {
    for (Verb& verb : make()) all.push_back(std::move(verb));
  }
  return all;
}

namespace {

// Whether the flag `word` takes the next word as its value, as far as the global flags know.
bool takes_next(const Flags& flags, const std::string& word) {
  if (word.find('=') != std::string::npos) return false;
  for (const Flag& flag : flags) {
    if (flag.type == FlagType::boolean) continue;
    if (word == "--" + std::string(flag.name)) return true;
    if (flag.shorthand && word == std::string("-") + flag.shorthand) return true;
  }
  return false;
}

// Where the next word that is no global flag stands.
size_t next_word(const Flags& flags, const std::vector<std::string>& words, size_t at) {
  while (at < words.size() && words[at].starts_with('-') && words[at] != "-") {
    at += takes_next(flags, words[at]) ? 2 : 1;
  }
  return std::min(at, words.size());
}

const Verb* verb_named(const std::vector<Verb>& all, std::string_view name) {
  auto found = std::ranges::find(all, name, &Verb::name);
  return found == all.end() ? nullptr : &*found;
}

}  // namespace

FoundVerb find_verb(const std::vector<Verb>& all, const std::vector<std::string>& words) {
  const Flags flags = global_flags();
  FoundVerb found;
  const size_t first = next_word(flags, words, 0);
  if (first == words.size()) return found;
  found.name = words[first];
  const size_t second = next_word(flags, words, first + 1);
  size_t used = words.size();
  if (second < words.size()) {
    found.verb = verb_named(all, words[first] + " " + words[second]);
    if (found.verb) used = second;
  }
  if (!found.verb) found.verb = verb_named(all, words[first]);
  for (size_t i = 0; i < words.size(); ++i) {
    if (i != first && i != used) found.rest.push_back(words[i]);
  }
  return found;
}

std::string general_help(const std::vector<Verb>& all) {
  std::string text = "orch: a Kubernetes cluster in one program.\n\nVerbs:\n";
  size_t width = 0;
  for (const Verb& verb : all) width = std::max(width, verb.name.size());
  for (const Verb& verb : all) {
    text += "  " + std::string(verb.name) + std::string(width - verb.name.size() + 2, ' ') +
            std::string(verb.summary) + "\n";
  }
  return text + "\nRoles: orch server, orch agent.\n`orch VERB --help` tells more.\n";
}

std::string verb_help(const Verb& verb) {
  std::string text = std::string(verb.summary) + "\n\nUsage:\n  orch " + std::string(verb.name);
  if (!verb.usage.empty()) text += " " + std::string(verb.usage);
  text += "\n";
  if (!verb.flags.empty()) text += "\nFlags:\n" + describe_flags(verb.flags);
  return text + "\nGlobal flags:\n" + describe_flags(global_flags());
}

namespace {

Overrides overrides_of(const Arguments& arguments) {
  Overrides overrides;
  overrides.kubeconfig = arguments.text("kubeconfig");
  overrides.context = arguments.text("context");
  overrides.cluster = arguments.text("cluster");
  overrides.user = arguments.text("user");
  overrides.ns = arguments.text("namespace");
  overrides.server = arguments.text("server");
  overrides.token = arguments.text("token");
  overrides.server_name = arguments.text("tls-server-name");
  overrides.insecure = arguments.on("insecure-skip-tls-verify");
  overrides.certificate_authority = arguments.text("certificate-authority");
  overrides.client_certificate = arguments.text("client-certificate");
  overrides.client_key = arguments.text("client-key");
  overrides.username = arguments.text("username");
  overrides.password = arguments.text("password");
  overrides.as_user = arguments.text("as");
  overrides.as_groups = arguments.list("as-group");
  return overrides;
}

Task<int> run_verb(loop::Loop& loop, loop::Network& network, Console& console, const Verb& verb,
                   std::vector<std::string> words) {
  Flags all_flags = flags::join({verb.flags, global_flags()});
  Arguments arguments = co_await Arguments::parse(std::move(all_flags), words);
  if (arguments.on("help")) {
    console.out(verb_help(verb));
    co_return 0;
  }
  Session session(loop, network, console, overrides_of(arguments));
  Invocation invocation{std::move(arguments), console, session};
  int code = co_await verb.run(invocation);
  co_return code;
}

}  // namespace

Task<int> run_words(loop::Loop& loop, loop::Network& network, Console& console,
                    std::vector<std::string> words) {
  const std::vector<Verb> all = verbs();
  FoundVerb found = find_verb(all, words);
  if (found.name.empty() || found.name == "help") {
    const Verb* about = found.rest.empty() ? nullptr : verb_named(all, join(found.rest, " "));
    console.out(about ? verb_help(*about) : general_help(all));
    co_return 0;
  }
  if (!found.verb) {
    console.error("error: unknown command " + quote(found.name) + " for \"orch\"\n");
    co_return 2;
  }
  auto code = co_await run_verb(loop, network, console, *found.verb, found.rest).result();
  if (code.ok()) co_return code.value();
  console.error(format_error(code.error()));
  if (code.error().is(Code::usage)) {
    console.error("See 'orch " + std::string(found.verb->name) + " --help' for usage.\n");
  }
  co_return code_info(code.error().code()).exit_code;
}

namespace {

Task<void> run_into(loop::Loop& loop, loop::Network& network, Console& console,
                    std::vector<std::string> words, int& code) {
  code = co_await run_words(loop, network, console, std::move(words));
}

}  // namespace

int run(int argc, char** argv) {
  loop::UvLoop loop;
  wire::DnsResolver resolver(loop);
  loop::UvNetwork network(loop, resolver.function());
  auto terminal = process_terminal(loop);
  ProcessConsole console(terminal.get());
  std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
  int code = 1;
  auto result = loop.run(run_into(loop, network, console, std::move(words), code));
  if (!result.ok()) console.error(format_error(result.error()));
  return code;
}

}  // namespace orch::cli
