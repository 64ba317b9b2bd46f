#pragma once
// Standard input as it comes, and the terminal it may be: for the verbs that stream.

#include <memory>
#include <optional>
#include <string>

#include "loop/uv_loop.h"
#include "wire/remote_command.h"

namespace orch::cli {

class Terminal {
 public:
  virtual ~Terminal() = default;
  virtual bool is_terminal() const = 0;  // standard input
  // Some bytes of standard input; "" at its end. One at a time.
  virtual loop::Task<std::string> read() = 0;
  virtual std::optional<wire::WindowSize> size() const = 0;
  virtual loop::Event& size_changed() = 0;  // the owner resets it
  // Every key goes to the reader, until the result is destroyed.
  class Raw {
   public:
    virtual ~Raw() = default;
  };
  virtual Result<std::unique_ptr<Raw>> make_raw() = 0;
};

// Of this process. A signal that ends it while the terminal is raw puts the terminal back first.
std::unique_ptr<Terminal> process_terminal(loop::UvLoop& loop);

}  // namespace orch::cli
