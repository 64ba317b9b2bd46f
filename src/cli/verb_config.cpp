// config: looks at the kubeconfig and changes it.

#include <algorithm>

#include "base/text.h"
#include "cli/tab_writer.h"
#include "cli/verbs.h"
#include "data/json.h"
#include "data/path.h"
#include "data/yaml.h"

namespace orch::cli {

using loop::fail;
using loop::Task;

namespace {

// Keys and tokens are not shown, certificates only as present.
Value hide_secrets(const Value& config) {
  auto hide = [](Value list, std::string_view inner_name,
                 std::initializer_list<std::pair<std::string_view, std::string_view>> hidden) {
    for (size_t i = 0; i < list.size(); ++i) {
      Value inner = list.at(i)[inner_name];
      for (const auto& [name, shown] : hidden) {
        if (inner.has(name)) inner = inner.with(name, Value(shown));
      }
      if (inner.is_object()) list = list.with_item(i, list.at(i).with(inner_name, inner));
    }
    return list;
  };
  Value shown = config;
  shown = shown.with("clusters", hide(config["clusters"], "cluster",
                                      {{"certificate-authority-data", "DATA+OMITTED"}}));
  return shown.with("users", hide(config["users"], "user",
                                  {{"client-certificate-data", "DATA+OMITTED"},
                                   {"client-key-data", "DATA+OMITTED"},
                                   {"token", "REDACTED"},
                                   {"password", "REDACTED"}}));
}

// Only what the current context needs.
Value minify(const Value& config) {
  std::string context_name(config["current-context"].as_string());
  const Value& context = find_entry(config, "contexts", context_name);
  auto only = [&](std::string_view section, std::string_view name) {
    Value alone = Value::object({{section, Value::empty_list()}});
    const Value& entry = find_entry(config, section, name);
    return entry.is_null() ? alone[section] : with_entry(alone, section, name, entry)[section];
  };
  return config.with("contexts", only("contexts", context_name))
      .with("clusters", only("clusters", context["cluster"].as_string()))
      .with("users", only("users", context["user"].as_string()));
}

Task<int> run_view(Invocation& in) {
  const Kubeconfig* loaded = co_await in.session.kubeconfig();
  Value config = loaded->config;
  if (!in.session.overrides().context.empty()) {
    config = config.with("current-context", Value(in.session.overrides().context));
  }
  if (in.on("minify")) config = minify(config);
  if (!in.on("raw")) config = hide_secrets(config);
  std::string output = in.text("output");
  if (output == "json") {
    in.console.out(format_json_pretty(config, 4) + "\n");
  } else if (output == "yaml" || output.empty()) {
    in.console.out(format_yaml(config));
  } else if (output.starts_with("jsonpath=")) {
    JsonPath path = co_await JsonPath::parse(output.substr(9));
    std::string text = co_await path.format(config, true);
    in.console.out(text);
  } else {
    co_await fail(usage_error("--output must be yaml, json or jsonpath=..."));
  }
  co_return 0;
}

Task<int> run_current_context(Invocation& in) {
  const Kubeconfig* loaded = co_await in.session.kubeconfig();
  std::string name(loaded->config["current-context"].as_string());
  if (name.empty()) co_await fail(failure("current-context is not set"));
  in.console.out(name + "\n");
  co_return 0;
}

std::vector<std::string> names_in(const Value& config, std::string_view section) {
  std::vector<std::string> names;
  for (const Value& entry : config[section].items()) names.emplace_back(entry["name"].as_string());
  std::ranges::sort(names);
  return names;
}

Task<int> run_get_contexts(Invocation& in) {
  const Kubeconfig* loaded = co_await in.session.kubeconfig();
  const Value& config = loaded->config;
  std::vector<std::string> names = in.words().empty() ? names_in(config, "contexts") : in.words();
  TabWriter writer = TabWriter::for_tables();
  const bool names_only = in.text("output") == "name";
  if (!names_only && !in.on("no-headers")) writer.write("CURRENT\tNAME\tCLUSTER\tAUTHINFO\tNAMESPACE\n");
  for (const std::string& name : names) {
    const Value& context = find_entry(config, "contexts", name);
    if (context.is_null()) co_await fail(failure("context " + name + " not found"));
    if (names_only) {
      writer.write(name + "\n");
      continue;
    }
    writer.write(std::string(config["current-context"].as_string() == name ? "*" : "") + "\t" + name + "\t" +
                 std::string(context["cluster"].as_string()) + "\t" +
                 std::string(context["user"].as_string()) + "\t" +
                 std::string(context["namespace"].as_string()) + "\n");
  }
  in.console.out(writer.flush());
  co_return 0;
}

Task<int> list_names(Invocation& in, std::string section) {
  const Kubeconfig* loaded = co_await in.session.kubeconfig();
  in.console.out("NAME\n");
  for (const std::string& name : names_in(loaded->config, section)) in.console.out(name + "\n");
  co_return 0;
}

Task<int> run_get_clusters(Invocation& in) {
  int code = co_await list_names(in, "clusters");
  co_return code;
}

Task<int> run_get_users(Invocation& in) {
  int code = co_await list_names(in, "users");
  co_return code;
}

// Changes the one file that changes go to, as it stands there (its paths stay relative).
Task<void> change_file(Invocation& in, std::function<Value(const Value&)> change) {
  const Kubeconfig* loaded = co_await in.session.kubeconfig();
  Value config;
  if (in.console.exists(loaded->write_path)) {
    std::string text = co_await in.console.read_file(loaded->write_path);
    config = co_await parse_yaml_document(text);
  }
  if (!config.is_object()) config = Value::object({{"apiVersion", "v1"}, {"kind", "Config"}});
  co_await in.console.write_file(loaded->write_path, format_yaml(change(config)));
}

Task<int> run_use_context(Invocation& in) {
  if (in.words().size() != 1) co_await fail(usage_error("give one context's name"));
  std::string name = in.words()[0];
  const Kubeconfig* loaded = co_await in.session.kubeconfig();
  if (find_entry(loaded->config, "contexts", name).is_null()) {
    co_await fail(failure("no context exists with the name: " + quote(name)));
  }
  std::function<Value(const Value&)> change = [name](const Value& config) {
    return config.with("current-context", Value(name));
  };
  co_await change_file(in, change);
  in.console.out("Switched to context " + quote(name) + ".\n");
  co_return 0;
}

Task<int> run_set_context(Invocation& in) {
  const Kubeconfig* loaded = co_await in.session.kubeconfig();
  std::string name = in.words().empty() ? std::string() : in.words()[0];
  if (in.on("current")) name = loaded->config["current-context"].as_string();
  if (name.empty()) co_await fail(usage_error("give a context's name, or --current where one is set"));
  const bool is_new = find_entry(loaded->config, "contexts", name).is_null();
  const Overrides given = in.session.overrides();
  std::function<Value(const Value&)> change = [name, given](const Value& config) {
    Value context = find_entry(config, "contexts", name);
    if (!context.is_object()) context = Value::object({{"cluster", ""}, {"user", ""}});
    if (!given.cluster.empty()) context = context.with("cluster", Value(given.cluster));
    if (!given.user.empty()) context = context.with("user", Value(given.user));
    if (!given.ns.empty()) context = context.with("namespace", Value(given.ns));
    return with_entry(config, "contexts", name, context);
  };
  co_await change_file(in, change);
  in.console.out("Context " + quote(name) + (is_new ? " created.\n" : " modified.\n"));
  co_return 0;
}

}  // namespace

std::vector<Verb> config_verbs() {
  Flags view = {{"raw", 0, FlagType::boolean, "false", "with keys and certificates"},
                {"minify", 0, FlagType::boolean, "false", "only what the current context needs"},
                {"flatten", 0, FlagType::boolean, "false", "accepted"},
                {"output", 'o', FlagType::text, "", "yaml, json or jsonpath=..."}};
  Flags contexts = {{"output", 'o', FlagType::text, "", "name"},
                    {"no-headers", 0, FlagType::boolean, "false", "no header line"}};
  Flags set = {{"current", 0, FlagType::boolean, "false", "the current context"}};
  return {Verb{"config view", "", "Show the kubeconfig", view, run_view},
          Verb{"config current-context", "", "Name the current context", {}, run_current_context},
          Verb{"config get-contexts", "[NAME ...]", "List contexts", contexts, run_get_contexts},
          Verb{"config get-clusters", "", "List clusters", {}, run_get_clusters},
          Verb{"config get-users", "", "List users", {}, run_get_users},
          Verb{"config use-context", "NAME", "Make a context the current one", {}, run_use_context},
          Verb{"config set-context", "NAME | --current [--cluster=] [--user=] [--namespace=]",
               "Set what a context is", set, run_set_context}};
}

}  // namespace orch::cli
