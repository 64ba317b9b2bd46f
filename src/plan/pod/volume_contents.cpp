#include "plan/pod/volume_contents.h"

#include <map>

#include "base/text.h"

namespace orch::plan::pod {

namespace {

constexpr unsigned default_mode = 0644;

struct Build {
  const PodView& pod;
  const ResolvedReferences& references;
  const Surroundings& around;
  std::string_view volume;
  std::map<std::string, VolumeFile> files;

  void add(std::string_view path, std::string content, unsigned mode) {
    files.insert_or_assign(std::string(path), VolumeFile{std::string(path), std::move(content), mode});
  }
};

unsigned mode_of(const Value& item, unsigned otherwise) {
  return item["mode"].is_int() ? static_cast<unsigned>(item["mode"].as_int()) & 07777 : otherwise;
}

Error invalid(std::string message) { return Error::make(Code::invalid, std::move(message)); }

// All keys of an object, or those that `items` names.
Result<void> add_object(Build& build, bool is_secret, std::string_view name, const Value& source, unsigned mode) {
  const auto& all = is_secret ? build.references.secrets : build.references.config_maps;
  auto found = all.find(name);
  const bool optional = source["optional"].as_bool();
  if (found == all.end() || found->second.is_null()) {
    if (optional) return {};
    return invalid(std::string(is_secret ? "secret " : "configmap ") + quote(name) + " not found");
  }
  std::map<std::string_view, std::string> contents;
  for (std::string_view field : {"data", "binaryData"}) {
    for (const Member& member : found->second[field].members()) {
      const bool encoded = is_secret || field == "binaryData";
      auto bytes = encoded ? decode_base64(member.value.as_string()) : Result<std::string>(std::string(member.value.as_string()));
      contents[member.name()] = bytes.ok() ? std::move(bytes).value() : std::string();
    }
  }
  if (source["items"].empty()) {
    for (auto& [key, content] : contents) build.add(key, std::move(content), mode);
    return {};
  }
  for (const Value& item : source["items"].items()) {
    auto content = contents.find(item["key"].as_string());
    if (content == contents.end()) {
      if (optional) continue;
      return invalid("references non-existent " + std::string(is_secret ? "secret" : "config") + " key: " +
                     std::string(item["key"].as_string()));
    }
    build.add(item["path"].as_string(), content->second, mode_of(item, mode));
  }
  return {};
}

Result<void> add_downward(Build& build, const Value& source, unsigned mode) {
  for (const Value& item : source["items"].items()) {
    const Value& field = item["fieldRef"];
    auto content = field.is_null() ? resource_value(build.pod, build.around, "", item["resourceFieldRef"])
                                   : field_value(build.pod, build.around, field["fieldPath"].as_string());
    if (!content.ok()) return std::move(content).error();
    build.add(item["path"].as_string(), std::move(content).value(), mode_of(item, mode));
  }
  return {};
}

Result<void> add_token(Build& build, const Value& source) {
  std::string key = std::string(build.volume) + "/" + std::string(source["path"].as_string());
  auto token = build.references.tokens.find(key);
  if (token != build.references.tokens.end() && token->second.token.empty()) return invalid("failed to fetch token: " + token->second.error);
  if (token == build.references.tokens.end()) return invalid("failed to fetch token: no token of the service account is known");
  // Readable by the pod's group only where there is one; kubelet's 0600 otherwise needs the right owner.
  build.add(source["path"].as_string(), token->second.token, 0644);
  return {};
}

Result<void> add_projected(Build& build, const Value& projected) {
  const unsigned mode = projected["defaultMode"].is_int() ? static_cast<unsigned>(projected["defaultMode"].as_int()) : default_mode;
  for (const Value& source : projected["sources"].items()) {
    if (!source["configMap"].is_null())
      TRY_VOID(add_object(build, false, source["configMap"]["name"].as_string(), source["configMap"], mode));
    if (!source["secret"].is_null())
      TRY_VOID(add_object(build, true, source["secret"]["name"].as_string(), source["secret"], mode));
    if (!source["downwardAPI"].is_null()) TRY_VOID(add_downward(build, source["downwardAPI"], mode));
    if (!source["serviceAccountToken"].is_null()) TRY_VOID(add_token(build, source["serviceAccountToken"]));
    if (!source["clusterTrustBundle"].is_null()) return invalid("ClusterTrustBundle projection is not supported on this node");
  }
  return {};
}

// Validation lets none through; what comes from disk is looked at again.
bool is_safe(std::string_view path) {
  for (std::string_view part : split(path, '/'))
    if (part.empty() || part == "." || part == "..") return false;
  return true;
}

}  // namespace

bool has_contents(const Value& volume) {
  for (std::string_view kind : {"configMap", "secret", "downwardAPI", "projected"})
    if (!volume[kind].is_null()) return true;
  return false;
}

Result<std::vector<VolumeFile>> volume_contents(const PodView& pod, const Value& volume, const ResolvedReferences& references,
                                                const Surroundings& around) {
  Build build{pod, references, around, volume["name"].as_string(), {}};
  auto mode = [](const Value& source) { return source["defaultMode"].is_int() ? static_cast<unsigned>(source["defaultMode"].as_int()) : default_mode; };
  if (const Value& source = volume["configMap"]; !source.is_null())
    TRY_VOID(add_object(build, false, source["name"].as_string(), source, mode(source)));
  if (const Value& source = volume["secret"]; !source.is_null())
    TRY_VOID(add_object(build, true, source["secretName"].as_string(), source, mode(source)));
  if (const Value& source = volume["downwardAPI"]; !source.is_null()) TRY_VOID(add_downward(build, source, mode(source)));
  if (const Value& source = volume["projected"]; !source.is_null()) TRY_VOID(add_projected(build, source));
  std::vector<VolumeFile> files;
  for (auto& [path, file] : build.files) {
    if (!is_safe(path)) return invalid("invalid path: " + quote(path));
    files.push_back(std::move(file));
  }
  return files;
}

}  // namespace orch::plan::pod
