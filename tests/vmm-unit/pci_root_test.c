// SPDX-License-Identifier: GPL-2.0
/*
 * Config space: which cycle reaches what, and what of a bridge a guest may write.
 */
#include "pci_fake.h"

static void test_host_bridge(void **state)
{
	struct fake *f = *state;

	assert_int_equal(cfg_read(f, 0, 0, 0, 4), 0x201011da);
	assert_int_equal(cfg_read(f, 0, 0, PCI_CLASS_REVISION, 4), 0x06000000);
	assert_int_equal(cfg_read(f, 0, 0, PCI_HEADER_TYPE, 1), 0);
	cfg_write(f, 0, 0, 0, 0, 4);
	cfg_write(f, 0, 0, PCI_COMMAND, 0, 2);
	assert_int_equal(cfg_read(f, 0, 0, 0, 4), 0x201011da);
	/* No extended capabilities, and nothing at the other functions. */
	assert_int_equal(cfg_read(f, 0, 0, 0x100, 4), 0);
	assert_int_equal(cfg_read(f, 0, 1, 0, 4), 0xffffffff);
}

static void test_ports_are_configured(void **state)
{
	struct fake *f = *state;
	unsigned int i;

	for (i = 0; i < NR_PORTS; i++) {
		uint32_t base = WINDOW32 + i * PCI_WINDOW_SIZE;
		uint64_t base64 = WINDOW64 + i * PCI_WINDOW_SIZE;

		assert_int_equal(cfg_read(f, 0, DEVFN(i), 0, 4), 0x201111da);
		assert_int_equal(cfg_read(f, 0, DEVFN(i), PCI_CLASS_REVISION, 4), 0x06040000);
		assert_int_equal(cfg_read(f, 0, DEVFN(i), PCI_HEADER_TYPE, 1), 0x81);
		assert_int_equal(cfg_read(f, 0, DEVFN(i), PCI_PRIMARY_BUS, 4),
				 (i + 1) << 8 | (i + 1) << 16);
		assert_int_equal(cfg_read(f, 0, DEVFN(i), PCI_MEMORY_BASE, 4),
				 base >> 16 | (base + 0x100000));
		assert_int_equal(cfg_read(f, 0, DEVFN(i), PCI_PREF_MEMORY_BASE, 2),
				 (base64 >> 16 & 0xfff0) | 1);
		assert_int_equal(cfg_read(f, 0, DEVFN(i), PCI_PREF_MEMORY_LIMIT, 2),
				 ((base64 + 0x1fffff) >> 16 & 0xfff0) | 1);
		assert_int_equal(cfg_read(f, 0, DEVFN(i), PCI_PREF_BASE_UPPER32, 4),
				 WINDOW64 >> 32);
		/* No I/O window, no BARs, no ROM. */
		assert_int_equal(cfg_read(f, 0, DEVFN(i), PCI_IO_BASE, 2), 0);
		assert_int_equal(cfg_read(f, 0, DEVFN(i), PCI_BASE_ADDRESS_0, 4), 0);
	}
	assert_int_equal(cfg_read(f, 0, DEVFN(NR_PORTS), 0, 4), 0xffffffff);
}

static void test_capability_list(void **state)
{
	struct fake *f = *state;
	unsigned int at = cfg_read(f, 0, DEVFN(0), PCI_CAPABILITY_LIST, 1);
	unsigned int seen = 0, hops = 0;

	assert_true(port_r16(f, 0, PCI_STATUS) & PCI_STATUS_CAP_LIST);
	for (; at; at = cfg_read(f, 0, DEVFN(0), at + 1, 1)) {
		assert_true(++hops < 8);
		assert_int_equal(at & 3, 0);
		switch (cfg_read(f, 0, DEVFN(0), at, 1)) {
		case PCI_CAP_ID_EXP:
			assert_int_equal(at, EXP);
			seen |= 1;
			break;
		case PCI_CAP_ID_MSI:
			assert_int_equal(at, MSI);
			seen |= 2;
			break;
		default:
			fail();
		}
	}
	assert_int_equal(seen, 3);
	/* Version 2, root port, slot implemented. */
	assert_int_equal(port_r16(f, 0, EXP + PCI_EXP_FLAGS), 0x0142);
	assert_int_equal(cfg_read(f, 0, DEVFN(3), EXP + PCI_EXP_SLTCAP, 4) >> 19, 3);
}

/* Every register after all ones, after zeroes, and what must not have changed. */
static void test_write_masks(void **state)
{
	struct fake *f = *state;
	uint32_t first[PCI_CONFIG_SIZE / 4], ones, zeroes;
	uint32_t off;

	for (off = 0; off < PCI_CONFIG_SIZE; off += 4)
		first[off / 4] = cfg_read(f, 0, DEVFN(1), off, 4);
	for (off = 0; off < PCI_CONFIG_SIZE; off += 4) {
		cfg_write(f, 0, DEVFN(1), off, 0xffffffff, 4);
		ones = cfg_read(f, 0, DEVFN(1), off, 4);
		cfg_write(f, 0, DEVFN(1), off, 0, 4);
		zeroes = cfg_read(f, 0, DEVFN(1), off, 4);
		switch (off) {
		case PCI_COMMAND:
			assert_int_equal(ones, 0x00100546);
			assert_int_equal(zeroes, 0x00100000);
			break;
		case PCI_CACHE_LINE_SIZE:
			assert_int_equal(ones, 0x008100ff);
			break;
		case PCI_PRIMARY_BUS:
			assert_int_equal(ones, 0x00ffffff);
			assert_int_equal(zeroes, 0);
			break;
		case PCI_MEMORY_BASE:
			assert_int_equal(ones, 0xfff0fff0);
			assert_int_equal(zeroes, 0);
			break;
		case PCI_PREF_MEMORY_BASE:
			assert_int_equal(ones, 0xfff1fff1);
			assert_int_equal(zeroes, 0x00010001);
			break;
		case PCI_PREF_BASE_UPPER32:
		case PCI_PREF_LIMIT_UPPER32:
			assert_int_equal(ones, 0xffffffff);
			break;
		case PCI_INTERRUPT_LINE:
			assert_int_equal(ones, 0x006300ff);
			break;
		case EXP + PCI_EXP_DEVCTL:
			assert_int_equal(ones, 0x0000701f);
			break;
		case EXP + PCI_EXP_LNKCTL:
			assert_int_equal(ones, 0x000000d8);
			break;
		case EXP + PCI_EXP_SLTCTL:
			assert_int_equal(ones, 0x000017eb);
			break;
		case EXP + PCI_EXP_RTCTL:
			assert_int_equal(ones, 0x0000000f);
			break;
		case MSI:
			assert_int_equal(ones, 0x01810005);
			break;
		case MSI + 4:
			assert_int_equal(ones, 0xfffffffc);
			break;
		case MSI + 8:
			assert_int_equal(ones, 0xffffffff);
			break;
		case MSI + 12:
			assert_int_equal(ones, 0x0000ffff);
			break;
		case MSI + 16:
			assert_int_equal(ones, 1);
			break;
		default:
			assert_int_equal(ones, first[off / 4]);
			assert_int_equal(zeroes, first[off / 4]);
		}
		cfg_write(f, 0, DEVFN(1), off, first[off / 4], 4);
		assert_int_equal(cfg_read(f, 0, DEVFN(1), off, 4), first[off / 4]);
	}
}

static void test_bus_numbers(void **state)
{
	struct fake *f = *state;

	pci_port_insert(f->port[2]);
	pci_root_reset(f->root);
	assert_int_equal(card_id(f, 2), f->card[2].id);
	/* Only device 0, function 0. */
	assert_int_equal(cfg_read(f, 3, 1, 0, 4), 0xffffffff);
	assert_int_equal(cfg_read(f, 3, 8, 0, 4), 0xffffffff);
	/* The guest renumbers. */
	cfg_write(f, 0, DEVFN(2), PCI_PRIMARY_BUS, 0x00202000, 4);
	assert_int_equal(card_id(f, 2), 0xffffffff);
	assert_int_equal(cfg_read(f, 0x20, 0, 0, 4), f->card[2].id);
	cfg_write(f, 0x20, 0, 4, 0x12345678, 4);
	assert_int_equal(f->card[2].reg, 0x12345678);
	/* Bus 0 is never behind a port. */
	cfg_write(f, 0, DEVFN(2), PCI_PRIMARY_BUS, 0, 4);
	assert_int_equal(cfg_read(f, 0, 0, 0, 4), 0x201011da);
	assert_int_equal(cfg_read(f, 0x20, 0, 0, 4), 0xffffffff);
}

static void test_ecam(void **state)
{
	struct fake *f = *state;
	uint64_t value = 0;
	uint16_t word = 0;

	pci_port_insert(f->port[0]);
	pci_root_reset(f->root);
	pci_ecam_read(f->root, 1 << 20, &value, 4);
	assert_int_equal(value, f->card[0].id);
	/* Eight bytes are two cycles, odd ones are split. */
	pci_ecam_read(f->root, DEVFN(0) << 12, &value, 8);
	assert_true(value == 0x00100006201111daULL);
	pci_ecam_read(f->root, (DEVFN(0) << 12) + 1, &word, 2);
	assert_int_equal(word, 0x1111);
	word = 0xbeef;
	pci_ecam_write(f->root, (DEVFN(0) << 12) + MSI + 12, &word, 2);
	assert_int_equal(port_r16(f, 0, MSI + 12), 0xbeef);
	pci_ecam_read(f->root, (255 << 20) + (255 << 12) + 4092, &value, 4);
	assert_int_equal((uint32_t)value, 0xffffffff);
}

static void test_legacy(void **state)
{
	struct fake *f = *state;
	uint32_t value = 0x80000000U | DEVFN(0) << 8 | MSI;
	uint32_t back = 0;
	uint8_t byte = 1;

	/* As Linux probes it. */
	pci_legacy_write(f->root, 3, &byte, 1);
	pci_legacy_read(f->root, 0, &back, 4);
	assert_int_equal(back, 0);
	pci_legacy_write(f->root, 0, &value, 4);
	pci_legacy_read(f->root, 0, &back, 4);
	assert_int_equal(back, value);
	pci_legacy_read(f->root, 4, &back, 4);
	assert_int_equal(back, 0x01800005);
	byte = 0;
	pci_legacy_read(f->root, 7, &byte, 1);
	assert_int_equal(byte, 1);
	value += 12;
	pci_legacy_write(f->root, 0, &value, 4);
	byte = 0xa5;
	pci_legacy_write(f->root, 5, &byte, 1);
	assert_int_equal(port_r16(f, 0, MSI + 12), 0xa500);
	/* Not enabled: nothing answers. */
	value &= ~0x80000000U;
	pci_legacy_write(f->root, 0, &value, 4);
	pci_legacy_read(f->root, 4, &back, 4);
	assert_int_equal(back, 0xffffffff);
	/* The reset register among the ports. */
	byte = 2;
	pci_legacy_write(f->root, 1, &byte, 1);
	assert_int_equal(f->resets, 0);
	byte = 6;
	pci_legacy_write(f->root, 1, &byte, 1);
	assert_int_equal(f->resets, 1);
}

static void test_most_ports(void **state)
{
	const struct pci_root_config config = { .msi = fake_msi };
	struct pci_root *root = pci_root_new(&config);
	struct fake_card card = { 0 };
	uint32_t value = 0;
	unsigned int i;

	(void)state;
	for (i = 0; i < PCI_MAX_PORTS; i++)
		assert_non_null(pci_port_new(root, i, &fake_ops, &card));
	assert_null(pci_port_new(root, i, &fake_ops, &card));
	pci_root_config_read(root, 0, 255, 0, &value, 4);
	assert_int_equal(value, 0x201111da);
	pci_root_config_read(root, 0, 255, PCI_PRIMARY_BUS, &value, 4);
	assert_int_equal(value, 248 << 16 | 248 << 8);
	pci_root_free(root);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, fake_setup, fake_teardown)
	const struct CMUnitTest tests[] = {
		T(host_bridge),
		T(ports_are_configured),
		T(capability_list),
		T(write_masks),
		T(bus_numbers),
		T(ecam),
		T(legacy),
		T(most_ports),
	};
	return cmocka_run_group_tests_name("pci_root", tests, NULL, NULL);
}
