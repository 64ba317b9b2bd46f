#include "runtime/images/images.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <filesystem>

#include "base/text.h"
#include "data/json.h"
#include "loop/files.h"
#include "runtime/images/digest.h"
#include "runtime/images/export.h"
#include "runtime/images/tree.h"

namespace orch::runtime::images {

using loop::fail;
using loop::Task;

namespace {

constexpr size_t kPipeBytes = 1 << 20;
constexpr size_t kShortestId = 4;
// How long a container may take from find() until its image is in what set_in_use() tells.
constexpr Duration kGivenOut = 5s;

bool is_hex(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

std::string label_of(const Record& record) {
  if (!record.tags.empty()) return record.tags[0];
  return record.digests.empty() ? record.id : record.digests[0];
}

}  // namespace

// A pull in progress, and who waits for it.
struct Images::Pull {
  explicit Pull(loop::Loop& loop) : done(loop) {}
  loop::Event done;
  std::optional<Result<std::string>> result;  // the image's id
  std::map<uint64_t, PullProgress> listeners;
  uint64_t next_listener = 0;
};

Images::Images(loop::Loop& loop, loop::Network& network, ImagesOptions options, Logger log)
    : loop_(loop),
      network_(network),
      options_(std::move(options)),
      log_(std::move(log)),
      slots_(loop, options_.parallel_layers),
      workers_(std::make_unique<Workers>(loop)),
      scope_(std::make_unique<loop::Scope>(loop, [this](const Error& error) { log_.warn(error.message()); })) {}

Images::~Images() {
  scope_.reset();
  workers_.reset();
}

Task<std::unique_ptr<Images>> Images::open(loop::Loop& loop, loop::Network& network, ImagesOptions options, Logger log) {
  std::unique_ptr<Images> images(new Images(loop, network, std::move(options), log));
  StoreOptions store_options;
  store_options.directory = images->options_.directory;
  store_options.boot_id = images->options_.boot_id;
  store_options.limits = images->options_.limits;
  auto work = [store_options, log] { return Store::open(store_options, log); };
  Result<std::unique_ptr<Store>> opened = co_await on_thread(*images->workers_, work);
  images->store_ = co_await std::move(opened);
  std::string empty = images->options_.directory + "/empty";
  co_await make_directories(empty, 0755);
  for (std::string& id : images->store_->in_use()) images->in_use_.insert(std::move(id));
  images->in_use_known_ = images->store_->in_use_known();
  co_return std::move(images);
}

// ---- Looking

Image Images::image_of(const Record& record) const {
  Image image;
  image.id = record.id;
  image.tags = record.tags;
  image.digests = record.digests;
  auto config = parse_json(record.config);
  if (config.ok()) image.config = std::move(*config);
  for (auto key = record.layers.rbegin(); key != record.layers.rend(); ++key) image.layers.push_back(store_->layer_path(*key));
  if (image.layers.empty()) image.layers.push_back(options_.directory + "/empty");
  image.size_bytes = store_->image_bytes(record);
  image.pinned = record.pinned;
  return image;
}

std::optional<Record> Images::find_record(std::string_view reference) const {
  std::string id(reference);
  if (id.size() == 64 && is_hex(id)) id = "sha256:" + id;
  if (is_sha256_digest(id)) return store_->find(id);
  auto parsed = parse_image_reference(reference);
  if (!parsed.ok()) return std::nullopt;
  // With a digest, the digest decides (as containerd has it): the tag is for the reader.
  std::string digest = parsed->digest.empty() ? "" : parsed->name() + "@" + parsed->digest;
  std::string tag = parsed->name() + ":" + parsed->tag;
  for (Record& record : store_->records()) {
    if (digest.empty() ? contains(record.tags, tag) : contains(record.digests, digest)) return std::move(record);
  }
  return std::nullopt;
}

std::optional<Image> Images::find(std::string_view reference) const {
  auto record = find_record(reference);
  if (!record) return std::nullopt;
  given_out_[record->id] = loop_.now();
  return image_of(*record);
}

std::vector<Image> Images::list() const {
  std::vector<Image> images;
  for (const Record& record : store_->records()) images.push_back(image_of(record));
  return images;
}

Result<Image> Images::find_for_user(std::string_view reference) const {
  if (auto record = find_record(reference)) return image_of(*record);
  std::string_view prefix = reference.starts_with("sha256:") ? reference.substr(7) : reference;
  std::optional<Record> fitting;
  if (prefix.size() >= kShortestId && is_hex(prefix)) {
    for (Record& record : store_->records()) {
      if (!digest_hex(record.id).starts_with(prefix)) continue;
      if (fitting) return Error::make(Code::invalid, "several images begin with " + quote(prefix));
      fitting = std::move(record);
    }
  }
  if (fitting) return image_of(*fitting);
  return Error::make(Code::not_found, "image " + quote(reference) + ": not found");
}

bool Images::is_in_use(const std::string& id) const {
  return in_use_.contains(id) || given_out_.contains(id);
}

// ---- Pulling

Task<Registries> Images::load_registries() {
  auto text = co_await loop::read_file(loop_, options_.registries_file).result();
  if (!text.ok() && text.error().is(Code::not_found)) co_return Registries();
  std::string yaml = co_await std::move(text);
  auto parsed = parse_registries(yaml);
  if (!parsed.ok()) co_await fail(std::move(parsed).error().with_context(options_.registries_file));
  co_return std::move(*parsed);
}

Task<void> Images::run_pull(std::shared_ptr<Pull> pull, ImageReference reference, std::vector<RegistryCredentials> credentials) {
  auto registries = co_await load_registries().result();
  if (!registries.ok()) {
    pull->result = std::move(registries).error();
  } else {
    PullProgress tell = [pull](const PullEvent& event) {
      auto listeners = pull->listeners;
      for (auto& [id, listener] : listeners) listener(event);
    };
    PullerParts parts{loop_, network_, *store_, *workers_, slots_, options_.retry_pause};
    Puller puller(parts, std::move(reference), std::move(*registries), std::move(credentials), std::move(tell));
    pull->result = co_await puller.run().result();
  }
  std::erase_if(pulls_, [&](const auto& entry) { return entry.second == pull; });
  pull->done.set();
}

Task<Image> Images::pull(std::string reference, std::vector<RegistryCredentials> credentials) {
  Image image = co_await pull_with_progress(std::move(reference), std::move(credentials), PullProgress());
  given_out_[image.id] = loop_.now();
  co_return std::move(image);
}

Task<Image> Images::pull_with_progress(std::string reference, std::vector<RegistryCredentials> credentials,
                                       PullProgress progress) {
  auto parsed = parse_image_reference(reference);
  if (!parsed.ok()) co_await fail(std::move(parsed).error().with_context("couldn't parse image name " + quote(reference)));
  // Who has other credentials must not get what others may see.
  std::string key = parsed->text();
  for (const RegistryCredentials& one : credentials) {
    key += "\n" + one.server + "\n" + one.username + "\n" + one.password + "\n" + one.identity_token + "\n" + one.registry_token;
  }
  auto& place = pulls_[key];
  auto pull = place;
  if (!pull) {
    pull = place = std::make_shared<Pull>(loop_);
    scope_->spawn(run_pull(pull, *parsed, std::move(credentials)));
  }
  struct Listening {
    std::shared_ptr<Pull> pull;
    uint64_t id;
    ~Listening() { pull->listeners.erase(id); }
  };
  uint64_t id = pull->next_listener++;
  if (progress) pull->listeners[id] = std::move(progress);
  Listening listening{pull, id};
  co_await pull->done.wait();
  Result<std::string> result = *pull->result;
  std::string image_id = co_await std::move(result);
  auto record = store_->find(image_id);
  if (!record) co_await fail(Error::make(Code::not_found, "the image was removed again: " + reference));
  co_return image_of(*record);
}

// ---- Importing and exporting

Task<std::vector<Imported>> Images::import_path(std::string path, std::string name, bool pinned) {
  auto work = [store = store_.get(), path, name, pinned, now = loop_.wall(), cancelled = workers_->cancelled()] {
    ImportOptions options;
    options.name = name;
    options.pinned = pinned;
    options.now = now;
    options.cancelled = cancelled.get();
    return import_images(*store, path, options);
  };
  Result<std::vector<Imported>> imported = co_await on_thread(*workers_, work);
  co_return std::move(imported);
}

std::string Images::temporary_path() { return store_->temporary("import"); }

namespace {

bool is_archive(const std::string& name) {
  return name.ends_with(".tar") || name.ends_with(".tar.gz") || name.ends_with(".tgz") || name.ends_with(".tar.zst");
}

std::vector<std::string> archives_in(const std::string& directory) {
  std::vector<std::string> paths;
  std::error_code code;
  for (std::filesystem::directory_iterator it(directory, code), end; !code && it != end; it.increment(code)) {
    if (is_archive(it->path().filename().string())) paths.push_back(it->path().string());
  }
  std::ranges::sort(paths);
  return paths;
}

// What changes when the file does.
std::string state_of(const std::string& path) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) return {};
  return std::to_string(info.st_size) + ":" + std::to_string(info.st_mtim.tv_sec) + "." + std::to_string(info.st_mtim.tv_nsec) +
         ":" + std::to_string(info.st_ino);
}

}  // namespace

Task<void> Images::import_one(std::string path) {
  std::string state = state_of(path);
  if (!state.empty() && store_->imported_state(path) == state) co_return;
  std::string name = path.substr(path.rfind('/') + 1);
  std::string stem = to_lower(name.substr(0, name.find('.')));
  auto imported = co_await import_path(path, "", true).result();
  bool nameless = !imported.ok() && imported.error().is(Code::invalid) && parse_image_reference(stem).ok();
  if (nameless) imported = co_await import_path(path, stem, true).result();
  if (!imported.ok()) {
    log_.error("cannot import an image", {{"file", path}, {"error", imported.error().message()}});
    co_return;
  }
  std::vector<std::string> ids;
  for (const Imported& image : *imported) {
    ids.push_back(image.id);
    log_.info("imported", {{"image", join(image.names, " ")}, {"file", path}});
  }
  auto note = [store = store_.get(), path, state, ids]() -> Result<void> {
    store->set_imported_state(path, state, ids);
    return {};
  };
  Result<void> noted = co_await on_thread(*workers_, note);
  co_await std::move(noted);
}

Task<void> Images::import_preloaded() {
  for (std::string& path : archives_in(options_.directory)) co_await import_one(std::move(path));
}

Task<std::shared_ptr<DrainPipe>> Images::export_images(std::vector<std::string> references) {
  std::vector<ExportItem> items;
  auto hold = std::make_shared<Store::Hold>(*store_);
  for (const std::string& reference : references) {
    Image image = co_await find_for_user(reference);
    auto record = store_->find(image.id);
    if (!record) co_await fail(Error::make(Code::not_found, "image " + quote(reference) + ": not found"));
    auto parsed = parse_image_reference(reference);
    std::string asked = parsed.ok() ? parsed->text() : std::string();
    ExportItem item;
    item.record = std::move(*record);
    // As it was asked for; by id, with all its names.
    item.tags = item.record.tags;
    if (contains(item.record.tags, asked)) item.tags = {asked};
    for (const std::string& key : item.record.layers) hold->add(key);
    items.push_back(std::move(item));
  }
  auto pipe = std::make_shared<DrainPipe>(loop_, kPipeBytes);
  auto cancelled = workers_->cancelled();
  auto work = [store = store_.get(), items = std::move(items), pipe, cancelled, hold] {
    TarWriter::Sink sink = [&pipe](std::string_view bytes) { return pipe->write(bytes); };
    pipe->finish(images::export_images(*store, items, std::move(sink), cancelled.get()));
  };
  workers_->start(std::move(work), [] {});
  co_return std::move(pipe);
}

// ---- Removing

Task<int64_t> Images::erase(std::string id) {
  auto work = [store = store_.get(), id] { return store->erase(id); };
  Result<int64_t> erased = co_await on_thread(*workers_, work);
  co_return std::move(erased);
}

Task<void> Images::remove(std::string reference) {
  Image image = co_await find_for_user(reference);
  std::vector<std::string> tags = image.tags, digests = image.digests;
  auto parsed = parse_image_reference(reference);
  if (parsed.ok()) {
    std::string digest = parsed->digest.empty() ? "" : parsed->name() + "@" + parsed->digest;
    std::string tag = parsed->name() + ":" + parsed->tag;
    bool by_name = contains(tags, tag) || contains(digests, digest);
    std::erase(digest.empty() ? tags : digests, digest.empty() ? tag : digest);
    // Other names keep it; digests of the same repository go with its last tag.
    if (by_name && !tags.empty()) {
      auto work = [store = store_.get(), id = image.id, tags, digests] { return store->set_names(id, tags, digests); };
      Result<void> renamed = co_await on_thread(*workers_, work);
      co_await std::move(renamed);
      co_return;
    }
  }
  if (is_in_use(image.id)) {
    co_await fail(Error::make(Code::conflict, "image " + quote(reference) + " is used by a container; delete its pod first"));
  }
  co_await erase(image.id);
}

// Which images are used is kept on disk for `orch image rm` without a server; the newest state wins.
Task<void> Images::keep_in_use() {
  std::set<std::string> kept;
  do {
    kept = in_use_;
    std::vector<std::string> ids(kept.begin(), kept.end());
    auto work = [store = store_.get(), ids, now = loop_.wall()]() -> Result<void> {
      for (const std::string& id : store->in_use()) {
        bool left = std::ranges::find(ids, id) == ids.end();
        if (left) TRY_VOID(store->set_last_used(id, now));
      }
      store->set_in_use(ids);
      return {};
    };
    Result<void> written = co_await on_thread(*workers_, work);
    if (!written.ok()) log_.warn("cannot note which images are used", {{"error", written.error().message()}});
  } while (kept != in_use_);
  keeping_in_use_ = false;
}

void Images::set_in_use(std::vector<std::string> ids) {
  std::erase_if(given_out_, [&](const auto& entry) { return loop_.now() - entry.second >= kGivenOut; });
  std::set<std::string> now(ids.begin(), ids.end());
  if (in_use_known_ && now == in_use_) return;
  in_use_ = std::move(now);
  in_use_known_ = true;
  if (std::exchange(keeping_in_use_, true)) return;
  scope_->spawn(keep_in_use());
}

Task<ImageService::DiskUsage> Images::disk_usage() {
  auto work = [directory = options_.directory, store = store_.get()]() -> Result<DiskUsage> {
    struct statvfs info{};
    if (::statvfs(directory.c_str(), &info) != 0) return Error::from_errno(errno, "statvfs " + directory);
    DiskUsage usage;
    usage.capacity_bytes = static_cast<int64_t>(info.f_blocks) * static_cast<int64_t>(info.f_frsize);
    usage.available_bytes = static_cast<int64_t>(info.f_bavail) * static_cast<int64_t>(info.f_frsize);
    usage.images_bytes = store->total_bytes();
    return usage;
  };
  Result<DiskUsage> usage = co_await loop::offload(loop_, work);
  co_return std::move(usage);
}

Task<int64_t> Images::collect(int64_t bytes) {
  if (!in_use_known_) co_return int64_t{0};
  auto orphans = [store = store_.get()] { return store->remove_orphans(); };
  int64_t freed = co_await on_thread(*workers_, orphans);
  std::vector<Record> records = store_->records();
  std::ranges::sort(records, {}, [](const Record& record) { return record.last_used.ns; });
  for (const Record& record : records) {
    if (freed >= bytes) break;
    if (record.pinned || is_in_use(record.id)) continue;
    freed += co_await erase(record.id);
    log_.info("removed an unused image", {{"image", label_of(record)}});
  }
  co_return freed;
}

Task<Images::Pruned> Images::prune() {
  Pruned pruned;
  auto orphans = [store = store_.get()] { return store->remove_orphans(); };
  pruned.freed_bytes = co_await on_thread(*workers_, orphans);
  for (const Record& record : store_->records()) {
    if (record.pinned || is_in_use(record.id)) continue;
    pruned.freed_bytes += co_await erase(record.id);
    pruned.names.push_back(label_of(record));
  }
  co_return std::move(pruned);
}

}  // namespace orch::runtime::images
