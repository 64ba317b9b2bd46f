#pragma once
// The shim of a pod: one epoll loop over its children, their pipes and the socket that orch speaks through.

#include "shim/container.h"
#include "steps/protocol.h"

namespace orch::shim {

using steps::kListenerFd, steps::kReadyFd, steps::kStepsFd;

class Pod {
 public:
  // Becomes the pod: sets up the sandbox by its steps and says "ready" or a Report through kReadyFd.
  bool begin(bool shared_pid_namespace);
  int run();

 private:
  // pod.cpp
  void handle(const Source& source);
  void accept_client();
  void drop_client(Client* client);
  void reap();
  bool take_exit(pid_t pid, int status);
  int timeout() const;

  // pod_commands.cpp
  void read_client(Client* client);
  void answer(Client* client, steps::Unpacker& message, int* fds);
  void say_hello(Client* client, uint32_t request);
  void start(Client* client, steps::Unpacker& message, int steps_fd);
  void execute(Client* client, steps::Unpacker& message, int steps_fd);
  void attach(Client* client, steps::Unpacker& message);
  void send_signal(Client* client, steps::Unpacker& message);
  void resize(Client* client, steps::Unpacker& message);
  void forget(Client* client, steps::Unpacker& message);
  void shut_down(Client* client, uint32_t request);
  void send_done(Client* client, uint32_t request);
  void send_failed(Client* client, uint32_t request, int error, int code, std::string_view text);
  void report_container(const Container& container, Client* only = nullptr);
  void broadcast(std::string_view message, Client* only = nullptr);

  // pod_containers.cpp
  void read_reports(Container* container);
  void read_exec_reports(Exec* exec);
  void finish_exec(Exec* exec);
  void read_output(Container* container, bool error);
  void copy_to_attached(Container* container, bool error, std::string_view bytes);
  void finish_if_drained(Container* container, bool now);
  void watch(int fd, Source& source);
  void unwatch(sys::Fd& fd);
  Container* find(std::string_view id);

  sys::Fd epoll_, listener_, signals_;
  Source signal_source_{Source::Kind::child_signal, this}, listener_source_{Source::Kind::listener, this};
  Client* clients_ = nullptr;
  Container* containers_ = nullptr;
  Exec* execs_ = nullptr;
  pid_t pause_ = 0;  // the first process of a shared pid namespace
  uint64_t last_key_ = 0;
  Client* shutdown_client_ = nullptr;
  uint32_t shutdown_request_ = 0;
  bool ending_ = false;
};

}  // namespace orch::shim
