#include "cli/tar.h"

#include <catch2/catch_test_macros.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "cli/port_pairs.h"
#include "data/json.h"

namespace orch::cli {
namespace {

namespace fs = std::filesystem;

std::string describe(const TarEntry& entry) {
  return std::to_string(static_cast<int>(entry.type)) + " " + entry.path + (entry.link.empty() ? "" : " -> " + entry.link) +
         " " + std::to_string(entry.mode) + " " + std::to_string(entry.size);
}

std::string read_all(std::string_view archive, size_t piece) {
  TarReader reader;
  std::string text;
  while (!archive.empty()) {
    reader.feed(archive.substr(0, piece));
    archive.remove_prefix(std::min(piece, archive.size()));
    while (true) {
      auto event = reader.next();
      if (!event.ok()) return text + event.error().message();
      if (!*event) break;
      if ((*event)->entry) text += describe(*(*event)->entry) + "\n";
      text += (*event)->content;
      if ((*event)->at_end) text += "end\n";
    }
  }
  auto finished = reader.finish();
  return finished.ok() ? text : text + finished.error().message();
}

std::string sample() {
  std::string archive;
  TarEntry directory{TarEntry::Type::directory, "d", "", 0755, 0, 1};
  TarEntry file{TarEntry::Type::file, "d/" + std::string(150, 'x'), "", 0640, 3, 1};
  TarEntry link{TarEntry::Type::symlink, "d/l", std::string(120, 'y'), 0777, 0, 1};
  archive += tar_header(directory);
  archive += tar_header(file) + "abc" + tar_padding(3);
  archive += tar_header(link);
  return archive + tar_end();
}

TEST_CASE("an archive is read as it was written, however it is cut") {
  std::string expected = "1 d/ 493 0\n0 d/" + std::string(150, 'x') + " 416 3\nabc2 d/l -> " + std::string(120, 'y') + " 511 0\nend\n";
  for (size_t piece : {1u, 7u, 512u, 100'000u}) CHECK(read_all(sample(), piece) == expected);
}

TEST_CASE("the system's tar reads what we write, and we what it writes") {
  char name[] = "/tmp/orch-tar-XXXXXX";
  fs::path directory = ::mkdtemp(name);
  std::ofstream(directory / "a.tar", std::ios::binary) << sample();
  std::string in = "cd " + directory.string() + " && ";
  REQUIRE(std::system((in + "tar xf a.tar").c_str()) == 0);
  CHECK(fs::file_size(directory / "d" / std::string(150, 'x')) == 3);
  CHECK(fs::read_symlink(directory / "d/l").string() == std::string(120, 'y'));
  for (std::string format : {"gnu", "pax", "ustar"}) {
    INFO(format);
    std::string path = "d/" + std::string(format == "ustar" ? 40 : 200, 'z');
    fs::remove_all(directory / "d");
    fs::create_directory(directory / "d");
    std::ofstream(directory / path) << "content";
    REQUIRE(std::system((in + "tar --format=" + format + " -cf b.tar d").c_str()) == 0);
    std::ifstream file(directory / "b.tar", std::ios::binary);
    std::string archive((std::istreambuf_iterator<char>(file)), {});
    std::string text = read_all(archive, 1000);
    CHECK(text.find("0 " + path + " ") != std::string::npos);
    CHECK(text.find("content") != std::string::npos);
    CHECK(text.ends_with("end\n"));
  }
  fs::remove_all(directory);
}

TEST_CASE("what is no archive, or not all of one, is said") {
  CHECK(read_all(std::string(512, 'q'), 512) == "tar: this is no archive, or a damaged one");
  CHECK(read_all(sample().substr(0, 2000), 512).ends_with("tar: the archive is cut short"));
  std::string damaged = sample();
  damaged[3] ^= 1;
  CHECK(read_all(damaged, 512) == "tar: this is no archive, or a damaged one");
}

TEST_CASE("no path leads out of its directory") {
  CHECK(safe_path("a//b/./c/") == "a/b/c");
  CHECK(safe_path("/etc/passwd") == "etc/passwd");
  CHECK(safe_path("") == "");
  CHECK_FALSE(safe_path("a/../b").has_value());
  CHECK_FALSE(safe_path("..").has_value());
}

std::string ports(std::vector<std::string> texts, std::string object = R"({"kind":"Pod"})") {
  Value pod = *parse_json(R"({"metadata":{"name":"p"},"spec":{"containers":[{"ports":[{"name":"web","containerPort":8080}]}]}})");
  auto pairs = resolve_ports(texts, *parse_json(object), pod);
  if (!pairs.ok()) return pairs.error().message();
  std::string text;
  for (const auto& pair : *pairs) text += std::to_string(pair.local) + ":" + std::to_string(pair.remote) + " ";
  return text;
}

TEST_CASE("ports to forward, of pods and of Services") {
  CHECK(ports({"80", "8000:81", ":82", "web", "1:web"}) == "80:80 8000:81 0:82 8080:8080 1:8080 ");
  CHECK(ports({"1:2:3"}) == "invalid port format '1:2:3'");
  CHECK(ports({"0"}) == "remote port must be > 0");
  CHECK(ports({"x:80"}) == "error parsing local port 'x': not a number");
  CHECK(ports({"none"}) == "Pod 'p' does not have a named port 'none'");
  std::string service = R"({"kind":"Service","metadata":{"name":"s"},"spec":{"ports":[{"name":"http","port":80,"targetPort":"web"},{"port":90,"targetPort":9090}]}})";
  CHECK(ports({"80", "8000:http", "90"}, service) == "80:8080 8000:8080 90:9090 ");
  CHECK(ports({"81"}, service) == "Service s does not have a service port 81");
}

}  // namespace
}  // namespace orch::cli
