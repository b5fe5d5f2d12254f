// SPDX-License-Identifier: GPL-2.0
/*
 * Two real threads, one for each side, that sleep whenever they can.
 *
 * Each side blocks in an eventfd after it has asked the ring for an event, so
 * one lost wake-up stops both for ever. A watchdog turns that into a failure;
 * nothing else here depends on time. What is passed is checked on arrival,
 * so a barrier that is missing shows as a wrong number. The thread sanitizer
 * gets the buffers' contents to look at: they are plain memory.
 */
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ring_pair.h"

#define WATCHDOG_MS	60000

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define CHAINS		100000U
#else
#define CHAINS		1000000U
#endif

struct run {
	struct pair p;
	u32 batch;		/* chains added, or completed, at once */
	u32 after;		/* completions north waits for */
	u32 total;
	bool one_entry;		/* in order: one completion for the batch */
	int kick_fd, signal_fd;
	u32 *buf;		/* one word for each id the test hands out */
	u32 buf_mask;
	const char *error;	/* of the south thread */
	u32 sleeps;
};

static bool sleep_on(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	eventfd_t count;

	return poll(&pfd, 1, WATCHDOG_MS) == 1 && !eventfd_read(fd, &count);
}

/*
 * Waste a random, mostly tiny amount of time between finding the ring empty
 * and asking for an event: that is where a wake-up gets lost if the look at
 * the ring afterwards is missing.
 */
static void dawdle(u64 *random)
{
	volatile u32 n = pair_random(random) % (1U << pair_random(random) % 13);

	/* Hot on its heels is where a missing barrier shows. */
	if (pair_random(random) % 2)
		return;
	while (n)
		n--;
}

/* Take up to a batch and complete it, the other way round if allowed. */
static u32 south_batch(struct run *r, u32 *next)
{
	struct ioq_chain c[64];
	struct ioq_seg segs[2];
	bool in_order = r->p.flags & IOQ_F_IN_ORDER;
	u32 i, n = 0, *word;
	int ret;

	while (n < r->batch) {
		ret = ioq_south_get(&r->p.s, segs, 2, &c[n], NULL, NULL);
		if (!ret)
			break;
		if (ret < 0 || c[n].nr_out + c[n].nr_in != 2) {
			r->error = "bad chain";
			return 0;
		}
		word = (u32 *)(uintptr_t)segs[0].addr;
		if (*word != *next || segs[1].len != (*next & 0xffff) + 1) {
			r->error = "chain's content is not there yet";
			return 0;
		}
		*word = ~*next;
		(*next)++;
		n++;
	}
	if (in_order && r->one_entry && n)
		ioq_south_complete(&r->p.s, c[n - 1].id, c[n - 1].in_len);
	for (i = 0; i < n && !(in_order && r->one_entry); i++) {
		struct ioq_chain *d = &c[in_order ? i : n - 1 - i];

		ioq_south_complete(&r->p.s, d->id, d->in_len);
	}
	return n;
}

static void *south_main(void *arg)
{
	struct run *r = arg;
	u32 n, next = 0;
	u64 random = 99;

	while (next != r->total && !r->error) {
		n = south_batch(r, &next);
		if (n) {
			ioq_south_publish(&r->p.s);
			if (ioq_south_signal_needed(&r->p.s))
				eventfd_write(r->signal_fd, 1);
			continue;
		}
		dawdle(&random);
		if (!r->error && ioq_south_enable_kicks(&r->p.s) &&
		    !sleep_on(r->kick_fd))
			r->error = "south has slept for ever";
	}
	/* Whatever happened, north must not wait for us. */
	eventfd_write(r->signal_fd, 1);
	return NULL;
}

/* Add up to a batch; each chain carries its number in memory and in a length. */
static u32 north_batch(struct run *r, u32 *added)
{
	u32 n = 0, *word;

	while (n < r->batch && *added != r->total) {
		word = &r->buf[*added & r->buf_mask];
		struct ioq_seg segs[2] = {
			{ (uintptr_t)word, sizeof(*word), 0 },
			{ (uintptr_t)word, (*added & 0xffff) + 1, 1 },
		};

		if (ioq_north_free(&r->p.n) < 2)
			break;
		*word = *added;
		if (ioq_north_add(&r->p.n, segs, 2, cookie_of(*added)))
			break;
		(*added)++;
		n++;
	}
	if (n) {
		ioq_north_publish(&r->p.n);
		if (ioq_north_kick_needed(&r->p.n))
			eventfd_write(r->kick_fd, 1);
	}
	return n;
}

static const char *north_reap(struct run *r, u32 *reaped)
{
	u32 len, number;
	void *cookie;

	while ((cookie = ioq_north_get(&r->p.n, &len))) {
		number = number_of(cookie);
		if (r->p.flags & IOQ_F_IN_ORDER && number != *reaped)
			return "out of order";
		if (len != (number & 0xffff) + 1 && !(r->one_entry && !len))
			return "wrong length";
		if (r->buf[number & r->buf_mask] != ~number)
			return "completion's content is not there yet";
		(*reaped)++;
	}
	return ioq_north_broken(&r->p.n) ? "broken" : NULL;
}

static const char *north_main(struct run *r)
{
	u32 added = 0, after, before, reaped = 0;
	const char *error;
	u64 random = 42;

	while (reaped != r->total) {
		before = reaped;
		after = north_batch(r, &added);
		error = north_reap(r, &reaped);
		if (error)
			return error;
		if (after || reaped != before)
			continue;
		dawdle(&random);
		after = ioq_north_outstanding(&r->p.n);
		if (after > r->after)
			after = r->after;
		if (!ioq_north_enable_signals(&r->p.n, after))
			continue;
		r->sleeps++;
		if (!sleep_on(r->signal_fd))
			return "north has slept for ever";
		if (__atomic_load_n(&r->error, __ATOMIC_ACQUIRE))
			return r->error;
	}
	return NULL;
}

static void run(u32 size, u32 flags, u32 batch, u32 after, bool one_entry)
{
	struct run r = {
		.batch = batch, .after = after, .one_entry = one_entry,
		/* Small rings sleep for every few chains. */
		.total = CHAINS / (size <= 16 ? 16 : 4),
	};
	struct ioq_pos pos = { 0xffffff00, 0xffffff00, 0xffffff00 };
	const char *error;
	pthread_t south;

	pair_init_at(&r.p, size, flags, pos);
	r.buf_mask = 2 * size - 1;
	r.buf = calloc(2 * size, sizeof(*r.buf));
	r.kick_fd = eventfd(0, EFD_CLOEXEC);
	r.signal_fd = eventfd(0, EFD_CLOEXEC);
	assert_non_null(r.buf);
	assert_true(r.kick_fd >= 0 && r.signal_fd >= 0);
	assert_int_equal(pthread_create(&south, NULL, south_main, &r), 0);
	error = north_main(&r);
	/* South may be asleep if north gave up: wake it to see the end. */
	if (error) {
		print_message("# size %u batch %u after %u: %s, %s\n", size,
			      batch, after, error, r.error ? r.error : "");
		_exit(1);
	}
	assert_int_equal(pthread_join(south, NULL), 0);
	assert_null(r.error);
	close(r.kick_fd);
	close(r.signal_fd);
	free(r.buf);
	pair_free(&r.p);
}

static void run_sizes(u32 flags, bool one_entry)
{
	static const struct { u32 size, batch, after; } with[] = {
		{ 2, 1, 1 }, { 4, 1, 1 }, { 4, 2, 2 }, { 16, 1, 1 },
		{ 16, 4, 3 }, { 64, 16, 1 }, { 64, 16, 12 }, { 256, 1, 1 },
		{ 256, 4, 96 }, { 256, 64, 1 }, { 1024, 64, 384 },
	};
	unsigned int i;

	for (i = 0; i < sizeof(with) / sizeof(with[0]); i++)
		run(with[i].size, flags, with[i].batch, with[i].after,
		    one_entry);
}

static void test_out_of_order(void **state)
{
	(void)state;
	run_sizes(0, false);
}

static void test_in_order(void **state)
{
	(void)state;
	run_sizes(IOQ_F_IN_ORDER, false);
}

static void test_in_order_batches(void **state)
{
	(void)state;
	run_sizes(IOQ_F_IN_ORDER, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_out_of_order),
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_in_order_batches),
	};

	return cmocka_run_group_tests_name("ring_thread", tests, NULL, NULL);
}
