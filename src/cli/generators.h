#pragma once
// The objects that `create namespace x` and its kin make from flags, as kubectl makes them. Pure but for
// the files of --from-file.

#include "base/result.h"
#include "cli/arguments.h"
#include "cli/console.h"
#include "data/value.h"

namespace orch::cli {

struct Generator {
  std::string_view word;     // "configmap"
  std::string_view alias;    // "cm"
  std::string_view usage;
  Flags flags;
  Result<Value> (*make)(Console& console, const Arguments& arguments, const std::string& name);
  bool has_kind_word = false;  // a word before the name: `secret generic NAME`
};

std::vector<Generator> generators();

}  // namespace orch::cli
