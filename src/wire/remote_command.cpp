#include "wire/remote_command.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "data/json.h"
#include "loop/scope.h"
#include "loop/timeout.h"
#include "wire/spdy_session.h"
#include "wire/websocket.h"

namespace orch::wire {

using loop::Task;

namespace {

constexpr Duration kStreamCreation = 30s;      // kubelet's streamCreationTimeout
constexpr Duration kLinger = 5s;               // for a client to close after us
constexpr size_t kMaxUnreadInput = 256 * 1024;  // then the connection is not read on
constexpr size_t kMaxSizeText = 1024;

// What each subprotocol can do.
struct Protocol {
  std::string_view name;
  bool base64 = false;
  bool json_status = false;
  bool half_close = false;
  bool resize = true;
};
constexpr Protocol kWebSocketProtocols[] = {
    {"v5.channel.k8s.io", false, true, true},
    {"v4.channel.k8s.io", false, true, false},
    {"v4.base64.channel.k8s.io", true, true, false},
    {"v3.channel.k8s.io", false, false, false},
    {"v2.channel.k8s.io", false, false, false},
    {"channel.k8s.io", false, false, false},
    {"base64.channel.k8s.io", true, false, false},
};
constexpr Protocol kSpdyProtocols[] = {
    {"v5.channel.k8s.io", false, true, false, true},
    {"v4.channel.k8s.io", false, true, false, true},
    {"v3.channel.k8s.io", false, false, false, true},
    {"v2.channel.k8s.io", false, false, false, false},
    {"channel.k8s.io", false, false, false, false},
};
constexpr Protocol kUnnamed{"", false, false, false, false};

Protocol find_protocol(std::span<const Protocol> known, std::string_view name) {
  auto found = std::ranges::find(known, name, &Protocol::name);
  return found == known.end() ? kUnnamed : *found;
}

std::vector<std::string> names_of(std::span<const Protocol> known) {
  std::vector<std::string> names;
  for (const Protocol& protocol : known) names.emplace_back(protocol.name);
  return names;
}

// The error channel's content; "" where there is nothing to say.
std::string status_text_of(const Value& status, bool json) {
  if (json) return format_json(status);
  return status["status"] == Value("Success") ? std::string() : std::string(status["message"].as_string());
}

bool lists_token(std::string_view list, std::string_view token) {
  auto parts = split(list, ',');
  return std::ranges::any_of(parts, [&](auto part) { return equals_ignore_case(trim(part), token); });
}

// What both kinds of connection keep: unread input, the newest window size, and whether the client is there.
struct Incoming {
  explicit Incoming(loop::Loop& loop) : changed(loop), gone(loop) {}
  std::string input;
  bool input_done = false;
  WindowSizeParser sizes;
  bool sizes_done = false;
  loop::Event changed;
  loop::Event gone;

  void notify() {
    changed.set();
    changed.reset();
  }
  void end() {
    input_done = sizes_done = true;
    gone.set();
    notify();
  }
  Task<WindowSize> next_size() {
    while (true) {
      auto size = sizes.take();
      if (size) co_return *size;
      if (sizes_done) co_await loop::fail(Error::make(Code::closed, "there are no more window sizes"));
      co_await changed.wait();
    }
  }
};

// --- WebSocket ------------------------------------------------------------------------------------

class WebSocketCommand final : public RemoteCommand {
 public:
  WebSocketCommand(loop::Loop& loop, std::unique_ptr<WebSocket> socket, Protocol protocol, CommandChannels channels)
      : loop_(loop), socket_(std::move(socket)), protocol_(protocol), channels_(channels), in_(loop), scope_(loop) {
    if (!channels_.input) in_.input_done = true;
    scope_.spawn(read_messages());
  }

  Task<std::string> read_input() override;
  Task<WindowSize> read_size() override { return in_.next_size(); }
  Task<void> write(CommandChannel channel, std::string bytes) override;
  Task<void> finish(Value status) override;
  Task<void> gone() override { co_await in_.gone.wait(); }
  Task<void> send(CommandChannel channel, std::string bytes);

 private:
  Task<void> read_messages();
  Result<void> receive(std::string payload);

  loop::Loop& loop_;
  std::unique_ptr<WebSocket> socket_;
  Protocol protocol_;
  CommandChannels channels_;
  Incoming in_;
  bool finishing_ = false;
  loop::Scope scope_;
};

Task<void> WebSocketCommand::read_messages() {
  while (true) {
    while (in_.input.size() > kMaxUnreadInput && !finishing_) co_await in_.changed.wait();
    auto message = co_await socket_->read().result();
    if (!message.ok()) break;
    auto received = receive(std::move(message->payload));
    if (received.ok()) continue;
    (void)co_await socket_->close(CloseCode::protocol_error, received.error().message()).result();
    break;
  }
  in_.end();
}

Result<void> WebSocketCommand::receive(std::string payload) {
  if (payload.empty()) return {};
  auto channel = static_cast<uint8_t>(payload[0]);
  payload.erase(0, 1);
  if (protocol_.base64) {
    channel = static_cast<uint8_t>(channel - '0');
    auto decoded = decode_base64(payload);
    if (!decoded.ok()) return std::move(decoded).error();
    payload = std::move(*decoded);
  }
  if (channel == 0xFF && protocol_.half_close) {
    bool known = payload.size() == 1 && static_cast<uint8_t>(payload[0]) <= static_cast<uint8_t>(CommandChannel::resize);
    if (!known) return Error::make(Code::parse, "the end of an unknown channel");
    if (payload[0] == static_cast<char>(CommandChannel::input)) in_.input_done = true;
  } else if (channel == static_cast<uint8_t>(CommandChannel::input)) {
    if (!in_.input_done && !finishing_) in_.input += payload;
  } else if (channel == static_cast<uint8_t>(CommandChannel::resize)) {
    in_.sizes.feed(payload);
  }
  in_.notify();  // what comes on other channels is ignored, as kubelet does
  return {};
}

Task<std::string> WebSocketCommand::read_input() {
  while (in_.input.empty()) {
    if (in_.input_done) co_return std::string();
    co_await in_.changed.wait();
  }
  std::string bytes = std::exchange(in_.input, {});
  in_.notify();
  co_return std::move(bytes);
}

Task<void> WebSocketCommand::send(CommandChannel channel, std::string bytes) {
  auto number = static_cast<uint8_t>(channel);
  std::string message;
  if (protocol_.base64) {
    message += static_cast<char>('0' + number);
    message += encode_base64(bytes);
  } else {
    message += static_cast<char>(number);
    message += bytes;
  }
  co_await socket_->send(protocol_.base64 ? Opcode::text : Opcode::binary, std::move(message));
}

Task<void> WebSocketCommand::write(CommandChannel channel, std::string bytes) {
  bool wanted = channel == CommandChannel::output ? channels_.output : channels_.error;
  if (!wanted || bytes.empty()) co_return;
  if (in_.gone.is_set()) co_await loop::fail(Error::make(Code::closed, "the client is gone"));
  co_await send(channel, std::move(bytes));
}

Task<void> WebSocketCommand::finish(Value status) {
  finishing_ = true;
  in_.input.clear();
  in_.notify();
  std::string text = status_text_of(status, protocol_.json_status);
  if (!text.empty()) co_await send(CommandChannel::status, std::move(text));
  co_await socket_->close(CloseCode::normal, "");
  // Closing a socket with unread bytes would reset it, and take along what the client has not read.
  co_await loop::with_timeout(loop_, gone(), kLinger).result();
}

Task<std::unique_ptr<RemoteCommand>> accept_over_websocket(loop::Loop& loop, const Request& request, Responder& responder,
                                                           CommandChannels channels) {
  auto socket = co_await accept_websocket(loop, request, responder, names_of(kWebSocketProtocols));
  Protocol protocol = find_protocol(kWebSocketProtocols, socket->protocol());
  auto command = std::make_unique<WebSocketCommand>(loop, std::move(socket), protocol, channels);
  // An empty message tells clients that the command is connected; kubelet sends it on the lowest channel.
  CommandChannel first = channels.output  ? CommandChannel::output
                         : channels.error ? CommandChannel::error
                                          : CommandChannel::status;
  co_await command->send(first, "");
  co_return std::unique_ptr<RemoteCommand>(std::move(command));
}

// --- SPDY -----------------------------------------------------------------------------------------

class SpdyCommand final : public RemoteCommand {
 public:
  SpdyCommand(loop::Loop& loop, std::unique_ptr<loop::Stream> stream, Protocol protocol, CommandChannels channels)
      : session_(loop, std::move(stream), SpdyRole::server), protocol_(protocol), channels_(channels), in_(loop), scope_(loop) {}

  // The client opens one stream for each channel.
  Task<void> wait_for_streams();
  void start();
  Task<std::string> read_input() override;
  Task<WindowSize> read_size() override { return in_.next_size(); }
  Task<void> write(CommandChannel channel, std::string bytes) override;
  Task<void> finish(Value status) override;
  Task<void> gone() override { co_await in_.gone.wait(); }

 private:
  std::unique_ptr<SpdyStream>& stream_of(CommandChannel channel) { return streams_[static_cast<size_t>(channel)]; }
  Task<void> read_sizes();
  Task<void> watch_end();
  Task<void> refuse_more();

  SpdySession session_;
  Protocol protocol_;
  CommandChannels channels_;
  Incoming in_;
  std::array<std::unique_ptr<SpdyStream>, 5> streams_;
  loop::Scope scope_;
};

Task<void> SpdyCommand::wait_for_streams() {
  static constexpr std::array<std::string_view, 5> kTypes = {"stdin", "stdout", "stderr", "error", "resize"};
  std::array<bool, 5> expected = {channels_.input, channels_.output, channels_.error, true,
                                  channels_.terminal && protocol_.resize};
  while (true) {
    bool complete = true;
    for (size_t i = 0; i < expected.size(); ++i) complete = complete && (!expected[i] || streams_[i]);
    if (complete) co_return;
    auto stream = co_await session_.accept();
    auto type = std::ranges::find(kTypes, stream->headers().get("streamType"));
    auto index = static_cast<size_t>(type - kTypes.begin());
    if (type != kTypes.end() && !streams_[index]) streams_[index] = std::move(stream);
  }
}

void SpdyCommand::start() {
  if (stream_of(CommandChannel::resize)) scope_.spawn(read_sizes());
  scope_.spawn(watch_end());
  scope_.spawn(refuse_more());
}

Task<void> SpdyCommand::read_sizes() {
  while (true) {
    auto some = co_await stream_of(CommandChannel::resize)->read().result();
    if (!some.ok() || some->empty()) break;
    in_.sizes.feed(*some);
    in_.notify();
  }
  in_.sizes_done = true;
  in_.notify();
}

Task<void> SpdyCommand::watch_end() {
  co_await session_.ended();
  in_.end();
}

Task<void> SpdyCommand::refuse_more() {
  while (true) {
    auto stream = co_await session_.accept();
    stream->reset(SpdyReset::refused_stream);
  }
}

Task<std::string> SpdyCommand::read_input() {
  auto& stream = stream_of(CommandChannel::input);
  if (!stream) co_return std::string();
  auto bytes = co_await stream->read().result();
  if (!bytes.ok()) co_return std::string();
  co_return std::move(*bytes);
}

Task<void> SpdyCommand::write(CommandChannel channel, std::string bytes) {
  auto& stream = stream_of(channel);
  if (in_.gone.is_set()) co_await loop::fail(Error::make(Code::closed, "the client is gone"));
  if (stream && !bytes.empty()) co_await stream->write(std::move(bytes));
}

Task<void> SpdyCommand::finish(Value status) {
  std::string text = status_text_of(status, protocol_.json_status);
  for (CommandChannel channel : {CommandChannel::output, CommandChannel::error, CommandChannel::status}) {
    auto& stream = stream_of(channel);
    if (!stream) continue;
    if (channel == CommandChannel::status && !text.empty()) co_await stream->write(text);
    co_await stream->finish();
  }
  // Old clients wait for the end of their input's copy too.
  auto& input = stream_of(CommandChannel::input);
  if (input) input->reset(SpdyReset::cancel);
  co_await session_.close();
}

Task<std::unique_ptr<RemoteCommand>> accept_over_spdy(loop::Loop& loop, const Request& request, Responder& responder,
                                                      CommandChannels channels) {
  SpdyUpgrade upgrade = co_await accept_spdy(request, responder, names_of(kSpdyProtocols));
  Protocol protocol = find_protocol(kSpdyProtocols, upgrade.protocol);
  auto command = std::make_unique<SpdyCommand>(loop, std::move(upgrade.stream), protocol, channels);
  co_await loop::with_timeout(loop, command->wait_for_streams(), kStreamCreation);
  command->start();
  co_return std::unique_ptr<RemoteCommand>(std::move(command));
}

}  // namespace

// --- The upgrade ----------------------------------------------------------------------------------

bool wants_spdy(const Request& request) {
  return (request.method == "GET" || request.method == "POST") &&
         equals_ignore_case(request.headers.get("Upgrade"), "SPDY/3.1") &&
         lists_token(request.headers.get("Connection"), "upgrade");
}

Task<SpdyUpgrade> accept_spdy(const Request& request, Responder& responder, std::vector<std::string> ours) {
  if (!wants_spdy(request)) co_await loop::fail(Error::make(Code::bad_request, "Upgrade request required"));
  std::vector<std::string> theirs;
  for (const auto& [name, value] : request.headers.all()) {
    if (!equals_ignore_case(name, "X-Stream-Protocol-Version")) continue;
    for (auto part : split(value, ',')) theirs.emplace_back(trim(part));
  }
  auto chosen = std::ranges::find_if(theirs, [&](const auto& name) { return std::ranges::find(ours, name) != ours.end(); });
  if (!theirs.empty() && chosen == theirs.end()) {
    co_await loop::fail(Error::make(Code::forbidden, "unable to upgrade: unable to negotiate protocol: client supports [" +
                                                         join(theirs, " ") + "], server accepts [" + join(ours, " ") + "]"));
  }
  SpdyUpgrade upgrade;
  Headers headers;
  headers.add("Connection", "Upgrade");
  headers.add("Upgrade", "SPDY/3.1");
  if (chosen != theirs.end()) {
    upgrade.protocol = *chosen;
    headers.add("X-Stream-Protocol-Version", *chosen);
  }
  co_await responder.start(101, std::move(headers));
  upgrade.stream = responder.upgrade();
  co_return std::move(upgrade);
}

Task<std::unique_ptr<RemoteCommand>> accept_remote_command(loop::Loop& loop, const Request& request, Responder& responder,
                                                           CommandChannels channels) {
  if (channels.terminal) channels.error = false;
  if (!channels.input && !channels.output && !channels.error) {
    co_await loop::fail(Error::make(Code::bad_request, "you must specify at least 1 of stdin, stdout, stderr"));
  }
  if (wants_websocket(request)) co_return co_await accept_over_websocket(loop, request, responder, channels);
  co_return co_await accept_over_spdy(loop, request, responder, channels);
}

// --- How a command ended --------------------------------------------------------------------------

Value command_succeeded() {
  return Value::object({{"metadata", Value::empty_object()}, {"status", "Success"}});
}

Value command_exited(std::string_view command, int exit_code) {
  if (exit_code == 0) return command_succeeded();
  std::string code = std::to_string(exit_code);
  Value cause = Value::object({{"reason", "ExitCode"}, {"message", code}});
  std::string message = "command terminated with non-zero exit code: error executing command " + std::string(command) +
                        ", exit code " + code;
  return Value::object({{"metadata", Value::empty_object()},
                        {"status", "Failure"},
                        {"message", message},
                        {"reason", "NonZeroExitCode"},
                        {"details", Value::object({{"causes", Value::list({cause})}})}});
}

Value command_failed(std::string_view why) {
  Value cause = Value::object({{"message", why}});
  return Value::object({{"metadata", Value::empty_object()},
                        {"status", "Failure"},
                        {"message", "Internal error occurred: " + std::string(why)},
                        {"reason", "InternalError"},
                        {"details", Value::object({{"causes", Value::list({cause})}})},
                        {"code", 500}});
}

std::optional<int> exit_code_of(const Value& status) {
  if (status["status"] == Value("Success")) return 0;
  if (status["reason"] != Value("NonZeroExitCode")) return std::nullopt;
  for (const Value& cause : status["details"]["causes"].items()) {
    if (cause["reason"] != Value("ExitCode")) continue;
    auto code = parse_int(cause["message"].as_string());
    if (code) return static_cast<int>(*code);
  }
  return std::nullopt;
}

// --- Window sizes ---------------------------------------------------------------------------------

void WindowSizeParser::feed(std::string_view bytes) {
  input_ += bytes;
  while (true) {
    auto end = input_.find('}');
    if (end == std::string::npos) break;
    auto document = parse_json(std::string_view(input_).substr(0, end + 1));
    input_.erase(0, end + 1);
    if (!document.ok()) continue;
    auto number = [&](std::string_view key) { return std::clamp<int64_t>((*document)[key].as_int(), 0, UINT16_MAX); };
    newest_ = WindowSize{static_cast<uint16_t>(number("Width")), static_cast<uint16_t>(number("Height"))};
  }
  if (input_.size() > kMaxSizeText) input_.clear();
}

std::optional<WindowSize> WindowSizeParser::take() { return std::exchange(newest_, std::nullopt); }

std::string format_window_size(WindowSize size) {
  return "{\"Width\":" + std::to_string(size.columns) + ",\"Height\":" + std::to_string(size.rows) + "}\n";
}

}  // namespace orch::wire
