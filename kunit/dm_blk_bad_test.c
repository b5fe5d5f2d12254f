// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "blk": requests that a guest must not make.  Each is answered with its
 * status and leaves the queue working; what has no place for a status breaks the
 * device, which then looks at nothing until it is reset.
 */
#include "blk_guest.h"

#define RD	VBUS_BLK_OP_READ
#define WR	VBUS_BLK_OP_WRITE
#define FLUSH	VBUS_BLK_OP_FLUSH
#define DISCARD	VBUS_BLK_OP_DISCARD
#define ZEROES	VBUS_BLK_OP_WRITE_ZEROES
#define FUA	VBUS_BLK_REQ_FUA
#define NOUNMAP	VBUS_BLK_REQ_NOUNMAP

#define INVAL	VBUS_BLK_S_INVAL
#define RANGE	VBUS_BLK_S_RANGE
#define UNSUPP	VBUS_BLK_S_UNSUPP
#define RDONLY	VBUS_BLK_S_READ_ONLY
#define FAULT	VBUS_BLK_S_FAULT

/* The end of the disk. */
#define END	FAKE_DISK_SECTORS
#define RANGE_MAX	BIT(21)

/* --- requests that ask for what can't be --- */

struct bad {
	const char *name;
	struct blk_ask ask;
	u32 len;	/* of data, in the direction that fits */
	int want;
};

static const struct bad bads[] = {
	{ "read one past the end", { RD, 0, 0, END - 7 }, 4096, RANGE },
	{ "read at the end", { RD, 0, 0, END }, 512, RANGE },
	{ "read beyond", { RD, 0, 0, END + 8 }, 512, RANGE },
	{ "read that wraps in sectors", { RD, 0, 0, U64_MAX }, 512, RANGE },
	{ "read that wraps in bytes", { RD, 0, 0, 1ULL << 55 }, 512, RANGE },
	{ "write one past the end", { WR, 0, 0, END - 7 }, 4096, RANGE },
	{ "write at the end", { WR, 0, 0, END }, 512, RANGE },
	{ "write that wraps", { WR, 0, 0, U64_MAX - 7 }, 4096, RANGE },
	{ "read of nothing", { RD, 0, 0, 0 }, 0, INVAL },
	{ "write of nothing", { WR, 0, 0, 0 }, 0, INVAL },
	{ "read of a byte", { RD, 0, 0, 0 }, 1, INVAL },
	{ "read of 511", { RD, 0, 0, 0 }, 511, INVAL },
	{ "read of 513", { RD, 0, 0, 0 }, 513, INVAL },
	{ "write of 256", { WR, 0, 0, 0 }, 256, INVAL },
	{ "write of 4097", { WR, 0, 0, 0 }, 4097, INVAL },
	{ "read too long", { RD, 0, 0, 0 }, 512 * 1024 + 512, INVAL },
	{ "write too long", { WR, 0, 0, 0 }, 512 * 1024 + 512, INVAL },
	{ "read too long and beyond", { RD, 0, 0, END }, 600 * 1024, INVAL },
	{ "read with nr_sectors", { RD, 0, 8, 0 }, 4096, INVAL },
	{ "write with nr_sectors", { WR, 0, 1, 0 }, 512, INVAL },
	{ "flush with nr_sectors", { FLUSH, 0, 1, 0 }, 0, INVAL },
	{ "flush with a sector", { FLUSH, 0, 0, 1 }, 0, INVAL },
	{ "flush with data", { FLUSH, 0, 0, 0 }, 512, INVAL },
	{ "discard with data", { DISCARD, 0, 8, 0 }, 512, INVAL },
	{ "zeroes with data", { ZEROES, 0, 8, 0 }, 512, INVAL },
	{ "discard of nothing", { DISCARD, 0, 0, 0 }, 0, INVAL },
	{ "zeroes of nothing", { ZEROES, 0, 0, 0 }, 0, INVAL },
	{ "discard one past the end", { DISCARD, 0, 8, END - 7 }, 0, RANGE },
	{ "zeroes one past the end", { ZEROES, 0, 8, END - 7 }, 0, RANGE },
	{ "discard that wraps", { DISCARD, 0, 8, U64_MAX - 7 }, 0, RANGE },
	{ "zeroes that wrap", { ZEROES, 0, 8, U64_MAX }, 0, RANGE },
	{ "discard too long", { DISCARD, 0, 1025, 0 }, 0, INVAL },
	{ "zeroes of all and more", { ZEROES, 0, END + 1, 0 }, 0, RANGE },
	{ "zeroes too long", { ZEROES, 0, RANGE_MAX + 1, 0 }, 0, INVAL },
	{ "zeroes of 2 TiB", { ZEROES, 0, U32_MAX, 0 }, 0, INVAL },
	{ "no such operation", { 5, 0, 0, 0 }, 512, UNSUPP },
	{ "no such operation by far", { U16_MAX, U16_MAX, 0, 0 }, 512, UNSUPP },
	{ "FUA of a read", { RD, FUA, 0, 0 }, 512, INVAL },
	{ "FUA of a flush", { FLUSH, FUA, 0, 0 }, 0, INVAL },
	{ "FUA of a discard", { DISCARD, FUA, 8, 0 }, 0, INVAL },
	{ "NOUNMAP of a write", { WR, NOUNMAP, 0, 0 }, 512, INVAL },
	{ "NOUNMAP of a discard", { DISCARD, NOUNMAP, 8, 0 }, 0, INVAL },
	{ "unknown flag of a read", { RD, 0x4, 0, 0 }, 512, INVAL },
	{ "unknown flag of a write", { WR, 0x8000, 0, 0 }, 512, INVAL },
	{ "unknown flag beside FUA", { WR, FUA | 0x4, 0, 0 }, 512, INVAL },
	{ "unknown flag of zeroes", { ZEROES, 0x100, 8, 0 }, 0, INVAL },
};

/* Guests that have not accepted what they use. */
static const struct bad unaccepted[] = {
	{ "flush", { FLUSH, 0, 0, 0 }, 0, UNSUPP },
	{ "discard", { DISCARD, 0, 8, 0 }, 0, UNSUPP },
	{ "zeroes", { ZEROES, 0, 8, 0 }, 0, UNSUPP },
	{ "FUA of a write", { WR, FUA, 0, 0 }, 512, INVAL },
};

static const struct bad not_fua[] = {
	{ "flush", { FLUSH, 0, 0, 0 }, 0, UNSUPP },
	{ "FUA of a write", { WR, FUA, 0, 0 }, 512, INVAL },
	{ "FUA of zeroes", { ZEROES, FUA, 8, 0 }, 0, INVAL },
};

static const struct bad writes[] = {
	{ "write", { WR, 0, 0, 0 }, 512, RDONLY },
	{ "write with FUA", { WR, FUA, 0, 0 }, 512, RDONLY },
	{ "write beyond", { WR, 0, 0, END }, 512, RDONLY },
	{ "discard", { DISCARD, 0, 8, 0 }, 0, RDONLY },
	{ "zeroes", { ZEROES, 0, 8, 0 }, 0, RDONLY },
	/* Not before it is known to be one. */
	{ "unknown flag", { WR, 0x4, 0, 0 }, 512, INVAL },
	{ "no such operation", { 5, 0, 0, 0 }, 512, UNSUPP },
};

/* With blocks of 4096. */
static const struct bad misaligned[] = {
	{ "sector of a read", { RD, 0, 0, 1 }, 4096, INVAL },
	{ "sector of a write", { WR, 0, 0, 7 }, 4096, INVAL },
	{ "length of a read", { RD, 0, 0, 0 }, 512, INVAL },
	{ "length of a write", { WR, 0, 0, 8 }, 4096 + 512, INVAL },
	{ "sector of a discard", { DISCARD, 0, 8, 4 }, 0, INVAL },
	{ "length of a discard", { DISCARD, 0, 7, 0 }, 0, INVAL },
	{ "sector of zeroes", { ZEROES, 0, 8, 1 }, 0, INVAL },
	{ "length of zeroes", { ZEROES, 0, 1, 0 }, 0, INVAL },
};

/* It is refused, and neither the disk nor the guest's memory has changed. */
static void bad_check(struct blk_guest *bg, const struct bad *bad, bool writable)
{
	struct fake_disk *fd = bg->disk;
	u64 errors = conn_guest_stat(&bg->g, "errors");
	bool in = bad->ask.op != WR;
	struct kunit *test = bg->g.test;
	unsigned int bios[3] = {
		fake_disk_count(fd, REQ_OP_READ), fake_disk_count(fd, REQ_OP_WRITE),
		fake_disk_count(fd, REQ_OP_DISCARD),
	};
	struct ioq_seg data = blk_seg(bg, 0, bad->len, in);
	struct blk_io *io = blk_new(bg, &bad->ask, &data, !!bad->len);

	KUNIT_EXPECT_EQ_MSG(test, bad->want, blk_run(bg, io, errors % 2), "%s",
			    bad->name);
	KUNIT_EXPECT_TRUE_MSG(test, blk_is(bg, 0, DATA, MARK), "%s", bad->name);
	KUNIT_EXPECT_EQ_MSG(test, bios[0], fake_disk_count(fd, REQ_OP_READ), "%s",
			    bad->name);
	KUNIT_EXPECT_EQ_MSG(test, bios[1], fake_disk_count(fd, REQ_OP_WRITE), "%s",
			    bad->name);
	KUNIT_EXPECT_EQ_MSG(test, bios[2], fake_disk_count(fd, REQ_OP_DISCARD), "%s",
			    bad->name);
	KUNIT_EXPECT_EQ_MSG(test, conn_guest_stat(&bg->g, "errors"), errors + 1,
			    "%s", bad->name);
	if (writable) {
		blk_works(bg, bad->name);
		return;
	}
	KUNIT_EXPECT_EQ_MSG(test, 0, blk_do(bg, RD, 0, 0, 0, 4096), "%s",
			    bad->name);
	KUNIT_EXPECT_FALSE_MSG(test, conn_guest_broken(&bg->g), "%s", bad->name);
	blk_mark(bg);
}

static void bad_table(struct kunit *test, const char *attr, const char *value,
		      u64 features, const struct bad *table, u32 nr)
{
	struct blk_guest *bg = blk_create(test, DISK);
	u32 i;

	KUNIT_ASSERT_EQ(test, 0, conn_guest_attr(&bg->g, attr, value));
	blk_plug(bg);
	KUNIT_ASSERT_EQ(test, 0, conn_guest_start(&bg->g, features, 1, RING));
	for (i = 0; i < nr; i++)
		bad_check(bg, &table[i], strcmp(attr, "readonly"));
}

static void blk_bad(struct kunit *test)
{
	bad_table(test, "readonly", "0", ALL_FEATURES, bads, ARRAY_SIZE(bads));
}

static void blk_unaccepted(struct kunit *test)
{
	bad_table(test, "discard", "1", 0, unaccepted, ARRAY_SIZE(unaccepted));
	blk_exit(test);
	bad_table(test, "discard", "1", ALL_FEATURES & ~VBUS_BLK_F_FLUSH,
		  not_fua, ARRAY_SIZE(not_fua));
}

static void blk_read_only(struct kunit *test)
{
	bad_table(test, "readonly", "1", ALL_FEATURES, writes,
		  ARRAY_SIZE(writes));
}

static void blk_misaligned(struct kunit *test)
{
	bad_table(test, "logical_block_size", "4096", ALL_FEATURES, misaligned,
		  ARRAY_SIZE(misaligned));
}

/* --- data that is no data --- */

enum wrong {
	W_READ_OUT, W_READ_BOTH, W_WRITE_IN, W_WRITE_BOTH, W_FLUSH_IN,
	W_NOWHERE, W_THEN_NOWHERE, W_OVER_END, W_BOUNCED_NOWHERE,
	W_BOUNCED_THEN_NOWHERE, W_HEADER_NOWHERE, W_KINDS
};

static const struct {
	const char *name;
	u16 op;
	int want;
} wrongs[W_KINDS] = {
	[W_READ_OUT] = { "read into what is to be read", RD, INVAL },
	[W_READ_BOTH] = { "read into both", RD, INVAL },
	[W_WRITE_IN] = { "write of what is to be written", WR, INVAL },
	[W_WRITE_BOTH] = { "write of both", WR, INVAL },
	[W_FLUSH_IN] = { "flush with room", FLUSH, INVAL },
	[W_NOWHERE] = { "nowhere", RD, FAULT },
	[W_THEN_NOWHERE] = { "here, then nowhere", RD, FAULT },
	[W_OVER_END] = { "the end of all addresses", WR, FAULT },
	[W_BOUNCED_NOWHERE] = { "bounced, nowhere", WR, FAULT },
	[W_BOUNCED_THEN_NOWHERE] = { "bounced, then nowhere", RD, FAULT },
	[W_HEADER_NOWHERE] = { "no header", RD, FAULT },
};

static struct blk_io *wrong_make(struct blk_guest *bg, enum wrong kind)
{
	struct blk_ask ask = { .op = wrongs[kind].op };
	bool in = ask.op == RD;
	struct ioq_seg data[2] = {
		blk_seg(bg, 0, 512, in), blk_seg(bg, 4096, 512, in),
	};
	struct blk_io *io;
	u32 n = 1;

	switch (kind) {
	case W_READ_OUT:
		data[0].write = 0;
		break;
	case W_READ_BOTH:
		data[0].write = 0;
		n = 2;
		break;
	case W_FLUSH_IN:
	case W_WRITE_IN:
		data[0].write = 1;
		break;
	case W_WRITE_BOTH:
		data[1].write = 1;
		n = 2;
		break;
	case W_NOWHERE:
		data[0].addr = CONN_GUEST_NOWHERE;
		break;
	case W_THEN_NOWHERE:
		data[1].addr = CONN_GUEST_NOWHERE;
		n = 2;
		break;
	case W_OVER_END:
		data[0].addr = -512ULL;
		break;
	case W_BOUNCED_NOWHERE:
		data[0].addr = CONN_GUEST_NOWHERE + 1;
		break;
	case W_BOUNCED_THEN_NOWHERE:
		data[0].len = 511;
		data[1].addr = CONN_GUEST_NOWHERE + 3;
		data[1].len = 513;
		n = 2;
		break;
	default:
		break;
	}
	io = blk_new(bg, &ask, data, n);
	if (kind == W_HEADER_NOWHERE)
		io->segs[0].addr = CONN_GUEST_NOWHERE;
	return io;
}

static void blk_wrong(struct kunit *test)
{
	struct blk_guest *bg = blk_start(test, DISK);
	u32 i;

	for (i = 0; i < 2 * W_KINDS; i++) {
		u32 k = i / 2;

		KUNIT_EXPECT_EQ_MSG(test, wrongs[k].want,
				    blk_run(bg, wrong_make(bg, k), i % 2), "%s",
				    wrongs[k].name);
		KUNIT_EXPECT_TRUE_MSG(test, blk_is(bg, 0, DATA, MARK), "%s",
				      wrongs[k].name);
		blk_works(bg, wrongs[k].name);
	}
	KUNIT_EXPECT_EQ(test, conn_guest_stat(&bg->g, "errors"),
			2ULL * W_KINDS);
}

/* A place for the status that is nowhere matters when there is one to tell. */
static void blk_status_nowhere(struct kunit *test)
{
	struct blk_guest *bg = blk_start(test, DISK);
	struct blk_ask ask = { .op = WR };
	struct ioq_seg data = blk_seg(bg, 0, 512, false);
	struct blk_io *io = blk_new(bg, &ask, &data, 1);

	io->segs[2].addr = CONN_GUEST_NOWHERE;
	KUNIT_EXPECT_EQ(test, 0, blk_run(bg, io, false));
	blk_works(bg, "status nowhere");
	ask.sector = END;
	io = blk_new(bg, &ask, &data, 1);
	io->segs[2].addr = CONN_GUEST_NOWHERE;
	KUNIT_ASSERT_EQ(test, 0, blk_add(bg, 0, io, false));
	atomic_set(&bg->g.changes, 0);
	blk_serve(bg, 0, false);
	KUNIT_EXPECT_TRUE(test, conn_guest_broken(&bg->g));
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&bg->g.changes));
}

/* --- tables in memory --- */

/* The same table for two chains: two requests, both answered. */
static void blk_same_table(struct kunit *test)
{
	struct blk_guest *bg = blk_start(test, DISK);
	struct blk_ask ask = { .op = RD };
	struct ioq_seg data = blk_seg(bg, 0, 4096, true);
	struct blk_io *io = blk_new(bg, &ask, &data, 1), *done;
	u32 i;

	for (i = 0; i < 2; i++)
		KUNIT_ASSERT_EQ(test, 0, blk_add(bg, 0, io, true));
	conn_guest_kick(&bg->g, 0);
	for (i = 0; i < 2; i++) {
		done = blk_take(bg, 0);
		KUNIT_ASSERT_PTR_EQ(test, (void *)done, (void *)io);
		KUNIT_EXPECT_EQ(test, 0, blk_result(done));
	}
	KUNIT_EXPECT_TRUE(test, blk_is(bg, 0, 4096, 0));
	KUNIT_EXPECT_EQ(test, conn_guest_stat(&bg->g, "reads"), 2ULL);
	blk_works(bg, "the same table");
}

/*
 * Tables that overlap: what is the header of the second chain is data of the first,
 * and both end with the same status.
 */
static void blk_overlapping_tables(struct kunit *test)
{
	struct blk_ask ask = { .op = WR, .sector = 16 };
	struct blk_guest *bg = blk_start(test, DISK);
	struct ioq_north *north = &bg->g.q[0].north;
	struct ioq_seg data[2];
	struct blk_io *io, *io2;
	u64 table;

	/* The second is a FLUSH with data, which is refused. */
	io2 = blk_new(bg, &(struct blk_ask){ .op = FLUSH }, NULL, 0);
	data[0] = io2->segs[0];
	data[1] = blk_seg(bg, 0, 512 - 16, false);
	blk_fill(bg, 0, 512, 3);
	io = blk_new(bg, &ask, data, 2);
	KUNIT_ASSERT_EQ(test, 0, blk_add(bg, 0, io, true));
	table = blk_cmd_addr(io, offsetof(struct blk_cmd, table[1]));
	io2->in_len = sizeof(struct vbus_blk_status);
	KUNIT_ASSERT_EQ(test, 0, ioq_north_add_indirect(north, table, 3,
							io2->in_len, io2));
	conn_guest_kick(&bg->g, 0);
	KUNIT_ASSERT_PTR_EQ(test, (void *)blk_take(bg, 0), (void *)io);
	KUNIT_EXPECT_EQ(test, io->len, 0U);
	KUNIT_ASSERT_PTR_EQ(test, (void *)blk_take(bg, 0), (void *)io2);
	KUNIT_EXPECT_EQ(test, io2->len, io2->in_len);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(io->cmd->status.status), (u32)INVAL);
	io->busy = false;
	io2->busy = false;
	KUNIT_EXPECT_EQ(test, 0, memcmp(bg->disk->data + 16 * 512,
					&io2->cmd->req, 16));
	KUNIT_EXPECT_EQ(test, 0, memcmp(bg->disk->data + 16 * 512 + 16,
					bg->g.buf, 512 - 16));
	blk_works(bg, "overlapping tables");
}

/* --- chains that can't be answered --- */

enum broken {
	B_ONLY_HEADER, B_ONLY_STATUS, B_NO_STATUS, B_NO_HEADER, B_SHORT_HEADER,
	B_LONG_HEADER, B_SHORT_STATUS, B_LONG_STATUS, B_TWO_PIECES,
	B_SEGMENTS, B_EMPTY_SEGMENT, B_TABLE_NOWHERE, B_TABLE_EMPTY, B_WRAPS,
	B_TWICE, B_KINDS
};

static const char *const broken_names[B_KINDS] = {
	[B_ONLY_HEADER] = "only a header",
	[B_ONLY_STATUS] = "only a status",
	[B_NO_STATUS] = "no status",
	[B_NO_HEADER] = "no header",
	[B_SHORT_HEADER] = "short header",
	[B_LONG_HEADER] = "header and data in one",
	[B_SHORT_STATUS] = "short status",
	[B_LONG_STATUS] = "data and status in one",
	[B_TWO_PIECES] = "a header in two pieces",
	[B_SEGMENTS] = "too many segments",
	[B_EMPTY_SEGMENT] = "an empty segment",
	[B_TABLE_NOWHERE] = "a table nowhere",
	[B_TABLE_EMPTY] = "an empty table",
	[B_WRAPS] = "data that wraps",
	[B_TWICE] = "the id of one in flight",
};

/* Two chains with one id: rewrite the second, which is not held back. */
static void broken_twice(struct blk_guest *bg, struct blk_io *io)
{
	struct ioq_north *north = &bg->g.q[0].north;
	struct blk_ask ask = { .op = RD };
	struct ioq_seg data = blk_seg(bg, 0, 512, true);
	struct vbus_ring_desc *d;
	u64 id;

	/* The first is in flight, as what has ended waits for the batch. */
	KUNIT_ASSERT_EQ(bg->g.test, 0, blk_add(bg, 0, io, true));
	io = blk_new(bg, &ask, &data, 1);
	KUNIT_ASSERT_EQ(bg->g.test, 0, blk_add(bg, 0, io, true));
	id = north->first & VBUS_RING_ID_MASK;
	d = &north->desc[(north->desc_pos - 1) & north->mask];
	d->ctl = (d->ctl & ~cpu_to_le64(VBUS_RING_ID_MASK)) | cpu_to_le64(id);
}

static void broken_post(struct blk_guest *bg, enum broken kind)
{
	struct ioq_north *north = &bg->g.q[0].north;
	struct blk_ask ask = { .op = RD };
	struct ioq_seg data[DATA_SEGS + 1];
	bool indirect = kind == B_SEGMENTS;
	struct kunit *test = bg->g.test;
	struct blk_io *io;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(data); i++)
		data[i] = blk_seg(bg, 512 * i, 512, true);
	io = blk_new(bg, &ask, data, kind == B_SEGMENTS ? ARRAY_SIZE(data) : 1);
	switch (kind) {
	case B_ONLY_HEADER:
		io->n = 1;
		break;
	case B_ONLY_STATUS:
		io->segs[0] = io->segs[2];
		io->n = 1;
		break;
	case B_NO_STATUS:
		io->n = 2;
		break;
	case B_NO_HEADER:
		io->segs[0] = io->segs[1];
		io->segs[1] = io->segs[2];
		io->n = 2;
		break;
	case B_SHORT_HEADER:
		io->segs[0].len--;
		break;
	case B_LONG_HEADER:
		io->segs[0].len += 512;
		break;
	case B_SHORT_STATUS:
		io->segs[2].len--;
		break;
	case B_LONG_STATUS:
		io->segs[2].len++;
		break;
	case B_TWO_PIECES:
		io->segs[0].len = 8;
		io->segs[1] = io->segs[0];
		io->segs[1].addr += 8;
		break;
	case B_EMPTY_SEGMENT:
	case B_TABLE_EMPTY:
		ioq_fill_table(io->cmd->table, io->segs, io->n);
		io->cmd->table[1].ctl = cpu_to_le64(VBUS_RING_WRITE);
		KUNIT_ASSERT_EQ(test, 0,
				ioq_north_add_indirect(north,
						       virt_to_phys(io->cmd->table),
						       3, 516, io));
		/* North does not let this pass, but it is only memory. */
		if (kind == B_TABLE_EMPTY)
			north->first &= ~VBUS_RING_LEN_MASK;
		return;
	case B_TABLE_NOWHERE:
		KUNIT_ASSERT_EQ(test, 0,
				ioq_north_add_indirect(north, CONN_GUEST_NOWHERE,
						       3, 516, io));
		return;
	case B_WRAPS:
		io->segs[1].addr = -511ULL;
		break;
	case B_TWICE:
		broken_twice(bg, io);
		return;
	default:
		break;
	}
	KUNIT_ASSERT_EQ(test, 0, blk_add(bg, 0, io, indirect));
}

static void blk_broken(struct kunit *test)
{
	struct blk_guest *bg = blk_start(test, DISK);
	struct blk_io *io;
	u32 kind, i, len;
	u64 served;

	for (kind = 0; kind < B_KINDS; kind++) {
		const char *name = broken_names[kind];

		atomic_set(&bg->g.changes, 0);
		broken_post(bg, kind);
		/* In this thread, so that afterwards nobody serves. */
		blk_serve(bg, 0, kind % 2);
		KUNIT_EXPECT_TRUE_MSG(test, conn_guest_broken(&bg->g), "%s",
				      name);
		KUNIT_EXPECT_EQ_MSG(test, 1, atomic_read(&bg->g.changes), "%s",
				    name);
		/* What was good before it is still carried out, and answered. */
		KUNIT_EXPECT_TRUE_MSG(test, blk_is(bg, 0, 512, kind == B_TWICE ?
						   0 : MARK), "%s", name);
		KUNIT_EXPECT_TRUE_MSG(test, blk_is(bg, 512, DATA - 512, MARK),
				      "%s", name);
		io = ioq_north_get(&bg->g.q[0].north, &len);
		KUNIT_EXPECT_EQ_MSG(test, !!io, kind == B_TWICE, "%s", name);
		if (io)
			KUNIT_EXPECT_EQ_MSG(test, len, 512U, "%s", name);

		/* It has stopped: what comes now is not looked at. */
		blk_mark(bg);
		served = conn_guest_stat(&bg->g, "reads");
		io = blk_new(bg, &(struct blk_ask){ .op = RD },
			     &(struct ioq_seg){
				.addr = conn_guest_addr(&bg->g, 0),
				.len = 512, .write = 1
			     }, 1);
		KUNIT_ASSERT_EQ(test, 0, blk_add(bg, 0, io, false));
		KUNIT_EXPECT_FALSE_MSG(test, blk_serve(bg, 0, false), "%s", name);
		KUNIT_EXPECT_FALSE_MSG(test,
				       ioq_north_pending(&bg->g.q[0].north),
				       "%s", name);
		KUNIT_EXPECT_TRUE_MSG(test, blk_is(bg, 0, DATA, MARK), "%s",
				      name);
		KUNIT_EXPECT_EQ_MSG(test, conn_guest_stat(&bg->g, "reads"),
				    served, "%s", name);

		/* Until it is reset. */
		for (i = 0; i < NR_IO; i++)
			bg->io[i].busy = false;
		KUNIT_ASSERT_EQ(test, 0, conn_guest_start(&bg->g, ALL_FEATURES,
							  1, RING));
		blk_works(bg, name);
	}
}

/*
 * The same with one that is in flight for longer: it is ended, and nothing is done
 * twice.
 */
static void blk_twice_held(struct kunit *test)
{
	struct blk_guest *bg = blk_start(test, DISK);
	struct ioq_north *north = &bg->g.q[0].north;
	struct blk_ask ask = { .op = RD };
	struct ioq_seg data = blk_seg(bg, 0, 512, true);
	struct blk_io *io = blk_new(bg, &ask, &data, 1);
	u64 id;

	bg->disk->hold = true;
	KUNIT_ASSERT_EQ(test, 0, blk_add(bg, 0, io, true));
	id = north->first & VBUS_RING_ID_MASK;
	blk_serve(bg, 0, false);
	KUNIT_ASSERT_TRUE(test, fake_disk_holds(bg->disk, 1));
	KUNIT_ASSERT_EQ(test, 0, blk_add(bg, 0, blk_new(bg, &ask, &data, 1),
					 true));
	north->first = (north->first & ~VBUS_RING_ID_MASK) | id;
	blk_serve(bg, 0, false);
	KUNIT_EXPECT_TRUE(test, conn_guest_broken(&bg->g));
	KUNIT_EXPECT_EQ(test, fake_disk_count(bg->disk, REQ_OP_READ), 1U);
	fake_disk_let_all(bg->disk);
	conn_guest_reset(&bg->g);
	KUNIT_EXPECT_TRUE(test, ioq_north_pending(north));
	KUNIT_EXPECT_TRUE(test, blk_is(bg, 0, 512, 0));
}

static struct kunit_case blk_cases[] = {
	KUNIT_CASE(blk_bad),
	KUNIT_CASE(blk_unaccepted),
	KUNIT_CASE(blk_read_only),
	KUNIT_CASE(blk_misaligned),
	KUNIT_CASE(blk_wrong),
	KUNIT_CASE(blk_status_nowhere),
	KUNIT_CASE(blk_same_table),
	KUNIT_CASE(blk_overlapping_tables),
	KUNIT_CASE(blk_broken),
	KUNIT_CASE(blk_twice_held),
	{ }
};

static struct kunit_suite blk_suite = {
	.name = "dm_blk_bad",
	.exit = blk_exit,
	.test_cases = blk_cases,
};

kunit_test_suite(blk_suite);

MODULE_DESCRIPTION("vbus test: host block model, bad requests");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VBUS_MODEL);
