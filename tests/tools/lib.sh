# Shared by the scripts of this folder (sourced, bash). Each script prints one path on stdout and everything else on
# stderr. A tool is installed into a scratch folder and renamed into place when it is whole, so a killed installation
# leaves nothing that looks finished, and two at once do not disturb each other.

tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${SWITCHYARD_CACHE:-${HOME:?is not set, so name a folder in SWITCHYARD_CACHE}/.cache/switchyard}

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# install_once NAME COMMAND...: the folder $cache/NAME, made by running `COMMAND... SCRATCH` when it is not there yet.
install_once() {
  local name=$1 target="$cache/$1" scratch
  shift
  [ -d "$target" ] && return
  mkdir -p "$cache"
  (
    # The lock only spares the second caller the work; the rename is what keeps the result whole.
    if command -v flock >/dev/null; then
      flock 9
      # Nobody else installs it now: scratch folders of it are of killed ones.
      rm -rf "$cache/.$name".??????
    fi
    [ -d "$target" ] && exit 0
    scratch=$(mktemp -d "$cache/.$name.XXXXXX")
    trap 'rm -rf "$scratch"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    # The lock is not handed down: a child that outlives us must not hold it.
    "$@" "$scratch" 9>&- >&2 || die "\`$name\` could not be installed into $cache (see above)"
    chmod 755 "$scratch"
    mv -T "$scratch" "$target" 2>/dev/null || [ -d "$target" ] || die "cannot write $target"
  ) 9>>"$cache/.$name.lock"
}

# named_by VARIABLE: prints the program that the variable names and is true; false where the variable is empty.
named_by() {
  local program=${!1:-}
  [ -n "$program" ] || return
  [ -x "$program" ] || die "$1 names \`$program\`, which is no program; unset it to build the pinned one"
  printf '%s\n' "$program"
}

# digest_of FILE...: 12 hexadecimal digits that stand for their content.
digest_of() { cat "$@" | sha256sum | cut -c1-12; }

# go_program MODULE NAME PACKAGE [LDFLAGS]: prints the path of the Go program PACKAGE, built at first use as the go.mod and
# go.sum of the folder MODULE pin it, and kept as NAME and what stands for these pins.
go_program() {
  local module=$1 name package=$3 flags=${4:-}
  name=$2-$(digest_of "$module/go.mod" "$module/go.sum")
  go_build() {
    local began=$SECONDS
    type -P go >/dev/null || die "no Go on the PATH: $name is built from source. Install Go (https://go.dev/dl), or name a program that is built (see the head of ${0##*/})"
    say "building $name (minutes the first time)"
    # Only what go.sum knows is built; what the caller has set for builds of their own does not belong here.
    (cd "$module" && env -u GOFLAGS -u GOOS -u GOARCH CGO_ENABLED=0 \
      go build -v -mod=readonly -buildvcs=false -trimpath -ldflags "-s -w $flags" -o "$1/${package##*/}" "$package" 2>&1) |
      awk -v name="$name" '/^(go: downloading )?[^ :]+( v[^ ]+)?$/ { if (++seen % 250 == 0) print name ": " seen " packages"; fflush(); next } { print; fflush() }' || return 1
    say "built $name in $((SECONDS - began)) s"
  }
  install_once "$name" go_build
  printf '%s\n' "$cache/$name/${package##*/}"
}

# istio_version: version and commit of the Istio that tests/istio/go.mod pins; a new pin is another name.
istio=$tools/../istio
istio_version() {
  local commit
  commit=$(awk '$1 == "istio.io/istio" { n = split($2, part, "-"); print part[n]; exit }' "$istio/go.mod")
  [ -n "$commit" ] || die "no istio.io/istio in $istio/go.mod"
  printf '1.29.1-%s\n' "$commit"
}

# A Python that makes working virtual environments: Debian ships `python3` without ensurepip, beside which a pyenv may
# have a complete one.
find_python() {
  local python
  while read -r python; do
    if "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 8))' 2>/dev/null; then
      printf '%s\n' "$python"
      return
    fi
  done < <(type -aP python3; ls -d "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3*/bin/python3 2>/dev/null | sort -rV)
  die "no Python 3.8 or newer with venv found; on Debian or Ubuntu: apt-get install python3-venv"
}

# wheel_env REQUIREMENTS SCRATCH: a virtual environment with exactly the wheels of that file, each checked by its hash.
wheel_env() {
  local python
  python=$(find_python) || return 1
  say "installing $(grep -om1 '^[a-z][^ ]*' "$1") into a virtual environment of $python"
  "$python" -m venv "$2" && "$2/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
    --only-binary :all: --require-hashes --requirement "$1"
}
