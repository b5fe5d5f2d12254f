# SPDX-License-Identifier: GPL-2.0
#
# The commands of vbus; "make help" lists them. What the modules consist of is in
# Kbuild, how tests are run and counted in tests/. Everything that is built here
# lands below BUILD, nothing in the source folders.

BUILD ?= build
# The newest kernel whose headers are installed: the running one often has none.
KDIR ?= $(lastword $(shell ls -d /lib/modules/*/build 2>/dev/null | sort -V))

# The one list of what has to be installed, as Debian names it: what is needed to build
# modules and programs, what the outer host and the demo in it need besides, and the rest,
# which only the checks need.
DEPS_BUILD := build-essential linux-headers-amd64 kmod liburcu-dev libseccomp-dev acpica-tools
DEPS_DEMO := $(DEPS_BUILD) python3 perl bison flex xz-utils \
	ninja-build pkg-config python3-venv libglib2.0-dev zlib1g-dev libcap-ng-dev libattr1-dev \
	libaio-dev liburing-dev busybox-static cpio \
	iproute2 iputils-ping iperf3 ethtool pciutils socat procps util-linux
DEPS := $(DEPS_DEMO) linux-source-6.1 bc libelf-dev libssl-dev sparse cppcheck \
	libcmocka-dev git udev fio e2fsprogs xfsprogs btrfs-progs gdisk bash-builtins dmsetup spin

# Where "make install" puts things, for the kernel that KDIR belongs to.
PREFIX ?= /usr/local
KVER ?= $(shell sed -n 's/^.*UTS_RELEASE "\(.*\)"$$/\1/p' $(KDIR)/include/generated/utsrelease.h 2>/dev/null)
DEST = $(if $(DESTDIR),$(abspath $(DESTDIR)))
MODDIR = $(DEST)/lib/modules/$(KVER)/extra/vbus
UAPI_DIR = $(DEST)$(PREFIX)/include/linux

# Explicit kernels get a build folder of their own.
ifeq ($(origin KDIR),file)
MODULES := modules
else
MODULES := modules-$(firstword $(shell echo $(KDIR) $(ARCH) | cksum))
endif

USER_DIRS := $(patsubst %/Makefile,%,$(wildcard userspace/Makefile tests/*/Makefile) \
	$(or $(wildcard bench/Makefile),$(wildcard bench/*/Makefile)))

export VBUS_BUILD := $(abspath $(BUILD))
MAKEFLAGS += --no-print-directory

all: deps-build modules user-userspace

modules: ## all modules, for KDIR
	@+tests/lib/kbuild $(VBUS_BUILD)/$(MODULES) $(KDIR) $(if $(ARCH),ARCH=$(ARCH))

user: $(addprefix user-,$(subst /,-,$(USER_DIRS))) ## all of userspace, tests and benchmarks too

define user_rule
user-$(subst /,-,$(1)):
	+$$(MAKE) -C $(1) BUILD=$$(VBUS_BUILD)
.PHONY: user-$(subst /,-,$(1))
endef
$(foreach d,$(USER_DIRS),$(eval $(call user_rule,$(d))))

# What these need is installed before they start, as "make deps" does.
check check-style check-user check-kunit check-loop check-vm check-lab check-long \
	coverage modules-uml uml-kernel vm-emulator bench-ring bench-boot bench-blk: deps

check: ## every check there is; ends with the tally
	@+tests/check style user kunit loop vm

check-style: ## checkpatch, W=1, sparse, cppcheck, layers, uAPI headers ...
	@+tests/check style

check-user: ## unit tests in userspace, under ASan and UBSan
	@+tests/check user

check-kunit: ## KUnit suites in UML; SUITE="ring_test ..." for some, QUICK=1 without leak scan
	@+SUITE="$(SUITE)" QUICK=$(QUICK) tests/check kunit

check-loop: ## host and guest in one UML kernel; TEST="name ..." for some, QUICK=1, LONG=1, SEED=
	@+TEST="$(TEST)" QUICK=$(QUICK) LONG=$(LONG) SEED=$(SEED) tests/check loop

check-vm: ## guests in a real host kernel; TEST="name ..." for some, LONG=1 for full length, ATTACH=native
	@+TEST="$(TEST)" LONG=$(LONG) ATTACH=$(ATTACH) tests/check vm

check-lab: ## stock guests under load for MINUTES=30: is the outer host to be trusted?
	@tests/vm/prepare
	@for t in tests/vm/lab/*.sh; do \
		tests/vm/run --no-build --timeout $$(($(or $(MINUTES),30) * 60 + 900)) \
			--env MINUTES=$(or $(MINUTES),30) --name lab-$$(basename $$t .sh) $$t || exit; \
	done

check-long: ## everything, with all repetitions: takes hours
	@+LONG=1 tests/check style user kunit loop vm

coverage: ## lines of the modules that the tests in UML execute
	@+SUITE="$(SUITE)" TEST="$(TEST)" tests/coverage

modules-uml: ## all modules for UML, FLAVOUR=debug or gcov
	@+tests/uml/modules $(or $(FLAVOUR),debug)

uml-kernel: ## the UML kernels themselves, into the cache
	tests/uml/kernel debug
	tests/uml/kernel gcov

vm-emulator: ## emulator and kernel of the outer host, into the cache
	tests/vm/emulator
	tests/vm/kernel

demo: deps-demo ## the main job, once, in a virtual machine that plays the host
	@+tests/vm/run --timeout 300 --name demo Documentation/examples/demo.sh

demo-shell: deps-demo ## the same, but stop where host and guest talk, with a shell on that host
	@+tests/vm/run --timeout 86400 --tty --name demo Documentation/examples/demo.sh shell

bench-ring: ## ring layouts compared on two CPUs; JSON=FILE
	+$(MAKE) -C bench/ring BUILD=$(VBUS_BUILD) run $(if $(JSON),JSON=$(abspath $(JSON)))

bench-boot: ## power-on to a network card that answers: PCI, native, QEMU's virtio; RUNS=5
	@tests/vm/prepare
	@tests/vm/run --no-build --timeout $$(($(or $(RUNS),5) * 120 + 300)) \
		--env RUNS=$(or $(RUNS),5) bench/boot/boot.sh

bench-blk: ## disks in guests: vbus, virtio-blk, vhost-scsi; RUNS=5, JSON=FILE
	@tests/vm/prepare
	@tests/vm/disk-image
	@tests/vm/run --no-build --mem 6G --timeout $$(($(or $(RUNS),5) * 400 + 600)) \
		--env RUNS=$(or $(RUNS),5) $(if $(ATTACH),--env ATTACH=$(ATTACH)) bench/blk/blk.sh
	@bench/blk/report.py $(VBUS_BUILD)/bench-blk.results $(if $(JSON),$(abspath $(JSON)))

install: install-modules install-headers install-user ## modules, programs, headers, manuals, udev rules; PREFIX, DESTDIR

uninstall: uninstall-modules uninstall-headers uninstall-user ## take them away again

# Debug information is for where they were built, and KUnit suites for nobody else. A
# package runs depmod where it is unpacked.
install-modules: modules
	@[ -n "$(KVER)" ] || { echo "no kernel build tree in '$(KDIR)': give KDIR="; exit 1; }
	rm -rf $(MODDIR)
	install -d $(MODDIR)
	@cd $(VBUS_BUILD)/$(MODULES) && for m in $$(sed -n '/^kunit\/\|\/kunit\//!s/\.k\?o$$/.ko/p' modules.order); do \
		echo "  INSTALL $(MODDIR)/$${m##*/}"; \
		install -m 644 $$m $(MODDIR)/ && strip --strip-debug $(MODDIR)/$${m##*/} || exit 1; \
	done
	$(if $(DESTDIR),,depmod -a $(KVER))

uninstall-modules:
	rm -rf $(MODDIR)
	$(if $(DESTDIR),,depmod -a $(KVER))

# For authors of VMMs and guests; libvbus brings its own.
install-headers:
	install -d $(UAPI_DIR)
	install -m 644 include/uapi/linux/vbus*.h $(UAPI_DIR)/

uninstall-headers:
	rm -f $(addprefix $(UAPI_DIR)/,$(notdir $(wildcard include/uapi/linux/vbus*.h)))

install-user uninstall-user:
	+$(MAKE) -C userspace BUILD=$(VBUS_BUILD) PREFIX=$(PREFIX) DESTDIR=$(DEST) $(@:-user=)
	$(if $(DESTDIR),,ldconfig)

deps: ## install what is needed (as root), or print how to
	@tests/lib/deps $(DEPS)

deps-demo: ## the same for "make demo" alone
	@tests/lib/deps $(DEPS_DEMO)

deps-build:
	@tests/lib/deps --check $(DEPS_BUILD)

clean: ## remove everything built; the cached UML kernels stay
	+$(foreach d,$(USER_DIRS),$(MAKE) -C $(d) BUILD=$(VBUS_BUILD) clean;) true
	rm -rf $(BUILD)

help: ## this list
	@echo "KDIR=$(KDIR)  BUILD=$(BUILD)"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 18

.PHONY: install uninstall install-modules install-headers install-user \
	uninstall-modules uninstall-headers uninstall-user deps-build deps-demo demo demo-shell
.PHONY: all modules user check check-style check-user check-kunit check-loop check-vm check-lab check-long \
	coverage modules-uml uml-kernel vm-emulator bench-ring bench-boot bench-blk deps clean help
