#!/usr/bin/env bash
# Benchmarks: scripts/bench.sh [NAME]; NAME is api or scheduler, all without one. Prints figures; asserts
# nothing. Peers come with the issue on numbers.
set -euo pipefail
. "$(dirname "$0")/common.sh"

bench_api() {
  ORCH_BIN="${ORCH_BIN:-build/orch}" python3 test/bench/api_bench.py
}

bench_scheduler() {
  local program=build/test/bench/scheduler_bench
  [ -x "$program" ] || program="$(find build* -name scheduler_bench -type f -perm -u+x 2>/dev/null | head -n 1)"
  if [ -z "$program" ]; then
    say 'SKIP: scheduler: not built (docs/performance.md has the command)'
    return
  fi
  "$program"
}

scripts/build.sh
for name in "${@:-api scheduler}"; do
  for one in $name; do
    say "benchmark: $one"
    "bench_$one"
  done
done
