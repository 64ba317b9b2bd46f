#include "runtime/images/import.h"

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "data/image_reference.h"
#include "data/json.h"
#include "runtime/images/archive.h"
#include "runtime/images/digest.h"
#include "runtime/images/image_source.h"

namespace orch::runtime::images {

namespace {

constexpr int kMaxIndexDepth = 4;

Error invalid(std::string message) { return Error::make(Code::invalid, std::move(message)); }

// One image of an archive, before its layers are there.
struct Candidate {
  Record record;
  ImageConfig config;
  std::vector<std::string> files;         // of the layers in the archive, bottom first
  std::vector<std::string> blob_digests;  // "" where not told
  std::vector<std::string> own_names;     // tags from the archive, as written there
};

std::string blob_path(const std::string& digest) { return "blobs/sha256/" + std::string(digest_hex(digest)); }

// In an OCI layout a name may be a tag alone.
bool is_bare_tag(const std::string& text) { return text.find_first_of(":/@") == std::string::npos; }

class Importer {
 public:
  Importer(Store& store, ImageSource& source, const ImportOptions& options)
      : store_(store), source_(source), options_(options), hold_(store) {}

  Result<std::vector<Imported>> run();

 private:
  Result<void> read_docker_archive();
  Result<void> read_layout();
  Result<void> read_index(const std::vector<Descriptor>& index, const Descriptor* named, int depth);
  Result<void> read_manifest(const Descriptor& from, const Descriptor& named, int depth);
  Result<void> add(Candidate candidate);
  Result<void> name(Candidate& candidate, size_t count);
  Result<void> unpack_layers();
  Result<void> place_layers(Candidate& candidate);
  Result<std::string> checked_blob(const std::string& digest);

  Store& store_;
  ImageSource& source_;
  const ImportOptions& options_;
  Store::Hold hold_;
  std::vector<Candidate> candidates_;
  std::map<std::string, StagedLayer> staged_;  // by diff id
  std::string other_platform_;                 // of an image that was passed over
};

Result<void> Importer::read_docker_archive() {
  TRY(std::string text, source_.document("manifest.json"));
  TRY(auto images, parse_docker_archive(text));
  for (ArchivedImage& image : images) {
    Candidate candidate;
    TRY(candidate.record.config, source_.document(image.config));
    candidate.files = std::move(image.layers);
    candidate.blob_digests.resize(candidate.files.size());
    for (std::string& tag : image.tags) {
      // Whole names, unlike the reference names of an OCI layout.
      candidate.own_names.push_back(is_bare_tag(tag) ? tag + ":latest" : std::move(tag));
    }
    TRY_VOID(add(std::move(candidate)));
  }
  return {};
}

Result<void> Importer::read_layout() {
  TRY(std::string text, source_.document("index.json"));
  auto document = parse_manifest(text);
  if (!document.ok()) return std::move(document).error().with_context("index.json");
  return read_index(document->index, nullptr, 0);
}

// `named`: the entry above that has the name; at the top every entry is an image of its own.
Result<void> Importer::read_index(const std::vector<Descriptor>& index, const Descriptor* named, int depth) {
  if (depth > kMaxIndexDepth) return invalid("indexes inside indexes, too deep");
  if (named) {
    const Descriptor* chosen = choose_platform(index, options_.platform);
    if (!chosen) {
      for (const Descriptor& entry : index) {
        if (entry.platform) other_platform_ = entry.platform->text();
      }
      return {};
    }
    return read_manifest(*chosen, *named, depth);
  }
  for (const Descriptor& entry : index) {
    if (entry.platform && !runs_on(options_.platform, *entry.platform)) {
      other_platform_ = entry.platform->text();
      continue;
    }
    TRY_VOID(read_manifest(entry, entry, depth));
  }
  return {};
}

Result<std::string> Importer::checked_blob(const std::string& digest) {
  TRY(std::string text, source_.document(blob_path(digest)));
  std::string actual = sha256_digest(text);
  if (actual != digest) return invalid("unexpected digest " + actual + ", expected " + digest);
  return text;
}

Result<void> Importer::read_manifest(const Descriptor& from, const Descriptor& named, int depth) {
  TRY(std::string text, checked_blob(from.digest));
  TRY(ManifestDocument document, parse_manifest(text));
  if (!document.manifest) return read_index(document.index, &named, depth + 1);
  Candidate candidate;
  TRY(candidate.record.config, checked_blob(document.manifest->config.digest));
  candidate.record.manifest = std::move(text);
  candidate.record.manifest_type = from.media_type;
  for (const Descriptor& layer : document.manifest->layers) {
    candidate.files.push_back(blob_path(layer.digest));
    candidate.blob_digests.push_back(layer.digest);
  }
  if (!named.image_name.empty()) {
    candidate.own_names.push_back(named.image_name);
  } else if (!named.ref_name.empty()) {
    candidate.own_names.push_back(named.ref_name);
  }
  return add(std::move(candidate));
}

Result<void> Importer::add(Candidate candidate) {
  TRY(candidate.config, parse_image_config(candidate.record.config));
  candidate.record.id = sha256_digest(candidate.record.config);
  const Platform& platform = candidate.config.platform;
  if (!platform.architecture.empty() && !runs_on(options_.platform, platform)) {
    other_platform_ = platform.text();
    return {};
  }
  if (candidate.config.diff_ids.size() != candidate.files.size()) {
    return invalid("image " + candidate.record.id + " has " + std::to_string(candidate.files.size()) +
                   " layers, its configuration " + std::to_string(candidate.config.diff_ids.size()));
  }
  // The same image again, under another name.
  for (Candidate& other : candidates_) {
    if (other.record.id != candidate.record.id) continue;
    other.own_names.insert(other.own_names.end(), candidate.own_names.begin(), candidate.own_names.end());
    return {};
  }
  candidates_.push_back(std::move(candidate));
  return {};
}

Result<void> Importer::name(Candidate& candidate, size_t count) {
  std::vector<std::string> names;
  std::optional<ImageReference> given;
  if (!options_.name.empty()) {
    TRY(given, parse_image_reference(options_.name));
  }
  if (given && count == 1) {
    names.push_back(given->text());
  } else {
    for (const std::string& text : candidate.own_names) {
      if (is_bare_tag(text)) {
        if (given) names.push_back(given->name() + ":" + text);
        continue;
      }
      auto reference = parse_image_reference(text);
      if (!reference.ok()) return std::move(reference).error().with_context("the archive calls its image " + quote(text));
      names.push_back(reference->text());
    }
  }
  if (names.empty()) return invalid("the archive does not say what its image is called; give it a name with --name");
  for (const std::string& text : names) {
    TRY(ImageReference reference, parse_image_reference(text));
    if (!candidate.record.manifest.empty()) {
      candidate.record.digests.push_back(reference.name() + "@" + sha256_digest(candidate.record.manifest));
    }
    if (!reference.tag.empty()) candidate.record.tags.push_back(reference.name() + ":" + reference.tag);
  }
  return {};
}

// Reads the archive once and unpacks each layer that is not there yet.
Result<void> Importer::unpack_layers() {
  std::map<std::string, ExpectedLayer> wanted;  // by file
  for (const Candidate& candidate : candidates_) {
    std::string chain;
    for (size_t i = 0; i < candidate.files.size(); ++i) {
      const std::string& diff = candidate.config.diff_ids[i];
      chain = chain_id(chain, diff);
      auto there = store_.find_layer(diff, chain);
      if (there) hold_.add(there->key);
      if (there && store_.find_layer(diff, chain)) continue;
      bool planned = std::ranges::any_of(wanted, [&](const auto& entry) { return entry.second.diff_id == diff; });
      if (!planned) wanted[candidate.files[i]] = ExpectedLayer{diff, candidate.blob_digests[i]};
    }
  }
  std::set<std::string> files;
  for (const auto& [file, layer] : wanted) files.insert(file);
  if (files.empty()) return {};
  return source_.each(files, [&](const std::string& file, ByteSource& content) -> Result<void> {
    const ExpectedLayer& layer = wanted[file];
    auto staged = store_.unpack(content, layer, options_.cancelled);
    if (!staged.ok()) return std::move(staged).error().with_context("layer " + layer.diff_id);
    staged_.emplace(layer.diff_id, std::move(*staged));
    return {};
  });
}

Result<void> Importer::place_layers(Candidate& candidate) {
  std::string chain;
  for (const std::string& diff : candidate.config.diff_ids) {
    chain = chain_id(chain, diff);
    auto there = store_.find_layer(diff, chain);
    if (!there) {
      auto staged = staged_.find(diff);
      if (staged == staged_.end()) {  // used up by another stack that it depends on (Store::commit)
        TRY_VOID(unpack_layers());
        staged = staged_.find(diff);
      }
      if (staged == staged_.end()) return Error::make(Code::internal, "layer " + diff + " was not unpacked");
      StagedLayer layer = std::move(staged->second);
      staged_.erase(staged);
      TRY(there, store_.commit(std::move(layer), chain, candidate.record.layers));
    }
    hold_.add(there->key);
    candidate.record.layers.push_back(there->key);
  }
  return {};
}

Result<std::vector<Imported>> Importer::run() {
  if (source_.has("index.json") && source_.has("oci-layout")) {
    TRY_VOID(read_layout());
  } else {
    TRY_VOID(read_docker_archive());
  }
  // `docker save` writes both; the names are in the Docker part.
  bool nameless = std::ranges::any_of(candidates_, [](const Candidate& candidate) {
    return std::ranges::all_of(candidate.own_names, is_bare_tag);
  });
  if (nameless && source_.has("manifest.json")) TRY_VOID(read_docker_archive());
  if (candidates_.empty()) {
    if (other_platform_.empty()) return invalid("the archive has no image");
    return invalid("no match for platform in manifest: the archive has an image for " + other_platform_ + ", this node is " +
                   options_.platform.text());
  }
  for (Candidate& candidate : candidates_) TRY_VOID(name(candidate, candidates_.size()));
  TRY_VOID(unpack_layers());
  std::vector<Imported> imported;
  for (Candidate& candidate : candidates_) {
    TRY_VOID(place_layers(candidate));
    candidate.record.pinned = options_.pinned;
    candidate.record.stored_at = candidate.record.last_used = options_.now;
    TRY_VOID(store_.put(candidate.record));
    imported.push_back(Imported{candidate.record.id, candidate.record.tags});
  }
  return imported;
}

// A root file system becomes an image of one layer that says nothing about what to run. Its id depends on its
// content alone, so that importing it again changes nothing.
Result<std::vector<Imported>> import_root(Store& store, const std::string& path, const ImportOptions& options) {
  if (options.name.empty()) {
    return invalid("this is neither an OCI layout nor a Docker archive; for the tar of a root file system say what the image "
                   "is called, with --name");
  }
  TRY(ImageReference reference, parse_image_reference(options.name));
  if (reference.tag.empty()) return invalid("an image that is imported needs a tag, not a digest: " + options.name);
  TRY(auto file, FileSource::open(path));
  Store::Hold hold(store);
  TRY(StagedLayer staged, store.unpack(*file, ExpectedLayer(), options.cancelled));
  if (staged.unpacked.entries == 0) return invalid("the archive is empty");
  if (!staged.unpacked.complete_tar) return invalid("the archive is truncated: its end mark is missing");
  std::string diff = staged.unpacked.diff_id;
  TRY(Layer layer, store.commit(std::move(staged), diff, {}));
  hold.add(layer.key);
  Value environment = Value::list({Value("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")});
  Value root = Value::object({{"type", "layers"}, {"diff_ids", Value::list({Value(diff)})}});
  Record record;
  record.config = format_json(Value::object({{"architecture", options.platform.architecture},
                                             {"os", options.platform.os},
                                             {"config", Value::object({{"Env", environment}})},
                                             {"rootfs", root}}));
  record.id = sha256_digest(record.config);
  record.tags = {reference.text()};
  record.layers = {layer.key};
  record.pinned = options.pinned;
  record.stored_at = record.last_used = options.now;
  TRY_VOID(store.put(record));
  return std::vector<Imported>{Imported{record.id, record.tags}};
}

}  // namespace

Result<std::vector<Imported>> import_images(Store& store, const std::string& path, const ImportOptions& options) {
  TRY(auto source, ImageSource::open(path, options.cancelled));
  if (source->is_bare()) return import_root(store, path, options);
  Importer importer(store, *source, options);
  return importer.run();
}

}  // namespace orch::runtime::images
