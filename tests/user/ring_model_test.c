// SPDX-License-Identifier: GPL-2.0
/*
 * Random operations on both sides of a ring, on one thread, with every answer
 * compared to a model that knows nothing of slots, phases and ids.
 *
 * The model is four counters over an endless list of chains (added, published,
 * fetched, reaped), the list of completions in the order south made them, and
 * the two events. VBUS_TEST_OPS and VBUS_TEST_SEED change the run.
 */
#include "ring_pair.h"

#define CAP		65536U	/* more chains than can ever be outstanding */
#define MAX_SEGS	6U
#define TABLE_BYTES	(MAX_SEGS * sizeof(struct vbus_ring_desc))

struct model_chain {
	struct ioq_seg segs[MAX_SEGS];
	u32 n;
	u32 slots;
	u32 id;
	u32 len;
	u32 in_len;
};

struct model {
	struct pair p;
	u64 random;
	struct model_chain *chain;
	u32 added, published, fetched, reaped;
	u32 *flight, in_flight;	/* numbers of fetched, uncompleted chains */
	u32 *comp;		/* chains in the order of their completion */
	u32 completed, comp_published;
	u32 held;
	/* slots, and what was said about them */
	u32 desc_staged, desc_published, desc_fetched, kick_event, kick_asked;
	u32 signal_event, signal_asked, base;
};

static u32 rnd(struct model *m, u32 below)
{
	return pair_random(&m->random) % below;
}

static struct model_chain *at(struct model *m, u32 number)
{
	return &m->chain[number % CAP];
}

static void op_add(struct model *m)
{
	u32 i, limit, n = 1 + rnd(m, MAX_SEGS), room = m->p.size - m->held;
	struct model_chain *c = at(m, m->added);
	bool indirect = !rnd(m, 4);
	u32 writes = rnd(m, n + 1);
	u64 table;
	char *t;
	int ret;

	memset(c, 0, sizeof(*c));
	for (i = 0; i < n; i++) {
		limit = rnd(m, 8) ? 65536 : 0x10000000;
		c->segs[i] = (struct ioq_seg){
			.addr = (u64)pair_random(&m->random) << 12,
			.len = 1 + rnd(m, limit),
			.write = i >= writes,
		};
		if (c->segs[i].write)
			c->in_len += c->segs[i].len;
	}
	c->n = n;
	c->slots = indirect ? 1 : n;
	if (indirect) {
		t = m->p.tables + m->added % (PAIR_TABLES_LEN / TABLE_BYTES) *
		    TABLE_BYTES;
		table = PAIR_TABLES + (t - m->p.tables);
		if (m->held < m->p.size)
			assert_int_equal(ioq_fill_table((void *)t, c->segs, n),
					 c->in_len);
		ret = ioq_north_add_indirect(&m->p.n, table, n, c->in_len,
					     cookie_of(m->added));
	} else {
		ret = ioq_north_add(&m->p.n, c->segs, n, cookie_of(m->added));
	}
	if (c->slots > m->p.size) {
		assert_int_equal(ret, -EINVAL);
	} else if (c->slots > room) {
		assert_int_equal(ret, -ENOSPC);
	} else {
		assert_int_equal(ret, 0);
		m->added++;
		m->held += c->slots;
		m->desc_staged += c->slots;
	}
}

static void op_publish(struct model *m)
{
	assert_int_equal(ioq_north_publish(&m->p.n), m->added != m->published);
	m->published = m->added;
	m->desc_published = m->desc_staged;
}

/* Was the event among those that happened since the last question? */
static bool passed(u32 event, u32 old, u32 new)
{
	return event - old < new - old;
}

static void op_kick(struct model *m)
{
	bool want = passed(m->kick_event, m->kick_asked, m->desc_published);

	assert_int_equal(ioq_north_kick_needed(&m->p.n), want);
	m->kick_asked = m->desc_published;
}

static void op_fetch(struct model *m)
{
	struct ioq_seg segs[MAX_SEGS];
	struct model_chain *want = at(m, m->fetched);
	struct ioq_chain c;
	int ret;

	ret = ioq_south_get(&m->p.s, segs, MAX_SEGS, &c, pair_copy, &m->p);
	if (m->fetched == m->published) {
		assert_int_equal(ret, 0);
		return;
	}
	assert_int_equal(ret, 1);
	assert_int_equal(c.nr_out + c.nr_in, want->n);
	assert_int_equal(c.in_len, want->in_len);
	assert_int_equal(c.slots, want->slots);
	assert_memory_equal(segs, want->segs, want->n * sizeof(*segs));
	assert_true(c.id < m->p.size);
	want->id = c.id;
	m->flight[m->in_flight++] = m->fetched++;
	m->desc_fetched += c.slots;
}

/* Take some chains and put them back, as if buffers had been too few. */
static void op_rewind(struct model *m)
{
	struct ioq_mark mark = ioq_south_mark(&m->p.s);
	u32 fetched = m->fetched, in_flight = m->in_flight;
	u32 desc_fetched = m->desc_fetched, n = 1 + rnd(m, 4);

	while (n--)
		op_fetch(m);
	ioq_south_rewind(&m->p.s, mark);
	m->fetched = fetched;
	m->in_flight = in_flight;
	m->desc_fetched = desc_fetched;
}

static void op_complete(struct model *m)
{
	bool in_order = m->p.flags & IOQ_F_IN_ORDER;
	u32 i, pick, number;

	if (!m->in_flight)
		return;
	pick = rnd(m, m->in_flight);
	number = m->flight[pick];
	at(m, number)->len = rnd(m, at(m, number)->in_len + 1U);
	ioq_south_complete(&m->p.s, at(m, number)->id, at(m, number)->len);
	if (in_order) {
		for (i = 0; i <= pick; i++) {
			if (i < pick)
				at(m, m->flight[i])->len = 0;
			m->comp[m->completed++ % CAP] = m->flight[i];
		}
		m->in_flight -= pick + 1;
		memmove(m->flight, m->flight + pick + 1,
			m->in_flight * sizeof(*m->flight));
	} else {
		m->comp[m->completed++ % CAP] = number;
		/* Keep the rest in order, rewinding wants the newest last. */
		m->in_flight--;
		memmove(m->flight + pick, m->flight + pick + 1,
			(m->in_flight - pick) * sizeof(*m->flight));
	}
}

static void op_comp_publish(struct model *m)
{
	assert_int_equal(ioq_south_publish(&m->p.s),
			 m->completed != m->comp_published);
	m->comp_published = m->completed;
}

static void op_signal(struct model *m)
{
	bool want;

	op_comp_publish(m);
	want = passed(m->signal_event, m->signal_asked,
		      m->base + m->completed);
	assert_int_equal(ioq_south_signal_needed(&m->p.s), want);
	m->signal_asked = m->base + m->completed;
}

static void op_reap(struct model *m)
{
	struct model_chain *c;
	u32 len, number;
	void *cookie;

	assert_int_equal(ioq_north_pending(&m->p.n),
			 m->reaped != m->comp_published);
	cookie = ioq_north_get(&m->p.n, &len);
	if (m->reaped == m->comp_published) {
		assert_null(cookie);
		return;
	}
	assert_non_null(cookie);
	number = m->comp[m->reaped++ % CAP];
	c = at(m, number);
	assert_int_equal(number_of(cookie), number);
	assert_int_equal(len, c->len);
	m->held -= c->slots;
	assert_int_equal(ioq_north_free(&m->p.n), m->p.size - m->held);
	assert_int_equal(ioq_north_outstanding(&m->p.n), m->added - m->reaped);
}

static void op_enable(struct model *m)
{
	u32 after = 1 + rnd(m, 3);

	if (rnd(m, 2)) {
		m->kick_event = m->desc_fetched + after - 1;
		assert_int_equal(ioq_south_enable_kicks_after(&m->p.s, after),
				 m->fetched == m->published);
	} else {
		m->signal_event = m->base + m->reaped + after - 1;
		assert_int_equal(ioq_north_enable_signals(&m->p.n, after),
				 m->reaped == m->comp_published);
	}
}

static void op_attach(struct model *m)
{
	struct ioq_pos pos;

	op_comp_publish(m);
	assert_int_equal(ioq_south_pos(&m->p.s, &pos), !m->in_flight);
	if (m->in_flight)
		return;
	memset(&m->p.s, 0x5a, sizeof(m->p.s));
	assert_int_equal(ioq_south_init(&m->p.s, m->p.area, m->p.size,
					m->p.flags, pos), 0);
	m->signal_asked = m->base + m->completed - m->p.size;
}

static void (*const ops[])(struct model *m) = {
	op_add, op_add, op_add, op_add, op_publish, op_publish, op_kick,
	op_fetch, op_fetch, op_fetch, op_fetch, op_rewind, op_complete,
	op_complete, op_complete, op_comp_publish, op_comp_publish, op_signal,
	op_reap, op_reap, op_reap, op_reap, op_enable, op_attach,
};

static void model_run(u32 size, u32 flags, u32 start, u64 seed, u32 count)
{
	struct model m = { .random = seed };
	struct ioq_pos pos = { start, start + 5, start + 5 };
	u32 burst, op = 0;

	if (flags)
		pos.chain += 3;
	pair_init_at(&m.p, size, flags, pos);
	m.chain = calloc(CAP, sizeof(*m.chain));
	m.flight = calloc(CAP, sizeof(*m.flight));
	m.comp = calloc(CAP, sizeof(*m.comp));
	assert_non_null(m.chain);
	assert_non_null(m.flight);
	assert_non_null(m.comp);
	m.desc_staged = start;
	m.desc_published = start;
	m.desc_fetched = start;
	m.kick_event = start;
	m.kick_asked = start - size;
	m.base = pos.chain;
	m.signal_event = pos.chain;
	m.signal_asked = pos.chain - size;
	while (count) {
		/* Bursts of one kind reach full and empty rings. */
		burst = 1 + rnd(&m, rnd(&m, 8) ? 3 : 2 * size);
		op = rnd(&m, sizeof(ops) / sizeof(ops[0]));
		for (; burst && count; burst--, count--)
			ops[op](&m);
	}
	assert_false(ioq_north_broken(&m.p.n));
	assert_false(ioq_south_broken(&m.p.s));
	assert_true(m.reaped > 0);
	free(m.chain);
	free(m.flight);
	free(m.comp);
	pair_free(&m.p);
}

static u32 setting(const char *name, u32 otherwise)
{
	const char *s = getenv(name);

	return s ? strtoul(s, NULL, 0) : otherwise;
}

static void run_all(u32 flags)
{
	static const u32 sizes[] = { 2, 4, 8, 16, 64, 256, 1024 };
	static const u32 starts[] = { 0, 0xffffff00, 0x7ffffffe };
	u32 count = setting("VBUS_TEST_OPS", 150000);
	u32 seed = setting("VBUS_TEST_SEED", 20090817);
	unsigned int i, j;

	print_message("# seed %u, %u operations each\n", seed, count);
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (j = 0; j < sizeof(starts) / sizeof(starts[0]); j++)
			model_run(sizes[i], flags, starts[j],
				  seed + 977 * i + 31 * j + 1, count);
}

static void test_out_of_order(void **state)
{
	(void)state;
	run_all(0);
}

static void test_in_order(void **state)
{
	(void)state;
	run_all(IOQ_F_IN_ORDER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_out_of_order),
		cmocka_unit_test(test_in_order),
	};

	return cmocka_run_group_tests_name("ring_model", tests, NULL, NULL);
}
