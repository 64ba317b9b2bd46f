#pragma once
// HttpClient: HTTP/1.1 requests to one server, over a pool of keep-alive connections.
//
// A reply is taken whole (call) or as it comes (open: watches, logs, downloads, upgrades). A request that
// finds its pooled connection closed is sent once more, if repeating it does no harm.
//
// Owner: whoever calls. It may go before the ReplyStreams it gave out.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "loop/loop.h"
#include "loop/stream.h"
#include "wire/http.h"
#include "wire/tls.h"

namespace orch::wire {

struct Endpoint {
  bool tls = false;
  std::string host;  // name or literal address, an IPv6 one without brackets
  uint16_t port = 0;
  std::string unix_path;  // instead of host and port
  std::string base_path;  // in front of every target: "/k8s/cluster-1", or ""

  std::string authority() const;  // for the Host header: "h", "h:6443", "[::1]:80"
};
// "https://host:6443/base", "http://[::1]:8080", "unix:///run/orch.sock".
Result<Endpoint> parse_endpoint(std::string_view url);

struct ClientOptions {
  Duration connect_timeout = 10s;  // with the TLS handshake
  Duration head_timeout = 60s;     // from sending the request to the reply's head
  Duration idle_timeout = 60s;     // a pooled connection older than this is not used again
  size_t max_idle = 8;
  size_t max_reply = 256 * 1024 * 1024;  // of a reply taken whole
  std::string user_agent = "orch";
  std::string tls_name;  // the name in the server's certificate; "" for the host
};

// Has a name before it goes into a co_await (loop/task.h says why).
struct ClientRequest {
  std::string method = "GET";
  std::string target = "/";  // encoded, with query
  Headers headers;           // Host, Content-Length and User-Agent are added
  std::string body;
};

struct Reply {
  int status = 0;
  Headers headers;
  std::string body;
};

// A reply as it comes. Destroying it before its end closes the connection.
class ReplyStream {
 public:
  virtual ~ReplyStream() = default;
  virtual int status() const = 0;
  virtual const Headers& headers() const = 0;
  virtual loop::Task<std::string> read() = 0;  // "" at the end; an error if it breaks off
  // After a 101: the connection itself.
  virtual std::unique_ptr<loop::Stream> upgrade() = 0;
};

class HttpClient {
 public:
  // `tls` for an https endpoint. The network outlives the client.
  HttpClient(loop::Loop& loop, loop::Network& network, Endpoint endpoint,
             std::shared_ptr<const TlsContext> tls = {}, ClientOptions options = {});
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  loop::Task<Reply> call(ClientRequest request);
  loop::Task<std::unique_ptr<ReplyStream>> open(ClientRequest request);
  // For renewed certificates: new connections use it, idle ones are dropped.
  void use_tls(std::shared_ptr<const TlsContext> tls);
  size_t idle_connections() const;

  struct Pool;

 private:
  std::shared_ptr<Pool> pool_;
};

}  // namespace orch::wire
