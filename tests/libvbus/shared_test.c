// SPDX-License-Identifier: GPL-2.0
/* Functions whose device belongs to whichever front of the guest takes it first. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <linux/pci_regs.h>
#include "fake.h"

#define MEM	PCI_COMMAND_MEMORY
#define MASTER	PCI_COMMAND_MASTER

static const struct libvbus_native_params params = {
	.size = sizeof(params),
	.nr_queues = 1,
	.nr_pages = 1,
};

static unsigned int fds;

static int setup(void **state)
{
	struct vmm *v;

	fds = count_fds();
	v = vmm_new();
	*state = v;
	if (vmm_open(v) || libvbus_set_pci(v->bus, LIBVBUS_PCI_SHARED))
		return -1;
	fake_plug(&v->fake, SLOT, VBUS_CLASS_NET, CLASS_QUEUES);
	return libvbus_process(v->bus);
}

static int teardown(void **state)
{
	vmm_free(*state);
	assert_int_equal(count_fds(), fds);
	return 0;
}

static struct fake_dev *dev(struct vmm *v)
{
	return &v->fake.devs[SLOT];
}

static uint32_t status(struct vmm *v)
{
	uint32_t value;

	libvbus_bar_read(v->bus, SLOT, VBUS_REG_STATUS, &value, 4);
	return value;
}

static bool present(struct vmm *v)
{
	uint32_t id;

	return !libvbus_config_read(v->bus, SLOT, PCI_VENDOR_ID, &id, 4);
}

static void test_shown(void **state)
{
	struct vmm *v = *state;
	struct libvbus_info info;

	assert_int_equal(v->slots[SLOT].added, 1);
	assert_int_equal(dev(v)->opens, 1);
	assert_false(dev(v)->open);
	assert_int_equal(cfg_get(v, PCI_SUBSYSTEM_ID, 2), VBUS_CLASS_NET);
	/* What is not open can't be asked: this is what it was. */
	dev(v)->alias = "back";
	assert_int_equal(libvbus_get_info(v->bus, SLOT, &info), 0);
	assert_string_equal(info.name, "net.web0");
	assert_string_equal(info.alias, "front");
	assert_int_equal(info.nr_vectors, CLASS_QUEUES + 1);
	/* Looking at it does not take it. */
	cfg_put(v, PCI_BASE_ADDRESS_0, 0xffffffff, 4);
	cfg_put(v, PCI_BASE_ADDRESS_0, 0, 4);
	assert_int_equal(dev(v)->opens, 1);
	guest_enable(v, BAR_ADDR);
	assert_int_equal(libvbus_get_info(v->bus, SLOT, &info), 0);
	assert_string_equal(info.alias, "back");
}

static void test_taken_and_given(void **state)
{
	struct vmm *v = *state;

	guest_enable(v, BAR_ADDR);
	assert_true(dev(v)->open);
	assert_int_equal(vmm_bells(v, SLOT), CLASS_QUEUES);
	guest_msix_enable(v);
	guest_vector(v, 1, 0xfee00000, 1, false);
	assert_int_equal(vmm_enabled(v, SLOT), 1);
	bar_put(v, VBUS_REG_STATUS, VBUS_STATUS_RUNNING, 4);
	assert_int_equal(fake_take(&v->fake, SLOT), -EBUSY);

	/* The driver goes. */
	cfg_put(v, PCI_COMMAND, MEM, 2);
	assert_false(dev(v)->open);
	assert_int_equal(vmm_bells(v, SLOT), 0);
	assert_int_equal(vmm_enabled(v, SLOT), 0);
	assert_true(v->slots[SLOT].mapped);
	assert_int_equal(status(v), UINT32_MAX);

	/* The next one: decoding has stayed on, so bus mastering is all it switches. */
	cfg_put(v, PCI_COMMAND, MEM | MASTER, 2);
	assert_true(dev(v)->open);
	assert_int_equal(status(v), 0);
	assert_int_equal(vmm_bells(v, SLOT), CLASS_QUEUES);
	assert_int_equal(v->slots[SLOT].maps, 1);
	/* The table was not reset: messages go where they went. */
	assert_int_equal(vmm_enabled(v, SLOT), 1);
	vmm_messages(v, SLOT, 1);
	fake_signal(&v->fake, SLOT, 1);
	assert_int_equal(vmm_messages(v, SLOT, 1), 1);
	assert_string_equal(v->log, "");
}

static void test_decoding(void **state)
{
	struct vmm *v = *state;

	cfg_put(v, PCI_BASE_ADDRESS_1, BAR_ADDR >> 32, 4);
	/* Decoding alone takes it, and keeps it: no driver has had it yet. */
	cfg_put(v, PCI_COMMAND, MEM, 2);
	assert_true(dev(v)->open);
	cfg_put(v, PCI_COMMAND, MEM | PCI_COMMAND_SERR, 2);
	assert_true(dev(v)->open);
	cfg_put(v, PCI_COMMAND, MASTER, 2);
	assert_false(dev(v)->open);
	/* Bus mastering without decoding takes nothing. */
	cfg_put(v, PCI_COMMAND, 0, 2);
	cfg_put(v, PCI_COMMAND, MASTER, 2);
	assert_false(dev(v)->open);
	cfg_put(v, PCI_COMMAND, MASTER | MEM, 2);
	assert_true(dev(v)->open);
	/* Moving the BAR is nothing to the device. */
	cfg_put(v, PCI_BASE_ADDRESS_1, (BAR_ADDR >> 32) + 1, 4);
	assert_int_equal(vmm_bells(v, SLOT), CLASS_QUEUES);
	assert_int_equal(dev(v)->opens, 3);
}

static void test_power_state(void **state)
{
	struct vmm *v = *state;
	uint32_t pm = cfg_find_cap(v, PCI_CAP_ID_PM);

	guest_enable(v, BAR_ADDR);
	bar_put(v, VBUS_REG_STATUS, VBUS_STATUS_RUNNING, 4);
	cfg_put(v, pm + PCI_PM_CTRL, 3, 2);
	assert_true(dev(v)->open && dev(v)->paused);
	cfg_put(v, pm + PCI_PM_CTRL, 0, 2);
	assert_true(dev(v)->open && dev(v)->started);
	assert_int_equal(dev(v)->opens, 2);
	/* What has no driver takes nothing when it wakes up. */
	cfg_put(v, PCI_COMMAND, MEM, 2);
	cfg_put(v, pm + PCI_PM_CTRL, 3, 2);
	cfg_put(v, pm + PCI_PM_CTRL, 0, 2);
	assert_true(v->slots[SLOT].mapped);
	assert_false(dev(v)->open);
	/* A driver that was quicker than the power. */
	cfg_put(v, pm + PCI_PM_CTRL, 3, 2);
	cfg_put(v, PCI_COMMAND, MEM | MASTER, 2);
	assert_false(dev(v)->open);
	cfg_put(v, pm + PCI_PM_CTRL, 0, 2);
	assert_true(dev(v)->open);
}

/* Nor is there anything to take before the BAR has a place. */
static void test_no_address(void **state)
{
	struct vmm *v = *state;

	cfg_put(v, PCI_COMMAND, MEM | MASTER, 2);
	assert_false(dev(v)->open);
	cfg_put(v, PCI_BASE_ADDRESS_1, BAR_ADDR >> 32, 4);
	assert_true(dev(v)->open);
	assert_int_equal(vmm_bells(v, SLOT), CLASS_QUEUES);
}

static void test_resets(void **state)
{
	struct vmm *v = *state;
	uint32_t cap = cfg_find_cap(v, PCI_CAP_ID_EXP);

	guest_enable(v, BAR_ADDR);
	assert_int_equal(libvbus_reset_slot(v->bus, SLOT), 0);
	assert_false(dev(v)->open || v->slots[SLOT].mapped);
	assert_int_equal(libvbus_reset_slot(v->bus, SLOT), 0);
	guest_enable(v, BAR_ADDR);
	assert_true(dev(v)->open);
	cfg_put(v, cap + PCI_EXP_DEVCTL, PCI_EXP_DEVCTL_BCR_FLR, 2);
	assert_false(dev(v)->open);
	/* To close is to reset. */
	assert_int_equal(dev(v)->resets, 0);
}

static void test_other_front(void **state)
{
	struct vmm *v = *state;

	assert_int_equal(fake_take(&v->fake, SLOT), 0);
	guest_enable(v, BAR_ADDR);
	guest_msix_enable(v);
	guest_vector(v, 0, 0xfee00000, 1, false);
	assert_int_equal(status(v), UINT32_MAX);
	assert_int_equal(vmm_bells(v, SLOT) + vmm_enabled(v, SLOT), 0);
	assert_int_equal(v->logs[LIBVBUS_LOG_WARNING], 1);
	assert_non_null(strstr(v->log, "native front"));
	cfg_put(v, PCI_COMMAND, MEM, 2);
	cfg_put(v, PCI_COMMAND, MEM | MASTER, 2);
	assert_int_equal(v->logs[LIBVBUS_LOG_WARNING], 1);
	/* Nobody tells us that it is free: the next driver finds out. */
	fake_give(&v->fake, SLOT);
	cfg_put(v, PCI_COMMAND, MEM, 2);
	cfg_put(v, PCI_COMMAND, MEM | MASTER, 2);
	assert_int_equal(status(v), 0);
	assert_int_equal(vmm_bells(v, SLOT), CLASS_QUEUES);
	assert_int_equal(vmm_enabled(v, SLOT), 1);
}

/* Asked back while either front has it, or none. */
static void test_unplug(void **state)
{
	struct vmm *v = *state;
	struct vmm_slot *s = &v->slots[SLOT];

	/* The function. */
	guest_enable(v, BAR_ADDR);
	fake_unplug(&v->fake, SLOT);
	assert_int_equal(libvbus_process(v->bus), 0);
	assert_int_equal(s->unplugs, 1);
	assert_int_equal(libvbus_eject(v->bus, SLOT), 0);
	assert_false(dev(v)->plugged);
	assert_int_equal(s->removed, 0);

	/* The native front: the function goes when the guest lets go of it. */
	fake_plug(&v->fake, SLOT, VBUS_CLASS_NET, 2);
	assert_int_equal(libvbus_process(v->bus), 0);
	assert_int_equal(s->added, 2);
	assert_int_equal(fake_take(&v->fake, SLOT), 0);
	fake_unplug(&v->fake, SLOT);
	assert_int_equal(libvbus_process(v->bus), 0);
	assert_int_equal(s->unplugs, 2);
	assert_int_equal(libvbus_eject(v->bus, SLOT), 0);
	assert_true(dev(v)->plugged);
	fake_give(&v->fake, SLOT);
	assert_int_equal(libvbus_process(v->bus), 0);
	assert_int_equal(s->removed, 0);

	/* The native front is quicker than the guest's hotplug driver. */
	fake_plug(&v->fake, SLOT, VBUS_CLASS_NET, 2);
	assert_int_equal(libvbus_process(v->bus), 0);
	assert_int_equal(fake_take(&v->fake, SLOT), 0);
	fake_unplug(&v->fake, SLOT);
	assert_int_equal(libvbus_process(v->bus), 0);
	fake_give(&v->fake, SLOT);
	assert_int_equal(libvbus_process(v->bus), 0);
	assert_int_equal(s->removed, 1);
	assert_false(present(v));

	/* Nobody. */
	fake_plug(&v->fake, SLOT, VBUS_CLASS_NET, 2);
	assert_int_equal(libvbus_process(v->bus), 0);
	fake_unplug(&v->fake, SLOT);
	assert_int_equal(libvbus_process(v->bus), 0);
	assert_int_equal(s->removed, 2);
	assert_false(present(v));
}

/* The guest's driver goes while the admin waits, and the guest keeps the slot on. */
static void test_unplug_driver_goes(void **state)
{
	struct vmm *v = *state;

	guest_enable(v, BAR_ADDR);
	fake_unplug(&v->fake, SLOT);
	assert_int_equal(libvbus_process(v->bus), 0);
	cfg_put(v, PCI_COMMAND, MEM, 2);
	assert_false(dev(v)->plugged);
	assert_true(present(v));
	/* Nothing there for the next one, nor is what came instead. */
	cfg_put(v, PCI_COMMAND, MEM | MASTER, 2);
	assert_int_equal(status(v), UINT32_MAX);
	fake_plug(&v->fake, SLOT, VBUS_CLASS_NULL, 2);
	cfg_put(v, PCI_COMMAND, MEM, 2);
	cfg_put(v, PCI_COMMAND, MEM | MASTER, 2);
	assert_int_equal(status(v), UINT32_MAX);
	assert_false(dev(v)->open);
	/* But now. */
	assert_int_equal(libvbus_process(v->bus), 0);
	assert_int_equal(v->slots[SLOT].removed, 1);
	assert_int_equal(v->slots[SLOT].added, 2);
	assert_int_equal(cfg_get(v, PCI_SUBSYSTEM_ID, 2), VBUS_CLASS_NULL);
	assert_false(dev(v)->open);
}

/* What comes again as it was is the same to a guest. */
static void test_added_again(void **state)
{
	struct vmm *v = *state;

	fake_event(&v->fake, VBUS_EVENT_ADDED, SLOT);
	assert_int_equal(libvbus_process(v->bus), 0);
	guest_enable(v, BAR_ADDR);
	fake_event(&v->fake, VBUS_EVENT_ADDED, SLOT);
	assert_int_equal(libvbus_process(v->bus), 0);
	assert_true(dev(v)->open);
	assert_int_equal(v->slots[SLOT].added, 1);
	assert_int_equal(v->slots[SLOT].removed, 0);
}

/* The native front is quicker than we are. */
static void test_busy_when_plugged(void **state)
{
	struct vmm *v = *state;

	assert_int_equal(libvbus_native_open(v->bus, &params), 0);
	fake_plug(&v->fake, 5, VBUS_CLASS_NET, 2);
	assert_int_equal(fake_take(&v->fake, 5), 0);
	assert_int_equal(libvbus_process(v->bus), 0);
	assert_int_equal(v->slots[5].added, 0);
	assert_int_equal(v->logs[LIBVBUS_LOG_ERROR], 0);
	/* Still, then free, then shown. */
	assert_int_equal(libvbus_native_reset(v->bus), 0);
	assert_int_equal(v->slots[5].added, 0);
	fake_give(&v->fake, 5);
	assert_int_equal(libvbus_native_reset(v->bus), 0);
	assert_int_equal(v->slots[5].added, 1);
	assert_int_equal(libvbus_native_reset(v->bus), 0);
	assert_int_equal(v->slots[5].added, 1);

	/* Gone before anybody looked again. */
	fake_plug(&v->fake, 6, VBUS_CLASS_NET, 2);
	assert_int_equal(fake_take(&v->fake, 6), 0);
	assert_int_equal(libvbus_process(v->bus), 0);
	fake_unplug(&v->fake, 6);
	fake_give(&v->fake, 6);
	assert_int_equal(libvbus_process(v->bus), 0);
	assert_int_equal(libvbus_native_reset(v->bus), 0);
	assert_int_equal(v->slots[6].added, 0);
	assert_int_equal(v->slots[6].removed, 0);
	assert_int_equal(v->logs[LIBVBUS_LOG_ERROR], 0);
}

static void test_claim_fails(void **state)
{
	struct vmm *v = *state;

	v->fake.fail.get_attr = EIO;
	guest_enable(v, BAR_ADDR);
	assert_false(dev(v)->open);
	v->fake.fail.get_attr = 0;
	assert_int_equal(status(v), UINT32_MAX);
	assert_int_equal(v->logs[LIBVBUS_LOG_WARNING], 1);
	assert_int_equal(libvbus_bar_write(v->bus, SLOT, VBUS_REG_STATUS,
					   &(uint32_t){ 1 }, 4), -ENXIO);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(shown),
		T(taken_and_given),
		T(decoding),
		T(power_state),
		T(no_address),
		T(resets),
		T(other_front),
		T(unplug),
		T(unplug_driver_goes),
		T(added_again),
		T(busy_when_plugged),
		T(claim_fails),
	};
	return cmocka_run_group_tests_name("shared", tests, NULL, NULL);
}
