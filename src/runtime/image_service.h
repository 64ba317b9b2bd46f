#pragma once
// ImageService: images as the node agent sees them. The implementation is images/ (a content-addressed
// store under <data-dir>/agent/images); tests have one in memory.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/value.h"
#include "loop/task.h"

namespace orch::runtime {

struct Image {
  std::string id;                           // digest of its configuration: "sha256:..."
  std::vector<std::string> tags;            // "docker.io/library/busybox:latest"
  std::vector<std::string> digests;         // "docker.io/library/busybox@sha256:..."
  Value config;                             // the OCI image configuration's document
  std::vector<std::string> layers;          // unpacked directories, topmost first
  int64_t size_bytes = 0;
  bool pinned = false;                      // never collected
};

struct RegistryCredentials {
  std::string server;  // "https://index.docker.io/v1/", "registry.example.org:5000"
  std::string username, password;
  std::string identity_token, registry_token;
};

class ImageService {
 public:
  virtual ~ImageService() = default;
  // `reference` as users write it ("busybox", "nginx:1.25", "r.example:5000/a/b@sha256:...", or an image id).
  virtual std::optional<Image> find(std::string_view reference) const = 0;
  virtual std::vector<Image> list() const = 0;
  // From its registry (or a mirror). Calls for one image are one pull. Errors say which server and what it
  // answered; Code::not_found, unauthorized, invalid (digest), unavailable.
  virtual loop::Task<Image> pull(std::string reference, std::vector<RegistryCredentials> credentials) = 0;
  virtual loop::Task<void> remove(std::string reference) = 0;
  // Images (by id) that may not be collected, because containers use them.
  virtual void set_in_use(std::vector<std::string> ids) = 0;
  // Bytes on the file system that holds the images.
  struct DiskUsage {
    int64_t capacity_bytes = 0, available_bytes = 0, images_bytes = 0;
  };
  virtual loop::Task<DiskUsage> disk_usage() = 0;
  // Removes the images unused for the longest time until `bytes` are free; returns how many were freed.
  virtual loop::Task<int64_t> collect(int64_t bytes) = 0;
};

}  // namespace orch::runtime
