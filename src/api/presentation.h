#pragma once
// Objects and lists in the shape and format the client asked for.

#include <memory>
#include <string>
#include <vector>

#include "api/negotiation.h"
#include "api/objects.h"
#include "api/watching.h"
#include "base/time.h"
#include "loop/stream.h"

namespace orch::api {

enum class IncludeObject : uint8_t { none, metadata, object };

struct Presentation {
  Accepted accepted;
  IncludeObject include = IncludeObject::metadata;
  Instant now;  // for ages in tables
};

struct Body {
  std::string content_type;
  std::vector<loop::Chunk> chunks;
};

// One object of `kind`; `stored` (may be null) lends its ready bytes where they fit.
Result<Body> present_object(const Objects& objects, const schema::Kind& kind, const Value& object,
                            const store::StoredPtr& stored, const Presentation& how);
Result<Body> present_list(const Objects& objects, const ListPage& page, const Presentation& how);
// Any other object (Status, discovery, Scale) as JSON, YAML or protobuf.
Result<Body> present_plain(const Objects& objects, const Value& object, Format format);

// One frame of a watch. `first`: table columns are sent only once.
Result<std::vector<loop::Chunk>> present_event(const Objects& objects, const schema::Kind& kind,
                                               const Selected& event, const Presentation& how, bool first);
Result<std::vector<loop::Chunk>> present_error_event(const Objects& objects, const Error& error, const Presentation& how);
std::string watch_content_type(const Presentation& how);

}  // namespace orch::api
