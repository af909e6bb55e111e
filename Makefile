# What is built, tested and checked here. "make help" lists the targets.

GO      ?= go
VERSION ?= $(or $(patsubst v%,%,$(shell git describe --tags --always --dirty 2>/dev/null)),unknown)
OUT     ?= thingwarden
PKG     ?= ./...
FUZZTIME ?= 30s
IMAGE   ?= thingwarden:$(VERSION)
CACHE   := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/thingwarden-test

GOLANGCI_VERSION := v2.15.0
ACTIONLINT_VERSION := v1.7.12
GOVULNCHECK_VERSION := v1.9.0
ACTIONLINT := $(CACHE)/actionlint-$(ACTIONLINT_VERSION)/actionlint
GOLANGCI := $(CACHE)/golangci-lint-$(GOLANGCI_VERSION)/golangci-lint
HOMEASSISTANT_VERSION := 2026.11.0
HOMEASSISTANT := $(CACHE)/homeassistant-$(HOMEASSISTANT_VERSION)/homeassistant-$(HOMEASSISTANT_VERSION)-py3-none-any.whl
OUI_DATA_VERSION := 2.1.9
OUI_DATA := $(CACHE)/oui-data-$(OUI_DATA_VERSION)/package/index.json

# Debian has the daemons that the tests start in the two folders, which are not in
# the PATH of ordinary users. With "path" in TEST_REQUIRE, the PATH is all there is.
ifeq (,$(findstring path,$(TEST_REQUIRE)))
export PATH := $(PATH):/usr/sbin:/sbin
endif

.PHONY: help build release test lint vulncheck generate data fuzz bench e2e e2e-ha image lab-deps

help:
	@echo 'build     one static program, ./thingwarden'
	@echo 'test      all tests; the network lab needs root or user namespaces, else its tests skip'
	@echo 'lint      gofmt, golangci-lint $(GOLANGCI_VERSION), actionlint and shellcheck'
	@echo 'vulncheck known weaknesses of modules, asked at vuln.go.dev'
	@echo 'generate  what is generated from the tree'
	@echo 'data      the big tables, from packages of npm and PyPI'
	@echo 'fuzz      each fuzz test for FUZZTIME ($(FUZZTIME))'
	@echo 'bench     all benchmarks'
	@echo 'e2e       the built program against real daemons and a real Home Assistant'
	@echo 'e2e-ha    only those with Home Assistant, which is installed first (minutes, once)'
	@echo 'image     the container image $(IMAGE)'
	@echo 'release   all files of a release, in dist/'
	@echo 'lab-deps  install what lab and e2e need (Debian, as root)'

# Nothing that the program talks to needs HTTP/2: half a megabyte. Inlining in the
# packages of others would be another; only the evaluation of CEL is worth it.
LEAN := -tags nethttpomithttp2 $(foreach p,github.com google.golang.org golang.org go.yaml.in cel.dev/cel-go/parser,-gcflags=$(p)/...=-l) \
	-gcflags=github.com/thingwarden/...=
build:
	CGO_ENABLED=0 $(GO) build $(LEAN) -trimpath -buildvcs=false -ldflags '-s -w -X main.version=$(VERSION)' -o $(OUT) .

# A tag asks for the strict checks of a release: make release TAG=v1.2.3
release:
	packaging/release.sh $(if $(TAG),--tag $(TAG)) dist

# The race detector needs a C compiler.
test:
	@cc=$$($(GO) env CC); \
	if echo 'int main(void) { return 0; }' | $$cc -x c -o /dev/null - 2>/dev/null; then \
		CGO_ENABLED=1 $(GO) test -race -timeout 60m $(TESTFLAGS) $(PKG); \
	else \
		echo "no C compiler ($$cc): the tests run without the race detector"; \
		CGO_ENABLED=0 $(GO) test -timeout 60m $(TESTFLAGS) $(PKG); \
	fi

# shellcheck, where it is installed, is also what actionlint checks scripts of workflows with.
lint: $(GOLANGCI) $(ACTIONLINT)
	@unformatted=$$(git ls-files -z '*.go' | xargs -0 gofmt -l); \
	if [ -n "$$unformatted" ]; then echo "gofmt these files:"; echo "$$unformatted"; exit 1; fi
	$(ACTIONLINT)
	@if command -v shellcheck >/dev/null; then git ls-files -z '*.sh' .ci | xargs -0 shellcheck --severity=warning; \
	else echo "no shellcheck: the scripts are not checked"; fi
	$(GOLANGCI) run $(PKG)

$(ACTIONLINT):
	GOBIN=$(dir $@) $(GO) install github.com/rhysd/actionlint/cmd/actionlint@$(ACTIONLINT_VERSION)

$(GOLANGCI):
	GOBIN=$(dir $@) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)

# Not among the checks of every change: what it finds depends on the day.
vulncheck:
	$(GO) run golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION) ./...

generate:
	$(GO) generate ./...

# The big tables, from pinned packages of npm and PyPI. Their output is committed.
data: $(OUI_DATA) $(HOMEASSISTANT)
	$(GO) run ./discovery/oui/gen -in $(OUI_DATA) -out discovery/oui/table.bin
	$(GO) run ./discovery/product/gen -in $(HOMEASSISTANT) -out discovery/product/homeassistant.tsv

$(HOMEASSISTANT):
	mkdir -p $(dir $@)
	python3 -m pip download --quiet --no-deps --only-binary=:all: --python-version 3.14.9 \
		--dest $(dir $@) homeassistant==$(HOMEASSISTANT_VERSION)

$(OUI_DATA):
	mkdir -p $(CACHE)/oui-data-$(OUI_DATA_VERSION)
	cd $(CACHE)/oui-data-$(OUI_DATA_VERSION) && npm pack --silent oui-data@$(OUI_DATA_VERSION) && tar xzf *.tgz

# Each package is built once. What a fuzz test finds stays in its testdata/fuzz, where
# a second run fails at once; a run that fails because its time ended (golang.org/issue/56238)
# does not fail again. What made a test go further is kept where "go test -fuzz" keeps it.
fuzz:
	@set -e; bin=$$(mktemp -d); trap 'rm -rf "$$bin"' EXIT; kept=$$($(GO) env GOCACHE)/fuzz; \
	run() { cd "$$dir" && nice "$$bin/fuzz.test" -test.run "^$$1\$$" -test.fuzz "^$$1\$$" -test.fuzztime $(FUZZTIME) \
		-test.fuzzminimizetime 10x -test.fuzzcachedir "$$kept/$$pkg" -test.parallel 2; }; \
	$(GO) list -f '{{if .TestGoFiles}}{{.ImportPath}} {{.Dir}}{{end}}' $(PKG) | while read -r pkg dir; do \
		names=$$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$dir"/*_test.go); \
		[ -n "$$names" ] || continue; \
		$(GO) test -c -fuzz=. -o "$$bin/fuzz.test" "$$pkg"; \
		for name in $$names; do \
			echo "== $$pkg $$name"; \
			(run "$$name") || (run "$$name"); \
		done; \
	done

bench:
	$(GO) test -run '^$$' -bench . -benchmem $(PKG)

e2e:
	TEST_REQUIRE=lab,e2e $(GO) test -count=1 -timeout 60m -v ./agent/e2e/...

e2e-ha:
	agent/e2e/install-homeassistant.sh
	TEST_REQUIRE=lab,e2e $(GO) test -count=1 -timeout 60m -v -run HomeAssistant ./agent/e2e

image:
	docker build --build-arg VERSION=$(VERSION) -t $(IMAGE) .

lab-deps:
	.ci/install
