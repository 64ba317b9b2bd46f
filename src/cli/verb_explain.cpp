// explain: what the server's OpenAPI says of a kind and its fields. completion: for the shells.

#include <algorithm>

#include "base/text.h"
#include "cli/run.h"
#include "cli/selection.h"
#include "cli/verbs.h"

namespace orch::cli {

using loop::fail;
using loop::Task;

namespace {

constexpr std::string_view kRefPrefix = "#/components/schemas/";

// The schema a reference leads to, through the single-entry allOf that goes with defaults.
const Value& resolve(const Value& document, const Value& schema) {
  std::string_view reference = schema["$ref"].as_string();
  if (reference.empty() && schema["allOf"].size() == 1) reference = schema["allOf"].at(0)["$ref"].as_string();
  if (!reference.starts_with(kRefPrefix)) return schema;
  return document["components"]["schemas"][reference.substr(kRefPrefix.size())];
}

std::string type_text(const Value& document, const Value& schema) {
  std::string_view reference = schema["$ref"].as_string();
  if (reference.empty() && schema["allOf"].size() == 1) reference = schema["allOf"].at(0)["$ref"].as_string();
  if (reference.starts_with(kRefPrefix)) {
    const Value& target = resolve(document, schema);
    std::string_view type = target["type"].as_string();
    if (!type.empty() && type != "object") return std::string(type);
    if (!target.has("properties")) return type.empty() ? "Object" : std::string(type);
    return std::string(reference.substr(reference.rfind('.') + 1));
  }
  std::string_view type = schema["type"].as_string();
  if (type == "array") return "[]" + type_text(document, schema["items"]);
  if (schema["additionalProperties"].is_object()) {
    return "map[string]" + type_text(document, schema["additionalProperties"]);
  }
  return type.empty() ? "Object" : std::string(type);
}

// Into lists and maps, down to what has fields.
const Value& element(const Value& document, const Value& schema) {
  const Value* current = &resolve(document, schema);
  for (int depth = 0; depth < 8; ++depth) {
    if ((*current)["items"].is_object()) {
      current = &resolve(document, (*current)["items"]);
    } else if ((*current)["additionalProperties"].is_object()) {
      current = &resolve(document, (*current)["additionalProperties"]);
    } else {
      break;
    }
  }
  return *current;
}

bool requires_field(const Value& schema, std::string_view name) {
  return std::ranges::any_of(schema["required"].items(),
                             [&](const Value& field) { return field.as_string() == name; });
}

std::string description_text(const Value& schema, std::string_view margin) {
  std::string_view text = schema["description"].as_string();
  return std::string(margin) + (text.empty() ? "<no description>" : std::string(text)) + "\n";
}

void add_fields(const Value& document, const Value& schema, size_t indent, bool recursive,
                std::vector<const Value*>& seen, std::string& text) {
  const std::string margin(indent, ' ');
  for (const Member& field : schema["properties"].members()) {
    text += margin + std::string(field.name()) + "\t<" + type_text(document, field.value) + ">";
    if (requires_field(schema, field.name())) text += " -required-";
    text += "\n";
    if (!recursive) {
      text += description_text(field.value, margin + "  ") + "\n";
      continue;
    }
    const Value* inner = &element(document, field.value);
    if (std::ranges::find(seen, inner) != seen.end()) continue;
    seen.push_back(inner);
    add_fields(document, *inner, indent + 2, recursive, seen, text);
    seen.pop_back();
  }
}

const Value* find_schema(const Value& document, const Resource& resource) {
  for (const Member& schema : document["components"]["schemas"].members()) {
    for (const Value& kind : schema.value["x-kubernetes-group-version-kind"].items()) {
      if (kind["kind"].as_string() == resource.kind && kind["group"].as_string() == resource.group &&
          kind["version"].as_string() == resource.version) {
        return &schema.value;
      }
    }
  }
  return nullptr;
}

Task<const Resource*> explained(Invocation& in, std::string type) {
  std::string version = in.text("api-version");
  if (version.empty()) {
    const Resource* resource = co_await in.session.find_resource(type);
    co_return resource;
  }
  const ResourceMap* map = co_await in.session.resources();
  for (const Resource& resource : map->all()) {
    if (resource.api_version() == version &&
        (resource.plural == type || resource.singular == type || equals_ignore_case(resource.kind, type))) {
      co_return &resource;
    }
  }
  co_await fail(failure("couldn't find resource for " + quote(version + ", " + type)));
  co_return nullptr;
}

Task<int> run_explain(Invocation& in) {
  if (in.words().size() != 1) {
    co_await fail(usage_error("You must specify the type of resource to explain, as TYPE[.FIELD]..."));
  }
  std::vector<std::string> steps;
  for (std::string_view part : split(in.words()[0], '.')) steps.emplace_back(part);
  const Resource* resource = co_await explained(in, steps[0]);
  std::string path = resource->group.empty() ? "api/" + resource->version
                                             : "apis/" + resource->group + "/" + resource->version;
  Value index = co_await in.session.get_json("/openapi/v3");
  std::string url(index["paths"][path]["serverRelativeURL"].as_string());
  if (url.empty()) co_await fail(failure("the server has no OpenAPI document of " + path));
  Value document = co_await in.session.get_json(url);
  const Value* schema = find_schema(document, *resource);
  if (!schema) co_await fail(failure("the server's OpenAPI document has no " + resource->kind));
  std::string text;
  if (!resource->group.empty()) text += "GROUP:      " + resource->group + "\n";
  text += "KIND:       " + resource->kind + "\nVERSION:    " + resource->version + "\n\n";
  const Value* field = schema;
  std::string type = resource->kind;
  for (size_t i = 1; i < steps.size(); ++i) {
    const Value* next = element(document, *field)["properties"].find(steps[i]);
    if (!next) co_await fail(failure("field " + quote(steps[i]) + " does not exist"));
    field = next;
    type = type_text(document, *field);
  }
  if (steps.size() > 1) text += "FIELD: " + steps.back() + " <" + type + ">\n\n";
  const Value& inner = element(document, *field);
  text += "DESCRIPTION:\n" + description_text(field->has("description") ? *field : inner, "    ");
  if (inner["properties"].empty()) {
    in.console.out(text + "\n");
    co_return 0;
  }
  text += "\nFIELDS:\n";
  std::vector<const Value*> seen = {&inner};
  add_fields(document, inner, 2, in.on("recursive"), seen, text);
  in.console.out(text + "\n");
  co_return 0;
}

// --- completion

// Verbs with their second words: "get", "rollout status" -> rollout: status ...
std::vector<std::string> second_words(const std::vector<Verb>& all, std::string_view first) {
  std::vector<std::string> words;
  for (const Verb& verb : all) {
    if (verb.name.starts_with(std::string(first) + " ")) words.emplace_back(verb.name.substr(first.size() + 1));
  }
  return words;
}

std::vector<std::string> first_words(const std::vector<Verb>& all) {
  std::vector<std::string> words = {"server", "agent"};
  for (const Verb& verb : all) {
    std::string word(verb.name.substr(0, verb.name.find(' ')));
    if (std::ranges::find(words, word) == words.end()) words.push_back(std::move(word));
  }
  return words;
}

std::string flags_of(const std::vector<Verb>& all, std::string_view first) {
  std::vector<std::string> flags;
  for (const Verb& verb : all) {
    if (verb.name != first) continue;
    for (const Flag& flag : verb.flags) flags.push_back("--" + std::string(flag.name));
  }
  for (const Flag& flag : global_flags()) flags.push_back("--" + std::string(flag.name));
  return join(flags, " ");
}

// Types come from the server; names from a get of the type before.
constexpr std::string_view kBashStart = R"sh(# bash completion for orch
_orch() {
  local cur="${COMP_WORDS[COMP_CWORD]}" verb="${COMP_WORDS[1]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "VERBS" -- "$cur"))
    return
  fi
  if [[ "$cur" == -* ]]; then
    case "$verb" in
)sh";
constexpr std::string_view kBashEnd = R"sh(      *) ;;
    esac
  elif [ "$COMP_CWORD" -eq 2 ]; then
    case "$verb" in
SECOND      *) words="$(orch api-resources -o name --request-timeout=2s 2>/dev/null)" ;;
    esac
  else
    words="$(orch get "${COMP_WORDS[2]}" -o name 2>/dev/null | sed 's|.*/||')"
  fi
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _orch orch
)sh";

std::string bash_completion(const std::vector<Verb>& all) {
  std::string text = replace_all(kBashStart, "VERBS", join(first_words(all), " "));
  std::string second;
  for (const std::string& word : first_words(all)) {
    text += "      " + word + ") words=\"" + flags_of(all, word) + "\" ;;\n";
    auto words = second_words(all, word);
    if (!words.empty()) second += "      " + word + ") words=\"" + join(words, " ") + "\" ;;\n";
  }
  return text + replace_all(kBashEnd, "SECOND", second);
}

std::string fish_completion(const std::vector<Verb>& all) {
  std::string text = "# fish completion for orch\n";
  for (const std::string& word : first_words(all)) {
    text += "complete -c orch -f -n __fish_use_subcommand -a " + word + "\n";
    for (const std::string& second : second_words(all, word)) {
      text += "complete -c orch -f -n '__fish_seen_subcommand_from " + word + "' -a " + second + "\n";
    }
  }
  return text;
}

Task<int> run_completion(Invocation& in) {
  const std::vector<Verb> all = verbs();
  std::string shell = in.words().empty() ? std::string() : in.words()[0];
  if (shell == "bash") {
    in.console.out(bash_completion(all));
  } else if (shell == "zsh") {
    in.console.out("#compdef orch\nautoload -U +X bashcompinit && bashcompinit\n" + bash_completion(all));
  } else if (shell == "fish") {
    in.console.out(fish_completion(all));
  } else {
    co_await fail(usage_error("give a shell: bash, zsh or fish"));
  }
  co_return 0;
}

}  // namespace

std::vector<Verb> explain_verbs() {
  Flags own = {{"recursive", 0, FlagType::boolean, "false", "all fields below, without their descriptions"},
               {"api-version", 0, FlagType::text, "", "GROUP/VERSION"},
               {"output", 'o', FlagType::text, "plaintext", "accepted"}};
  return {Verb{"explain", "TYPE[.FIELD]...", "What the fields of a kind are", own, run_explain},
          Verb{"completion", "bash|zsh|fish", "Completion for a shell, to be sourced", {}, run_completion}};
}

}  // namespace orch::cli
