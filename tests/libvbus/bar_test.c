// SPDX-License-Identifier: GPL-2.0
/* BAR0: what reaches the device, what does not, and doorbells. */
#include <errno.h>
#include <string.h>
#include <linux/pci_regs.h>
#include "fake.h"

static void test_decode_off(void **state)
{
	struct vmm *v = *state;
	uint64_t value = 0;

	assert_int_equal(libvbus_bar_read(v->bus, SLOT, 0, &value, 8), -ENXIO);
	assert_int_equal(value, ~0ULL);
	assert_int_equal(libvbus_bar_write(v->bus, SLOT, 0x18, &value, 8),
			 -ENXIO);
	assert_int_equal(v->fake.devs[SLOT].last_len, 0);
	assert_int_equal(libvbus_bar_read(v->bus, SLOT + 1, 0, &value, 4),
			 -ENOENT);
	assert_int_equal(libvbus_bar_write(v->bus, SLOT + 1, 0, &value, 4),
			 -ENOENT);
}

static void test_forwarding(void **state)
{
	struct vmm *v = *state;
	struct fake_dev *dev = &v->fake.devs[SLOT];

	guest_enable(v, BAR_ADDR);
	bar_put(v, VBUS_REG_ACCEPTED, 0x1122334455667788ULL, 8);
	assert_int_equal(dev->last_off, VBUS_REG_ACCEPTED);
	assert_int_equal(dev->last_len, 8);
	assert_int_equal(bar_get(v, VBUS_REG_ACCEPTED, 8),
			 0x1122334455667788ULL);
	assert_int_equal(bar_get(v, VBUS_REG_ACCEPTED + 4, 4), 0x11223344);
	/* Config space has bytes. */
	assert_int_equal(bar_get(v, VBUS_REG_CONFIG + 5, 1), 6);
	assert_int_equal(bar_get(v, VBUS_REG_CONFIG + 1, 2), 0x0302);
	assert_int_equal(bar_get(v, VBUS_WINDOW_SIZE - 4, 4), 0);
	assert_int_equal(dev->last_off, VBUS_WINDOW_SIZE - 4);
	bar_put(v, VBUS_REG_STATUS, 1, 4);
	assert_int_equal(dev->status, 1);
}

static void test_refused(void **state)
{
	static const struct {
		uint64_t off;
		size_t len;
	} bad[] = {
		{ 1, 4 }, { 0, 2 }, { 4, 8 }, { 0, 3 }, { 0, 0 },
		{ VBUS_WINDOW_SIZE - 1, 2 }, { VBUS_WINDOW_SIZE - 4, 8 },
		{ VBUS_WINDOW_SIZE - 2, 4 }, { LIBVBUS_BAR_SIZE, 1 },
		{ 1ULL << 32, 4 }, { ~0ULL, 1 }, { ~0ULL - 3, 8 },
	};
	struct vmm *v = *state;
	uint64_t value;
	size_t i, k;

	guest_enable(v, BAR_ADDR);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		value = 0;
		assert_int_equal(libvbus_bar_read(v->bus, SLOT, bad[i].off,
						  &value, bad[i].len), -EINVAL);
		for (k = 0; k < bad[i].len; k++)
			assert_int_equal(((uint8_t *)&value)[k], 0xff);
		assert_int_equal(libvbus_bar_write(v->bus, SLOT, bad[i].off,
						   &value, bad[i].len), -EINVAL);
	}
	/* A guest can not fill the log. */
	assert_string_equal(v->log, "");
}

static void test_doorbells(void **state)
{
	struct vmm *v = *state;
	struct vmm_slot *s = &v->slots[SLOT];
	struct fake_dev *dev = &v->fake.devs[SLOT];
	int fds[CLASS_QUEUES], q;

	guest_enable(v, BAR_ADDR);
	for (q = 0; q < CLASS_QUEUES; q++) {
		assert_true(s->bells[q].on);
		assert_int_equal(s->bells[q].addr,
				 BAR_ADDR + VBUS_REG_DOORBELL(q));
		assert_int_equal(s->bells[q].fd, dev->bell[q]);
		fds[q] = dev->bell[q];
	}
	/* The same eventfds for another place. */
	cfg_put(v, PCI_BASE_ADDRESS_1, 0x30, 4);
	for (q = 0; q < CLASS_QUEUES; q++)
		assert_int_equal(s->bells[q].fd, fds[q]);
	/* A write that comes here all the same kicks. */
	bar_put(v, VBUS_REG_DOORBELL(2), 99, 4);
	assert_int_equal(dev->kicks[2], 1);
}

/* Any step may fail: the register remains. */
static void test_doorbell_fails(void **state)
{
	struct vmm *v = *state;
	unsigned int before = count_fds();

	v->fake.fail.set_doorbell = ENOMEM;
	guest_enable(v, BAR_ADDR);
	assert_int_equal(vmm_bells(v, SLOT), 0);
	assert_int_equal(count_fds(), before);
	assert_int_equal(v->logs[LIBVBUS_LOG_WARNING], 1);
	bar_put(v, VBUS_REG_DOORBELL(1), 0, 4);
	assert_int_equal(v->fake.devs[SLOT].kicks[1], 1);

	v->fake.fail.set_doorbell = 0;
	v->fail_bell = ENOSPC;
	cfg_put(v, PCI_BASE_ADDRESS_1, 0x30, 4);
	assert_int_equal(vmm_bells(v, SLOT), 0);
	v->fail_bell = 0;
	cfg_put(v, PCI_BASE_ADDRESS_1, 0x31, 4);
	assert_int_equal(vmm_bells(v, SLOT), CLASS_QUEUES);
	assert_int_equal(v->logs[LIBVBUS_LOG_WARNING], 1);
}

static void test_no_callbacks(void **state)
{
	struct vmm *v = vmm_new();

	(void)state;
	v->ops.bar_map = NULL;
	v->ops.bar_unmap = NULL;
	v->ops.doorbell_add = NULL;
	v->ops.doorbell_del = NULL;
	assert_int_equal(vmm_open(v), 0);
	fake_plug(&v->fake, SLOT, VBUS_CLASS_NULL, 2);
	assert_int_equal(libvbus_process(v->bus), 0);
	guest_enable(v, BAR_ADDR);
	bar_put(v, VBUS_REG_DOORBELL(1), 0, 4);
	assert_int_equal(v->fake.devs[SLOT].kicks[1], 1);
	assert_int_equal(v->fake.devs[SLOT].bell[1], -1);
	vmm_free(v);
}

/* No queues, one vector: nothing to allocate for, nothing to ring. */
static void test_no_queues(void **state)
{
	struct vmm *v = vmm_new();

	(void)state;
	assert_int_equal(vmm_open(v), 0);
	fake_plug(&v->fake, SLOT, VBUS_CLASS_CLOCK, 0);
	assert_int_equal(libvbus_process(v->bus), 0);
	guest_enable(v, BAR_ADDR);
	assert_true(v->slots[SLOT].mapped);
	assert_int_equal(vmm_bells(v, SLOT), 0);
	vmm_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_decode_off, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_forwarding, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_refused, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_doorbells, vmm_setup, vmm_teardown),
		cmocka_unit_test_setup_teardown(test_doorbell_fails, vmm_setup, vmm_teardown),
		cmocka_unit_test(test_no_callbacks),
		cmocka_unit_test(test_no_queues),
	};

	return cmocka_run_group_tests_name("bar", tests, NULL, NULL);
}
