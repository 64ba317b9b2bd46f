#pragma once
// The objects that a pod is made from besides itself: which it needs, and what was found. The driver
// watches them by name; the checkpoint keeps them, so that a pod starts without the API.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/time.h"
#include "data/value.h"
#include "plan/pod/pod_view.h"

namespace orch::plan::pod {

// A serviceAccountToken source of a projected volume.
struct TokenWish {
  std::string key;  // "<volume>/<path>"
  std::string account, pod_name, pod_uid;
  std::string audience;  // "": the API's own
  int64_t expiration_seconds = 3600;
  bool operator==(const TokenWish&) const = default;
};

// Names in the pod's namespace, of env, envFrom, volumes (projected ones too) and imagePullSecrets.
struct References {
  std::set<std::string> config_maps, secrets;
  bool needs_services = true;  // enableServiceLinks
  std::vector<TokenWish> tokens;
  bool operator==(const References&) const = default;
};
References references_of(const PodView& pod);

// What a service account token volume holds, by "<volume>/<path>" of its projection.
struct ServiceAccountToken {
  std::string token;
  Instant expires{};
  std::string error{};  // why there is none
  bool operator==(const ServiceAccountToken&) const = default;
};

struct ResolvedReferences {
  // By name. Null: the API says that there is none. Absent: not known (yet): wait, do not guess.
  std::map<std::string, Value, std::less<>> config_maps, secrets;
  // All Services of the pod's namespace and default/kubernetes, sorted by namespace and name.
  std::vector<Value> services;
  std::map<std::string, ServiceAccountToken, std::less<>> tokens;
};

}  // namespace orch::plan::pod
