#pragma once
// Objects on the heap without operator new, which would bring exceptions into the program. Out of memory ends the
// shim (the kernel would, too): what it was parent of ends with it, and orch starts the pod again.

#include <cstdlib>
#include <new>

namespace orch::shim {

template <class T>
T* make() {
  void* memory = std::malloc(sizeof(T));
  if (memory == nullptr) ::abort();
  return new (memory) T();
}

template <class T>
void destroy(T* object) {
  if (object == nullptr) return;
  object->~T();
  std::free(object);
}

}  // namespace orch::shim
