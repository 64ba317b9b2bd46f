#!/usr/bin/env bash
# From a fresh Debian or Ubuntu machine to a running application, as root: installs what the build needs, builds, starts
# a single-node cluster, imports an image made of the machine's own busybox, applies manifests/quickstart.yaml, waits,
# talks to the application through its Service, and says how to go on and how to stop. Repeatable.
#   ORCH_DATA_DIR  where the cluster keeps its state (default: ./data)
#   ORCH_PORT      of the API (default: 6443)
#   ORCH_BIN       a binary that is built already
set -euo pipefail
. "$(dirname "$0")/common.sh"

cd "$repo_root"
data_dir="${ORCH_DATA_DIR:-$repo_root/data}"
port="${ORCH_PORT:-6443}"
image=docker.io/library/busybox:latest
manifest="$repo_root/manifests/quickstart.yaml"

[ "$(id -u)" -eq 0 ] || die "run this as root: containers need namespaces, mounts and links"

find_busybox() {
  local path
  for path in /bin/busybox /usr/bin/busybox; do
    if [ -x "$path" ] && ! ldd "$path" >/dev/null 2>&1; then printf '%s\n' "$path"; return 0; fi
  done
  return 1
}

install_busybox() {
  find_busybox >/dev/null && return 0
  say "installing busybox-static"
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends busybox-static >/dev/null 2>&1 ||
    { apt-get update >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends busybox-static >/dev/null; }
  find_busybox >/dev/null || die "no static busybox; install the package busybox-static"
}

# A root file system of one program under all its names, as a tar on standard output.
busybox_rootfs() {
  local root applet
  root="$(mktemp -d)"
  mkdir -p "$root/bin" "$root/etc" "$root/tmp" "$root/root" "$root/var/www"
  chmod 1777 "$root/tmp"
  cp "$(find_busybox)" "$root/bin/busybox"
  for applet in $("$root/bin/busybox" --list); do
    [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
  done
  printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$root/etc/passwd"
  printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
  tar -C "$root" --owner=0 --group=0 --numeric-owner -cf - .
  rm -rf "$root"
}

server_runs() {
  local pid
  pid="$(cat "$data_dir/server.pid" 2>/dev/null)" || return 1
  [ "$(readlink "/proc/$pid/exe" 2>/dev/null)" = "$(readlink -f "$orch")" ]
}

start_server() {
  if server_runs; then
    say "the server runs already (pid $(cat "$data_dir/server.pid"))"
    return 0
  fi
  mkdir -p "$data_dir"
  say "starting orch server, data in $data_dir, log in $data_dir/server.log"
  setsid "$orch" server --data-dir "$data_dir" --https-listen-port "$port" >>"$data_dir/server.log" 2>&1 </dev/null &
  printf '%s\n' "$!" >"$data_dir/server.pid"
}

# wait_until <seconds> <what> <command...>: polls, because nothing tells a script.
wait_until() {
  local seconds="$1" what="$2" i
  shift 2
  for ((i = 0; i < seconds * 10; i++)); do
    "$@" >/dev/null 2>&1 && return 0
    server_runs || die "the server has ended; its last words:
$(tail -n 5 "$data_dir/server.log")"
    sleep 0.1
  done
  die "$what did not happen within $seconds s; see $data_dir/server.log"
}

if [ -n "${ORCH_BIN:-}" ]; then
  orch="$ORCH_BIN"
else
  scripts/build.sh
  orch="$repo_root/build/orch"
fi
install_busybox
start_server
export KUBECONFIG="$data_dir/kubeconfig"
wait_until 60 "the API's start" "$orch" get nodes
wait_until 60 "the node" "$orch" wait --for=condition=Ready node --all --timeout=1s

if ! "$orch" image ls --data-dir "$data_dir" | grep -q '^docker.io/library/busybox '; then
  say "importing $image"
  busybox_rootfs | "$orch" image import - --name "$image" --data-dir "$data_dir"
fi

say "orch apply -f manifests/quickstart.yaml"
"$orch" apply -f "$manifest"
"$orch" rollout status deployment/hello --timeout=120s
"$orch" get nodes,deployments,replicasets,pods,services -o wide

address="$("$orch" get service hello -o jsonpath='{.spec.clusterIP}:{.spec.ports[0].port}')"
ask_service() { exec 3<>"/dev/tcp/${address%:*}/${address##*:}" && printf 'GET / HTTP/1.0\r\n\r\n' >&3 && cat <&3; }
say "GET http://$address/ (the Service)"
wait_until 30 "an answer of the Service" ask_service
ask_service | tr -d '\r' | sed '1,/^$/d'

cat <<TEXT

It runs. To go on:
  export KUBECONFIG=$KUBECONFIG
  $orch get pods                        (kubectl works the same)
  $orch logs deployment/hello
  $orch scale deployment/hello --replicas=5
To take it away and stop:
  $orch delete -f $manifest
  kill $(cat "$data_dir/server.pid")
Pods go on running while the server is stopped; delete first what shall end.
TEXT
