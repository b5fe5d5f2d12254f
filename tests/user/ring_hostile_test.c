// SPDX-License-Identifier: GPL-2.0
/*
 * A peer that lies: every rule of the layout broken in turn, on either side,
 * and a third party that scribbles over the shared memory while both run.
 */
#include "ring_pair.h"

#define W(len, id, flags) ((u64)(len) | (u64)(id) << VBUS_RING_ID_SHIFT | (flags))
#define A VBUS_RING_AVAIL
#define N VBUS_RING_NEXT
#define WR VBUS_RING_WRITE
#define I VBUS_RING_INDIRECT

struct bad_chain {
	const char *what;
	struct { u64 addr, word; } slot[3];
	int err;
};

static const struct bad_chain bad_direct[] = {
	{ "empty segment", { { 0, W(0, 0, A) } }, -EPROTO },
	{ "address wraps", { { ~0ULL, W(2, 0, A) } }, -EPROTO },
	{ "unknown flag, lowest", { { 0, W(1, 0, A | 1ULL << 52) } }, -EPROTO },
	{ "unknown flag, highest", { { 0, W(1, 0, A | 1ULL << 63) } }, -EPROTO },
	{ "id above the mask", { { 0, W(1, 4, A) } }, -EPROTO },
	{ "id of all ones", { { 0, W(1, 0xffff, A) } }, -EPROTO },
	{ "chain goes on into nothing", { { 0, W(1, 0, A | N) } }, -EPROTO },
	{ "id changes", { { 0, W(1, 0, A | N) }, { 0, W(1, 1, A) } }, -EPROTO },
	{ "empty second", { { 0, W(1, 0, A | N) }, { 0, W(0, 0, A) } }, -EPROTO },
	{ "unknown flag in second", { { 0, W(1, 0, A | N) },
	  { 0, W(1, 0, A | 1ULL << 55) } }, -EPROTO },
	{ "read after write", { { 0, W(1, 0, A | N | WR) }, { 0, W(1, 0, A) } },
	  -EPROTO },
	{ "sum to read overflows", { { 0, W(~0U, 0, A | N) }, { 0, W(1, 0, A) } },
	  -EPROTO },
	{ "sum to write overflows", { { 0, W(~0U, 0, A | N | WR) },
	  { 0, W(1, 0, A | WR) } }, -EPROTO },
	{ "indirect second", { { 0, W(1, 0, A | N) },
	  { PAIR_TABLES, W(16, 0, A | I) } }, -EPROTO },
	{ "indirect goes on", { { PAIR_TABLES, W(16, 0, A | I | N) },
	  { 0, W(1, 0, A) } }, -EPROTO },
	{ "indirect to write", { { PAIR_TABLES, W(16, 0, A | I | WR) } }, -EPROTO },
	{ "empty table", { { PAIR_TABLES, W(0, 0, A | I) } }, -EPROTO },
	{ "broken table length", { { PAIR_TABLES, W(17, 0, A | I) } }, -EPROTO },
	{ "table too long", { { PAIR_TABLES, W(1025 * 16, 0, A | I) } }, -EPROTO },
	{ "table of 4 GiB", { { PAIR_TABLES, W(~15U, 0, A | I) } }, -EPROTO },
	{ "table elsewhere", { { 4096, W(16, 0, A | I) } }, -EPROTO },
	{ "table's end elsewhere", { { PAIR_TABLES + PAIR_TABLES_LEN - 16,
	  W(32, 0, A | I) } }, -EPROTO },
	{ "table wraps", { { ~0ULL - 14, W(16, 0, A | I) } }, -EPROTO },
	{ "more segments than wanted", { { 0, W(1, 0, A | N) },
	  { 0, W(1, 0, A | N) }, { 0, W(1, 0, A) } }, -E2BIG },
	{ "table with more than wanted", { { PAIR_TABLES, W(48, 0, A | I) } },
	  -E2BIG },
};

static void test_bad_direct(void **state)
{
	struct ioq_seg segs[2], guard;
	struct ioq_chain c;
	unsigned int i, j;
	struct pair p;

	(void)state;
	for (i = 0; i < sizeof(bad_direct) / sizeof(bad_direct[0]); i++) {
		pair_init(&p, 4, 0);
		memset(p.tables, 0, PAIR_TABLES_LEN);
		for (j = 0; j < 3; j++) {
			pair_desc(&p, j)->addr =
				cpu_to_le64(bad_direct[i].slot[j].addr);
			pair_desc(&p, j)->ctl =
				cpu_to_le64(bad_direct[i].slot[j].word);
		}
		if (ioq_south_get(&p.s, segs, 2, &c, pair_copy, &p) !=
		    bad_direct[i].err)
			fail_msg("%s", bad_direct[i].what);
		assert_true(ioq_south_broken(&p.s));
		assert_false(ioq_south_pending(&p.s));
		assert_true(ioq_south_enable_kicks(&p.s));
		assert_int_equal(ioq_south_inflight(&p.s), 0);
		/* A good chain comes too late. */
		pair_desc(&p, 0)->ctl = cpu_to_le64(W(1, 0, A));
		memset(&guard, 0x77, sizeof(guard));
		segs[0] = guard;
		assert_int_equal(ioq_south_get(&p.s, segs, 2, &c, pair_copy, &p),
				 -EPROTO);
		assert_memory_equal(&segs[0], &guard, sizeof(guard));
		pair_free(&p);
	}
}

static void test_bad_table(void **state)
{
	static const struct {
		const char *what;
		u64 addr, word;
	} bad[] = {
		{ "empty", 0, 0 },
		{ "avail", 0, W(1, 0, A) },
		{ "next", 0, W(1, 0, N) },
		{ "nested", PAIR_TABLES, W(16, 0, I) },
		{ "id", 0, W(1, 1, 0) },
		{ "unknown", 0, W(1, 0, 1ULL << 63) },
		{ "wraps", ~0ULL, W(2, 0, 0) },
		{ "read after write", 0, W(1, 0, 0) },
		{ "sum", 0, W(~0U, 0, WR) },
	};
	static const u32 places[] = { 1, 15, 16, 20 };
	struct vbus_ring_desc *t;
	struct ioq_seg segs[24];
	struct ioq_chain c;
	unsigned int i, j, k;
	struct pair p;
	int ret;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (k = 0; k < sizeof(places) / sizeof(places[0]); k++) {
			pair_init(&p, 4, 0);
			t = (void *)p.tables;
			for (j = 0; j < 24; j++) {
				t[j].addr = cpu_to_le64(j * 4096ULL);
				t[j].ctl = cpu_to_le64(W(1, 0, WR));
			}
			t[places[k]].addr = cpu_to_le64(bad[i].addr);
			t[places[k]].ctl = cpu_to_le64(bad[i].word);
			ret = ioq_north_add_indirect(&p.n, PAIR_TABLES, 24, 24,
						     &p);
			assert_int_equal(ret, 0);
			ioq_north_publish(&p.n);
			if (ioq_south_get(&p.s, segs, 24, &c, pair_copy, &p) !=
			    -EPROTO)
				fail_msg("%s at %u", bad[i].what, places[k]);
			pair_free(&p);
		}
	}
	/* A model without tables refuses a good one as well. */
	pair_init(&p, 4, 0);
	assert_int_equal(ioq_north_add_indirect(&p.n, PAIR_TABLES, 1, 0, &p), 0);
	ioq_north_publish(&p.n);
	assert_int_equal(ioq_south_get(&p.s, segs, 24, &c, NULL, NULL), -EPROTO);
	pair_free(&p);
}

/* A chain that bites its own tail must end, and at the ring's size. */
static void test_endless_chain(void **state)
{
	struct ioq_seg segs[32];
	struct ioq_chain c;
	struct pair p;
	u32 i;

	(void)state;
	pair_init(&p, 8, 0);
	for (i = 0; i < 8; i++)
		pair_desc(&p, i)->ctl = cpu_to_le64(W(1, 0, A | N));
	assert_int_equal(ioq_south_get(&p.s, segs, 32, &c, NULL, NULL), -EPROTO);
	pair_free(&p);
}

/* North never waits for completions: what is in flight stays bounded. */
static void test_flood(void **state)
{
	struct ioq_chain c;
	struct ioq_seg seg;
	struct pair p;
	u32 pos;
	int ret;

	(void)state;
	pair_init(&p, 8, 0);
	for (pos = 0; pos < 100; pos++) {
		pair_desc(&p, pos)->ctl =
			cpu_to_le64(W(1, 0, ioq_phase(pos, 7)));
		ret = ioq_south_get(&p.s, &seg, 1, &c, NULL, NULL);
		if (ret != 1)
			break;
	}
	assert_int_equal(pos, 8);
	assert_int_equal(ret, -EPROTO);
	assert_int_equal(ioq_south_inflight(&p.s), 8);
	/* What was in flight may still end. */
	for (pos = 0; pos < 8; pos++)
		ioq_south_complete(&p.s, 0, 0);
	assert_true(ioq_south_publish(&p.s));
	pair_free(&p);
}

static void test_in_order_id(void **state)
{
	struct ioq_chain c;
	struct ioq_seg seg;
	struct pair p;
	u32 id;

	(void)state;
	for (id = 0; id < 8; id++) {
		pair_init(&p, 8, IOQ_F_IN_ORDER);
		pair_desc(&p, 0)->ctl = cpu_to_le64(W(1, id, A));
		assert_int_equal(ioq_south_get(&p.s, &seg, 1, &c, NULL, NULL),
				 id ? -EPROTO : 1);
		pair_free(&p);
	}
}

static void test_bad_completion(void **state)
{
	static const struct {
		const char *what;
		u64 word;
		u32 flags;
	} bad[] = {
		{ "id not outstanding", W(0, 5, A), 0 },
		{ "id above the mask", W(0, 8, A), 0 },
		{ "id of all ones", W(0, 0xffff, A), 0 },
		{ "unknown flag, lowest", W(0, 1, A | N), 0 },
		{ "unknown flag, highest", W(0, 1, A | 1ULL << 63), 0 },
		{ "too long", W(65, 1, A), 0 },
		{ "much too long", W(~0U, 1, A), 0 },
		{ "id not outstanding", W(0, 4, A), IOQ_F_IN_ORDER },
		{ "id already complete", W(0, 7, A), IOQ_F_IN_ORDER },
		{ "id above the mask", W(0, 9, A), IOQ_F_IN_ORDER },
		{ "unknown flag", W(0, 1, A | WR), IOQ_F_IN_ORDER },
		{ "too long", W(65, 1, A), IOQ_F_IN_ORDER },
	};
	struct ioq_seg seg = { 4096, 64, 1 };
	u32 j, len, n, seen;
	unsigned int i;
	struct pair p;
	void *cookie;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		pair_init(&p, 8, bad[i].flags);
		for (j = 0; j < 4; j++)
			assert_int_equal(ioq_north_add(&p.n, &seg, 1,
						       cookie_of(j)), 0);
		ioq_north_publish(&p.n);
		*pair_comp(&p, 0) = cpu_to_le64(bad[i].word);
		assert_null(ioq_north_get(&p.n, &len));
		if (!ioq_north_broken(&p.n))
			fail_msg("%s", bad[i].what);
		/* A good one comes too late. */
		*pair_comp(&p, 0) = cpu_to_le64(W(0, 0, A));
		assert_null(ioq_north_get(&p.n, &len));
		assert_false(ioq_north_pending(&p.n));
		assert_int_equal(ioq_north_free(&p.n), 0);
		assert_int_equal(ioq_north_add(&p.n, &seg, 1, &p), -EIO);
		seen = 0;
		for (n = 0; (cookie = ioq_north_detach(&p.n)); n++)
			seen |= 1U << number_of(cookie);
		assert_int_equal(n, 4);
		assert_int_equal(seen, 0xf);
		pair_free(&p);
	}
}

static void test_completed_twice(void **state)
{
	struct ioq_seg seg = { 4096, 64, 1 };
	u32 flags, len;
	struct pair p;

	(void)state;
	for (flags = 0; flags <= IOQ_F_ALL; flags++) {
		pair_init(&p, 8, flags);
		assert_int_equal(ioq_north_add(&p.n, &seg, 1, &p), 0);
		assert_int_equal(ioq_north_add(&p.n, &seg, 1, &p), 0);
		ioq_north_publish(&p.n);
		*pair_comp(&p, 0) = cpu_to_le64(W(0, 0, A));
		*pair_comp(&p, 1) = cpu_to_le64(W(0, 0, A));
		assert_ptr_equal(ioq_north_get(&p.n, &len), &p);
		assert_null(ioq_north_get(&p.n, &len));
		assert_true(ioq_north_broken(&p.n));
		assert_int_equal(ioq_north_outstanding(&p.n), 1);
		pair_free(&p);
	}
}

/* Both sides go on as they would while somebody overwrites what they share. */
static void scribble(u32 size, u32 flags, u64 *random, u32 steps)
{
	struct ioq_seg segs[4], got[8];
	u32 i, len, out = 0, back = 0, served, word;
	struct ioq_chain c;
	struct pair p;
	int ret;

	pair_init(&p, size, flags);
	memset(p.tables, 0, PAIR_TABLES_LEN);
	while (steps--) {
		u32 *shared = p.area;

		for (i = 0; i < 1 + pair_random(random) % 3; i++) {
			u32 n = 1 + pair_random(random) % 3;
			void *cookie = cookie_of(out);

			for (word = 0; word < n; word++)
				segs[word] = (struct ioq_seg){
					PAIR_TABLES, 32, word > 0 };
			if (!(pair_random(random) % 4))
				ret = ioq_north_add_indirect(&p.n, PAIR_TABLES,
							     2, 1, cookie);
			else
				ret = ioq_north_add(&p.n, segs, n, cookie);
			out += !ret;
		}
		ioq_north_publish(&p.n);
		if (!(pair_random(random) % 8)) {
			word = pair_random(random) % (ioq_bytes(size) / 4);
			shared[word] ^= 1U << pair_random(random) % 32;
		}
		if (!(pair_random(random) % 32))
			p.tables[pair_random(random) % 32] ^=
				1U << pair_random(random) % 8;
		for (served = 0; served <= size; served++) {
			ret = ioq_south_get(&p.s, got, 8, &c, pair_copy, &p);
			if (ret != 1)
				break;
			assert_true(c.nr_out + c.nr_in >= 1);
			assert_true(c.nr_out + c.nr_in <= 8);
			assert_true(c.slots >= 1 && c.slots <= size);
			assert_true(c.id < size);
			ioq_south_complete(&p.s, c.id, c.in_len);
			assert_true(ioq_south_inflight(&p.s) <= size);
		}
		ioq_south_publish(&p.s);
		ioq_south_signal_needed(&p.s);
		ioq_south_enable_kicks(&p.s);
		while (ioq_north_get(&p.n, &len))
			back++;
		assert_true(back <= out);
		assert_int_equal(ioq_north_outstanding(&p.n), out - back);
		if (ioq_south_broken(&p.s) || ioq_north_broken(&p.n))
			break;
	}
	while (ioq_north_detach(&p.n))
		back++;
	assert_int_equal(back, out);
	pair_free(&p);
}

static void test_scribble(void **state)
{
	u64 random = 4711;
	u32 i;

	(void)state;
	for (i = 0; i < 20000; i++)
		scribble(2U << i % 6, i / 6 % 2, &random, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_direct),
		cmocka_unit_test(test_bad_table),
		cmocka_unit_test(test_endless_chain),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_in_order_id),
		cmocka_unit_test(test_bad_completion),
		cmocka_unit_test(test_completed_twice),
		cmocka_unit_test(test_scribble),
	};

	return cmocka_run_group_tests_name("ring_hostile", tests, NULL, NULL);
}
