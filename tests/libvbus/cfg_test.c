// SPDX-License-Identifier: GPL-2.0
/* Config space: what it shows, what can be written, what that does. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <linux/pci_regs.h>
#include "fake.h"

static void test_identity(void **state)
{
	struct vmm *v = *state;

	assert_int_equal(cfg_get(v, PCI_VENDOR_ID, 2), 0x11da);
	assert_int_equal(cfg_get(v, PCI_DEVICE_ID, 2), 0x2001);
	assert_int_equal(cfg_get(v, PCI_VENDOR_ID, 4), 0x200111da);
	assert_int_equal(cfg_get(v, PCI_CLASS_REVISION, 4),
			 0x02000000 | VBUS_PCI_REVISION);
	assert_int_equal(cfg_get(v, PCI_SUBSYSTEM_VENDOR_ID, 2), 0x11da);
	assert_int_equal(cfg_get(v, PCI_SUBSYSTEM_ID, 2), VBUS_CLASS_NET);
	assert_int_equal(cfg_get(v, PCI_HEADER_TYPE, 1), 0);
	assert_int_equal(cfg_get(v, PCI_COMMAND, 2), 0);
	assert_int_equal(cfg_get(v, PCI_STATUS, 2), PCI_STATUS_CAP_LIST);
	assert_int_equal(cfg_get(v, PCI_INTERRUPT_PIN, 1), 0);
	assert_int_equal(cfg_get(v, PCI_ROM_ADDRESS, 4), 0);
}

static void test_class_codes(void **state)
{
	static const struct {
		uint32_t class_id;
		uint32_t code;
	} classes[] = {
		{ VBUS_CLASS_NULL, 0xff0000 }, { VBUS_CLASS_BLK, 0x018000 },
		{ VBUS_CLASS_CLOCK, 0x088000 }, { VBUS_CLASS_RNG, 0x088000 },
		{ 77, 0xff0000 },
	};
	struct vmm *v = *state;
	uint32_t value;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(classes); i++) {
		fake_plug(&v->fake, 5, classes[i].class_id, 1);
		assert_int_equal(libvbus_process(v->bus), 0);
		assert_int_equal(libvbus_config_read(v->bus, 5,
						     PCI_CLASS_REVISION, &value,
						     4), 0);
		assert_int_equal(value >> 8, classes[i].code);
		assert_int_equal(libvbus_config_read(v->bus, 5,
						     PCI_SUBSYSTEM_ID, &value,
						     2), 0);
		assert_int_equal(value & 0xffff, classes[i].class_id);
		fake_unplug(&v->fake, 5);
		assert_int_equal(libvbus_process(v->bus), 0);
		assert_int_equal(libvbus_eject(v->bus, 5), 0);
	}
}

/* Every capability is aligned, beyond the header, met once, and disjoint. */
static void test_capabilities(void **state)
{
	static const struct {
		uint8_t id;
		uint8_t size;
	} known[] = {
		{ PCI_CAP_ID_PM, PCI_PM_SIZEOF }, { PCI_CAP_ID_EXP, 60 },
		{ PCI_CAP_ID_MSIX, PCI_CAP_MSIX_SIZEOF },
		{ PCI_CAP_ID_VNDR, sizeof(struct vbus_pci_cap) },
	};
	struct vmm *v = *state;
	uint8_t used[256] = { 0 };
	unsigned int seen = 0, i, k;
	uint32_t off;

	for (off = cfg_get(v, PCI_CAPABILITY_LIST, 1); off;
	     off = cfg_get(v, off + 1, 1)) {
		uint8_t id = cfg_get(v, off, 1);

		assert_true(off >= 0x40 && off % 4 == 0);
		for (k = 0; k < ARRAY_SIZE(known) - 1 && known[k].id != id; k++)
			;
		assert_int_equal(known[k].id, id);
		assert_true(off + known[k].size <= 256);
		for (i = 0; i < known[k].size; i++)
			assert_int_equal(used[off + i]++, 0);
		assert_true(++seen <= ARRAY_SIZE(known));
	}
	assert_int_equal(seen, ARRAY_SIZE(known));
	/* What belongs to nobody reads 0. */
	for (i = 0x40; i < 256; i++)
		if (!used[i])
			assert_int_equal(cfg_get(v, i, 1), 0);
	for (i = 256; i < LIBVBUS_CONFIG_SIZE; i += 4)
		assert_int_equal(cfg_get(v, i, 4), 0);
}

static void test_vendor_cap(void **state)
{
	struct vmm *v = *state;
	uint32_t off = cfg_find_cap(v, PCI_CAP_ID_VNDR);
	struct vbus_pci_cap cap;
	unsigned int i;

	for (i = 0; i < sizeof(cap); i += 4)
		*(uint32_t *)((uint8_t *)&cap + i) = cfg_get(v, off + i, 4);
	assert_int_equal(cap.length, sizeof(cap));
	assert_int_equal(cap.bar, VBUS_PCI_BAR);
	assert_memory_equal(&cap.signature, "VBCP", 4);
	assert_int_equal(cap.offset, 0);
	assert_int_equal(cap.bus, 7);
}

static void test_msix_cap(void **state)
{
	struct vmm *v = *state;
	uint32_t off = cfg_find_cap(v, PCI_CAP_ID_MSIX);

	assert_int_equal(cfg_get(v, off + PCI_MSIX_FLAGS, 2), CLASS_QUEUES);
	assert_int_equal(cfg_get(v, off + PCI_MSIX_TABLE, 4),
			 VBUS_PCI_MSIX_TABLE | VBUS_PCI_BAR);
	assert_int_equal(cfg_get(v, off + PCI_MSIX_PBA, 4),
			 VBUS_PCI_MSIX_PBA | VBUS_PCI_BAR);
}

static void test_express_cap(void **state)
{
	struct vmm *v = *state;
	uint32_t off = cfg_find_cap(v, PCI_CAP_ID_EXP);

	assert_int_equal(cfg_get(v, off + PCI_EXP_FLAGS, 2), 2);
	assert_true(cfg_get(v, off + PCI_EXP_DEVCAP, 4) & PCI_EXP_DEVCAP_FLR);
	assert_int_equal(cfg_get(v, off + PCI_EXP_LNKSTA, 2) & 0x3ff, 0x11);
}

/* Which bits change between all ones and all zeroes, for every word there is. */
struct writable {
	uint32_t off;
	uint32_t mask;
};

static void check_writable(struct vmm *v, size_t len)
{
	const uint32_t exp = cfg_find_cap(v, PCI_CAP_ID_EXP);
	const struct writable bits[] = {
		{ PCI_COMMAND, 0x0546 },
		{ PCI_CACHE_LINE_SIZE, 0xff },
		{ PCI_BASE_ADDRESS_0, 0xfffe0000 },
		{ PCI_BASE_ADDRESS_1, 0xffffffff },
		{ PCI_INTERRUPT_LINE, 0xff },
		{ cfg_find_cap(v, PCI_CAP_ID_PM) + PCI_PM_CTRL, 0x3 },
		{ cfg_find_cap(v, PCI_CAP_ID_MSIX), 0xc0000000 },
		{ exp + PCI_EXP_DEVCTL, 0x791f },
		{ exp + PCI_EXP_LNKCTL, 0x00cb },
		{ exp + PCI_EXP_DEVCTL2, 0x0010 },
	};
	uint32_t off, i, ones, zeroes, first, mask;

	for (off = 0; off < LIBVBUS_CONFIG_SIZE; off += 4) {
		mask = 0;
		for (i = 0; i < ARRAY_SIZE(bits); i++)
			if (bits[i].off == off)
				mask = bits[i].mask;
		first = cfg_get(v, off, 4);
		for (i = 0; i < 4; i += len)
			/* Not a reset, which would undo the rest. */
			cfg_put(v, off + i, (off == exp + PCI_EXP_DEVCTL ?
				0x7fff7fff : 0xffffffff) >> 8 * i, len);
		ones = cfg_get(v, off, 4);
		for (i = 0; i < 4; i += len)
			cfg_put(v, off + i, 0, len);
		zeroes = cfg_get(v, off, 4);
		assert_int_equal(ones ^ zeroes, mask);
		assert_int_equal(ones & ~mask, first & ~mask);
		assert_int_equal(zeroes & mask, 0);
		for (i = 0; i < 4; i += len)
			cfg_put(v, off + i, first >> 8 * i, len);
		assert_int_equal(cfg_get(v, off, 4), first);
	}
}

static void test_ones_and_zeroes(void **state)
{
	check_writable(*state, 4);
	check_writable(*state, 2);
	check_writable(*state, 1);
}

/* All ones everywhere at once, a reset among them: the function stays usable. */
static void test_survives_everything(void **state)
{
	static const uint32_t patterns[] = { 0xffffffff, 0, 0xa5a5a5a5, 0x5a5a5a5a };
	uint8_t before[256], after[256];
	struct vmm *v = *state;
	uint32_t off;
	size_t i;

	for (off = 0; off < 256; off++)
		before[off] = cfg_get(v, off, 1);
	for (i = 0; i < ARRAY_SIZE(patterns); i++)
		for (off = 0; off < LIBVBUS_CONFIG_SIZE; off += 4)
			cfg_put(v, off, patterns[i], 4);
	assert_int_equal(libvbus_reset_slot(v->bus, SLOT), 0);
	for (off = 0; off < 256; off++)
		after[off] = cfg_get(v, off, 1);
	assert_memory_equal(before, after, sizeof(before));
	assert_false(v->slots[SLOT].mapped);
	guest_enable(v, BAR_ADDR);
	assert_true(v->slots[SLOT].mapped);
}

static void test_bad_cycles(void **state)
{
	static const struct {
		uint32_t off;
		size_t len;
	} bad[] = {
		{ 0, 0 }, { 0, 3 }, { 0, 8 }, { 1, 4 }, { 2, 4 }, { 3, 2 },
		{ 4096, 1 }, { 4096, 4 }, { 0xffffffff, 1 }, { 0xfffffffc, 4 },
	};
	struct vmm *v = *state;
	uint8_t buf[8];
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		memset(buf, 0x11, sizeof(buf));
		assert_int_equal(libvbus_config_read(v->bus, SLOT, bad[i].off,
						     buf, bad[i].len), -EINVAL);
		for (k = 0; k < sizeof(buf); k++)
			assert_int_equal(buf[k], k < bad[i].len ? 0xff : 0x11);
		assert_int_equal(libvbus_config_write(v->bus, SLOT, bad[i].off,
						      buf, bad[i].len), -EINVAL);
	}
	/* Two bytes in the middle of a word are fine. */
	assert_int_equal(cfg_get(v, 1, 2), 0x0111);
}

static void test_no_function(void **state)
{
	static const uint32_t slots[] = { 0, FAKE_SLOTS - 1, FAKE_SLOTS, 0xffffffff };
	struct vmm *v = *state;
	uint32_t value;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(slots); i++) {
		value = 0;
		assert_int_equal(libvbus_config_read(v->bus, slots[i], 0, &value,
						     4), -ENOENT);
		assert_int_equal(value, 0xffffffff);
		assert_int_equal(libvbus_config_write(v->bus, slots[i], 4,
						      &value, 4), -ENOENT);
		assert_int_equal(libvbus_reset_slot(v->bus, slots[i]), -ENOENT);
	}
}

static void test_bar_sizing(void **state)
{
	struct vmm *v = *state;
	uint64_t size;

	cfg_put(v, PCI_BASE_ADDRESS_0, 0xffffffff, 4);
	cfg_put(v, PCI_BASE_ADDRESS_1, 0xffffffff, 4);
	size = cfg_get(v, PCI_BASE_ADDRESS_0, 4) |
	       (uint64_t)cfg_get(v, PCI_BASE_ADDRESS_1, 4) << 32;
	assert_int_equal(size & 0xf, PCI_BASE_ADDRESS_MEM_TYPE_64 |
			 PCI_BASE_ADDRESS_MEM_PREFETCH);
	assert_int_equal(-(size & ~0xfULL), LIBVBUS_BAR_SIZE);
	/* With decoding on, too: it is nowhere then. */
	cfg_put(v, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	assert_false(v->slots[SLOT].mapped);
	assert_int_equal(cfg_get(v, PCI_BASE_ADDRESS_2, 4), 0);
	cfg_put(v, PCI_BASE_ADDRESS_2, 0xffffffff, 4);
	assert_int_equal(cfg_get(v, PCI_BASE_ADDRESS_2, 4), 0);
}

static void test_bar_placement(void **state)
{
	struct vmm *v = *state;
	struct vmm_slot *s = &v->slots[SLOT];

	cfg_put(v, PCI_BASE_ADDRESS_0, (uint32_t)BAR_ADDR, 4);
	cfg_put(v, PCI_BASE_ADDRESS_1, BAR_ADDR >> 32, 4);
	assert_false(s->mapped);
	cfg_put(v, PCI_COMMAND, PCI_COMMAND_MEMORY, 1);
	assert_true(s->mapped);
	assert_int_equal(s->addr, BAR_ADDR);
	assert_int_equal(vmm_bells(v, SLOT), CLASS_QUEUES);
	/* Other bits of the register are none of its business. */
	cfg_put(v, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
	assert_int_equal(s->maps, 1);
	/* It moves while it is mapped. */
	cfg_put(v, PCI_BASE_ADDRESS_1, 0x20, 4);
	assert_int_equal(s->maps, 2);
	assert_int_equal(s->addr, 0x2000000000ULL | (uint32_t)BAR_ADDR);
	assert_int_equal(vmm_bells(v, SLOT), CLASS_QUEUES);
	cfg_put(v, PCI_COMMAND, 0, 2);
	assert_false(s->mapped);
	/* Address 0 is nowhere. */
	cfg_put(v, PCI_BASE_ADDRESS_0, 0, 4);
	cfg_put(v, PCI_BASE_ADDRESS_1, 0, 4);
	cfg_put(v, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	assert_false(s->mapped);
}

static void test_power(void **state)
{
	struct vmm *v = *state;
	struct vmm_slot *s = &v->slots[SLOT];
	struct fake_dev *dev = &v->fake.devs[SLOT];
	uint32_t pm = cfg_find_cap(v, PCI_CAP_ID_PM) + PCI_PM_CTRL;
	uint32_t value;

	guest_enable(v, BAR_ADDR);
	guest_msix_enable(v);
	guest_vector(v, 1, 0xfee00000, 0x41, false);
	bar_put(v, VBUS_REG_STATUS, 7, 4);
	assert_true(dev->started);
	assert_int_equal(vmm_enabled(v, SLOT), 1);

	/* D1 and D2 do not exist. */
	cfg_put(v, pm, 1, 2);
	cfg_put(v, pm, 2, 2);
	assert_int_equal(cfg_get(v, pm, 2), PCI_PM_CTRL_NO_SOFT_RESET);
	assert_true(dev->started && s->mapped);

	cfg_put(v, pm, 3, 2);
	assert_int_equal(cfg_get(v, pm, 2), PCI_PM_CTRL_NO_SOFT_RESET | 3);
	assert_false(s->mapped);
	assert_int_equal(vmm_enabled(v, SLOT), 0);
	assert_true(dev->paused && !dev->started);
	assert_int_equal(libvbus_bar_read(v->bus, SLOT, 0, &value, 4), -ENXIO);
	assert_int_equal(value, 0xffffffff);
	/* Registers answer, and can be written. */
	assert_int_equal(cfg_get(v, PCI_COMMAND, 2), 6);
	cfg_put(v, pm, 1, 2);
	assert_int_equal(cfg_get(v, pm, 2) & 3, 3);

	/* Back, and everything is as it was: no soft reset. */
	fake_signal(&v->fake, SLOT, 1);
	cfg_put(v, pm, 0, 2);
	assert_true(s->mapped && dev->started && !dev->paused);
	assert_int_equal(vmm_enabled(v, SLOT), 1);
	assert_int_equal(vmm_messages(v, SLOT, 1), 1);
	assert_int_equal(dev->status, 7);
	assert_int_equal(dev->resets, 0);
}

static void test_flr(void **state)
{
	struct vmm *v = *state;
	struct vmm_slot *s = &v->slots[SLOT];
	struct fake_dev *dev = &v->fake.devs[SLOT];
	uint32_t exp = cfg_find_cap(v, PCI_CAP_ID_EXP);
	uint32_t msix = cfg_find_cap(v, PCI_CAP_ID_MSIX);

	guest_enable(v, BAR_ADDR);
	guest_msix_enable(v);
	guest_vector(v, 2, 0xfee00000, 0x41, false);
	guest_vector(v, 2, 0xfee00000, 0x41, true);
	fake_signal(&v->fake, SLOT, 2);
	assert_int_equal(bar_get(v, VBUS_PCI_MSIX_PBA, 8), 1 << 2);
	bar_put(v, VBUS_REG_STATUS, 7, 4);
	cfg_put(v, exp + PCI_EXP_LNKCTL, 0x40, 2);
	cfg_put(v, PCI_INTERRUPT_LINE, 11, 1);

	cfg_put(v, exp + PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_BCR_FLR, 2);
	assert_int_equal(dev->resets, 1);
	assert_int_equal(dev->status, 0);
	assert_false(s->mapped);
	assert_int_equal(cfg_get(v, PCI_COMMAND, 2), 0);
	assert_int_equal(cfg_get(v, PCI_BASE_ADDRESS_1, 4), 0);
	assert_int_equal(cfg_get(v, PCI_INTERRUPT_LINE, 1), 0);
	assert_int_equal(cfg_get(v, msix + PCI_MSIX_FLAGS, 2), CLASS_QUEUES);
	/* Reads 0, and the rest of the register has its first value. */
	assert_int_equal(cfg_get(v, exp + PCI_EXP_DEVCTL, 2), 0x2810);
	/* The link is not the function's. */
	assert_int_equal(cfg_get(v, exp + PCI_EXP_LNKCTL, 2), 0x40);

	guest_enable(v, BAR_ADDR);
	assert_int_equal(bar_get(v, VBUS_PCI_MSIX_PBA, 8), 0);
	assert_int_equal(bar_get(v, VBUS_PCI_MSIX_TABLE + 0x20, 8), 0);
	assert_int_equal(bar_get(v, VBUS_PCI_MSIX_TABLE + 0x28, 8), 1ULL << 32);

	/* By its byte alone as well; not by the other one. */
	cfg_put(v, exp + PCI_EXP_DEVCTL, 0xff, 1);
	assert_int_equal(dev->resets, 1);
	cfg_put(v, exp + PCI_EXP_DEVCTL + 1, 0x80, 1);
	assert_int_equal(dev->resets, 2);

	/* A conventional reset takes the link with it. */
	assert_int_equal(libvbus_reset_slot(v->bus, SLOT), 0);
	assert_int_equal(cfg_get(v, exp + PCI_EXP_LNKCTL, 2), 0);
	assert_int_equal(dev->resets, 3);
}

static void test_bus_master(void **state)
{
	struct vmm *v = *state;
	struct fake_dev *dev = &v->fake.devs[SLOT];

	guest_enable(v, BAR_ADDR);
	bar_put(v, VBUS_REG_STATUS, 7, 4);
	assert_true(dev->started);
	cfg_put(v, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	assert_true(dev->paused && !dev->started);
	assert_int_equal(bar_get(v, VBUS_REG_STATUS, 4), 7);
	cfg_put(v, PCI_COMMAND, 6, 2);
	assert_true(!dev->paused && dev->started);

	/* Started without leave: it comes to nothing until there is leave. */
	cfg_put(v, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	bar_put(v, VBUS_REG_STATUS, 0, 4);
	bar_put(v, VBUS_REG_STATUS, 7, 4);
	assert_true(dev->paused && !dev->started);
	cfg_put(v, PCI_COMMAND, 6, 2);
	assert_true(!dev->paused && dev->started);

	/* A reset while it pauses: nothing to resume. */
	cfg_put(v, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	bar_put(v, VBUS_REG_STATUS, 0, 4);
	cfg_put(v, PCI_COMMAND, 6, 2);
	assert_true(!dev->started);
	assert_int_equal(v->logs[LIBVBUS_LOG_WARNING], 0);
}

static void test_run_fails(void **state)
{
	struct vmm *v = *state;
	int i;

	guest_enable(v, BAR_ADDR);
	bar_put(v, VBUS_REG_STATUS, 7, 4);
	v->fake.fail.run = ENOMEM;
	for (i = 0; i < 10; i++) {
		cfg_put(v, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
		cfg_put(v, PCI_COMMAND, 6, 2);
	}
	v->fake.fail.reset = EIO;
	for (i = 0; i < 10; i++)
		assert_int_equal(libvbus_reset_slot(v->bus, SLOT), 0);
	/* Each told once. */
	assert_int_equal(v->logs[LIBVBUS_LOG_WARNING], 2);
}

/* It paused, and does not want to go on: told, and a reset helps. */
static void test_resume_fails(void **state)
{
	struct vmm *v = *state;

	guest_enable(v, BAR_ADDR);
	bar_put(v, VBUS_REG_STATUS, 7, 4);
	cfg_put(v, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	v->fake.fail.run = ENOMEM;
	cfg_put(v, PCI_COMMAND, 6, 2);
	assert_non_null(strstr(v->log, "does not go on"));
	assert_false(v->fake.devs[SLOT].started);
	v->fake.fail.run = 0;
	bar_put(v, VBUS_REG_STATUS, 0, 4);
	bar_put(v, VBUS_REG_STATUS, 7, 4);
	assert_true(v->fake.devs[SLOT].started);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_identity, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_class_codes, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_capabilities, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_vendor_cap, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_msix_cap, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_express_cap, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_ones_and_zeroes, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_survives_everything, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_bad_cycles, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_no_function, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_bar_sizing, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_bar_placement, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_power, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_flr, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_bus_master, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_run_fails, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_resume_fails, vmm_setup, vmm_teardown),
	};

	return cmocka_run_group_tests_name("cfg", tests, NULL, NULL);
}
