#pragma once
// Golden cases, one JSON object a line, computed by Kubernetes' own packages (test/peers/schema).

#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "data/json.h"
#include "support/golden.h"

namespace orch::schema {

// Of a file below test/schema/golden; or, where `variable` is set in the environment, of the file
// it names: fresh random cases.
inline std::vector<Value> golden_lines(const std::string& name, const char* variable) {
  const char* other = std::getenv(variable);
  std::string path = other ? other : test::test_path("schema/golden/" + name);
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  std::vector<Value> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(parse_json(line).value());
  return lines;
}

}  // namespace orch::schema
