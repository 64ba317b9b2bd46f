#include "cli/image_door.h"

#include <cerrno>

#include "base/text.h"
#include "data/json.h"

namespace orch::cli {

using loop::fail;
using loop::Task;

namespace {

constexpr const char* kPipeName = "/images";
constexpr Duration kBusyPause = 100ms;
constexpr int kBusyTries = 100;

Code code_named(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(Code::parse); ++i) {
    if (code_info(static_cast<Code>(i)).name == name) return static_cast<Code>(i);
  }
  return Code::internal;
}

wire::ClientOptions patient_options() {
  wire::ClientOptions options;
  options.connect_timeout = 10s;
  options.head_timeout = 600s;
  return options;
}

}  // namespace

Task<std::unique_ptr<ImageDoor>> ImageDoor::open(Session& session, std::string data_dir, std::string registries) {
  auto door = std::make_unique<ImageDoor>();
  wire::Endpoint endpoint;
  endpoint.unix_path = data_dir + "/orch.sock";
  for (int i = 0;; ++i) {
    auto connected = co_await session.network().connect_unix(endpoint.unix_path).result();
    if (connected.ok()) {
      door->client_ = std::make_unique<wire::HttpClient>(session.loop(), session.network(), endpoint, nullptr, patient_options());
      co_return std::move(door);
    }
    if (connected.error().error_number() == EACCES) co_await fail(std::move(connected).error());
    runtime::images::ImagesOptions options;
    options.directory = data_dir + "/agent/images";
    if (!registries.empty()) options.registries_file = registries;
    Logger log = Logger::to_stderr(LogLevel::warn);
    auto images = co_await runtime::images::Images::open(session.loop(), session.network(), std::move(options), log).result();
    if (images.ok()) {
      door->images_ = std::move(*images);
      break;
    }
    if (!images.error().is(Code::conflict) || i == kBusyTries) co_await fail(std::move(images).error());
    co_await loop::sleep(session.loop(), kBusyPause);
  }
  door->pipe_ = std::make_unique<loop::PipeNetwork>(session.loop());
  door->api_ = std::make_unique<agent::ImageApi>(session.loop(), *door->images_);
  door->server_ = std::make_unique<wire::HttpServer>(session.loop(), Logger::to_stderr(LogLevel::warn), *door->api_);
  auto listener = co_await door->pipe_->listen_unix(kPipeName);
  door->server_->listen(std::move(listener));
  endpoint.unix_path = kPipeName;
  door->client_ = std::make_unique<wire::HttpClient>(session.loop(), *door->pipe_, endpoint, nullptr, patient_options());
  co_return std::move(door);
}

Task<Value> ImageDoor::read_events(Read read, Progress progress) {
  std::string buffer;
  while (true) {
    std::string piece = co_await read();
    if (piece.empty()) co_await fail(Error::make(Code::io, "the server went away in the middle"));
    buffer += piece;
    for (size_t end = buffer.find('\n'); end != std::string::npos; end = buffer.find('\n')) {
      Value line = co_await parse_json(std::string_view(buffer).substr(0, end));
      buffer.erase(0, end + 1);
      if (line.has("progress")) {
        if (progress) progress(line["progress"]);
        continue;
      }
      if (line.has("error")) {
        Code code = code_named(line["error"]["code"].as_string());
        co_await fail(Error::make(code, std::string(line["error"]["message"].as_string())));
      }
      co_return line["result"];
    }
  }
}

Task<Value> ImageDoor::run(wire::ClientRequest request, Progress progress) {
  auto reply = co_await client_->open(std::move(request));
  if (reply->status() != 200) {
    std::string body;
    while (true) {
      std::string piece = co_await reply->read();
      if (piece.empty()) break;
      body += piece;
    }
    auto status = parse_json(body);
    std::string message = status.ok() ? std::string((*status)["message"].as_string()) : body;
    Code code = status.ok() ? code_from_status((*status)["reason"].as_string(), reply->status()) : Code::internal;
    co_await fail(Error::make(code, std::move(message)));
  }
  Read read = [&reply] { return reply->read(); };
  Value result = co_await read_events(std::move(read), std::move(progress));
  co_return std::move(result);
}

}  // namespace orch::cli
