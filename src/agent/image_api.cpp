#include "agent/image_api.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.h"
#include "data/json.h"
#include "loop/queue.h"
#include "runtime/images/fd.h"

namespace orch::agent {

using loop::Chunk;
using loop::fail;
using loop::Task;
using runtime::Image;
using runtime::RegistryCredentials;
using runtime::images::Fd;
using runtime::images::Imported;
using runtime::images::PullEvent;
using wire::Headers;
using wire::Request;
using wire::Responder;

namespace {

constexpr size_t kMaxBody = 64 * 1024;
constexpr uint32_t kMaxFrame = 16 << 20;
constexpr Duration kProgressPause = 100ms;

std::vector<Chunk> one_chunk(std::string text) {
  std::vector<Chunk> chunks;
  chunks.emplace_back(std::move(text));
  return chunks;
}

Headers json_headers() {
  Headers headers;
  headers.add("Content-Type", "application/json");
  return headers;
}

Task<void> send_json(Responder& responder, int status, Value value) {
  co_await responder.send(status, json_headers(), one_chunk(format_json(value) + "\n"));
}

Value error_value(const Error& error) {
  return Value::object({{"code", code_info(error.code()).name}, {"message", error.message()}});
}

Task<void> send_error(Responder& responder, Error error) {
  const CodeInfo& info = code_info(error.code());
  int status = info.http_status >= 400 ? info.http_status : 500;
  Value body = Value::object({{"kind", "Status"},
                              {"apiVersion", "v1"},
                              {"status", "Failure"},
                              {"reason", info.reason},
                              {"message", error.message()},
                              {"code", status}});
  co_await send_json(responder, status, std::move(body));
}

std::string_view status_name(PullEvent::Status status) {
  switch (status) {
    case PullEvent::Status::resolving: return "resolving";
    case PullEvent::Status::waiting: return "waiting";
    case PullEvent::Status::exists: return "exists";
    case PullEvent::Status::downloading: return "downloading";
    case PullEvent::Status::retrying: return "retrying";
    case PullEvent::Status::done: return "done";
  }
  return "";
}

Value event_value(const PullEvent& event) {
  return Value::object({{"layer", event.layer},
                        {"status", status_name(event.status)},
                        {"current", event.current},
                        {"total", event.total}});
}

Value imported_value(const std::vector<Imported>& images) {
  std::vector<Value> list;
  for (const Imported& image : images) {
    std::vector<Value> names(image.names.begin(), image.names.end());
    list.push_back(Value::object({{"id", image.id}, {"names", Value::list(std::move(names))}}));
  }
  return Value::object({{"images", Value::list(std::move(list))}});
}

std::string line_of(std::string_view key, Value value) {
  return format_json(Value::object({{key, std::move(value)}})) + "\n";
}

}  // namespace

std::string frame_header(size_t size) {
  std::string header;
  for (int shift = 24; shift >= 0; shift -= 8) header += static_cast<char>((size >> shift) & 0xFF);
  return header;
}

Value image_value(const Image& image, bool in_use) {
  std::vector<Value> tags(image.tags.begin(), image.tags.end());
  std::vector<Value> digests(image.digests.begin(), image.digests.end());
  return Value::object({{"id", image.id},
                        {"repoTags", Value::list(std::move(tags))},
                        {"repoDigests", Value::list(std::move(digests))},
                        {"size", image.size_bytes},
                        {"created", image.config["created"]},
                        {"pinned", image.pinned},
                        {"inUse", in_use}});
}

size_t ImageApi::max_body(const Request&) const { return kMaxBody; }

Task<void> ImageApi::handle(Request request, wire::Peer, Responder& responder) {
  const std::string route = request.method + " " + request.path;
  if (route == "GET /images") co_return co_await list(responder);
  if (route == "POST /images/pull") co_return co_await pull(request, responder);
  if (route == "POST /images/import") co_return co_await import(request, responder);
  if (route == "GET /images/export") co_return co_await export_tar(request, responder);
  if (route == "DELETE /images") co_return co_await remove(request, responder);
  if (route == "POST /images/prune") co_return co_await prune(responder);
  co_await send_error(responder, Error::make(Code::not_found, "no such path: " + route));
}

Task<void> ImageApi::list(Responder& responder) {
  std::vector<Value> images;
  for (const Image& image : images_.list()) images.push_back(image_value(image, images_.is_in_use(image.id)));
  Value body = Value::object({{"images", Value::list(std::move(images))}});
  co_await send_json(responder, 200, std::move(body));
}

namespace {

Task<void> begin_events(Responder& responder) { co_await responder.start(200, json_headers()); }

// The last line.
Task<void> end_events(Responder& responder, Result<Value> outcome) {
  std::string line = outcome.ok() ? line_of("result", *outcome) : line_of("error", error_value(outcome.error()));
  co_await responder.write(one_chunk(std::move(line)));
  co_await responder.finish();
}

// What a pull tells, at most so often: the newest state of each layer.
struct News {
  explicit News(loop::Loop& loop) : changed(loop) {}
  std::map<std::string, Value> latest;
  bool ended = false;
  std::optional<Result<Image>> outcome;
  loop::Event changed;

  std::string take() {
    std::string lines;
    for (auto& [layer, value] : latest) lines += line_of("progress", std::move(value));
    latest.clear();
    return lines;
  }
};

Task<void> run_pull(runtime::images::Images& images, std::string reference, std::vector<RegistryCredentials> credentials,
                    std::shared_ptr<News> news) {
  runtime::images::PullProgress progress = [news](const PullEvent& event) {
    news->latest[event.layer] = event_value(event);
    news->changed.set();
  };
  news->outcome = co_await images.pull_with_progress(std::move(reference), std::move(credentials), std::move(progress)).result();
  news->ended = true;
  news->changed.set();
}

}  // namespace

Task<void> ImageApi::pull(const Request& request, Responder& responder) {
  auto body = parse_json(request.body);
  if (!body.ok()) co_return co_await send_error(responder, std::move(body).error().with_code(Code::bad_request));
  std::string reference((*body)["reference"].as_string());
  auto parsed = parse_image_reference(reference);
  if (!parsed.ok()) {
    Error error = std::move(parsed).error().with_context("couldn't parse image name " + quote(reference));
    co_return co_await send_error(responder, std::move(error));
  }
  std::vector<RegistryCredentials> credentials;
  if (!(*body)["username"].as_string().empty()) {
    RegistryCredentials login;
    login.server = parsed->registry;
    login.username = (*body)["username"].as_string();
    login.password = (*body)["password"].as_string();
    credentials.push_back(std::move(login));
  }
  co_await begin_events(responder);
  auto news = std::make_shared<News>(loop_);
  loop::Scope scope(loop_);
  scope.spawn(run_pull(images_, reference, std::move(credentials), news));
  while (!news->ended) {
    co_await news->changed.wait();
    news->changed.reset();
    std::string lines = news->take();
    if (!lines.empty()) co_await responder.write(one_chunk(std::move(lines)));
    if (!news->ended) co_await loop::sleep(loop_, kProgressPause);
  }
  std::string rest = news->take();
  if (!rest.empty()) co_await responder.write(one_chunk(std::move(rest)));
  Result<Value> outcome = Value();
  if (news->outcome->ok()) {
    outcome = image_value(**news->outcome, false);
  } else {
    outcome = news->outcome->error();
  }
  co_await end_events(responder, std::move(outcome));
}

Task<void> ImageApi::import(const Request& request, Responder& responder) {
  std::string path(request.query.get("path"));
  if (path.empty()) co_return co_await import_stream(request, responder);
  co_await begin_events(responder);
  auto imported = co_await images_.import_path(path, std::string(request.query.get("name"))).result();
  Result<Value> outcome = Value();
  if (imported.ok()) {
    outcome = imported_value(*imported);
  } else {
    outcome = std::move(imported).error();
  }
  co_await end_events(responder, std::move(outcome));
}

namespace {

// The bytes of an import on their way to a file.
class Frames {
 public:
  Frames(loop::Loop& loop, loop::Stream& stream, int fd) : loop_(loop), stream_(stream), fd_(fd) {}

  Task<void> copy() {
    while (true) {
      co_await fill(4);
      uint32_t size = 0;
      for (int i = 0; i < 4; ++i) size = (size << 8) | static_cast<unsigned char>(buffer_[static_cast<size_t>(i)]);
      buffer_.erase(0, 4);
      if (size == 0) co_return;
      if (size > kMaxFrame) co_await fail(Error::make(Code::bad_request, "a frame of " + std::to_string(size) + " bytes"));
      co_await fill(size);
      auto work = [fd = fd_, piece = buffer_.substr(0, size)]() -> Result<void> {
        for (std::string_view left = piece; !left.empty();) {
          ssize_t count = ::write(fd, left.data(), left.size());
          if (count < 0 && errno == EINTR) continue;
          if (count < 0) return Error::from_errno(errno, "write the archive");
          left.remove_prefix(static_cast<size_t>(count));
        }
        return {};
      };
      buffer_.erase(0, size);
      Result<void> written = co_await loop::offload(loop_, work);
      co_await std::move(written);
    }
  }

 private:
  Task<void> fill(size_t size) {
    while (buffer_.size() < size) {
      std::string some = co_await stream_.read();
      if (some.empty()) co_await fail(Error::make(Code::closed, "the archive ended early"));
      buffer_ += some;
    }
  }
  loop::Loop& loop_;
  loop::Stream& stream_;
  int fd_;
  std::string buffer_;
};

}  // namespace

// The archive is read twice, so it has to be somewhere meanwhile.
Task<void> ImageApi::import_stream(const Request& request, Responder& responder) {
  if (!equals_ignore_case(request.headers.get("Upgrade"), "tar")) {
    co_return co_await send_error(responder, Error::make(Code::bad_request, "give a path, or send the archive with Upgrade: tar"));
  }
  struct Spooled {
    std::string path;
    ~Spooled() { ::unlink(path.c_str()); }
  };
  Spooled spooled{images_.temporary_path()};
  Fd fd(::open(spooled.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.ok()) co_return co_await send_error(responder, Error::from_errno(errno, "create " + spooled.path));
  Headers headers;
  headers.add("Upgrade", "tar");
  headers.add("Connection", "Upgrade");
  co_await responder.start(101, std::move(headers));
  auto stream = responder.upgrade();
  Frames frames(loop_, *stream, fd.get());
  auto copied = co_await frames.copy().result();
  if (!copied.ok() && copied.error().is(Code::closed)) co_return;  // nobody is there to be told
  Result<std::vector<Imported>> imported = std::vector<Imported>();
  if (copied.ok()) {
    imported = co_await images_.import_path(spooled.path, std::string(request.query.get("name"))).result();
  } else {
    imported = std::move(copied).error();
  }
  std::string line = imported.ok() ? line_of("result", imported_value(*imported)) : line_of("error", error_value(imported.error()));
  co_await loop::write_text(*stream, std::move(line));
  co_await stream->shutdown();
}

Task<void> ImageApi::export_tar(const Request& request, Responder& responder) {
  std::vector<std::string> references;
  for (std::string_view reference : request.query.all("reference")) references.emplace_back(reference);
  auto pipe = co_await images_.export_images(std::move(references)).result();
  if (!pipe.ok()) co_return co_await send_error(responder, std::move(pipe).error());
  struct Closer {
    std::shared_ptr<runtime::images::DrainPipe> pipe;
    ~Closer() { pipe->close(); }
  };
  Closer closer{*pipe};
  Headers headers;
  headers.add("Content-Type", "application/x-tar");
  co_await responder.start(200, std::move(headers));
  while (true) {
    std::string piece = co_await runtime::images::DrainPipe::read(*pipe);
    if (piece.empty()) break;
    co_await responder.write(one_chunk(std::move(piece)));
  }
  co_await responder.finish();
}

Task<void> ImageApi::remove(const Request& request, Responder& responder) {
  std::string reference(request.query.get("reference"));
  co_await begin_events(responder);
  auto removed = co_await images_.remove(reference).result();
  Result<Value> outcome = Value(reference);
  if (!removed.ok()) outcome = std::move(removed).error();
  co_await end_events(responder, std::move(outcome));
}

Task<void> ImageApi::prune(Responder& responder) {
  co_await begin_events(responder);
  auto pruned = co_await images_.prune().result();
  Result<Value> outcome = Value();
  if (pruned.ok()) {
    std::vector<Value> names(pruned->names.begin(), pruned->names.end());
    outcome = Value::object({{"removed", Value::list(std::move(names))}, {"freedBytes", pruned->freed_bytes}});
  } else {
    outcome = std::move(pruned).error();
  }
  co_await end_events(responder, std::move(outcome));
}

}  // namespace orch::agent
