#pragma once
// Flags as runc's command line reads them: they end at the first word that is none, `--name value` and
// `--name=value` are the same, one dash is as good as two.

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace orch::runc {

struct Option {
  std::string_view name;
  char shorthand = 0;
  enum class Kind { flag, text, list } kind = Kind::text;
  std::string_view help;
};

class Options {
 public:
  // Errors: Code::usage.
  static Result<Options> parse(std::span<const Option> known, std::span<const std::string> words);

  bool given(std::string_view name) const;
  bool on(std::string_view name) const { return text(name) == "true"; }
  std::string text(std::string_view name, std::string_view fallback = {}) const;  // the last one
  std::vector<std::string> list(std::string_view name) const;
  const std::vector<std::string>& words() const { return words_; }
  // The container's id, which nearly every command wants first. Code::usage where there is none.
  Result<std::string> id() const;

 private:
  std::vector<std::pair<std::string_view, std::string>> given_;
  std::vector<std::string> words_;
};

}  // namespace orch::runc
