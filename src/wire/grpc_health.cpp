#include "wire/grpc_health.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstring>

#include "base/text.h"

namespace orch::wire {

using loop::Task;

namespace {

constexpr size_t most_reply_bytes = 64 * 1024;
constexpr int grpc_unknown = 2;

// One stream over one connection: nghttp2 speaks, we carry the bytes.
struct Call {
  std::string request;
  size_t sent = 0;
  std::string reply;
  GrpcHealth health;
  bool has_status = false, closed = false;
  int http_status = 0;
};

struct SessionPtr {
  nghttp2_session* raw = nullptr;
  SessionPtr() = default;
  SessionPtr(const SessionPtr&) = delete;
  SessionPtr& operator=(const SessionPtr&) = delete;
  ~SessionPtr() { nghttp2_session_del(raw); }
};

int on_header(nghttp2_session*, const nghttp2_frame*, const uint8_t* name, size_t name_size, const uint8_t* value,
              size_t value_size, uint8_t, void* user) {
  auto& call = *static_cast<Call*>(user);
  std::string_view key(reinterpret_cast<const char*>(name), name_size);
  std::string_view text(reinterpret_cast<const char*>(value), value_size);
  if (key == ":status") call.http_status = static_cast<int>(parse_int(text).value_or(0));
  if (key == "grpc-status") {
    call.health.grpc_status = static_cast<int>(parse_int(text).value_or(grpc_unknown));
    call.has_status = true;
  }
  if (key == "grpc-message") call.health.grpc_message = decode_percent(text, false).value_or(std::string(text));
  return 0;
}

int on_data(nghttp2_session*, uint8_t, int32_t, const uint8_t* data, size_t size, void* user) {
  auto& call = *static_cast<Call*>(user);
  if (call.reply.size() + size > most_reply_bytes) return NGHTTP2_ERR_CALLBACK_FAILURE;
  call.reply.append(reinterpret_cast<const char*>(data), size);
  return 0;
}

int on_close(nghttp2_session*, int32_t, uint32_t, void* user) {
  static_cast<Call*>(user)->closed = true;
  return 0;
}

ssize_t read_body(nghttp2_session*, int32_t, uint8_t* buffer, size_t room, uint32_t* flags, nghttp2_data_source* source, void*) {
  auto& call = *static_cast<Call*>(source->ptr);
  const size_t size = std::min(room, call.request.size() - call.sent);
  std::memcpy(buffer, call.request.data() + call.sent, size);
  call.sent += size;
  if (call.sent == call.request.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
  return static_cast<ssize_t>(size);
}

nghttp2_nv header(std::string_view name, std::string_view value) {
  // nghttp2 copies both; its type only lacks the const.
  auto bytes = [](std::string_view text) { return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data())); };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

Result<void> begin(SessionPtr& session, Call& call, const std::string& authority, const std::string& user_agent) {
  nghttp2_session_callbacks* callbacks = nullptr;
  if (nghttp2_session_callbacks_new(&callbacks) != 0) return Error::make(Code::internal, "nghttp2: out of memory");
  nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
  int made = nghttp2_session_client_new(&session.raw, callbacks, &call);
  nghttp2_session_callbacks_del(callbacks);
  if (made != 0) return Error::make(Code::internal, "nghttp2: out of memory");
  nghttp2_submit_settings(session.raw, NGHTTP2_FLAG_NONE, nullptr, 0);
  const nghttp2_nv headers[] = {header(":method", "POST"), header(":scheme", "http"), header(":path", "/grpc.health.v1.Health/Check"),
                                header(":authority", authority), header("content-type", "application/grpc"),
                                header("user-agent", user_agent), header("te", "trailers")};
  nghttp2_data_provider body{};
  body.source.ptr = &call;
  body.read_callback = read_body;
  const int id = nghttp2_submit_request(session.raw, nullptr, headers, std::size(headers), &body, nullptr);
  if (id < 0) return Error::make(Code::internal, std::string("nghttp2: ") + nghttp2_strerror(id));
  return {};
}

Result<std::string> take_output(nghttp2_session* session) {
  std::string out;
  while (true) {
    const uint8_t* data = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session, &data);
    if (size < 0) return Error::make(Code::parse, std::string("http2: ") + nghttp2_strerror(static_cast<int>(size)));
    if (size == 0) return out;
    out.append(reinterpret_cast<const char*>(data), static_cast<size_t>(size));
  }
}

Result<void> feed(nghttp2_session* session, std::string_view bytes) {
  const ssize_t used = nghttp2_session_mem_recv(session, reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  if (used < 0) return Error::make(Code::parse, std::string("http2: ") + nghttp2_strerror(static_cast<int>(used)));
  return {};
}

Result<GrpcHealth> finish(Call& call) {
  if (!call.has_status) {
    if (call.http_status != 200) {
      call.health.grpc_status = grpc_unknown;
      call.health.grpc_message = "unexpected HTTP status code received from server: " + std::to_string(call.http_status);
      return call.health;
    }
    return Error::make(Code::parse, "the reply ended without a grpc-status");
  }
  if (call.health.grpc_status == 0) {
    TRY(call.health.serving, decode_health_response(call.reply));
  }
  return call.health;
}

}  // namespace

std::string_view serving_text(int serving) {
  constexpr std::string_view names[] = {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};
  return serving >= 0 && serving < 4 ? names[serving] : "UNKNOWN";
}

std::string_view grpc_status_text(int status) {
  constexpr std::string_view names[] = {"OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound",
                                        "AlreadyExists", "PermissionDenied", "ResourceExhausted", "FailedPrecondition", "Aborted",
                                        "OutOfRange", "Unimplemented", "Internal", "Unavailable", "DataLoss", "Unauthenticated"};
  return status >= 0 && status < static_cast<int>(std::size(names)) ? names[status] : "Unknown";
}

std::string encode_health_request(std::string_view service) {
  std::string message;
  if (!service.empty()) {  // field 1, a string
    message += '\x0a';
    for (size_t size = service.size();; size >>= 7) {
      message += static_cast<char>(size < 128 ? size : (size & 127) | 128);
      if (size < 128) break;
    }
    message += service;
  }
  std::string framed(1, '\0');  // not compressed
  for (int shift = 24; shift >= 0; shift -= 8) framed += static_cast<char>((message.size() >> shift) & 255);
  return framed + message;
}

Result<int> decode_health_response(std::string_view bytes) {
  const Error broken = Error::make(Code::parse, "not a HealthCheckResponse");
  if (bytes.size() < 5) return broken;
  if (bytes[0] != 0) return Error::make(Code::parse, "the reply is compressed");
  size_t size = 0;
  for (int i = 1; i < 5; ++i) size = size << 8 | static_cast<unsigned char>(bytes[static_cast<size_t>(i)]);
  bytes.remove_prefix(5);
  if (size > bytes.size()) return broken;
  bytes = bytes.substr(0, size);
  if (bytes.empty()) return 0;  // proto3 leaves a zero out
  if (bytes[0] != '\x08' || bytes.size() < 2 || static_cast<unsigned char>(bytes[1]) > 127) return broken;
  return static_cast<int>(bytes[1]);
}

Task<GrpcHealth> check_grpc_health(std::unique_ptr<loop::Stream> stream, std::string authority, std::string service,
                                   std::string user_agent) {
  Call call;
  call.request = encode_health_request(service);
  SessionPtr session;
  co_await begin(session, call, authority, user_agent);
  while (!call.closed) {
    std::string out = co_await take_output(session.raw);
    if (!out.empty()) co_await loop::write_text(*stream, std::move(out));
    if (call.closed) break;
    std::string in = co_await stream->read();
    if (in.empty()) co_await loop::fail(Error::make(Code::closed, "EOF"));
    co_await feed(session.raw, in);
  }
  GrpcHealth health = co_await finish(call);
  co_return std::move(health);
}

}  // namespace orch::wire
