#!/usr/bin/env bash
# Leaves one stripped static-pie binary: build/orch. Arguments go to meson setup.
set -euo pipefail
. "$(dirname "$0")/common.sh"

cd "$repo_root"
scripts/setup.sh
configure build "$@"
ninja -C build orch
say "build/orch: $(stat -c %s build/orch) bytes"
