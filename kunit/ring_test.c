// SPDX-License-Identifier: GPL-2.0
/*
 * The ring as the kernel builds it: boundaries, laps across the wrap of the
 * positions, indirect tables, suppression, in-order batches, detach and attach,
 * and a peer that lies. Random operations and real threads, which need more
 * time and more CPUs than UML has, are in tests/user.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <vbus/ring.h>

/* Where the tests' tables are, as south sees it. */
#define TABLES		0x100000000ULL
#define TABLE_ENTRIES	64
#define SEGS		32

struct ring_ctx {
	struct ioq_north n;
	struct ioq_south s;
	u32 size;
	void *area;
	void *state;
	struct vbus_ring_desc *table;
	struct ioq_seg segs[SEGS];
	struct ioq_chain chain;
};

/* Positions where the wrap at 2^32 or a change of phase falls into the test. */
static const struct ioq_pos starts[] = {
	{ 0, 0, 0 },
	{ 0xfffffffd, 0xfffffffe, 0xfffffffe },
	{ 0x7fffffff, 0xffffffff, 0xffffffff },
};

static int ring_copy(void *data, void *dst, u64 addr, u32 len)
{
	struct ring_ctx *ctx = data;
	u64 bytes = TABLE_ENTRIES * sizeof(*ctx->table), off = addr - TABLES;

	if (off > bytes || len > bytes - off)
		return -EFAULT;
	memcpy(dst, (char *)ctx->table + off, len);
	return 0;
}

static void ring_make(struct kunit *test, u32 size, u32 flags,
		      struct ioq_pos pos)
{
	struct ring_ctx *ctx = test->priv;

	kvfree(ctx->area);
	kvfree(ctx->state);
	ctx->size = size;
	/* A page at least, so that it is aligned whatever debugging is on. */
	ctx->area = kvzalloc(max_t(size_t, PAGE_SIZE, ioq_bytes(size)),
			     GFP_KERNEL);
	ctx->state = kvzalloc(ioq_north_state_bytes(size), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, ctx->area);
	KUNIT_ASSERT_NOT_NULL(test, ctx->state);
	KUNIT_ASSERT_EQ(test, 0, ioq_north_init_at(&ctx->n, ctx->area, size,
						   flags, ctx->state, &pos));
	KUNIT_ASSERT_EQ(test, 0, ioq_south_init(&ctx->s, ctx->area, size, flags,
						pos));
}

static int ring_get(struct ring_ctx *ctx)
{
	return ioq_south_get(&ctx->s, ctx->segs, SEGS, &ctx->chain, ring_copy,
			     ctx);
}

/* Cookies are numbers that are not NULL. */
static void *cookie_of(unsigned long number)
{
	return (void *)(number + 1);
}

static void ring_send(struct kunit *test, u32 n)
{
	struct ioq_seg seg = { .addr = 4096, .len = 64, .write = 1 };
	struct ring_ctx *ctx = test->priv;
	u32 i;

	for (i = 0; i < n; i++)
		KUNIT_ASSERT_EQ(test, 0, ioq_north_add(&ctx->n, &seg, 1,
						       cookie_of(i)));
	KUNIT_EXPECT_TRUE(test, ioq_north_publish(&ctx->n));
}

static void ring_serve(struct kunit *test, u32 n)
{
	struct ring_ctx *ctx = test->priv;

	while (n--) {
		KUNIT_ASSERT_EQ(test, 1, ring_get(ctx));
		ioq_south_complete(&ctx->s, ctx->chain.id, 1);
	}
	KUNIT_EXPECT_TRUE(test, ioq_south_publish(&ctx->s));
}

static void ring_reap(struct kunit *test, u32 n)
{
	struct ring_ctx *ctx = test->priv;
	u32 len;

	while (n--)
		KUNIT_ASSERT_NOT_NULL(test, ioq_north_get(&ctx->n, &len));
}

static void ring_bad_init_test(struct kunit *test)
{
	static const u32 sizes[] = { 0, 1, 3, 32767, 32769, 65536, U32_MAX };
	struct ring_ctx *ctx = test->priv;
	struct ioq_pos zero = { };
	unsigned int i;

	ring_make(test, 4, 0, zero);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		KUNIT_EXPECT_EQ(test, -EINVAL,
				ioq_north_init(&ctx->n, ctx->area, sizes[i], 0,
					       ctx->state));
		KUNIT_EXPECT_EQ(test, -EINVAL,
				ioq_south_init(&ctx->s, ctx->area, sizes[i], 0,
					       zero));
	}
	for (i = 1; i < 32; i++) {
		KUNIT_EXPECT_EQ(test, -EINVAL,
				ioq_north_init(&ctx->n, ctx->area, 4, BIT(i),
					       ctx->state));
		KUNIT_EXPECT_EQ(test, -EINVAL,
				ioq_south_init(&ctx->s, ctx->area, 4, BIT(i),
					       zero));
	}
	KUNIT_EXPECT_EQ(test, -EINVAL, ioq_north_init(&ctx->n, ctx->area + 8, 4,
						      0, ctx->state));
	KUNIT_EXPECT_EQ(test, -EINVAL, ioq_south_init(&ctx->s, ctx->area + 8, 4,
						      0, zero));
}

static void ring_bad_add_test(struct kunit *test)
{
	static const struct {
		struct ioq_seg segs[2];
		u32 n;
	} bad[] = {
		{ { { 1, 1, 0 } }, 0 },			/* no segment */
		{ { { 1, 1, 0 } }, 5 },			/* more than the ring */
		{ { { 1, 0, 0 } }, 1 },			/* empty */
		{ { { 1, 1, 1 }, { 1, 1, 0 } }, 2 },	/* read after write */
		{ { { 1, U32_MAX, 0 }, { 1, 1, 0 } }, 2 },
		{ { { 1, U32_MAX, 1 }, { 1, 1, 1 } }, 2 },
	};
	struct ring_ctx *ctx = test->priv;
	struct ioq_seg good = { 1, 1, 0 };
	unsigned int i;

	ring_make(test, 4, 0, starts[0]);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_EQ_MSG(test, -EINVAL,
				    ioq_north_add(&ctx->n, bad[i].segs,
						  bad[i].n, ctx), "row %u", i);
	KUNIT_EXPECT_EQ(test, -EINVAL, ioq_north_add(&ctx->n, &good, 1, NULL));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			ioq_north_add_indirect(&ctx->n, TABLES, 0, 0, ctx));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			ioq_north_add_indirect(&ctx->n, TABLES,
					       VBUS_RING_MAX_TABLE + 1, 0, ctx));
	KUNIT_EXPECT_EQ(test, 4U, ioq_north_free(&ctx->n));
	KUNIT_EXPECT_FALSE(test, ioq_north_publish(&ctx->n));
	KUNIT_EXPECT_EQ(test, 0, ring_get(ctx));
}

/* Several laps, full each time, in chains of @per slots. */
static void ring_laps(struct kunit *test, u32 size, u32 flags,
		      struct ioq_pos pos, u32 per)
{
	u32 chains = size / per, i, j, lap, len, in = 0, out = 0;
	struct ring_ctx *ctx = test->priv;
	struct ioq_seg segs[3];

	ring_make(test, size, flags, pos);
	for (lap = 0; lap < 3; lap++) {
		for (i = 0; i < chains; i++, in++) {
			for (j = 0; j < per; j++)
				segs[j] = (struct ioq_seg){ in, j + 1, !!j };
			KUNIT_ASSERT_EQ(test, 0,
					ioq_north_add(&ctx->n, segs, per,
						      cookie_of(in)));
		}
		KUNIT_ASSERT_EQ(test, -ENOSPC,
				ioq_north_add(&ctx->n, segs, per, ctx));
		KUNIT_ASSERT_EQ(test, 0, ring_get(ctx));
		KUNIT_ASSERT_TRUE(test, ioq_north_publish(&ctx->n));
		KUNIT_ASSERT_EQ(test, chains, ioq_north_outstanding(&ctx->n));
		for (i = 0; i < chains; i++, out++) {
			KUNIT_ASSERT_TRUE(test, ioq_south_pending(&ctx->s));
			KUNIT_ASSERT_EQ(test, 1, ring_get(ctx));
			KUNIT_ASSERT_EQ(test, per, ctx->chain.slots);
			KUNIT_ASSERT_EQ(test, (u64)out, ctx->segs[0].addr);
			KUNIT_ASSERT_EQ(test, 1U, ctx->chain.nr_out);
			KUNIT_ASSERT_EQ(test, per - 1, ctx->chain.nr_in);
			ioq_south_complete(&ctx->s, ctx->chain.id, per - 1);
		}
		KUNIT_ASSERT_FALSE(test, ioq_north_pending(&ctx->n));
		KUNIT_ASSERT_TRUE(test, ioq_south_publish(&ctx->s));
		KUNIT_ASSERT_FALSE(test, ioq_south_publish(&ctx->s));
		for (i = 0; i < chains; i++) {
			KUNIT_ASSERT_PTR_EQ(test, cookie_of(out - chains + i),
					    ioq_north_get(&ctx->n, &len));
			KUNIT_ASSERT_EQ(test, per - 1, len);
		}
		KUNIT_ASSERT_EQ(test, size, ioq_north_free(&ctx->n));
	}
}

static void ring_wrap_test(struct kunit *test)
{
	u32 flags, i, per, size;

	for (size = VBUS_RING_MIN_SIZE; size <= VBUS_RING_MAX_SIZE;
	     size *= size < 64 ? 2 : 8)
		for (flags = 0; flags <= IOQ_F_ALL; flags++)
			for (i = 0; i < ARRAY_SIZE(starts); i++)
				for (per = 1; per <= 3 && per <= size; per++)
					ring_laps(test, size, flags, starts[i],
						  per);
	ring_laps(test, VBUS_RING_MAX_SIZE, 0, starts[1], 3);
}

static void ring_indirect_test(struct kunit *test)
{
	struct ring_ctx *ctx = test->priv;
	struct ioq_seg segs[SEGS];
	u32 i, in_len, len, n;

	ring_make(test, 2, 0, starts[0]);
	for (n = 1; n <= SEGS; n++) {
		for (i = 0; i < n; i++)
			segs[i] = (struct ioq_seg){ i * 4096ULL, i + 1,
						    i >= n / 2 };
		in_len = ioq_fill_table(ctx->table, segs, n);
		KUNIT_ASSERT_EQ(test, 0,
				ioq_north_add_indirect(&ctx->n, TABLES, n,
						       in_len, ctx));
		ioq_north_publish(&ctx->n);
		KUNIT_ASSERT_EQ(test, 1, ring_get(ctx));
		KUNIT_EXPECT_EQ(test, 1U, ctx->chain.slots);
		KUNIT_EXPECT_EQ(test, n / 2, ctx->chain.nr_out);
		KUNIT_EXPECT_EQ(test, n - n / 2, ctx->chain.nr_in);
		KUNIT_EXPECT_EQ(test, in_len, ctx->chain.in_len);
		KUNIT_EXPECT_EQ(test, 0, memcmp(segs, ctx->segs,
						n * sizeof(segs[0])));
		ioq_south_complete(&ctx->s, ctx->chain.id, in_len);
		ioq_south_publish(&ctx->s);
		KUNIT_EXPECT_PTR_EQ(test, (void *)ctx,
				    ioq_north_get(&ctx->n, &len));
		KUNIT_EXPECT_EQ(test, in_len, len);
	}
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_EQ(test, 0, ioq_north_add_indirect(&ctx->n, TABLES,
								1, 0, ctx));
	KUNIT_EXPECT_EQ(test, -ENOSPC,
			ioq_north_add_indirect(&ctx->n, TABLES, 1, 0, ctx));
}

static void ring_suppression(struct kunit *test, u32 flags, struct ioq_pos pos)
{
	struct ring_ctx *ctx = test->priv;

	ring_make(test, 16, flags, pos);
	ring_send(test, 1);
	KUNIT_EXPECT_TRUE(test, ioq_north_kick_needed(&ctx->n));
	KUNIT_EXPECT_FALSE(test, ioq_north_kick_needed(&ctx->n));
	ring_serve(test, 1);
	KUNIT_EXPECT_TRUE(test, ioq_south_signal_needed(&ctx->s));
	KUNIT_EXPECT_FALSE(test, ioq_south_signal_needed(&ctx->s));
	ring_reap(test, 1);
	/* Nobody asked again; who asks too late learns it. */
	ring_send(test, 5);
	KUNIT_EXPECT_FALSE(test, ioq_north_kick_needed(&ctx->n));
	KUNIT_EXPECT_FALSE(test, ioq_south_enable_kicks(&ctx->s));
	ring_serve(test, 5);
	KUNIT_EXPECT_FALSE(test, ioq_south_signal_needed(&ctx->s));
	KUNIT_EXPECT_FALSE(test, ioq_north_enable_signals(&ctx->n, 1));
	ring_reap(test, 5);
	/* In time, and for later than the next. */
	KUNIT_EXPECT_TRUE(test, ioq_south_enable_kicks_after(&ctx->s, 3));
	KUNIT_EXPECT_TRUE(test, ioq_north_enable_signals(&ctx->n, 3));
	ring_send(test, 2);
	KUNIT_EXPECT_FALSE(test, ioq_north_kick_needed(&ctx->n));
	ring_send(test, 2);
	KUNIT_EXPECT_TRUE(test, ioq_north_kick_needed(&ctx->n));
	ring_serve(test, 2);
	KUNIT_EXPECT_FALSE(test, ioq_south_signal_needed(&ctx->s));
	ring_serve(test, 2);
	KUNIT_EXPECT_TRUE(test, ioq_south_signal_needed(&ctx->s));
}

static void ring_suppression_test(struct kunit *test)
{
	u32 flags, i;

	for (flags = 0; flags <= IOQ_F_ALL; flags++)
		for (i = 0; i < ARRAY_SIZE(starts); i++)
			ring_suppression(test, flags, starts[i]);
}

static void ring_in_order_batch_test(struct kunit *test)
{
	struct ring_ctx *ctx = test->priv;
	u32 i, len, n, round;

	ring_make(test, 8, IOQ_F_IN_ORDER,
		  (struct ioq_pos){ 0xfffffff9, 77, 0xfffffffe });
	for (round = 0; round < 24; round++) {
		n = round % 8 + 1;
		KUNIT_EXPECT_TRUE(test, ioq_north_enable_signals(&ctx->n, n));
		ring_send(test, n);
		for (i = 0; i < n; i++)
			KUNIT_ASSERT_EQ(test, 1, ring_get(ctx));
		ioq_south_complete(&ctx->s, ctx->chain.id, 33);
		KUNIT_EXPECT_EQ(test, 0U, ioq_south_inflight(&ctx->s));
		ioq_south_publish(&ctx->s);
		KUNIT_EXPECT_TRUE(test, ioq_south_signal_needed(&ctx->s));
		for (i = 0; i < n; i++) {
			KUNIT_EXPECT_PTR_EQ(test, cookie_of(i),
					    ioq_north_get(&ctx->n, &len));
			KUNIT_EXPECT_EQ(test, i + 1 == n ? 33U : 0U, len);
		}
		KUNIT_EXPECT_NULL(test, ioq_north_get(&ctx->n, &len));
	}
}

static void ring_rewind_test(struct kunit *test)
{
	struct ring_ctx *ctx = test->priv;
	struct ioq_mark mark;
	u32 flags, i, id;

	for (flags = 0; flags <= IOQ_F_ALL; flags++) {
		ring_make(test, 8, flags, starts[1]);
		ring_send(test, 8);
		ring_serve(test, 2);
		mark = ioq_south_mark(&ctx->s);
		KUNIT_ASSERT_EQ(test, 1, ring_get(ctx));
		id = ctx->chain.id;
		for (i = 0; i < 5; i++)
			KUNIT_ASSERT_EQ(test, 1, ring_get(ctx));
		KUNIT_EXPECT_EQ(test, 0, ring_get(ctx));
		ioq_south_rewind(&ctx->s, mark);
		KUNIT_EXPECT_EQ(test, 0U, ioq_south_inflight(&ctx->s));
		KUNIT_ASSERT_EQ(test, 1, ring_get(ctx));
		KUNIT_EXPECT_EQ(test, id, ctx->chain.id);
		ioq_south_rewind(&ctx->s, mark);
		ring_serve(test, 6);
		ring_reap(test, 8);
	}
}

static void ring_attach_test(struct kunit *test)
{
	struct ring_ctx *ctx = test->priv;
	struct ioq_pos pos;
	u32 flags, round;

	for (flags = 0; flags <= IOQ_F_ALL; flags++) {
		ring_make(test, 8, flags, starts[1]);
		for (round = 0; round < 10; round++) {
			ioq_north_enable_signals(&ctx->n, 1);
			ring_send(test, 5);
			ring_serve(test, 3);
			KUNIT_ASSERT_TRUE(test, ioq_south_pos(&ctx->s, &pos));
			memset(&ctx->s, 0xff, sizeof(ctx->s));
			KUNIT_ASSERT_EQ(test, 0,
					ioq_south_init(&ctx->s, ctx->area, 8,
						       flags, pos));
			/* What the old south owed, the new one gives. */
			KUNIT_EXPECT_TRUE(test,
					  ioq_south_signal_needed(&ctx->s));
			KUNIT_EXPECT_FALSE(test,
					   ioq_south_enable_kicks(&ctx->s));
			ring_serve(test, 2);
			ring_reap(test, 5);
		}
		ring_send(test, 1);
		KUNIT_ASSERT_EQ(test, 1, ring_get(ctx));
		KUNIT_EXPECT_FALSE(test, ioq_south_pos(&ctx->s, &pos));
	}
}

static void ring_detach_test(struct kunit *test)
{
	struct ring_ctx *ctx = test->priv;
	unsigned long seen;
	u32 flags;
	void *c;

	for (flags = 0; flags <= IOQ_F_ALL; flags++) {
		ring_make(test, 8, flags, starts[2]);
		ring_send(test, 6);
		ring_serve(test, 4);
		ring_reap(test, 2);
		seen = 0;
		while ((c = ioq_north_detach(&ctx->n)))
			seen |= BIT((unsigned long)c - 1);
		KUNIT_EXPECT_EQ(test, 0x3cUL, seen);
		KUNIT_EXPECT_EQ(test, 0U, ioq_north_outstanding(&ctx->n));
		KUNIT_EXPECT_TRUE(test, ioq_north_broken(&ctx->n));
		KUNIT_EXPECT_EQ(test, -EIO,
				ioq_north_add_indirect(&ctx->n, TABLES, 1, 0,
						       ctx));
	}
}

#define WORD(len, id, flags) \
	((u64)(len) | (u64)(id) << VBUS_RING_ID_SHIFT | (flags))
#define AVAIL	VBUS_RING_AVAIL
#define NEXT	VBUS_RING_NEXT
#define WRITE_	VBUS_RING_WRITE
#define INDIR	VBUS_RING_INDIRECT

/* One rule broken in each row; all else is as it should be. */
static const struct {
	const char *what;
	struct {
		u64 addr;
		u64 word;
	} slot[2];
	struct {
		u64 addr;
		u64 word;
	} entry;		/* the only one of the table, if there is one */
	int err;
} hostile_north[] = {
	{ "empty", { { 0, WORD(0, 0, AVAIL) } }, { }, -EPROTO },
	{ "wraps", { { U64_MAX, WORD(2, 0, AVAIL) } }, { }, -EPROTO },
	{ "flag 52", { { 0, WORD(1, 0, AVAIL | 1ULL << 52) } }, { }, -EPROTO },
	{ "flag 63", { { 0, WORD(1, 0, AVAIL | 1ULL << 63) } }, { }, -EPROTO },
	{ "id", { { 0, WORD(1, 4, AVAIL) } }, { }, -EPROTO },
	{ "ends early", { { 0, WORD(1, 0, AVAIL | NEXT) } }, { }, -EPROTO },
	{ "ids differ", { { 0, WORD(1, 0, AVAIL | NEXT) },
	  { 0, WORD(1, 1, AVAIL) } }, { }, -EPROTO },
	{ "order", { { 0, WORD(1, 0, AVAIL | NEXT | WRITE_) },
	  { 0, WORD(1, 0, AVAIL) } }, { }, -EPROTO },
	{ "sum out", { { 0, WORD(U32_MAX, 0, AVAIL | NEXT) },
	  { 0, WORD(1, 0, AVAIL) } }, { }, -EPROTO },
	{ "sum in", { { 0, WORD(U32_MAX, 0, AVAIL | NEXT | WRITE_) },
	  { 0, WORD(1, 0, AVAIL | WRITE_) } }, { }, -EPROTO },
	{ "table second", { { 0, WORD(1, 0, AVAIL | NEXT) },
	  { TABLES, WORD(16, 0, AVAIL | INDIR) } }, { 0, 1 }, -EPROTO },
	{ "table and more", { { TABLES, WORD(16, 0, AVAIL | INDIR | NEXT) },
	  { 0, WORD(1, 0, AVAIL) } }, { 0, 1 }, -EPROTO },
	{ "table written", { { TABLES, WORD(16, 0, AVAIL | INDIR | WRITE_) } },
	  { 0, 1 }, -EPROTO },
	{ "no table", { { TABLES, WORD(0, 0, AVAIL | INDIR) } }, { 0, 1 },
	  -EPROTO },
	{ "odd table", { { TABLES, WORD(24, 0, AVAIL | INDIR) } }, { 0, 1 },
	  -EPROTO },
	{ "long table", { { TABLES, WORD(1025 * 16, 0, AVAIL | INDIR) } },
	  { 0, 1 }, -EPROTO },
	{ "table outside", { { TABLES - 16, WORD(32, 0, AVAIL | INDIR) } },
	  { 0, 1 }, -EPROTO },
	{ "table at the end", { { TABLES + TABLE_ENTRIES * 16 - 16,
	  WORD(32, 0, AVAIL | INDIR) } }, { 0, 1 }, -EPROTO },
	{ "table wraps", { { U64_MAX - 14, WORD(16, 0, AVAIL | INDIR) } },
	  { 0, 1 }, -EPROTO },
	{ "more than wanted", { { TABLES, WORD(33 * 16, 0, AVAIL | INDIR) } },
	  { 0, 1 }, -E2BIG },
	{ "entry empty", { { TABLES, WORD(16, 0, AVAIL | INDIR) } }, { 0, 0 },
	  -EPROTO },
	{ "entry id", { { TABLES, WORD(16, 0, AVAIL | INDIR) } },
	  { 0, WORD(1, 1, 0) }, -EPROTO },
	{ "entry avail", { { TABLES, WORD(16, 0, AVAIL | INDIR) } },
	  { 0, WORD(1, 0, AVAIL) }, -EPROTO },
	{ "entry next", { { TABLES, WORD(16, 0, AVAIL | INDIR) } },
	  { 0, WORD(1, 0, NEXT) }, -EPROTO },
	{ "entry nested", { { TABLES, WORD(16, 0, AVAIL | INDIR) } },
	  { TABLES, WORD(16, 0, INDIR) }, -EPROTO },
	{ "entry wraps", { { TABLES, WORD(16, 0, AVAIL | INDIR) } },
	  { U64_MAX, WORD(2, 0, 0) }, -EPROTO },
	{ "good direct", { { 0, WORD(1, 0, AVAIL | NEXT) },
	  { 0, WORD(1, 0, AVAIL | WRITE_) } }, { }, 1 },
	{ "good table", { { TABLES, WORD(16, 0, AVAIL | INDIR) } }, { 0, 1 },
	  1 },
};

static void ring_hostile_north_test(struct kunit *test)
{
	struct ring_ctx *ctx = test->priv;
	unsigned int i, j;
	int ret;

	for (i = 0; i < ARRAY_SIZE(hostile_north); i++) {
		ring_make(test, 4, 0, starts[0]);
		for (j = 0; j < 2; j++) {
			ctx->n.desc[j].addr =
				cpu_to_le64(hostile_north[i].slot[j].addr);
			ctx->n.desc[j].ctl =
				cpu_to_le64(hostile_north[i].slot[j].word);
		}
		ctx->table[0].addr = cpu_to_le64(hostile_north[i].entry.addr);
		ctx->table[0].ctl = cpu_to_le64(hostile_north[i].entry.word);
		ret = ring_get(ctx);
		KUNIT_EXPECT_EQ_MSG(test, hostile_north[i].err, ret, "%s",
				    hostile_north[i].what);
		KUNIT_EXPECT_EQ(test, ret < 0, ioq_south_broken(&ctx->s));
		if (ret > 0)
			continue;
		KUNIT_EXPECT_FALSE(test, ioq_south_pending(&ctx->s));
		KUNIT_EXPECT_TRUE(test, ioq_south_enable_kicks(&ctx->s));
		KUNIT_EXPECT_EQ(test, 0U, ioq_south_inflight(&ctx->s));
		ctx->n.desc[0].ctl = cpu_to_le64(WORD(1, 0, AVAIL));
		KUNIT_EXPECT_EQ(test, -EPROTO, ring_get(ctx));
	}
}

static void ring_hostile_flood_test(struct kunit *test)
{
	struct ring_ctx *ctx = test->priv;
	u32 pos;

	/* A chain without an end stops at the size of the ring. */
	ring_make(test, 8, 0, starts[0]);
	for (pos = 0; pos < 8; pos++)
		ctx->n.desc[pos].ctl = cpu_to_le64(WORD(1, 0, AVAIL | NEXT));
	KUNIT_EXPECT_EQ(test, -EPROTO, ring_get(ctx));

	/* So does a north that never waits for a completion. */
	ring_make(test, 8, 0, starts[0]);
	for (pos = 0; pos < 9; pos++) {
		ctx->n.desc[pos & 7].ctl =
			cpu_to_le64(WORD(1, 0, ioq_phase(pos, 7)));
		KUNIT_EXPECT_EQ(test, pos < 8 ? 1 : -EPROTO, ring_get(ctx));
	}
	KUNIT_EXPECT_EQ(test, 8U, ioq_south_inflight(&ctx->s));

	/* In order, any id but the next one is a lie. */
	for (pos = 0; pos < 8; pos++) {
		ring_make(test, 8, IOQ_F_IN_ORDER, starts[0]);
		ctx->n.desc[0].ctl = cpu_to_le64(WORD(1, pos, AVAIL));
		KUNIT_EXPECT_EQ(test, pos ? -EPROTO : 1, ring_get(ctx));
	}
}

static const struct {
	const char *what;
	u64 word;
	u32 flags;
} hostile_south[] = {
	{ "not outstanding", WORD(0, 5, AVAIL), 0 },
	{ "above the mask", WORD(0, 8, AVAIL), 0 },
	{ "all ones", WORD(0, 0xffff, AVAIL), 0 },
	{ "flag 49", WORD(0, 1, AVAIL | NEXT), 0 },
	{ "flag 63", WORD(0, 1, AVAIL | 1ULL << 63), 0 },
	{ "too long", WORD(65, 1, AVAIL), 0 },
	{ "twice", WORD(0, 0, AVAIL), 0 },
	{ "not outstanding", WORD(0, 4, AVAIL), IOQ_F_IN_ORDER },
	{ "in the past", WORD(0, 7, AVAIL), IOQ_F_IN_ORDER },
	{ "above the mask", WORD(0, 9, AVAIL), IOQ_F_IN_ORDER },
	{ "flag 50", WORD(0, 1, AVAIL | WRITE_), IOQ_F_IN_ORDER },
	{ "too long", WORD(65, 1, AVAIL), IOQ_F_IN_ORDER },
	{ "twice", WORD(0, 0, AVAIL), IOQ_F_IN_ORDER },
};

static void ring_hostile_south_test(struct kunit *test)
{
	struct ring_ctx *ctx = test->priv;
	unsigned int i, left;
	u32 len;

	for (i = 0; i < ARRAY_SIZE(hostile_south); i++) {
		ring_make(test, 8, hostile_south[i].flags, starts[0]);
		ring_send(test, 4);
		ctx->n.comp[0] = cpu_to_le64(WORD(0, 0, AVAIL));
		KUNIT_ASSERT_PTR_EQ(test, cookie_of(0),
				    ioq_north_get(&ctx->n, &len));
		ctx->n.comp[1] = cpu_to_le64(hostile_south[i].word);
		KUNIT_EXPECT_NULL(test, ioq_north_get(&ctx->n, &len));
		KUNIT_EXPECT_TRUE_MSG(test, ioq_north_broken(&ctx->n), "%s",
				      hostile_south[i].what);
		ctx->n.comp[1] = cpu_to_le64(WORD(0, 1, AVAIL));
		KUNIT_EXPECT_NULL(test, ioq_north_get(&ctx->n, &len));
		KUNIT_EXPECT_FALSE(test, ioq_north_pending(&ctx->n));
		KUNIT_EXPECT_EQ(test, 0U, ioq_north_free(&ctx->n));
		for (left = 0; ioq_north_detach(&ctx->n); left++)
			;
		KUNIT_EXPECT_EQ(test, 3U, left);
	}
}

static int ring_test_init(struct kunit *test)
{
	struct ring_ctx *ctx = kunit_kzalloc(test, sizeof(*ctx), GFP_KERNEL);

	if (!ctx)
		return -ENOMEM;
	ctx->table = kunit_kcalloc(test, TABLE_ENTRIES, sizeof(*ctx->table),
				   GFP_KERNEL);
	if (!ctx->table)
		return -ENOMEM;
	test->priv = ctx;
	return 0;
}

static void ring_test_exit(struct kunit *test)
{
	struct ring_ctx *ctx = test->priv;

	if (!ctx)
		return;
	kvfree(ctx->area);
	kvfree(ctx->state);
}

static struct kunit_case ring_cases[] = {
	KUNIT_CASE(ring_bad_init_test),
	KUNIT_CASE(ring_bad_add_test),
	KUNIT_CASE(ring_wrap_test),
	KUNIT_CASE(ring_indirect_test),
	KUNIT_CASE(ring_suppression_test),
	KUNIT_CASE(ring_in_order_batch_test),
	KUNIT_CASE(ring_rewind_test),
	KUNIT_CASE(ring_attach_test),
	KUNIT_CASE(ring_detach_test),
	KUNIT_CASE(ring_hostile_north_test),
	KUNIT_CASE(ring_hostile_flood_test),
	KUNIT_CASE(ring_hostile_south_test),
	{ }
};

static struct kunit_suite ring_suite = {
	.name = "vbus_ring",
	.init = ring_test_init,
	.exit = ring_test_exit,
	.test_cases = ring_cases,
};

kunit_test_suite(ring_suite);

MODULE_DESCRIPTION("KUnit suite of the vbus ring");
MODULE_LICENSE("GPL");
