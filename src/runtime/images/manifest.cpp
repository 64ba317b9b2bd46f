#include "runtime/images/manifest.h"

#include <algorithm>

#include "base/text.h"
#include "data/image_reference.h"
#include "data/json.h"

namespace orch::runtime::images {

namespace {

constexpr size_t kMaxLayers = 1000;  // overlayfs takes 500
constexpr size_t kMaxIndex = 10'000;
constexpr std::string_view kSchema1 = "application/vnd.docker.distribution.manifest.v1+";

Error invalid(std::string message) { return Error::make(Code::invalid, std::move(message)); }

Result<Value> parse_object(std::string_view text, std::string_view what) {
  JsonOptions options;
  options.max_depth = 100;
  auto value = parse_json(text, options);
  if (!value.ok()) return std::move(value).error().with_code(Code::invalid).with_context(what);
  if (!value->is_object()) return invalid(std::string(what) + ": not a JSON object");
  return value;
}

Platform platform_of(const Value& value) {
  Platform platform;
  platform.os = value["os"].as_string();
  platform.architecture = value["architecture"].as_string();
  platform.variant = value["variant"].as_string();
  return normalise(std::move(platform));
}

Result<Descriptor> descriptor_of(const Value& value, std::string_view what) {
  Descriptor descriptor;
  descriptor.media_type = value["mediaType"].as_string();
  descriptor.digest = value["digest"].as_string();
  descriptor.size = value["size"].as_int(-1);
  if (!is_sha256_digest(descriptor.digest)) {
    return invalid(std::string(what) + ": " + quote(descriptor.digest) + " is no sha256 digest");
  }
  if (descriptor.size < 0) return invalid(std::string(what) + ": no size");
  if (value["platform"].is_object()) descriptor.platform = platform_of(value["platform"]);
  descriptor.ref_name = value["annotations"]["org.opencontainers.image.ref.name"].as_string();
  descriptor.image_name = value["annotations"]["io.containerd.image.name"].as_string();
  return descriptor;
}

Result<Manifest> manifest_of(const Value& document) {
  Manifest manifest;
  TRY(manifest.config, descriptor_of(document["config"], "manifest: config"));
  if (document["layers"].size() > kMaxLayers) return invalid("manifest: too many layers");
  for (const Value& layer : document["layers"].items()) {
    TRY(Descriptor descriptor, descriptor_of(layer, "manifest: layer"));
    manifest.layers.push_back(std::move(descriptor));
  }
  return manifest;
}

Result<std::vector<Descriptor>> index_of(const Value& document) {
  std::vector<Descriptor> index;
  if (document["manifests"].size() > kMaxIndex) return invalid("index: too many manifests");
  for (const Value& entry : document["manifests"].items()) {
    TRY(Descriptor descriptor, descriptor_of(entry, "index"));
    index.push_back(std::move(descriptor));
  }
  return index;
}

// 0: none; "v7" is 7, "v8.2" is 8.
int variant_number(const std::string& variant) {
  size_t at = variant.starts_with('v') ? 1 : 0;
  int number = 0;
  for (; at < variant.size() && variant[at] >= '0' && variant[at] <= '9' && number < 100; ++at) number = number * 10 + (variant[at] - '0');
  return number;
}

}  // namespace

std::string Platform::text() const {
  std::string text = os + "/" + architecture;
  return variant.empty() ? text : text + "/" + variant;
}

Platform normalise(Platform platform) {
  if (platform.architecture == "x86_64" || platform.architecture == "x86-64") platform.architecture = "amd64";
  if (platform.architecture == "aarch64") platform.architecture = "arm64";
  if (platform.architecture == "armhf") platform.architecture = "arm";
  if (platform.architecture == "arm" && platform.variant.empty()) platform.variant = "v7";
  if (platform.architecture == "arm64" && (platform.variant == "v8" || platform.variant == "8")) platform.variant.clear();
  if (platform.architecture == "amd64" && platform.variant == "v1") platform.variant.clear();
  return platform;
}

Platform host_platform() {
  Platform platform;
  platform.os = "linux";
#if defined(__x86_64__)
  platform.architecture = "amd64";
#elif defined(__aarch64__)
  platform.architecture = "arm64";
#elif defined(__arm__)
  platform.architecture = "arm";
#elif defined(__riscv)
  platform.architecture = "riscv64";
#elif defined(__powerpc64__)
  platform.architecture = "ppc64le";
#elif defined(__s390x__)
  platform.architecture = "s390x";
#else
  platform.architecture = "unknown";
#endif
  return normalise(std::move(platform));
}

Result<ManifestDocument> parse_manifest(std::string_view text) {
  TRY(Value document, parse_object(text, "manifest"));
  ManifestDocument parsed;
  std::string_view type = document["mediaType"].as_string();
  if (document["schemaVersion"].as_int() == 1 || type.starts_with(kSchema1)) {
    return invalid("manifest: schema 1 is no longer supported; push the image again with a current tool");
  }
  if (document["schemaVersion"].as_int() != 2) return invalid("manifest: not of schema version 2");
  // Not both: what could be read in two ways is refused (CVE-2021-41190).
  bool is_index = document.has("manifests");
  bool is_manifest = document.has("layers") || document.has("config");
  if (is_index && is_manifest) return invalid("manifest: both an index and a manifest");
  bool contradicts = (is_index && (type == media_type::kOciManifest || type == media_type::kDockerManifest)) ||
                     (is_manifest && (type == media_type::kOciIndex || type == media_type::kDockerList));
  if (contradicts) return invalid("manifest: its media type says something else than its fields");
  if (is_index) {
    TRY(parsed.index, index_of(document));
  } else {
    TRY(Manifest manifest, manifest_of(document));
    parsed.manifest = std::move(manifest);
  }
  return parsed;
}

Result<ImageConfig> parse_image_config(std::string_view text) {
  ImageConfig config;
  TRY(config.document, parse_object(text, "image configuration"));
  config.platform = platform_of(config.document);
  for (const Value& id : config.document["rootfs"]["diff_ids"].items()) {
    if (!is_sha256_digest(id.as_string())) {
      return invalid("image configuration: rootfs.diff_ids: " + quote(id.as_string()) + " is no sha256 digest");
    }
    config.diff_ids.emplace_back(id.as_string());
  }
  return config;
}

bool runs_on(const Platform& host, const Platform& offered) {
  if (host.os != offered.os || host.architecture != offered.architecture) return false;
  if (host.architecture == "arm") return variant_number(offered.variant) <= variant_number(host.variant);
  return offered.variant.empty() || offered.variant == host.variant;
}

const Descriptor* choose_platform(const std::vector<Descriptor>& index, const Platform& wanted) {
  const Descriptor* best = nullptr;
  for (const Descriptor& entry : index) {
    if (!entry.platform || !runs_on(wanted, *entry.platform)) continue;
    if (!best || variant_number(entry.platform->variant) > variant_number(best->platform->variant)) best = &entry;
  }
  if (!best && index.size() == 1 && !index[0].platform) return index.data();
  return best;
}

Result<std::vector<ArchivedImage>> parse_docker_archive(std::string_view text) {
  auto document = parse_json(text);
  if (!document.ok()) return std::move(document).error().with_code(Code::invalid).with_context("manifest.json");
  if (!document->is_list()) return invalid("manifest.json: not a list of images");
  std::vector<ArchivedImage> images;
  for (const Value& entry : document->items()) {
    ArchivedImage image;
    image.config = entry["Config"].as_string();
    for (const Value& tag : entry["RepoTags"].items()) image.tags.emplace_back(tag.as_string());
    for (const Value& layer : entry["Layers"].items()) image.layers.emplace_back(layer.as_string());
    if (image.config.empty()) return invalid("manifest.json: an image without Config");
    if (image.layers.size() > kMaxLayers) return invalid("manifest.json: too many layers");
    images.push_back(std::move(image));
  }
  return images;
}

}  // namespace orch::runtime::images
