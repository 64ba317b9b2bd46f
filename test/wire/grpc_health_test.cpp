#include "wire/grpc_health.h"

#include <nghttp2/nghttp2.h>

#include <catch2/catch_test_macros.hpp>

#include "loop/pipe_network.h"
#include "loop/scope.h"
#include "loop/virtual_loop.h"

using namespace orch;
using namespace orch::wire;
using loop::Task;

namespace {

// A server of nghttp2's that answers the first request.
struct Answer {
  std::string status = "200", grpc_status = "0", grpc_message, body;
};

struct ServerState {
  Answer answer;
  size_t sent = 0;
  std::string path, asked;
};

nghttp2_nv pair(const std::string& name, const std::string& value) {
  auto bytes = [](const std::string& text) { return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data())); };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

ssize_t give_body(nghttp2_session* session, int32_t id, uint8_t* buffer, size_t room, uint32_t* flags, nghttp2_data_source* source, void*) {
  auto& state = *static_cast<ServerState*>(source->ptr);
  size_t size = std::min(room, state.answer.body.size() - state.sent);
  std::copy_n(state.answer.body.data() + state.sent, size, buffer);
  state.sent += size;
  if (state.sent == state.answer.body.size()) {
    *flags |= NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
    const std::string a = "grpc-status", b = "grpc-message";
    nghttp2_nv trailers[] = {pair(a, state.answer.grpc_status), pair(b, state.answer.grpc_message)};
    nghttp2_submit_trailer(session, id, trailers, 2);
  }
  return static_cast<ssize_t>(size);
}

int on_frame(nghttp2_session* session, const nghttp2_frame* frame, void* user) {
  if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM) || (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS)) return 0;
  auto& state = *static_cast<ServerState*>(user);
  const std::string name = ":status", type = "content-type", grpc = "application/grpc";
  nghttp2_nv headers[] = {pair(name, state.answer.status), pair(type, grpc)};
  nghttp2_data_provider body{};
  body.source.ptr = &state;
  body.read_callback = give_body;
  nghttp2_submit_response(session, frame->hd.stream_id, headers, 2, &body);
  return 0;
}

int on_head(nghttp2_session*, const nghttp2_frame*, const uint8_t* name, size_t name_size, const uint8_t* value, size_t size, uint8_t, void* user) {
  if (std::string_view(reinterpret_cast<const char*>(name), name_size) == ":path")
    static_cast<ServerState*>(user)->path.assign(reinterpret_cast<const char*>(value), size);
  return 0;
}

int on_body(nghttp2_session*, uint8_t, int32_t, const uint8_t* data, size_t size, void* user) {
  static_cast<ServerState*>(user)->asked.append(reinterpret_cast<const char*>(data), size);
  return 0;
}

Task<void> serve(std::unique_ptr<loop::Stream> stream, ServerState& state) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, on_head);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_body);
  nghttp2_session* session = nullptr;
  nghttp2_session_server_new(&session, callbacks, &state);
  nghttp2_session_callbacks_del(callbacks);
  struct Owner {
    nghttp2_session* raw;
    ~Owner() { nghttp2_session_del(raw); }
  } owner{session};
  nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, nullptr, 0);
  for (;;) {
    std::string in = co_await stream->read();
    if (in.empty()) co_return;
    nghttp2_session_mem_recv(session, reinterpret_cast<const uint8_t*>(in.data()), in.size());
    const uint8_t* out = nullptr;
    std::string all;
    for (ssize_t size; (size = nghttp2_session_mem_send(session, &out)) > 0;) all.append(reinterpret_cast<const char*>(out), static_cast<size_t>(size));
    if (!all.empty()) co_await loop::write_text(*stream, std::move(all));
  }
}

Result<GrpcHealth> ask(ServerState& state, const std::string& service) {
  loop::VirtualLoop loop;
  auto [near_end, far_end] = loop::make_pipe(loop);
  loop::Scope scope(loop);
  scope.spawn(serve(std::move(far_end), state));
  return loop.run(check_grpc_health(std::move(near_end), "10.42.0.2:9090", service, "kube-probe/1.33"));
}

const std::string framed_serving = std::string("\0\0\0\0\2\x08\1", 7), framed_down = std::string("\0\0\0\0\2\x08\2", 7);

}  // namespace

TEST_CASE("a gRPC service that says SERVING is asked by its name") {
  ServerState state;
  state.answer.body = framed_serving;
  auto health = ask(state, "web");
  REQUIRE(health.ok());
  CHECK(health->grpc_status == 0);
  CHECK(health->serving == 1);
  CHECK(state.path == "/grpc.health.v1.Health/Check");
  CHECK(state.asked == std::string("\0\0\0\0\5\x0a\3web", 10));
}

TEST_CASE("a gRPC service that is down says so, and one without the protocol has a status") {
  ServerState down;
  down.answer.body = framed_down;
  auto health = ask(down, "");
  REQUIRE(health.ok());
  CHECK(serving_text(health->serving) == "NOT_SERVING");
  CHECK(down.asked == std::string(5, '\0'));

  ServerState none;
  none.answer.grpc_status = "12";
  none.answer.grpc_message = "unknown%20service";
  health = ask(none, "");
  REQUIRE(health.ok());
  CHECK(grpc_status_text(health->grpc_status) == "Unimplemented");
  CHECK(health->grpc_message == "unknown service");
}

TEST_CASE("what is no HTTP/2 is an error, and never a wait") {
  loop::VirtualLoop loop;
  auto [near_end, far_end] = loop::make_pipe(loop);
  loop::Scope scope(loop);
  auto answer = [](std::unique_ptr<loop::Stream> stream) -> Task<void> {
    co_await stream->read();
    co_await loop::write_text(*stream, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
  };
  scope.spawn(answer(std::move(far_end)));
  auto health = loop.run(check_grpc_health(std::move(near_end), "h:1", "", "a"));
  CHECK_FALSE(health.ok());
}

TEST_CASE("health responses: broken ones are errors") {
  CHECK(decode_health_response(framed_serving).value() == 1);
  CHECK(decode_health_response(std::string(5, '\0')).value() == 0);
  for (std::string_view bytes : {std::string_view(""), std::string_view("\0\0\0\0\2\x08", 6), std::string_view("\1\0\0\0\0", 5),
                                 std::string_view("\0\0\0\0\1\x08", 6), std::string_view("\0\xff\xff\xff\xff\x08\1", 7)})
    CHECK_FALSE(decode_health_response(bytes).ok());
}
