# Sourced by the other scripts: where things are, and a few words to the user.

repo_root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
debs_dir="$repo_root/subprojects/.debs"

say() { printf '== %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

is_debian_like() { command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; }

# Meson keeps options between runs; set up once, let ninja reconfigure after that. A directory
# whose set-up was interrupted has no build.ninja and is made anew.
configure_once() {
  local directory="$1"
  shift
  [ -f "$directory/build.ninja" ] && return 0
  rm -rf "$directory"
  meson setup "$directory" "$repo_root" "$@"
}

# The kubectl binaries to test with, `<version> <path>` a line, oldest first, each version once.
find_kubectls() {
  local directory file
  for directory in "$debs_dir/kubectl" ${PATH//:/ } /usr/lib/google-cloud-sdk/bin; do
    for file in "$directory"/kubectl.[0-9]*.[0-9]*; do
      if [ -x "$file" ]; then printf '%s %s\n' "${file##*/kubectl.}" "$file"; fi
    done
  done | sort -s -V -k1,1 -u
}
