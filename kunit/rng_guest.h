/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest of the host model "rng" for its suites: posts requests in marked memory
 * and takes the answers.  Each suite has its own copy and need not use all of it.
 */
#ifndef _VBUS_KUNIT_RNG_GUEST_H
#define _VBUS_KUNIT_RNG_GUEST_H

#include <linux/delay.h>
#include <linux/slab.h>
#include <linux/vbus_rng.h>
#include "conn_guest.h"

#define RING	256
#define BUF	(256 * 1024)

/* What memory is filled with before a request; a host that writes it is seen. */
#define MARK	0xee

static __maybe_unused struct conn_guest *guest_create(struct kunit *test,
						      const char *rate)
{
	struct conn_guest *g = kzalloc(sizeof(*g), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, g);
	test->priv = g;
	conn_guest_init(g, test, "rng.kt0", BUF);
	KUNIT_ASSERT_EQ(test, 0, conn_guest_attr(g, "rate", rate));
	KUNIT_ASSERT_EQ(test, 0, conn_guest_attr(g, "enable", "1"));
	conn_guest_plug(g);
	memset(g->buf, MARK, BUF);
	return g;
}

static __maybe_unused struct conn_guest *start(struct kunit *test, const char *rate)
{
	struct conn_guest *g = guest_create(test, rate);

	KUNIT_ASSERT_EQ(test, 0, conn_guest_start(g, 0, 1, RING));
	return g;
}

static __maybe_unused struct ioq_seg room(struct conn_guest *g, u32 off, u32 len)
{
	return (struct ioq_seg){
		.addr = conn_guest_addr(g, off), .len = len, .write = 1,
	};
}

/* Post a request for @len bytes at buf + @off; seen with the next kick. */
static __maybe_unused void post(struct conn_guest *g, u32 off, u32 len)
{
	struct ioq_seg seg = room(g, off, len);

	KUNIT_ASSERT_EQ(g->test, 0, ioq_north_add(&g->q[0].north, &seg, 1, g));
}

/* The length of the next completion; -EIO: the device broke; or -ETIMEDOUT. */
static __maybe_unused int take(struct conn_guest *g)
{
	u32 len;
	int i;

	for (i = 0; i < 500; i++) {
		if (ioq_north_get(&g->q[0].north, &len))
			return len;
		if (ioq_north_broken(&g->q[0].north) || conn_guest_broken(g))
			return -EIO;
		msleep(20);
	}
	return -ETIMEDOUT;
}

static __maybe_unused int ask(struct conn_guest *g, u32 off, u32 len)
{
	post(g, off, len);
	/* As a driver does it: only if the host has asked for it. */
	ioq_north_publish(&g->q[0].north);
	if (ioq_north_kick_needed(&g->q[0].north))
		vbus_conn_kick(g->conn, 0);
	return take(g);
}

static __maybe_unused bool untouched(struct conn_guest *g, u32 off, u32 len)
{
	return !memchr_inv(g->buf + off, MARK, len);
}

/* Some cases make the device without a guest. */
static __maybe_unused void rng_exit(struct kunit *test)
{
	struct conn_guest *g = test->priv;

	if (g) {
		conn_guest_destroy(g);
		kfree(g);
	} else {
		conn_guest_shell("rmdir devices/rng.kt0");
	}
}

#endif /* _VBUS_KUNIT_RNG_GUEST_H */
