#pragma once
// The named pure functions that kinds/*.schema mention as @name: what a line cannot say. The table
// is made by hand in rules/rules.cpp from the arrays of each file of rules/, nothing registers
// itself. docs/schema-rules.md says what each function does.

#include <span>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "base/time.h"
#include "data/path.h"
#include "data/value.h"
#include "schema/causes.h"

namespace orch::schema {

// `default @name`: the object with defaults added; the same Value where there is nothing to add.
struct DefaultHook {
  Value (*run)(const Value& object);
};
// `validate @name`: adds causes. `path` is the object's place.
struct ValidateHook {
  void (*run)(const Value& object, const FieldPath& path, Causes& causes);
};
// What is written, and by what it may be decided.
struct WriteContext {
  std::string_view subresource;  // "" for the object itself, else "status", "resize" ...
  Instant now;
  const Value* user = nullptr;  // authentication's UserInfo {username, uid, groups, extra}
};
struct CreateHook {
  void (*run)(const Value& object, const WriteContext& write, const FieldPath& path, Causes& causes);
};
struct UpdateHook {
  void (*run)(const Value& old_object, const Value& object, const WriteContext& write,
              const FieldPath& path, Causes& causes);
};
// `prepare @name`: old_object is null at creation.
struct PrepareHook {
  Value (*run)(const Value* old_object, const Value& object, const WriteContext& write);
};
// A column's cell: `argument` is what the line gives after the name.
struct ColumnHook {
  Value (*run)(const Value& object, std::string_view argument, Instant now);
};
// The conditions of a row.
struct RowHook {
  Value (*run)(const Value& object);
};
// `stored`: to the kind that is kept, and back.
struct ConvertHook {
  Value (*to_stored)(const Value& object);
  Value (*from_stored)(const Value& object);
};

class Hooks {
 public:
  template <class F>
  struct Named {
    std::string_view name;  // a literal
    F hook;
  };
  template <class F>
  using Table = std::span<const Named<F>>;

  // All of schema/rules/. Made once at start and handed on.
  static Hooks builtin();

  template <class F>
  void add(Table<F> hooks) {
    for (const Named<F>& each : hooks) table<F>().emplace(each.name, each.hook);
  }
  // null where there is none of this name.
  template <class F>
  const F* find(std::string_view name) const {
    auto& all = const_cast<Hooks*>(this)->table<F>();
    auto found = all.find(name);
    return found != all.end() ? &found->second : nullptr;
  }

 private:
  template <class F>
  using Map = std::unordered_map<std::string_view, F>;
  template <class F>
  Map<F>& table() {
    return std::get<Map<F>>(tables_);
  }
  std::tuple<Map<DefaultHook>, Map<ValidateHook>, Map<CreateHook>, Map<UpdateHook>, Map<PrepareHook>,
             Map<ColumnHook>, Map<RowHook>, Map<ConvertHook>>
      tables_;
};

}  // namespace orch::schema
