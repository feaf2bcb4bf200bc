# Drover's commands. `make up` and `make test` work on a fresh Debian machine, as root, with nothing but Rust and git on it.
PREFIX ?= /usr/local
CARGO ?= cargo
RELEASE := target/release
IMAGES := target/images/web.tar
CLIENTS := target/clients

.PHONY: up build install images vm-image e2e test check bench soak sim fuzz deps test-deps bench-deps fmt codegen

## up: install what the machine lacks, build, and start a one-node cluster in this terminal (Ctrl-C stops it)
up: deps install images
	$(PREFIX)/bin/drover up --image $(IMAGES)

## build: release binaries
build: deps
	$(CARGO) build --release --locked -p drover -p kctl

## install: put drover and kctl where every terminal finds them
install: build
	install -D -m 0755 $(RELEASE)/drover $(PREFIX)/bin/drover
	install -D -m 0755 $(RELEASE)/kctl $(PREFIX)/bin/kctl

## images: the example image, FROM scratch, as an archive that `drover image import` reads
images: deps
	$(CARGO) run --release --locked -q -p xtask -- example-image $(IMAGES)

## check: formatting, lints, dependency rules, tidiness
check: deps
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) run --locked -q -p xtask -- tidy
	@command -v cargo-deny >/dev/null || $(CARGO) install --locked --quiet cargo-deny
	$(CARGO) deny --locked check bans licenses sources

## test: everything, end-to-end tests with real containers included
test: deps test-deps
	@# Tests and programs in one go: by themselves programs would be built once more, with the features that they alone ask for.
	$(CARGO) build --workspace --all-targets --locked
	$(CARGO) run --locked -q -p xtask -- example-image $(IMAGES)
	@$(MAKE) --no-print-directory vm-image
	$(CARGO) test --workspace --locked --no-fail-fast
	@$(MAKE) --no-print-directory fuzz

# Builds all tests, of which two are run on a machine too, and prints where those are.
MACHINE_TESTS = $(CARGO) test --workspace --locked --no-run --message-format=json | sed -nE 's,.*"executable":"([^"]*/deps/(cri|inside)-[0-9a-f]*)".*,\1,p'

## vm-image: what the virtual machines of the tests boot, with the debug binaries on its disk
vm-image: test-deps
	e2e/vm/build target/vm target/debug $(IMAGES) $$($(MACHINE_TESTS))

## e2e: clusters of virtual machines and what happens to machines, as in `make test`, but with the optimised programs that are shipped
e2e: build test-deps images
	e2e/vm/build target/vm $(RELEASE) $(IMAGES)
	$(CARGO) test --locked -p e2e --test vm_machines --test vm_servers -- --nocapture

## bench: the figures of the README, each beside its reference
bench: deps bench-deps images
	$(CARGO) build --release --locked -p drover -p kctl -p e2e --bins
	$(CARGO) run --release --locked -p store --example bench_store
	$(CARGO) run --release --locked -p proxy --example bench
	$(RELEASE)/bench
	$(RELEASE)/bench_node
	$(RELEASE)/bench_api
	$(RELEASE)/bench_scheduler
	$(RELEASE)/bench_cluster

## soak: kills node agent and runtime while pods run, and servers while clients keep books, again and again: make soak ROUNDS=200
soak: deps test-deps images
	$(CARGO) build --locked -p drover -p kctl -p e2e --bins
	DROVER_SOAK_ROUNDS=$(or $(ROUNDS),200) $(CARGO) test --locked -p e2e --test node_restarts --test books -- --nocapture

## sim: the control plane in virtual time from many seeds: make sim SEEDS=100000 (FROM=1 is the first)
sim:
	$(CARGO) build --release --locked -p sim
	$(RELEASE)/sim seeds --from $(or $(FROM),1) --count $(or $(SEEDS),1000)

## fuzz: looks for inputs that break what must hold for any bytes; ten seconds for each property, or make fuzz FOR=3600
FOR ?= 10
fuzz: deps test-deps
	.ci/fuzz $(FOR)

## codegen: regenerate the schema table from the published crates
codegen:
	$(CARGO) run -q -p xtask -- codegen

fmt:
	$(CARGO) fmt --all

# Debian packages: protoc and its own definitions build the CRI and CSI stubs, iptables and conntrack program Services, nftables policies, iproute2 is for people.
deps:
	@.ci/install protobuf-compiler:protoc libprotobuf-dev:/usr/include/google/protobuf/wrappers.proto iptables:iptables nftables:nft conntrack:conntrack iproute2:ip gcc:cc libc6-dev:/usr/lib/x86_64-linux-gnu/libc.a

# What only the tests need: a real etcd and registry to test against, busybox for test images, client programs in Python,
# an emulator and what fills its machines' disk.
test-deps: $(CLIENTS)/installed
	@.ci/install etcd-server:etcd etcd-client:etcdctl docker-registry:docker-registry busybox-static:busybox util-linux:nsenter procps:pgrep bind9-dnsutils:dig curl:curl \
		qemu-system-x86:qemu-system-x86_64 kmod:depmod e2fsprogs:mke2fs cpio:cpio binutils:strip g++:g++

# What the node is measured beside, and what its containers run.
bench-deps:
	@.ci/install runc:runc crun:crun busybox-static:busybox util-linux:nsenter iproute2:ip

$(CLIENTS)/installed: e2e/clients/requirements.txt
	@.ci/install python3:python3 python3-venv:/usr/share/python-wheels
	@python3 -m venv $(CLIENTS)
	@$(CLIENTS)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@
