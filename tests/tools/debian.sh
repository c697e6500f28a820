#!/usr/bin/env bash
# debian.sh: installs etcd, the registry, skopeo (istio.md 5.6) and QEMU of Debian's packages where they are neither on the PATH
# nor named by ETCD_BIN, DOCKER_REGISTRY_BIN, SKOPEO_BIN, QEMU_BIN; says what to install where it cannot.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

packages=()
[ -n "${ETCD_BIN:-}" ] || type -P etcd >/dev/null || packages+=(etcd-server)
[ -n "${DOCKER_REGISTRY_BIN:-}" ] || type -P docker-registry >/dev/null || packages+=(docker-registry)
[ -n "${SKOPEO_BIN:-}" ] || type -P skopeo >/dev/null || packages+=(skopeo)
[ -n "${QEMU_BIN:-}" ] || type -P qemu-system-x86_64 >/dev/null || packages+=(qemu-system-x86)
[ ${#packages[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ] || ! type -P apt-get >/dev/null; then
  die "${packages[*]} missing; on Debian or Ubuntu: apt-get install ${packages[*]}"
fi
say "installing ${packages[*]}"
export DEBIAN_FRONTEND=noninteractive
# Their lists may be there and old; only what is missing is worth the time.
{ apt-get install -y -qq --no-install-recommends "${packages[@]}" ||
  { apt-get update -qq && apt-get install -y -qq --no-install-recommends "${packages[@]}"; }; } >&2
# The packages start services, on ports that are not ours to take.
if [ -d /run/systemd/system ]; then systemctl disable --quiet --now etcd docker-registry >&2 || true; fi
