#include <catch2/catch_test_macros.hpp>

#include "base/text.h"
#include "data/json.h"
#include "golden_lines.h"
#include "schema/engine.h"
#include "schema/hooks.h"

using namespace orch;
using namespace orch::schema;

namespace {

const Registry& registry() {
  static const auto built = Registry::builtin().value();
  return *built;
}
const Hooks& hooks() {
  static const Hooks built = Hooks::builtin();
  return built;
}

const Instant kNow = parse_time("2024-05-01T12:00:00Z").value();

Value row_of(std::string_view group, std::string_view version, std::string_view kind,
             std::string_view object) {
  const Kind* found = registry().find_kind(group, version, kind);
  REQUIRE(found);
  return table_row(*found, parse_json(object).value(), hooks(), kNow);
}

std::string cells_of(std::string_view group, std::string_view version, std::string_view kind,
                     std::string_view object) {
  return format_json(row_of(group, version, kind, object)["cells"]);
}

// Name, ready, status and restarts of a pod.
std::string pod(std::string_view object) {
  Value cells = row_of("", "v1", "Pod", object)["cells"];
  std::string text;
  for (size_t i = 1; i < 4; ++i) text += std::string(cells.at(i).as_string()) + (i < 3 ? " " : "");
  return text;
}

}  // namespace

TEST_CASE("every function that a column or row names exists") {
  for (const Registry::GroupVersion& served : registry().group_versions()) {
    for (const Kind* kind : served.kinds) {
      for (const Column& column : kind->columns) {
        INFO(kind->kind << " " << column.name);
        if (!column.function.empty()) CHECK(hooks().find<ColumnHook>(column.function));
      }
      if (!kind->row_function.empty()) CHECK(hooks().find<RowHook>(kind->row_function));
    }
  }
}

TEST_CASE("columns are defined as kubectl expects them, wide ones with priority 1") {
  Value columns = table_columns(*registry().find_kind("", "v1", "Pod"));
  std::string names;
  for (const Value& column : columns.items()) {
    names +=
        std::string(column["name"].as_string()) + (column["priority"] == Value(1) ? "* " : " ");
  }
  CHECK(names == "Name Ready Status Restarts Age IP* Node* Nominated Node* Readiness Gates* ");
  CHECK(columns.at(0)["format"] == Value("name"));
  CHECK(columns.at(4)["type"] == Value("string"));
}

// The reference tells some texts from numbers that look the same.
TEST_CASE("rows are those of Kubernetes' own printers") {
  size_t count = 0;
  for (const Value& line : golden_lines("table.jsonl", "ORCH_TABLE_CASES")) {
    const Value& object = line["object"];
    std::string_view api_version = object["apiVersion"].as_string();
    auto parts = split_once(api_version, '/');
    const Kind* kind = registry().find_kind(
        parts ? parts->first : "", parts ? parts->second : api_version, object["kind"].as_string());
    INFO(format_json(object));
    REQUIRE(kind);
    ++count;
    Value columns = table_columns(*kind);
    Value row = table_row(*kind, object, hooks(), parse_time(line["now"].as_string()).value());
    REQUIRE(columns.size() == line["columns"].size());
    for (size_t i = 0; i < columns.size(); ++i) {
      const Value& wanted = line["columns"].at(i);
      INFO(format_json(wanted));
      for (std::string_view key : {"name", "type", "format", "priority"}) {
        CHECK(columns.at(i)[key] == wanted[key]);
      }
      std::string cell = format_json(row["cells"].at(i));
      if (row["cells"].at(i).is_number() && line["cells"].at(i).is_string()) cell = quote(cell);
      CHECK(cell == format_json(line["cells"].at(i)));
    }
    CHECK(format_json(row["conditions"]) == format_json(line["conditions"]));
  }
  CHECK(count > 50);
}

TEST_CASE("a deployment's row") {
  CHECK(cells_of("apps", "v1", "Deployment",
                 R"({"metadata":{"name":"web","creationTimestamp":"2024-05-01T11:55:00Z"},
                     "spec":{"replicas":3,"selector":{"matchLabels":{"app":"web"},
                             "matchExpressions":[{"key":"tier","operator":"In","values":["b","a"]}]},
                             "template":{"spec":{"containers":[{"name":"a","image":"i:1"},{"name":"b","image":"j"}]}}},
                     "status":{"readyReplicas":2,"updatedReplicas":3}})") ==
        R"x(["web","2/3",3,0,"5m","a,b","i:1,j","app=web,tier in (a,b)"])x");
}

TEST_CASE("a pod's status says what its containers do") {
  CHECK(pod(R"({"spec":{"containers":[{"name":"a"}]},"status":{"phase":"Pending"}})") ==
        "0/1 Pending 0");
  CHECK(
      pod(R"({"spec":{"containers":[{"name":"a"},{"name":"b"}]},"status":{"phase":"Running","containerStatuses":[
      {"name":"a","ready":true,"restartCount":2,"state":{"running":{}},"lastState":{"terminated":{"finishedAt":"2024-05-01T11:59:00Z"}}},
      {"name":"b","ready":false,"restartCount":1,"state":{"waiting":{"reason":"CrashLoopBackOff"}},
       "lastState":{"terminated":{"finishedAt":"2024-05-01T11:58:00Z"}}}]}})") ==
      "1/2 CrashLoopBackOff 3 (60s ago)");
  CHECK(
      pod(R"({"spec":{"containers":[{"name":"a"}]},"status":{"phase":"Succeeded","containerStatuses":[
      {"name":"a","state":{"terminated":{"exitCode":0,"reason":"Completed"}}}]}})") ==
      "0/1 Completed 0");
  CHECK(
      pod(R"({"spec":{"containers":[{"name":"a"}]},"status":{"phase":"Failed","containerStatuses":[
      {"name":"a","state":{"terminated":{"exitCode":137,"signal":9}}}]}})") == "0/1 Signal:9 0");
  CHECK(pod(R"({"spec":{"containers":[{"name":"a"}],"initContainers":[{"name":"i"},{"name":"j"}]},
      "status":{"phase":"Pending","initContainerStatuses":[{"name":"i","state":{"terminated":{"exitCode":0}}},
      {"name":"j","state":{"running":{}}}]}})") == "0/1 Init:1/2 0");
  CHECK(pod(R"({"spec":{"containers":[{"name":"a"}],"initContainers":[{"name":"i"}]},
      "status":{"phase":"Pending","initContainerStatuses":[{"name":"i","restartCount":4,"state":{"terminated":{"exitCode":3}}}]}})") ==
        "0/1 Init:ExitCode:3 4");
  CHECK(
      pod(R"({"spec":{"containers":[{"name":"a"}],"initContainers":[{"name":"s","restartPolicy":"Always"}]},
      "status":{"phase":"Running","initContainerStatuses":[{"name":"s","started":true,"ready":true,"state":{"running":{}}}],
      "containerStatuses":[{"name":"a","ready":true,"state":{"running":{}}}]}})") ==
      "2/2 Running 0");
  CHECK(
      pod(R"({"metadata":{"deletionTimestamp":"2024-05-01T12:00:00Z"},"spec":{"containers":[{"name":"a"}]},
      "status":{"phase":"Running"}})") == "0/1 Terminating 0");
  CHECK(
      pod(R"({"spec":{"containers":[{"name":"a"}]},"status":{"phase":"Failed","reason":"Evicted"}})") ==
      "0/1 Evicted 0");
  CHECK(pod(R"({"spec":{"containers":[{"name":"a"}]},"status":{"phase":"Pending","conditions":[
      {"type":"PodScheduled","status":"False","reason":"SchedulingGated"}]}})") ==
        "0/1 SchedulingGated 0");
}

TEST_CASE("a finished pod's row says so") {
  CHECK(
      format_json(row_of("", "v1", "Pod", R"({"status":{"phase":"Succeeded"}})")["conditions"]) ==
      R"([{"message":"The pod has completed successfully.","reason":"Succeeded","status":"True","type":"Completed"}])");
  CHECK_FALSE(row_of("", "v1", "Pod", R"({"status":{"phase":"Running"}})").has("conditions"));
}

TEST_CASE("services, endpoints and ingresses") {
  CHECK(
      cells_of(
          "", "v1", "Service",
          R"({"metadata":{"name":"s"},"spec":{"type":"LoadBalancer","clusterIPs":["10.0.0.1"],"externalIPs":["9.9.9.9"],
                     "ports":[{"port":80,"nodePort":30080,"protocol":"TCP"},{"port":53,"protocol":"UDP"}],"selector":{"b":"2","a":"1"}},
                     "status":{"loadBalancer":{"ingress":[{"ip":"2.2.2.2"},{"hostname":"1.example.com"}]}}})") ==
      R"(["s","LoadBalancer","10.0.0.1","1.example.com,2.2.2.2,9.9.9.9","80:30080/TCP,53/UDP","<unknown>","a=1,b=2"])");
  CHECK(
      cells_of(
          "", "v1", "Endpoints",
          R"({"metadata":{"name":"e"},"subsets":[{"addresses":[{"ip":"1.1.1.1"},{"ip":"::1"}],"ports":[{"port":80},{"port":443}]}]})") ==
      R"(["e","1.1.1.1:80,[::1]:80,1.1.1.1:443 + 1 more...","<unknown>"])");
  CHECK(cells_of("", "v1", "Endpoints", R"({"metadata":{"name":"e"}})") ==
        R"(["e","<none>","<unknown>"])");
  CHECK(
      cells_of(
          "discovery.k8s.io", "v1", "EndpointSlice",
          R"({"metadata":{"name":"e"},"addressType":"IPv4","ports":[{"name":"x","port":80},{"name":"y"},{}],
                     "endpoints":[{"addresses":["1.1.1.1"]},{"addresses":["1.1.1.2"]},{"addresses":["1.1.1.3"]},{"addresses":["1.1.1.4"]}]})") ==
      R"(["e","IPv4","80,y,*","1.1.1.1,1.1.1.2,1.1.1.3 + 1 more...","<unknown>"])");
  CHECK(
      cells_of(
          "networking.k8s.io", "v1", "Ingress",
          R"({"metadata":{"name":"i"},"spec":{"tls":[{}],"rules":[{"host":"a"},{"host":"b"},{"host":"c"},{"host":"d"}]}})") ==
      R"(["i","<none>","a,b,c + 1 more...","","80, 443","<unknown>"])");
}

TEST_CASE("nodes, events, jobs and claims") {
  CHECK(
      cells_of(
          "", "v1", "Node",
          R"({"metadata":{"name":"n","labels":{"node-role.kubernetes.io/control-plane":"","kubernetes.io/role":"edge"}},
                     "spec":{"unschedulable":true},"status":{"conditions":[{"type":"Ready","status":"True"}],
                     "addresses":[{"type":"InternalIP","address":"10.1.1.1"}],"nodeInfo":{"kubeletVersion":"v1.33.0"}}})") ==
      R"(["n","Ready,SchedulingDisabled","control-plane,edge","<unknown>","v1.33.0","10.1.1.1","<none>","<unknown>","<unknown>","<unknown>"])");
  CHECK(
      cells_of(
          "", "v1", "Event",
          R"({"metadata":{"name":"e"},"type":"Normal","reason":"Started","message":" hello\n","involvedObject":{"kind":"Pod","name":"p"},
                     "source":{"component":"c","host":"h"},"eventTime":"2024-05-01T11:59:57.000000Z"})") ==
      R"(["3s","Normal","Started","pod/p","","c, h","hello","3s",1,"e"])");
  CHECK(
      cells_of(
          "batch", "v1", "Job",
          R"({"metadata":{"name":"j"},"spec":{"completions":5,"template":{"spec":{"containers":[]}}},
                     "status":{"succeeded":2,"startTime":"2024-05-01T11:00:00Z","completionTime":"2024-05-01T11:02:30Z"}})") ==
      R"(["j","Running","2/5","2m30s","<unknown>","","","<none>"])");
  CHECK(cells_of("", "v1", "PersistentVolumeClaim",
                 R"({"metadata":{"name":"c"},"spec":{"volumeName":"v","storageClassName":"fast"},
                     "status":{"phase":"Bound","accessModes":["ReadWriteMany","ReadWriteOnce"],"capacity":{"storage":"1Gi"}}})") ==
        R"(["c","Bound","v","1Gi","RWO,RWX","fast","<unset>","<unknown>","<unset>"])");
}

TEST_CASE("targets of an autoscaler") {
  CHECK(
      cells_of(
          "autoscaling", "v2", "HorizontalPodAutoscaler",
          R"({"metadata":{"name":"h"},"spec":{"scaleTargetRef":{"kind":"Deployment","name":"d"},"minReplicas":2,"maxReplicas":9,
                     "metrics":[{"type":"Resource","resource":{"name":"cpu","target":{"averageUtilization":80}}},
                                {"type":"Pods","pods":{"target":{"averageValue":"10"}}},{"type":"Object","object":{"target":{"value":"1"}}}]},
                     "status":{"currentReplicas":3,"currentMetrics":[{"type":"Resource","resource":{"name":"cpu","current":{"averageUtilization":12}}}]}})") ==
      R"(["h","Deployment/d","cpu: 12%/80%, <unknown>/10 + 1 more...",2,9,3,"<unknown>"])");
}

TEST_CASE("a kind without columns has the default table, a custom one its own columns") {
  Kind kind;
  CHECK(format_json(table_columns(kind).at(1)["name"]) == "\"Created At\"");
  Value object = parse_json(R"({"metadata":{"name":"w","creationTimestamp":"2024-05-01T11:00:00Z"},
      "spec":{"size":3,"big":true,"conditions":[{"type":"A","status":"no"},{"type":"Ready","status":"yes"}]}})")
                     .value();
  CHECK(format_json(table_row(kind, object, hooks(), kNow)["cells"]) ==
        R"(["w","2024-05-01T11:00:00Z"])");
  kind.custom = true;
  auto add = [&](std::string name, std::string type, std::string path) {
    Column column;
    column.name = std::move(name);
    column.type = std::move(type);
    column.path_template = std::move(path);
    kind.columns.push_back(std::move(column));
  };
  add("Name", "string", "{.metadata.name}");
  add("Size", "integer", "{.spec.size}");
  add("Ready", "string", R"({.spec.conditions[?(@.type=="Ready")].status})");
  add("None", "string", "{.spec.nope}");
  add("Wrong", "integer", "{.metadata.name}");
  add("Age", "date", "{.metadata.creationTimestamp}");
  CHECK(format_json(table_row(kind, object, hooks(), kNow)["cells"]) ==
        R"(["w",3,"yes",null,null,"60m"])");
  CHECK(table_columns(kind).at(5)["type"] == Value("date"));
}
