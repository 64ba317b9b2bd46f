#!/usr/bin/env bash
# Builds everything and runs every test; the last line is `N passed, N failed[, N skipped]`.
#   --quick          the pure tests only: no release build, no test/e2e
#   --fuzz-replay    only the corpora of the fuzz targets
# ORCH_E2E_TIMEOUT bounds each test/e2e script, in seconds.
set -euo pipefail
. "$(dirname "$0")/common.sh"

quick=no
only=()
passed=0
failed=0
skipped=0

add() {
  passed=$((passed + $1))
  failed=$((failed + $2))
  skipped=$((skipped + $3))
}

finish() {
  local totals="$passed passed, $failed failed"
  [ "$skipped" -eq 0 ] || totals="$totals, $skipped skipped"
  printf '\n%s\n' "$totals"
  [ "$failed" -eq 0 ] || exit 1
  exit 0
}

# A build that fails is a failure to report like any other, and the end of the run.
must() {
  "$@" && return 0
  say "failed: $*"
  add 0 1 0
  finish
}

build_tests() {
  # -O1 and -g1 (meson.build): the sanitizers' reports stay readable, the build short.
  configure build-test -Dtests=true -Db_sanitize=address,undefined -Doptimization=1 \
    -Db_lundef=false && ninja -C build-test
}

run_unit_tests() {
  rm -f build-test/test/*_test.xml build-test/meson-logs/testlog.json
  # Its status is in the log too; a failing test must not end this script.
  meson test -C build-test --no-rebuild --print-errorlogs "${only[@]}" || true
  if [ ! -f build-test/meson-logs/testlog.json ]; then
    add 0 1 0
    return
  fi
  # shellcheck disable=SC2046  # three numbers
  add $(python3 scripts/count_tests.py build-test)
}

# run_e2e <script>: its totals line counts; without one, the script is one test.
run_e2e() {
  local script="$1" name log status=0 line
  name="$(basename "$script")"
  log="build-test/e2e/$name.log"
  say "$script"
  timeout --kill-after=10 "${ORCH_E2E_TIMEOUT:-600}" "$script" >"$log" 2>&1 </dev/null || status=$?
  line="$(grep -E '^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$' "$log" | tail -n 1 || true)"
  local p=0 f=0 s=0
  if [ -n "$line" ]; then
    read -r p f s < <(tr -c '0-9\n' ' ' <<<"$line") || true
    s="${s:-0}"
  elif [ "$status" -eq 0 ]; then
    p=1
  fi
  # Killed, timed out or failed outside its own count.
  if [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then f=1; fi
  if [ "$f" -ne 0 ]; then cat "$log"; fi
  grep -h '^SKIP' "$log" || true
  say "$name: $p passed, $f failed, $s skipped (exit $status)"
  add "$p" "$f" "$s"
}

run_all_e2e() {
  local script
  mkdir -p build-test/e2e
  export ORCH_BIN="$repo_root/build/orch"
  for script in test/e2e/*.sh test/e2e/*.py; do
    if [ -f "$script" ] && [ -x "$script" ]; then run_e2e "$script"; fi
  done
  run_e2e scripts/vm-test.sh
}

for argument in "$@"; do
  case "$argument" in
    --quick) quick=yes ;;
    --fuzz-replay) quick=yes only=(--suite fuzz) ;;
    *) die "usage: scripts/test.sh [--quick] [--fuzz-replay]" ;;
  esac
done

cd "$repo_root"
must scripts/setup.sh --tests
must build_tests
run_unit_tests
if [ "$quick" = no ]; then
  must scripts/build.sh
  run_all_e2e
fi
finish
