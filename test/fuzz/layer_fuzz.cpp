// Layers: whatever the archive says is made inside the directory it is unpacked into, or refused.

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cstdint>
#include <cstdlib>
#include <string>

#include "runtime/images/tree.h"
#include "runtime/images/unpack.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

int count_entries(const std::string& path) {
  DIR* directory = ::opendir(path.c_str());
  if (!directory) std::abort();
  int count = 0;
  while (::readdir(directory)) ++count;
  ::closedir(directory);
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace orch::runtime::images;
  char around[] = "/tmp/orch-layer-fuzz-XXXXXX";
  if (!::mkdtemp(around)) std::abort();
  std::string root = std::string(around) + "/root";
  if (::mkdir(root.c_str(), 0755) != 0) std::abort();
  UnpackLimits limits;
  limits.entries = 200;
  limits.bytes = 1 << 20;
  TextSource source(std::string_view(reinterpret_cast<const char*>(data), size));
  (void)unpack_layer(source, root, ExpectedLayer(), limits, nullptr);
  if (count_entries(around) != 3) std::abort();  // ".", ".." and the root
  if (!remove_tree(around).ok()) std::abort();
  return 0;
}
