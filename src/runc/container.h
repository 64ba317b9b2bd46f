#pragma once
// What is kept of a container between two commands: <root>/<id>/state.json, and beside it the fifo that a created
// container waits at.

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "data/value.h"
#include "runc/command.h"

namespace orch::runc {

enum class Status { creating, created, running, paused, stopped };
std::string_view status_name(Status status);

struct Container {
  std::string id;
  std::string directory;  // <root>/<id>
  std::string bundle;     // absolute
  std::string rootfs;     // absolute
  std::string cgroup;     // absolute directory; "" none
  Value config;
  Instant created;
  pid_t pid = 0;
  uint64_t started = 0;   // of that process, in clock ticks since boot: tells it from a later one with its number
  bool creating = true;

  std::string fifo() const { return directory + "/exec.fifo"; }
  Result<void> save() const;
};

// Into a new file, then in place of the old one. Not synced: after a crash of the machine there is no container either.
Result<void> replace_file(const std::string& path, std::string_view content, unsigned mode);

// Code::invalid for an id with other characters than runc's.
Result<void> check_id(const std::string& id);
// Code::not_found: "container does not exist".
Result<Container> load_container(const Context& context, const std::string& id);
Result<std::vector<Container>> load_all(const Context& context);

Status status_of(const Container& container);
// The state as the runtime specification has it (runtime.md, "State"); hooks get it, too.
Value state_value(const Container& container, Status status);

// Field 22 of /proc/<pid>/stat; 0 where there is no such process, or only its remains (a zombie).
uint64_t process_start(pid_t pid);
// All of the cgroup and of those below it; without one the first process alone.
std::vector<pid_t> processes_of(const Container& container);

}  // namespace orch::runc
