// port-forward: ports of this machine lead to ports of a pod.

#include <algorithm>

#include "base/text.h"
#include "base/time.h"
#include "cli/pods.h"
#include "cli/port_pairs.h"
#include "cli/verbs.h"
#include "loop/scope.h"
#include "wire/remote_command_client.h"
#include "wire/spdy_session.h"

namespace orch::cli {

using loop::fail;
using loop::Stream;
using loop::Task;

namespace {

struct Forwarding {
  Invocation& in;
  wire::SpdySession& session;
  loop::Scope& scope;
  int next_request = 0;
};

Task<void> copy_to_pod(Stream& from, wire::SpdyStream& to) {
  while (true) {
    auto some = co_await from.read().result();
    if (!some.ok() || some->empty()) break;
    auto written = co_await to.write(std::move(*some)).result();
    if (!written.ok()) co_return;
  }
  co_await to.finish().result();
}

Task<void> copy_from_pod(wire::SpdyStream& from, Stream& to, loop::Event& over) {
  while (true) {
    auto some = co_await from.read().result();
    if (!some.ok() || some->empty()) break;
    auto written = co_await loop::write_text(to, std::move(*some)).result();
    if (!written.ok()) break;
  }
  co_await to.shutdown().result();
  over.set();
}

Task<std::string> read_error(wire::SpdyStream& error) {
  std::string text;
  while (text.size() < 4096) {
    auto some = co_await error.read().result();
    if (!some.ok() || some->empty()) break;
    text += *some;
  }
  co_return std::move(text);
}

Task<void> forward_one(Forwarding& forwarding, std::unique_ptr<Stream> local, PortPair ports) {
  loop::Loop& loop = forwarding.in.session.loop();
  wire::Headers headers;
  headers.add("streamType", "error");
  headers.add("port", std::to_string(ports.remote));
  headers.add("requestID", std::to_string(forwarding.next_request++));
  wire::Headers data_headers = headers;
  data_headers.set("streamType", "data");
  auto error = co_await forwarding.session.open(std::move(headers));
  co_await error->finish();
  auto data = co_await forwarding.session.open(std::move(data_headers));
  loop::Event over(loop);
  {
    loop::Scope copying(loop);
    copying.spawn(copy_to_pod(*local, *data));
    copying.spawn(copy_from_pod(*data, *local, over));
    co_await over.wait();
  }
  std::string text = co_await read_error(*error);
  if (text.empty()) co_return;
  forwarding.in.console.error("error: an error occurred forwarding " + std::to_string(ports.local) + " -> " +
                              std::to_string(ports.remote) + ": " + text + "\n");
}

Task<void> accept_all(Forwarding& forwarding, std::unique_ptr<loop::Listener> listener, PortPair ports) {
  while (true) {
    auto local = co_await listener->accept();
    forwarding.in.console.out("Handling connection for " + std::to_string(ports.local) + "\n");
    forwarding.scope.spawn(forward_one(forwarding, std::move(local), ports));
  }
}

struct Listening {
  std::unique_ptr<loop::Listener> listener;
  PortPair ports;
  std::string address;  // as it is shown
};

// One listener for each address and port. With "localhost" one of the two families is enough.
Result<std::vector<Listening>> listen_all(Invocation& in, std::vector<PortPair>& pairs) {
  std::vector<Listening> all;
  for (PortPair& pair : pairs) {
    bool listens = false;
    for (const std::string& name : in.arguments.list("address")) {
      std::vector<std::string> addresses = {name};
      if (name == "localhost") addresses = {"127.0.0.1", "::1"};
      for (const std::string& address : addresses) {
        auto listener = in.session.network().listen_tcp(address, pair.local);
        if (!listener.ok()) {
          if (address != "::1") {
            in.console.error("Unable to listen on port " + std::to_string(pair.local) + ": Listeners failed to create with the "
                             "following errors: [" + listener.error().message() + "]\n");
          }
          continue;
        }
        if (pair.local == 0) pair.local = (*listener)->port();
        std::string shown = address.find(':') == std::string::npos ? address : "[" + address + "]";
        all.push_back({std::move(*listener), pair, shown});
        listens = true;
      }
    }
    (void)listens;
  }
  if (!all.empty()) return all;
  std::string text;
  for (const PortPair& pair : pairs) {
    text += (text.empty() ? "{" : " {") + std::to_string(pair.local) + " " + std::to_string(pair.remote) + "}";
  }
  return failure("unable to listen on any of the requested ports: [" + text + "]");
}

Task<std::unique_ptr<wire::SpdySession>> connect(Invocation& in, const Value& pod) {
  client::RestClient* client = co_await in.session.client();
  client::RestRequest request;
  std::string key = wire::make_websocket_key();
  request.target = pod_path(pod, "portforward");
  std::vector<std::string> protocols(1, "SPDY/3.1+portforward.k8s.io");
  request.headers = wire::websocket_headers(key, protocols);
  auto reply = co_await client->open(std::move(request));
  if (reply->status() != 101) {
    std::string body = co_await client::read_body(*reply, 1 << 20);
    co_await fail(client::reply_error(reply->status(), body));
  }
  auto socket = co_await wire::open_websocket(in.session.loop(), *reply, key);
  auto stream = wire::stream_over_websocket(std::move(socket));
  co_return std::make_unique<wire::SpdySession>(in.session.loop(), std::move(stream), wire::SpdyRole::client);
}

Task<int> run_port_forward(Invocation& in) {
  if (in.words().empty()) co_await fail(usage_error("TYPE/NAME and list of ports are required for port-forward"));
  if (in.words().size() < 2) co_await fail(usage_error("TYPE/NAME and list of ports are required for port-forward"));
  Duration limit = co_await parse_duration(in.text("pod-running-timeout"));
  ChosenPod chosen = co_await choose_pod(in, in.words()[0]);
  if (chosen.object["kind"] == Value("Pod") && chosen.pod["status"]["phase"] != Value("Running")) {
    co_await fail(failure("unable to forward port because pod is not running. Current status=" +
                          std::string(chosen.pod["status"]["phase"].as_string())));
  }
  Value pod = co_await wait_for_running(in, chosen.pod, limit);
  std::vector<std::string> texts(in.words().begin() + 1, in.words().end());
  auto pairs = co_await resolve_ports(texts, chosen.object, pod);
  auto session = co_await connect(in, pod);
  auto listening = co_await listen_all(in, pairs);
  loop::Scope scope(in.session.loop());
  Forwarding forwarding{in, *session, scope};
  for (Listening& one : listening) {
    in.console.out("Forwarding from " + one.address + ":" + std::to_string(one.ports.local) + " -> " +
                   std::to_string(one.ports.remote) + "\n");
    scope.spawn(accept_all(forwarding, std::move(one.listener), one.ports));
  }
  co_await session->ended();
  co_await fail(failure("lost connection to pod"));
  co_return 1;
}

}  // namespace

std::vector<Verb> port_forward_verbs() {
  Flags own = {{"address", 0, FlagType::list, "localhost", "addresses to listen on"},
               {"pod-running-timeout", 0, FlagType::text, "1m0s", "how long to wait until a pod runs"}};
  return {Verb{"port-forward", "TYPE/NAME [LOCAL_PORT:]REMOTE_PORT ...", "Lead local ports to a pod", own, run_port_forward}};
}

}  // namespace orch::cli
