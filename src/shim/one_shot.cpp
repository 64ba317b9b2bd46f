#include "shim/one_shot.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cstdlib>

#include "shim/execute.h"

namespace orch::shim {

namespace {

std::string_view map_file(int fd) {
  struct stat facts;
  if (::fstat(fd, &facts) != 0 || facts.st_size == 0) return {};
  void* at = ::mmap(nullptr, static_cast<size_t>(facts.st_size), PROT_READ, MAP_PRIVATE, fd, 0);
  return at == MAP_FAILED ? std::string_view() : std::string_view(static_cast<char*>(at), static_cast<size_t>(facts.st_size));
}

void tell(int fd, const Report& report) { sys::write_all(fd, {reinterpret_cast<const char*>(&report), sizeof report}); }

}  // namespace

int run_one_shot(int count, char** arguments) {
  if (count < 7) return 2;
  const int steps_fd = std::atoi(arguments[0]), report_fd = std::atoi(arguments[1]);
  SpawnOptions options;
  options.input = 0;
  options.output = 1;
  options.error = 2;
  options.console_socket = std::atoi(arguments[2]);
  options.start_fifo = std::atoi(arguments[3]);
  options.preserved_fds = static_cast<unsigned>(std::atoi(arguments[4]));
  options.terminal = std::atoi(arguments[5]) != 0;
  options.meeting_pipe = std::atoi(arguments[6]);
  Spawned spawned = spawn(map_file(steps_fd), options);
  if (spawned.pid < 0) {
    tell(report_fd, spawned.failure);
    return 1;
  }
  ::fcntl(spawned.reports.get(), F_SETFL, 0);
  for (;;) {
    Report report;
    size_t used = 0;
    while (used < sizeof report) {
      const ssize_t n = ::read(spawned.reports.get(), reinterpret_cast<char*>(&report) + used, sizeof report - used);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      used += static_cast<size_t>(n);
    }
    if (used < sizeof report) {  // the program runs
      report = Report{};
      report.what = Report::What::ready;
    }
    if (report.what == Report::What::ready || report.what == Report::What::met) report.code = spawned.pid;
    tell(report_fd, report);
    if (report.what == Report::What::refused || report.what == Report::What::met) continue;
    return report.what == Report::What::failed ? 1 : 0;
  }
}

}  // namespace orch::shim
