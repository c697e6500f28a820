#!/usr/bin/env bash
# docker-compose.sh: prints the path of Docker Compose v2, which Debian does not have; it is built at first use (2 minutes), from
# the Go module proxy. Only the file of the demo is checked with it (tests/tools/compose.sh).
set -euo pipefail
. "$(dirname "$0")/lib.sh"

version=2.40.3
command -v go > /dev/null || die "no Go, which builds Docker Compose v2; install it from https://go.dev/dl"

build() { # SCRATCH
  local module
  module=$(GOFLAGS=-mod=mod go mod download -json "github.com/docker/compose/v2@v$version" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
  [ -d "$module" ] || return 1
  say "building Docker Compose $version"
  # Go refuses to build a module with `exclude` by its version; in its own folder it does.
  cp -r "$module" "$1/source" && chmod -R u+w "$1/source"
  (cd "$1/source" && CGO_ENABLED=0 go build -trimpath -ldflags=-s -o "$1/docker-compose" ./cmd) && rm -rf "$1/source"
}

install_once "docker-compose-$version" build
printf '%s\n' "$cache/docker-compose-$version/docker-compose"
