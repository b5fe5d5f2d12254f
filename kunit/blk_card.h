/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A disk made of memory (fake_transport.h) for the suites of the guest disk driver,
 * and the host behind it.
 *
 * The host answers each doorbell as a good one would, or holds requests until the
 * case takes them.  Include it behind the driver's own source.
 */
#ifndef _VBUS_KUNIT_BLK_CARD_H
#define _VBUS_KUNIT_BLK_CARD_H

#include <linux/blkdev.h>
#include <linux/delay.h>
#include <linux/io.h>
#include <linux/slab.h>
#include "fake_transport.h"

#define CARD_RING	64
#define CARD_SEG_MAX	16
#define CARD_SECTORS	1024
#define CARD_MAX_SEGS	(VBLK_MAX_SEGS + 4)

/**
 * struct blk_seen - a request as the host sees it
 * @id: of the chain
 * @req: header
 * @slots: of the ring
 * @n: segments of data
 * @len: bytes of data
 * @in_len: bytes that may be written
 * @segs: all of it, request and status included
 */
struct blk_seen {
	u32 id;
	struct vbus_blk_req req;
	u32 slots;
	u32 n;
	u32 len;
	u32 in_len;
	struct ioq_seg segs[CARD_MAX_SEGS];
};

/**
 * struct blk_card - the disk
 * @fake: the device
 * @test: current case
 * @config: what the driver reads; copied when the card is put in
 * @data: contents
 * @hold: take nothing, by itself
 * @first: a chain that a case keeps
 * @served: requests answered
 * @vb: the driver's
 * @bdev: open, or NULL
 */
struct blk_card {
	struct fake_dev *fake;
	struct kunit *test;
	struct vbus_blk_config config;
	u8 *data;
	struct blk_seen first;
	bool hold;
	unsigned int served;
	struct vbus_blk *vb;
	struct block_device *bdev;
	struct blk_seen seen;
};

static int card_copy(void *ctx, void *dst, u64 addr, u32 len)
{
	memcpy(dst, phys_to_virt(addr), len);
	return 0;
}

/* Take the next request and check its form.  Return: false if there is none. */
static bool card_take(struct blk_card *card, u32 q, struct blk_seen *seen)
{
	struct kunit *test = card->test;
	struct ioq_chain chain;
	u32 i, n;
	int ret;

	ret = ioq_south_get(&card->fake->south[q], seen->segs, CARD_MAX_SEGS,
			    &chain, card_copy, NULL);
	KUNIT_EXPECT_GE(test, ret, 0);
	if (ret <= 0)
		return false;
	n = chain.nr_out + chain.nr_in;
	KUNIT_ASSERT_GE(test, n, 2U);
	KUNIT_EXPECT_EQ(test, seen->segs[0].len, (u32)sizeof(seen->req));
	KUNIT_EXPECT_EQ(test, seen->segs[0].write, 0U);
	KUNIT_EXPECT_EQ(test, seen->segs[n - 1].len,
			(u32)sizeof(struct vbus_blk_status));
	KUNIT_EXPECT_EQ(test, seen->segs[n - 1].write, 1U);
	seen->id = chain.id;
	seen->slots = chain.slots;
	seen->in_len = chain.in_len;
	seen->n = n - 2;
	seen->req = *(struct vbus_blk_req *)phys_to_virt(seen->segs[0].addr);
	seen->len = 0;
	for (i = 1; i < n - 1; i++) {
		KUNIT_EXPECT_EQ(test, seen->segs[i].write,
				seen->req.op == cpu_to_le16(VBUS_BLK_OP_READ));
		seen->len += seen->segs[i].len;
	}
	return true;
}

static void card_signal(struct blk_card *card, u32 q)
{
	fake_signal(card->fake, fake_get32(card->fake, VBUS_REG_QUEUE(q) +
					   VBUS_QREG_VECTOR));
}

/* Answer with this length, whatever it means; @id need not be one. */
static void card_complete(struct blk_card *card, u32 q, u32 id, u32 len)
{
	struct ioq_south *south = &card->fake->south[q];

	ioq_south_complete(south, id, len);
	ioq_south_publish(south);
	if (ioq_south_signal_needed(south))
		card_signal(card, q);
}

static void card_fail(struct blk_card *card, u32 q, struct blk_seen *seen,
		      u32 status)
{
	struct vbus_blk_status *s = phys_to_virt(seen->segs[seen->n + 1].addr);

	s->status = cpu_to_le32(status);
	card_complete(card, q, seen->id, seen->in_len);
}

/* As a good host does it. */
static void card_do(struct blk_card *card, u32 q, struct blk_seen *seen)
{
	u64 sector = le64_to_cpu(seen->req.sector);
	u8 *pos = card->data + (sector << SECTOR_SHIFT);
	u32 nr = le32_to_cpu(seen->req.nr_sectors), i;

	if (sector >= CARD_SECTORS ||
	    CARD_SECTORS - sector < max(nr, seen->len >> SECTOR_SHIFT)) {
		card_fail(card, q, seen, VBUS_BLK_S_RANGE);
		return;
	}
	for (i = 1; i <= seen->n; i++) {
		void *p = phys_to_virt(seen->segs[i].addr);

		if (seen->segs[i].write)
			memcpy(p, pos, seen->segs[i].len);
		else
			memcpy(pos, p, seen->segs[i].len);
		pos += seen->segs[i].len;
	}
	if (nr)
		memset(pos, 0, nr << SECTOR_SHIFT);
	card->served++;
	card_complete(card, q, seen->id, seen->in_len -
		      sizeof(struct vbus_blk_status));
}

static void card_serve(struct blk_card *card, u32 q)
{
	do {
		while (card_take(card, q, &card->seen))
			card_do(card, q, &card->seen);
	} while (!ioq_south_enable_kicks(&card->fake->south[q]));
}

/* Stop holding. */
static void card_go(struct blk_card *card)
{
	u32 q;

	card->hold = false;
	for (q = 0; q < FAKE_QUEUES; q++)
		if (fake_get32(card->fake, VBUS_REG_QUEUE(q) +
			       VBUS_QREG_ENABLE))
			card_serve(card, q);
}

/* The doorbell; the driver kicks without its lock. */
static void card_kick(struct fake_dev *fake, u32 q)
{
	struct blk_card *card = fake->test->priv;

	if (!card->hold)
		card_serve(card, q);
	else
		ioq_south_enable_kicks(&fake->south[q]);
}

static struct blk_card *card_create(struct kunit *test)
{
	struct blk_card *card = kunit_kzalloc(test, sizeof(*card), GFP_KERNEL);
	struct fake_dev *fake;
	u32 q;

	KUNIT_ASSERT_NOT_NULL(test, card);
	test->priv = card;
	card->test = test;
	card->data = kunit_kzalloc(test, CARD_SECTORS << SECTOR_SHIFT,
				   GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, card->data);
	fake = fake_create(test);
	card->fake = fake;
	fake->kick = card_kick;
	fake_set32(fake, VBUS_REG_CLASS, VBUS_CLASS_BLK);
	fake_set32(fake, VBUS_REG_CLASS_VERSION, VBUS_BLK_VERSION);
	fake_set32(fake, VBUS_REG_NR_QUEUES, 1);
	fake_set64(fake, VBUS_REG_FEATURES, VBLK_FEATURES);
	fake_set32(fake, VBUS_REG_CONFIG_SIZE, sizeof(card->config));
	for (q = 0; q < FAKE_QUEUES; q++) {
		fake_set32(fake, VBUS_REG_QUEUE(q) + VBUS_QREG_SIZE_MAX,
			   CARD_RING);
		fake_set32(fake, VBUS_REG_QUEUE(q) + VBUS_QREG_SEG_MAX,
			   CARD_SEG_MAX);
		fake_set32(fake, VBUS_REG_QUEUE(q) + VBUS_QREG_FLAGS, 0);
	}
	card->config = (struct vbus_blk_config){
		.capacity = cpu_to_le64(CARD_SECTORS),
		.logical_block_size = cpu_to_le32(512),
		.physical_block_size = cpu_to_le32(4096),
		.io_min = cpu_to_le32(4096),
		.data_max = cpu_to_le32(128 * 1024),
		.data_align = cpu_to_le32(512),
		.discard_max = cpu_to_le32(256),
		.discard_align = cpu_to_le32(8),
		.zeroes_max = cpu_to_le32(512),
		.nr_queues = cpu_to_le32(1),
		.serial = "SN-1",
	};
	return card;
}

static void card_config(struct blk_card *card)
{
	memcpy(card->fake->regs + VBUS_REG_CONFIG, &card->config,
	       sizeof(card->config));
}

/* Return: whether the driver has taken it. */
static bool card_insert(struct blk_card *card)
{
	card_config(card);
	KUNIT_ASSERT_EQ(card->test, 0, fake_register(card->fake));
	card->vb = card->fake->vdev.dev.driver ?
		   vproxy_drvdata(&card->fake->vdev) : NULL;
	return card->vb;
}

static void card_open(struct blk_card *card)
{
	card->bdev = blkdev_get_by_dev(disk_devt(card->vb->disk),
				       FMODE_READ | FMODE_WRITE, card);
	KUNIT_ASSERT_FALSE(card->test, IS_ERR(card->bdev));
}

static void card_close(struct blk_card *card)
{
	if (!IS_ERR_OR_NULL(card->bdev))
		blkdev_put(card->bdev, FMODE_READ | FMODE_WRITE);
	card->bdev = NULL;
}

/* A disk in use. */
static struct blk_card *card_start(struct kunit *test)
{
	struct blk_card *card = card_create(test);

	KUNIT_ASSERT_TRUE(test, card_insert(card));
	card_open(card);
	return card;
}

/* --- its user --- */

struct io {
	struct bio *bio;
	struct completion done;
	int err;
	u32 len;
};

static void io_end(struct bio *bio)
{
	struct io *io = bio->bi_private;

	io->err = blk_status_to_errno(bio->bi_status);
	complete(&io->done);
}

/*
 * @nr pieces of @len bytes, each at @off in a page of its own; or without data, of
 * @len bytes.  They are freed with the bio.
 */
static struct io *io_new(struct blk_card *card, blk_opf_t opf, u64 sector,
			 u32 nr, u32 len, u32 off)
{
	struct io *io = kzalloc(sizeof(*io), GFP_KERNEL);
	struct kunit *test = card->test;
	struct page *page;
	u32 i;

	KUNIT_ASSERT_NOT_NULL(test, io);
	init_completion(&io->done);
	io->err = -EINPROGRESS;
	io->bio = bio_alloc(card->bdev, max(nr, 1U), opf, GFP_KERNEL);
	io->bio->bi_iter.bi_sector = sector;
	io->bio->bi_private = io;
	io->bio->bi_end_io = io_end;
	for (i = 0; i < nr; i++) {
		/* Of two pages: no two adjoin. */
		page = alloc_pages(GFP_KERNEL | __GFP_COMP, 1);
		KUNIT_ASSERT_NOT_NULL(test, page);
		memset(page_address(page), i + 1, 2 * PAGE_SIZE);
		bio_add_page(io->bio, page, len, off);
	}
	if (!nr)
		io->bio->bi_iter.bi_size = len;
	io->len = len;
	return io;
}

static u8 *io_data(struct io *io, u32 i)
{
	return bvec_virt(&io->bio->bi_io_vec[i]);
}

static bool io_ended(struct io *io)
{
	return completion_done(&io->done);
}

/* How it ended; -EINPROGRESS: it has not. */
static int io_wait(struct blk_card *card, struct io *io)
{
	if (wait_for_completion_timeout(&io->done, 10 * HZ))
		return io->err;
	KUNIT_FAIL(card->test, "a request has not ended");
	return -EINPROGRESS;
}

static void io_free(struct io *io)
{
	u32 i;

	/* Not of the one that failed the case: it may still end. */
	if (io->err == -EINPROGRESS)
		return;
	for (i = 0; i < io->bio->bi_vcnt; i++)
		__free_pages(io->bio->bi_io_vec[i].bv_page, 1);
	bio_put(io->bio);
	kfree(io);
}

/* Send it and have it answered; the host serves by itself. */
static int io_run(struct blk_card *card, blk_opf_t opf, u64 sector,
		  u32 nr, u32 len)
{
	struct io *io = io_new(card, opf, sector, nr, len, 0);
	int err;

	submit_bio(io->bio);
	err = io_wait(card, io);
	io_free(io);
	return err;
}

static u64 card_stat(struct blk_card *card, unsigned int nr)
{
	struct vbus_blk *vb = card->vb;
	unsigned int i;
	u64 sum = 0;

	for (i = 0; i < vb->nr_queues + vb->nr_polled; i++)
		sum += vb->queue[i].stat[nr];
	return sum;
}

#endif /* _VBUS_KUNIT_BLK_CARD_H */
