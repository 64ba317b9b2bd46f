#include "cli/arguments.h"

#include <algorithm>

#include "base/check.h"
#include "base/text.h"

namespace orch::cli {

namespace {

Error usage(std::string message) { return Error::make(Code::usage, std::move(message)); }

// Go's strconv.ParseBool.
std::optional<bool> parse_bool(std::string_view text) {
  for (std::string_view yes : {"true", "True", "TRUE", "t", "T", "1"}) {
    if (text == yes) return true;
  }
  for (std::string_view no : {"false", "False", "FALSE", "f", "F", "0"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

}  // namespace

const Flag* find_flag(std::span<const Flag> flags, std::string_view name) {
  auto found = std::ranges::find(flags, name, &Flag::name);
  return found == flags.end() ? nullptr : &*found;
}

Result<Arguments> Arguments::parse(Flags flags, std::span<const std::string> words) {
  Arguments arguments;
  arguments.flags_ = std::move(flags);
  for (size_t i = 0; i < words.size();) {
    const std::string& word = words[i];
    if (word == "--") {
      arguments.dash_ = arguments.words_.size();
      arguments.words_.insert(arguments.words_.end(), words.begin() + static_cast<long>(i) + 1,
                              words.end());
      break;
    }
    if (word.starts_with("--")) {
      TRY(i, arguments.read_long(words, i));
    } else if (word.size() > 1 && word[0] == '-') {
      TRY(i, arguments.read_short(words, i));
    } else {
      arguments.words_.push_back(word);
      ++i;
    }
  }
  return arguments;
}

Result<void> Arguments::take(const Flag& flag, std::string value, std::string_view shown) {
  const std::string complaint =
      "invalid argument " + quote(value) + " for " + quote(shown) + " flag: ";
  if (flag.type == FlagType::boolean) {
    auto parsed = parse_bool(value);
    if (!parsed) return usage(complaint + "strconv.ParseBool: parsing " + quote(value) + ": invalid syntax");
    value = *parsed ? "true" : "false";
  }
  if (flag.type == FlagType::integer && !parse_int(value)) {
    return usage(complaint + "strconv.ParseInt: parsing " + quote(value) + ": invalid syntax");
  }
  given_.push_back({flag.name, std::move(value)});
  return {};
}

Result<size_t> Arguments::read_long(std::span<const std::string> words, size_t at) {
  std::string_view body = std::string_view(words[at]).substr(2);
  auto assigned = split_once(body, '=');
  std::string_view name = assigned ? assigned->first : body;
  const Flag* flag = find_flag(flags_, name);
  if (!flag) return usage("unknown flag: --" + std::string(name));
  const std::string shown = (flag->shorthand ? std::string("-") + flag->shorthand + ", --" : "--") +
                            std::string(flag->name);
  if (assigned) {
    TRY_VOID(take(*flag, std::string(assigned->second), shown));
    return at + 1;
  }
  if (flag->type == FlagType::boolean || !flag->bare.empty()) {
    TRY_VOID(take(*flag, flag->bare.empty() ? "true" : std::string(flag->bare), shown));
    return at + 1;
  }
  if (at + 1 >= words.size()) return usage("flag needs an argument: --" + std::string(name));
  TRY_VOID(take(*flag, words[at + 1], shown));
  return at + 2;
}

Result<size_t> Arguments::read_short(std::span<const std::string> words, size_t at) {
  std::string_view letters = std::string_view(words[at]).substr(1);
  while (!letters.empty()) {
    const char letter = letters[0];
    auto found = std::ranges::find(flags_, letter, &Flag::shorthand);
    if (found == flags_.end()) {
      return usage("unknown shorthand flag: '" + std::string(1, letter) + "' in " + words[at]);
    }
    const std::string shown = std::string("-") + letter + ", --" + std::string(found->name);
    letters.remove_prefix(1);
    if (letters.starts_with('=')) {
      TRY_VOID(take(*found, std::string(letters.substr(1)), shown));
      return at + 1;
    }
    if (found->type == FlagType::boolean || !found->bare.empty()) {
      TRY_VOID(take(*found, found->bare.empty() ? "true" : std::string(found->bare), shown));
      continue;
    }
    if (!letters.empty()) {
      TRY_VOID(take(*found, std::string(letters), shown));
      return at + 1;
    }
    if (at + 1 >= words.size()) {
      return usage("flag needs an argument: '" + std::string(1, letter) + "' in " + words[at]);
    }
    TRY_VOID(take(*found, words[at + 1], shown));
    return at + 2;
  }
  return at + 1;
}

bool Arguments::has_flag(std::string_view name) const { return find_flag(flags_, name) != nullptr; }

bool Arguments::given(std::string_view name) const {
  return std::ranges::find(given_, name, &Given::name) != given_.end();
}

std::string Arguments::text(std::string_view name) const {
  for (size_t i = given_.size(); i-- > 0;) {
    if (given_[i].name == name) return given_[i].value;
  }
  const Flag* flag = find_flag(flags_, name);
  return flag ? std::string(flag->fallback) : std::string();
}

int64_t Arguments::integer(std::string_view name) const {
  return parse_int(text(name)).value_or(0);
}

std::vector<std::string> Arguments::list(std::string_view name) const {
  std::vector<std::string> values;
  const Flag* flag = find_flag(flags_, name);
  for (const Given& given : given_) {
    if (given.name != name) continue;
    if (flag && flag->type == FlagType::list) {
      for (std::string_view part : split(given.value, ',')) values.emplace_back(part);
    } else {
      values.push_back(given.value);
    }
  }
  return values;
}

std::string describe_flags(std::span<const Flag> flags) {
  std::string text;
  for (const Flag& flag : flags) {
    std::string line = flag.shorthand ? std::string("  -") + flag.shorthand + ", --" : "      --";
    line += flag.name;
    line += "=";
    if (flag.type == FlagType::list || flag.type == FlagType::array) {
      line += "[]";
    } else if (flag.type == FlagType::text) {
      line += "'" + std::string(flag.fallback) + "'";
    } else {
      line += flag.fallback.empty() ? "false" : flag.fallback;
    }
    line += ": ";
    line += flag.help;
    text += line + "\n";
  }
  return text;
}

}  // namespace orch::cli
