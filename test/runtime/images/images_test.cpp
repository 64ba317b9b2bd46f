#include "runtime/images/images.h"

#include <algorithm>
#include <filesystem>

#include <catch2/catch_test_macros.hpp>

#include "base/text.h"
#include "loop/pipe_network.h"
#include "loop/uv_loop.h"
#include "runtime/images/fixtures.h"
#include "wire/gzip.h"
#include "wire/http_server.h"

namespace orch::runtime::images {
namespace {

using loop::Chunk;
using loop::Task;
using wire::Headers;

std::string gzipped(const std::string& text) {
  std::vector<Chunk> chunks;
  chunks.emplace_back(text);
  return wire::gzip(chunks, 6);
}

// A registry that serves what it is given and misbehaves as it is told.
class FakeRegistry final : public wire::Handler {
 public:
  std::map<std::string, std::string> blobs;
  std::map<std::string, std::pair<std::string, std::string>> manifests;  // "app/latest" -> type, text
  std::string login;      // "Basic ..." that it wants; with `tokens`, that the token server wants
  bool tokens = false;    // Bearer instead of Basic
  std::string redirect;   // of blobs, to this origin
  int breaks = 0;         // so many replies of blobs end in the middle
  bool ignores_range = false;
  bool truncates = false;  // every reply of a blob ends in the middle
  int status = 0;          // of everything
  std::vector<std::string> log;

  void add_image(const std::string& name, const std::vector<std::string>& layers, bool pack = true,
                 const std::string& architecture = host_platform().architecture) {
    std::string config = config_text(layers, architecture);
    std::vector<Value> descriptors;
    for (const std::string& layer : layers) {
      std::string blob = pack ? gzipped(layer) : layer;
      blobs[sha256_digest(blob)] = blob;
      descriptors.push_back(descriptor(media_type::kOciLayer, blob));
    }
    blobs[sha256_digest(config)] = config;
    std::string text = format_json(Value::object({{"schemaVersion", 2},
                                                  {"config", descriptor(media_type::kOciConfig, config)},
                                                  {"layers", Value::list(std::move(descriptors))}}));
    add_manifest(name, std::string(media_type::kOciManifest), text);
  }
  void add_manifest(const std::string& name, const std::string& type, const std::string& text) {
    manifests[name] = {type, text};
    manifests[name.substr(0, name.rfind('/') + 1) + sha256_digest(text)] = {type, text};
  }
  static Value descriptor(std::string_view type, const std::string& blob) {
    return Value::object({{"mediaType", type}, {"digest", sha256_digest(blob)}, {"size", static_cast<int64_t>(blob.size())}});
  }
  size_t count(const std::string& part) const {
    return static_cast<size_t>(std::ranges::count_if(log, [&](const std::string& line) { return line.find(part) != std::string::npos; }));
  }

  size_t max_body(const wire::Request&) const override { return 10'000; }
  Task<void> handle(wire::Request request, wire::Peer, wire::Responder& responder) override {
    std::string authorization(request.headers.get("Authorization"));
    log.push_back(request.target + (authorization.empty() ? "" : " [" + authorization + "]"));
    if (status != 0) co_return co_await answer(responder, status, "");
    if (request.path == "/token") {
      if (authorization != login) co_return co_await answer(responder, 401, "");
      co_return co_await answer(responder, 200, R"({"token":"T"})");
    }
    if (request.path.starts_with("/store/")) co_return co_await blob(request, responder, request.path.substr(7));
    std::string wanted = tokens ? "Bearer T" : login;
    if (!wanted.empty() && authorization != wanted) {
      Headers headers;
      headers.add("WWW-Authenticate", tokens ? R"(Bearer realm="http://localhost:5000/token",service="s",scope="repository:app:pull")"
                                             : R"(Basic realm="r")");
      std::vector<Chunk> none;
      co_return co_await responder.send(401, std::move(headers), std::move(none));
    }
    size_t manifest_at = request.path.find("/manifests/");
    if (manifest_at != std::string::npos) {
      std::string name = request.path.substr(4, manifest_at - 4) + "/" + request.path.substr(manifest_at + 11);
      auto found = manifests.find(name);
      if (found == manifests.end()) co_return co_await answer(responder, 404, R"({"errors":[{"code":"MANIFEST_UNKNOWN"}]})");
      Headers headers;
      headers.add("Content-Type", found->second.first);
      headers.add("Docker-Content-Digest", sha256_digest(found->second.second));
      std::vector<Chunk> body;
      body.emplace_back(found->second.second);
      co_return co_await responder.send(200, std::move(headers), std::move(body));
    }
    std::string digest = request.path.substr(request.path.rfind('/') + 1);
    if (!redirect.empty()) {
      Headers headers;
      headers.add("Location", redirect + "/store/" + digest);
      std::vector<Chunk> none;
      co_return co_await responder.send(307, std::move(headers), std::move(none));
    }
    co_await blob(request, responder, digest);
  }

 private:
  Task<void> answer(wire::Responder& responder, int code, std::string text) {
    std::vector<Chunk> body;
    body.emplace_back(std::move(text));
    co_await responder.send(code, Headers(), std::move(body));
  }
  Task<void> blob(const wire::Request& request, wire::Responder& responder, std::string digest) {
    auto found = blobs.find(digest);
    if (found == blobs.end()) co_return co_await answer(responder, 404, "");
    std::string bytes = found->second;
    std::string range(request.headers.get("Range"));
    int code = 200;
    if (!range.empty() && !ignores_range) {
      bytes.erase(0, parse_uint(range.substr(6, range.size() - 7)).value_or(0));
      code = 206;
    }
    bool cut = bytes.size() > 1000 && (truncates || breaks > 0);
    if (cut) {
      --breaks;
      bytes.resize(truncates ? 0 : bytes.size() / 2);
    }
    co_await responder.start(code, Headers());
    std::vector<Chunk> chunks;
    chunks.emplace_back(std::move(bytes));
    co_await responder.write(std::move(chunks));
    if (!cut) co_await responder.finish();
  }
};

struct World {
  TemporaryDirectory directory;
  std::string logged;
  loop::UvLoop loop;
  loop::PipeNetwork network{loop};
  FakeRegistry registry, storage;
  std::unique_ptr<wire::HttpServer> server = std::make_unique<wire::HttpServer>(loop, Logger::discard(), registry);
  std::unique_ptr<wire::HttpServer> storage_server = std::make_unique<wire::HttpServer>(loop, Logger::discard(), storage);
  std::unique_ptr<Images> images;

  World() {
    server->listen(network.listen_tcp("0.0.0.0", 5000).value());
    storage_server->listen(network.listen_tcp("0.0.0.0", 5001).value());
    open();
  }
  void open() {
    images.reset();
    ImagesOptions options;
    options.directory = directory / "images";
    options.registries_file = directory / "registries.yaml";
    options.retry_pause = 1ms;
    Logger log([this](LogLevel, std::string_view line) { logged += std::string(line) + "\n"; }, LogLevel::info);
    images = run(Images::open(loop, network, std::move(options), log)).value();
  }
  template <class T>
  Result<T> run(Task<T> task) {
    std::optional<Result<T>> result;
    REQUIRE(loop.run(into(std::move(task), result)).ok());
    return std::move(*result);
  }
  template <class T>
  static Task<void> into(Task<T> task, std::optional<Result<T>>& result) {
    result = co_await std::move(task).result();
  }
  Result<Image> pull(const std::string& reference, std::vector<RegistryCredentials> credentials = {}) {
    return run(images->pull(reference, std::move(credentials)));
  }
  std::string error_of(const std::string& reference, std::vector<RegistryCredentials> credentials = {}) {
    auto pulled = pull(reference, std::move(credentials));
    REQUIRE_FALSE(pulled.ok());
    // Nothing is left of it, once the other layers' threads have noticed.
    auto pause = [](loop::Loop& on) -> Task<void> { co_await loop::sleep(on, 5ms); };
    for (int i = 0; i < 1000 && !std::filesystem::is_empty(directory / "images/tmp"); ++i) REQUIRE(loop.run(pause(loop)).ok());
    CHECK(std::filesystem::is_empty(directory / "images/tmp"));
    return pulled.error().message();
  }
  std::string text(const Image& image, const std::string& path) {
    for (const std::string& layer : image.layers) {
      auto found = loop::read_file_now(layer + "/" + path);
      if (found.ok()) return *found;
    }
    return "none";
  }
};

RegistryCredentials login_of(const std::string& user, const std::string& password) {
  RegistryCredentials credentials;
  credentials.server = "localhost:5000";
  credentials.username = user;
  credentials.password = password;
  return credentials;
}

const std::string& low() {
  static const std::string layer = some_layer("low", std::string(50'000, 'l'));
  return layer;
}
std::string noise(size_t size) {  // does not pack
  std::string text;
  uint64_t state = 1;
  while (text.size() < size) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    text += static_cast<char>(state >> 56);
  }
  return text;
}
const std::string& top() {
  static const std::string layer = some_layer("top", noise(300'000));
  return layer;
}

TEST_CASE("an image is pulled with its layers, found by every name, and not fetched twice") {
  World world;
  world.registry.add_image("app/latest", {low(), top()});
  auto image = world.pull("localhost:5000/app");
  REQUIRE(image.ok());
  CHECK(world.text(*image, "usr/bin/low").size() == 50'000);
  CHECK(world.text(*image, "usr/bin/top") == noise(300'000));
  REQUIRE(image->layers.size() == 2);
  CHECK(std::filesystem::exists(image->layers[0] + "/usr/bin/top"));
  CHECK(image->tags == std::vector<std::string>{"localhost:5000/app:latest"});
  REQUIRE(image->digests.size() == 1);
  CHECK(image->config["config"]["Cmd"].at(0).as_string() == "/bin/sh");
  for (const std::string& name : {std::string("localhost:5000/app:latest"), image->digests[0], image->id, image->id.substr(7)}) {
    INFO(name);
    REQUIRE(world.images->find(name));
    CHECK(world.images->find(name)->id == image->id);
  }
  CHECK_FALSE(world.images->find("app"));
  size_t blobs = world.registry.count("/blobs/");
  CHECK(blobs == 3);
  CHECK(world.pull("localhost:5000/app").ok());
  CHECK(world.pull(image->digests[0]).ok());
  CHECK(world.registry.count("/blobs/") == blobs);
  world.open();
  CHECK(world.images->find("localhost:5000/app"));
}

TEST_CASE("calls for one image are one pull, but for callers with other credentials") {
  World world;
  world.registry.add_image("app/latest", {low(), top()});
  std::optional<Result<Image>> a, b, c;
  loop::Scope scope(world.loop);
  scope.spawn(World::into(world.images->pull("localhost:5000/app", {}), a));
  scope.spawn(World::into(world.images->pull("localhost:5000/app:latest", {}), b));
  scope.spawn(World::into(world.images->pull("localhost:5000/app:latest", {login_of("u", "p")}), c));
  REQUIRE(world.loop.run(scope.join()).ok());
  REQUIRE(a->ok());
  REQUIRE(b->ok());
  REQUIRE(c->ok());
  CHECK((*a)->id == (*b)->id);
  CHECK(world.registry.count("/manifests/latest") == 2);
}

TEST_CASE("of an index the image of this machine is pulled") {
  World world;
  std::string mine = host_platform().architecture;
  world.registry.add_image("app/mine", {low()});
  world.registry.add_image("app/other", {top()}, true, "s390x");
  std::vector<Value> entries;
  for (const auto& [tag, architecture] : {std::pair("app/other", std::string("s390x")), std::pair("app/mine", mine)}) {
    Value platform = Value::object({{"os", "linux"}, {"architecture", architecture}});
    entries.push_back(FakeRegistry::descriptor(media_type::kOciManifest, world.registry.manifests[tag].second).with("platform", platform));
  }
  auto index_of = [](std::vector<Value> manifests) {
    return format_json(Value::object({{"schemaVersion", 2}, {"mediaType", media_type::kOciIndex}, {"manifests", Value::list(std::move(manifests))}}));
  };
  world.registry.add_manifest("app/latest", std::string(media_type::kOciIndex), index_of(entries));
  world.registry.add_manifest("app/foreign", std::string(media_type::kOciIndex), index_of({entries[0]}));
  auto image = world.pull("localhost:5000/app");
  REQUIRE(image.ok());
  CHECK(world.text(*image, "usr/bin/low").size() == 50'000);
  CHECK(world.images->find(image->digests[0]));
  CHECK(world.error_of("localhost:5000/app:foreign").find("no match for platform in manifest: not found") != std::string::npos);
}

TEST_CASE("a connection that breaks is taken up where it broke") {
  World world;
  world.registry.add_image("app/latest", {top()});
  world.registry.breaks = 4;
  SECTION("with ranges") {}
  SECTION("with a server that knows no ranges") { world.registry.ignores_range = true; }
  auto image = world.pull("localhost:5000/app");
  if (!image.ok()) FAIL(image.error().message());
  CHECK(world.text(*image, "usr/bin/top") == noise(300'000));
  CHECK(world.registry.count("/blobs/") == 6);
}

TEST_CASE("the login goes to the registry and not to where it sends us") {
  World world;
  world.registry.add_image("app/latest", {low()});
  world.storage.blobs = world.registry.blobs;
  world.registry.redirect = "http://localhost:5001";
  world.registry.login = "Basic " + encode_base64("u:p");
  SECTION("basic") {}
  SECTION("token") { world.registry.tokens = true; }
  auto image = world.pull("localhost:5000/app", {login_of("u", "p")});
  if (!image.ok()) FAIL(image.error().message());
  CHECK(world.registry.count(world.registry.tokens ? "[Bearer T]" : "[Basic") > 0);
  CHECK(world.storage.count("/store/") == 2);
  CHECK(world.storage.count("[") == 0);
  if (world.registry.tokens) {
    CHECK(world.registry.count("/token?scope=repository%3Aapp%3Apull&service=s&account=u [Basic") == 1);
  }
}

TEST_CASE("of several pull secrets the one that fits is found") {
  World world;
  world.registry.add_image("app/latest", {low()});
  world.registry.login = "Basic " + encode_base64("u:right");
  SECTION("basic") {}
  SECTION("token") { world.registry.tokens = true; }
  CHECK(world.pull("localhost:5000/app", {login_of("u", "wrong"), login_of("u", "right")}).ok());
}

TEST_CASE("what goes wrong is told in the words people know") {
  World world;
  world.registry.add_image("app/latest", {low(), top()});
  const std::string begin = R"(failed to pull and unpack image "localhost:5000/app:latest": )";
  const std::string resolve = begin + R"(failed to resolve reference "localhost:5000/app:latest": )";
  SECTION("no such image") {
    CHECK(world.error_of("localhost:5000/nope") ==
          R"(failed to pull and unpack image "localhost:5000/nope:latest": failed to resolve reference "localhost:5000/nope:latest": )"
          "localhost:5000/nope:latest: not found");
    CHECK(world.pull("localhost:5000/nope").error().is(Code::not_found));
  }
  SECTION("nobody is there") {
    std::string message = world.error_of("localhost:5999/app");
    CHECK(message.find(R"(failed to do request: Get "http://localhost:5999/v2/app/manifests/latest": )") != std::string::npos);
    CHECK(world.pull("localhost:5999/app").error().is(Code::unavailable));
  }
  SECTION("no login") {
    world.registry.login = "Basic x";
    CHECK(world.error_of("localhost:5000/app") == resolve + "no basic auth credentials");
    CHECK(world.pull("localhost:5000/app").error().is(Code::unauthorized));
    CHECK(world.error_of("localhost:5000/app", {login_of("u", "p")}) ==
          resolve + "pull access denied, repository does not exist or may require authorization");
  }
  SECTION("no token") {
    world.registry.login = "Basic x";
    world.registry.tokens = true;
    std::string url = "http://localhost:5000/token?scope=repository%3Aapp%3Apull&service=s";
    CHECK(world.error_of("localhost:5000/app") ==
          resolve + "failed to authorize: failed to fetch anonymous token: unexpected status from GET request to " + url +
              ": 401 Unauthorized");
  }
  SECTION("a server in trouble") {
    world.registry.status = 503;
    CHECK(world.error_of("localhost:5000/app") ==
          resolve + "unexpected status from GET request to http://localhost:5000/v2/app/manifests/latest: 503 Service Unavailable");
  }
  SECTION("a layer that is another one") {
    std::string digest = sha256_digest(gzipped(top()));
    for (const std::string& other : {gzipped(low()), std::string("garbage"), low()}) {
      std::string lie = other;
      lie.resize(std::min(lie.size(), gzipped(top()).size()));
      world.registry.blobs[digest] = lie + std::string(gzipped(top()).size() - lie.size(), 'x');
      CHECK(world.error_of("localhost:5000/app") == begin + "failed to copy: layer " + digest + ": unexpected commit digest " +
                                                        sha256_digest(world.registry.blobs[digest]) + ", expected " + digest +
                                                        ": failed precondition");
    }
    CHECK(world.pull("localhost:5000/app").error().is(Code::invalid));
  }
  SECTION("a layer that goes on and on") {
    world.registry.blobs[sha256_digest(gzipped(top()))] += "more";
    CHECK(world.error_of("localhost:5000/app").find("more than the") != std::string::npos);
  }
  SECTION("a layer that is missing") {
    world.registry.blobs.erase(sha256_digest(gzipped(top())));
    CHECK(world.error_of("localhost:5000/app") == begin + "failed to copy: layer " + sha256_digest(gzipped(top())) + ": not found");
  }
  SECTION("a layer that never comes whole") {
    world.registry.truncates = true;
    CHECK(world.error_of("localhost:5000/app").find("unexpected EOF") != std::string::npos);
  }
  SECTION("a manifest that is not what its digest says") {
    std::string digest = "sha256:" + std::string(64, 'a');
    world.registry.manifests["app/" + digest] = world.registry.manifests["app/latest"];
    CHECK(world.error_of("localhost:5000/app@" + digest).find("unexpected digest of the manifest") != std::string::npos);
  }
  SECTION("a name that is none") {
    CHECK(world.error_of("Not A Name") == R"(couldn't parse image name "Not A Name": invalid reference format: repository name must be lowercase)");
  }
  CHECK(world.images->list().empty());
  // And when it works again, it works.
  World again;
  again.registry.add_image("app/latest", {low()});
  CHECK(again.pull("localhost:5000/app").ok());
}

TEST_CASE("mirrors are asked first, and the registry when they have it not") {
  World world;
  world.storage.add_image("mirrored/app/latest", {low()});
  world.registry.add_image("other/latest", {top()});
  write(world.directory / "registries.yaml", R"yaml(
mirrors:
  localhost:5000:
    endpoint: ["http://localhost:5001"]
    rewrite: {"^(.*)$": "mirrored/$1"}
)yaml");
  REQUIRE(world.pull("localhost:5000/app").ok());
  CHECK(world.registry.log.empty());
  CHECK(world.storage.count("/v2/mirrored/app/manifests/latest?ns=localhost%3A5000") == 1);
  REQUIRE(world.pull("localhost:5000/other").ok());
  CHECK(world.error_of("localhost:5000/nope").find("(mirror localhost:5001: ") != std::string::npos);
  write(world.directory / "registries.yaml", "mirror: {}\n");
  CHECK(world.error_of("localhost:5000/app").find("unknown key \"mirror\"") != std::string::npos);
}

TEST_CASE("progress tells of every layer") {
  World world;
  world.registry.add_image("app/latest", {low(), top()});
  std::map<std::string, PullEvent> last;
  PullProgress progress = [&](const PullEvent& event) { last[event.layer] = event; };
  REQUIRE(world.run(world.images->pull_with_progress("localhost:5000/app", {}, progress)).ok());
  CHECK(last.size() == 3);
  const PullEvent& event = last[sha256_digest(gzipped(top()))];
  CHECK(event.status == PullEvent::Status::done);
  CHECK(event.current == event.total);
}

TEST_CASE("a pull that is given up leaves nothing running") {
  World world;
  world.registry.add_image("app/latest", {low(), top()});
  std::optional<Result<Image>> result;
  loop::Scope scope(world.loop);
  scope.spawn(World::into(world.images->pull("localhost:5000/app", {}), result));
  auto a_little = [](loop::Loop& loop) -> Task<void> { co_await loop::sleep(loop, 5ms); };
  REQUIRE(world.loop.run(a_little(world.loop)).ok());
  scope.cancel();
  world.images.reset();
  CHECK_FALSE(result.has_value());
  world.open();
  CHECK(world.pull("localhost:5000/app").ok());
}

TEST_CASE("names are taken away one by one, the image goes with the last, and never under a container") {
  World world;
  write(world.directory / "a.tar", docker_archive({low()}, {"a:1", "b:2"}));
  auto imported = world.run(world.images->import_path(world.directory / "a.tar", ""));
  REQUIRE(imported.ok());
  std::string id = imported->at(0).id;
  REQUIRE(world.run(world.images->remove("a:1")).ok());
  CHECK_FALSE(world.images->find_for_user("a:1").ok());
  REQUIRE(world.images->find_for_user("b:2").ok());
  world.images->set_in_use({id});
  auto refused = world.run(world.images->remove("b:2"));
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().is(Code::conflict));
  CHECK(world.run(world.images->collect(1'000'000)).value() == 0);
  CHECK(world.run(world.images->prune())->names.empty());
  world.images->set_in_use({});
  CHECK(world.run(world.images->remove(id.substr(7, 8))).ok());
  CHECK(world.images->list().empty());
  CHECK(world.run(world.images->remove("b:2")).error().is(Code::not_found));
}

TEST_CASE("an image that was just given out is not taken away before its container starts") {
  World world;
  write(world.directory / "a.tar", docker_archive({low()}, {"a:1"}));
  REQUIRE(world.run(world.images->import_path(world.directory / "a.tar", "")).ok());
  world.images->set_in_use({});
  REQUIRE(world.images->find("a:1"));
  CHECK(world.run(world.images->collect(int64_t{1} << 60)).value() == 0);
  CHECK(world.run(world.images->remove("a:1")).error().is(Code::conflict));
}

TEST_CASE("who is used is remembered for processes that come later") {
  World world;
  write(world.directory / "a.tar", docker_archive({low()}, {"a:1"}));
  std::string id = world.run(world.images->import_path(world.directory / "a.tar", ""))->at(0).id;
  world.images->set_in_use({"x"});
  world.images->set_in_use({id});
  REQUIRE(world.run(world.images->disk_usage()).ok());
  for (int i = 0; i < 200 && !loop::read_file_now(world.directory / "images/in-use.json").value_or("").starts_with("[\"" + id); ++i) {
    REQUIRE(world.run(world.images->disk_usage()).ok());
  }
  world.open();
  CHECK(world.run(world.images->remove("a:1")).error().is(Code::conflict));
}

TEST_CASE("collection takes what was unused longest, never what is pinned or used, and only until enough is free") {
  World world;
  std::vector<std::string> ids;
  for (int i = 0; i < 4; ++i) {
    std::string name = "i" + std::to_string(i);
    write(world.directory / "a.tar", docker_archive({some_layer(name, noise(100'000) + name)}, {name}));
    ids.push_back(world.run(world.images->import_path(world.directory / "a.tar", "", i == 0))->at(0).id);
  }
  // Before anybody has said what is used, everything may be.
  CHECK(world.run(world.images->collect(1)).value() == 0);
  world.images->set_in_use({ids[1]});
  int64_t freed = world.run(world.images->collect(1)).value();
  CHECK(freed > 100'000);
  CHECK(world.images->find_for_user("i0").ok());
  CHECK(world.images->find_for_user("i1").ok());
  CHECK_FALSE(world.images->find_for_user("i2").ok());
  CHECK(world.images->find_for_user("i3").ok());
  auto usage = world.run(world.images->disk_usage());
  REQUIRE(usage.ok());
  CHECK(usage->capacity_bytes > usage->available_bytes);
  CHECK(usage->images_bytes > 300'000);
  CHECK(world.run(world.images->collect(int64_t{1} << 60)).value() > 100'000);
  CHECK(world.images->list().size() == 2);
}

TEST_CASE("archives in the store's directory are imported once, pinned, and again when they change or their image is gone") {
  World world;
  write(world.directory / "images/first.tar", docker_archive({low()}, {"a:1"}));
  write(world.directory / "images/busybox.tar.gz", gzipped(TarBuilder().directory("./").file("./bin/sh", "x").bytes()));
  write(world.directory / "images/broken.tar", "nothing");
  write(world.directory / "images/readme.txt", "no image");
  auto preload = [&] {
    world.logged.clear();
    auto work = [](Images& images) -> Task<int> {
      co_await images.import_preloaded();
      co_return 0;
    };
    REQUIRE(world.run(work(*world.images)).ok());
  };
  preload();
  REQUIRE(world.images->find_for_user("a:1").ok());
  CHECK(world.images->find_for_user("a:1")->pinned);
  REQUIRE(world.images->find_for_user("busybox").ok());
  CHECK(world.logged.find("cannot import an image file=") != std::string::npos);
  CHECK(world.logged.find("broken.tar") != std::string::npos);
  preload();
  CHECK(world.logged.find("first.tar") == std::string::npos);
  write(world.directory / "images/first.tar", docker_archive({top()}, {"a:1"}));
  preload();
  CHECK(world.logged.find("first.tar") != std::string::npos);
  CHECK(world.text(*world.images->find_for_user("a:1"), "usr/bin/top") == noise(300'000));
  REQUIRE(world.run(world.images->remove("a:1")).ok());
  preload();
  CHECK(world.images->find("a:1"));
}

TEST_CASE("an exported image is the same image elsewhere") {
  World world;
  world.registry.add_image("app/latest", {low(), top()});
  REQUIRE(world.pull("localhost:5000/app").ok());
  auto save = [](Images& images, std::string& bytes) -> Task<int> {
    std::vector<std::string> references = {"localhost:5000/app"};
    auto pipe = co_await images.export_images(std::move(references));
    while (true) {
      std::string piece = co_await DrainPipe::read(pipe);
      if (piece.empty()) co_return 0;
      bytes += piece;
    }
  };
  std::string archive;
  REQUIRE(world.run(save(*world.images, archive)).ok());
  World other;
  write(other.directory / "x.tar", archive);
  REQUIRE(other.run(other.images->import_path(other.directory / "x.tar", "")).ok());
  auto image = other.images->find("localhost:5000/app:latest");
  REQUIRE(image);
  CHECK(other.text(*image, "usr/bin/top") == noise(300'000));
  CHECK(image->config["config"]["Cmd"].at(0).as_string() == "/bin/sh");
}

}  // namespace
}  // namespace orch::runtime::images
