// SPDX-License-Identifier: GPL-2.0
/*
 * What the guest finds in its memory when it starts, and after a reset: the command
 * line, with what the machine adds to it. The kernel is an empty one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <asm/bootparam.h>

#include "boot.h"
#include "options.h"
#include "vm.h"

#define MIB		(1024ULL * 1024)
#define RAM		(64 * MIB)
#define CMDLINE_MAX	100

static struct options opt;
static struct vm vm;
static char kernel[64];
static int kernel_fd;

void *vm_ram_ptr(struct vm *machine, uint64_t addr, uint64_t len)
{
	if (addr > RAM || len > RAM - addr)
		return NULL;
	return (char *)machine->ram[0].host + addr;
}

static int setup(void **state)
{
	uint8_t head[BZIMAGE_HEAD] = { 0 };
	struct setup_header *h = (void *)(head + offsetof(struct boot_params, hdr));

	(void)state;
	h->setup_sects = 27;
	h->boot_flag = 0xaa55;
	memcpy(&h->header, "HdrS", 4);
	h->version = 0x020f;
	h->loadflags = LOADED_HIGH;
	h->xloadflags = XLF_KERNEL_64;
	h->syssize = MIB / 16;
	h->relocatable_kernel = 1;
	h->kernel_alignment = 2 * MIB;
	h->pref_address = 16 * MIB;
	h->init_size = 4 * MIB;
	h->initrd_addr_max = 0x7fffffff;
	h->cmdline_size = CMDLINE_MAX;
	kernel_fd = memfd_create("kernel", 0);
	assert_int_equal(write(kernel_fd, head, sizeof(head)), sizeof(head));
	assert_int_equal(ftruncate(kernel_fd, 28 * 512 + MIB), 0);
	snprintf(kernel, sizeof(kernel), "/proc/self/fd/%d", kernel_fd);
	opt = (struct options){
		.kernel = kernel,
		.append = "quiet -- shell",
		.mem = RAM,
		.bus = { "vm0", "vm1" },
		.nr_buses = 2,
		.attach = ATTACH_NATIVE,
		.event_queues = 2,
		.discover = DISCOVER_CMDLINE,
	};
	vm = (struct vm){ .opt = &opt, .nr_vcpus = 1, .nr_ram = 1 };
	vm.ram[0].size = RAM;
	vm.ram[0].host = mmap(NULL, RAM, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return vm.ram[0].host == MAP_FAILED;
}

static int teardown(void **state)
{
	(void)state;
	boot_exit(&vm);
	munmap(vm.ram[0].host, RAM);
	return close(kernel_fd);
}

static const char *cmdline(void)
{
	return (char *)vm.ram[0].host + BOOT_CMDLINE;
}

static void added(void **state)
{
	static const char * const want =
		"vbus_native.device=16K@0xfe000000:16-17 quiet -- shell";

	(void)state;
	opt.nr_buses = 1;
	assert_int_equal(boot_init(&vm), 0);
	assert_int_equal(boot_load(&vm), 0);
	assert_string_equal(cmdline(), want);
	/* A guest may do with it what it likes. */
	memset(vm.ram[0].host, 0, RAM);
	assert_int_equal(boot_load(&vm), 0);
	assert_string_equal(cmdline(), want);
}

static void nothing_added(void **state)
{
	(void)state;
	opt.discover = DISCOVER_ACPI;
	assert_int_equal(boot_init(&vm), 0);
	assert_int_equal(boot_load(&vm), 0);
	assert_string_equal(cmdline(), "quiet -- shell");
}

static void too_long(void **state)
{
	char text[CMDLINE_MAX + 2] = "";

	(void)state;
	opt.append = text;
	/* 80 bytes are the machine's. */
	memset(text, 'x', CMDLINE_MAX - 79);
	assert_int_equal(boot_init(&vm), -E2BIG);
	boot_exit(&vm);
	text[CMDLINE_MAX - 80] = '\0';
	assert_int_equal(boot_init(&vm), 0);
	boot_exit(&vm);
	opt.attach = ATTACH_PCI;
	memset(text, 'x', CMDLINE_MAX + 1);
	assert_int_equal(boot_init(&vm), -E2BIG);
	boot_exit(&vm);
	text[CMDLINE_MAX] = '\0';
	assert_int_equal(boot_init(&vm), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(added),
		T(nothing_added),
		T(too_long),
	};

	return cmocka_run_group_tests_name("boot", tests, NULL, NULL);
}
