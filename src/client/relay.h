#pragma once
// Relays one request to an HTTP server and its reply back, upgraded connections included: what a reverse
// proxy does (pods/proxy, services/proxy), and how a node on another machine is reached.

#include <functional>
#include <string>

#include "loop/loop.h"
#include "wire/http.h"
#include "wire/http_client.h"

namespace orch::client {

struct RelayRequest {
  std::string target;   // at the other server: path and query, encoded
  std::string host;     // its Host header; "" : the endpoint's
  wire::Headers extra;  // with the request's own
  // Looks at the reply's head and body before they go back. Null: they are not touched.
  std::function<void(wire::Headers& headers)> change_headers;
};

// Errors are those of connecting or of a reply that never began (nothing was sent then). A reply that breaks
// off later is cut off.
loop::Task<void> relay(loop::Loop& loop, wire::HttpClient& client, const wire::Request& request,
                       RelayRequest how, wire::Responder& responder);

// Copies both ways until one of the two ends; what one side half closes, the other still may finish.
loop::Task<void> splice(loop::Loop& loop, loop::Stream& one, loop::Stream& other);

}  // namespace orch::client
