// The program's entry: composes the roles (server, agent) and the user's verbs.

#include <cstdio>
#include <string_view>

#include "orch/version.h"

int main(int argc, char** argv) {
  const std::string_view verb = argc > 1 ? argv[1] : "";
  if (verb == "version" || verb == "--version") {
    std::printf("orch %s (%s) kubernetes %s\n", ORCH_VERSION, ORCH_GIT_COMMIT,
                ORCH_KUBERNETES_VERSION);
    return 0;
  }
  std::fputs("usage: orch version\n", stderr);
  return 2;
}
