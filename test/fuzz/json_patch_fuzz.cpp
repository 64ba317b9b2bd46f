// JSON Patch and merge patch. Input: {"target": ..., "patch": ...}.

#include <cstdint>
#include <cstdlib>

#include "data/json.h"
#include "data/patch.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto input = orch::parse_json(text);
  if (!input.ok()) return 0;
  const orch::Value& target = (*input)["target"];
  const orch::Value& patch = (*input)["patch"];
  auto patched = orch::apply_json_patch(target, patch);
  // Nothing the server would not read back.
  if (patched.ok() && !orch::parse_json(orch::format_json(*patched)).ok()) std::abort();
  orch::Value merged = orch::apply_merge_patch(target, patch);
  if (!(orch::apply_merge_patch(merged, patch) == merged)) std::abort();
  orch::Value difference = orch::make_merge_patch(target, merged);
  // The merge takes nothing in but what the patch says, so the difference can say it too. (A null in
  // the patch's lists or at its top is content, which a merge patch can carry there.)
  if (!(orch::apply_merge_patch(target, difference) == merged)) std::abort();
  return 0;
}
