#pragma once
// Users and groups of an image, from its /etc/passwd and /etc/group. Pure.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace orch::plan::pod {

struct Accounts {
  std::string passwd, group;  // the files' texts; "" where there are none
};

struct Identity {
  int64_t uid = 0, gid = 0;
  std::vector<int64_t> groups;  // supplementary ones, of /etc/group
  std::string home = "/";
};

// `user` of an image configuration: "", "name", "1000", "name:group", "1000:1000". Code::invalid: no such user.
Result<Identity> find_identity(const Accounts& accounts, std::string_view user);

}  // namespace orch::plan::pod
