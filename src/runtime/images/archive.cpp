#include "runtime/images/archive.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <cstring>

namespace orch::runtime::images {

namespace {

constexpr size_t kBufferSize = 256 * 1024;

// What libarchive calls to get bytes, and the error that made it stop.
struct Input {
  explicit Input(ByteSource& s) : source(s), buffer(kBufferSize) {}
  ByteSource& source;
  std::vector<char> buffer;
  std::optional<Error> error;
};

la_ssize_t read_input(archive* handle, void* context, const void** bytes) {
  auto* input = static_cast<Input*>(context);
  auto count = input->source.read(input->buffer.data(), input->buffer.size());
  if (!count.ok()) {
    archive_set_error(handle, EIO, "%s", count.error().message().c_str());
    input->error = std::move(count).error();
    return -1;
  }
  *bytes = input->buffer.data();
  return static_cast<la_ssize_t>(*count);
}

// Its own words, without the full stop; the source's error where that was the cause.
Error failed(archive* handle, Input& input) {
  if (input.error) return *input.error;
  const char* text = archive_error_string(handle);
  std::string message = text ? text : "damaged archive";
  while (message.ends_with('.') || message.ends_with(' ')) message.pop_back();
  if (message == "Unrecognized archive format") message = "this is no tar archive (plain, gzip or zstd)";
  return Error::make(Code::invalid, std::move(message));
}

struct FreeReader {
  void operator()(archive* handle) const { archive_read_free(handle); }
};
using ReadHandle = std::unique_ptr<archive, FreeReader>;

void support_compression(archive* handle) {
  archive_read_support_filter_none(handle);
  archive_read_support_filter_gzip(handle);
  archive_read_support_filter_zstd(handle);
}

TarEntry::Type type_of(archive_entry* entry) {
  if (archive_entry_hardlink(entry)) return TarEntry::Type::hardlink;
  switch (archive_entry_filetype(entry)) {
    case AE_IFREG: return TarEntry::Type::file;
    case AE_IFDIR: return TarEntry::Type::directory;
    case AE_IFLNK: return TarEntry::Type::symlink;
    case AE_IFCHR: return TarEntry::Type::character;
    case AE_IFBLK: return TarEntry::Type::block;
    case AE_IFIFO: return TarEntry::Type::fifo;
    default: return TarEntry::Type::other;
  }
}

TarEntry entry_of(archive_entry* from) {
  TarEntry entry;
  if (const char* path = archive_entry_pathname(from)) entry.path = path;
  entry.type = type_of(from);
  entry.mode = archive_entry_perm(from) & 07777;
  entry.uid = static_cast<uint32_t>(archive_entry_uid(from));
  entry.gid = static_cast<uint32_t>(archive_entry_gid(from));
  entry.size = archive_entry_size(from);
  entry.mtime_s = archive_entry_mtime(from);
  entry.mtime_ns = archive_entry_mtime_nsec(from);
  entry.device_major = static_cast<uint32_t>(archive_entry_rdevmajor(from));
  entry.device_minor = static_cast<uint32_t>(archive_entry_rdevminor(from));
  const char* target = entry.type == TarEntry::Type::hardlink ? archive_entry_hardlink(from) : archive_entry_symlink(from);
  if (target) entry.target = target;
  archive_entry_xattr_reset(from);
  const char* name = nullptr;
  const void* value = nullptr;
  size_t size = 0;
  while (archive_entry_xattr_next(from, &name, &value, &size) == ARCHIVE_OK) {
    entry.xattrs.emplace_back(name, std::string(static_cast<const char*>(value), size));
  }
  return entry;
}

class LibTarReader final : public TarReader {
 public:
  explicit LibTarReader(ByteSource& source) : input_(source), handle_(archive_read_new()) {}

  Result<void> open() {
    support_compression(handle_.get());
    archive_read_support_format_tar(handle_.get());
    archive_read_support_format_empty(handle_.get());
    if (archive_read_open(handle_.get(), &input_, nullptr, read_input, nullptr) != ARCHIVE_OK) {
      return failed(handle_.get(), input_);
    }
    return {};
  }

  Result<std::optional<TarEntry>> next() override {
    archive_entry* entry = nullptr;
    int status = archive_read_next_header(handle_.get(), &entry);
    if (status == ARCHIVE_EOF) return std::optional<TarEntry>();
    // A warning with a name says that the locale cannot show it; the bytes are as they were.
    bool readable = status == ARCHIVE_OK || (status == ARCHIVE_WARN && archive_entry_pathname(entry));
    if (!readable) return failed(handle_.get(), input_);
    return std::optional<TarEntry>(entry_of(entry));
  }

  Result<Piece> read() override {
    const void* bytes = nullptr;
    size_t size = 0;
    la_int64_t offset = 0;
    while (true) {
      int status = archive_read_data_block(handle_.get(), &bytes, &size, &offset);
      if (status == ARCHIVE_EOF) return Piece{};
      if (status != ARCHIVE_OK) return failed(handle_.get(), input_);
      if (size > 0) return Piece{offset, std::string_view(static_cast<const char*>(bytes), size)};
    }
  }

 private:
  Input input_;
  ReadHandle handle_;
};

class Decompressor final : public ByteSource {
 public:
  explicit Decompressor(ByteSource& source) : input_(source), handle_(archive_read_new()) {}

  Result<void> open() {
    support_compression(handle_.get());
    archive_read_support_format_raw(handle_.get());
    archive_read_support_format_empty(handle_.get());
    if (archive_read_open(handle_.get(), &input_, nullptr, read_input, nullptr) != ARCHIVE_OK) {
      return failed(handle_.get(), input_);
    }
    archive_entry* entry = nullptr;
    int status = archive_read_next_header(handle_.get(), &entry);
    ended_ = status == ARCHIVE_EOF;
    if (!ended_ && status != ARCHIVE_OK) return failed(handle_.get(), input_);
    return {};
  }

  Result<size_t> read(char* buffer, size_t size) override {
    if (ended_) return size_t{0};
    la_ssize_t count = archive_read_data(handle_.get(), buffer, size);
    if (count < 0) return failed(handle_.get(), input_);
    return static_cast<size_t>(count);
  }

 private:
  Input input_;
  ReadHandle handle_;
  bool ended_ = false;
};

}  // namespace

Result<std::unique_ptr<TarReader>> TarReader::open(ByteSource& source) {
  auto reader = std::make_unique<LibTarReader>(source);
  TRY_VOID(reader->open());
  return std::unique_ptr<TarReader>(std::move(reader));
}

Result<std::unique_ptr<ByteSource>> decompress(ByteSource& source) {
  auto decompressor = std::make_unique<Decompressor>(source);
  TRY_VOID(decompressor->open());
  return std::unique_ptr<ByteSource>(std::move(decompressor));
}

Result<size_t> EntrySource::read(char* buffer, size_t size) {
  if (piece_.bytes.empty() && !ended_) {
    TRY(piece_, reader_.read());
    ended_ = piece_.bytes.empty();
  }
  int64_t until = ended_ ? size_ : piece_.offset;  // a hole, up to the next piece or the end
  if (at_ < until) {
    size_t count = std::min(size, static_cast<size_t>(until - at_));
    std::memset(buffer, 0, count);
    at_ += static_cast<int64_t>(count);
    return count;
  }
  size_t count = std::min(size, piece_.bytes.size());
  if (count > 0) std::memcpy(buffer, piece_.bytes.data(), count);
  piece_.bytes.remove_prefix(count);
  piece_.offset += static_cast<int64_t>(count);
  at_ += static_cast<int64_t>(count);
  return count;
}

// --- Writing --------------------------------------------------------------------------------------

namespace {

struct FreeWriter {
  void operator()(archive* handle) const { archive_write_free(handle); }
};
struct FreeEntry {
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};
using EntryHandle = std::unique_ptr<archive_entry, FreeEntry>;

struct Output {
  TarWriter::Sink sink;
  std::optional<Error> error;
};

la_ssize_t write_output(archive* handle, void* context, const void* bytes, size_t size) {
  auto* output = static_cast<Output*>(context);
  auto written = output->sink(std::string_view(static_cast<const char*>(bytes), size));
  if (written.ok()) return static_cast<la_ssize_t>(size);
  archive_set_error(handle, EIO, "%s", written.error().message().c_str());
  output->error = std::move(written).error();
  return -1;
}

unsigned file_type(TarEntry::Type type) {
  switch (type) {
    case TarEntry::Type::directory: return AE_IFDIR;
    case TarEntry::Type::symlink: return AE_IFLNK;
    case TarEntry::Type::character: return AE_IFCHR;
    case TarEntry::Type::block: return AE_IFBLK;
    case TarEntry::Type::fifo: return AE_IFIFO;
    default: return AE_IFREG;
  }
}

EntryHandle entry_from(const TarEntry& from) {
  EntryHandle entry(archive_entry_new());
  archive_entry_set_pathname(entry.get(), from.path.c_str());
  archive_entry_set_filetype(entry.get(), file_type(from.type));
  archive_entry_set_perm(entry.get(), from.mode);
  archive_entry_set_uid(entry.get(), from.uid);
  archive_entry_set_gid(entry.get(), from.gid);
  archive_entry_set_mtime(entry.get(), from.mtime_s, from.mtime_ns);
  archive_entry_set_size(entry.get(), from.type == TarEntry::Type::file ? from.size : 0);
  if (from.type == TarEntry::Type::hardlink) archive_entry_set_hardlink(entry.get(), from.target.c_str());
  if (from.type == TarEntry::Type::symlink) archive_entry_set_symlink(entry.get(), from.target.c_str());
  if (from.type == TarEntry::Type::character || from.type == TarEntry::Type::block) {
    archive_entry_set_rdevmajor(entry.get(), from.device_major);
    archive_entry_set_rdevminor(entry.get(), from.device_minor);
  }
  for (const auto& [name, value] : from.xattrs) {
    archive_entry_xattr_add_entry(entry.get(), name.c_str(), value.data(), value.size());
  }
  return entry;
}

class LibTarWriter final : public TarWriter {
 public:
  explicit LibTarWriter(Sink sink) : output_{std::move(sink), {}}, handle_(archive_write_new()) {}

  Result<void> open(Names names) {
    archive_write_set_format_pax_restricted(handle_.get());
    if (names == Names::bytes) archive_write_set_format_option(handle_.get(), "pax", "hdrcharset", "BINARY");
    archive_write_set_bytes_in_last_block(handle_.get(), 1);
    if (archive_write_open(handle_.get(), &output_, nullptr, write_output, nullptr) != ARCHIVE_OK) return failed_output();
    return {};
  }

  Result<void> add(const TarEntry& entry, ByteSource* content) override {
    TRY_VOID(begin(entry));
    std::vector<char> buffer(content ? kBufferSize : 0);
    while (content) {
      TRY(size_t count, content->read(buffer.data(), buffer.size()));
      if (count == 0) break;
      TRY_VOID(write(std::string_view(buffer.data(), count)));
    }
    return {};
  }

  Result<void> begin(const TarEntry& from) override {
    EntryHandle entry = entry_from(from);
    int status = archive_write_header(handle_.get(), entry.get());
    if (status != ARCHIVE_OK && status != ARCHIVE_WARN) return failed_output();
    return {};
  }

  Result<void> write(std::string_view bytes) override {
    while (!bytes.empty()) {
      la_ssize_t count = archive_write_data(handle_.get(), bytes.data(), bytes.size());
      if (count < 0) return failed_output();
      if (count == 0) return Error::make(Code::internal, "more bytes than the entry of the archive has");
      bytes.remove_prefix(static_cast<size_t>(count));
    }
    return {};
  }

  Result<void> finish() override {
    if (archive_write_close(handle_.get()) != ARCHIVE_OK) return failed_output();
    return {};
  }

 private:
  Error failed_output() {
    if (output_.error) return *output_.error;
    const char* text = archive_error_string(handle_.get());
    return Error::make(Code::io, text ? text : "the archive cannot be written");
  }

  Output output_;
  std::unique_ptr<archive, FreeWriter> handle_;
};

}  // namespace

Result<std::unique_ptr<TarWriter>> TarWriter::open(Sink sink, Names names) {
  auto writer = std::make_unique<LibTarWriter>(std::move(sink));
  TRY_VOID(writer->open(names));
  return std::unique_ptr<TarWriter>(std::move(writer));
}

}  // namespace orch::runtime::images
