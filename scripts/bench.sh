#!/usr/bin/env bash
# Benchmarks: scripts/bench.sh [--json] [NAME...]. NAME is a program test/bench/NAME_bench.py; all without one.
# Each measures orch and, in the same run, what a user would use instead, in at most two minutes; a table at the end
# (with --json: the rows, one object a line). Prints figures; asserts nothing. ORCH_BIN: a binary built already.
set -euo pipefail
. "$(dirname "$0")/common.sh"

cd "$repo_root"
json=no
names=()
for argument in "$@"; do
  case "$argument" in
    --json) json=yes ;;
    -*) die "usage: scripts/bench.sh [--json] [NAME...]" ;;
    *) names+=("$argument") ;;
  esac
done
if [ "${#names[@]}" -eq 0 ]; then
  for file in test/bench/*_bench.py; do names+=("$(basename "$file" _bench.py)"); done
fi

[ -n "${ORCH_BIN:-}" ] || scripts/build.sh
export ORCH_BIN="${ORCH_BIN:-$repo_root/build/orch}" PYTHONDONTWRITEBYTECODE=1
rows="$(mktemp -d)"
trap 'rm -rf "$rows"' EXIT
for name in "${names[@]}"; do
  [ -f "test/bench/${name}_bench.py" ] || die "no benchmark test/bench/${name}_bench.py"
  say "benchmark: $name"
  timeout --kill-after=10 150 python3 "test/bench/${name}_bench.py" >"$rows/$name" || say "$name did not end well"
done
if [ "$json" = yes ]; then
  for name in "${names[@]}"; do cat "$rows/$name"; done
else
  python3 test/bench/lib/table.py "${names[@]/#/$rows/}"
fi
