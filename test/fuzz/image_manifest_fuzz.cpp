// Manifests, indexes, image configurations, docker archives' indexes and login challenges: no input does harm, and a
// manifest that is read has only digests that can be checked.

#include <cstdint>
#include <cstdlib>

#include "data/image_reference.h"
#include "runtime/images/manifest.h"
#include "runtime/images/registry.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace orch::runtime::images;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto manifest = parse_manifest(text);
  if (manifest.ok() && manifest->manifest) {
    if (!orch::is_sha256_digest(manifest->manifest->config.digest)) std::abort();
    for (const Descriptor& layer : manifest->manifest->layers) {
      if (!orch::is_sha256_digest(layer.digest) || layer.size < 0) std::abort();
    }
  }
  if (manifest.ok()) (void)choose_platform(manifest->index, host_platform());
  (void)parse_image_config(text);
  (void)parse_docker_archive(text);
  (void)parse_challenges(text);
  (void)split_url(text);
  return 0;
}
