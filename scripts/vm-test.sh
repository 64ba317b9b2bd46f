#!/usr/bin/env bash
# Boots Debian's cloud kernel under QEMU, with only cgroup v2, and runs test/vm/suite.sh in it: what the controllers
# enforce, and the main job. The last line is `N passed, N failed[, N skipped]`.
#   ORCH_BIN  the binary to test (build/orch)
#   ORCH_VM_TIMEOUT  seconds for the whole machine (360)
set -euo pipefail
. "$(dirname "$0")/common.sh"

skip() {
  echo "SKIP: $*"
  echo "0 passed, 0 failed, 1 skipped"
  exit 0
}

[ "$(uname -m)" = x86_64 ] || skip "the virtual machine is for x86_64 only"
command -v qemu-system-x86_64 >/dev/null || skip "no qemu-system-x86_64; scripts/setup.sh --tests installs it"
command -v busybox >/dev/null || skip "no busybox-static; scripts/setup.sh --tests installs it"
kernel_dir="$debs_dir/kernel"
kernel="$(find "$kernel_dir/boot" -name 'vmlinuz-*' 2>/dev/null | head -n 1)"
[ -n "$kernel" ] || skip "no kernel below .debs/kernel; scripts/setup.sh --tests downloads it"

orch="${ORCH_BIN:-$repo_root/build/orch}"
# The dynamically linked binary of the test build would want its libraries.
if ! file_type="$(LC_ALL=C ldd "$orch" 2>&1)" || [ -z "$file_type" ]; then :; fi
case "$file_type" in
  *statically*|*"not a dynamic"*) ;;
  *) die "$orch is not statically linked; scripts/build.sh makes one that is" ;;
esac

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/root/bin" "$work/root/etc"
cp "$(command -v busybox)" "$work/root/bin/"
for applet in $(busybox --list); do
  [ "$applet" = busybox ] || ln -s busybox "$work/root/bin/$applet"
done
printf 'root:x:0:0:root:/root:/bin/sh\n' >"$work/root/etc/passwd"
tar -C "$work/root" -cf "$work/busybox.tar" .

say "packing the machine"
python3 "$repo_root/test/vm/make_image.py" --modules "$kernel_dir/lib/modules" \
  --module-list "$repo_root/test/vm/modules.list" --output "$work/image.cpio" \
  "$repo_root/test/vm/init=/init" "$(command -v busybox)=/bin/busybox" "$work/root/etc=/etc" \
  "$repo_root/test/vm/suite.sh=/payload/suite.sh" "$repo_root/test/vm/parts=/payload/parts" \
  "$orch=/payload/orch" "$work/root=/payload/busybox-root" "$work/busybox.tar=/payload/busybox.tar" \
  "$repo_root/manifests=/payload/manifests"

say "booting $(basename "$kernel")"
status=0
timeout --kill-after=5 "${ORCH_VM_TIMEOUT:-360}" qemu-system-x86_64 \
  -M q35 -accel tcg,thread=multi -cpu qemu64,+rdrand -smp 1 -m 2048 -nodefaults -no-user-config -display none \
  -no-reboot -serial stdio -kernel "$kernel" -initrd "$work/image.cpio" \
  -append "console=ttyS0 quiet panic=-1 tsc=reliable mitigations=off random.trust_cpu=on cgroup_no_v1=all" \
  </dev/null 2>"$work/qemu.err" | tr -d '\r' | tee "$work/console.log" || status=$?
totals="$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$work/console.log" | tail -n 1 || true)"
if [ -z "$totals" ]; then
  cat "$work/qemu.err" >&2
  [ "$status" -ne 124 ] || say "the machine took longer than ${ORCH_VM_TIMEOUT:-360} s"
  echo "0 passed, 1 failed"
  exit 1
fi
echo "$totals"
case "$totals" in *", 0 failed") exit 0 ;; *) exit 1 ;; esac
