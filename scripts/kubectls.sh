#!/usr/bin/env bash
# Lists the kubectl binaries to test with, `<version> <path>` a line; says on stderr which of the
# versions that matter is not here, so that nobody takes a skipped version for a tested one.
set -euo pipefail
. "$(dirname "$0")/common.sh"

found="$(find_kubectls)"
for version in 1.20 1.27 1.28 1.29 1.30 1.31 1.32 1.33; do
  grep -q "^$version " <<<"$found" || printf 'SKIP: no kubectl %s on this machine\n' "$version" >&2
done
[ -z "$found" ] || printf '%s\n' "$found"
