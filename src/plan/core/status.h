#pragma once
// Lists of conditions, as every status has them: keyed by type, order kept.

#include <string>
#include <string_view>

#include "base/time.h"
#include "data/value.h"

namespace orch::plan {

// The condition of this type in a list; null without one.
const Value& find_condition(const Value& conditions, std::string_view type);
Value without_condition(const Value& conditions, std::string_view type);
// Sets the condition at the end of the list, as Kubernetes' workload controllers do. Nothing changes
// where status and reason are what they were; lastTransitionTime is kept where the status is.
Value set_condition(const Value& conditions, const Value& condition);
// {type, status, reason, message, lastTransitionTime}
Value make_condition(std::string_view type, std::string_view status, std::string_view reason,
                     std::string_view message, Instant now);

// An object builder for statuses: integers that are zero are left out, as the API stores them.
class StatusBuilder {
 public:
  StatusBuilder& count(std::string_view key, int64_t number) {
    if (number != 0) builder_.set(key, Value(number));
    return *this;
  }
  StatusBuilder& always(std::string_view key, Value value) {
    builder_.set(key, std::move(value));
    return *this;
  }
  StatusBuilder& present(std::string_view key, Value value) {
    builder_.set_if(key, std::move(value));
    return *this;
  }
  Value build() && { return std::move(builder_).build(); }

 private:
  ObjectBuilder builder_;
};

}  // namespace orch::plan
