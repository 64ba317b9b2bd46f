#pragma once
// What the agent reads out of image references and configurations by itself. Pure.

#include <string_view>

#include "data/value.h"

namespace orch::agent {

// The grammar of the distribution project (reference.Regexp): [domain/]path[:tag][@digest].
bool is_valid_image_name(std::string_view reference);

// config.StopSignal of an OCI image configuration ("SIGQUIT", "RTMIN+3", "3"); SIGTERM where it says nothing.
int stop_signal_of(const Value& image_config);

}  // namespace orch::agent
