#pragma once
// The texts of kinds/*.schema, compiled in (embed.py). They live as long as the program.

#include <span>
#include <string_view>

namespace orch::schema {

struct BuiltinFile {
  std::string_view name, text;
};
std::span<const BuiltinFile> builtin_files();

}  // namespace orch::schema
