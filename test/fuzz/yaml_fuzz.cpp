// YAML: the parser ends, and what it reads is written as YAML that reads back as the same value.

#include <cstdint>
#include <cstdlib>

#include "data/yaml.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> duplicates;
  orch::JsonOptions options;
  options.duplicates = &duplicates;
  auto documents = orch::parse_yaml(text, options);
  if (!documents.ok()) return 0;
  for (const orch::YamlDocument& document : *documents) {
    std::string yaml = orch::format_yaml(document.value);
    // Separators of lines and paragraphs do not survive YAML 1.1's folding, in go-yaml neither.
    if (yaml.find("\xE2\x80\xA8") != std::string::npos || yaml.find("\xE2\x80\xA9") != std::string::npos) continue;
    // Text nests deeper as JSON than as YAML.
    if (document.value.depth() > 100) continue;
    auto again = orch::parse_yaml_document(yaml);
    if (!again.ok() || orch::format_yaml(*again) != yaml) std::abort();
  }
  return 0;
}
