#pragma once
// What registries and archives say about an image: manifests, indexes, configurations (OCI image spec; Docker
// image manifest version 2, schema 2) and the index of a Docker archive. Pure: documents in, values out.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/value.h"

namespace orch::runtime::images {

namespace media_type {
constexpr std::string_view kOciManifest = "application/vnd.oci.image.manifest.v1+json";
constexpr std::string_view kOciIndex = "application/vnd.oci.image.index.v1+json";
constexpr std::string_view kOciConfig = "application/vnd.oci.image.config.v1+json";
constexpr std::string_view kOciLayer = "application/vnd.oci.image.layer.v1.tar";
constexpr std::string_view kDockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
constexpr std::string_view kDockerList = "application/vnd.docker.distribution.manifest.list.v2+json";
}  // namespace media_type

struct Platform {
  std::string os, architecture, variant;  // "linux", "arm64", "v8"; Go's words
  bool operator==(const Platform&) const = default;
  std::string text() const;  // "linux/arm64/v8"
};
// That of this program.
Platform host_platform();
// With the variants that are meant where none is said: arm is v7, arm64 has none but v8.
Platform normalise(Platform platform);

struct Descriptor {
  std::string media_type;
  std::string digest;
  int64_t size = 0;
  std::optional<Platform> platform;
  std::string ref_name;    // annotation org.opencontainers.image.ref.name
  std::string image_name;  // annotation io.containerd.image.name
};

struct Manifest {
  Descriptor config;
  std::vector<Descriptor> layers;  // bottom first
};

// One of both: what a manifest's URL or blob can be.
struct ManifestDocument {
  std::optional<Manifest> manifest;
  std::vector<Descriptor> index;  // where it is an index or manifest list
};
// Errors: Code::invalid, with what is wrong; of schema 1, that it is no longer supported.
Result<ManifestDocument> parse_manifest(std::string_view text);

struct ImageConfig {
  Value document;
  std::vector<std::string> diff_ids;  // bottom first
  Platform platform;
};
Result<ImageConfig> parse_image_config(std::string_view text);

// The best entry for a platform: its own variant, else the greatest lower one (an arm/v7 runs v6). An entry
// without a platform is taken when there is nothing better and it is the only one. Null: no match.
const Descriptor* choose_platform(const std::vector<Descriptor>& index, const Platform& wanted);
// An image for `offered` runs on `host`.
bool runs_on(const Platform& host, const Platform& offered);

// manifest.json of `docker save`.
struct ArchivedImage {
  std::string config;                   // path in the archive
  std::vector<std::string> tags;
  std::vector<std::string> layers;      // paths, bottom first
};
Result<std::vector<ArchivedImage>> parse_docker_archive(std::string_view text);

}  // namespace orch::runtime::images
