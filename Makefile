# Flotilla. `make help` lists what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

help:            ## this list
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

node_modules: package.json package-lock.json
	@test -L node_modules || scripts/npm-packages.sh

.PHONY: setup demo
setup:           ## installs what is needed (crun, conmon, nftables, iproute2 …), builds, puts `flotilla` on the PATH
	scripts/setup.sh

demo: setup      ## does all the set-up, runs examples/fullstack, prints where it answers
	scripts/demo.sh

.PHONY: help build check unit test
build: node_modules  ## makes the schema a value and bundles the command and the daemon into dist/
	node build.ts

check: build  ## types, lint, and the rules of the project
	tsc
	oxlint --quiet src test
	vitest run test/tidy --reporter=dot

unit: build         ## the tests that need no root
	vitest run

test: build         ## all tests: with root also those that run containers
	scripts/test.sh

.PHONY: demo-images
demo-images: node_modules  ## makes the examples' base images from Debian packages and serves them as a mirror of docker.io on loopback
	node examples/images/build.ts

.PHONY: raft-vectors
raft-vectors: node_modules  ## the outside cases of the consensus core (CASES=dir, default ../shared/conformance)
	node test/conformance/raft-vectors.ts

.PHONY: docs golden
docs: build         ## rewrites the pages that are made from tables
	node build/docs.ts

golden: build       ## rewrites the golden texts: read the diff before you commit it
	GOLDEN=write vitest run $$(grep -rl "GOLDEN" test --include=*.test.ts)

.PHONY: conformance
conformance: build  ## the Compose language against cases from outside (CASES=dir, default ../shared/conformance)
	node test/conformance/run.ts $(CASES)

SEEDS ?= 1000
SEED ?= 1
JOBS ?= 1
.PHONY: sim
sim: node_modules  ## whole managers under simulated faults: SEEDS=n [SEED=first] [JOBS=n]; SEEDS=1 SEED=s replays one with its trace
	@node test/sim/main.ts $(or $(SEEDS),1000) $(or $(SEED),1) $(or $(JOBS),1)

.PHONY: wal-crash
wal-crash: node_modules  ## the store's log under kill -9, a full disk and failing syncs: [KILLS=n]
	@node test/manager/store/wal-crash.ts

.PHONY: e2e
e2e: build  ## the tests that need root and a container runtime: ONLY=engine/escape to pick; FLOTILLA_RUNTIME=crun|runc to choose
	scripts/e2e.sh $(ONLY)

.PHONY: bench
bench: build     ## ours and the peers in turn: [ONLY=name,…] [RUNS=n]
	node test/bench/main.ts

.PHONY: mutations
mutations: node_modules  ## each known mistake switched on: the suite has to catch every one (SEEDS=most seeds for each)
	@node --stack-trace-limit=0 --single-threaded-gc --min-semi-space-size=128 --max-semi-space-size=128 test/sim/mutations.ts $(SEEDS)

EPISODES ?= 50
MANAGERS ?= 3
.PHONY: chaos
chaos: node_modules  ## real managers under kill -9, SIGSTOP, partitions, full disks, sync errors: EPISODES=n MANAGERS=3 or 5 (root)
	@node test/chaos/run.ts $(EPISODES) $(MANAGERS) $(SEED)

.PHONY: vm-test
vm-test: build demo-images  ## boots a Debian machine with cgroup v2 and tries all in it, also a power cut: [ONLY="powercut product"] (root)
	test/vm/run.sh $(ONLY)
