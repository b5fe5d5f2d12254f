// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "blk": requests in flight: how they end, in which order, what a reset
 * waits for, what must not wait, disks that fail or go, and failing allocations.
 */
#include <linux/kthread.h>
#include "../vbus/dev/blk/blk.h"
#include "blk_guest.h"
#include "fault.h"

/* Each request ends with its own data, whatever ends first. */
static void blk_any_order(struct kunit *test)
{
	struct blk_guest *bg = blk_start(test, DISK);
	struct blk_io *io[4];
	u32 i;

	for (i = 0; i < 4; i++)
		memset(bg->disk->data + 4096 * i, i + 1, 4096);
	bg->disk->hold = true;
	for (i = 0; i < 4; i++)
		io[i] = blk_read_add(bg, 0, i);
	conn_guest_kick(&bg->g, 0);
	KUNIT_ASSERT_TRUE(test, fake_disk_holds(bg->disk, 4));
	KUNIT_EXPECT_FALSE(test, ioq_north_pending(&bg->g.q[0].north));
	for (i = 4; i--; ) {
		fake_disk_let_last(bg->disk);
		blk_expect(bg, 0, io[i], 0);
		KUNIT_EXPECT_TRUE(test, blk_is(bg, 4096 * i, 4096, i + 1));
		KUNIT_EXPECT_TRUE(test, blk_is(bg, 0, 4096 * i, MARK));
	}
	/* One that takes long does not stop the others. */
	io[0] = blk_read_add(bg, 0, 0);
	conn_guest_kick(&bg->g, 0);
	KUNIT_ASSERT_TRUE(test, fake_disk_holds(bg->disk, 1));
	bg->disk->hold = false;
	blk_works(bg, "one in flight");
	fake_disk_let_all(bg->disk);
	blk_expect(bg, 0, io[0], 0);
}

static struct blk_io *bounced_add(struct blk_guest *bg, u32 off, u32 len)
{
	struct blk_ask ask = { .op = VBUS_BLK_OP_READ };
	struct ioq_seg data = blk_seg(bg, off + 1, len, true);
	struct blk_io *io = blk_new(bg, &ask, &data, 1);

	KUNIT_ASSERT_EQ(bg->g.test, 0, blk_add(bg, 0, io, false));
	return io;
}

/* The copy of what was read is made in process context, not where the disk's interrupt comes. */
static void blk_bounced_ends(struct kunit *test)
{
	struct blk_guest *bg = blk_start(test, DISK);
	unsigned long flags;
	struct blk_io *io;
	bool copied;

	memset(bg->disk->data, 7, 65536);
	bg->disk->hold = true;
	io = bounced_add(bg, 0, 65536);
	conn_guest_kick(&bg->g, 0);
	KUNIT_ASSERT_TRUE(test, fake_disk_holds(bg->disk, 1));
	local_irq_save(flags);
	fake_disk_let_all(bg->disk);
	copied = !blk_is(bg, 0, DATA, MARK);
	local_irq_restore(flags);
	KUNIT_EXPECT_FALSE(test, copied);
	blk_expect(bg, 0, io, 0);
	KUNIT_EXPECT_TRUE(test, blk_is(bg, 1, 65536, 7));
	KUNIT_EXPECT_TRUE(test, blk_is(bg, 65537, DATA - 65537, MARK));
	KUNIT_EXPECT_EQ(test, conn_guest_stat(&bg->g, "bounced"), 1ULL);
	KUNIT_EXPECT_EQ(test, conn_guest_stat(&bg->g, "deferred"), 0ULL);
}

/* A ring full at once is more than one run serves; one kick must do. */
static void blk_many(struct kunit *test)
{
	struct blk_guest *bg = blk_start(test, DISK);
	struct blk_io *io;
	u32 i, lap;

	for (lap = 0; lap < 4; lap++) {
		for (i = 0; i < NR_IO; i++)
			blk_read_add(bg, 0, i);
		conn_guest_kick(&bg->g, 0);
		for (i = 0; i < NR_IO; i++) {
			io = blk_take(bg, 0);
			KUNIT_ASSERT_NOT_NULL(test, io);
			KUNIT_EXPECT_EQ(test, 0, blk_result(io));
		}
		KUNIT_EXPECT_FALSE(test, ioq_north_pending(&bg->g.q[0].north));
	}
	KUNIT_EXPECT_EQ(test, conn_guest_stat(&bg->g, "reads"), 4ULL * NR_IO);
}

/* All at once in all queues; each answers its own, and one is not enabled. */
static void blk_queues(struct kunit *test)
{
	struct blk_guest *bg = blk_create(test, DISK);
	struct blk_io *io[2][4];
	u32 i, q;

	KUNIT_ASSERT_EQ(test, 0, conn_guest_attr(&bg->g, "queues", "3"));
	blk_plug(bg);
	KUNIT_EXPECT_EQ(test, conn_guest_reg(&bg->g, VBUS_REG_NR_QUEUES), 3U);
	KUNIT_ASSERT_EQ(test, 0, conn_guest_start(&bg->g, 0, 2, RING));
	bg->disk->hold = true;
	for (q = 0; q < 2; q++)
		for (i = 0; i < 4; i++)
			io[q][i] = blk_read_add(bg, q, 4 * q + i);
	conn_guest_kick(&bg->g, 1);
	KUNIT_ASSERT_TRUE(test, fake_disk_holds(bg->disk, 4));
	conn_guest_kick(&bg->g, 0);
	vbus_conn_kick(bg->g.conn, 2);
	KUNIT_ASSERT_TRUE(test, fake_disk_holds(bg->disk, 8));
	fake_disk_let_all(bg->disk);
	for (q = 0; q < 2; q++)
		for (i = 0; i < 4; i++)
			blk_expect(bg, q, io[q][i], 0);
	KUNIT_EXPECT_EQ(test, conn_guest_stat(&bg->g, "reads"), 8ULL);
	/* Any of them, not only the first ones. */
	KUNIT_ASSERT_EQ(test, 0, conn_guest_negotiate(&bg->g, 0));
	KUNIT_ASSERT_EQ(test, 0, conn_guest_enable(&bg->g, 2, RING));
	KUNIT_ASSERT_EQ(test, 0, conn_guest_set(&bg->g, VBUS_REG_STATUS,
						VBUS_STATUS_DRIVER |
						VBUS_STATUS_FEATURES_OK |
						VBUS_STATUS_RUNNING));
	io[0][0] = blk_read_add(bg, 2, 1);
	conn_guest_kick(&bg->g, 2);
	blk_expect(bg, 2, io[0][0], 0);
}

/* --- a reset while requests are in flight --- */

struct releaser {
	struct blk_guest *bg;
	struct vdm_blk_queue *bq;
	bool reset_done;
	bool too_early;
	bool waited;
	struct completion done;
};

static int releaser_fn(void *arg)
{
	struct releaser *r = arg;
	int i;

	for (i = 0; i < 1000 && !READ_ONCE(r->bq->stopping); i++)
		msleep(20);
	r->waited = i < 1000;
	/* It knows that one is in flight, and so has not returned. */
	r->too_early = READ_ONCE(r->reset_done);
	fake_disk_let_all(r->bg->disk);
	complete(&r->done);
	return 0;
}

enum stop_what { STOP_READS, STOP_BOUNCED, STOP_DISCARD };

static void stop_check(struct kunit *test, enum stop_what what)
{
	struct blk_guest *bg = blk_start(test, DISK);
	struct releaser r = { .bg = bg };
	struct blk_io *io[5];
	u32 i, seen = 0;

	bg->disk->hold = true;
	if (what == STOP_DISCARD) {
		/* It waits in a work item, as does what follows a discard. */
		struct blk_ask ask = {
			.op = VBUS_BLK_OP_DISCARD, .nr_sectors = 8,
		};

		io[seen] = blk_new(bg, &ask, NULL, 0);
		KUNIT_ASSERT_EQ(test, 0, blk_add(bg, 0, io[seen++], false));
		/* Nowait: or the one who serves would wait. */
		KUNIT_EXPECT_FALSE(test, blk_serve(bg, 0, true));
	} else {
		while (seen < 4) {
			io[seen] = what == STOP_READS ?
				   blk_read_add(bg, 0, seen) :
				   bounced_add(bg, 8192 * seen, 4096);
			seen++;
		}
		conn_guest_kick(&bg->g, 0);
	}
	KUNIT_ASSERT_TRUE(test, fake_disk_holds(bg->disk, seen));
	/* Not taken yet when the reset comes: nobody ever looks at it. */
	io[seen] = blk_read_add(bg, 0, 100);

	init_completion(&r.done);
	r.bq = vbus_conn_queue(bg->g.conn, 0)->priv;
	KUNIT_ASSERT_FALSE(test, IS_ERR(kthread_run(releaser_fn, &r,
						    "vbus-kunit-let")));
	conn_guest_reset(&bg->g);
	WRITE_ONCE(r.reset_done, true);
	wait_for_completion(&r.done);
	KUNIT_EXPECT_TRUE(test, r.waited);
	KUNIT_EXPECT_FALSE(test, r.too_early);
	ioq_north_publish(&bg->g.q[0].north);
	for (i = 0; i < seen; i++) {
		KUNIT_EXPECT_TRUE(test, ioq_north_pending(&bg->g.q[0].north));
		blk_expect(bg, 0, io[i], 0);
	}
	KUNIT_EXPECT_FALSE(test, ioq_north_pending(&bg->g.q[0].north));
	KUNIT_EXPECT_TRUE(test, blk_is(bg, 4096 * 100, 4096, MARK));
	io[seen]->busy = false;
	KUNIT_ASSERT_EQ(test, 0, conn_guest_start(&bg->g, ALL_FEATURES, 1, RING));
	blk_works(bg, "stop");
	blk_exit(test);
}

static void blk_stop(struct kunit *test)
{
	stop_check(test, STOP_READS);
	stop_check(test, STOP_BOUNCED);
	stop_check(test, STOP_DISCARD);
}

/* --- what must not wait --- */

static const struct nowait {
	const char *name;
	enum blk_backing backing;
	bool again;	/* the disk says that it would have to */
	bool sleeps;	/* its driver may sleep, whatever it is asked */
	u16 op;
	u32 nr_sectors;
	bool deferred;
} nowaits[] = {
	{ "read", DISK, false, false, VBUS_BLK_OP_READ, 0, false },
	{ "write", DISK, false, false, VBUS_BLK_OP_WRITE, 0, false },
	{ "flush", DISK, false, false, VBUS_BLK_OP_FLUSH, 0, false },
	{ "discard", DISK, false, false, VBUS_BLK_OP_DISCARD, 8, true },
	{ "zeroes", DISK, false, false, VBUS_BLK_OP_WRITE_ZEROES, 8, true },
	{ "read that waits", DISK, true, false, VBUS_BLK_OP_READ, 0, true },
	{ "write that waits", DISK, true, false, VBUS_BLK_OP_WRITE, 0, true },
	{ "flush that waits", DISK, true, false, VBUS_BLK_OP_FLUSH, 0, true },
	{ "read, the driver sleeps", DISK, false, true, VBUS_BLK_OP_READ, 0,
	  true },
	{ "flush, the driver sleeps", DISK, false, true, VBUS_BLK_OP_FLUSH, 0,
	  true },
	/* tmpfs can't be asked not to. */
	{ "read of a file", TMPFILE, false, false, VBUS_BLK_OP_READ, 0, true },
	{ "write of a file", TMPFILE, false, false, VBUS_BLK_OP_WRITE, 0, true },
	{ "flush of a file", TMPFILE, false, false, VBUS_BLK_OP_FLUSH, 0, true },
	{ "discard of a file", TMPFILE, false, false, VBUS_BLK_OP_DISCARD, 8, true },
	{ "zeroes of a file", TMPFILE, false, false, VBUS_BLK_OP_WRITE_ZEROES, 8, true },
};

static void nowait_check(struct blk_guest *bg, const struct nowait *t)
{
	struct blk_ask ask = { .op = t->op, .nr_sectors = t->nr_sectors };
	u64 deferred = conn_guest_stat(&bg->g, "deferred"), vcpu;
	struct kunit *test = bg->g.test;
	u32 nr = t->op <= VBUS_BLK_OP_WRITE;
	struct ioq_seg data = blk_seg(bg, 0, 4096, t->op == VBUS_BLK_OP_READ);
	struct blk_io *io = blk_new(bg, &ask, &data, nr);
	unsigned int asked = bg->disk ? bg->disk->nowait : 0;

	if (bg->disk)
		bg->disk->again = t->again;
	if (t->sleeps)
		blk_queue_flag_set(QUEUE_FLAG_HAS_SRCU, bg->disk->disk->queue);
	vcpu = conn_guest_stat(&bg->g, "served_by_vcpu");
	KUNIT_ASSERT_EQ(test, 0, blk_add(bg, 0, io, false));
	KUNIT_EXPECT_FALSE_MSG(test, blk_serve(bg, 0, true), "%s", t->name);
	/* What is not deferred ends at once here, and its guest need not wait. */
	if (!t->deferred)
		KUNIT_EXPECT_TRUE_MSG(test,
				      ioq_north_pending(&bg->g.q[0].north),
				      "%s", t->name);
	blk_expect(bg, 0, io, 0);
	if (t->sleeps)
		blk_queue_flag_clear(QUEUE_FLAG_HAS_SRCU,
				     bg->disk->disk->queue);
	KUNIT_EXPECT_EQ_MSG(test, conn_guest_stat(&bg->g, "deferred") - deferred,
			    t->deferred ? 1ULL : 0ULL, "%s", t->name);
	KUNIT_EXPECT_EQ(test, conn_guest_stat(&bg->g, "served_by_vcpu"),
			vcpu + 1);
	if (bg->disk)
		KUNIT_EXPECT_EQ_MSG(test, bg->disk->nowait - asked,
				    t->again || !t->deferred ? 1U : 0U, "%s",
				    t->name);
}

static void blk_nowait(struct kunit *test)
{
	enum blk_backing backing = NR_BACKINGS;
	struct blk_guest *bg = NULL;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(nowaits); i++) {
		if (nowaits[i].backing != backing) {
			blk_exit(test);
			backing = nowaits[i].backing;
			bg = blk_start(test, backing);
		}
		nowait_check(bg, &nowaits[i]);
	}
}

/* A vCPU leaves a long queue to others, and says so. */
static void blk_budget(struct kunit *test)
{
	struct blk_guest *bg = blk_start(test, DISK);
	struct blk_io *io;
	u32 i, n = 0;

	for (i = 0; i < 100; i++)
		blk_read_add(bg, 0, i);
	KUNIT_EXPECT_TRUE(test, blk_serve(bg, 0, true));
	while (ioq_north_pending(&bg->g.q[0].north)) {
		io = blk_take(bg, 0);
		KUNIT_EXPECT_EQ(test, 0, blk_result(io));
		n++;
	}
	KUNIT_EXPECT_GT(test, n, 0U);
	KUNIT_EXPECT_LT(test, n, 100U);
	while (blk_serve(bg, 0, false))
		;
	for (; n < 100; n++) {
		KUNIT_ASSERT_TRUE(test, ioq_north_pending(&bg->g.q[0].north));
		KUNIT_EXPECT_EQ(test, 0, blk_result(blk_take(bg, 0)));
	}
}

/* --- disks that fail --- */

static const struct {
	blk_status_t from;
	int to;
} statuses[] = {
	{ BLK_STS_IOERR, VBUS_BLK_S_IOERR },
	{ BLK_STS_NOTSUPP, VBUS_BLK_S_UNSUPP },
	{ BLK_STS_TIMEOUT, VBUS_BLK_S_TIMEOUT },
	{ BLK_STS_NOSPC, VBUS_BLK_S_NOSPC },
	{ BLK_STS_MEDIUM, VBUS_BLK_S_MEDIUM },
	{ BLK_STS_PROTECTION, VBUS_BLK_S_MEDIUM },
	{ BLK_STS_RESOURCE, VBUS_BLK_S_RESOURCE },
	{ BLK_STS_DEV_RESOURCE, VBUS_BLK_S_RESOURCE },
	{ BLK_STS_TRANSPORT, VBUS_BLK_S_GONE },
	{ BLK_STS_TARGET, VBUS_BLK_S_GONE },
	{ BLK_STS_NEXUS, VBUS_BLK_S_GONE },
	{ BLK_STS_OFFLINE, VBUS_BLK_S_GONE },
	/* Nobody asked not to wait: then it is as bad as any. */
	{ BLK_STS_AGAIN, VBUS_BLK_S_IOERR },
	{ BLK_STS_ZONE_RESOURCE, VBUS_BLK_S_IOERR },
};

static void blk_statuses(struct kunit *test)
{
	struct blk_guest *bg = blk_start(test, DISK);
	u32 i;

	for (i = 0; i < ARRAY_SIZE(statuses); i++) {
		bg->disk->status = statuses[i].from;
		KUNIT_EXPECT_EQ_MSG(test, statuses[i].to,
				    blk_do(bg, VBUS_BLK_OP_READ, 0, 0, 0, 512),
				    "row %u", i);
		KUNIT_EXPECT_TRUE(test, blk_is(bg, 0, 512, MARK));
		KUNIT_EXPECT_EQ_MSG(test, statuses[i].to,
				    blk_do(bg, VBUS_BLK_OP_WRITE, 0, 0, 1, 512),
				    "row %u, bounced", i);
		bg->disk->status = BLK_STS_OK;
		blk_works(bg, "an error");
	}
	KUNIT_EXPECT_EQ(test, conn_guest_stat(&bg->g, "errors"),
			2ULL * ARRAY_SIZE(statuses));
	/* Zeroes go another way, where an errno is all that is left of it. */
	bg->disk->status = BLK_STS_NOSPC;
	KUNIT_EXPECT_EQ(test, VBUS_BLK_S_NOSPC,
			blk_range(bg, VBUS_BLK_OP_WRITE_ZEROES, 0, 0, 8));
	KUNIT_EXPECT_EQ(test, VBUS_BLK_S_NOSPC,
			blk_range(bg, VBUS_BLK_OP_DISCARD, 0, 0, 8));
}

/* The disk is pulled out: the guest is notified, again and again. */
static void blk_gone(struct kunit *test)
{
	struct blk_guest *bg = blk_start(test, DISK);
	static const u16 ops[] = { VBUS_BLK_OP_READ, VBUS_BLK_OP_WRITE };
	u32 i;

	blk_works(bg, "before it goes");
	fake_disk_pull(bg->disk);
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_EQ(test, VBUS_BLK_S_GONE,
				blk_do(bg, ops[i % 2], 0, 0, 0, 4096));
	KUNIT_EXPECT_EQ(test, VBUS_BLK_S_GONE,
			blk_do(bg, VBUS_BLK_OP_FLUSH, 0, 0, 0, 0));
	KUNIT_EXPECT_EQ(test, VBUS_BLK_S_GONE,
			blk_range(bg, VBUS_BLK_OP_WRITE_ZEROES, 0, 0, 8));
	KUNIT_EXPECT_EQ(test, VBUS_BLK_S_GONE,
			blk_range(bg, VBUS_BLK_OP_DISCARD, 0, 0, 8));
	KUNIT_EXPECT_FALSE(test, conn_guest_broken(&bg->g));
}

/* --- failing allocations --- */

static void blk_enable_nomem(struct kunit *test)
{
	struct blk_guest *bg;
	unsigned int n, failed = 0;
	u32 backing;
	int ret = 0;

	fault_setup(test);
	for (backing = 0; backing < NR_BACKINGS; backing++) {
		bg = blk_create(test, backing);
		for (n = 1; n < FAULT_MAX; n++) {
			bool hit;

			fault_arm(n);
			ret = conn_guest_attr(&bg->g, "enable", "1");
			hit = fault_disarm();
			if (!hit)
				break;
			if (ret) {
				KUNIT_EXPECT_EQ(test, -ENOMEM, ret);
				failed++;
				continue;
			}
			KUNIT_ASSERT_EQ(test, 0, conn_guest_attr(&bg->g,
								 "enable", "0"));
		}
		KUNIT_EXPECT_EQ(test, 0, ret);
		KUNIT_EXPECT_GT(test, failed, 3U);
		conn_guest_plug(&bg->g);
		KUNIT_ASSERT_EQ(test, 0, conn_guest_start(&bg->g, 0, 1, RING));
		blk_works(bg, blk_backing_names[backing]);
		blk_exit(test);
	}
}

/* Each allocation of a start fails in turn; the guest may try again. */
static void blk_start_nomem(struct kunit *test)
{
	struct blk_guest *bg = blk_create(test, RAM);
	unsigned int n, failed = 0;
	int ret = 0;

	KUNIT_ASSERT_EQ(test, 0, conn_guest_attr(&bg->g, "queues", "2"));
	blk_plug(bg);
	fault_setup(test);
	for (n = 1; n < FAULT_MAX; n++) {
		fault_arm(n);
		ret = conn_guest_start(&bg->g, 0, 2, 16);
		if (!fault_disarm())
			break;
		if (!ret)
			continue;
		failed++;
		KUNIT_EXPECT_EQ(test, -ENOMEM, ret);
		KUNIT_EXPECT_EQ(test, 0U, conn_guest_reg(&bg->g, VBUS_REG_STATUS) &
				VBUS_STATUS_RUNNING);
		vbus_conn_kick(bg->g.conn, 0);
	}
	KUNIT_EXPECT_EQ(test, 0, ret);
	KUNIT_EXPECT_GT(test, failed, 3U);
	blk_works(bg, "start");
}

/* Eight pages that do not adjoin, each from @off on. */
static struct blk_io *long_add(struct blk_guest *bg, u32 off)
{
	struct blk_ask ask = { .op = VBUS_BLK_OP_READ };
	struct ioq_seg data[8];
	struct blk_io *io;
	u32 i;

	for (i = 0; i < 8; i++)
		data[i] = blk_seg(bg, 8192 * i + off, 4096, true);
	io = blk_new(bg, &ask, data, 8);
	KUNIT_ASSERT_EQ(bg->g.test, 0, blk_add(bg, 0, io, true));
	return io;
}

/*
 * Each allocation that a request needs fails in turn: it is answered with RESOURCE,
 * and can be sent again.
 */
static void blk_request_nomem(struct kunit *test)
{
	unsigned int n, failed;
	struct blk_guest *bg;
	struct blk_io *io;
	int result = 0;
	u32 off;

	fault_setup(test);
	for (off = 0; off < 2; off++) {
		failed = 0;
		bg = blk_start(test, DISK);
		for (n = 1; n < FAULT_MAX; n++) {
			bool hit;

			/* In a slot that has no memory from the time before. */
			KUNIT_ASSERT_EQ(test, 0, conn_guest_start(&bg->g, 0, 1,
								  RING));
			blk_mark(bg);
			io = long_add(bg, off);
			fault_arm(n);
			blk_serve(bg, 0, true);
			hit = fault_disarm();
			KUNIT_ASSERT_PTR_EQ(test, (void *)blk_take(bg, 0),
					    (void *)io);
			result = blk_result(io);
			if (!hit)
				break;
			if (!result)
				continue;
			failed++;
			KUNIT_EXPECT_EQ(test, result, VBUS_BLK_S_RESOURCE);
			KUNIT_EXPECT_TRUE(test, blk_is(bg, 0, DATA, MARK));
			io = long_add(bg, off);
			blk_serve(bg, 0, true);
			blk_expect(bg, 0, io, 0);
			KUNIT_EXPECT_TRUE(test, blk_is(bg, off, 4096, 0));
		}
		KUNIT_EXPECT_EQ(test, 0, result);
		/* A list of pages, and before it what notes the segments. */
		KUNIT_EXPECT_GE(test, failed, 1U + off);
		blk_exit(test);
	}
}

static struct kunit_case blk_cases[] = {
	KUNIT_CASE(blk_any_order),
	KUNIT_CASE(blk_bounced_ends),
	KUNIT_CASE(blk_many),
	KUNIT_CASE(blk_queues),
	KUNIT_CASE(blk_stop),
	KUNIT_CASE(blk_nowait),
	KUNIT_CASE(blk_budget),
	KUNIT_CASE(blk_statuses),
	KUNIT_CASE(blk_gone),
	KUNIT_CASE(blk_enable_nomem),
	KUNIT_CASE(blk_start_nomem),
	KUNIT_CASE(blk_request_nomem),
	{ }
};

static struct kunit_suite blk_suite = {
	.name = "dm_blk_flight",
	.exit = blk_exit,
	.test_cases = blk_cases,
};

kunit_test_suite(blk_suite);

MODULE_DESCRIPTION("vbus test: host block model, requests in flight");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VBUS_MODEL);
MODULE_IMPORT_NS(VBUS_SESSION);
