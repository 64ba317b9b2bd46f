#pragma once
// Images: the ImageService of a node, over the store on disk. Everything slow happens on threads of its own;
// its state belongs to the loop's thread.
//
// Owner: cmd, or the `image` verb where no server runs. open() takes the store's lock, destroying gives it back.

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/log.h"
#include "loop/loop.h"
#include "loop/scope.h"
#include "loop/stream.h"
#include "runtime/image_service.h"
#include "runtime/images/import.h"
#include "runtime/images/pipes.h"
#include "runtime/images/puller.h"
#include "runtime/images/store.h"
#include "runtime/images/workers.h"

namespace orch::runtime::images {

struct ImagesOptions {
  std::string directory;                                     // <data-dir>/agent/images
  std::string registries_file = "/etc/orch/registries.yaml";  // absent is fine; read again for each pull
  std::string boot_id = current_boot_id();
  UnpackLimits limits;
  size_t parallel_layers = 3;
  Duration retry_pause = 1s;
};

class Images final : public ImageService {
 public:
  // Repairs the store if it has to. Errors: Code::conflict (another process has it), Code::io.
  static loop::Task<std::unique_ptr<Images>> open(loop::Loop& loop, loop::Network& network, ImagesOptions options, Logger log);
  ~Images() override;

  std::optional<Image> find(std::string_view reference) const override;
  std::vector<Image> list() const override;
  loop::Task<Image> pull(std::string reference, std::vector<RegistryCredentials> credentials) override;
  loop::Task<void> remove(std::string reference) override;
  void set_in_use(std::vector<std::string> ids) override;
  loop::Task<DiskUsage> disk_usage() override;
  loop::Task<int64_t> collect(int64_t bytes) override;

  // The same with news of what happens. `progress` is called until the task has ended or is destroyed.
  loop::Task<Image> pull_with_progress(std::string reference, std::vector<RegistryCredentials> credentials, PullProgress progress);
  // import.h. `path`: of a file or directory of this machine.
  loop::Task<std::vector<Imported>> import_path(std::string path, std::string name, bool pinned = false);
  // The archives in the store's directory (*.tar, *.tar.gz, *.tgz, *.tar.zst), pinned; unchanged ones are not read
  // again. A bare root file system is called as its file ("busybox.tar": docker.io/library/busybox:latest).
  // What fails is logged.
  loop::Task<void> import_preloaded();
  // A place for the bytes of an import.
  std::string temporary_path();
  // export.h; the tar comes out of the pipe. Code::not_found.
  loop::Task<std::shared_ptr<DrainPipe>> export_images(std::vector<std::string> references);
  // Images that nothing uses and nobody pinned.
  struct Pruned {
    std::vector<std::string> names;  // a tag or digest of each, or its id
    int64_t freed_bytes = 0;
  };
  loop::Task<Pruned> prune();
  // `find`, and the beginning of an id, as people type it. Errors: Code::not_found, Code::invalid (several fit).
  Result<Image> find_for_user(std::string_view reference) const;
  // By a container, or given out by find() or pull() and not yet judged by a set_in_use() some seconds later.
  bool is_in_use(const std::string& id) const;

 private:
  struct Pull;
  Images(loop::Loop& loop, loop::Network& network, ImagesOptions options, Logger log);
  Image image_of(const Record& record) const;
  std::optional<Record> find_record(std::string_view reference) const;
  loop::Task<void> run_pull(std::shared_ptr<Pull> pull, ImageReference reference, std::vector<RegistryCredentials> credentials);
  loop::Task<Registries> load_registries();
  loop::Task<int64_t> erase(std::string id);
  loop::Task<void> keep_in_use();
  loop::Task<void> import_one(std::string path);

  loop::Loop& loop_;
  loop::Network& network_;
  ImagesOptions options_;
  Logger log_;
  std::unique_ptr<Store> store_;
  Slots slots_;
  std::set<std::string> in_use_;
  bool in_use_known_ = false;
  bool keeping_in_use_ = false;
  mutable std::map<std::string, Mono> given_out_;
  std::map<std::string, std::shared_ptr<Pull>> pulls_;
  // Before the threads go, what waits for them; before the store goes, the threads.
  std::unique_ptr<Workers> workers_;
  std::unique_ptr<loop::Scope> scope_;
};

}  // namespace orch::runtime::images
