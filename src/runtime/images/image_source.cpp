#include "runtime/images/image_source.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <vector>

#include "base/text.h"
#include "loop/files.h"
#include "runtime/images/archive.h"

namespace orch::runtime::images {

namespace {

// Configurations and manifests are a few kB; some have long histories.
constexpr int64_t kMaxDocument = 4 << 20;
constexpr int64_t kMaxDocuments = 64 << 20;  // of one archive, together
constexpr size_t kMaxNames = 100'000;

// "./a//b" is "a/b".
std::string clean(std::string_view path) {
  std::vector<std::string> parts;
  for (std::string_view part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == ".." && !parts.empty()) {
      parts.pop_back();
    } else if (part != "..") {
      parts.emplace_back(part);
    }
  }
  return join(parts, "/");
}

Error no_such_file(const std::string& name) { return Error::make(Code::not_found, "the archive has no " + quote(name)); }

class DirectorySource final : public ImageSource {
 public:
  explicit DirectorySource(std::string path) : path_(std::move(path)) {}
  bool is_bare() const override { return false; }
  bool has(const std::string& name) const override {
    struct stat info{};
    return ::stat((path_ + "/" + clean(name)).c_str(), &info) == 0;
  }
  Result<std::string> document(const std::string& name) override {
    return loop::read_file_now(path_ + "/" + clean(name), kMaxDocument);
  }
  Result<void> each(const std::set<std::string>& names, const Take& take) override {
    for (const std::string& name : names) {
      TRY(auto file, FileSource::open(path_ + "/" + clean(name)));
      TRY_VOID(take(name, *file));
    }
    return {};
  }

 private:
  std::string path_;
};

class ArchiveSource final : public ImageSource {
 public:
  ArchiveSource(std::string path, const std::atomic<bool>* cancelled) : path_(std::move(path)), cancelled_(cancelled) {}
  Result<void> scan();
  bool is_bare() const override { return bare_; }
  bool has(const std::string& name) const override { return names_.contains(resolve(clean(name))); }
  Result<std::string> document(const std::string& name) override {
    auto found = documents_.find(resolve(clean(name)));
    if (found == documents_.end()) return no_such_file(name);
    return found->second;
  }
  Result<void> each(const std::set<std::string>& names, const Take& take) override;

 private:
  Result<void> keep(const std::string& name, const TarEntry& entry, TarReader& reader);
  std::string resolve(std::string name) const;

  std::string path_;
  const std::atomic<bool>* cancelled_;
  std::set<std::string> names_;
  std::map<std::string, std::string> documents_;
  std::map<std::string, std::string> links_;  // older `docker save`: equal layers are links
  int64_t documents_size_ = 0;
  bool bare_ = false;
};

// What only a root file system has at its top.
bool is_of_root(std::string_view name) {
  static constexpr std::array<std::string_view, 16> kTop = {"bin", "boot", "dev", "etc", "home", "lib", "lib64", "proc",
                                                            "root", "run", "sbin", "srv", "sys", "tmp", "usr", "var"};
  return std::ranges::find(kTop, name.substr(0, name.find('/'))) != kTop.end();
}

std::string ArchiveSource::resolve(std::string name) const {
  for (int i = 0; i < 8; ++i) {
    auto link = links_.find(name);
    if (link == links_.end()) return name;
    name = link->second;
  }
  return name;
}

Result<void> ArchiveSource::keep(const std::string& name, const TarEntry& entry, TarReader& reader) {
  bool small = entry.size <= kMaxDocument && documents_size_ + entry.size <= kMaxDocuments;
  if (!small) return {};
  EntrySource source(reader, entry.size);
  std::string text(static_cast<size_t>(entry.size), '\0');
  size_t used = 0;
  while (used < text.size()) {
    TRY(size_t count, source.read(text.data() + used, text.size() - used));
    if (count == 0) break;
    used += count;
  }
  text.resize(used);
  // Layers are no documents.
  size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos || (text[first] != '{' && text[first] != '[')) return {};
  documents_size_ += entry.size;
  documents_[name] = std::move(text);
  return {};
}

Result<void> ArchiveSource::scan() {
  TRY(auto file, FileSource::open(path_));
  TRY(auto reader, TarReader::open(*file));
  while (true) {
    if (cancelled_ && cancelled_->load()) return Error::make(Code::cancelled, "cancelled");
    TRY(auto entry, reader->next());
    if (!entry) break;
    std::string name = clean(entry->path);
    if (is_of_root(name)) {
      bare_ = true;
      return {};
    }
    if (names_.size() > kMaxNames) break;
    if (entry->type == TarEntry::Type::symlink || entry->type == TarEntry::Type::hardlink) {
      bool hard = entry->type == TarEntry::Type::hardlink;
      links_[name] = clean(hard ? entry->target : name + "/../" + entry->target);
    }
    if (entry->type != TarEntry::Type::file) continue;
    names_.insert(name);
    TRY_VOID(keep(name, *entry, *reader));
  }
  bare_ = !documents_.contains("manifest.json") && !documents_.contains("index.json");
  return {};
}

Result<void> ArchiveSource::each(const std::set<std::string>& names, const Take& take) {
  std::map<std::string, std::string> left;  // where it is -> what it is asked for as
  for (const std::string& name : names) left[resolve(clean(name))] = name;
  TRY(auto file, FileSource::open(path_));
  TRY(auto reader, TarReader::open(*file));
  while (!left.empty()) {
    if (cancelled_ && cancelled_->load()) return Error::make(Code::cancelled, "cancelled");
    TRY(auto entry, reader->next());
    if (!entry) return no_such_file(left.begin()->second);
    if (entry->type != TarEntry::Type::file) continue;
    auto wanted = left.find(clean(entry->path));
    if (wanted == left.end()) continue;
    EntrySource content(*reader, entry->size);
    TRY_VOID(take(wanted->second, content));
    left.erase(wanted);
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<ImageSource>> ImageSource::open(const std::string& path, const std::atomic<bool>* cancelled) {
  struct stat info{};
  if (::stat(path.c_str(), &info) != 0) {
    Error error = Error::from_errno(errno, "open " + path);
    return errno == ENOENT ? std::move(error).with_code(Code::not_found) : error;
  }
  if (S_ISDIR(info.st_mode)) {
    auto directory = std::make_unique<DirectorySource>(path);
    if (directory->has("index.json") || directory->has("manifest.json")) return std::unique_ptr<ImageSource>(std::move(directory));
    return Error::make(Code::invalid, path + " is not an OCI layout: it has no index.json");
  }
  auto source = std::make_unique<ArchiveSource>(path, cancelled);
  TRY_VOID(source->scan());
  return std::unique_ptr<ImageSource>(std::move(source));
}

}  // namespace orch::runtime::images
