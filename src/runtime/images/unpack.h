#pragma once
// A layer's tar becomes a directory that overlayfs can take as it is (kernel: filesystems/overlayfs.rst):
// ".wh.x" is a character device 0/0 called x, ".wh..wh..opq" the attribute trusted.overlay.opaque of its
// directory. Blocking; for worker threads.
//
// Nothing is made outside the directory, whatever the archive says: every path is resolved by the kernel
// with the directory as its root (openat2, RESOLVE_IN_ROOT). A name that climbs out with ".." is an error;
// one that begins with "/" counts from the layer's root, as with every other runtime.
//
// Devices are made as the archive says; a container reaches only those its device rules allow.

#include <atomic>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/images/byte_source.h"

namespace orch::runtime::images {

struct UnpackLimits {
  int64_t entries = 2'000'000;
  int64_t bytes = int64_t{64} << 30;      // of the files' content
  int64_t keep_free = int64_t{64} << 20;  // bytes that stay free on the file system
};

// What the layer must turn out to be; "" for whatever it is.
struct ExpectedLayer {
  std::string diff_id, blob_digest;
};

struct UnpackedLayer {
  std::string diff_id;      // of the tar, uncompressed
  std::string blob_digest;  // of the bytes as they came
  int64_t blob_size = 0;
  int64_t entries = 0;
  // Directories the tar has no entry for, though it puts something into them: their owner and mode are
  // those of the layer below. Parents first.
  std::vector<std::string> implied;
  bool complete_tar = false;  // it had its end mark
};

// `directory` exists and is empty. `cancelled` may be null. Errors: Code::invalid (the archive, with the entry's
// name, or another digest than expected, in containerd's words), Code::io, Code::cancelled.
Result<UnpackedLayer> unpack_layer(ByteSource& source, const std::string& directory, const ExpectedLayer& expected,
                                   const UnpackLimits& limits, const std::atomic<bool>* cancelled);

}  // namespace orch::runtime::images
