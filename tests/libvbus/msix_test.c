// SPDX-License-Identifier: GPL-2.0
/* The MSI-X table: masks, pending bits, messages that move, and no signal lost. */
#include <errno.h>
#include <string.h>
#include <linux/pci_regs.h>
#include "fake.h"

#define TABLE(v)	(VBUS_PCI_MSIX_TABLE + (v) * PCI_MSIX_ENTRY_SIZE)
#define CTRL(v)		(TABLE(v) + PCI_MSIX_ENTRY_VECTOR_CTRL)
#define ADDR		0xfee01000ULL

static struct vmm *enabled_vmm(void **state)
{
	struct vmm *v = *state;

	guest_enable(v, BAR_ADDR);
	guest_msix_enable(v);
	return v;
}

static uint64_t pba(struct vmm *v)
{
	return bar_get(v, VBUS_PCI_MSIX_PBA, 8);
}

static void test_reset_values(void **state)
{
	struct vmm *v = enabled_vmm(state);
	uint32_t i;

	for (i = 0; i <= CLASS_QUEUES; i++) {
		assert_int_equal(bar_get(v, TABLE(i), 8), 0);
		assert_int_equal(bar_get(v, TABLE(i) + 8, 8), 1ULL << 32);
	}
	/* Beyond the last: holes. */
	bar_put(v, TABLE(i), ~0ULL, 8);
	assert_int_equal(bar_get(v, TABLE(i), 8), 0);
	bar_put(v, VBUS_PCI_MSIX_PBA, ~0ULL, 8);
	assert_int_equal(pba(v), 0);
	assert_int_equal(bar_get(v, VBUS_PCI_BAR_SIZE - 8, 8), 0);
}

static void test_entry_bits(void **state)
{
	struct vmm *v = enabled_vmm(state);

	/* The mask first: all ones would unmask nothing either way. */
	bar_put(v, TABLE(1), ~0ULL, 8);
	bar_put(v, TABLE(1) + 8, ~0ULL, 8);
	assert_int_equal(bar_get(v, TABLE(1), 8), ~3ULL);
	assert_int_equal(bar_get(v, TABLE(1) + 8, 8), 0x1ffffffffULL);
	assert_int_equal(bar_get(v, TABLE(1), 4), 0xfffffffc);
	assert_int_equal(bar_get(v, TABLE(1) + 4, 4), 0xffffffff);
	bar_put(v, TABLE(1) + 4, 0x12345678, 4);
	assert_int_equal(bar_get(v, TABLE(1), 8), 0x12345678fffffffcULL);
	/* Neighbours are as they were. */
	assert_int_equal(bar_get(v, TABLE(0) + 8, 8), 1ULL << 32);
	assert_int_equal(bar_get(v, TABLE(2), 8), 0);
}

static void test_bad_accesses(void **state)
{
	static const struct {
		uint32_t off;
		size_t len;
	} bad[] = {
		{ TABLE(0), 1 }, { TABLE(0), 2 }, { TABLE(0) + 2, 4 },
		{ TABLE(0) + 4, 8 }, { VBUS_PCI_MSIX_PBA, 1 },
		{ VBUS_PCI_MSIX_PBA + 4, 8 }, { VBUS_PCI_BAR_SIZE - 4, 8 },
		{ VBUS_PCI_BAR_SIZE, 4 }, { 0xffffffff, 4 },
		{ VBUS_PCI_MSIX_TABLE - 4, 8 },
	};
	struct vmm *v = enabled_vmm(state);
	uint64_t value;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		value = 0;
		assert_int_equal(libvbus_bar_read(v->bus, SLOT, bad[i].off,
						  &value, bad[i].len), -EINVAL);
		assert_int_equal(value, ~0ULL >> (64 - 8 * bad[i].len));
		assert_int_equal(libvbus_bar_write(v->bus, SLOT, bad[i].off,
						   &value, bad[i].len), -EINVAL);
	}
	assert_int_equal(bar_get(v, TABLE(0), 8), 0);
	assert_int_equal(bar_get(v, TABLE(0) + 8, 8), 1ULL << 32);
}

static void test_delivery(void **state)
{
	struct vmm *v = enabled_vmm(state);
	struct vmm_vector *vec = &v->slots[SLOT].vectors[2];

	guest_vector(v, 2, ADDR | 1ULL << 40, 0x4123, false);
	assert_int_equal(vmm_enabled(v, SLOT), 1);
	assert_int_equal(vec->irq.slot, SLOT);
	assert_int_equal(vec->irq.vector, 2);
	assert_int_equal(vec->irq.addr, ADDR | 1ULL << 40);
	assert_int_equal(vec->irq.data, 0x4123);
	assert_int_equal(vmm_messages(v, SLOT, 2), 0);
	fake_signal(&v->fake, SLOT, 2);
	assert_int_equal(vmm_messages(v, SLOT, 2), 1);
	fake_signal(&v->fake, SLOT, 1);
	assert_int_equal(vmm_messages(v, SLOT, 2), 0);
}

/* Each mask by itself: held back, pending, delivered once when it is lifted. */
static void test_masks(void **state)
{
	struct vmm *v = enabled_vmm(state);
	uint32_t flags = cfg_find_cap(v, PCI_CAP_ID_MSIX) + PCI_MSIX_FLAGS;
	uint32_t pm = cfg_find_cap(v, PCI_CAP_ID_PM) + PCI_PM_CTRL;
	const struct {
		bool bar;
		uint32_t off;
		uint32_t masked;
		uint32_t unmasked;
	} masks[] = {
		{ true, CTRL(3), 1, 0 },
		{ false, flags, 0xc000, 0x8000 },
		{ false, flags, 0x0000, 0x8000 },
		{ false, flags, 0x4000, 0x8000 },
		{ false, PCI_COMMAND, 2, 6 },
		{ false, pm, 3, 0 },
	};
	size_t i;

	guest_vector(v, 3, ADDR, 0x31, false);
	for (i = 0; i < ARRAY_SIZE(masks); i++) {
		if (masks[i].bar)
			bar_put(v, masks[i].off, masks[i].masked, 4);
		else
			cfg_put(v, masks[i].off, masks[i].masked, 2);
		assert_int_equal(vmm_enabled(v, SLOT), 0);
		fake_signal(&v->fake, SLOT, 3);
		fake_signal(&v->fake, SLOT, 3);
		assert_int_equal(vmm_messages(v, SLOT, 3), 0);
		if (v->slots[SLOT].mapped)
			assert_int_equal(pba(v), 1 << 3);
		if (masks[i].bar)
			bar_put(v, masks[i].off, masks[i].unmasked, 4);
		else
			cfg_put(v, masks[i].off, masks[i].unmasked, 2);
		assert_int_equal(vmm_enabled(v, SLOT), 1);
		assert_int_equal(vmm_messages(v, SLOT, 3), 1);
		assert_int_equal(pba(v), 0);
	}
}

/* Masked twice: both must go. */
static void test_masks_add_up(void **state)
{
	struct vmm *v = enabled_vmm(state);
	uint32_t flags = cfg_find_cap(v, PCI_CAP_ID_MSIX) + PCI_MSIX_FLAGS;

	guest_vector(v, 3, ADDR, 0x31, false);
	cfg_put(v, flags, 0xc000, 2);
	bar_put(v, CTRL(3), 1, 4);
	fake_signal(&v->fake, SLOT, 3);
	cfg_put(v, flags, 0x8000, 2);
	assert_int_equal(vmm_messages(v, SLOT, 3), 0);
	bar_put(v, CTRL(3), 0, 4);
	assert_int_equal(vmm_messages(v, SLOT, 3), 1);
}

/* A signal that came before the vector was ever unmasked is not lost either. */
static void test_signal_before_unmask(void **state)
{
	struct vmm *v = enabled_vmm(state);

	fake_signal(&v->fake, SLOT, 4);
	guest_vector(v, 4, ADDR, 0x41, false);
	assert_int_equal(vmm_messages(v, SLOT, 4), 1);
}

static void test_reroute(void **state)
{
	struct vmm *v = enabled_vmm(state);
	struct vmm_vector *vec = &v->slots[SLOT].vectors[1];
	int fd;

	guest_vector(v, 1, ADDR, 0x31, false);
	fd = vec->irq.fd;
	/* As guests do it: mask, write, unmask. */
	bar_put(v, CTRL(1), 1, 4);
	fake_signal(&v->fake, SLOT, 1);
	bar_put(v, TABLE(1), ADDR + 0x1000, 4);
	bar_put(v, TABLE(1) + 8, 0x32, 4);
	bar_put(v, CTRL(1), 0, 4);
	assert_int_equal(vec->irq.addr, ADDR + 0x1000);
	assert_int_equal(vec->irq.data, 0x32);
	assert_int_equal(vec->irq.fd, fd);
	assert_int_equal(vmm_messages(v, SLOT, 1), 1);
	/* As they should not: while it is enabled. */
	bar_put(v, TABLE(1), ADDR + 0x2000, 8);
	assert_int_equal(vec->irq.addr, ADDR + 0x2000);
	bar_put(v, TABLE(1) + 8, 0x33, 8);
	assert_int_equal(vec->irq.data, 0x33);
	fake_signal(&v->fake, SLOT, 1);
	assert_int_equal(vmm_messages(v, SLOT, 1), 1);
	/* The same again moves nothing. */
	fd = vec->enables;
	bar_put(v, TABLE(1), ADDR + 0x2000, 8);
	bar_put(v, CTRL(1), 0, 4);
	assert_int_equal(vec->enables, fd);
}

static void test_pba_words(void **state)
{
	struct vmm *v = *state;
	uint32_t i, value32;
	uint64_t value;

	fake_plug(&v->fake, 4, VBUS_CLASS_NET, VBUS_MAX_QUEUES);
	assert_int_equal(libvbus_process(v->bus), 0);
	value32 = BAR_ADDR >> 32;
	libvbus_config_write(v->bus, 4, PCI_BASE_ADDRESS_1, &value32, 4);
	value32 = 6;
	libvbus_config_write(v->bus, 4, PCI_COMMAND, &value32, 2);
	value32 = 0x8000;
	libvbus_config_write(v->bus, 4, cfg_find_cap(v, PCI_CAP_ID_MSIX) +
			     PCI_MSIX_FLAGS, &value32, 2);
	for (i = 0; i < VBUS_MAX_VECTORS; i++) {
		value32 = 0;
		assert_int_equal(libvbus_bar_write(v->bus, 4, CTRL(i), &value32,
						   4), 0);
		value32 = 1;
		assert_int_equal(libvbus_bar_write(v->bus, 4, CTRL(i), &value32,
						   4), 0);
	}
	for (i = 0; i < VBUS_MAX_VECTORS; i += 3)
		fake_signal(&v->fake, 4, i);
	for (i = 0; i < VBUS_MAX_VECTORS; i++) {
		assert_int_equal(libvbus_bar_read(v->bus, 4, VBUS_PCI_MSIX_PBA +
						  i / 64 * 8, &value, 8), 0);
		assert_int_equal(value >> i % 64 & 1, i % 3 == 0);
		assert_int_equal(libvbus_bar_read(v->bus, 4, VBUS_PCI_MSIX_PBA +
						  i / 32 * 4, &value32, 4), 0);
		assert_int_equal(value32 >> i % 32 & 1, i % 3 == 0);
	}
	fake_unplug(&v->fake, 4);
	v->eject_at_once = true;
	assert_int_equal(libvbus_process(v->bus), 0);
}

/* The VMM has no interrupts to give: told once, and asked again. */
static void test_enable_fails(void **state)
{
	struct vmm *v = enabled_vmm(state);
	int i;

	v->fail_irq = ENOSPC;
	fake_signal(&v->fake, SLOT, 1);
	for (i = 0; i < 100; i++)
		guest_vector(v, 1, ADDR + (i << 12), 0x31, i & 1);
	assert_int_equal(v->logs[LIBVBUS_LOG_WARNING], 1);
	assert_non_null(strstr(v->log, "No space left"));
	v->fail_irq = 0;
	guest_vector(v, 1, ADDR, 0x31, false);
	assert_int_equal(vmm_enabled(v, SLOT), 1);
	/* What was signalled meanwhile has waited. */
	assert_int_equal(vmm_messages(v, SLOT, 1), 1);
}

static void test_bind_fails(void **state)
{
	struct vmm *v = enabled_vmm(state);
	unsigned int before = count_fds();
	int i;

	v->fake.fail.set_irq = ENOMEM;
	for (i = 0; i < 100; i++)
		guest_vector(v, 1, ADDR, 0x31, i & 1);
	assert_int_equal(v->logs[LIBVBUS_LOG_WARNING], 1);
	assert_int_equal(count_fds(), before);
	v->fake.fail.set_irq = 0;
	guest_vector(v, 1, ADDR, 0x31, false);
	assert_int_equal(vmm_enabled(v, SLOT), 1);
}

static void test_no_irq_callbacks(void **state)
{
	struct vmm *v = vmm_new();

	(void)state;
	v->ops.irq_enable = NULL;
	v->ops.irq_disable = NULL;
	assert_int_equal(vmm_open(v), 0);
	fake_plug(&v->fake, SLOT, VBUS_CLASS_NET, CLASS_QUEUES);
	assert_int_equal(libvbus_process(v->bus), 0);
	guest_enable(v, BAR_ADDR);
	guest_msix_enable(v);
	guest_vector(v, 1, ADDR, 0x31, false);
	guest_vector(v, 2, ADDR, 0x31, false);
	assert_int_equal(v->logs[LIBVBUS_LOG_WARNING], 1);
	vmm_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_reset_values, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_entry_bits, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_bad_accesses, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_delivery, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_masks, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_masks_add_up, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_signal_before_unmask, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_reroute, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_pba_words, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_enable_fails, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_bind_fails, vmm_setup, vmm_teardown),
		cmocka_unit_test(test_no_irq_callbacks),
	};

	return cmocka_run_group_tests_name("msix", tests, NULL, NULL);
}
