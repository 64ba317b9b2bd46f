#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "loop/fd.h"

namespace orch::cli {

using loop::Task;

namespace {

constexpr size_t kPiece = 32 * 1024;

class RawMode final : public Terminal::Raw {
 public:
  explicit RawMode(termios before) : before_(before) {}
  ~RawMode() override { restore(); }
  void restore() { ::tcsetattr(STDIN_FILENO, TCSANOW, &before_); }

 private:
  termios before_;
};

class ProcessTerminal final : public Terminal {
 public:
  explicit ProcessTerminal(loop::UvLoop& loop) : loop_(loop), readable_(loop), size_changed_(loop) {}

  bool is_terminal() const override { return ::isatty(STDIN_FILENO) == 1; }
  Task<std::string> read() override;
  std::optional<wire::WindowSize> size() const override;
  loop::Event& size_changed() override { return size_changed_; }
  Result<std::unique_ptr<Raw>> make_raw() override;

 private:
  loop::UvLoop& loop_;
  loop::Event readable_;
  loop::Event size_changed_;
  RawMode* raw_ = nullptr;
  bool hears_signals_ = false;
};

// A descriptor that others share (a terminal) must stay blocking: wait until there is something, then read once.
// Files are always ready, and epoll refuses them.
Task<std::string> ProcessTerminal::read() {
  struct stat info {};
  bool waits = ::fstat(STDIN_FILENO, &info) == 0 && (S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode) || is_terminal());
  if (waits) {
    readable_.reset();
    loop::FdWatch watch(loop_, STDIN_FILENO, [this] { readable_.set(); });
    co_await readable_.wait();
  }
  std::string bytes(kPiece, '\0');
  ssize_t n = 0;
  do {
    n = ::read(STDIN_FILENO, bytes.data(), bytes.size());
  } while (n < 0 && errno == EINTR);
  bytes.resize(n > 0 ? static_cast<size_t>(n) : 0);
  co_return std::move(bytes);
}

std::optional<wire::WindowSize> ProcessTerminal::size() const {
  winsize window{};
  if (::ioctl(STDIN_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col == 0) return std::nullopt;
  return wire::WindowSize{window.ws_col, window.ws_row};
}

Result<std::unique_ptr<Terminal::Raw>> ProcessTerminal::make_raw() {
  termios before{};
  if (::tcgetattr(STDIN_FILENO, &before) != 0) return Error::from_errno(errno, "read the terminal's settings");
  termios raw = before;
  ::cfmakeraw(&raw);
  if (::tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0) return Error::from_errno(errno, "change the terminal's settings");
  auto mode = std::make_unique<RawMode>(before);
  raw_ = mode.get();
  if (!hears_signals_) {
    hears_signals_ = true;
    loop_.on_signal(SIGWINCH, [this] { size_changed_.set(); });
    for (int number : {SIGTERM, SIGHUP}) {
      loop_.on_signal(number, [this, number] {
        if (raw_) raw_->restore();
        ::_exit(128 + number);
      });
    }
  }
  return std::unique_ptr<Raw>(std::move(mode));
}

}  // namespace

std::unique_ptr<Terminal> process_terminal(loop::UvLoop& loop) { return std::make_unique<ProcessTerminal>(loop); }

}  // namespace orch::cli
