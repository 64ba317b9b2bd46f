#pragma once
// Images as one tar that both `docker load` and OCI tools read: an OCI layout with the manifest.json of a Docker
// archive beside it. Blocking; for worker threads.
//
// The store keeps layers unpacked, so their tars are made anew: the content is the same, the bytes, and with
// them digests and the image's id, need not be those of the registry.

#include <atomic>
#include <string>
#include <vector>

#include "runtime/images/archive.h"
#include "runtime/images/store.h"

namespace orch::runtime::images {

struct ExportItem {
  Record record;
  std::vector<std::string> tags;  // what to call it in the archive
};

Result<void> export_images(const Store& store, const std::vector<ExportItem>& items, TarWriter::Sink sink,
                           const std::atomic<bool>* cancelled);

// A layer's directory as the tar of a layer: whiteouts in the image spec's form again.
Result<void> write_layer_tar(const std::string& directory, TarWriter::Sink sink, const std::atomic<bool>* cancelled);

}  // namespace orch::runtime::images
