#include "plan/net/service_rules.h"

#include <set>

#include "plan/net/fixtures.h"
#include "plan/net/ruleset_text.h"
#include "support/golden.h"

using namespace orch;
using namespace orch::plan::net;
using namespace orch::test;

namespace {

std::vector<std::string> parts_of(const std::string& text, const std::string& separator) {
  std::vector<std::string> parts{""};
  for (std::string_view line : split(text, '\n')) {
    if (line == separator) {
      parts.emplace_back();
    } else if (!line.empty()) {
      parts.back() += std::string(line) + "\n";
    }
  }
  return parts;
}

Fragment fragment_of(const std::string& text) {
  std::vector<Value> objects;
  for (const std::string& document : parts_of(text, "---")) objects.push_back(yaml(document));
  const Value service = objects.front();
  objects.erase(objects.begin());
  return service_fragment(service, objects, network_options());
}

Ruleset with_all_sets(Assembly& assembly) {
  Ruleset all = assembly.take_all();
  for (const auto& [name, set] : skeleton(network_options()).sets) all.sets[name] = set;
  return all;
}

}  // namespace

TEST_CASE("Rules of Services") {
  check_golden("plan/net/golden/services.txt", [](const GoldenCase& golden) {
    Assembly assembly("t");
    std::string output;
    for (const std::string& state : parts_of(golden.input, "---service")) {
      Assembly before = assembly;
      assembly.put("s", fragment_of(state));
      Assembly copy = assembly;
      const Ruleset now = with_all_sets(copy);
      const Ruleset then = with_all_sets(before);
      Ruleset keys = now;
      keys.sets.insert(then.sets.begin(), then.sets.end());
      output += (output.empty() ? "" : "--\n") + format_changes(assembly.take_changes(), keys);
    }
    return output;
  });
}

TEST_CASE("The skeleton") {
  check_golden("plan/net/golden/skeleton.txt", [](const GoldenCase&) {
    Assembly assembly("orch_test");
    assembly.put("", skeleton(network_options()));
    assembly.put("pod/u1", pod_fragment("u1", *parse_ip("10.42.0.5"), {{"", 6, 8080, 80}, {"192.0.2.1", 17, 53, 53}}));
    return format_ruleset(assembly.take_all());
  });
}

TEST_CASE("Names stay within what nft(8) can read, and apart") {
  const std::string ns(63, 'n'), name(63, 's');
  auto service = [&](const std::string& last, int port) {
    return yaml("metadata: {namespace: " + ns + ", name: " + name.substr(1) + last + "}\nspec: {clusterIP: 10.43.1.1, ports: [{port: " +
                std::to_string(port) + "}]}");
  };
  const std::vector<Value> slices{yaml("endpoints: [{addresses: [10.42.0.5]}]\nports: [{port: 8080}]")};
  std::set<std::string> names;
  for (const char* last : {"a", "b"}) {
    for (int port : {80, 81}) {
      const Fragment fragment = service_fragment(service(last, port), slices, network_options());
      for (const auto& [chain, content] : fragment.chains) {
        CHECK(chain.size() < 128);
        CHECK(names.insert(chain).second);
      }
    }
  }
}
