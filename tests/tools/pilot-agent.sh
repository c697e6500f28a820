#!/usr/bin/env bash
# pilot-agent.sh: prints the path of istio-agent (`pilot-agent`) in the version that tests/istio/go.mod pins, which it
# builds at first use through the Go module proxy (seconds after istiod.sh, else minutes). PILOT_AGENT_BIN stands in for it.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

named_by PILOT_AGENT_BIN && exit
go_program "$istio" "pilot-agent-$(istio_version)" istio.io/istio/pilot/cmd/pilot-agent
