#pragma once
// A directory of the test's own, and archives made in memory.

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include "data/json.h"
#include "loop/files.h"
#include "runtime/images/archive.h"
#include "runtime/images/digest.h"
#include "runtime/images/manifest.h"
#include "runtime/images/tree.h"

namespace orch::runtime::images {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    char name[] = "/tmp/orch-images-XXXXXX";
    path_ = ::mkdtemp(name);
  }
  ~TemporaryDirectory() { (void)remove_tree(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline TarEntry file_entry(std::string path, int64_t size, uint32_t mode = 0644) {
  TarEntry entry;
  entry.path = std::move(path);
  entry.mode = mode;
  entry.size = size;
  entry.mtime_s = 1'000'000'000;
  return entry;
}

class TarBuilder {
 public:
  TarBuilder() : writer_(std::move(TarWriter::open([this](std::string_view bytes) -> Result<void> {
                   bytes_ += bytes;
                   return {};
                 }, TarWriter::Names::bytes)).value()) {}
  TarBuilder& file(const std::string& path, const std::string& content, uint32_t mode = 0644) {
    return add(file_entry(path, static_cast<int64_t>(content.size()), mode), content);
  }
  TarBuilder& directory(const std::string& path, uint32_t mode = 0755, uint32_t uid = 0) {
    TarEntry entry = file_entry(path, 0, mode);
    entry.type = TarEntry::Type::directory;
    entry.uid = entry.gid = uid;
    return add(entry, "");
  }
  TarBuilder& link(const std::string& path, const std::string& target, TarEntry::Type type) {
    TarEntry entry = file_entry(path, 0, 0777);
    entry.type = type;
    entry.target = target;
    return add(entry, "");
  }
  TarBuilder& symlink(const std::string& path, const std::string& target) {
    return link(path, target, TarEntry::Type::symlink);
  }
  TarBuilder& hardlink(const std::string& path, const std::string& target) {
    return link(path, target, TarEntry::Type::hardlink);
  }
  TarBuilder& add(const TarEntry& entry, const std::string& content) {
    TextSource source(content);
    REQUIRE(writer_->add(entry, entry.type == TarEntry::Type::file ? &source : nullptr).ok());
    return *this;
  }
  std::string bytes() {
    REQUIRE(writer_->finish().ok());
    return std::move(bytes_);
  }

 private:
  std::string bytes_;
  std::unique_ptr<TarWriter> writer_;
};

inline std::string some_layer(const std::string& name, const std::string& content) {
  TarBuilder builder;
  builder.directory("usr/").directory("usr/bin/").file("usr/bin/" + name, content, 0755);
  return builder.bytes();
}

inline std::string config_text(const std::vector<std::string>& layers, const std::string& architecture) {
  std::vector<Value> ids;
  for (const std::string& layer : layers) ids.emplace_back(sha256_digest(layer));
  return format_json(Value::object({{"os", "linux"},
                                    {"architecture", architecture},
                                    {"config", Value::object({{"Cmd", Value::list({Value("/bin/sh")})}})},
                                    {"rootfs", Value::object({{"type", "layers"}, {"diff_ids", Value::list(std::move(ids))}})}}));
}

// As `docker save` writes it, with the manifest at the end.
inline std::string docker_archive(const std::vector<std::string>& layers, const std::vector<std::string>& tags,
                                  const std::string& architecture = host_platform().architecture) {
  TarBuilder builder;
  std::vector<Value> paths, names(tags.begin(), tags.end());
  for (size_t i = 0; i < layers.size(); ++i) {
    std::string path = "layer" + std::to_string(i) + "/layer.tar";
    builder.file(path, layers[i]);
    paths.emplace_back(path);
  }
  std::string config = config_text(layers, architecture);
  std::string config_path = std::string(digest_hex(sha256_digest(config))) + ".json";
  builder.file(config_path, config);
  Value image = Value::object({{"Config", config_path}, {"RepoTags", Value::list(std::move(names))}, {"Layers", Value::list(std::move(paths))}});
  builder.file("manifest.json", format_json(Value::list({image})));
  return builder.bytes();
}

inline void write(const std::string& path, const std::string& content) {
  REQUIRE(loop::write_file_atomic_now(path, content, 0644).ok());
}

}  // namespace orch::runtime::images
