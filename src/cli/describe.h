#pragma once
// `describe`: an object as text for people. Pods, Deployments, Nodes and Services have sections of their
// own, everything else is shown field by field. Pure.

#include <string>
#include <vector>

#include "base/time.h"
#include "data/value.h"

namespace orch::cli {

struct Surroundings {  // what else is read for it
  std::vector<Value> events;
  std::vector<Value> replica_sets;  // of a Deployment
  std::vector<Value> slices;        // EndpointSlices of a Service
  std::vector<Value> pods;          // on a Node
  Value lease;                      // of a Node; null without one
  Instant now;
};

std::string describe(const Value& object, const Surroundings& around);

// "Events:" and what follows, newest last.
std::string describe_events(const std::vector<Value>& events, Instant now);
// When an event was seen last, and for the "(x3 over 2m)" how often and since when.
std::string event_age(const Value& event, Instant now);
Instant event_time(const Value& event);

}  // namespace orch::cli
