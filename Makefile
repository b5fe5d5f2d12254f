# SPDX-License-Identifier: GPL-2.0
#
# The commands of vbus; "make help" lists them. What the modules consist of is in
# Kbuild, how tests are run and counted in tests/. Everything that is built here
# lands below BUILD, nothing in the source folders.

BUILD ?= build
# The newest kernel whose headers are installed: the running one often has none.
KDIR ?= $(lastword $(shell ls -d /lib/modules/*/build 2>/dev/null | sort -V))

# The one list of what has to be installed, as Debian names it.
DEPS := build-essential linux-headers-amd64 linux-source-6.1 bc bison flex \
	libelf-dev libssl-dev kmod xz-utils python3 perl sparse cppcheck \
	libcmocka-dev git iproute2 iputils-ping iperf3 procps util-linux

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

all: modules user

modules: ## all modules, for KDIR
	@+tests/lib/kbuild $(VBUS_BUILD)/$(MODULES) $(KDIR) $(if $(ARCH),ARCH=$(ARCH))

user: $(addprefix user-,$(subst /,-,$(USER_DIRS))) ## all of userspace

define user_rule
user-$(subst /,-,$(1)):
	+$$(MAKE) -C $(1) BUILD=$$(VBUS_BUILD)
.PHONY: user-$(subst /,-,$(1))
endef
$(foreach d,$(USER_DIRS),$(eval $(call user_rule,$(d))))

check: ## every check there is; ends with the tally
	@+tests/check style user kunit loop

check-style: ## checkpatch, W=1, sparse, cppcheck, layers, uAPI headers ...
	@+tests/check style

check-user: ## unit tests in userspace, under ASan and UBSan
	@+tests/check user

check-kunit: ## KUnit suites in UML; SUITE="ring_test ..." for some, QUICK=1 without leak scan
	@+SUITE="$(SUITE)" QUICK=$(QUICK) tests/check kunit

check-loop: ## host and guest in one UML kernel; TEST="name ..." for some, QUICK=1
	@+TEST="$(TEST)" QUICK=$(QUICK) tests/check loop

coverage: ## lines of the modules that the tests in UML execute
	@+SUITE="$(SUITE)" TEST="$(TEST)" tests/coverage

modules-uml: ## all modules for UML, FLAVOUR=debug or gcov
	@+tests/uml/modules $(or $(FLAVOUR),debug)

uml-kernel: ## the UML kernels themselves, into the cache
	tests/uml/kernel debug
	tests/uml/kernel gcov

bench-ring: ## ring layouts compared on two CPUs; JSON=FILE
	+$(MAKE) -C bench/ring BUILD=$(VBUS_BUILD) run $(if $(JSON),JSON=$(abspath $(JSON)))

deps: ## install what is needed (as root), or print how to
	@missing=; for p in $(DEPS); do \
		dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || \
			missing="$$missing $$p"; \
	done; \
	if [ -z "$$missing" ]; then \
		echo "everything needed is installed"; \
	elif [ "$$(id -u)" = 0 ]; then \
		export DEBIAN_FRONTEND=noninteractive; \
		apt-get update -q && apt-get install -q -y --no-install-recommends $$missing; \
	else \
		echo "as root: apt-get install --no-install-recommends$$missing"; \
		exit 1; \
	fi

clean: ## remove everything built; the cached UML kernels stay
	+$(foreach d,$(USER_DIRS),$(MAKE) -C $(d) BUILD=$(VBUS_BUILD) clean;) true
	rm -rf $(BUILD)

help: ## this list
	@echo "KDIR=$(KDIR)  BUILD=$(BUILD)"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 18

.PHONY: all modules user check check-style check-user check-kunit check-loop \
	coverage modules-uml uml-kernel bench-ring deps clean help
