#include "agent/node_api.h"

#include <algorithm>
#include <array>

#include "agent/log_follower.h"
#include "base/text.h"
#include "client/status_object.h"
#include "data/json.h"
#include "loop/scope.h"
#include "wire/port_forward.h"
#include "wire/remote_command.h"

namespace orch::agent {

using loop::fail;
using loop::Task;
using runtime::CommandSession;
using wire::CommandChannel;
using wire::RemoteCommand;

namespace {

constexpr std::string_view kIdPrefix = "orch://";

Task<void> send_text(wire::Responder& responder, int status, std::string type, std::string text) {
  wire::Headers headers;
  headers.add("Content-Type", std::move(type));
  std::vector<loop::Chunk> body;
  body.emplace_back(std::move(text));
  co_await responder.send(status, std::move(headers), std::move(body));
}

Error not_found(std::string message) { return Error::make(Code::not_found, std::move(message)); }

const Value& container_spec(const Value& pod, std::string_view name) {
  for (const char* list : {"containers", "initContainers", "ephemeralContainers"}) {
    for (const Value& container : pod["spec"][list].items()) {
      if (container["name"].as_string() == name) return container;
    }
  }
  return Value::null();
}

const Value& container_status(const Value& pod, std::string_view name) {
  for (const char* list : {"containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"}) {
    for (const Value& status : pod["status"][list].items()) {
      if (status["name"].as_string() == name) return status;
    }
  }
  return Value::null();
}

std::string plain_id(const Value& id) {
  std::string_view text = id.as_string();
  if (text.starts_with(kIdPrefix)) text.remove_prefix(kIdPrefix.size());
  return std::string(text);
}

bool flag(const wire::Query& query, std::string_view key) {
  return query.get(key) == "1" || query.get(key) == "true";
}

// --- A remote command and the process it is connected to -------------------------------------------

struct Bridge {
  Bridge(loop::Loop& l, RemoteCommand& r, CommandSession& s) : remote(r), session(s), over(l) {}
  RemoteCommand& remote;
  CommandSession& session;
  bool close_input_at_end = true;
  loop::Event over;
  std::optional<int> exit_code;
  std::optional<Error> error;
};

Task<void> pump_input(Bridge& bridge) {
  while (true) {
    std::string bytes = co_await bridge.remote.read_input();
    if (bytes.empty()) break;
    co_await bridge.session.write(std::move(bytes));
  }
  if (bridge.close_input_at_end) co_await bridge.session.close_input();
}

Task<void> pump_sizes(Bridge& bridge) {
  while (true) {
    wire::WindowSize size = co_await bridge.remote.read_size();
    bridge.session.resize({size.columns, size.rows});
  }
}

Task<void> pump_output(Bridge& bridge) {
  while (true) {
    CommandSession::Piece piece = co_await bridge.session.read();
    if (piece.bytes.empty()) break;
    bool is_error = piece.channel == CommandSession::Channel::error;
    co_await bridge.remote.write(is_error ? CommandChannel::error : CommandChannel::output, std::move(piece.bytes));
  }
  bridge.exit_code = co_await bridge.session.wait();
}

Task<void> until_output_ends(Bridge& bridge) {
  auto pumped = co_await pump_output(bridge).result();
  if (!pumped.ok()) bridge.error = pumped.error();
  bridge.over.set();
}

Task<void> until_gone(Bridge& bridge) {
  co_await bridge.remote.gone();
  bridge.over.set();
}

// Copies until the process or the client has ended.
Task<void> connect(loop::Loop& loop, Bridge& bridge, bool input, bool terminal) {
  loop::Scope scope(loop);
  if (input) scope.spawn(pump_input(bridge));
  if (terminal) scope.spawn(pump_sizes(bridge));
  scope.spawn(until_gone(bridge));
  scope.spawn(until_output_ends(bridge));
  co_await bridge.over.wait();
}

wire::CommandChannels channels_of(const wire::Query& query) {
  wire::CommandChannels channels;
  channels.input = flag(query, "input");
  channels.output = flag(query, "output");
  channels.error = flag(query, "error");
  channels.terminal = flag(query, "tty");
  return channels;
}

// Go's %v of a []string, which is how kubelet names a command.
std::string command_text(const std::vector<std::string>& arguments) { return "[" + join(arguments, " ") + "]"; }

}  // namespace

// --- Requests ---------------------------------------------------------------------------------------

NodeApi::NodeApi(Parts parts) : p_(std::move(parts)), stats_(p_.loop, p_.runtime, p_.node_name) {}

void NodeApi::pod_changed(const std::string& pod_uid) {
  auto [first, last] = followers_.equal_range(pod_uid);
  for (auto follower = first; follower != last; ++follower) follower->second->set();
}

std::optional<NodeApi::Place> NodeApi::place_of(std::string_view path) {
  std::vector<std::string> parts;
  for (auto part : split(path, '/')) {
    if (!part.empty()) parts.emplace_back(part);
  }
  if (parts.size() < 3) return std::nullopt;
  bool has_container = parts[0] != "portForward";
  if (parts.size() != (has_container ? 4u : 3u)) return std::nullopt;
  return Place{parts[0], parts[1], parts[2], has_container ? parts[3] : ""};
}

Task<void> NodeApi::handle(wire::Request request, wire::Peer, wire::Responder& responder) {
  auto answered = co_await answer(std::move(request), responder).result();
  if (answered.ok() || answered.error().is(Code::closed)) co_return;
  const Error& error = answered.error();
  int status = code_info(error.code()).http_status;
  if (status >= 500) p_.log.info("request refused", {{"error", error.message()}});
  co_await send_text(responder, status, "application/json", format_json(client::status_object(error)));
}

Task<void> NodeApi::answer(wire::Request request, wire::Responder& responder) {
  if (request.path == "/healthz") co_return co_await send_text(responder, 200, "text/plain; charset=utf-8", "ok");
  if (request.path == "/pods" || request.path == "/pods/") {
    Value list = Value::object({{"kind", "PodList"},
                                {"apiVersion", "v1"},
                                {"metadata", Value::empty_object()},
                                {"items", Value::list(p_.pods())}});
    co_return co_await send_text(responder, 200, "application/json", format_json(list));
  }
  if (request.path == "/stats/summary" || request.path == "/metrics/resource") {
    co_return co_await serve_stats(request.path, responder);
  }
  auto place = place_of(request.path);
  if (place && place->verb == "containerLogs") co_return co_await serve_logs(std::move(request), *place, responder);
  if (place && place->verb == "exec") co_return co_await serve_exec(std::move(request), *place, responder);
  if (place && place->verb == "attach") co_return co_await serve_attach(std::move(request), *place, responder);
  if (place && place->verb == "portForward") co_return co_await serve_port_forward(std::move(request), *place, responder);
  co_await fail(not_found("404 page not found"));
}

Result<Value> NodeApi::find_pod(const Place& place) const {
  for (const Value& pod : p_.pods()) {
    const Value& metadata = pod["metadata"];
    if (metadata["namespace"].as_string() == place.ns && metadata["name"].as_string() == place.pod) return pod;
  }
  return not_found("pod " + quote(place.pod) + " does not exist");
}

Result<std::string> NodeApi::running_container(const Value& pod, std::string_view name) const {
  auto sandbox = p_.runtime.find(pod["metadata"]["uid"].as_string());
  if (sandbox) {
    for (const auto& container : sandbox->containers) {
      if (container.name == name && container.phase == runtime::ContainerPhase::running) return container.id;
    }
  }
  return Error::make(Code::internal, "container not found (" + quote(name) + ")");
}

// --- Commands ---------------------------------------------------------------------------------------

Task<void> NodeApi::serve_exec(wire::Request request, Place place, wire::Responder& responder) {
  Value pod = co_await find_pod(place);
  std::string id = co_await running_container(pod, place.container);
  runtime::CommandRequest command;
  for (auto argument : request.query.all("command")) command.arguments.emplace_back(argument);
  if (command.arguments.empty()) co_await fail(Error::make(Code::bad_request, "you must specify at least one command for the container"));
  std::string text = command_text(command.arguments);
  wire::CommandChannels channels = channels_of(request.query);
  command.input = channels.input;
  command.terminal = channels.terminal;
  auto remote = co_await wire::accept_remote_command(p_.loop, request, responder, channels);
  std::string uid(pod["metadata"]["uid"].as_string());
  auto session = co_await p_.runtime.exec(uid, id, std::move(command)).result();
  if (!session.ok()) {
    std::string why = "error executing command in container: failed to exec in container: " + session.error().message();
    co_return co_await remote->finish(wire::command_failed(why));
  }
  Bridge bridge(p_.loop, *remote, **session);
  co_await connect(p_.loop, bridge, channels.input, channels.terminal);
  if (bridge.exit_code) co_return co_await remote->finish(wire::command_exited(text, *bridge.exit_code));
  if (!bridge.error || bridge.error->is(Code::closed)) co_return;  // the client is gone; the process goes with the session
  co_await remote->finish(wire::command_failed("error executing command in container: " + bridge.error->message()));
}

Task<void> NodeApi::serve_attach(wire::Request request, Place place, wire::Responder& responder) {
  Value pod = co_await find_pod(place);
  std::string id = co_await running_container(pod, place.container);
  const Value& spec = container_spec(pod, place.container);
  wire::CommandChannels channels = channels_of(request.query);
  bool terminal = spec["tty"].as_bool();
  if (terminal) channels.terminal = true;  // it is the container's, whatever the client thinks
  channels.input = channels.input && spec["stdin"].as_bool();
  bool input_once = spec["stdinOnce"].as_bool();
  bool takes_input = channels.input;
  channels.input = flag(request.query, "input");  // the client opens the channel in any case
  auto remote = co_await wire::accept_remote_command(p_.loop, request, responder, channels);
  std::string uid(pod["metadata"]["uid"].as_string());
  auto session = co_await p_.runtime.attach(uid, id).result();
  if (!session.ok()) {
    co_return co_await remote->finish(wire::command_failed("error attaching to container: " + session.error().message()));
  }
  Bridge bridge(p_.loop, *remote, **session);
  bridge.close_input_at_end = input_once;
  co_await connect(p_.loop, bridge, takes_input, terminal);
  // With stdinOnce the first client that leaves takes the container's input along.
  if (!bridge.exit_code && input_once && takes_input) co_await (*session)->close_input().result();
  if (bridge.exit_code) co_await remote->finish(wire::command_succeeded());
}

Task<void> NodeApi::serve_port_forward(wire::Request request, Place place, wire::Responder& responder) {
  Value pod = co_await find_pod(place);
  std::string uid(pod["metadata"]["uid"].as_string());
  auto sandbox = p_.runtime.find(uid);
  if (!sandbox || !sandbox->alive) {
    co_await fail(Error::make(Code::internal, "pod not found (" + quote(place.pod + "_" + place.ns) + ")"));
  }
  wire::PortForwardTarget target;
  target.describe = "pod " + place.pod + "_" + place.ns + ", uid " + uid;
  target.connect = [&runtime = p_.runtime, uid](uint16_t port) { return runtime.connect(uid, "127.0.0.1", port); };
  co_await wire::serve_port_forward(p_.loop, request, responder, std::move(target));
}

// --- Logs and figures -------------------------------------------------------------------------------

Result<LogSource> choose_log_source(const Value& pod, std::string_view container, bool previous) {
  std::string where = "container " + quote(container) + " in pod " + quote(pod["metadata"]["name"].as_string());
  auto refuse = [](std::string message) { return Error::make(Code::bad_request, std::move(message)); };
  const Value& status = container_status(pod, container);
  if (status.is_null()) return refuse(where + " is not available");
  const Value& last = status["lastState"]["terminated"];
  const Value& state = status["state"];
  int64_t count = status["restartCount"].as_int();
  if (previous) {
    if (last["containerID"].as_string().empty()) return refuse("previous terminated " + where + " not found");
    // The next one is counted once it is created: while it waits, the count is still that of the last one.
    return LogSource{plain_id(last["containerID"]), state["waiting"].is_object() ? count : count - 1};
  }
  if (state["running"].is_object()) return LogSource{plain_id(status["containerID"]), count};
  const Value& ended = state["terminated"];
  if (ended.is_object() || last.is_object()) {
    // The next one may not have started: then the last that did.
    if (!ended["containerID"].as_string().empty()) return LogSource{plain_id(ended["containerID"]), count};
    if (last["containerID"].as_string().empty()) return refuse(where + " is terminated");
    return LogSource{plain_id(last["containerID"]), count};
  }
  const Value& waiting = state["waiting"];
  if (!waiting.is_object()) return refuse(where + " is waiting to start - no logs yet");
  std::string reason(waiting["reason"].as_string());
  if (reason == "ErrImagePull") reason = "image can't be pulled";
  if (reason == "ImagePullBackOff") reason = "trying and failing to pull image";
  return refuse(where + " is waiting to start: " + reason);
}

std::string container_log_path(std::string_view log_directory, const Value& pod, std::string_view container, int64_t attempt) {
  const Value& metadata = pod["metadata"];
  std::string path(log_directory);
  path += "/" + std::string(metadata["namespace"].as_string()) + "_" + std::string(metadata["name"].as_string()) + "_" +
          std::string(metadata["uid"].as_string());
  return path + "/" + std::string(container) + "/" + std::to_string(attempt) + ".log";
}

Task<void> NodeApi::serve_logs(wire::Request request, Place place, wire::Responder& responder) {
  Value pod = co_await find_pod(place);
  if (container_spec(pod, place.container).is_null()) {
    co_await fail(not_found("container " + quote(place.container) + " not found in pod " + quote(place.pod)));
  }
  LogOptions options = co_await parse_log_options(request.query, p_.loop.wall());
  LogSource source = co_await choose_log_source(pod, place.container, options.previous);
  std::string uid(pod["metadata"]["uid"].as_string());
  int64_t attempt = std::max<int64_t>(source.restart_count, 0);
  // The runtime knows the attempt for certain, while it still has the container.
  if (auto sandbox = p_.runtime.find(uid)) {
    auto& all = sandbox->containers;
    auto found = std::ranges::find(all, source.container_id, &runtime::ContainerState::id);
    if (found != all.end()) attempt = found->attempt;
  }
  LogRequest what;
  what.options = options;
  what.path = container_log_path(p_.log_directory, pod, place.container, attempt);
  what.pod_uid = uid;
  what.container_id = source.container_id;
  loop::Event changed(p_.loop);
  auto registered = followers_.emplace(uid, &changed);
  struct Leave {
    decltype(followers_)& all;
    decltype(registered) mine;
    ~Leave() { all.erase(mine); }
  } leave{followers_, registered};
  co_await send_logs(p_.loop, p_.runtime, std::move(what), changed, responder);
}

Task<void> NodeApi::serve_stats(std::string path, wire::Responder& responder) {
  if (path == "/stats/summary") {
    Value summary = co_await stats_.summary(p_.pods());
    co_return co_await send_text(responder, 200, "application/json", format_json(summary));
  }
  std::string text = co_await stats_.resource_metrics(p_.pods());
  co_await send_text(responder, 200, "text/plain; version=0.0.4; charset=utf-8", std::move(text));
}

}  // namespace orch::agent
