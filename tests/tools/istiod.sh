#!/usr/bin/env bash
# istiod.sh: prints the path of istiod (`pilot-discovery`) in the version that tests/istio/go.mod pins, which it builds
# at first use through the Go module proxy (about 8 minutes on 2 cores). PILOT_DISCOVERY_BIN stands in for it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

if [ -n "${PILOT_DISCOVERY_BIN:-}" ]; then
  [ -x "$PILOT_DISCOVERY_BIN" ] || die "PILOT_DISCOVERY_BIN names \`$PILOT_DISCOVERY_BIN\`, which is no program; unset it to build the pinned istiod"
  printf '%s\n' "$PILOT_DISCOVERY_BIN"
  exit
fi

type -P go >/dev/null || die "no Go on the PATH: istiod is built from source. Install Go (https://go.dev/dl), or name a pilot-discovery 1.29 in PILOT_DISCOVERY_BIN"

pins=$tools/../istio
version=1.29.1
commit=$(awk '$1 == "istio.io/istio" { n = split($2, part, "-"); print part[n]; exit }' "$pins/go.mod")
[ -n "$commit" ] || die "no istio.io/istio in $pins/go.mod"

build() {
  say "building istiod $version (about 8 minutes, once)"
  # Only what go.sum knows is built; what the caller has set for builds of their own does not belong here.
  (cd "$pins" && env -u GOFLAGS -u GOOS -u GOARCH CGO_ENABLED=0 \
    go build -mod=readonly -buildvcs=false -trimpath -ldflags "-s -w" -o "$1/pilot-discovery" istio.io/istio/pilot/cmd/pilot-discovery)
}
# The commit is part of the name, so that a new pin is a new build.
install_once "istiod-$version-$commit" build
printf '%s\n' "$cache/istiod-$version-$commit/pilot-discovery"
