#pragma once
// gzip (RFC 1952) in one piece. Pure; large inputs belong into offload.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "loop/stream.h"

namespace orch::wire {

// `level` 1 (fast) to 9 (small).
std::string gzip(const std::vector<loop::Chunk>& chunks, int level);
// Code::parse for what is no gzip, Code::too_large past `limit` bytes of output.
Result<std::string> gunzip(std::string_view bytes, size_t limit);

}  // namespace orch::wire
