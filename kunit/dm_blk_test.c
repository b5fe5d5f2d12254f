// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "blk": what a guest learns of its disk, every operation on every kind
 * of backing, data of every shape, and what is promised of a write.
 */
#include "blk_guest.h"

/* --- as the guest sees it --- */

struct shape {
	const char *name;
	enum blk_backing backing;
	const char *attr;
	const char *value;
	u64 features;
	u32 flags;
	u32 logical;
	u32 align;
	u64 bytes;
};

static const struct shape shapes[] = {
	{ "RAM disk", RAM, "serial", "S1", VBUS_BLK_F_WRITE_ZEROES, 0, 512,
	  512, 4 * 1024 * 1024 },
	{ "read-only", RAM, "readonly", "1", VBUS_BLK_F_WRITE_ZEROES,
	  VBUS_BLK_READ_ONLY, 512, 512, 4 * 1024 * 1024 },
	{ "fake disk", DISK, "serial", "S1", ALL_FEATURES, VBUS_BLK_ROTATIONAL,
	  512, 512, FAKE_DISK_BYTES },
	{ "write-through", DISK, "cache", "write-through",
	  ALL_FEATURES & ~VBUS_BLK_F_FLUSH, VBUS_BLK_ROTATIONAL, 512, 512,
	  FAKE_DISK_BYTES },
	{ "without discard", DISK, "discard", "0",
	  ALL_FEATURES & ~VBUS_BLK_F_DISCARD, VBUS_BLK_ROTATIONAL, 512, 512,
	  FAKE_DISK_BYTES },
	{ "blocks of 4096", DISK, "logical_block_size", "4096", ALL_FEATURES,
	  VBUS_BLK_ROTATIONAL, 4096, 512, FAKE_DISK_BYTES },
	{ "file", TMPFILE, "serial", "S1", ALL_FEATURES, 0, 512, 1, FILE_BYTES },
};

static void shape_check(struct kunit *test, const struct shape *s)
{
	u32 limit = s->features & VBUS_BLK_F_DISCARD ? 1 : 0;
	struct blk_guest *bg = blk_create(test, s->backing);
	struct vbus_blk_config c;

	KUNIT_ASSERT_EQ(test, 0, conn_guest_attr(&bg->g, s->attr, s->value));
	blk_plug(bg);
	KUNIT_EXPECT_EQ(test, conn_guest_reg(&bg->g, VBUS_REG_CLASS),
			(u32)VBUS_CLASS_BLK);
	KUNIT_EXPECT_EQ(test, conn_guest_reg(&bg->g, VBUS_REG_CLASS_VERSION),
			(u32)VBUS_BLK_VERSION);
	KUNIT_EXPECT_EQ(test, conn_guest_reg(&bg->g, VBUS_REG_NR_QUEUES), 1U);
	KUNIT_EXPECT_EQ(test, conn_guest_reg(&bg->g, VBUS_REG_CONFIG_SIZE),
			(u32)sizeof(c));
	KUNIT_EXPECT_EQ_MSG(test, blk_offered(bg), s->features, "%s", s->name);

	c = blk_config(bg);
	KUNIT_EXPECT_EQ_MSG(test, le64_to_cpu(c.capacity),
			    s->bytes >> SECTOR_SHIFT, "%s", s->name);
	KUNIT_EXPECT_EQ_MSG(test, le32_to_cpu(c.flags), s->flags, "%s", s->name);
	KUNIT_EXPECT_EQ_MSG(test, le32_to_cpu(c.logical_block_size), s->logical,
			    "%s", s->name);
	KUNIT_EXPECT_GE(test, le32_to_cpu(c.physical_block_size), s->logical);
	KUNIT_EXPECT_EQ_MSG(test, le32_to_cpu(c.data_align), s->align, "%s",
			    s->name);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(c.data_max) % s->logical, 0U);
	KUNIT_EXPECT_GE(test, le32_to_cpu(c.data_max), (u32)PAGE_SIZE);
	KUNIT_EXPECT_EQ_MSG(test, !!le32_to_cpu(c.discard_max), limit, "%s",
			    s->name);
	KUNIT_EXPECT_EQ(test, !!le32_to_cpu(c.discard_align), limit);
	KUNIT_EXPECT_GT(test, le32_to_cpu(c.zeroes_max), 0U);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(c.nr_queues), 1U);
	KUNIT_EXPECT_STREQ(test, (char *)c.serial,
			   strcmp(s->attr, "serial") ? "kt0" : s->value);
	KUNIT_EXPECT_NULL(test, memchr_inv(c.reserved, 0, sizeof(c.reserved)));

	/* It needs a queue, and takes no feature that it does not offer. */
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, conn_guest_negotiate(&bg->g, BIT(3)));
	conn_guest_start(&bg->g, s->features, 0, RING);
	KUNIT_EXPECT_FALSE(test, conn_guest_reg(&bg->g, VBUS_REG_STATUS) &
			   VBUS_STATUS_RUNNING);
	KUNIT_EXPECT_EQ(test, 0, conn_guest_start(&bg->g, s->features, 1, RING));
	blk_exit(test);
}

static void blk_shape(struct kunit *test)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(shapes); i++)
		shape_check(test, &shapes[i]);
}

/* --- each operation --- */

/* Zeroes, by a hole or not; only where they were asked for. */
static void zeroes_check(struct blk_guest *bg, const char *name, u16 flags)
{
	struct kunit *test = bg->g.test;

	blk_fill(bg, 0, 16384, 5);
	KUNIT_EXPECT_EQ_MSG(test, 0, blk_do(bg, VBUS_BLK_OP_WRITE, 0, 128, 0,
					    16384), "%s", name);
	KUNIT_EXPECT_EQ_MSG(test, 0, blk_range(bg, VBUS_BLK_OP_WRITE_ZEROES,
					       flags, 136, 8), "%s", name);
	blk_mark(bg);
	KUNIT_EXPECT_EQ_MSG(test, 0, blk_do(bg, VBUS_BLK_OP_READ, 0, 128, 0,
					    16384), "%s", name);
	KUNIT_EXPECT_TRUE_MSG(test, blk_filled(bg, 0, 4096, 5, 0), "%s", name);
	KUNIT_EXPECT_TRUE_MSG(test, blk_is(bg, 4096, 4096, 0), "%s", name);
	KUNIT_EXPECT_TRUE_MSG(test, blk_filled(bg, 8192, 8192, 5, 8192), "%s",
			      name);
}

static void ops_check(struct kunit *test, enum blk_backing backing)
{
	const char *name = blk_backing_names[backing];
	struct blk_guest *bg = blk_start(test, backing);
	u64 last = le64_to_cpu(blk_config(bg).capacity) - 8;
	u64 features = blk_offered(bg);

	/* First and last block; a neighbour of what is written stays. */
	blk_fill(bg, 0, 4096, 1);
	blk_fill(bg, 4096, 512, 2);
	KUNIT_EXPECT_EQ_MSG(test, 0, blk_do(bg, VBUS_BLK_OP_WRITE, 0, 0, 0,
					    4096), "%s", name);
	KUNIT_EXPECT_EQ_MSG(test, 0, blk_do(bg, VBUS_BLK_OP_WRITE, 0, last, 0,
					    4096), "%s", name);
	KUNIT_EXPECT_EQ_MSG(test, 0, blk_do(bg, VBUS_BLK_OP_WRITE, 0, 1, 4096,
					    512), "%s", name);
	/* A host does not write what it was given to read. */
	KUNIT_EXPECT_TRUE_MSG(test, blk_filled(bg, 0, 4096, 1, 0), "%s", name);
	blk_mark(bg);
	KUNIT_EXPECT_EQ_MSG(test, 0, blk_do(bg, VBUS_BLK_OP_READ, 0, last,
					    65536, 4096), "%s", name);
	KUNIT_EXPECT_TRUE_MSG(test, blk_filled(bg, 65536, 4096, 1, 0), "%s",
			      name);
	KUNIT_EXPECT_EQ_MSG(test, 0, blk_do(bg, VBUS_BLK_OP_READ, 0, 0, 4096,
					    4096), "%s", name);
	KUNIT_EXPECT_TRUE_MSG(test, blk_filled(bg, 4096, 512, 1, 0), "%s", name);
	KUNIT_EXPECT_TRUE_MSG(test, blk_filled(bg, 4608, 512, 2, 0), "%s", name);
	KUNIT_EXPECT_TRUE_MSG(test, blk_filled(bg, 5120, 3072, 1, 1024), "%s",
			      name);
	KUNIT_EXPECT_TRUE_MSG(test, blk_is(bg, 0, 4096, MARK), "%s", name);
	KUNIT_EXPECT_TRUE_MSG(test, blk_is(bg, 8192, 4096, MARK), "%s", name);

	zeroes_check(bg, name, 0);
	zeroes_check(bg, name, VBUS_BLK_REQ_NOUNMAP);
	if (features & VBUS_BLK_F_FLUSH) {
		KUNIT_EXPECT_EQ_MSG(test, 0, blk_do(bg, VBUS_BLK_OP_FLUSH, 0, 0,
						    0, 0), "%s", name);
		KUNIT_EXPECT_EQ_MSG(test, 0, blk_do(bg, VBUS_BLK_OP_WRITE,
						    VBUS_BLK_REQ_FUA, 3, 0,
						    512), "%s", name);
		zeroes_check(bg, name, VBUS_BLK_REQ_FUA);
	}
	if (features & VBUS_BLK_F_DISCARD) {
		KUNIT_EXPECT_EQ_MSG(test, 0, blk_range(bg, VBUS_BLK_OP_DISCARD,
						       0, 128, 8), "%s", name);
		blk_mark(bg);
		KUNIT_EXPECT_EQ(test, 0, blk_do(bg, VBUS_BLK_OP_READ, 0, 128, 0,
						8192));
		/* What these backings make of it; that they got it. */
		KUNIT_EXPECT_TRUE_MSG(test, blk_is(bg, 0, 4096, backing == DISK ?
						   FAKE_DISK_DISCARDED : 0),
				      "%s", name);
		KUNIT_EXPECT_TRUE_MSG(test, blk_is(bg, 4096, 4096, 0), "%s",
				      name);
	}
	KUNIT_EXPECT_EQ(test, conn_guest_stat(&bg->g, "errors"), 0ULL);
	KUNIT_EXPECT_EQ(test, conn_guest_stat(&bg->g, "bounced"), 0ULL);
	blk_works(bg, name);
	blk_exit(test);
}

static void blk_ops(struct kunit *test)
{
	u32 i;

	for (i = 0; i < NR_BACKINGS; i++)
		ops_check(test, i);
}

/* --- data of every shape --- */

/*
 * @n segments of @len bytes, @gap bytes after each, from @off on.  A gap keeps pages
 * from adjoining, so each segment needs an entry of its own.
 */
static const struct cut {
	u32 off;
	u32 len;
	u32 n;
	u32 gap;
	bool bounced;	/* where data has to be aligned to 512 */
} cuts[] = {
	{ 0, 512, 1, 0 },
	{ 0, 4096, 1, 0 },
	{ 512, 4096, 1, 0 },
	{ 0, 512, 3, 512 },
	{ 0, 1024, 4, 1024 },
	{ 0, 4096, 4, 4096 },
	{ 0, 4096, 5, 4096 },
	{ 512, 4096, 5, 4096 },
	{ 0, 4096, 2, 0 },
	{ 3584, 1024, 7, 3072 },
	{ 0, 512, DATA_SEGS, 512 },
	{ 0, 1536, DATA_SEGS, 512 },
	{ 0, 2048, DATA_SEGS - 1, 4096 },
	{ 0, 127 * 1024, 1, 0 },
	{ 1, 512, 1, 0, true },
	{ 511, 512, 1, 0, true },
	{ 3, 4096, 1, 0, true },
	{ 0, 256, 2, 256, true },
	{ 0, 1, 512, 0, true },
	{ 8, 1536, 3, 1, true },
	{ 4095, 2, 256, 1, true },
	{ 16, 5000, 16, 7, true },
	{ 1, 64 * 1024, 1, 0, true },
	{ 4, 1024, DATA_SEGS, 4, true },
};

static void cut_check(struct blk_guest *bg, const struct cut *cut, u32 row,
		      u64 write_sector)
{
	struct blk_ask ask = { .op = VBUS_BLK_OP_WRITE, .sector = write_sector };
	u32 i, n = min_t(u32, cut->n, DATA_SEGS), off, len = 0;
	struct kunit *test = bg->g.test;
	struct ioq_seg segs[DATA_SEGS];
	u32 total = cut->len * cut->n;

	/* Rows of more segments than there may be have the rest in the last. */
	blk_fill(bg, 0, DATA, row + 1);
	for (i = 0, off = cut->off; i < n; i++) {
		segs[i] = blk_seg(bg, off, i < n - 1 ? cut->len : total - len,
				  false);
		len += segs[i].len;
		off += segs[i].len + cut->gap;
	}
	total = round_down(total, 512);
	segs[n - 1].len -= len - total;
	KUNIT_EXPECT_EQ_MSG(test, 0, blk_run(bg, blk_new(bg, &ask, segs, n),
					     row % 2 || n > 2), "row %u", row);
	/* It was read from its place, and there is nothing of what is between. */
	blk_mark(bg);
	ask.op = VBUS_BLK_OP_READ;
	for (i = 0; i < n; i++)
		segs[i].write = 1;
	KUNIT_EXPECT_EQ_MSG(test, 0, blk_run(bg, blk_new(bg, &ask, segs, n),
					     true), "row %u", row);
	KUNIT_EXPECT_TRUE_MSG(test, blk_is(bg, 0, cut->off, MARK), "row %u", row);
	for (i = 0, off = cut->off; i < n; i++) {
		KUNIT_EXPECT_TRUE_MSG(test, blk_filled(bg, off, segs[i].len,
						       row + 1, off),
				      "row %u, segment %u", row, i);
		off += segs[i].len;
		KUNIT_EXPECT_TRUE_MSG(test, blk_is(bg, off, cut->gap, MARK),
				      "row %u, behind segment %u", row, i);
		off += cut->gap;
	}
	/* The same bytes in one piece. */
	blk_mark(bg);
	KUNIT_EXPECT_EQ_MSG(test, 0, blk_do(bg, VBUS_BLK_OP_READ, 0,
					    write_sector, 0, total), "row %u",
			    row);
	for (i = 0, len = 0, off = cut->off; i < n; i++) {
		KUNIT_EXPECT_TRUE_MSG(test, blk_filled(bg, len, segs[i].len,
						       row + 1, off),
				      "row %u, disk at %u", row, len);
		len += segs[i].len;
		off += segs[i].len + cut->gap;
	}
	KUNIT_EXPECT_TRUE_MSG(test, blk_is(bg, total, DATA - total, MARK),
			      "row %u", row);
}

static void cuts_check(struct kunit *test, enum blk_backing backing)
{
	struct blk_guest *bg = blk_start(test, backing);
	u64 bounced, before = 0;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(cuts); i++) {
		cut_check(bg, &cuts[i], i, 7 + i);
		bounced = conn_guest_stat(&bg->g, "bounced");
		/* A write and the first read of it; a file takes any byte. */
		KUNIT_EXPECT_EQ_MSG(test, bounced - before,
				    cuts[i].bounced && backing != TMPFILE ?
				    2ULL : 0ULL, "%s, row %u",
				    blk_backing_names[backing], i);
		before = bounced;
	}
	KUNIT_EXPECT_EQ(test, conn_guest_stat(&bg->g, "errors"), 0ULL);
	blk_exit(test);
}

static void blk_cuts(struct kunit *test)
{
	u32 i;

	for (i = 0; i < NR_BACKINGS; i++)
		cuts_check(test, i);
}

/* As much as there may be in one request, whole and bounced. */
static void blk_longest(struct kunit *test)
{
	struct blk_guest *bg;
	u32 max, i, off;

	for (i = 0; i < NR_BACKINGS; i++) {
		bg = blk_start(test, i);
		max = le32_to_cpu(blk_config(bg).data_max);
		KUNIT_ASSERT_LT(test, max, (u32)DATA);
		for (off = 0; off < 2; off++) {
			blk_fill(bg, off, max, i + off);
			KUNIT_EXPECT_EQ(test, 0, blk_do(bg, VBUS_BLK_OP_WRITE,
							0, 8, off, max));
			blk_mark(bg);
			KUNIT_EXPECT_EQ(test, 0, blk_do(bg, VBUS_BLK_OP_READ,
							0, 8, off, max));
			KUNIT_EXPECT_TRUE_MSG(test, blk_filled(bg, off, max,
							       i + off, 0),
					      "%s at %u", blk_backing_names[i],
					      off);
			KUNIT_EXPECT_TRUE(test, blk_is(bg, off + max,
						       DATA - off - max, MARK));
		}
		blk_exit(test);
	}
}

/*
 * A bounced read that fails gives nothing away: neither what was in the pages of the
 * copies nor half of the data.
 */
static void blk_bounced_fails(struct kunit *test)
{
	struct blk_guest *bg = blk_start(test, DISK);

	bg->disk->status = BLK_STS_MEDIUM;
	blk_fill(bg, 0, 8192, 1);
	KUNIT_EXPECT_EQ(test, VBUS_BLK_S_MEDIUM,
			blk_do(bg, VBUS_BLK_OP_READ, 0, 0, 1, 4096));
	KUNIT_EXPECT_TRUE(test, blk_filled(bg, 0, 8192, 1, 0));
	bg->disk->status = BLK_STS_OK;
	KUNIT_EXPECT_EQ(test, 0, blk_do(bg, VBUS_BLK_OP_READ, 0, 0, 1, 4096));
	KUNIT_EXPECT_TRUE(test, blk_is(bg, 1, 4096, 0));
	KUNIT_EXPECT_EQ(test, conn_guest_stat(&bg->g, "bounced"), 2ULL);
}

/* --- what is promised of a write --- */

struct promise {
	const char *cache;
	u64 features;	/* accepted */
	u16 flags;
	bool fua;	/* a write reaches stable storage at once */
	bool flush;	/* the others are followed by a flush */
};

static const struct promise promises[] = {
	{ "write-back", ALL_FEATURES, 0, false, false },
	{ "write-back", ALL_FEATURES, VBUS_BLK_REQ_FUA, true, true },
	{ "write-back", ALL_FEATURES & ~VBUS_BLK_F_FLUSH, 0, true, true },
	{ "write-through", ALL_FEATURES & ~VBUS_BLK_F_FLUSH, 0, true, true },
};

static void promise_check(struct kunit *test, const struct promise *p, u32 row)
{
	struct blk_guest *bg = blk_create(test, DISK);
	struct fake_disk *fd = bg->disk;

	KUNIT_ASSERT_EQ(test, 0, conn_guest_attr(&bg->g, "cache", p->cache));
	blk_plug(bg);
	KUNIT_ASSERT_EQ(test, 0, conn_guest_start(&bg->g, p->features, 1, RING));
	KUNIT_EXPECT_EQ(test, 0, blk_do(bg, VBUS_BLK_OP_WRITE, p->flags, 0, 0,
					4096));
	KUNIT_EXPECT_EQ_MSG(test, fd->fua, p->fua ? 1U : 0U, "row %u", row);
	/* Bounced, too. */
	KUNIT_EXPECT_EQ(test, 0, blk_do(bg, VBUS_BLK_OP_WRITE, p->flags, 0, 1,
					4096));
	KUNIT_EXPECT_EQ_MSG(test, fd->fua, p->fua ? 2U : 0U, "row %u", row);
	KUNIT_EXPECT_EQ_MSG(test, fd->flushes, 0U, "row %u", row);
	KUNIT_EXPECT_EQ(test, 0, blk_range(bg, VBUS_BLK_OP_WRITE_ZEROES,
					   p->flags, 8, 8));
	KUNIT_EXPECT_EQ_MSG(test, fd->flushes, p->flush ? 1U : 0U, "row %u",
			    row);
	KUNIT_EXPECT_EQ(test, 0, blk_do(bg, VBUS_BLK_OP_READ, 0, 0, 0, 4096));
	KUNIT_EXPECT_EQ_MSG(test, fd->flushes, p->flush ? 1U : 0U, "row %u",
			    row);
	if (!p->flags) {
		KUNIT_EXPECT_EQ(test, 0, blk_range(bg, VBUS_BLK_OP_DISCARD, 0,
						   8, 8));
		KUNIT_EXPECT_EQ_MSG(test, fd->flushes, p->flush ? 2U : 0U,
				    "row %u", row);
	}
	if (p->features & VBUS_BLK_F_FLUSH) {
		fd->flushes = 0;
		KUNIT_EXPECT_EQ(test, 0, blk_do(bg, VBUS_BLK_OP_FLUSH, 0, 0, 0,
						0));
		KUNIT_EXPECT_EQ_MSG(test, fd->flushes, 1U, "row %u", row);
	}
	blk_exit(test);
}

static void blk_promise(struct kunit *test)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(promises); i++)
		promise_check(test, &promises[i], i);
}

/* A flush that fails is reported, also the one that follows of itself. */
static void blk_flush_fails(struct kunit *test)
{
	struct blk_guest *bg = blk_start(test, DISK);

	bg->disk->status = BLK_STS_IOERR;
	KUNIT_EXPECT_EQ(test, VBUS_BLK_S_IOERR,
			blk_do(bg, VBUS_BLK_OP_FLUSH, 0, 0, 0, 0));
	KUNIT_EXPECT_EQ(test, conn_guest_stat(&bg->g, "flushes"), 0ULL);
	KUNIT_EXPECT_EQ(test, conn_guest_stat(&bg->g, "errors"), 1ULL);
}

/* --- what is counted --- */

static void blk_stats(struct kunit *test)
{
	static const struct {
		const char *name;
		u64 want;
	} want[] = {
		{ "reads", 2 }, { "read_bytes", 4096 + 1024 },
		{ "writes", 3 }, { "write_bytes", 512 + 1024 + 8192 },
		{ "flushes", 1 }, { "discards", 1 }, { "write_zeroes", 1 },
		{ "errors", 2 }, { "bounced", 1 }, { "served_by_vcpu", 0 },
		{ "signals", 0 },
	};
	struct blk_guest *bg = blk_start(test, DISK);
	u32 i;

	blk_do(bg, VBUS_BLK_OP_READ, 0, 0, 0, 4096);
	blk_do(bg, VBUS_BLK_OP_READ, 0, 0, 0, 1024);
	blk_do(bg, VBUS_BLK_OP_WRITE, 0, 0, 0, 512);
	blk_do(bg, VBUS_BLK_OP_WRITE, VBUS_BLK_REQ_FUA, 0, 0, 1024);
	blk_do(bg, VBUS_BLK_OP_WRITE, 0, 0, 9, 8192);
	blk_do(bg, VBUS_BLK_OP_FLUSH, 0, 0, 0, 0);
	blk_range(bg, VBUS_BLK_OP_DISCARD, 0, 0, 8);
	blk_range(bg, VBUS_BLK_OP_WRITE_ZEROES, 0, 0, 8);
	/* What fails is that and nothing else, however far it came. */
	blk_do(bg, VBUS_BLK_OP_READ, 0, FAKE_DISK_SECTORS, 0, 512);
	bg->disk->status = BLK_STS_IOERR;
	blk_do(bg, VBUS_BLK_OP_WRITE, 0, 0, 0, 512);
	bg->disk->status = BLK_STS_OK;
	/* The first request of a ring is always signalled, as its event is zero. */
	KUNIT_EXPECT_EQ(test, atomic_read(&bg->g.q[0].signals), 1);
	for (i = 0; i < ARRAY_SIZE(want); i++)
		KUNIT_EXPECT_EQ_MSG(test, conn_guest_stat(&bg->g, want[i].name),
				    want[i].want + !strcmp(want[i].name,
							   "signals"),
				    "%s", want[i].name);
	KUNIT_EXPECT_GT(test, conn_guest_stat(&bg->g, "served"), 0ULL);

	/* Of the device, until it is disabled. */
	conn_guest_reset(&bg->g);
	KUNIT_EXPECT_EQ(test, conn_guest_stat(&bg->g, "reads"), 2ULL);
	conn_guest_unplug(&bg->g);
	KUNIT_ASSERT_EQ(test, 0, conn_guest_attr(&bg->g, "enable", "0"));
	blk_plug(bg);
	for (i = 0; i < ARRAY_SIZE(want); i++)
		KUNIT_EXPECT_EQ_MSG(test, conn_guest_stat(&bg->g, want[i].name),
				    0ULL, "%s", want[i].name);
}

/* --- the size --- */

static u64 blk_capacity(struct blk_guest *bg)
{
	return le64_to_cpu(blk_config(bg).capacity);
}

static void blk_resize(struct kunit *test)
{
	struct blk_guest *bg = blk_start(test, TMPFILE);
	u64 end = FILE_BYTES >> SECTOR_SHIFT;
	char text[32];

	atomic_set(&bg->g.changes, 0);
	KUNIT_EXPECT_EQ(test, -EINVAL, conn_guest_attr(&bg->g, "rescan", "0"));
	/* Nothing new is nothing to tell. */
	KUNIT_EXPECT_EQ(test, 0, conn_guest_attr(&bg->g, "rescan", "1"));
	KUNIT_EXPECT_EQ(test, 0, atomic_read(&bg->g.changes));

	/* Larger, by a block and a half; the half does not count. */
	blk_make_file(test, FILE_BYTES + 512 + 256);
	KUNIT_EXPECT_EQ(test, VBUS_BLK_S_RANGE,
			blk_do(bg, VBUS_BLK_OP_READ, 0, end, 0, 512));
	KUNIT_EXPECT_EQ(test, 0, conn_guest_attr(&bg->g, "rescan", "1"));
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&bg->g.changes));
	KUNIT_EXPECT_EQ(test, blk_capacity(bg), end + 1);
	KUNIT_ASSERT_EQ(test, 0, conn_guest_read(DEV "size", text, sizeof(text)));
	KUNIT_EXPECT_STREQ(test, strim(text), "2097664");
	KUNIT_EXPECT_EQ(test, 0, blk_do(bg, VBUS_BLK_OP_READ, 0, end, 0, 512));
	KUNIT_EXPECT_EQ(test, VBUS_BLK_S_RANGE,
			blk_do(bg, VBUS_BLK_OP_READ, 0, end + 1, 0, 512));

	/* Smaller, and nobody has said so: it can't be read, that is all. */
	blk_make_file(test, 65536);
	KUNIT_EXPECT_EQ(test, VBUS_BLK_S_IOERR,
			blk_do(bg, VBUS_BLK_OP_READ, 0, end, 0, 512));
	KUNIT_EXPECT_EQ(test, VBUS_BLK_S_IOERR,
			blk_do(bg, VBUS_BLK_OP_READ, 0, 127, 0, 1024));
	KUNIT_EXPECT_EQ(test, 0, blk_do(bg, VBUS_BLK_OP_READ, 0, 127, 0, 512));
	KUNIT_EXPECT_EQ(test, 0, conn_guest_attr(&bg->g, "rescan", "1"));
	KUNIT_EXPECT_EQ(test, 2, atomic_read(&bg->g.changes));
	KUNIT_EXPECT_EQ(test, blk_capacity(bg), 128ULL);
	KUNIT_EXPECT_EQ(test, VBUS_BLK_S_RANGE,
			blk_do(bg, VBUS_BLK_OP_READ, 0, 127, 0, 1024));

	/* No disk is empty. */
	blk_make_file(test, 511);
	KUNIT_EXPECT_EQ(test, -ENXIO, conn_guest_attr(&bg->g, "rescan", "1"));
	KUNIT_EXPECT_EQ(test, 2, atomic_read(&bg->g.changes));
	KUNIT_EXPECT_EQ(test, blk_capacity(bg), 128ULL);
	blk_make_file(test, FILE_BYTES);
	KUNIT_EXPECT_EQ(test, 0, conn_guest_attr(&bg->g, "rescan", "1"));
	KUNIT_EXPECT_EQ(test, blk_capacity(bg), end);
	blk_works(bg, "resize");
}

static struct kunit_case blk_cases[] = {
	KUNIT_CASE(blk_shape),
	KUNIT_CASE(blk_ops),
	KUNIT_CASE(blk_cuts),
	KUNIT_CASE(blk_longest),
	KUNIT_CASE(blk_bounced_fails),
	KUNIT_CASE(blk_promise),
	KUNIT_CASE(blk_flush_fails),
	KUNIT_CASE(blk_stats),
	KUNIT_CASE(blk_resize),
	{ }
};

static struct kunit_suite blk_suite = {
	.name = "dm_blk",
	.exit = blk_exit,
	.test_cases = blk_cases,
};

kunit_test_suite(blk_suite);

MODULE_DESCRIPTION("vbus test: host block model");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VBUS_SESSION);
