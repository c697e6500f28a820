#!/usr/bin/env bash
# istio-files.sh: prints a folder with what Istio and the Gateway API ship beside programs, in the versions that
# tests/istio/go.mod pins: `istio-crds.yaml`, `gateway-api-crds.yaml`, `envoy_bootstrap.json`. They are copied at first use
# out of what the Go module proxy serves. ISTIO_FILES stands in for the folder.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

if [ -n "${ISTIO_FILES:-}" ]; then
  [ -f "$ISTIO_FILES/istio-crds.yaml" ] || die "ISTIO_FILES names \`$ISTIO_FILES\`, where no istio-crds.yaml is"
  printf '%s\n' "$ISTIO_FILES"
  exit
fi

# folder_of MODULE: where Go keeps it, downloaded if it is not there.
folder_of() {
  (cd "$istio" && env -u GOFLAGS GOFLAGS=-mod=readonly go mod download "$1" && go list -mod=readonly -m -f '{{.Dir}}' "$1")
}

# What fails in it is not fatal by itself: its caller asks how it ended.
copy() {
  local module gateway
  type -P go >/dev/null || die "no Go on the PATH: Istio's CRDs come out of its Go module. Install Go (https://go.dev/dl), or name a folder that has them in ISTIO_FILES"
  module=$(folder_of istio.io/istio) && gateway=$(folder_of sigs.k8s.io/gateway-api) || return 1
  # Go's copies are read-only.
  install -m 644 "$module/manifests/charts/base/files/crd-all.gen.yaml" "$1/istio-crds.yaml" &&
  install -m 644 "$module/tools/packaging/common/envoy_bootstrap.json" "$1/envoy_bootstrap.json" &&
  sed -s '1s/^---$//; $a ---' "$gateway"/config/crd/standard/gateway.networking.k8s.io_*.yaml > "$1/gateway-api-crds.yaml"
}
name=istio-files-$(istio_version)
install_once "$name" copy
printf '%s\n' "$cache/$name"
