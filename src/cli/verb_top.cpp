// top: what nodes and pods use.

#include <algorithm>
#include <map>

#include "base/text.h"
#include "cli/selection.h"
#include "cli/tab_writer.h"
#include "cli/verbs.h"
#include "client/rest_client.h"
#include "data/quantity.h"

namespace orch::cli {

using loop::fail;
using loop::Task;

namespace {

constexpr int64_t kMebi = 1024 * 1024;

struct Usage {
  Quantity cpu, memory;
  void add(const Value& usage) {
    cpu = cpu + Quantity::from(usage["cpu"]);
    memory = memory + Quantity::from(usage["memory"]);
  }
};

std::string cpu_cell(const Quantity& cpu) { return std::to_string(cpu.milli_value()) + "m\t"; }
std::string memory_cell(const Quantity& memory) { return std::to_string(memory.value() / kMebi) + "Mi\t"; }

std::string percent_cell(const Quantity& used, const Quantity& available) {
  if (available.is_zero()) return "<unknown>\t";
  double share = static_cast<double>(used.milli_value()) / static_cast<double>(available.milli_value()) * 100;
  return std::to_string(static_cast<int64_t>(share)) + "%\t";
}

Task<Value> read_metrics(Invocation& in, std::string path, std::string labels, std::string fields) {
  const ResourceMap* map = co_await in.session.resources();
  if (!map->find("nodes.v1beta1.metrics.k8s.io")) co_await fail(failure("Metrics API not available"));
  std::vector<std::pair<std::string, std::string>> query;
  query.emplace_back("labelSelector", labels);
  query.emplace_back("fieldSelector", fields);
  Value value = co_await in.session.get_json(with_query("/apis/metrics.k8s.io/v1beta1" + path, query));
  co_return std::move(value);
}

std::vector<Value> items_of(const Value& read, const std::string& name) {
  if (!name.empty()) return {read};
  return std::vector<Value>(read["items"].items().begin(), read["items"].items().end());
}

Result<void> check_sort(const std::string& by) {
  if (by.empty() || by == "cpu" || by == "memory") return {};
  return failure("--sort-by accepts only cpu or memory");
}

// --- Nodes

Task<int> run_top_node(Invocation& in) {
  if (in.words().size() > 1) co_await fail(usage_error("at most one node can be named"));
  std::string by = in.text("sort-by");
  co_await check_sort(by);
  std::string name = in.words().empty() ? "" : in.words()[0];
  if (!name.empty() && !in.text("selector").empty()) co_await fail(usage_error("only one of NAME or --selector can be provided"));
  std::string path = name.empty() ? "/nodes" : "/nodes/" + encode_percent(name);
  Value read = co_await read_metrics(in, path, in.text("selector"), "");
  auto items = items_of(read, name);
  if (items.empty()) co_await fail(failure("metrics not available yet"));
  const Resource* nodes = co_await in.session.find_resource("nodes");
  auto objects = co_await list_objects(in, *nodes, "", in.text("selector"), "");
  std::map<std::string, Value> available;
  for (const Value& node : objects) {
    available[std::string(node["metadata"]["name"].as_string())] = node["status"][in.on("show-capacity") ? "capacity" : "allocatable"];
  }
  auto before = [&](const Value& a, const Value& b) {
    if (by == "cpu") return Quantity::from(a["usage"]["cpu"]) > Quantity::from(b["usage"]["cpu"]);
    if (by == "memory") return Quantity::from(a["usage"]["memory"]) > Quantity::from(b["usage"]["memory"]);
    return a["metadata"]["name"].as_string() < b["metadata"]["name"].as_string();
  };
  std::ranges::stable_sort(items, before);
  TabWriter writer = TabWriter::for_tables();
  if (!in.on("no-headers")) writer.write("NAME\tCPU(cores)\tCPU(%)\tMEMORY(bytes)\tMEMORY(%)\t\n");
  for (const Value& item : items) {
    std::string node(item["metadata"]["name"].as_string());
    Usage used;
    used.add(item["usage"]);
    const Value& of = available[node];
    writer.write(node + "\t" + cpu_cell(used.cpu) + percent_cell(used.cpu, Quantity::from(of["cpu"])) +
                 memory_cell(used.memory) + percent_cell(used.memory, Quantity::from(of["memory"])) + "\n");
  }
  in.console.out(writer.flush());
  co_return 0;
}

// --- Pods

struct PodLine {
  std::string ns, pod, container;
  Usage usage;
};

std::vector<PodLine> lines_of(const std::vector<Value>& items, bool by_container) {
  std::vector<PodLine> lines;
  for (const Value& item : items) {
    PodLine line{std::string(item["metadata"]["namespace"].as_string()), std::string(item["metadata"]["name"].as_string()), "", {}};
    for (const Value& container : item["containers"].items()) {
      if (!by_container) {
        line.usage.add(container["usage"]);
        continue;
      }
      PodLine one = line;
      one.container = container["name"].as_string();
      one.usage.add(container["usage"]);
      lines.push_back(std::move(one));
    }
    if (!by_container) lines.push_back(std::move(line));
  }
  return lines;
}

void sort_lines(std::vector<PodLine>& lines, const std::string& by) {
  auto before = [&](const PodLine& a, const PodLine& b) {
    if (by == "cpu" && a.usage.cpu != b.usage.cpu) return a.usage.cpu > b.usage.cpu;
    if (by == "memory" && a.usage.memory != b.usage.memory) return a.usage.memory > b.usage.memory;
    return std::tie(a.ns, a.pod, a.container) < std::tie(b.ns, b.pod, b.container);
  };
  std::ranges::stable_sort(lines, before);
}

void print_lines(Invocation& in, const std::vector<PodLine>& lines, bool namespaces, bool containers) {
  TabWriter writer = TabWriter::for_tables();
  std::string head = namespaces ? "NAMESPACE\t" : "";
  head += containers ? "POD\tNAME\t" : "NAME\t";
  if (!in.on("no-headers")) writer.write(head + "CPU(cores)\tMEMORY(bytes)\t\n");
  Usage total;
  for (const PodLine& line : lines) {
    std::string text = namespaces ? line.ns + "\t" : "";
    text += line.pod + "\t";
    if (containers) text += line.container + "\t";
    writer.write(text + cpu_cell(line.usage.cpu) + memory_cell(line.usage.memory) + "\n");
    total.cpu = total.cpu + line.usage.cpu;
    total.memory = total.memory + line.usage.memory;
  }
  if (in.on("sum")) {
    std::string blanks(static_cast<size_t>(1 + namespaces + containers), '\t');
    writer.write(blanks + "________\t________\t\n");
    writer.write(blanks + cpu_cell(total.cpu) + memory_cell(total.memory) + "\n");
  }
  in.console.out(writer.flush());
}

Task<int> run_top_pod(Invocation& in) {
  if (in.words().size() > 1) co_await fail(usage_error("at most one pod can be named"));
  std::string by = in.text("sort-by");
  co_await check_sort(by);
  std::string name = in.words().empty() ? "" : in.words()[0];
  if (!name.empty() && !in.text("selector").empty()) co_await fail(usage_error("only one of NAME or --selector can be provided"));
  bool everywhere = in.on("all-namespaces");
  std::string ns;
  if (!everywhere) ns = co_await in.session.ns();
  std::string path = everywhere ? "/pods" : "/namespaces/" + encode_percent(ns) + "/pods";
  if (!name.empty()) path += "/" + encode_percent(name);
  Value read = co_await read_metrics(in, path, in.text("selector"), in.text("field-selector"));
  auto items = items_of(read, name);
  if (items.empty()) {
    in.console.error(everywhere ? "No resources found\n" : "No resources found in " + ns + " namespace.\n");
    co_return 0;
  }
  auto lines = lines_of(items, in.on("containers"));
  sort_lines(lines, by);
  print_lines(in, lines, everywhere, in.on("containers"));
  co_return 0;
}

Flags shared_flags() {
  return {{"selector", 'l', FlagType::text, "", "label query, such as a=b,c!=d"},
          {"sort-by", 0, FlagType::text, "", "cpu or memory"},
          {"no-headers", 0, FlagType::boolean, "false", "without the headers"},
          {"use-protocol-buffers", 0, FlagType::boolean, "true", "accepted"}};
}

}  // namespace

std::vector<Verb> top_verbs() {
  Flags node = {{"show-capacity", 0, FlagType::boolean, "false", "shares of the capacity instead of what pods may use"}};
  Flags pod = {{"containers", 0, FlagType::boolean, "false", "each container"},
               {"sum", 0, FlagType::boolean, "false", "with the sum of all"},
               {"field-selector", 0, FlagType::text, "", "field query"}};
  Flags node_flags = flags::join({node, shared_flags()});
  Flags pod_flags = flags::join({pod, shared_flags(), flags::all_namespaces()});
  std::vector<Verb> verbs;
  for (const char* word : {"top node", "top nodes", "top no"}) {
    verbs.push_back(Verb{word, "[NAME | -l label]", "What nodes use", node_flags, run_top_node});
  }
  for (const char* word : {"top pod", "top pods", "top po"}) {
    verbs.push_back(Verb{word, "[NAME | -l label]", "What pods use", pod_flags, run_top_pod});
  }
  return verbs;
}

}  // namespace orch::cli
