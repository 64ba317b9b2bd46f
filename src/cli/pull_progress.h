#pragma once
// What a pull shows while it goes on: a line per layer, drawn again in place on a terminal; elsewhere a line
// whenever a layer is done. Pure: events in, text out.

#include <map>
#include <string>
#include <vector>

#include "data/value.h"

namespace orch::cli {

class PullProgress {
 public:
  explicit PullProgress(bool terminal) : terminal_(terminal) {}
  // `event`: {"layer", "status", "current", "total"} (agent/image_api.h). What to write.
  std::string show(const Value& event);

 private:
  std::string draw();
  bool terminal_;
  std::vector<std::string> order_;
  std::map<std::string, Value> layers_;
  size_t drawn_ = 0;  // lines on the terminal
};

// Decimal units as `docker images` has them: "4.26MB".
std::string human_size(int64_t bytes);

}  // namespace orch::cli
