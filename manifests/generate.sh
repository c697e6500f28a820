#!/usr/bin/env bash
# Writes the istio.yaml of each overlay's gateway and sidecars: `make manifests`. A test compares what is committed.
# generate.sh SWITCHYARD [OUT]    default: into the overlays themselves
set -euo pipefail
switchyard=$(realpath "$1")
cd "$(dirname "$0")"
out=${2:-overlays}

# The image is components/image's to say.
write() { # OVERLAY PROXY ARGUMENT...
  "$switchyard" generate base "overlays/$1/virtual-service.yaml" "overlays/$1/$2/policy.yaml" --target istio \
    --out "$out/$1/$2" --url oci://registry.example.com/switchyard/filter:0.1.0 "${@:3}"
}

# The second label is components/new-pods'.
gateway=(--namespace workshop-ingress --workload workshop-ingress/app=workshop-gateway,switchyard.dev/plugin=enabled)
sidecar=(--namespace workshop --workload workshop/app=productcatalog,switchyard.dev/plugin=enabled)
for overlay in canary blue-green fault-test; do
  write "$overlay" gateway "${gateway[@]}"
  write "$overlay" sidecar "${sidecar[@]}"
done
write tags gateway "${gateway[@]}" --via tags
write tags sidecar "${sidecar[@]}" --via tags
