// SPDX-License-Identifier: GPL-2.0
/*
 * Guest driver of class "blk": answers of every kind, hosts that lie, polled queues, and
 * devices that change or go.
 */
#include "blk_driver.h"
#include "fault.h"

/* --- answers --- */

static const struct {
	u32 status;
	int want;
} answers[] = {
	{ VBUS_BLK_S_IOERR, -EIO },
	{ VBUS_BLK_S_UNSUPP, -EOPNOTSUPP },
	{ VBUS_BLK_S_INVAL, -EIO },
	{ VBUS_BLK_S_RANGE, -EIO },
	{ VBUS_BLK_S_READ_ONLY, -EIO },
	{ VBUS_BLK_S_NOSPC, -ENOSPC },
	{ VBUS_BLK_S_FAULT, -EIO },
	{ VBUS_BLK_S_MEDIUM, -ENODATA },
	{ VBUS_BLK_S_GONE, -ENODEV },
	{ VBUS_BLK_S_TIMEOUT, -ETIMEDOUT },
	/* Failed, but says not how. */
	{ 0, -EIO },
	{ 12, -EIO },
	{ U32_MAX, -EIO },
};

static void test_answers(struct kunit *test)
{
	static const blk_opf_t ops[] = { REQ_OP_READ, REQ_OP_WRITE };
	struct blk_card *card = card_start(test);
	struct io *io;
	u32 i;

	for (i = 0; i < 2 * ARRAY_SIZE(answers); i++) {
		card->hold = true;
		io = io_new(card, ops[i % 2], 8, 1 + i / 2 % 4, 1024, 0);
		submit_bio(io->bio);
		KUNIT_ASSERT_TRUE(test, card_take(card, 0, &card->seen));
		card_fail(card, 0, &card->seen, answers[i / 2].status);
		KUNIT_EXPECT_EQ_MSG(test, io_wait(card, io), answers[i / 2].want,
				    "status %u", answers[i / 2].status);
		io_free(io);
		KUNIT_EXPECT_EQ(test, card_stat(card, VBLK_ERRORS), i + 1ULL);
		card_go(card);
		works(card, "an error");
	}
}

/* The host is short of memory for a while: the request ends well after all. */
static void test_retry(struct kunit *test)
{
	struct blk_card *card = card_start(test);
	struct io *io;
	u32 i;

	card->hold = true;
	io = io_new(card, REQ_OP_READ, 8, 3, 512, 0);
	memset(card->data + 4096, 0x77, 1536);
	submit_bio(io->bio);
	for (i = 0; i < 4; i++) {
		/* It is sent again by itself, some time later. */
		while (!ioq_south_pending(&card->fake->south[0]) &&
		       !io_ended(io))
			msleep(20);
		KUNIT_ASSERT_TRUE(test, card_take(card, 0, &card->seen));
		KUNIT_EXPECT_EQ(test, card->seen.len, 1536U);
		if (i < 3)
			card_fail(card, 0, &card->seen, VBUS_BLK_S_RESOURCE);
		else
			card_do(card, 0, &card->seen);
	}
	KUNIT_EXPECT_EQ(test, 0, io_wait(card, io));
	KUNIT_EXPECT_NULL(test, memchr_inv(io_data(io, 2), 0x77, 512));
	KUNIT_EXPECT_EQ(test, card_stat(card, VBLK_RETRIES), 3ULL);
	io_free(io);
}

/* Lengths that are neither success nor failure: the request fails, the disk stays. */
static void test_lengths(struct kunit *test)
{
	static const struct {
		blk_opf_t op;
		u32 len;
	} bad[] = {
		{ REQ_OP_READ, 0 }, { REQ_OP_READ, 1 }, { REQ_OP_READ, 4 },
		{ REQ_OP_READ, 1023 }, { REQ_OP_READ, 1025 },
		{ REQ_OP_READ, 1027 }, { REQ_OP_WRITE, 1 }, { REQ_OP_WRITE, 3 },
	};
	struct blk_card *card = card_start(test);
	struct io *io;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		card->hold = true;
		io = io_new(card, bad[i].op, 8, 2, 512, 0);
		submit_bio(io->bio);
		KUNIT_ASSERT_TRUE(test, card_take(card, 0, &card->seen));
		card_complete(card, 0, card->seen.id, bad[i].len);
		KUNIT_EXPECT_EQ_MSG(test, -EIO, io_wait(card, io),
				    "length %u", bad[i].len);
		io_free(io);
		card_go(card);
		works(card, "a length");
	}
}

/* Hosts that break the ring lose the disk, and nobody waits for them. */
static void test_lies(struct kunit *test)
{
	static const char *const names[] = {
		"more than there is room for", "a request that was never made",
		"the same twice",
	};
	struct blk_card *card = card_create(test);
	struct io *io[3];
	u32 lie, i;

	for (lie = 0; lie < ARRAY_SIZE(names); lie++) {
		KUNIT_ASSERT_TRUE(test, card_insert(card));
		card_open(card);
		card->hold = true;
		for (i = 0; i < 3; i++) {
			io[i] = io_new(card, REQ_OP_READ, 8 * i, 1, 512, 0);
			submit_bio(io[i]->bio);
		}
		KUNIT_ASSERT_TRUE(test, card_take(card, 0, &card->seen));
		if (lie == 2)
			card_do(card, 0, &card->seen);
		card_complete(card, 0, card->seen.id ^ (lie == 1 ? 0x20 : 0),
			      lie == 0 ? 517 : 512);
		for (i = 0; i < 3; i++) {
			KUNIT_EXPECT_EQ_MSG(test, io_wait(card, io[i]),
					    lie == 2 && !i ? 0 :
							     -EIO,
					    "%s, request %u", names[lie], i);
			io_free(io[i]);
		}
		KUNIT_EXPECT_EQ_MSG(test, -EIO,
				    io_run(card, REQ_OP_READ, 0, 1, 512), "%s",
				    names[lie]);
		/* It does not know the memory of the requests any more. */
		KUNIT_EXPECT_EQ(test, fake_get32(card->fake, VBUS_REG_STATUS),
				0U);
		card_close(card);
		fake_unregister(card->fake, false);
		card->hold = false;
	}
	KUNIT_ASSERT_TRUE(test, card_insert(card));
	card_open(card);
	works(card, "a lie");
}

/* --- polled queues --- */

static void test_polled(struct kunit *test)
{
	struct blk_card *card = card_create(test);
	unsigned int signals, polls;
	struct io *io;
	u32 n;

	poll_queues = 3;
	card->config.nr_queues = cpu_to_le32(2);
	fake_set32(card->fake, VBUS_REG_NR_QUEUES, 2);
	KUNIT_ASSERT_TRUE(test, card_insert(card));
	card_open(card);
	/* One is left for those who do not poll. */
	KUNIT_EXPECT_EQ(test, card->vb->nr_queues, 1U);
	KUNIT_EXPECT_EQ(test, card->vb->nr_polled, 1U);
	works(card, "not polled");
	KUNIT_EXPECT_EQ(test, card->fake->kicks[1], 0U);

	card->hold = true;
	signals = card_stat(card, VBLK_SIGNALS);
	polls = card_stat(card, VBLK_POLLS);
	for (n = 1; n < 4; n++) {
		io = io_new(card, REQ_OP_READ | REQ_POLLED, 8, n, 512, 0);
		submit_bio(io->bio);
		/* What it returns says nothing of a task that does not sleep. */
		bio_poll(io->bio, NULL, BLK_POLL_ONESHOT);
		KUNIT_EXPECT_EQ(test, card_stat(card, VBLK_POLLS),
				polls + n - 1ULL);
		KUNIT_ASSERT_TRUE(test, card_take(card, 1, &card->seen));
		card_do(card, 1, &card->seen);
		KUNIT_EXPECT_FALSE(test, io_ended(io));
		bio_poll(io->bio, NULL, BLK_POLL_ONESHOT);
		KUNIT_ASSERT_TRUE(test, io_ended(io));
		KUNIT_EXPECT_EQ(test, io->err, 0);
		io_free(io);
	}
	KUNIT_EXPECT_EQ(test, card_stat(card, VBLK_POLLS), polls + 3ULL);
	KUNIT_EXPECT_EQ(test, card_stat(card, VBLK_SIGNALS), (u64)signals);
	/* What fails is signalled, too. */
	io = io_new(card, REQ_OP_WRITE | REQ_POLLED, 8, 1, 512, 0);
	submit_bio(io->bio);
	KUNIT_ASSERT_TRUE(test, card_take(card, 1, &card->seen));
	card_fail(card, 1, &card->seen, VBUS_BLK_S_MEDIUM);
	bio_poll(io->bio, NULL, BLK_POLL_ONESHOT);
	KUNIT_EXPECT_EQ(test, -ENODATA, io_wait(card, io));
	io_free(io);
}

/* --- what changes --- */

static u64 capacity_set(struct blk_card *card, u64 sectors)
{
	card->config.capacity = cpu_to_le64(sectors);
	card_config(card);
	fake_set32(card->fake, VBUS_REG_CONFIG_GEN,
		   fake_get32(card->fake, VBUS_REG_CONFIG_GEN) + 1);
	fake_signal(card->fake, 0);
	flush_delayed_work(&card->fake->vdev.core->config_work);
	return get_capacity(card->vb->disk);
}

static void test_capacity(struct kunit *test)
{
	struct blk_card *card = card_start(test);

	KUNIT_EXPECT_EQ(test, capacity_set(card, 64), (u64)64);
	KUNIT_EXPECT_EQ(test, bdev_nr_bytes(card->bdev), 32768LL);
	KUNIT_EXPECT_EQ(test, 0, io_run(card, REQ_OP_READ, 63, 1, 512));
	KUNIT_EXPECT_EQ(test, -EIO, io_run(card, REQ_OP_READ, 63, 2, 512));
	KUNIT_EXPECT_EQ(test, capacity_set(card, CARD_SECTORS), (u64)CARD_SECTORS);
	KUNIT_EXPECT_EQ(test, 0, io_run(card, REQ_OP_READ, 63, 2, 512));
	KUNIT_EXPECT_EQ(test, capacity_set(card, 0), (u64)0);
	KUNIT_EXPECT_EQ(test, -EIO, io_run(card, REQ_OP_READ, 0, 1, 512));
	KUNIT_EXPECT_EQ(test, capacity_set(card, CARD_SECTORS), (u64)CARD_SECTORS);
	/* None that a disk can have: it stays as it was. */
	KUNIT_EXPECT_EQ(test, capacity_set(card, BIT_ULL(54)), (u64)CARD_SECTORS);
	KUNIT_EXPECT_EQ(test, capacity_set(card, U64_MAX), (u64)CARD_SECTORS);
	works(card, "capacity");
}

/* --- devices that go --- */

enum end { END_NEEDS_RESET, END_GONE, END_TIMEOUT_RESET, NR_ENDS };

static void end_device(struct blk_card *card, enum end end)
{
	struct fake_dev *fake = card->fake;

	switch (end) {
	case END_TIMEOUT_RESET:
	case END_NEEDS_RESET:
		fake_set32(fake, VBUS_REG_STATUS,
			   fake_get32(fake, VBUS_REG_STATUS) |
			   VBUS_STATUS_NEEDS_RESET);
		/* Or nobody says so, and a timeout finds out. */
		if (end == END_NEEDS_RESET)
			fake_signal(fake, 0);
		break;
	default:
		fake->dead = true;
		fake_unregister(fake, true);
		break;
	}
}

/* All requests end, those that were answered in time with their answer. */
static void test_ends(struct kunit *test)
{
	struct blk_card *card = card_create(test);
	struct io *io[4];
	enum end end;
	u32 i;

	for (end = 0; end < NR_ENDS; end++) {
		card->fake->dead = false;
		card->hold = false;
		KUNIT_ASSERT_TRUE(test, card_insert(card));
		card_open(card);
		if (end == END_TIMEOUT_RESET)
			blk_queue_rq_timeout(card->vb->disk->queue, HZ / 10);
		card->hold = true;
		for (i = 0; i < 4; i++) {
			io[i] = io_new(card, i % 2 ? REQ_OP_READ : REQ_OP_WRITE,
				       8 * i, 1 + i, 512, 0);
			submit_bio(io[i]->bio);
		}
		KUNIT_ASSERT_TRUE(test, card_take(card, 0, &card->seen));
		/* Answered, and not signalled. */
		ioq_south_complete(&card->fake->south[0], card->seen.id, 0);
		ioq_south_publish(&card->fake->south[0]);
		end_device(card, end);
		for (i = 0; i < 4; i++) {
			KUNIT_EXPECT_EQ_MSG(test, io_wait(card, io[i]),
					    i ? -EIO : 0,
					    "end %u, request %u", end, i);
			io_free(io[i]);
		}
		/* It is open, and fails. */
		KUNIT_EXPECT_EQ_MSG(test, -EIO,
				    io_run(card, REQ_OP_READ, 0, 1, 512),
				    "end %u", end);
		card_close(card);
		if (card->fake->registered) {
			KUNIT_EXPECT_EQ(test, fake_get32(card->fake,
							 VBUS_REG_STATUS), 0U);
			fake_unregister(card->fake, false);
		}
		KUNIT_EXPECT_TRUE_MSG(test, ida_is_empty(&vbus_blk_ida),
				      "end %u", end);
	}
	card->fake->dead = false;
	card->hold = false;
	KUNIT_ASSERT_TRUE(test, card_insert(card));
	card_open(card);
	works(card, "restart");
}

/* Slow is not gone: a request waits, and an answer without a signal is found. */
static void test_timeout(struct kunit *test)
{
	struct blk_card *card = card_start(test);
	struct io *io;
	int i;

	blk_queue_rq_timeout(card->vb->disk->queue, HZ / 10);
	card->hold = true;
	io = io_new(card, REQ_OP_WRITE, 8, 1, 512, 0);
	submit_bio(io->bio);
	KUNIT_ASSERT_TRUE(test, card_take(card, 0, &card->seen));
	for (i = 0; i < 500 && card_stat(card, VBLK_TIMEOUTS) < 2; i++)
		msleep(20);
	KUNIT_EXPECT_GE(test, card_stat(card, VBLK_TIMEOUTS), 2ULL);
	KUNIT_EXPECT_FALSE(test, io_ended(io));
	ioq_south_complete(&card->fake->south[0], card->seen.id, 0);
	ioq_south_publish(&card->fake->south[0]);
	KUNIT_EXPECT_EQ(test, 0, io_wait(card, io));
	io_free(io);
	card_go(card);
	works(card, "a timeout");
}

static unsigned int fault_at;
static bool fault_hit;

static int faulty_probe(struct vproxy_device *vdev)
{
	int err;

	fault_arm(fault_at);
	err = vbus_blk_probe(vdev);
	fault_hit = fault_disarm();
	return err;
}

/*
 * Each allocation of a probe fails in turn; of those far behind, which are the block
 * layer's, every second, third and so on.  The last case, since among them is one of
 * the DMA debugging, which then switches itself off.
 */
static void test_faults(struct kunit *test)
{
	struct blk_card *card = card_create(test);
	unsigned int failed = 0;

	card_config(card);
	fault_setup(test);
	vbus_blk_driver.probe = faulty_probe;
	for (fault_at = 1; fault_at < FAULT_MAX; fault_at += 1 + fault_at / 50) {
		bool bound;

		fault_hit = false;
		KUNIT_ASSERT_EQ(test, 0, fake_register(card->fake));
		bound = card->fake->vdev.dev.driver;
		failed += fault_hit && !bound;
		if (bound) {
			card->vb = vproxy_drvdata(&card->fake->vdev);
			card_open(card);
			works(card, "an allocation that failed");
			card_close(card);
		}
		fake_unregister(card->fake, false);
		KUNIT_EXPECT_TRUE(test, ida_is_empty(&vbus_blk_ida));
		if (!fault_hit)
			break;
	}
	KUNIT_EXPECT_LT(test, fault_at, (unsigned int)FAULT_MAX);
	KUNIT_EXPECT_GT(test, failed, 10U);
}

static struct kunit_case blk_cases[] = {
	KUNIT_CASE(test_answers),
	KUNIT_CASE(test_retry),
	KUNIT_CASE(test_lengths),
	KUNIT_CASE(test_polled),
	KUNIT_CASE(test_capacity),
	KUNIT_CASE(test_ends),
	KUNIT_CASE(test_timeout),
	KUNIT_CASE(test_lies),
	KUNIT_CASE(test_faults),
	{}
};

static struct kunit_suite blk_suite = {
	.name = "vbus_blk_driver_end",
	.init = blk_init,
	.exit = blk_exit,
	.test_cases = blk_cases,
};

kunit_test_suite(blk_suite);
