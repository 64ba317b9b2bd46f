#pragma once
// A stream with bytes in front that were read from it too early: an upgraded HTTP connection.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "loop/stream.h"

namespace orch::wire {

class PrefixedStream final : public loop::Stream {
 public:
  PrefixedStream(std::unique_ptr<loop::Stream> stream, std::string first)
      : stream_(std::move(stream)), first_(std::move(first)) {}
  loop::Task<std::string> read() override { return first_.empty() ? stream_->read() : read_first(); }
  loop::Task<void> write(std::vector<loop::Chunk> chunks) override { return stream_->write(std::move(chunks)); }
  loop::Task<void> shutdown() override { return stream_->shutdown(); }
  void close() override { stream_->close(); }
  std::string peer() const override { return stream_->peer(); }
  std::string local() const override { return stream_->local(); }

 private:
  loop::Task<std::string> read_first() {
    std::string first = std::exchange(first_, {});
    co_return std::move(first);
  }
  std::unique_ptr<loop::Stream> stream_;
  std::string first_;
};

}  // namespace orch::wire
