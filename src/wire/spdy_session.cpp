#include "wire/spdy_session.h"

#include <algorithm>
#include <deque>
#include <map>

#include "loop/timeout.h"

namespace orch::wire {

using loop::Task;

namespace {

constexpr size_t kMaxPiece = 32 * 1024;            // of a data frame: streams take turns
constexpr size_t kMaxPending = 256 * 1024;         // of replies to a peer that does not read
constexpr uint32_t kUpdateAfter = 32 * 1024;       // bytes read before the window is opened again
constexpr uint32_t kMaxStream = 0x7FFFFFFF;
constexpr uint32_t kGoawayOk = 0, kGoawayProtocolError = 1;

Error closed(std::string why) { return Error::make(Code::closed, std::move(why)); }

}  // namespace

struct SpdyStream::State {
  State(std::shared_ptr<SpdySession::Core> c, uint32_t number, loop::Loop& loop)
      : core(std::move(c)), id(number), changed(loop) {}
  std::shared_ptr<SpdySession::Core> core;
  uint32_t id;
  Headers headers;
  std::string unread;
  uint32_t unreported = 0;  // bytes read and not yet in a WINDOW_UPDATE
  bool replied = false;     // of those we open
  bool peer_done = false;
  bool we_done = false;
  std::optional<Error> broken;
  int64_t window = kSpdyInitialWindow;
  loop::Event changed;

  void notify() {
    changed.set();
    changed.reset();
  }
};

struct SpdySession::Core : std::enable_shared_from_this<SpdySession::Core> {
  using StatePtr = std::shared_ptr<SpdyStream::State>;
  Core(loop::Loop& l, std::unique_ptr<loop::Stream> s, SpdyRole role, SpdySessionLimits lim)
      : loop(l),
        stream(std::move(s)),
        limits(lim),
        parser(lim.frames),
        next_id(role == SpdyRole::server ? 2 : 1),
        peer_parity(role == SpdyRole::server ? 1 : 0),
        changed(l),
        queued_changed(l),
        over(l) {}

  loop::Loop& loop;
  std::unique_ptr<loop::Stream> stream;
  SpdySessionLimits limits;
  SpdyParser parser;
  SpdyWriter writer;
  uint32_t next_id;
  uint32_t peer_parity;
  uint32_t last_peer_id = 0;
  std::map<uint32_t, StatePtr> streams;
  std::deque<StatePtr> arrived;
  size_t unread = 0;
  uint32_t unreported = 0;
  bool peer_has_windows = false;
  int64_t initial_window = kSpdyInitialWindow;
  int64_t window = kSpdyInitialWindow;
  bool going_away = false;
  std::string queued;  // frames in the order in which they go out
  uint64_t queued_total = 0;
  uint64_t sent_total = 0;
  loop::Event changed;         // something was sent, read or arrived
  loop::Event queued_changed;  // there is something to send
  loop::Event over;

  void notify() {
    changed.set();
    changed.reset();
  }
  void queue(const SpdyFrame& frame) {
    if (over.is_set()) return;
    std::string bytes = writer.format(frame);
    queued_total += bytes.size();
    queued += bytes;
    queued_changed.set();
  }
  void queue_simple(SpdyType type, uint32_t id, uint32_t value) {
    SpdyFrame frame;
    frame.type = type;
    frame.stream = id;
    frame.value = value;
    queue(frame);
  }
  void end(const Error& why);
  void forget_if_done(const StatePtr& state);
  void break_stream(const StatePtr& state, Error why);
  void took(SpdyStream::State& state, size_t size);
  void receive(SpdyFrame frame);
  void receive_open(SpdyFrame& frame);
  void receive_data(SpdyFrame& frame);
  void receive_reset(const SpdyFrame& frame);
  void receive_window(const SpdyFrame& frame);
  void receive_settings(const SpdyFrame& frame);

  static Task<void> read_all(std::shared_ptr<Core> core);
  static Task<void> read_frames(std::shared_ptr<Core> core);
  static Task<void> write_queued(std::shared_ptr<Core> core);
  static Task<void> flush(std::shared_ptr<Core> core);
};

// --- The connection -------------------------------------------------------------------------------

void SpdySession::Core::end(const Error& why) {
  if (over.is_set()) return;
  over.set();
  for (const auto& [id, state] : std::exchange(streams, {})) {
    if (!state->peer_done || !state->we_done) state->broken = why;
    state->notify();
  }
  queued_changed.set();
  notify();
}

void SpdySession::Core::forget_if_done(const StatePtr& state) {
  if (state->peer_done && state->we_done) streams.erase(state->id);
}

void SpdySession::Core::break_stream(const StatePtr& state, Error why) {
  state->broken = std::move(why);
  unread -= std::exchange(state->unread, {}).size();
  streams.erase(state->id);
  state->notify();
  notify();
}

// The owner of a stream took bytes: the peer may send as many again.
void SpdySession::Core::took(SpdyStream::State& state, size_t size) {
  unread -= size;
  state.unreported += static_cast<uint32_t>(size);
  unreported += static_cast<uint32_t>(size);
  if (state.unreported >= kUpdateAfter && !state.peer_done) {
    queue_simple(SpdyType::window_update, state.id, std::exchange(state.unreported, 0));
  }
  if (unreported >= kUpdateAfter) queue_simple(SpdyType::window_update, 0, std::exchange(unreported, 0));
  notify();
}

void SpdySession::Core::receive_open(SpdyFrame& frame) {
  if (going_away) return;
  bool valid = frame.stream % 2 == peer_parity && frame.stream > last_peer_id;
  if (!valid) return queue_simple(SpdyType::rst_stream, frame.stream, SpdyReset::protocol_error);
  last_peer_id = frame.stream;
  if (streams.size() >= limits.max_streams) {
    return queue_simple(SpdyType::rst_stream, frame.stream, SpdyReset::refused_stream);
  }
  auto state = std::make_shared<SpdyStream::State>(shared_from_this(), frame.stream, loop);
  state->headers = std::move(frame.headers);
  state->peer_done = frame.fin;
  state->we_done = frame.unidirectional;
  state->window = initial_window;
  state->replied = true;
  SpdyFrame reply;
  reply.type = SpdyType::syn_reply;
  reply.stream = frame.stream;
  queue(reply);
  streams[state->id] = state;
  forget_if_done(state);
  arrived.push_back(std::move(state));
}

void SpdySession::Core::receive_data(SpdyFrame& frame) {
  auto found = streams.find(frame.stream);
  if (found == streams.end()) return;  // reset on our side; what is still under way is dropped
  auto state = found->second;
  if (state->peer_done) {
    queue_simple(SpdyType::rst_stream, state->id, SpdyReset::stream_already_closed);
    return break_stream(state, closed("the peer sent more after its end"));
  }
  unread += frame.payload.size();
  state->unread += frame.payload;
  state->peer_done = frame.fin;
  forget_if_done(state);
  state->notify();
}

// What came before the peer's end stays readable; otherwise all is lost.
void SpdySession::Core::receive_reset(const SpdyFrame& frame) {
  auto found = streams.find(frame.stream);
  if (found == streams.end()) return;
  auto state = found->second;
  if (!state->peer_done) return break_stream(state, closed("the stream was reset, status " + std::to_string(frame.value)));
  state->we_done = true;
  forget_if_done(state);
  state->notify();
}

void SpdySession::Core::receive_window(const SpdyFrame& frame) {
  peer_has_windows = true;
  auto found = streams.find(frame.stream);
  int64_t* which = frame.stream == 0 ? &window : found != streams.end() ? &found->second->window : nullptr;
  if (!which) return;
  *which = std::min(*which + frame.value, int64_t{1} << 40);
  if (frame.stream != 0) return found->second->notify();
  for (const auto& [id, state] : streams) state->notify();
}

void SpdySession::Core::receive_settings(const SpdyFrame& frame) {
  for (const auto& [id, value] : frame.settings) {
    if (id != kSpdyInitialWindowSetting) continue;
    peer_has_windows = true;
    int64_t change = int64_t{value} - initial_window;
    initial_window = value;
    for (const auto& [number, state] : streams) {
      state->window += change;
      state->notify();
    }
  }
}

void SpdySession::Core::receive(SpdyFrame frame) {
  auto found = streams.find(frame.stream);
  auto state = found == streams.end() ? nullptr : found->second;
  switch (frame.type) {
    case SpdyType::data:
      return receive_data(frame);
    case SpdyType::syn_stream:
      return receive_open(frame);
    case SpdyType::syn_reply:
    case SpdyType::headers:
      if (!state) return;
      state->replied = true;
      state->peer_done = state->peer_done || frame.fin;
      forget_if_done(state);
      return state->notify();
    case SpdyType::rst_stream:
      return receive_reset(frame);
    case SpdyType::settings:
      return receive_settings(frame);
    case SpdyType::ping:
      if (frame.value % 2 == peer_parity) queue_simple(SpdyType::ping, 0, frame.value);
      return;
    case SpdyType::goaway:
      going_away = true;
      return;
    case SpdyType::window_update:
      return receive_window(frame);
  }
}

Task<void> SpdySession::Core::read_frames(std::shared_ptr<Core> core) {
  while (true) {
    while (core->unread > core->limits.max_unread || core->queued.size() > kMaxPending) co_await core->changed.wait();
    auto next = co_await core->parser.next();
    if (next) {
      core->receive(std::move(*next));
      core->notify();
      continue;
    }
    std::string bytes = co_await core->stream->read();
    if (bytes.empty()) co_await loop::fail(closed("the connection has ended"));
    core->parser.feed(bytes);
  }
}

Task<void> SpdySession::Core::read_all(std::shared_ptr<Core> core) {
  auto result = co_await read_frames(core).result();
  Error why = result.ok() ? closed("the connection has ended") : std::move(result).error();
  if (!why.is(Code::closed)) core->queue_simple(SpdyType::goaway, core->last_peer_id, kGoawayProtocolError);
  co_await loop::with_timeout(core->loop, flush(core), core->limits.linger).result();
  core->end(why);
  core->stream->close();
}

Task<void> SpdySession::Core::write_queued(std::shared_ptr<Core> core) {
  while (true) {
    while (core->queued.empty()) {
      if (core->over.is_set()) co_return;
      core->queued_changed.reset();
      co_await core->queued_changed.wait();
    }
    std::string bytes = std::exchange(core->queued, {});
    uint64_t size = bytes.size();
    auto written = co_await loop::write_text(*core->stream, std::move(bytes)).result();
    if (!written.ok()) {
      core->end(written.error());
      co_return;
    }
    core->sent_total += size;
    core->notify();
  }
}

Task<void> SpdySession::Core::flush(std::shared_ptr<Core> core) {
  uint64_t position = core->queued_total;
  while (core->sent_total < position) {
    if (core->over.is_set()) co_await loop::fail(closed("the connection has ended"));
    co_await core->changed.wait();
  }
}

// --- Streams --------------------------------------------------------------------------------------

SpdyStream::SpdyStream(std::shared_ptr<State> state) : state_(std::move(state)) {}

SpdyStream::~SpdyStream() {
  state_->core->unread -= std::exchange(state_->unread, {}).size();
  state_->core->notify();
  if (!state_->peer_done || !state_->we_done) reset(SpdyReset::cancel);
}

uint32_t SpdyStream::id() const { return state_->id; }
const Headers& SpdyStream::headers() const { return state_->headers; }

Task<std::string> SpdyStream::read() {
  auto state = state_;
  while (state->unread.empty()) {
    if (state->peer_done) co_return std::string();
    if (state->broken) co_await loop::fail(*state->broken);
    co_await state->changed.wait();
  }
  std::string bytes = std::exchange(state->unread, {});
  state->core->took(*state, bytes.size());
  co_return std::move(bytes);
}

Task<void> SpdyStream::write(std::string bytes) {
  auto state = state_;
  auto core = state->core;
  size_t at = 0;
  while (at < bytes.size()) {
    if (state->broken) co_await loop::fail(*state->broken);
    if (state->we_done) co_await loop::fail(closed("the stream is finished on this side"));
    size_t size = std::min(bytes.size() - at, kMaxPiece);
    if (core->peer_has_windows) {
      int64_t open = std::min(state->window, core->window);
      if (open <= 0) {
        co_await state->changed.wait();
        continue;
      }
      size = std::min(size, static_cast<size_t>(open));
    }
    state->window -= static_cast<int64_t>(size);
    core->window -= static_cast<int64_t>(size);
    SpdyFrame frame;
    frame.stream = state->id;
    frame.payload = bytes.substr(at, size);
    core->queue(frame);
    at += size;
    co_await SpdySession::Core::flush(core);
  }
}

Task<void> SpdyStream::finish() {
  auto state = state_;
  if (state->we_done || state->broken) co_return;
  state->we_done = true;
  SpdyFrame frame;
  frame.stream = state->id;
  frame.fin = true;
  state->core->queue(frame);
  state->core->forget_if_done(state);
  co_await SpdySession::Core::flush(state->core);
}

void SpdyStream::reset(uint32_t status) {
  auto& core = *state_->core;
  if (state_->broken || (state_->peer_done && state_->we_done)) return;
  core.queue_simple(SpdyType::rst_stream, state_->id, status);
  core.break_stream(state_, closed("the stream was reset on this side"));
}

// --- The session ----------------------------------------------------------------------------------

SpdySession::SpdySession(loop::Loop& loop, std::unique_ptr<loop::Stream> stream, SpdyRole role, SpdySessionLimits limits)
    : core_(std::make_shared<Core>(loop, std::move(stream), role, limits)), scope_(loop) {
  scope_.spawn(Core::write_queued(core_));
  scope_.spawn(Core::read_all(core_));
}

SpdySession::~SpdySession() {
  scope_.cancel();
  core_->end(closed("the session was closed"));
  core_->arrived.clear();
  core_->stream->close();
}

Task<std::unique_ptr<SpdyStream>> SpdySession::accept() {
  auto core = core_;
  while (core->arrived.empty()) {
    if (core->over.is_set() || core->going_away) co_await loop::fail(closed("the peer opens no more streams"));
    co_await core->changed.wait();
  }
  auto state = std::move(core->arrived.front());
  core->arrived.pop_front();
  co_return std::make_unique<SpdyStream>(std::move(state));
}

Task<std::unique_ptr<SpdyStream>> SpdySession::open(Headers headers) {
  auto core = core_;
  if (core->over.is_set() || core->going_away) co_await loop::fail(closed("the session takes no more streams"));
  if (core->next_id > kMaxStream - 2) co_await loop::fail(closed("the session has used up its stream numbers"));
  auto state = std::make_shared<SpdyStream::State>(core, core->next_id, core->loop);
  core->next_id += 2;
  state->headers = headers;
  state->window = core->initial_window;
  core->streams[state->id] = state;
  SpdyFrame frame;
  frame.type = SpdyType::syn_stream;
  frame.stream = state->id;
  frame.headers = std::move(headers);
  core->queue(frame);
  auto opened = std::make_unique<SpdyStream>(state);
  while (!state->replied) {
    if (state->broken) co_await loop::fail(*state->broken);
    co_await state->changed.wait();
  }
  co_return std::move(opened);
}

Task<void> SpdySession::ended() {
  auto core = core_;
  co_await core->over.wait();
}

Task<void> SpdySession::close() {
  auto core = core_;
  if (core->over.is_set()) co_return;
  core->going_away = true;
  core->queue_simple(SpdyType::goaway, core->last_peer_id, kGoawayOk);
  core->notify();
  auto flushed = co_await loop::with_timeout(core->loop, Core::flush(core), core->limits.linger).result();
  if (!flushed.ok()) co_return;
  co_await core->stream->shutdown().result();
  co_await loop::with_timeout(core->loop, ended(), core->limits.linger).result();
}

}  // namespace orch::wire
