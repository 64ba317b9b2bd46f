#pragma once
// What the JSON and the YAML parser share: the list of duplicate fields as strict decoding words it.

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
  void add(const std::string& path);

 private:
  std::vector<std::string>* out_;
  std::unordered_set<std::string> seen_;
};

}  // namespace orch
