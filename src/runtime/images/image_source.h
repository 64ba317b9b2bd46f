#pragma once
// Where the files of an OCI layout or Docker archive are: a directory, or a tar that is read from its beginning
// to its end each time. Room-private.

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "runtime/images/byte_source.h"

namespace orch::runtime::images {

class ImageSource {
 public:
  static Result<std::unique_ptr<ImageSource>> open(const std::string& path, const std::atomic<bool>* cancelled);
  virtual ~ImageSource() = default;
  // It has files of a root file system, and none of an image's description.
  virtual bool is_bare() const = 0;
  virtual bool has(const std::string& name) const = 0;
  // A small file. Errors: Code::not_found.
  virtual Result<std::string> document(const std::string& name) = 0;
  // Calls `take` for each of these files, in the order they come, each once. Missing ones are an error.
  using Take = std::function<Result<void>(const std::string& name, ByteSource& content)>;
  virtual Result<void> each(const std::set<std::string>& names, const Take& take) = 0;
};

}  // namespace orch::runtime::images
