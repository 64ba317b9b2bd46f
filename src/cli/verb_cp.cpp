// cp: files between this machine and a container, through tar in the container.

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/text.h"
#include "cli/remote.h"
#include "cli/tar.h"
#include "cli/verbs.h"
#include "loop/scope.h"

namespace orch::cli {

using loop::fail;
using loop::Task;
using wire::CommandChannel;
using wire::RemoteCommandClient;
namespace fs = std::filesystem;

namespace {

constexpr size_t kPiece = 64 * 1024;

struct Place {
  bool remote = false;
  std::string ns, pod, path;
};

// "path", "pod:path", "namespace/pod:path".
Result<Place> parse_place(const std::string& text) {
  Place place;
  auto colon = text.find(':');
  if (colon == std::string::npos) {
    place.path = text;
    return place;
  }
  Error wrong = failure("filespec must match the canonical format: [[namespace/]pod:]file/path");
  std::string pod = text.substr(0, colon);
  place.path = text.substr(colon + 1);
  place.remote = true;
  auto parts = split(pod, '/');
  if (pod.empty() || parts.size() > 2) return wrong;
  if (parts.size() == 2) place.ns = parts[0];
  place.pod = parts.back();
  return place;
}

std::string without_slashes(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }
std::string directory_name(const std::string& path) {
  auto slash = path.rfind('/');
  if (slash == std::string::npos) return "";
  return slash == 0 ? "/" : path.substr(0, slash);
}

struct Copy {
  Invocation& in;
  Value pod;
  std::string container;
};

RemoteOptions options_of(const Copy& copy, std::vector<std::string> command, bool input) {
  RemoteOptions options;
  options.pod = copy.pod;
  options.container = copy.container;
  options.command = std::move(command);
  options.input = input;
  return options;
}

// Reads until the command has ended, its output through `take`.
using Take = std::function<Result<void>(std::string_view)>;
Task<int> finish_command(Invocation& in, RemoteCommandClient& remote, Take take, bool show_errors) {
  while (true) {
    RemoteCommandClient::Piece piece = co_await remote.read();
    if (piece.channel == CommandChannel::output) co_await take(piece.bytes);
    if (piece.channel == CommandChannel::error && show_errors) in.console.error(piece.bytes);
    if (piece.channel != CommandChannel::status) continue;
    int code = co_await command_result(piece.bytes);
    co_return code;
  }
}

Task<bool> is_remote_directory(const Copy& copy, std::string path) {
  std::vector<std::string> command = {"test", "-d", std::move(path)};
  auto remote = co_await open_remote(copy.in, options_of(copy, std::move(command), false));
  Take ignore = [](std::string_view) { return Result<void>(); };
  auto code = co_await finish_command(copy.in, *remote, ignore, false).result();
  co_return code.ok() && *code == 0;
}

// --- To the container

Task<void> send_file(RemoteCommandClient& remote, const fs::path& path, int64_t size) {
  std::ifstream file(path, std::ios::binary);
  if (!file) co_await fail(failure("open " + path.string() + ": cannot be read"));
  int64_t left = size;
  while (left > 0) {
    std::string piece(static_cast<size_t>(std::min<int64_t>(left, static_cast<int64_t>(kPiece))), '\0');
    file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    piece.resize(static_cast<size_t>(file.gcount()));
    if (piece.empty()) co_await fail(failure(path.string() + " became shorter while it was copied"));
    left -= static_cast<int64_t>(piece.size());
    co_await remote.write_input(std::move(piece));
  }
  co_await remote.write_input(tar_padding(size));
}

// A tree, its root under the name `as`.
Task<void> send_tree(RemoteCommandClient& remote, fs::path root, std::string as) {
  std::vector<std::pair<fs::path, std::string>> waiting;
  waiting.emplace_back(std::move(root), std::move(as));
  while (!waiting.empty()) {
    auto [path, name] = std::move(waiting.back());
    waiting.pop_back();
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) co_await fail(Error::from_errno(errno, "read " + path.string()));
    TarEntry entry;
    entry.path = name;
    entry.mode = info.st_mode & 07777;
    entry.mtime = info.st_mtime;
    if (S_ISDIR(info.st_mode)) {
      entry.type = TarEntry::Type::directory;
      co_await remote.write_input(tar_header(entry));
      std::vector<std::string> names;
      std::error_code error;
      for (const auto& one : fs::directory_iterator(path, error)) names.push_back(one.path().filename().string());
      std::ranges::sort(names, std::greater<>());
      for (const auto& one : names) waiting.emplace_back(path / one, name + "/" + one);
    } else if (S_ISLNK(info.st_mode)) {
      std::error_code error;
      entry.type = TarEntry::Type::symlink;
      entry.link = fs::read_symlink(path, error).string();
      co_await remote.write_input(tar_header(entry));
    } else if (S_ISREG(info.st_mode)) {
      entry.size = info.st_size;
      co_await remote.write_input(tar_header(entry));
      co_await send_file(remote, path, entry.size);
    }
  }
  co_await remote.write_input(tar_end());
  co_await remote.close_input();
}

Task<void> send_into(RemoteCommandClient& remote, fs::path root, std::string as, std::optional<Error>& error) {
  auto sent = co_await send_tree(remote, std::move(root), std::move(as)).result();
  if (sent.ok() || sent.error().is(Code::closed)) co_return;
  error = sent.error();
  co_await remote.close().result();
}

Task<int> copy_to_pod(Copy& copy, std::string from, std::string to) {
  if (!copy.in.console.exists(from)) co_await fail(failure(from + " doesn't exist in local filesystem"));
  from = without_slashes(from);
  std::string target = without_slashes(to);
  bool into = co_await is_remote_directory(copy, to);
  if (into) target += "/" + base_name(from);
  std::vector<std::string> command = {"tar", "-xmf", "-"};
  if (copy.in.on("no-preserve")) command = {"tar", "--no-same-permissions", "--no-same-owner", "-xmf", "-"};
  std::string directory = directory_name(target);
  if (!directory.empty()) {
    command.push_back("-C");
    command.push_back(directory);
  }
  auto remote = co_await open_remote(copy.in, options_of(copy, std::move(command), true));
  std::optional<Error> error;
  loop::Scope scope(copy.in.session.loop());
  scope.spawn(send_into(*remote, from, base_name(target), error));
  Console& console = copy.in.console;
  Take show = [&console](std::string_view text) {
    console.out(text);
    return Result<void>();
  };
  auto code = co_await finish_command(copy.in, *remote, show, true).result();
  if (error) co_await fail(std::move(*error));
  int exit_code = co_await std::move(code);
  co_return exit_code;
}

// --- From the container

// Puts an archive's files below a local directory, or its only file in the place of that.
class Unpacker {
 public:
  Unpacker(Console& console, std::string prefix, std::string target)
      : console_(console), prefix_(std::move(prefix)), target_(std::move(target)) {}
  Result<void> take(std::string_view bytes);
  Result<void> finish() {
    file_.close();
    return reader_.finish();
  }

 private:
  Result<void> begin(const TarEntry& entry);
  Console& console_;
  std::string prefix_;
  fs::path target_;
  TarReader reader_;
  std::ofstream file_;
  fs::path path_;
  bool told_ = false;
};

Result<void> Unpacker::begin(const TarEntry& entry) {
  file_.close();
  file_.clear();
  std::string path = entry.path;
  if (!path.starts_with(prefix_)) return failure("tar contents corrupted");
  auto inside = safe_path(std::string_view(path).substr(prefix_.size()));
  if (!inside) {
    console_.error("warning: file " + quote(path) + " is outside target destination, skipping\n");
    return {};
  }
  path_ = inside->empty() ? target_ : target_ / *inside;
  std::error_code error;
  if (entry.type == TarEntry::Type::directory) {
    fs::create_directories(path_, error);
    if (error) return failure("mkdir " + path_.string() + ": " + error.message());
    return {};
  }
  if (entry.type != TarEntry::Type::file) {
    if (!std::exchange(told_, true)) {
      console_.error("warning: skipping " + quote(path) + " and whatever else is neither file nor directory (consider using "
                     "\"orch exec POD -- tar cf - PATH | tar xf -\")\n");
    }
    return {};
  }
  if (inside->empty() && fs::is_directory(target_, error)) path_ = target_ / base_name(path);
  if (path_.has_parent_path()) fs::create_directories(path_.parent_path(), error);
  file_.open(path_, std::ios::binary | std::ios::trunc);
  if (!file_) return failure("open " + path_.string() + ": cannot be written");
  return {};
}

Result<void> Unpacker::take(std::string_view bytes) {
  reader_.feed(bytes);
  while (true) {
    TRY(auto event, reader_.next());
    if (!event) return {};
    if (event->entry) TRY_VOID(begin(*event->entry));
    if (event->content.empty() || !file_.is_open()) continue;
    file_ << event->content;
    if (!file_) return failure("write " + path_.string() + ": the disk may be full");
  }
}

Task<int> copy_from_pod(Copy& copy, std::string from, std::string to) {
  from = without_slashes(from);
  std::string prefix = from;
  while (prefix.starts_with('/')) prefix.erase(0, 1);
  std::vector<std::string> command = {"tar", "cf", "-", from};
  auto remote = co_await open_remote(copy.in, options_of(copy, std::move(command), false));
  Unpacker unpacker(copy.in.console, prefix, to);
  Take take = [&unpacker](std::string_view bytes) { return unpacker.take(bytes); };
  int code = co_await finish_command(copy.in, *remote, take, true);
  if (code == 0) co_await unpacker.finish();
  co_return code;
}

Task<int> run_cp(Invocation& in) {
  if (in.words().size() != 2) co_await fail(usage_error("source and destination are required"));
  Place from = co_await parse_place(in.words()[0]);
  Place to = co_await parse_place(in.words()[1]);
  if (from.remote == to.remote) {
    std::string missing = from.remote ? "local" : "remote";
    co_await fail(failure("one of src or dest must be a " + missing + " file specification"));
  }
  if (from.path.empty() || to.path.empty()) co_await fail(failure("filepath can not be empty"));
  const Place& there = from.remote ? from : to;
  std::string ns = there.ns;
  if (ns.empty()) ns = co_await in.session.ns();
  client::Target target{"", "v1", "pods", ns, there.pod, ""};
  Copy copy{in, Value(), ""};
  copy.pod = co_await in.session.get_json(client::target_path(target));
  copy.container = co_await choose_container(in.console, copy.pod, in.text("container"), false);
  auto copying = from.remote ? copy_from_pod(copy, from.path, to.path) : copy_to_pod(copy, from.path, to.path);
  int code = co_await std::move(copying);
  if (code != 0) co_await fail(failure("command terminated with exit code " + std::to_string(code)));
  co_return 0;
}

}  // namespace

std::vector<Verb> cp_verbs() {
  Flags own = {{"container", 'c', FlagType::text, "", "the container"},
               {"no-preserve", 0, FlagType::boolean, "false", "neither owner nor permissions"},
               {"retries", 0, FlagType::integer, "0", "accepted"}};
  return {Verb{"cp", "FROM TO", "Copy files between this machine and a container", own, run_cp}};
}

}  // namespace orch::cli
