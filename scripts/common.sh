# Sourced by the other scripts: where things are, and a few words to the user.

repo_root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
debs_dir="$repo_root/.debs"

say() { printf '== %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

is_debian_like() { command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; }

# Which rooms and suites there are: meson looks once whether a directory has a meson.build, and
# does not notice by itself when another one gets its own.
list_rooms() { (cd "$repo_root" && find src test -name meson.build | sort); }

# configure <directory> <meson options>: sets it up once and again when a room came or went; the
# rest ninja sees to. A directory whose set-up was interrupted has no build.ninja and is made anew.
configure() {
  local directory="$1"
  shift
  if [ ! -f "$directory/build.ninja" ]; then
    rm -rf "$directory"
    meson setup "$directory" "$repo_root" "$@" || return 1
  elif ! list_rooms | cmp -s - "$directory/rooms.txt"; then
    meson setup --reconfigure "$directory" "$repo_root" || return 1
  fi
  list_rooms >"$directory/rooms.txt"
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
