// cordon, uncordon, taint: where pods may go.

#include <algorithm>
#include <array>

#include "base/text.h"
#include "cli/outcome.h"
#include "cli/verbs.h"

namespace orch::cli {

using loop::fail;
using loop::Task;

namespace {

Task<int> set_unschedulable(Invocation& in, bool unschedulable) {
  Outcome outcome = co_await Outcome::make(in);
  std::vector<std::string> words = in.words();
  if (words.empty() && in.text("selector").empty()) {
    co_await fail(usage_error("requires at least one node name or --selector"));
  }
  if (words.empty() || words[0].find('/') == std::string::npos) words.insert(words.begin(), "nodes");
  auto all = co_await select_objects(in, words);
  const std::string_view what = unschedulable ? "cordoned" : "uncordoned";
  for (const Selected& selected : all) {
    auto read = co_await read_object(in, selected).result();
    if (!read.ok()) {
      outcome.tell_error(read.error());
      continue;
    }
    Value node = std::move(read).value();
    if (node["spec"]["unschedulable"].as_bool() == unschedulable) {
      co_await outcome.tell(selected, "already " + std::string(what), node);
      continue;
    }
    if (outcome.dry_run() != DryRun::client) {
      PatchRequest patch;
      patch.media_type = kStrategicPatch;
      Value wanted = unschedulable ? Value(true) : Value();
      Value spec = Value::object({{"unschedulable", wanted}});
      patch.patch = Value::object({{"spec", spec}});
      node = co_await send_patch(in, selected, std::move(patch), outcome.dry_run());
    }
    co_await outcome.tell(selected, what, node);
  }
  co_return outcome.code();
}

Task<int> run_cordon(Invocation& in) {
  int code = co_await set_unschedulable(in, true);
  co_return code;
}

Task<int> run_uncordon(Invocation& in) {
  int code = co_await set_unschedulable(in, false);
  co_return code;
}

// --- taint

struct Taint {
  std::string key, value, effect;  // of one that is removed the effect may be ""
};

struct TaintChange {
  std::vector<Taint> set, removed;
};

bool is_effect(std::string_view text) {
  static constexpr std::array<std::string_view, 3> kEffects{"NoSchedule", "PreferNoSchedule", "NoExecute"};
  return std::ranges::find(kEffects, text) != kEffects.end();
}

bool is_taint(const std::string& word) {
  return word.find('=') != std::string::npos || word.find(':') != std::string::npos || word.ends_with('-');
}

Result<void> parse_taint(const std::string& word, TaintChange& change) {
  std::string_view text = word;
  const bool removes = text.ends_with('-');
  if (removes) text.remove_suffix(1);
  Taint taint;
  if (auto parts = split_once(text, ':')) {
    text = parts->first;
    taint.effect = parts->second;
    if (!is_effect(taint.effect)) {
      return usage_error("invalid taint effect: " + taint.effect + ", unsupported taint effect");
    }
  }
  if (auto parts = split_once(text, '=')) {
    text = parts->first;
    taint.value = parts->second;
  }
  taint.key = text;
  if (taint.key.empty() || (!removes && taint.effect.empty())) {
    return usage_error("invalid taint spec: " + word);
  }
  (removes ? change.removed : change.set).push_back(std::move(taint));
  return {};
}

bool same_taint(const Value& one, const Taint& other) {
  return one["key"].as_string() == other.key &&
         (other.effect.empty() || one["effect"].as_string() == other.effect);
}

// The node's taints afterwards.
Result<Value> changed_taints(const Value& node, const TaintChange& change, bool overwrite) {
  std::vector<Value> taints;
  for (const Value& taint : node["spec"]["taints"].items()) {
    auto is_this = [&](const Taint& other) { return same_taint(taint, other); };
    if (std::ranges::any_of(change.set, is_this)) {
      if (overwrite) continue;
      return failure("node " + std::string(node["metadata"]["name"].as_string()) + " already has " +
                     std::string(taint["key"].as_string()) +
                     " taint(s) with same effect(s) and --overwrite is false");
    }
    if (std::ranges::none_of(change.removed, is_this)) taints.push_back(taint);
  }
  for (const Taint& gone : change.removed) {
    auto is_this = [&](const Value& taint) { return same_taint(taint, gone); };
    if (std::ranges::none_of(node["spec"]["taints"].items(), is_this)) {
      return failure("taint " + quote(gone.effect.empty() ? gone.key : gone.key + ":" + gone.effect) +
                     " not found");
    }
  }
  for (const Taint& taint : change.set) {
    ObjectBuilder made;
    made.set("key", taint.key).set("effect", taint.effect);
    if (!taint.value.empty()) made.set("value", taint.value);
    taints.push_back(std::move(made).build());
  }
  return Value::list(std::move(taints));
}

Task<void> taint_one(Invocation& in, const TaintChange& change, const Selected& selected, Outcome& outcome) {
  Value node = co_await read_object(in, selected);
  Value taints = co_await changed_taints(node, change, in.on("overwrite"));
  std::string_view what = change.set.empty() ? "untainted" : change.removed.empty() ? "tainted" : "modified";
  if (outcome.dry_run() != DryRun::client) {
    PatchRequest patch;
    Value metadata = Value::object({{"resourceVersion", node["metadata"]["resourceVersion"]}});
    Value spec = Value::object({{"taints", taints.empty() ? Value() : taints}});
    patch.patch = Value::object({{"metadata", metadata}, {"spec", spec}});
    patch.manager = "kubectl-taint";
    node = co_await send_patch(in, selected, std::move(patch), outcome.dry_run());
  }
  co_await outcome.tell(selected, what, node);
}

Task<int> run_taint(Invocation& in) {
  std::vector<std::string> words = in.words();
  auto first = std::ranges::find_if(words, is_taint);
  TaintChange change;
  for (auto word = first; word != words.end(); ++word) co_await parse_taint(*word, change);
  words.erase(first, words.end());
  if (change.set.empty() && change.removed.empty()) {
    co_await fail(usage_error("at least one taint update is required"));
  }
  Outcome outcome = co_await Outcome::make(in);
  auto all = co_await select_objects(in, words);
  for (const Selected& selected : all) {
    if (selected.resource->kind != "Node") {
      co_await fail(failure("invalid resource type " + selected.resource->plural + ", only node(s) is supported"));
    }
    auto done = co_await taint_one(in, change, selected, outcome).result();
    if (!done.ok()) outcome.tell_error(done.error());
  }
  co_return outcome.code();
}

}  // namespace

std::vector<Verb> node_verbs() {
  Flags cordon = flags::join({flags::selection(), flags::dry_run()});
  Flags taint = {{"overwrite", 0, FlagType::boolean, "false", "taints that are there may be replaced"}};
  return {Verb{"cordon", "NODE ...", "Let no more pods onto a node", cordon, run_cordon},
          Verb{"uncordon", "NODE ...", "Let pods onto a node again", cordon, run_uncordon},
          Verb{"taint", "nodes NAME KEY=VALUE:EFFECT ... KEY:EFFECT- ...", "Set and remove a node's taints",
               flags::join({taint, flags::output(), flags::selection(), flags::dry_run(),
                            flags::field_manager("")}),
               run_taint}};
}

}  // namespace orch::cli
