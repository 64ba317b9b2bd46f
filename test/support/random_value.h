#pragma once
// Random values for property tests. Everything comes from the Random given: print its seed.

#include <string>

#include "base/random.h"
#include "data/value.h"

namespace orch::test {

struct ValueShape {
  int depth = 4;       // levels of nesting at most
  int width = 5;       // members or items at most
  bool doubles = true; // with a fraction or an exponent: they read back as doubles
  bool nulls = true;
};

// Valid UTF-8: words, numbers, syntax of YAML and JSON, controls, rare code points; mostly short.
std::string random_text(Random& random);
std::string random_bytes(Random& random, size_t most);
Value random_value(Random& random, const ValueShape& shape = {});
Value random_object(Random& random, const ValueShape& shape = {});
// A value like the one given, changed in one to three places: for patches and diffs.
Value random_change(Random& random, const Value& value, const ValueShape& shape = {});

}  // namespace orch::test
