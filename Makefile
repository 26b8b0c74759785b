# fazt: a menu of what one does here. `make` prints it.
SHELL := /bin/bash
export CGO_ENABLED := 0
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
FUZZTIME ?= 30s
FUZZEVERY ?= 1
BENCHTIME ?= 1s
# SQLite and QuickJS are C by way of Go. Their locks and atomics are Go's and stay watched;
# to watch all that they do to their own memory takes five times as long.
export RACEFLAGS := -gcflags=modernc.org/sqlite/lib=-race=false -gcflags=modernc.org/libquickjs=-race=false
GO_FILES = $(shell git ls-files '*.go')

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

build: ## bin/fazt, static, with the version from git
	go build -trimpath -ldflags "-X main.version=$(VERSION)" -o bin/fazt ./cmd/fazt

test: ## every test, without the slow suites
	go test -timeout 20m ./...

race: ## the same under the race detector (needs a C compiler), a third of the scripts; FAZT_SCRIPTS=all has each
	CGO_ENABLED=1 GORACE=atexit_sleep_ms=0 go test -race $(RACEFLAGS) -short -timeout 20m ./...

# Most of these tests wait for something a third of their time.
integration: ## the real binary, real git, what each can meet
	go test -tags failpoints -count=1 ./reconcile/source -run CrashLeaves
	go test -tags integration -count=1 -timeout 20m -parallel 3 ./cmd/fazt -run 'Integration' -skip 'Integration(Apps)?Kill$$'

elsewhere: ## every script at a console's door, over TLS
	FAZT_ELSEWHERE=all go test -tags integration -count=1 -timeout 20m ./cmd/fazt -run 'IntegrationElsewhere'

kills: ## kill -9, 100 times at random moments
	FAZT_PLAIN=1 FAZT_KILLS=$${FAZT_KILLS:-100} go test -tags integration -count=1 -v -timeout 30m ./cmd/fazt -run 'Integration(Apps)?Kill$$'

conformance: ## the edge before h2spec, five proxies, two TLS scanners and tables of tricks
	FAZT_SCANS=all go test -tags integration -count=1 -v -timeout 20m ./cmd/fazt -run 'IntegrationConform'

# It installs from npm, so it is no part of ci: the network is no judge of a change.
conformance-oidc: ## sign-in by oidc-provider from npm (needs node and npm)
	FAZT_OIDC=1 go test -tags integration -count=1 -v ./cmd/fazt -run 'IntegrationOIDC'

faults: ## kill -9, 500 times at random and ten times at every durable step; each system call failing
	FAZT_PLAIN=1 FAZT_KILLS=$${FAZT_KILLS:-500} FAZT_ROUNDS=$${FAZT_ROUNDS:-10} go test -tags integration -count=1 -v -timeout 3h ./cmd/fazt -run 'Integration(Apps)?Kill$$|IntegrationFailpoints'
	FAZT_SYSCALLS=all go test -tags integration -count=1 -v -timeout 1h ./cmd/fazt -run 'IntegrationSyscall'
	go test -tags failpoints -count=1 ./reconcile/source -run CrashLeaves

abuse: ## floods, slow clients and hostile frames against the real binary, as many as somebody would send
	FAZT_ABUSE=all go test -tags integration -count=1 -v -timeout 30m ./cmd/fazt -run 'IntegrationAbuse'

browser: ## what a person sees, in Debian's chromium
	go test -tags browser -count=1 -timeout 20m ./cmd/fazt -run 'Browser'

fuzz: ## each fuzz target for FUZZTIME; of FUZZEVERY one, another each day
	@set -e; n=$$(date +%j); for pkg in $$(go list ./...); do \
	  for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    n=$$((10#$$n + 1)); [ $$((n % $(FUZZEVERY))) = 0 ] || continue; \
	    echo "$$pkg $$target"; go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$pkg; done; done

bench: bench-edge bench-reconcile bench-apps bench-start ## every measured figure

bench-edge: ## serving, next to bare net/http and Caddy, in turn
	go run ./cmd/fazt/bench edge

bench-reconcile: ## following repositories of 100, 1,000 and 10,000 apps, next to git and a bare parse
	go run ./cmd/fazt/bench -rounds 3 reconcile

bench-apps: ## code and data of apps, next to node:http, PocketBase and a bare driver
	go run ./cmd/fazt/bench -rounds 3 apps

bench-start: ## seconds of a newcomer's two commands
	go run ./cmd/fazt/bench -rounds 3 start

lint: ## gofmt, vet, staticcheck
	@out=$$(gofmt -l $(GO_FILES)); [ -z "$$out" ] || { echo "gofmt -w $$out"; exit 1; }
	go vet ./... && go vet -tags integration,browser ./cmd/fazt && go vet -tags failpoints ./platform/failpoint ./reconcile/source
	go tool staticcheck ./...

gen: ## write the generated pages of docs/reference
	go generate ./spec ./cmd/fazt

vendor-js: ## build the stand-ins of Node's modules anew from npm (needs node and npm)
	cd platform/script/web/vendor_js && npm ci --ignore-scripts && node build.mjs

gen-check: ## fail if a generated page is stale
	go test -count=1 -run='^TestReferencePage' ./spec ./cmd/fazt

cover: ## coverage of the unit and script tests
	go test -coverpkg=./... -coverprofile=cover.out ./... && go tool cover -func=cover.out | tail -n 1

ci: lint test race integration browser ## what .ci/run runs; the tests have what gen-check asks
	$(MAKE) -j2 --output-sync kills fuzz FUZZTIME=1s FUZZEVERY=3

.PHONY: help build test race integration elsewhere conformance conformance-oidc kills faults abuse browser fuzz bench bench-edge bench-reconcile bench-apps bench-start lint gen vendor-js gen-check cover ci
.DEFAULT_GOAL := help
