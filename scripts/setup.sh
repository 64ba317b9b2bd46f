#!/usr/bin/env bash
# Installs what a build needs; --tests adds what the tests need, --fuzz clang. Asks the network
# only for what is missing, so that a machine that has everything can be offline.
set -euo pipefail
. "$(dirname "$0")/common.sh"

build_packages=(
  g++ meson ninja-build pkg-config git python3 ca-certificates
  rapidjson-dev libyaml-cpp-dev libuv1-dev libsqlite3-dev libssl-dev zlib1g-dev libzstd-dev libnghttp2-dev
  libfmt-dev libspdlog-dev libcli11-dev
  libseccomp-dev libc-ares-dev libcap-dev libnl-3-dev libnl-genl-3-dev libnl-route-3-dev
  libarchive-dev nettle-dev libacl1-dev liblzma-dev liblz4-dev libbz2-dev
)
test_packages=(
  curl openssl zstd
  skopeo umoci docker-registry busybox-static
  podman conmon crun runc qemu-system-x86 nftables iproute2 procps bind9-dnsutils
)
fuzz_packages=(clang-14 libclang-rt-14-dev)
# Worth having, never worth failing for.
optional_packages=(mold ccache)

llhttp_dir="$repo_root/subprojects/$(sed -n 's/^directory = //p' "$repo_root/subprojects/llhttp.wrap")"

is_installed() {
  dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null | grep -q '^installed'
}

missing_of() {
  local package
  for package in "$@"; do
    is_installed "$package" || printf '%s\n' "$package"
  done
}

apt_install() {
  local missing
  mapfile -t missing < <(missing_of "$@")
  [ "${#missing[@]}" -eq 0 ] && return 0
  say "installing ${missing[*]}"
  local sudo=()
  [ "$(id -u)" -eq 0 ] || sudo=(sudo)
  # A package index may be there already; fetch one only when the first try cannot do without.
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends "${missing[@]}" >/dev/null 2>&1 && return 0
  "${sudo[@]}" apt-get update >/dev/null || true
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends "${missing[@]}" >/dev/null
}

# The mirror this machine uses for Debian's main archive, from its own configuration.
debian_mirror() {
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 2>/dev/null |
    awk '$3 == "main" && $1 !~ /security/ && $2 !~ /security/ { print $1; exit }'
}

# Runs apt-get with a state of its own for one suite: the machine's sources stay as they are.
apt_for_suite() {
  local suite="$1" state="$debs_dir/apt/$1"
  shift
  apt-get -qq \
    -o Dir::Etc::sourcelist="$state/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::State::lists="$state/lists" -o Dir::Cache="$state/cache" \
    -o Dir::Etc::preferencesparts=/dev/null \
    -o Acquire::Languages=none -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
    -o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false \
    -o APT::Sandbox::User=root "$@"
}

# unpack_from_suite <suite> <package> <directory>: the package's files, nothing installed.
unpack_from_suite() {
  local suite="$1" package="$2" target="$3" state="$debs_dir/apt/$1" mirror
  mirror="$(debian_mirror)"
  [ -n "$mirror" ] || return 1
  mkdir -p "$state/lists/partial" "$state/cache/archives/partial"
  printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' \
    "$mirror" "$suite" >"$state/sources.list"
  apt_for_suite "$suite" update || return 1
  rm -f "$state/$package"_*.deb
  (cd "$state" && apt_for_suite "$suite" download "$package/$suite") || return 1
  rm -rf "$target.tmp"
  mkdir -p "$target.tmp"
  dpkg -x "$state/$package"_*.deb "$target.tmp" || return 1
  rm -rf "$target"
  mv "$target.tmp" "$target"
  # The lists are large and of no use once the package is here.
  rm -rf "$state"
}

# place_llhttp <sources> <header>: puts the generated C where subprojects/llhttp.wrap expects it.
place_llhttp() {
  rm -rf "$llhttp_dir.tmp"
  mkdir -p "$llhttp_dir.tmp/src" "$llhttp_dir.tmp/include"
  cp "$1"/api.c "$1"/http.c "$1"/llhttp.c "$llhttp_dir.tmp/src/"
  cp "$2" "$llhttp_dir.tmp/include/"
  cp "$repo_root/subprojects/packagefiles/llhttp/meson.build" "$llhttp_dir.tmp/"
  rm -rf "$llhttp_dir"
  mv "$llhttp_dir.tmp" "$llhttp_dir"
}

# llhttp has no library package in Debian 12. Newer suites carry its generated C; failing those,
# Node's copy (8.1, built strict) does; failing that, meson's wrap downloads the release.
setup_llhttp() {
  [ -f "$llhttp_dir/src/llhttp.c" ] && return 0
  local suite unpacked="$debs_dir/llhttp"
  for suite in forky sid; do
    if unpack_from_suite "$suite" libllhttp-source "$unpacked" 2>/dev/null; then
      place_llhttp "$unpacked/usr/src/llhttp/src" "$unpacked/usr/src/llhttp/include/llhttp.h"
      return 0
    fi
  done
  if is_installed node-llhttp || apt_install node-llhttp; then
    say "llhttp 9 is out of reach; using node-llhttp's 8.1"
    place_llhttp /usr/share/llhttp /usr/share/include/llhttp/llhttp.h
    return 0
  fi
  say "no llhttp from Debian; meson will use subprojects/llhttp.wrap"
}

# Catch2 3 compiles its runner once, which bookworm's 2.13 does for every test file.
setup_catch2() {
  [ -f "$debs_dir/catch2/usr/lib/libCatch2.a" ] && return 0
  pkg-config --atleast-version=3 catch2-with-main 2>/dev/null && return 0
  unpack_from_suite bookworm-backports libcatch2-dev "$debs_dir/catch2" && return 0
  say "no Catch2 3 from Debian; meson will use subprojects/catch2.wrap"
}

# The oldest kubectl that the tests drive. Unpacked, not installed: its package collides with
# other vendors' kubectl.
setup_old_kubectl() {
  local target="$debs_dir/kubectl/kubectl.1.20"
  [ -x "$target" ] && return 0
  local download
  download="$(mktemp -d)"
  if (cd "$download" && apt-get -qq -o APT::Sandbox::User=root download kubernetes-client) &&
    dpkg -x "$download"/kubernetes-client_*.deb "$download/root"; then
    mkdir -p "$(dirname "$target")"
    cp "$download/root/usr/bin/kubectl" "$target"
  else
    say "kubernetes-client is out of reach: the tests with kubectl 1.20 will be skipped"
  fi
  rm -rf "$download"
}

# The kernel of scripts/vm-test.sh: Debian's for clouds. Unpacked, not installed.
setup_vm_kernel() {
  [ -d "$debs_dir/kernel/boot" ] && return 0
  local download package
  download="$(mktemp -d)"
  package="$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '/Depends:/ { print $2; exit }')"
  if [ -n "$package" ] && (cd "$download" && apt-get -qq -o APT::Sandbox::User=root download "$package") &&
    dpkg -x "$download"/linux-image-*.deb "$download/kernel"; then
    mkdir -p "$debs_dir"
    mv "$download/kernel" "$debs_dir/kernel"
  else
    say "linux-image-cloud-amd64 is out of reach: the tests in a virtual machine will be skipped"
  fi
  rm -rf "$download"
}

main() {
  local tests=no fuzz=no argument
  for argument in "$@"; do
    case "$argument" in
      --tests) tests=yes ;;
      --fuzz) fuzz=yes ;;
      *) die "usage: scripts/setup.sh [--tests] [--fuzz]" ;;
    esac
  done
  if ! is_debian_like; then
    say "not a Debian system: install the libraries in docs/building.md; wraps fill the gaps"
    return 0
  fi
  apt_install "${build_packages[@]}"
  apt_install "${optional_packages[@]}" || true
  setup_llhttp
  if [ "$tests" = yes ]; then
    apt_install "${test_packages[@]}"
    setup_catch2
    setup_old_kubectl
    setup_vm_kernel
  fi
  if [ "$fuzz" = yes ]; then apt_install "${fuzz_packages[@]}"; fi
}

main "$@"
