#pragma once
// What went wrong, as a value. Nothing of ours throws: a fallible function returns Result<T>.
// The bottom of a call chain says why (`Error::make`), callers add context (`with_context`).
// One table (error.cpp) maps a code to the HTTP status, Status.reason and exit code.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace orch {

// The reasons of Kubernetes' metav1.Status, and what exists only inside the process.
enum class Code : uint8_t {
  bad_request,
  unauthorized,
  forbidden,
  not_found,
  already_exists,
  conflict,
  gone,
  expired,
  invalid,
  method_not_allowed,
  not_acceptable,
  unsupported_media_type,
  too_large,
  too_many_requests,
  timeout,
  server_timeout,
  internal,
  unavailable,
  not_implemented,
  // inside the process
  io,         // a system call failed; see error_number
  cancelled,  // the waiting task was given up
  closed,     // end of stream, connection gone
  usage,      // wrong command line
  parse,      // text or bytes that are not of the expected form
};

struct CodeInfo {
  Code code;
  std::string_view name;    // snake_case name, for logs
  int http_status;          // e.g. 404
  std::string_view reason;  // metav1.StatusReason, e.g. "NotFound"; "" for an unknown reason
  int exit_code;            // of the command line
};

const CodeInfo& code_info(Code code);

// The code whose Status.reason is `reason` ("NotFound"), or by HTTP status where the reason is
// empty or unknown; Code::internal where nothing fits.
Code code_from_status(std::string_view reason, int http_status);

// One entry of Status.details.causes: `reason` is e.g. "FieldValueRequired", `field` a path such as
// "spec.containers[0].name", `message` the text after "field: ".
struct Cause {
  std::string reason;
  std::string field;
  std::string message;
  bool operator==(const Cause&) const = default;
};

class [[nodiscard]] Error {
 public:
  static Error make(Code code, std::string message);
  // From a failed system call: the message becomes "<what>: <strerror>".
  static Error from_errno(int error_number, std::string_view what);
  static Error from_causes(std::string message, std::vector<Cause> causes);  // Code::invalid

  Error(const Error& other);
  Error& operator=(const Error& other);
  Error(Error&&) noexcept = default;
  Error& operator=(Error&&) noexcept = default;
  ~Error() = default;

  Code code() const { return body_->code; }
  bool is(Code code) const { return body_->code == code; }
  int error_number() const { return body_->error_number; }
  const std::string& message() const { return body_->message; }
  const std::vector<Cause>& causes() const { return body_->causes; }

  // What the error is about, for Status.details (all may be empty).
  const std::string& group() const { return body_->group; }
  const std::string& kind() const { return body_->kind; }
  const std::string& name() const { return body_->name; }
  // Seconds after which a retry can help; 0: not said.
  int retry_after_seconds() const { return body_->retry_after_seconds; }

  Error with_context(std::string_view context) &&;  // "<context>: <message>"
  Error with_code(Code code) &&;
  Error about(std::string_view group, std::string_view kind, std::string_view name) &&;
  Error with_retry_after(int seconds) &&;
  // Of an expired list: the token to go on with, inconsistently.
  const std::string& continue_token() const { return body_->continue_token; }
  Error with_continue(std::string token) &&;

 private:
  struct Body {
    Code code = Code::internal;
    int error_number = 0;
    int retry_after_seconds = 0;
    std::string message;
    std::vector<Cause> causes;
    std::string group, kind, name;
    std::string continue_token;
  };
  explicit Error(std::unique_ptr<Body> body) : body_(std::move(body)) {}
  std::unique_ptr<Body> body_;  // errors are rare: keep Result<T> small
};

}  // namespace orch
