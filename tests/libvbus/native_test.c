// SPDX-License-Identifier: GPL-2.0
/* The native front: what is bound to what, accesses, resets, and words for what fails. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <linux/pci_regs.h>
#include <linux/vbus_native.h>
#include "fake.h"

static const struct libvbus_native_params params = {
	.size = sizeof(params),
	.nr_queues = 2,
	.nr_pages = 4,
};

static unsigned int fds;

static int setup(void **state)
{
	struct vmm *v;

	fds = count_fds();
	v = vmm_new();
	*state = v;
	return vmm_open(v);
}

static int teardown(void **state)
{
	struct vmm *v = *state;

	libvbus_close(v->bus);
	v->bus = NULL;
	assert_int_equal(v->native.nr_irqs, 0);
	assert_int_equal(v->native.nr_bells, 0);
	assert_int_equal(v->native.idle, 0);
	assert_false(v->fake.native.open);
	vmm_free(v);
	assert_int_equal(count_fds(), fds);
	return 0;
}

static bool readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) == 1;
}

static void test_bound(void **state)
{
	struct vmm *v = *state;
	struct fake_native *n = &v->fake.native;
	uint32_t i;

	assert_int_equal(libvbus_native_open(v->bus, &params), 0);
	assert_true(n->open);
	assert_int_equal(n->nr_queues, 2);
	assert_int_equal(n->nr_pages, 4);
	assert_int_equal(n->bus, 7);
	assert_int_equal(v->native.nr_irqs, 2);
	assert_int_equal(v->native.nr_bells, 4);
	for (i = 0; i < 2; i++)
		assert_int_equal(n->irq[i], v->native.irq[i]);
	for (i = 0; i < 4; i++)
		assert_int_equal(n->bell[i], v->native.bell[i]);
	/* Somebody must take the writes, and nobody hears them. */
	assert_true(v->native.idle > 0);
	for (i = 0; i < 4; i++)
		assert_int_not_equal(v->native.idle, n->bell[i]);
	assert_int_equal(libvbus_native_open(v->bus, &params), -EBUSY);
	assert_int_equal(v->logs[LIBVBUS_LOG_WARNING], 0);
}

static void test_largest(void **state)
{
	struct vmm *v = *state;
	const struct libvbus_native_params most = {
		.size = sizeof(most),
		.nr_queues = VBUS_NATIVE_MAX_QUEUES,
		.nr_pages = VBUS_NATIVE_MAX_PAGES,
	};

	assert_int_equal(libvbus_native_open(v->bus, &most), 0);
	assert_int_equal(v->native.nr_irqs, VBUS_NATIVE_MAX_QUEUES);
	assert_int_equal(v->native.nr_bells, VBUS_NATIVE_MAX_PAGES);
}

static void test_window(void **state)
{
	struct vmm *v = *state;
	uint64_t value = 0;
	uint32_t word = 0x1001;

	/* Nothing there yet. */
	assert_int_equal(libvbus_native_read(v->bus, 0, &value, 8), -ENOENT);
	assert_true(value == UINT64_MAX);
	assert_int_equal(libvbus_native_write(v->bus, 0, &value, 8), -ENOENT);
	assert_int_equal(libvbus_native_reset(v->bus), -ENOENT);

	assert_int_equal(libvbus_native_open(v->bus, &params), 0);
	assert_int_equal(libvbus_native_write(v->bus, VBUS_NREG_PAGE(1), &word, 4), 0);
	assert_int_equal(libvbus_native_read(v->bus, VBUS_NREG_PAGE(1), &value, 8), 0);
	assert_true(value == word);
	/* The kernel refuses: all ones, whatever it left. */
	assert_int_equal(libvbus_native_read(v->bus, 2, &value, 4), -EINVAL);
	assert_true(value == UINT32_MAX);
	assert_int_equal(libvbus_native_read(v->bus, 0, &value, 1), -EINVAL);
	assert_int_equal(libvbus_native_write(v->bus, 0, &value, 2), -EINVAL);
	/* The library does. */
	assert_int_equal(libvbus_native_read(v->bus, 0, &value, 3), -EINVAL);
	assert_int_equal(libvbus_native_read(v->bus, LIBVBUS_NATIVE_SIZE, &word, 4),
			 -EINVAL);
	assert_true(word == UINT32_MAX);
	assert_int_equal(libvbus_native_read(v->bus, LIBVBUS_NATIVE_SIZE - 4, &value, 8),
			 -EINVAL);
	assert_int_equal(libvbus_native_write(v->bus, UINT64_MAX, &value, 8), -EINVAL);
	assert_int_equal(libvbus_native_read(v->bus, LIBVBUS_NATIVE_SIZE - 4, &value, 4),
			 0);
}

static void test_reset(void **state)
{
	struct vmm *v = *state;
	uint32_t word = 1;

	assert_int_equal(libvbus_native_open(v->bus, &params), 0);
	assert_int_equal(libvbus_native_write(v->bus, VBUS_NREG_STATUS, &word, 4), 0);
	eventfd_write(v->fake.native.irq[1], 1);
	assert_true(readable(v->native.irq[1]));
	assert_int_equal(libvbus_native_reset(v->bus), 0);
	assert_int_equal(v->fake.native.resets, 1);
	assert_false(readable(v->native.irq[1]));
	/* All stays bound. */
	assert_int_equal(v->native.nr_irqs, 2);
	assert_int_equal(v->native.nr_bells, 4);
	v->fake.native.fail.reset = EIO;
	assert_int_equal(libvbus_native_reset(v->bus), -EIO);
	assert_non_null(strstr(v->log, "can't be reset"));
}

static void test_old_kernel(void **state)
{
	struct vmm *v = *state;

	v->fake.info.caps = 0;
	assert_int_equal(libvbus_native_open(v->bus, &params), -ENOTSUP);
	assert_non_null(strstr(v->log, "too old"));
	v->fake.info.caps = VBUS_CAP_NATIVE;
	v->fake.fail.get_info = EIO;
	assert_int_equal(libvbus_native_open(v->bus, &params), -EIO);
	v->fake.fail.get_info = 0;
	assert_int_equal(libvbus_native_open(v->bus, &params), 0);
}

static void test_params(void **state)
{
	static const struct libvbus_native_params bad[] = {
		{ 0, 1, 1 },
		{ sizeof(bad[0]), 0, 1 },
		{ sizeof(bad[0]), VBUS_NATIVE_MAX_QUEUES + 1, 1 },
		{ sizeof(bad[0]), 1, 0 },
		{ sizeof(bad[0]), 1, VBUS_NATIVE_MAX_PAGES + 1 },
		/* Without the pages. */
		{ offsetof(struct libvbus_native_params, nr_pages), 1, 1 },
	};
	struct {
		struct libvbus_native_params p;
		uint64_t more;
	} newer = { { sizeof(newer), 1, 1 }, 1 };
	struct vmm *v = *state;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(libvbus_native_open(v->bus, &bad[i]), -EINVAL);
	assert_int_equal(libvbus_native_open(v->bus, &newer.p), -ENOTSUP);
	newer.more = 0;
	assert_int_equal(libvbus_native_open(v->bus, &newer.p), 0);
}

static void test_open_fails(void **state)
{
	struct vmm *v = *state;

	v->fake.native.fail.open = EBUSY;
	assert_int_equal(libvbus_native_open(v->bus, &params), -EBUSY);
	assert_non_null(strstr(v->log, "can't be opened"));
	v->fake.native.fail.open = 0;
	assert_int_equal(libvbus_native_open(v->bus, &params), 0);
}

/* Without interrupts there is no front, and nothing is left of it. */
static void test_no_interrupt(void **state)
{
	struct vmm *v = *state;

	v->native.fail_irq = ENOSPC;
	v->native.fail_irq_queue = 1;
	assert_int_equal(libvbus_native_open(v->bus, &params), -ENOSPC);
	assert_non_null(strstr(v->log, "event queue 1"));
	assert_false(v->fake.native.open);
	assert_int_equal(v->native.nr_irqs, 0);
	v->native.fail_irq = 0;
	v->fake.native.fail.irq = EINVAL;
	assert_int_equal(libvbus_native_open(v->bus, &params), -EINVAL);
	assert_int_equal(v->native.nr_irqs, 0);
	assert_false(v->fake.native.open);
}

static void test_slow_doorbells(void **state)
{
	struct vmm *v = *state;
	uint32_t word = 0;

	v->native.fail_bell = ENOSPC;
	assert_int_equal(libvbus_native_open(v->bus, &params), 0);
	assert_int_equal(v->native.nr_bells, 0);
	/* Once, not for each page. */
	assert_int_equal(v->logs[LIBVBUS_LOG_WARNING], 1);
	assert_int_equal(libvbus_native_write(v->bus, VBUS_NREG_DOORBELL(3), &word, 4), 0);
	assert_int_equal(v->fake.native.rings, 1);
}

static void test_unbound_doorbells(void **state)
{
	struct vmm *v = *state;

	v->fake.native.fail.bell = EINVAL;
	assert_int_equal(libvbus_native_open(v->bus, &params), 0);
	assert_int_equal(v->native.nr_bells, 0);
	/* Nobody needs to be asked for this one. */
	assert_true(v->native.idle > 0);
	assert_int_equal(v->logs[LIBVBUS_LOG_WARNING], 1);
}

/* As a VMM whose header was older: no callbacks. */
static void test_no_callbacks(void **state)
{
	struct vmm *v = vmm_new();

	(void)state;
	v->ops.size = offsetof(struct libvbus_ops, native_doorbell_add);
	assert_int_equal(vmm_open(v), 0);
	assert_int_equal(libvbus_native_open(v->bus, &params), -ENOTSUP);
	vmm_free(v);

	v = vmm_new();
	v->ops.native_doorbell_add = NULL;
	v->ops.native_doorbell_del = NULL;
	v->ops.native_irq_disable = NULL;
	assert_int_equal(vmm_open(v), 0);
	assert_int_equal(libvbus_native_open(v->bus, &params), 0);
	assert_int_equal(v->fake.native.bell[0], -1);
	assert_int_equal(v->logs[LIBVBUS_LOG_WARNING], 0);
	vmm_free(v);
}

/* Without functions, devices are the kernel's and the guest's business. */
static void test_no_functions(void **state)
{
	struct vmm *v = *state;
	unsigned int told;
	uint32_t id = 0;

	assert_int_equal(libvbus_set_pci(v->bus, LIBVBUS_PCI_NONE), 0);
	fake_plug(&v->fake, SLOT, VBUS_CLASS_NET, CLASS_QUEUES);
	told = v->logs[LIBVBUS_LOG_INFO];
	assert_int_equal(libvbus_process(v->bus), 0);
	assert_int_equal(v->logs[LIBVBUS_LOG_INFO], told + 1);
	assert_int_equal(v->fake.devs[SLOT].opens, 0);
	assert_int_equal(v->slots[SLOT].added, 0);
	assert_int_equal(libvbus_config_read(v->bus, SLOT, PCI_VENDOR_ID, &id, 4), -ENOENT);
	assert_int_equal(libvbus_attach(v->bus, SLOT), -ENOTSUP);
	assert_int_equal(libvbus_eject(v->bus, SLOT), -ENOENT);

	fake_event(&v->fake, VBUS_EVENT_UNPLUG, SLOT);
	fake_event(&v->fake, VBUS_EVENT_REMOVED, SLOT);
	/* Neither says anything. */
	fake_event(&v->fake, VBUS_EVENT_CHANGED, SLOT);
	fake_event(&v->fake, 99, SLOT);
	fake_event(&v->fake, VBUS_EVENT_ADDED, 1000);
	assert_int_equal(libvbus_process(v->bus), 0);
	assert_int_equal(v->logs[LIBVBUS_LOG_INFO], told + 3);
	assert_int_equal(v->slots[SLOT].unplugs, 0);
	assert_int_equal(v->slots[SLOT].removed, 0);
}

static void test_set_pci(void **state)
{
	struct vmm *v = *state;

	assert_int_equal(libvbus_set_pci(v->bus, 1000), -EINVAL);
	assert_int_equal(libvbus_set_pci(v->bus, LIBVBUS_PCI_FULL), 0);
	fake_plug(&v->fake, SLOT, VBUS_CLASS_NET, CLASS_QUEUES);
	assert_int_equal(libvbus_process(v->bus), 0);
	assert_int_equal(libvbus_set_pci(v->bus, LIBVBUS_PCI_NONE), -EBUSY);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(bound),
		T(largest),
		T(window),
		T(reset),
		T(old_kernel),
		T(params),
		T(open_fails),
		T(no_interrupt),
		T(slow_doorbells),
		T(unbound_doorbells),
		T(no_callbacks),
		T(no_functions),
		T(set_pci),
	};
	return cmocka_run_group_tests_name("native", tests, NULL, NULL);
}
