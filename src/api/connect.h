#pragma once
// What is asked of a pod, service or node itself rather than of its object: log, exec, attach, portforward and
// proxy. The API finds out which node or address is meant, checks the options and hands the request over,
// connection and all: to the node's handler (client/node_directory.h, the kubelet's paths), or as a reverse
// proxy to an address.

#include "api/objects.h"
#include "api/request_info.h"
#include "client/node_directory.h"
#include "loop/stream.h"
#include "wire/http.h"

namespace orch::api {

class Connect {
 public:
  // `nodes` and `network` may be null: then nothing can be connected to.
  Connect(Objects& objects, client::NodeDirectory* nodes, loop::Network* network)
      : objects_(objects), nodes_(nodes), network_(network) {}

  static bool serves(const RequestInfo& info);
  // Errors before anything was sent are returned; later ones end the connection.
  loop::Task<void> serve(wire::Request request, const RequestInfo& info, wire::Peer peer, wire::Responder& responder);

  // The door of a node. Code::unavailable where nobody answers for it.
  Result<wire::Handler*> node(std::string_view name) const;

 private:
  loop::Task<void> pod_log(wire::Request request, Value pod, wire::Peer peer, wire::Responder& responder);
  loop::Task<void> pod_stream(wire::Request request, std::string verb, Value pod, wire::Peer peer,
                              wire::Responder& responder);
  loop::Task<void> hand_over(wire::Request request, std::string node_name, std::string target, wire::Peer peer,
                             wire::Responder& responder);
  loop::Task<void> proxy(wire::Request request, const RequestInfo& info, wire::Peer peer, wire::Responder& responder);

  Objects& objects_;
  client::NodeDirectory* nodes_;
  loop::Network* network_;
};

}  // namespace orch::api
