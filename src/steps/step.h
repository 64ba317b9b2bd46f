#pragma once
// Steps as the compiler of OCI configurations (plan/oci) writes them: values, their bytes for the shim, and a text for
// golden cases and the log.

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "steps/op.h"

namespace orch::steps {

struct Step {
  Op op;
  std::vector<uint64_t> numbers;
  std::vector<std::string> texts;
  // The machine may refuse it (a missing capability or controller): said once, and the rest goes on.
  bool tolerated = false;
  bool operator==(const Step&) const = default;
};

using Steps = std::vector<Step>;

inline Step tolerate(Step step) {
  step.tolerated = true;
  return step;
}

std::string encode_steps(const Steps& steps);
// Code::parse with the number of the step.
Result<Steps> decode_steps(std::string_view bytes);
// Numbers and texts as the table asks for. Code::internal with the step.
Result<void> check_steps(const Steps& steps);

// One line a step: `mount flags=0xe propagation=0 source="proc" target="/proc" type="proc" data=""`; "?" before the
// name of a tolerated one. Filters of seccomp are shown as their length.
std::string format_step(const Step& step);
std::string format_steps(const Steps& steps);

}  // namespace orch::steps
