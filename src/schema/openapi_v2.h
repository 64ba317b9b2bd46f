#pragma once
// OpenAPI v2: one document with everything that is served. Older clients validate with it, and
// client-go takes only its protobuf form
// (application/com.github.proto-openapi.spec.v2@v1.0+protobuf).
//
// Pure; some tens of milliseconds: build it when it is asked for, keep the bytes. Never a tree as a
// whole: schemas and paths are made and written one by one.

#include <string>
#include <string_view>

#include "schema/openapi.h"

namespace orch::schema {

// The reply's Content-Type of the protobuf form. Clients ask with `@` in place of the first dot
// after `v2`, which is no media type: Go's parser refuses it in a reply.
inline constexpr std::string_view kOpenApiV2MediaType =
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

std::string openapi_v2_document(const OpenApiInput& input, OpenApiEncoding encoding);

}  // namespace orch::schema
