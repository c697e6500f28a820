#!/usr/bin/env bash
# kubernetes.sh kube-apiserver|kubectl: prints the path of that program in the version that tests/istio/kubernetes/go.mod
# pins; both are built at first use through the Go module proxy (about 7 minutes on 2 cores). KUBE_APISERVER_BIN and
# KUBECTL_BIN stand in for them.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

program=${1:-}
case $program in
  kube-apiserver) variable=KUBE_APISERVER_BIN ;;
  kubectl) variable=KUBECTL_BIN ;;
  *) die "\`$program\` is not built here; write \`$0 kube-apiserver\` or \`$0 kubectl\`" ;;
esac
named_by "$variable" && exit

pins=$tools/../istio/kubernetes
version=$(awk '{ for (i = 1; i < NF; i++) if ($i == "k8s.io/kubernetes") { print $(i + 1); exit } }' "$pins/go.mod")
[ -n "$version" ] || die "no k8s.io/kubernetes in $pins/go.mod"

# Without the version in it, `kubectl version` ends with a parse error.
go_program "$pins" "$program-${version#v}" "k8s.io/kubernetes/cmd/$program" \
  "-X k8s.io/component-base/version.gitVersion=$version"
