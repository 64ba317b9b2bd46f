#pragma once
// EventRecorder: what the user should know, as Event objects. The same event again raises the count
// of the first; more than ten different messages of one reason about one object within ten minutes
// are combined into one; an object that keeps telling is cut short (25 at once, then one in five
// minutes). Recording never fails and never waits: a full queue drops.

#include <deque>
#include <map>
#include <set>
#include <string>

#include "base/log.h"
#include "client/api_port.h"
#include "loop/loop.h"
#include "loop/scope.h"
#include "plan/core/plan.h"

namespace orch::client {

class EventRecorder {
 public:
  EventRecorder(loop::Loop& loop, ApiPort& api, Logger logger);

  // `about` is an ObjectReference: apiVersion, kind, name, namespace, uid, resourceVersion.
  void record(std::string_view source, const Value& about, const plan::Note& note);
  static Value reference(const Value& object);
  // Returns when what was recorded is written (or given up).
  loop::Task<void> flush();

 private:
  struct Record {
    std::string source;
    Value about;
    plan::Note note;
    Instant at;
  };
  struct Known {  // an Event that exists
    std::string ns, name;
    int64_t count = 0;
    Mono last;
  };
  struct Similar {  // messages of one reason about one object
    std::set<std::string> messages;
    Mono since;
  };
  struct Budget {
    double tokens = 25;
    Mono last;
  };
  loop::Task<void> run();
  loop::Task<void> write(Record record);
  bool spend(const Record& record);
  std::string combined(const Record& record);
  void prune();

  loop::Loop& loop_;
  ApiPort& api_;
  Logger logger_;
  std::deque<Record> queue_;
  std::map<std::string, Known> known_;
  std::map<std::string, Similar> similar_;
  std::map<std::string, Budget> budgets_;
  loop::Event changed_, idle_;
  loop::Scope scope_;  // last
};

}  // namespace orch::client
