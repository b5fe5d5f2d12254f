// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "rng" over time: kicks while it starts and stops, and a rate that no
 * guest gets around.
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include "rng_guest.h"

/* --- kicks that come at any time --- */

static int kicker(void *arg)
{
	struct conn_guest *g = arg;

	while (!kthread_should_stop()) {
		vbus_conn_kick(g->conn, 0);
		cond_resched();
	}
	return 0;
}

/*
 * Kicks come while the device starts and stops, and the work is in each of
 * its states then: it runs, is queued, waits for tokens, queues itself.
 */
static void kicks_and_stops(struct kunit *test, const char *rate)
{
	struct conn_guest *g = guest_create(test, rate);
	struct task_struct *task;
	u32 i, k;

	task = kthread_run(kicker, g, "vbus-kunit-kicker");
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	for (i = 0; i < 200; i++) {
		KUNIT_EXPECT_EQ(test, 0, conn_guest_start(g, 0, 1, RING));
		for (k = 0; k < RING; k++) {
			struct ioq_seg seg = room(g, 0, 256);

			ioq_north_add(&g->q[0].north, &seg, 1, g);
		}
		ioq_north_publish(&g->q[0].north);
		if (i % 4)
			usleep_range(100 * (i % 4), 500 * (i % 4));
		conn_guest_reset(g);
		/* Nothing is written to a ring that was taken back. */
		memset(g->q[0].area, MARK, ioq_bytes(RING));
		if (i % 2)
			cond_resched();
		else
			usleep_range(100, 200);
		KUNIT_EXPECT_PTR_EQ(test, NULL, memchr_inv(g->q[0].area, MARK,
							   ioq_bytes(RING)));
	}
	kthread_stop(task);
}

static void rng_stop_race(struct kunit *test)
{
	kicks_and_stops(test, "0");
}

static void rng_stop_race_rate(struct kunit *test)
{
	kicks_and_stops(test, "100000");
}

/* --- the rate --- */

/* No more than came in since @from, and a full bucket. */
static void expect_bounded(struct conn_guest *g, u64 bytes, u32 rate,
			   ktime_t from)
{
	u64 most = rate + div_u64((u64)rate *
				  ktime_ms_delta(ktime_get(), from), 1000) + 1;

	KUNIT_EXPECT_LE(g->test, bytes, most);
}

static void rng_rate(struct kunit *test)
{
	ktime_t from = ktime_get();
	struct conn_guest *g = start(test, "2000");
	u64 bytes;
	s64 ms;
	int len;

	/* A second's worth is there at once, and not more. */
	KUNIT_EXPECT_EQ(test, 2000, ask(g, 0, 8192));
	KUNIT_EXPECT_TRUE(test, untouched(g, 2000, 8192 - 2000));
	KUNIT_EXPECT_EQ(test, conn_guest_stat(g, "waits"), 0ULL);
	bytes = 2000;

	/* The next are answered as time brings them, and none is lost. */
	post(g, 0, 8192);
	while (bytes < 4000) {
		/* Two are out, so that the host finds one when it has no more. */
		len = ask(g, 0, 8192);
		KUNIT_ASSERT_GE(test, len, 64);
		bytes += len;
		expect_bounded(g, bytes, 2000, from);
	}
	ms = ktime_ms_delta(ktime_get(), from);
	KUNIT_EXPECT_GE(test, ms, 999LL);
	KUNIT_EXPECT_GT(test, conn_guest_stat(g, "waits"), 0ULL);
	bytes += take(g);
	KUNIT_EXPECT_EQ(test, conn_guest_stat(g, "bytes"), bytes);

	/* A pause fills the bucket and no more. */
	msleep(2500);
	KUNIT_EXPECT_EQ(test, 2000, ask(g, 0, 8192));
	KUNIT_EXPECT_LT(test, ask(g, 0, 8192), 1000);
}

/* Neither a reset nor another connection brings a new bucket. */
static void rng_rate_reset(struct kunit *test)
{
	ktime_t from = ktime_get();
	struct conn_guest *g = start(test, "1000");
	u64 bytes;
	int i;

	for (i = 0; i < 10; i++) {
		/* Some are left with the host when it is reset. */
		post(g, 0, 8192);
		post(g, 0, 8192);
		conn_guest_kick(g, 0);
		msleep(20);
		if (i == 5) {
			conn_guest_unplug(g);
			conn_guest_plug(g);
		}
		KUNIT_ASSERT_EQ(test, 0, conn_guest_start(g, 0, 1, RING));
		bytes = conn_guest_stat(g, "bytes");
		KUNIT_EXPECT_GE(test, bytes, 1000ULL);
		expect_bounded(g, bytes, 1000, from);
	}
}

/* Stopped while the work waits for tokens: no answer comes after the reset. */
static void rng_rate_stop(struct kunit *test)
{
	struct conn_guest *g = start(test, "64");
	u64 bytes;
	int i;

	KUNIT_EXPECT_EQ(test, 64, ask(g, 0, 4096));
	for (i = 0; i < 5; i++) {
		post(g, 0, 4096);
		conn_guest_kick(g, 0);
		msleep(20);
		conn_guest_reset(g);
		bytes = conn_guest_stat(g, "bytes");
		memset(g->buf, MARK, 4096);
		msleep(20);
		KUNIT_ASSERT_EQ(test, 0, conn_guest_start(g, 0, 1, RING));
	}
	conn_guest_reset(g);
	bytes = conn_guest_stat(g, "bytes");
	memset(g->buf, MARK, 4096);
	msleep(1500);
	KUNIT_EXPECT_TRUE(test, untouched(g, 0, 4096));
	KUNIT_EXPECT_EQ(test, conn_guest_stat(g, "bytes"), bytes);
}

/* Who looks at the bucket often gets as much as who does not. */
static void rng_rate_often(struct kunit *test)
{
	struct conn_guest *g = start(test, "64");
	ktime_t from;

	KUNIT_EXPECT_EQ(test, 64, ask(g, 0, 4096));
	/* Each brings one token and a piece of the next; there is no request. */
	from = ktime_get();
	while (ktime_ms_delta(ktime_get(), from) < 1250) {
		vbus_conn_kick(g->conn, 0);
		usleep_range(26000, 26100);
	}
	KUNIT_EXPECT_EQ(test, 64, ask(g, 0, 4096));
	KUNIT_EXPECT_EQ(test, conn_guest_stat(g, "waits"), 0ULL);
}

/* The largest: the arithmetic holds, and nobody waits for it. */
static void rng_rate_max(struct kunit *test)
{
	struct conn_guest *g = start(test, "1073741824");
	u32 i;

	msleep(1200);
	for (i = 0; i < RING; i++)
		post(g, 0, 8192);
	conn_guest_kick(g, 0);
	for (i = 0; i < RING; i++)
		KUNIT_ASSERT_EQ(test, VBUS_RNG_MAX_BYTES, take(g));
	KUNIT_EXPECT_EQ(test, conn_guest_stat(g, "waits"), 0ULL);
}

static struct kunit_case rng_cases[] = {
	KUNIT_CASE(rng_stop_race),
	KUNIT_CASE(rng_stop_race_rate),
	KUNIT_CASE(rng_rate),
	KUNIT_CASE(rng_rate_reset),
	KUNIT_CASE(rng_rate_stop),
	KUNIT_CASE(rng_rate_often),
	KUNIT_CASE(rng_rate_max),
	{ }
};

static struct kunit_suite rng_suite = {
	.name = "dm_rng_rate",
	.exit = rng_exit,
	.test_cases = rng_cases,
};

kunit_test_suite(rng_suite);

MODULE_DESCRIPTION("vbus test: host rng model, rate and stopping");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VBUS_SESSION);
