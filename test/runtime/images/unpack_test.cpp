#include "runtime/images/unpack.h"

#include <fcntl.h>
#include <sys/xattr.h>

#include <catch2/catch_test_macros.hpp>

#include "runtime/images/export.h"
#include "runtime/images/fixtures.h"
#include "wire/gzip.h"

namespace orch::runtime::images {
namespace {

struct Unpacking {
  TemporaryDirectory directory;
  Result<UnpackedLayer> result = Error::make(Code::internal, "not run");
  explicit Unpacking(const std::string& tar, const UnpackLimits& limits = {}, const ExpectedLayer& expected = {}) {
    ::mkdir((directory / "root").c_str(), 0755);
    TextSource source(tar);
    result = unpack_layer(source, directory / "root", expected, limits, nullptr);
  }
  std::string at(const std::string& path) const { return directory / ("root/" + path); }
  struct stat stat(const std::string& path) const {
    struct stat info{};
    INFO(path);
    REQUIRE(::lstat(at(path).c_str(), &info) == 0);
    return info;
  }
  bool has(const std::string& path) const {
    struct stat info{};
    return ::lstat(at(path).c_str(), &info) == 0;
  }
  std::string text(const std::string& path) const { return loop::read_file_now(at(path)).value(); }
  std::string xattr(const std::string& path, const char* name) const {
    char value[64];
    ssize_t size = ::lgetxattr(at(path).c_str(), name, value, sizeof value);
    return size < 0 ? "none" : std::string(value, static_cast<size_t>(size));
  }
  // Nothing but the root was made.
  bool stayed_inside() const {
    auto summary = summarise_tree(directory.path());
    struct stat info{};
    return summary.ok() && ::stat((directory / "evil").c_str(), &info) != 0;
  }
};

TEST_CASE("files come out of a layer with owner, mode, time, attributes and links") {
  TarBuilder builder;
  TarEntry suid = file_entry("bin/su", 2, 04755);
  suid.uid = 3, suid.gid = 4;
  suid.mtime_s = 1234567890, suid.mtime_ns = 500'000'000;
  suid.xattrs = {{"user.a", "b"}, {"trusted.overlay.redirect", "/etc"}, {"security.capability", std::string("\x01\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20)}};
  builder.directory("bin/", 01777, 7).add(suid, "ok").symlink("sh", "/bin/su").hardlink("bin/again", "bin/su");
  TarEntry device = file_entry("null", 0, 0666);
  device.type = TarEntry::Type::character;
  device.device_major = 1, device.device_minor = 3;
  builder.add(device, "");
  std::string name = "deep/" + std::string(200, 'n') + "/ü";
  builder.directory("deep/").directory("deep/" + std::string(200, 'n')).file(name, "long");
  std::string tar = builder.bytes();
  Unpacking layer(tar);
  REQUIRE(layer.result.ok());
  CHECK(layer.result->diff_id == sha256_digest(tar));
  CHECK(layer.result->blob_digest == sha256_digest(tar));
  CHECK(layer.result->complete_tar);
  CHECK(layer.result->implied.empty());
  struct stat su = layer.stat("bin/su");
  CHECK((su.st_mode & 07777) == 04755);
  CHECK(su.st_uid == 3);
  CHECK(su.st_gid == 4);
  CHECK(su.st_mtim.tv_sec == 1234567890);
  CHECK(su.st_mtim.tv_nsec == 500'000'000);
  CHECK(su.st_nlink == 2);
  CHECK(layer.stat("bin/again").st_ino == su.st_ino);
  CHECK((layer.stat("bin").st_mode & 07777) == 01777);
  CHECK(layer.stat("bin").st_uid == 7);
  CHECK(layer.stat("bin").st_mtim.tv_sec == 1'000'000'000);
  CHECK(layer.xattr("bin/su", "user.a") == "b");
  CHECK(layer.xattr("bin/su", "security.capability").size() == 20);
  CHECK(layer.xattr("bin/su", "trusted.overlay.redirect") == "none");
  CHECK(S_ISLNK(layer.stat("sh").st_mode));
  CHECK(S_ISCHR(layer.stat("null").st_mode));
  CHECK(layer.stat("null").st_rdev == makedev(1, 3));
  CHECK((layer.stat("null").st_mode & 07777) == 0666);
  CHECK(layer.text(name) == "long");
}

TEST_CASE("whiteouts become what overlayfs takes for them") {
  TarBuilder builder;
  builder.directory("a/").file("a/.wh.gone", "").directory("b/").file("b/.wh..wh..opq", "").file("b/new", "x");
  builder.file(".wh..wh.plnk", "").directory("kept/").file("kept/f", "y").file(".wh.kept", "");
  builder.file(".wh.back", "").directory("back/").file(".wh.over", "").file("over", "z");
  Unpacking layer(builder.bytes());
  REQUIRE(layer.result.ok());
  CHECK(S_ISCHR(layer.stat("a/gone").st_mode));
  CHECK(layer.stat("a/gone").st_rdev == makedev(0, 0));
  CHECK(layer.xattr("b", "trusted.overlay.opaque") == "y");
  CHECK(layer.text("b/new") == "x");
  CHECK_FALSE(layer.has(".wh..wh.plnk"));
  // A whiteout hides what is below, never what its own layer has there.
  CHECK(layer.text("kept/f") == "y");
  CHECK(layer.xattr("kept", "trusted.overlay.opaque") == "y");
  CHECK(layer.xattr("back", "trusted.overlay.opaque") == "y");
  CHECK(layer.text("over") == "z");
}

TEST_CASE("a later entry replaces an earlier one, directories are merged") {
  TarBuilder builder;
  builder.directory("d/").file("d/x", "1").file("d/x", "2").directory("d/", 0700).file("d", "file now").file("e", "3");
  builder.directory("e/").file("e/y", "4");
  Unpacking layer(builder.bytes());
  REQUIRE(layer.result.ok());
  CHECK(layer.text("d") == "file now");
  CHECK(layer.text("e/y") == "4");
}

TEST_CASE("directories that a layer does not mention are made and told of, parents first") {
  TarBuilder builder;
  builder.file("a/b/c", "x").directory("a/b/").file("d/e", "y");
  Unpacking layer(builder.bytes());
  REQUIRE(layer.result.ok());
  CHECK(layer.result->implied == std::vector<std::string>{"a", "d"});
  CHECK((layer.stat("a").st_mode & 07777) == 0755);
}

TEST_CASE("nothing is made outside the layer's directory") {
  struct Case {
    const char* what;
    std::string tar;
    bool fails;
  };
  auto tar_of = [](auto&& fill) {
    TarBuilder builder;
    fill(builder);
    return builder.bytes();
  };
  const Case cases[] = {
      {"..", tar_of([](auto& b) { b.file("../evil", "x"); }), true},
      {".. inside", tar_of([](auto& b) { b.file("a/../../evil", "x"); }), true},
      {"absolute", tar_of([](auto& b) { b.file("/../evil", "x"); }), true},
      {"symlink up", tar_of([](auto& b) { b.symlink("up", "..").file("up/evil", "x"); }), false},
      {"symlink up twice", tar_of([](auto& b) { b.symlink("up", "../../../..").symlink("u2", "up/..").file("u2/evil", "x"); }), false},
      {"absolute symlink", tar_of([](auto& b) { b.symlink("tmp", "/tmp").directory("tmp/").file("tmp/evil", "x"); }), false},
      {"symlink to proc", tar_of([](auto& b) { b.symlink("p", "/proc/self/root").file("p/evil", "x"); }), true},
      {"hard link out", tar_of([](auto& b) { b.hardlink("passwd", "../../../etc/passwd"); }), true},
      {"hard link to absolute", tar_of([](auto& b) { b.hardlink("passwd", "/etc/passwd"); }), true},
      {"hard link through symlink", tar_of([](auto& b) { b.symlink("e", "/etc").hardlink("passwd", "e/passwd"); }), true},
      {"write through symlink", tar_of([](auto& b) { b.symlink("f", "/tmp/evil-target").file("f", "x"); }), false},
      {"whiteout of ..", tar_of([](auto& b) { b.file(".wh...", "x"); }), true},
      {"symlink loop", tar_of([](auto& b) { b.symlink("l", "l").file("l/x", "x"); }), true},
      {"root as a file", tar_of([](auto& b) { b.file("./.", "x"); }), true},
  };
  for (const Case& c : cases) {
    INFO(c.what);
    Unpacking layer(c.tar);
    CHECK(layer.result.ok() == !c.fails);
    if (c.fails && !layer.result.ok()) {
      INFO(layer.result.error().message());
      CHECK(layer.result.error().message().starts_with("entry \""));
    }
    CHECK(layer.stayed_inside());
    CHECK(::access("/tmp/evil", F_OK) != 0);
    CHECK(::access("/tmp/evil-target", F_OK) != 0);
    CHECK(::access("/evil", F_OK) != 0);
  }
}

TEST_CASE("absolute names count from the layer's root") {
  TarBuilder builder;
  builder.directory("/etc/").file("/etc/x", "y");
  Unpacking layer(builder.bytes());
  REQUIRE(layer.result.ok());
  CHECK(layer.text("etc/x") == "y");
}

TEST_CASE("holes stay holes") {
  // GNU tar's own format of a sparse file, made by the program itself.
  TemporaryDirectory directory;
  REQUIRE(::system(("cd " + directory.path() + " && truncate -s 4M s && printf end >> s && tar -c --sparse -f s.tar s").c_str()) == 0);
  Unpacking layer(loop::read_file_now(directory / "s.tar").value());
  REQUIRE(layer.result.ok());
  struct stat info = layer.stat("s");
  CHECK(info.st_size == (4 << 20) + 3);
  CHECK(info.st_blocks < 1000);
  CHECK(layer.text("s").ends_with("end"));
}

TEST_CASE("gzip and zstd are unpacked as they come, several members too") {
  std::string tar = some_layer("x", std::string(100'000, 'q'));
  std::vector<loop::Chunk> first, second;
  first.emplace_back(tar.substr(0, 5000));
  second.emplace_back(tar.substr(5000));
  Unpacking gzipped(wire::gzip(first, 6) + wire::gzip(second, 1));
  REQUIRE(gzipped.result.ok());
  CHECK(gzipped.result->diff_id == sha256_digest(tar));
  CHECK(gzipped.text("usr/bin/x").size() == 100'000);
  TemporaryDirectory directory;
  write(directory / "t.tar", tar);
  REQUIRE(::system(("python3 -c \"import sys\" && zstd -q " + directory.path() + "/t.tar").c_str()) == 0);
  Unpacking packed(loop::read_file_now(directory / "t.tar.zst").value());
  REQUIRE(packed.result.ok());
  CHECK(packed.result->diff_id == sha256_digest(tar));
}

TEST_CASE("a cut layer is an error wherever it is cut") {
  std::string tar = some_layer("x", std::string(20'000, 'q'));
  std::vector<loop::Chunk> chunks;
  chunks.emplace_back(tar);
  std::string packed = wire::gzip(chunks, 6);
  ExpectedLayer expected{sha256_digest(tar), ""};
  for (size_t cut = 1; cut < tar.size(); cut += 700) {
    INFO(cut);
    CHECK_FALSE(Unpacking(tar.substr(0, cut), {}, expected).result.ok());
  }
  for (size_t cut = 1; cut < packed.size(); cut += 7) {
    INFO(cut);
    CHECK_FALSE(Unpacking(packed.substr(0, cut), {}, expected).result.ok());
  }
}

TEST_CASE("limits hold") {
  TarBuilder builder;
  builder.file("a", std::string(1000, 'x')).file("b", std::string(1000, 'y')).file("c", "");
  std::string tar = builder.bytes();
  UnpackLimits few;
  few.entries = 2;
  CHECK(Unpacking(tar, few).result.error().message() == "more than 2 entries");
  UnpackLimits small;
  small.bytes = 1500;
  CHECK(Unpacking(tar, small).result.error().message() == "entry \"b\": the layer has more than 1500 bytes");
  UnpackLimits full;
  full.keep_free = int64_t{1} << 60;
  CHECK(Unpacking(tar, full).result.error().error_number() == ENOSPC);
}

TEST_CASE("content that is not what was asked for is named by its digest") {
  std::string tar = some_layer("x", "1");
  std::string other = "sha256:" + std::string(64, '0');
  CHECK(Unpacking(tar, {}, {"", other}).result.error().message() ==
        "unexpected commit digest " + sha256_digest(tar) + ", expected " + other + ": failed precondition");
  CHECK(Unpacking("garbage", {}, {"", other}).result.error().message().starts_with("unexpected commit digest"));
  CHECK(Unpacking("garbage").result.error().message() == "this is no tar archive (plain, gzip or zstd)");
  CHECK(Unpacking(tar, {}, {other, ""}).result.error().message().starts_with("wrong diff id calculated on extraction"));
}

TEST_CASE("an unpacked layer becomes the same tree again through its tar") {
  TarBuilder builder;
  TarEntry entry = file_entry("d/f", 1, 0600);
  entry.xattrs = {{"user.k", "v"}};
  builder.directory("./", 0711).directory("d/", 0750, 5).add(entry, "x").hardlink("d/g", "d/f").symlink("l", "d/ü");
  builder.file("d/ü", "y").file("d/.wh.gone", "").directory("o/").file("o/.wh..wh..opq", "").file("o/n", "");
  Unpacking first(builder.bytes());
  REQUIRE(first.result.ok());
  std::string again;
  auto sink = [&](std::string_view bytes) -> Result<void> {
    again += bytes;
    return {};
  };
  REQUIRE(write_layer_tar(first.at(""), sink, nullptr).ok());
  Unpacking second(again);
  REQUIRE(second.result.ok());
  // The root's own whiteouts are new files with new times.
  CHECK(second.text("d/g") == "x");
  CHECK(second.stat("d/g").st_nlink == 2);
  CHECK(second.text("d/ü") == "y");
  CHECK(second.xattr("d/f", "user.k") == "v");
  CHECK(second.stat("d").st_uid == 5);
  CHECK((second.stat("").st_mode & 07777) == 0711);
  CHECK(S_ISCHR(second.stat("d/gone").st_mode));
  CHECK(second.xattr("o", "trusted.overlay.opaque") == "y");
  CHECK_FALSE(second.has("o/.wh..wh..opq"));
}

}  // namespace
}  // namespace orch::runtime::images
