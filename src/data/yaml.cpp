// The one file that sees yaml-cpp, which throws: everything is caught here and becomes an Error. Its
// event interface is used, so that duplicates, aliases, merge keys and limits are ours.

#include "data/yaml.h"

#include <yaml-cpp/anchor.h>
#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/emitterstyle.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <sstream>
#include <unordered_set>

#include "base/text.h"
#include "base/utf8.h"
#include "data/duplicates.h"
#include "data/yaml_scalar.h"

namespace orch {

namespace {

// What all aliases of a stream may unfold to: values, and 64 bytes of text for one.
constexpr size_t kMaxExpanded = 1'000'000;

// Thrown inside the handler to leave yaml-cpp's parser; caught in parse_yaml.
struct Refused {
  int line;
  std::string message;
};

size_t unfolded_size(const Value& value) {
  size_t total = 1 + value.as_string().size() / 64;
  for (const Value& item : value.items()) total += unfolded_size(item);
  for (const Member& member : value.members()) {
    total += member.name().size() / 64 + unfolded_size(member.value);
  }
  return total;
}

// yaml-cpp decodes \N and \_ into the bare bytes 85 and A0. The text was UTF-8, so nothing else
// can have brought invalid bytes.
std::string mended(const std::string& text) {
  if (is_valid_utf8(text)) return text;
  std::string out;
  for (std::string_view rest = text; !rest.empty();) {
    Utf8 point = decode_utf8(rest);
    append_utf8(out, point.valid ? point.code_point : static_cast<unsigned char>(rest[0]));
    rest.remove_prefix(point.size);
  }
  return out;
}

class Builder final : public YAML::EventHandler {
 public:
  Builder(std::string_view text, const JsonOptions& options)
      : text_(text), options_(options), duplicates_(options.duplicates) {}

  std::vector<YamlDocument> take() { return std::move(documents_); }
  // Where the last quoted scalar began, if there was one.
  std::optional<size_t> last_quoted() const { return last_quoted_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    line_ = mark.line + 1;
    // A stray "," or "]" is no document, but yaml-cpp reports an empty one there for ever.
    if (mark.pos == position_) throw Refused{line_, "did not find expected node content"};
    position_ = mark.pos;
    frames_.clear();
    anchors_.clear();
    root_ = Value();
  }

  void OnDocumentEnd() override {
    if (!root_.is_null()) documents_.push_back({std::move(root_), line_});
  }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { finish(Value(), anchor, mark); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw Refused{mark.line + 1, "an alias refers to a node that contains it"};
    expanded_ += unfolded_size(found->second);
    if (expanded_ > kMaxExpanded) throw Refused{mark.line + 1, "the document's aliases unfold to too many values"};
    finish(found->second, 0, mark);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& raw) override {
    const std::string text = mended(raw);
    bool plain = tag == "?" || tag.empty();
    if (!plain) last_quoted_ = static_cast<size_t>(mark.pos);
    Value value = plain ? resolve_yaml_scalar(text) : tagged(tag, text, mark);
    if (!std::isfinite(value.as_double())) throw Refused{mark.line + 1, text + " is no number of JSON"};
    bool is_key = !frames_.empty() && frames_.back().wants_key();
    if (is_key && plain) require_colon(text, mark);
    if (is_key && plain && text == "<<") return take_key(text, true, mark);
    finish(std::move(value), anchor, mark);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    open(false, style == YAML::EmitterStyle::Flow, anchor, mark);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    open(true, style == YAML::EmitterStyle::Flow, anchor, mark);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    bool is_map, is_flow;
    YAML::anchor_t anchor;
    YAML::Mark mark;
    std::vector<Value> items;
    std::vector<Member> members;
    std::vector<Value> merged;
    std::unordered_set<std::string> seen;  // keys, where duplicates are asked for
    std::string key;
    bool has_key = false;
    bool merge_key = false;
    bool wants_key() const { return is_map && !has_key; }
  };

  // A tag that says another kind than the text has is a mistake; unknown tags mean nothing.
  static Value tagged(const std::string& tag, const std::string& text, const YAML::Mark& mark) {
    struct Known {
      std::string_view name;
      bool (*fits)(const Value&);
    };
    static constexpr Known kKnown[] = {{":int", [](const Value& v) { return v.is_number(); }},
                                       {":float", [](const Value& v) { return v.is_number(); }},
                                       {":bool", [](const Value& v) { return v.is_bool(); }},
                                       {":null", [](const Value& v) { return v.is_null(); }}};
    if (!tag.starts_with("tag:yaml.org,2002:")) return Value(text);
    if (tag.ends_with(":binary")) {
      auto bytes = decode_base64(text);
      if (!bytes.ok()) throw Refused{mark.line + 1, "!!binary value contains invalid base64 data"};
      return Value(to_valid_utf8(*bytes));
    }
    for (const Known& known : kKnown) {
      if (!tag.ends_with(known.name)) continue;
      Value value = resolve_yaml_scalar(text);
      if (known.fits(value)) return value;
      throw Refused{mark.line + 1, "cannot decode " + quote(text) + " as !!" + std::string(known.name.substr(1))};
    }
    return Value(text);
  }

  // yaml-cpp takes a line without a colon for a key with no value. `{a, b}` and `? a` are such keys.
  void require_colon(const std::string& key, const YAML::Mark& mark) {
    if (frames_.back().is_flow) return;
    size_t at = static_cast<size_t>(mark.pos);
    if (at > text_.size() || !text_.substr(at).starts_with(key)) return;  // written otherwise: folded
    size_t before = at == 0 ? std::string_view::npos : text_.find_last_not_of(" \t", at - 1);
    size_t after = text_.find_first_not_of(" \t", at + key.size());
    bool explicit_key = before != std::string_view::npos && text_[before] == '?';
    bool colon = after != std::string_view::npos && text_[after] == ':';
    if (!explicit_key && !colon) throw Refused{mark.line + 1, "could not find expected ':'"};
  }

  void open(bool is_map, bool is_flow, YAML::anchor_t anchor, const YAML::Mark& mark) {
    if (!frames_.empty() && frames_.back().wants_key()) {
      throw Refused{mark.line + 1, "a list or mapping cannot be a key"};
    }
    if (frames_.size() >= options_.max_depth) throw Refused{mark.line + 1, "nested too deeply"};
    frames_.push_back({is_map, is_flow, anchor, mark, {}, {}, {}, {}, {}, false, false});
  }

  void close() {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    if (!frame.is_map) return finish(Value::list(std::move(frame.items)), frame.anchor, frame.mark);
    // YAML 1.1 merge keys: what the mapping says itself wins, then the earlier of several.
    std::vector<Member> members;
    for (auto source = frame.merged.rbegin(); source != frame.merged.rend(); ++source) {
      for (const Member& member : source->members()) members.push_back(member);
    }
    for (Member& member : frame.members) members.push_back(std::move(member));
    finish(Value::object(std::move(members)), frame.anchor, frame.mark);
  }

  void take_key(const std::string& text, bool merge, const YAML::Mark&) {
    Frame& frame = frames_.back();
    frame.has_key = true;
    frame.merge_key = merge;
    frame.key = text;
    if (merge || duplicates_.full()) return;
    if (!frame.seen.insert(text).second) duplicates_.add(path_of(text));
  }

  std::string path_of(std::string_view last) const {
    std::string path;
    for (size_t i = 0; i + 1 < frames_.size(); ++i) {
      const Frame& frame = frames_[i];
      if (frame.is_map) {
        path += (path.empty() ? "" : ".") + frame.key;
      } else {
        path += "[" + std::to_string(frame.items.size()) + "]";
      }
    }
    return path + (path.empty() ? "" : ".") + std::string(last);
  }

  void merge(const Value& value, const YAML::Mark& mark) {
    Frame& frame = frames_.back();
    if (value.is_object()) return frame.merged.push_back(value);
    if (!value.is_list()) throw Refused{mark.line + 1, "<< merges a mapping or a list of mappings"};
    for (const Value& item : value.items()) {
      if (!item.is_object()) throw Refused{mark.line + 1, "<< merges a mapping or a list of mappings"};
      frame.merged.push_back(item);
    }
  }

  void finish(Value value, YAML::anchor_t anchor, const YAML::Mark& mark) {
    if (anchor) anchors_[anchor] = value;
    if (frames_.empty()) {
      root_ = std::move(value);
      return;
    }
    Frame& frame = frames_.back();
    if (frame.wants_key()) {
      if (value.is_string()) return take_key(std::string(value.as_string()), false, mark);
      // 0x10, yes and 1e3 are the keys "16", "true" and "1000" of a JSON object.
      if (value.is_number() || value.is_bool()) return take_key(format_json(value), false, mark);
      throw Refused{mark.line + 1, value.is_null() ? "null cannot be a key" : "a list or mapping cannot be a key"};
    }
    if (!frame.is_map) {
      frame.items.push_back(std::move(value));
      return;
    }
    frame.has_key = false;
    if (frame.merge_key) return merge(value, mark);
    Key key = options_.keys ? options_.keys->get(frame.key) : Key(frame.key);
    frame.members.push_back({std::move(key), std::move(value)});
  }

  std::string_view text_;
  const JsonOptions& options_;
  DuplicateFields duplicates_;
  std::vector<YamlDocument> documents_;
  std::vector<Frame> frames_;
  std::map<YAML::anchor_t, Value> anchors_;
  Value root_;
  size_t expanded_ = 0;
  int line_ = 1;
  std::optional<size_t> last_quoted_;
  int position_ = -1;  // where the document began
};

Error at_line(int line, std::string_view message) {
  return Error::make(Code::parse, "line " + std::to_string(line) + ": " + std::string(message));
}

// Whether the quoted scalar at `at` (its anchor or tag may stand before it) has a closing quote:
// yaml-cpp lets the end of the text be one, and swallows the rest of a manifest.
bool is_closed(std::string_view text, size_t at) {
  while (at < text.size() && (text[at] == '&' || text[at] == '!' || text[at] == '#')) {
    at = text.find_first_of(text[at] == '#' ? "\n" : " \t\r\n", at);
    at = text.find_first_not_of(" \t\r\n", at);
  }
  if (at >= text.size() || (text[at] != '"' && text[at] != '\'')) return true;
  bool escapes = text[at] == '"';
  for (size_t i = at + 1; i < text.size(); ++i) {
    if (escapes && text[i] == '\\') {
      ++i;
    } else if (text[i] == text[at]) {
      if (escapes || !text.substr(i + 1).starts_with('\'')) return true;
      ++i;  // two of them stand for one
    }
  }
  return false;
}

// YAML 1.1, section 5.1.
bool has_control_characters(std::string_view text) {
  return std::ranges::any_of(text, [](unsigned char c) {
    return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F;
  });
}

// JSON is YAML, but its own parser is many times faster and nests deeper.
std::optional<Value> parse_as_json(std::string_view text, const JsonOptions& options) {
  size_t start = text.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos || (text[start] != '{' && text[start] != '[')) return std::nullopt;
  std::vector<std::string> duplicates;
  JsonOptions json = options;
  if (options.duplicates) json.duplicates = &duplicates;
  auto value = parse_json(text, json);
  if (!value.ok()) return std::nullopt;
  if (options.duplicates) {
    options.duplicates->insert(options.duplicates->end(), duplicates.begin(), duplicates.end());
  }
  return std::move(value).value();
}

}  // namespace

Result<std::vector<YamlDocument>> parse_yaml(std::string_view text, const JsonOptions& options) {
  if (!is_valid_utf8(text)) return Error::make(Code::parse, "the text is not UTF-8");
  if (auto json = parse_as_json(text, options)) {
    std::vector<YamlDocument> documents;
    documents.push_back({std::move(*json), 1});
    return documents;
  }
  if (has_control_characters(text)) return Error::make(Code::parse, "control characters are not allowed");
  Builder builder(text, options);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Refused& refused) {
    return at_line(refused.line, refused.message);
  } catch (const YAML::DeepRecursion& problem) {
    return at_line(problem.mark.line + 1, "nested too deeply");
  } catch (const YAML::Exception& problem) {
    return at_line(problem.mark.line + 1, problem.msg);
  }
  if (auto quoted = builder.last_quoted(); quoted && !is_closed(text, *quoted)) {
    auto line = std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(*quoted), '\n');
    return at_line(static_cast<int>(line) + 1, "found no end of the quoted text");
  }
  return builder.take();
}

Result<Value> parse_yaml_document(std::string_view text, const JsonOptions& options) {
  TRY(std::vector<YamlDocument> documents, parse_yaml(text, options));
  if (documents.empty()) return Value();
  if (documents.size() > 1) {
    return at_line(documents[1].line, "a second document where one was expected");
  }
  return std::move(documents[0].value);
}

}  // namespace orch
