#pragma once
// A watch as a client sees it: the store's events through namespace, kind and selectors, with the
// initial state in front where asked. Shared by the HTTP watch and the in-process one.

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/objects.h"
#include "api/selection.h"

namespace orch::api {

struct WatchQuery {
  std::string label_selector, field_selector;
  std::string resource_version;
  bool send_initial_events = false;
  bool bookmarks = false;
};

struct Selected {
  client::EventType type;
  store::Revision revision = 0;
  store::StoredPtr stored;  // null for a bookmark and for an object that left the selector
  Value object;             // set where `stored` is null
  bool initial_end = false;  // the bookmark after the initial events
};

class WatchSession {
 public:
  // Errors: Code::expired (resourceVersion too old), bad_request, not_found.
  static Result<std::unique_ptr<WatchSession>> open(Objects& objects, client::Target target, WatchQuery query);

  // At least one event, waiting for it. Errors: as store::Watch::next.
  loop::Task<std::vector<Selected>> next();
  // A bookmark saying how far the watch has come.
  Selected bookmark() const;
  const schema::Kind& kind() const { return *kind_; }

 private:
  WatchSession(Objects& objects, const schema::Kind& kind, Selection selection)
      : objects_(objects), kind_(&kind), selection_(std::move(selection)) {}
  std::optional<Selected> select(const store::Event& event) const;
  Result<void> add_initial(const std::string& prefix, bool mark_end);
  bool matches(const store::StoredPtr& stored) const;

  Objects& objects_;
  const schema::Kind* kind_;
  Selection selection_;
  std::unique_ptr<store::Watch> watch_;
  std::vector<Selected> initial_;
};

}  // namespace orch::api
