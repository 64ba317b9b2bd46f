// apply_defaults: per object first the defaults of its lines, then its default hooks, then the
// objects inside, as the generated defaulting functions of Kubernetes do.

#include "data/quantity.h"
#include "schema/engine.h"
#include "schema/hooks.h"
#include "schema/rebuild.h"
#include "schema/shape.h"

namespace orch::schema {

namespace {

class Defaulter {
 public:
  explicit Defaulter(const Hooks& hooks) : hooks_(hooks) {}

  Value object(const Type& type, const Value& value) const {
    Value with_lines = lines(type, value);
    Value with_hooks = hooked(type, with_lines);
    return insides(type, with_hooks);
  }

 private:
  // Go sees no difference between an absent value and a zero one, unless it is a pointer.
  static bool wants_default(const Field& field, const Value& value) {
    if (value.is_null()) return true;
    return !field.type.pointer && is_empty(value);
  }
  static Value default_of(const Field& field) {
    if (field.type.object && field.type.shape == Shape::single && field.default_value->empty()) {
      return zero_object(*field.type.object);
    }
    return *field.default_value;
  }

  static Value lines(const Type& type, const Value& value) {
    ObjectRebuild rebuild(value);
    auto entry = type.index.begin();
    auto add_absent_before = [&](std::string_view name, bool to_the_end) {
      for (; entry != type.index.end() && (to_the_end || entry->name < name); ++entry) {
        if (entry->field->default_value) rebuild.insert(entry->field->key, default_of(*entry->field));
      }
    };
    for (const Member& member : value.members()) {
      add_absent_before(member.name(), false);
      const Field* field = nullptr;
      if (entry != type.index.end() && entry->name == member.name()) field = entry++->field;
      bool replace = field && field->default_value && wants_default(*field, member.value);
      rebuild.keep(member, replace ? default_of(*field) : member.value);
    }
    add_absent_before({}, true);
    return std::move(rebuild).finish();
  }

  Value hooked(const Type& type, Value value) const {
    for (const std::string& name : type.default_hooks) {
      if (const DefaultHook* hook = hooks_.find<DefaultHook>(name)) value = hook->run(value);
    }
    for (const Field& field : type.fields) {
      if (field.inlined) value = hooked(*field.type.object, std::move(value));
    }
    return value;
  }

  Value insides(const Type& type, const Value& value) const {
    ObjectRebuild rebuild(value);
    auto entry = type.index.begin();
    for (const Member& member : value.members()) {
      while (entry != type.index.end() && entry->name < member.name()) ++entry;
      if (entry == type.index.end() || entry->name != member.name()) {
        rebuild.keep(member, member.value);
      } else {
        rebuild.keep(member, inside(entry->field->type, member.value));
      }
    }
    return std::move(rebuild).finish();
  }

  Value inside(const FieldType& type, const Value& value) const {
    if (type.shape == Shape::map && type.scalar == Scalar::quantity) return resource_list(value);
    if (!type.object) return value;
    if (type.shape == Shape::single) return value.is_object() ? object(*type.object, value) : value;
    if (type.shape == Shape::list) {
      ListRebuild rebuild(value);
      for (const Value& item : value.items()) {
        rebuild.keep(item, item.is_object() ? object(*type.object, item) : item);
      }
      return value.is_list() ? std::move(rebuild).finish() : value;
    }
    ObjectRebuild rebuild(value);
    for (const Member& member : value.members()) {
      rebuild.keep(member, member.value.is_object() ? object(*type.object, member.value) : member.value);
    }
    return value.is_object() ? std::move(rebuild).finish() : value;
  }

  // Resource lists hold thousandths at best; what is finer is rounded up.
  static Value resource_list(const Value& value) {
    ObjectRebuild rebuild(value);
    for (const Member& member : value.members()) {
      Quantity quantity = Quantity::from(member.value);
      // Beyond this a thousandth does not fit, and nothing that fine was written.
      bool small = quantity.as_double() < 9e15 && quantity.as_double() > -9e15;
      Quantity rounded = small ? Quantity::milli(quantity.milli_value()) : quantity;
      rebuild.keep(member, rounded == quantity ? member.value : Value(rounded.format()));
    }
    return value.is_object() ? std::move(rebuild).finish() : value;
  }

  const Hooks& hooks_;
};

}  // namespace

Value apply_defaults(const Type& type, const Value& object, const Hooks& hooks) {
  return object.is_object() ? Defaulter(hooks).object(type, object) : object;
}

}  // namespace orch::schema
