#pragma once
// Taking a container away: its processes, its cgroup, its state.

#include "runc/container.h"

namespace orch::runc {

// Kills whatever still runs and removes what is left; poststop hooks run last. Failures of single parts do not stop
// the others.
void remove_container(const Container& container);

// Sends the signal to every process of the container, or the first alone.
enum class Target { first, all };
Result<void> signal_container(const Container& container, int number, Target target);

// Until its first process has ended, at most 10 s.
bool wait_for_end(const Container& container);

}  // namespace orch::runc
