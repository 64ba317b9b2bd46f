#include "shim/log_file.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

using namespace orch::shim;
namespace fs = std::filesystem;

namespace {

struct Directory {
  Directory() : path(fs::temp_directory_path() / ("orch-log-" + std::to_string(::getpid()))) { fs::create_directories(path); }
  ~Directory() { fs::remove_all(path); }
  fs::path path;
};

std::vector<std::string> lines_of(const fs::path& path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

std::string after_time(const std::string& line) { return line.size() > 31 ? line.substr(31) : line; }

// The rotated files in the order of their names, then the one that is written.
std::vector<fs::path> in_order(const fs::path& directory) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(directory)) {
    if (entry.path().filename() != "0.log") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  files.push_back(directory / "0.log");
  return files;
}

}  // namespace

TEST_CASE("A line has its time, stream and tag") {
  Directory directory;
  const std::string path = directory.path / "0.log";
  LogFile file;
  REQUIRE(file.open(path.c_str(), 0, 0) == 0);
  LogStream stream("stderr");
  stream.feed(file, "first\nsec");
  stream.feed(file, "ond\n\nrest");
  stream.finish(file);
  const auto lines = lines_of(path);
  REQUIRE(lines.size() == 4);
  CHECK(after_time(lines[0]) == "stderr F first");
  CHECK(after_time(lines[1]) == "stderr F second");
  CHECK(after_time(lines[2]) == "stderr F ");
  CHECK(after_time(lines[3]) == "stderr F rest");
  const std::string& time = lines[0];
  CHECK(time.substr(0, 2) == "20");
  CHECK(time[10] == 'T');
  CHECK(time[19] == '.');
  CHECK(time[29] == 'Z');
}

TEST_CASE("A line of more than 16 KiB comes in partial pieces, whatever the reads were") {
  for (const size_t piece : {1000UL, 16384UL, 16385UL, 65536UL}) {
    Directory directory;
    const std::string path = directory.path / "0.log";
    const std::string text(40'000, 'x');
    {
      LogFile file;
      REQUIRE(file.open(path.c_str(), 0, 0) == 0);
      LogStream stream("stdout");
      const std::string bytes = text + "\nnext\n";
      for (size_t at = 0; at < bytes.size(); at += piece) stream.feed(file, std::string_view(bytes).substr(at, piece));
    }
    const auto lines = lines_of(path);
    REQUIRE(lines.size() == 4);
    CHECK(after_time(lines[0]) == "stdout P " + text.substr(0, 16384));
    CHECK(after_time(lines[1]) == "stdout P " + text.substr(0, 16384));
    CHECK(after_time(lines[2]) == "stdout F " + text.substr(0, 40'000 - 2 * 16384));
    CHECK(after_time(lines[3]) == "stdout F next");
  }
}

TEST_CASE("However quickly a log is rotated, the newest lines stay and names tell their order") {
  Directory directory;
  const std::string path = directory.path / "0.log";
  LogFile file;
  REQUIRE(file.open(path.c_str(), 2000, 4) == 0);
  constexpr int kLines = 5000;  // about a hundred files
  for (int i = 0; i < kLines; ++i) file.write("stdout", true, std::to_string(i));
  const auto files = in_order(directory.path);
  CHECK(files.size() == 4);
  std::vector<std::string> lines;
  for (const fs::path& each : files) {
    CHECK(fs::file_size(each) <= 2000);
    for (const std::string& line : lines_of(each)) lines.push_back(line);
  }
  REQUIRE(lines.size() > 100);
  size_t wrong = 0;
  for (size_t i = 0; i < lines.size(); ++i) {
    wrong += after_time(lines[i]) != "stdout F " + std::to_string(kLines - lines.size() + i);
  }
  CHECK(wrong == 0);
}

// A file size limit refuses what a full disk would, in the middle of a line too.
TEST_CASE("What a full disk refuses is counted and said once there is room, and no line is cut") {
  Directory directory;
  const std::string path = directory.path / "0.log";
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = ::signal(SIGXFSZ, SIG_IGN);
  LogFile file;
  REQUIRE(file.open(path.c_str(), 0, 0) == 0);
  const rlimit full{100, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &full);
  for (int i = 0; i < 10; ++i) file.write("stdout", true, "0123456789");
  ::setrlimit(RLIMIT_FSIZE, &before);
  ::signal(SIGXFSZ, handler);
  file.write("stdout", true, "room again");
  const auto lines = lines_of(path);
  REQUIRE(lines.size() == 3);  // one of 50 bytes fits, the next is cut at 100
  CHECK(after_time(lines[0]) == "stdout F 0123456789");
  CHECK(after_time(lines[1]) == "stderr F orch: log lines were lost because the disk was full; bytes: 90");
  CHECK(after_time(lines[2]) == "stdout F room again");
}
