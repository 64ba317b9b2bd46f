#pragma once
// RegistryClient: one server of the registry protocol, version 2 (OCI distribution spec), asked for one
// repository. Logs in when told to (RFC 7617 basic, or Docker's token scheme over RFC 6750), follows redirects
// without carrying the login along, checks what has a digest.
//
// Errors are in containerd's words, with Code::not_found, unauthorized, invalid or unavailable.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "loop/loop.h"
#include "loop/stream.h"
#include "runtime/images/registries.h"
#include "wire/http_client.h"

namespace orch::runtime::images {

// "Bearer realm=\"...\",service=\"...\"": RFC 9110 section 11.6.1. The scheme in lower case. Pure.
struct Challenge {
  std::string scheme;
  std::map<std::string, std::string> parameters;
};
std::vector<Challenge> parse_challenges(std::string_view header);

// A URL in its two halves. Pure.
struct SplitUrl {
  std::string origin;  // "https://host:5000"
  std::string target;  // "/v2/", with query
};
Result<SplitUrl> split_url(std::string_view url);
// A Location header against the URL of the request.
std::string resolve_location(const SplitUrl& base, std::string_view location);

// HTTP clients by origin, each with the TLS settings that registries.yaml has for its host.
class Origins {
 public:
  Origins(loop::Loop& loop, loop::Network& network, const Registries& registries)
      : loop_(loop), network_(network), registries_(registries) {}
  loop::Task<wire::HttpClient*> client(std::string origin);
  loop::Loop& loop() { return loop_; }

 private:
  loop::Loop& loop_;
  loop::Network& network_;
  const Registries& registries_;
  std::map<std::string, std::unique_ptr<wire::HttpClient>> clients_;
};

class RegistryClient {
 public:
  // `credentials`: tried one after the other; none: anonymously.
  RegistryClient(Origins& origins, RegistryHost host, std::vector<RegistryCredentials> credentials);

  struct Document {
    std::string media_type;
    std::string digest;
    std::string body;
  };
  // A manifest or index, by tag or digest.
  loop::Task<Document> manifest(std::string reference);
  struct Blob {
    std::unique_ptr<wire::ReplyStream> stream;
    bool from_offset = false;  // else from the beginning, whatever was asked for
  };
  loop::Task<Blob> blob(std::string digest, int64_t offset);
  // A small blob, checked.
  loop::Task<std::string> document(std::string digest, int64_t size);

  const RegistryHost& host() const { return host_; }

 private:
  loop::Task<std::unique_ptr<wire::ReplyStream>> request(std::string path, wire::Headers headers);
  loop::Task<std::unique_ptr<wire::ReplyStream>> send(std::string url, wire::Headers headers);
  loop::Task<std::string> authorize(std::string www_authenticate);
  loop::Task<std::string> fetch_token(Challenge challenge);
  loop::Task<std::string> fetch_oauth_token(std::string realm, std::string service, std::string scope);
  const RegistryCredentials* credentials() const;

  Origins& origins_;
  RegistryHost host_;
  std::vector<RegistryCredentials> credentials_;
  size_t attempt_ = 0;          // which of the credentials
  std::string authorization_;   // header's value
};

}  // namespace orch::runtime::images
