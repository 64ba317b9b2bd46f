#pragma once
// The text of a schema file (docs/schema.md) as a Document: checked line by line, names of types
// not looked up yet. The linker (linker.cpp) makes the graph of several documents.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "schema/graph.h"

namespace orch::schema {

struct Document {
  struct Import {
    std::string alias, package;
  };
  // The type a field names, `core.PodSpec` -> {"core", "PodSpec"}. Empty for a scalar.
  struct Reference {
    std::string alias, name;
    int line = 0;
  };
  // A `type` or `kind` section. references[i] belongs to type.fields[i].
  struct Section {
    Type type;
    std::vector<Reference> references;
    std::optional<Kind> kind;
    int line = 0;
  };
  std::string file;  // for messages
  std::string package;
  std::string group, version;  // version is "" in a file of types only; group is "" for core
  std::vector<Import> imports;
  std::vector<Section> sections;
};

// Errors: Code::parse, "core_v1.schema:12: unknown attribute \"imutable\"".
Result<Document> parse_document(std::string_view file, std::string_view text);

}  // namespace orch::schema
