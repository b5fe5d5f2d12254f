// SPDX-License-Identifier: GPL-2.0
/*
 * Suite of vbus-native: vectors of devices, the events they get, priorities.
 *
 * Each case has a window of its own, made of memory (fake_window.h).
 */
#include <linux/bottom_half.h>
#include <linux/fs.h>
#include <linux/module.h>
#include "fake_window.h"

static void expect_signals(struct kunit *test, struct fake_window *win,
			   u32 nr, unsigned int want)
{
	struct fw_slot *slot = &win->slots[nr];
	unsigned int i;

	memset(slot->signals, 0, sizeof(slot->signals));
	for (i = 1; i < FW_VECTORS; i++)
		KUNIT_EXPECT_TRUE(test, fw_signal(win, nr, i));
	for (i = 0; i < FW_QUEUES; i++)
		KUNIT_EXPECT_EQ(test, slot->signals[i], want);
}

static void test_vectors(struct kunit *test)
{
	struct fake_window *win = fw_create(test);
	struct fw_slot *slot = &win->slots[0];
	u64 event;

	fw_fill(win, 0);
	fw_fill(win, 1);
	fw_start(win, 1);
	KUNIT_EXPECT_EQ(test, slot->route[0], VBUS_NEVENT_FREE);
	KUNIT_EXPECT_EQ(test, win->slots[1].route[0],
			VBUS_NEVENT_FREE + FW_VECTORS);
	expect_signals(test, win, 0, 1);
	expect_signals(test, win, 1, 1);

	/* What is late for a device that has left is ignored. */
	event = slot->route[1];
	slot->flags |= VBUS_SLOT_UNPLUG;
	fw_news(win, 0);
	slot->signals[0] = 0;
	fw_raise(win, 0, event);
	KUNIT_EXPECT_EQ(test, slot->signals[0], 0);
	/* And its events are given out again. */
	fw_plug(win, 0);
	KUNIT_EXPECT_EQ(test, slot->route[0], VBUS_NEVENT_FREE);

	slot->flags |= VBUS_SLOT_UNPLUG;
	fw_news(win, 0);
	win->fail_func = VBUS_FN_VECTOR;
	win->fail_result = EINVAL;
	fw_plug(win, 0);
	KUNIT_EXPECT_EQ(test, slot->probes, 3);
	KUNIT_EXPECT_NULL(test, slot->vdev);
	fw_stop(win, false);
}

/* Take events until @left are left in a queue. */
static void exhaust(struct kunit *test, struct fake_window *win, u32 queue,
		    unsigned int left)
{
	u32 first = queue ? 0 : VBUS_NEVENT_FREE, id;
	struct xarray *xa = &win->bus->queues[queue].vectors;
	struct vnat_dev *ndev;
	struct vnat_vector *vec;

	ndev = kunit_kzalloc(test, sizeof(*ndev), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ndev);
	vec = kunit_kzalloc(test, sizeof(*vec), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, vec);
	vec->ndev = ndev;
	ndev->bus = win->bus;
	while (!xa_alloc(xa, &id, vec, XA_LIMIT(first, VBUS_NR_NEVENTS - 1),
			 GFP_KERNEL))
		;
	for (id = VBUS_NR_NEVENTS - left; id < VBUS_NR_NEVENTS; id++)
		xa_erase(xa, id);
}

static void test_exhaustion(struct kunit *test)
{
	struct fake_window *win = fw_create(test);
	struct fw_slot *slot = &win->slots[0];
	u32 event;

	fw_start(win, 2);
	exhaust(test, win, 0, 2);
	fw_plug(win, 0);
	KUNIT_ASSERT_NOT_NULL(test, slot->vdev);
	KUNIT_EXPECT_EQ(test, slot->route[1], VBUS_NR_NEVENTS - 1);
	KUNIT_EXPECT_EQ(test, slot->route[2], FW_NOWHERE);
	/* All queues share the second. */
	fw_signal(win, 0, 1);
	for (event = 0; event < FW_QUEUES; event++)
		KUNIT_EXPECT_EQ(test, slot->signals[event], 1);
	fw_plug(win, 1);
	KUNIT_EXPECT_EQ(test, win->slots[1].probes, 1);
	KUNIT_EXPECT_NULL(test, win->slots[1].vdev);
	exhaust(test, win, 1, 1);
	KUNIT_EXPECT_EQ(test, -ENOSPC,
			slot->vdev->ops->set_priority(slot->vdev, VPROXY_ALL_VECTORS, 1));
	fw_stop(win, false);
}

static ssize_t priority_file(struct kunit *test, const char *write, char *buf,
			     size_t size)
{
	struct file *file;
	loff_t pos = 0;
	ssize_t len;

	file = filp_open("/sys/devices/vbus-fake-window/vbus0-0/priority",
			 write ? O_WRONLY : O_RDONLY, 0);
	if (IS_ERR(file))
		return PTR_ERR(file);
	if (write)
		len = kernel_write(file, write, strlen(write), &pos);
	else
		len = kernel_read(file, buf, size - 1, &pos);
	filp_close(file, NULL);
	return len;
}

static void expect_priority(struct kunit *test, const char *want)
{
	char buf[16] = "";

	KUNIT_EXPECT_GT(test, priority_file(test, NULL, buf, sizeof(buf)),
			(ssize_t)0);
	KUNIT_EXPECT_STREQ(test, strim(buf), want);
}

static void test_priority(struct kunit *test)
{
	struct fake_window *win = fw_create(test);
	struct fw_slot *slot = &win->slots[0];
	u64 old;

	fw_fill(win, 0);
	fw_start(win, 2);
	KUNIT_ASSERT_NOT_NULL(test, slot->vdev);
	expect_priority(test, "0");
	KUNIT_EXPECT_EQ(test, (ssize_t)-EINVAL,
			priority_file(test, "2", NULL, 0));
	KUNIT_EXPECT_EQ(test, (ssize_t)-EINVAL,
			priority_file(test, "x", NULL, 0));

	/* One is on its way when its event is forgotten. */
	old = slot->route[1];
	win->hold = true;
	local_bh_disable();
	fw_interrupt(win, 0);
	fw_raise(win, 0, old);
	local_bh_enable();
	win->hold = false;
	slot->signals[0] = 0;
	KUNIT_EXPECT_EQ(test, (ssize_t)1, priority_file(test, "1", NULL, 0));
	expect_priority(test, "1");
	KUNIT_EXPECT_EQ(test, slot->route[0] >> 32, 1);
	KUNIT_EXPECT_EQ(test, slot->route[FW_VECTORS - 1] >> 32, 1);
	KUNIT_EXPECT_GE(test, slot->signals[0], 1);
	expect_signals(test, win, 0, 1);
	slot->signals[0] = 0;
	fw_raise(win, 0, old);
	KUNIT_EXPECT_EQ(test, slot->signals[0], 0);

	/* It stays with the device when the driver starts anew. */
	KUNIT_EXPECT_EQ(test, 0, device_reprobe(&slot->vdev->dev));
	KUNIT_EXPECT_EQ(test, slot->route[0] >> 32, 1);
	expect_signals(test, win, 0, 1);

	win->fail_func = VBUS_FN_VECTOR;
	win->fail_result = EINVAL;
	KUNIT_EXPECT_EQ(test, (ssize_t)-EINVAL,
			priority_file(test, "0", NULL, 0));
	expect_priority(test, "1");
	win->fail_func = 0;
	expect_signals(test, win, 0, 1);
	KUNIT_EXPECT_EQ(test, (ssize_t)1, priority_file(test, "0", NULL, 0));
	expect_signals(test, win, 0, 1);
	fw_stop(win, false);
}

/* One vector by itself; the others stay where they are. */
static void test_priority_of_one(struct kunit *test)
{
	static const char *const bad[] = {
		"1 2", "-1 1", "x 1", "4294967295 1", "1 x", "1 1 1", "99 1",
	};
	struct fake_window *win = fw_create(test);
	struct fw_slot *slot = &win->slots[0];
	unsigned int i;

	fw_fill(win, 0);
	fw_start(win, 2);
	KUNIT_ASSERT_NOT_NULL(test, slot->vdev);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_EQ_MSG(test, (ssize_t)-EINVAL,
				    priority_file(test, bad[i], NULL, 0),
				    "\"%s\"", bad[i]);
	expect_priority(test, "0");
	KUNIT_EXPECT_EQ(test, (ssize_t)3, priority_file(test, "1 1", NULL, 0));
	static_assert(FW_VECTORS == 4);
	expect_priority(test, "0 1 0 0");
	KUNIT_EXPECT_EQ(test, slot->route[0] >> 32, 0);
	KUNIT_EXPECT_EQ(test, slot->route[1] >> 32, 1);
	expect_signals(test, win, 0, 1);
	KUNIT_EXPECT_EQ(test, 0, device_reprobe(&slot->vdev->dev));
	KUNIT_EXPECT_EQ(test, slot->route[0] >> 32, 0);
	KUNIT_EXPECT_EQ(test, slot->route[1] >> 32, 1);
	KUNIT_EXPECT_EQ(test, (ssize_t)1, priority_file(test, "1", NULL, 0));
	expect_priority(test, "1");
	fw_stop(win, false);
}

/* Nobody confirms the new route: whichever it is, signals arrive. */
static void test_priority_late(struct kunit *test)
{
	unsigned int deadline = vnat_slow_deadline_ms;
	struct fake_window *win = fw_create(test);
	struct fw_slot *slot = &win->slots[0];

	fw_fill(win, 0);
	fw_start(win, 2);
	KUNIT_ASSERT_NOT_NULL(test, slot->vdev);
	vnat_slow_deadline_ms = 20;
	win->mute_func = VBUS_FN_VECTOR;
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT,
			slot->vdev->ops->set_priority(slot->vdev, VPROXY_ALL_VECTORS, 1));
	vnat_slow_deadline_ms = deadline;
	expect_signals(test, win, 0, 1);
	win->mute_func = 0;
	fw_answer(win);
	KUNIT_EXPECT_EQ(test, slot->route[0] >> 32, 1);
	expect_signals(test, win, 0, 1);
	KUNIT_EXPECT_EQ(test, 0, slot->vdev->ops->set_priority(slot->vdev, VPROXY_ALL_VECTORS, 1));
	expect_signals(test, win, 0, 1);
	fw_stop(win, false);
	KUNIT_EXPECT_EQ(test, slot->removes, 1);
}

static struct kunit_case vector_cases[] = {
	KUNIT_CASE(test_vectors),
	KUNIT_CASE(test_exhaustion),
	KUNIT_CASE(test_priority),
	KUNIT_CASE(test_priority_of_one),
	KUNIT_CASE(test_priority_late),
	{}
};

static struct kunit_suite vector_suite = {
	.name = "native_vector",
	.test_cases = vector_cases,
};

kunit_test_suite(vector_suite);

MODULE_DESCRIPTION("KUnit suite of the vectors of vbus-native");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
