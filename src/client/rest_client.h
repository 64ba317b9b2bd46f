#pragma once
// RestClient: requests to one API server as who we are (certificate, token, impersonation), and what its
// Status replies mean. wire/http_client.h is below it; http_port.h, the typed door, above.
//
// Owner: who made it; its tasks end before it does.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/value.h"
#include "loop/loop.h"
#include "loop/stream.h"
#include "wire/http.h"
#include "wire/http_client.h"
#include "wire/tls.h"

namespace orch::client {

struct RestOptions {
  wire::Endpoint endpoint;
  std::shared_ptr<const wire::TlsContext> tls;  // where endpoint.tls
  std::string server_name;                      // the certificate's; "" : the host
  std::string bearer_token;
  std::string user_agent = "orch";
  std::vector<std::pair<std::string, std::string>> headers;  // with every request
};

struct RestRequest {
  std::string method = "GET";
  std::string target;  // path and query
  std::string accept = "application/json";
  std::string content_type;  // of the body, where there is one
  std::string body;
  wire::Headers headers;  // besides those
};

struct RestReply {
  int status = 0;
  wire::Headers headers;
  std::string body;
  bool ok() const { return status >= 200 && status < 300; }
};

class RestClient {
 public:
  RestClient(loop::Loop& loop, loop::Network& network, RestOptions options);
  RestClient(const RestClient&) = delete;
  RestClient& operator=(const RestClient&) = delete;

  // The whole reply, whatever its status. Errors name the server's address.
  loop::Task<RestReply> send(RestRequest request);
  // The reply's head; its body is read as it comes.
  loop::Task<std::unique_ptr<wire::ReplyStream>> open(RestRequest request);
  // send(), where every status but 2xx is the Error of the reply's Status.
  loop::Task<RestReply> call(RestRequest request);

  const RestOptions& options() const { return options_; }
  std::string origin() const;  // "https://host:port"

 private:
  wire::ClientRequest with_headers(RestRequest request) const;

  RestOptions options_;
  wire::HttpClient http_;
};

// The rest of a reply's body; Code::too_large past `limit` bytes.
loop::Task<std::string> read_body(wire::ReplyStream& stream, size_t limit);

// The Error that a reply's Status tells (code, message, causes, what it is about); for a body that is no
// Status, by the HTTP status with the body's beginning as message.
Error reply_error(int status, std::string_view body);
// The same for a Status object, as in a watch's ERROR event.
Error status_error(const Value& status, int http_status);

// "a=b&c=d", percent-encoded; empty values are left out.
std::string format_query(const std::vector<std::pair<std::string, std::string>>& pairs);

}  // namespace orch::client
