#pragma once
// Port forwarding from a server's side, in the three ways clients speak it:
//
//   SPDY/3.1 with X-Stream-Protocol-Version portforward.k8s.io: for each connection a pair of streams with
//     headers streamType (error, data), port and requestID
//   WebSocket "SPDY/3.1+portforward.k8s.io": the same SPDY session inside binary messages (KEP-4006)
//   WebSocket "v4.channel.k8s.io", "v4.base64.channel.k8s.io": ports in the query; port i has the channels 2i
//     (data) and 2i+1 (error), whose first message is the port, two bytes, little endian

#include <functional>
#include <memory>
#include <string>

#include "loop/loop.h"
#include "wire/http.h"

namespace orch::wire {

struct PortForwardTarget {
  // Connects to a port inside the pod.
  std::function<loop::Task<std::unique_ptr<loop::Stream>>(uint16_t port)> connect;
  std::string describe;  // "pod web-0, uid 1234": "error forwarding port 80 to <describe>: ..."
};

// Answers the upgrade and serves until the client goes. Before the 101 errors are Code::bad_request or
// Code::forbidden, and nothing was sent. `request` and `responder` live until the task ends.
loop::Task<void> serve_port_forward(loop::Loop& loop, const Request& request, Responder& responder,
                                    PortForwardTarget target);

// The ports of a v4 WebSocket request: ?port=80&port=443,8080.
Result<std::vector<uint16_t>> parse_forwarded_ports(const Query& query);

}  // namespace orch::wire
