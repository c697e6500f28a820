# The targets of people and of .ci/run. What a target needs (rustup targets, Envoy, Node, the wasm-bindgen runner) is
# installed at its first use into ${SWITCHYARD_CACHE:-~/.cache/switchyard} by the scripts in tests/tools.

.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
# One recipe after the other, also under `make -j`: they share the build folder, and their output stays in order.
.NOTPARALLEL:

target := $(abspath $(or $(CARGO_TARGET_DIR),target))
cases := $(target)/cases.json
stage := tests/tools/stage.sh

.PHONY: help manifests test test-istio istio-tools demo compose cost format lint wasm image unit node envoy rust clean-cache

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: format lint wasm unit node ## everything: format, lints, unit tests, and the cases in all four hosts
	@echo; echo "make test: all passed"

# Its only extra need is Go on the PATH, which builds Istio and Kubernetes once (16 minutes); variables name what is built
# already: PILOT_DISCOVERY_BIN, PILOT_AGENT_BIN, KUBE_APISERVER_BIN, KUBECTL_BIN, ISTIO_FILES. etcd, the registry, skopeo and QEMU
# are Debian's. Every test whose name begins with `istio_` belongs to it; `make test` leaves them out.
test-istio: istio-tools wasm ## Istio: as the judge of plain cases, and with our plugin from kubectl apply on (needs Go)
	@envoy=$$(tests/tools/envoy.sh); istiod=$$(tests/tools/istiod.sh); agent=$$(tests/tools/pilot-agent.sh); \
		server=$$(tests/tools/kubernetes.sh kube-apiserver); kubectl=$$(tests/tools/kubernetes.sh kubectl); \
		files=$$(tests/tools/istio-files.sh); \
		ENVOY_BIN=$$envoy PILOT_DISCOVERY_BIN=$$istiod PILOT_AGENT_BIN=$$agent KUBE_APISERVER_BIN=$$server \
		KUBECTL_BIN=$$kubectl ISTIO_FILES=$$files $(stage) "tests against Istio" \
		cargo test -p switchyard-tests --features istio --test 'istio_*' --no-fail-fast -- --nocapture

# First of all: without Go it ends here.
istio-tools:
	@for tool in istiod.sh pilot-agent.sh "kubernetes.sh kube-apiserver" "kubernetes.sh kubectl" istio-files.sh linux.sh; do \
		tests/tools/$$tool > /dev/null; done
	@$(stage) "etcd, docker-registry, skopeo, QEMU" tests/tools/debian.sh

demo: wasm ## run the demo: our filter beside Envoy's own means, on 5,000 requests
	@$(stage) "build of the demo" cargo build -p switchyard-host-sim -p switchyard-tests --bin switchyard --bin demo
	@envoy=$$(tests/tools/envoy.sh); ENVOY_BIN=$$envoy $(stage) "demo" $(target)/debug/demo

manifests: ## write what is generated in manifests/ anew: the istio.yaml of each overlay
	@cargo build -q -p switchyard-host-sim --bin switchyard
	@manifests/generate.sh $(target)/debug/switchyard

# It brings an engine of its own; root and Debian's docker.io, docker-compose and debootstrap are all that it takes.
compose: wasm ## the docker-compose demo: start it, walk through its scenarios, end it (needs root and docker.io)
	@$(stage) "docker-compose demo" tests/tools/compose.sh

cost: wasm ## measure what a request costs: CPU time of Envoy with no filter, with Lua, with ours
	@cargo build -q -p switchyard-tests --bin cost
	@envoy=$$(tests/tools/envoy.sh); ENVOY_BIN=$$envoy $(target)/debug/cost

format: rust ## check the format
	@$(stage) "format" cargo fmt --all --check

lint: rust ## clippy, warnings are errors: the workspace, and the filter on its two wasm targets
	@$(stage) "clippy" cargo clippy --workspace --all-targets --features switchyard-tests/istio -- -D warnings
	@$(stage) "clippy of the shell (wasm32-wasip1)" \
		cargo clippy -p switchyard-filter --lib --target wasm32-wasip1 -- -D warnings
	@$(stage) "clippy of the core (wasm32-unknown-unknown)" \
		cargo clippy -p switchyard-filter --lib --target wasm32-unknown-unknown -- -D warnings

# Without the path of anybody's home in it: built elsewhere, it is the same file.
wasm: rust ## build what runs in Envoy: target/switchyard_filter.wasm
	@CARGO_TARGET_WASM32_WASIP1_RUSTFLAGS="--remap-path-prefix=$${CARGO_HOME:-$$HOME/.cargo}=cargo" \
		$(stage) "build of the released .wasm" cargo build -p switchyard-filter --target wasm32-wasip1 --profile wasm
	@tests/tools/wasm-opt.sh $(target)/wasm32-wasip1/wasm/switchyard_filter.wasm $(target)/switchyard_filter.wasm

image: wasm ## write the OCI image for WasmPlugins, target/switchyard-image; print its digest and how to push it
	@digest=$$(tests/tools/image.sh $(target)/switchyard_filter.wasm $(target)/switchyard-image); \
		echo "$$digest"; \
		echo "push it: skopeo copy oci:$(target)/switchyard-image docker://REGISTRY/switchyard:TAG"

unit: wasm ## cargo test: unit and property tests, and the cases natively, in wasmtime and in a real Envoy
	@envoy=$$(tests/tools/envoy.sh); ENVOY_BIN=$$envoy $(stage) "cargo test" cargo test --workspace --no-fail-fast

# The cases reach the core on wasm32-unknown-unknown as a file that is compiled in: there is no file system to read. The
# program that writes it comes with the tests: building it alone would build half the workspace with other features.
node: rust ## the cases in the core on wasm32-unknown-unknown, run by Node
	@mkdir -p $(target)
	@$(stage) "build of the tests" cargo test --workspace --no-run
	@$(target)/debug/lower-cases > $(cases).new && mv $(cases).new $(cases)
	@runner=$$(tests/tools/wasm-bindgen.sh); node=$$(tests/tools/node.sh); \
		SWITCHYARD_CASES=$(cases) PATH=$$(dirname $$node):$$PATH CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER=$$runner \
		$(stage) "cases in Node" cargo test -p switchyard-tests --target wasm32-unknown-unknown --test node -- --nocapture

envoy: ## install the pinned Envoy and print its path
	@tests/tools/envoy.sh

rust:
	@tests/tools/rust.sh > /dev/null

clean-cache: ## remove the tools that were installed (Envoy, Node, wasm-opt, the wasm-bindgen runner, Istio, Kubernetes)
	@cache=$${SWITCHYARD_CACHE:-$$HOME/.cache/switchyard}; \
		rm -rf "$$cache"/{,.}envoy-* "$$cache"/{,.}node-* "$$cache"/{,.}wasm-* "$$cache"/{,.}istio*-* \
			"$$cache"/{,.}pilot-agent-* "$$cache"/{,.}kube*-* \
			"$$cache"/{,.}debian-* "$$cache"/{,.}docker-compose-* "$$cache"/{,.}prometheus-* "$$cache"/{,.}linux-*
