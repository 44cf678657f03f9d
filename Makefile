# SPDX-License-Identifier: GPL-2.0
#
# Continuum. "make help" says what there is.

# The kernel to build for: running, bookworm, trixie, sid, or a kernel release.
KVER ?= running
PREFIX ?= /usr
DESTDIR ?=

VERSION := $(shell sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' dkms.conf)
build-module := tools/kernels/module

.PHONY: all module modules-all tools setup demo check check-unit check-build \
	check-vm check-debug check-faults model soak sim bench install install-headers dkms dkms-source deb \
	check-deb clean help

all: module tools

module:
	$(build-module) $(KVER)

modules-all:
	$(build-module) bookworm
	$(build-module) trixie
	$(build-module) sid

tools:
	$(MAKE) -C tools

setup:
	tools/setup

# The programs below build the modules for the kernels that they boot.
demo: setup
	$(MAKE) tools
	tools/demo/demo

check: setup
	$(MAKE) tools
	selftests/run check

check-unit: setup
	selftests/run unit

check-build: setup
	selftests/build/run

# The packages, and two nodes of a Debian userland with systemd on which they are
# installed, upgraded and removed; needs root. RELEASES="bookworm trixie"
check-deb: setup
	tools/setup deb
	selftests/deb/run

check-vm: setup
	$(MAKE) tools
	selftests/run vm

# On a kernel that complains about what others let pass; slow, so what moves, what
# is refused and what fails, each once. TESTS=PATTERN for less or more.
check-debug: setup
	$(MAKE) tools
	selftests/run debug

# A handoff in which something goes wrong at each message, on KVER (bookworm).
check-faults: setup
	$(MAKE) tools
	selftests/run faults

model: setup
	$(MAKE) -C selftests/model run

soak: setup
	$(MAKE) tools
	selftests/run soak

# Clusters of thousands of nodes, and one million handoffs under random faults.
sim: setup
	$(MAKE) -C selftests/sim run
	$(MAKE) -C selftests/unit sim

bench: setup
	$(MAKE) tools
	$(MAKE) -s -C selftests/bench run
	selftests/bench/bench
	selftests/bench/blocks
	selftests/bench/forks

# The module goes to the running kernel, so KVER does not apply.
install: tools
	ko=$$($(build-module) running) && \
	install -D -m 644 "$$ko" "$(DESTDIR)/lib/modules/$$(uname -r)/updates/continuum.ko"
	$(if $(DESTDIR),,depmod)
	$(MAKE) -C tools install DESTDIR=$(DESTDIR) PREFIX=$(PREFIX)
	$(MAKE) install-headers DESTDIR=$(DESTDIR) PREFIX=$(PREFIX)

install-headers:
	install -D -m 644 uapi/linux/continuum.h $(DESTDIR)$(PREFIX)/include/linux/continuum.h
	install -D -m 644 uapi/linux/continuum_netlink.h $(DESTDIR)$(PREFIX)/include/linux/continuum_netlink.h

# What DKMS needs, where it looks for it.
dkms-source := $(DESTDIR)/usr/src/continuum-$(VERSION)

dkms-source:
	rm -rf $(dkms-source)
	install -d $(dkms-source)
	cp -r dkms.conf module uapi $(dkms-source)/
	find $(dkms-source) -name '.*' -type f -delete

dkms: dkms-source
	$(if $(DESTDIR),,dkms add continuum/$(VERSION))
	$(if $(DESTDIR),,dkms install continuum/$(VERSION))

# Debian packages of all this, unsigned, in build/deb.
deb: setup
	tools/setup deb
	tools/deb/build

clean:
	rm -rf build
	[ ! -e tools/Makefile ] || $(MAKE) -C tools clean

help:
	@echo 'make               the module for the running kernel, and the tools'
	@echo 'make KVER=sid      the same for that kernel: bookworm, trixie, sid, 6.12, ...'
	@echo 'make modules-all   the module for the three Debian kernels'
	@echo 'make tools         continuumd, continuumctl, restorer, keeper'
	@echo 'make demo          a cluster in virtual machines, and what it can do'
	@echo 'make check         all tests; parts of it:'
	@echo '     check-unit      the pure core, in user space'
	@echo '     check-build     warnings, sparse, objtool, exported symbols, dkms'
	@echo '     check-deb       the packages, installed on Debian userlands (root; minutes)'
	@echo '     check-vm        on clusters of virtual machines'
	@echo '     check-debug     some of these on a kernel with KASAN, lockdep, kmemleak, ...'
	@echo '     check-faults    crashes and cut cables at every message of a handoff'
	@echo 'make soak          200 moves under load on the first kernel, 20 on the others'
	@echo 'make model         the handoff, verified by Spin'
	@echo 'make sim           clusters of up to 4,096 nodes, and a million handoffs, in'
	@echo '                   virtual time (minutes)'
	@echo 'make bench         measurements'
	@echo 'make install       module and tools into this machine'
	@echo 'make dkms          the module for every kernel of this machine, by DKMS'
	@echo 'make deb           Debian packages of it, into build/deb'
	@echo 'make clean         remove what was built (not the downloaded kernels)'
	@echo
	@echo 'Modules are built below build/. Kernels, headers and compilers of other'
	@echo 'releases are downloaded once, see tools/kernels/kernel help.'
	@echo 'demo and check install missing packages with apt: tools/packages.list.'
