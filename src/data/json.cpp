#include "data/json.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <unordered_set>

#include <rapidjson/error/en.h>
#include <rapidjson/reader.h>

#include "base/text.h"
#include "base/utf8.h"
#include "data/duplicates.h"

namespace orch {

namespace {

constexpr unsigned kParseFlags = rapidjson::kParseInsituFlag | rapidjson::kParseIterativeFlag |
                                 rapidjson::kParseStopWhenDoneFlag |
                                 // 1.1.0 reads numbers like 0e-70 with undefined behaviour
                                 rapidjson::kParseNumbersAsStringsFlag;

// The open containers. Members and items of all of them lie on two stacks, the innermost on top.
struct Frame {
  bool is_object;
  size_t start;  // where its members or items begin
  std::unordered_set<std::string_view> seen;  // keys, of large objects only
};

// Builds the Value from RapidJSON's events; returning false stops the parse.
class Builder {
 public:
  explicit Builder(const JsonOptions& options)
      : options_(options), duplicates_(options.duplicates) {}

  bool Null() { return add(Value()); }
  bool Bool(bool b) { return add(Value(b)); }
  bool RawNumber(const char* text, unsigned size, bool) {
    const char* end = text + size;
    int64_t whole = 0;
    auto [stop, failed] = std::from_chars(text, end, whole);
    if (stop == end && failed == std::errc()) return add(Value(whole));
    double number = 0;
    if (std::from_chars(text, end, number).ec != std::errc()) {
      number = std::strtod(std::string(text, size).c_str(), nullptr);  // beyond either end
      too_big_ = std::isinf(number);
    }
    return !too_big_ && add(Value(number));
  }
  // Numbers come as their text.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(int64_t) { return false; }
  bool Uint64(uint64_t) { return false; }
  bool Double(double) { return false; }
  bool String(const char* text, unsigned size, bool) {
    return add(Value(std::string_view(text, size)));
  }

  bool StartObject() { return open(true, members_.size()); }
  bool Key(const char* text, unsigned size, bool) {
    std::string_view name(text, size);
    members_.push_back({options_.keys ? options_.keys->get(name) : orch::Key(name), Value()});
    if (duplicates_) note_duplicate();
    return true;
  }
  bool EndObject(unsigned) {
    auto first = members_.begin() + static_cast<std::ptrdiff_t>(frames_.back().start);
    std::vector<Member> members(std::make_move_iterator(first),
                                std::make_move_iterator(members_.end()));
    members_.erase(first, members_.end());
    frames_.pop_back();
    return add(members.empty() ? Value::empty_object() : Value::object(std::move(members)));
  }
  bool StartArray() { return open(false, items_.size()); }
  bool EndArray(unsigned) {
    auto first = items_.begin() + static_cast<std::ptrdiff_t>(frames_.back().start);
    std::vector<Value> items(std::make_move_iterator(first), std::make_move_iterator(items_.end()));
    items_.erase(first, items_.end());
    frames_.pop_back();
    return add(items.empty() ? Value::empty_list() : Value::list(std::move(items)));
  }

  Value take() { return std::move(root_); }
  bool too_deep() const { return too_deep_; }
  bool too_big() const { return too_big_; }

 private:
  bool add(Value value) {
    if (frames_.empty()) {
      root_ = std::move(value);
    } else if (frames_.back().is_object) {
      members_.back().value = std::move(value);
    } else {
      items_.push_back(std::move(value));
    }
    return true;
  }

  bool open(bool is_object, size_t start) {
    if (frames_.size() >= options_.max_depth) {
      too_deep_ = true;
      return false;
    }
    frames_.push_back({is_object, start, {}});
    return true;
  }

  bool seen_before() {
    constexpr size_t kFew = 32;
    Frame& frame = frames_.back();
    std::string_view name = members_.back().name();
    size_t before = members_.size() - 1 - frame.start;
    if (before < kFew) {
      for (size_t i = frame.start; i + 1 < members_.size(); ++i) {
        if (members_[i].name() == name) return true;
      }
      return false;
    }
    // Views into the keys themselves, which stay where they are when members_ grows.
    if (frame.seen.empty()) {
      for (size_t i = frame.start; i + 1 < members_.size(); ++i) {
        frame.seen.insert(members_[i].name());
      }
    }
    return !frame.seen.insert(name).second;
  }

  void note_duplicate() {
    if (seen_before() && !duplicates_.full()) duplicates_.add(path());
  }

  // Where the member being read stands: "spec.containers[0].name".
  std::string path() const {
    std::vector<std::string> steps(frames_.size());
    size_t members = members_.size(), items = items_.size();
    for (size_t i = frames_.size(); i-- > 0;) {
      const Frame& frame = frames_[i];
      // What lies above the next inner frame's start belongs to that frame.
      size_t& end = frame.is_object ? members : items;
      steps[i] = frame.is_object ? std::string(members_[end - 1].name())
                                 : "[" + std::to_string(end - frame.start) + "]";
      end = frame.start;
    }
    std::string text;
    for (size_t i = 0; i < steps.size(); ++i) {
      if (i > 0 && frames_[i].is_object) text += '.';
      text += steps[i];
    }
    return text;
  }

  const JsonOptions& options_;
  DuplicateFields duplicates_;
  std::vector<Frame> frames_;
  std::vector<Member> members_;
  std::vector<Value> items_;
  Value root_;
  bool too_deep_ = false;
  bool too_big_ = false;
};

int hex4(std::string_view text, size_t at) {
  if (at + 4 > text.size()) return -1;
  int value = 0;
  for (size_t i = at; i < at + 4; ++i) {
    char c = text[i];
    int digit = c >= '0' && c <= '9'   ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                       : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

// An escaped surrogate without its other half stands for U+FFFD, as in Go; RapidJSON refuses the
// one and passes the other on. Overwrites such escapes in place.
void mend_surrogates(std::string& text) {
  auto escape_at = [&](size_t at) {
    return at + 1 < text.size() && text[at] == '\\' && text[at + 1] == 'u' ? hex4(text, at + 2)
                                                                           : -1;
  };
  for (size_t at = text.find('\\'); at != std::string::npos; at = text.find('\\', at)) {
    int unit = escape_at(at);
    if (unit < 0) {
      at += 2;
    } else if (unit < 0xD800 || unit > 0xDFFF) {
      at += 6;
    } else {
      int low = unit < 0xDC00 ? escape_at(at + 6) : -1;
      if (low >= 0xDC00 && low <= 0xDFFF) {
        at += 12;
      } else {
        text.replace(at, 6, "\\ufffd");
        at += 6;
      }
    }
  }
}

// The text as RapidJSON is to see it: a copy (strings are decoded in place), valid UTF-8.
std::string prepare(std::string_view text) {
  std::string copy = is_valid_utf8(text) ? std::string(text) : to_valid_utf8(text);
  if (copy.find("\\u") != std::string::npos) mend_surrogates(copy);
  return copy;
}

Error parse_error(const rapidjson::ParseResult& result, const Builder& builder,
                  const JsonOptions& options) {
  std::string at = " at byte " + std::to_string(result.Offset());
  if (builder.too_deep()) {
    return Error::make(Code::parse, "invalid JSON" + at + ": nested deeper than " +
                                        std::to_string(options.max_depth) + " levels");
  }
  auto code = builder.too_big() ? rapidjson::kParseErrorNumberTooBig : result.Code();
  return Error::make(Code::parse, "invalid JSON" + at + ": " + rapidjson::GetParseError_En(code));
}

}  // namespace

void DuplicateFields::add(const std::string& path) {
  ++noticed_;
  if (full() || !seen_.insert(path).second) return;
  out_->push_back("duplicate field " + quote(path));
}

Result<Value> parse_json(std::string_view text, const JsonOptions& options) {
  std::string copy = prepare(text);
  rapidjson::InsituStringStream stream(copy.data());
  rapidjson::Reader reader;
  Builder builder(options);
  rapidjson::ParseResult result = reader.Parse<kParseFlags>(stream, builder);
  if (result.IsError()) return parse_error(result, builder, options);
  // The stream ends at the first NUL; what follows the value is looked at here.
  for (size_t i = stream.Tell(); i < copy.size(); ++i) {
    if (copy[i] != ' ' && copy[i] != '\t' && copy[i] != '\n' && copy[i] != '\r') {
      return Error::make(Code::parse, "invalid JSON at byte " + std::to_string(i) +
                                          ": something follows the value");
    }
  }
  return builder.take();
}

}  // namespace orch
