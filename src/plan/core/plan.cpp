#include "plan/core/plan.h"

#include "plan/core/object.h"

namespace orch::plan {

Ref ref_to(const Type& type, std::string_view ns, std::string_view name) {
  Ref ref;
  ref.group = type.group;
  ref.version = type.version;
  ref.resource = type.resource;
  ref.kind = type.kind;
  ref.ns = ns;
  ref.name = name;
  return ref;
}

Ref ref_of(const Type& type, const Value& object, std::string_view subresource) {
  Ref ref = ref_to(type, namespace_of(object), name_of(object));
  ref.subresource = subresource;
  return ref;
}

Action create(const Type& type, const Value& object) {
  return Action{.verb = Verb::create, .ref = ref_of(type, object), .object = object};
}
Action update(const Type& type, const Value& object) {
  return Action{.verb = Verb::update, .ref = ref_of(type, object), .object = object};
}
Action update_status(const Type& type, const Value& object) {
  return Action{.verb = Verb::update, .ref = ref_of(type, object, "status"), .object = object};
}
Action merge_patch(const Type& type, const Value& object, Value patch) {
  return Action{.verb = Verb::merge_patch, .ref = ref_of(type, object), .object = std::move(patch)};
}
Action remove(const Type& type, const Value& object) {
  return Action{.verb = Verb::remove, .ref = ref_of(type, object), .uid = std::string(uid_of(object))};
}

namespace {

std::string_view verb_text(Verb verb) {
  switch (verb) {
    case Verb::create: return "create";
    case Verb::update: return "update";
    case Verb::merge_patch: return "patch";
    case Verb::remove: return "remove";
    case Verb::remove_collection: return "remove-all";
  }
  return "?";
}

void append_note(std::string& out, std::string_view indent, const Note& note) {
  out += indent;
  out += note.type == NoteType::normal ? "Normal " : "Warning ";
  out += note.reason + ": " + note.message + "\n";
}

void append_action(std::string& out, const Action& action) {
  const Ref& ref = action.ref;
  out += verb_text(action.verb);
  out += " " + ref.resource + (ref.subresource.empty() ? "" : "/" + ref.subresource) + " ";
  if (!ref.ns.empty()) out += ref.ns + "/";
  out += ref.name.empty() ? std::string(metadata(action.object)["generateName"].as_string()) : ref.name;
  if (!action.propagation.empty()) out += " " + action.propagation;
  for (const Guard& guard : action.guards) {
    out += guard.condition == Guard::Condition::absent ? " if-absent " : " if-empty ";
    out += guard.ref.resource + "/" + guard.ref.name;
  }
  out += "\n";
  for (const Note& note : action.on_success) append_note(out, "  ", note);
}

}  // namespace

std::string format_plan(const Plan& plan) {
  std::string out;
  for (const Action& action : plan.actions) append_action(out, action);
  for (const Note& note : plan.notes) append_note(out, "note ", note);
  if (plan.requeue_after) out += "requeue " + format_duration(*plan.requeue_after) + "\n";
  return out;
}

}  // namespace orch::plan
