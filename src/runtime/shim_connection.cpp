#include "runtime/shim_connection.h"

namespace orch::runtime {

using loop::Task;
using steps::Kind;

ShimConnection::ShimConnection(loop::UvLoop& loop, sys::Fd socket, std::function<void(steps::Unpacker)> on_event,
                               std::function<void()> on_closed)
    : loop_(loop), socket_(std::move(socket)), on_event_(std::move(on_event)), on_closed_(std::move(on_closed)) {
  auto readable = [this] { read(); };
  watch_ = std::make_unique<loop::FdWatch>(loop_, socket_.get(), readable);
}

ShimConnection::~ShimConnection() {
  on_closed_ = {};
  close();
}

std::optional<ShimConnection::Failure> ShimConnection::failure_of(const Answer& answer) {
  steps::Unpacker message = answer.unpack();
  if (message.kind() != Kind::failed) return std::nullopt;
  Failure failure;
  failure.error = static_cast<int>(message.number());
  failure.code = static_cast<int>(message.number());
  failure.text = message.text();
  return failure;
}

Task<ShimConnection::Answer> ShimConnection::ask(Kind kind, Fields fields, std::shared_ptr<sys::Fd> fd) {
  if (!open_) co_await loop::fail(Error::make(Code::closed, "the pod's shim has gone"));
  std::vector<char> buffer(steps::kMaxMessage);
  steps::Packer packer(buffer.data(), buffer.size());
  const uint32_t request = ++last_request_;
  packer.head(kind, request);
  if (fields) fields(packer);
  if (!packer.ok()) co_await loop::fail(Error::make(Code::too_large, "a request to the pod's shim is too long"));
  auto pending = std::make_shared<Pending>(loop_);
  pending_[request] = pending;
  const int with = fd ? fd->get() : -1;
  if (const int error = sys::send_message(socket_.get(), packer.view(), &with, fd ? 1 : 0)) {
    pending_.erase(request);
    co_await loop::fail(Error::from_errno(error, "send to the pod's shim").with_code(Code::closed));
  }
  co_await pending->answered.wait();
  if (pending->closed) co_await loop::fail(Error::make(Code::closed, "the pod's shim has gone"));
  co_return std::move(pending->answer);
}

Task<ShimConnection::Answer> ShimConnection::call(Kind kind, Fields fields, std::shared_ptr<sys::Fd> fd) {
  Answer answer = co_await ask(kind, std::move(fields), std::move(fd));
  if (auto failure = failure_of(answer)) {
    const Code code = failure->error == ESRCH ? Code::not_found : Code::internal;
    co_await loop::fail(Error::make(code, failure->text));
  }
  co_return std::move(answer);
}

void ShimConnection::read() {
  if (buffer_.empty()) buffer_.resize(steps::kMaxMessage);
  int fds[sys::kMaxFds];
  const ssize_t n = sys::receive_message(socket_.get(), buffer_.data(), buffer_.size(), fds);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) return close();
  take(std::string_view(buffer_.data(), static_cast<size_t>(n)), fds);
}

void ShimConnection::take(std::string_view bytes, int* fds) {
  std::vector<sys::Fd> owned;
  for (int i = 0; i < sys::kMaxFds; ++i) {
    if (fds[i] >= 0) owned.emplace_back(fds[i]);
  }
  steps::Unpacker message(bytes);
  const auto known = pending_.find(message.request());
  if (message.request() == 0 || known == pending_.end()) {
    if (message.request() == 0) on_event_(message);
    return;
  }
  auto pending = known->second;
  pending_.erase(known);
  pending->answer.bytes = bytes;
  pending->answer.fds = std::move(owned);
  pending->answered.set();
}

void ShimConnection::close() {
  if (!open_) return;
  open_ = false;
  watch_.reset();
  for (auto& [request, pending] : pending_) {
    pending->closed = true;
    pending->answered.set();
  }
  pending_.clear();
  if (on_closed_) loop_.defer(std::exchange(on_closed_, {}));
}

}  // namespace orch::runtime
