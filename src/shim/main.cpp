// orch-shim: see src/shim/README.md. Started by runtime only:
//   orch-shim pod [shared-pid]     the parent of a pod; descriptors as in pod.h
//   orch-shim spawn ...            one process, for `orch runc` (one_shot.h)

#include <cstring>

#include "shim/one_shot.h"
#include "shim/pod.h"

int main(int count, char** arguments) {
  if (count >= 2 && std::strcmp(arguments[1], "pod") == 0) {
    static orch::shim::Pod pod;
    const bool shared_pid = count >= 3 && std::strcmp(arguments[2], "shared-pid") == 0;
    return pod.begin(shared_pid) ? pod.run() : 1;
  }
  if (count >= 2 && std::strcmp(arguments[1], "spawn") == 0) return orch::shim::run_one_shot(count - 2, arguments + 2);
  return 2;
}
