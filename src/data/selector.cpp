#include "data/selector.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "data/names.h"

namespace orch {

namespace {

using Op = LabelSelector::Op;
using Requirement = LabelSelector::Requirement;

// ---- Tokens of label selectors

enum class Token : uint8_t {
  end, close, comma, exclamation, double_equals, equals, greater, identifier, in, less, not_equals,
  not_in, open,
};

struct Item {
  Token token;
  std::string_view text;
};

// The two-character operators first: the longest wins.
constexpr std::array kSymbols = {
    Item{Token::double_equals, "=="}, Item{Token::not_equals, "!="}, Item{Token::equals, "="},
    Item{Token::exclamation, "!"},    Item{Token::greater, ">"},     Item{Token::less, "<"},
    Item{Token::open, "("},           Item{Token::close, ")"},       Item{Token::comma, ","},
};
constexpr std::string_view kSpace = " \t\r\n";

std::vector<Item> tokenize(std::string_view text) {
  std::vector<Item> items;
  for (;;) {
    text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
    if (text.empty()) break;
    auto symbol = std::ranges::find_if(kSymbols, [&](const Item& s) { return text.starts_with(s.text); });
    Item item{Token::identifier, {}};
    if (symbol != kSymbols.end()) {
      item = *symbol;
    } else {
      item.text = text.substr(0, text.find_first_of(" \t\r\n=!(),><"));
      if (item.text == "in") item.token = Token::in;
      if (item.text == "notin") item.token = Token::not_in;
    }
    items.push_back(item);
    text.remove_prefix(item.text.size());
  }
  items.push_back({Token::end, {}});
  return items;
}

// ---- Requirements

struct OpInfo {
  Op op;
  Token token;
  std::string_view text;    // in a query
  std::string_view word;    // in matchExpressions; "": not allowed there
};
constexpr std::array kOps = {
    OpInfo{Op::in, Token::in, " in ", "In"},
    OpInfo{Op::not_in, Token::not_in, " notin ", "NotIn"},
    OpInfo{Op::exists, Token::end, "", "Exists"},
    OpInfo{Op::does_not_exist, Token::end, "", "DoesNotExist"},
    OpInfo{Op::equals, Token::equals, "=", ""},
    OpInfo{Op::equals, Token::double_equals, "==", ""},
    OpInfo{Op::not_equals, Token::not_equals, "!=", ""},
    OpInfo{Op::gt, Token::greater, ">", ""},
    OpInfo{Op::lt, Token::less, "<", ""},
};

std::string_view op_text(Op op) {
  return std::ranges::find(kOps, op, &OpInfo::op)->text;
}

bool is_set(Op op) { return op == Op::in || op == Op::not_in; }
bool is_unary(Op op) { return op == Op::exists || op == Op::does_not_exist; }
bool is_order(Op op) { return op == Op::gt || op == Op::lt; }

std::string list_text(const std::vector<std::string>& values) {
  std::string text = "[";
  for (const std::string& value : values) {
    if (text.size() > 1) text += ',';
    text += quote(value);
  }
  return text + "]";
}

std::string invalid(std::string_view path, std::string_view value, std::string_view why) {
  return std::string(path) + ": Invalid value: " + std::string(value) + ": " + std::string(why);
}

std::optional<std::string> key_problem(std::string_view path, std::string_view key) {
  std::vector<std::string> problems = qualified_name_problems(key);
  if (problems.empty()) return std::nullopt;
  return invalid(path, quote(key), join(problems, "; "));
}

std::optional<std::string> count_problem(Op op, size_t count) {
  if (is_set(op) && count == 0) return "for 'in', 'notin' operators, values set can't be empty";
  if (is_unary(op) && count != 0) return "values set must be empty for exists and does not exist";
  if (is_order(op) && count != 1) return "for 'Gt', 'Lt' operators, exactly one value is required";
  if (!is_set(op) && !is_unary(op) && !is_order(op) && count != 1) {
    return "exact-match compatibility requires one single value";
  }
  return std::nullopt;
}

// What apimachinery's labels.NewRequirement checks.
Result<Requirement> make_requirement(std::string_view key, Op op, std::vector<std::string> values) {
  std::vector<std::string> problems;
  if (auto problem = key_problem("key", key)) problems.push_back(*problem);
  if (auto why = count_problem(op, values.size())) {
    problems.push_back(invalid("values", list_text(values), *why));
  }
  auto path = [](size_t i) { return "values[" + std::to_string(i) + "]"; };
  if (is_order(op)) {
    for (size_t i = 0; i < values.size(); ++i) {
      if (parse_int(values[i])) continue;
      problems.push_back(invalid(path(i), quote(values[i]),
                                 "for 'Gt', 'Lt' operators, the value must be an integer"));
    }
  }
  for (size_t i = 0; i < values.size(); ++i) {
    std::vector<std::string> wrong = label_value_problems(values[i]);
    if (wrong.empty()) continue;
    problems.push_back(
        invalid(path(i) + "[" + std::string(key) + "]", quote(values[i]), join(wrong, "; ")));
  }
  if (problems.size() == 1) return Error::make(Code::bad_request, problems[0]);
  if (!problems.empty()) return Error::make(Code::bad_request, "[" + join(problems, ", ") + "]");
  std::ranges::sort(values);
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return Requirement{std::string(key), op, std::move(values)};
}

// ---- The grammar of labels.Parse, with its messages

class QueryParser {
 public:
  explicit QueryParser(std::string_view text) : items_(tokenize(text)) {}

  Result<std::vector<Requirement>> parse() {
    std::vector<Requirement> requirements;
    if (peek().token == Token::end) return requirements;
    if (!starts_requirement()) {
      return found(peek(), ", expected: !, identifier, or 'end of string'");
    }
    for (;;) {
      TRY(Requirement requirement, parse_requirement().with_context("unable to parse requirement"));
      requirements.push_back(std::move(requirement));
      Item item = next();
      if (item.token == Token::end) return requirements;
      if (item.token != Token::comma) return found(item, ", expected: ',' or 'end of string'");
      if (!starts_requirement()) return found(peek(), ", expected: identifier after ','");
    }
  }

 private:
  // "in" and "notin" are operators only where an operator is expected.
  static Item as_value(Item item) {
    if (item.token == Token::in || item.token == Token::not_in) item.token = Token::identifier;
    return item;
  }
  Item peek() const { return as_value(items_[position_]); }
  Item next_raw() { return items_[position_ + 1 < items_.size() ? position_++ : position_]; }
  Item next() { return as_value(next_raw()); }
  bool starts_requirement() const {
    return peek().token == Token::identifier || peek().token == Token::exclamation;
  }
  static Error found(const Item& item, std::string_view expected) {
    return Error::make(Code::bad_request, "found '" + std::string(item.text) + "'" + std::string(expected));
  }

  Result<Requirement> parse_requirement() {
    Item key = next();
    bool negated = key.token == Token::exclamation;
    if (negated) key = next();
    if (key.token != Token::identifier) return found(key, ", expected: identifier");
    if (auto problem = key_problem("<nil>", key.text)) return Error::make(Code::bad_request, *problem);
    bool alone = peek().token == Token::end || peek().token == Token::comma;
    if (negated) return make_requirement(key.text, Op::does_not_exist, {});
    if (alone) return make_requirement(key.text, Op::exists, {});
    Item symbol = next_raw();
    auto info = std::ranges::find(kOps, symbol.token, &OpInfo::token);
    if (info == kOps.end()) return found(symbol, ", expected: in, notin, =, ==, !=, gt, lt");
    if (is_set(info->op)) {
      TRY(std::vector<std::string> values, parse_values());
      return make_requirement(key.text, info->op, std::move(values));
    }
    TRY(std::string value, parse_exact_value());
    return make_requirement(key.text, info->op, {std::move(value)});
  }

  Result<std::string> parse_exact_value() {
    if (peek().token == Token::end || peek().token == Token::comma) return std::string();
    Item item = next();
    if (item.token != Token::identifier) return found(item, ", expected: identifier");
    return std::string(item.text);
  }

  // "(a,b)"; a place without a name between commas and parentheses stands for "".
  Result<std::vector<std::string>> parse_values() {
    Item open = next();
    if (open.token != Token::open) return found(open, " expected: '('");
    std::vector<std::string> values;
    if (peek().token != Token::identifier && peek().token != Token::comma &&
        peek().token != Token::close) {
      return found(peek(), ", expected: ',', ')' or identifier");
    }
    for (bool name_before = false;;) {
      Item item = next();
      if (name_before && item.token != Token::comma && item.token != Token::close) {
        return found(item, ", expected: ',' or ')'");
      }
      if (item.token == Token::identifier) {
        values.emplace_back(item.text);
        name_before = true;
      } else if (item.token == Token::comma || item.token == Token::close) {
        if (!name_before) values.emplace_back();
        if (item.token == Token::close) break;
        name_before = false;
      } else {
        return found(item, ", expected: ',', or identifier");
      }
    }
    std::ranges::sort(values);
    values.erase(std::unique(values.begin(), values.end()), values.end());
    return values;
  }

  std::vector<Item> items_;
  size_t position_ = 0;
};

void sort_by_key(std::vector<Requirement>& requirements) {
  std::ranges::stable_sort(requirements, {}, &Requirement::key);
}

bool requirement_matches(const Requirement& requirement, const Value& labels) {
  const Value* label = labels.find(requirement.key);
  std::string_view text = label ? label->as_string() : std::string_view();
  auto listed = [&] { return std::ranges::find(requirement.values, text) != requirement.values.end(); };
  switch (requirement.op) {
    case Op::exists: return label != nullptr;
    case Op::does_not_exist: return label == nullptr;
    case Op::in:
    case Op::equals: return label && listed();
    case Op::not_in:
    case Op::not_equals: return !label || !listed();
    case Op::gt:
    case Op::lt: break;
  }
  if (!label || requirement.values.size() != 1) return false;
  std::optional<int64_t> left = parse_int(text);
  std::optional<int64_t> right = parse_int(requirement.values[0]);
  if (!left || !right) return false;
  return requirement.op == Op::gt ? *left > *right : *left < *right;
}

std::string format_requirement(const Requirement& requirement) {
  if (requirement.op == Op::does_not_exist) return "!" + requirement.key;
  std::string text = requirement.key;
  if (requirement.op == Op::exists) return text;
  text += op_text(requirement.op);
  std::vector<std::string> values = requirement.values;
  std::ranges::sort(values);
  std::string list = join(values, ",");
  return is_set(requirement.op) ? text + "(" + list + ")" : text + list;
}

}  // namespace

// ---- LabelSelector

LabelSelector LabelSelector::nothing() {
  LabelSelector selector;
  selector.nothing_ = true;
  return selector;
}

Result<LabelSelector> LabelSelector::parse(std::string_view text) {
  LabelSelector selector;
  TRY(selector.requirements_, QueryParser(text).parse());
  sort_by_key(selector.requirements_);
  return selector;
}

Result<LabelSelector> LabelSelector::from_object(const Value& object) {
  if (object.is_null()) return nothing();
  LabelSelector selector;
  for (const Member& member : object["matchLabels"].members()) {
    TRY(Requirement requirement, make_requirement(member.name(), Op::equals,
                                                  {std::string(member.value.as_string())}));
    selector.add(std::move(requirement));
  }
  for (const Value& expression : object["matchExpressions"].items()) {
    std::string_view word = expression["operator"].as_string();
    auto info = word.empty() ? kOps.end() : std::ranges::find(kOps, word, &OpInfo::word);
    if (info == kOps.end()) {
      return Error::make(Code::bad_request, quote(word) + " is not a valid label selector operator");
    }
    std::vector<std::string> values;
    for (const Value& value : expression["values"].items()) values.emplace_back(value.as_string());
    TRY(Requirement requirement,
        make_requirement(expression["key"].as_string(), info->op, std::move(values)));
    selector.add(std::move(requirement));
  }
  sort_by_key(selector.requirements_);
  return selector;
}

LabelSelector LabelSelector::from_map(const Value& labels) {
  LabelSelector selector;
  for (const Member& member : labels.members()) {
    selector.add({std::string(member.name()), Op::equals, {std::string(member.value.as_string())}});
  }
  return selector;
}

bool LabelSelector::matches(const Value& labels) const {
  if (nothing_) return false;
  return std::ranges::all_of(
      requirements_, [&](const Requirement& r) { return requirement_matches(r, labels); });
}

std::string LabelSelector::format() const {
  if (nothing_) return {};
  std::vector<Requirement> sorted = requirements_;
  sort_by_key(sorted);
  std::vector<std::string> texts;
  for (const Requirement& requirement : sorted) texts.push_back(format_requirement(requirement));
  return join(texts, ",");
}

// ---- FieldSelector

namespace {

// The terms between commas that no backslash precedes.
std::vector<std::string_view> split_terms(std::string_view text) {
  std::vector<std::string_view> terms;
  size_t start = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == ',') {
      terms.push_back(text.substr(start, i - start));
      start = i + 1;
    }
  }
  terms.push_back(text.substr(start));
  return terms;
}

Result<std::string> unescape(std::string_view text) {
  auto wrong = [](std::string_view what, std::string detail) {
    return Error::make(Code::bad_request,
                       "invalid field selector: " + std::string(what) + ": " + detail);
  };
  std::string value;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == ',' || c == '=') {
      // Go prints the character as its number.
      return wrong("unescaped character in value", std::to_string(static_cast<int>(c)));
    }
    if (c == '\\') {
      if (++i == text.size()) return wrong("invalid escape sequence", "\\");
      c = text[i];
      if (c != '\\' && c != ',' && c != '=') {
        return wrong("invalid escape sequence", std::string("\\") + c);
      }
    }
    value += c;
  }
  return value;
}

struct Term {
  std::string_view field;
  bool equals;
  std::string_view value;
};

std::optional<Term> split_term(std::string_view term) {
  for (size_t i = 0; i < term.size(); ++i) {
    std::string_view rest = term.substr(i);
    if (rest.starts_with("!=")) return Term{term.substr(0, i), false, rest.substr(2)};
    if (rest.starts_with("==")) return Term{term.substr(0, i), true, rest.substr(2)};
    if (rest.starts_with("=")) return Term{term.substr(0, i), true, rest.substr(1)};
  }
  return std::nullopt;
}

std::string field_text(const Value& object, std::string_view field) {
  const Value* value = &object;
  for (std::string_view key : split(field, '.')) value = &(*value)[key];
  if (value->is_bool()) return value->as_bool() ? "true" : "false";
  if (value->is_int()) return std::to_string(value->as_int());
  return std::string(value->as_string());
}

}  // namespace

Result<FieldSelector> FieldSelector::parse(std::string_view text) {
  std::vector<std::string_view> terms = split_terms(text);
  std::ranges::sort(terms);
  FieldSelector selector;
  for (std::string_view part : terms) {
    if (part.empty()) continue;
    std::optional<Term> term = split_term(part);
    if (!term) {
      return Error::make(Code::bad_request, "invalid selector: '" + std::string(text) +
                                                "'; can't understand '" + std::string(part) + "'");
    }
    TRY(std::string value, unescape(term->value));
    selector.requirements_.push_back({std::string(term->field), term->equals, std::move(value)});
  }
  return selector;
}

bool FieldSelector::matches(const Value& object) const {
  return std::ranges::all_of(requirements_, [&](const Requirement& r) {
    return (field_text(object, r.field) == r.value) == r.equals;
  });
}

std::optional<std::string> FieldSelector::exact(std::string_view field) const {
  for (const Requirement& r : requirements_) {
    if (r.equals && r.field == field) return r.value;
  }
  return std::nullopt;
}

}  // namespace orch
