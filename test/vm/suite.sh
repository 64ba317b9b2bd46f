#!/bin/sh
# What needs a kernel with only cgroup v2 and all of its controllers. Runs inside the virtual machine; the last line is
# `N passed, N failed`. Everything is a factor of ten slower here than on a machine.
passed=0
failed=0

# expect WHAT ACTUAL WANTED
expect() {
  if [ "$2" = "$3" ]; then
    passed=$((passed + 1))
    echo "ok      $1"
  else
    failed=$((failed + 1))
    echo "FAILED  $1: '$2', wanted '$3'"
  fi
}

# until_true SECONDS COMMAND...: true once the command is.
until_true() {
  local end=$(($(cut -d. -f1 /proc/uptime) + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$(cut -d. -f1 /proc/uptime)" -lt "$end" ] || return 1
    sleep 0.2
  done
}

# value FILE KEY: of a file with a key and a number a line.
value() { awk -v key="$2" '$1 == key { print $2 }' "$1" 2>/dev/null; }

for part in /payload/parts/*.sh; do
  echo "== $part ($(cut -d. -f1 /proc/uptime) s)"
  . "$part"
done
echo "== the end ($(cut -d. -f1 /proc/uptime) s)"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
