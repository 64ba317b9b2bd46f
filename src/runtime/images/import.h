#pragma once
// Images from files: OCI layouts (a directory or a tar of one), Docker archives (`docker save`), and a bare root
// file system as a tar; tars plain or packed with gzip or zstd. Blocking; for worker threads.
//
// A tar is read twice and nothing of it is copied: first its names and small documents, which tell what it
// is, then each layer is unpacked where it comes by.

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "runtime/images/manifest.h"
#include "runtime/images/store.h"

namespace orch::runtime::images {

struct ImportOptions {
  // What to call the image; needed where the file does not say. Of several images in one archive, those without
  // a name of their own in it become `name` without its tag and the tag the archive has for them.
  std::string name;
  bool pinned = false;
  Platform platform = host_platform();
  Instant now;
  const std::atomic<bool>* cancelled = nullptr;
};

struct Imported {
  std::string id;
  std::vector<std::string> names;  // the tags it got
};

// Errors: Code::invalid (what the file is not, or which layer and entry is wrong), Code::not_found, Code::io.
Result<std::vector<Imported>> import_images(Store& store, const std::string& path, const ImportOptions& options);

}  // namespace orch::runtime::images
