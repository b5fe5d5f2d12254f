// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "rng": the attribute and its limits, requests of every shape and how
 * many bytes they are answered with, and requests that break the device.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include "fault.h"
#include "rng_guest.h"

#define DEV	"devices/rng.kt0/"
#define SEG_MAX	64

/*
 * Are these random?  16 bytes were left out, are of one value, or were there
 * before at another place: that comes by chance once in 2^100.
 */
static void expect_random(struct conn_guest *g, u32 off, u32 len)
{
	const u8 *bytes = g->buf + off;
	u32 i, k;

	for (i = 0; i + 16 <= len; i += 16) {
		if (!memchr_inv(bytes + i, bytes[i], 16)) {
			KUNIT_FAIL(g->test, "16 times %#x at %u of %u",
				   bytes[i], i, len);
			return;
		}
		for (k = 0; k < i; k += 16) {
			if (memcmp(bytes + i, bytes + k, 16))
				continue;
			KUNIT_FAIL(g->test, "at %u the same as at %u", i, k);
			return;
		}
	}
}

/* --- as the admin sees it --- */

static void rate_expect(struct kunit *test, const char *want)
{
	char text[32];

	KUNIT_ASSERT_EQ(test, 0, conn_guest_read(DEV "rate", text,
						 sizeof(text)));
	KUNIT_EXPECT_STREQ(test, strim(text), want);
}

/* A refused value (ret) must leave the last good one. */
static const struct {
	const char *value;
	int ret;
	const char *now;
} rates[] = {
	{ "64", 0, "64" },
	{ "1073741824\n", 0, "1073741824" },
	{ "\t1000\n", 0, "1000" },
	{ "63", -ERANGE, "1000" },
	{ "1", -ERANGE, "1000" },
	{ "1073741825", -ERANGE, "1000" },
	{ "4294967295", -ERANGE, "1000" },
	{ "4294967296", -ERANGE, "1000" },
	{ "4294967360", -ERANGE, "1000" },
	{ "-1", -EINVAL, "1000" },
	{ "0x40", -EINVAL, "1000" },
	{ "64k", -EINVAL, "1000" },
	{ "64 64", -EINVAL, "1000" },
	{ "\n", -EINVAL, "1000" },
	{ "0", 0, "0" },
};

static void rng_rate_attribute(struct kunit *test)
{
	u32 i;

	KUNIT_ASSERT_EQ(test, 0, conn_guest_shell("mkdir devices/rng.kt0"));
	rate_expect(test, "0");
	for (i = 0; i < ARRAY_SIZE(rates); i++) {
		KUNIT_EXPECT_EQ_MSG(test, rates[i].ret,
				    conn_guest_write(DEV "rate",
						     rates[i].value),
				    "\"%s\"", rates[i].value);
		rate_expect(test, rates[i].now);
	}

	/* Fixed while enabled, and free again afterwards. */
	KUNIT_EXPECT_EQ(test, 0, conn_guest_write(DEV "enable", "1"));
	KUNIT_EXPECT_EQ(test, -EBUSY, conn_guest_write(DEV "rate", "100"));
	rate_expect(test, "0");
	KUNIT_EXPECT_EQ(test, 0, conn_guest_write(DEV "enable", "0"));
	KUNIT_EXPECT_EQ(test, 0, conn_guest_write(DEV "rate", "100"));
}

/* Counters are of one enable; nothing else is left of the one before. */
static void rng_enable(struct kunit *test)
{
	struct conn_guest *g = start(test, "0");

	KUNIT_EXPECT_EQ(test, 100, ask(g, 0, 100));
	KUNIT_EXPECT_EQ(test, 7, ask(g, 0, 7));
	KUNIT_EXPECT_EQ(test, conn_guest_stat(g, "requests"), 2ULL);
	KUNIT_EXPECT_EQ(test, conn_guest_stat(g, "bytes"), 107ULL);
	KUNIT_EXPECT_EQ(test, conn_guest_stat(g, "waits"), 0ULL);
	/* Of the device, not of the connection. */
	conn_guest_reset(g);
	KUNIT_EXPECT_EQ(test, conn_guest_stat(g, "bytes"), 107ULL);

	conn_guest_unplug(g);
	KUNIT_ASSERT_EQ(test, 0, conn_guest_attr(g, "enable", "0"));
	KUNIT_ASSERT_EQ(test, 0, conn_guest_attr(g, "enable", "1"));
	conn_guest_plug(g);
	KUNIT_EXPECT_EQ(test, conn_guest_stat(g, "requests"), 0ULL);
	KUNIT_EXPECT_EQ(test, conn_guest_stat(g, "bytes"), 0ULL);
	KUNIT_ASSERT_EQ(test, 0, conn_guest_start(g, 0, 1, 2));
	KUNIT_EXPECT_EQ(test, 64, ask(g, 0, 64));
}

/* --- as the guest sees it --- */

static void rng_shape(struct kunit *test)
{
	u32 reg = VBUS_REG_QUEUE(0), run = VBUS_STATUS_DRIVER |
		  VBUS_STATUS_FEATURES_OK | VBUS_STATUS_RUNNING;
	struct conn_guest *g = guest_create(test, "0");

	KUNIT_EXPECT_EQ(test, conn_guest_reg(g, VBUS_REG_CLASS),
			(u32)VBUS_CLASS_RNG);
	KUNIT_EXPECT_EQ(test, conn_guest_reg(g, VBUS_REG_CLASS_VERSION),
			(u32)VBUS_RNG_VERSION);
	KUNIT_EXPECT_EQ(test, conn_guest_reg(g, VBUS_REG_FEATURES), 0U);
	KUNIT_EXPECT_EQ(test, conn_guest_reg(g, VBUS_REG_CONFIG_SIZE), 0U);
	KUNIT_EXPECT_EQ(test, conn_guest_reg(g, VBUS_REG_NR_QUEUES), 1U);
	KUNIT_EXPECT_EQ(test, conn_guest_reg(g, reg + VBUS_QREG_SIZE_MAX),
			(u32)RING);
	KUNIT_EXPECT_EQ(test, conn_guest_reg(g, reg + VBUS_QREG_SEG_MAX),
			(u32)SEG_MAX);
	KUNIT_EXPECT_EQ(test, conn_guest_reg(g, reg + VBUS_QREG_FLAGS), 0U);
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, conn_guest_negotiate(g, 1));

	/* It runs without its queue, too, though it is of little use. */
	KUNIT_ASSERT_EQ(test, 0, conn_guest_negotiate(g, 0));
	KUNIT_EXPECT_EQ(test, 0, conn_guest_set(g, VBUS_REG_STATUS, run));
	vbus_conn_kick(g->conn, 0);
	conn_guest_reset(g);
	KUNIT_ASSERT_EQ(test, 0, conn_guest_start(g, 0, 1, RING));
	KUNIT_EXPECT_EQ(test, 64, ask(g, 0, 64));
}

/* Each allocation of a start fails in turn; the guest may try again. */
static void rng_nomem(struct kunit *test)
{
	struct conn_guest *g = guest_create(test, "0");
	unsigned int n, failed = 0;
	int ret = 0;

	fault_setup(test);
	for (n = 1; n < FAULT_MAX; n++) {
		fault_arm(n);
		ret = conn_guest_start(g, 0, 1, RING);
		if (!fault_disarm())
			break;
		if (!ret)
			continue;
		failed++;
		KUNIT_EXPECT_EQ(test, -ENOMEM, ret);
		KUNIT_EXPECT_EQ(test, 0U, conn_guest_reg(g, VBUS_REG_STATUS) &
				VBUS_STATUS_RUNNING);
		vbus_conn_kick(g->conn, 0);
	}
	KUNIT_EXPECT_EQ(test, 0, ret);
	KUNIT_EXPECT_GT(test, failed, 0U);
	KUNIT_EXPECT_EQ(test, 64, ask(g, 0, 64));
}

/* As much as there is room for, up to the most; not a byte behind it. */
static void rng_lengths(struct kunit *test)
{
	static const u32 lens[] = {
		1, 2, 15, 16, 255, 256, 257, 511, 512, 513, 4095,
		VBUS_RNG_MAX_BYTES, VBUS_RNG_MAX_BYTES + 1, 65536, BUF / 2,
	};
	struct conn_guest *g = start(test, "0");
	u32 i, want;

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		want = min_t(u32, lens[i], VBUS_RNG_MAX_BYTES);
		memset(g->buf, MARK, BUF);
		KUNIT_EXPECT_EQ(test, (int)want, ask(g, 64, lens[i]));
		expect_random(g, 64, want);
		KUNIT_EXPECT_TRUE(test, untouched(g, 0, 64));
		KUNIT_EXPECT_TRUE_MSG(test, untouched(g, 64 + want,
						      BUF - 64 - want),
				      "more than %u bytes", want);
	}
	KUNIT_EXPECT_EQ(test, conn_guest_stat(g, "requests"),
			(u64)ARRAY_SIZE(lens));
}

/*
 * Segments one after the other, each from its start.  There is a gap before
 * each, which must stay as it was; zero ends a row.
 */
static const struct {
	u32 lens[8];
	u32 times;	/* the row is repeated */
	u32 want;
} rng_cuts[] = {
	{ { 1, 1 }, 1, 2 },
	{ { 16, 1, 300, 16 }, 1, 333 },
	{ { 1 }, SEG_MAX, SEG_MAX },
	{ { 64 }, SEG_MAX, VBUS_RNG_MAX_BYTES },
	{ { 65 }, SEG_MAX, VBUS_RNG_MAX_BYTES },
	{ { 2000, 2000, 2000, 2000 }, 1, VBUS_RNG_MAX_BYTES },
	{ { VBUS_RNG_MAX_BYTES, 1 }, 1, VBUS_RNG_MAX_BYTES },
};

#define GAP	32

static void rng_segments(struct kunit *test)
{
	struct conn_guest *g = start(test, "0");
	struct ioq_seg segs[SEG_MAX];
	u32 i, k, n, off, left, part;

	for (i = 0; i < ARRAY_SIZE(rng_cuts); i++) {
		memset(g->buf, MARK, BUF);
		off = GAP;
		n = 0;
		while (n < SEG_MAX && n < 8 * rng_cuts[i].times) {
			k = rng_cuts[i].times > 1 ? 0 : n;
			if (!rng_cuts[i].lens[k])
				break;
			segs[n] = room(g, off, rng_cuts[i].lens[k]);
			off += segs[n++].len + GAP;
		}
		KUNIT_ASSERT_EQ(test, 0, ioq_north_add(&g->q[0].north, segs, n,
						       g));
		conn_guest_kick(g, 0);
		KUNIT_EXPECT_EQ_MSG(test, (int)rng_cuts[i].want, take(g),
				    "row %u", i);

		off = GAP;
		left = rng_cuts[i].want;
		for (k = 0; k < n; k++) {
			part = min(left, segs[k].len);
			KUNIT_EXPECT_TRUE(test, untouched(g, off - GAP, GAP));
			if (part >= 16)
				expect_random(g, off, part);
			KUNIT_EXPECT_TRUE_MSG(test, untouched(g, off + part,
							      segs[k].len - part),
					      "row %u, segment %u", i, k);
			left -= part;
			off += segs[k].len + GAP;
		}
		KUNIT_EXPECT_EQ(test, left, 0U);
	}
}

/* A ring full at once is more than one run serves; one kick must do. */
static void rng_many(struct kunit *test)
{
	struct conn_guest *g = start(test, "0");
	u32 i;

	for (i = 0; i < RING; i++)
		post(g, 16 * i, 16);
	conn_guest_kick(g, 0);
	for (i = 0; i < RING; i++)
		KUNIT_ASSERT_EQ(test, 16, take(g));
	expect_random(g, 0, 16 * RING);
	KUNIT_EXPECT_EQ(test, conn_guest_stat(g, "bytes"), 16ULL * RING);
	/* And it sleeps again, and wakes. */
	msleep(50);
	KUNIT_EXPECT_EQ(test, 16, ask(g, 0, 16));
}

/* It signals when it was asked to. */
static void rng_signals(struct kunit *test)
{
	struct conn_guest *g = start(test, "0");
	struct conn_guest_queue *q = &g->q[0];
	int i;

	KUNIT_EXPECT_TRUE(test, ioq_north_enable_signals(&q->north, 1));
	post(g, 0, 16);
	conn_guest_kick(g, 0);
	for (i = 0; i < 100 && !atomic_read(&q->signals); i++)
		msleep(20);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&q->signals));
	KUNIT_EXPECT_EQ(test, 16, take(g));
	KUNIT_EXPECT_EQ(test, 16, ask(g, 0, 16));
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&q->signals));
}

/* --- requests that break the device --- */

enum bad {
	BAD_READABLE, BAD_MIXED, BAD_NOWHERE, BAD_THEN_NOWHERE, BAD_WRAPS,
	BAD_SEGMENTS, BAD_NO_ROOM, BAD_KINDS
};

static const char *const bad_names[BAD_KINDS] = {
	[BAD_READABLE] = "readable",
	[BAD_MIXED] = "readable, then room",
	[BAD_NOWHERE] = "nowhere",
	[BAD_THEN_NOWHERE] = "room, then nowhere",
	[BAD_WRAPS] = "the end of all addresses",
	[BAD_SEGMENTS] = "too many segments",
	[BAD_NO_ROOM] = "without room",
};

/* The last 4 KiB of buf hold the indirect table, so no request may be there. */
#define TABLE	(BUF - 4096)

static int bad_post(struct conn_guest *g, enum bad kind)
{
	struct ioq_north *north = &g->q[0].north;
	struct ioq_seg segs[SEG_MAX + 1];
	u32 i, n = 1, len;

	for (i = 0; i < ARRAY_SIZE(segs); i++)
		segs[i] = room(g, 64 * i, 64);
	switch (kind) {
	case BAD_MIXED:
		n = 2;
		fallthrough;
	case BAD_READABLE:
		segs[0].write = 0;
		break;
	case BAD_THEN_NOWHERE:
		segs[1].addr = CONN_GUEST_NOWHERE;
		n = 2;
		break;
	case BAD_NOWHERE:
		segs[0].addr = CONN_GUEST_NOWHERE;
		break;
	case BAD_WRAPS:
		segs[0].addr = -16ULL;
		break;
	case BAD_SEGMENTS:
		n = SEG_MAX + 1;
		break;
	default:
		/* North does not let it pass, but a table is only memory. */
		segs[0].len = 0;
		len = ioq_fill_table((void *)(g->buf + TABLE), segs, 1);
		return ioq_north_add_indirect(north, conn_guest_addr(g, TABLE),
					      1, len, g);
	}
	return ioq_north_add(north, segs, n, g);
}

static void rng_bad(struct kunit *test)
{
	struct conn_guest *g = start(test, "0");
	u64 requests;
	u32 kind;

	for (kind = 0; kind < BAD_KINDS; kind++) {
		requests = conn_guest_stat(g, "requests");
		atomic_set(&g->changes, 0);
		KUNIT_ASSERT_EQ(test, 0, bad_post(g, kind));
		conn_guest_kick(g, 0);
		KUNIT_EXPECT_EQ_MSG(test, -EIO, take(g), "%s", bad_names[kind]);
		KUNIT_EXPECT_EQ_MSG(test, 1, atomic_read(&g->changes), "%s",
				    bad_names[kind]);

		/* It has stopped: what comes now is not looked at. */
		memset(g->buf, MARK, BUF);
		post(g, 0, 64);
		vbus_conn_kick(g->conn, 0);
		ioq_north_publish(&g->q[0].north);
		vbus_conn_kick(g->conn, 0);
		msleep(50);
		KUNIT_EXPECT_FALSE_MSG(test, ioq_north_pending(&g->q[0].north),
				       "%s", bad_names[kind]);
		KUNIT_EXPECT_TRUE_MSG(test, untouched(g, 0, 64), "%s",
				      bad_names[kind]);
		KUNIT_EXPECT_EQ_MSG(test, conn_guest_stat(g, "requests"),
				    requests, "%s", bad_names[kind]);

		/* Until it is reset. */
		KUNIT_ASSERT_EQ(test, 0, conn_guest_start(g, 0, 1, RING));
		KUNIT_EXPECT_FALSE(test, conn_guest_broken(g));
		KUNIT_EXPECT_EQ(test, 64, ask(g, 0, 64));
	}
}

static struct kunit_case rng_cases[] = {
	KUNIT_CASE(rng_rate_attribute),
	KUNIT_CASE(rng_enable),
	KUNIT_CASE(rng_shape),
	KUNIT_CASE(rng_nomem),
	KUNIT_CASE(rng_lengths),
	KUNIT_CASE(rng_segments),
	KUNIT_CASE(rng_many),
	KUNIT_CASE(rng_signals),
	KUNIT_CASE(rng_bad),
	{ }
};

static struct kunit_suite rng_suite = {
	.name = "dm_rng",
	.exit = rng_exit,
	.test_cases = rng_cases,
};

kunit_test_suite(rng_suite);

MODULE_DESCRIPTION("vbus test: host rng model");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VBUS_SESSION);
