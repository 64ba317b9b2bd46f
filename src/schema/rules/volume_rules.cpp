// Validation of volumes' sources, persistent volumes and claims.

#include <set>

#include "data/quantity.h"
#include "schema/rules/check.h"
#include "schema/rules/rules.h"

namespace orch::schema::rules {

namespace {

// ---- sources

void validate_volume(const Value&, const FieldPath&, Causes&) {
  // An image's reference is wanted of pods only: @pod looks at it.
}

void validate_empty_dir(const Value& source, const FieldPath& path, Causes& causes) {
  if (is_set(source["sizeLimit"]) && Quantity::from(source["sizeLimit"]).sign() < 0) {
    causes.forbidden(path.child("sizeLimit"), "SizeLimit field must be a valid resource quantity");
  }
}

void validate_flocker(const Value& source, const FieldPath& path, Causes& causes) {
  bool name = !is_empty(source["datasetName"]), uuid = !is_empty(source["datasetUUID"]);
  if (!name && !uuid) causes.required(path, "one of datasetName and datasetUUID is required");
  if (name && uuid) causes.invalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously");
  if (text(source["datasetName"]).find('/') != std::string_view::npos) {
    causes.invalid(path.child("datasetName"), source["datasetName"], "must not contain '/'");
  }
}

void validate_quobyte(const Value& source, const FieldPath& path, Causes& causes) {
  if (text(source["tenant"]).size() >= 65) {
    causes.required(path.child("tenant"), "must be a UUID and may not exceed a length of 64 characters");
  }
  if (is_empty(source["registry"])) return;
  for (std::string_view pair : split(text(source["registry"]), ',')) {
    auto parts = split_once(pair, ':');
    if (!parts || parts->first.empty() || parts->second.empty()) {
      causes.invalid(path.child("registry"), source["registry"],
                     "must be a host:port pair or multiple pairs separated by commas");
      return;
    }
  }
}

void validate_flex(const Value& source, const FieldPath& path, Causes& causes) {
  FieldPath options = path.child("options");
  for (const Member& option : source["options"].members()) {
    auto parts = split_once(option.name(), '/');
    std::string_view domain = parts ? parts->first : "";
    bool reserved = domain == "kubernetes.io" || domain.ends_with(".kubernetes.io") || domain == "k8s.io" ||
                    domain.ends_with(".k8s.io");
    if (reserved) {
      causes.invalid(options.key(option.name()), Value(option.name()),
                     "kubernetes.io and k8s.io namespaces are reserved");
    }
  }
}

void check_iqn(const Value& value, const FieldPath& path, Causes& causes) {
  std::string_view name = text(value);
  auto alnum = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
  bool fine = false;
  if (name.starts_with("iqn")) {
    fine = name.size() > 11 && name[3] == '.' && name[8] == '-' && name[11] == '.';
  } else if (name.starts_with("eui") || name.starts_with("naa")) {
    size_t size = name.starts_with("eui") ? 16 : 32;
    fine = name.size() == 4 + size && std::ranges::all_of(name.substr(4), alnum);
  } else {
    causes.invalid(path, value, "must be valid format starting with iqn, eui, or naa");
    return;
  }
  if (!fine) causes.invalid(path, value, "must be valid format");
}

void validate_iscsi(const Value& source, const FieldPath& path, Causes& causes) {
  if (!is_empty(source["iqn"])) check_iqn(source["iqn"], path.child("iqn"), causes);
  if (is_set(source["initiatorName"])) check_iqn(source["initiatorName"], path.child("initiatorname"), causes);
  bool chap = is_true(source["chapAuthDiscovery"]) || is_true(source["chapAuthSession"]);
  if (chap && source["secretRef"].is_null()) causes.required(path.child("secretRef"));
}

void validate_fc(const Value& source, const FieldPath& path, Causes& causes) {
  bool targets = !source["targetWWNs"].empty(), ids = !source["wwids"].empty();
  if (!targets && !ids) {
    causes.required(path.child("targetWWNs"), "must specify either targetWWNs or wwids, but not both");
  }
  if (targets && ids) {
    causes.invalid(path.child("targetWWNs"), source["targetWWNs"],
                   "targetWWNs and wwids can not be specified simultaneously");
  }
  if (!targets) return;
  if (source["lun"].is_null()) {
    causes.required(path.child("lun"), "lun is required if targetWWNs is specified");
  } else if (source["lun"].as_int() < 0 || source["lun"].as_int() > 255) {
    causes.invalid(path.child("lun"), source["lun"], "must be between 0 and 255, inclusive");
  }
}

void validate_azure_disk(const Value& source, const FieldPath& path, Causes& causes) {
  bool managed = text(source["kind"]) == "Managed";
  std::string_view uri = text(source["diskURI"]);
  if (uri.empty()) return;
  if (managed && !uri.starts_with("/subscriptions/")) {
    causes.not_supported(path.child("diskURI"), source["diskURI"],
                         {"/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/"
                          "microsoft.compute/disks/{disk-id}"});
  } else if (!managed && !uri.starts_with("https://")) {
    causes.not_supported(path.child("diskURI"), source["diskURI"],
                         {"https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"});
  }
}

void validate_trust_bundle(const Value& source, const FieldPath& path, Causes& causes) {
  const Value& name = source["name"];
  const Value& signer = source["signerName"];
  if (is_set(name) && is_set(signer)) causes.invalid(path, source, "only one of name and signerName may be used");
  if (name.is_null() && signer.is_null()) causes.required(path, "either name or signerName must be specified");
  if (is_set(name) && text(name).empty()) causes.required(path.child("name"), "must be a valid object name");
  if (is_set(name) && is_set(source["labelSelector"])) {
    causes.invalid(path.child("labelSelector"), source["labelSelector"],
                   "labelSelector must be unset if name is specified");
  }
  if (is_set(signer) && text(signer).empty()) causes.required(path.child("signerName"), "must be a valid signer name");
}

void check_token_seconds(const Value& seconds, const FieldPath& path, Causes& causes) {
  if (seconds.is_null()) return;
  if (seconds.as_int() < 600) causes.invalid(path, seconds, "may not specify a duration less than 10 minutes");
  if (seconds.as_int() > (1LL << 32)) {
    causes.invalid(path, seconds, "may not specify a duration larger than 2^32 seconds");
  }
}

// The paths at which a projected source puts files.
void collect_paths(const Value& source, std::vector<std::string_view>& paths) {
  for (std::string_view name : {"secret", "configMap", "downwardAPI"}) {
    for (const Value& item : source[name]["items"].items()) paths.push_back(text(item["path"]));
  }
  for (std::string_view name : {"serviceAccountToken", "clusterTrustBundle"}) {
    if (is_set(source[name])) paths.push_back(text(source[name]["path"]));
  }
}

void validate_projected(const Value& volume, const FieldPath& path, Causes& causes) {
  std::set<std::string_view> taken;
  each(volume, "sources", path, [&](const Value& source, const FieldPath& at) {
    int count = 0;
    for (std::string_view name : {"secret", "downwardAPI", "configMap", "serviceAccountToken", "clusterTrustBundle"}) {
      if (is_set(source[name]) && ++count > 1) {
        causes.forbidden(at, "may not specify more than 1 volume type per source");
      }
    }
    FieldPath token = at.child("serviceAccountToken");
    check_token_seconds(source["serviceAccountToken"]["expirationSeconds"], token.child("expirationSeconds"), causes);
    std::vector<std::string_view> paths;
    collect_paths(source, paths);
    for (std::string_view one : paths) {
      if (!one.empty() && !taken.insert(one).second) {
        causes.invalid(path, Value(one), "conflicting duplicate paths");
      }
    }
  });
}

void validate_csi_secrets(const Value& source, const FieldPath& path, Causes& causes) {
  for (std::string_view name : {"controllerPublishSecretRef", "nodePublishSecretRef", "controllerExpandSecretRef",
                                "nodeExpandSecretRef"}) {
    const Value& reference = source[name];
    if (reference.is_null()) continue;
    FieldPath at = path.child(name);
    FieldPath at_name = at.child("name"), at_space = at.child("namespace");
    if (is_empty(reference["name"])) {
      causes.required(at_name);
    } else {
      subdomain(reference["name"], at_name, causes);
    }
    if (is_empty(reference["namespace"])) {
      causes.required(at_space);
    } else {
      dns_label(reference["namespace"], at_space, causes);
    }
  }
}

void validate_claim_template(const Value& claim, const FieldPath& path, Causes& causes) {
  FieldPath metadata = path.child("metadata");
  for (const Member& member : claim["metadata"].members()) {
    if (one_of(member.name(), {"labels", "annotations"}) || is_empty(member.value)) continue;
    causes.forbidden(metadata.child(member.name()), "cannot be set");
  }
}

// ---- persistent volumes and claims

void check_access_modes(const Value& spec, const FieldPath& path, Causes& causes) {
  auto modes = spec["accessModes"].items();
  bool alone = std::ranges::any_of(modes, [](const Value& m) { return text(m) == "ReadWriteOncePod"; });
  bool others = std::ranges::any_of(modes, [](const Value& m) { return text(m) != "ReadWriteOncePod"; });
  if (alone && others) {
    causes.forbidden(path.child("accessModes"), "may not use ReadWriteOncePod with other access modes");
  }
}

void validate_volume_spec(const Value& spec, const FieldPath& path, Causes& causes) {
  check_access_modes(spec, path, causes);
  FieldPath capacity = path.child("capacity");
  if (!spec["capacity"].empty() && (!spec["capacity"].has("storage") || spec["capacity"].size() > 1)) {
    causes.not_supported(capacity, spec["capacity"], {"storage"});
  }
  for (const Member& amount : spec["capacity"].members()) {
    if (Quantity::from(amount.value).sign() <= 0) {
      causes.invalid(capacity.key(amount.name()), amount.value, "must be greater than zero");
    }
  }
  if (is_set(spec["local"]) && spec["nodeAffinity"].is_null()) {
    causes.required(path.child("nodeAffinity"), "Local volume requires node affinity");
  }
  if (text(spec["hostPath"]["path"]) == "/" && text(spec["persistentVolumeReclaimPolicy"]) == "Recycle") {
    causes.forbidden(path.child("persistentVolumeReclaimPolicy"), "may not be 'recycle' for a hostPath mount of '/'");
  }
  if (is_set(spec["volumeAttributesClassName"]) && spec["csi"].is_null()) {
    causes.required(path.child("csi"), "has to be specified when using volumeAttributesClassName");
  }
}

// What of a volume's spec is its source.
Value source_of(const Value& spec) {
  Value source = spec;
  for (std::string_view name : {"capacity", "accessModes", "claimRef", "persistentVolumeReclaimPolicy",
                                "storageClassName", "mountOptions", "volumeMode", "nodeAffinity",
                                "volumeAttributesClassName"}) {
    source = source.without(name);
  }
  return source;
}

void update_volume(const Value& before, const Value& after, const WriteContext&, const FieldPath& path,
                   Causes& causes) {
  const Value& was = before["spec"];
  const Value& is = after["spec"];
  FieldPath spec = path.child("spec");
  Value old_source = source_of(was), new_source = source_of(is);
  bool first_secret = was["csi"]["controllerExpandSecretRef"].is_null() && is["csi"].is_object();
  if (first_secret) new_source = new_source.with("csi", new_source["csi"].without("controllerExpandSecretRef"));
  if (old_source != new_source) {
    causes.forbidden(spec.child("persistentvolumesource"), "spec.persistentvolumesource is immutable after creation");
  }
  immutable(was["volumeMode"], is["volumeMode"], path.child("volumeMode"), causes);
  if (is_set(was["nodeAffinity"]) && was["nodeAffinity"] != is["nodeAffinity"]) {
    FieldPath at = spec.child("nodeAffinity");
    causes.invalid(at, is["nodeAffinity"], "field is immutable, except for updating from beta label to GA");
  }
}

void check_data_source(const Value& source, const FieldPath& path, Causes& causes) {
  if (source.is_null()) return;
  if (is_empty(source["apiGroup"]) && text(source["kind"]) != "PersistentVolumeClaim") {
    causes.invalid(path, source["kind"], "must be 'PersistentVolumeClaim' when referencing the default apiGroup");
  }
  if (!is_empty(source["apiGroup"])) subdomain(source["apiGroup"], path.child("apiGroup"), causes);
}

void validate_claim_spec(const Value& spec, const FieldPath& path, Causes& causes) {
  check_access_modes(spec, path, causes);
  FieldPath resources = path.child("resources");
  const Value& size = spec["resources"]["requests"]["storage"];
  if (size.is_null()) {
    causes.required(resources.key("storage"));
  } else if (Quantity::from(size).sign() <= 0) {
    causes.invalid(resources.key("storage"), size, "must be greater than zero");
  }
  check_data_source(spec["dataSource"], path.child("dataSource"), causes);
  check_data_source(spec["dataSourceRef"], path.child("dataSourceRef"), causes);
  const Value& source = spec["dataSource"];
  const Value& reference = spec["dataSourceRef"];
  if (source.is_null() || reference.is_null()) return;
  if (!is_empty(reference["namespace"])) {
    causes.invalid(path, source, "may not be specified when dataSourceRef.namespace is specified");
  } else if (source["kind"] != reference["kind"] || source["name"] != reference["name"] ||
             text(source["apiGroup"]) != text(reference["apiGroup"])) {
    causes.invalid(path, source, "must match dataSourceRef");
  }
}

void update_claim(const Value& before, const Value& after, const WriteContext& write, const FieldPath& path,
                  Causes& causes) {
  if (!write.subresource.empty()) return;
  const Value& was = before["spec"];
  const Value& is = after["spec"];
  FieldPath spec = path.child("spec");
  constexpr std::string_view kStorage = "storage";
  Value munged = is;
  auto take = [&](std::string_view name) {
    munged = was[name].is_null() ? munged.without(name) : munged.with(name, was[name]);
  };
  if (is_empty(was["volumeName"])) take("volumeName");
  if (was["storageClassName"].is_null()) take("storageClassName");
  take("volumeAttributesClassName");
  const Value& old_size = was["resources"]["requests"][kStorage];
  const Value& new_size = is["resources"]["requests"][kStorage];
  bool bound = text(before["status"]["phase"]) == "Bound";
  if (bound && is_set(old_size) && is_set(new_size)) {
    munged = munged.with_path({"resources", "requests", kStorage}, old_size);
    const Value& capacity = before["status"]["capacity"][kStorage];
    FieldPath resources = spec.child("resources");
    FieldPath requests = resources.child("requests");
    if (Quantity::from(new_size) < Quantity::from(old_size) &&
        Quantity::from(new_size) <= Quantity::from(capacity)) {
      causes.forbidden(requests.child(kStorage), "field can not be less than status.capacity");
    }
  }
  if (munged != was) {
    causes.forbidden(spec, "spec is immutable after creation except resources.requests and "
                           "volumeAttributesClassName for bound claims");
  }
  immutable(was["volumeMode"], is["volumeMode"], path.child("volumeMode"), causes);
  FieldPath at_class = spec.child("volumeAttributesClassName");
  if (is_set(was["volumeAttributesClassName"])) {
    if (is["volumeAttributesClassName"].is_null()) {
      causes.forbidden(at_class, "update from non-nil value to nil is forbidden");
    } else if (is_empty(is["volumeAttributesClassName"]) && !is_empty(was["volumeAttributesClassName"])) {
      causes.forbidden(at_class, "update from non-nil value to an empty string is forbidden");
    }
  }
}

void validate_token_request(const Value& request, const FieldPath& path, Causes& causes) {
  FieldPath spec = path.child("spec");
  check_token_seconds(request["spec"]["expirationSeconds"], spec.child("expirationSeconds"), causes);
}

void validate_csi_driver_spec(const Value& spec, const FieldPath& path, Causes& causes) {
  each(spec, "tokenRequests", path, [&](const Value& request, const FieldPath& at) {
    check_token_seconds(request["expirationSeconds"], at.child("expirationSeconds"), causes);
  });
}

constexpr Hooks::Named<ValidateHook> kValidates[]{
    {"volume", {validate_volume}},
    {"empty_dir", {validate_empty_dir}},
    {"flocker_volume", {validate_flocker}},
    {"quobyte_volume", {validate_quobyte}},
    {"flex_volume", {validate_flex}},
    {"iscsi_volume", {validate_iscsi}},
    {"fc_volume", {validate_fc}},
    {"azure_disk_volume", {validate_azure_disk}},
    {"cluster_trust_bundle_projection", {validate_trust_bundle}},
    {"projected_volume", {validate_projected}},
    {"csi_secret_refs", {validate_csi_secrets}},
    {"pvc_template", {validate_claim_template}},
    {"persistent_volume_spec", {validate_volume_spec}},
    {"persistent_volume_claim_spec", {validate_claim_spec}},
    {"token_request", {validate_token_request}},
    {"csi_driver_spec", {validate_csi_driver_spec}},
};
constexpr Hooks::Named<UpdateHook> kUpdates[]{
    {"persistent_volume", {update_volume}},
    {"persistent_volume_claim", {update_claim}},
};

}  // namespace

void add_volume_rules(Hooks& hooks) {
  hooks.add<ValidateHook>(kValidates);
  hooks.add<UpdateHook>(kUpdates);
}

}  // namespace orch::schema::rules
