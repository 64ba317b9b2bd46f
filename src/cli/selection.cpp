#include "cli/selection.h"

#include <algorithm>
#include <set>

#include "base/text.h"

namespace orch::cli {

using loop::fail;
using loop::Task;

Task<std::vector<ManifestText>> read_manifest_texts(Invocation& in) {
  if (!in.text("kustomize").empty()) co_await fail(failure("kustomizations are not supported"));
  std::vector<ManifestText> texts;
  for (const std::string& given : in.arguments.list("filename")) {
    auto paths = co_await expand_path(in.console, given, in.on("recursive"));
    for (const std::string& path : paths) {
      ManifestText file;
      file.name = path == "-" ? "STDIN" : path;
      if (path == "-") {
        file.text = co_await in.console.read_input();
      } else if (is_url(path)) {
        file.text = co_await in.session.fetch_url(path);
      } else {
        file.text = co_await in.console.read_file(path);
      }
      if (in.on("substitute")) {
        Console& console = in.console;
        Lookup lookup = [&console](std::string_view name) { return console.variable(name); };
        file.text = co_await substitute_variables(file, lookup);
      }
      texts.push_back(std::move(file));
    }
  }
  co_return std::move(texts);
}

namespace {

Error unknown_kind(const Manifest& manifest) {
  const Value& object = manifest.object;
  const Value& metadata = object["metadata"];
  return failure("resource mapping not found for name: " + quote(metadata["name"].as_string()) +
                 " namespace: " + quote(metadata["namespace"].as_string()) + " from " + manifest.source +
                 ": no matches for kind " + quote(object["kind"].as_string()) + " in version " +
                 quote(object["apiVersion"].as_string()) + "\nensure CRDs are installed first");
}

}  // namespace

Task<Selected> select_manifest(Invocation& in, Manifest manifest) {
  const ResourceMap* map = co_await in.session.resources();
  const Resource* resource =
      map->find_kind(manifest.object["apiVersion"].as_string(), manifest.object["kind"].as_string());
  if (!resource) co_await fail(unknown_kind(manifest));
  Selected selected;
  selected.resource = resource;
  selected.source = manifest.source;
  const Value& metadata = manifest.object["metadata"];
  selected.name = metadata["name"].as_string();
  selected.object = manifest.object;
  if (!resource->namespaced) co_return std::move(selected);
  selected.ns = metadata["namespace"].as_string();
  std::string wanted = co_await in.session.ns();
  if (selected.ns.empty()) {
    selected.ns = wanted;
    selected.object = manifest.object.with_path({"metadata", "namespace"}, Value(wanted));
  } else if (!in.session.overrides().ns.empty() && selected.ns != wanted) {
    co_await fail(failure("the namespace from the provided object " + quote(selected.ns) +
                          " does not match the namespace " + quote(wanted) +
                          ". You must pass '--namespace=" + selected.ns +
                          "' to perform this operation."));
  }
  co_return std::move(selected);
}

Task<std::vector<Selected>> select_manifests(Invocation& in) {
  auto texts = co_await read_manifest_texts(in);
  std::string validation = "Strict";
  if (in.arguments.has_flag("validate")) validation = co_await field_validation_of(in.arguments);
  const bool strict = validation == "Strict";
  std::vector<Manifest> manifests;
  for (const ManifestText& text : texts) {
    auto some = co_await parse_manifests(text, strict);
    for (Manifest& manifest : some) manifests.push_back(std::move(manifest));
  }
  if (manifests.empty()) co_await fail(failure("no objects found in what -f names"));
  std::vector<Selected> all;
  for (Manifest& manifest : manifests) {
    Selected one = co_await select_manifest(in, std::move(manifest));
    all.push_back(std::move(one));
  }
  co_return std::move(all);
}

bool several_types(const std::vector<std::string>& words) {
  if (words.empty()) return false;
  std::set<std::string, std::less<>> types;
  for (const std::string& word : words) {
    if (auto parts = split_once(word, '/')) types.emplace(parts->first);
  }
  if (!types.empty()) return types.size() > 1;
  return words[0] == "all" || words[0].find(',') != std::string::npos;
}

namespace {

// `type/name` words only.
Task<std::vector<TypeNames>> parse_pairs(Invocation& in, std::vector<std::string> words) {
  std::vector<TypeNames> all;
  for (const std::string& word : words) {
    auto parts = split_once(word, '/');
    if (!parts) {
      co_await fail(failure("there is no need to specify a resource type as a separate argument when "
                            "passing arguments in resource/name form (e.g. 'kubectl get resource/<name>' "
                            "instead of 'kubectl get resource resource/<name>'"));
    }
    if (parts->first.empty() || parts->second.empty() ||
        parts->second.find('/') != std::string_view::npos) {
      co_await fail(failure("arguments in resource/name form must have a single resource and name"));
    }
    const Resource* resource = co_await in.session.find_resource(std::string(parts->first));
    if (!all.empty() && all.back().resource == resource) {
      all.back().names.emplace_back(parts->second);
    } else {
      all.push_back({resource, {std::string(parts->second)}});
    }
  }
  co_return std::move(all);
}

}  // namespace

Task<std::vector<TypeNames>> parse_types(Invocation& in, std::vector<std::string> words) {
  auto has_slash = [](const std::string& word) { return word.find('/') != std::string::npos; };
  if (std::ranges::any_of(words, has_slash)) {
    auto pairs = co_await parse_pairs(in, words);
    co_return std::move(pairs);
  }
  std::vector<TypeNames> all;
  if (words.empty()) co_return std::move(all);
  const ResourceMap* map = co_await in.session.resources();
  std::vector<std::string> names(words.begin() + 1, words.end());
  for (std::string_view type : split(words[0], ',')) {
    if (type.empty()) continue;
    auto category = map->category(type);
    for (const Resource* resource : category) all.push_back({resource, names});
    if (!category.empty()) continue;
    const Resource* resource = co_await in.session.find_resource(std::string(type));
    all.push_back({resource, names});
  }
  co_return std::move(all);
}

Task<Value> read_object(Invocation& in, const Selected& selected) {
  Value object = co_await in.session.get_json(
      resource_path(*selected.resource, selected.ns, selected.name));
  co_return std::move(object);
}

Task<std::vector<Value>> list_objects(Invocation& in, const Resource& resource, std::string ns,
                                      std::string labels, std::string fields) {
  std::vector<Value> all;
  std::string token;
  do {
    std::vector<std::pair<std::string, std::string>> query = {{"labelSelector", labels},
                                                              {"fieldSelector", fields},
                                                              {"limit", "500"},
                                                              {"continue", token}};
    Value list = co_await in.session.get_json(with_query(resource_path(resource, ns, ""), query));
    for (const Value& item : list["items"].items()) {
      all.push_back(item.with("apiVersion", Value(resource.api_version()))
                        .with("kind", Value(resource.kind)));
    }
    token = list["metadata"]["continue"].as_string();
  } while (!token.empty());
  co_return std::move(all);
}

namespace {

Task<void> add_listed(Invocation& in, const Resource& resource, std::vector<Selected>& all) {
  const bool everywhere = in.arguments.has_flag("all-namespaces") && in.on("all-namespaces");
  std::string ns;
  if (!everywhere) ns = co_await in.session.ns();
  auto objects =
      co_await list_objects(in, resource, ns, in.text("selector"), in.text("field-selector"));
  for (Value& object : objects) {
    Selected selected;
    selected.resource = &resource;
    selected.ns = object["metadata"]["namespace"].as_string();
    selected.name = object["metadata"]["name"].as_string();
    selected.object = std::move(object);
    all.push_back(std::move(selected));
  }
}

}  // namespace

Task<std::vector<Selected>> select_objects(Invocation& in, std::vector<std::string> words) {
  std::vector<Selected> all;
  if (in.arguments.has_flag("filename") && in.arguments.given("filename")) {
    all = co_await select_manifests(in);
    co_return std::move(all);
  }
  if (words.empty()) {
    co_await fail(usage_error("You must provide one or more resources by argument or filename."));
  }
  auto types = co_await parse_types(in, words);
  const bool listed = in.on("all") || !in.text("selector").empty() || !in.text("field-selector").empty();
  for (const TypeNames& type : types) {
    if (type.names.empty()) {
      if (!listed) {
        co_await fail(failure("resource(s) were provided, but no name was specified"));
      }
      co_await add_listed(in, *type.resource, all);
      continue;
    }
    std::string ns;
    if (type.resource->namespaced) ns = co_await in.session.ns();
    for (const std::string& name : type.names) {
      Selected selected;
      selected.resource = type.resource;
      selected.ns = ns;
      selected.name = name;
      all.push_back(std::move(selected));
    }
  }
  co_return std::move(all);
}

}  // namespace orch::cli
