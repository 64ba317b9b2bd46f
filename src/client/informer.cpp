#include "client/informer.h"

#include <set>

#include "base/text.h"
#include "plan/core/object.h"

namespace orch::client {

using plan::name_of;
using plan::namespace_of;
using plan::resource_version_of;
using plan::uid_of;

Target target_of(const plan::Type& type) {
  Target target;
  target.group = type.group;
  target.version = type.version;
  target.resource = type.resource;
  return target;
}

namespace {

constexpr int64_t page = 500;
constexpr Duration first_delay = 500ms, longest_delay = 30s;
// Nothing older than this comes in late.
constexpr Duration removal_memory = 2min;

// Is `a` a later state than `b`? The API of this program counts revisions; anything else is taken as later.
bool is_newer(const Value& a, const Value& b) {
  auto number_a = parse_uint(resource_version_of(a)), number_b = parse_uint(resource_version_of(b));
  return !number_a || !number_b || *number_a > *number_b;
}

}  // namespace

Informer::Informer(loop::Loop& loop, ApiPort& api, const plan::Type& type, plan::ObjectTable& table, Logger logger,
                   OnChange on_change, Filter filter)
    : loop_(loop),
      api_(api),
      type_(type),
      table_(table),
      logger_(std::move(logger)),
      on_change_(std::move(on_change)),
      filter_(std::move(filter)),
      synced_(loop) {}

loop::Task<void> Informer::run() {
  Duration delay = first_delay;
  for (;;) {
    const bool listing = resource_version_.empty();
    loop::Task<void> step = listing ? list_all() : follow();
    auto result = co_await std::move(step).result();
    if (result.ok()) {
      delay = first_delay;
      continue;
    }
    const Error& error = result.error();
    if (error.is(Code::expired) || error.is(Code::gone)) {
      resource_version_.clear();
      if (!listing) continue;
    }
    if (error.is(Code::closed) && !listing) {
      // The usual end of a watch. One that ends at once, again and again, must not spin.
      co_await loop::sleep(loop_, 50ms);
      continue;
    }
    logger_.warn(listing ? "listing failed" : "watching failed", {{"type", type_.id()}, {"error", error.message()}});
    co_await loop::sleep(loop_, delay);
    delay = std::min(delay * 2, longest_delay);
  }
}

Target Informer::target() const {
  Target target = target_of(type_);
  target.ns = filter_.ns;
  return target;
}

loop::Task<void> Informer::list_all() {
  std::vector<Value> objects;
  ListOptions options;
  options.field_selector = filter_.field_selector;
  options.limit = page;
  std::string version;
  do {
    ListResult result = co_await api_.list(target(), options);
    for (Value& object : result.items) objects.push_back(std::move(object));
    options.continue_token = result.continue_token;
    version = result.resource_version;
  } while (!options.continue_token.empty());

  std::set<std::pair<std::string_view, std::string_view>> listed;
  for (const Value& object : objects) listed.emplace(namespace_of(object), name_of(object));
  // What we wrote after the list was made is newer than the list.
  Value moment = Value::object({{"metadata", Value::object({{"resourceVersion", version}})}});
  for (const Value& known : table_.list(""))
    if (!listed.count({namespace_of(known), name_of(known)}) && !is_newer(known, moment))
      erase(std::string(namespace_of(known)), std::string(name_of(known)));
  for (const Value& object : objects) put(object);
  resource_version_ = version;
  synced_.set();
}

loop::Task<void> Informer::follow() {
  WatchOptions options;
  options.resource_version = resource_version_;
  options.field_selector = filter_.field_selector;
  std::unique_ptr<WatchStream> stream = co_await api_.watch(target(), options);
  for (;;) {
    std::vector<WatchEvent> events = co_await stream->next();
    for (const WatchEvent& event : events) apply(event);
  }
}

void Informer::apply(const WatchEvent& event) {
  const Value& object = event.object;
  std::string version(resource_version_of(object));
  if (!version.empty()) resource_version_ = version;
  if (event.type == EventType::bookmark) return;
  if (event.type != EventType::deleted) return put(object);
  remember_removal(std::string(uid_of(object)));
  const Value& known = table_.get(namespace_of(object), name_of(object));
  if (!known.is_null() && uid_of(known) == uid_of(object))
    erase(std::string(namespace_of(object)), std::string(name_of(object)));
}

void Informer::put(const Value& object) {
  if (removed_.count(std::string(uid_of(object)))) return;
  const Value known = table_.get(namespace_of(object), name_of(object));
  if (!known.is_null() && !is_newer(object, known)) return;
  table_.put(object, loop_.now());
  // A name that was given anew: the old object is gone, then the new one came.
  if (!known.is_null() && uid_of(known) != uid_of(object)) {
    on_change_(type_, known, Value());
    on_change_(type_, Value(), object);
  } else {
    on_change_(type_, known, object);
  }
}

void Informer::erase(const std::string& ns, const std::string& name) {
  Value known = table_.erase(ns, name);
  if (!known.is_null()) on_change_(type_, known, Value());
}

void Informer::remember_removal(const std::string& uid) {
  while (!removals_.empty() && removals_.front().at + removal_memory < loop_.now()) {
    removed_.erase(removals_.front().uid);
    removals_.pop_front();
  }
  if (removed_.insert(uid).second) removals_.push_back(Removal{uid, loop_.now()});
}

void Informer::absorb(const Value& object) {
  if (is_synced()) put(object);
}

void Informer::absorb_removal(const std::string& ns, const std::string& name, const std::string& uid) {
  if (!is_synced() || uid.empty()) return;
  const Value& known = table_.get(ns, name);
  // Without the object at hand the watch has told of its end already, or will tell of all of it.
  if (known.is_null() || uid_of(known) != uid) return;
  remember_removal(uid);
  erase(ns, name);
}

}  // namespace orch::client
