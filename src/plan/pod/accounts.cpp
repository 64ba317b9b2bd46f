#include "plan/pod/accounts.h"

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace orch::plan::pod {

namespace {

// The first entry whose name or (with `by_id`) number is `what`.
std::optional<std::vector<std::string_view>> find_entry(std::string_view file, std::string_view what, bool by_id) {
  for (std::string_view line : split(file, '\n')) {
    auto fields = split(line, ':');
    if (fields.size() < 3) continue;
    if (fields[by_id ? 2 : 0] == what) return fields;
  }
  return std::nullopt;
}

std::vector<int64_t> groups_of(std::string_view file, std::string_view name) {
  std::vector<int64_t> ids;
  for (std::string_view line : split(file, '\n')) {
    auto fields = split(line, ':');
    if (fields.size() < 4) continue;
    auto members = split(fields[3], ',');
    auto id = parse_int(fields[2]);
    if (id && std::ranges::find(members, name) != members.end()) ids.push_back(*id);
  }
  return ids;
}

}  // namespace

Result<Identity> find_identity(const Accounts& accounts, std::string_view user) {
  auto parts = split_once(user, ':');
  std::string_view name = parts ? parts->first : user;
  std::string_view group = parts ? parts->second : "";
  if (name.empty()) name = "0";
  Identity identity;
  auto number = parse_int(name);
  auto entry = find_entry(accounts.passwd, name, number.has_value());
  if (!entry && !number) return Error::make(Code::invalid, "unable to find user " + std::string(name) + ": no matching entries in passwd file");
  if (entry) {
    identity.uid = parse_int((*entry)[2]).value_or(0);
    identity.gid = entry->size() > 3 ? parse_int((*entry)[3]).value_or(0) : 0;
    if (entry->size() > 5 && !(*entry)[5].empty()) identity.home = (*entry)[5];
    identity.groups = groups_of(accounts.group, (*entry)[0]);
  } else {
    identity.uid = *number;
  }
  if (group.empty()) return identity;
  if (auto id = parse_int(group)) {
    identity.gid = *id;
  } else if (auto found = find_entry(accounts.group, group, false)) {
    identity.gid = parse_int((*found)[2]).value_or(0);
  } else {
    return Error::make(Code::invalid, "unable to find group " + std::string(group) + ": no matching entries in group file");
  }
  return identity;
}

}  // namespace orch::plan::pod
