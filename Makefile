# What each target needs: Go 1.26 or later, a C compiler (DuckDB is linked in by cgo), Python 3.10 or later with venv for the tests.
.DEFAULT_GOAL := build
SHELL := /bin/bash
BUILD := $(CURDIR)/build
PYTHON ?= python3
FUZZTIME ?= 20000x
EVENTS ?= 200000
SOAK ?= 30m

.PHONY: build test tools lint unit race clients fuzz fuzz-short differential differential-short tamper soak bench growth model clean

build: ## the loch binary
	go build -trimpath -o $(BUILD)/bin/loch ./cmd/loch

test: tools lint unit race fuzz-short differential-short ## everything that CI runs

tools: $(BUILD)/venv/.ready $(BUILD)/awscli2/.ready $(BUILD)/bin/versitygw ## the clients and the S3 server that tests run against, into build/

$(BUILD)/venv/.ready: e2e/clients/requirements.txt
	rm -rf $(BUILD)/venv
	$(PYTHON) -m venv $(BUILD)/venv
	$(BUILD)/venv/bin/pip install --quiet --disable-pip-version-check -r e2e/clients/requirements.txt
	touch $@

$(BUILD)/awscli2/.ready: e2e/clients/awscli2.py $(BUILD)/venv/.ready
	rm -rf $(BUILD)/awscli2
	$(BUILD)/venv/bin/python e2e/clients/awscli2.py $(BUILD)/awscli2
	touch $@

$(BUILD)/bin/versitygw:
	GOBIN=$(BUILD)/bin GOFLAGS= go install github.com/versity/versitygw/cmd/versitygw@v1.8.0

lint: ## formatting and vet
	@bad=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$bad" ]; then echo "not gofmt'ed:"; echo "$$bad"; exit 1; fi
	go vet ./...

unit: ## all Go tests, the real aws CLI and boto3 among them
	go test -timeout 15m ./...
	cd third_party/lru && go test ./...

race: ## the rooms whose goroutines share state, under the race detector
	go test -race -timeout 15m ./access ./identity ./imports ./ingest ./meta ./objstore ./query ./registry ./tlog ./verify ./wal

fuzz-short: ## the fuzz targets of decoders, wire and parser for a short while
	@SHORT=1 FUZZTIME=$(FUZZTIME) bash e2e/fuzz.sh

fuzz: ## every fuzz target for ten minutes each
	@FUZZTIME=10m bash e2e/fuzz.sh

differential: ## statements, recorded and generated, over values and over tables of every schema, on Loch and on a real Trino with two nodes, which is fetched once (about 540 MB; needs Java 24 or later and Maven)
	LOCH_TRINO=1 go test ./differential -count=1 -timeout 90m -v
	LOCH_TRINO=1 go test ./e2e -run TestTrino -count=1 -timeout 40m -v

differential-short: ## statements over tables and a hundred generated ones on a real Trino with two nodes; skipped where there is no Java 24 or Maven
	LOCH_TRINO=1 go test ./differential -run TestTablesTrino -generated 100 -seed 1 -count=1 -timeout 30m -v

tamper: ## 1,000 random changes of every kind to fresh, compacted, retained, held and erased lakes: each must be found, and what was changed named
	LOCH_TAMPER_ATTEMPTS=1000 go test ./verify -run TestTampering -count=1 -timeout 60m -v

soak: build $(BUILD)/bin/versitygw ## SOAK (30m) of random load, kills, failing disk and S3 and compaction together, then everything verified and counted
	go run ./soak -loch $(BUILD)/bin/loch -for $(SOAK)

bench: build ## speed, size and memory against floor and peers; writes the table of docs/benchmarks.md to standard output
	go run ./bench --events $(EVENTS)

growth: ## brings fifty million events in ten parts: the last must cost what the first did (about 30 GB in TMPDIR, half an hour)
	go run ./bench --only growth --events 50000000

model: $(BUILD)/venv/.ready ## the service model, derived anew from botocore
	$(BUILD)/venv/bin/python api/model/gen.py
	gofmt -w api/model

clean:
	rm -rf $(BUILD)
