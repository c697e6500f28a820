#!/usr/bin/env bash
# wasm-opt.sh IN OUT: shrinks a .wasm by Binaryen's wasm-opt (npm's `binaryen`, run by Node; installed at first use, by
# its hash), unless OUT is newer than IN.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

version=132.0.0
sha256=6543555fb29bb92548f325c7dc18e9ab7dbb1215edda25993d1e3f71d85b8618
features=(--enable-bulk-memory --enable-bulk-memory-opt --enable-multivalue --enable-mutable-globals
  --enable-nontrapping-float-to-int --enable-reference-types --enable-sign-ext)

[ $# = 2 ] || die "usage: wasm-opt.sh IN OUT"
[ ! "$2" -nt "$1" ] || exit 0

fetch() {
  local python
  python=$(find_python) || return 1
  say "installing wasm-opt $version"
  "$python" - "https://registry.npmjs.org/binaryen/-/binaryen-$version.tgz" "$sha256" "$1" <<'PYTHON'
import hashlib, io, sys, tarfile, urllib.request
url, sha256, folder = sys.argv[1:]
archive = urllib.request.urlopen(url, timeout=300).read()
found = hashlib.sha256(archive).hexdigest()
if found != sha256:
    sys.exit(f"{url} has the hash {found}, not {sha256}")
with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
    for name in ("package/bin/wasm-opt", "package/bin/package.json", "package/LICENSE"):
        with tar.extractfile(name) as source, open(f"{folder}/{name.rsplit('/', 1)[1]}", "wb") as target:
            target.write(source.read())
PYTHON
}
install_once "wasm-opt-$version" fetch

# Written beside and renamed: a run that is killed leaves nothing that looks finished.
scratch=$(mktemp "$2.XXXXXX")
trap 'rm -f "$scratch"' EXIT
node=$("$tools/node.sh")
"$node" "$cache/wasm-opt-$version/wasm-opt" -Oz "${features[@]}" "$1" -o "$scratch"
chmod 644 "$scratch"
mv "$scratch" "$2"
