#include "runtime/images/puller.h"

#include <algorithm>

#include "base/text.h"
#include "loop/scope.h"
#include "loop/timeout.h"
#include "runtime/images/digest.h"
#include "runtime/images/docker_config.h"
#include "runtime/images/pipes.h"

namespace orch::runtime::images {

using loop::fail;
using loop::Task;

namespace {

constexpr size_t kPipeBytes = 2 << 20;
constexpr int kMaxIndexDepth = 4;
constexpr int kMaxFailures = 5;  // of one layer without a byte of progress
constexpr Duration kReadTimeout = 60s;

}  // namespace

Task<void> Slots::take() {
  while (free_ == 0) {
    changed_.reset();
    co_await changed_.wait();
  }
  --free_;
}

void Slots::give() {
  ++free_;
  changed_.set();
}

Puller::Puller(PullerParts parts, ImageReference reference, Registries registries,
               std::vector<RegistryCredentials> credentials, PullProgress progress)
    : parts_(parts),
      reference_(std::move(reference)),
      registries_(std::move(registries)),
      progress_(std::move(progress)),
      origins_(parts.loop, parts.network, registries_),
      hold_(parts.store) {
  auto fitting = credentials_for(reference_, credentials);
  for (RegistryHost& host : hosts_for(registries_, reference_)) {
    // A mirror is another server: the registry's secrets are not for it.
    auto own = host.ns.empty() ? fitting : std::vector<RegistryCredentials>();
    clients_.push_back(std::make_unique<RegistryClient>(origins_, std::move(host), std::move(own)));
  }
}

Task<std::string> Puller::run() {
  auto pulled = co_await pull().result();
  if (!pulled.ok()) {
    co_await fail(std::move(pulled).error().with_context("failed to pull and unpack image " + quote(reference_.text())));
  }
  co_return std::move(*pulled);
}

Task<RegistryClient::Document> Puller::resolve_at(RegistryClient& client) {
  std::string what = reference_.digest.empty() ? reference_.tag : reference_.digest;
  auto document = co_await client.manifest(what).result();
  if (document.ok()) co_return std::move(*document);
  Error error = std::move(document).error();
  if (error.is(Code::not_found)) error = Error::make(Code::not_found, reference_.text() + ": not found");
  co_await fail(std::move(error).with_context("failed to resolve reference " + quote(reference_.text())));
  co_return RegistryClient::Document();
}

// The mirrors first; when none has it, the registry's own answer counts.
Task<RegistryClient::Document> Puller::resolve() {
  std::string mirrors;
  for (auto& client : clients_) {
    auto document = co_await resolve_at(*client).result();
    if (document.ok()) {
      chosen_ = client.get();
      co_return std::move(*document);
    }
    bool last = client == clients_.back();
    if (!last) {
      mirrors += " (mirror " + client->host().host + ": " + document.error().message() + ")";
      continue;
    }
    Error error = std::move(document).error();
    Code code = error.code();
    if (mirrors.empty()) co_await fail(std::move(error));
    co_await fail(Error::make(code, error.message() + mirrors));
  }
  co_await fail(Error::make(Code::internal, "no registry to ask"));
  co_return RegistryClient::Document();
}

// From an index to this node's manifest; `document` becomes the manifest's.
Task<Manifest> Puller::choose(RegistryClient::Document& document) {
  for (int depth = 0; depth < kMaxIndexDepth; ++depth) {
    ManifestDocument parsed = co_await parse_manifest(document.body);
    if (parsed.manifest) co_return std::move(*parsed.manifest);
    const Descriptor* entry = choose_platform(parsed.index, host_platform());
    if (!entry) {
      co_await fail(Error::make(Code::not_found, "no match for platform in manifest: not found (the image is not made for " +
                                                     host_platform().text() + ")"));
    }
    document = co_await chosen_->manifest(entry->digest);
  }
  co_await fail(Error::make(Code::invalid, "indexes inside indexes, too deep"));
  co_return Manifest();
}

Task<std::string> Puller::pull() {
  if (progress_) progress_(PullEvent{});
  auto document = co_await resolve();
  std::string root_digest = document.digest;
  Manifest manifest = co_await choose(document);
  Record record;
  record.id = manifest.config.digest;
  auto known = parts_.store.find(record.id);
  if (known) {
    record = std::move(*known);
  } else {
    record.config = co_await chosen_->document(manifest.config.digest, manifest.config.size);
  }
  ImageConfig config = co_await parse_image_config(record.config);
  if (config.diff_ids.size() != manifest.layers.size()) {
    co_await fail(Error::make(Code::invalid, "mismatched image rootfs and manifest layers"));
  }
  std::string chain;
  for (size_t i = 0; i < manifest.layers.size(); ++i) {
    LayerJob job;
    job.descriptor = manifest.layers[i];
    job.diff_id = config.diff_ids[i];
    job.chain = chain = chain_id(chain, job.diff_id);
    jobs_.push_back(std::move(job));
  }
  co_await fetch_layers();
  co_await place_layers();
  record.manifest = document.body;
  record.manifest_type = document.media_type;
  record.tags.clear();
  record.digests = {reference_.name() + "@" + root_digest};
  if (!reference_.tag.empty()) record.tags = {reference_.name() + ":" + reference_.tag};
  record.layers.clear();
  for (const LayerJob& job : jobs_) record.layers.push_back(job.key);
  record.stored_at = record.last_used = parts_.loop.wall();
  std::string id = record.id;
  auto put = [&store = parts_.store, record] { return store.put(record); };
  Result<void> stored = co_await on_thread(parts_.workers, put);
  co_await std::move(stored);
  co_return std::move(id);
}

void Puller::tell(const LayerJob& job, PullEvent::Status status, int64_t current) {
  if (!progress_) return;
  PullEvent event;
  event.layer = job.descriptor.digest;
  event.status = status;
  event.current = current;
  event.total = job.descriptor.size;
  progress_(event);
}

// All that are missing, at the same time as far as the slots go. The first error ends it.
Task<void> Puller::fetch_layers() {
  std::optional<Error> first;
  loop::Event ended(parts_.loop);
  size_t running = 0;
  loop::Scope scope(parts_.loop);
  auto counted = [](Puller& self, LayerJob& job, size_t& count, std::optional<Error>& error, loop::Event& event) -> Task<void> {
    auto fetched = co_await self.fetch_layer(job).result();
    --count;
    if (!fetched.ok() && !error) error = std::move(fetched).error();
    event.set();
  };
  std::vector<std::string> planned;
  for (LayerJob& job : jobs_) {
    auto there = parts_.store.find_layer(job.diff_id, job.chain);
    if (there) hold_.add(there->key);
    bool duplicate = std::ranges::find(planned, job.diff_id) != planned.end();
    if (there || duplicate) {
      tell(job, PullEvent::Status::exists, job.descriptor.size);
      continue;
    }
    planned.push_back(job.diff_id);
    ++running;
    scope.spawn(counted(*this, job, running, first, ended));
  }
  while (running > 0 && !first) {
    ended.reset();
    co_await ended.wait();
  }
  if (first) co_await fail(*first);
}

Task<void> Puller::fetch_layer(LayerJob& job) {
  struct Slot {
    Slots& slots;
    ~Slot() { slots.give(); }
  };
  struct Closer {  // the unpacking thread must not wait for a download that was given up
    std::shared_ptr<FeedPipe> pipe;
    ~Closer() { pipe->fail(Error::make(Code::cancelled, "cancelled")); }
  };
  tell(job, PullEvent::Status::waiting, 0);
  co_await parts_.slots.take();
  Slot slot{parts_.slots};
  auto pipe = std::make_shared<FeedPipe>(parts_.loop, kPipeBytes);
  Closer closer{pipe};
  ExpectedLayer expected;
  expected.diff_id = job.diff_id;
  expected.blob_digest = job.descriptor.digest;
  auto unpack = [&store = parts_.store, cancelled = parts_.workers.cancelled(), pipe, expected,
                 chain = job.chain]() -> Result<std::pair<std::shared_ptr<StagedLayer>, std::string>> {
    auto unpacked = store.unpack(*pipe, expected, cancelled.get());
    pipe->close();
    if (!unpacked.ok()) return std::move(unpacked).error();
    auto staged = std::make_shared<StagedLayer>(std::move(*unpacked));
    if (!staged->unpacked.implied.empty()) return std::pair(std::move(staged), std::string());
    TRY(Layer placed, store.commit(std::move(*staged), chain, {}));
    return std::pair(std::shared_ptr<StagedLayer>(), placed.key);
  };
  loop::Scope feeding(parts_.loop);
  feeding.spawn(fetch_into(job, pipe));
  auto unpacked = co_await on_thread(parts_.workers, unpack);
  if (!unpacked.ok()) {
    Error error = std::move(unpacked).error();
    co_await fail(std::move(error).with_context("failed to copy: layer " + job.descriptor.digest));
  }
  job.staged = std::move(unpacked->first);
  job.key = std::move(unpacked->second);
  if (!job.key.empty()) hold_.add(job.key);
  tell(job, PullEvent::Status::done, job.descriptor.size);
}

// Downloads the whole blob into the pipe. What goes wrong, the reader hears of.
Task<void> Puller::fetch_into(LayerJob& job, std::shared_ptr<FeedPipe> pipe) {
  int64_t at = 0;
  int failures = 0;
  while (true) {
    int64_t before = at;
    auto fed = co_await feed(job, pipe, at).result();
    if (fed.ok()) {
      pipe->finish();
      co_return;
    }
    if (at > before) failures = 0;
    Error error = std::move(fed).error();
    bool passing = error.is(Code::unavailable) || error.is(Code::closed) || error.is(Code::io) || error.is(Code::timeout) ||
                   error.is(Code::too_many_requests);
    if (!passing || ++failures >= kMaxFailures) {
      if (passing) error = std::move(error).with_code(Code::unavailable);
      pipe->fail(std::move(error));
      co_return;
    }
    tell(job, PullEvent::Status::retrying, at);
    co_await loop::sleep(parts_.loop, parts_.retry_pause * (1 << (failures - 1)));
  }
}

// One connection's worth, from `at` on.
Task<bool> Puller::feed(LayerJob& job, std::shared_ptr<FeedPipe> pipe, int64_t& at) {
  const Descriptor& descriptor = job.descriptor;
  auto blob = co_await chosen_->blob(descriptor.digest, at);
  int64_t skip = blob.from_offset ? 0 : at;
  while (true) {
    auto read = co_await with_timeout(parts_.loop, blob.stream->read(), kReadTimeout).result();
    if (!read.ok()) co_await fail(std::move(read).error().with_context("unexpected EOF").with_code(Code::closed));
    std::string piece = std::move(*read);
    if (piece.empty()) break;
    if (skip > 0) {
      size_t dropped = std::min(static_cast<size_t>(skip), piece.size());
      piece.erase(0, dropped);
      skip -= static_cast<int64_t>(dropped);
      if (piece.empty()) continue;
    }
    at += static_cast<int64_t>(piece.size());
    if (at > descriptor.size) {
      co_await fail(Error::make(Code::invalid, "the blob has more than the " + std::to_string(descriptor.size) +
                                                   " bytes that the manifest says"));
    }
    co_await FeedPipe::write(pipe, std::move(piece));
    tell(job, PullEvent::Status::downloading, at);
  }
  if (at < descriptor.size) {
    co_await fail(Error::make(Code::closed, "unexpected EOF: " + std::to_string(at) + " of " + std::to_string(descriptor.size) + " bytes"));
  }
  co_return true;
}

// Bottom up: a layer that depends on those below is put in place after them.
Task<void> Puller::place_layers() {
  std::vector<std::string> below;
  for (LayerJob& job : jobs_) {
    auto there = parts_.store.find_layer(job.diff_id, job.chain);
    if (!there && job.staged) {
      auto commit = [&store = parts_.store, staged = std::move(job.staged), chain = job.chain, below] {
        return store.commit(std::move(*staged), chain, below);
      };
      Result<Layer> placed = co_await on_thread(parts_.workers, commit);
      Layer layer = co_await std::move(placed);
      there = std::move(layer);
    }
    if (!there) co_await fail(Error::make(Code::internal, "layer " + job.diff_id + " is not there"));
    hold_.add(there->key);
    job.key = there->key;
    below.push_back(there->key);
  }
}

}  // namespace orch::runtime::images
