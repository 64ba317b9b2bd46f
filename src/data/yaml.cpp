// The one file that sees yaml-cpp, which throws: everything is caught here and becomes an Error. Its
// event interface is used, so that duplicates, aliases, merge keys and limits are ours.

#include "data/yaml.h"

#include <yaml-cpp/anchor.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "base/text.h"
#include "data/yaml_scalar.h"

namespace orch {

namespace {

constexpr size_t kMaxExpandedNodes = 1'000'000;  // what all aliases of a stream may unfold to
constexpr size_t kMaxDuplicates = 100;

// Thrown inside the handler to leave yaml-cpp's parser; caught in parse_yaml.
struct Refused {
  int line;
  std::string message;
};

size_t count_nodes(const Value& value) {
  size_t total = 1;
  for (const Value& item : value.items()) total += count_nodes(item);
  for (const Member& member : value.members()) total += count_nodes(member.value);
  return total;
}

class Builder final : public YAML::EventHandler {
 public:
  explicit Builder(const JsonOptions& options) : options_(options) {}

  std::vector<YamlDocument> take() { return std::move(documents_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    line_ = mark.line + 1;
    frames_.clear();
    anchors_.clear();
    root_ = Value();
  }

  void OnDocumentEnd() override {
    if (!root_.is_null()) documents_.push_back({std::move(root_), line_});
  }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { finish(Value(), anchor, mark, true); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw Refused{mark.line + 1, "an alias refers to a node that contains it"};
    expanded_ += count_nodes(found->second);
    if (expanded_ > kMaxExpandedNodes) throw Refused{mark.line + 1, "the document's aliases unfold to too many values"};
    finish(found->second, 0, mark, false);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    bool plain = tag == "?" || tag.empty();
    if (!frames_.empty() && frames_.back().wants_key()) {
      Value key = plain ? resolve_yaml_scalar(text) : Value();
      if (key.is_bool()) return take_key(key.as_bool() ? "true" : "false", false, mark);
      return take_key(text, plain && text == "<<", mark);
    }
    finish(plain ? resolve_yaml_scalar(text) : tagged(tag, text, mark), anchor, mark, plain);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(false, anchor, mark);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(true, anchor, mark);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    bool is_map;
    YAML::anchor_t anchor;
    YAML::Mark mark;
    std::vector<Value> items;
    std::vector<Member> members;
    std::vector<Value> merged;
    std::string key;
    bool has_key = false;
    bool merge_key = false;
    bool wants_key() const { return is_map && !has_key; }
  };

  static Value tagged(const std::string& tag, const std::string& text, const YAML::Mark& mark) {
    if (tag.ends_with(":binary")) {
      auto bytes = decode_base64(text);
      if (!bytes.ok()) throw Refused{mark.line + 1, "!!binary is not base64"};
      return Value(*bytes);
    }
    if (tag.ends_with(":int") || tag.ends_with(":float") || tag.ends_with(":bool") || tag.ends_with(":null")) {
      return resolve_yaml_scalar(text);
    }
    return Value(text);
  }

  void open(bool is_map, YAML::anchor_t anchor, const YAML::Mark& mark) {
    if (!frames_.empty() && frames_.back().wants_key()) {
      throw Refused{mark.line + 1, "a list or mapping cannot be a key"};
    }
    if (frames_.size() >= options_.max_depth) throw Refused{mark.line + 1, "nested too deeply"};
    frames_.push_back({is_map, anchor, mark, {}, {}, {}, {}, false, false});
  }

  void close() {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    if (!frame.is_map) return finish(Value::list(std::move(frame.items)), frame.anchor, frame.mark, false);
    // YAML 1.1 merge keys: what the mapping says itself wins, then the earlier of several.
    std::vector<Member> members;
    for (auto source = frame.merged.rbegin(); source != frame.merged.rend(); ++source) {
      for (const Member& member : source->members()) members.push_back(member);
    }
    for (Member& member : frame.members) members.push_back(std::move(member));
    finish(Value::object(std::move(members)), frame.anchor, frame.mark, false);
  }

  void take_key(const std::string& text, bool merge, const YAML::Mark& mark) {
    Frame& frame = frames_.back();
    frame.has_key = true;
    frame.merge_key = merge;
    frame.key = text;
    if (merge || !options_.duplicates) return;
    for (const Member& member : frame.members) {
      if (member.name() != text || options_.duplicates->size() >= kMaxDuplicates) continue;
      options_.duplicates->push_back("line " + std::to_string(mark.line + 1) + ": duplicate field " +
                                     quote(path_of(text)));
      return;
    }
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

  void finish(Value value, YAML::anchor_t anchor, const YAML::Mark& mark, bool may_be_key) {
    if (anchor) anchors_[anchor] = value;
    if (frames_.empty()) {
      root_ = std::move(value);
      return;
    }
    Frame& frame = frames_.back();
    if (frame.wants_key()) {
      if (value.is_string()) return take_key(std::string(value.as_string()), false, mark);
      if (!may_be_key) throw Refused{mark.line + 1, "a list or mapping cannot be a key"};
      return take_key("null", false, mark);
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

  const JsonOptions& options_;
  std::vector<YamlDocument> documents_;
  std::vector<Frame> frames_;
  std::map<YAML::anchor_t, Value> anchors_;
  Value root_;
  size_t expanded_ = 0;
  int line_ = 1;
};

Error at_line(int line, std::string_view message) {
  return Error::make(Code::parse, "line " + std::to_string(line) + ": " + std::string(message));
}

// yaml-cpp's own recursion is not ours to bound, so what nests absurdly never reaches it.
Result<void> check_flow_depth(std::string_view text, size_t limit) {
  size_t depth = 0, deepest = 0;
  int line = 1;
  for (char c : text) {
    if (c == '\n') ++line;
    if (c == '[' || c == '{') deepest = std::max(deepest, ++depth);
    if ((c == ']' || c == '}') && depth > 0) --depth;
    if (deepest > limit) return at_line(line, "nested too deeply");
  }
  return {};
}

}  // namespace

Result<std::vector<YamlDocument>> parse_yaml(std::string_view text, const JsonOptions& options) {
  if (!is_valid_utf8(text)) return Error::make(Code::parse, "the text is not UTF-8");
  TRY_VOID(check_flow_depth(text, options.max_depth));
  Builder builder(options);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Refused& refused) {
    return at_line(refused.line, refused.message);
  } catch (const YAML::Exception& problem) {
    return at_line(problem.mark.line + 1, problem.msg);
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
