// SPDX-License-Identifier: GPL-2.0
/*
 * Suite of vbus-native: the platform driver, with a window in emulated I/O memory.
 *
 * UML has no I/O memory of its own, but lets a module play some.  Behind it is the
 * window of fake_window.h; its interrupts are held back there, and a timer raises
 * them, as a hypervisor would, from outside of whatever runs.
 */
#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/irqdesc.h>
#include <linux/logic_iomem.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include "fake_window.h"

#define MM_BASE		0xd0000000UL
#define MM_IRQ		60
#define MM_QUEUES	2
#define MM_SLOT		1

/* What the emulation reaches while a case runs. */
static struct fake_window *mm_win;
static u32 mm_low;
static unsigned int mm_seen[MM_QUEUES];
static struct resource *mm_region;

static unsigned long mm_read(void *priv, unsigned int off, int size)
{
	WARN_ON_ONCE(size != 4);
	return fw_ops.read32(mm_win, off);
}

/* Addresses come as two halves, the low one first. */
static void mm_write_half(u32 off, u32 val)
{
	if (off % 8)
		fw_ops.write64(mm_win, off - 4, (u64)val << 32 | mm_low);
	else
		mm_low = val;
}

static void mm_write(void *priv, unsigned int off, int size, unsigned long val)
{
	WARN_ON_ONCE(size != 4);
	if (off >= VBUS_NREG_DOORBELL(0))
		fw_ops.kick(mm_win, (off - VBUS_NREG_DOORBELL(0)) / 4);
	else if (off >= VBUS_NREG_QUEUE(0))
		mm_write_half(off, val);
	else
		fw_ops.write32(mm_win, off, val);
}

static const struct logic_iomem_ops mm_ops = {
	.read = mm_read,
	.write = mm_write,
};

static long mm_map(unsigned long off, size_t size,
		   const struct logic_iomem_ops **ops, void **priv)
{
	*ops = &mm_ops;
	return off;
}

static const struct logic_iomem_region_ops mm_region_ops = {
	.map = mm_map,
};

static void mm_tick(struct timer_list *t);
static DEFINE_TIMER(mm_timer, mm_tick);

static void mm_tick(struct timer_list *t)
{
	unsigned long flags;
	unsigned int q;

	for (q = 0; q < MM_QUEUES; q++) {
		if (mm_seen[q] == mm_win->interrupts[q])
			continue;
		mm_seen[q] = mm_win->interrupts[q];
		local_irq_save(flags);
		generic_handle_irq(MM_IRQ + q);
		local_irq_restore(flags);
	}
	mod_timer(&mm_timer, jiffies + 1);
}

static int mm_init(struct kunit *test)
{
	mm_win = fw_create(test);
	mm_win->hold = true;
	memset(mm_seen, 0, sizeof(mm_seen));
	mod_timer(&mm_timer, jiffies + 1);
	return 0;
}

static void mm_exit(struct kunit *test)
{
	del_timer_sync(&mm_timer);
}

/* The list of emulated regions keeps ours for ever: it must not be the module's. */
static int mm_suite_init(struct kunit_suite *suite)
{
	mm_region = kzalloc(sizeof(*mm_region), GFP_KERNEL);
	if (!mm_region)
		return -ENOMEM;
	/* Longer than the window, or it would be taken for a child of that. */
	mm_region->start = MM_BASE;
	mm_region->end = MM_BASE + VBUS_NATIVE_WINDOW_SIZE * 2 - 1;
	mm_region->flags = IORESOURCE_MEM;
	return logic_iomem_add_region(mm_region, &mm_region_ops);
}

/* Nothing is found in a region that ends before it begins. */
static void mm_suite_exit(struct kunit_suite *suite)
{
	release_resource(mm_region);
	mm_region->start = 1;
	mm_region->end = 0;
}

static struct platform_device *mm_add(struct kunit *test, u32 size,
				      unsigned int irqs)
{
	struct resource res[] = {
		DEFINE_RES_MEM(MM_BASE, size),
		DEFINE_RES_IRQ(MM_IRQ),
		DEFINE_RES_IRQ(MM_IRQ + 1),
	};
	struct platform_device *pdev;

	pdev = platform_device_register_resndata(NULL, "vbus-native", 90, res,
						 1 + irqs, NULL, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(pdev));
	return pdev;
}

/* Work and interrupts take their time, but not more than some seconds. */
static bool mm_bound(const struct fw_slot *slot)
{
	int i;

	for (i = 0; i < 500 && !READ_ONCE(slot->vdev); i++)
		msleep(20);
	return slot->vdev;
}

static bool mm_signalled(const struct fw_slot *slot, u32 queue)
{
	int i;

	for (i = 0; i < 500 && !READ_ONCE(slot->signals[queue]); i++)
		msleep(20);
	return slot->signals[queue];
}

static void test_bind(struct kunit *test)
{
	struct fw_slot *slot = &mm_win->slots[MM_SLOT];
	const struct vproxy_transport_ops *ops;
	struct platform_device *pdev;
	unsigned int i;

	/* The third time the window is gone when the driver goes. */
	for (i = 1; i <= 3; i++) {
		fw_fill(mm_win, MM_SLOT);
		pdev = mm_add(test, VBUS_NATIVE_WINDOW_SIZE, MM_QUEUES);
		KUNIT_EXPECT_NOT_NULL(test, pdev->dev.driver);
		KUNIT_EXPECT_TRUE(test, mm_bound(slot));
		KUNIT_EXPECT_EQ(test, slot->probes, i);
		if (!slot->vdev)
			goto remove;
		ops = slot->vdev->ops;
		ops->kick(slot->vdev, 0);
		KUNIT_EXPECT_EQ(test, slot->kicks[0], i);

		slot->signals[0] = 0;
		fw_signal(mm_win, MM_SLOT, 1);
		KUNIT_EXPECT_TRUE(test, mm_signalled(slot, 0));
		KUNIT_EXPECT_EQ(test, 0, ops->set_priority(slot->vdev, VPROXY_ALL_VECTORS, 1));
		slot->signals[0] = 0;
		mm_win->interrupts[1] = 0;
		fw_signal(mm_win, MM_SLOT, 1);
		KUNIT_EXPECT_TRUE(test, mm_signalled(slot, 0));
		KUNIT_EXPECT_EQ(test, mm_win->interrupts[1], 1);
remove:
		mm_win->gone = i == 3;
		platform_device_unregister(pdev);
		KUNIT_EXPECT_EQ(test, slot->removes, i);
		KUNIT_EXPECT_EQ(test, slot->gone, i == 3);
	}
}

/* One interrupt is enough. */
static void test_one_irq(struct kunit *test)
{
	struct fw_slot *slot = &mm_win->slots[MM_SLOT];
	struct platform_device *pdev;

	fw_fill(mm_win, MM_SLOT);
	pdev = mm_add(test, VBUS_NATIVE_WINDOW_SIZE, 1);
	KUNIT_EXPECT_TRUE(test, mm_bound(slot));
	KUNIT_EXPECT_NOT_NULL(test, fw_queue(mm_win, 0));
	KUNIT_EXPECT_NULL(test, fw_queue(mm_win, 1));
	if (slot->vdev)
		KUNIT_EXPECT_EQ(test, -EINVAL,
				slot->vdev->ops->set_priority(slot->vdev, VPROXY_ALL_VECTORS, 1));
	platform_device_unregister(pdev);
	KUNIT_EXPECT_EQ(test, slot->removes, 1);
}

static void expect_refused(struct kunit *test, u32 size, unsigned int irqs)
{
	struct platform_device *pdev = mm_add(test, size, irqs);

	KUNIT_EXPECT_NULL(test, pdev->dev.driver);
	platform_device_unregister(pdev);
	KUNIT_EXPECT_EQ(test, mm_win->regs32[VBUS_NREG_STATUS / 4], 0);
}

static irqreturn_t mm_other(int irq, void *arg)
{
	return IRQ_NONE;
}

static void test_refused(struct kunit *test)
{
	expect_refused(test, VBUS_NATIVE_WINDOW_SIZE, 0);
	expect_refused(test, VBUS_NATIVE_WINDOW_SIZE - 4, 1);
	mm_win->refuse_start = true;
	expect_refused(test, VBUS_NATIVE_WINDOW_SIZE, 2);
	mm_win->refuse_start = false;
	/* The second interrupt is taken. */
	KUNIT_EXPECT_EQ(test, 0, request_irq(MM_IRQ + 1, mm_other, 0,
					     "vbus-test", mm_win));
	expect_refused(test, VBUS_NATIVE_WINDOW_SIZE, 2);
	free_irq(MM_IRQ + 1, mm_win);
	fw_set_reg(mm_win, VBUS_NREG_MAGIC, 0);
	expect_refused(test, VBUS_NATIVE_WINDOW_SIZE, 2);
}

/* What a reboot does. */
static void test_shutdown(struct kunit *test)
{
	struct fw_slot *slot = &mm_win->slots[MM_SLOT];
	struct platform_device *pdev;

	fw_fill(mm_win, MM_SLOT);
	pdev = mm_add(test, VBUS_NATIVE_WINDOW_SIZE, 1);
	KUNIT_EXPECT_TRUE(test, mm_bound(slot));
	pdev->dev.bus->shutdown(&pdev->dev);
	KUNIT_EXPECT_EQ(test, mm_win->regs32[VBUS_NREG_STATUS / 4], 0);
	KUNIT_EXPECT_NULL(test, fw_queue(mm_win, 0));
	KUNIT_EXPECT_EQ(test, slot->closes, 1);
	if (slot->vdev)
		slot->vdev->ops->kick(slot->vdev, 0);
	KUNIT_EXPECT_EQ(test, slot->kicks[0], 0);
	platform_device_unregister(pdev);
	KUNIT_EXPECT_EQ(test, slot->removes, 1);
}

static struct kunit_case mmio_cases[] = {
	KUNIT_CASE(test_bind),
	KUNIT_CASE(test_one_irq),
	KUNIT_CASE(test_refused),
	KUNIT_CASE(test_shutdown),
	{}
};

static struct kunit_suite mmio_suite = {
	.name = "native_mmio",
	.suite_init = mm_suite_init,
	.suite_exit = mm_suite_exit,
	.init = mm_init,
	.exit = mm_exit,
	.test_cases = mmio_cases,
};

kunit_test_suite(mmio_suite);

MODULE_DESCRIPTION("KUnit suite of the platform driver of vbus-native");
MODULE_LICENSE("GPL");
