#pragma once
// One decision under way: what it looks at, what it has decided so far. Private to this room.

#include <algorithm>

#include "plan/pod/container_facts.h"
#include "plan/pod/events.h"
#include "plan/pod/reconcile.h"

namespace orch::plan::pod {

struct Pass {
  const Situation& situation;
  Memory& memory;
  PodPlan& plan;
  std::vector<ContainerFacts> facts;

  const PodView& pod() const { return situation.pod; }
  bool is_under_way(const std::string& key) const { return memory.operations.contains(key); }
  // Asks for it unless it is under way already. True: asked.
  bool ask(PodAction action) {
    if (!memory.operations.insert(action.key()).second) return false;
    plan.actions.push_back(std::move(action));
    return true;
  }
  void look_after(Duration delay) {
    delay = std::max<Duration>(delay, 1ms);
    if (!plan.next_look || delay < *plan.next_look) plan.next_look = delay;
  }
  void note(Note note) { plan.notes.push_back(std::move(note)); }
  void note_container(std::string_view container, Note note) { plan.notes.push_back(about(pod(), container, std::move(note))); }
  // Still waiting to try again? Looks again when it is time.
  bool must_wait(const std::optional<Retry>& retry) {
    if (!retry || retry->generation != situation.references_generation || retry->at <= situation.mono) return false;
    look_after(retry->at - situation.mono);
    return true;
  }
};

}  // namespace orch::plan::pod
