// Create, update and patch: decode -> prune -> default -> admit -> prepare -> validate -> store.

#include <algorithm>

#include "api/account_tokens.h"
#include "api/objects.h"
#include "api/status.h"
#include "base/text.h"
#include "data/patch.h"
#include "schema/hooks.h"

namespace orch::api {

using client::Target;
using client::WriteOptions;
using loop::fail;
using loop::Task;
using schema::Kind;
using store::Durability;
using store::StoredPtr;

namespace {

constexpr int kPatchRetries = 5;  // apiserver's MaxRetryWhenPatchConflicts
constexpr size_t kMaxGeneratedNameBase = 58;  // names.maxGeneratedNameLength: 63 less the suffix

std::string_view meta(const Value& object, std::string_view field) {
  return object["metadata"][field].as_string();
}

bool equal_but_revision(const Value& a, const Value& b) {
  return a.with("metadata", a["metadata"].without("resourceVersion")) ==
         b.with("metadata", b["metadata"].without("resourceVersion"));
}

// What costs no flash write (architecture.md): heartbeats, lease renewals, Events.
Durability durability_of_create(const Kind& kind) {
  return kind.kind == "Event" ? Durability::soft : Durability::durable;
}

Value without_heartbeats(const Value& node) {
  std::vector<Value> conditions;
  for (const Value& condition : node["status"]["conditions"].items()) {
    conditions.push_back(condition.without("lastHeartbeatTime"));
  }
  return node.with_path({"status", "conditions"}, Value::list(std::move(conditions)));
}

Durability durability_of_update(const Kind& kind, const Value& before, const Value& after) {
  if (kind.kind == "Event") return Durability::soft;
  if (kind.kind == "Lease" && before["spec"]["holderIdentity"] == after["spec"]["holderIdentity"]) {
    return Durability::soft;
  }
  if (kind.kind == "Node" && equal_but_revision(without_heartbeats(before), without_heartbeats(after))) {
    return Durability::soft;
  }
  return Durability::durable;
}

// Gone for good once nobody holds it any more: no finalizers, no grace left.
bool is_released(const Value& object) {
  const Value& metadata = object["metadata"];
  return metadata.has("deletionTimestamp") && metadata["finalizers"].empty() &&
         metadata["deletionGracePeriodSeconds"].as_int() == 0 && object["spec"]["finalizers"].empty();
}

Error first_of(const Kind& kind, std::string_view name, std::vector<Cause> causes) {
  return schema::invalid_error(kind, name, std::move(causes));
}

}  // namespace

Value stamp_revision(const Value& object, store::Revision revision) {
  return object.with("metadata", object["metadata"].with("resourceVersion", std::to_string(revision)));
}

Result<Value> Objects::check_body(const Kind& kind, const Target& target, Value object) const {
  if (!object.is_object()) return bad_request("the request's body is not an object");
  std::string_view version = object["apiVersion"].as_string();
  std::string_view name = object["kind"].as_string();
  if (!version.empty() && version != kind.api_version()) {
    return bad_request("the API version in the data (" + std::string(version) +
                       ") does not match the expected API version (" + kind.api_version() + ")");
  }
  if (!name.empty() && name != kind.kind) {
    return bad_request("the kind in the data (" + std::string(name) +
                       ") does not match the expected kind (" + kind.kind + ")");
  }
  if (version.empty()) object = object.with("apiVersion", kind.api_version());
  if (name.empty()) object = object.with("kind", kind.kind);
  const Value& metadata = object["metadata"];
  if (!metadata.is_null() && !metadata.is_object()) return object;  // pruning says what is wrong with it
  std::string_view ns = meta(object, "namespace");
  if (!kind.namespaced) {
    return ns.empty() ? object : object.with("metadata", object["metadata"].without("namespace"));
  }
  if (ns == target.ns) return object;
  if (!ns.empty()) {
    return bad_request("the namespace of the provided object does not match the namespace sent on the request");
  }
  return object.with("metadata", object["metadata"].with("namespace", target.ns));
}

Result<schema::Pruned> Objects::prune_checked(const Kind& kind, const Value& object,
                                              const WriteOptions& options,
                                              std::vector<std::string>& warnings) const {
  auto pruned = schema::prune(*kind.type, object);
  std::string handled = kind.kind + " in version \"" + kind.version + "\" cannot be handled as a " + kind.kind;
  if (!pruned.ok()) return std::move(pruned).error().with_context(handled).with_code(Code::bad_request);
  std::vector<std::string> issues = options.duplicates;
  issues.insert(issues.end(), pruned->unknown.begin(), pruned->unknown.end());
  using Validation = WriteOptions::FieldValidation;
  if (options.field_validation == Validation::strict && !issues.empty()) {
    return bad_request(handled + ": strict decoding error: " + join(issues, ", "));
  }
  if (options.field_validation == Validation::warn) {
    warnings.insert(warnings.end(), issues.begin(), issues.end());
  }
  return std::move(pruned).value();
}

// The metadata the server gives a new object: uid, creationTimestamp, a generated name.
Value Objects::stamp_new(const Kind& kind, const Target& target, Value object) const {
  ObjectBuilder metadata(object["metadata"]);
  for (std::string_view field : {"resourceVersion", "uid", "deletionTimestamp", "selfLink",
                                 "deletionGracePeriodSeconds", "managedFields", "generation"}) {
    metadata.remove(field);
  }
  std::string name(meta(object, "name"));
  if (name.empty()) {
    std::string base(meta(object, "generateName").substr(0, kMaxGeneratedNameBase));
    if (!base.empty()) metadata.set("name", base + p_.random.suffix(5));
  }
  metadata.set("uid", p_.random.uuid());
  metadata.set("creationTimestamp", format_time(p_.loop.wall()));
  if (kind.namespaced) metadata.set("namespace", target.ns);
  return object.with("metadata", std::move(metadata).build());
}

Task<Written> Objects::create(Target target, Value object, WriteOptions options) {
  const Kind* asked = co_await kind_of(target);
  if (target.subresource == "binding" || target.resource == "bindings") {
    co_return co_await bind(std::move(target), std::move(object), std::move(options));
  }
  if (target.subresource == "eviction") {
    co_return co_await evict(std::move(target), std::move(object), std::move(options));
  }
  if (target.subresource == "token") {
    co_return co_await request_token(std::move(target), std::move(object), std::move(options));
  }
  if (asked->kind == "TokenReview") {
    co_return co_await review_token(*asked, std::move(object), std::move(options));
  }
  if (!target.subresource.empty()) {
    co_await fail(Error::make(Code::method_not_allowed, "create is not supported on " + target.resource + "/" +
                                                            target.subresource));
  }
  object = co_await check_body(*asked, target, std::move(object));
  Written written;
  schema::Pruned pruned = co_await prune_checked(*asked, object, options, written.warnings);
  object = schema::apply_defaults(*asked->type, pruned.object, p_.hooks);
  const Kind& kind = storage_kind(*asked);
  if (&kind != asked) object = to_storage(*asked, object);
  if (!meta(object, "resourceVersion").empty()) {
    co_await fail(bad_request("resourceVersion should not be set on objects to be created"));
  }
  object = stamp_new(kind, target, std::move(object));
  schema::WriteContext context{target.subresource, p_.loop.wall(), nullptr};
  object = schema::prepare_create(kind, object, p_.hooks, context);

  std::string name(meta(object, "name"));
  AdmissionRequest admission{kind, "create", "", target.ns, name, nullptr, options.dry_run};
  object = co_await p_.admission.mutate(admission, std::move(object));
  std::vector<Cause> causes = schema::validate_create(kind, object, p_.hooks, context);
  Result<void> admitted = causes.empty() ? p_.admission.validate(admission, object)
                                         : Result<void>(first_of(kind, name, std::move(causes)));
  std::string key = storage_key(kind, target.ns, name);
  if (admitted.ok() && options.dry_run && p_.store.get(key)) admitted = already_exists(kind, name);
  if (!admitted.ok()) {
    p_.admission.release(admission, object);
    co_await fail(std::move(admitted).error());
  }
  written.created = true;
  if (options.dry_run) {
    p_.admission.release(admission, object);
    written.value = std::move(object);
    co_return std::move(written);
  }
  auto stored = co_await p_.store.create(std::move(key), object, stamp_revision, durability_of_create(kind)).result();
  if (!stored.ok()) {
    p_.admission.release(admission, object);
    if (stored.error().is(Code::already_exists)) co_await fail(already_exists(kind, name));
    co_await fail(std::move(stored).error());
  }
  written.stored = std::move(stored).value();
  written.value = written.stored->value;
  p_.admission.observe(kind, Value::null(), written.value);
  co_return std::move(written);
}

Task<Written> Objects::update(Target target, Value object, WriteOptions options) {
  const Kind* kind = co_await kind_of(target);
  if (target.subresource == "scale") {
    Change make = [object](const Value&) -> Result<Value> { return object; };
    co_return co_await scale_write(*kind, std::move(target), std::move(make), std::move(options), false);
  }
  std::string_view name = meta(object, "name");
  if (!name.empty() && name != target.name) {
    co_await fail(bad_request("the name of the object (" + std::string(name) +
                              ") does not match the name on the URL (" + target.name + ")"));
  }
  Change make = [object](const Value&) -> Result<Value> { return object; };
  co_return co_await change(*kind, std::move(target), std::move(options), std::move(make), false);
}

Task<Written> Objects::patch(Target target, client::PatchType type, Value patch, WriteOptions options) {
  const Kind* kind = co_await kind_of(target);
  const schema::Type* merge_type = kind->type;
  if (target.subresource == "scale") {
    merge_type = p_.registry->find_type("k8s.io.api.autoscaling.v1", "Scale");
  }
  if (type == client::PatchType::strategic && kind->custom) {
    co_await fail(Error::make(Code::unsupported_media_type,
                              "the body of the request was in an unknown format - accepted media types "
                              "include: application/json-patch+json, application/merge-patch+json"));
  }
  if (type == client::PatchType::apply) {
    co_await fail(Error::make(Code::unsupported_media_type,
                              "server-side apply is not served yet; use kubectl apply without --server-side"));
  }
  Change make = [type, merge_type, patch](const Value& current) -> Result<Value> {
    switch (type) {
      case client::PatchType::json: return apply_json_patch(current, patch);
      case client::PatchType::merge: return apply_merge_patch(current, patch);
      default: return schema::apply_strategic_merge(*merge_type, current, patch);
    }
  };
  if (target.subresource == "scale") {
    co_return co_await scale_write(*kind, std::move(target), std::move(make), std::move(options), true);
  }
  co_return co_await change(*kind, std::move(target), std::move(options), std::move(make), true);
}

Task<Written> Objects::change(const Kind& kind, Target target, WriteOptions options, Change make, bool retry) {
  for (int attempt = 1;; ++attempt) {
    auto written = co_await change_once(kind, target, options, make).result();
    bool again = !written.ok() && written.error().is(Code::conflict) && retry && attempt < kPatchRetries;
    // A patch that names a resourceVersion itself conflicts for good; the retry finds that out too.
    if (!again) co_return std::move(written);
  }
}

Task<Written> Objects::change_once(const Kind& asked, Target target, WriteOptions options, const Change& make) {
  const Kind& kind = storage_kind(asked);
  StoredPtr current = p_.store.get(storage_key(kind, target.ns, target.name));
  if (!current) co_await fail(not_found(kind, target.name));
  Value before = as_kind(asked, *current);
  Value object = co_await make(before);
  object = co_await check_body(asked, target, std::move(object));
  if (meta(object, "name") != target.name) {
    Cause cause{"FieldValueInvalid", "metadata.name",
                "Invalid value: " + quote(meta(object, "name")) + ": field is immutable"};
    std::vector<Cause> causes{cause};
    co_await fail(schema::invalid_error(kind, target.name, std::move(causes)));
  }
  std::string_view revision = meta(object, "resourceVersion");
  if (!revision.empty() && revision != meta(before, "resourceVersion")) {
    co_await fail(modified_conflict(kind, target.name));
  }
  std::string_view uid = meta(object, "uid");
  if (!uid.empty() && uid != meta(before, "uid")) {
    co_await fail(conflict(kind, target.name,
                           "Precondition failed: UID in precondition: " + std::string(uid) +
                               ", UID in object meta: " + std::string(meta(before, "uid"))));
  }
  Written written;
  schema::Pruned pruned = co_await prune_checked(asked, object, options, written.warnings);
  object = schema::apply_defaults(*asked.type, pruned.object, p_.hooks);
  if (&kind != &asked) object = to_storage(asked, object);
  std::vector<std::string> warnings = std::move(written.warnings);
  written = co_await store_changed(kind, std::move(target), std::move(options), std::move(current), std::move(object));
  written.warnings = std::move(warnings);
  co_return std::move(written);
}

Task<Written> Objects::store_changed(const Kind& kind, Target target, WriteOptions options, StoredPtr current,
                                     Value object) {
  const Value& before = current->value;
  schema::WriteContext context{target.subresource, p_.loop.wall(), nullptr};
  object = schema::prepare_update(kind, before, object, p_.hooks, context);
  object = object.with("metadata", object["metadata"].with("resourceVersion", meta(before, "resourceVersion")));
  AdmissionRequest admission{kind,        "update", target.subresource, target.ns, target.name, &before,
                             options.dry_run};
  object = co_await p_.admission.mutate(admission, std::move(object));
  std::vector<Cause> causes = schema::validate_update(kind, before, object, p_.hooks, context);
  Result<void> admitted = causes.empty() ? p_.admission.validate(admission, object)
                                         : Result<void>(first_of(kind, target.name, std::move(causes)));
  if (!admitted.ok()) {
    p_.admission.release(admission, object);
    co_await fail(std::move(admitted).error());
  }
  Written written;
  if (object == before) {  // nothing to write, no new revision
    written.stored = options.dry_run ? nullptr : current;
    written.value = before;
    co_return std::move(written);
  }
  if (is_released(object)) {
    p_.admission.release(admission, object);
    co_return co_await finish_removal(kind, storage_key(kind, target.ns, target.name), std::move(current),
                                      options.dry_run);
  }
  if (options.dry_run) {
    p_.admission.release(admission, object);
    written.value = std::move(object);
    co_return std::move(written);
  }
  Durability how = durability_of_update(kind, before, object);
  std::string key = storage_key(kind, target.ns, target.name);
  auto stored = co_await p_.store.update(std::move(key), object, current->revision, stamp_revision, how).result();
  if (!stored.ok()) {
    p_.admission.release(admission, object);
    if (stored.error().is(Code::conflict)) co_await fail(modified_conflict(kind, target.name));
    if (stored.error().is(Code::not_found)) co_await fail(not_found(kind, target.name));
    co_await fail(std::move(stored).error());
  }
  written.stored = std::move(stored).value();
  written.value = written.stored->value;
  p_.admission.observe(kind, before, written.value);
  co_return std::move(written);
}

// ---- subresources with a body of their own

Value scale_of(const Kind& kind, const Value& object) {
  const schema::Subresource* sub = kind.subresource("scale");
  auto at = [&](size_t word) -> Value {
    if (!sub || word >= sub->words.size()) return {};
    const Value* current = &object;
    for (std::string_view step : split(sub->words[word], '.')) current = &(*current)[step];
    return *current;
  };
  const Value& metadata = object["metadata"];
  ObjectBuilder scale_meta;
  for (std::string_view field : {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"}) {
    if (metadata.has(field)) scale_meta.set(field, metadata[field]);
  }
  ObjectBuilder spec, status;
  if (at(0).as_int() != 0) spec.set("replicas", at(0));
  status.set("replicas", at(1).as_int());
  Value selector = at(2);
  auto parsed = selector.has("matchLabels") || selector.has("matchExpressions") ? LabelSelector::from_object(selector)
                                                                                : LabelSelector::from_map(selector);
  if (parsed.ok()) status.set_if("selector", parsed->format());
  return Value::object({{"apiVersion", "autoscaling/v1"},
                        {"kind", "Scale"},
                        {"metadata", std::move(scale_meta).build()},
                        {"spec", std::move(spec).build()},
                        {"status", std::move(status).build()}});
}

Task<Written> Objects::scale_write(const Kind& kind, Target target, Change make, WriteOptions options, bool retry) {
  const schema::Subresource* sub = kind.subresource("scale");
  if (!sub || sub->words.empty()) co_await fail(not_found(kind, target.name));
  std::vector<std::string> path;
  for (std::string_view step : split(sub->words[0], '.')) path.emplace_back(step);
  Change through_scale = [&kind, make, path](const Value& object) -> Result<Value> {
    TRY(Value scale, make(scale_of(kind, object)));
    const Value& replicas = scale["spec"]["replicas"];
    if (replicas.as_int() < 0) {
      std::vector<Cause> causes{{"FieldValueInvalid", "spec.replicas",
                                 "Invalid value: " + std::to_string(replicas.as_int()) +
                                     ": must be greater than or equal to 0"}};
      return schema::invalid_error(kind, meta(object, "name"), std::move(causes));
    }
    std::vector<std::string_view> steps(path.begin(), path.end());
    Value changed = object.with_path(steps, Value(replicas.as_int()));
    std::string_view revision = meta(scale, "resourceVersion");
    return changed.with_path({"metadata", "resourceVersion"}, Value(revision));
  };
  target.subresource.clear();
  Written written = co_await change(kind, std::move(target), std::move(options), std::move(through_scale), retry);
  written.value = scale_of(kind, written.value);
  written.stored = nullptr;
  co_return std::move(written);
}

// POST pods/<name>/binding: the scheduler's decision.
Task<Written> Objects::bind(Target target, Value binding, WriteOptions options) {
  std::string node(binding["target"]["name"].as_string());
  if (target.resource == "bindings") target.name = meta(binding, "name");
  target.resource = "pods";
  target.group.clear();
  target.subresource.clear();
  if (node.empty()) co_await fail(bad_request("target.name is required: the node to bind to"));
  const Kind* pods = co_await kind_of(target);
  std::string now = format_time(p_.loop.wall());
  std::string pod_uid(meta(binding, "uid"));
  Change make = [pods, node, now, pod_uid](const Value& pod) -> Result<Value> {
    std::string_view name = meta(pod, "name");
    if (!pod_uid.empty() && pod_uid != meta(pod, "uid")) {
      return conflict(*pods, name, "Precondition failed: UID in precondition: " + pod_uid +
                                       ", UID in object meta: " + std::string(meta(pod, "uid")));
    }
    if (pod["metadata"].has("deletionTimestamp")) {
      return conflict(*pods, name, "pod " + std::string(name) + " is being deleted, cannot be assigned to a host");
    }
    std::string_view bound = pod["spec"]["nodeName"].as_string();
    if (!bound.empty()) {
      return conflict(*pods, name, "pod " + std::string(name) + " is already assigned to node " + quote(bound));
    }
    std::vector<Value> conditions;
    for (const Value& condition : pod["status"]["conditions"].items()) {
      if (condition["type"].as_string() != "PodScheduled") conditions.push_back(condition);
    }
    conditions.push_back(Value::object({{"type", "PodScheduled"},
                                        {"status", "True"},
                                        {"lastProbeTime", nullptr},
                                        {"lastTransitionTime", now}}));
    return pod.with_path({"spec", "nodeName"}, Value(node))
        .with_path({"status", "conditions"}, Value::list(std::move(conditions)));
  };
  target.subresource = "binding";
  Written written = co_await change(*pods, std::move(target), std::move(options), std::move(make), true);
  written.value = Value::object({{"kind", "Status"},
                                 {"apiVersion", "v1"},
                                 {"metadata", Value::empty_object()},
                                 {"status", "Success"},
                                 {"code", 201}});
  written.stored = nullptr;
  written.created = true;
  co_return std::move(written);
}

// POST serviceaccounts/<name>/token: nothing is stored.
Task<Written> Objects::request_token(Target target, Value request, WriteOptions options) {
  if (!p_.tokens) co_await fail(Error::make(Code::not_found, "the server could not find the requested resource"));
  const schema::Type* type = p_.registry->find_type("k8s.io.api.authentication.v1", "TokenRequest");
  Written written;
  schema::Pruned pruned = co_await schema::prune(*type, request);
  request = schema::apply_defaults(*type, pruned.object, p_.hooks);
  std::vector<Cause> causes = schema::validate_type(*type, request, p_.hooks);
  if (!causes.empty()) {
    std::string text = "TokenRequest.authentication.k8s.io \"\" is invalid: " + causes.front().field + ": " + causes.front().message;
    co_await fail(Error::from_causes(std::move(text), std::move(causes)));
  }
  target.subresource.clear();
  StoredPtr account = co_await get(target);
  if (options.dry_run) {
    written.value = request.with("apiVersion", "authentication.k8s.io/v1").with("kind", "TokenRequest");
  } else {
    written.value = co_await p_.tokens->issue(p_.store, account->value, request, p_.loop.wall(), p_.random);
  }
  written.created = true;
  co_return std::move(written);
}

Task<Written> Objects::review_token(const Kind& kind, Value review, WriteOptions options) {
  if (!p_.tokens) co_await fail(Error::make(Code::not_found, "the server could not find the requested resource"));
  Written written;
  schema::Pruned pruned = co_await prune_checked(kind, review, options, written.warnings);
  if (pruned.object["spec"]["token"].as_string().empty()) co_await fail(bad_request("token is required for TokenReview in authentication"));
  written.value = p_.tokens->review(p_.store, pruned.object, p_.loop.wall());
  written.created = true;
  co_return std::move(written);
}

// POST pods/<name>/eviction (policy/v1): a deletion that a PodDisruptionBudget may refuse with 429.
Task<Written> Objects::evict(Target target, Value eviction, WriteOptions options) {
  target.subresource.clear();
  StoredPtr pod = co_await get(target);
  std::string prefix = "/registry/policy/poddisruptionbudgets/" + target.ns + "/";
  auto budgets = co_await p_.store.range(prefix, "", 0, 0);
  for (const StoredPtr& budget : budgets.items) {
    auto selector = LabelSelector::from_object(budget->value["spec"]["selector"]);
    if (!selector.ok() || !selector->matches(pod->value["metadata"]["labels"])) continue;
    if (budget->value["status"]["disruptionsAllowed"].as_int() > 0) continue;
    Error error = Error::make(Code::too_many_requests,
                              "Cannot evict pod as it would violate the pod's disruption budget.");
    co_await fail(std::move(error).with_retry_after(10));
  }
  client::RemoveOptions remove_options;
  const Value& asked = eviction["deleteOptions"];
  if (asked["gracePeriodSeconds"].is_int()) remove_options.grace_seconds = asked["gracePeriodSeconds"].as_int();
  remove_options.uid = asked["preconditions"]["uid"].as_string();
  remove_options.dry_run = options.dry_run;
  Written written = co_await remove(std::move(target), std::move(remove_options));
  written.stored = nullptr;
  written.created = true;
  written.value = Value::object({{"kind", "Status"},
                                 {"apiVersion", "v1"},
                                 {"metadata", Value::empty_object()},
                                 {"status", "Success"},
                                 {"code", 201}});
  co_return std::move(written);
}

}  // namespace orch::api
