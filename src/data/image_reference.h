#pragma once
// Names of container images, read and normalised as Docker's distribution library does:
// "busybox" is "docker.io/library/busybox:latest". Pure.

#include <string>
#include <string_view>

#include "base/result.h"

namespace orch {

struct ImageReference {
  std::string registry;    // "docker.io", "localhost:5000"
  std::string repository;  // "library/busybox"
  std::string tag;         // "latest"; "" where only a digest is given
  std::string digest;      // "sha256:..." or ""

  std::string name() const { return registry + "/" + repository; }
  // The canonical text: name, then ":tag", then "@digest", as far as they are given.
  std::string text() const;
  bool operator==(const ImageReference&) const = default;
};

// The tag is "latest" where neither tag nor digest is given. Errors: Code::invalid, in the words of
// the library ("invalid reference format: repository name must be lowercase").
Result<ImageReference> parse_image_reference(std::string_view text);

// "sha256:" and 64 lower-case hexadecimal digits (the one algorithm registries use).
bool is_sha256_digest(std::string_view text);

}  // namespace orch
