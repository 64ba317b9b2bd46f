#pragma once
// OpenAPI v3: an index of documents, and one document for each group version. kubectl explain and
// the patch metadata of kubectl apply come from here.
//
// Pure; a document takes a few milliseconds: build it when it is asked for, keep the bytes.

#include <string>
#include <string_view>

#include "schema/openapi.h"

namespace orch::schema {

// The reply's Content-Type of the protobuf form (see kOpenApiV2MediaType).
inline constexpr std::string_view kOpenApiV3MediaType =
    "application/com.github.proto-openapi.spec.v3.v1.0+protobuf";

// GET /openapi/v3: {"paths": {"apis/apps/v1": {"serverRelativeURL":
// "/openapi/v3/apis/apps/v1?hash=..."}}}
Value openapi_v3_index(const OpenApiInput& input);

// Changes when the document does; is its hash in the index, and good as an ETag.
std::string openapi_v3_hash(const OpenApiInput& input, const GroupVersion& group_version);

// GET /openapi/v3/apis/<group>/<version>, as JSON or as
// application/com.github.proto-openapi.spec.v3@v1.0+protobuf. "" where there is no such group
// version.
std::string openapi_v3_document(const OpenApiInput& input, std::string_view group,
                                std::string_view version, OpenApiEncoding encoding);

}  // namespace orch::schema
