// image: the container images of this node, with or without a server.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/text.h"
#include "cli/image_door.h"
#include "cli/pull_progress.h"
#include "cli/tab_writer.h"
#include "cli/verbs.h"
#include "data/json.h"
#include "runtime/images/fd.h"

namespace orch::cli {

using loop::fail;
using loop::Task;
using runtime::images::Fd;
using wire::ClientRequest;

namespace {

constexpr size_t kFrame = 256 * 1024;

// The data directory is made for what brings images; otherwise a wrong path is an error.
Task<std::unique_ptr<ImageDoor>> open_door(Invocation& in, bool make) {
  std::string data_dir = in.text("data-dir");
  if (make) {
    std::error_code ignored;
    std::filesystem::create_directories(data_dir, ignored);
  }
  if (!in.console.is_directory(data_dir)) {
    co_await fail(failure("there is no data directory " + data_dir + "; say which one with --data-dir"));
  }
  std::string registries = in.arguments.has_flag("private-registry") ? in.text("private-registry") : std::string();
  auto door = co_await ImageDoor::open(in.session, std::move(data_dir), std::move(registries)).result();
  if (!door.ok()) co_await fail(failure(door.error().message()));
  co_return std::move(*door);
}

// Errors of ours, whoever found them: "error: ..." and no "from server".
Task<Value> run_request(ImageDoor& door, ClientRequest request, ImageDoor::Progress progress) {
  auto result = co_await door.run(std::move(request), std::move(progress)).result();
  if (!result.ok()) co_await fail(failure(result.error().message()));
  co_return std::move(*result);
}

std::string name_of(const Value& image) {
  for (const char* names : {"repoTags", "repoDigests"}) {
    if (!image[names].empty()) return std::string(image[names].at(0).as_string());
  }
  return std::string(image["id"].as_string());
}

Task<int> run_pull(Invocation& in) {
  if (in.words().empty()) co_await fail(usage_error("give an image to pull"));
  auto door = co_await open_door(in, true);
  for (const std::string& reference : in.words()) {
    ClientRequest request;
    request.method = "POST";
    request.target = "/images/pull";
    request.body = format_json(
        Value::object({{"reference", reference}, {"username", in.text("username")}, {"password", in.text("password")}}));
    PullProgress view(::isatty(STDERR_FILENO) == 1);
    ImageDoor::Progress progress = [&in, &view](const Value& event) {
      if (!in.on("quiet")) in.console.error(view.show(event));
    };
    Value image = co_await run_request(*door, std::move(request), std::move(progress));
    std::string shown = in.on("quiet") ? std::string(image["id"].as_string()) : name_of(image);
    in.console.out(shown + "\n");
  }
  co_return 0;
}

void print_imported(Invocation& in, const Value& result) {
  for (const Value& image : result["images"].items()) {
    if (in.on("quiet")) {
      in.console.out(std::string(image["id"].as_string()) + "\n");
      continue;
    }
    for (const Value& name : image["names"].items()) in.console.out("imported " + std::string(name.as_string()) + "\n");
  }
}

std::string import_target(Invocation& in, const std::string& path) {
  std::string target = "/images/import?name=" + encode_percent(in.text("name"));
  return path.empty() ? target : target + "&path=" + encode_percent(path);
}

// Standard input goes over the connection; the server cannot open it.
Task<Value> import_input(Invocation& in, ImageDoor& door) {
  ClientRequest request;
  request.method = "POST";
  request.target = import_target(in, "");
  request.headers.add("Upgrade", "tar");
  request.headers.add("Connection", "Upgrade");
  auto reply = co_await door.client().open(std::move(request));
  if (reply->status() != 101) co_await fail(failure("the server does not take the archive: status " + std::to_string(reply->status())));
  auto stream = reply->upgrade();
  while (true) {
    auto work = []() -> Result<std::string> {
      std::string piece(kFrame, '\0');
      ssize_t count = 0;
      do {
        count = ::read(STDIN_FILENO, piece.data(), piece.size());
      } while (count < 0 && errno == EINTR);
      if (count < 0) return Error::from_errno(errno, "read standard input");
      piece.resize(static_cast<size_t>(count));
      return piece;
    };
    Result<std::string> read = co_await loop::offload(in.session.loop(), work);
    std::string piece = co_await std::move(read);
    std::vector<loop::Chunk> chunks;
    chunks.emplace_back(agent::frame_header(piece.size()));
    bool last = piece.empty();
    if (!last) chunks.emplace_back(std::move(piece));
    co_await stream->write(std::move(chunks));
    if (last) break;
  }
  ImageDoor::Read next = [&stream] { return stream->read(); };
  auto result = co_await door.read_events(std::move(next), ImageDoor::Progress()).result();
  if (!result.ok()) co_await fail(failure(result.error().message()));
  co_return std::move(*result);
}

Task<int> run_import(Invocation& in) {
  if (in.words().empty()) co_await fail(usage_error("give a file to import, or - for standard input"));
  if (in.words().size() > 1 && !in.text("name").empty()) co_await fail(usage_error("--name is for one file"));
  for (const std::string& path : in.words()) {
    if (path != "-" && !in.console.exists(path)) co_await fail(failure("the path " + quote(path) + " does not exist"));
  }
  auto door = co_await open_door(in, true);
  for (const std::string& path : in.words()) {
    Value result;
    if (path == "-") {
      result = co_await import_input(in, *door);
    } else {
      ClientRequest request;
      request.method = "POST";
      request.target = import_target(in, std::filesystem::absolute(path).string());
      result = co_await run_request(*door, std::move(request), ImageDoor::Progress());
    }
    print_imported(in, result);
  }
  co_return 0;
}

Result<void> write_all(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return Error::from_errno(errno, "write " + path);
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return {};
}

// Beside its place until it is whole.
struct PartFile {
  std::string path;
  ~PartFile() {
    if (!path.empty()) ::unlink(path.c_str());
  }
};

Task<int> run_export(Invocation& in) {
  if (in.words().empty()) co_await fail(usage_error("give images to export"));
  std::string path = in.text("output");
  if (path.empty()) co_await fail(usage_error("say where to, with -o FILE (or -o - for standard output)"));
  if (path == "-" && ::isatty(STDOUT_FILENO) == 1) co_await fail(usage_error("an archive is nothing for a terminal; give -o FILE"));
  auto door = co_await open_door(in, false);
  ClientRequest request;
  request.target = "/images/export?";
  for (const std::string& reference : in.words()) request.target += "reference=" + encode_percent(reference) + "&";
  auto reply = co_await door->client().open(std::move(request));
  if (reply->status() != 200) {
    std::string body = co_await reply->read();
    auto status = parse_json(body);
    if (status.ok()) body = (*status)["message"].as_string();
    co_await fail(failure(std::move(body)));
  }
  PartFile part;
  Fd file;
  if (path != "-") {
    part.path = path + ".part";
    file = Fd(::open(part.path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!file.ok()) co_await fail(Error::from_errno(errno, "create " + part.path));
  }
  while (true) {
    std::string piece = co_await reply->read();
    if (piece.empty()) break;
    int fd = path == "-" ? STDOUT_FILENO : file.get();
    co_await write_all(fd, piece, path);
  }
  if (path != "-") {
    if (::rename(part.path.c_str(), path.c_str()) != 0) co_await fail(Error::from_errno(errno, "rename to " + path));
    part.path.clear();
  }
  co_return 0;
}

// "docker.io/library/busybox:latest" in two columns.
std::pair<std::string, std::string> split_tag(const std::string& text) {
  size_t at = text.find('@');
  if (at != std::string::npos) return {text.substr(0, at), "<none>"};
  size_t colon = text.rfind(':');
  return {text.substr(0, colon), text.substr(colon + 1)};
}

void print_table(Invocation& in, const Value& images) {
  TabWriter writer = TabWriter::for_tables();
  if (!in.on("no-headers")) writer.write("IMAGE\tTAG\tIMAGE ID\tSIZE\tPINNED\n");
  std::vector<std::string> lines;
  for (const Value& image : images.items()) {
    std::string id(image["id"].as_string());
    std::string rest = id.substr(7, 12) + "\t" + human_size(image["size"].as_int()) + "\t" + (image["pinned"].as_bool() ? "yes" : "no") + "\n";
    std::vector<std::string> names;
    for (const Value& tag : image["repoTags"].items()) names.emplace_back(tag.as_string());
    if (names.empty() && !image["repoDigests"].empty()) names.emplace_back(image["repoDigests"].at(0).as_string());
    if (names.empty()) names.emplace_back("<none>:<none>");
    for (const std::string& name : names) {
      auto [repository, tag] = split_tag(name);
      lines.push_back(repository + "\t" + tag + "\t" + rest);
    }
  }
  std::ranges::sort(lines);
  for (const std::string& line : lines) writer.write(line);
  in.console.out(writer.flush());
}

Task<int> run_ls(Invocation& in) {
  std::string output = in.text("output");
  if (output != "" && output != "table" && output != "json") co_await fail(usage_error("--output is table or json"));
  auto door = co_await open_door(in, false);
  ClientRequest request;
  request.target = "/images";
  wire::Reply reply = co_await door->client().call(std::move(request));
  Value body = co_await parse_json(reply.body);
  if (reply.status != 200) co_await fail(failure(std::string(body["message"].as_string())));
  if (output == "json") {
    in.console.out(format_json_pretty(body, 4) + "\n");
  } else if (in.on("quiet")) {
    for (const Value& image : body["images"].items()) in.console.out(std::string(image["id"].as_string()) + "\n");
  } else {
    print_table(in, body["images"]);
  }
  co_return 0;
}

Task<int> run_rm(Invocation& in) {
  if (in.words().empty()) co_await fail(usage_error("give images to remove"));
  auto door = co_await open_door(in, false);
  int code = 0;
  for (const std::string& reference : in.words()) {
    ClientRequest request;
    request.method = "DELETE";
    request.target = "/images?reference=" + encode_percent(reference);
    auto removed = co_await run_request(*door, std::move(request), ImageDoor::Progress()).result();
    if (removed.ok()) {
      in.console.out("removed " + reference + "\n");
    } else {
      in.console.error(format_error(removed.error()));
      code = 1;
    }
  }
  co_return code;
}

Task<int> run_prune(Invocation& in) {
  auto door = co_await open_door(in, false);
  ClientRequest request;
  request.method = "POST";
  request.target = "/images/prune";
  Value result = co_await run_request(*door, std::move(request), ImageDoor::Progress());
  for (const Value& name : result["removed"].items()) in.console.out("removed " + std::string(name.as_string()) + "\n");
  in.console.out("freed " + human_size(result["freedBytes"].as_int()) + "\n");
  co_return 0;
}

}  // namespace

std::vector<Verb> image_verbs() {
  const Flag data_dir = {"data-dir", 0, FlagType::text, "/var/lib/orch", "the data directory of the node"};
  const Flag quiet = {"quiet", 'q', FlagType::boolean, "false", "ids only"};
  Flags pull = {data_dir, quiet,
                {"private-registry", 0, FlagType::text, "", "registries.yaml to use where no server runs (default /etc/orch/registries.yaml)"}};
  Flags import = {data_dir, quiet, {"name", 0, FlagType::text, "", "what the image is called; needed for a bare root file system"}};
  Flags export_flags = {data_dir, {"output", 'o', FlagType::text, "", "the file to write, - for standard output"}};
  Flags ls = {data_dir, quiet, {"output", 'o', FlagType::text, "", "table or json"},
              {"no-headers", 0, FlagType::boolean, "false", "no header line"}};
  return {Verb{"image pull", "IMAGE ... [--username USER --password PASSWORD]", "Fetch images from their registry", pull, run_pull},
          Verb{"image import", "FILE ... [--name IMAGE]",
               "Import OCI layouts, Docker archives or the tar of a root file system", import, run_import},
          Verb{"image export", "IMAGE ... -o FILE", "Write images to an archive", export_flags, run_export},
          Verb{"image ls", "", "List images", ls, run_ls},
          Verb{"image rm", "IMAGE ...", "Remove images", {data_dir}, run_rm},
          Verb{"image prune", "", "Remove images that nothing uses", {data_dir}, run_prune}};
}

}  // namespace orch::cli
