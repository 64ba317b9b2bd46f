#include "data/path.h"

#include <algorithm>

#include "base/text.h"

namespace orch {

std::string FieldPath::text() const {
  std::vector<const FieldPath*> parts;
  for (const FieldPath* part = this; part->parent_ != nullptr; part = part->parent_) {
    parts.push_back(part);
  }
  std::string text;
  for (size_t i = parts.size(); i-- > 0;) {
    const FieldPath& part = *parts[i];
    if (part.index_ >= 0) {
      text += '[' + std::to_string(part.index_) + ']';
    } else if (part.is_key_) {
      text.append("[").append(part.name_).append("]");
    } else {
      if (!text.empty()) text += '.';
      text += part.name_;
    }
  }
  return text;
}

Result<std::vector<std::string>> parse_json_pointer(std::string_view text) {
  std::vector<std::string> keys;
  if (text.empty()) return keys;
  if (text[0] != '/') return Error::make(Code::parse, "JSON pointer must be empty or start with \"/\"");
  for (std::string_view part : split(text.substr(1), '/')) {
    std::string& key = keys.emplace_back();
    for (size_t i = 0; i < part.size(); ++i) {
      if (part[i] != '~') {
        key += part[i];
        continue;
      }
      char escaped = ++i < part.size() ? part[i] : '\0';
      if (escaped != '0' && escaped != '1') {
        return Error::make(Code::parse, "JSON pointer has a \"~\" without 0 or 1 after it");
      }
      key += escaped == '0' ? '~' : '/';
    }
  }
  return keys;
}

Result<std::string> relaxed_json_path(std::string_view text) {
  if (text.empty()) return std::string();
  std::string_view inner = text;
  if (inner.starts_with('{') && inner.ends_with('}')) inner = inner.substr(1, inner.size() - 2);
  // A leading dot is optional, but an expression of one dot is taken as it is.
  if (inner.size() > 1 && inner.starts_with('.')) inner.remove_prefix(1);
  if (inner.empty() || inner.find_first_of("{}") != inner.npos) {
    return Error::make(Code::usage,
                       "unexpected path string, expected a 'name1.name2' or '.name1.name2' or "
                       "'{name1.name2}' or '{.name1.name2}'");
  }
  return "{." + std::string(inner) + "}";
}

}  // namespace orch
