#include "api/pod_options.h"

#include <catch2/catch_test_macros.hpp>

#include "data/json.h"

namespace orch::api {
namespace {

std::string choose(std::string spec, std::string asked) {
  Value pod = *parse_json(R"({"metadata":{"name":"p"},"spec":)" + spec + "}");
  auto chosen = choose_container(pod, asked);
  return chosen.ok() ? *chosen : chosen.error().message();
}

TEST_CASE("the container is the one asked for, or the only one") {
  const std::string one = R"({"containers":[{"name":"a"}],"initContainers":[{"name":"i"}]})";
  const std::string two = R"({"containers":[{"name":"a"},{"name":"b"}]})";
  const std::string many = R"({"containers":[{"name":"a"},{"name":"b"}],"initContainers":[{"name":"i"},{"name":"j"}],"ephemeralContainers":[{"name":"e"}]})";
  CHECK(choose(one, "") == "a");
  CHECK(choose(one, "i") == "i");
  CHECK(choose(many, "e") == "e");
  CHECK(choose(one, "x") == "container x is not valid for pod p");
  CHECK(choose(two, "") == "a container name must be specified for pod p, choose one of: [a b]");
  CHECK(choose(many, "") ==
        "a container name must be specified for pod p, choose one of: [a b] or one of the init containers: [i j] or one of "
        "the ephemeral containers: [e]");
}

std::string logs(std::string query) {
  auto made = log_query(*wire::Query::parse(query), "p");
  return made.ok() ? *made : std::to_string(code_info(made.error().code()).http_status) + " " + made.error().message();
}

TEST_CASE("log options are checked as kube-apiserver does") {
  CHECK(logs("") == "");
  CHECK(logs("follow=true&previous=false&timestamps=1&container=a&tailLines=0&limitBytes=5&sinceSeconds=9") ==
        "follow=true&timestamps=true&sinceSeconds=9&tailLines=0&limitBytes=5");
  CHECK(logs("sinceTime=2026-11-28T10:00:00Z") == "sinceTime=2026-11-28T10%3A00%3A00Z");
  CHECK(logs("tailLines=x") == "400 strconv.ParseInt: parsing \"x\": invalid syntax");
  CHECK(logs("tailLines=-1") ==
        "422 PodLogOptions \"p\" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0");
  CHECK(logs("limitBytes=0&sinceSeconds=0") ==
        "422 PodLogOptions \"p\" is invalid: [limitBytes: Invalid value: 0: must be greater than 0, sinceSeconds: Invalid "
        "value: 0: must be greater than 0]");
  CHECK(logs("sinceSeconds=1&sinceTime=2026-11-28T10:00:00Z").find("at most one of `sinceTime` or `sinceSeconds` may be specified") !=
        std::string::npos);
  CHECK(logs("sinceTime=noon").starts_with("400 parsing time \"noon\" as \"2006-01-02T15:04:05Z07:00\": "));
}

TEST_CASE("commands and ports in the kubelet's words") {
  auto query = [](std::string text) { return *wire::Query::parse(text); };
  CHECK(command_query(query("command=sh&command=-c&command=&command=a%20b&stdin=true&stdout=true&stderr=false&tty=true&container=x")) ==
        "input=1&output=1&tty=1&command=sh&command=-c&command=&command=a%20b");
  CHECK(port_query(query("ports=80&ports=443,8080")) == "port=80&port=443%2C8080");
}

}  // namespace
}  // namespace orch::api
