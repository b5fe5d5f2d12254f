// SPDX-License-Identifier: GPL-2.0
/*
 * The ACPI tables: which there are, their sums, and what iasl, which reads byte code
 * and writes source, makes of those that no compiler has made.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "acpi.h"
#include "native.h"
#include "options.h"
#include "vm.h"

#define BASE		0xe0000
#define SIZE		0x1fff0
#define LENGTH_AT	4
#define HEADER		36
#define TABLE_ID_AT	16

static struct options opt;
static struct vm vm;
static uint8_t mem[SIZE];
static uint64_t rsdp;

static int setup(void **state)
{
	(void)state;
	opt = (struct options){
		.attach = ATTACH_PCI,
		.event_queues = 2,
		.bus = { "vm0", "vm1" },
		.nr_buses = 2,
	};
	vm = (struct vm){
		.opt = &opt,
		.nr_vcpus = 3,
		.pci64_base = 0x8000000000ULL,
		.pci64_size = 0x1000000000ULL,
	};
	return 0;
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t value;

	memcpy(&value, p, sizeof(value));
	return value;
}

static void check_sum(const uint8_t *p, size_t len)
{
	uint8_t sum = 0;

	while (len--)
		sum += *p++;
	assert_int_equal(sum, 0);
}

/* Where a table is, with all that can be checked of any. */
static const uint8_t *table_at(uint64_t addr)
{
	const uint8_t *table;
	uint32_t len;

	assert_true(addr >= BASE && addr < BASE + SIZE - HEADER);
	table = mem + addr - BASE;
	len = get32(table + LENGTH_AT);
	assert_true(len >= HEADER && addr - BASE + len <= SIZE);
	check_sum(table, len);
	return table;
}

static void build(void)
{
	memset(mem, 0xaa, sizeof(mem));
	assert_int_equal(acpi_build(&vm, mem, sizeof(mem), BASE, &rsdp), 0);
	check_sum(mem + rsdp - BASE, 20);
	check_sum(mem + rsdp - BASE, 36);
}

static const uint8_t *xsdt(void)
{
	return table_at(get64(mem + rsdp - BASE + 24));
}

/* "FACP APIC ..." */
static const char *signatures(void)
{
	static char text[128];
	const uint8_t *x = xsdt();
	uint32_t off, len = get32(x + LENGTH_AT);

	text[0] = '\0';
	for (off = HEADER; off < len; off += 8)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%.4s ",
			 (const char *)table_at(get64(x + off)));
	return text;
}

/* The n-th table of the XSDT. */
static const uint8_t *nth(unsigned int n)
{
	return table_at(get64(xsdt() + HEADER + n * 8));
}

static bool find(const uint8_t *table, const char *name)
{
	return memmem(table, get32(table + LENGTH_AT), name, strlen(name));
}

static const uint8_t *dsdt(void)
{
	return table_at(get64(nth(0) + 140));
}

/* Source text of a table, without the first lines, which tell names and dates. */
static char *disassemble(const uint8_t *table)
{
	static char text[65536];
	char dir[] = "/tmp/acpi_test.XXXXXX", path[64], command[256];
	size_t len;
	FILE *f;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/t.aml", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(table, get32(table + LENGTH_AT), 1, f), 1);
	fclose(f);
	/* There, and to byte code again. */
	snprintf(command, sizeof(command),
		 "cd %s && iasl -d t.aml >log 2>&1 && iasl -we -p again t.dsl >>log 2>&1 || cat log",
		 dir);
	assert_int_equal(system(command), 0);
	snprintf(path, sizeof(path), "%s/again.aml", dir);
	assert_int_equal(access(path, R_OK), 0);
	snprintf(path, sizeof(path), "%s/t.dsl", dir);
	f = fopen(path, "r");
	assert_non_null(f);
	len = fread(text, 1, sizeof(text) - 1, f);
	text[len] = '\0';
	fclose(f);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
	return text;
}

static void pci(void **state)
{
	(void)state;
	build();
	assert_string_equal(signatures(), "FACP APIC MCFG SSDT SSDT ");
	assert_true(find(nth(3), "PCI0") && find(nth(4), "PM6B"));
	assert_false(find(dsdt(), "PCI0"));
	assert_true(find(dsdt(), "COM1"));
	assert_true(get64(nth(2) + 44) == VM_ECAM_BASE);
}

static void native(void **state)
{
	(void)state;
	opt.attach = ATTACH_NATIVE;
	build();
	assert_string_equal(signatures(), "FACP APIC SSDT ");
	assert_true(find(nth(2), ACPI_NATIVE_HID));
	assert_false(find(nth(2), "PCI0") || find(dsdt(), "PCI0"));
}

static void both(void **state)
{
	(void)state;
	opt.attach = ATTACH_PCI | ATTACH_NATIVE;
	build();
	assert_string_equal(signatures(), "FACP APIC MCFG SSDT SSDT SSDT ");
	assert_true(find(nth(3), "PCI0") && find(nth(5), ACPI_NATIVE_HID));
}

static void no_device(void **state)
{
	(void)state;
	opt.attach = ATTACH_NATIVE;
	opt.discover = DISCOVER_CMDLINE;
	build();
	assert_string_equal(signatures(), "FACP APIC ");
	opt.discover = DISCOVER_ACPI;
	opt.nr_buses = 0;
	build();
	assert_string_equal(signatures(), "FACP APIC ");
}

static void source(void **state)
{
	const char *text, *second;

	(void)state;
	opt.attach = ATTACH_NATIVE;
	build();
	text = disassemble(nth(2));
	assert_non_null(strstr(text, "Scope (\\_SB)"));
	second = strstr(text, "Device (VB01)");
	assert_non_null(second);
	assert_non_null(strstr(second, "Name (_HID, \"VBUS0001\")"));
	assert_non_null(strstr(second, "Name (_UID, 0x01)"));
	assert_non_null(strstr(second, "Name (_CCA, One)"));
	assert_non_null(strstr(second, "Memory32Fixed (ReadWrite,"));
	assert_non_null(strstr(second, "0xFE004000,"));
	assert_non_null(strstr(second, "0x00004000,"));
	assert_non_null(strstr(second,
			       "Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive"));
	assert_non_null(strstr(second, "0x00000012,"));
	assert_non_null(strstr(second, "0x00000013,"));
	assert_null(strstr(second, "0x00000014,"));
	assert_non_null(strstr(text, "Device (VB00)"));
	/* What a compiler has made comes through as well. */
	opt.attach = ATTACH_PCI;
	build();
	assert_non_null(strstr(disassemble(dsdt()), "Device (COM1)"));
}

/* As many as possible, of all sizes. */
static void extremes(void **state)
{
	char *text;

	(void)state;
	opt.attach = ATTACH_PCI | ATTACH_NATIVE;
	opt.nr_buses = 8;
	opt.event_queues = 1;
	vm.nr_vcpus = VM_MAX_CPUS;
	build();
	text = disassemble(nth(5));
	assert_non_null(strstr(text, "Device (VB07)"));
	assert_non_null(strstr(text, "0xFE01C000,"));
	opt.nr_buses = 1;
	opt.event_queues = 8;
	build();
	assert_non_null(strstr(disassemble(nth(5)), "0x00000017,"));
}

/* Too little room is noticed wherever it ends, and nothing is written behind it. */
static void no_room(void **state)
{
	uint8_t aml[512], *room;
	size_t len, size;
	int ret;

	(void)state;
	opt.attach = ATTACH_PCI | ATTACH_NATIVE;
	size = 0;
	do {
		room = malloc(size + 1);
		ret = acpi_build(&vm, room, size, BASE, &rsdp);
		free(room);
		size += 8;
		assert_true(size < 8192);
	} while (ret);
	assert_true(size > 1024);

	len = acpi_native_aml(&opt, aml, sizeof(aml));
	assert_true(len > 100 && len < sizeof(aml));
	for (size = 0; size < len; size++) {
		room = malloc(size + 1);
		assert_int_equal(acpi_native_aml(&opt, room, size), len);
		free(room);
	}
}

static void layout(void **state)
{
	static const unsigned int max[] = { 8, 6, 3, 2, 1, 1, 1, 1 };
	unsigned int queues, bus, pin, pins;

	(void)state;
	for (queues = 1; queues <= 8; queues++) {
		assert_int_equal(native_max_buses(queues), max[queues - 1]);
		/* Each pin once, and none that something else has. */
		pins = 1 << 3 | 1 << 4;
		for (bus = 0; bus < max[queues - 1]; bus++) {
			for (pin = 0; pin < queues; pin++) {
				unsigned int bit = 1U << (native_first_pin(bus, queues) + pin);

				assert_true(bit < 1 << 24 && !(pins & bit));
				pins |= bit;
			}
		}
	}
	assert_true(native_window(0) == 0xfe000000);
	assert_true(native_window(7) == 0xfe01c000);
}

static void command_line(void **state)
{
	static const char * const want =
		"vbus_native.device=16K@0xfe000000:16-17 vbus_native.device=16K@0xfe004000:18-19 ";
	char text[128];
	size_t size;

	(void)state;
	opt.attach = ATTACH_NATIVE;
	assert_int_equal(native_cmdline(&opt, text, sizeof(text)), 0);
	assert_string_equal(text, "");
	opt.discover = DISCOVER_CMDLINE;
	assert_int_equal(native_cmdline(&opt, NULL, 0), strlen(want));
	assert_int_equal(native_cmdline(&opt, text, sizeof(text)), strlen(want));
	assert_string_equal(text, want);
	for (size = 1; size <= strlen(want); size++) {
		char *room = malloc(size);

		assert_int_equal(native_cmdline(&opt, room, size), strlen(want));
		assert_int_equal(strlen(room), size - 1);
		assert_memory_equal(room, want, size - 1);
		free(room);
	}
	opt.event_queues = 1;
	opt.nr_buses = 1;
	native_cmdline(&opt, text, sizeof(text));
	assert_string_equal(text, "vbus_native.device=16K@0xfe000000:16 ");
	opt.attach = ATTACH_PCI;
	assert_int_equal(native_cmdline(&opt, text, sizeof(text)), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, setup)
	const struct CMUnitTest tests[] = {
		T(pci),
		T(native),
		T(both),
		T(no_device),
		T(source),
		T(extremes),
		T(no_room),
		T(layout),
		T(command_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
