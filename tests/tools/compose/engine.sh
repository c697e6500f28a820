#!/usr/bin/env bash
# Inside the namespaces that compose.sh makes: starts the engine, makes the images, starts the demo, walks, ends it all.
# This is the first process here: when it ends, the kernel ends the others. $work is a folder, $base the base's archive, $compose Docker
# Compose.
set -euo pipefail
cd "$(dirname "$0")/../../.."
say() { printf '%s\n' "$*" >&2; }
phase() { say "--- $1 ($SECONDS s)"; }
trap 'exit 130' INT
trap 'exit 143' TERM

ip link set lo up
phase "engine"
export DOCKER_HOST=unix://$work/docker.sock DOCKER_BUILDKIT=0 DOCKER_CONFIG=$work COMPOSE_INTERACTIVE_NO_CLI=1
dockerd --data-root "$work/data" --exec-root "$work/exec" --pidfile "$work/pid" -H "$DOCKER_HOST" \
  --cgroup-parent "${work##*/}" > "$work/dockerd.log" 2>&1 &
daemon=$!
for _ in $(seq 120); do
  docker version > /dev/null 2>&1 && break
  kill -0 "$daemon" 2>/dev/null || break
  sleep 0.5
done
docker version > /dev/null 2>&1 || { tail -20 "$work/dockerd.log" >&2; say "error: the engine does not start (see above)"; exit 1; }

# The tags are those that the demo names.
demo=envoy/demo
tag() { grep -oE "(image: |FROM )$1:[^ ]+" $demo/docker-compose.yml $demo/Dockerfile | grep -oE "$1:[^ ]+"; }
quietly() { "$@" > "$work/last.log" 2>&1 || { cat "$work/last.log" >&2; exit 1; }; }
image() { # FOLDER NAME
  quietly docker build --build-arg "BASE=$(tag debian)" --tag "$(tag "$2")" --file "$work/images/$1/$1.Dockerfile" "$work/images/$1"
}
phase "images that stand in for public ones"
quietly docker import "$base" "$(tag debian)"
image rust rust
image envoy envoyproxy/envoy
image prometheus prom/prometheus

# Without Grafana's profile.
export COMPOSE_PROFILES=
compose() { "$compose" --project-directory $demo --file $demo/docker-compose.yml --ansi never "$@"; }
finish() {
  code=$?
  trap - EXIT
  if [ $code -ne 0 ]; then
    compose ps >&2 || true
    compose logs --no-color --tail=15 >&2 || true
  fi
  phase "end"
  compose down --volumes --timeout 1 > "$work/down.log" 2>&1 || cat "$work/down.log" >&2
  left=$(docker ps --all --quiet | wc -l)
  [ "$left" = 0 ] || { say "error: $left containers are left"; code=1; }
  kill "$daemon" && wait "$daemon" || true
  exit "$code"
}
trap finish EXIT
phase "images of the demo"
# Its services share one image.
quietly compose build policy
phase "start"
quietly compose up -d --no-build
phase "walk"
# Detached, and read from its log: docker-compose 1.29 loses what a container says before it listens.
walk=$(compose run --detach walk 2> "$work/last.log") || { cat "$work/last.log" >&2; exit 1; }
docker logs --follow "$walk"
code=$(docker wait "$walk")
docker rm "$walk" > /dev/null
exit "$code"
