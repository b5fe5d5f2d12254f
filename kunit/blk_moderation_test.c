// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "blk": how large batches of kicks and signals become.
 *
 * The model's source is included: nothing here takes time.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include "../vbus/dev/blk/blk.h"
#include "../vbus/dev/blk/moderation.c"

/*
 * A guest with @depth requests at most, which kicks when it has added as many as it was
 * asked to, and gets all back when it is signalled.
 */
struct guest {
	struct vdm_blk_mod mod;
	u32 depth;
	u32 sent;
	u32 requests;
	u32 signals;
	u32 starved;		/* it had no more to add, and waited */
};

static void guest_goes_on(struct guest *g, u32 n)
{
	u32 ask, more;

	while (n--) {
		ask = vdm_blk_mod_kick_after(&g->mod, g->sent, 0);
		more = min(ask, g->depth - g->sent);
		g->sent += more;
		g->requests += more;
		if (more < ask) {
			vdm_blk_mod_short(&g->mod);
			g->starved++;
		} else if (!vdm_blk_mod_full(&g->mod, g->sent)) {
			continue;
		}
		g->signals++;
		g->sent = 0;
	}
}

static void guest_start(struct guest *g, u32 depth)
{
	memset(g, 0, sizeof(*g));
	vdm_blk_mod_init(&g->mod);
	g->depth = depth;
}

/* It is signalled seldom, and hardly ever waits, whatever its depth. */
static void mod_learns(struct kunit *test)
{
	static const u32 depth[] = { 1, 2, 3, 4, 8, 16, 32, 64, 256 };
	struct guest g;
	u32 i, most;

	for (i = 0; i < ARRAY_SIZE(depth); i++) {
		guest_start(&g, depth[i]);
		guest_goes_on(&g, 50000);
		g.requests = 0;
		g.signals = 0;
		g.starved = 0;
		guest_goes_on(&g, 50000);
		most = min_t(u32, depth[i], VDM_BLK_BATCH_MAX);
		KUNIT_EXPECT_LE_MSG(test, g.mod.batch, most + 1, "depth %u",
				    depth[i]);
		/* Of half of it at a time, or more. */
		KUNIT_EXPECT_LE_MSG(test, g.signals * max(most / 2, 1U),
				    g.requests, "depth %u", depth[i]);
		/* More were tried, ever more seldom. */
		KUNIT_EXPECT_LE_MSG(test, g.starved * (VDM_BLK_FILLS_MAX / 2),
				    g.signals, "depth %u", depth[i]);
	}
}

/* A guest that has less to send from now on soon does not wait any more. */
static void mod_shrinks(struct kunit *test)
{
	struct guest g;

	guest_start(&g, 64);
	/* Larger batches are found out fast. */
	guest_goes_on(&g, 64);
	KUNIT_EXPECT_EQ(test, g.mod.batch, VDM_BLK_BATCH_MAX);
	KUNIT_EXPECT_EQ(test, g.starved, 0U);
	g.depth = 2;
	g.sent = 0;
	guest_goes_on(&g, 40);
	KUNIT_EXPECT_LE(test, g.mod.batch, 3U);
	KUNIT_EXPECT_LE(test, g.starved, 16U);
}

/*
 * Storage that ends half of the requests while the guest adds none, and then the guest is
 * signalled: one of a constant depth kicks for many at a time, and is not starved for ever.
 */
static void mod_inflight(struct kunit *test)
{
	static const u32 depth[] = { 1, 2, 3, 4, 8, 32, 128 };
	struct vdm_blk_mod mod;
	u32 i, n, ask, left, starved, kicks, requests;

	for (i = 0; i < ARRAY_SIZE(depth); i++) {
		vdm_blk_mod_init(&mod);
		starved = 0;
		kicks = 0;
		requests = 0;
		for (n = 0, left = 0; n < 20000; n++) {
			if (n == 10000) {
				starved = 0;
				kicks = 0;
				requests = 0;
			}
			/* It adds what it was signalled of: all but what is left. */
			requests += depth[i] - left;
			vdm_blk_mod_full(&mod, depth[i]);
			ask = vdm_blk_mod_kick_after(&mod, 0, depth[i]);
			KUNIT_ASSERT_GT(test, ask, 0U);
			/* Signalled of half of what is in flight, until that is enough. */
			for (left = depth[i]; left && depth[i] - left < ask; )
				left /= 2;
			if (depth[i] - left < ask) {
				vdm_blk_mod_short(&mod);
				starved++;
			}
			kicks++;
		}
		KUNIT_EXPECT_LE_MSG(test, starved * 16, kicks, "depth %u",
				    depth[i]);
		/* Of a quarter of it at a time, or more. */
		KUNIT_EXPECT_LE_MSG(test, kicks *
				    max(min(depth[i], VDM_BLK_BATCH_MAX) / 4, 1U),
				    requests, "depth %u", depth[i]);
	}
}

static const struct {
	u32 batch;
	u32 unsignalled;
	u32 inflight;
	u32 want;
} rows[] = {
	{ 1, 0, 0, 1 },
	{ 8, 0, 0, 8 },
	/* The rest, when it was not signalled of some. */
	{ 8, 1, 0, 7 },
	{ 8, 7, 0, 1 },
	{ 8, 9, 0, 1 },
	/* Half, when it is signalled as the others end. */
	{ 8, 0, 8, 4 },
	{ 8, 0, 100, 4 },
	{ 8, 0, 1, 7 },
	{ 8, 2, 3, 4 },
	{ 1, 0, 1, 1 },
	{ 3, 0, 3, 2 },
};

static void mod_kick_after(struct kunit *test)
{
	struct vdm_blk_mod mod;
	u32 i, after;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		vdm_blk_mod_init(&mod);
		mod.batch = rows[i].batch;
		after = vdm_blk_mod_kick_after(&mod, rows[i].unsignalled,
					       rows[i].inflight);
		KUNIT_EXPECT_EQ_MSG(test, after, rows[i].want, "row %u", i);
	}
}

/* A guest that was starved for another reason soon fills batches as large again. */
static void mod_recovers(struct kunit *test)
{
	struct guest g;
	u32 i, signals;

	guest_start(&g, 32);
	guest_goes_on(&g, 10000);
	KUNIT_EXPECT_GE(test, g.mod.batch, 32U);
	for (i = 0; i < 3; i++)
		vdm_blk_mod_short(&g.mod);
	KUNIT_EXPECT_LT(test, g.mod.batch, 20U);
	signals = g.signals;
	while (g.mod.batch < 32 && g.signals < signals + 1000)
		guest_goes_on(&g, 1);
	KUNIT_EXPECT_LE(test, g.signals - signals, 10 * VDM_BLK_FILLS);
}

/* Who has few at a time may be better off with its vCPU, and only then that is said. */
static void mod_few(struct kunit *test)
{
	struct vdm_blk_mod mod;

	vdm_blk_mod_init(&mod);
	mod.batch = 32;
	while (mod.batch > VDM_BLK_BATCH_FEW + 2)
		KUNIT_EXPECT_FALSE(test, vdm_blk_mod_short(&mod));
	while (mod.batch > 1)
		KUNIT_EXPECT_EQ(test, vdm_blk_mod_short(&mod),
				mod.batch <= VDM_BLK_BATCH_FEW);
	/* What was tried last is taken back, and says nothing. */
	mod.before = 1;
	mod.batch = 2;
	KUNIT_EXPECT_FALSE(test, vdm_blk_mod_short(&mod));
	KUNIT_EXPECT_EQ(test, mod.batch, 1U);
}

static struct kunit_case mod_cases[] = {
	KUNIT_CASE(mod_learns),
	KUNIT_CASE(mod_shrinks),
	KUNIT_CASE(mod_inflight),
	KUNIT_CASE(mod_kick_after),
	KUNIT_CASE(mod_recovers),
	KUNIT_CASE(mod_few),
	{ }
};

static struct kunit_suite mod_suite = {
	.name = "blk_moderation",
	.test_cases = mod_cases,
};

kunit_test_suite(mod_suite);

MODULE_DESCRIPTION("vbus test: moderation of kicks and signals of the host block model");
MODULE_LICENSE("GPL");
