#pragma once
// How plain YAML scalars resolve (YAML 1.1 as go-yaml reads it, with JSON's types as the result).

#include <string_view>

#include "data/value.h"

namespace orch {

// null, booleans and numbers (infinities and NaN among them); any other text is a string.
Value resolve_yaml_scalar(std::string_view text);

// Whether a string must be quoted to read back as a string, beside syntax: what resolves, what other
// readers take for a boolean, and base-60 numbers.
bool yaml_needs_quotes(std::string_view text);

// The order in which go-yaml writes keys: digits compare as numbers, letters come after the rest.
bool yaml_key_less(std::string_view a, std::string_view b);

}  // namespace orch
