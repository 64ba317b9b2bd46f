#include "schema/rules/rules.h"

namespace orch::schema {

Hooks Hooks::builtin() {
  Hooks hooks;
  return hooks;
}

}  // namespace orch::schema
