#include "loop/files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <filesystem>

#include "loop/virtual_loop.h"

namespace orch::loop {
namespace {

struct Directory {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("orch-files-" + std::to_string(getpid()));
  Directory() { std::filesystem::create_directories(path); }
  ~Directory() { std::filesystem::remove_all(path); }
  size_t entries() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(path), {}));
  }
};

TEST_CASE("a file that was written is read back, replaced whole, and leaves nothing beside it") {
  VirtualLoop loop;
  Directory directory;
  std::string path = directory.path / "f";
  std::string big(300'000, 'x');
  REQUIRE(loop.run(write_file_atomic(loop, path, big)).ok());
  CHECK(*loop.run(read_file(loop, path)) == big);
  REQUIRE(loop.run(write_file_atomic(loop, path, "new", 0644)).ok());
  CHECK(*loop.run(read_file(loop, path)) == "new");
  struct stat info {};
  REQUIRE(stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0644);
  CHECK(directory.entries() == 1);
}

TEST_CASE("what cannot be read or written is an error that says why") {
  VirtualLoop loop;
  Directory directory;
  std::string path = directory.path / "f";
  CHECK(loop.run(read_file(loop, path)).error().is(Code::not_found));
  REQUIRE(loop.run(write_file_atomic(loop, path, "12345")).ok());
  CHECK(loop.run(read_file(loop, path, 4)).error().is(Code::too_large));
  CHECK(*loop.run(read_file(loop, path, 5)) == "12345");
  CHECK(loop.run(write_file_atomic(loop, path + "/below", "x")).error().error_number() == ENOTDIR);
  // The target is a directory: the temporary file must go.
  std::filesystem::create_directories(directory.path / "d");
  CHECK_FALSE(loop.run(write_file_atomic(loop, directory.path / "d", "x")).ok());
  CHECK(directory.entries() == 2);
}

}  // namespace
}  // namespace orch::loop
