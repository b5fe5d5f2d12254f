// SPDX-License-Identifier: GPL-2.0
/*
 * Suite of vbus-native: calls and their deadlines, event queues.
 *
 * Each case has a window of its own, made of memory (fake_window.h).  Deadlines
 * are short, so that a device side that does not answer is quickly given up.
 */
#include <linux/bottom_half.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include "fake_window.h"

static unsigned int fast_deadline_us, slow_deadline_ms;

static int call_init(struct kunit *test)
{
	fast_deadline_us = vnat_fast_deadline_us;
	slow_deadline_ms = vnat_slow_deadline_ms;
	return 0;
}

static void call_exit(struct kunit *test)
{
	vnat_fast_deadline_us = fast_deadline_us;
	vnat_slow_deadline_ms = slow_deadline_ms;
}

static int slow_nop(struct fake_window *win)
{
	return vnat_slow_simple(win->bus, VBUS_FN_SLOW_NOP, 0, 0, 0);
}

static void test_results(struct kunit *test)
{
	static const struct {
		u32 result;
		int err;
	} table[] = {
		{ 0, 0 }, { ENOENT, -ENOENT }, { EBUSY, -EBUSY },
		{ ENODEV, -ENODEV }, { EINVAL, -EINVAL },
		{ 95, -EOPNOTSUPP }, { 116, -ESTALE }, { 133, -133 },
		{ 134, -EIO }, { 512, -EIO }, { 4096, -EIO },
		{ S32_MAX, -EIO }, { 1U << 31, -EIO }, { U32_MAX, -EIO },
	};
	struct fake_window *win = fw_create(test);
	int i;

	fw_start(win, 1);
	KUNIT_EXPECT_EQ(test, 0, vnat_bus_fast_nop(win->bus));
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, vnat_fast_call(win->bus, 99, 0, 0));
	for (i = 0; i < ARRAY_SIZE(table); i++) {
		win->fail_result = table[i].result;
		win->fail_func = 77;
		KUNIT_EXPECT_EQ(test, table[i].err,
				vnat_fast_call(win->bus, 77, 0, 0));
		win->fail_func = VBUS_FN_SLOW_NOP;
		KUNIT_EXPECT_EQ(test, table[i].err, slow_nop(win));
	}
	fw_stop(win, false);
}

static void test_fast_deadline(struct kunit *test)
{
	struct fake_window *win = fw_create(test);
	struct vbus_call *call;
	ktime_t start;

	fw_start(win, 1);
	KUNIT_EXPECT_EQ(test, 0, vnat_bus_fast_nop(win->bus));
	call = &win->bus->pages[0].mem->fast;
	win->mute_fast = true;
	vnat_fast_deadline_us = 100000;
	start = ktime_get();
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, vnat_bus_fast_nop(win->bus));
	KUNIT_EXPECT_GE(test, ktime_ms_delta(ktime_get(), start), 50LL);

	/* The page is the device side's: nobody waits for it, or touches it. */
	vnat_fast_deadline_us = UINT_MAX;
	win->fail_func = 77;
	win->fail_result = EBUSY;
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, vnat_fast_call(win->bus, 77, 0, 0));
	KUNIT_EXPECT_EQ(test, le16_to_cpu(call->func), VBUS_FN_NOP);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(call->seq), 2);
	/* The slow half is none of that. */
	KUNIT_EXPECT_EQ(test, 0, slow_nop(win));

	/* Answered late, it is ours again; that was the answer to something else. */
	win->mute_fast = false;
	fw_answer(win);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(call->result), 0);
	KUNIT_EXPECT_EQ(test, -EBUSY, vnat_fast_call(win->bus, 77, 0, 0));
	KUNIT_EXPECT_EQ(test, 0, vnat_bus_fast_nop(win->bus));

	/* Numbers that are not ours answer nothing. */
	win->mute_fast = true;
	vnat_fast_deadline_us = 100;
	call->done = cpu_to_le32(77);
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, vnat_bus_fast_nop(win->bus));
	win->mute_fast = false;
	fw_answer(win);
	KUNIT_EXPECT_EQ(test, 0, vnat_bus_fast_nop(win->bus));

	/* Around the corner. */
	win->bus->pages[0].fast_seq = U32_MAX;
	KUNIT_EXPECT_EQ(test, 0, vnat_bus_fast_nop(win->bus));
	KUNIT_EXPECT_EQ(test, le32_to_cpu(call->seq), 0);
	fw_stop(win, false);
}

static void test_slow_deadline(struct kunit *test)
{
	struct fake_window *win = fw_create(test);
	struct vbus_call *call;

	fw_start(win, 1);
	KUNIT_EXPECT_EQ(test, 0, slow_nop(win));
	call = &win->bus->pages[0].mem->slow;
	vnat_slow_deadline_ms = 20;
	win->mute_slow = true;
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, slow_nop(win));
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT,
			vnat_slow_simple(win->bus, VBUS_FN_OPEN, 0, 0, 0));
	KUNIT_EXPECT_EQ(test, le16_to_cpu(call->func), VBUS_FN_SLOW_NOP);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(call->seq), 2);
	/* The fast half is none of that. */
	KUNIT_EXPECT_EQ(test, 0, vnat_bus_fast_nop(win->bus));

	win->mute_slow = false;
	fw_answer(win);
	KUNIT_EXPECT_EQ(test, -ENOENT,
			vnat_slow_simple(win->bus, VBUS_FN_OPEN, 0, 0, 0));

	/* Wake-ups for nothing, before and after. */
	fw_raise(win, 0, VBUS_NEVENT_CALL(0));
	KUNIT_EXPECT_EQ(test, 0, slow_nop(win));
	win->mute_slow = true;
	fw_raise(win, 0, VBUS_NEVENT_CALL(0));
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, slow_nop(win));
	win->mute_slow = false;
	fw_answer(win);

	/* An answer without its event is found at the deadline. */
	win->lose_event = true;
	vnat_slow_deadline_ms = 200;
	KUNIT_EXPECT_EQ(test, 0, slow_nop(win));
	win->lose_event = false;
	vnat_slow_deadline_ms = 10000;
	win->bus->pages[0].slow_seq = U32_MAX;
	KUNIT_EXPECT_EQ(test, 0, slow_nop(win));
	fw_stop(win, false);
}

/* What the diagnostic asks for: what it says it does, once, and nothing else. */
/* Any number of events that answer nothing: who waits sleeps all the same. */
static void test_event_storm(struct kunit *test)
{
	struct fake_window *win = fw_create(test);
	unsigned long sleeps;
	int i;

	fw_start(win, 1);
	vnat_slow_deadline_ms = 20;
	win->mute_slow = true;
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, slow_nop(win));
	for (i = 0; i < 1000000; i++)
		vnat_page_event(win->bus, 0);
	sleeps = current->nvcsw;
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, slow_nop(win));
	KUNIT_EXPECT_GT(test, current->nvcsw, sleeps);
	win->mute_slow = false;
	fw_answer(win);
	fw_stop(win, false);
}

static void test_measure(struct kunit *test)
{
	struct fake_window *win = fw_create(test);
	struct vproxy_device *vdev;
	unsigned int calls;
	u32 seq;

	fw_start(win, 1);
	fw_plug(win, 0);
	vdev = win->slots[0].vdev;
	KUNIT_ASSERT_NOT_NULL(test, vdev);
	KUNIT_EXPECT_EQ(test, 0, vproxy_ping(vdev));

	calls = win->calls;
	seq = win->bus->pages[0].fast_seq;
	KUNIT_EXPECT_EQ(test, 0, vproxy_measure(vdev, VPROXY_MEASURE_IDLE));
	KUNIT_EXPECT_EQ(test, win->idle, 1U);
	KUNIT_EXPECT_EQ(test, win->bus->pages[0].fast_seq, seq);
	KUNIT_EXPECT_EQ(test, 0, vproxy_measure(vdev, VPROXY_MEASURE_CALL));
	KUNIT_EXPECT_EQ(test, win->bus->pages[0].fast_seq, seq + 1);
	KUNIT_EXPECT_EQ(test, win->calls, calls);
	KUNIT_EXPECT_EQ(test, 0,
			vproxy_measure(vdev, VPROXY_MEASURE_SLOW_CALL));
	KUNIT_EXPECT_EQ(test, win->calls, calls + 1);
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP,
			vproxy_measure(vdev, VPROXY_MEASURE_SLOW_CALL + 1));

	win->fail_func = VBUS_FN_SLOW_NOP;
	win->fail_result = EBUSY;
	KUNIT_EXPECT_EQ(test, -EBUSY,
			vproxy_measure(vdev, VPROXY_MEASURE_SLOW_CALL));
	WRITE_ONCE(win->bus->dead, true);
	KUNIT_EXPECT_EQ(test, -ENODEV,
			vproxy_measure(vdev, VPROXY_MEASURE_IDLE));
	KUNIT_EXPECT_EQ(test, -ENODEV,
			vproxy_measure(vdev, VPROXY_MEASURE_CALL));
	KUNIT_EXPECT_EQ(test, -ENODEV,
			vproxy_measure(vdev, VPROXY_MEASURE_SLOW_CALL));
	KUNIT_EXPECT_EQ(test, win->idle, 1U);
	fw_stop(win, true);
}

/* The answer comes while the caller waits. */
static void answer_work(struct work_struct *work);
static DECLARE_DELAYED_WORK(answer_later, answer_work);
static struct fake_window *answer_win;

static void answer_work(struct work_struct *work)
{
	answer_win->mute_slow = false;
	fw_answer(answer_win);
}

static void test_slow_waits(struct kunit *test)
{
	struct fake_window *win = fw_create(test);
	unsigned long start;

	fw_start(win, 1);
	answer_win = win;
	win->mute_slow = true;
	start = jiffies;
	schedule_delayed_work(&answer_later, msecs_to_jiffies(100));
	KUNIT_EXPECT_EQ(test, 0, slow_nop(win));
	KUNIT_EXPECT_LT(test, jiffies - start, 5UL * HZ);
	flush_delayed_work(&answer_later);

	/* And so does that to a call which was given up. */
	win->mute_slow = true;
	vnat_slow_deadline_ms = 10;
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, slow_nop(win));
	vnat_slow_deadline_ms = 10000;
	start = jiffies;
	schedule_delayed_work(&answer_later, msecs_to_jiffies(100));
	KUNIT_EXPECT_EQ(test, -ENOENT,
			vnat_slow_simple(win->bus, VBUS_FN_OPEN, 0, 0, 0));
	KUNIT_EXPECT_LT(test, jiffies - start, 5UL * HZ);
	flush_delayed_work(&answer_later);
	fw_stop(win, false);
}

/* No interrupt comes while the queue is polled, and yet nothing is lost. */
static void test_busy(struct kunit *test)
{
	struct fake_window *win = fw_create(test);
	struct fw_slot *slot = &win->slots[0];
	struct vbus_event_queue *mem;

	fw_fill(win, 0);
	fw_start(win, 1);
	mem = fw_queue(win, 0);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(mem->select), 0ULL);
	win->interrupts[0] = 0;
	local_bh_disable();
	KUNIT_EXPECT_TRUE(test, fw_signal(win, 0, 1));
	KUNIT_EXPECT_EQ(test, slot->signals[0], 1);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(mem->select), VBUS_NEVENT_BUSY);
	KUNIT_EXPECT_TRUE(test, fw_signal(win, 0, 1));
	KUNIT_EXPECT_TRUE(test, fw_signal(win, 0, 2));
	KUNIT_EXPECT_EQ(test, slot->signals[0], 1);
	KUNIT_EXPECT_EQ(test, slot->signals[1], 0);
	local_bh_enable();
	KUNIT_EXPECT_EQ(test, slot->signals[0], 2);
	KUNIT_EXPECT_EQ(test, slot->signals[1], 1);
	KUNIT_EXPECT_EQ(test, win->interrupts[0], 1);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(mem->select), 0ULL);

	/* Interrupts that mean nothing: while it is polled, and out of the blue. */
	local_bh_disable();
	fw_signal(win, 0, 1);
	fw_interrupt(win, 0);
	fw_interrupt(win, 0);
	local_bh_enable();
	fw_interrupt(win, 0);
	fw_interrupt(win, 1);
	fw_interrupt(win, UINT_MAX);
	KUNIT_EXPECT_EQ(test, slot->signals[0], 3);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(mem->select), 0ULL);
	fw_stop(win, false);
}

/* Two of the same before anybody has looked are one. */
static void test_coalesced(struct kunit *test)
{
	struct fake_window *win = fw_create(test);
	struct fw_slot *slot = &win->slots[0];

	fw_fill(win, 0);
	fw_start(win, 1);
	win->hold = true;
	win->interrupts[0] = 0;
	fw_signal(win, 0, 1);
	fw_signal(win, 0, 1);
	fw_signal(win, 0, 3);
	KUNIT_EXPECT_EQ(test, win->interrupts[0], 1);
	KUNIT_EXPECT_EQ(test, slot->signals[0], 0);
	win->hold = false;
	fw_interrupt(win, 0);
	KUNIT_EXPECT_EQ(test, slot->signals[0], 1);
	KUNIT_EXPECT_EQ(test, slot->signals[2], 1);
	fw_stop(win, false);
}

static void test_urgent_first(struct kunit *test)
{
	struct fake_window *win = fw_create(test);
	struct fw_slot *low = &win->slots[0], *high = &win->slots[1];

	fw_fill(win, 0);
	fw_fill(win, 1);
	fw_start(win, 2);
	KUNIT_ASSERT_NOT_NULL(test, high->vdev);
	KUNIT_EXPECT_EQ(test, 0, high->vdev->ops->set_priority(high->vdev, VPROXY_ALL_VECTORS, 1));
	win->hold = true;
	win->stamps = 0;
	fw_signal(win, 0, 1);
	fw_signal(win, 1, 1);
	/* Only the lower one's interrupt has arrived. */
	fw_interrupt(win, 0);
	KUNIT_EXPECT_EQ(test, high->stamp, 1);
	KUNIT_EXPECT_EQ(test, low->stamp, 2);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(fw_queue(win, 1)->select), 0ULL);
	/* The other one's finds nothing, and does not look at the lower queue. */
	fw_signal(win, 0, 1);
	fw_interrupt(win, 1);
	KUNIT_EXPECT_EQ(test, low->stamp, 2);
	fw_interrupt(win, 0);
	KUNIT_EXPECT_EQ(test, low->stamp, 3);
	fw_stop(win, false);
}

/* Whatever is in the queue: only what was given out means something. */
static void test_hostile_queue(struct kunit *test)
{
	struct fake_window *win = fw_create(test);
	struct fw_slot *slot = &win->slots[0];
	unsigned int q, event;

	fw_fill(win, 0);
	fw_start(win, 2);
	memset(slot->signals, 0, sizeof(slot->signals));
	for (q = 0; q < 2; q++) {
		struct vbus_event_queue *mem = fw_queue(win, q);

		memset(mem, 0xff, sizeof(*mem));
		fw_interrupt(win, q);
		KUNIT_EXPECT_EQ(test, le64_to_cpu(mem->select), 0ULL);
		for (event = 0; event < VBUS_NEVENT_WORDS; event++)
			KUNIT_EXPECT_EQ(test, le64_to_cpu(mem->pending[event]),
					0ULL);
		for (event = 0; event < VBUS_NR_NEVENTS; event++)
			fw_raise(win, q, event);
		/* Words that are said to have something, but don't. */
		mem->select = cpu_to_le64(U64_MAX);
		fw_interrupt(win, q);
		KUNIT_EXPECT_EQ(test, le64_to_cpu(mem->select), 0ULL);
	}
	flush_workqueue(win->bus->wq);
	for (q = 0; q < FW_QUEUES; q++)
		KUNIT_EXPECT_EQ(test, slot->signals[q], 2);
	KUNIT_EXPECT_EQ(test, slot->probes, 1);
	KUNIT_EXPECT_EQ(test, 0, slow_nop(win));
	fw_stop(win, false);
}

static void test_not_running(struct kunit *test)
{
	struct fake_window *win = fw_create(test);
	struct vnat_bus *bus;

	bus = vnat_bus_create(win->parent, &fw_ops, win, 1);
	KUNIT_ASSERT_FALSE(test, IS_ERR(bus));
	win->bus = bus;
	fw_interrupt(win, 0);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(bus->queues[0].mem->select), 0ULL);
	KUNIT_EXPECT_EQ(test, 0, vnat_bus_start(bus));
	vnat_bus_stop(bus, false);
	fw_interrupt(win, 0);
	KUNIT_EXPECT_EQ(test, le64_to_cpu(bus->queues[0].mem->select), 0ULL);
	KUNIT_EXPECT_EQ(test, -ENODEV, vnat_bus_fast_nop(bus));
	KUNIT_EXPECT_EQ(test, -ENODEV, slow_nop(win));
	win->bus = NULL;
	vnat_bus_destroy(bus);
}

/*
 * A slot whose calls got no answer is looked at again without an event, and what
 * was done late is undone.
 */
static void test_slot_again(struct kunit *test)
{
	static const u16 funcs[] = { VBUS_FN_SLOT, VBUS_FN_OPEN, VBUS_FN_READ };
	struct fake_window *win = fw_create(test);
	struct fw_slot *slot = &win->slots[0];
	int i;

	fw_start(win, 1);
	for (i = 0; i < ARRAY_SIZE(funcs); i++) {
		slot->opens = 0;
		slot->closes = 0;
		slot->probes = 0;
		vnat_slow_deadline_ms = 20;
		win->mute_func = funcs[i];
		fw_plug(win, 0);
		KUNIT_EXPECT_EQ(test, slot->probes, 0);
		win->mute_func = 0;
		vnat_slow_deadline_ms = 10000;
		fw_answer(win);
		/* The second one finds what the first has cleaned up. */
		flush_delayed_work(&win->bus->slot_retry);
		flush_delayed_work(&win->bus->slot_retry);
		KUNIT_EXPECT_EQ(test, slot->probes, 1);
		KUNIT_EXPECT_EQ(test, slot->opens, slot->closes + 1);
		slot->flags |= VBUS_SLOT_UNPLUG;
		fw_news(win, 0);
		KUNIT_EXPECT_EQ(test, slot->opens, slot->closes);
	}

	/* Not closed when it should have been. */
	fw_plug(win, 0);
	slot->flags |= VBUS_SLOT_UNPLUG;
	vnat_slow_deadline_ms = 20;
	win->mute_func = VBUS_FN_CLOSE;
	fw_news(win, 0);
	KUNIT_EXPECT_PTR_EQ(test, slot->vdev, NULL);
	win->mute_func = 0;
	vnat_slow_deadline_ms = 10000;
	fw_answer(win);
	flush_delayed_work(&win->bus->slot_retry);
	KUNIT_EXPECT_EQ(test, slot->flags, 0);
	fw_plug(win, 0);
	KUNIT_EXPECT_NOT_NULL(test, slot->vdev);
	fw_stop(win, false);
}

/* What the user wants to be rid of was replaced before anybody looked. */
static void test_late_eject(struct kunit *test)
{
	struct fake_window *win = fw_create(test);
	struct fw_slot *slot = &win->slots[0];
	struct vproxy_device *vdev;

	fw_start(win, 1);
	fw_plug(win, 0);
	vdev = slot->vdev;
	KUNIT_ASSERT_NOT_NULL(test, vdev);
	fw_fill(win, 0);
	vdev->ops->eject(vdev);
	flush_workqueue(win->bus->wq);
	KUNIT_EXPECT_EQ(test, slot->removes, 1);
	KUNIT_EXPECT_EQ(test, slot->probes, 2);
	KUNIT_EXPECT_NOT_NULL(test, slot->vdev);
	fw_news(win, 0);
	KUNIT_EXPECT_EQ(test, slot->removes, 1);
	fw_stop(win, false);
}

/* Who waits when the window goes is let go, not left to the deadline. */
static int caller_err;

static void caller_fn(struct work_struct *work)
{
	caller_err = slow_nop(answer_win);
}

static DECLARE_WORK(caller, caller_fn);

static void test_gone_lets_go(struct kunit *test)
{
	struct fake_window *win = fw_create(test);
	struct vnat_bus *bus;

	fw_start(win, 1);
	bus = win->bus;
	answer_win = win;
	win->mute_slow = true;
	/* The window still reads as if it was there, so a deadline would show. */
	vnat_slow_deadline_ms = 5000;
	schedule_work(&caller);
	while (!READ_ONCE(bus->pages[0].mem->slow.seq))
		schedule_timeout_uninterruptible(1);
	vnat_bus_stop(bus, true);
	flush_work(&caller);
	KUNIT_EXPECT_EQ(test, caller_err, -ENODEV);
	win->bus = NULL;
	vnat_bus_destroy(bus);
}

static struct kunit_case call_cases[] = {
	KUNIT_CASE(test_results),
	KUNIT_CASE(test_fast_deadline),
	KUNIT_CASE(test_slow_deadline),
	KUNIT_CASE(test_event_storm),
	KUNIT_CASE(test_measure),
	KUNIT_CASE(test_slow_waits),
	KUNIT_CASE(test_busy),
	KUNIT_CASE(test_coalesced),
	KUNIT_CASE(test_urgent_first),
	KUNIT_CASE(test_hostile_queue),
	KUNIT_CASE(test_not_running),
	KUNIT_CASE(test_slot_again),
	KUNIT_CASE(test_late_eject),
	KUNIT_CASE(test_gone_lets_go),
	{}
};

static struct kunit_suite call_suite = {
	.name = "native_call",
	.init = call_init,
	.exit = call_exit,
	.test_cases = call_cases,
};

kunit_test_suite(call_suite);

MODULE_DESCRIPTION("KUnit suite of the calls and events of vbus-native");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VPROXY_DRIVER);
MODULE_IMPORT_NS(VPROXY_WINDOW);
MODULE_IMPORT_NS(EXPORTED_FOR_KUNIT_TESTING);
