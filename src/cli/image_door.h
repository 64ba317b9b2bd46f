#pragma once
// The way of `orch image` to the images of a data directory: through <data-dir>/orch.sock to the server that has
// them open, or, where none runs, to the store itself, served over a pipe inside this process. Both speak
// agent/image_api.h.

#include <functional>
#include <memory>
#include <string>

#include "agent/image_api.h"
#include "cli/session.h"
#include "loop/pipe_network.h"
#include "wire/http_client.h"
#include "wire/http_server.h"

namespace orch::cli {

class ImageDoor {
 public:
  // Waits a little for a server that is starting or another `orch image`. `registries`: the file to use where no
  // server runs, "" for the usual one.
  static loop::Task<std::unique_ptr<ImageDoor>> open(Session& session, std::string data_dir, std::string registries);

  wire::HttpClient& client() { return *client_; }
  // Sends the request, hands over each progress event, returns the result or the error. Codes as the server had them.
  using Progress = std::function<void(const Value&)>;
  loop::Task<Value> run(wire::ClientRequest request, Progress progress);
  // Reads the lines of a stream the same way.
  using Read = std::function<loop::Task<std::string>()>;
  loop::Task<Value> read_events(Read read, Progress progress);

 private:
  std::unique_ptr<loop::PipeNetwork> pipe_;
  std::unique_ptr<runtime::images::Images> images_;
  std::unique_ptr<agent::ImageApi> api_;
  std::unique_ptr<wire::HttpServer> server_;
  std::unique_ptr<wire::HttpClient> client_;
};

}  // namespace orch::cli
