#pragma once
// SPDY/3.1 (draft-mbelshe-httpbis-spdy-00 with the 3.1 session window): frames as bytes, both ways,
// sans-I/O. kubectl multiplexes exec, attach and port-forward over it. spdy_session.h is a connection.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "wire/http.h"

namespace orch::wire {

enum class SpdyType : uint16_t {
  data = 0,  // not a control frame: the others' numbers are the draft's
  syn_stream = 1,
  syn_reply = 2,
  rst_stream = 3,
  settings = 4,
  ping = 6,
  goaway = 7,
  headers = 8,
  window_update = 9,
};

// Status of a RST_STREAM (section 2.6.3).
struct SpdyReset {
  static constexpr uint32_t protocol_error = 1, invalid_stream = 2, refused_stream = 3, unsupported_version = 4,
                            cancel = 5, internal_error = 6, flow_control_error = 7, stream_in_use = 8,
                            stream_already_closed = 9;
};

constexpr uint32_t kSpdyInitialWindowSetting = 7;
constexpr int64_t kSpdyInitialWindow = 64 * 1024;

// One frame; which members count depends on its type.
struct SpdyFrame {
  SpdyType type = SpdyType::data;
  uint32_t stream = 0;          // of goaway: the last good one; window_update: 0 is the whole session
  bool fin = false;             // data, syn_stream, syn_reply, headers: the sender sends no more
  bool unidirectional = false;  // syn_stream: the receiver may send nothing
  uint32_t associated = 0;      // syn_stream
  uint8_t priority = 0;         // syn_stream: 0 (highest) to 7
  uint32_t value = 0;           // rst_stream, goaway: status; ping: id; window_update: bytes
  Headers headers;              // syn_stream, syn_reply, headers; names in lower case
  std::string payload;          // data
  std::vector<std::pair<uint32_t, uint32_t>> settings;  // id, value
};

struct SpdyLimits {
  size_t max_control = 64 * 1024;       // bytes of a control frame's payload
  size_t max_header_block = 64 * 1024;  // bytes of a header block once inflated
  size_t max_headers = 128;
};

// Bytes in, frames out. A data frame comes in pieces, as its bytes do; the last one has `fin`.
class SpdyParser {
 public:
  explicit SpdyParser(SpdyLimits limits = {});
  ~SpdyParser();
  SpdyParser(const SpdyParser&) = delete;
  SpdyParser& operator=(const SpdyParser&) = delete;

  void feed(std::string_view bytes) { input_ += bytes; }
  // The next frame, or nothing until more bytes come. Code::parse and Code::too_large end the session: the
  // compression state is lost with the frame.
  Result<std::optional<SpdyFrame>> next();
  size_t buffered() const { return input_.size(); }

 private:
  struct Inflater;
  std::optional<SpdyFrame> next_piece();
  Result<SpdyFrame> read_control(SpdyType type, uint8_t flags, std::string_view payload);
  Result<Headers> read_headers(std::string_view block);

  SpdyLimits limits_;
  std::unique_ptr<Inflater> inflater_;
  std::string input_;
  // The data frame whose bytes are coming.
  bool in_data_ = false;
  bool data_fin_ = false;
  uint32_t data_stream_ = 0;
  size_t data_left_ = 0;
};

// Frames in, bytes out, in the order in which they are sent (header blocks share one compressor).
class SpdyWriter {
 public:
  SpdyWriter();
  ~SpdyWriter();
  SpdyWriter(const SpdyWriter&) = delete;
  SpdyWriter& operator=(const SpdyWriter&) = delete;

  // Data and header blocks must be below 16 MiB.
  std::string format(const SpdyFrame& frame);

 private:
  struct Deflater;
  std::string format_headers(const Headers& headers);
  std::unique_ptr<Deflater> deflater_;
};

}  // namespace orch::wire
