#include "runtime/images/export.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>
#include <map>

#include "base/text.h"
#include "data/image_reference.h"
#include "data/json.h"
#include "runtime/images/digest.h"
#include "runtime/images/manifest.h"
#include "runtime/images/tree.h"

namespace orch::runtime::images {

namespace {

std::string in_parent(const TreeNode& node) { return "/proc/self/fd/" + std::to_string(node.parent) + "/" + node.name; }

Result<std::string> link_target(const TreeNode& node) {
  std::string target(4096, '\0');
  ssize_t count = ::readlinkat(node.parent, node.name.c_str(), target.data(), target.size());
  if (count < 0) return Error::from_errno(errno, "readlink " + node.path);
  target.resize(static_cast<size_t>(count));
  return target;
}

class LayerTar {
 public:
  LayerTar(TarWriter& writer, const std::atomic<bool>* cancelled) : writer_(writer), cancelled_(cancelled) {}

  Result<void> add(const TreeNode& node) {
    if (cancelled_ && cancelled_->load()) return Error::make(Code::cancelled, "cancelled");
    const struct stat& info = node.info;
    bool is_whiteout = S_ISCHR(info.st_mode) && info.st_rdev == makedev(0, 0);
    if (is_whiteout) return add_mark(node.path.substr(0, node.path.size() - node.name.size()) + ".wh." + node.name);
    if (S_ISSOCK(info.st_mode)) return {};  // tar has none
    TarEntry entry = entry_of(node);
    bool opaque = false;
    for (auto& [key, value] : read_xattrs(node.parent, node.name)) {
      if (key == "trusted.overlay.opaque" && value == "y") opaque = true;
      if (!key.starts_with("trusted.")) entry.xattrs.emplace_back(key, value);
    }
    if (S_ISREG(info.st_mode)) {
      TRY_VOID(add_file(node, std::move(entry)));
    } else {
      if (S_ISLNK(info.st_mode)) {
        TRY(entry.target, link_target(node));
      }
      TRY_VOID(writer_.add(entry, nullptr));
    }
    if (opaque) return add_mark(node.path.empty() ? ".wh..wh..opq" : node.path + "/.wh..wh..opq");
    return {};
  }

 private:
  static TarEntry entry_of(const TreeNode& node) {
    using Type = TarEntry::Type;
    const struct stat& info = node.info;
    TarEntry entry;
    entry.path = node.path.empty() ? "./" : node.path + (S_ISDIR(info.st_mode) ? "/" : "");
    entry.type = S_ISDIR(info.st_mode)    ? Type::directory
                 : S_ISLNK(info.st_mode)  ? Type::symlink
                 : S_ISCHR(info.st_mode)  ? Type::character
                 : S_ISBLK(info.st_mode)  ? Type::block
                 : S_ISFIFO(info.st_mode) ? Type::fifo
                                          : Type::file;
    entry.mode = info.st_mode & 07777;
    entry.uid = info.st_uid;
    entry.gid = info.st_gid;
    entry.size = S_ISREG(info.st_mode) ? info.st_size : 0;
    entry.mtime_s = info.st_mtim.tv_sec;
    entry.mtime_ns = info.st_mtim.tv_nsec;
    entry.device_major = major(info.st_rdev);
    entry.device_minor = minor(info.st_rdev);
    return entry;
  }

  Result<void> add_mark(const std::string& path) {
    TarEntry entry;
    entry.path = path;
    return writer_.add(entry, nullptr);
  }

  Result<void> add_file(const TreeNode& node, TarEntry entry) {
    if (node.info.st_nlink > 1) {
      auto [first, is_first] = linked_.emplace(std::pair(node.info.st_dev, node.info.st_ino), node.path);
      if (!is_first) {
        entry.type = TarEntry::Type::hardlink;
        entry.target = first->second;
        entry.size = 0;
        entry.xattrs.clear();
        return writer_.add(entry, nullptr);
      }
    }
    TRY(auto content, FileSource::open(in_parent(node)));
    return writer_.add(entry, content.get());
  }

  TarWriter& writer_;
  const std::atomic<bool>* cancelled_;
  std::map<std::pair<dev_t, ino_t>, std::string> linked_;
};

struct Blob {
  std::string digest;
  int64_t size = 0;
};

std::string blob_path(const std::string& digest) { return "blobs/sha256/" + std::string(digest_hex(digest)); }

Value descriptor_value(std::string_view type, const Blob& blob) {
  return Value::object({{"mediaType", type}, {"digest", blob.digest}, {"size", blob.size}});
}

class Exporter {
 public:
  Exporter(const Store& store, TarWriter& writer, const std::atomic<bool>* cancelled)
      : store_(store), writer_(writer), cancelled_(cancelled) {}

  Result<void> run(const std::vector<ExportItem>& items) {
    for (const ExportItem& item : items) TRY_VOID(describe(item));
    TRY_VOID(write_text("oci-layout", format_json(Value::object({{"imageLayoutVersion", "1.0.0"}}))));
    Value index = Value::object({{"schemaVersion", 2},
                                 {"mediaType", media_type::kOciIndex},
                                 {"manifests", Value::list(std::move(index_))}});
    TRY_VOID(write_text("index.json", format_json(index)));
    TRY_VOID(write_text("manifest.json", format_json(Value::list(std::move(docker_)))));
    for (const auto& [path, text] : documents_) TRY_VOID(write_text(path, text));
    for (const auto& [key, blob] : layers_) TRY_VOID(write_layer(key, blob));
    return writer_.finish();
  }

 private:
  // A first pass over the layer, for its digest and size: the tar's header wants to know.
  Result<Blob> measure(const std::string& key) {
    auto known = layers_.find(key);
    if (known != layers_.end()) return known->second;
    Sha256 hash;
    Blob blob;
    auto sink = [&](std::string_view bytes) -> Result<void> {
      hash.add(bytes);
      blob.size += static_cast<int64_t>(bytes.size());
      return {};
    };
    TRY_VOID(write_layer_tar(store_.layer_path(key), sink, cancelled_));
    blob.digest = hash.digest();
    layers_[key] = blob;
    return blob;
  }

  Blob keep(const std::string& text) {
    Blob blob{sha256_digest(text), static_cast<int64_t>(text.size())};
    documents_[blob_path(blob.digest)] = text;
    return blob;
  }

  Result<void> describe(const ExportItem& item) {
    std::vector<Value> diff_ids, layers, paths, tags;
    for (const std::string& key : item.record.layers) {
      TRY(Blob blob, measure(key));
      diff_ids.emplace_back(blob.digest);
      layers.push_back(descriptor_value(media_type::kOciLayer, blob));
      paths.emplace_back(blob_path(blob.digest));
    }
    TRY(Value config, parse_json(item.record.config));
    config = config.with_path({"rootfs", "diff_ids"}, Value::list(std::move(diff_ids)));
    config = config.with_path({"rootfs", "type"}, Value("layers"));
    Blob config_blob = keep(format_json(config));
    Value manifest = Value::object({{"schemaVersion", 2},
                                    {"mediaType", media_type::kOciManifest},
                                    {"config", descriptor_value(media_type::kOciConfig, config_blob)},
                                    {"layers", Value::list(std::move(layers))}});
    Blob manifest_blob = keep(format_json(manifest));
    for (const std::string& tag : item.tags) {
      tags.emplace_back(tag);
      TRY(ImageReference reference, parse_image_reference(tag));
      Value names = Value::object({{"io.containerd.image.name", tag}, {"org.opencontainers.image.ref.name", reference.tag}});
      index_.push_back(descriptor_value(media_type::kOciManifest, manifest_blob).with("annotations", names));
    }
    if (item.tags.empty()) index_.push_back(descriptor_value(media_type::kOciManifest, manifest_blob));
    docker_.push_back(Value::object({{"Config", blob_path(config_blob.digest)},
                                     {"RepoTags", Value::list(std::move(tags))},
                                     {"Layers", Value::list(std::move(paths))}}));
    return {};
  }

  Result<void> write_text(const std::string& path, const std::string& text) {
    TarEntry entry;
    entry.path = path;
    entry.mode = 0644;
    entry.size = static_cast<int64_t>(text.size());
    TextSource content(text);
    return writer_.add(entry, &content);
  }

  Result<void> write_layer(const std::string& key, const Blob& blob) {
    TarEntry entry;
    entry.path = blob_path(blob.digest);
    entry.mode = 0644;
    entry.size = blob.size;
    TRY_VOID(writer_.begin(entry));
    auto sink = [this](std::string_view bytes) { return writer_.write(bytes); };
    return write_layer_tar(store_.layer_path(key), sink, cancelled_);
  }

  const Store& store_;
  TarWriter& writer_;
  const std::atomic<bool>* cancelled_;
  std::map<std::string, Blob> layers_;  // by key
  std::map<std::string, std::string> documents_;
  std::vector<Value> index_, docker_;
};

Result<bool> has_ascii_names(const std::string& directory) {
  bool ascii = true;
  auto look = [&](const TreeNode& node) -> Result<void> {
    std::string text = node.name;
    if (S_ISLNK(node.info.st_mode)) {
      TRY(std::string target, link_target(node));
      text += target;
    }
    for (char c : text) ascii = ascii && static_cast<unsigned char>(c) < 0x80;
    return {};
  };
  TRY_VOID(walk_tree(directory, look));
  return ascii;
}

}  // namespace

Result<void> write_layer_tar(const std::string& directory, TarWriter::Sink sink, const std::atomic<bool>* cancelled) {
  TRY(bool ascii, has_ascii_names(directory));
  TRY(auto writer, TarWriter::open(std::move(sink), ascii ? TarWriter::Names::ascii : TarWriter::Names::bytes));
  LayerTar tar(*writer, cancelled);
  TRY_VOID(walk_tree(directory, [&](const TreeNode& node) { return tar.add(node); }));
  return writer->finish();
}

Result<void> export_images(const Store& store, const std::vector<ExportItem>& items, TarWriter::Sink sink,
                           const std::atomic<bool>* cancelled) {
  TRY(auto writer, TarWriter::open(std::move(sink), TarWriter::Names::ascii));
  Exporter exporter(store, *writer, cancelled);
  return exporter.run(items);
}

}  // namespace orch::runtime::images
