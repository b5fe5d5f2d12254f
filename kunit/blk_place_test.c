// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "blk": who serves a queue, by what requests take.
 *
 * The model's source is included with a clock that is this file's, so nothing here
 * takes time: a guest is played for whom a request takes so long one way and so long
 * the other.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/sched/clock.h>
#include "../vbus/dev/blk/blk.h"

static u64 played_time;

#define local_clock()	played_time
#include "../vbus/dev/blk/place.c"
#undef local_clock

#define US	NSEC_PER_USEC

struct game {
	struct vdm_blk_place place;
	u64 cost[VDM_BLK_NR_WHO];	/* what a request takes */
	u64 served[VDM_BLK_NR_WHO];
	u64 time;		/* what all of them took */
	unsigned int changes;
};

static void game_start(struct game *g, u64 worker, u64 vcpu)
{
	memset(g, 0, sizeof(*g));
	played_time = NSEC_PER_SEC;
	vdm_blk_place_init(&g->place);
	g->cost[VDM_BLK_WORKER] = worker;
	g->cost[VDM_BLK_INLINE] = vcpu;
}

/* @n requests, one at a time, each served by whom the model says. */
static void game_play(struct game *g, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		enum vdm_blk_who who = g->place.who;

		played_time += g->cost[who];
		g->time += g->cost[who];
		g->served[who]++;
		vdm_blk_place_count(&g->place, who, 1);
		g->changes += who != g->place.who;
	}
}

/* Which way gets nearly all of a long time, and how little trying the other costs. */
static const struct {
	const char *name;
	u64 worker;
	u64 vcpu;
	enum vdm_blk_who want;
} games[] = {
	{ "the vCPU is faster", 20 * US, 5 * US, VDM_BLK_INLINE },
	{ "far faster", 500 * US, 5 * US, VDM_BLK_INLINE },
	{ "as fast", 10 * US, 10 * US, VDM_BLK_INLINE },
	{ "a bit slower", 10 * US, 12 * US, VDM_BLK_INLINE },
	{ "slower by a quarter", 10000, 12500, VDM_BLK_INLINE },
	{ "slower by a quarter and a bit", 10000, 12501, VDM_BLK_WORKER },
	{ "much slower", 5 * US, 20 * US, VDM_BLK_WORKER },
	{ "far slower", 5 * US, 500 * US, VDM_BLK_WORKER },
	{ "slow both ways", 15000 * US, 10000 * US, VDM_BLK_INLINE },
	{ "no time at all", 0, 0, VDM_BLK_INLINE },
};

static void place_chooses(struct kunit *test)
{
	struct game g;
	u64 best;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(games); i++) {
		game_start(&g, games[i].worker, games[i].vcpu);
		KUNIT_EXPECT_EQ(test, g.place.who, VDM_BLK_INLINE);
		game_play(&g, 100000);
		KUNIT_EXPECT_GT_MSG(test, g.served[games[i].want], 97000ULL,
				    "%s", games[i].name);
		/* It goes on looking whether things have changed. */
		KUNIT_EXPECT_GT_MSG(test, g.served[!games[i].want], 20ULL,
				    "%s", games[i].name);
		best = 100000 * g.cost[games[i].want];
		/* First windows and tries together, a hundred times as dear. */
		KUNIT_EXPECT_LE_MSG(test, g.time, best + best / 2, "%s",
				    games[i].name);
	}
}

/* What was right changes: that is seen, though it is looked for ever more seldom. */
static void place_follows(struct kunit *test)
{
	struct game g;
	u32 lap;

	game_start(&g, 20 * US, 5 * US);
	for (lap = 0; lap < 6; lap++) {
		game_play(&g, 100000);
		KUNIT_EXPECT_EQ(test, g.place.who == VDM_BLK_INLINE ||
				g.place.trying, lap % 2 == 0);
		swap(g.cost[0], g.cost[1]);
		/* The longest it takes: all windows of the longest row, and a try. */
		game_play(&g, (VDM_BLK_ROUNDS_MAX + 1) * VDM_BLK_WINDOW +
			  2 * VDM_BLK_TRY);
		memset(g.served, 0, sizeof(g.served));
		game_play(&g, 10000);
		KUNIT_EXPECT_GT(test, g.served[lap % 2], 9500ULL);
	}
}

/* The first try comes after so many windows, then after twice as many and so on. */
static void place_tries(struct kunit *test)
{
	u32 windows = VDM_BLK_ROUNDS, i, n;
	struct game g;

	game_start(&g, 11 * US, 10 * US);
	for (i = 0; i < 8; i++) {
		for (n = 0; !g.place.trying && n < 100000; n++)
			game_play(&g, 1);
		/* One more opens each window, and one is of neither way. */
		KUNIT_EXPECT_GE(test, n, windows * VDM_BLK_WINDOW);
		KUNIT_EXPECT_LE(test, n, windows * (VDM_BLK_WINDOW + 1) + 2);
		KUNIT_EXPECT_EQ(test, g.place.who, VDM_BLK_WORKER);
		for (n = 0; g.place.trying && n < 100000; n++)
			game_play(&g, 1);
		KUNIT_EXPECT_GE(test, n, (u32)VDM_BLK_TRY);
		KUNIT_EXPECT_LE(test, n, VDM_BLK_TRY + 2U);
		KUNIT_EXPECT_EQ(test, g.place.who, VDM_BLK_INLINE);
		windows = min_t(u32, 2 * windows, VDM_BLK_ROUNDS_INLINE);
	}
}

/* What is plainly slower is not tried to the end. */
static void place_gives_up(struct kunit *test)
{
	struct game g;
	u32 n;

	game_start(&g, 1000 * US, 10 * US);
	for (n = 0; !g.place.trying && n < 100000; n++)
		game_play(&g, 1);
	KUNIT_ASSERT_TRUE(test, g.place.trying);
	for (n = 0; g.place.trying && n < 100000; n++)
		game_play(&g, 1);
	KUNIT_EXPECT_GE(test, n, (u32)VDM_BLK_TRY_MIN);
	KUNIT_EXPECT_LE(test, n, VDM_BLK_TRY_MIN + 2U);
}

/* After a pause all starts anew, and only after one. */
static void place_pause(struct kunit *test)
{
	struct game g;

	game_start(&g, 5 * US, 20 * US);
	game_play(&g, 10000);
	KUNIT_ASSERT_EQ(test, g.place.who, VDM_BLK_WORKER);
	played_time += VDM_BLK_PAUSE - g.cost[0];
	game_play(&g, 1);
	KUNIT_EXPECT_EQ(test, g.place.who, VDM_BLK_WORKER);
	played_time += VDM_BLK_PAUSE - g.cost[0] + 1;
	game_play(&g, 1);
	KUNIT_EXPECT_EQ(test, g.place.who, VDM_BLK_INLINE);
	KUNIT_EXPECT_FALSE(test, g.place.trying);
	KUNIT_EXPECT_EQ(test, g.place.rounds_max, (u32)VDM_BLK_ROUNDS);

	/* Who looks and finds nothing is no request. */
	played_time += VDM_BLK_PAUSE / 2;
	vdm_blk_place_count(&g.place, VDM_BLK_INLINE, 0);
	played_time += VDM_BLK_PAUSE / 2 + 1;
	game_play(&g, 5);
	KUNIT_EXPECT_EQ(test, g.place.rounds, 0U);
	KUNIT_EXPECT_EQ(test, g.place.who, VDM_BLK_INLINE);
}

/* The time of who does not serve any more counts for neither. */
static void place_other(struct kunit *test)
{
	struct game g;
	u32 i;

	game_start(&g, 5 * US, 20 * US);
	for (i = 0; i < 1000; i++) {
		game_play(&g, VDM_BLK_WINDOW / 2);
		vdm_blk_place_count(&g.place, !g.place.who, 1);
	}
	KUNIT_EXPECT_EQ(test, g.place.who, VDM_BLK_INLINE);
	KUNIT_EXPECT_FALSE(test, g.place.trying);
	KUNIT_EXPECT_EQ(test, g.place.cost[0] + g.place.cost[1], 0ULL);
}

/* Many at a time: the cost is that of one. */
static void place_batches(struct kunit *test)
{
	struct game g;
	u32 i;

	game_start(&g, 0, 0);
	for (i = 0; i < 20; i++) {
		played_time += 32 * 7 * US;
		vdm_blk_place_count(&g.place, g.place.who, 32);
	}
	KUNIT_EXPECT_EQ(test, g.place.cost[1], (u64)(7 * US));
}

/* A guest that has few requests at a time gets the vCPU sooner. */
static void place_retries(struct kunit *test)
{
	struct game g;
	u32 n;

	game_start(&g, 5 * US, 20 * US);
	game_play(&g, 100000);
	KUNIT_ASSERT_EQ(test, g.place.who, VDM_BLK_WORKER);
	KUNIT_ASSERT_GT(test, g.place.rounds_max, (u32)VDM_BLK_ROUNDS);
	vdm_blk_place_retry(&g.place);
	for (n = 0; !g.place.trying && n < 100000; n++)
		game_play(&g, 1);
	KUNIT_EXPECT_LE(test, n, VDM_BLK_WINDOW + 2U);
	KUNIT_EXPECT_EQ(test, g.place.who, VDM_BLK_INLINE);
}

static struct kunit_case place_cases[] = {
	KUNIT_CASE(place_chooses),
	KUNIT_CASE(place_follows),
	KUNIT_CASE(place_tries),
	KUNIT_CASE(place_gives_up),
	KUNIT_CASE(place_pause),
	KUNIT_CASE(place_other),
	KUNIT_CASE(place_batches),
	KUNIT_CASE(place_retries),
	{ }
};

static struct kunit_suite place_suite = {
	.name = "blk_place",
	.test_cases = place_cases,
};

kunit_test_suite(place_suite);

MODULE_DESCRIPTION("vbus test: who serves a queue of the host block model");
MODULE_LICENSE("GPL");
