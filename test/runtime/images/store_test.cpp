#include "runtime/images/store.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include <catch2/catch_test_macros.hpp>

#include "base/random.h"
#include "base/text.h"
#include "runtime/images/export.h"
#include "runtime/images/fixtures.h"
#include "runtime/images/import.h"

namespace orch::runtime::images {
namespace {

struct Lines {
  std::string text;
  Logger log() {
    return Logger([this](LogLevel, std::string_view line) { text += std::string(line) + "\n"; }, LogLevel::info);
  }
};

std::unique_ptr<Store> open_store(const TemporaryDirectory& directory, Lines& lines, std::string boot = "boot-1",
                                  bool verify = false) {
  StoreOptions options;
  options.directory = directory / "images";
  options.boot_id = std::move(boot);
  options.verify = verify;
  auto store = Store::open(options, lines.log());
  REQUIRE(store.ok());
  return std::move(*store);
}

Result<std::vector<Imported>> import_bytes(Store& store, const TemporaryDirectory& directory, const std::string& bytes,
                                           const std::string& name = "", bool pinned = false) {
  write(directory / "in.tar", bytes);
  ImportOptions options;
  options.name = name;
  options.pinned = pinned;
  options.now = Instant{1'700'000'000'000'000'000};
  return import_images(store, directory / "in.tar", options);
}

std::vector<std::string> names_in(const std::string& path) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(path)) names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

TEST_CASE("a docker archive becomes an image with its tags and unpacked layers") {
  TemporaryDirectory directory;
  Lines lines;
  auto store = open_store(directory, lines);
  std::string low = some_layer("sh", "old"), top = some_layer("app", "new");
  auto imported = import_bytes(*store, directory, docker_archive({low, top}, {"app:1", "r.example/app:2"}));
  REQUIRE(imported.ok());
  REQUIRE(imported->size() == 1);
  auto record = store->find(imported->at(0).id);
  REQUIRE(record);
  CHECK(record->tags == std::vector<std::string>{"docker.io/library/app:1", "r.example/app:2"});
  CHECK(record->id == sha256_digest(record->config));
  REQUIRE(record->layers.size() == 2);
  CHECK(loop::read_file_now(store->layer_path(record->layers[0]) + "/usr/bin/sh").value() == "old");
  CHECK(loop::read_file_now(store->layer_path(record->layers[1]) + "/usr/bin/app").value() == "new");
  CHECK(names_in(directory / "images/tmp").empty());
}

TEST_CASE("layers are kept once and go with their last image") {
  TemporaryDirectory directory;
  Lines lines;
  auto store = open_store(directory, lines);
  std::string shared = some_layer("sh", "s");
  std::string one = import_bytes(*store, directory, docker_archive({shared, some_layer("a", "1")}, {"a"})).value().at(0).id;
  std::string two = import_bytes(*store, directory, docker_archive({shared, some_layer("b", "2")}, {"b"})).value().at(0).id;
  CHECK(names_in(directory / "images/layers").size() == 3);
  CHECK(store->erase(one).value() > 0);
  CHECK(names_in(directory / "images/layers").size() == 2);
  CHECK(store->find(two));
  CHECK(store->erase(two).ok());
  CHECK(names_in(directory / "images/layers").empty());
  CHECK(store->total_bytes() == 0);
  CHECK(store->erase(two).value() == 0);
}

TEST_CASE("layers of an image in the making are not removed") {
  TemporaryDirectory directory;
  Lines lines;
  auto store = open_store(directory, lines);
  auto image = import_bytes(*store, directory, docker_archive({some_layer("a", "1")}, {"a"})).value().at(0);
  std::string key = store->find(image.id)->layers[0];
  {
    Store::Hold hold(*store);
    hold.add(key);
    CHECK(store->erase(image.id).value() == 0);
    CHECK(store->remove_orphans() == 0);
    CHECK(std::filesystem::exists(store->layer_path(key)));
  }
  CHECK(store->remove_orphans() > 0);
  CHECK_FALSE(std::filesystem::exists(store->layer_path(key)));
}

TEST_CASE("a tag moves to the image that gets it last") {
  TemporaryDirectory directory;
  Lines lines;
  auto store = open_store(directory, lines);
  std::string one = import_bytes(*store, directory, docker_archive({some_layer("a", "1")}, {"a", "b"})).value().at(0).id;
  std::string two = import_bytes(*store, directory, docker_archive({some_layer("a", "2")}, {"a"})).value().at(0).id;
  CHECK(store->find(one)->tags == std::vector<std::string>{"docker.io/library/b:latest"});
  CHECK(store->find(two)->tags == std::vector<std::string>{"docker.io/library/a:latest"});
}

TEST_CASE("directories that a layer does not mention look as in the layer below") {
  TemporaryDirectory directory;
  Lines lines;
  auto store = open_store(directory, lines);
  TarBuilder below, above, other;
  below.directory("srv/", 0700, 42).directory("srv/x/", 0750, 43);
  other.directory("srv/", 0711, 44);
  above.file("srv/x/new", "n");
  std::string top = above.bytes();
  auto image = import_bytes(*store, directory, docker_archive({below.bytes(), top}, {"a"})).value().at(0);
  auto second = import_bytes(*store, directory, docker_archive({other.bytes(), top}, {"b"})).value().at(0);
  auto owner_of = [&](const std::string& id, const std::string& path) {
    struct stat info{};
    REQUIRE(::stat((store->layer_path(store->find(id)->layers[1]) + path).c_str(), &info) == 0);
    return std::pair(info.st_uid, info.st_mode & 07777);
  };
  CHECK(owner_of(image.id, "/srv") == std::pair(42u, 0700u));
  CHECK(owner_of(image.id, "/srv/x") == std::pair(43u, 0750u));
  // The same layer over another one is another directory.
  CHECK(owner_of(second.id, "/srv") == std::pair(44u, 0711u));
  CHECK(owner_of(second.id, "/srv/x") == std::pair(0u, 0755u));
  CHECK(owner_of(image.id, "/srv") == std::pair(42u, 0700u));
}

TEST_CASE("a bare root file system needs a name, and is the same image each time") {
  TemporaryDirectory directory;
  Lines lines;
  auto store = open_store(directory, lines);
  TarBuilder builder;
  builder.directory("./").directory("./bin/").file("./bin/sh", "x", 0755);
  std::string root = builder.bytes();
  auto nameless = import_bytes(*store, directory, root);
  REQUIRE_FALSE(nameless.ok());
  CHECK(nameless.error().message().find("--name") != std::string::npos);
  auto first = import_bytes(*store, directory, root, "busybox");
  REQUIRE(first.ok());
  CHECK(first->at(0).names == std::vector<std::string>{"docker.io/library/busybox:latest"});
  CHECK(import_bytes(*store, directory, root, "busybox")->at(0).id == first->at(0).id);
  CHECK(store->records().size() == 1);
  CHECK_FALSE(import_bytes(*store, directory, root.substr(0, root.size() - 1024), "cut").ok());
  CHECK_FALSE(import_bytes(*store, directory, "", "empty").ok());
  CHECK_FALSE(import_bytes(*store, directory, root, "Not A Name").ok());
}

TEST_CASE("several images of one archive keep their names; one for another machine is refused") {
  TemporaryDirectory directory;
  Lines lines;
  auto store = open_store(directory, lines);
  auto one = import_bytes(*store, directory, docker_archive({some_layer("a", "1")}, {"a"})).value().at(0);
  auto two = import_bytes(*store, directory, docker_archive({some_layer("b", "2")}, {"b"})).value().at(0);
  std::vector<ExportItem> items = {{*store->find(one.id), {"docker.io/library/a:latest"}},
                                   {*store->find(two.id), {"docker.io/library/b:latest", "r.example/b:3"}}};
  std::string archive;
  auto sink = [&](std::string_view bytes) -> Result<void> {
    archive += bytes;
    return {};
  };
  REQUIRE(export_images(*store, items, sink, nullptr).ok());
  TemporaryDirectory elsewhere;
  auto other = open_store(elsewhere, lines);
  auto imported = import_bytes(*other, elsewhere, archive);
  REQUIRE(imported.ok());
  REQUIRE(imported->size() == 2);
  std::set<std::string> names;
  for (const Imported& image : *imported) names.insert(image.names.begin(), image.names.end());
  CHECK(names == std::set<std::string>{"docker.io/library/a:latest", "docker.io/library/b:latest", "r.example/b:3"});
  auto foreign = import_bytes(*store, directory, docker_archive({some_layer("a", "1")}, {"x"}, "s390x"));
  REQUIRE_FALSE(foreign.ok());
  CHECK(foreign.error().message().starts_with("no match for platform in manifest"));
}

TEST_CASE("archives that are damaged say where, and leave nothing") {
  TemporaryDirectory directory;
  Lines lines;
  auto store = open_store(directory, lines);
  TarBuilder hostile;
  hostile.directory("usr/").file("../../evil", "x");
  auto climbing = import_bytes(*store, directory, docker_archive({hostile.bytes()}, {"a"}));
  REQUIRE_FALSE(climbing.ok());
  CHECK(climbing.error().message().find("layer sha256:") != std::string::npos);
  CHECK(climbing.error().message().find("entry \"../../evil\": the path leads out of the image") != std::string::npos);
  std::string archive = docker_archive({some_layer("a", "1")}, {"a"});
  for (size_t cut = 100; cut < archive.size() - 1024; cut += 500) {
    INFO(cut);
    CHECK_FALSE(import_bytes(*store, directory, archive.substr(0, cut)).ok());
  }
  TarBuilder wrong;
  std::string config = config_text({"other content"}, host_platform().architecture);
  wrong.file("l.tar", some_layer("a", "1")).file("c.json", config);
  wrong.file("manifest.json", R"([{"Config":"c.json","RepoTags":["a"],"Layers":["l.tar"]}])");
  CHECK(import_bytes(*store, directory, wrong.bytes()).error().message().find("wrong diff id") != std::string::npos);
  TarBuilder missing;
  missing.file("manifest.json", R"([{"Config":"c.json","RepoTags":["a"],"Layers":["l.tar"]}])");
  CHECK_FALSE(import_bytes(*store, directory, missing.bytes()).ok());
  CHECK(store->records().empty());
  CHECK(names_in(directory / "images/tmp").empty());
  CHECK(names_in(directory / "images/layers").empty());
}

TEST_CASE("a store is found again as it was, and one process has it at a time") {
  TemporaryDirectory directory;
  Lines lines;
  auto store = open_store(directory, lines);
  auto image = import_bytes(*store, directory, docker_archive({some_layer("a", "1")}, {"a"}, host_platform().architecture)).value().at(0);
  StoreOptions second;
  second.directory = directory / "images";
  CHECK(Store::open(second, lines.log()).error().is(Code::conflict));
  store->set_in_use({image.id});
  store->set_imported_state("/x.tar", "1:2", {image.id});
  Record before = *store->find(image.id);
  store.reset();
  store = open_store(directory, lines);
  REQUIRE(store->find(image.id));
  CHECK(store->find(image.id)->config == before.config);
  CHECK(store->find(image.id)->tags == before.tags);
  CHECK(store->in_use() == std::vector<std::string>{image.id});
  CHECK(store->imported_state("/x.tar") == "1:2");
  CHECK(store->imported_state("/y.tar").empty());
  CHECK(lines.text.empty());
  // Without its image, an imported file has to be read again.
  CHECK(store->erase(image.id).ok());
  CHECK(store->imported_state("/x.tar").empty());
}

TEST_CASE("after a power cut every damage is found and what is damaged goes") {
  struct Damage {
    const char* what;
    const char* log;
    std::function<void(const std::string& layer, const std::string& record)> make;
  };
  auto put = [](const std::string& path, const std::string& text) { write(path, text); };
  const Damage damages[] = {
      {"a file cut", "removing a damaged layer",
       [](const std::string& layer, const std::string&) { REQUIRE(::truncate((layer + "/fs/usr/bin/a").c_str(), 0) == 0); }},
      {"a file gone", "removing a damaged layer",
       [](const std::string& layer, const std::string&) { REQUIRE(::unlink((layer + "/fs/usr/bin/a").c_str()) == 0); }},
      {"a file more", "removing a damaged layer",
       [&](const std::string& layer, const std::string&) { put(layer + "/fs/usr/more", "x"); }},
      {"layer.json empty", "removing a damaged layer",
       [&](const std::string& layer, const std::string&) { put(layer + "/layer.json", ""); }},
      {"layer.json gone", "removing a damaged layer",
       [](const std::string& layer, const std::string&) { REQUIRE(::unlink((layer + "/layer.json").c_str()) == 0); }},
      {"layer gone", "removing an image with a missing layer",
       [](const std::string& layer, const std::string&) { REQUIRE(remove_tree(layer).ok()); }},
      {"record empty", "removing a damaged image", [&](const std::string&, const std::string& record) { put(record, ""); }},
      {"record cut", "removing a damaged image",
       [&](const std::string&, const std::string& record) { put(record, loop::read_file_now(record).value().substr(0, 300)); }},
      {"record changed", "removing a damaged image",
       [&](const std::string&, const std::string& record) {
         put(record, replace_all(loop::read_file_now(record).value(), "/bin/sh", "/bin/xx"));
       }},
  };
  for (const Damage& damage : damages) {
    INFO(damage.what);
    TemporaryDirectory directory;
    Lines lines;
    auto store = open_store(directory, lines);
    std::string archive = docker_archive({some_layer("a", "1")}, {"a"});
    auto image = import_bytes(*store, directory, archive).value().at(0);
    store->set_imported_state("/x.tar", "1", {image.id});
    auto other = import_bytes(*store, directory, docker_archive({some_layer("b", "2")}, {"b"})).value().at(0);
    std::string layer = directory / ("images/layers/" + store->find(image.id)->layers[0]);
    std::string record = directory / ("images/records/" + std::string(digest_hex(image.id)) + ".json");
    store.reset();
    damage.make(layer, record);
    write(directory / "images/session", "boot-1\n");  // as a process that did not end leaves it
    store = open_store(directory, lines, "boot-2");
    CHECK(lines.text.find(damage.log) != std::string::npos);
    CHECK_FALSE(store->find(image.id));
    CHECK(store->find(other.id));
    CHECK(store->imported_state("/x.tar").empty());
    CHECK(names_in(directory / "images/tmp").empty());
    REQUIRE(import_bytes(*store, directory, archive).ok());
    CHECK(loop::read_file_now(store->layer_path(store->find(image.id)->layers[0]) + "/usr/bin/a").value() == "1");
  }
}

TEST_CASE("a process that was only killed costs no look at every file") {
  TemporaryDirectory directory;
  Lines lines;
  auto store = open_store(directory, lines);
  auto image = import_bytes(*store, directory, docker_archive({some_layer("a", "1")}, {"a"})).value().at(0);
  std::string layer = directory / ("images/layers/" + store->find(image.id)->layers[0]);
  store.reset();
  write(layer + "/fs/usr/more", "x");
  write(directory / "images/session", "boot-1\n");
  store = open_store(directory, lines, "boot-1");
  CHECK(store->find(image.id));
  CHECK(lines.text.empty());
}

// A child process imports again and again, and is killed at some moment; whatever it leaves must open, be whole
// and take the next import.
TEST_CASE("an importing process may be killed at any moment") {
  TemporaryDirectory directory;
  Lines lines;
  std::vector<std::string> archives;
  TarBuilder odd;
  odd.file("usr/bin/deep/x", "y");
  std::string shared = some_layer("sh", std::string(30'000, 's'));
  archives.push_back(docker_archive({shared, some_layer("a", "1"), odd.bytes()}, {"a", "moving"}));
  archives.push_back(docker_archive({shared, some_layer("b", "2")}, {"b", "moving"}));
  for (size_t i = 0; i < archives.size(); ++i) write(directory / (std::to_string(i) + ".tar"), archives[i]);
  SeededRandom random(20'26);
  int found_images = 0;
  for (int round = 0; round < 60; ++round) {
    pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      StoreOptions options;
      options.directory = directory / "images";
      options.boot_id = "boot-1";
      auto store = Store::open(options, Logger::discard());
      for (int i = 0; store.ok(); ++i) {
        ImportOptions import_options;
        import_options.now = Instant{i + 1};
        auto imported = import_images(**store, directory / (std::to_string(i % 2) + ".tar"), import_options);
        if (!imported.ok()) ::_exit(3);
        if (i % 3 == 2) (void)(*store)->erase(imported->at(0).id);
      }
      ::_exit(4);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random.below(40'000)));
    REQUIRE(::kill(child, SIGKILL) == 0);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    auto store = open_store(directory, lines, "boot-1", true);
    INFO("round " << round << "\n" << lines.text);
    CHECK(lines.text.empty());  // nothing was damaged, only unfinished
    CHECK(names_in(directory / "images/tmp").empty());
    std::set<std::string> tags;
    for (const Record& record : store->records()) {
      ++found_images;
      for (const std::string& tag : record.tags) CHECK(tags.insert(tag).second);
      for (const std::string& key : record.layers) CHECK(std::filesystem::exists(store->layer_path(key)));
    }
    REQUIRE(import_bytes(*store, directory, archives[0]).ok());
    if (round % 4 == 0) CHECK(store->erase(store->records()[0].id).ok());
  }
  CHECK(found_images > 0);
}

}  // namespace
}  // namespace orch::runtime::images
