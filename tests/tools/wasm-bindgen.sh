#!/usr/bin/env bash
# wasm-bindgen.sh: prints the path of `wasm-bindgen-test-runner`, which runs `cargo test --target
# wasm32-unknown-unknown` in Node. It is built at first use, in the version of the wasm-bindgen in Cargo.lock: the two
# must be equal.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

lock=$tools/../../Cargo.lock
version=$(awk '/^name = "wasm-bindgen"$/ { getline; gsub(/"/, "", $3); print $3; exit }' "$lock")
[ -n "$version" ] || die "no wasm-bindgen in $lock"

build() {
  say "building wasm-bindgen-test-runner $version (a few minutes, once)"
  # Built as for a plain machine: what the caller has set for the workspace's own builds does not belong here.
  env -u CARGO_TARGET_DIR -u CARGO_BUILD_TARGET -u CARGO_BUILD_TARGET_DIR -u RUSTFLAGS -u CARGO_ENCODED_RUSTFLAGS \
    cargo install wasm-bindgen-cli --version "$version" --bin wasm-bindgen-test-runner --root "$1" --quiet --no-track
}
install_once "wasm-bindgen-$version" build
printf '%s\n' "$cache/wasm-bindgen-$version/bin/wasm-bindgen-test-runner"
