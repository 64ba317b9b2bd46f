#include "agent/volumes.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "agent/pod_files.h"
#include "loop/files.h"

using namespace orch;
using namespace orch::agent;
namespace fs = std::filesystem;

namespace {

struct Directory {
  std::string path;
  Directory() {
    std::string text = "/tmp/orch-volumes-XXXXXX";
    REQUIRE(::mkdtemp(text.data()));
    path = text;
  }
  ~Directory() { (void)remove_tree(path); }
  std::string read(const std::string& name) const { return loop::read_file_now(path + "/" + name).value_or("<none>"); }
  std::string target(const std::string& name) const { return fs::read_symlink(path + "/" + name).string(); }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : fs::directory_iterator(path)) all.push_back(entry.path().filename().string());
    std::ranges::sort(all);
    return all;
  }
};

constexpr Instant start{1'767'225'600'000'000'000};

}  // namespace

TEST_CASE("the files of a volume change all at once, and nothing is left of the old ones") {
  Directory volume;
  REQUIRE(write_volume(volume.path, {{"a", "1", 0644}, {"deep/b", "2", 0400}}, -1, start).ok());
  CHECK(volume.read("a") == "1");
  CHECK(volume.read("deep/b") == "2");
  CHECK(volume.target("a") == "..data/a");
  CHECK((fs::status(volume.path + "/deep/b").permissions() & fs::perms::all) == fs::perms::owner_read);
  const std::string before = volume.target("..data");
  REQUIRE(write_volume(volume.path, {{"a", "1", 0644}, {"deep/b", "2", 0400}}, -1, start + 1s).ok());
  CHECK(volume.target("..data") == before);
  REQUIRE(write_volume(volume.path, {{"a", "new", 0644}, {"c", "3", 0644}}, -1, start + 2s).ok());
  CHECK(volume.read("a") == "new");
  CHECK(volume.read("c") == "3");
  CHECK(volume.names() == std::vector<std::string>{"..2026_01_01_00_00_02.000000", "..data", "a", "c"});
}

TEST_CASE("a subPath is made beneath its volume, with the volume's mode") {
  Directory volume;
  REQUIRE(::chmod(volume.path.c_str(), 0777) == 0);
  REQUIRE(make_sub_path(volume.path, "a/b").ok());
  CHECK((fs::status(volume.path + "/a/b").permissions() & fs::perms::all) == fs::perms::all);
  REQUIRE(make_sub_path(volume.path, "a/b").ok());
  fs::create_directory_symlink("a", volume.path + "/inside");
  REQUIRE(make_sub_path(volume.path, "inside/c").ok());
  CHECK(fs::is_directory(volume.path + "/a/c"));
}

TEST_CASE("a subPath through a link that leads out of its volume is refused, and makes nothing there") {
  Directory volume, outside;
  fs::create_directory_symlink(outside.path, volume.path + "/out");
  CHECK_FALSE(make_sub_path(volume.path, "out/x").ok());
  CHECK_FALSE(make_sub_path(volume.path, "../x").ok());
  CHECK(outside.names().empty());
}
