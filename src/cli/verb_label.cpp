// label, annotate: pairs in metadata.

#include <algorithm>

#include "base/text.h"
#include "cli/outcome.h"
#include "cli/verbs.h"

namespace orch::cli {

using loop::fail;
using loop::Task;

namespace {

struct Pairs {
  std::vector<std::pair<std::string, std::string>> set;
  std::vector<std::string> removed;
};

bool is_pair(const std::string& word) {
  return word.find('=') != std::string::npos || (word.size() > 1 && word.ends_with('-'));
}

// The words up to the first pair are what the pairs are for.
Result<Pairs> take_pairs(std::vector<std::string>& words, std::string_view what) {
  Pairs pairs;
  auto first = std::ranges::find_if(words, is_pair);
  for (auto word = first; word != words.end(); ++word) {
    if (!is_pair(*word)) {
      return usage_error("all resources must be specified before " + std::string(what) +
                         " changes: " + *word);
    }
    if (auto parts = split_once(*word, '=')) {
      if (parts->first.empty()) return usage_error("invalid " + std::string(what) + " spec: " + *word);
      pairs.set.emplace_back(parts->first, parts->second);
    } else {
      pairs.removed.push_back(word->substr(0, word->size() - 1));
    }
  }
  for (const std::string& key : pairs.removed) {
    if (std::ranges::find(pairs.set, key, &std::pair<std::string, std::string>::first) != pairs.set.end()) {
      return usage_error("can not both modify and remove a " + std::string(what) + " in the same command");
    }
  }
  words.erase(first, words.end());
  return pairs;
}

struct Kind {
  std::string_view field;     // in metadata
  std::string_view singular;  // "label"
  bool labels;
};
constexpr Kind kLabels{"labels", "label", true};
constexpr Kind kAnnotations{"annotations", "annotation", false};

// The patch, after the check that nothing is overwritten against the user's will.
Result<Value> pairs_patch(Invocation& in, const Kind& kind, const Pairs& pairs, const Value& object) {
  const Value& current = object["metadata"][kind.field];
  std::vector<std::string> taken;
  ObjectBuilder changes;
  for (const auto& [key, value] : pairs.set) {
    const Value* before = current.find(key);
    if (before && before->as_string() != value && !in.on("overwrite")) {
      taken.push_back("'" + key + "' already has a value (" + std::string(before->as_string()) + ")");
    }
    changes.set(key, Value(value));
  }
  if (!taken.empty() && kind.labels) return failure(join(taken, "; ") + ", and --overwrite is false");
  if (!taken.empty()) {
    return failure("--overwrite is false but found the following declared annotation(s): " +
                   join(taken, "; "));
  }
  for (const std::string& key : pairs.removed) {
    if (!current.has(key)) {
      if (kind.labels) in.console.out("label " + quote(key) + " not found.\n");
      continue;
    }
    changes.set(key, Value());
  }
  Value metadata = Value::object({{kind.field, std::move(changes).build()}});
  std::string version = in.text("resource-version");
  if (!version.empty()) metadata = metadata.with("resourceVersion", Value(version));
  return Value::object({{"metadata", metadata}});
}

std::string_view outcome_word(const Kind& kind, const Value& before, const Value& after, bool overwrite) {
  if (!kind.labels) return "annotated";
  const Value& old_pairs = before["metadata"]["labels"];
  const Value& new_pairs = after["metadata"]["labels"];
  if (old_pairs == new_pairs || (old_pairs.empty() && new_pairs.empty())) return "not labeled";
  return !overwrite && new_pairs.size() < old_pairs.size() ? "unlabeled" : "labeled";
}

Task<void> list_pairs(Invocation& in, const Kind& kind, const Selected& selected, bool several) {
  Value object = co_await read_object(in, selected);
  if (several) {
    in.console.out("Listing " + std::string(kind.field) + " for " + selected.resource->kind + "." +
                   selected.resource->api_version() + "/" + selected.name + ":\n");
  }
  for (const Member& member : object["metadata"][kind.field].members()) {
    in.console.out((several ? " " : "") + std::string(member.name()) + "=" +
                   std::string(member.value.as_string()) + "\n");
  }
}

Task<void> change_pairs(Invocation& in, const Kind& kind, const Pairs& pairs, const Selected& selected,
                        Outcome& outcome) {
  Value before = co_await read_object(in, selected);
  PatchRequest patch;
  patch.patch = co_await pairs_patch(in, kind, pairs, before);
  patch.manager = kind.labels ? "kubectl-label" : "kubectl-annotate";
  Value after = before;
  if (outcome.dry_run() == DryRun::client) {
    Value changed = before["metadata"][kind.field];
    for (const Member& member : patch.patch["metadata"][kind.field].members()) {
      changed = member.value.is_null() ? changed.without(member.name())
                                       : changed.with(member.name(), member.value);
    }
    after = before.with_path({"metadata", kind.field}, changed);
  } else if (!patch.patch["metadata"][kind.field].empty()) {
    after = co_await send_patch(in, selected, std::move(patch), outcome.dry_run());
  }
  co_await outcome.tell(selected, outcome_word(kind, before, after, in.on("overwrite")), after);
}

Task<int> run_pairs(Invocation& in, Kind kind) {
  std::vector<std::string> words = in.words();
  Pairs pairs = co_await take_pairs(words, kind.singular);
  const bool listing = in.on("list");
  if (!listing && pairs.set.empty() && pairs.removed.empty()) {
    co_await fail(usage_error("at least one " + std::string(kind.singular) + " update is required"));
  }
  Outcome outcome = co_await Outcome::make(in);
  auto all = co_await select_objects(in, words);
  for (const Selected& selected : all) {
    if (listing) {
      co_await list_pairs(in, kind, selected, all.size() > 1);
      continue;
    }
    auto done = co_await change_pairs(in, kind, pairs, selected, outcome).result();
    if (!done.ok()) outcome.tell_error(done.error());
  }
  co_return outcome.code();
}

Task<int> run_label(Invocation& in) {
  int code = co_await run_pairs(in, kLabels);
  co_return code;
}

Task<int> run_annotate(Invocation& in) {
  int code = co_await run_pairs(in, kAnnotations);
  co_return code;
}

}  // namespace

std::vector<Verb> label_verbs() {
  Flags own = {{"overwrite", 0, FlagType::boolean, "false", "values that are there may be replaced"},
               {"list", 0, FlagType::boolean, "false", "show what is there"},
               {"resource-version", 0, FlagType::text, "", "only if the object is at this version"}};
  Flags all = flags::join({own, flags::files(), flags::output(), flags::selection(),
                           flags::all_namespaces(), flags::dry_run(), flags::field_manager("")});
  return {Verb{"label", "TYPE NAME KEY=VALUE ... KEY- ...", "Set and remove labels", all, run_label},
          Verb{"annotate", "TYPE NAME KEY=VALUE ... KEY- ...", "Set and remove annotations", all,
               run_annotate}};
}

}  // namespace orch::cli
