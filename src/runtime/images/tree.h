#pragma once
// Directory trees of layers: resolving inside, walking, identifying, removing. Blocking.

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "runtime/images/fd.h"

namespace orch::runtime::images {

// openat2(2) with `root` as the file system's root: "..", absolute and symbolic links stay inside. -1 and
// errno on failure.
int open_in_root(int root, const std::string& path, int flags);
// The same, and any symbolic link on the way is an error (ELOOP).
int open_without_links(int root, const std::string& path, int flags);

struct TreeNode {
  std::string path;  // relative, "a/b"; "" the root itself
  struct stat info;
  int parent = -1;   // open directory; of the root: the root itself
  std::string name;  // in `parent`; "." for the root
};
// Every node, a directory before what is in it, names in bytewise order.
Result<void> walk_tree(const std::string& root, const std::function<Result<void>(const TreeNode&)>& visit);

struct TreeSummary {
  std::string digest;  // of every path, type, owner, mode, size, time and link
  int64_t bytes = 0;   // on disk
  int64_t entries = 0;
};
Result<TreeSummary> summarise_tree(const std::string& root);

// Overlay's own and other extended attributes; symbolic links are not followed.
std::vector<std::pair<std::string, std::string>> read_xattrs(int parent, const std::string& name);
Result<void> write_xattr(int parent, const std::string& name, const std::string& key, const std::string& value);

// As far as it goes; what is in the way (a directory without rights, a mount) is left and reported.
Result<void> remove_tree(const std::string& path);

Result<void> make_directories(const std::string& path, unsigned mode);
Result<void> sync_directory(const std::string& path);
Result<void> sync_file_system(const std::string& path);  // syncfs(2)

}  // namespace orch::runtime::images
