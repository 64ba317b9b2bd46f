#include "data/image_reference.h"

#include <algorithm>

#include "base/text.h"

namespace orch {

namespace {

// distribution/reference: NameTotalLengthMax; a tag is \w[\w.-]{0,127}.
constexpr size_t kMaxName = 255;
constexpr size_t kMaxTag = 128;

bool is_lower_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_alnum(char c) { return is_lower_alnum(c) || is_upper(c); }
bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

Error wrong(std::string_view why = {}) {
  std::string message = "invalid reference format";
  if (!why.empty()) message += ": " + std::string(why);
  return Error::make(Code::invalid, std::move(message));
}

// [a-z0-9]+ separated by one ".", "_", "__" or any number of "-".
bool is_path_component(std::string_view text) {
  if (text.empty() || !is_lower_alnum(text.front()) || !is_lower_alnum(text.back())) return false;
  for (size_t i = 0; i < text.size();) {
    if (is_lower_alnum(text[i])) {
      ++i;
      continue;
    }
    size_t end = i;
    while (end < text.size() && text[end] == text[i]) ++end;
    size_t run = end - i;
    bool fine = text[i] == '-' || (text[i] == '.' && run == 1) || (text[i] == '_' && run <= 2);
    if (!fine || !is_lower_alnum(text[end])) return false;
    i = end;
  }
  return true;
}

bool is_port(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

bool is_domain_label(std::string_view text) {
  if (text.empty() || !is_alnum(text.front()) || !is_alnum(text.back())) return false;
  return std::ranges::all_of(text, [](char c) { return is_alnum(c) || c == '-'; });
}

bool is_domain(std::string_view text) {
  if (text.starts_with('[')) {  // an IPv6 literal
    size_t end = text.find(']');
    if (end == std::string_view::npos || end == 1) return false;
    std::string_view rest = text.substr(end + 1);
    bool literal = std::ranges::all_of(text.substr(1, end - 1), [](char c) {
      return is_hex(c) || (c >= 'A' && c <= 'F') || c == ':';
    });
    return literal && (rest.empty() || (rest.starts_with(':') && is_port(rest.substr(1))));
  }
  if (auto parts = split_once(text, ':')) {
    if (!is_port(parts->second)) return false;
    text = parts->first;
  }
  return std::ranges::all_of(split(text, '.'), is_domain_label);
}

// What stands before the first slash is a registry if it cannot be a path component.
bool looks_like_domain(std::string_view text) {
  return text == "localhost" || text.find_first_of(".:[") != std::string_view::npos || std::ranges::any_of(text, is_upper);
}

bool is_tag(std::string_view text) {
  if (text.empty() || text.size() > kMaxTag) return false;
  if (!is_alnum(text.front()) && text.front() != '_') return false;
  return std::ranges::all_of(text, [](char c) { return is_alnum(c) || c == '_' || c == '.' || c == '-'; });
}

Result<void> check_name(const ImageReference& reference) {
  if (!is_domain(reference.registry)) return wrong();
  for (std::string_view component : split(reference.repository, '/')) {
    if (is_path_component(component)) continue;
    if (std::ranges::any_of(component, is_upper)) return wrong("repository name must be lowercase");
    return wrong();
  }
  if (reference.name().size() > kMaxName) return wrong("repository name must not be more than 255 characters");
  return {};
}

}  // namespace

bool is_sha256_digest(std::string_view text) {
  constexpr std::string_view kPrefix = "sha256:";
  return text.size() == kPrefix.size() + 64 && text.starts_with(kPrefix) && std::ranges::all_of(text.substr(kPrefix.size()), is_hex);
}

std::string ImageReference::text() const {
  std::string all = name();
  if (!tag.empty()) all += ":" + tag;
  if (!digest.empty()) all += "@" + digest;
  return all;
}

Result<ImageReference> parse_image_reference(std::string_view text) {
  if (text.empty()) return wrong();
  ImageReference reference;
  if (auto parts = split_once(text, '@')) {
    reference.digest = parts->second;
    if (!is_sha256_digest(reference.digest)) {
      bool known = reference.digest.starts_with("sha256:") || reference.digest.find(':') == std::string::npos;
      return known ? wrong("invalid digest") : wrong("unsupported digest algorithm");
    }
    text = parts->first;
  }
  // A colon after the last slash begins the tag; one before it belongs to a port.
  size_t slash = text.rfind('/');
  size_t colon = text.find(':', slash == std::string_view::npos ? 0 : slash);
  if (colon != std::string_view::npos) {
    reference.tag = text.substr(colon + 1);
    if (!is_tag(reference.tag)) return wrong();
    text = text.substr(0, colon);
  }
  auto parts = split_once(text, '/');
  if (parts && looks_like_domain(parts->first)) {
    reference.registry = parts->first;
    reference.repository = parts->second;
  } else {
    reference.registry = "docker.io";
    reference.repository = text;
  }
  if (reference.registry == "index.docker.io") reference.registry = "docker.io";
  bool official = reference.registry == "docker.io" && reference.repository.find('/') == std::string::npos;
  if (official) reference.repository = "library/" + reference.repository;
  TRY_VOID(check_name(reference));
  if (reference.tag.empty() && reference.digest.empty()) reference.tag = "latest";
  return reference;
}

}  // namespace orch
