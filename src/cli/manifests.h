#pragma once
// Manifests: the text of files, directories, URLs and standard input into objects, each knowing where it
// came from. Pure but for the Console; URLs are fetched by session.h before.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cli/console.h"
#include "data/value.h"

namespace orch::cli {

struct ManifestText {
  std::string name;  // as the user wrote it, or "STDIN"
  std::string text;
};

struct Manifest {
  Value object;
  std::string source;  // `"web.yaml"`, with the document where there are several: `"web.yaml" (document 2, line 9)`
};

// The files behind one -f: itself, or what a directory holds (.json, .yaml, .yml), below it too where
// `recursive`. "-" and URLs stay as they are.
Result<std::vector<std::string>> expand_path(Console& console, const std::string& path, bool recursive);
bool is_url(std::string_view path);

using Lookup = std::function<std::optional<std::string>(std::string_view name)>;
// ${NAME} by the value of NAME; $${NAME} stays ${NAME}; lines that are comments are left alone.
// Errors: the variable that is not set, with file and line.
Result<std::string> substitute_variables(const ManifestText& file, const Lookup& lookup);

// The objects of one text, those of Lists one by one. Errors name file, document and what is wrong:
// bad syntax, a key written twice (where `strict`), no apiVersion or kind.
Result<std::vector<Manifest>> parse_manifests(const ManifestText& file, bool strict);

}  // namespace orch::cli
