#pragma once
// Paths that are no resource: /version, /healthz, /livez, /readyz, discovery (/api, /apis), OpenAPI.
// Discovery and OpenAPI documents are made when first asked for and kept as bytes.

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "api/objects.h"
#include "wire/http.h"

namespace orch::api {

class Endpoints {
 public:
  // `ready`: empty when ready, else what is missing. `address`: "host:port" told to clients in /api.
  Endpoints(Objects& objects, std::string address, std::function<std::string()> ready)
      : objects_(objects), address_(std::move(address)), ready_(std::move(ready)) {}

  loop::Task<void> serve(const wire::Request& request, wire::Responder& responder);

 private:
  struct Document {
    std::string content_type;
    std::string etag;
    std::shared_ptr<const std::string> bytes;
  };
  using Make = std::function<std::string()>;
  const Document& document(const std::string& name, std::string content_type, const Make& make);
  Result<const Document*> find_document(const wire::Request& request);
  Result<const Document*> discovery_document(const wire::Request& request, std::string_view path);
  Result<const Document*> openapi_document(const wire::Request& request, std::string_view path);
  loop::Task<void> serve_health(const wire::Request& request, wire::Responder& responder);

  Objects& objects_;
  std::string address_;
  std::function<std::string()> ready_;
  std::map<std::string, Document> documents_;
};

}  // namespace orch::api
