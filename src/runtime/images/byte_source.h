#pragma once
// Bytes as blocking code reads them: a file, a download in progress, an entry of an archive.

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "runtime/images/digest.h"

namespace orch::runtime::images {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // Some bytes, into `buffer` of `size`; 0 at the end.
  virtual Result<size_t> read(char* buffer, size_t size) = 0;
};

class FileSource final : public ByteSource {
 public:
  // Errors: Code::not_found; Code::io.
  static Result<std::unique_ptr<FileSource>> open(const std::string& path);
  explicit FileSource(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~FileSource() override;
  Result<size_t> read(char* buffer, size_t size) override;

 private:
  int fd_;
  std::string path_;
};

class TextSource final : public ByteSource {
 public:
  explicit TextSource(std::string_view text) : left_(text) {}  // borrowed
  Result<size_t> read(char* buffer, size_t size) override;

 private:
  std::string_view left_;
};

// Hashes and counts what is read through it; remembers how the stream ended.
class HashingSource final : public ByteSource {
 public:
  explicit HashingSource(ByteSource& inner) : inner_(inner) {}
  Result<size_t> read(char* buffer, size_t size) override;
  // Reads what nobody wanted: the padding behind an archive belongs to its digest.
  Result<void> drain();
  std::string digest() { return hash_.digest(); }
  int64_t bytes() const { return bytes_; }
  // The stream ended with 512 bytes of zero, as a complete tar does.
  bool ends_in_zeros() const { return zeros_ >= 512; }

 private:
  ByteSource& inner_;
  Sha256 hash_;
  int64_t bytes_ = 0;
  int64_t zeros_ = 0;
};

}  // namespace orch::runtime::images
