#include "runc/options.h"

#include "base/text.h"

namespace orch::runc {

namespace {

const Option* find_option(std::span<const Option> known, std::string_view name) {
  for (const Option& option : known) {
    if (option.name == name || (name.size() == 1 && option.shorthand == name[0])) return &option;
  }
  return nullptr;
}

}  // namespace

Result<Options> Options::parse(std::span<const Option> known, std::span<const std::string> words) {
  Options options;
  size_t at = 0;
  for (; at < words.size(); ++at) {
    std::string_view word = words[at];
    if (word == "--") {
      ++at;
      break;
    }
    if (word.size() < 2 || word[0] != '-') break;
    word.remove_prefix(word.starts_with("--") ? 2 : 1);
    const size_t equals = word.find('=');
    const Option* option = find_option(known, word.substr(0, equals));
    if (option == nullptr) return Error::make(Code::usage, "flag provided but not defined: " + words[at]);
    if (equals != std::string_view::npos) {
      options.given_.emplace_back(option->name, word.substr(equals + 1));
    } else if (option->kind == Option::Kind::flag) {
      options.given_.emplace_back(option->name, "true");
    } else if (at + 1 < words.size()) {
      options.given_.emplace_back(option->name, words[++at]);
    } else {
      return Error::make(Code::usage, "flag needs an argument: " + words[at]);
    }
  }
  options.words_.assign(words.begin() + static_cast<std::ptrdiff_t>(at), words.end());
  return options;
}

bool Options::given(std::string_view name) const { return !list(name).empty(); }

std::string Options::text(std::string_view name, std::string_view fallback) const {
  std::string value(fallback);
  for (const auto& [key, text] : given_) {
    if (key == name) value = text;
  }
  return value;
}

std::vector<std::string> Options::list(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [key, text] : given_) {
    if (key == name) values.push_back(text);
  }
  return values;
}

Result<std::string> Options::id() const {
  if (words_.empty() || words_[0].empty()) return Error::make(Code::usage, "container id cannot be empty");
  return words_[0];
}

}  // namespace orch::runc
