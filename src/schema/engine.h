#pragma once
// The operations of the engine: each a small pure algorithm over the graph. A write runs:
// decode -> (patch) -> prune -> default -> prepare -> validate -> store.

#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "data/path.h"
#include "data/value.h"
#include "schema/graph.h"

namespace orch::schema {

class Hooks;          // the named pure functions of schema/rules/ (hooks.h)
struct WriteContext;  // which subresource is written, when and by whom (hooks.h)

// --- shape (prune.cpp)
struct Pruned {
  Value object;                        // unknown fields dropped, omitempty zeros dropped,
                                       // quantities and times canonical
  std::vector<std::string> unknown;    // `unknown field "spec.replica"`, in document order
};
// Errors: Code::bad_request where a value has the wrong type, in the words of Kubernetes' decoder:
// `json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32`.
Result<Pruned> prune(const Type& type, const Value& object);

// --- defaulting (default.cpp): idempotent; shares what it does not change
Value apply_defaults(const Type& type, const Value& object, const Hooks& hooks);

// --- validation (validate.cpp): all causes, never the first only
std::vector<Cause> validate_create(const Kind& kind, const Value& object, const Hooks& hooks,
                                   const WriteContext& write);
std::vector<Cause> validate_update(const Kind& kind, const Value& old_object, const Value& object,
                                   const Hooks& hooks, const WriteContext& write);
// A type without a resource: DeleteOptions, Eviction.
std::vector<Cause> validate_type(const Type& type, const Value& object, const Hooks& hooks);
// `Deployment.apps "x" is invalid: [spec.a: Required value, spec.b: ...]` with details.
Error invalid_error(const Kind& kind, std::string_view name, std::vector<Cause> causes);

// --- what a write may change (strategy.cpp)
// Status cleared on create, spec kept from old on a status write, status kept on others, metadata
// the user may not set restored, generation counted, prepare hooks run.
Value prepare_create(const Kind& kind, const Value& object, const Hooks& hooks,
                     const WriteContext& write);
Value prepare_update(const Kind& kind, const Value& old_object, const Value& object,
                     const Hooks& hooks, const WriteContext& write);

// --- strategic merge patch (strategic_merge.cpp)
// With $patch: replace|delete|merge, $retainKeys, $setElementOrder/x, $deleteFromPrimitiveList/x.
// Errors: Code::bad_request with kubectl's expected words.
Result<Value> apply_strategic_merge(const Type& type, const Value& object, const Value& patch);

// --- field selectors (select.cpp)
// Errors: Code::bad_request `field label not supported: spec.x`.
Result<bool> matches_fields(const Kind& kind, const Value& object, std::string_view selector);

// --- tables (table.cpp)
Value table_columns(const Kind& kind);  // columnDefinitions
// cells and conditions of one row; `now` for ages
Value table_row(const Kind& kind, const Value& object, const Hooks& hooks, Instant now);

// --- protobuf (protobuf_codec.cpp): the object alone; the k8s\0 envelope is codec_envelope.h's
Result<Value> decode_protobuf(const Type& type, std::string_view bytes);
Result<std::string> encode_protobuf(const Type& type, const Value& object);

}  // namespace orch::schema
