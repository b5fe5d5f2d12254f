// SPDX-License-Identifier: GPL-2.0
/*
 * Suite of vbus-native: buses, devices that come and go, registers, and the grammar
 * of the command line.
 *
 * Each case has a window of its own, made of memory (fake_window.h).  Vectors are in
 * native_vector_test.c, calls and events by themselves in native_call_test.c.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include "fake_window.h"
#include "fault.h"

static void expect_slot(struct kunit *test, const struct fw_slot *slot,
			unsigned int probes, unsigned int removes,
			unsigned int opens, unsigned int closes)
{
	KUNIT_EXPECT_EQ(test, slot->probes, probes);
	KUNIT_EXPECT_EQ(test, slot->removes, removes);
	KUNIT_EXPECT_EQ(test, slot->opens, opens);
	KUNIT_EXPECT_EQ(test, slot->closes, closes);
	KUNIT_EXPECT_EQ(test, !!slot->vdev, probes > removes);
}

static void test_create_bad(struct kunit *test)
{
	static const struct {
		u32 reg;
		u32 val;
	} table[] = {
		{ VBUS_NREG_MAGIC, 0 },
		{ VBUS_NREG_MAGIC, VBUS_MAGIC },
		{ VBUS_NREG_VERSION, 0 },
		{ VBUS_NREG_VERSION, VBUS_NATIVE_VERSION + 1 },
		{ VBUS_NREG_NR_QUEUES, 0 },
		{ VBUS_NREG_NR_QUEUES, VBUS_NATIVE_MAX_QUEUES + 1 },
		{ VBUS_NREG_NR_QUEUES, U32_MAX },
		{ VBUS_NREG_NR_PAGES, 0 },
		{ VBUS_NREG_NR_PAGES, VBUS_NATIVE_MAX_PAGES + 1 },
		{ VBUS_NREG_NR_PAGES, U32_MAX },
		{ VBUS_NREG_NR_SLOTS, 0 },
		{ VBUS_NREG_NR_SLOTS, VBUS_NATIVE_MAX_SLOTS + 1 },
		{ VBUS_NREG_NR_SLOTS, U32_MAX },
	};
	struct fake_window *win = fw_create(test);
	struct vnat_bus *bus;
	u32 good;
	int i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		good = win->regs32[table[i].reg / 4];
		fw_set_reg(win, table[i].reg, table[i].val);
		bus = vnat_bus_create(win->parent, &fw_ops, win, 1);
		KUNIT_EXPECT_TRUE_MSG(test, PTR_ERR(bus) == -ENODEV,
				      "register 0x%x is 0x%x", table[i].reg,
				      table[i].val);
		fw_set_reg(win, table[i].reg, good);
	}
	win->gone = true;
	bus = vnat_bus_create(win->parent, &fw_ops, win, 1);
	KUNIT_EXPECT_TRUE(test, PTR_ERR(bus) == -ENODEV);
	win->gone = false;
	bus = vnat_bus_create(win->parent, &fw_ops, win, 0);
	KUNIT_EXPECT_TRUE(test, PTR_ERR(bus) == -EINVAL);
	win->refuse_reset = true;
	fw_set_reg(win, VBUS_NREG_STATUS, VBUS_NATIVE_RUNNING);
	bus = vnat_bus_create(win->parent, &fw_ops, win, 1);
	KUNIT_EXPECT_TRUE(test, PTR_ERR(bus) == -ENODEV);
}

static void test_create_limits(struct kunit *test)
{
	struct fake_window *win = fw_create(test);
	struct vnat_bus *bus;

	fw_set_reg(win, VBUS_NREG_NR_QUEUES, VBUS_NATIVE_MAX_QUEUES);
	fw_set_reg(win, VBUS_NREG_NR_PAGES, VBUS_NATIVE_MAX_PAGES);
	fw_set_reg(win, VBUS_NREG_NR_SLOTS, VBUS_NATIVE_MAX_SLOTS);
	/* Somebody has left it running. */
	fw_set_reg(win, VBUS_NREG_STATUS, VBUS_NATIVE_RUNNING);
	bus = vnat_bus_create(win->parent, &fw_ops, win, UINT_MAX);
	KUNIT_ASSERT_FALSE(test, IS_ERR(bus));
	KUNIT_EXPECT_EQ(test, win->regs32[VBUS_NREG_STATUS / 4], 0);
	KUNIT_EXPECT_EQ(test, vnat_bus_queues(bus), VBUS_NATIVE_MAX_QUEUES);
	KUNIT_EXPECT_EQ(test, bus->nr_pages,
			min_t(u32, nr_cpu_ids, VBUS_NATIVE_MAX_PAGES));
	KUNIT_EXPECT_EQ(test, bus->nr_slots, VBUS_NATIVE_MAX_SLOTS);
	vnat_bus_destroy(bus);

	bus = vnat_bus_create(win->parent, &fw_ops, win, 3);
	KUNIT_ASSERT_FALSE(test, IS_ERR(bus));
	KUNIT_EXPECT_EQ(test, vnat_bus_queues(bus), 3);
	vnat_bus_destroy(bus);
}

static void test_start_refused(struct kunit *test)
{
	struct fake_window *win = fw_create(test);

	win->refuse_start = true;
	win->bus = vnat_bus_create(win->parent, &fw_ops, win, 2);
	KUNIT_ASSERT_FALSE(test, IS_ERR(win->bus));
	KUNIT_EXPECT_EQ(test, -ENODEV, vnat_bus_start(win->bus));
	fw_stop(win, false);
}

static void test_enumerate(struct kunit *test)
{
	struct fake_window *win = fw_create(test);

	fw_fill(win, 0);
	fw_fill(win, 3);
	fw_start(win, 2);
	KUNIT_EXPECT_NOT_NULL(test, fw_queue(win, 0));
	KUNIT_EXPECT_NOT_NULL(test, fw_queue(win, 1));
	expect_slot(test, &win->slots[0], 1, 0, 1, 0);
	expect_slot(test, &win->slots[1], 0, 0, 0, 0);
	expect_slot(test, &win->slots[3], 1, 0, 1, 0);
	KUNIT_ASSERT_NOT_NULL(test, win->slots[3].vdev);
	KUNIT_EXPECT_EQ(test, win->slots[3].vdev->slot, 3);
	KUNIT_EXPECT_PTR_EQ(test, win->slots[3].vdev->dma_dev, win->parent);

	/* Events that say nothing new, and one of a slot that isn't there. */
	fw_news(win, 0);
	fw_news(win, FW_SLOTS);
	fw_news(win, VBUS_NATIVE_MAX_SLOTS - 1);
	expect_slot(test, &win->slots[0], 1, 0, 1, 0);
	fw_stop(win, false);
	expect_slot(test, &win->slots[0], 1, 1, 1, 1);
	expect_slot(test, &win->slots[3], 1, 1, 1, 1);
	KUNIT_EXPECT_FALSE(test, win->slots[0].gone);
	KUNIT_EXPECT_EQ(test, win->regs32[VBUS_NREG_STATUS / 4], 0);
}

static void test_plug(struct kunit *test)
{
	struct fake_window *win = fw_create(test);
	struct fw_slot *slot = &win->slots[1];

	fw_start(win, 1);
	fw_plug(win, 1);
	expect_slot(test, slot, 1, 0, 1, 0);
	slot->flags |= VBUS_SLOT_UNPLUG;
	fw_news(win, 1);
	expect_slot(test, slot, 1, 1, 1, 1);
	KUNIT_EXPECT_FALSE(test, slot->gone);
	KUNIT_EXPECT_EQ(test, slot->flags, 0);

	/* Another one went and came while we did not look. */
	fw_plug(win, 1);
	expect_slot(test, slot, 2, 1, 2, 1);
	fw_fill(win, 1);
	fw_plug(win, 1);
	expect_slot(test, slot, 3, 2, 3, 1);
	KUNIT_EXPECT_TRUE(test, slot->gone);

	/* Gone without a word. */
	slot->flags = 0;
	fw_news(win, 1);
	expect_slot(test, slot, 3, 3, 3, 1);
	KUNIT_EXPECT_TRUE(test, slot->gone);

	/* Still there, but taken from us: given back, we take it again. */
	fw_plug(win, 1);
	slot->flags &= ~VBUS_SLOT_OPEN;
	slot->busy = true;
	fw_news(win, 1);
	expect_slot(test, slot, 4, 4, 4, 1);
	slot->busy = false;
	fw_news(win, 1);
	expect_slot(test, slot, 5, 4, 5, 1);
	fw_stop(win, false);
}

#define STORM_LOOKS	20

/*
 * Devices that come and go without end: the guest looks at so many, and then makes a
 * pause; the last one it finds.
 */
static void test_plug_storm(struct kunit *test)
{
	struct fake_window *win = fw_create(test);
	struct fw_slot *slot = &win->slots[1];
	unsigned int i;

	fw_start(win, 1);
	/* A limit that takes no thousand devices, and no pause that a slow machine ends. */
	win->bus->limit.burst = STORM_LOOKS;
	win->bus->limit.interval = 1000 * HZ;
	for (i = 0; i < 4 * STORM_LOOKS; i++) {
		fw_plug(win, 1);
		flush_work(&win->bus->slot_work);
	}
	KUNIT_EXPECT_GT(test, slot->probes, 1U);
	KUNIT_EXPECT_LE(test, slot->probes, (u32)STORM_LOOKS);
	win->bus->limit.interval = HZ;
	for (i = 0; i < 300 && !(slot->flags & VBUS_SLOT_OPEN); i++)
		msleep(100);
	KUNIT_EXPECT_NOT_NULL(test, slot->vdev);
	KUNIT_EXPECT_EQ(test, slot->probes, slot->removes + 1);
	fw_stop(win, false);
}

/* What is wanted back is not opened first. */
static void test_unplug_early(struct kunit *test)
{
	struct fake_window *win = fw_create(test);

	fw_start(win, 1);
	fw_fill(win, 0);
	win->slots[0].flags |= VBUS_SLOT_UNPLUG;
	fw_news(win, 0);
	expect_slot(test, &win->slots[0], 0, 0, 0, 0);
	fw_stop(win, false);
}

static void test_alias(struct kunit *test)
{
	struct fake_window *win = fw_create(test);
	struct fw_slot *slot = &win->slots[2];

	fw_start(win, 1);
	fw_plug(win, 2);
	KUNIT_ASSERT_NOT_NULL(test, slot->vdev);
	KUNIT_EXPECT_STREQ(test, slot->vdev->alias, "");
	strcpy((char *)slot->regs + VBUS_REG_ALIAS, "new");
	slot->flags |= VBUS_SLOT_ALIAS;
	fw_news(win, 2);
	KUNIT_EXPECT_STREQ(test, slot->vdev->alias, "new");
	expect_slot(test, slot, 1, 0, 1, 0);
	fw_stop(win, false);
}

static void test_open_fails(struct kunit *test)
{
	struct fake_window *win = fw_create(test);
	struct fw_slot *slot = &win->slots[0];

	fw_start(win, 1);
	win->fail_func = VBUS_FN_OPEN;
	win->fail_result = EIO;
	fw_plug(win, 0);
	expect_slot(test, slot, 0, 0, 0, 0);
	win->fail_result = ESTALE;
	fw_news(win, 0);
	win->fail_func = VBUS_FN_SLOT;
	fw_news(win, 0);
	expect_slot(test, slot, 0, 0, 0, 0);
	win->fail_func = 0;
	slot->busy = true;
	fw_news(win, 0);
	expect_slot(test, slot, 0, 0, 0, 0);
	slot->busy = false;
	/* Opened, but not a device that the guest bus takes. */
	slot->regs[VBUS_REG_VERSION] = 9;
	fw_news(win, 0);
	expect_slot(test, slot, 0, 0, 1, 1);
	slot->regs[VBUS_REG_VERSION] = VBUS_VERSION;
	fw_news(win, 0);
	expect_slot(test, slot, 1, 0, 2, 1);
	fw_stop(win, false);
}

static void test_registers(struct kunit *test)
{
	struct fake_window *win = fw_create(test);
	const struct vproxy_transport_ops *ops;
	struct fw_slot *slot = &win->slots[0];
	struct vproxy_device *vdev;
	u8 *buf;
	int i;

	buf = kunit_kzalloc(test, VBUS_WINDOW_SIZE, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, buf);
	fw_start(win, 1);
	fw_plug(win, 0);
	vdev = slot->vdev;
	KUNIT_ASSERT_NOT_NULL(test, vdev);
	ops = vdev->ops;

	/* Longer than a page can carry. */
	for (i = 0; i < 10000; i++)
		buf[i] = i * 7;
	win->calls = 0;
	KUNIT_EXPECT_EQ(test, 0, ops->write(vdev, 0x5001, buf, 10000));
	KUNIT_EXPECT_EQ(test, win->calls, 3);
	KUNIT_EXPECT_EQ(test, 0, memcmp(slot->regs + 0x5001, buf, 10000));
	memset(buf, 0, 10000);
	KUNIT_EXPECT_EQ(test, 0, ops->read(vdev, 0x5001, buf, 10000));
	KUNIT_EXPECT_EQ(test, 0, memcmp(slot->regs + 0x5001, buf, 10000));
	KUNIT_EXPECT_EQ(test, win->calls, 6);

	KUNIT_EXPECT_EQ(test, -EINVAL, ops->read(vdev, VBUS_WINDOW_SIZE - 3,
						 buf, 4));
	KUNIT_EXPECT_EQ(test, -EINVAL, ops->write(vdev, U32_MAX, buf, 4));
	KUNIT_EXPECT_EQ(test, -EINVAL, ops->read(vdev, 0, buf, SIZE_MAX));
	KUNIT_EXPECT_EQ(test, -EINVAL, ops->read(vdev, 0, buf, 0));
	win->short_value = true;
	KUNIT_EXPECT_EQ(test, -EIO, ops->read(vdev, 0, buf, 4));
	win->short_value = false;

	ops->kick(vdev, 2);
	KUNIT_EXPECT_EQ(test, slot->kicks[2], 1);

	slot->flags = 0;
	KUNIT_EXPECT_EQ(test, -ENODEV, ops->read(vdev, 0, buf, 4));
	fw_stop(win, false);
}

/* A kick that got no answer is repeated. */
static void test_missed_kick(struct kunit *test)
{
	unsigned int deadline = vnat_fast_deadline_us;
	struct fake_window *win = fw_create(test);
	struct fw_slot *slot = &win->slots[0];
	int i;

	fw_start(win, 1);
	fw_plug(win, 0);
	KUNIT_ASSERT_NOT_NULL(test, slot->vdev);
	vnat_fast_deadline_us = 100;
	win->mute_fast = true;
	slot->vdev->ops->kick(slot->vdev, 0);
	slot->vdev->ops->kick(slot->vdev, 1);
	KUNIT_EXPECT_EQ(test, slot->kicks[0] + slot->kicks[1], 0);
	win->mute_fast = false;
	fw_answer(win);
	for (i = 0; i < 100 && !slot->kicks[1]; i++)
		msleep(20);
	KUNIT_EXPECT_GE(test, slot->kicks[0], 1);
	KUNIT_EXPECT_EQ(test, slot->kicks[1], 1);

	/* And one that is due when the device goes. */
	win->mute_fast = true;
	slot->vdev->ops->kick(slot->vdev, 1);
	fw_stop(win, false);
	vnat_fast_deadline_us = deadline;
}

/* Closing stops what a reset does not. */
static void test_quiesce(struct kunit *test)
{
	unsigned int deadline = vnat_slow_deadline_ms;
	struct fake_window *win = fw_create(test);
	struct fw_slot *slot = &win->slots[0];

	fw_fill(win, 0);
	fw_fill(win, 1);
	fw_start(win, 1);
	KUNIT_ASSERT_NOT_NULL(test, slot->vdev);
	slot->stuck = true;
	slot->flags |= VBUS_SLOT_UNPLUG;
	fw_news(win, 0);
	expect_slot(test, slot, 1, 1, 1, 1);
	expect_slot(test, &win->slots[1], 1, 0, 1, 0);

	/* If it can't even be closed, nothing in the window is trusted. */
	slot->stuck = false;
	fw_plug(win, 0);
	KUNIT_ASSERT_NOT_NULL(test, slot->vdev);
	slot->stuck = true;
	slot->flags |= VBUS_SLOT_UNPLUG;
	vnat_slow_deadline_ms = 50;
	win->mute_func = VBUS_FN_CLOSE;
	fw_news(win, 0);
	flush_workqueue(win->bus->wq);
	vnat_slow_deadline_ms = deadline;
	KUNIT_EXPECT_EQ(test, win->regs32[VBUS_NREG_STATUS / 4], 0);
	KUNIT_EXPECT_EQ(test, slot->removes, 2);
	KUNIT_EXPECT_EQ(test, win->slots[1].removes, 1);
	KUNIT_EXPECT_TRUE(test, win->slots[1].gone);
	KUNIT_EXPECT_EQ(test, -ENODEV, vnat_bus_fast_nop(win->bus));
	fw_stop(win, false);
}

static void test_gone(struct kunit *test)
{
	unsigned int deadline = vnat_slow_deadline_ms;
	struct fake_window *win = fw_create(test);

	/* Somebody tells us. */
	fw_fill(win, 0);
	fw_start(win, 1);
	win->gone = true;
	fw_stop(win, true);
	KUNIT_EXPECT_TRUE(test, win->slots[0].gone);
	KUNIT_EXPECT_EQ(test, win->slots[0].removes, 1);

	/* A call finds out, and every device goes. */
	win->gone = false;
	fw_fill(win, 0);
	fw_fill(win, 1);
	fw_start(win, 1);
	KUNIT_EXPECT_EQ(test, win->slots[1].probes, 1);
	vnat_slow_deadline_ms = 20;
	win->gone = true;
	KUNIT_EXPECT_EQ(test, -ENODEV,
			vnat_slow_simple(win->bus, VBUS_FN_SLOW_NOP, 0, 0, 0));
	vnat_slow_deadline_ms = deadline;
	flush_workqueue(win->bus->wq);
	KUNIT_EXPECT_EQ(test, win->slots[0].removes, 2);
	KUNIT_EXPECT_EQ(test, win->slots[1].removes, 1);
	KUNIT_EXPECT_TRUE(test, win->slots[1].gone);
	fw_stop(win, false);
}

static void test_cmdline(struct kunit *test)
{
	static const struct {
		const char *val;
		struct vnat_cmdline win;
	} good[] = {
		{ "16K@0xd0000000:5",
		  { 0x4000, 0xd0000000, 5, 5, PLATFORM_DEVID_AUTO } },
		{ "0x4000@0xd0000000:5-12:3",
		  { 0x4000, 0xd0000000, 5, 12, 3 } },
		{ " 1M@0x100000000:17-17:0\n",
		  { 0x100000, 0x100000000, 17, 17, 0 } },
	};
	static const char * const bad[] = {
		"", "16K", "16K@", "16K@0xd0000000", "16K@0xd0000000:",
		"@0xd0000000:5", "8K@0xd0000000:5", "0x3fff@0xd0000000:5",
		"16Kx@0xd0000000:5", "16K@0xd0000800:5", "16K@d0000000:5",
		"16K@0xfffffffffffff000:5", "16K@0xd0000000:-5",
		"16K@0xd0000000:5-", "16K@0xd0000000:6-5",
		"16K@0xd0000000:5-13", "16K@0xd0000000:5:",
		"16K@0xd0000000:5:x", "16K@0xd0000000:5:-1",
		"16K@0xd0000000:5:1:2", "16K@0xd0000000:4294967295",
		"16K@0xd0000000:5x", "4096G@0xd0000000:5",
		"16K@0xd0000000:00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000005",
	};
	struct vnat_cmdline win;
	int i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		memset(&win, 0x55, sizeof(win));
		KUNIT_EXPECT_EQ_MSG(test, 0,
				    vnat_cmdline_parse(good[i].val, &win),
				    "%s", good[i].val);
		KUNIT_EXPECT_EQ(test, win.size, good[i].win.size);
		KUNIT_EXPECT_EQ(test, win.address, good[i].win.address);
		KUNIT_EXPECT_EQ(test, win.irq_first, good[i].win.irq_first);
		KUNIT_EXPECT_EQ(test, win.irq_last, good[i].win.irq_last);
		KUNIT_EXPECT_EQ(test, win.id, good[i].win.id);
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_EQ_MSG(test, -EINVAL,
				    vnat_cmdline_parse(bad[i], &win), "%s",
				    bad[i]);
}

static void test_failing_allocation(struct kunit *test)
{
	struct fake_window *win = fw_create(test);
	struct vnat_bus *bus;
	unsigned int n;
	bool failed;

	fault_setup(test);
	for (n = 1; n < FAULT_MAX; n++) {
		fault_arm(n);
		bus = vnat_bus_create(win->parent, &fw_ops, win, 2);
		failed = fault_disarm();
		if (IS_ERR(bus))
			KUNIT_EXPECT_TRUE(test, failed &&
					  PTR_ERR(bus) == -ENOMEM);
		else
			vnat_bus_destroy(bus);
		if (!failed)
			break;
	}
	KUNIT_EXPECT_GT(test, n, 4);
	KUNIT_EXPECT_LT(test, n, FAULT_MAX);
}

static struct kunit_case native_cases[] = {
	KUNIT_CASE(test_create_bad),
	KUNIT_CASE(test_create_limits),
	KUNIT_CASE(test_start_refused),
	KUNIT_CASE(test_enumerate),
	KUNIT_CASE(test_plug),
	KUNIT_CASE(test_plug_storm),
	KUNIT_CASE(test_unplug_early),
	KUNIT_CASE(test_alias),
	KUNIT_CASE(test_open_fails),
	KUNIT_CASE(test_registers),
	KUNIT_CASE(test_missed_kick),
	KUNIT_CASE(test_quiesce),
	KUNIT_CASE(test_gone),
	KUNIT_CASE(test_cmdline),
	KUNIT_CASE(test_failing_allocation),
	{}
};

static struct kunit_suite native_suite = {
	.name = "native",
	.test_cases = native_cases,
};

kunit_test_suite(native_suite);

MODULE_DESCRIPTION("KUnit suite of vbus-native");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VPROXY_WINDOW);
MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
