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
#include "../vbus/dev/blk/pace.c"
#undef local_clock

#define US	NSEC_PER_USEC

struct game {
	struct vdm_blk_pace pace;
	u64 cost[2];		/* what a request takes: elsewhere, here */
	u64 served[2];
	u64 time;		/* what all of them took */
	unsigned int changes;
};

static void game_start(struct game *g, u64 elsewhere, u64 here)
{
	memset(g, 0, sizeof(*g));
	played_time = NSEC_PER_SEC;
	vdm_blk_pace_init(&g->pace);
	g->cost[0] = elsewhere;
	g->cost[1] = here;
}

/* @n requests, one at a time, each served by whom the pace says. */
static void game_play(struct game *g, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		bool here = g->pace.here;

		played_time += g->cost[here];
		g->time += g->cost[here];
		g->served[here]++;
		vdm_blk_pace_count(&g->pace, here, 1);
		g->changes += here != g->pace.here;
	}
}

/* Which way gets nearly all of a long time, and how little trying the other costs. */
static const struct {
	const char *name;
	u64 elsewhere;
	u64 here;
	bool want_here;
} games[] = {
	{ "the vCPU is faster", 20 * US, 5 * US, true },
	{ "far faster", 500 * US, 5 * US, true },
	{ "as fast", 10 * US, 10 * US, true },
	{ "a bit slower", 10 * US, 12 * US, true },
	{ "slower by a quarter", 10000, 12500, true },
	{ "slower by a quarter and a bit", 10000, 12501, false },
	{ "much slower", 5 * US, 20 * US, false },
	{ "far slower", 5 * US, 500 * US, false },
	{ "slow both ways", 15000 * US, 10000 * US, true },
	{ "no time at all", 0, 0, true },
};

static void pace_chooses(struct kunit *test)
{
	struct game g;
	u64 best;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(games); i++) {
		game_start(&g, games[i].elsewhere, games[i].here);
		KUNIT_EXPECT_TRUE(test, g.pace.here);
		game_play(&g, 100000);
		KUNIT_EXPECT_GT_MSG(test, g.served[games[i].want_here], 97000ULL,
				    "%s", games[i].name);
		/* It goes on looking whether things have changed. */
		KUNIT_EXPECT_GT_MSG(test, g.served[!games[i].want_here], 20ULL,
				    "%s", games[i].name);
		best = 100000 * g.cost[games[i].want_here];
		/* First windows and tries together, a hundred times as dear. */
		KUNIT_EXPECT_LE_MSG(test, g.time, best + best / 2, "%s",
				    games[i].name);
	}
}

/* What was right changes: that is seen, though it is looked for ever more seldom. */
static void pace_follows(struct kunit *test)
{
	struct game g;
	u32 lap;

	game_start(&g, 20 * US, 5 * US);
	for (lap = 0; lap < 6; lap++) {
		game_play(&g, 100000);
		KUNIT_EXPECT_EQ(test, g.pace.here || g.pace.trying, lap % 2 == 0);
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
static void pace_tries(struct kunit *test)
{
	u32 windows = VDM_BLK_ROUNDS, i, n;
	struct game g;

	game_start(&g, 11 * US, 10 * US);
	for (i = 0; i < 8; i++) {
		for (n = 0; !g.pace.trying && n < 100000; n++)
			game_play(&g, 1);
		/* One more opens each window, and one is of neither way. */
		KUNIT_EXPECT_GE(test, n, windows * VDM_BLK_WINDOW);
		KUNIT_EXPECT_LE(test, n, windows * (VDM_BLK_WINDOW + 1) + 2);
		KUNIT_EXPECT_FALSE(test, g.pace.here);
		for (n = 0; g.pace.trying && n < 100000; n++)
			game_play(&g, 1);
		KUNIT_EXPECT_GE(test, n, (u32)VDM_BLK_TRY);
		KUNIT_EXPECT_LE(test, n, VDM_BLK_TRY + 2U);
		KUNIT_EXPECT_TRUE(test, g.pace.here);
		windows = min_t(u32, 2 * windows, VDM_BLK_ROUNDS_HERE);
	}
}

/* What is plainly slower is not tried to the end. */
static void pace_gives_up(struct kunit *test)
{
	struct game g;
	u32 n;

	game_start(&g, 1000 * US, 10 * US);
	for (n = 0; !g.pace.trying && n < 100000; n++)
		game_play(&g, 1);
	KUNIT_ASSERT_TRUE(test, g.pace.trying);
	for (n = 0; g.pace.trying && n < 100000; n++)
		game_play(&g, 1);
	KUNIT_EXPECT_GE(test, n, (u32)VDM_BLK_TRY_MIN);
	KUNIT_EXPECT_LE(test, n, VDM_BLK_TRY_MIN + 2U);
}

/* After a pause all starts anew, and only after one. */
static void pace_pause(struct kunit *test)
{
	struct game g;

	game_start(&g, 5 * US, 20 * US);
	game_play(&g, 10000);
	KUNIT_ASSERT_FALSE(test, g.pace.here);
	played_time += VDM_BLK_PAUSE - g.cost[0];
	game_play(&g, 1);
	KUNIT_EXPECT_FALSE(test, g.pace.here);
	played_time += VDM_BLK_PAUSE - g.cost[0] + 1;
	game_play(&g, 1);
	KUNIT_EXPECT_TRUE(test, g.pace.here);
	KUNIT_EXPECT_FALSE(test, g.pace.trying);
	KUNIT_EXPECT_EQ(test, g.pace.rounds_max, (u32)VDM_BLK_ROUNDS);

	/* Who looks and finds nothing is no request. */
	played_time += VDM_BLK_PAUSE / 2;
	vdm_blk_pace_count(&g.pace, true, 0);
	played_time += VDM_BLK_PAUSE / 2 + 1;
	game_play(&g, 5);
	KUNIT_EXPECT_EQ(test, g.pace.rounds, 0U);
	KUNIT_EXPECT_TRUE(test, g.pace.here);
}

/* The time of who does not serve any more counts for neither. */
static void pace_other(struct kunit *test)
{
	struct game g;
	u32 i;

	game_start(&g, 5 * US, 20 * US);
	for (i = 0; i < 1000; i++) {
		game_play(&g, VDM_BLK_WINDOW / 2);
		vdm_blk_pace_count(&g.pace, !g.pace.here, 1);
	}
	KUNIT_EXPECT_TRUE(test, g.pace.here);
	KUNIT_EXPECT_FALSE(test, g.pace.trying);
	KUNIT_EXPECT_EQ(test, g.pace.cost[0] + g.pace.cost[1], 0ULL);
}

/* Many at a time: the cost is that of one. */
static void pace_batches(struct kunit *test)
{
	struct game g;
	u32 i;

	game_start(&g, 0, 0);
	for (i = 0; i < 20; i++) {
		played_time += 32 * 7 * US;
		vdm_blk_pace_count(&g.pace, g.pace.here, 32);
	}
	KUNIT_EXPECT_EQ(test, g.pace.cost[1], (u64)(7 * US));
}

static const struct {
	u64 elsewhere;
	u64 here;
	bool trying;
	unsigned int hold;	/* 0: as at the start */
	u64 want;
} aways[] = {
	{ 0, 0, false, 0, 0 },
	{ 0, 0, true, 0, 0 },
	{ 10 * US, 20 * US, true, 0, 10 * US },
	{ 20 * US, 10 * US, true, 0, 10 * US },
	/* Not known yet is not free. */
	{ 0, 30 * US, true, 0, 30 * US },
	/* Several times what the guest needs for as many as it can spare. */
	{ 10 * US, 20 * US, false, 5, VDM_BLK_AWAY_TIMES * 5 * 10 * US },
	{ 10 * US, 20 * US, false, VDM_BLK_HOLD_MAX,
	  VDM_BLK_AWAY_TIMES * VDM_BLK_HOLD_MAX * 10 * US },
	/* Few are soon there, if the guest runs at all. */
	{ 10 * US, 20 * US, false, 1, VDM_BLK_AWAY_TIMES * VDM_BLK_AWAY_MIN * 10 * US },
	{ 10 * US, 20 * US, true, VDM_BLK_HOLD_MAX, 10 * US },
	{ 500 * US, 500 * US, false, VDM_BLK_HOLD_MAX, VDM_BLK_AWAY_MAX },
	{ U64_MAX / 256, U64_MAX / 256, false, VDM_BLK_HOLD_MAX,
	  VDM_BLK_AWAY_MAX },
	{ U64_MAX / 256, 20000 * US, true, 0, VDM_BLK_TRY_AWAY_MAX },
};

static void pace_away(struct kunit *test)
{
	struct vdm_blk_pace pace;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(aways); i++) {
		vdm_blk_pace_init(&pace);
		pace.cost[0] = aways[i].elsewhere;
		pace.cost[1] = aways[i].here;
		pace.trying = aways[i].trying;
		if (aways[i].hold)
			pace.hold = aways[i].hold;
		KUNIT_EXPECT_EQ_MSG(test, vdm_blk_pace_away(&pace),
				    aways[i].want, "row %u", i);
	}
}

/*
 * A guest with @depth requests at most, which rings when it has added as many as it was
 * asked to, and gets all back when it is told.
 */
struct guest {
	struct vdm_blk_pace pace;
	u32 depth;
	u32 sent;
	u32 requests;
	u32 told;
	u32 late;		/* it had no more to add, and waited */
};

static void guest_goes_on(struct guest *g, u32 n)
{
	u32 ask, more;

	while (n--) {
		ask = vdm_blk_pace_ask(&g->pace, g->sent, 0);
		more = min(ask, g->depth - g->sent);
		g->sent += more;
		g->requests += more;
		if (more < ask) {
			vdm_blk_pace_late(&g->pace);
			g->late++;
		} else if (!vdm_blk_pace_tell(&g->pace, g->sent)) {
			continue;
		}
		g->told++;
		g->sent = 0;
	}
}

static void guest_start(struct guest *g, u32 depth)
{
	memset(g, 0, sizeof(*g));
	vdm_blk_pace_init(&g->pace);
	g->depth = depth;
}

/* It is told seldom, and hardly ever waits, whatever its depth. */
static void pace_tells(struct kunit *test)
{
	static const u32 depth[] = { 1, 2, 3, 4, 8, 16, 32, 64, 256 };
	struct guest g;
	u32 i, most;

	for (i = 0; i < ARRAY_SIZE(depth); i++) {
		guest_start(&g, depth[i]);
		guest_goes_on(&g, 50000);
		g.requests = 0;
		g.told = 0;
		g.late = 0;
		guest_goes_on(&g, 50000);
		most = min_t(u32, depth[i], VDM_BLK_HOLD_MAX);
		KUNIT_EXPECT_LE_MSG(test, g.pace.hold, most + 1, "depth %u",
				    depth[i]);
		/* Of half of it at a time, or more. */
		KUNIT_EXPECT_LE_MSG(test, g.told * max(most / 2, 1U),
				    g.requests, "depth %u", depth[i]);
		/* More were tried, ever more seldom. */
		KUNIT_EXPECT_LE_MSG(test, g.late * (VDM_BLK_TELLS_MAX / 2),
				    g.told, "depth %u", depth[i]);
	}
}

/* A guest that has less to send from now on soon need not wait any more. */
static void pace_tells_less(struct kunit *test)
{
	struct guest g;

	guest_start(&g, 64);
	/* Of which it is found out fast that it can spare them. */
	guest_goes_on(&g, 64);
	KUNIT_EXPECT_EQ(test, g.pace.hold, VDM_BLK_HOLD_MAX);
	KUNIT_EXPECT_EQ(test, g.late, 0U);
	g.depth = 2;
	g.sent = 0;
	guest_goes_on(&g, 40);
	KUNIT_EXPECT_LE(test, g.pace.hold, 3U);
	KUNIT_EXPECT_LE(test, g.late, 16U);
}

/*
 * Storage that ends half of the requests while the guest adds none, then tells of them, and
 * so on: a guest of a constant depth rings for many at a time, and is not late for ever.
 */
static void pace_flies(struct kunit *test)
{
	static const u32 depth[] = { 1, 2, 3, 4, 8, 32, 128 };
	struct vdm_blk_pace pace;
	u32 i, n, ask, left, late, rings, requests;

	for (i = 0; i < ARRAY_SIZE(depth); i++) {
		vdm_blk_pace_init(&pace);
		late = 0;
		rings = 0;
		requests = 0;
		for (n = 0, left = 0; n < 20000; n++) {
			if (n == 10000) {
				late = 0;
				rings = 0;
				requests = 0;
			}
			/* It adds what it was told of: all but what is left. */
			requests += depth[i] - left;
			vdm_blk_pace_tell(&pace, depth[i]);
			ask = vdm_blk_pace_ask(&pace, 0, depth[i]);
			KUNIT_ASSERT_GT(test, ask, 0U);
			/* Told of half of what is in flight, until that is enough. */
			for (left = depth[i]; left && depth[i] - left < ask; )
				left /= 2;
			if (depth[i] - left < ask) {
				vdm_blk_pace_late(&pace);
				late++;
			}
			rings++;
		}
		KUNIT_EXPECT_LE_MSG(test, late * 16, rings, "depth %u",
				    depth[i]);
		/* Of a quarter of it at a time, or more. */
		KUNIT_EXPECT_LE_MSG(test, rings *
				    max(min(depth[i], VDM_BLK_HOLD_MAX) / 4, 1U),
				    requests, "depth %u", depth[i]);
	}
}

/* Who is only tried learns nothing, and has the guest told at once. */
static void pace_tries_only(struct kunit *test)
{
	struct vdm_blk_pace pace;

	vdm_blk_pace_init(&pace);
	pace.hold = 8;
	pace.trying = true;
	KUNIT_EXPECT_TRUE(test, vdm_blk_pace_tell(&pace, 0));
	KUNIT_EXPECT_TRUE(test, vdm_blk_pace_tell(&pace, 1));
	vdm_blk_pace_late(&pace);
	KUNIT_EXPECT_EQ(test, pace.hold, 8U);
	KUNIT_EXPECT_EQ(test, pace.tells, 0U);
	KUNIT_EXPECT_EQ(test, vdm_blk_pace_ask(&pace, 0, 0), VDM_BLK_TRY_ASK);
	pace.trying = false;
	KUNIT_EXPECT_FALSE(test, vdm_blk_pace_tell(&pace, 7));
	KUNIT_EXPECT_TRUE(test, vdm_blk_pace_tell(&pace, 8));
	vdm_blk_pace_late(&pace);
	KUNIT_EXPECT_EQ(test, pace.hold, 6U);
}

static const struct {
	u32 hold;
	u32 untold;
	u32 inflight;
	u32 want;
} asks[] = {
	{ 1, 0, 0, 1 },
	{ 8, 0, 0, 8 },
	/* The rest, when it was not told of some. */
	{ 8, 1, 0, 7 },
	{ 8, 7, 0, 1 },
	{ 8, 9, 0, 1 },
	/* Half, when it is told as the others end. */
	{ 8, 0, 8, 4 },
	{ 8, 0, 100, 4 },
	{ 8, 0, 1, 7 },
	{ 8, 2, 3, 4 },
	{ 1, 0, 1, 1 },
	{ 3, 0, 3, 2 },
};

static void pace_asks(struct kunit *test)
{
	struct vdm_blk_pace pace;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(asks); i++) {
		vdm_blk_pace_init(&pace);
		pace.hold = asks[i].hold;
		KUNIT_EXPECT_EQ_MSG(test, vdm_blk_pace_ask(&pace, asks[i].untold,
							   asks[i].inflight),
				    asks[i].want, "row %u", i);
	}
}

/* A guest that once was late for another reason can spare as many soon. */
static void pace_tells_again(struct kunit *test)
{
	struct guest g;
	u32 i, told;

	guest_start(&g, 32);
	guest_goes_on(&g, 10000);
	KUNIT_EXPECT_GE(test, g.pace.hold, 32U);
	for (i = 0; i < 3; i++)
		vdm_blk_pace_late(&g.pace);
	KUNIT_EXPECT_LT(test, g.pace.hold, 20U);
	told = g.told;
	while (g.pace.hold < 32 && g.told < told + 1000)
		guest_goes_on(&g, 1);
	KUNIT_EXPECT_LE(test, g.told - told, 10 * VDM_BLK_TELLS);
}

static struct kunit_case pace_cases[] = {
	KUNIT_CASE(pace_chooses),
	KUNIT_CASE(pace_follows),
	KUNIT_CASE(pace_tries),
	KUNIT_CASE(pace_gives_up),
	KUNIT_CASE(pace_pause),
	KUNIT_CASE(pace_other),
	KUNIT_CASE(pace_batches),
	KUNIT_CASE(pace_away),
	KUNIT_CASE(pace_tells),
	KUNIT_CASE(pace_tells_less),
	KUNIT_CASE(pace_flies),
	KUNIT_CASE(pace_tries_only),
	KUNIT_CASE(pace_asks),
	KUNIT_CASE(pace_tells_again),
	{ }
};

static struct kunit_suite pace_suite = {
	.name = "blk_pace",
	.test_cases = pace_cases,
};

kunit_test_suite(pace_suite);

MODULE_DESCRIPTION("vbus test: who serves a queue of the host block model");
MODULE_LICENSE("GPL");
