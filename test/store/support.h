#pragma once
// What the store's tests share: a directory that goes away, objects, stamps.

#include <cstdlib>
#include <filesystem>
#include <string>

#include "data/json.h"
#include "store/store.h"

namespace orch::test {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "orch-store-XXXXXX").string();
    if (!::mkdtemp(name.data())) std::abort();
    path_ = name;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  std::string path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline Value stamp(const Value& value, store::Revision revision) {
  return value.with_path({"metadata", "resourceVersion"}, Value(std::to_string(revision)));
}

inline Value small(const std::string& text) {
  return Value::object({{"metadata", Value::empty_object()}, {"text", Value(text)}});
}

// A pod as the API keeps it: 3 KB of JSON.
Value pod(const std::string& name);

}  // namespace orch::test
