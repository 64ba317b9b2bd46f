#include "store/store.h"

#include "data/json.h"

namespace orch::store {

std::shared_ptr<const std::string> Stored::json() const {
  auto json = json_.lock();
  if (!json) {
    json = std::make_shared<const std::string>(format_json(value));
    json_ = json;
  }
  return json;
}

}  // namespace orch::store
