#include "cli/console.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>

#include "base/text.h"

namespace orch::cli {

namespace {

void write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;  // nobody reads any more; the exit code tells the rest
    text.remove_prefix(static_cast<size_t>(n));
  }
}

Result<std::string> read_fd(int fd, const std::string& what) {
  std::string text;
  char buffer[64 * 1024];
  while (true) {
    ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Error::from_errno(errno, "read " + what);
    if (n == 0) return text;
    text.append(buffer, static_cast<size_t>(n));
  }
}

}  // namespace

void ProcessConsole::out(std::string_view text) { write_all(STDOUT_FILENO, text); }
void ProcessConsole::error(std::string_view text) { write_all(STDERR_FILENO, text); }
Result<std::string> ProcessConsole::read_input() { return read_fd(STDIN_FILENO, "standard input"); }

std::optional<std::string> ProcessConsole::variable(std::string_view name) const {
  const char* value = std::getenv(std::string(name).c_str());
  if (!value) return std::nullopt;
  return std::string(value);
}

Instant ProcessConsole::now() const {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return Instant{int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec};
}

Result<std::string> ProcessConsole::read_file(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ENOENT) return failure("the path " + quote(path) + " does not exist");
    return Error::from_errno(errno, "open " + path);
  }
  auto text = read_fd(fd, path);
  ::close(fd);
  return text;
}

Result<void> ProcessConsole::write_file(const std::string& path, std::string_view text) {
  std::error_code ignored;
  auto parent = std::filesystem::path(path).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, ignored);
  // Beside it and renamed, so that a reader never sees half of it.
  const std::string temporary = path + ".new";
  int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return Error::from_errno(errno, "open " + temporary);
  while (!text.empty()) {
    ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      Error error = Error::from_errno(errno, "write " + temporary);
      ::close(fd);
      ::unlink(temporary.c_str());
      return error;
    }
    text.remove_prefix(static_cast<size_t>(n));
  }
  ::close(fd);
  if (::rename(temporary.c_str(), path.c_str()) != 0) return Error::from_errno(errno, "rename " + path);
  return {};
}

bool ProcessConsole::exists(const std::string& path) const {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0;
}

bool ProcessConsole::is_directory(const std::string& path) const {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

Result<std::vector<std::string>> ProcessConsole::list_directory(const std::string& path) {
  std::error_code code;
  std::vector<std::string> names;
  std::filesystem::directory_iterator entries(path, code);
  if (code) return Error::from_errno(code.value(), "read directory " + path);
  for (; entries != std::filesystem::directory_iterator(); entries.increment(code)) {
    if (code) return Error::from_errno(code.value(), "read directory " + path);
    names.push_back(entries->path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

Result<int> ProcessConsole::run_editor(const std::string& command, const std::string& path) {
  pid_t child = ::fork();
  if (child < 0) return Error::from_errno(errno, "fork");
  if (child == 0) {
    ::signal(SIGPIPE, SIG_DFL);
    const std::string line = command + " \"$1\"";
    ::execl("/bin/sh", "sh", "-c", line.c_str(), "sh", path.c_str(), static_cast<char*>(nullptr));
    ::_exit(127);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Error failure(std::string message) { return Error::make(Code::io, std::move(message)); }

namespace {

// `The Deployment "x" is invalid: spec.a: Required value`, several causes one a line.
std::string format_invalid(const Error& error) {
  std::string text = "The " + error.kind() + " " + quote(error.name()) + " is invalid";
  std::vector<std::string> lines;
  for (const Cause& cause : error.causes()) {
    std::string line = cause.field.empty() ? cause.message : cause.field + ": " + cause.message;
    if (std::ranges::find(lines, line) == lines.end()) lines.push_back(std::move(line));
  }
  if (lines.empty()) return text + ": " + error.message() + "\n";
  if (lines.size() == 1) return text + ": " + lines[0] + "\n";
  text += ": \n";
  for (const std::string& line : lines) text += "* " + line + "\n";
  return text;
}

bool from_server(Code code) { return code < Code::io; }

}  // namespace

std::string format_error(const Error& error) {
  if (!from_server(error.code())) return "error: " + error.message() + "\n";
  if (error.is(Code::invalid) && !error.kind().empty()) return format_invalid(error);
  std::string_view reason = code_info(error.code()).reason;
  if (reason.empty()) return "Error from server: " + error.message() + "\n";
  return "Error from server (" + std::string(reason) + "): " + error.message() + "\n";
}

}  // namespace orch::cli
