#!/usr/bin/env bash
# Fuzzes one parser with libFuzzer: scripts/fuzz.sh NAME SECONDS [libFuzzer's own flags]
# New inputs land in build-fuzz/corpus/NAME. One that crashes is left in build-fuzz/; when the
# fault is mended, put it into test/fuzz/corpus/NAME, where every test run replays it.
set -euo pipefail
. "$(dirname "$0")/common.sh"

[ "$#" -ge 2 ] || die "usage: scripts/fuzz.sh NAME SECONDS [flags]"
name="$1" seconds="$2"
shift 2

cd "$repo_root"
scripts/setup.sh --fuzz
export CC=clang-14 CXX=clang++-14
configure build-fuzz -Dfuzz=true -Db_sanitize=address,undefined -Doptimization=1 \
  -Db_lundef=false -Dwerror=false
ninja -C build-fuzz "test/fuzz/${name}_fuzz"
mkdir -p "build-fuzz/corpus/$name"
exec "build-fuzz/test/fuzz/${name}_fuzz" "build-fuzz/corpus/$name" "test/fuzz/corpus/$name" \
  -max_total_time="$seconds" -artifact_prefix="build-fuzz/$name-" "$@"
