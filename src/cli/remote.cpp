#include "cli/remote.h"

#include "base/text.h"
#include "cli/terminal.h"
#include "data/json.h"
#include "loop/scope.h"

namespace orch::cli {

using loop::fail;
using loop::Task;
using wire::CommandChannel;
using wire::RemoteCommandClient;

namespace {

std::string remote_target(const RemoteOptions& options) {
  std::vector<std::pair<std::string, std::string>> query;
  query.emplace_back("container", options.container);
  for (auto [on, key] : {std::pair{options.input, "stdin"}, {options.output, "stdout"}, {options.error, "stderr"},
                         {options.terminal, "tty"}}) {
    if (on) query.emplace_back(key, "true");
  }
  std::string text = pod_path(options.pod, options.subresource) + "?" + client::format_query(query);
  for (const std::string& argument : options.command) text += "&command=" + encode_percent(argument);
  return text;
}

struct Connected {
  Invocation& in;
  RemoteCommandClient& remote;
  Terminal* terminal;
};

Task<void> send_input(Connected& connected) {
  while (true) {
    std::string bytes = co_await connected.terminal->read();
    if (bytes.empty()) break;
    co_await connected.remote.write_input(std::move(bytes));
  }
  co_await connected.remote.close_input();
}

Task<void> send_sizes(Connected& connected) {
  while (true) {
    auto size = connected.terminal->size();
    if (size) co_await connected.remote.resize(*size);
    connected.terminal->size_changed().reset();
    co_await connected.terminal->size_changed().wait();
  }
}

}  // namespace

Result<int> command_result(const std::string& status) {
  TRY(Value value, parse_json(status));
  auto code = wire::exit_code_of(value);
  if (code) return *code;
  return failure(std::string(value["message"].as_string()));
}

Task<std::unique_ptr<RemoteCommandClient>> open_remote(Invocation& in, RemoteOptions options) {
  client::RestClient* client = co_await in.session.client();
  client::RestRequest request;
  std::string key = wire::make_websocket_key();
  request.target = remote_target(options);
  request.headers = wire::websocket_headers(key, wire::command_protocols());
  auto reply = co_await client->open(std::move(request));
  if (reply->status() != 101) {
    std::string body = co_await client::read_body(*reply, 1 << 20);
    co_await fail(client::reply_error(reply->status(), body));
  }
  auto socket = co_await wire::open_websocket(in.session.loop(), *reply, key);
  co_return std::make_unique<RemoteCommandClient>(std::move(socket));
}

Task<int> run_remote(Invocation& in, RemoteOptions options) {
  bool input = options.input;
  bool terminal = options.terminal;
  auto remote = co_await open_remote(in, std::move(options));
  Connected connected{in, *remote, in.console.terminal()};
  std::unique_ptr<Terminal::Raw> raw;
  if (terminal && connected.terminal) raw = co_await connected.terminal->make_raw();
  loop::Scope scope(in.session.loop());
  if (input && connected.terminal) scope.spawn(send_input(connected));
  if (terminal && connected.terminal) scope.spawn(send_sizes(connected));
  while (true) {
    RemoteCommandClient::Piece piece = co_await remote->read();
    if (piece.channel == CommandChannel::output) in.console.out(piece.bytes);
    if (piece.channel == CommandChannel::error) in.console.error(piece.bytes);
    if (piece.channel != CommandChannel::status) continue;
    scope.cancel();
    raw.reset();
    int code = co_await command_result(piece.bytes);
    co_return code;
  }
}

}  // namespace orch::cli
