//go:build pin

// Package istio names the program that tests/tools/istiod.sh builds, so that go.mod and go.sum pin it and all it needs.
// The tag is never set: there is nothing here to build.
package istio

import _ "istio.io/istio/pilot/cmd/pilot-discovery"
