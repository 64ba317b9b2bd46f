#pragma once
// What the JSON and the YAML parser share: the list of duplicate fields as strict decoding words it.

#include <cstddef>
#include <string>
#include <unordered_set>
#include <vector>

namespace orch {

// Collects `duplicate field "spec.replicas"`, each path once and at most 100 in all, as
// apimachinery's strict decoding does.
class DuplicateFields {
 public:
  explicit DuplicateFields(std::vector<std::string>* out) : out_(out) {}
  explicit operator bool() const { return out_ != nullptr; }
  // Nothing more will be taken. Also after many repeats, so that a text made of them costs little.
  bool full() const { return !out_ || out_->size() >= 100 || noticed_ > 10'000; }
  void add(const std::string& path);

 private:
  size_t noticed_ = 0;
  std::vector<std::string>* out_;
  std::unordered_set<std::string> seen_;
};

}  // namespace orch
