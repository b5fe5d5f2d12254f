// SPDX-License-Identifier: GPL-2.0
/*
 * Guest network driver, receiving: frames of all sizes, and every rule that a
 * host could break.
 */
#include "net_card.h"

static void test_rx_sizes(struct kunit *test)
{
	/* Around the copy limit, a page's room, and the largest frame. */
	static const u32 sizes[] = { 14, 15, 60, 255, 256, 257, 1514, 3600,
				     3601, 3700, 4096, 8192, 65535, 65549,
				     65557 };
	struct net_ctx *ctx = ctx_of(test);
	u8 *frame, *copy;
	struct sk_buff *skb;
	int i, lap;

	start(test);
	frame = kunit_kzalloc(test, 66000, GFP_KERNEL);
	copy = kunit_kzalloc(test, 66000, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, frame);
	KUNIT_ASSERT_NOT_NULL(test, copy);
	for (lap = 0; lap < 5; lap++) {
		for (i = 0; i < ARRAY_SIZE(sizes); i++) {
			make_frame(frame, sizes[i]);
			deliver(test, frame, sizes[i]);
			skb = skb_dequeue(&ctx->got);
			KUNIT_ASSERT_NOT_NULL(test, skb);
			skb_push(skb, ETH_HLEN);
			KUNIT_EXPECT_EQ(test, skb->len, sizes[i]);
			KUNIT_EXPECT_EQ(test, 0, skb_copy_bits(skb, 0, copy,
							       skb->len));
			KUNIT_EXPECT_EQ(test, 0, memcmp(frame, copy,
							sizes[i]));
			KUNIT_EXPECT_GE(test, skb->truesize, sizes[i]);
			kfree_skb(skb);
		}
	}
	KUNIT_EXPECT_EQ(test, stat(ctx->dev, "rx0_packets"),
			5 * ARRAY_SIZE(sizes));
	KUNIT_EXPECT_EQ(test, stat(ctx->dev, "rx0_copied"), 5 * 5);
	KUNIT_EXPECT_EQ(test, stat(ctx->dev, "rx0_bad"), 0);
	KUNIT_EXPECT_TRUE(test, netif_carrier_ok(ctx->dev));
}

/* Buffers would hold more than the longest frame there is; the stack would not. */
static void test_rx_too_long(struct kunit *test)
{
	static const u32 sizes[] = { 65558, 65600, 66000 };
	struct net_ctx *ctx = ctx_of(test);
	u8 *frame;
	int i;

	start(test);
	frame = kunit_kzalloc(test, 66000, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, frame);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		make_frame(frame, sizes[i]);
		deliver(test, frame, sizes[i]);
		KUNIT_EXPECT_EQ(test, skb_queue_len(&ctx->got), 0);
		KUNIT_EXPECT_EQ(test, stat(ctx->dev, "rx0_bad"), i + 1);
		KUNIT_EXPECT_TRUE(test, netif_carrier_ok(ctx->dev));
		receives(test);
	}
}

/* Frames the driver must refuse, one lie each. */
static const struct {
	const char *name;
	u32 first;		/* bytes of the first chain, with the header */
	u16 nr_chains;
	u32 chains;		/* really completed */
	u32 rest;		/* bytes of each other one */
	u8 flags;
	bool broken;		/* the rules are broken; else it is dropped */
} bad_frames[] = {
	{ "no chains", 76, 0, 1, 0, 0, true },
	{ "more chains than an skb holds", 76, MAX_SKB_FRAGS + 2, 1, 0, 0,
	  true },
	{ "as many as there can be", 76, 65535, 1, 0, 0, true },
	{ "one is missing", 76, 2, 1, 0, 0, true },
	{ "the last is missing", 76, 5, 4, 100, 0, true },
	{ "no header", 15, 1, 1, 0, 0, true },
	{ "empty completion", 0, 1, 1, 0, 0, true },
	{ "nothing behind the header", 16, 1, 1, 0, 0, false },
	{ "no whole Ethernet header", 29, 1, 1, 0, 0, false },
	{ "Ethernet header in pieces", 20, 3, 3, 100, 0, false },
	{ "Ethernet header in pieces, one missing", 20, 3, 2, 100, 0, true },
	{ "an empty chain behind", 76, 3, 3, 0, 0, false },
	{ "unknown flag", 76, 1, 1, 0, 0x80, false },
	{ "unknown flag, many chains", 76, 4, 4, 50, 0x80, false },
};

static void put_bad(struct kunit *test, int i)
{
	struct ioq_south *south = &ctx_of(test)->fake->south[0];
	struct vbus_net_hdr hdr = {
		.flags = bad_frames[i].flags,
		.nr_chains = cpu_to_le16(bad_frames[i].nr_chains),
	};
	struct ioq_chain chain;
	struct ioq_seg seg;
	u32 n;

	for (n = 0; n < bad_frames[i].chains; n++) {
		KUNIT_ASSERT_EQ(test, 1, ioq_south_get(south, &seg, 1, &chain,
						       NULL, NULL));
		memset(phys_to_virt(seg.addr), 0, 128);
		if (!n)
			memcpy(phys_to_virt(seg.addr), &hdr, sizeof(hdr));
		ioq_south_complete(south, chain.id,
				   n ? bad_frames[i].rest :
				       bad_frames[i].first);
	}
	ioq_south_publish(south);
	signal(ctx_of(test), 0);
}

static void test_rx_bad(struct kunit *test)
{
	struct net_ctx *ctx = ctx_of(test);
	u64 bad = 0;
	int i;

	start(test);
	for (i = 0; i < ARRAY_SIZE(bad_frames); i++) {
		put_bad(test, i);
		KUNIT_EXPECT_EQ_MSG(test, skb_queue_len(&ctx->got), 0, "%s",
				    bad_frames[i].name);
		KUNIT_EXPECT_EQ_MSG(test, netif_carrier_ok(ctx->dev),
				    !bad_frames[i].broken, "%s",
				    bad_frames[i].name);
		if (bad_frames[i].broken) {
			restart(test);
			bad = stat(ctx->dev, "rx0_bad");
		} else {
			bad++;
		}
		KUNIT_EXPECT_EQ_MSG(test, stat(ctx->dev, "rx0_bad"), bad, "%s",
				    bad_frames[i].name);
		receives(test);
	}
}

/* Completions that south would never write. */
static void test_rx_bad_ring(struct kunit *test)
{
	struct net_ctx *ctx = ctx_of(test);
	static const u64 words[] = {
		VBUS_RING_AVAIL | 1ULL << VBUS_RING_ID_SHIFT << 15,
		VBUS_RING_AVAIL | 100000,
		VBUS_RING_AVAIL | VBUS_RING_NEXT | 76,
		VBUS_RING_AVAIL | 0xffffULL << VBUS_RING_ID_SHIFT,
	};
	struct vproxy_queue *q;
	int i;

	start(test);
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		q = vproxy_queue(&ctx->fake->vdev, 0);
		WRITE_ONCE(q->ring.comp[q->ring.comp_pos & q->ring.mask],
			   cpu_to_le64(words[i]));
		signal(ctx, 0);
		KUNIT_EXPECT_EQ(test, skb_queue_len(&ctx->got), 0);
		KUNIT_EXPECT_FALSE(test, netif_carrier_ok(ctx->dev));
		/* Nothing more is looked at. */
		signal(ctx, 0);
		restart(test);
		receives(test);
	}
}

/* Out of order, with a device that says it may. */
static void test_order(struct kunit *test)
{
	struct net_ctx *ctx = ctx_of(test);
	struct vbus_net_hdr hdr = { .nr_chains = cpu_to_le16(1) };
	struct ioq_south *south;
	struct ioq_chain chain[2];
	struct ioq_seg seg;
	int i;

	start(test);
	set_up(ctx->dev, false);
	fake_set32(ctx->fake, VBUS_REG_QUEUE(0) + VBUS_QREG_FLAGS, 0);
	KUNIT_ASSERT_EQ(test, 0, set_up(ctx->dev, true));
	receives(test);
	south = &ctx->fake->south[0];
	for (i = 0; i < 2; i++) {
		KUNIT_ASSERT_EQ(test, 1, ioq_south_get(south, &seg, 1,
						       &chain[i], NULL, NULL));
		memcpy(phys_to_virt(seg.addr), &hdr, sizeof(hdr));
	}
	ioq_south_complete(south, chain[1].id, 76);
	ioq_south_publish(south);
	signal(ctx, 0);
	KUNIT_EXPECT_EQ(test, skb_queue_len(&ctx->got), 0);
	KUNIT_EXPECT_FALSE(test, netif_carrier_ok(ctx->dev));
}

static struct kunit_case net_cases[] = {
	KUNIT_CASE(test_rx_sizes),
	KUNIT_CASE(test_rx_too_long),
	KUNIT_CASE(test_rx_bad),
	KUNIT_CASE(test_rx_bad_ring),
	KUNIT_CASE(test_order),
	{}
};

static struct kunit_suite net_suite = {
	.name = "vbus_net_rx",
	.init = net_init,
	.exit = net_exit,
	.test_cases = net_cases,
};

kunit_test_suite(net_suite);

MODULE_DESCRIPTION("Suite of the guest network driver's receive path");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VPROXY_DRIVER);
