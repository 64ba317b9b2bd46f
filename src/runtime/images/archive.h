#pragma once
// Tar archives and their compression, through libarchive: archive.cpp is the one file that knows it.
// Blocking; for worker threads.
//
// Names are bytes: no locale takes part, and a name that is no UTF-8 stays as it is.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "runtime/images/byte_source.h"

namespace orch::runtime::images {

struct TarEntry {
  enum class Type : uint8_t { file, directory, symlink, hardlink, character, block, fifo, other };
  std::string path;  // as written in the archive
  Type type = Type::file;
  uint32_t mode = 0;  // permission bits with set-id and sticky
  uint32_t uid = 0, gid = 0;
  int64_t size = 0;  // of a file
  int64_t mtime_s = 0, mtime_ns = 0;
  uint32_t device_major = 0, device_minor = 0;
  std::string target;  // of a link
  std::vector<std::pair<std::string, std::string>> xattrs;
};

class TarReader {
 public:
  // `source` outlives the reader. Compression is found out from the content: none, gzip or zstd.
  static Result<std::unique_ptr<TarReader>> open(ByteSource& source);
  virtual ~TarReader() = default;
  // nullopt at the end. Errors: Code::invalid, with what is damaged; those of the source.
  virtual Result<std::optional<TarEntry>> next() = 0;
  // A piece of the current file and where it belongs (files may have holes); an empty one is the end.
  // Borrowed until the next call.
  struct Piece {
    int64_t offset = 0;
    std::string_view bytes;
  };
  virtual Result<Piece> read() = 0;
};

// The content of a TarReader's current file, holes as zeros.
class EntrySource final : public ByteSource {
 public:
  EntrySource(TarReader& reader, int64_t size) : reader_(reader), size_(size) {}
  Result<size_t> read(char* buffer, size_t size) override;

 private:
  TarReader& reader_;
  int64_t size_;
  int64_t at_ = 0;
  TarReader::Piece piece_;
  bool ended_ = false;
};

// What is inside gzip or zstd, or the bytes themselves. `source` outlives the result.
Result<std::unique_ptr<ByteSource>> decompress(ByteSource& source);

// A pax archive. What it writes depends on nothing but the entries. Names with other bytes than ASCII need
// Names::bytes; then every entry says so, which older programs remark on.
class TarWriter {
 public:
  using Sink = std::function<Result<void>(std::string_view)>;
  enum class Names : uint8_t { ascii, bytes };
  static Result<std::unique_ptr<TarWriter>> open(Sink sink, Names names);
  virtual ~TarWriter() = default;
  // `content` of a file: exactly entry.size bytes.
  virtual Result<void> add(const TarEntry& entry, ByteSource* content) = 0;
  // A file that is written in pieces: its entry, then all of its entry.size bytes.
  virtual Result<void> begin(const TarEntry& entry) = 0;
  virtual Result<void> write(std::string_view bytes) = 0;
  virtual Result<void> finish() = 0;
};

}  // namespace orch::runtime::images
