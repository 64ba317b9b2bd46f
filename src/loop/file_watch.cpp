#include "loop/file_watch.h"

#include <uv.h>

namespace orch::loop {

struct FileWatch::Handle {
  uv_fs_event_t event{};
  FileWatch* owner = nullptr;
};

Result<std::unique_ptr<FileWatch>> FileWatch::open(UvLoop& loop, const std::string& directory) {
  auto watch = std::unique_ptr<FileWatch>(new FileWatch(loop));
  auto* handle = new Handle;
  handle->owner = watch.get();
  handle->event.data = handle;
  uv_fs_event_init(loop.raw(), &handle->event);
  watch->handle_ = handle;
  auto told = [](uv_fs_event_t* event, const char*, int, int) {
    auto* self = static_cast<Handle*>(event->data);
    if (self->owner) self->owner->changed_.set();
  };
  int code = uv_fs_event_start(&handle->event, told, directory.c_str(), 0);
  if (code != 0) return Error::from_errno(-code, "watch " + directory);
  return watch;
}

FileWatch::~FileWatch() {
  if (!handle_) return;
  handle_->owner = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(&handle_->event), [](uv_handle_t* handle) {
    delete static_cast<Handle*>(handle->data);
  });
}

}  // namespace orch::loop
