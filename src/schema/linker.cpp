// Documents -> Registry: looks up the types that fields name, flattens inlined types into the
// index, and checks what needs more than one line to check.

#include <algorithm>

#include "base/text.h"
#include "schema/builtin.h"
#include "schema/graph.h"
#include "schema/parser.h"

namespace orch::schema {

class Linker {
 public:
  explicit Linker(std::vector<Document> documents)
      : documents_(std::move(documents)), registry_(std::make_shared<Registry>()) {}

  Result<std::shared_ptr<const Registry>> link() {
    for (Document& document : documents_) TRY_VOID(collect(document));
    for (const Place& place : places_) TRY_VOID(resolve(place));
    for (const Place& place : places_) TRY_VOID(index(place));
    for (const Place& place : places_) TRY_VOID(check(place));
    TRY_VOID(take_tables());
    return std::shared_ptr<const Registry>(std::move(registry_));
  }

 private:
  struct Place {
    const Document* document;
    const Document::Section* section;
    Type* type;
  };

  static Error at(const Document& document, int line, const std::string& message) {
    return Error::make(Code::parse, document.file + ":" + std::to_string(line) + ": " + message);
  }
  static Error at(const Place& place, const std::string& message) {
    return at(*place.document, place.section->line, message);
  }

  Result<void> collect(Document& document);
  Result<void> collect_kind(Document& document, Document::Section& section, const Type& type,
                            Registry::GroupVersion& group_version);
  Result<void> resolve(const Place& place);
  Result<void> index(const Place& place);
  Result<void> add_to_index(const Place& place, const Type& from, int depth);
  Result<void> check(const Place& place);
  Result<void> check_list(const Place& place, const Field& field);
  Result<void> take_tables();

  std::vector<Document> documents_;
  std::shared_ptr<Registry> registry_;
  std::vector<Place> places_;
};

Result<void> Linker::collect(Document& document) {
  Registry::GroupVersion* group_version = nullptr;
  if (!document.version.empty()) {
    registry_->group_versions_.push_back(
        {.group = document.group, .version = document.version, .package = document.package, .kinds = {}});
    group_version = &registry_->group_versions_.back();
  }
  for (Document::Section& section : document.sections) {
    section.type.package = document.package;
    section.type.fields.shrink_to_fit();  // they stay where they are from here on
    auto type = std::make_unique<Type>(std::move(section.type));
    std::string full_name = document.package + "." + type->name;
    if (!registry_->types_by_name_.emplace(full_name, type.get()).second) {
      return at(document, section.line, "a second type " + quote(type->name));
    }
    if (section.kind) TRY_VOID(collect_kind(document, section, *type, *group_version));
    places_.push_back({&document, &section, type.get()});
    registry_->types_.push_back(std::move(type));
  }
  return {};
}

Result<void> Linker::collect_kind(Document& document, Document::Section& section, const Type& type,
                                  Registry::GroupVersion& group_version) {
  auto kind = std::make_unique<Kind>(std::move(*section.kind));
  kind->group = document.group;
  kind->version = document.version;
  kind->type = &type;
  if (kind->verbs.empty()) {
    kind->verbs = {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"};
  }
  std::string prefix = kind->group + "/" + kind->version + "/";
  if (!registry_->kinds_by_name_.emplace(prefix + kind->kind, kind.get()).second ||
      !registry_->kinds_by_resource_.emplace(prefix + kind->plural, kind.get()).second) {
    return at(document, section.line, "a second kind " + quote(kind->kind));
  }
  group_version.kinds.push_back(kind.get());
  registry_->kinds_.push_back(std::move(kind));
  return {};
}

Result<void> Linker::resolve(const Place& place) {
  for (size_t i = 0; i < place.type->fields.size(); ++i) {
    Field& field = place.type->fields[i];
    const Document::Reference& reference = place.section->references[i];
    if (reference.name.empty()) continue;
    std::string package = place.document->package;
    if (!reference.alias.empty()) {
      auto import = std::ranges::find(place.document->imports, reference.alias, &Document::Import::alias);
      if (import == place.document->imports.end()) {
        return at(*place.document, reference.line, "no import " + quote(reference.alias));
      }
      package = import->package;
    }
    field.type.object = registry_->find_type(package, reference.name);
    if (!field.type.object) {
      return at(*place.document, reference.line, "no type " + quote(reference.name) + " in " + package);
    }
    if (field.inlined && field.type.shape != Shape::single) {
      return at(*place.document, reference.line, "only a single object can be inlined");
    }
  }
  return {};
}

Result<void> Linker::add_to_index(const Place& place, const Type& from, int depth) {
  if (depth > 8) return at(place, "types inlined into each other without end");
  for (const Field& field : from.fields) {
    if (!field.inlined) {
      place.type->index.push_back({field.name, &field});
    } else if (!field.type.object) {
      return at(place, "the inlined field " + quote(field.name) + " is not an object");
    } else {
      TRY_VOID(add_to_index(place, *field.type.object, depth + 1));
    }
  }
  return {};
}

Result<void> Linker::index(const Place& place) {
  auto& entries = place.type->index;
  TRY_VOID(add_to_index(place, *place.type, 0));
  std::ranges::sort(entries, {}, &Type::Entry::name);
  auto twice = std::ranges::adjacent_find(entries, {}, &Type::Entry::name);
  if (twice != entries.end()) return at(place, "the field " + quote(twice->name) + " comes twice");
  entries.shrink_to_fit();
  auto& numbered = place.type->by_number;
  for (const Field& field : place.type->fields) {
    if (field.number != 0) numbered.push_back(&field);
  }
  std::ranges::sort(numbered, {}, &Field::number);
  auto same = std::ranges::adjacent_find(numbered, {}, &Field::number);
  if (same != numbered.end()) return at(place, "the number of " + quote((*same)->name) + " comes twice");
  numbered.shrink_to_fit();
  return {};
}

// Keys of lists must be fields of their items.
Result<void> Linker::check_list(const Place& place, const Field& field) {
  std::vector<std::string> keys = field.keys;
  if (!field.patch.key.empty()) keys.push_back(field.patch.key);
  if (field.unique && !field.unique->empty()) keys.push_back(*field.unique);
  if (keys.empty()) return {};
  if (field.type.shape != Shape::list || !field.type.object) {
    return at(place, quote(field.name) + " has keys, but is not a list of objects");
  }
  for (const std::string& key : keys) {
    if (!field.type.object->find(key)) {
      return at(place, "the items of " + quote(field.name) + " have no field " + quote(key));
    }
  }
  return {};
}

// A kind that is kept as another is shown in tables as that.
Result<void> Linker::take_tables() {
  for (auto& kind : registry_->kinds_) {
    if (!kind->stored_as) continue;
    const Kind::StoredAs& as = *kind->stored_as;
    const Kind* stored = registry_->find_kind(as.group, as.version, as.kind);
    if (!stored) return Error::make(Code::parse, kind->kind + " is stored as " + as.kind + ", which is no kind");
    kind->columns = stored->columns;
    kind->row_function = stored->row_function;
  }
  return {};
}

Result<void> Linker::check(const Place& place) {
  const Type& type = *place.type;
  for (const Field& field : type.fields) TRY_VOID(check_list(place, field));
  for (const Union& one : type.unions) {
    for (const std::string& name : one.fields) {
      if (!type.find(name)) return at(place, "no field " + quote(name) + " for the union");
    }
  }
  for (const auto& path : type.required_paths) {
    const Type* inside = &type;
    for (const std::string& name : path) {
      const Field* field = inside ? inside->find(name) : nullptr;
      if (!field) return at(place, "no field " + quote(join(path, ".")) + " to require");
      inside = field->type.object;
    }
  }
  return {};
}

Result<std::shared_ptr<const Registry>> Registry::build(
    const std::vector<std::pair<std::string, std::string_view>>& files) {
  std::vector<Document> documents;
  documents.reserve(files.size());
  for (const auto& [name, text] : files) {
    TRY(Document document, parse_document(name, text));
    documents.push_back(std::move(document));
  }
  return Linker(std::move(documents)).link();
}

Result<std::shared_ptr<const Registry>> Registry::builtin() {
  std::vector<std::pair<std::string, std::string_view>> files;
  for (const BuiltinFile& file : builtin_files()) files.emplace_back(file.name, file.text);
  return build(files);
}

}  // namespace orch::schema
