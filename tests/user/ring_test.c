// SPDX-License-Identifier: GPL-2.0
/*
 * The rules of the ring one by one, on one thread: sizes, laps, the wrap of
 * positions at 2^32, indirect tables, suppression, in-order batches, marks,
 * detach and attach, and what each side refuses to be asked for.
 */
#include "ring_pair.h"

/* Starts that put the wrap, or a change of phase, inside the test. */
static const struct ioq_pos starts[] = {
	{ 0, 0, 0 },
	{ 0xfffffffd, 0xfffffffe, 0xfffffffe },
	{ 0x7fffffff, 0xffffffff, 0xffffffff },
	{ 12345, 0xfffffff0, 0xfffffff0 },
};

static void test_init_refuses(void **state)
{
	static const u32 bad[] = { 0, 1, 3, 6, 32767, 32769, 65536, ~0U };
	char *mem = aligned_alloc(64, 4096);
	struct ioq_pos zero = { 0 };
	struct ioq_north n;
	struct ioq_south s;
	char st[4096];
	unsigned int i;

	(void)state;
	assert_non_null(mem);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(ioq_north_init(&n, mem, bad[i], 0, st),
				 -EINVAL);
		assert_int_equal(ioq_south_init(&s, mem, bad[i], 0, zero),
				 -EINVAL);
	}
	for (i = 1; i < 64; i++) {
		assert_int_equal(ioq_north_init(&n, mem + i, 4, 0, st),
				 -EINVAL);
		assert_int_equal(ioq_south_init(&s, mem + i, 4, 0, zero),
				 -EINVAL);
	}
	for (i = 1; i < 32; i++) {
		assert_int_equal(ioq_north_init(&n, mem, 4, 1U << i, st),
				 -EINVAL);
		assert_int_equal(ioq_south_init(&s, mem, 4, 1U << i, zero),
				 -EINVAL);
	}
	free(mem);
}

static void test_zeroed_is_empty(void **state)
{
	struct ioq_pos zero = { 0 };
	struct ioq_chain c;
	struct ioq_seg seg;
	struct ioq_south s;
	u32 size;
	void *area;

	(void)state;
	for (size = 2; size <= 32768; size *= 2) {
		area = aligned_alloc(64, (ioq_bytes(size) + 63) & ~63UL);
		assert_non_null(area);
		memset(area, 0, ioq_bytes(size));
		assert_int_equal(ioq_south_init(&s, area, size, 0, zero), 0);
		assert_false(ioq_south_pending(&s));
		assert_int_equal(ioq_south_get(&s, &seg, 1, &c, NULL, NULL), 0);
		free(area);
	}
}

/* Fill to the brim and drain, laps on end, with chains of @per slots. */
static void laps(u32 size, u32 flags, struct ioq_pos pos, u32 per)
{
	u32 i, j, len, lap, next_in = 0, next_out = 0, chains = size / per;
	struct ioq_seg segs[4], got[4];
	struct ioq_chain c;
	struct pair p;

	pair_init_at(&p, size, flags, pos);
	for (lap = 0; lap < 5; lap++) {
		assert_false(ioq_north_publish(&p.n));
		for (i = 0; i < chains; i++) {
			for (j = 0; j < per; j++)
				segs[j] = (struct ioq_seg){
					next_in * 16ULL + j, j + 1, j > 1 };
			assert_int_equal(ioq_north_add(&p.n, segs, per,
						       cookie_of(next_in++)), 0);
		}
		assert_int_equal(ioq_north_free(&p.n), size - chains * per);
		assert_int_equal(ioq_north_add(&p.n, segs, per, &p), -ENOSPC);
		/* Nothing staged is visible, not even a whole lap of it. */
		assert_int_equal(ioq_south_get(&p.s, got, 4, &c, NULL, NULL), 0);
		assert_true(ioq_north_publish(&p.n));
		assert_int_equal(ioq_north_outstanding(&p.n), chains);
		for (i = 0; i < chains; i++) {
			assert_true(ioq_south_pending(&p.s));
			assert_int_equal(ioq_south_get(&p.s, got, 4, &c, NULL,
						       NULL), 1);
			assert_int_equal(c.slots, per);
			assert_int_equal(c.nr_out, per > 2 ? 2 : per);
			assert_int_equal(c.nr_in, per > 2 ? per - 2 : 0);
			for (j = 0; j < per; j++) {
				assert_int_equal(got[j].addr,
						 next_out * 16ULL + j);
				assert_int_equal(got[j].len, j + 1);
				assert_int_equal(got[j].write, j > 1);
			}
			ioq_south_complete(&p.s, c.id, c.in_len);
			next_out++;
		}
		assert_int_equal(ioq_south_get(&p.s, got, 4, &c, NULL, NULL), 0);
		assert_false(ioq_north_pending(&p.n));
		assert_null(ioq_north_get(&p.n, &len));
		assert_true(ioq_south_publish(&p.s));
		assert_false(ioq_south_publish(&p.s));
		for (i = 0; i < chains; i++) {
			assert_true(ioq_north_pending(&p.n));
			assert_int_equal(number_of(ioq_north_get(&p.n, &len)),
					 next_out - chains + i);
			assert_int_equal(len, c.in_len);
		}
		assert_null(ioq_north_get(&p.n, &len));
		assert_int_equal(ioq_north_free(&p.n), size);
	}
	assert_false(ioq_north_broken(&p.n));
	assert_false(ioq_south_broken(&p.s));
	pair_free(&p);
}

static void test_laps(void **state)
{
	u32 flags, i, per, size;

	(void)state;
	for (size = 2; size <= 32768; size *= 2)
		for (flags = 0; flags <= IOQ_F_ALL; flags++)
			for (i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
				for (per = 1; per <= 4 && per <= size; per++) {
					struct ioq_pos pos = starts[i];

					if (flags)
						pos.chain += 3;
					laps(size, flags, pos, per);
				}
}

static void test_longest_chain(void **state)
{
	struct ioq_seg *segs, *got;
	struct ioq_chain c;
	struct pair p;
	u32 i, len, size;

	(void)state;
	for (size = 2; size <= 32768; size *= 2) {
		pair_init(&p, size, 0);
		segs = calloc(size + 1, sizeof(*segs));
		got = calloc(size + 1, sizeof(*got));
		assert_non_null(segs);
		assert_non_null(got);
		for (i = 0; i <= size; i++)
			segs[i] = (struct ioq_seg){ i, 1, i >= size / 2 };
		assert_int_equal(ioq_north_add(&p.n, segs, size + 1, &p),
				 -EINVAL);
		assert_int_equal(ioq_north_add(&p.n, segs, size, &p), 0);
		assert_int_equal(ioq_north_add(&p.n, segs, 1, &p), -ENOSPC);
		assert_true(ioq_north_publish(&p.n));
		assert_int_equal(ioq_south_get(&p.s, got, size, &c, NULL, NULL),
				 1);
		assert_int_equal(c.nr_out, size / 2);
		assert_int_equal(c.nr_in, size - size / 2);
		ioq_south_complete(&p.s, c.id, c.in_len);
		ioq_south_publish(&p.s);
		assert_ptr_equal(ioq_north_get(&p.n, &len), &p);
		free(segs);
		free(got);
		pair_free(&p);
	}
}

static void test_add_refuses(void **state)
{
	static const struct ioq_seg empty[] = { { 1, 0, 0 } };
	static const struct ioq_seg empty_second[] = { { 1, 1, 0 }, { 1, 0, 1 } };
	static const struct ioq_seg order[] = { { 1, 1, 1 }, { 1, 1, 0 } };
	static const struct ioq_seg in_sum[] = { { 1, ~0U, 1 }, { 1, 1, 1 } };
	static const struct ioq_seg out_sum[] = { { 1, ~0U, 0 }, { 1, 1, 0 } };
	static const struct ioq_seg good[] = { { 1, 1, 0 }, { 1, 1, 1 } };
	static const struct {
		const struct ioq_seg *segs;
		u32 n;
		int null;
	} bad[] = {
		{ good, 0, 0 }, { good, 9, 0 }, { good, 2, 1 }, { empty, 1, 0 },
		{ empty_second, 2, 0 }, { order, 2, 0 }, { in_sum, 2, 0 },
		{ out_sum, 2, 0 },
	};
	struct ioq_north before;
	struct pair p;
	unsigned int i;
	char *area;

	(void)state;
	pair_init(&p, 8, 0);
	area = malloc(ioq_bytes(8));
	assert_non_null(area);
	memcpy(area, p.area, ioq_bytes(8));
	before = p.n;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(ioq_north_add(&p.n, bad[i].segs, bad[i].n,
					       bad[i].null ? NULL : &p),
				 -EINVAL);
	assert_int_equal(ioq_north_add_indirect(&p.n, 0, 0, 0, &p), -EINVAL);
	assert_int_equal(ioq_north_add_indirect(&p.n, 0, 1025, 0, &p), -EINVAL);
	assert_int_equal(ioq_north_add_indirect(&p.n, 0, 1, 0, NULL), -EINVAL);
	assert_memory_equal(&before, &p.n, sizeof(before));
	assert_memory_equal(area, p.area, ioq_bytes(8));
	free(area);
	pair_free(&p);
}

static void test_indirect(void **state)
{
	static const u32 counts[] = { 1, 2, 15, 16, 17, 32, 33, 500, 1024 };
	static struct ioq_seg segs[1024], got[1024];
	struct ioq_chain c;
	u32 i, in_len, k, len, n;
	struct pair p;

	(void)state;
	pair_init(&p, 2, 0);
	for (k = 0; k < sizeof(counts) / sizeof(counts[0]); k++) {
		n = counts[k];
		for (i = 0; i < n; i++)
			segs[i] = (struct ioq_seg){ i * 4096ULL, i + 1,
						    i >= n / 3 };
		in_len = ioq_fill_table((void *)p.tables, segs, n);
		assert_int_equal(ioq_north_add_indirect(&p.n, PAIR_TABLES, n,
							in_len, &p), 0);
		assert_int_equal(ioq_north_free(&p.n), 1);
		ioq_north_publish(&p.n);
		assert_int_equal(ioq_south_get(&p.s, got, n, &c, pair_copy, &p),
				 1);
		assert_int_equal(c.slots, 1);
		assert_int_equal(c.nr_out, n / 3);
		assert_int_equal(c.nr_in, n - n / 3);
		assert_int_equal(c.in_len, in_len);
		assert_memory_equal(segs, got, n * sizeof(*segs));
		ioq_south_complete(&p.s, c.id, in_len);
		ioq_south_publish(&p.s);
		assert_ptr_equal(ioq_north_get(&p.n, &len), &p);
		assert_int_equal(len, in_len);
	}
	/* The ring full of indirect chains. */
	assert_int_equal(ioq_north_add_indirect(&p.n, PAIR_TABLES, 1, 0, &p), 0);
	assert_int_equal(ioq_north_add_indirect(&p.n, PAIR_TABLES, 1, 0, &p), 0);
	assert_int_equal(ioq_north_add_indirect(&p.n, PAIR_TABLES, 1, 0, &p),
			 -ENOSPC);
	pair_free(&p);
}

static void send(struct pair *p, u32 n)
{
	struct ioq_seg seg = { 4096, 64, 1 };

	while (n--)
		assert_int_equal(ioq_north_add(&p->n, &seg, 1, p), 0);
	ioq_north_publish(&p->n);
}

static void serve(struct pair *p, u32 n)
{
	struct ioq_chain c;
	struct ioq_seg seg;

	while (n--) {
		assert_int_equal(ioq_south_get(&p->s, &seg, 1, &c, NULL, NULL),
				 1);
		ioq_south_complete(&p->s, c.id, 1);
	}
	ioq_south_publish(&p->s);
}

static void reap(struct pair *p, u32 n)
{
	u32 len;

	while (n--)
		assert_ptr_equal(ioq_north_get(&p->n, &len), p);
}

static void suppression(u32 flags, struct ioq_pos pos)
{
	struct pair p;

	pair_init_at(&p, 16, flags, pos);
	/* Fresh: the first chain kicks, the first completion signals. */
	send(&p, 1);
	assert_true(ioq_north_kick_needed(&p.n));
	assert_false(ioq_north_kick_needed(&p.n));
	serve(&p, 1);
	assert_true(ioq_south_signal_needed(&p.s));
	assert_false(ioq_south_signal_needed(&p.s));
	reap(&p, 1);
	/* Nobody has asked again: silence. */
	send(&p, 5);
	assert_false(ioq_north_kick_needed(&p.n));
	/* South asks too late and is told so. */
	assert_false(ioq_south_enable_kicks(&p.s));
	serve(&p, 5);
	assert_false(ioq_south_signal_needed(&p.s));
	assert_false(ioq_north_enable_signals(&p.n, 1));
	reap(&p, 5);
	/* Both ask in time. */
	assert_true(ioq_south_enable_kicks(&p.s));
	assert_true(ioq_north_enable_signals(&p.n, 3));
	send(&p, 4);
	assert_true(ioq_north_kick_needed(&p.n));
	serve(&p, 2);
	assert_false(ioq_south_signal_needed(&p.s));
	serve(&p, 1);
	assert_true(ioq_south_signal_needed(&p.s));
	serve(&p, 1);
	assert_false(ioq_south_signal_needed(&p.s));
	reap(&p, 4);
	/* One decision for several publications, each side. */
	assert_true(ioq_south_enable_kicks_after(&p.s, 4));
	assert_true(ioq_north_enable_signals(&p.n, 1));
	send(&p, 3);
	assert_false(ioq_north_kick_needed(&p.n));
	send(&p, 1);
	send(&p, 2);
	assert_true(ioq_north_kick_needed(&p.n));
	serve(&p, 3);
	serve(&p, 3);
	assert_true(ioq_south_signal_needed(&p.s));
	reap(&p, 6);
	pair_free(&p);
}

static void test_suppression(void **state)
{
	u32 flags, i;

	(void)state;
	for (flags = 0; flags <= IOQ_F_ALL; flags++)
		for (i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
			suppression(flags, starts[i]);
}

static void test_in_order_batch(void **state)
{
	u32 i, len, lap, number = 0;
	struct ioq_chain c;
	struct ioq_seg seg = { 4096, 64, 1 }, got;
	struct pair p;

	(void)state;
	pair_init_at(&p, 8, IOQ_F_IN_ORDER,
		     (struct ioq_pos){ 0xfffffff9, 77, 0xfffffffe });
	for (lap = 0; lap < 40; lap++) {
		u32 n = lap % 8 + 1;

		assert_true(ioq_north_enable_signals(&p.n, n));
		for (i = 0; i < n; i++)
			assert_int_equal(ioq_north_add(&p.n, &seg, 1,
						       cookie_of(number + i)), 0);
		ioq_north_publish(&p.n);
		for (i = 0; i < n; i++)
			assert_int_equal(ioq_south_get(&p.s, &got, 1, &c, NULL,
						       NULL), 1);
		assert_int_equal(ioq_south_inflight(&p.s), n);
		ioq_south_complete(&p.s, c.id, 33);
		assert_int_equal(ioq_south_inflight(&p.s), 0);
		ioq_south_publish(&p.s);
		/* The event counts chains, though one entry stands for all. */
		assert_true(ioq_south_signal_needed(&p.s));
		for (i = 0; i < n; i++) {
			assert_true(ioq_north_pending(&p.n));
			assert_int_equal(number_of(ioq_north_get(&p.n, &len)),
					 number + i);
			assert_int_equal(len, i + 1 == n ? 33 : 0);
			if (i + 1 < n)
				assert_false(ioq_north_enable_signals(&p.n, 1));
		}
		assert_null(ioq_north_get(&p.n, &len));
		number += n;
	}
	pair_free(&p);
}

static void test_rewind(void **state)
{
	struct ioq_seg got;
	struct ioq_chain c, first;
	struct ioq_mark mark;
	struct pair p;
	u32 flags, i;

	(void)state;
	for (flags = 0; flags <= IOQ_F_ALL; flags++) {
		pair_init(&p, 8, flags);
		send(&p, 8);
		serve(&p, 2);
		mark = ioq_south_mark(&p.s);
		for (i = 0; i < 6; i++) {
			assert_int_equal(ioq_south_get(&p.s, &got, 1, &c, NULL,
						       NULL), 1);
			if (!i)
				first = c;
		}
		assert_int_equal(ioq_south_get(&p.s, &got, 1, &c, NULL, NULL), 0);
		ioq_south_rewind(&p.s, mark);
		assert_int_equal(ioq_south_inflight(&p.s), 0);
		assert_int_equal(ioq_south_get(&p.s, &got, 1, &c, NULL, NULL), 1);
		assert_int_equal(c.id, first.id);
		ioq_south_rewind(&p.s, mark);
		serve(&p, 6);
		reap(&p, 8);
		pair_free(&p);
	}
}

static void test_attach(void **state)
{
	struct ioq_seg got;
	struct ioq_chain c;
	struct ioq_pos pos;
	struct pair p;
	u32 flags, lap;

	(void)state;
	for (flags = 0; flags <= IOQ_F_ALL; flags++) {
		pair_init(&p, 8, flags);
		for (lap = 0; lap < 20; lap++) {
			assert_true(ioq_north_enable_signals(&p.n, 1));
			send(&p, 5);
			serve(&p, 3);
			assert_true(ioq_south_pos(&p.s, &pos));
			/* South lets go before it has signalled anybody. */
			memset(&p.s, 0xff, sizeof(p.s));
			assert_int_equal(ioq_south_init(&p.s, p.area, 8, flags,
							pos), 0);
			assert_true(ioq_south_signal_needed(&p.s));
			assert_false(ioq_south_signal_needed(&p.s));
			assert_false(ioq_south_enable_kicks(&p.s));
			serve(&p, 2);
			reap(&p, 5);
		}
		send(&p, 1);
		assert_int_equal(ioq_south_get(&p.s, &got, 1, &c, NULL, NULL), 1);
		assert_false(ioq_south_pos(&p.s, &pos));
		pair_free(&p);
	}
}

static void test_detach(void **state)
{
	u32 flags, i, len, seen;
	struct ioq_seg seg = { 4096, 64, 1 };
	struct pair p;
	void *cookie;

	(void)state;
	for (flags = 0; flags <= IOQ_F_ALL; flags++) {
		pair_init(&p, 8, flags);
		for (i = 0; i < 6; i++)
			assert_int_equal(ioq_north_add(&p.n, &seg, 1,
						       cookie_of(i)), 0);
		ioq_north_publish(&p.n);
		serve(&p, 4);
		assert_int_equal(number_of(ioq_north_get(&p.n, &len)), 0);
		assert_int_equal(number_of(ioq_north_get(&p.n, &len)), 1);
		seen = 0;
		while ((cookie = ioq_north_detach(&p.n))) {
			assert_false(seen & 1U << number_of(cookie));
			seen |= 1U << number_of(cookie);
		}
		assert_int_equal(seen, 0x3c);
		assert_int_equal(ioq_north_outstanding(&p.n), 0);
		assert_null(ioq_north_detach(&p.n));
		assert_null(ioq_north_get(&p.n, &len));
		assert_int_equal(ioq_north_add(&p.n, &seg, 1, &p), -EIO);
		pair_free(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_init_refuses),
		cmocka_unit_test(test_zeroed_is_empty),
		cmocka_unit_test(test_laps),
		cmocka_unit_test(test_longest_chain),
		cmocka_unit_test(test_add_refuses),
		cmocka_unit_test(test_indirect),
		cmocka_unit_test(test_suppression),
		cmocka_unit_test(test_in_order_batch),
		cmocka_unit_test(test_rewind),
		cmocka_unit_test(test_attach),
		cmocka_unit_test(test_detach),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
