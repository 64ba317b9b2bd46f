#pragma once
// From "this container should run" to its start: crash back-off, the image and its pull policy.

#include "plan/pod/pass.h"

namespace orch::plan::pod {

// Asks for the next thing its start needs, or says in ContainerMemory what it waits for.
void start_container(Pass& pass, const ContainerFacts& container);
// Its pull or its start is under way.
bool is_being_started(const Pass& pass, const ContainerFacts& container);

}  // namespace orch::plan::pod
