// SPDX-License-Identifier: GPL-2.0
/*
 * Kernel images, good ones and bad ones, where they go, and the memory map.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <asm/bootparam.h>

#include "boot.h"
#include "vm.h"

#define MIB		(1024ULL * 1024)
#define SETUP_SECTS	27
#define PAYLOAD		((SETUP_SECTS + 1) * 512)
#define KERNEL_SIZE	(8 * MIB)
#define FILE_SIZE	(PAYLOAD + KERNEL_SIZE)

static uint8_t head[BZIMAGE_HEAD];
static struct bzimage image;

static struct setup_header *header(void)
{
	return (void *)(head + offsetof(struct boot_params, hdr));
}

static int good_image(void **state)
{
	struct setup_header *h = header();

	(void)state;
	memset(head, 0, sizeof(head));
	h->setup_sects = SETUP_SECTS;
	h->boot_flag = 0xaa55;
	memcpy(&h->header, "HdrS", 4);
	h->version = 0x020f;
	h->loadflags = LOADED_HIGH;
	h->xloadflags = XLF_KERNEL_64;
	h->syssize = KERNEL_SIZE / 16;
	h->relocatable_kernel = 1;
	h->kernel_alignment = 2 * MIB;
	h->pref_address = 16 * MIB;
	h->init_size = 40 * MIB;
	h->initrd_addr_max = 0x7fffffff;
	h->cmdline_size = 2047;
	return 0;
}

static const char *parse(void)
{
	return bzimage_parse(head, sizeof(head), FILE_SIZE, &image);
}

static void good(void **state)
{
	(void)state;
	assert_null(parse());
	assert_int_equal(image.payload, PAYLOAD);
	assert_int_equal(image.payload_size, KERNEL_SIZE);
	assert_int_equal(image.load_addr, 16 * MIB);
	assert_int_equal(image.init_size, 40 * MIB);
	assert_int_equal(image.cmdline_max, 2047);
	assert_int_equal(image.entry, 0x200);
}

/* A kernel says 0 for what was the default once. */
static void old_setup_sects(void **state)
{
	(void)state;
	header()->setup_sects = 0;
	assert_null(parse());
	assert_int_equal(image.payload, 5 * 512);
}

static void signature_behind(void **state)
{
	(void)state;
	assert_null(bzimage_parse(head, sizeof(head), FILE_SIZE + 1500, &image));
}

static void bad(void **state)
{
	(void)state;
	assert_non_null(bzimage_parse(head, 0, 0, &image));
	assert_non_null(bzimage_parse(head, 100, 100, &image));
	assert_non_null(bzimage_parse(head, 600, 600, &image));
	assert_non_null(bzimage_parse(head, sizeof(head), sizeof(head), &image));
	assert_non_null(bzimage_parse(head, sizeof(head), FILE_SIZE / 2, &image));

	memcpy(head, "\177ELF", 4);
	assert_non_null(strstr(parse(), "ELF"));
	good_image(NULL);
	header()->boot_flag = 0;
	assert_non_null(strstr(parse(), "bzImage"));
	good_image(NULL);
	memcpy(&header()->header, "hDRs", 4);
	assert_non_null(parse());
	good_image(NULL);
	header()->version = 0x0206;
	assert_non_null(strstr(parse(), "older"));
	good_image(NULL);
	header()->loadflags = 0;
	assert_non_null(parse());
	good_image(NULL);
	header()->xloadflags = 0;
	assert_non_null(strstr(parse(), "64-bit"));
	good_image(NULL);
	header()->syssize = 0xffffffff;
	assert_non_null(strstr(parse(), "truncated"));
	good_image(NULL);
	header()->kernel_alignment = 3 * MIB;
	assert_non_null(parse());
}

/* Whatever the header says, the answer is one or the other, without a crash. */
static void random_headers(void **state)
{
	struct boot_place place;
	unsigned int round, i;

	(void)state;
	srand(1);
	for (round = 0; round < 20000; round++) {
		uint8_t *bytes = (uint8_t *)header();

		good_image(NULL);
		for (i = 0; i < 8; i++)
			bytes[15 + rand() % (sizeof(struct setup_header) - 15)] = rand();
		if (parse())
			continue;
		if (boot_place(&image, (uint64_t)rand() << (rand() % 20),
			       256 * MIB, &place))
			continue;
		assert_true(place.kernel >= MIB);
		assert_true(image.init_size <= 256 * MIB - place.kernel);
		assert_true(place.initrd < 256 * MIB);
	}
}

static void places(void **state)
{
	struct boot_place place;

	(void)state;
	assert_null(parse());
	assert_null(boot_place(&image, 5 * MIB + 1, 256 * MIB, &place));
	assert_int_equal(place.kernel, 16 * MIB);
	assert_int_equal(place.initrd, 251 * MIB - 4096);

	/* Not above what the kernel can reach. */
	assert_null(boot_place(&image, 4 * MIB, 0xb0000000, &place));
	assert_int_equal(place.initrd, 0x80000000 - 4 * MIB);

	/* Too little memory for the place it prefers. */
	assert_null(boot_place(&image, 0, 48 * MIB, &place));
	assert_int_equal(place.kernel, 2 * MIB);
	assert_int_equal(place.initrd, 0);

	image.alignment = 0;
	assert_non_null(boot_place(&image, 0, 48 * MIB, &place));
	good_image(NULL);
	assert_null(parse());
	assert_non_null(boot_place(&image, 0, 32 * MIB, &place));
	assert_non_null(boot_place(&image, 201 * MIB, 256 * MIB, &place));
	assert_non_null(boot_place(&image, 300 * MIB, 256 * MIB, &place));
	assert_non_null(boot_place(&image, UINT64_MAX, 256 * MIB, &place));
}

static void check_map(uint64_t mem)
{
	struct boot_e820 map[BOOT_E820_MAX];
	uint64_t ram = 0, end = 0;
	unsigned int i, nr;

	nr = boot_e820(mem, map);
	assert_in_range(nr, 1, BOOT_E820_MAX);
	for (i = 0; i < nr; i++) {
		assert_true(map[i].size > 0);
		assert_true(map[i].addr >= end);
		end = map[i].addr + map[i].size;
		if (map[i].type != BOOT_E820_RAM)
			continue;
		ram += map[i].size;
		assert_true(end <= VM_LOW_RAM_MAX ||
			    map[i].addr >= VM_HIGH_RAM_BASE);
	}
	assert_int_equal(ram, mem - (MIB - BOOT_EBDA));
}

static void memory_map(void **state)
{
	(void)state;
	check_map(64 * MIB);
	check_map(256 * MIB);
	check_map(VM_LOW_RAM_MAX);
	check_map(VM_LOW_RAM_MAX + 2 * MIB);
	check_map(1024 * 1024 * MIB);
}

int main(void)
{
	const struct CMUnitTest bzimage[] = {
		cmocka_unit_test_setup(good, good_image),
		cmocka_unit_test_setup(old_setup_sects, good_image),
		cmocka_unit_test_setup(signature_behind, good_image),
		cmocka_unit_test_setup(bad, good_image),
		cmocka_unit_test(random_headers),
		cmocka_unit_test_setup(places, good_image),
		cmocka_unit_test(memory_map),
	};

	return cmocka_run_group_tests(bzimage, NULL, NULL);
}
