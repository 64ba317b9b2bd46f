#pragma once
// The API over HTTP: one request in, one reply out. Knows paths, headers and media types; what a verb
// means is objects.h.

#include <memory>

#include "api/connect.h"
#include "api/endpoints.h"
#include "api/metrics.h"
#include "api/objects.h"
#include "api/presentation.h"
#include "api/request_info.h"
#include "base/log.h"
#include "wire/http.h"

namespace orch::api {

class HttpApi final : public wire::Handler {
 public:
  // What leads to nodes and pods (logs, exec, proxies, metrics). Null: it is not served.
  struct Doors {
    client::NodeDirectory* nodes = nullptr;
    loop::Network* network = nullptr;
  };
  HttpApi(Objects& objects, Endpoints& endpoints, Random& random, Logger log, Doors doors)
      : objects_(objects),
        endpoints_(endpoints),
        random_(random),
        log_(std::move(log)),
        connect_(objects, doors.nodes, doors.network),
        metrics_(objects, connect_) {}

  loop::Task<void> handle(wire::Request request, wire::Peer peer, wire::Responder& responder) override;
  size_t max_body(const wire::Request& head) const override;

 private:
  struct Reply {
    int status = 200;
    Body body;
    std::vector<std::string> warnings;
  };
  loop::Task<Reply> answer(const wire::Request& request, const RequestInfo& info);
  loop::Task<Reply> read(const wire::Request& request, const RequestInfo& info, Presentation how);
  loop::Task<Reply> write(const wire::Request& request, const RequestInfo& info, Presentation how);
  loop::Task<Reply> remove(const wire::Request& request, const RequestInfo& info, Presentation how);
  loop::Task<Value> decode(const wire::Request& request, std::vector<std::string>& duplicates);
  loop::Task<void> serve_watch(const wire::Request& request, const RequestInfo& info, wire::Responder& responder);
  loop::Task<void> pump(std::unique_ptr<WatchSession> session, Presentation how, bool bookmarks, Duration timeout,
                        wire::Responder& responder, loop::Event& over);
  loop::Task<void> send_error(const Error& error, std::string_view accept, wire::Responder& responder);

  Objects& objects_;
  Endpoints& endpoints_;
  Random& random_;
  Logger log_;
  Connect connect_;
  Metrics metrics_;
};

}  // namespace orch::api
