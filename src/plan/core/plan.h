#pragma once
// What a decision says: a Plan of Actions against the API, Notes to record as Events, and when to
// look again. Plans are values; client/plan_executor.h carries them out.
//
// Order and failure: actions run in the order given; one that fails ends the plan. Neighbours with
// the same `batch` (not 0) are equals instead: they run at the same time in batches of 1, 2, 4, ...
// ("slow start"), a failure skips the rest of them, and what follows them still runs.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "data/value.h"
#include "plan/core/type.h"

namespace orch::plan {

// One object (or, without a name, a collection) and what of it.
struct Ref {
  std::string group, version, resource;
  std::string kind;  // for texts and events
  std::string ns, name;
  std::string subresource;  // "status", "finalize"
};
Ref ref_of(const Type& type, const Value& object, std::string_view subresource = {});
Ref ref_to(const Type& type, std::string_view ns, std::string_view name);

enum class Verb : uint8_t { create, update, merge_patch, remove, remove_collection };

enum class NoteType : uint8_t { normal, warning };

// To be recorded as an Event about an object: by default the one being reconciled.
struct Note {
  NoteType type = NoteType::normal;
  std::string reason;
  std::string message;  // "{name}" and "{error}" stand for what came of the action
  std::optional<Value> about;  // an ObjectReference
};

// Checked with the API itself just before the action: a snapshot may lag behind.
struct Guard {
  enum class Condition : uint8_t {
    absent,  // no object of this name and uid (uid "": whatever its uid)
    empty,   // a collection without objects
  };
  Condition condition;
  Ref ref;
  std::string uid;
};

enum class Conflict : uint8_t {
  fail,    // look at the world again soon
  ignore,  // somebody else did it: as good as done
};

struct Action {
  Verb verb;
  Ref ref;
  Value object;                  // create, update: the object; merge_patch: the patch
  std::string uid;               // preconditions of a removal; "" none
  std::string resource_version;
  std::string propagation;       // "", Orphan, Background, Foreground
  std::optional<int64_t> grace_seconds;
  int batch = 0;
  Conflict exists = Conflict::fail;  // a create that finds the name taken
  std::vector<Guard> guards;
  std::vector<Note> on_success, on_failure;
};

Action create(const Type& type, const Value& object);
// Whole objects: resourceVersion in the object is the precondition.
Action update(const Type& type, const Value& object);
Action update_status(const Type& type, const Value& object);
Action merge_patch(const Type& type, const Value& object, Value patch);
// Precondition: this very object (uid). It being gone already is success.
Action remove(const Type& type, const Value& object);

struct Plan {
  std::vector<Action> actions;
  std::vector<Note> notes;  // recorded once all actions are done
  std::optional<Duration> requeue_after;

  void add(Action action) { actions.push_back(std::move(action)); }
  void requeue(Duration after) {
    if (!requeue_after || after < *requeue_after) requeue_after = after;
  }
  bool empty() const { return actions.empty() && notes.empty(); }
};

// One line an action, for golden cases and the log: `create pods default/web-`.
std::string format_plan(const Plan& plan);

}  // namespace orch::plan
