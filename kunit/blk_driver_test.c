// SPDX-License-Identifier: GPL-2.0
/*
 * Guest driver of class "blk": what it makes of a device's description, and requests as
 * the host sees them.
 */
#include <linux/backing-dev.h>
#include "blk_driver.h"

/* --- it comes and goes --- */

static void test_probe(struct kunit *test)
{
	struct blk_card *card = card_start(test);
	struct gendisk *disk = card->vb->disk;
	struct request_queue *q = disk->queue;

	KUNIT_EXPECT_EQ(test, get_capacity(disk), (sector_t)CARD_SECTORS);
	KUNIT_EXPECT_EQ(test, 0, strncmp(disk->disk_name, "vbd", 3));
	KUNIT_EXPECT_STREQ(test, card->vb->serial, "SN-1");
	KUNIT_EXPECT_FALSE(test, get_disk_ro(disk));
	KUNIT_EXPECT_TRUE(test, blk_queue_nonrot(q));
	KUNIT_EXPECT_EQ(test, queue_logical_block_size(q), 512U);
	KUNIT_EXPECT_EQ(test, queue_physical_block_size(q), 4096U);
	KUNIT_EXPECT_EQ(test, queue_io_min(q), 4096U);
	KUNIT_EXPECT_EQ(test, queue_max_hw_sectors(q), 256U);
	KUNIT_EXPECT_EQ(test, (u32)queue_max_segments(q), CARD_SEG_MAX - 2U);
	KUNIT_EXPECT_EQ(test, queue_dma_alignment(q), 511);
	KUNIT_EXPECT_EQ(test, q->limits.max_discard_sectors, 256U);
	KUNIT_EXPECT_EQ(test, q->limits.discard_granularity, 4096U);
	KUNIT_EXPECT_EQ(test, q->limits.max_write_zeroes_sectors, 512U);
	KUNIT_EXPECT_TRUE(test, bdev_write_cache(card->bdev));
	KUNIT_EXPECT_TRUE(test, bdev_fua(card->bdev));
	KUNIT_EXPECT_EQ(test, card->vb->tags.queue_depth,
			CARD_RING / VBLK_DIRECT);
	KUNIT_EXPECT_EQ(test, fake_get32(card->fake, VBUS_REG_STATUS),
			(u32)(VBUS_STATUS_DRIVER | VBUS_STATUS_FEATURES_OK |
			      VBUS_STATUS_RUNNING));
	card_close(card);
	fake_unregister(card->fake, false);
	KUNIT_EXPECT_EQ(test, fake_get32(card->fake, VBUS_REG_STATUS), 0U);
	KUNIT_EXPECT_TRUE(test, ida_is_empty(&vbus_blk_ida));
}

/* Without the features, and with flags: the other way round. */
static void test_probe_plain(struct kunit *test)
{
	struct blk_card *card = card_create(test);
	struct request_queue *q;

	fake_set64(card->fake, VBUS_REG_FEATURES, 0);
	card->config.flags = cpu_to_le32(VBUS_BLK_READ_ONLY |
					 VBUS_BLK_ROTATIONAL);
	card->config.logical_block_size = cpu_to_le32(4096);
	memset(card->config.serial, 'x', sizeof(card->config.serial));
	KUNIT_ASSERT_TRUE(test, card_insert(card));
	q = card->vb->disk->queue;
	KUNIT_EXPECT_TRUE(test, get_disk_ro(card->vb->disk));
	KUNIT_EXPECT_FALSE(test, blk_queue_nonrot(q));
	KUNIT_EXPECT_EQ(test, queue_logical_block_size(q), 4096U);
	KUNIT_EXPECT_EQ(test, q->limits.max_discard_sectors, 0U);
	KUNIT_EXPECT_EQ(test, q->limits.max_write_zeroes_sectors, 0U);
	KUNIT_EXPECT_FALSE(test, test_bit(QUEUE_FLAG_WC, &q->queue_flags));
	KUNIT_EXPECT_FALSE(test, test_bit(QUEUE_FLAG_FUA, &q->queue_flags));
	KUNIT_EXPECT_EQ(test, strlen(card->vb->serial),
			(size_t)VBUS_BLK_SERIAL_SIZE);
	fake_unregister(card->fake, false);
}

#define FIELD(name)	offsetof(struct vbus_blk_config, name)

/* Sizes that no disk has. */
static const struct {
	const char *name;
	u32 off;
	u32 val;
} bad_configs[] = {
	{ "no logical block", FIELD(logical_block_size), 0 },
	{ "logical block of 1", FIELD(logical_block_size), 1 },
	{ "logical block of 256", FIELD(logical_block_size), 256 },
	{ "logical block of 768", FIELD(logical_block_size), 768 },
	{ "logical block above a page", FIELD(logical_block_size), 8192 },
	{ "logical block of 2 GiB", FIELD(logical_block_size), 1U << 31 },
	{ "no physical block", FIELD(physical_block_size), 0 },
	{ "physical block below the logical", FIELD(physical_block_size), 256 },
	{ "physical block of 4097", FIELD(physical_block_size), 4097 },
	{ "no alignment", FIELD(data_align), 0 },
	{ "alignment of 3", FIELD(data_align), 3 },
	{ "alignment above the block", FIELD(data_align), 1024 },
	{ "no data", FIELD(data_max), 0 },
	{ "less than a page of data", FIELD(data_max), 4095 },
	{ "no queue", FIELD(nr_queues), 0 },
	{ "2^63 bytes", FIELD(capacity) + 4, 1U << 22 },
	{ "2^64 sectors", FIELD(capacity) + 4, U32_MAX },
	{ "discards of 4 GiB", FIELD(discard_align), 1U << 23 },
};

static void expect_refused(struct blk_card *card, const char *name)
{
	struct kunit *test = card->test;

	KUNIT_EXPECT_FALSE_MSG(test, card_insert(card), "%s", name);
	KUNIT_EXPECT_EQ_MSG(test, 0, card->fake->nr_vectors, "%s", name);
	KUNIT_EXPECT_EQ_MSG(test, fake_get32(card->fake, VBUS_REG_STATUS) &
			    VBUS_STATUS_RUNNING, 0U, "%s", name);
	KUNIT_EXPECT_TRUE_MSG(test, ida_is_empty(&vbus_blk_ida), "%s", name);
	fake_unregister(card->fake, false);
}

static void test_probe_bad_config(struct kunit *test)
{
	struct blk_card *card = card_create(test);
	struct vbus_blk_config good = card->config;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(bad_configs); i++) {
		card->config = good;
		*(__le32 *)((u8 *)&card->config + bad_configs[i].off) =
			cpu_to_le32(bad_configs[i].val);
		expect_refused(card, bad_configs[i].name);
	}
	card->config = good;
	KUNIT_EXPECT_TRUE(test, card_insert(card));
	fake_unregister(card->fake, false);
}

/* A probe that fails leaves nothing; the next one may do. */
static void test_probe_fails(struct kunit *test)
{
	static const char *const names[] = {
		"version", "start", "queue", "vectors", "short config",
		"config that never rests", "segments", "no queue at all",
		"ring of 2",
	};
	struct blk_card *card = card_create(test);
	struct fake_dev *fake = card->fake;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		fake_set32(fake, VBUS_REG_CLASS_VERSION,
			   VBUS_BLK_VERSION + (i == 0));
		fake->refuse_start = i == 1;
		fake->refuse_enable = i == 2;
		fake->grant = i == 3 ? -ENOSPC : INT_MAX;
		fake_set32(fake, VBUS_REG_CONFIG_SIZE,
			   sizeof(card->config) - (i == 4));
		fake->gen_moves = i == 5 ? -1 : 0;
		fake_set32(fake, VBUS_REG_QUEUE(0) + VBUS_QREG_SEG_MAX,
			   i == 6 ? 2 : CARD_SEG_MAX);
		fake_set32(fake, VBUS_REG_NR_QUEUES, i != 7);
		fake_set32(fake, VBUS_REG_QUEUE(0) + VBUS_QREG_SIZE_MAX,
			   i == 8 ? 2 : CARD_RING);
		expect_refused(card, names[i]);
	}
	fake_set32(fake, VBUS_REG_QUEUE(0) + VBUS_QREG_SIZE_MAX, CARD_RING);
	KUNIT_EXPECT_TRUE(test, card_insert(card));
	fake_unregister(fake, false);
}

static const struct {
	u32 off;
	u32 val;
} bad_hints[] = {
	{ FIELD(io_min), 0xfffffe00 },
	{ FIELD(io_min), 513 },
	{ FIELD(io_opt), 0x7ffffe00 },
	{ FIELD(io_opt), U32_MAX },
	{ FIELD(physical_block_size), 1U << 31 },
};

/*
 * Sizes that are advice, with which the block layer would read ahead by gigabytes, or divide
 * by their sum, which may wrap to 0: below a partition that begins at the end of such a block.
 */
static void test_probe_hints(struct kunit *test)
{
	struct blk_card *card = card_create(test);
	struct vbus_blk_config good = card->config;
	struct queue_limits top;
	struct request_queue *q;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(bad_hints); i++) {
		card->config = good;
		*(__le32 *)((u8 *)&card->config + bad_hints[i].off) =
			cpu_to_le32(bad_hints[i].val);
		KUNIT_ASSERT_TRUE(test, card_insert(card));
		q = card->vb->disk->queue;
		KUNIT_EXPECT_LE(test, queue_io_min(q), VBLK_HINT_MAX);
		KUNIT_EXPECT_EQ(test, queue_io_min(q) % 512, 0U);
		KUNIT_EXPECT_LE(test, queue_physical_block_size(q),
				VBLK_HINT_MAX);
		KUNIT_EXPECT_LE(test, card->vb->disk->bdi->ra_pages,
				2UL * VBLK_HINT_MAX / PAGE_SIZE);
		blk_set_stacking_limits(&top);
		if (queue_io_min(q) <= VBLK_HINT_MAX)
			blk_stack_limits(&top, &q->limits, 0x7ffffe);
		fake_unregister(card->fake, false);
	}
}

/* Any description at all: a disk whose sizes fit together, or none. */
static void test_probe_any(struct kunit *test)
{
	struct blk_card *card = card_create(test);
	struct vbus_blk_config good = card->config;
	struct queue_limits top;
	struct request_queue *q;
	struct rnd_state rnd;
	u32 i, n, disks = 0;

	prandom_seed_state(&rnd, 1);
	for (i = 0; i < 40; i++) {
		card->config = good;
		for (n = 0; n < 2; n++)
			*((__le32 *)&card->config + prandom_u32_state(&rnd) %
			  (sizeof(card->config) / 4)) =
				cpu_to_le32(fake_any32(&rnd));
		if (card_insert(card)) {
			disks++;
			q = card->vb->disk->queue;
			KUNIT_EXPECT_LE(test, queue_logical_block_size(q),
					(unsigned int)PAGE_SIZE);
			KUNIT_EXPECT_GE(test, queue_io_min(q),
					queue_physical_block_size(q));
			KUNIT_EXPECT_LE(test, queue_io_min(q),
					VBLK_HINT_MAX);
			KUNIT_EXPECT_LE(test, queue_io_opt(q),
					VBLK_HINT_MAX);
			KUNIT_EXPECT_GE(test, queue_max_segments(q), 1);
			blk_set_stacking_limits(&top);
			blk_stack_limits(&top, &q->limits, fake_any32(&rnd));
		}
		fake_unregister(card->fake, i % 2);
	}
	KUNIT_EXPECT_GT(test, disks, 4U);
	KUNIT_EXPECT_TRUE(test, ida_is_empty(&vbus_blk_ida));
	card->config = good;
	KUNIT_ASSERT_TRUE(test, card_insert(card));
	card_open(card);
	works(card, "after all of them");
}

/* --- requests as the host sees them --- */

/* Strange, but a disk: it has to work. */
static const struct {
	const char *name;
	u32 off;
	u32 val;
	u32 ring;
	u32 segs;
	u32 depth;
} odd_configs[] = {
	{ "ring of 4", FIELD(io_opt), 0, 4, CARD_SEG_MAX, 1 },
	{ "ring of 8", FIELD(io_opt), 0, 8, CARD_SEG_MAX, 2 },
	{ "one segment of data", FIELD(io_opt), 0, CARD_RING, 3, 16 },
	{ "more segments than we do", FIELD(io_opt), 0, CARD_RING, 200, 16 },
	{ "more queues than there are", FIELD(nr_queues), U32_MAX, CARD_RING,
	  CARD_SEG_MAX, 16 },
	{ "any length of data", FIELD(data_max), U32_MAX, CARD_RING,
	  CARD_SEG_MAX, 16 },
	{ "a page of data", FIELD(data_max), 4096, CARD_RING, CARD_SEG_MAX, 16 },
	{ "any alignment", FIELD(data_align), 1, CARD_RING, CARD_SEG_MAX, 16 },
	{ "io_opt that is none", FIELD(io_opt), U32_MAX, CARD_RING,
	  CARD_SEG_MAX, 16 },
	{ "io_min that is none", FIELD(io_min), 3, CARD_RING, CARD_SEG_MAX, 16 },
	{ "no discard after all", FIELD(discard_max), 0, CARD_RING,
	  CARD_SEG_MAX, 16 },
	{ "discard of any length", FIELD(discard_max), U32_MAX, CARD_RING,
	  CARD_SEG_MAX, 16 },
	{ "no discard_align", FIELD(discard_align), 0, CARD_RING, CARD_SEG_MAX,
	  16 },
	{ "discard_align of nearly 4 GiB", FIELD(discard_align), (1U << 23) - 1,
	  CARD_RING, CARD_SEG_MAX, 16 },
	{ "2^63 bytes less a sector", FIELD(capacity) + 4, (1U << 22) - 1,
	  CARD_RING, CARD_SEG_MAX, 16 },
	{ "zeroes of any length", FIELD(zeroes_max), U32_MAX, CARD_RING,
	  CARD_SEG_MAX, 16 },
	{ "physical block of 2 GiB", FIELD(physical_block_size), 1U << 31,
	  CARD_RING, CARD_SEG_MAX, 16 },
	{ "unknown flags", FIELD(flags), ~VBUS_BLK_READ_ONLY, CARD_RING,
	  CARD_SEG_MAX, 16 },
	{ "reserved", FIELD(reserved), U32_MAX, CARD_RING, CARD_SEG_MAX, 16 },
};

static void test_probe_odd(struct kunit *test)
{
	struct blk_card *card = card_create(test);
	struct vbus_blk_config good = card->config;
	u32 i, reg = VBUS_REG_QUEUE(0);

	for (i = 0; i < ARRAY_SIZE(odd_configs); i++) {
		const char *name = odd_configs[i].name;

		card->config = good;
		*(__le32 *)((u8 *)&card->config + odd_configs[i].off) =
			cpu_to_le32(odd_configs[i].val);
		fake_set32(card->fake, reg + VBUS_QREG_SIZE_MAX,
			   odd_configs[i].ring);
		fake_set32(card->fake, reg + VBUS_QREG_SEG_MAX,
			   odd_configs[i].segs);
		KUNIT_ASSERT_TRUE_MSG(test, card_insert(card), "%s", name);
		KUNIT_EXPECT_EQ_MSG(test, card->vb->tags.queue_depth,
				    odd_configs[i].depth, "%s", name);
		card_open(card);
		works(card, name);
		/* It may be refused, as too short for what is aligned. */
		blkdev_issue_discard(card->bdev, 0, 64, GFP_KERNEL);
		KUNIT_EXPECT_EQ_MSG(test, 0, blkdev_issue_zeroout(card->bdev, 8,
								  8, GFP_KERNEL,
								  0),
				    "%s", name);
		KUNIT_EXPECT_EQ_MSG(test, card_stat(card, VBLK_ERRORS), 0ULL,
				    "%s", name);
		card_close(card);
		fake_unregister(card->fake, false);
	}
}

/* Each operation, and what the host gets. */
static const struct {
	const char *name;
	blk_opf_t opf;
	u64 sector;
	u32 nr;		/* segments of 1024 bytes; or bytes without any */
	u32 bytes;
	u16 op;
	u16 flags;
	u32 nr_sectors;
} headers[] = {
	{ "read", REQ_OP_READ, 24, 1, 0, VBUS_BLK_OP_READ, 0, 0 },
	{ "write", REQ_OP_WRITE, 1022, 1, 0, VBUS_BLK_OP_WRITE, 0, 0 },
	{ "write with FUA", REQ_OP_WRITE | REQ_FUA, 8, 2, 0, VBUS_BLK_OP_WRITE,
	  VBUS_BLK_REQ_FUA, 0 },
	{ "sync read", REQ_OP_READ | REQ_SYNC | REQ_META, 0, 3, 0,
	  VBUS_BLK_OP_READ, 0, 0 },
	{ "flush", REQ_OP_WRITE | REQ_PREFLUSH, 0, 0, 0, VBUS_BLK_OP_FLUSH, 0,
	  0 },
	{ "discard", REQ_OP_DISCARD, 64, 0, 4096, VBUS_BLK_OP_DISCARD, 0, 8 },
	{ "zeroes", REQ_OP_WRITE_ZEROES, 64, 0, 8192, VBUS_BLK_OP_WRITE_ZEROES,
	  0, 16 },
	{ "zeroes that stay", REQ_OP_WRITE_ZEROES | REQ_NOUNMAP, 64, 0, 512,
	  VBUS_BLK_OP_WRITE_ZEROES, VBUS_BLK_REQ_NOUNMAP, 1 },
	{ "zeroes with FUA", REQ_OP_WRITE_ZEROES | REQ_FUA, 64, 0, 512,
	  VBUS_BLK_OP_WRITE_ZEROES, VBUS_BLK_REQ_FUA, 1 },
};

static void test_headers(struct kunit *test)
{
	struct blk_card *card = card_start(test);
	struct blk_seen *seen = &card->seen;
	struct io *io;
	u32 i;

	card->hold = true;
	for (i = 0; i < ARRAY_SIZE(headers); i++) {
		const char *name = headers[i].name;
		u32 nr = headers[i].nr;

		io = io_new(card, headers[i].opf, headers[i].sector, nr,
			    nr ? 1024 : headers[i].bytes, 512);
		submit_bio(io->bio);
		/* What is a flush comes from a work item. */
		while (!ioq_south_pending(&card->fake->south[0]) &&
		       !io_ended(io))
			msleep(20);
		KUNIT_ASSERT_TRUE_MSG(test, card_take(card, 0, seen), "%s",
				      name);
		KUNIT_EXPECT_EQ_MSG(test, le16_to_cpu(seen->req.op),
				    headers[i].op, "%s", name);
		KUNIT_EXPECT_EQ_MSG(test, le16_to_cpu(seen->req.flags),
				    headers[i].flags, "%s", name);
		KUNIT_EXPECT_EQ_MSG(test, le32_to_cpu(seen->req.nr_sectors),
				    headers[i].nr_sectors, "%s", name);
		KUNIT_EXPECT_EQ_MSG(test, le64_to_cpu(seen->req.sector),
				    headers[i].sector, "%s", name);
		KUNIT_EXPECT_EQ_MSG(test, seen->n, nr, "%s", name);
		KUNIT_EXPECT_EQ_MSG(test, seen->len, 1024 * nr, "%s", name);
		KUNIT_EXPECT_FALSE_MSG(test, io_ended(io), "%s", name);
		card_do(card, 0, seen);
		KUNIT_EXPECT_EQ_MSG(test, 0, io_wait(card, io), "%s",
				    name);
		io_free(io);
	}
	KUNIT_EXPECT_EQ(test, card_stat(card, VBLK_ERRORS), 0ULL);
}

/* Short chains are in the ring itself, longer ones in a table; the data is the same. */
static void test_chains(struct kunit *test)
{
	struct blk_card *card = card_start(test);
	u64 indirect, before = 0;
	struct io *io;
	u32 n, i;

	card->hold = true;
	for (n = 1; n <= CARD_SEG_MAX - 2; n++) {
		io = io_new(card, REQ_OP_WRITE, 16, n, 1536, 512);
		submit_bio(io->bio);
		KUNIT_ASSERT_TRUE(test, card_take(card, 0, &card->seen));
		KUNIT_EXPECT_EQ(test, card->seen.n, n);
		KUNIT_EXPECT_EQ(test, card->seen.slots,
				n + 2 <= VBLK_DIRECT ? n + 2 : 1);
		indirect = card_stat(card, VBLK_INDIRECT);
		KUNIT_EXPECT_EQ(test, indirect - before,
				n + 2 > VBLK_DIRECT ? 1ULL : 0ULL);
		before = indirect;
		card_do(card, 0, &card->seen);
		KUNIT_EXPECT_EQ(test, 0, io_wait(card, io));
		io_free(io);
		for (i = 0; i < n; i++)
			KUNIT_EXPECT_NULL(test, memchr_inv(card->data + 8192 +
							   1536 * i, i + 1,
							   1536));

		io = io_new(card, REQ_OP_READ, 16, n, 1536, 1024);
		for (i = 0; i < n; i++)
			memset(io_data(io, i), 0, 1536);
		submit_bio(io->bio);
		KUNIT_ASSERT_TRUE(test, card_take(card, 0, &card->seen));
		before += n + 2 > VBLK_DIRECT;
		card_do(card, 0, &card->seen);
		KUNIT_EXPECT_EQ(test, 0, io_wait(card, io));
		for (i = 0; i < n; i++)
			KUNIT_EXPECT_NULL(test, memchr_inv(io_data(io, i), i + 1,
							   1536));
		io_free(io);
	}
	/* More than fit are more requests. */
	card_go(card);
	card->served = 0;
	KUNIT_EXPECT_EQ(test, 0, io_run(card, REQ_OP_WRITE, 0,
					CARD_SEG_MAX - 1, 512));
	KUNIT_EXPECT_EQ(test, card->served, 2U);
}

/* As many as may be in flight, in two laps, and answered from the last on. */
static void test_many(struct kunit *test)
{
	struct blk_card *card = card_start(test);
	u32 depth = card->vb->tags.queue_depth, i, lap;
	struct blk_seen *seen;
	struct io **io;

	seen = kunit_kcalloc(test, depth, sizeof(*seen), GFP_KERNEL);
	io = kunit_kcalloc(test, depth, sizeof(*io), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, seen);
	KUNIT_ASSERT_NOT_NULL(test, io);
	card->hold = true;
	for (lap = 0; lap < 2; lap++) {
		for (i = 0; i < depth; i++) {
			io[i] = io_new(card, REQ_OP_READ, 32 * i, 2, 512, 0);
			memset(card->data + (32 * i << SECTOR_SHIFT), i + 100,
			       1024);
			submit_bio(io[i]->bio);
		}
		for (i = 0; i < depth; i++)
			KUNIT_ASSERT_TRUE(test, card_take(card, 0, &seen[i]));
		for (i = depth; i--; ) {
			KUNIT_EXPECT_FALSE(test, io_ended(io[i]));
			card_do(card, 0, &seen[i]);
			KUNIT_EXPECT_EQ(test, 0, io_wait(card, io[i]));
			KUNIT_EXPECT_NULL(test, memchr_inv(io_data(io[i], 1),
							   i + 100, 512));
			io_free(io[i]);
		}
	}
}

/* What is sent together is published together, with one doorbell. */
static void test_plug(struct kunit *test)
{
	struct blk_card *card = card_start(test);
	struct blk_plug plug;
	struct io *io[4];
	u32 i, kicks;
	u64 counted;

	card->hold = true;
	kicks = card->fake->kicks[0];
	counted = card_stat(card, VBLK_KICKS);
	blk_start_plug(&plug);
	for (i = 0; i < 4; i++) {
		/* Apart, or they would be merged. */
		io[i] = io_new(card, REQ_OP_WRITE, 64 * i, 1, 512, 0);
		submit_bio(io[i]->bio);
	}
	KUNIT_EXPECT_FALSE(test, ioq_south_pending(&card->fake->south[0]));
	blk_finish_plug(&plug);
	KUNIT_EXPECT_EQ(test, card->fake->kicks[0], kicks + 1);
	KUNIT_EXPECT_EQ(test, card_stat(card, VBLK_KICKS), counted + 1);
	card_serve(card, 0);
	for (i = 0; i < 4; i++) {
		KUNIT_EXPECT_EQ(test, 0, io_wait(card, io[i]));
		io_free(io[i]);
	}
}

/* The host wants a kick later, but somebody waits for a FLUSH, or for a FUA write. */
static void test_urgent(struct kunit *test)
{
	static const struct {
		blk_opf_t opf;
		u32 nr;
		u32 kicks;
	} rows[] = {
		{ REQ_OP_WRITE, 1, 0 },
		{ REQ_OP_WRITE | REQ_FUA, 1, 1 },
		{ REQ_OP_WRITE, 1, 0 },
		{ REQ_OP_WRITE | REQ_PREFLUSH, 0, 1 },
		{ REQ_OP_READ, 1, 0 },
	};
	struct blk_card *card = card_start(test);
	struct ioq_south *south = &card->fake->south[0];
	struct io *io;
	u32 i, kicks, tries;

	card->hold = true;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		ioq_south_enable_kicks_after(south, CARD_RING / 2);
		kicks = card->fake->kicks[0];
		io = io_new(card, rows[i].opf, 0, rows[i].nr,
			    rows[i].nr ? 512 : 0, 0);
		submit_bio(io->bio);
		/* What is a flush comes from a work item. */
		while (!ioq_south_pending(south) && !io_ended(io))
			msleep(20);
		for (tries = 0; tries < 500 &&
		     READ_ONCE(card->fake->kicks[0]) - kicks < rows[i].kicks;
		     tries++)
			msleep(20);
		KUNIT_ASSERT_TRUE(test, card_take(card, 0, &card->seen));
		card_do(card, 0, &card->seen);
		KUNIT_EXPECT_EQ(test, 0, io_wait(card, io));
		KUNIT_EXPECT_EQ_MSG(test, card->fake->kicks[0] - kicks,
				    rows[i].kicks, "row %u", i);
		io_free(io);
	}
}

/* A host that has answered when the kick returns does not interrupt, and one that has not does. */
static void test_answered(struct kunit *test)
{
	struct blk_card *card = card_start(test);
	struct io *io;
	u64 signals, polls;

	signals = card_stat(card, VBLK_SIGNALS);
	polls = card_stat(card, VBLK_POLLS);
	KUNIT_EXPECT_EQ(test, 0, io_run(card, REQ_OP_WRITE, 8, 2, 2048));
	KUNIT_EXPECT_EQ(test, card_stat(card, VBLK_SIGNALS), signals);
	KUNIT_EXPECT_EQ(test, card_stat(card, VBLK_POLLS), polls + 1);

	card->hold = true;
	io = io_new(card, REQ_OP_READ, 8, 1, 512, 0);
	submit_bio(io->bio);
	KUNIT_ASSERT_TRUE(test, card_take(card, 0, &card->seen));
	card_do(card, 0, &card->seen);
	KUNIT_EXPECT_EQ(test, 0, io_wait(card, io));
	KUNIT_EXPECT_EQ(test, card_stat(card, VBLK_SIGNALS), signals + 1);
	io_free(io);
}

/* Who adds a request completes what is there, kick or not. */
static void test_looks(struct kunit *test)
{
	struct blk_card *card = card_start(test);
	struct ioq_south *south = &card->fake->south[0];
	u64 signals = card_stat(card, VBLK_SIGNALS);
	u32 kicks = card->fake->kicks[0];
	struct io *io[2];
	u32 i;

	card->hold = true;
	for (i = 0; i < 2; i++) {
		ioq_south_enable_kicks_after(south, CARD_RING / 2);
		io[i] = io_new(card, REQ_OP_WRITE, 64 * i, 1, 512, 0);
		submit_bio(io[i]->bio);
		KUNIT_ASSERT_TRUE(test, card_take(card, 0, &card->seen));
		/* An answer without its interrupt. */
		ioq_south_complete(south, card->seen.id, 0);
		ioq_south_publish(south);
		KUNIT_EXPECT_FALSE(test, io_ended(io[i]));
		if (i)
			KUNIT_EXPECT_TRUE(test, io_ended(io[0]));
	}
	KUNIT_EXPECT_EQ(test, card->fake->kicks[0], kicks);
	KUNIT_EXPECT_EQ(test, card_stat(card, VBLK_SIGNALS), signals);
	if (ioq_south_signal_needed(south))
		card_signal(card, 0);
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, 0, io_wait(card, io[i]));
		io_free(io[i]);
	}
	KUNIT_EXPECT_EQ(test, card_stat(card, VBLK_SIGNALS), signals + 1);
}

/* The vCPU that kicks for the second is away, while the first one is answered. */
static void kick_answers_first(struct fake_dev *fake, u32 q)
{
	struct blk_card *card = fake->test->priv;

	if (fake->kicks[q] < 2) {
		KUNIT_EXPECT_TRUE(fake->test, card_take(card, q, &card->first));
		ioq_south_enable_kicks(&fake->south[q]);
		return;
	}
	ioq_south_complete(&fake->south[q], card->first.id, 0);
	ioq_south_publish(&fake->south[q]);
	KUNIT_EXPECT_TRUE(fake->test, ioq_south_signal_needed(&fake->south[q]));
}

/* What was there before a kick is signalled, though its sender will look, too. */
static void test_kick_away(struct kunit *test)
{
	struct blk_card *card = card_start(test);
	struct io *io[2];
	u32 i;

	card->fake->kicks[0] = 0;
	card->fake->kick = kick_answers_first;
	for (i = 0; i < 2; i++) {
		io[i] = io_new(card, REQ_OP_WRITE, 64 * i, 1, 512, 0);
		submit_bio(io[i]->bio);
	}
	KUNIT_EXPECT_EQ(test, card->fake->kicks[0], 2);
	KUNIT_EXPECT_EQ(test, 0, io_wait(card, io[0]));
	card_go(card);
	KUNIT_EXPECT_EQ(test, 0, io_wait(card, io[1]));
	for (i = 0; i < 2; i++)
		io_free(io[i]);
}

/* A request that is added while another CPU kicks and has signals suppressed. */
static void test_kick_meets(struct kunit *test)
{
	struct blk_card *card = card_start(test);
	struct vbus_blk_queue *q = &card->vb->queue[0];
	struct ioq_south *south = &card->fake->south[0];
	struct io *io;

	card->hold = true;
	ioq_south_enable_kicks_after(south, CARD_RING / 2);
	spin_lock_irq(&q->lock);
	ioq_north_suppress_signals(&q->vq->ring);
	q->quiet = true;
	spin_unlock_irq(&q->lock);
	io = io_new(card, REQ_OP_WRITE, 0, 1, 512, 0);
	submit_bio(io->bio);
	KUNIT_ASSERT_TRUE(test, card_take(card, 0, &card->seen));
	ioq_south_complete(south, card->seen.id, 0);
	ioq_south_publish(south);
	KUNIT_EXPECT_TRUE(test, ioq_south_signal_needed(south));
	card_signal(card, 0);
	KUNIT_EXPECT_EQ(test, 0, io_wait(card, io));
	io_free(io);
}

static struct kunit_case blk_cases[] = {
	KUNIT_CASE(test_probe),
	KUNIT_CASE(test_probe_plain),
	KUNIT_CASE(test_probe_bad_config),
	KUNIT_CASE(test_probe_fails),
	KUNIT_CASE(test_probe_hints),
	KUNIT_CASE(test_probe_any),
	KUNIT_CASE(test_probe_odd),
	KUNIT_CASE(test_headers),
	KUNIT_CASE(test_chains),
	KUNIT_CASE(test_many),
	KUNIT_CASE(test_plug),
	KUNIT_CASE(test_urgent),
	KUNIT_CASE(test_answered),
	KUNIT_CASE(test_looks),
	KUNIT_CASE(test_kick_away),
	KUNIT_CASE(test_kick_meets),
	{}
};

static struct kunit_suite blk_suite = {
	.name = "vbus_blk_driver",
	.init = blk_init,
	.exit = blk_exit,
	.test_cases = blk_cases,
};

kunit_test_suite(blk_suite);
