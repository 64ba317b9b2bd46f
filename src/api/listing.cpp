// Get and list: kinds by their path, selectors, pages with continue tokens that stay consistent
// while history reaches back (KEP-365) and go on inconsistently after that.

#include "api/objects.h"
#include "api/selection.h"
#include "api/status.h"
#include "base/text.h"
#include "data/json.h"
#include "schema/hooks.h"

namespace orch::api {

using client::Target;
using loop::fail;
using loop::Task;
using schema::Kind;
using store::Revision;
using store::StoredPtr;

namespace {

struct ContinueToken {
  Revision revision = 0;  // 0: whatever is current (an inconsistent continuation)
  std::string after;      // last key that was handed out, without the prefix
};

std::string format_token(const ContinueToken& token) {
  return encode_base64url(
      format_json(Value::object({{"v", "meta.k8s.io/v1"}, {"rv", token.revision}, {"start", token.after}})));
}

Result<ContinueToken> parse_token(std::string_view text) {
  auto invalid = [] { return bad_request("continue key is not valid: it is none that this server gave"); };
  auto bytes = decode_base64url(text);
  if (!bytes.ok()) return invalid();
  auto value = parse_json(*bytes);
  if (!value.ok() || (*value)["v"].as_string() != "meta.k8s.io/v1") return invalid();
  return ContinueToken{(*value)["rv"].as_int(), std::string((*value)["start"].as_string())};
}

Error expired_token(std::string_view after) {
  Error error = Error::make(
      Code::expired,
      "The provided continue parameter is too old to display a consistent list result. You can start a new list "
      "without the continue parameter, or use the continue token in this response to retrieve the remainder of the "
      "results. Continuing with the provided token results in an inconsistent list - objects that were created, "
      "modified, or deleted between the time the first chunk was returned and now may show up in the list.");
  return std::move(error).with_continue(format_token({0, std::string(after)}));
}

Error too_large_revision(Revision wanted, Revision current) {
  return Error::make(Code::timeout, "Too large resource version: " + std::to_string(wanted) +
                                        ", current: " + std::to_string(current))
      .with_retry_after(1);
}

}  // namespace

std::string storage_key(const Kind& kind, std::string_view ns, std::string_view name) {
  std::string key = "/registry/";
  key.append(kind.group.empty() ? "core" : kind.group).append("/").append(kind.plural).append("/");
  if (kind.namespaced && !ns.empty()) key.append(ns).append("/");
  return key.append(name);
}

Result<const Kind*> Objects::kind_of(const Target& target) const {
  const Kind* kind = p_.registry->find_resource(target.group, target.version, target.resource);
  bool known_sub = kind && (target.subresource.empty() || kind->subresource(target.subresource));
  if (!kind || !known_sub) {
    return Error::make(Code::not_found, "the server could not find the requested resource");
  }
  return kind;
}

const Kind& Objects::storage_kind(const Kind& kind) const {
  if (!kind.stored_as) return kind;
  const Kind* stored = p_.registry->find_kind(kind.stored_as->group, kind.stored_as->version, kind.stored_as->kind);
  return stored ? *stored : kind;
}

Value Objects::to_storage(const Kind& kind, const Value& object) const {
  const auto* convert = kind.stored_as ? p_.hooks.find<schema::ConvertHook>(kind.stored_as->function) : nullptr;
  return convert ? convert->to_stored(object) : object;
}

Value Objects::as_kind(const Kind& kind, const Value& stored) const {
  const auto* convert = kind.stored_as ? p_.hooks.find<schema::ConvertHook>(kind.stored_as->function) : nullptr;
  return convert ? convert->from_stored(stored) : stored;
}

Task<StoredPtr> Objects::get(Target target) {
  const Kind* asked = co_await kind_of(target);
  co_await p_.store.fresh();
  const Kind& kind = storage_kind(*asked);
  StoredPtr found = p_.store.get(storage_key(kind, target.ns, target.name));
  if (!found) co_await fail(not_found(*asked, target.name));
  co_return std::move(found);
}

Task<ListPage> Objects::list(Target target, ListQuery query) {
  const Kind* asked = co_await kind_of(target);
  const Kind& kind = storage_kind(*asked);
  Selection selection = co_await Selection::parse(*asked, query.label_selector, query.field_selector);
  if (query.resource_version != "0") co_await p_.store.fresh();
  std::string prefix = storage_key(kind, target.ns, "");
  ContinueToken from;
  if (!query.continue_token.empty()) {
    from = co_await parse_token(query.continue_token);
  } else if (auto wanted = parse_int(query.resource_version); wanted && *wanted > 0) {
    if (*wanted > p_.store.revision()) co_await fail(too_large_revision(*wanted, p_.store.revision()));
    if (query.resource_version_match == "Exact") from.revision = *wanted;
  } else if (!query.resource_version.empty() && query.resource_version != "0") {
    co_await fail(bad_request("resourceVersion: Invalid value: " + quote(query.resource_version)));
  }
  std::string after = from.after.empty() ? "" : prefix + from.after;
  // With a selector the limit counts matches, so the store cannot apply it.
  bool all_match = selection.matches_all();
  size_t limit = query.limit > 0 ? static_cast<size_t>(query.limit) : 0;
  auto range = p_.store.range(prefix, after, all_match ? limit : 0, from.revision);
  if (!range.ok()) {
    if (range.error().is(Code::expired)) co_await fail(expired_token(from.after));
    co_await fail(std::move(range).error());
  }
  ListPage page;
  page.kind = asked;
  page.revision = from.revision ? from.revision : range->revision;
  page.remaining = static_cast<int64_t>(range->remaining);
  if (all_match) {
    page.items = std::move(range->items);
  } else {
    for (StoredPtr& item : range->items) {
      if (!selection.matches(as_kind(*asked, *item))) continue;
      if (limit && page.items.size() == limit) {
        page.remaining = -1;  // there are more, how many is not known: remainingItemCount is left out
        break;
      }
      page.items.push_back(std::move(item));
    }
  }
  if (page.remaining != 0 && !page.items.empty()) {
    ContinueToken next{page.revision, page.items.back()->key.substr(prefix.size())};
    page.continue_token = format_token(next);
  }
  co_return std::move(page);
}

}  // namespace orch::api
