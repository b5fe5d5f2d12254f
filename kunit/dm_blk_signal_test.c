// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "blk": when the guest is signalled of what has ended, and when it is to kick.
 */
#include <linux/sched/clock.h>
#include "../vbus/dev/blk/blk.h"
#include "blk_guest.h"

/* What no request may wait for longer, whatever the model calls it. */
#define BOUND	(100 * NSEC_PER_USEC)

static struct vdm_blk_queue *queue_of(struct blk_guest *bg)
{
	return vbus_conn_queue(bg->g.conn, 0)->priv;
}

/* However slow this machine is, the next request comes without a pause. */
static void no_pause(struct blk_guest *bg)
{
	queue_of(bg)->place.last = local_clock() + 1000 * NSEC_PER_SEC;
}

/* As if a worker had been faster, and the guest filled batches of @batch requests. */
static void worker_serves(struct blk_guest *bg, unsigned int batch)
{
	struct vdm_blk_place *place = &queue_of(bg)->place;
	struct vdm_blk_mod *mod = &queue_of(bg)->mod;

	place->trying = false;
	place->n = 0;
	no_pause(bg);
	place->who = VDM_BLK_WORKER;
	place->cost[VDM_BLK_WORKER] = NSEC_PER_SEC;
	place->cost[VDM_BLK_INLINE] = NSEC_PER_SEC;
	mod->before = 0;
	mod->step = 1;
	mod->fills = 0;
	mod->fills_max = 256;
	mod->batch = batch;
	queue_of(bg)->starved = false;
}

static enum hrtimer_restart (*model_timer)(struct hrtimer *timer);

static enum hrtimer_restart no_timer(struct hrtimer *timer)
{
	return HRTIMER_NORESTART;
}

/* From here on the queue's timer comes when the case says so. */
static void take_timer(struct blk_guest *bg)
{
	struct vdm_blk_queue *bq = queue_of(bg);

	hrtimer_cancel(&bq->timer);
	model_timer = bq->timer.function;
	bq->timer.function = no_timer;
}

/* It comes, and all that it was started for is due. */
static void run_timer(struct blk_guest *bg)
{
	struct vdm_blk_queue *bq = queue_of(bg);
	unsigned long flags;

	local_irq_save(flags);
	bq->since = 0;
	bq->deadline = 0;
	model_timer(&bq->timer);
	local_irq_restore(flags);
}

/* What was kicked for has been answered: now its run is over, too. */
static void run_over(struct blk_guest *bg)
{
	while (READ_ONCE(queue_of(bg)->server))
		msleep(20);
	no_pause(bg);
}

static bool signalled(struct blk_guest *bg)
{
	int i;

	for (i = 0; i < 500 && !atomic_read(&bg->g.q[0].signals); i++)
		msleep(20);
	return i < 500;
}

/* It signals when it was asked to, and what ends in an interrupt gets its signal too. */
static void blk_signals(struct kunit *test)
{
	struct blk_guest *bg = blk_start(test, DISK);
	struct conn_guest_queue *q = &bg->g.q[0];
	struct blk_io *io[3];
	u32 i;

	bg->disk->hold = true;
	KUNIT_EXPECT_TRUE(test, ioq_north_enable_signals(&q->north, 3));
	for (i = 0; i < 3; i++)
		io[i] = blk_read_add(bg, 0, i);
	blk_serve(bg, 0, false);
	KUNIT_ASSERT_TRUE(test, fake_disk_holds(bg->disk, 3));
	for (i = 3; i--; ) {
		KUNIT_EXPECT_EQ(test, 0, atomic_read(&q->signals));
		fake_disk_let_last(bg->disk);
		blk_expect(bg, 0, io[i], 0);
	}
	/* The irq_work has published before it signals. */
	irq_work_sync(&queue_of(bg)->work);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&q->signals));
	bg->disk->hold = false;
	KUNIT_EXPECT_EQ(test, 0, blk_do(bg, VBUS_BLK_OP_READ, 0, 0, 0, 512));
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&q->signals));
}

static struct blk_io *read_new(struct blk_guest *bg, bool indirect)
{
	struct blk_ask ask = { .op = VBUS_BLK_OP_READ };
	struct ioq_seg data = blk_seg(bg, 0, 4096, true);
	struct blk_io *io = blk_new(bg, &ask, &data, 1);

	KUNIT_ASSERT_EQ(bg->g.test, 0, blk_add(bg, 0, io, indirect));
	return io;
}

/* One request without a signal, as the guest fills batches of eight. */
static void one_unsignalled(struct blk_guest *bg, bool indirect)
{
	struct blk_io *io;

	worker_serves(bg, 8);
	io = read_new(bg, indirect);
	conn_guest_kick(&bg->g, 0);
	blk_expect(bg, 0, io, 0);
	run_over(bg);
	KUNIT_ASSERT_EQ(bg->g.test, queue_of(bg)->unsignalled, 1U);
}

/*
 * The guest is to kick when it has filled its batch, not before, be the chains of one slot or
 * of three.
 */
static void blk_kick_after(struct kunit *test)
{
	struct blk_guest *bg = blk_start(test, DISK);
	struct ioq_north *north = &bg->g.q[0].north;
	u32 i, n, at;

	take_timer(bg);
	for (n = 0; n < 4; n++) {
		bool indirect = n % 2;

		one_unsignalled(bg, indirect);
		/* What was published before was kicked for. */
		ioq_north_kick_needed(north);
		for (i = 1, at = 0; i <= 7; i++) {
			read_new(bg, indirect);
			ioq_north_publish(north);
			if (ioq_north_kick_needed(north) && !at)
				at = i;
		}
		KUNIT_EXPECT_EQ(test, at, 7U);
		vbus_conn_kick(bg->g.conn, 0);
		for (i = 0; i < 7; i++)
			KUNIT_EXPECT_EQ(test, 0, blk_result(blk_take(bg, 0)));
		run_over(bg);
	}
}

/*
 * It has fewer than that, and waits: they are served, it is signalled, and the next batch is
 * smaller.
 */
static void blk_starves(struct kunit *test)
{
	struct blk_guest *bg = blk_start(test, DISK);
	struct conn_guest_queue *q = &bg->g.q[0];
	struct vdm_blk_queue *bq = queue_of(bg);
	u32 i, n;

	take_timer(bg);
	for (n = 0; n < 4; n++) {
		one_unsignalled(bg, true);
		atomic_set(&q->signals, 0);
		ioq_north_enable_signals(&q->north, 2);
		blk_read_add(bg, 0, 1);
		blk_read_add(bg, 0, 2);
		ioq_north_publish(&q->north);
		KUNIT_EXPECT_FALSE(test, ioq_north_kick_needed(&q->north));
		run_timer(bg);
		for (i = 0; i < 2; i++)
			KUNIT_EXPECT_EQ(test, 0, blk_result(blk_take(bg, 0)));
		run_over(bg);
		KUNIT_EXPECT_EQ(test, 1, atomic_read(&q->signals));
		KUNIT_EXPECT_EQ(test, bq->place.who, VDM_BLK_WORKER);
		KUNIT_EXPECT_EQ(test, bq->mod.batch, 6U);
		/* It has nothing more to send, which is no lesson, and then kicks for it. */
		run_timer(bg);
		KUNIT_EXPECT_FALSE(test, READ_ONCE(bq->starved));
		KUNIT_EXPECT_FALSE(test, READ_ONCE(bq->batching));
		blk_read_add(bg, 0, 3);
		ioq_north_publish(&q->north);
		KUNIT_EXPECT_TRUE(test, ioq_north_kick_needed(&q->north));
		vbus_conn_kick(bg->g.conn, 0);
		KUNIT_EXPECT_EQ(test, 0, blk_result(blk_take(bg, 0)));
		run_over(bg);
		run_timer(bg);
	}
}

/* A guest that looks for answers itself does not wait for a signal: no lesson. */
static void blk_looks(struct kunit *test)
{
	struct blk_guest *bg = blk_start(test, DISK);
	struct conn_guest_queue *q = &bg->g.q[0];

	take_timer(bg);
	one_unsignalled(bg, true);
	atomic_set(&q->signals, 0);
	KUNIT_EXPECT_TRUE(test, ioq_north_enable_signals(&q->north, 1));
	run_timer(bg);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&q->signals));
	KUNIT_EXPECT_EQ(test, queue_of(bg)->unsignalled, 0U);
	KUNIT_EXPECT_FALSE(test, READ_ONCE(queue_of(bg)->starved));
}

static void expect_timer(struct blk_guest *bg, u64 now, const char *what)
{
	struct vdm_blk_queue *bq = queue_of(bg);

	spin_lock_irq(&bq->lock);
	KUNIT_EXPECT_TRUE_MSG(bg->g.test, bq->armed, "%s", what);
	KUNIT_EXPECT_LE_MSG(bg->g.test, bq->timer_at, now + BOUND, "%s", what);
	KUNIT_EXPECT_LE_MSG(bg->g.test,
			    ktime_to_ns(hrtimer_get_expires(&bq->timer)),
			    (s64)(now + BOUND), "%s", what);
	spin_unlock_irq(&bq->lock);
}

/* No request waits for moderation longer than the bound, for its kick and its signal together. */
static void blk_bound(struct kunit *test)
{
	struct blk_guest *bg = blk_start(test, DISK);
	struct vdm_blk_queue *bq = queue_of(bg);
	u64 waited;
	u32 i;

	take_timer(bg);
	/* It has ended, and the guest is to kick for 63 more. */
	worker_serves(bg, 64);
	blk_read_add(bg, 0, 0);
	conn_guest_kick(&bg->g, 0);
	KUNIT_EXPECT_EQ(test, 0, blk_result(blk_take(bg, 0)));
	run_over(bg);
	KUNIT_EXPECT_EQ(test, bq->unsignalled, 1U);
	KUNIT_EXPECT_TRUE(test, bq->batching);
	expect_timer(bg, ktime_get_ns(), "kicks put off");

	/* One that the timer finds may have waited since, and waits for so much less now. */
	run_timer(bg);
	bg->disk->hold = true;
	for (i = 1; i < 9; i++)
		blk_read_add(bg, 0, i);
	conn_guest_kick(&bg->g, 0);
	KUNIT_ASSERT_TRUE(test, fake_disk_holds(bg->disk, 8));
	run_over(bg);
	KUNIT_EXPECT_TRUE(test, bq->batching);
	waited = bq->timer_at - bq->since;
	KUNIT_EXPECT_GT(test, waited, 0ULL);
	blk_read_add(bg, 0, 9);
	ioq_north_publish(&bg->g.q[0].north);
	run_timer(bg);
	KUNIT_ASSERT_TRUE(test, fake_disk_holds(bg->disk, 9));
	run_over(bg);
	fake_disk_let_last(bg->disk);
	irq_work_sync(&bq->work);
	KUNIT_EXPECT_EQ(test, bq->unsignalled, 1U);
	KUNIT_EXPECT_LE(test, bq->deadline, ktime_get_ns() + BOUND - waited);

	/* What ends in an interrupt, with more in flight. */
	run_timer(bg);
	fake_disk_let_last(bg->disk);
	irq_work_sync(&bq->work);
	KUNIT_EXPECT_EQ(test, bq->unsignalled, 1U);
	expect_timer(bg, ktime_get_ns(), "ended in an interrupt");
	bg->disk->hold = false;
	fake_disk_let_all(bg->disk);
	for (i = 1; i < 10; i++)
		KUNIT_EXPECT_EQ(test, 0, blk_result(blk_take(bg, 0)));
}

/* What ends in interrupts is signalled when it was most of what is in flight. */
static void blk_most(struct kunit *test)
{
	struct blk_guest *bg = blk_start(test, DISK);
	struct conn_guest_queue *q = &bg->g.q[0];
	struct vdm_blk_queue *bq = queue_of(bg);
	u32 i;

	take_timer(bg);
	bg->disk->hold = true;
	for (i = 0; i < 5; i++)
		blk_read_add(bg, 0, i);
	conn_guest_kick(&bg->g, 0);
	KUNIT_ASSERT_TRUE(test, fake_disk_holds(bg->disk, 5));
	run_over(bg);
	/* Or when its time is over; the guest waits for the others, and is not starved. */
	KUNIT_EXPECT_TRUE(test, ioq_north_enable_signals(&q->north, 1));
	fake_disk_let_last(bg->disk);
	KUNIT_EXPECT_EQ(test, 0, blk_result(blk_take(bg, 0)));
	irq_work_sync(&bq->work);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&q->signals));
	run_timer(bg);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&q->signals));
	KUNIT_EXPECT_FALSE(test, bq->starved);

	atomic_set(&q->signals, 0);
	KUNIT_EXPECT_TRUE(test, ioq_north_enable_signals(&q->north, 1));
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, 0, atomic_read(&q->signals));
		fake_disk_let_last(bg->disk);
		irq_work_sync(&bq->work);
		KUNIT_EXPECT_EQ(test, 0, blk_result(blk_take(bg, 0)));
	}
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&q->signals));
	fake_disk_let_all(bg->disk);
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test, 0, blk_result(blk_take(bg, 0)));
}

/* What has ended without a signal has one, when the guest has nothing to add. */
static void blk_catches_up(struct kunit *test)
{
	struct blk_guest *bg = blk_start(test, DISK);
	u32 i, n;

	take_timer(bg);
	for (n = 1; n <= 65; n += 16) {
		atomic_set(&bg->g.q[0].signals, 0);
		ioq_north_enable_signals(&bg->g.q[0].north, n);
		for (i = 0; i < n; i++)
			blk_read_add(bg, 0, i);
		worker_serves(bg, 64);
		while (blk_serve(bg, 0, false))
			;
		run_timer(bg);
		KUNIT_EXPECT_TRUE(test, signalled(bg));
		KUNIT_EXPECT_EQ(test, 1, atomic_read(&bg->g.q[0].signals));
		KUNIT_EXPECT_EQ(test, queue_of(bg)->unsignalled, 0U);
		for (i = 0; i < n; i++)
			KUNIT_EXPECT_EQ(test, 0, blk_result(blk_take(bg, 0)));
	}
}

/* Nor does it wait with a worker that waits for the disk. */
static void blk_waits(struct kunit *test)
{
	struct blk_guest *bg = blk_create(test, DISK);
	u32 i;

	blk_queue_flag_clear(QUEUE_FLAG_NOWAIT, bg->disk->disk->queue);
	blk_plug(bg);
	KUNIT_ASSERT_EQ(test, 0, conn_guest_start(&bg->g, blk_offered(bg), 1,
						  RING));
	blk_works(bg, "before");
	atomic_set(&bg->g.q[0].signals, 0);
	ioq_north_enable_signals(&bg->g.q[0].north, 1);
	/* What can't be read ends at once, one more waits. */
	for (i = 0; i < 3; i++) {
		struct blk_ask ask = { .op = VBUS_BLK_OP_READ, .sector = -1ULL };
		struct ioq_seg data = blk_seg(bg, 4096 * i, 4096, true);

		KUNIT_ASSERT_EQ(test, 0, blk_add(bg, 0, blk_new(bg, &ask, &data,
								1), true));
	}
	blk_read_add(bg, 0, 3);
	bg->disk->block = true;
	worker_serves(bg, 64);
	conn_guest_kick(&bg->g, 0);
	KUNIT_EXPECT_TRUE(test, signalled(bg));
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, VBUS_BLK_S_RANGE,
				blk_result(blk_take(bg, 0)));
	KUNIT_EXPECT_FALSE(test, ioq_north_pending(&bg->g.q[0].north));
	KUNIT_EXPECT_PTR_NE(test, READ_ONCE(queue_of(bg)->server), NULL);
	WRITE_ONCE(bg->disk->block, false);
	wake_up(&bg->disk->wait);
	KUNIT_EXPECT_EQ(test, 0, blk_result(blk_take(bg, 0)));
}

/* Who waits for a FLUSH or a FUA write is signalled at once. */
static const struct {
	const char *name;
	struct blk_ask ask;
	int signals;
} alone[] = {
	{ "read", { .op = VBUS_BLK_OP_READ }, 0 },
	{ "write", { .op = VBUS_BLK_OP_WRITE }, 0 },
	{ "write with FUA", { .op = VBUS_BLK_OP_WRITE,
			      .flags = VBUS_BLK_REQ_FUA }, 1 },
	{ "flush", { .op = VBUS_BLK_OP_FLUSH }, 1 },
};

static void blk_flushes(struct kunit *test)
{
	struct blk_guest *bg = blk_start(test, DISK);
	struct conn_guest_queue *q = &bg->g.q[0];
	struct blk_io *io;
	u32 i, j;

	take_timer(bg);
	for (i = 0; i < ARRAY_SIZE(alone); i++) {
		bool data = alone[i].ask.op != VBUS_BLK_OP_FLUSH;
		struct ioq_seg seg = blk_seg(bg, 0, 4096, alone[i].ask.op ==
					     VBUS_BLK_OP_READ);

		bg->disk->hold = true;
		for (j = 0; j < 9; j++)
			blk_read_add(bg, 0, j);
		io = blk_new(bg, &alone[i].ask, &seg, data);
		KUNIT_ASSERT_EQ(test, 0, blk_add(bg, 0, io, true));
		worker_serves(bg, 64);
		conn_guest_kick(&bg->g, 0);
		KUNIT_ASSERT_TRUE(test, fake_disk_holds(bg->disk, 10));
		run_over(bg);
		atomic_set(&q->signals, 0);
		ioq_north_enable_signals(&q->north, 1);
		fake_disk_let_last(bg->disk);
		blk_expect(bg, 0, io, 0);
		irq_work_sync(&queue_of(bg)->work);
		KUNIT_EXPECT_EQ_MSG(test, alone[i].signals,
				    atomic_read(&q->signals), "%s",
				    alone[i].name);
		fake_disk_let_all(bg->disk);
		for (j = 0; j < 9; j++)
			KUNIT_EXPECT_EQ(test, 0, blk_result(blk_take(bg, 0)));
	}
}

static struct kunit_case blk_cases[] = {
	KUNIT_CASE(blk_signals),
	KUNIT_CASE(blk_kick_after),
	KUNIT_CASE(blk_starves),
	KUNIT_CASE(blk_looks),
	KUNIT_CASE(blk_bound),
	KUNIT_CASE(blk_most),
	KUNIT_CASE(blk_catches_up),
	KUNIT_CASE(blk_waits),
	KUNIT_CASE(blk_flushes),
	{ }
};

static struct kunit_suite blk_suite = {
	.name = "dm_blk_signal",
	.exit = blk_exit,
	.test_cases = blk_cases,
};

kunit_test_suite(blk_suite);

MODULE_DESCRIPTION("vbus test: host block model, moderation of kicks and signals");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VBUS_MODEL);
MODULE_IMPORT_NS(VBUS_SESSION);
