#!/usr/bin/env bash
# image.sh WASM OUT: writes the OCI image of the filter as an image layout, the folder OUT, and prints its digest. It is what
# istio-agent fetches for a WasmPlugin (`pkg/wasm/imagefetcher.go`, "compat": the last layer is a tar+gzip with
# `plugin.wasm`), from nothing else than WASM, LICENSE, the licences of the crates in it (licenses.sh), and the version in
# Cargo.toml: equal input, equal digest.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

[ $# = 2 ] || die "write \`$0 WASM OUT\`"
wasm=$1 out=$2 root=$tools/../..
[ -n "$out" ] || die "name the folder to write: \`$0 WASM OUT\`"
# What is there is replaced: an empty folder, or what this script or another that writes images wrote, and nothing else.
if [ -e "$out" ] || [ -L "$out" ]; then
  inside=$([ -d "$out" ] && [ ! -L "$out" ] && ls -A "$out" | LC_ALL=C sort | tr '\n' ' ') || inside='no folder'
  case $inside in
    '' | 'blobs index.json oci-layout ') ;;
    *) die "\`$out\` is there and is no image layout: remove it yourself, or name another folder" ;;
  esac
fi
[ -f "$wasm" ] || die "\`$wasm\` is missing; build it with \`make wasm\`"
tar --version 2>/dev/null | grep -q 'GNU tar' || die "GNU tar is needed: other tars write other bytes"
version=$(awk -F '"' '$1 == "version = " { print $2; exit }' "$root/Cargo.toml")

# Everybody may read the image, whatever the umask of who makes it.
umask 022
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
image=$scratch/image
mkdir -p "$image/blobs/sha256" "$scratch/layer"

# blob FILE: moves it to its place; prints its digest and size.
blob() {
  local digest size
  digest=$(sha256sum < "$1" | cut -d' ' -f1)
  size=$(wc -c < "$1")
  mv "$1" "$image/blobs/sha256/$digest"
  printf '"digest":"sha256:%s","size":%d' "$digest" "$size"
}

install -m 644 "$wasm" "$scratch/layer/plugin.wasm"
install -m 644 "$root/LICENSE" "$scratch/layer/LICENSE"
"$tools/licenses.sh" > "$scratch/layer/LICENSES-THIRD-PARTY" || die "the licences of what is in it are not known"
chmod 644 "$scratch/layer/LICENSES-THIRD-PARTY"
# Nothing of the machine or the moment: names sorted, no owner, no time, neither in the tar nor in the gzip.
LC_ALL=C tar --create --format=ustar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=u=rw,go=r \
  --directory "$scratch/layer" --file "$scratch/layer.tar" LICENSE LICENSES-THIRD-PARTY plugin.wasm
diff=$(sha256sum < "$scratch/layer.tar" | cut -d' ' -f1)
gzip -9 --no-name "$scratch/layer.tar"
layer=$(blob "$scratch/layer.tar.gz")

# https://specs.opencontainers.org/image-spec/annotations; labels for those who read the configuration, annotations for
# those who read the manifest.
labels='"org.opencontainers.image.description":"Traffic policy for Envoy and Istio: a Proxy-Wasm filter that decides by Istio'\''s own VirtualServices",'
labels+='"org.opencontainers.image.licenses":"Apache-2.0","org.opencontainers.image.title":"switchyard",'
labels+="\"org.opencontainers.image.version\":\"$version\""

# The platform of the CNCF's Wasm artifacts; istio-agent does not look at it.
printf '{"architecture":"wasm","config":{"Labels":{%s}},"created":"1970-01-01T00:00:00Z","os":"wasip1","rootfs":{"diff_ids":["sha256:%s"],"type":"layers"}}' \
  "$labels" "$diff" > "$scratch/config"
config=$(blob "$scratch/config")
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json",%s},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip",%s}],"annotations":{%s}}' \
  "$config" "$layer" "$labels" > "$scratch/manifest"
digest=sha256:$(sha256sum < "$scratch/manifest" | cut -d' ' -f1)
manifest=$(blob "$scratch/manifest")
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json",%s,"annotations":{"org.opencontainers.image.ref.name":"%s"}}]}' \
  "$manifest" "$version" > "$image/index.json"
printf '{"imageLayoutVersion":"1.0.0"}' > "$image/oci-layout"

# Whole or not at all.
chmod 755 "$image"
rm -rf "$out"
mkdir -p "$(dirname "$out")"
mv -T "$image" "$out"
printf '%s\n' "$digest"
