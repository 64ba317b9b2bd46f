#include "runtime/images/store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <filesystem>

#include "base/text.h"
#include "data/json.h"
#include "loop/files.h"
#include "runtime/images/digest.h"
#include "runtime/images/tree.h"

namespace orch::runtime::images {

namespace {

// Directory names are half a digest: they go into the options of a mount, 500 of them at most, where space is
// short. layer.json has the whole of it.
constexpr size_t kKeyLength = 32;
// A layer of no image is kept that long: a pull that broke off goes on from there.
constexpr int64_t kOrphanSeconds = 24 * 3600;

std::string key_of(std::string_view digest) { return std::string(digest_hex(digest).substr(0, kKeyLength)); }

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code code;
  for (std::filesystem::directory_iterator it(directory, code), end; !code && it != end; it.increment(code)) {
    names.push_back(it->path().filename().string());
  }
  std::ranges::sort(names);
  return names;
}

Value strings_value(const std::vector<std::string>& strings) {
  std::vector<Value> items(strings.begin(), strings.end());
  return Value::list(std::move(items));
}

std::vector<std::string> strings_of(const Value& list) {
  std::vector<std::string> strings;
  for (const Value& item : list.items()) strings.emplace_back(item.as_string());
  return strings;
}

void merge_names(std::vector<std::string>& into, const std::vector<std::string>& more) {
  into.insert(into.end(), more.begin(), more.end());
  std::ranges::sort(into);
  into.erase(std::unique(into.begin(), into.end()), into.end());
}

Value layer_value(const Layer& layer) {
  return Value::object({{"diffID", layer.diff_id},
                        {"chainID", layer.chain_id},
                        {"tree", layer.tree},
                        {"bytes", layer.bytes},
                        {"entries", layer.entries}});
}

Value record_value(const Record& record) {
  return Value::object({{"id", record.id},
                        {"config", record.config},
                        {"manifest", record.manifest},
                        {"manifestType", record.manifest_type},
                        {"tags", strings_value(record.tags)},
                        {"digests", strings_value(record.digests)},
                        {"layers", strings_value(record.layers)},
                        {"pinned", record.pinned},
                        {"storedAt", record.stored_at.ns},
                        {"lastUsed", record.last_used.ns}});
}

Record record_of(const Value& value) {
  Record record;
  record.id = value["id"].as_string();
  record.config = value["config"].as_string();
  record.manifest = value["manifest"].as_string();
  record.manifest_type = value["manifestType"].as_string();
  record.tags = strings_of(value["tags"]);
  record.digests = strings_of(value["digests"]);
  record.layers = strings_of(value["layers"]);
  record.pinned = value["pinned"].as_bool();
  record.stored_at.ns = value["storedAt"].as_int();
  record.last_used.ns = value["lastUsed"].as_int();
  return record;
}

Result<Value> read_json(const std::string& path) {
  TRY(std::string text, loop::read_file_now(path));
  return parse_json(text);
}

}  // namespace

std::string current_boot_id() {
  auto text = loop::read_file_now("/proc/sys/kernel/random/boot_id");
  return text.ok() ? std::string(trim(*text)) : std::string();
}

// ---- StagedLayer

StagedLayer::StagedLayer(StagedLayer&& other) noexcept
    : unpacked(std::move(other.unpacked)), directory_(std::exchange(other.directory_, {})) {}

StagedLayer& StagedLayer::operator=(StagedLayer&& other) noexcept {
  std::swap(directory_, other.directory_);
  std::swap(unpacked, other.unpacked);
  return *this;
}

StagedLayer::~StagedLayer() {
  if (!directory_.empty()) (void)remove_tree(directory_);
}

// ---- Opening

Result<std::unique_ptr<Store>> Store::open(StoreOptions options, Logger log) {
  std::unique_ptr<Store> store(new Store(std::move(options), std::move(log)));
  for (const char* part : {"", "/layers", "/records", "/tmp"}) {
    TRY_VOID(make_directories(store->options_.directory + part, 0700));
  }
  TRY_VOID(store->take_lock());
  bool unclean = false;
  TRY_VOID(store->begin_session(unclean));
  TRY_VOID(store->load(unclean || store->options_.verify));
  return store;
}

Store::~Store() {
  if (!lock_.ok()) return;
  ::unlink((options_.directory + "/session").c_str());
  (void)sync_directory(options_.directory);
}

Result<void> Store::take_lock() {
  std::string path = options_.directory + "/lock";
  Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.ok()) return Error::from_errno(errno, "open " + path);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Error::from_errno(errno, "lock " + path);
    return Error::make(Code::conflict, "the image store is in use by another process (" + path + ")");
  }
  lock_ = std::move(fd);
  return {};
}

// The file `session` is there while a process has the store, with the boot it runs in. A process that was killed
// leaves it; what it had written is still in the kernel's memory then, unless the machine was started again.
Result<void> Store::begin_session(bool& unclean) {
  std::string path = options_.directory + "/session";
  auto last = loop::read_file_now(path);
  unclean = last.ok() && trim(*last) != options_.boot_id;
  if (unclean) log_.info("the image store was not closed properly; looking at every file of it");
  return loop::write_file_atomic_now(path, options_.boot_id + "\n");
}

Result<void> Store::load(bool verify) {
  for (const std::string& name : names_in(options_.directory + "/tmp")) {
    auto removed = remove_tree(options_.directory + "/tmp/" + name);
    if (!removed.ok()) log_.warn("cannot remove the rest of an interrupted import", {{"error", removed.error().message()}});
  }
  for (const std::string& key : names_in(options_.directory + "/layers")) load_layer(key, verify);
  for (const std::string& name : names_in(options_.directory + "/records")) load_record(name);
  TRY_VOID(settle_names());
  load_soft_state();
  std::set<std::string> needed = needed_layers();
  int64_t now = ::time(nullptr);
  for (auto it = layers_.begin(); it != layers_.end();) {
    struct stat info{};
    std::string path = options_.directory + "/layers/" + it->first;
    bool fresh = ::stat((path + "/layer.json").c_str(), &info) == 0 && now - info.st_mtim.tv_sec < kOrphanSeconds;
    if (needed.contains(it->first) || fresh) {
      ++it;
      continue;
    }
    discard(path);
    it = layers_.erase(it);
  }
  return {};
}

void Store::load_layer(const std::string& key, bool verify) {
  std::string path = options_.directory + "/layers/" + key;
  auto value = read_json(path + "/layer.json");
  Layer layer;
  std::string why;
  struct stat info{};
  if (value.ok()) {
    layer = Layer{key,
                  std::string((*value)["diffID"].as_string()),
                  std::string((*value)["chainID"].as_string()),
                  std::string((*value)["tree"].as_string()),
                  (*value)["bytes"].as_int(),
                  (*value)["entries"].as_int()};
  }
  if (!value.ok()) {
    why = value.error().message();
  } else if (key != key_of(layer.chain_id.empty() ? layer.diff_id : layer.chain_id)) {
    why = "its name is not its content's";
  } else if (::stat((path + "/fs").c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    why = "its files are missing";
  } else if (verify) {
    auto found = summarise_tree(path + "/fs");
    if (!found.ok()) {
      why = found.error().message();
    } else if (found->digest != layer.tree) {
      why = "its files are not those that were unpacked";
    }
  }
  if (why.empty()) {
    layers_[key] = std::move(layer);
    return;
  }
  log_.warn("removing a damaged layer", {{"layer", layer.diff_id.empty() ? key : layer.diff_id}, {"why", why}});
  discard(path);
}

void Store::drop_record(const std::string& name, const std::string& why) {
  log_.warn("removing a damaged image; it has to be pulled or imported again", {{"image", name}, {"why", why}});
  ::unlink((options_.directory + "/records/" + name).c_str());
}

void Store::load_record(const std::string& name) {
  std::string path = options_.directory + "/records/" + name;
  if (!name.ends_with(".json")) {  // a temporary file
    ::unlink(path.c_str());
    return;
  }
  auto value = read_json(path);
  if (!value.ok()) return drop_record(name, value.error().message());
  Record record = record_of(*value);
  std::string label = record.tags.empty() ? record.id : record.tags[0];
  if (record.id != sha256_digest(record.config) || path != record_path(record.id)) {
    return drop_record(name, "its configuration is not that of its id");
  }
  for (const std::string& key : record.layers) {
    if (layers_.contains(key)) continue;
    log_.warn("removing an image with a missing layer; it has to be pulled or imported again",
              {{"image", label}, {"layer", key}});
    ::unlink(path.c_str());
    return;
  }
  records_[record.id] = std::move(record);
}

// A tag in two records was on its way from the older one when the process ended.
Result<void> Store::settle_names() {
  std::vector<const Record*> by_age;
  for (const auto& [id, record] : records_) by_age.push_back(&record);
  std::ranges::sort(by_age, {}, [](const Record* record) { return record->stored_at.ns; });
  for (const Record* record : by_age) TRY_VOID(take_names(Record(*record)));
  return {};
}

// What is nice to know and may be lost: who is used, what was imported.
void Store::load_soft_state() {
  auto used = read_json(options_.directory + "/in-use.json");
  if (used.ok() && used->is_list()) {
    in_use_ = strings_of(*used);
    in_use_known_ = true;
  }
  auto imported = read_json(options_.directory + "/imported.json");
  if (imported.ok() && imported->is_object()) imported_ = *imported;
}

std::string Store::temporary(std::string_view name) {
  std::lock_guard guard(mutex_);
  return options_.directory + "/tmp/" + std::string(name) + "-" + std::to_string(next_temporary_++);
}

void Store::discard(const std::string& path) {
  std::string away = options_.directory + "/tmp/removed-" + std::to_string(next_temporary_++);
  bool moved = ::rename(path.c_str(), away.c_str()) == 0;
  auto removed = remove_tree(moved ? away : path);
  if (!removed.ok()) log_.warn("cannot remove", {{"error", removed.error().message()}});
}

// ---- Layers

Result<StagedLayer> Store::unpack(ByteSource& source, const ExpectedLayer& expected, const std::atomic<bool>* cancelled) {
  StagedLayer staged(temporary("layer"));
  TRY_VOID(make_directories(staged.files(), 0755));
  if (::chmod(staged.files().c_str(), 0755) != 0) return Error::from_errno(errno, "chmod " + staged.files());
  TRY(staged.unpacked, unpack_layer(source, staged.files(), expected, options_.limits, cancelled));
  return staged;
}

std::optional<Layer> Store::find_locked(const std::string& diff_id, const std::string& chain_id) const {
  for (const std::string& digest : {diff_id, chain_id}) {
    auto found = layers_.find(key_of(digest));
    if (found == layers_.end() || found->second.diff_id != diff_id) continue;
    if (found->second.chain_id.empty() || found->second.chain_id == chain_id) return found->second;
  }
  return std::nullopt;
}

std::optional<Layer> Store::find_layer(const std::string& diff_id, const std::string& chain_id) const {
  std::lock_guard guard(mutex_);
  return find_locked(diff_id, chain_id);
}

std::string Store::layer_path(const std::string& key) const { return options_.directory + "/layers/" + key + "/fs"; }

// A directory that the layer does not mention looks as in the topmost layer below that has it.
Result<void> Store::adopt_implied(const StagedLayer& staged, const std::vector<std::string>& below) {
  Fd root(::open(staged.files().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root.ok()) return Error::from_errno(errno, "open " + staged.files());
  for (const std::string& path : staged.unpacked.implied) {
    Fd target(open_without_links(root.get(), path, O_RDONLY | O_DIRECTORY));
    if (!target.ok()) continue;
    for (auto key = below.rbegin(); key != below.rend(); ++key) {
      Fd lower(::open(layer_path(*key).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      Fd source(open_without_links(lower.get(), path, O_RDONLY | O_DIRECTORY));
      if (!source.ok() && errno == ENOENT) continue;
      struct stat info{};
      if (!source.ok() || ::fstat(source.get(), &info) != 0) break;  // no directory there
      const timespec times[2] = {info.st_mtim, info.st_mtim};
      bool done = ::fchown(target.get(), info.st_uid, info.st_gid) == 0 && ::fchmod(target.get(), info.st_mode & 07777) == 0 &&
                  ::futimens(target.get(), times) == 0;
      if (!done) return Error::from_errno(errno, "set the owner of " + path);
      for (const auto& [name, value] : read_xattrs(source.get(), ".")) {
        if (!name.starts_with("trusted.")) TRY_VOID(write_xattr(target.get(), ".", name, value));
      }
      break;
    }
  }
  return {};
}

Result<Layer> Store::commit(StagedLayer staged, const std::string& chain, const std::vector<std::string>& below) {
  const std::string& diff = staged.unpacked.diff_id;
  if (auto there = find_layer(diff, chain)) return *there;
  Layer layer;
  layer.diff_id = diff;
  if (!staged.unpacked.implied.empty()) {
    layer.chain_id = chain;
    TRY_VOID(adopt_implied(staged, below));
  }
  layer.key = key_of(layer.chain_id.empty() ? diff : chain);
  TRY(TreeSummary tree, summarise_tree(staged.files()));
  layer.tree = tree.digest;
  layer.bytes = tree.bytes;
  layer.entries = tree.entries;
  TRY_VOID(loop::write_file_atomic_now(staged.directory() + "/layer.json", format_json(layer_value(layer)) + "\n"));
  TRY_VOID(sync_file_system(staged.directory()));
  std::lock_guard guard(mutex_);
  if (auto there = find_locked(diff, chain)) return *there;
  std::string place = options_.directory + "/layers/" + layer.key;
  if (layers_.contains(layer.key)) {
    return Error::make(Code::internal, "two layers called " + layer.key + ": " + diff + " and " + layers_[layer.key].diff_id);
  }
  if (::rename(staged.directory().c_str(), place.c_str()) != 0) return Error::from_errno(errno, "rename to " + place);
  staged.directory_.clear();
  TRY_VOID(sync_directory(options_.directory + "/layers"));
  layers_[layer.key] = layer;
  return layer;
}

Store::Hold::~Hold() {
  std::lock_guard guard(store_.mutex_);
  for (const std::string& key : keys_) {
    auto found = store_.holds_.find(key);
    if (found != store_.holds_.end() && --found->second == 0) store_.holds_.erase(found);
  }
}

void Store::Hold::add(const std::string& key) {
  std::lock_guard guard(store_.mutex_);
  ++store_.holds_[key];
  keys_.push_back(key);
}

// ---- Images

std::string Store::record_path(const std::string& id) const {
  return options_.directory + "/records/" + std::string(digest_hex(id)) + ".json";
}

std::vector<Record> Store::records() const {
  std::lock_guard guard(mutex_);
  std::vector<Record> all;
  for (const auto& [id, record] : records_) all.push_back(record);
  return all;
}

std::optional<Record> Store::find(const std::string& id) const {
  std::lock_guard guard(mutex_);
  auto found = records_.find(id);
  if (found == records_.end()) return std::nullopt;
  return found->second;
}

Result<void> Store::write_record(const Record& record) {
  return loop::write_file_atomic_now(record_path(record.id), format_json(record_value(record)) + "\n");
}

// A name belongs to one image.
Result<void> Store::take_names(const Record& record) {
  for (auto& [id, other] : records_) {
    if (id == record.id) continue;
    Record changed = other;
    std::erase_if(changed.tags, [&](const std::string& tag) { return std::ranges::binary_search(record.tags, tag); });
    if (changed.tags.size() == other.tags.size()) continue;
    TRY_VOID(write_record(changed));
    other = std::move(changed);
  }
  return {};
}

Result<void> Store::put(Record record) {
  std::lock_guard guard(mutex_);
  for (const std::string& key : record.layers) {
    if (!layers_.contains(key)) return Error::make(Code::not_found, "a layer of the image is missing: " + key);
  }
  merge_names(record.tags, {});
  merge_names(record.digests, {});
  // The tags' new owner first: settle_names() finishes what is interrupted here.
  auto old = records_.find(record.id);
  Record stored = record;
  if (old != records_.end()) {
    merge_names(stored.tags, old->second.tags);
    merge_names(stored.digests, old->second.digests);
    stored.pinned = stored.pinned || old->second.pinned;
    if (stored.manifest.empty()) {
      stored.manifest = old->second.manifest;
      stored.manifest_type = old->second.manifest_type;
    }
  }
  TRY_VOID(write_record(stored));
  records_[stored.id] = stored;
  return take_names(record);
}

Result<void> Store::set_names(const std::string& id, std::vector<std::string> tags, std::vector<std::string> digests) {
  std::lock_guard guard(mutex_);
  auto found = records_.find(id);
  if (found == records_.end()) return Error::make(Code::not_found, "no image " + id);
  Record changed = found->second;
  changed.tags = std::move(tags);
  changed.digests = std::move(digests);
  TRY_VOID(write_record(changed));
  found->second = std::move(changed);
  return {};
}

Result<void> Store::set_last_used(const std::string& id, Instant time) {
  std::lock_guard guard(mutex_);
  auto found = records_.find(id);
  if (found == records_.end()) return {};
  found->second.last_used = time;
  return write_record(found->second);
}

std::set<std::string> Store::needed_layers() const {
  std::set<std::string> needed;
  for (const auto& [id, record] : records_) needed.insert(record.layers.begin(), record.layers.end());
  for (const auto& [key, count] : holds_) needed.insert(key);
  return needed;
}

// Moves layers that nobody needs out of the way; `candidates` null: of all.
std::vector<Layer> Store::take_unneeded(const std::set<std::string>* candidates) {
  std::set<std::string> needed = needed_layers();
  std::vector<Layer> taken;
  for (auto it = layers_.begin(); it != layers_.end();) {
    bool stays = needed.contains(it->first) || (candidates && !candidates->contains(it->first));
    std::string away = options_.directory + "/tmp/removed-" + it->first;
    if (stays || ::rename((options_.directory + "/layers/" + it->first).c_str(), away.c_str()) != 0) {
      ++it;
      continue;
    }
    taken.push_back(it->second);
    it = layers_.erase(it);
  }
  return taken;
}

Result<int64_t> Store::erase(const std::string& id) {
  std::vector<Layer> removed;
  {
    std::lock_guard guard(mutex_);
    auto found = records_.find(id);
    if (found == records_.end()) return int64_t{0};
    if (::unlink(record_path(id).c_str()) != 0 && errno != ENOENT) return Error::from_errno(errno, "remove " + record_path(id));
    TRY_VOID(sync_directory(options_.directory + "/records"));
    std::set<std::string> candidates(found->second.layers.begin(), found->second.layers.end());
    records_.erase(found);
    removed = take_unneeded(&candidates);
  }
  int64_t freed = 0;
  for (const Layer& layer : removed) {
    freed += layer.bytes;
    auto gone = remove_tree(options_.directory + "/tmp/removed-" + layer.key);
    if (!gone.ok()) log_.warn("cannot remove a layer", {{"error", gone.error().message()}});
  }
  return freed;
}

int64_t Store::remove_orphans() {
  std::vector<Layer> removed;
  {
    std::lock_guard guard(mutex_);
    removed = take_unneeded(nullptr);
  }
  int64_t freed = 0;
  for (const Layer& layer : removed) {
    freed += layer.bytes;
    (void)remove_tree(options_.directory + "/tmp/removed-" + layer.key);
  }
  return freed;
}

int64_t Store::image_bytes(const Record& record) const {
  std::lock_guard guard(mutex_);
  int64_t bytes = static_cast<int64_t>(record.config.size());
  for (const std::string& key : record.layers) {
    auto found = layers_.find(key);
    if (found != layers_.end()) bytes += found->second.bytes;
  }
  return bytes;
}

int64_t Store::total_bytes() const {
  std::lock_guard guard(mutex_);
  int64_t bytes = 0;
  for (const auto& [key, layer] : layers_) bytes += layer.bytes;
  return bytes;
}

// ---- Soft state

void Store::set_in_use(std::vector<std::string> ids) {
  std::ranges::sort(ids);
  std::lock_guard guard(mutex_);
  if (in_use_known_ && ids == in_use_) return;
  in_use_ = std::move(ids);
  in_use_known_ = true;
  auto written = loop::write_file_atomic_now(options_.directory + "/in-use.json", format_json(strings_value(in_use_)) + "\n");
  if (!written.ok()) log_.warn("cannot note which images are used", {{"error", written.error().message()}});
}

std::vector<std::string> Store::in_use() const {
  std::lock_guard guard(mutex_);
  return in_use_;
}

bool Store::in_use_known() const {
  std::lock_guard guard(mutex_);
  return in_use_known_;
}

std::string Store::imported_state(const std::string& path) const {
  std::lock_guard guard(mutex_);
  const Value& entry = imported_[path];
  if (entry["images"].empty()) return {};
  for (const Value& id : entry["images"].items()) {
    if (!records_.contains(std::string(id.as_string()))) return {};
  }
  return std::string(entry["state"].as_string());
}

void Store::set_imported_state(const std::string& path, const std::string& state, const std::vector<std::string>& ids) {
  std::lock_guard guard(mutex_);
  imported_ = imported_.with(path, Value::object({{"state", state}, {"images", strings_value(ids)}}));
  auto written = loop::write_file_atomic_now(options_.directory + "/imported.json", format_json(imported_) + "\n");
  if (!written.ok()) log_.warn("cannot note what was imported", {{"error", written.error().message()}});
}

}  // namespace orch::runtime::images
