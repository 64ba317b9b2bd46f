#pragma once
// What marks an EndpointSlice: whose it is, and which service it belongs to.

#include <string_view>

namespace orch::plan {

inline constexpr std::string_view service_label = "kubernetes.io/service-name";
inline constexpr std::string_view slice_manager_label = "endpointslice.kubernetes.io/managed-by";

}  // namespace orch::plan
