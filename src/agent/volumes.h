#pragma once
// Makes a pod's directory and its volumes on disk. Blocking: for offloaded work.

#include <optional>
#include <string>
#include <vector>

#include "plan/pod/node_paths.h"
#include "plan/pod/outcomes.h"
#include "plan/pod/volume_contents.h"

namespace orch::agent {

// Files of a volume, changed all at once (kubelet's AtomicWriter): `..data` is a symbolic link to a
// directory with the present ones, and each name in the volume a link into it. `group` >= 0: fsGroup.
// The same content again changes nothing. Errors: Code::io.
Result<void> write_volume(const std::string& directory, const std::vector<plan::pod::VolumeFile>& files, int64_t group,
                          Instant now);

// The directories of a subPath that are not there yet, as kubelet's SafeMakeDir: beneath the volume, whatever links a
// container has put there. Where something is at `path` already, nothing is made. Errors: Code::io.
Result<void> make_sub_path(const std::string& volume, const std::string& path);

// The directory with all that its containers will find there; what cannot be made is the answer.
std::optional<plan::pod::Failure> prepare_pod_directory(const plan::pod::PodView& pod, const plan::pod::NodePaths& paths,
                                                        const plan::pod::ResolvedReferences& references,
                                                        const plan::pod::Surroundings& around, Instant now);

}  // namespace orch::agent
