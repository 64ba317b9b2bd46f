#pragma once
// How a container is brought to its end: preStop hook, SIGTERM (or the image's stop signal), SIGKILL;
// kubelet's killContainer as a state machine.

#include "plan/pod/pass.h"

namespace orch::plan::pod {

// Begins (where it has not begun) and goes on with it. `may_ask`: false holds SIGTERM back until the grace
// is used up (sidecars wait for what uses them); hooks run at once. A shorter grace than before counts.
void stop_container(Pass& pass, const ContainerFacts& container, Duration grace, std::string why, bool may_ask);

// All live containers of the pod: main ones and init containers at once, sidecars after them in reverse
// order (KEP-753). True: none is left.
bool stop_all(Pass& pass, Duration grace);

}  // namespace orch::plan::pod
