#pragma once
// application/vnd.kubernetes.protobuf: whole objects with apiVersion and kind. The bytes are the
// magic `k8s\0` and a runtime.Unknown message {1 TypeMeta{1 apiVersion, 2 kind}, 2 raw,
// 3 contentEncoding, 4 contentType}. Covers the kinds of the registry, their lists, and the types
// of meta/v1 (Status, DeleteOptions, PartialObjectMetadata, ...). Custom kinds have no protobuf.
//
// Pure functions; errors from bytes or objects of clients are Code::bad_request, a kind without a
// message is Code::not_acceptable.

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "data/value.h"
#include "schema/graph.h"

namespace orch::schema {

bool has_protobuf_magic(std::string_view bytes);

// The object with its apiVersion and kind. Where the bytes do not name them, the defaults count
// (the kind that the request's path implies).
Result<Value> decode_envelope(const Registry& registry, std::string_view bytes,
                              std::string_view default_api_version = {},
                              std::string_view default_kind = {});

Result<std::string> encode_envelope(const Registry& registry, const Value& object);

// The parts, for who keeps encoded objects: `raw` is what encode_protobuf gives.
std::string wrap_envelope(std::string_view api_version, std::string_view kind,
                          std::string_view raw);
// A typed list from its metadata and the messages of its items, ready to send.
Result<std::string> wrap_list_envelope(const Registry& registry, std::string_view api_version,
                                       std::string_view list_kind, const Value& list_metadata,
                                       std::span<const std::string_view> items);

// One frame of a watch stream (application/vnd.kubernetes.protobuf;stream=watch): a WatchEvent
// message without envelope, its length (4 bytes, big-endian) in front. `object` is an envelope.
std::string frame_watch_event(std::string_view type, std::string_view object);
struct WatchFrame {
  std::string type;  // ADDED, MODIFIED, DELETED, BOOKMARK, ERROR
  Value object;
};
// The message of one frame, without the length.
Result<WatchFrame> decode_watch_event(const Registry& registry, std::string_view message);

}  // namespace orch::schema
