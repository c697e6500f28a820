#!/usr/bin/env bash
# compose.sh: runs the docker-compose demo (envoy/demo) and its walk, from the images up, without any registry.
#
# Nothing is pulled: the images that envoy/demo names are made here under the same tags, on a base that debootstrap
# makes. Envoy is the pinned one, Prometheus Debian's; the rust image hands over what this machine's cargo has built by
# the Dockerfile's own commands. Grafana is left out, by its profile; the walk asks the dashboard's queries instead.
#
# The engine is one of its own, in namespaces of its own (network, mounts, processes): it disturbs nothing of the host,
# and when the first process of these namespaces ends, also by a kill, the kernel ends whatever was started.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cd "$tools/../.."

# Another Compose than Debian's: v2, say.
compose=${DOCKER_COMPOSE:-docker-compose}
for program in dockerd docker "$compose" debootstrap unshare ip iptables; do
  command -v "$program" > /dev/null || PATH=$PATH:/usr/sbin:/sbin
  command -v "$program" > /dev/null ||
    die "no \`$program\`, so the docker-compose demo cannot run; on Debian: apt-get install docker.io docker-compose debootstrap iptables iproute2"
done
[ "$(id -u)" = 0 ] || die "only root can start an engine for the docker-compose demo"

work=$(mktemp -d "${TMPDIR:-/tmp}/switchyard-compose.XXXXXX")
engine=
end() {
  trap - EXIT INT TERM HUP
  # `unshare` holds back softer signals; its end is the end of all that is in the namespaces.
  if [ -n "$engine" ] && kill -KILL "$engine" 2>/dev/null; then wait "$engine" 2>/dev/null || true; fi
  # The engine's processes are ended by the kernel; what they had open can outlive them for a moment.
  for _ in 1 2 3 4 5; do rm -rf "$work" 2>/dev/null && break; sleep 1; done
  for group in /sys/fs/cgroup/*/"${work##*/}" /sys/fs/cgroup/"${work##*/}"; do
    [ ! -d "$group" ] || find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# The file, Grafana included, as both generations of Compose read it; what runs is one of them.
v2=$("$tools/docker-compose.sh")
for each in "$compose" "$v2"; do
  COMPOSE_PROFILES=grafana,walk "$each" --project-directory envoy/demo --file envoy/demo/docker-compose.yml config --quiet ||
    die "\`$each\` does not take envoy/demo/docker-compose.yml (see above)"
done

# --- what the images are made of -------------------------------------------------------------------------------------
base() { # SCRATCH: the base, as Debian's own image has it: packages marked essential, no documentation
  debootstrap --variant=minbase "$suite" "$1/root" "$mirror" && tar -C "$1/root" --exclude=./var/cache/apt \
    --exclude=./var/lib/apt/lists --exclude=./usr/share/doc --exclude=./usr/share/locale --exclude=./dev -cf "$1/base.tar" . &&
    rm -rf "$1/root"
}
prometheus() { # SCRATCH: Debian's program; the rest of its package is pages for browsers
  (cd "$1" && apt-get update -qq && apt-get -o APT::Sandbox::User=root download -qq prometheus && dpkg-deb -x prometheus_*.deb root &&
    mv root/usr/bin/prometheus . && rm -rf root prometheus_*.deb)
}
suite=$(. /etc/os-release && [ "$ID" = debian ] && printf '%s' "$VERSION_CODENAME" || printf bookworm)
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
install_once "debian-$suite" base
install_once "prometheus-$suite" prometheus
envoy=$("$tools/envoy.sh")

dockerfile=envoy/demo/Dockerfile
target=${CARGO_TARGET_DIR:-target}
built=$work/images/rust
mkdir -p "$built/target"
while read -r command; do
  say "$command"
  $command
  printf '%s\n' "$command" >> "$built/commands"
done < <(sed -n 's/^RUN \(cargo .*\)/\1/p' "$dockerfile")
while read -r file; do
  mkdir -p "$built/$(dirname "$file")"
  cp "$target/${file#target/}" "$built/$file"
done < <(grep -o '/src/target/[^ ]*' "$dockerfile" | sed 's,^/src/,,')
cp "$tools/compose/cargo" "$tools/compose/rust.Dockerfile" "$built"
mkdir -p "$work/images/envoy" "$work/images/prometheus"
cp "$envoy" "$work/images/envoy/envoy"
cp "$cache/prometheus-$suite/prometheus" "$work/images/prometheus"
cp "$tools/compose/envoy.Dockerfile" "$work/images/envoy"
cp "$tools/compose/prometheus.Dockerfile" "$work/images/prometheus"

# --- the engine, and what runs in it ---------------------------------------------------------------------------------
export base="$cache/debian-$suite/base.tar" work compose
# Its own process group, so that Ctrl-C reaches this script first, which then ends the engine.
set -m
unshare --net --mount --pid --mount-proc --fork --kill-child bash "$tools/compose/engine.sh" < /dev/null &
engine=$!
set +m
wait "$engine" && code=0 || code=$?
engine=
exit "$code"
