#pragma once
// Console: what a verb knows of the process it runs in: its three streams, the environment, files and
// the clock. Tests give it one in memory. Files are read and written at once: the program does nothing
// else meanwhile.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace orch::cli {

class Terminal;

class Console {
 public:
  virtual ~Console() = default;
  virtual void out(std::string_view text) = 0;
  virtual void error(std::string_view text) = 0;
  virtual Result<std::string> read_input() = 0;  // stdin up to its end
  virtual std::optional<std::string> variable(std::string_view name) const = 0;
  virtual Instant now() const = 0;
  // Standard input as it comes; null where there is none (tests).
  virtual Terminal* terminal() { return nullptr; }

  virtual Result<std::string> read_file(const std::string& path) = 0;
  virtual Result<void> write_file(const std::string& path, std::string_view text) = 0;  // mode 0600
  virtual bool exists(const std::string& path) const = 0;
  virtual bool is_directory(const std::string& path) const = 0;
  // Names of what a directory holds, sorted.
  virtual Result<std::vector<std::string>> list_directory(const std::string& path) = 0;
  // Runs the user's editor on a file and waits.
  virtual Result<int> run_editor(const std::string& command, const std::string& path) = 0;
};

class ProcessConsole final : public Console {
 public:
  // The terminal outlives it.
  explicit ProcessConsole(Terminal* terminal = nullptr) : terminal_(terminal) {}
  Terminal* terminal() override { return terminal_; }
  void out(std::string_view text) override;
  void error(std::string_view text) override;
  Result<std::string> read_input() override;
  std::optional<std::string> variable(std::string_view name) const override;
  Instant now() const override;
  Result<std::string> read_file(const std::string& path) override;
  Result<void> write_file(const std::string& path, std::string_view text) override;
  bool exists(const std::string& path) const override;
  bool is_directory(const std::string& path) const override;
  Result<std::vector<std::string>> list_directory(const std::string& path) override;
  Result<int> run_editor(const std::string& command, const std::string& path) override;

 private:
  Terminal* terminal_;
};

// A failure of ours (not of the server, not of the command line): exit 1, "error: <message>".
Error failure(std::string message);
// As kubectl words it: "Error from server (NotFound): ..." or "error: ...", with the newline.
std::string format_error(const Error& error);

}  // namespace orch::cli
