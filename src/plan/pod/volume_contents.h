#pragma once
// The files of configMap, secret, downwardAPI and projected volumes. Pure.

#include <string>
#include <vector>

#include "plan/pod/downward.h"
#include "plan/pod/references.h"

namespace orch::plan::pod {

struct VolumeFile {
  std::string path;  // below the volume: "a/b", no "." or ".."
  std::string content;
  unsigned mode = 0644;
  bool operator==(const VolumeFile&) const = default;
};

// Is it one of those four?
bool has_contents(const Value& volume);
// Sorted by path, each once (the last of several wins). Code::invalid with the text for FailedMount.
Result<std::vector<VolumeFile>> volume_contents(const PodView& pod, const Value& volume, const ResolvedReferences& references,
                                                const Surroundings& around);

}  // namespace orch::plan::pod
