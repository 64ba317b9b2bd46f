#include "agent/node_api.h"

#include <catch2/catch_test_macros.hpp>

#include "data/json.h"

namespace orch::agent {
namespace {

Value pod(std::string status) {
  return *parse_json(R"({"metadata":{"name":"p","namespace":"ns","uid":"u"},"status":{"containerStatuses":[)" + status + "]}}");
}

std::string source(std::string status, bool previous) {
  auto chosen = choose_log_source(pod(R"({"name":"c",)" + status + "}"), "c", previous);
  return chosen.ok() ? chosen->container_id + " " + std::to_string(chosen->restart_count) : chosen.error().message();
}

TEST_CASE("which container's log is meant, in every state, in kubelet's words") {
  struct Case {
    std::string status;
    bool previous;
    std::string expected;
  };
  const std::string running = R"("restartCount":2,"containerID":"orch://abc","state":{"running":{}},"lastState":{"terminated":{"containerID":"orch://old"}})";
  const std::string crashed = R"("restartCount":2,"state":{"waiting":{"reason":"CrashLoopBackOff"}},"lastState":{"terminated":{"containerID":"orch://old"}})";
  for (const auto& c : {
           Case{running, false, "abc 2"},
           Case{running, true, "old 1"},
           Case{crashed, false, "old 2"},
           Case{crashed, true, "old 2"},
           Case{R"("restartCount":0,"state":{"terminated":{"containerID":"orch://abc"}})", false, "abc 0"},
           Case{R"("restartCount":0,"state":{"terminated":{}})", false, "container \"c\" in pod \"p\" is terminated"},
           Case{R"("restartCount":0,"state":{"running":{}})", true, "previous terminated container \"c\" in pod \"p\" not found"},
           Case{R"("state":{"waiting":{"reason":"ContainerCreating"}})", false,
                "container \"c\" in pod \"p\" is waiting to start: ContainerCreating"},
           Case{R"("state":{"waiting":{"reason":"ErrImagePull"}})", false,
                "container \"c\" in pod \"p\" is waiting to start: image can't be pulled"},
           Case{R"("state":{"waiting":{"reason":"ImagePullBackOff"}})", false,
                "container \"c\" in pod \"p\" is waiting to start: trying and failing to pull image"},
           Case{R"("restartCount":0)", false, "container \"c\" in pod \"p\" is waiting to start - no logs yet"},
       }) {
    INFO(c.status);
    CHECK(source(c.status, c.previous) == c.expected);
  }
  CHECK(choose_log_source(pod(""), "c", false).error().message() == "container \"c\" in pod \"p\" is not available");
}

TEST_CASE("a log is below its pod and container, named by its attempt") {
  CHECK(container_log_path("/d/agent/logs", pod(""), "c", 3) == "/d/agent/logs/ns_p_u/c/3.log");
}

}  // namespace
}  // namespace orch::agent
