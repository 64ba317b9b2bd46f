#pragma once
// Result<T>: a T or an Error. TRY unwraps or returns the error to the caller:
//
//   TRY(auto value, parse_json(text));   // declares value, or returns the Error
//   TRY_VOID(check(value));
//
// In a coroutine `co_await` does the same, for a Task and for a plain Result (loop/task.h).
// (The macros are statements: g++ 12 crashes on co_await inside a statement expression.)

#include <utility>
#include <variant>

#include "base/check.h"
#include "base/error.h"

namespace orch {

template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit
  template <class U>
    requires(std::is_convertible_v<U, T> && !std::is_same_v<std::remove_cvref_t<U>, T> &&
             !std::is_same_v<std::remove_cvref_t<U>, Result> &&
             !std::is_same_v<std::remove_cvref_t<U>, Error>)
  Result(U&& value) : state_(std::in_place_index<0>, std::forward<U>(value)) {}  // NOLINT

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // Precondition: ok(). A violated one is a bug and aborts.
  T& value() & { return *checked(); }
  const T& value() const& { return *const_cast<Result*>(this)->checked(); }
  T&& value() && { return std::move(*checked()); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return checked(); }
  const T* operator->() const { return const_cast<Result*>(this)->checked(); }
  T value_or(T fallback) && { return ok() ? std::move(*checked()) : std::move(fallback); }

  // Precondition: !ok().
  const Error& error() const& {
    ORCH_CHECK(!ok());
    return *std::get_if<1>(&state_);
  }
  Error&& error() && {
    ORCH_CHECK(!ok());
    return std::move(*std::get_if<1>(&state_));
  }
  Result with_context(std::string_view context) && {
    if (ok()) return std::move(*this);
    return std::move(*this).error().with_context(context);
  }

 private:
  T* checked() {
    ORCH_CHECK(ok());
    return std::get_if<0>(&state_);
  }
  std::variant<T, Error> state_;
};

struct Unit {
  bool operator==(const Unit&) const = default;
};

template <>
class [[nodiscard]] Result<void> : public Result<Unit> {
 public:
  Result() : Result<Unit>(Unit{}) {}
  Result(Unit) : Result<Unit>(Unit{}) {}                   // NOLINT: implicit
  Result(Error error) : Result<Unit>(std::move(error)) {}  // NOLINT: implicit
  Result with_context(std::string_view context) && {
    if (ok()) return Result();
    return std::move(*this).error().with_context(context);
  }
};

}  // namespace orch

#define ORCH_CONCAT_(a, b) a##b
#define ORCH_CONCAT(a, b) ORCH_CONCAT_(a, b)
#define ORCH_TRY_(tmp, decl, expr)              \
  auto tmp = (expr);                            \
  if (!tmp.ok()) return std::move(tmp).error(); \
  decl = std::move(tmp).value()
#define TRY(decl, ...) ORCH_TRY_(ORCH_CONCAT(try_, __COUNTER__), decl, (__VA_ARGS__))
#define TRY_VOID(...)                                               \
  do {                                                              \
    if (auto try_result = (__VA_ARGS__); !try_result.ok())          \
      return std::move(try_result).error();                         \
  } while (false)
