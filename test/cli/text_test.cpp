#include <catch2/catch_test_macros.hpp>

#include "cli/arguments.h"
#include "cli/apply_patch.h"
#include "cli/discovery.h"
#include "cli/kubeconfig.h"
#include "cli/manifests.h"
#include "cli/rollout_status.h"
#include "cli/tab_writer.h"
#include "cli/table_printer.h"
#include "data/json.h"

using namespace orch;
using namespace orch::cli;

namespace {

Value json(std::string_view text) { return parse_json(text).value(); }

Flags some_flags() {
  return {{"output", 'o', FlagType::text, "", ""},
          {"watch", 'w', FlagType::boolean, "false", ""},
          {"all-namespaces", 'A', FlagType::boolean, "false", ""},
          {"dry-run", 0, FlagType::text, "none", "", "unchanged"},
          {"filename", 'f', FlagType::list, "", ""}};
}

Arguments parsed(std::vector<std::string> words) {
  return Arguments::parse(some_flags(), words).value();
}

}  // namespace

TEST_CASE("flags are read in all of kubectl's forms") {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"-o", "json", "x"}, {"-ojson", "x"}, {"-o=json", "x"}, {"x", "--output=json"},
        {"x", "--output", "json"}, {"-wojson", "x"}}) {
    Arguments arguments = parsed(words);
    CHECK(arguments.text("output") == "json");
    CHECK(arguments.words() == std::vector<std::string>{"x"});
  }
  CHECK(parsed({"-Aw"}).on("all-namespaces"));
  CHECK(parsed({"-Aw"}).on("watch"));
  CHECK_FALSE(parsed({"-w", "--watch=false"}).on("watch"));
  CHECK(parsed({"--dry-run", "x"}).text("dry-run") == "unchanged");
  CHECK(parsed({"-f", "a,b", "-f", "-"}).list("filename") == std::vector<std::string>{"a", "b", "-"});
  CHECK(parsed({"a", "--", "-x"}).dash() == 1);
}

TEST_CASE("a wrong flag is wrong usage, in pflag's words") {
  auto message = [](std::vector<std::string> words) {
    auto arguments = Arguments::parse(some_flags(), words);
    REQUIRE_FALSE(arguments.ok());
    CHECK(arguments.error().is(Code::usage));
    return arguments.error().message();
  };
  CHECK(message({"--nope"}) == "unknown flag: --nope");
  CHECK(message({"-x"}) == "unknown shorthand flag: 'x' in -x");
  CHECK(message({"--output"}) == "flag needs an argument: --output");
  CHECK(message({"-o"}) == "flag needs an argument: 'o' in -o");
}

TEST_CASE("columns are as wide as their widest cell and three spaces apart") {
  TabWriter writer = TabWriter::for_tables();
  writer.write("NAME\tAGE\na-long-name\t5s\n\xC3\xA9\t1d\n");
  CHECK(writer.flush() == "NAME          AGE\na-long-name   5s\n\xC3\xA9             1d\n");
}

TEST_CASE("a table shows wide columns, namespaces and labels where asked for") {
  Value table = json(R"({"columnDefinitions":[{"name":"Name","priority":0},{"name":"IP","priority":1}],
    "rows":[{"cells":["a","1.2.3.4"],"object":{"metadata":{"namespace":"n","labels":{"x":"y"}}}}]})");
  TablePrinter plain(TableOptions{});
  plain.add(table);
  CHECK(plain.flush() == "NAME\na\n");
  TableOptions options;
  options.wide = options.with_namespace = options.show_labels = true;
  options.type_prefix = "pod";
  TablePrinter all(options);
  all.add(table);
  CHECK(all.flush() == "NAMESPACE   NAME    IP        LABELS\nn           pod/a   1.2.3.4   x=y\n");
}

TEST_CASE("variables are filled in, and one that is not set is named with its file and line") {
  Lookup lookup = [](std::string_view name) -> std::optional<std::string> {
    if (name == "A") return "1";
    return std::nullopt;
  };
  CHECK(substitute_variables({"f", "x: ${A}\n# ${B}\ny: $${A} ${ $A"}, lookup).value() ==
        "x: 1\n# ${B}\ny: ${A} ${ $A");
  auto failed = substitute_variables({"f.yaml", "x: 1\ny: ${B}"}, lookup);
  REQUIRE_FALSE(failed.ok());
  CHECK(failed.error().message().starts_with("f.yaml:2: the environment variable B is not set"));
}

TEST_CASE("documents know where they are from, and Lists are taken apart") {
  auto all = parse_manifests({"m.yaml", "apiVersion: v1\nkind: A\n---\napiVersion: v1\nkind: List\nitems:\n"
                                        "- apiVersion: v1\n  kind: B\n"}, true).value();
  REQUIRE(all.size() == 2);
  CHECK(all[0].source == "\"m.yaml\" (document 1, line 1)");
  CHECK(all[1].object["kind"] == Value("B"));
  auto bad = parse_manifests({"m.yaml", "kind: A"}, true);
  REQUIRE_FALSE(bad.ok());
  CHECK(bad.error().message() == "error validating \"m.yaml\": error validating data: apiVersion not set");
}

TEST_CASE("of several kubeconfigs the first that has a name wins") {
  Value merged = merge_kubeconfigs(
      {json(R"({"contexts":[{"name":"a","context":{"cluster":"1"}}]})"),
       json(R"({"contexts":[{"name":"a","context":{"cluster":"2"}},{"name":"b","context":{"cluster":"3"}}],
                "current-context":"b"})")});
  CHECK(find_entry(merged, "contexts", "a")["cluster"] == Value("1"));
  CHECK(find_entry(merged, "contexts", "b")["cluster"] == Value("3"));
  CHECK(merged["current-context"] == Value("b"));
}

TEST_CASE("resources are found by plural, kind, short name and with their group") {
  ResourceMap map = ResourceMap::from_aggregated(
      json(R"({"items":[{"metadata":{},"versions":[{"version":"v1","resources":[
        {"resource":"pods","responseKind":{"kind":"Pod"},"scope":"Namespaced","singularResource":"pod",
         "shortNames":["po"],"verbs":["list"],"categories":["all"]}]}]}]})"),
      json(R"({"items":[{"metadata":{"name":"apps"},"versions":[{"version":"v1","resources":[
        {"resource":"deployments","responseKind":{"kind":"Deployment"},"scope":"Namespaced",
         "singularResource":"deployment","shortNames":["deploy"],"verbs":["list"]}]}]}]})"));
  for (const char* name : {"pods", "pod", "Pod", "po"}) CHECK(map.find(name) == &map.all()[0]);
  for (const char* name : {"deploy", "deployments.apps", "deployments.v1.apps", "deploy.apps"}) {
    CHECK(map.find(name) == &map.all()[1]);
  }
  CHECK(map.find("deployments.batch") == nullptr);
  CHECK(map.all()[1].type_name() == "deployment.apps");
  CHECK(map.category("all").size() == 1);
}

TEST_CASE("the annotation of apply is the JSON that kubectl writes") {
  Value object = json(R"({"kind":"ConfigMap","metadata":{"name":"a"},"data":{"x":"<&>"}})");
  CHECK(format_configuration(object) ==
        "{\"data\":{\"x\":\"\\u003c\\u0026\\u003e\"},\"kind\":\"ConfigMap\","
        "\"metadata\":{\"annotations\":{},\"name\":\"a\"}}\n");
  CHECK(format_configuration(with_configuration(object)) == format_configuration(object));
}

TEST_CASE("a JSON merge of three keeps what others set") {
  Value patch = make_three_way_json_merge(json(R"({"a":1,"b":1})"), json(R"({"a":2})"),
                                          json(R"({"a":1,"b":1,"theirs":1})"));
  CHECK(format_json(patch) == R"({"a":2,"b":null})");
}

TEST_CASE("a rollout is told in kubectl's sentences") {
  Value object = json(R"({"kind":"Deployment","metadata":{"name":"w","generation":2},"spec":{"replicas":3},
    "status":{"observedGeneration":2,"updatedReplicas":1,"replicas":3,"availableReplicas":3}})");
  CHECK(rollout_status(object).value().message ==
        "Waiting for deployment \"w\" rollout to finish: 1 out of 3 new replicas have been updated...");
  object = object.with_path({"status", "updatedReplicas"}, Value(3));
  CHECK(rollout_status(object).value().done);
}
