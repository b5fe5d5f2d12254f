// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "blk": when the guest is told of what has ended, and when it is to ring.
 */
#include <linux/sched/clock.h>
#include "../vbus/dev/blk/blk.h"
#include "blk_guest.h"

static struct vdm_blk_queue *queue_of(struct blk_guest *bg)
{
	return vbus_conn_queue(bg->g.conn, 0)->priv;
}

/*
 * As if somebody else had been faster, and the guest could spare @hold requests, of which
 * each takes so long that the longest time is waited for them.
 */
static void serve_elsewhere(struct blk_guest *bg, unsigned int hold)
{
	struct vdm_blk_pace *pace = &queue_of(bg)->pace;

	pace->trying = false;
	pace->n = 0;
	pace->hold_before = 0;
	pace->step = 1;
	pace->tells = 0;
	pace->tells_max = 256;
	/* However slow this machine is, it is no pause. */
	pace->last = local_clock() + NSEC_PER_SEC;
	pace->here = false;
	pace->cost[0] = NSEC_PER_SEC;
	pace->cost[1] = NSEC_PER_SEC;
	pace->hold = hold;
	queue_of(bg)->late = false;
}

/* No timer comes while the case looks. */
static void hold_timer(struct blk_guest *bg)
{
	struct vdm_blk_queue *bq = queue_of(bg);

	hrtimer_cancel(&bq->timer);
	spin_lock_irq(&bq->lock);
	bq->armed = true;
	hrtimer_start(&bq->timer, 1000 * NSEC_PER_SEC, HRTIMER_MODE_REL);
	spin_unlock_irq(&bq->lock);
}

/* Now it comes. */
static void end_timer(struct blk_guest *bg)
{
	struct vdm_blk_queue *bq = queue_of(bg);

	hrtimer_cancel(&bq->timer);
	spin_lock_irq(&bq->lock);
	bq->armed = true;
	hrtimer_start(&bq->timer, 0, HRTIMER_MODE_REL);
	spin_unlock_irq(&bq->lock);
	/* Until its callback has returned, too. */
	while (hrtimer_active(&bq->timer))
		msleep(20);
}

/* What was rung for has been answered: now its run is over, too. */
static void run_over(struct blk_guest *bg)
{
	while (READ_ONCE(queue_of(bg)->serving))
		msleep(20);
}

static bool signalled(struct blk_guest *bg)
{
	int i;

	for (i = 0; i < 500 && !atomic_read(&bg->g.q[0].signals); i++)
		msleep(20);
	return i < 500;
}

/* It signals when it was asked to, and ends in an interrupt get their signal too. */
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

/*
 * One request, of which the guest is not told, as it could spare eight.  Return: false if it
 * was, since the timer was faster than we are.
 */
static bool one_untold(struct blk_guest *bg, bool indirect)
{
	struct vdm_blk_queue *bq = queue_of(bg);
	struct blk_io *io;

	serve_elsewhere(bg, 8);
	io = read_new(bg, indirect);
	conn_guest_kick(&bg->g, 0);
	blk_expect(bg, 0, io, 0);
	run_over(bg);
	hold_timer(bg);
	bq->pace.last = local_clock() + NSEC_PER_SEC;
	return bq->untold == 1;
}

/*
 * The guest is to ring when it has added as many as it can spare, not before, be they chains
 * of one slot or of three.
 */
static void blk_asks(struct kunit *test)
{
	struct blk_guest *bg = blk_start(test, DISK);
	struct ioq_north *north = &bg->g.q[0].north;
	u32 i, at, tries, valid = 0;

	for (tries = 0; tries < 1000 && valid < 4; tries++) {
		bool indirect = valid % 2;
		bool untold = one_untold(bg, indirect);

		/* What was published before was rung for. */
		ioq_north_kick_needed(north);
		for (i = 1, at = 0; i <= 7; i++) {
			read_new(bg, indirect);
			ioq_north_publish(north);
			if (ioq_north_kick_needed(north) && !at)
				at = i;
		}
		if (untold)
			KUNIT_EXPECT_EQ(test, at, 7U);
		valid += untold;
		vbus_conn_kick(bg->g.conn, 0);
		for (i = 0; i < 7; i++)
			KUNIT_EXPECT_EQ(test, 0, blk_result(blk_take(bg, 0)));
		run_over(bg);
	}
	KUNIT_EXPECT_EQ(test, valid, 4U);
}

/* It has fewer than that, and waits: they are served, it is told, and soon asked for less. */
static void blk_late(struct kunit *test)
{
	struct blk_guest *bg = blk_start(test, DISK);
	struct conn_guest_queue *q = &bg->g.q[0];
	struct vdm_blk_queue *bq = queue_of(bg);
	u32 i, tries, valid = 0;

	for (tries = 0; tries < 1000 && valid < 4; tries++) {
		if (!one_untold(bg, true))
			continue;
		valid++;
		atomic_set(&q->signals, 0);
		ioq_north_enable_signals(&q->north, 2);
		blk_read_add(bg, 0, 1);
		blk_read_add(bg, 0, 2);
		ioq_north_publish(&q->north);
		KUNIT_EXPECT_FALSE(test, ioq_north_kick_needed(&q->north));
		end_timer(bg);
		for (i = 0; i < 2; i++)
			KUNIT_EXPECT_EQ(test, 0, blk_result(blk_take(bg, 0)));
		run_over(bg);
		KUNIT_EXPECT_EQ(test, 1, atomic_read(&q->signals));
		KUNIT_EXPECT_FALSE(test, bq->pace.here);
		KUNIT_EXPECT_EQ(test, bq->pace.hold, 6U);
		/* It has nothing more to send, which is no lesson, and then rings for it. */
		end_timer(bg);
		KUNIT_EXPECT_FALSE(test, READ_ONCE(bq->late));
		KUNIT_EXPECT_FALSE(test, READ_ONCE(bq->armed));
		blk_read_add(bg, 0, 3);
		ioq_north_publish(&q->north);
		KUNIT_EXPECT_TRUE(test, ioq_north_kick_needed(&q->north));
		vbus_conn_kick(bg->g.conn, 0);
		KUNIT_EXPECT_EQ(test, 0, blk_result(blk_take(bg, 0)));
		run_over(bg);
	}
	KUNIT_EXPECT_EQ(test, valid, 4U);
}

/* What ends in interrupts while a timer runs: told of when it was most of it. */
static void blk_most(struct kunit *test)
{
	struct blk_guest *bg = blk_start(test, DISK);
	struct conn_guest_queue *q = &bg->g.q[0];
	struct vdm_blk_queue *bq = queue_of(bg);
	u32 i;

	bg->disk->hold = true;
	for (i = 0; i < 5; i++)
		blk_read_add(bg, 0, i);
	conn_guest_kick(&bg->g, 0);
	KUNIT_ASSERT_TRUE(test, fake_disk_holds(bg->disk, 5));
	run_over(bg);
	/* Or when the time is over; the guest waits for the others, and is not late. */
	hold_timer(bg);
	bq->late = false;
	KUNIT_EXPECT_TRUE(test, ioq_north_enable_signals(&q->north, 1));
	fake_disk_let_last(bg->disk);
	KUNIT_EXPECT_EQ(test, 0, blk_result(blk_take(bg, 0)));
	irq_work_sync(&bq->work);
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&q->signals));
	end_timer(bg);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&q->signals));
	KUNIT_EXPECT_FALSE(test, bq->late);

	atomic_set(&q->signals, 0);
	KUNIT_EXPECT_TRUE(test, ioq_north_enable_signals(&q->north, 1));
	hold_timer(bg);
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

/* What has ended and was not told of is, when the guest has nothing to add. */
static void blk_tells(struct kunit *test)
{
	struct blk_guest *bg = blk_start(test, DISK);
	u32 i, n;

	for (n = 1; n <= 65; n += 16) {
		atomic_set(&bg->g.q[0].signals, 0);
		ioq_north_enable_signals(&bg->g.q[0].north, n);
		for (i = 0; i < n; i++)
			blk_read_add(bg, 0, i);
		serve_elsewhere(bg, 64);
		hold_timer(bg);
		while (blk_serve(bg, 0, false))
			;
		end_timer(bg);
		KUNIT_EXPECT_TRUE(test, signalled(bg));
		KUNIT_EXPECT_EQ(test, 1, atomic_read(&bg->g.q[0].signals));
		KUNIT_EXPECT_EQ(test, queue_of(bg)->untold, 0U);
		for (i = 0; i < n; i++)
			KUNIT_EXPECT_EQ(test, 0, blk_result(blk_take(bg, 0)));
	}
}

/* Nor is it forgotten while who serves waits for the disk. */
static void blk_tells_in_time(struct kunit *test)
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
	serve_elsewhere(bg, 64);
	conn_guest_kick(&bg->g, 0);
	KUNIT_EXPECT_TRUE(test, signalled(bg));
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, VBUS_BLK_S_RANGE,
				blk_result(blk_take(bg, 0)));
	KUNIT_EXPECT_FALSE(test, ioq_north_pending(&bg->g.q[0].north));
	/* And so on, while it waits. */
	KUNIT_EXPECT_TRUE(test, READ_ONCE(queue_of(bg)->armed));
	WRITE_ONCE(bg->disk->block, false);
	wake_up(&bg->disk->wait);
	KUNIT_EXPECT_EQ(test, 0, blk_result(blk_take(bg, 0)));
}

/* Who waits for a FLUSH or a FUA write is told, whatever others can spare. */
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

static void blk_tells_of_flush(struct kunit *test)
{
	struct blk_guest *bg = blk_start(test, DISK);
	struct conn_guest_queue *q = &bg->g.q[0];
	struct blk_io *io;
	u32 i, j;

	for (i = 0; i < ARRAY_SIZE(alone); i++) {
		bool data = alone[i].ask.op != VBUS_BLK_OP_FLUSH;
		struct ioq_seg seg = blk_seg(bg, 0, 4096, alone[i].ask.op ==
					     VBUS_BLK_OP_READ);

		bg->disk->hold = true;
		for (j = 0; j < 9; j++)
			blk_read_add(bg, 0, j);
		io = blk_new(bg, &alone[i].ask, &seg, data);
		KUNIT_ASSERT_EQ(test, 0, blk_add(bg, 0, io, true));
		serve_elsewhere(bg, 64);
		conn_guest_kick(&bg->g, 0);
		KUNIT_ASSERT_TRUE(test, fake_disk_holds(bg->disk, 10));
		run_over(bg);
		hold_timer(bg);
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
	KUNIT_CASE(blk_asks),
	KUNIT_CASE(blk_late),
	KUNIT_CASE(blk_most),
	KUNIT_CASE(blk_tells),
	KUNIT_CASE(blk_tells_in_time),
	KUNIT_CASE(blk_tells_of_flush),
	{ }
};

static struct kunit_suite blk_suite = {
	.name = "dm_blk_tell",
	.exit = blk_exit,
	.test_cases = blk_cases,
};

kunit_test_suite(blk_suite);

MODULE_DESCRIPTION("vbus test: host block model, when the guest is told");
MODULE_LICENSE("GPL");
