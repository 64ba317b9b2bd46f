#include "cli/waiting.h"

namespace orch::cli {

using loop::Task;

namespace {

// One watch from `version` on; true: the condition holds. False: read again.
Task<bool> watch_once(Invocation& in, const Resource& resource, const std::string& ns,
                      const std::string& name, const std::string& version, const Condition& condition,
                      Duration left) {
  const int64_t seconds = (left + 999ms) / 1s;
  std::vector<std::pair<std::string, std::string>> query = {{"watch", "true"},
                                                            {"fieldSelector", "metadata.name=" + name},
                                                            {"resourceVersion", version},
                                                            {"timeoutSeconds", std::to_string(seconds)}};
  client::RestRequest request;
  request.target = with_query(resource_path(resource, ns, ""), query);
  auto opened = co_await in.session.watch(std::move(request)).result();
  if (!opened.ok()) {
    if (opened.error().is(Code::expired) || opened.error().is(Code::gone)) co_return false;
    co_await loop::fail(std::move(opened).error());
  }
  auto lines = std::move(opened).value();
  while (true) {
    auto events = co_await lines->next().result();
    if (!events.ok() || events.value().empty()) co_return false;
    for (const Value& event : events.value()) {
      std::string_view type = event["type"].as_string();
      if (type == "BOOKMARK") continue;
      Value object;
      if (type != "DELETED") object = event["object"];
      bool over = co_await condition(std::move(object));
      if (over) co_return true;
    }
  }
}

}  // namespace

Task<void> wait_until(Invocation& in, const Resource& resource, std::string ns, std::string name,
                      Condition condition, Duration limit) {
  const Mono end = in.session.loop().now() + limit;
  while (true) {
    auto object = co_await in.session.get_json(resource_path(resource, ns, name)).result();
    if (!object.ok() && !object.error().is(Code::not_found)) {
      co_await loop::fail(std::move(object).error());
    }
    Value current;
    if (object.ok()) current = std::move(object).value();
    bool over = co_await condition(current);
    if (over) co_return;
    const Duration left = end - in.session.loop().now();
    if (left <= Duration::zero()) {
      co_await loop::fail(Error::make(Code::timeout, "timed out waiting for the condition"));
    }
    std::string version(current["metadata"]["resourceVersion"].as_string());
    if (version.empty()) {
      std::vector<std::pair<std::string, std::string>> query = {
          {"fieldSelector", "metadata.name=" + name}};
      Value list = co_await in.session.get_json(with_query(resource_path(resource, ns, ""), query));
      if (!list["items"].empty()) continue;  // it came in between
      version = list["metadata"]["resourceVersion"].as_string();
    }
    over = co_await watch_once(in, resource, ns, name, version, condition, left);
    if (over) co_return;
    co_await loop::sleep(in.session.loop(), 200ms);  // a server that ends watches at once
  }
}

}  // namespace orch::cli
