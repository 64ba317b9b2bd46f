#pragma once
// From words and -f to the objects a verb is about: `pods a b`, `pod/a svc/b`, `deploy,rs -l x=y`,
// `-f dir/`. Shared by all verbs that take such arguments.

#include <string>
#include <vector>

#include "cli/discovery.h"
#include "cli/manifests.h"
#include "cli/verb.h"

namespace orch::cli {

struct TypeNames {
  const Resource* resource;
  std::vector<std::string> names;  // none: the collection
};

struct Selected {
  const Resource* resource = nullptr;
  std::string ns, name;
  Value object;        // the manifest's, or the server's where it was read already
  std::string source;  // of a manifest
  std::string shown() const { return resource->type_name() + "/" + name; }
};

// The texts behind -f, variables filled in where --substitute.
loop::Task<std::vector<ManifestText>> read_manifest_texts(Invocation& in);
// The objects of -f in order, with their resources and the namespace set in them.
loop::Task<std::vector<Selected>> select_manifests(Invocation& in);
// One object's resource and namespace.
loop::Task<Selected> select_manifest(Invocation& in, Manifest manifest);

// Words alone. Errors: Code::usage for forms that are mixed up.
loop::Task<std::vector<TypeNames>> parse_types(Invocation& in, std::vector<std::string> words);
// More than one type was asked for (a comma, a category, type/name of several types).
bool several_types(const std::vector<std::string>& words);

// -f, or words with names, or words with -l, --field-selector or --all (lists). `object` is filled in
// for those read from files or lists.
loop::Task<std::vector<Selected>> select_objects(Invocation& in, std::vector<std::string> words);

// Reads what `selected` names.
loop::Task<Value> read_object(Invocation& in, const Selected& selected);
// All objects of a collection, page by page; each with apiVersion and kind.
loop::Task<std::vector<Value>> list_objects(Invocation& in, const Resource& resource, std::string ns,
                                            std::string labels, std::string fields);

}  // namespace orch::cli
