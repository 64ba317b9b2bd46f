#pragma once
// Media types: what a request's body is in, and what the reply shall be in.

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/value.h"
#include "schema/graph.h"
#include "wire/http.h"

namespace orch::api {

enum class Format : uint8_t { json, yaml, protobuf };
enum class Shape : uint8_t { object, table, partial, partial_list };

struct Accepted {
  Format format = Format::json;
  Shape shape = Shape::object;
};

// A media range of an Accept header: type and parameters, in the client's order of preference.
struct MediaRange {
  std::string type;  // "application/json", lower case
  std::vector<std::pair<std::string, std::string>> parameters;
  double quality = 1;
  std::string_view parameter(std::string_view name) const;
};
std::vector<MediaRange> parse_accept(std::string_view header);

// The first acceptable range. Errors: Code::not_acceptable.
Result<Accepted> negotiate(std::string_view accept);

// Content-Type without parameters, lower case; "application/json" where it is missing.
std::string content_type(const wire::Request& request);

struct Decoded {
  Value value;
  std::vector<std::string> duplicates;
};
// A body of JSON, YAML or protobuf (whose envelope names the kind).
// Errors: Code::unsupported_media_type, bad_request, parse.
Result<Decoded> decode_body(std::string_view media_type, std::string_view body, const schema::Registry& registry);

}  // namespace orch::api
