#include "cli/manifests.h"

#include <algorithm>

#include "base/text.h"
#include "data/json.h"
#include "data/yaml.h"

namespace orch::cli {

bool is_url(std::string_view path) {
  return path.starts_with("http://") || path.starts_with("https://");
}

namespace {

bool is_manifest_name(std::string_view name) {
  return name.ends_with(".yaml") || name.ends_with(".yml") || name.ends_with(".json");
}

Result<void> expand_directory(Console& console, const std::string& path, bool recursive,
                              std::vector<std::string>& files) {
  TRY(auto names, console.list_directory(path));
  const std::string prefix = path.ends_with('/') ? path : path + "/";
  for (const std::string& name : names) {
    if (!console.is_directory(prefix + name)) {
      if (is_manifest_name(name)) files.push_back(prefix + name);
    } else if (recursive) {
      TRY_VOID(expand_directory(console, prefix + name, recursive, files));
    }
  }
  return {};
}

bool is_name_start(char c) { return c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }
bool is_name_part(char c) { return is_name_start(c) || (c >= '0' && c <= '9'); }

// The name in a "${NAME}" at the start of `text`; "" if it is none.
std::string_view variable_at(std::string_view text) {
  if (!text.starts_with("${")) return {};
  size_t end = 2;
  while (end < text.size() && is_name_part(text[end])) ++end;
  if (end == 2 || end >= text.size() || text[end] != '}' || !is_name_start(text[2])) return {};
  return text.substr(2, end - 2);
}

Result<std::string> substitute_line(std::string_view line, const Lookup& lookup,
                                    const std::string& where) {
  std::string out;
  for (size_t i = 0; i < line.size();) {
    std::string_view rest = line.substr(i);
    if (rest.starts_with("$${") && !variable_at(rest.substr(1)).empty()) {
      out += "${";
      i += 3;
      continue;
    }
    std::string_view name = variable_at(rest);
    if (name.empty()) {
      out += line[i++];
      continue;
    }
    auto value = lookup(name);
    if (!value) {
      return failure(where + ": the environment variable " + std::string(name) +
                     " is not set (--substitute; write $${" + std::string(name) + "} to keep the text)");
    }
    out += *value;
    i += name.size() + 3;
  }
  return out;
}

}  // namespace

Result<std::vector<std::string>> expand_path(Console& console, const std::string& path, bool recursive) {
  if (path == "-" || is_url(path)) return std::vector<std::string>{path};
  if (!console.exists(path)) return failure("the path " + quote(path) + " does not exist");
  if (!console.is_directory(path)) return std::vector<std::string>{path};
  std::vector<std::string> files;
  TRY_VOID(expand_directory(console, path, recursive, files));
  if (files.empty()) {
    return failure("error reading [" + path + "]: recognized file extensions are [.json .yaml .yml]");
  }
  return files;
}

Result<std::string> substitute_variables(const ManifestText& file, const Lookup& lookup) {
  std::string out;
  int number = 0;
  for (std::string_view line : split(file.text, '\n')) {
    if (number++ > 0) out += '\n';
    if (trim(line).starts_with('#')) {
      out += line;
      continue;
    }
    TRY(std::string filled, substitute_line(line, lookup, file.name + ":" + std::to_string(number)));
    out += filled;
  }
  return out;
}

namespace {

Result<void> check_header(const Value& object, const std::string& source) {
  if (!object.is_object()) {
    return failure("error parsing " + source + ": an object (a mapping) is expected, with apiVersion and kind");
  }
  std::vector<std::string> missing;
  for (std::string_view name : {"apiVersion", "kind"}) {
    if (object.has(name) && !object[name].is_string()) {
      return failure("error validating " + source + ": " + std::string(name) + " is not a string");
    }
    if (object[name].as_string().empty()) missing.push_back(std::string(name) + " not set");
  }
  if (missing.empty()) return {};
  std::string what = join(missing, ", ");
  if (missing.size() > 1) what = "[" + what + "]";
  return failure("error validating " + source + ": error validating data: " + what);
}

bool is_list(const Value& object) {
  return object["kind"].as_string().ends_with("List") && object["items"].is_list();
}

// The items of a typed list say neither apiVersion nor kind: the list's kind does.
Value with_header_of(const Value& item, const Value& list) {
  std::string_view kind = list["kind"].as_string();
  if (kind == "List" || item.has("kind") || !item.is_object()) return item;
  kind.remove_suffix(4);
  return item.with("apiVersion", list["apiVersion"]).with("kind", Value(kind));
}

Result<void> add_objects(const Value& object, const std::string& source, std::vector<Manifest>& all) {
  TRY_VOID(check_header(object, source));
  if (!is_list(object)) {
    all.push_back({object, source});
    return {};
  }
  for (size_t i = 0; i < object["items"].size(); ++i) {
    TRY_VOID(add_objects(with_header_of(object["items"].at(i), object),
                         source + " item " + std::to_string(i + 1), all));
  }
  return {};
}

}  // namespace

Result<std::vector<Manifest>> parse_manifests(const ManifestText& file, bool strict) {
  std::vector<std::string> duplicates;
  JsonOptions options;
  if (strict) options.duplicates = &duplicates;
  auto parsed = parse_yaml(file.text, options);
  if (!parsed.ok()) {
    return failure("error parsing " + file.name + ": " + parsed.error().message());
  }
  if (!duplicates.empty()) {
    return failure("error parsing " + file.name + ": " + join(duplicates, ", "));
  }
  std::vector<Manifest> manifests;
  const bool several = parsed.value().size() > 1;
  int number = 0;
  for (const YamlDocument& document : parsed.value()) {
    ++number;
    if (document.value.is_null()) continue;
    std::string source = quote(file.name);
    if (several) {
      source += " (document " + std::to_string(number) + ", line " + std::to_string(document.line) + ")";
    }
    TRY_VOID(add_objects(document.value, source, manifests));
  }
  return manifests;
}

}  // namespace orch::cli
