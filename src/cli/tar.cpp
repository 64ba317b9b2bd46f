#include "cli/tar.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/text.h"

namespace orch::cli {

namespace {

constexpr size_t kBlock = 512;
constexpr int64_t kMaxExtension = 1 << 20;  // of a long name or a pax header

struct Field {
  size_t at, size;
};
constexpr Field kName{0, 100}, kMode{100, 8}, kUid{108, 8}, kGid{116, 8}, kSize{124, 12}, kTime{136, 12}, kSum{148, 8},
    kLink{157, 100}, kMagic{257, 8}, kPrefix{345, 155};
constexpr size_t kType = 156;
constexpr int64_t kMaxOctalSize = 077777777777;

void put_octal(std::string& block, Field field, uint64_t value) {
  for (size_t i = field.size - 1; i-- > 0; value >>= 3) block[field.at + i] = static_cast<char>('0' + (value & 7));
}

void put_text(std::string& block, Field field, std::string_view text) {
  std::memcpy(block.data() + field.at, text.data(), std::min(text.size(), field.size));
}

uint64_t checksum(std::string_view block) {
  uint64_t sum = 0;
  for (size_t i = 0; i < kBlock; ++i) {
    bool own = i >= kSum.at && i < kSum.at + kSum.size;
    sum += own ? ' ' : static_cast<uint8_t>(block[i]);
  }
  return sum;
}

std::string format_block(char type, std::string_view name, const TarEntry& entry, int64_t size) {
  std::string block(kBlock, '\0');
  put_text(block, kName, name);
  put_octal(block, kMode, entry.mode & 07777);
  put_octal(block, kUid, 0);
  put_octal(block, kGid, 0);
  put_octal(block, kSize, static_cast<uint64_t>(std::min(size, kMaxOctalSize)));
  put_octal(block, kTime, static_cast<uint64_t>(std::max<int64_t>(entry.mtime, 0)));
  block[kType] = type;
  put_text(block, kLink, entry.link);
  put_text(block, kMagic, std::string_view("ustar\0" "00", 8));
  put_octal(block, Field{kSum.at, 7}, checksum(block));
  block[kSum.at + 7] = ' ';
  return block;
}

// "27 path=...\n", whose length counts itself.
std::string pax_record(std::string_view key, std::string_view value) {
  size_t rest = key.size() + value.size() + 3;
  size_t length = rest + 1;
  while (std::to_string(length).size() + rest != length) length = std::to_string(length).size() + rest;
  return std::to_string(length) + " " + std::string(key) + "=" + std::string(value) + "\n";
}

std::string_view text_at(std::string_view block, Field field) {
  std::string_view text = block.substr(field.at, field.size);
  return text.substr(0, text.find('\0'));
}

// Octal text, or GNU's base 256 for large ones.
std::optional<int64_t> number_at(std::string_view block, Field field) {
  std::string_view text = block.substr(field.at, field.size);
  int64_t value = 0;
  if ((static_cast<uint8_t>(text[0]) & 0x80) != 0) {
    value = static_cast<uint8_t>(text[0]) & 0x7F;
    for (char c : text.substr(1)) {
      if (value > INT64_MAX >> 8) return std::nullopt;
      value = value << 8 | static_cast<uint8_t>(c);
    }
    return value;
  }
  for (char c : text) {
    if (c == ' ' && value == 0) continue;
    if (c == '\0' || c == ' ') break;
    if (c < '0' || c > '7') return std::nullopt;
    value = value << 3 | (c - '0');
  }
  return value;
}

TarEntry::Type type_of(char flag, std::string_view path) {
  using Type = TarEntry::Type;
  bool file = flag == '0' || flag == '\0' || flag == '7';
  if (file) return path.ends_with('/') ? Type::directory : Type::file;
  if (flag == '1') return Type::hardlink;
  if (flag == '2') return Type::symlink;
  return flag == '5' ? Type::directory : Type::other;
}

Error broken(std::string_view why) { return Error::make(Code::parse, "tar: " + std::string(why)); }

}  // namespace

std::string tar_padding(int64_t size) {
  auto over = static_cast<size_t>(size % static_cast<int64_t>(kBlock));
  return over == 0 ? std::string() : std::string(kBlock - over, '\0');
}

std::string tar_end() { return std::string(2 * kBlock, '\0'); }

std::string tar_header(const TarEntry& entry) {
  static constexpr std::array<char, 5> kTypes = {'0', '5', '2', '1', '0'};
  std::string extension;
  std::string path = entry.path;
  if (entry.type == TarEntry::Type::directory && !path.ends_with('/')) path += '/';
  if (path.size() > kName.size) extension += pax_record("path", path);
  if (entry.link.size() > kLink.size) extension += pax_record("linkpath", entry.link);
  int64_t size = entry.type == TarEntry::Type::file ? entry.size : 0;
  if (size > kMaxOctalSize) extension += pax_record("size", std::to_string(size));
  std::string out;
  if (!extension.empty()) {
    TarEntry header;
    auto length = static_cast<int64_t>(extension.size());
    out += format_block('x', "PaxHeaders.0/" + path.substr(0, 80), header, length) + extension + tar_padding(length);
  }
  return out + format_block(kTypes[static_cast<size_t>(entry.type)], path.substr(0, kName.size), entry, size);
}

// --- Reading --------------------------------------------------------------------------------------

Result<void> TarReader::apply_extension(char type, std::string_view content) {
  if (type == 'L' || type == 'K') {  // GNU's long names end in a NUL
    (type == 'L' ? long_path_ : long_link_) = content.substr(0, content.find('\0'));
    return {};
  }
  if (type == 'g') return {};
  while (!content.empty()) {
    auto blank = content.find(' ');
    auto length = blank == std::string_view::npos ? std::nullopt : parse_uint(content.substr(0, blank));
    if (!length || *length <= blank + 1 || *length > content.size()) return broken("a damaged pax header");
    std::string_view record = content.substr(blank + 1, *length - blank - 2);
    content.remove_prefix(*length);
    auto pair = split_once(record, '=');
    if (!pair) return broken("a damaged pax header");
    if (pair->first == "path") long_path_ = pair->second;
    if (pair->first == "linkpath") long_link_ = pair->second;
    if (pair->first == "size") {
      long_size_ = parse_int(pair->second);
      if (!long_size_ || *long_size_ < 0) return broken("a damaged pax header");
    }
  }
  return {};
}

// What the extensions in front of an entry are: read, and taken off the input. False: more bytes are needed.
Result<bool> TarReader::read_extensions() {
  while (input_.size() >= kBlock) {
    std::string_view block = std::string_view(input_).substr(0, kBlock);
    char type = block[kType];
    if (type != 'L' && type != 'K' && type != 'x' && type != 'g') return true;
    auto sum = number_at(block, kSum);
    auto size = number_at(block, kSize);
    if (!sum || static_cast<uint64_t>(*sum) != checksum(block) || !size || *size < 0) return broken("a damaged header");
    if (*size > kMaxExtension) return broken("a name that is too long");
    size_t whole = kBlock + static_cast<size_t>(*size) + tar_padding(*size).size();
    if (input_.size() < whole) return false;
    TRY_VOID(apply_extension(type, std::string_view(input_).substr(kBlock, static_cast<size_t>(*size))));
    input_.erase(0, whole);
  }
  return false;
}

Result<std::optional<TarReader::Event>> TarReader::read_header() {
  TRY(bool there, read_extensions());
  if (!there) return std::optional<Event>();
  std::string_view block = std::string_view(input_).substr(0, kBlock);
  Event event;
  if (block.find_first_not_of('\0') == std::string_view::npos) {
    ended_ = event.at_end = true;
    return std::optional(std::move(event));
  }
  auto sum = number_at(block, kSum);
  if (!sum || static_cast<uint64_t>(*sum) != checksum(block)) return broken("this is no archive, or a damaged one");
  auto size = number_at(block, kSize);
  auto mode = number_at(block, kMode);
  auto time = number_at(block, kTime);
  if (!size || *size < 0 || !mode || !time) return broken("a damaged header");
  TarEntry entry;
  entry.path = text_at(block, kName);
  bool ustar = block.substr(kMagic.at, 6) == std::string_view("ustar\0", 6);
  std::string prefix(ustar ? text_at(block, kPrefix) : "");
  if (!prefix.empty()) entry.path = prefix + "/" + entry.path;
  entry.link = text_at(block, kLink);
  if (!long_path_.empty()) entry.path = std::exchange(long_path_, {});
  if (!long_link_.empty()) entry.link = std::exchange(long_link_, {});
  entry.size = std::exchange(long_size_, std::nullopt).value_or(*size);
  entry.mode = static_cast<uint32_t>(*mode) & 07777;
  entry.mtime = *time;
  entry.type = type_of(block[kType], entry.path);
  bool has_content = entry.type == TarEntry::Type::file || entry.type == TarEntry::Type::other;
  if (!has_content) entry.size = 0;
  left_ = entry.size;
  padding_ = static_cast<int64_t>(tar_padding(entry.size).size());
  input_.erase(0, kBlock);
  event.entry = std::move(entry);
  return std::optional(std::move(event));
}

Result<std::optional<TarReader::Event>> TarReader::next() {
  if (ended_) {  // tar pads its output; what follows the end is nothing
    input_.clear();
    return std::optional<Event>();
  }
  if (left_ > 0) {
    if (input_.empty()) return std::optional<Event>();
    Event event;
    event.content = input_.substr(0, static_cast<size_t>(std::min<int64_t>(left_, static_cast<int64_t>(input_.size()))));
    input_.erase(0, event.content.size());
    left_ -= static_cast<int64_t>(event.content.size());
    return std::optional(std::move(event));
  }
  if (padding_ > 0) {
    auto skip = std::min<int64_t>(padding_, static_cast<int64_t>(input_.size()));
    input_.erase(0, static_cast<size_t>(skip));
    padding_ -= skip;
    if (padding_ > 0) return std::optional<Event>();
  }
  if (input_.size() < kBlock) return std::optional<Event>();
  return read_header();
}

Result<void> TarReader::finish() const {
  bool clean = ended_ || (left_ == 0 && padding_ == 0 && input_.empty());
  if (clean) return {};
  return broken("the archive is cut short");
}

std::optional<std::string> safe_path(std::string_view path) {
  std::string safe;
  for (std::string_view part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == ".." || part.find('\0') != std::string_view::npos) return std::nullopt;
    safe += (safe.empty() ? "" : "/") + std::string(part);
  }
  return safe;
}

}  // namespace orch::cli
