//go:build pin

// Package istio names the programs that tests/tools/istiod.sh and pilot-agent.sh build, so that go.mod and go.sum pin them
// and all they need.
// The tag is never set: there is nothing here to build.
package istio

import (
	_ "istio.io/istio/pilot/cmd/pilot-agent"
	_ "istio.io/istio/pilot/cmd/pilot-discovery"
)
