#include "runtime/shim_program.h"

#include <sys/mman.h>

extern "C" {
extern const char orch_shim_program_begin[];
extern const char orch_shim_program_end[];
}

namespace orch::runtime {

std::string_view shim_program() {
  return {orch_shim_program_begin, static_cast<size_t>(orch_shim_program_end - orch_shim_program_begin)};
}

Result<sys::Fd> open_shim_program() {
  sys::Fd file(::memfd_create("orch-shim", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file.ok()) return Error::from_errno(errno, "memfd_create");
  if (const int error = sys::write_all(file.get(), shim_program())) return Error::from_errno(error, "writing the shim to memory");
  if (::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) != 0) {
    return Error::from_errno(errno, "sealing the shim");
  }
  return file;
}

}  // namespace orch::runtime
