#pragma once
// ApiPort: the one door between the API and everybody who uses it (controllers, scheduler, agent,
// command line). In one process it is a function call that hands over shared immutable objects
// (api/local_port.h); between nodes it is HTTPS (client/http_port.h). Same verbs, same errors:
// an Error carries the code of the Status it was or will be.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/value.h"
#include "loop/task.h"

namespace orch::client {

// What a request is about. `group` "" is core; `ns` "" is cluster scope or all namespaces.
struct Target {
  std::string group;
  std::string version;
  std::string resource;     // plural: "pods"
  std::string ns;
  std::string name;         // "" for a collection
  std::string subresource;  // "status", "scale", "binding", ...
};

enum class Freshness : uint8_t { newest, any };  // any: resourceVersion=0, from the cache

struct ListOptions {
  std::string label_selector;
  std::string field_selector;
  int64_t limit = 0;
  std::string continue_token;
  Freshness freshness = Freshness::newest;
};

struct ListResult {
  std::vector<Value> items;  // each with apiVersion, kind
  std::string resource_version;
  std::string continue_token;
  int64_t remaining = 0;
};

enum class EventType : uint8_t { added, modified, deleted, bookmark };

struct WatchEvent {
  EventType type;
  Value object;
};

struct WatchOptions {
  std::string label_selector;
  std::string field_selector;
  std::string resource_version;  // "" : from now
  bool bookmarks = true;
  std::optional<int64_t> timeout_seconds;
};

class WatchStream {
 public:
  virtual ~WatchStream() = default;
  // At least one event; waits. Errors: Code::expired/gone (list again), Code::closed (ended; resume).
  virtual loop::Task<std::vector<WatchEvent>> next() = 0;
};

struct WriteOptions {
  std::string field_manager = "orch";
  bool dry_run = false;
  enum class FieldValidation : uint8_t { ignore, warn, strict };
  FieldValidation field_validation = FieldValidation::warn;
  bool force = false;  // apply only
  // What the decoder of the body found beside the object: `duplicate field "spec.replicas"`.
  std::vector<std::string> duplicates;
};

enum class PatchType : uint8_t { json, merge, strategic, apply };

struct RemoveOptions {
  std::string uid;               // precondition, "" none
  std::string resource_version;  // precondition, "" none
  std::string propagation;       // "", Orphan, Background, Foreground
  std::optional<int64_t> grace_seconds;
  bool dry_run = false;
};

class ApiPort {
 public:
  virtual ~ApiPort() = default;
  virtual loop::Task<Value> get(Target target) = 0;
  virtual loop::Task<ListResult> list(Target target, ListOptions options) = 0;
  virtual loop::Task<std::unique_ptr<WatchStream>> watch(Target target, WatchOptions options) = 0;
  virtual loop::Task<Value> create(Target target, Value object, WriteOptions options) = 0;
  // The object's metadata.resourceVersion, if set, must be the current one (Code::conflict).
  virtual loop::Task<Value> update(Target target, Value object, WriteOptions options) = 0;
  virtual loop::Task<Value> patch(Target target, PatchType type, Value patch, WriteOptions options) = 0;
  // The object (being deleted), or the Status where it is gone at once.
  virtual loop::Task<Value> remove(Target target, RemoveOptions options) = 0;
  virtual loop::Task<Value> remove_collection(Target target, ListOptions which, RemoveOptions options) = 0;
};

}  // namespace orch::client
