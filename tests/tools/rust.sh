#!/usr/bin/env bash
# rust.sh [TARGET]...: adds what a Rust installation lacks: clippy, rustfmt and the targets named (default: the two that
# the filter is built for). Prints the folder of the toolchain.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

[ $# -gt 0 ] || set -- wasm32-wasip1 wasm32-unknown-unknown
command -v cargo >/dev/null || die "Rust is missing: install it with rustup, see https://rustup.rs"
sysroot=$(rustc --print sysroot)

missing=()
for target in "$@"; do
  [ -d "$sysroot/lib/rustlib/$target/lib" ] || missing+=("$target")
done
components=()
cargo fmt --version >/dev/null 2>&1 || components+=(rustfmt)
cargo clippy --version >/dev/null 2>&1 || components+=(clippy)

if [ ${#missing[@]} -gt 0 ] || [ ${#components[@]} -gt 0 ]; then
  command -v rustup >/dev/null \
    || die "this Rust ($sysroot) has no ${missing[*]} ${components[*]}, and there is no rustup to add it: see https://rustup.rs"
  say "adding to Rust: ${missing[*]} ${components[*]}"
  [ ${#missing[@]} -eq 0 ] || rustup target add "${missing[@]}" >&2
  [ ${#components[@]} -eq 0 ] || rustup component add "${components[@]}" >&2
fi
printf '%s\n' "$sysroot"
