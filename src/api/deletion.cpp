// Deletion: grace, finalizers, propagation, preconditions.
// https://kubernetes.io/docs/concepts/architecture/garbage-collection/, rest.BeforeDelete.

#include <algorithm>
#include <array>

#include "api/objects.h"
#include "api/status.h"

namespace orch::api {

using client::RemoveOptions;
using client::Target;
using loop::fail;
using loop::Task;
using schema::Kind;
using store::StoredPtr;

namespace {

constexpr std::string_view kOrphan = "orphan";
constexpr std::string_view kForeground = "foregroundDeletion";
constexpr int64_t kDefaultPodGrace = 30;
constexpr std::array<std::string_view, 3> kImmortalNamespaces{"default", "kube-system", "kube-public"};

// Seconds the object gets to end by itself; only pods on a node get any.
int64_t grace_of(const Kind& kind, const Value& object, const RemoveOptions& options) {
  if (kind.kind != "Pod" || !kind.group.empty()) return 0;
  std::string_view phase = object["status"]["phase"].as_string();
  if (object["spec"]["nodeName"].as_string().empty() || phase == "Succeeded" || phase == "Failed") return 0;
  int64_t wanted = options.grace_seconds.value_or(
      object["spec"]["terminationGracePeriodSeconds"].as_int(kDefaultPodGrace));
  return wanted < 0 ? 1 : wanted;
}

Value finalizers_after(const Value& object, std::string_view propagation) {
  const Value& current = object["metadata"]["finalizers"];
  if (propagation.empty()) return current;
  std::vector<Value> kept;
  for (const Value& finalizer : current.items()) {
    if (finalizer.as_string() != kOrphan && finalizer.as_string() != kForeground) kept.push_back(finalizer);
  }
  if (propagation == "Orphan") kept.emplace_back(kOrphan);
  if (propagation == "Foreground") kept.emplace_back(kForeground);
  return Value::list(std::move(kept));
}

Result<void> check_preconditions(const Kind& kind, const Value& object, const RemoveOptions& options) {
  std::string name(object["metadata"]["name"].as_string());
  auto differs = [&](std::string_view what, std::string_view wanted, std::string_view field) -> Result<void> {
    std::string_view is = object["metadata"][field].as_string();
    if (wanted.empty() || wanted == is) return {};
    return conflict(kind, name, "Precondition failed: " + std::string(what) + " in precondition: " +
                                    std::string(wanted) + ", " + std::string(what) + " in object meta: " +
                                    std::string(is));
  };
  TRY_VOID(differs("UID", options.uid, "uid"));
  return differs("ResourceVersion", options.resource_version, "resourceVersion");
}

// The object as it waits for its end, or null where nothing holds it.
Value marked(const Kind& kind, const Value& object, const RemoveOptions& options, Instant now) {
  int64_t grace = grace_of(kind, object, options);
  Value finalizers = finalizers_after(object, options.propagation);
  bool held = grace > 0 || !finalizers.empty() || !object["spec"]["finalizers"].empty();
  if (!held) return {};
  ObjectBuilder metadata(object["metadata"]);
  metadata.remove("finalizers").set_if("finalizers", finalizers);
  bool first = !object["metadata"].has("deletionTimestamp");
  if (first || grace < object["metadata"]["deletionGracePeriodSeconds"].as_int()) {
    metadata.set("deletionTimestamp", format_time(now + std::chrono::seconds(grace)));
    metadata.set("deletionGracePeriodSeconds", grace);
  }
  if (first && kind.counts_generation) {
    metadata.set("generation", object["metadata"]["generation"].as_int() + 1);
  }
  Value result = object.with("metadata", std::move(metadata).build());
  if (kind.kind == "Namespace") result = result.with_path({"status", "phase"}, Value("Terminating"));
  return result;
}

}  // namespace

Task<Written> Objects::remove(Target target, RemoveOptions options) {
  const Kind* asked = co_await kind_of(target);
  const Kind& kind = storage_kind(*asked);
  std::string key = storage_key(kind, target.ns, target.name);
  if (kind.kind == "Namespace" && std::ranges::count(kImmortalNamespaces, target.name)) {
    co_await fail(forbidden(kind, target.name, "this namespace may not be deleted"));
  }
  for (;;) {
    StoredPtr current = p_.store.get(key);
    if (!current) co_await fail(not_found(kind, target.name));
    co_await check_preconditions(kind, current->value, options);
    AdmissionRequest admission{kind, "delete", target.subresource, target.ns, target.name, &current->value,
                               options.dry_run};
    co_await p_.admission.validate(admission, current->value);
    Value waiting = marked(kind, current->value, options, p_.loop.wall());
    if (waiting.is_null()) {
      auto gone = co_await finish_removal(kind, key, current, options.dry_run).result();
      if (!gone.ok() && gone.error().is(Code::conflict)) continue;  // changed meanwhile: look again
      co_return std::move(gone);
    }
    Written written;
    written.value = waiting;
    if (options.dry_run || waiting == current->value) co_return std::move(written);
    auto stored =
        co_await p_.store.update(key, waiting, current->revision, stamp_revision, store::Durability::durable).result();
    if (!stored.ok() && stored.error().is(Code::conflict)) continue;
    if (!stored.ok()) co_await fail(std::move(stored).error());
    written.stored = std::move(stored).value();
    written.value = written.stored->value;
    p_.admission.observe(kind, current->value, written.value);
    co_return std::move(written);
  }
}

Task<Written> Objects::finish_removal(const Kind& kind, std::string key, StoredPtr current, bool dry_run) {
  std::string name(current->value["metadata"]["name"].as_string());
  std::string_view uid = current->value["metadata"]["uid"].as_string();
  Written written;
  written.value = success_status(kind, name, uid);
  if (dry_run) co_return std::move(written);
  auto removed = co_await p_.store.remove(std::move(key), current->revision, stamp_revision).result();
  if (!removed.ok()) {
    if (removed.error().is(Code::conflict)) co_await fail(modified_conflict(kind, name));
    if (removed.error().is(Code::not_found)) co_await fail(not_found(kind, name));
    co_await fail(std::move(removed).error());
  }
  p_.admission.observe(kind, current->value, Value::null());
  co_return std::move(written);
}

Task<ListPage> Objects::remove_collection(Target target, ListQuery which, RemoveOptions options) {
  ListPage page = co_await list(target, std::move(which));
  for (const StoredPtr& item : page.items) {
    Target one = target;
    one.ns = item->value["metadata"]["namespace"].as_string();
    one.name = item->value["metadata"]["name"].as_string();
    auto removed = co_await remove(std::move(one), options).result();
    if (!removed.ok() && !removed.error().is(Code::not_found)) co_await fail(std::move(removed).error());
  }
  co_return std::move(page);
}

}  // namespace orch::api
