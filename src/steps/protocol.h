#pragma once
// What orch and a shim say to each other: datagrams on a SOCK_SEQPACKET Unix socket, file descriptors beside them. A
// message is a kind, the number of the request (events have 0) and fields; who reads knows their order. Both sides are
// the same binary only until orch is upgraded while pods run: new fields go to the end, where old readers do not look
// and new ones find nothing (0, "").

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace orch::steps {

inline constexpr size_t kMaxMessage = 32 * 1024;
inline constexpr uint64_t kProtocolVersion = 1;

// Descriptors that a new shim finds: its listening socket, the steps of its sandbox, and where its Report goes.
inline constexpr int kListenerFd = 3, kStepsFd = 4, kReadyFd = 5;

enum class Kind : uint32_t {
  // orch asks                 fields -> fields of the answer
  hello = 1,      // version -> version, pid; then one `container` event for each container, then `hello_end`
  start = 2,      // see StartRequest; fd: the steps -> pid, started (ns) | error
  execute = 3,    // container, flags (kTerminal, kInput), columns, rows; fd: the steps -> key, pid; fds: terminal, or input, output, error
  attach = 4,     // container -> flags; fds: input (if kInput), output, error
  signal = 5,     // container, number -> ; number 0x100 kills the whole cgroup
  resize = 6,     // container or key of an exec, columns, rows ->
  forget = 7,     // container ->
  shutdown = 8,   // -> ; everything is killed first
  kill_exec = 9,  // key ->
  // the shim answers
  done = 32,
  failed = 33,    // errno, code (126, 127, 128), message
  // the shim tells
  container = 64,  // see ContainerReport
  hello_end = 65,
  exec_exited = 66,  // key, exit code, signal
};

inline constexpr uint64_t kTerminal = 1;
inline constexpr uint64_t kInput = 2;
inline constexpr uint64_t kInputOnce = 4;
inline constexpr uint64_t kKillAll = 0x100;

// Fields of `start`: id, name, attempt, flags, log_path, log_max_bytes, log_max_files, cgroup, image_id, spec_hash, created (ns).
// Fields of `container`: id, name, attempt, phase (0 created, 1 running, 2 exited), pid, exit code, signal, oom killed,
// created, started, finished (ns), image_id, spec_hash, start error.

class Packer {
 public:
  Packer(char* buffer, size_t size) : begin_(buffer), at_(buffer), end_(buffer + size) {}
  Packer& number(uint64_t value) { return bytes(&value, sizeof value); }
  Packer& text(std::string_view text) {
    const uint32_t length = static_cast<uint32_t>(text.size());
    bytes(&length, sizeof length);
    bytes(text.data(), text.size());
    return bytes("", 1);
  }
  Packer& head(Kind kind, uint32_t request) {
    const uint32_t words[2] = {static_cast<uint32_t>(kind), request};
    return bytes(words, sizeof words);
  }
  bool ok() const { return at_ != nullptr; }
  std::string_view view() const { return at_ ? std::string_view(begin_, static_cast<size_t>(at_ - begin_)) : std::string_view(); }

 private:
  Packer& bytes(const void* data, size_t size) {
    if (at_ && static_cast<size_t>(end_ - at_) >= size) {
      std::memcpy(at_, data, size);
      at_ += size;
    } else {
      at_ = nullptr;  // too long: nothing is sent
    }
    return *this;
  }
  char* begin_;
  char* at_;
  char* end_;
};

class Unpacker {
 public:
  explicit Unpacker(std::string_view bytes) : rest_(bytes) {
    uint32_t words[2] = {0, 0};
    take(words, sizeof words);
    kind_ = static_cast<Kind>(words[0]);
    request_ = words[1];
  }
  Kind kind() const { return kind_; }
  uint32_t request() const { return request_; }
  uint64_t number() {
    uint64_t value = 0;
    take(&value, sizeof value);
    return value;
  }
  // NUL-terminated in place.
  std::string_view text() {
    uint32_t length = 0;
    take(&length, sizeof length);
    if (rest_.size() < size_t{length} + 1 || rest_[length] != '\0') {
      rest_ = {};
      return {"", 0};
    }
    std::string_view text = rest_.substr(0, length);
    rest_.remove_prefix(size_t{length} + 1);
    return text;
  }

 private:
  void take(void* target, size_t size) {
    if (rest_.size() < size) {
      rest_ = {};
      return;
    }
    std::memcpy(target, rest_.data(), size);
    rest_.remove_prefix(size);
  }
  std::string_view rest_;
  Kind kind_{};
  uint32_t request_ = 0;
};

}  // namespace orch::steps
