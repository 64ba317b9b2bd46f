// What a write may change: the parts of an object a client does not own are put back, the
// generation is counted, the kind's prepare hooks run.

#include <array>

#include "schema/engine.h"
#include "schema/hooks.h"
#include "schema/shape.h"

namespace orch::schema {

namespace {

// Takes a member over from another object, or removes it where that has none.
Value with_member_of(const Value& object, std::string_view name, const Value& from) {
  const Value* member = from.find(name);
  if (member) return object[name].same(*member) ? object : object.with(name, *member);
  return object.without(name);
}

Value fresh_status(const Kind& kind, const Hooks& hooks) {
  const Field* status = kind.type->find("status");
  if (!status || !status->type.object || status->type.pointer) return nullptr;
  return apply_defaults(*status->type.object, zero_object(*status->type.object), hooks);
}

Value run_prepare_hooks(const Kind& kind, const Value* old_object, Value object, const Hooks& hooks,
                        const WriteContext& write) {
  for (const std::string& name : kind.type->prepare_hooks) {
    if (const PrepareHook* hook = hooks.find<PrepareHook>(name)) {
      object = hook->run(old_object, object, write);
    }
  }
  return object;
}

// Metadata that only the server writes.
Value kept_metadata(const Value& old_metadata, Value metadata) {
  metadata = with_member_of(metadata, "generation", old_metadata);
  metadata = with_member_of(metadata, "creationTimestamp", old_metadata);
  metadata = metadata.without("selfLink");
  if (is_empty(metadata["uid"])) metadata = with_member_of(metadata, "uid", old_metadata);
  // Deletion is asked for with DELETE, and cannot be taken back.
  metadata = with_member_of(metadata, "deletionTimestamp", old_metadata);
  if (metadata["deletionGracePeriodSeconds"].is_null()) {
    metadata = with_member_of(metadata, "deletionGracePeriodSeconds", old_metadata);
  }
  return metadata;
}

// A status write carries these besides the status.
constexpr std::array<std::string_view, 6> kStatusMetadata{
    "labels", "annotations", "finalizers", "ownerReferences", "managedFields", "resourceVersion"};

Value status_only(const Value& old_object, const Value& object) {
  Value metadata = old_object["metadata"];
  for (std::string_view name : kStatusMetadata) {
    metadata = with_member_of(metadata, name, object["metadata"]);
  }
  Value result = with_member_of(old_object, "status", object);
  return result["metadata"].same(metadata) ? result : result.with("metadata", std::move(metadata));
}

bool counts(const Kind& kind, std::string_view member) {
  return member != "metadata" && member != "apiVersion" && member != "kind" &&
         !(member == "status" && kind.type->find("status"));
}

bool desired_state_changed(const Kind& kind, const Value& before, const Value& after) {
  for (const Member& member : after.members()) {
    if (counts(kind, member.name()) && before[member.name()] != member.value) return true;
  }
  for (const Member& member : before.members()) {
    if (counts(kind, member.name()) && !after.has(member.name())) return true;
  }
  for (const std::string& name : kind.generation_metadata) {
    if (before["metadata"][name] != after["metadata"][name]) return true;
  }
  return false;
}

}  // namespace

Value prepare_create(const Kind& kind, const Value& object, const Hooks& hooks,
                     const WriteContext& write) {
  Value prepared = object;
  Value metadata = object["metadata"];
  for (std::string_view name : {"deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"}) {
    metadata = metadata.without(name);
  }
  if (kind.counts_generation) metadata = metadata.with("generation", 1);
  if (!metadata.same(object["metadata"])) prepared = prepared.with("metadata", std::move(metadata));
  if (kind.has_status() && !kind.keeps_status_on_create) {
    Value status = fresh_status(kind, hooks);
    prepared = status.is_null() ? prepared.without("status") : prepared.with("status", std::move(status));
  }
  return run_prepare_hooks(kind, nullptr, std::move(prepared), hooks, write);
}

Value prepare_update(const Kind& kind, const Value& old_object, const Value& object,
                     const Hooks& hooks, const WriteContext& write) {
  Value prepared = object;
  if (write.subresource == "status") {
    prepared = status_only(old_object, object);
  } else if (kind.has_status() && write.subresource != "approval" && write.subresource != "binding") {
    // (An approval is a write of conditions; the kind's hook keeps the rest. A binding is made by the
    // API itself, with the condition PodScheduled.)
    prepared = with_member_of(prepared, "status", old_object);
  }
  const Value& metadata = prepared["metadata"];
  Value kept = kept_metadata(old_object["metadata"], metadata);
  if (!kept.same(metadata)) prepared = prepared.with("metadata", std::move(kept));
  prepared = run_prepare_hooks(kind, &old_object, std::move(prepared), hooks, write);
  bool may_count = kind.counts_generation && write.subresource != "status";
  if (may_count && desired_state_changed(kind, old_object, prepared)) {
    int64_t generation = old_object["metadata"]["generation"].as_int() + 1;
    prepared = prepared.with_path({"metadata", "generation"}, Value(generation));
  }
  return prepared;
}

}  // namespace orch::schema
