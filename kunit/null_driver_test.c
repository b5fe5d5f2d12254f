// SPDX-License-Identifier: GPL-2.0
/*
 * Guest driver of class "null": what it takes for a measurement, and what it says of
 * one.  How a measurement ends before its time is in null_end_test.c.
 */
#include "null_card.h"

/* --- it comes and goes --- */

static void test_probe(struct kunit *test)
{
	struct fake_dev *fake = start(test);
	struct vnull *nd = nd_of(fake);

	KUNIT_EXPECT_EQ(test, nd->vq->size, (u32)FAKE_RING);
	KUNIT_EXPECT_PTR_EQ(test, NULL, (void *)vproxy_queue(&fake->vdev, 1));
	KUNIT_EXPECT_FALSE(test, IS_ERR_OR_NULL(nd->dir));
	KUNIT_EXPECT_EQ(test, fake_get32(fake, VBUS_REG_STATUS),
			(u32)(VBUS_STATUS_DRIVER | VBUS_STATUS_FEATURES_OK |
			      VBUS_STATUS_RUNNING));
	expect_no_result(test, fake);
	/* Nobody has asked for anything. */
	KUNIT_EXPECT_EQ(test, fake->kicks[0], 0U);
	fake_unregister(fake, false);
	KUNIT_EXPECT_EQ(test, fake_get32(fake, VBUS_REG_STATUS), 0U);
}

/* A probe that fails leaves nothing; the next one may do. */
static void test_probe_fails(struct kunit *test)
{
	struct fake_dev *fake = null_device(test);
	int i;

	for (i = 0; i < 4; i++) {
		fake_set32(fake, VBUS_REG_CLASS_VERSION,
			   VNULL_VERSION + (i == 0));
		fake->refuse_start = i == 1;
		fake->refuse_enable = i == 2;
		fake->grant = i == 3 ? -ENOSPC : INT_MAX;
		KUNIT_ASSERT_EQ(test, 0, fake_register(fake));
		KUNIT_EXPECT_PTR_EQ(test, NULL, (void *)fake->vdev.dev.driver);
		KUNIT_EXPECT_EQ(test, 0, fake->nr_vectors);
		fake_unregister(fake, false);
	}
	fake->grant = INT_MAX;
	start_device(test, fake);
	KUNIT_EXPECT_EQ(test, 0, command(fake, "signal 1"));
	fake_unregister(fake, false);
}

/* --- what is refused --- */

static const struct {
	const char *line;
	int err;
} refused[] = {
	{ "", -EINVAL },
	{ "\n", -EINVAL },
	{ "register", -EINVAL },
	{ "register ", -EINVAL },
	{ "register x", -EINVAL },
	{ "register -1", -EINVAL },
	{ "register 1 2 3", -EINVAL },
	{ "register  1", -EINVAL },
	{ "reg 1", -EINVAL },
	{ "registers 1", -EINVAL },
	{ "register 0", -ERANGE },
	{ "register 1000001", -ERANGE },
	{ "register 4294967296", -ERANGE },
	{ "register 1 1", -EINVAL },
	{ "signal 1 1", -EINVAL },
	{ "flood 1 1", -EINVAL },
	{ "flood 0", -ERANGE },
	{ "flood 600001", -ERANGE },
	{ "ring 1 0", -ERANGE },
	{ "ring 1 17", -ERANGE },
	{ "ring 1 x", -EINVAL },
	{ "ring 0 1", -ERANGE },
};

static void test_refused(struct kunit *test)
{
	struct fake_dev *fake = start(test);
	unsigned int i, accesses = fake->accesses;

	for (i = 0; i < ARRAY_SIZE(refused); i++) {
		KUNIT_EXPECT_EQ_MSG(test, refused[i].err,
				    command(fake, refused[i].line), "\"%s\"",
				    refused[i].line);
		expect_no_result(test, fake);
	}
	KUNIT_EXPECT_EQ(test, fake->kicks[0], 0U);
	KUNIT_EXPECT_EQ(test, fake->accesses, accesses);
	KUNIT_EXPECT_EQ(test, 0, command(fake, " ring 1 16\n"));
}

/* What a transport does not have, or says. */
static int refuse_measure(struct fake_dev *fake, enum vproxy_measure what)
{
	return -ETIMEDOUT;
}

static void test_unsupported(struct kunit *test)
{
	static const char *const lines[] = { "idle 5", "call 5", "slowcall 5" };
	struct fake_dev *fake = start(test);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		fake->measure = NULL;
		KUNIT_EXPECT_EQ(test, 0, command(fake, "signal 1"));
		KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, command(fake, lines[i]));
		/* The one before is gone. */
		expect_no_result(test, fake);
		fake->measure = refuse_measure;
		KUNIT_EXPECT_EQ(test, -ETIMEDOUT, command(fake, lines[i]));
		expect_no_result(test, fake);
	}
	fake->fail_access = 3;
	KUNIT_EXPECT_EQ(test, -EIO, command(fake, "register 5"));
	fake->fail_access = 0;
	fake_set32(fake, VBUS_REG_MAGIC, 1);
	KUNIT_EXPECT_EQ(test, -EIO, command(fake, "register 5"));
	expect_no_result(test, fake);
}

/* --- what is measured --- */

static enum vproxy_measure measured_what;
static unsigned int measured;

static int count_measure(struct fake_dev *fake, enum vproxy_measure what)
{
	measured_what = what;
	measured++;
	return 0;
}

static void test_calls(struct kunit *test)
{
	static const struct {
		const char *name;
		const char *line;
		enum vproxy_measure what;
	} calls[] = {
		{ "idle", "idle 10", VPROXY_MEASURE_IDLE },
		{ "call", "call 10", VPROXY_MEASURE_CALL },
		{ "slowcall", "slowcall 10", VPROXY_MEASURE_SLOW_CALL },
	};
	struct fake_dev *fake = start(test);
	unsigned int i, accesses = fake->accesses;

	KUNIT_EXPECT_EQ(test, 0, command(fake, "register 1000"));
	expect_samples(test, fake, "register", 1000);
	KUNIT_EXPECT_EQ(test, fake->accesses - accesses, 1000U);

	fake->measure = count_measure;
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		measured = 0;
		KUNIT_EXPECT_EQ(test, 0, command(fake, calls[i].line));
		expect_samples(test, fake, calls[i].name, 10);
		KUNIT_EXPECT_EQ(test, measured, 10U);
		KUNIT_EXPECT_EQ(test, (int)measured_what, (int)calls[i].what);
	}
	KUNIT_EXPECT_EQ(test, fake->kicks[0], 0U);

	KUNIT_EXPECT_EQ(test, 0, command(fake, "kick 100"));
	expect_samples(test, fake, "kick", 100);
	KUNIT_EXPECT_EQ(test, fake->kicks[0], 100U);
	KUNIT_EXPECT_EQ(test, served, 0U);
}

static void test_quantiles(struct kunit *test)
{
	struct vnull_run run = { .what = vnull_find("signal"), .count = 201 };
	struct vnull_result res = { };
	u32 i;

	run.nr_samples = run.count;
	run.samples = kunit_kcalloc(test, run.count, sizeof(u64), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, run.samples);
	/* 0 to 200 in some order; more than 32 bits of them count. */
	for (i = 0; i < run.count; i++) {
		run.samples[i] = (u64)(i * 100 % 201) << 31;
		run.total += run.samples[i];
	}
	vnull_evaluate(&run, &res);
	KUNIT_EXPECT_EQ(test, res.min, 0ULL);
	KUNIT_EXPECT_EQ(test, res.median, 100ULL << 31);
	KUNIT_EXPECT_EQ(test, res.mean, 100ULL << 31);
	KUNIT_EXPECT_EQ(test, res.p99, 198ULL << 31);
	KUNIT_EXPECT_EQ(test, res.max, 200ULL << 31);
	KUNIT_EXPECT_FALSE(test, res.rate);
}

/* A signal for nothing before each that means something. */
static void serve_noisily(struct fake_dev *fake, u32 q)
{
	fake_signal(fake, 1);
	serve(fake, q);
}

/* One signal, and one doorbell, for each. */
static void test_signal(struct kunit *test)
{
	struct fake_dev *fake = null_device(test);
	int in_order;

	for (in_order = 0; in_order < 2; in_order++) {
		fake_set32(fake, VBUS_REG_QUEUE(0) + VBUS_QREG_FLAGS,
			   in_order ? VBUS_QUEUE_IN_ORDER : 0);
		start_device(test, fake);
		fake->kicks[0] = 0;
		fake->kick = serve;
		KUNIT_EXPECT_EQ(test, 0, command(fake, "signal 100"));
		expect_samples(test, fake, "signal", 100);
		KUNIT_EXPECT_EQ(test, served, 100U);
		KUNIT_EXPECT_EQ(test, fake->kicks[0], 100U);
		fake->kick = serve_noisily;
		KUNIT_EXPECT_EQ(test, 0, command(fake, "signal 100"));
		expect_samples(test, fake, "signal", 100);
		KUNIT_EXPECT_EQ(test, served, 200U);
		fake_unregister(fake, false);
	}
}

static void test_ring(struct kunit *test)
{
	static const struct {
		u32 count, batch;
	} runs[] = {
		{ 1, 1 }, { 1, 16 }, { 16, 16 }, { 100, 1 }, { 100, 7 },
		{ 100, 9 }, { 1000, 16 }, { 17, 16 },
	};
	struct fake_dev *fake = start(test);
	const struct vnull_result *res = &nd_of(fake)->result;
	char line[32];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(runs); i++) {
		served = 0;
		snprintf(line, sizeof(line), "ring %u %u", runs[i].count,
			 runs[i].batch);
		KUNIT_EXPECT_EQ(test, 0, command(fake, line));
		expect_samples(test, fake, "ring", runs[i].count);
		KUNIT_EXPECT_EQ(test, served, runs[i].count);
		KUNIT_EXPECT_EQ(test, res->batch, runs[i].batch);
		KUNIT_EXPECT_TRUE(test, res->rate);
		KUNIT_EXPECT_GT(test, res->per_second, 0ULL);
		KUNIT_EXPECT_GT(test, res->mean, 0ULL);
	}
	KUNIT_EXPECT_EQ(test, 0, command(fake, "ring 10"));
	KUNIT_EXPECT_EQ(test, res->batch, 1U);
}

/* --- a host that takes its time --- */

static struct fake_dev *late_dev;

static void late_fn(struct work_struct *work)
{
	serve(late_dev, 0);
}

static DECLARE_DELAYED_WORK(late_work, late_fn);

static void serve_late(struct fake_dev *fake, u32 q)
{
	late_dev = fake;
	schedule_delayed_work(&late_work, 1);
}

static void test_late(struct kunit *test)
{
	struct fake_dev *fake = start(test);
	const struct vnull_result *res = &nd_of(fake)->result;

	fake->kick = serve_late;
	KUNIT_EXPECT_EQ(test, 0, command(fake, "signal 5"));
	expect_samples(test, fake, "signal", 5);
	KUNIT_EXPECT_EQ(test, 0, command(fake, "ring 100 5"));
	expect_samples(test, fake, "ring", 100);
	KUNIT_EXPECT_EQ(test, 0, command(fake, "flood 100"));
	KUNIT_EXPECT_STREQ(test, res->what, "flood");
	KUNIT_EXPECT_GT(test, res->count, 0ULL);
	/* The last one is taken back by the run itself. */
	KUNIT_EXPECT_LE(test, res->count, (u64)served - 105);
	KUNIT_EXPECT_GE(test, res->count, (u64)served - 106);
	cancel_delayed_work_sync(&late_work);
}

static void test_flood(struct kunit *test)
{
	struct fake_dev *fake = start(test);
	const struct vnull_result *res = &nd_of(fake)->result;
	int i;

	for (i = 0; i < 3; i++) {
		served = 0;
		fake->kicks[0] = 0;
		KUNIT_EXPECT_EQ(test, 0, command(fake, "flood 50"));
		KUNIT_EXPECT_STREQ(test, res->what, "flood");
		KUNIT_EXPECT_GT(test, res->count, 0ULL);
		KUNIT_EXPECT_GT(test, res->per_second, 0ULL);
		KUNIT_EXPECT_FALSE(test, res->quantiles);
		KUNIT_EXPECT_TRUE(test, res->rate);
		/* A doorbell for each chain, so they were not batched. */
		KUNIT_EXPECT_EQ(test, fake->kicks[0], served);
		KUNIT_EXPECT_EQ(test, 0, command(fake, "signal 3"));
	}
}

static struct kunit_case null_cases[] = {
	KUNIT_CASE(test_probe),
	KUNIT_CASE(test_probe_fails),
	KUNIT_CASE(test_refused),
	KUNIT_CASE(test_unsupported),
	KUNIT_CASE(test_calls),
	KUNIT_CASE(test_quantiles),
	KUNIT_CASE(test_signal),
	KUNIT_CASE(test_ring),
	KUNIT_CASE(test_late),
	KUNIT_CASE(test_flood),
	{}
};

static struct kunit_suite null_suite = {
	.name = "vbus_null_driver",
	.init = null_init,
	.exit = null_exit,
	.test_cases = null_cases,
};

kunit_test_suite(null_suite);
