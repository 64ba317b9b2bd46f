#pragma once
// Command lines the way kubectl reads them: flags anywhere, -ojson, -o json, --output=json, -Aw,
// --all=false, a bare --dry-run, `--` to end flags. (Not CLI11: it lacks the bare value and -o=json,
// and scripts written for kubectl count on those.) A verb's flags are a table of Flag; nothing is global.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace orch::cli {

enum class FlagType : uint8_t {
  boolean,
  text,
  list,   // may repeat, and takes commas
  array,  // may repeat; commas are part of the value
  integer,
};

struct Flag {
  std::string_view name;
  char shorthand = 0;
  FlagType type = FlagType::text;
  std::string_view fallback;  // "" | "true" | "5"
  std::string_view help;
  std::string_view bare;  // the value of `--name` alone; "": it takes the next word
};

using Flags = std::vector<Flag>;

class Arguments {
 public:
  // Errors: Code::usage in pflag's words ("unknown flag: --x").
  static Result<Arguments> parse(Flags flags, std::span<const std::string> words);

  bool given(std::string_view name) const;
  // The last value, or the flag's fallback. The flag must be in the table.
  std::string text(std::string_view name) const;
  bool on(std::string_view name) const { return text(name) == "true"; }
  int64_t integer(std::string_view name) const;
  std::vector<std::string> list(std::string_view name) const;
  bool has_flag(std::string_view name) const;  // the verb knows it

  const std::vector<std::string>& words() const { return words_; }  // what is no flag
  std::optional<size_t> dash() const { return dash_; }  // how many words came before `--`

 private:
  struct Given {
    std::string_view name;  // of the table
    std::string value;
  };
  Result<void> take(const Flag& flag, std::string value, std::string_view shown);
  Result<size_t> read_long(std::span<const std::string> words, size_t at);
  Result<size_t> read_short(std::span<const std::string> words, size_t at);

  Flags flags_;
  std::vector<Given> given_;
  std::vector<std::string> words_;
  std::optional<size_t> dash_;
};

const Flag* find_flag(std::span<const Flag> flags, std::string_view name);
// The flags' part of a help text.
std::string describe_flags(std::span<const Flag> flags);

}  // namespace orch::cli
