#pragma once
// ImageApi: this node's images over HTTP, for `orch image`. cmd serves it on <data-dir>/orch.sock, below /images;
// where no server runs the verb serves it to itself. Who can open the socket may do everything.
//
//   GET    /images                         {"images": [...]}
//   POST   /images/pull                    body {"reference", "username", "password"}; events
//   POST   /images/import?name=&path=      a file of this machine; events
//   POST   /images/import?name=            with `Upgrade: tar`: the bytes in frames (below); events
//   GET    /images/export?reference=...    a tar
//   DELETE /images?reference=...           events
//   POST   /images/prune                   events
//
// Events are lines of JSON: any number of {"progress": ...}, then one {"result": ...} or {"error": {code, message}}.
// Whatever fails before the first line is a Status with its HTTP status.

#include <string>
#include <string_view>

#include "loop/loop.h"
#include "runtime/images/images.h"
#include "wire/http.h"

namespace orch::agent {

class ImageApi final : public wire::Handler {
 public:
  ImageApi(loop::Loop& loop, runtime::images::Images& images) : loop_(loop), images_(images) {}
  loop::Task<void> handle(wire::Request request, wire::Peer peer, wire::Responder& responder) override;
  size_t max_body(const wire::Request& head) const override;

 private:
  class Events;
  loop::Task<void> list(wire::Responder& responder);
  loop::Task<void> pull(const wire::Request& request, wire::Responder& responder);
  loop::Task<void> import(const wire::Request& request, wire::Responder& responder);
  loop::Task<void> import_stream(const wire::Request& request, wire::Responder& responder);
  loop::Task<void> export_tar(const wire::Request& request, wire::Responder& responder);
  loop::Task<void> remove(const wire::Request& request, wire::Responder& responder);
  loop::Task<void> prune(wire::Responder& responder);

  loop::Loop& loop_;
  runtime::images::Images& images_;
};

// The frames of an import: four bytes of length, the most significant first, then so many bytes; a length of
// zero is the end. (A connection that merely ends is a client that was killed.)
std::string frame_header(size_t size);

Value image_value(const runtime::Image& image, bool in_use);

}  // namespace orch::agent
