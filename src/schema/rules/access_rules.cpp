// Validation of rbac, reviews of access, certificate requests.

#include <map>

#include "schema/rules/check.h"
#include "schema/rules/rules.h"

namespace orch::schema::rules {

namespace {

// ---- rbac

void validate_role(const Value& role, const FieldPath& path, Causes& causes) {
  each(role, "rules", path, [&](const Value& rule, const FieldPath& at) {
    if (!rule["nonResourceURLs"].empty()) {
      causes.invalid(at.child("nonResourceURLs"), rule["nonResourceURLs"],
                     "namespaced rules cannot apply to non-resource URLs");
    }
  });
}

void validate_policy_rule(const Value& rule, const FieldPath& path, Causes& causes) {
  if (rule["verbs"].empty()) causes.required(path.child("verbs"), "verbs must contain at least one value");
  if (!rule["nonResourceURLs"].empty()) {
    if (!rule["apiGroups"].empty() || !rule["resources"].empty() || !rule["resourceNames"].empty()) {
      causes.invalid(path.child("nonResourceURLs"), rule["nonResourceURLs"],
                     "rules cannot apply to both regular resources and non-resource URLs");
    }
    return;
  }
  if (rule["apiGroups"].empty()) {
    causes.required(path.child("apiGroups"), "resource rules must supply at least one api group");
  }
  if (rule["resources"].empty()) {
    causes.required(path.child("resources"), "resource rules must supply at least one resource");
  }
}

void validate_subject(const Value& subject, const FieldPath& path, Causes& causes) {
  std::string_view kind = text(subject["kind"]), group = text(subject["apiGroup"]);
  if (kind == "ServiceAccount") {
    if (!is_empty(subject["name"])) subdomain(subject["name"], path.child("name"), causes);
    if (!group.empty()) causes.not_supported(path.child("apiGroup"), subject["apiGroup"], {""});
  } else if ((kind == "User" || kind == "Group") && group != "rbac.authorization.k8s.io") {
    causes.not_supported(path.child("apiGroup"), subject["apiGroup"], {"rbac.authorization.k8s.io"});
  }
}

void validate_cluster_role_binding(const Value& binding, const FieldPath& path, Causes& causes) {
  each(binding, "subjects", path, [&](const Value& subject, const FieldPath& at) {
    if (text(subject["kind"]) == "ServiceAccount" && is_empty(subject["namespace"])) {
      causes.required(at.child("namespace"));
    }
  });
}

void update_role_binding(const Value& before, const Value& after, const WriteContext&, const FieldPath& path,
                         Causes& causes) {
  if (before["roleRef"] != after["roleRef"]) {
    causes.invalid(path.child("roleRef"), after["roleRef"], "cannot change roleRef");
  }
}

// ---- reviews

bool only(const Value& metadata, std::string_view allowed) {
  return std::ranges::all_of(metadata.members(), [&](const Member& member) {
    return member.name() == "managedFields" || member.name() == allowed || is_empty(member.value);
  });
}

void validate_review_metadata(const Value& review, const FieldPath& path, Causes& causes) {
  if (!only(review["metadata"], "")) causes.invalid(path.child("metadata"), review["metadata"], "must be empty");
}

void validate_local_review(const Value& review, const FieldPath& path, Causes& causes) {
  const Value& metadata = review["metadata"];
  if (!only(metadata, "namespace")) {
    causes.invalid(path.child("metadata"), metadata, "must be empty except for namespace");
  }
  FieldPath spec = path.child("spec");
  FieldPath resource = spec.child("resourceAttributes");
  const Value& attributes = review["spec"]["resourceAttributes"];
  if (is_set(attributes) && text(attributes["namespace"]) != text(metadata["namespace"])) {
    causes.invalid(resource.child("namespace"), Value(text(attributes["namespace"])),
                   "must match metadata.namespace");
  }
  if (is_set(review["spec"]["nonResourceAttributes"])) {
    causes.invalid(spec.child("nonResourceAttributes"), review["spec"]["nonResourceAttributes"],
                   "disallowed on this kind of request");
  }
}

void validate_self_review_spec(const Value& spec, const FieldPath& path, Causes& causes) {
  bool resource = is_set(spec["resourceAttributes"]), other = is_set(spec["nonResourceAttributes"]);
  if (resource && other) {
    causes.invalid(path.child("nonResourceAttributes"), spec["nonResourceAttributes"],
                   "cannot be specified in combination with resourceAttributes");
  } else if (!resource && !other) {
    causes.invalid(path.child("resourceAttributes"), spec["resourceAttributes"],
                   "exactly one of nonResourceAttributes or resourceAttributes must be specified");
  }
}

void validate_review_spec(const Value& spec, const FieldPath& path, Causes& causes) {
  validate_self_review_spec(spec, path, causes);
  if (is_empty(spec["user"]) && spec["groups"].empty()) {
    causes.invalid(path.child("user"), Value(text(spec["user"])), "at least one of user or group must be specified");
  }
}

void validate_selector_attributes(const Value& attributes, const FieldPath& path, Causes& causes) {
  bool raw = !is_empty(attributes["rawSelector"]), requirements = !attributes["requirements"].empty();
  if (raw && requirements) {
    causes.invalid(path.child("rawSelector"), attributes["rawSelector"],
                   "may not specified at the same time as requirements");
  }
  if (!raw && !requirements) {
    causes.required(path.child("requirements"),
                    "when " + path.text() + " is specified, requirements or rawSelector is required");
  }
  each(attributes, "requirements", path, [&](const Value& requirement, const FieldPath& at) {
    std::string_view op = text(requirement["operator"]);
    bool has_values = !requirement["values"].empty();
    if (is_empty(requirement["key"])) causes.required(at.child("key"), "must be specified");
    if ((op == "In" || op == "NotIn") && !has_values) {
      causes.required(at.child("values"), "must be specified when `operator` is 'In' or 'NotIn'");
    }
    if ((op == "Exists" || op == "DoesNotExist") && has_values) {
      causes.forbidden(at.child("values"), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
    }
    if (op.empty()) causes.required(at.child("operator"), "must be specified");
  });
}

// ---- CertificateSigningRequest

constexpr std::array<std::string_view, 23> kUsages{
    "signing",          "digital signature", "content commitment", "key encipherment", "key agreement",
    "data encipherment", "cert sign",        "crl sign",           "encipher only",    "decipher only",
    "any",              "server auth",       "client auth",        "code signing",     "email protection",
    "s/mime",           "ipsec end system",  "ipsec tunnel",       "ipsec user",       "timestamping",
    "ocsp signing",     "microsoft sgc",     "netscape sgc"};

// The types of the PEM blocks of a text.
std::vector<std::string_view> pem_types(std::string_view pem) {
  constexpr std::string_view kBegin = "-----BEGIN ";
  std::vector<std::string_view> types;
  for (size_t at = pem.find(kBegin); at != pem.npos; at = pem.find(kBegin, at + 1)) {
    std::string_view rest = pem.substr(at + kBegin.size());
    size_t end = rest.find("-----");
    std::string_view type = rest.substr(0, end);
    if (end != rest.npos && rest.find("-----END " + std::string(type) + "-----") != rest.npos) types.push_back(type);
  }
  return types;
}

void check_signer_name(const Value& signer, const FieldPath& path, Causes& causes) {
  std::string_view name = text(signer);
  if (name.empty()) return;  // Required
  if (name == "kubernetes.io/legacy-unknown") {
    causes.invalid(path, signer, "the legacy signerName is not allowed via this API version");
    return;
  }
  auto parts = split_once(name, '/');
  if (!parts || parts->first.empty() || parts->second.empty() || parts->second.find('/') != parts->second.npos) {
    causes.invalid(path, signer, "must be a fully qualified domain and path of the form 'example.com/signer-name'");
    return;
  }
  auto labels = split(parts->first, '.');
  if (labels.size() < 2) {
    causes.invalid(path, signer, "should be a domain with at least two segments separated by dots");
  }
  for (std::string_view label : labels) {
    for (const std::string& problem : dns_label_problems(label)) {
      causes.invalid(path, signer, "validating label " + quote(label) + ": " + problem);
    }
  }
  add_problems(dns_subdomain_problems(parts->second), path, signer, causes);
}

void validate_csr_spec(const Value& spec, const FieldPath& path, Causes& causes) {
  auto request = decode_base64(text(spec["request"]));
  auto types = request.ok() ? pem_types(*request) : std::vector<std::string_view>();
  if (!is_empty(spec["request"]) && (types.empty() || types[0] != "CERTIFICATE REQUEST")) {
    causes.invalid(path.child("request"), spec["request"], "PEM block type must be CERTIFICATE REQUEST");
  }
  each(spec, "usages", path, [&](const Value& usage, const FieldPath& at) {
    if (one_of(text(usage), kUsages)) return;
    std::vector<std::string> supported(kUsages.begin(), kUsages.end());
    std::ranges::sort(supported);
    causes.not_supported(at, usage, supported);
  });
  check_signer_name(spec["signerName"], path.child("signerName"), causes);
  const Value& seconds = spec["expirationSeconds"];
  if (is_set(seconds) && seconds.as_int() < 600) {
    causes.invalid(path.child("expirationSeconds"), seconds,
                   "may not specify a duration less than 600 seconds (10 minutes)");
  }
}

void validate_csr(const Value& request, const FieldPath& path, Causes& causes) {
  FieldPath status = path.child("status");
  bool approved = false, denied = false;
  each(request["status"], "conditions", status, [&](const Value& condition, const FieldPath& at) {
    std::string_view type = text(condition["type"]);
    approved = approved || type == "Approved";
    denied = denied || type == "Denied";
    if (approved && denied && (type == "Approved" || type == "Denied")) {
      causes.invalid(at.child("type"), condition["type"], "Approved and Denied conditions are mutually exclusive");
    }
    if (one_of(type, {"Approved", "Denied", "Failed"}) && text(condition["status"]) != "True") {
      causes.not_supported(at.child("status"), condition["status"], {"True"});
    }
  });
  const Value& certificate = request["status"]["certificate"];
  if (is_empty(certificate)) return;
  FieldPath at = status.child("certificate");
  auto decoded = decode_base64(text(certificate));
  auto types = decoded.ok() ? pem_types(*decoded) : std::vector<std::string_view>();
  for (std::string_view type : types) {
    if (type != "CERTIFICATE") {
      causes.invalid(at, "<certificate data>", "only CERTIFICATE PEM blocks are allowed, found " + quote(type));
    }
  }
  if (types.empty()) causes.invalid(at, "<certificate data>", "must contain at least one CERTIFICATE PEM block");
}

void update_csr(const Value& before, const Value& after, const WriteContext& write, const FieldPath& path,
                Causes& causes) {
  // A status write is checked here: the kind's own rules are about the status.
  if (write.subresource == "status") validate_csr(after, path, causes);
  FieldPath status = path.child("status");
  FieldPath conditions = status.child("conditions");
  auto decisions = [](const Value& request) {
    std::map<std::string_view, const Value*> found;
    for (const Value& condition : request["status"]["conditions"].items()) {
      found[text(condition["type"])] = &condition;
    }
    return found;
  };
  auto was = decisions(before), is = decisions(after);
  for (std::string_view type : {"Approved", "Denied", "Failed"}) {
    bool had = was.contains(type), has = is.contains(type);
    bool may_write = write.subresource == "approval" || type == "Failed";
    if (had && !has) {
      causes.forbidden(conditions, "updates may not remove a condition of type " + quote(type));
    } else if (!had && has && !may_write) {
      causes.forbidden(conditions, "updates may not add a condition of type " + quote(type));
    } else if (had && has && !may_write && *was[type] != *is[type]) {
      causes.forbidden(conditions, "updates may not modify a condition of type " + quote(type));
    }
  }
  const Value& old_certificate = before["status"]["certificate"];
  const Value& certificate = after["status"]["certificate"];
  if (old_certificate == certificate) return;
  FieldPath at = status.child("certificate");
  if (!is_empty(old_certificate)) {
    causes.forbidden(at, "updates may not modify existing certificate content");
  } else if (write.subresource != "status") {
    causes.forbidden(at, "updates may not set certificate content");
  }
}

constexpr Hooks::Named<ValidateHook> kValidates[]{
    {"role", {validate_role}},
    {"policy_rule", {validate_policy_rule}},
    {"subject", {validate_subject}},
    {"cluster_role_binding", {validate_cluster_role_binding}},
    {"review_metadata", {validate_review_metadata}},
    {"local_subject_access_review", {validate_local_review}},
    {"subject_access_review_spec", {validate_review_spec}},
    {"self_subject_access_review_spec", {validate_self_review_spec}},
    {"selector_attributes", {validate_selector_attributes}},
    {"csr_spec", {validate_csr_spec}},
    {"csr", {validate_csr}},
};
constexpr Hooks::Named<UpdateHook> kUpdates[]{
    {"role_binding", {update_role_binding}},
    {"csr", {update_csr}},
};

}  // namespace

void add_access_rules(Hooks& hooks) {
  hooks.add<ValidateHook>(kValidates);
  hooks.add<UpdateHook>(kUpdates);
}

}  // namespace orch::schema::rules
