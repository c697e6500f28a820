#!/usr/bin/env bash
# istiod.sh: prints the path of istiod (`pilot-discovery`) in the version that tests/istio/go.mod pins, which it builds
# at first use through the Go module proxy (about 8 minutes on 2 cores). PILOT_DISCOVERY_BIN stands in for it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

named_by PILOT_DISCOVERY_BIN && exit
go_program "$istio" "istiod-$(istio_version)" istio.io/istio/pilot/cmd/pilot-discovery
