// Validation: what lines say (required, bounds, enum, formats, unique, unions, immutable), then the
// hooks. Every cause is collected; no text is built where nothing is wrong.

#include <algorithm>

#include "base/text.h"
#include "schema/causes.h"
#include "schema/engine.h"
#include "schema/formats.h"
#include "schema/hooks.h"
#include "schema/shape.h"

namespace orch::schema {

namespace {

class Validator {
 public:
  explicit Validator(const Hooks& hooks) : hooks_(hooks) {}

  void object(const Type& type, const Value& value, const FieldPath& path) {
    if (++depth_ < kMaxDepth) fields_and_rules(type, value, path);
    --depth_;
  }
  void field(const Field& field, const Value& value, const FieldPath& path);
  Causes& causes() { return causes_; }

 private:
  static constexpr int kMaxDepth = 512;

  void fields_and_rules(const Type& type, const Value& value, const FieldPath& path) {
    for (const Field& each : type.fields) {
      if (each.inlined) {
        fields_and_rules(*each.type.object, value, path);
      } else {
        field(each, value[each.name], path.child(each.name));
      }
    }
    own_rules(type, value, path);
  }
  void own_rules(const Type& type, const Value& value, const FieldPath& path);
  void items(const Field& field, const Value& value, const FieldPath& path);
  void item(const Field& field, const Value& value, const FieldPath& path, bool single);
  void number(const Limits& limits, const Value& value, const FieldPath& path);
  void text(const Field& field, const Value& value, const FieldPath& path);
  void unique(const Field& field, const Value& list, const FieldPath& path);
  void union_of(const Union& one, const Value& value, const FieldPath& path);
  void required_path(const std::vector<std::string>& names, const Value& value, const FieldPath& path);

  const Hooks& hooks_;
  Causes causes_;
  int depth_ = 0;
};

bool counts_as_missing(const Field& field, const Value& value) {
  if (value.is_null()) return true;
  if (field.type.shape != Shape::single) return value.empty();
  if (field.type.pointer || field.type.object || value.is_bool()) return false;
  return is_empty(value);
}

void Validator::field(const Field& field, const Value& value, const FieldPath& path) {
  if (field.required && counts_as_missing(field, value)) {
    causes_.required(path);
    return;
  }
  if (value.is_null() || field.unchecked) return;
  if (field.type.shape == Shape::single) {
    item(field, value, path, true);
  } else {
    items(field, value, path);
  }
}

void Validator::items(const Field& field, const Value& value, const FieldPath& path) {
  const Limits& limits = field.limits;
  if (limits.max_items && static_cast<int64_t>(value.size()) > *limits.max_items) {
    causes_.too_many(path, value.size(), *limits.max_items);
  }
  if (limits.min_items && static_cast<int64_t>(value.size()) < *limits.min_items) {
    causes_.invalid(path, value, "must have at least " + std::to_string(*limits.min_items) + " items");
  }
  if (!limits.format.empty()) {
    const Format* format = find_format(limits.format);
    if (format && format->whole_map) {
      format->check(value, path, causes_);
      return;
    }
  }
  bool worth_it = field.type.object || !limits.empty();
  if (worth_it && value.is_list()) {
    for (size_t i = 0; i < value.size(); ++i) item(field, value.at(i), path.index(i), false);
  } else if (worth_it) {
    for (const Member& member : value.members()) {
      item(field, member.value, path.key(member.name()), false);
    }
  }
  if (field.unique) unique(field, value, path);
}

void Validator::item(const Field& field, const Value& value, const FieldPath& path, bool single) {
  if (field.type.object) {
    object(*field.type.object, value, path);
    return;
  }
  const Limits& limits = field.limits;
  if (limits.empty()) return;
  if (value.is_number()) number(limits, value, path);
  if (value.is_string()) text(field, value, path);
  bool empty_text = value.is_string() && value.as_string().empty();
  if (!limits.allowed.empty() && !(single && empty_text) &&
      std::ranges::find(limits.allowed, value.as_string()) == limits.allowed.end()) {
    std::vector<std::string> sorted = limits.allowed;
    if (!limits.in_order) std::ranges::sort(sorted);
    causes_.not_supported(path, value, sorted);
  }
  if (!limits.format.empty() && !empty_text) {
    if (const Format* format = find_format(limits.format)) format->check(value, path, causes_);
  }
}

void Validator::number(const Limits& limits, const Value& value, const FieldPath& path) {
  double is = value.as_double();
  bool below = limits.min && is < static_cast<double>(*limits.min);
  bool above = limits.max && is > static_cast<double>(*limits.max);
  if (!below && !above) return;
  if (limits.min && limits.max) {
    causes_.invalid(path, value, "must be between " + std::to_string(*limits.min) + " and " +
                                     std::to_string(*limits.max) + ", inclusive");
  } else if (below && *limits.min == 1) {
    causes_.invalid(path, value, "must be greater than 0");
  } else if (below) {
    causes_.invalid(path, value, "must be greater than or equal to " + std::to_string(*limits.min));
  } else {
    causes_.invalid(path, value, "must be less than or equal to " + std::to_string(*limits.max));
  }
}

void Validator::text(const Field& field, const Value& value, const FieldPath& path) {
  const Limits& limits = field.limits;
  if (!limits.max_len && !limits.min_len) return;
  size_t size = value.as_string().size();
  if (field.type.scalar == Scalar::bytes) {
    auto decoded = decode_base64(value.as_string());
    size = decoded.ok() ? decoded->size() : size;
  }
  if (limits.max_len && static_cast<int64_t>(size) > *limits.max_len) {
    causes_.too_long(path, *limits.max_len);
  }
  if (limits.min_len && static_cast<int64_t>(size) < *limits.min_len) {
    causes_.invalid(path, value, "must be at least " + std::to_string(*limits.min_len) + " bytes");
  }
}

// The part of an item that must differ.
Value key_of(const Field& field, const Value& item) {
  if (!field.unique->empty()) return item[*field.unique];
  if (field.keys.empty()) return item;
  if (field.keys.size() == 1) return item[field.keys[0]];
  ObjectBuilder key;
  for (const std::string& name : field.keys) key.set(name, item[name]);
  return std::move(key).build();
}

void Validator::unique(const Field& field, const Value& list, const FieldPath& path) {
  if (list.size() < 2) return;
  // Sorted pairs of key and position; lists are short, but their length is the user's.
  std::vector<std::pair<Value, size_t>> seen;
  seen.reserve(list.size());
  for (size_t i = 0; i < list.size(); ++i) {
    Value key = key_of(field, list.at(i));
    if (!is_empty(key)) seen.emplace_back(std::move(key), i);
  }
  std::ranges::sort(seen, [](const auto& a, const auto& b) {
    int order = Value::compare(a.first, b.first);
    return order != 0 ? order < 0 : a.second < b.second;
  });
  std::vector<std::pair<size_t, const Value*>> later;
  for (size_t i = 1; i < seen.size(); ++i) {
    if (seen[i].first == seen[i - 1].first) later.emplace_back(seen[i].second, &seen[i].first);
  }
  std::ranges::sort(later);
  for (const auto& [index, key] : later) {
    FieldPath at = path.index(index);
    if (!field.unique->empty()) {
      causes_.duplicate(at.child(*field.unique), *key);
    } else if (field.keys.size() == 1) {
      causes_.duplicate(at.child(field.keys[0]), *key);
    } else {
      causes_.duplicate(at, *key);
    }
  }
}

void Validator::union_of(const Union& one, const Value& value, const FieldPath& path) {
  int set = 0;
  for (const std::string& name : one.fields) {
    if (value[name].is_null()) continue;
    if (++set > 1) {
      causes_.forbidden(path.child(name), "may not specify more than 1 " +
                                              (one.what.empty() ? "of " + join(one.fields, ", ") : one.what));
    }
  }
  if (set == 0 && one.required) {
    causes_.required(path, one.what.empty() ? "must specify one of " + join(one.fields, ", ")
                                            : "must specify a " + one.what);
  }
}

void Validator::required_path(const std::vector<std::string>& names, const Value& value,
                              const FieldPath& path) {
  if (names.size() == 1) {
    if (is_empty(value[names[0]])) causes_.required(path.child(names[0]));
    return;
  }
  const Value& inside = value[names[0]];
  if (inside.is_null()) return;
  required_path({names.begin() + 1, names.end()}, inside, path.child(names[0]));
}

void Validator::own_rules(const Type& type, const Value& value, const FieldPath& path) {
  for (const Union& one : type.unions) union_of(one, value, path);
  for (const auto& names : type.required_paths) required_path(names, value, path);
  for (const std::string& name : type.validate_hooks) {
    if (const ValidateHook* hook = hooks_.find<ValidateHook>(name)) hook->run(value, path, causes_);
  }
}

// ---- what an update may not change

class UpdateValidator {
 public:
  UpdateValidator(const Hooks& hooks, const WriteContext& write, Causes& causes)
      : hooks_(hooks), write_(write), causes_(causes) {}

  void object(const Type& type, const Value& before, const Value& after, const FieldPath& path) {
    for (const Field& field : type.fields) {
      if (field.inlined) {
        object(*field.type.object, before, after, path);
        continue;
      }
      const Value& a = before[field.name];
      const Value& b = after[field.name];
      bool changed = !a.same(b) && a != b;
      if (field.immutable && changed) {
        causes_.invalid(path.child(field.name), b, "field is immutable");
      }
      // ObjectMeta's hook looks at what must be there although nothing changed.
      bool look = changed || field.name == "metadata";
      if (look && field.type.object && field.type.shape == Shape::single && a.is_object() && b.is_object()) {
        object(*field.type.object, a, b, path.child(field.name));
      }
    }
    for (const std::string& name : type.update_hooks) {
      if (const UpdateHook* hook = hooks_.find<UpdateHook>(name)) {
        hook->run(before, after, write_, path, causes_);
      }
    }
  }

 private:
  const Hooks& hooks_;
  const WriteContext& write_;
  Causes& causes_;
};

// ---- name and namespace

bool has_names(const Kind& kind) {
  // Reviews and the like are answered, not stored, and need no name.
  return std::ranges::find(kind.verbs, "get") != kind.verbs.end();
}

void check_names(const Kind& kind, const Value& metadata, const FieldPath& path, Causes& causes) {
  if (!has_names(kind)) return;
  NameCheck check = find_name_format(kind.name_format);
  if (!check) check = path_segment_problems;
  const Value& prefix = metadata["generateName"];
  if (!is_empty(prefix)) {
    add_problems(name_problems(check, prefix.as_string(), true), path.child("generateName"), prefix, causes);
  }
  const Value& name = metadata["name"];
  if (is_empty(name)) {
    causes.required(path.child("name"), "name or generateName is required");
  } else {
    add_problems(name_problems(check, name.as_string(), false), path.child("name"), name, causes);
  }
  const Value& space = metadata["namespace"];
  FieldPath space_path = path.child("namespace");
  if (!kind.namespaced) {
    if (!is_empty(space)) causes.forbidden(space_path, "not allowed on this type");
  } else if (is_empty(space)) {
    causes.required(space_path);
  } else {
    add_problems(dns_label_problems(space.as_string()), space_path, space, causes);
  }
}

}  // namespace

std::vector<Cause> validate_type(const Type& type, const Value& object, const Hooks& hooks) {
  Validator validator(hooks);
  validator.object(type, object, FieldPath());
  return std::move(validator.causes()).take();
}

std::vector<Cause> validate_create(const Kind& kind, const Value& object, const Hooks& hooks,
                                   const WriteContext& write) {
  Validator validator(hooks);
  FieldPath root;
  check_names(kind, object["metadata"], root.child("metadata"), validator.causes());
  validator.object(*kind.type, object, root);
  // Creation hooks belong to kinds.
  for (const std::string& name : kind.type->create_hooks) {
    if (const CreateHook* hook = hooks.find<CreateHook>(name)) {
      hook->run(object, write, root, validator.causes());
    }
  }
  return std::move(validator.causes()).take();
}

std::vector<Cause> validate_update(const Kind& kind, const Value& old_object, const Value& object,
                                   const Hooks& hooks, const WriteContext& write) {
  Validator validator(hooks);
  FieldPath root;
  check_names(kind, object["metadata"], root.child("metadata"), validator.causes());
  if (write.subresource == "status") {
    // What was stored before need not be right by today's rules: a status write answers only for
    // the metadata and the status.
    for (std::string_view name : {"metadata", "status"}) {
      const Field* field = kind.type->find(name);
      if (field) validator.field(*field, object[name], root.child(name));
    }
  } else {
    validator.object(*kind.type, object, root);
  }
  UpdateValidator(hooks, write, validator.causes()).object(*kind.type, old_object, object, root);
  return std::move(validator.causes()).take();
}

Error invalid_error(const Kind& kind, std::string_view name, std::vector<Cause> causes) {
  std::string message = kind.kind;
  if (!kind.group.empty()) message += "." + kind.group;
  message += " " + quote(name) + " is invalid";
  // Each text once, as apimachinery's aggregate of errors shows them.
  std::vector<std::string> texts;
  for (const Cause& cause : causes) {
    std::string text = (cause.field.empty() ? "<nil>" : cause.field) + ": " + cause.message;
    if (std::ranges::find(texts, text) == texts.end()) texts.push_back(std::move(text));
  }
  if (texts.size() == 1) message += ": " + texts[0];
  if (texts.size() > 1) message += ": [" + join(texts, ", ") + "]";
  return Error::from_causes(std::move(message), std::move(causes)).about(kind.group, kind.kind, name);
}

}  // namespace orch::schema
