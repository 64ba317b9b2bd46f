#include "agent/handlers.h"

#include <cctype>
#include <cerrno>
#include <cstring>

#include "agent/http_get.h"
#include "base/text.h"
#include "loop/timeout.h"
#include "wire/grpc_health.h"

namespace orch::agent {

using loop::Task;

namespace {

constexpr size_t most_output_bytes = 10 * 1024;  // kubelet's maxReadLength of an exec probe
constexpr std::string_view probe_agent = "kube-probe/1.33", hook_agent = "kube-lifecycle/1.33";
constexpr int grpc_unimplemented = 12;

std::string with_port(const std::string& host, uint16_t port) {
  return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + std::to_string(port);
}

std::vector<std::string> texts_of(const Value& list) {
  std::vector<std::string> texts;
  for (const Value& item : list.items()) texts.emplace_back(item.as_string());
  return texts;
}

Attempt failure(std::string output) { return {false, std::move(output), false}; }

// fmt's %v of a Go list: "[sh -c true]".
std::string go_list(const std::vector<std::string>& texts) { return "[" + join(texts, " ") + "]"; }

Attempt judge_health(const wire::GrpcHealth& health) {
  if (health.grpc_status == grpc_unimplemented) {
    return failure("error: this server does not implement the grpc health protocol (grpc.health.v1.Health): " + health.grpc_message);
  }
  if (health.grpc_status != 0) {
    return failure("error: health rpc probe failed: rpc error: code = " + std::string(wire::grpc_status_text(health.grpc_status)) +
                   " desc = " + health.grpc_message);
  }
  if (health.serving != 1) return failure("service unhealthy (responded with " + quote(wire::serving_text(health.serving)) + ")");
  return {true, "", false};
}

}  // namespace

Result<uint16_t> resolve_port(const Value& port, const Value& container) {
  int64_t number = port.as_int();
  if (port.is_string()) {
    std::string_view name = port.as_string();
    number = parse_int(name).value_or(0);
    bool found = number != 0;
    for (const Value& each : container["ports"].items()) {
      if (found || each["name"].as_string() != name) continue;
      number = each["containerPort"].as_int();
      found = true;
    }
    if (!found) return Error::make(Code::invalid, "couldn't find port: " + std::string(name) + " in container " + quote(container["name"].as_string()));
  }
  if (number <= 0 || number > 65535) return Error::make(Code::invalid, "invalid port number: " + std::to_string(number));
  return static_cast<uint16_t>(number);
}

std::string dial_text(std::string_view address, const Error& error) {
  std::string why = error.message();
  if (error.is(Code::timeout)) why = "i/o timeout";
  if (int number = error.error_number(); number != 0) {
    why = number == ETIMEDOUT ? "connection timed out" : std::strerror(number);
    if (!why.empty()) why[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(why[0])));
    why = "connect: " + why;
  }
  return "dial tcp " + std::string(address) + ": " + why;
}

Task<Attempt> Handlers::probe(HandlerTarget target, Value probe, Duration timeout) {
  if (!probe["exec"].is_null()) return probe_exec(std::move(target), probe["exec"], timeout);
  if (!probe["httpGet"].is_null()) return probe_http(std::move(target), probe["httpGet"], timeout);
  if (!probe["tcpSocket"].is_null()) return probe_tcp(std::move(target), probe["tcpSocket"], timeout);
  return probe_grpc(std::move(target), probe["grpc"], timeout);
}

Task<Attempt> Handlers::probe_http(HandlerTarget target, Value get, Duration timeout) {
  HttpGetPlan plan = co_await plan_http_get(get, target, probe_agent);
  auto reply = co_await loop::with_timeout(loop_, run_http_get(loop_, network_, plan), timeout).result();
  if (!reply.ok()) co_return failure(get_error_text(plan, reply.error()));
  co_return judge_status(reply->status, reply->body);
}

Task<Attempt> Handlers::probe_tcp(HandlerTarget target, Value socket, Duration timeout) {
  std::string host(socket["host"].as_string());
  if (host.empty()) host = target.pod_ip;
  uint16_t port = co_await resolve_port(socket["port"], target.container);
  auto connected = co_await loop::with_timeout(loop_, network_.connect_tcp(host, port), timeout).result();
  if (!connected.ok()) co_return failure(dial_text(with_port(host, port), connected.error()));
  Attempt success;
  success.success = true;
  co_return std::move(success);
}

Task<Attempt> Handlers::probe_exec(HandlerTarget target, Value exec, Duration timeout) {
  std::vector<std::string> command = texts_of(exec["command"]);
  auto output = co_await runtime_.exec_and_wait(target.pod_uid, target.container_id, command, timeout, most_output_bytes).result();
  if (!output.ok() && output.error().is(Code::timeout)) {
    co_return failure("command timed out: " + quote(join(command, " ")) + " timed out after " + format_duration(timeout));
  }
  if (!output.ok()) co_await loop::fail(output.error());
  Attempt attempt;
  attempt.success = output->exit_code == 0;
  attempt.output = to_valid_utf8(output->text);
  co_return std::move(attempt);
}

Task<Attempt> Handlers::probe_grpc(HandlerTarget target, Value grpc, Duration timeout) {
  uint16_t port = co_await resolve_port(grpc["port"], target.container);
  const std::string address = with_port(target.pod_ip, port);
  const Mono end = loop_.now() + timeout;
  auto stream = co_await loop::with_timeout(loop_, network_.connect_tcp(target.pod_ip, port), timeout).result();
  if (!stream.ok() && stream.error().is(Code::timeout)) {
    co_return failure("timeout: failed to connect service " + quote(address) + " within " + format_duration(timeout) + ": context deadline exceeded");
  }
  if (!stream.ok()) {
    co_return failure("error: failed to connect service at " + quote(address) +
                      ": connection error: desc = \"transport: Error while dialing: " + dial_text(address, stream.error()) + "\"");
  }
  auto call = wire::check_grpc_health(std::move(*stream), address, std::string(grpc["service"].as_string()), std::string(probe_agent));
  auto health = co_await loop::with_timeout(loop_, std::move(call), end - loop_.now()).result();
  if (health.ok()) co_return judge_health(*health);
  if (health.error().is(Code::timeout)) co_return failure("timeout: health rpc did not complete within " + format_duration(timeout));
  co_return failure("error: health rpc probe failed: rpc error: code = Unavailable desc = " + health.error().message());
}

Task<void> Handlers::run_hook(HandlerTarget target, Value handler, Duration limit) {
  if (!handler["exec"].is_null()) {
    std::vector<std::string> command = texts_of(handler["exec"]["command"]);
    auto output = co_await runtime_.exec_and_wait(target.pod_uid, target.container_id, command, limit, most_output_bytes).result();
    if (!output.ok()) co_await loop::fail(std::move(output).error().with_context("exec hook " + go_list(command)));
    if (output->exit_code == 0) co_return;
    co_await loop::fail(Error::make(Code::invalid, "command '" + join(command, " ") + "' exited with " + std::to_string(output->exit_code) +
                                                       ": " + to_valid_utf8(output->text)));
  } else if (!handler["sleep"].is_null()) {
    co_await loop::sleep(loop_, std::min<Duration>(std::chrono::seconds(handler["sleep"]["seconds"].as_int()), limit));
  } else if (!handler["httpGet"].is_null()) {
    HttpGetPlan plan = co_await plan_http_get(handler["httpGet"], target, hook_agent);
    auto reply = co_await loop::with_timeout(loop_, run_http_get(loop_, network_, plan), limit).result();
    // An https hook to a server that speaks http has always worked with kubelet.
    if (!reply.ok() && plan.endpoint.tls && reply.error().message().find("wrong version number") != std::string::npos) {
      plan.endpoint.tls = false;
      reply = co_await loop::with_timeout(loop_, run_http_get(loop_, network_, plan), limit).result();
    }
    if (!reply.ok()) co_await loop::fail(Error::make(Code::unavailable, get_error_text(plan, reply.error())));
  } else {
    co_await loop::fail(Error::make(Code::invalid, "invalid handler: only exec, httpGet and sleep are supported"));
  }
}

}  // namespace orch::agent
