//go:build pin

// Package kubernetes names the programs that tests/tools/kubernetes.sh builds, so that go.mod and go.sum pin them and
// all they need. The tag is never set: there is nothing here to build.
package kubernetes

import (
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kubectl"
)
