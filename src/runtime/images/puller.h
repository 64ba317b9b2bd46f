#pragma once
// One pull of one image: resolve, fetch what is missing, several layers at a time, unpack while it comes, store.
// A layer is hashed and unpacked as its bytes arrive and is nowhere on disk packed; a connection that breaks is
// taken up where it broke. Room-private: Images (images.h) owns it.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/images/manifest.h"
#include "runtime/images/registry.h"
#include "runtime/images/store.h"
#include "runtime/images/workers.h"

namespace orch::runtime::images {

struct PullEvent {
  std::string layer;  // digest of its blob; "" for the image as a whole
  enum class Status : uint8_t { resolving, waiting, exists, downloading, retrying, done } status = Status::resolving;
  int64_t current = 0, total = 0;  // bytes
};
using PullProgress = std::function<void(const PullEvent&)>;

// How many layers are fetched at once, over all pulls.
class Slots {
 public:
  Slots(loop::Loop& loop, size_t count) : free_(count), changed_(loop) {}
  loop::Task<void> take();
  void give();

 private:
  size_t free_;
  loop::Event changed_;
};

struct PullerParts {
  loop::Loop& loop;
  loop::Network& network;
  Store& store;
  Workers& workers;
  Slots& slots;
  Duration retry_pause = 1s;  // doubled with each failure in a row
};

class Puller {
 public:
  Puller(PullerParts parts, ImageReference reference, Registries registries, std::vector<RegistryCredentials> credentials,
         PullProgress progress);

  // The image's id. Errors in containerd's words: `failed to pull and unpack image "x": ...`.
  loop::Task<std::string> run();

 private:
  struct LayerJob {
    Descriptor descriptor;
    std::string diff_id, chain;
    std::shared_ptr<StagedLayer> staged;  // unpacked, and waits for the layers below it
    std::string key;                      // in place
  };
  loop::Task<std::string> pull();
  loop::Task<RegistryClient::Document> resolve();
  loop::Task<RegistryClient::Document> resolve_at(RegistryClient& client);
  loop::Task<Manifest> choose(RegistryClient::Document& document);
  loop::Task<void> fetch_layers();
  loop::Task<void> fetch_layer(LayerJob& job);
  loop::Task<void> fetch_into(LayerJob& job, std::shared_ptr<class FeedPipe> pipe);
  loop::Task<bool> feed(LayerJob& job, std::shared_ptr<class FeedPipe> pipe, int64_t& at);
  loop::Task<void> place_layers();
  void tell(const LayerJob& job, PullEvent::Status status, int64_t current);

  PullerParts parts_;
  ImageReference reference_;
  Registries registries_;
  PullProgress progress_;
  Origins origins_;
  std::vector<std::unique_ptr<RegistryClient>> clients_;
  RegistryClient* chosen_ = nullptr;
  Store::Hold hold_;
  std::vector<LayerJob> jobs_;
};

}  // namespace orch::runtime::images
