// SPDX-License-Identifier: GPL-2.0
/*
 * Guest driver of class "rng": registration, reads that wait and reads that do
 * not, hosts that lie, and devices that go while somebody reads.
 *
 * The driver is a copy of its own that registers with this file in place of the
 * hwrng framework, which has a thread that reads whenever it likes.  The last
 * case is about the real ones.
 */
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/hw_random.h>
#include <linux/io.h>
#include <linux/kmod.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched/signal.h>
#include "fake_transport.h"
#include "fault.h"

static int take_source(struct hwrng *rng);
static void leave_source(struct hwrng *rng);

#undef module_vproxy_driver
#define module_vproxy_driver(drv)
#undef MODULE_ALIAS
#define MODULE_ALIAS(alias)
#define hwrng_register take_source
#define hwrng_unregister leave_source
#include "../drivers/rng/rng.c"
#undef hwrng_register
#undef hwrng_unregister

#define NAME	"vbus90-5"

static bool driver_registered;

/* The framework: one source, one reader at a time, and it is waited for. */
static struct hwrng *source;
static struct task_struct *last_reader;
static int register_errno;
static DEFINE_MUTEX(reading);

static int take_source(struct hwrng *rng)
{
	if (register_errno)
		return register_errno;
	source = rng;
	return 0;
}

static void leave_source(struct hwrng *rng)
{
	int i;

	for (i = 0; i < 250 && mutex_is_locked(&reading); i++)
		msleep(20);
	/* Without this the whole machine would hang, not only the case fail. */
	if (i == 250) {
		KUNIT_FAIL(current->kunit_test, "the reader was not woken");
		send_sig(SIGKILL, last_reader, 1);
	}
	mutex_lock(&reading);
	source = NULL;
	mutex_unlock(&reading);
}

static int read_source(void *data, size_t max, bool wait)
{
	int ret;

	mutex_lock(&reading);
	ret = source ? source->read(source, data, max, wait) : -ENXIO;
	mutex_unlock(&reading);
	return ret;
}

/* A thread that reads once. */
struct reader {
	struct task_struct *task;
	struct completion done;
	u8 data[64];
	int ret;
};

static int reader_fn(void *arg)
{
	struct reader *r = arg;

	allow_kernel_signal(SIGKILL);
	r->ret = read_source(r->data, sizeof(r->data), true);
	complete(&r->done);
	while (!kthread_should_stop())
		msleep(20);
	return 0;
}

/* It waits now, unless there are bytes. */
static struct reader *reader_start(struct kunit *test)
{
	struct reader *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, r);
	init_completion(&r->done);
	r->task = kthread_run(reader_fn, r, "vbus-kunit-reader");
	KUNIT_ASSERT_FALSE(test, IS_ERR(r->task));
	last_reader = r->task;
	msleep(50);
	return r;
}

static bool reader_waits(struct reader *r)
{
	msleep(50);
	return !completion_done(&r->done);
}

/* What the read returned; a reader that never returns is shot. */
static int reader_end(struct kunit *test, struct reader *r)
{
	if (!wait_for_completion_timeout(&r->done, 5 * HZ)) {
		KUNIT_FAIL(test, "the reader still waits");
		send_sig(SIGKILL, r->task, 1);
	}
	kthread_stop(r->task);
	return r->ret;
}

/* --- the host --- */

static struct fake_dev *rng_device(struct kunit *test)
{
	struct fake_dev *fake = fake_create(test);

	fake_set32(fake, VBUS_REG_CLASS, VBUS_CLASS_RNG);
	fake_set32(fake, VBUS_REG_CLASS_VERSION, VBUS_RNG_VERSION);
	fake_set32(fake, VBUS_REG_NR_QUEUES, 1);
	fake_set64(fake, VBUS_REG_FEATURES, 0);
	fake_set32(fake, VBUS_REG_CONFIG_SIZE, 0);
	return fake;
}

static struct fake_dev *start(struct kunit *test)
{
	struct fake_dev *fake = rng_device(test);

	KUNIT_ASSERT_EQ(test, 0, fake_register(fake));
	KUNIT_ASSERT_NOT_NULL(test, source);
	return fake;
}

static void complete_raw(struct fake_dev *fake, u32 id, u32 len)
{
	struct ioq_south *south = &fake->south[0];

	ioq_south_complete(south, id, len);
	ioq_south_publish(south);
	if (ioq_south_signal_needed(south))
		fake_signal(fake, fake_get32(fake, VBUS_REG_QUEUE(0) +
					     VBUS_QREG_VECTOR));
}

/* Take the one request there must be. */
static struct ioq_seg take(struct kunit *test, struct fake_dev *fake, u32 *id)
{
	struct ioq_seg segs[2] = { };
	struct ioq_chain chain;

	KUNIT_ASSERT_EQ(test, 1, ioq_south_get(&fake->south[0], segs, 2, &chain,
					       NULL, NULL));
	KUNIT_EXPECT_EQ(test, chain.nr_out, 0U);
	KUNIT_EXPECT_EQ(test, chain.nr_in, 1U);
	KUNIT_EXPECT_EQ(test, segs[0].len, (u32)VBUS_RNG_BUF);
	*id = chain.id;
	return segs[0];
}

static bool asked(struct fake_dev *fake)
{
	return ioq_south_pending(&fake->south[0]);
}

static u8 nth(u32 n)
{
	return n * 7 + (n >> 8) * 13 + 1;
}

/* Answer with @len bytes of the pattern from @from on. */
static void answer(struct kunit *test, struct fake_dev *fake, u32 from, u32 len)
{
	struct ioq_seg seg;
	u32 id, i;
	u8 *data;

	seg = take(test, fake, &id);
	data = phys_to_virt(seg.addr);
	for (i = 0; i < len; i++)
		data[i] = nth(from + i);
	complete_raw(fake, id, len);
}

static void expect_bytes(struct kunit *test, const u8 *data, u32 from, u32 len)
{
	u32 i;

	for (i = 0; i < len && data[i] == nth(from + i); i++)
		;
	KUNIT_EXPECT_EQ_MSG(test, i, len, "from %u on", from);
}

/* --- it comes and goes --- */

static void test_probe(struct kunit *test)
{
	struct fake_dev *fake = start(test);
	struct vproxy_queue *vq = vproxy_queue(&fake->vdev, 0);

	KUNIT_EXPECT_STREQ(test, source->name, NAME);
	KUNIT_EXPECT_EQ(test, (int)source->quality, 1024);
	KUNIT_ASSERT_NOT_NULL(test, vq);
	KUNIT_EXPECT_EQ(test, vq->size, 2U);
	KUNIT_EXPECT_EQ(test, fake_get32(fake, VBUS_REG_STATUS),
			(u32)(VBUS_STATUS_DRIVER | VBUS_STATUS_FEATURES_OK |
			      VBUS_STATUS_RUNNING));
	/* Nobody has asked, so nothing is asked of the host. */
	KUNIT_EXPECT_FALSE(test, asked(fake));
	fake_unregister(fake, false);
	KUNIT_EXPECT_PTR_EQ(test, NULL, (void *)source);
	KUNIT_EXPECT_EQ(test, fake_get32(fake, VBUS_REG_STATUS), 0U);
}

/* A probe that fails leaves nothing; the next one may do. */
static void test_probe_fails(struct kunit *test)
{
	struct fake_dev *fake = rng_device(test);
	int i;

	for (i = 0; i < 5; i++) {
		fake_set32(fake, VBUS_REG_CLASS_VERSION,
			   VBUS_RNG_VERSION + (i == 0));
		register_errno = i == 1 ? -EEXIST : 0;
		fake->refuse_start = i == 2;
		fake->refuse_enable = i == 3;
		fake->grant = i == 4 ? -ENOSPC : INT_MAX;
		KUNIT_ASSERT_EQ(test, 0, fake_register(fake));
		KUNIT_EXPECT_PTR_EQ_MSG(test, NULL, (void *)source, "%d", i);
		KUNIT_EXPECT_PTR_EQ(test, NULL, (void *)fake->vdev.dev.driver);
		KUNIT_EXPECT_EQ(test, 0, fake->nr_vectors);
		KUNIT_EXPECT_EQ(test, fake_get32(fake, VBUS_REG_STATUS) &
				VBUS_STATUS_RUNNING, 0U);
		fake_unregister(fake, false);
	}
	fake->grant = INT_MAX;
	KUNIT_ASSERT_EQ(test, 0, fake_register(fake));
	KUNIT_EXPECT_NOT_NULL(test, source);
	fake_unregister(fake, false);
}

/* --- reads --- */

/* Without waiting: the request stays with the host, and there is only one. */
static void test_read_nowait(struct kunit *test)
{
	struct fake_dev *fake = start(test);
	struct vbus_rng *rng = vproxy_drvdata(&fake->vdev);
	u8 data[64];

	KUNIT_EXPECT_EQ(test, 0, read_source(data, 64, false));
	KUNIT_EXPECT_EQ(test, 0, read_source(data, 64, false));
	KUNIT_EXPECT_EQ(test, fake->kicks[0], 1U);
	answer(test, fake, 0, 100);
	KUNIT_EXPECT_FALSE(test, asked(fake));

	KUNIT_EXPECT_EQ(test, 64, read_source(data, 64, false));
	expect_bytes(test, data, 0, 64);
	KUNIT_EXPECT_FALSE(test, asked(fake));
	/* They are given out once, and are not there any more. */
	KUNIT_EXPECT_PTR_EQ(test, NULL, memchr_inv(rng->buf, 0, 64));
	KUNIT_EXPECT_EQ(test, 36, read_source(data, 64, false));
	expect_bytes(test, data, 64, 36);
	KUNIT_EXPECT_PTR_EQ(test, NULL, memchr_inv(rng->buf, 0, 100));
	/* What was missing has been asked for already. */
	KUNIT_EXPECT_TRUE(test, asked(fake));
	KUNIT_EXPECT_EQ(test, 0, read_source(data, 64, false));
	answer(test, fake, 100, 1);
	KUNIT_EXPECT_EQ(test, 1, read_source(data, 64, false));
	expect_bytes(test, data, 100, 1);
	/* The driver lets go of a request the host has. */
	KUNIT_EXPECT_TRUE(test, asked(fake));
	fake_unregister(fake, false);
}

/* A reader sleeps until the host signals an answer, and nothing else will do. */
static void test_read_wait(struct kunit *test)
{
	struct fake_dev *fake = start(test);
	struct reader *r = reader_start(test);

	KUNIT_EXPECT_TRUE(test, reader_waits(r));
	KUNIT_EXPECT_TRUE(test, asked(fake));
	fake_signal(fake, 1);
	KUNIT_EXPECT_TRUE(test, reader_waits(r));
	/* A config change that means nothing to it. */
	fake_set32(fake, VBUS_REG_CONFIG_GEN, 7);
	fake_signal(fake, 0);
	KUNIT_EXPECT_TRUE(test, reader_waits(r));
	answer(test, fake, 0, VBUS_RNG_BUF);
	KUNIT_EXPECT_EQ(test, 64, reader_end(test, r));
	expect_bytes(test, r->data, 0, 64);

	/* The rest needs no host, and so no waiting. */
	r = reader_start(test);
	KUNIT_EXPECT_EQ(test, 64, reader_end(test, r));
	expect_bytes(test, r->data, 64, 64);
	KUNIT_EXPECT_FALSE(test, asked(fake));
}

/* A few bytes are an answer: a reader that has some does not wait for more. */
static void test_read_short(struct kunit *test)
{
	struct fake_dev *fake = start(test);
	struct reader *r;
	u32 i;

	/* The host signals only when it was asked to, each time anew. */
	for (i = 0; i < 5; i++) {
		r = reader_start(test);
		answer(test, fake, 3 * i, 3);
		KUNIT_EXPECT_EQ(test, 3, reader_end(test, r));
		expect_bytes(test, r->data, 3 * i, 3);
	}
}

/* A killed reader leaves its request, which the next one finds. */
static void test_read_killed(struct kunit *test)
{
	struct fake_dev *fake = start(test);
	struct reader *r = reader_start(test);
	u8 data[64];

	KUNIT_EXPECT_TRUE(test, reader_waits(r));
	send_sig(SIGKILL, r->task, 1);
	KUNIT_EXPECT_EQ(test, -ERESTARTSYS, reader_end(test, r));
	answer(test, fake, 0, 64);
	KUNIT_EXPECT_EQ(test, 64, read_source(data, 64, false));
	expect_bytes(test, data, 0, 64);
}

/* A host that is silent, or signals and never answers, holds no reader for ever. */
static void test_read_unanswered(struct kunit *test)
{
	struct fake_dev *fake = start(test);
	struct reader *r;
	u8 data[64];
	int i;

	vbus_rng_patience = HZ / 5;
	r = reader_start(test);
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, reader_end(test, r));
	r = reader_start(test);
	for (i = 0; i < 300 && !completion_done(&r->done); i++) {
		fake_signal(fake, fake_get32(fake, VBUS_REG_QUEUE(0) +
					     VBUS_QREG_VECTOR));
		msleep(20);
	}
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, reader_end(test, r));
	/* The one request is still there, and is answered at last. */
	answer(test, fake, 0, 64);
	KUNIT_EXPECT_FALSE(test, asked(fake));
	KUNIT_EXPECT_EQ(test, 64, read_source(data, 64, true));
	expect_bytes(test, data, 0, 64);
}

/* Answers of every length, reads of every length: each byte once, in order. */
static void test_read_stream(struct kunit *test)
{
	struct fake_dev *fake = start(test);
	u32 given = 0, got = 0, i, len;
	u8 data[200];
	int ret;

	for (i = 0; i < 2000; i++) {
		if (asked(fake)) {
			len = 1 + i * 37 % VBUS_RNG_BUF;
			answer(test, fake, given, len);
			given += len;
		}
		ret = read_source(data, 1 + i % sizeof(data), false);
		KUNIT_ASSERT_GE(test, ret, 0);
		expect_bytes(test, data, got, ret);
		got += ret;
	}
	KUNIT_EXPECT_GT(test, got, 100000U);
	KUNIT_EXPECT_LE(test, given - got, (u32)VBUS_RNG_BUF);
}

/* --- hosts that lie --- */

static const struct {
	const char *name;
	bool bad_id;
	u32 len;
} lies[] = {
	{ "no byte", false, 0 },
	{ "one too many", false, VBUS_RNG_BUF + 1 },
	{ "far too many", false, 0x7fffffff },
	{ "a request that was never made", true, 64 },
};

/* No read works any more; one that would wait is tried only then. */
static void expect_dead(struct kunit *test)
{
	u8 data[64];
	int ret;

	ret = read_source(data, sizeof(data), false);
	KUNIT_EXPECT_EQ(test, -ENODEV, ret);
	if (ret == -ENODEV)
		KUNIT_EXPECT_EQ(test, -ENODEV,
				read_source(data, sizeof(data), true));
}

static void test_lies(struct kunit *test)
{
	struct fake_dev *fake;
	u32 i, id;

	for (i = 0; i < ARRAY_SIZE(lies); i++) {
		struct reader *r;

		fake = start(test);
		r = reader_start(test);
		take(test, fake, &id);
		complete_raw(fake, id ^ lies[i].bad_id, lies[i].len);
		KUNIT_EXPECT_EQ_MSG(test, -EIO, reader_end(test, r), "%s",
				    lies[i].name);
		KUNIT_EXPECT_PTR_EQ_MSG(test, NULL,
					memchr_inv(r->data, 0, sizeof(r->data)),
					"%s", lies[i].name);
		/* For good: it is not asked again. */
		expect_dead(test);
		KUNIT_EXPECT_FALSE(test, asked(fake));
		fake_unregister(fake, false);
	}
}

/* --- devices that go --- */

static void test_gone(struct kunit *test)
{
	struct fake_dev *fake;
	struct reader *r;
	int gone;

	for (gone = 0; gone < 2; gone++) {
		fake = start(test);
		r = reader_start(test);
		KUNIT_EXPECT_TRUE(test, reader_waits(r));
		fake->dead = gone;
		fake_unregister(fake, gone);
		KUNIT_EXPECT_PTR_EQ(test, NULL, (void *)source);
		KUNIT_EXPECT_EQ(test, -ENODEV, reader_end(test, r));
	}
}

/* Nobody says so, as the bus can't while a device is being probed. */
static void test_gone_unsaid(struct kunit *test)
{
	struct fake_dev *fake = start(test);
	struct reader *r = reader_start(test);

	KUNIT_EXPECT_TRUE(test, reader_waits(r));
	fake->dead = true;
	KUNIT_EXPECT_EQ(test, -ENODEV, reader_end(test, r));
	fake_unregister(fake, true);
}

static void test_needs_reset(struct kunit *test)
{
	struct fake_dev *fake = start(test);
	struct reader *r = reader_start(test);
	u8 data[64];

	KUNIT_EXPECT_TRUE(test, reader_waits(r));
	fake_set32(fake, VBUS_REG_STATUS, fake_get32(fake, VBUS_REG_STATUS) |
		   VBUS_STATUS_NEEDS_RESET);
	fake_signal(fake, 0);
	KUNIT_EXPECT_EQ(test, -ENODEV, reader_end(test, r));
	expect_dead(test);
	/* It is still the source; who binds the driver again restarts it. */
	KUNIT_EXPECT_NOT_NULL(test, source);
	fake_unregister(fake, false);
	KUNIT_ASSERT_EQ(test, 0, fake_register(fake));
	KUNIT_EXPECT_EQ(test, 0, read_source(data, 64, false));
	answer(test, fake, 0, 64);
	KUNIT_EXPECT_EQ(test, 64, read_source(data, 64, false));
}

/*
 * Each allocation of a probe fails in turn.  The last of our own driver, since
 * among them is one of the DMA debugging, which then switches itself off.
 */
static void test_faults(struct kunit *test)
{
	struct fake_dev *fake = rng_device(test);
	unsigned int n, failed = 0;
	int err;

	fault_setup(test);
	for (n = 1; n < FAULT_MAX; n++) {
		bool hit;

		fault_arm(n);
		err = fake_register(fake);
		hit = fault_disarm();
		failed += hit && !source;
		if (err)
			continue;
		fake_unregister(fake, false);
		KUNIT_EXPECT_PTR_EQ(test, NULL, (void *)source);
		if (!hit)
			break;
	}
	KUNIT_EXPECT_LT(test, n, (unsigned int)FAULT_MAX);
	KUNIT_EXPECT_GT(test, failed, 5U);
}

/* --- the real driver and the real framework --- */

static bool is_available(struct kunit *test)
{
	char text[256] = "";
	struct file *file;
	loff_t pos = 0;

	file = filp_open("/sys/class/misc/hw_random/rng_available", O_RDONLY,
			 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	kernel_read(file, text, sizeof(text) - 1, &pos);
	filp_close(file, NULL);
	return strstr(text, NAME);
}

static void test_framework(struct kunit *test)
{
	struct fake_dev *fake = rng_device(test);
	int i, gone;

	/* It has the same name; from here on it stays loaded. */
	vproxy_unregister_driver(&vbus_rng_driver);
	driver_registered = false;
	KUNIT_ASSERT_EQ(test, 0, request_module("vbus:rng"));
	for (gone = 0; gone < 2; gone++) {
		KUNIT_ASSERT_EQ(test, 0, fake_register(fake));
		KUNIT_EXPECT_TRUE(test, is_available(test));
		/* The framework reads at once, and waits if it is the source. */
		for (i = 0; i < 100 && !asked(fake); i++)
			msleep(20);
		KUNIT_EXPECT_TRUE(test, asked(fake));
		/* Once with an answer, once while its thread waits for one. */
		if (!gone)
			fake_serve(fake, 0, 64);
		msleep(50);
		fake->dead = gone;
		fake_unregister(fake, gone);
		KUNIT_EXPECT_FALSE(test, is_available(test));
		fake->dead = false;
	}
}

static int rng_init(struct kunit *test)
{
	register_errno = 0;
	vbus_rng_patience = 30 * HZ;
	source = NULL;
	/* Without an owner: suites run before their module is in sysfs. */
	driver_registered = !__vproxy_register_driver(&vbus_rng_driver, NULL);
	return driver_registered ? 0 : -EBUSY;
}

/* A device that a case left goes only after this, and finds no driver then. */
static void rng_exit(struct kunit *test)
{
	if (driver_registered)
		vproxy_unregister_driver(&vbus_rng_driver);
	driver_registered = false;
}

static struct kunit_case rng_cases[] = {
	KUNIT_CASE(test_probe),
	KUNIT_CASE(test_probe_fails),
	KUNIT_CASE(test_read_nowait),
	KUNIT_CASE(test_read_wait),
	KUNIT_CASE(test_read_short),
	KUNIT_CASE(test_read_killed),
	KUNIT_CASE(test_read_unanswered),
	KUNIT_CASE(test_read_stream),
	KUNIT_CASE(test_lies),
	KUNIT_CASE(test_gone),
	KUNIT_CASE(test_gone_unsaid),
	KUNIT_CASE(test_needs_reset),
	KUNIT_CASE(test_faults),
	KUNIT_CASE(test_framework),
	{}
};

static struct kunit_suite rng_suite = {
	.name = "vbus_rng_driver",
	.init = rng_init,
	.exit = rng_exit,
	.test_cases = rng_cases,
};

kunit_test_suite(rng_suite);
