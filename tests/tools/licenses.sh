#!/usr/bin/env bash
# licenses.sh: prints the licences of the crates that the released .wasm is linked from, as their packages have them: who
# hands the .wasm on hands these on with it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

cd "$tools/../.."
# A package is downloaded before it is built: nothing new comes here.
packages=$(cargo tree --locked --offline -p switchyard-filter --target wasm32-wasip1 -e normal,no-proc-macro \
  --prefix none -f '{p}|{l}' | LC_ALL=C sort -u)
while IFS='|' read -r package license; do
  case $package in *' ('*) continue ;; esac # ours: LICENSE
  name=${package/ v/-}
  folder=("${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/"$name")
  text=
  for file in LICENSE-MIT LICENSE LICENSE.txt LICENSE.md COPYING; do
    [ -f "${folder[0]}/$file" ] && text=${folder[0]}/$file && break
  done
  [ -n "$text" ] || die "the package $name has no licence that is known here: look into ${folder[0]}"
  printf '=== %s, %s\n\n' "$package" "$license"
  tr -d '\r' < "$text"
  printf '\n'
done <<< "$packages"
