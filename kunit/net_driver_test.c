// SPDX-License-Identifier: GPL-2.0
/*
 * Guest network driver on a device made of memory (fake_transport.h): what it
 * makes of good frames, and of a host that lies.
 *
 * The suite is the host: it writes completions by the ring's south side, or
 * straight into the ring where south would not. What the driver gives to the
 * stack is caught by an rx handler, before anyone else sees it.
 */
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/io.h>
#include <linux/ip.h>
#include <linux/kmod.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/rtnetlink.h>
#include <uapi/linux/vbus_net.h>
#include "fake_transport.h"
#include "fault.h"

#define ALL_FEATURES	0xffULL
#define RING		64
#define CHAIN_MAX	4096

struct net_ctx {
	struct fake_dev *fake;
	struct net_device *dev;
	/* What the rx handler saw. */
	struct sk_buff_head got;
	unsigned int freed;	/* transmitted skbs */
};

static struct net_ctx *ctx_of(struct kunit *test)
{
	return test->priv;
}

static rx_handler_result_t catch_rx(struct sk_buff **pskb)
{
	struct net_ctx *ctx = rcu_dereference((*pskb)->dev->rx_handler_data);

	skb_queue_tail(&ctx->got, *pskb);
	return RX_HANDLER_CONSUMED;
}

static void set_config(struct fake_dev *fake, u32 mtu, u32 pairs, u16 link)
{
	struct vbus_net_config config = {
		.mac = { 2, 0, 0, 0, 0, 9 },
		.link = cpu_to_le16(link),
		.mtu = cpu_to_le32(mtu),
		.nr_pairs = cpu_to_le32(pairs),
		.speed = cpu_to_le32(10000),
	};

	memcpy(fake->regs + VBUS_REG_CONFIG, &config, sizeof(config));
}

static struct fake_dev *net_device(struct kunit *test)
{
	struct fake_dev *fake = fake_create(test);
	u32 q;

	fake_set32(fake, VBUS_REG_CLASS, VBUS_CLASS_NET);
	fake_set32(fake, VBUS_REG_CLASS_VERSION, VBUS_NET_VERSION);
	fake_set32(fake, VBUS_REG_NR_QUEUES, 2);
	fake_set64(fake, VBUS_REG_FEATURES, ALL_FEATURES);
	fake_set32(fake, VBUS_REG_CONFIG_SIZE, sizeof(struct vbus_net_config));
	for (q = 0; q < 2; q++) {
		fake_set32(fake, VBUS_REG_QUEUE(q) + VBUS_QREG_SIZE_MAX, RING);
		fake_set32(fake, VBUS_REG_QUEUE(q) + VBUS_QREG_SEG_MAX, 32);
		fake_set32(fake, VBUS_REG_QUEUE(q) + VBUS_QREG_FLAGS,
			   VBUS_QUEUE_IN_ORDER);
	}
	/* Too small for IPv6, which would send frames of its own. */
	set_config(fake, 1000, 1, 1);
	return fake;
}

static struct net_device *find_netdev(struct fake_dev *fake)
{
	struct net_device *dev, *found = NULL;

	rtnl_lock();
	for_each_netdev(&init_net, dev)
		if (dev->dev.parent == &fake->vdev.dev)
			found = dev;
	rtnl_unlock();
	return found;
}

static int set_up(struct net_device *dev, bool up)
{
	int err = 0;

	rtnl_lock();
	if (up)
		err = dev_open(dev, NULL);
	else
		dev_close(dev);
	rtnl_unlock();
	return err;
}

/* A card that is up. */
static void start(struct kunit *test)
{
	struct net_ctx *ctx = ctx_of(test);

	ctx->fake = net_device(test);
	KUNIT_ASSERT_EQ(test, 0, fake_register(ctx->fake));
	ctx->dev = find_netdev(ctx->fake);
	KUNIT_ASSERT_NOT_NULL(test, ctx->dev);
	KUNIT_ASSERT_EQ(test, 0, set_up(ctx->dev, true));
	KUNIT_ASSERT_TRUE(test, netif_carrier_ok(ctx->dev));
	rtnl_lock();
	KUNIT_EXPECT_EQ(test, 0,
			netdev_rx_handler_register(ctx->dev, catch_rx, ctx));
	rtnl_unlock();
}

/* As an interrupt, and the softirq behind it. */
static void signal(struct net_ctx *ctx, u32 q)
{
	local_bh_disable();
	fake_signal(ctx->fake, fake_get32(ctx->fake, VBUS_REG_QUEUE(q) +
					  VBUS_QREG_VECTOR));
	local_bh_enable();
	/* Left to ksoftirqd while that is runnable. */
	while (local_softirq_pending())
		msleep(20);
}

static u64 stat(struct net_device *dev, const char *name)
{
	const struct ethtool_ops *ops = dev->ethtool_ops;
	u64 val = 0;
	u64 *data;
	u8 *names;
	int i, n;

	rtnl_lock();
	n = ops->get_sset_count(dev, ETH_SS_STATS);
	names = kcalloc(n, ETH_GSTRING_LEN, GFP_KERNEL);
	data = kcalloc(n, sizeof(*data), GFP_KERNEL);
	if (names && data) {
		ops->get_strings(dev, ETH_SS_STATS, names);
		ops->get_ethtool_stats(dev, NULL, data);
		for (i = 0; i < n; i++)
			if (!strcmp(names + i * ETH_GSTRING_LEN, name))
				val = data[i];
	}
	kfree(data);
	kfree(names);
	rtnl_unlock();
	return val;
}

/* --- receive --- */

/* Fill and complete the next posted chain; returns the bytes written. */
static u32 put_chain(struct kunit *test, const void *hdr, const u8 *data,
		     u32 len)
{
	struct ioq_south *south = &ctx_of(test)->fake->south[0];
	struct ioq_chain chain;
	struct ioq_seg seg;
	u8 *to;

	KUNIT_ASSERT_EQ(test, 1, ioq_south_get(south, &seg, 1, &chain, NULL,
					       NULL));
	KUNIT_EXPECT_TRUE(test, seg.write);
	to = phys_to_virt(seg.addr);
	if (hdr) {
		len = min_t(u32, len, seg.len - VBUS_NET_HDR_SIZE);
		memcpy(to, hdr, VBUS_NET_HDR_SIZE);
		memcpy(to + VBUS_NET_HDR_SIZE, data, len);
		ioq_south_complete(south, chain.id, len + VBUS_NET_HDR_SIZE);
	} else {
		len = min_t(u32, len, seg.len);
		memcpy(to, data, len);
		ioq_south_complete(south, chain.id, len);
	}
	return len;
}

static void make_frame(u8 *frame, u32 len)
{
	u32 i;

	for (i = 0; i < len; i++)
		frame[i] = i * 7 + (i >> 8);
	memset(frame, 0xff, ETH_ALEN);
	frame[6] = 2;
	put_unaligned_be16(0x88b5, frame + 12);
}

/* Deliver a frame the way a good host does. */
static void deliver(struct kunit *test, const u8 *frame, u32 len)
{
	struct vbus_net_hdr hdr = {};
	struct net_ctx *ctx = ctx_of(test);
	u32 room = 0, done;
	struct ioq_chain chain;
	struct ioq_seg seg;
	struct ioq_mark mark;

	mark = ioq_south_mark(&ctx->fake->south[0]);
	KUNIT_ASSERT_EQ(test, 1, ioq_south_get(&ctx->fake->south[0], &seg, 1,
					       &chain, NULL, NULL));
	room = seg.len;
	ioq_south_rewind(&ctx->fake->south[0], mark);

	hdr.nr_chains = cpu_to_le16(DIV_ROUND_UP(len + VBUS_NET_HDR_SIZE,
						 room));
	done = put_chain(test, &hdr, frame, len);
	while (done < len)
		done += put_chain(test, NULL, frame + done, len - done);
	ioq_south_publish(&ctx->fake->south[0]);
	signal(ctx, 0);
}

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

/* A restart cures what was broken. */
static void restart(struct kunit *test)
{
	struct net_ctx *ctx = ctx_of(test);

	set_up(ctx->dev, false);
	KUNIT_ASSERT_EQ(test, 0, set_up(ctx->dev, true));
	KUNIT_EXPECT_TRUE(test, netif_carrier_ok(ctx->dev));
}

static void receives(struct kunit *test)
{
	struct net_ctx *ctx = ctx_of(test);
	u8 frame[200];

	make_frame(frame, sizeof(frame));
	deliver(test, frame, sizeof(frame));
	KUNIT_EXPECT_EQ(test, skb_queue_len(&ctx->got), 1);
	skb_queue_purge(&ctx->got);
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

/* --- transmit --- */

static void tx_freed(struct sk_buff *skb)
{
	struct net_ctx *ctx = (void *)skb_shinfo(skb)->destructor_arg;

	ctx->freed++;
}

/* Straight to the driver, as a qdisc would hand it over. */
static int transmit(struct kunit *test, u32 linear, u32 frags, bool headroom)
{
	struct net_ctx *ctx = ctx_of(test);
	struct sk_buff *skb;
	struct page *page;
	int ret;
	u32 i;

	skb = alloc_skb(linear + 64, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	if (headroom)
		skb_reserve(skb, 64);
	make_frame(skb_put(skb, linear), linear);
	for (i = 0; i < frags; i++) {
		page = alloc_page(GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, page);
		memset(page_address(page), i, PAGE_SIZE);
		skb_add_rx_frag(skb, i, page, 0, 100, PAGE_SIZE);
	}
	skb->dev = ctx->dev;
	skb->destructor = tx_freed;
	skb_shinfo(skb)->destructor_arg = ctx;
	local_bh_disable();
	ret = netdev_start_xmit(skb, ctx->dev,
				netdev_get_tx_queue(ctx->dev, 0), false);
	local_bh_enable();
	if (ret != NETDEV_TX_OK)
		kfree_skb(skb);
	return ret;
}

/* Take one frame; checks its bytes. Return: segments, 0 if there is none. */
static u32 take(struct kunit *test, u32 linear, u32 frags)
{
	struct ioq_south *south = &ctx_of(test)->fake->south[1];
	u32 i, pos = 0, n, want = VBUS_NET_HDR_SIZE + linear + frags * 100;
	struct ioq_seg segs[32];
	struct ioq_chain chain;
	u8 *data, *frame;

	if (ioq_south_get(south, segs, 32, &chain, NULL, NULL) != 1)
		return 0;
	data = kunit_kzalloc(test, 70000, GFP_KERNEL);
	frame = kunit_kzalloc(test, linear, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, data);
	KUNIT_ASSERT_NOT_NULL(test, frame);
	n = chain.nr_out;
	KUNIT_EXPECT_EQ(test, chain.nr_in, 0);
	for (i = 0; i < n && pos + segs[i].len <= 70000; i++) {
		memcpy(data + pos, phys_to_virt(segs[i].addr), segs[i].len);
		pos += segs[i].len;
	}
	KUNIT_EXPECT_EQ(test, pos, want);
	KUNIT_EXPECT_NULL(test, memchr_inv(data, 0, VBUS_NET_HDR_SIZE));
	make_frame(frame, linear);
	KUNIT_EXPECT_EQ(test, 0, memcmp(data + VBUS_NET_HDR_SIZE, frame,
					linear));
	for (i = 0; i < frags; i++)
		KUNIT_EXPECT_NULL(test, memchr_inv(data + VBUS_NET_HDR_SIZE +
						   linear + 100 * i, i, 100));
	ioq_south_complete(south, chain.id, 0);
	return n;
}

static void tx_done(struct net_ctx *ctx)
{
	ioq_south_publish(&ctx->fake->south[1]);
	signal(ctx, 1);
}

static void test_tx_segments(struct kunit *test)
{
	static const struct {
		u32 linear;
		u32 frags;
		bool headroom;
		u32 want;
	} table[] = {
		{ 60, 0, true, 1 },
		{ 60, 0, false, 2 },
		{ 1514, 0, true, 1 },
		{ 9014, 0, false, 2 },
		{ 60, 1, true, 2 },
		{ 60, 1, false, 3 },
		{ 60, MAX_SKB_FRAGS, true, 1 + MAX_SKB_FRAGS },
		{ 60, MAX_SKB_FRAGS, false, 2 + MAX_SKB_FRAGS },
	};
	struct net_ctx *ctx = ctx_of(test);
	int i, lap, n = 0;

	start(test);
	for (lap = 0; lap < 20; lap++) {
		for (i = 0; i < ARRAY_SIZE(table); i++) {
			KUNIT_EXPECT_EQ(test, NETDEV_TX_OK,
					transmit(test, table[i].linear,
						 table[i].frags,
						 table[i].headroom));
			KUNIT_EXPECT_EQ(test, ctx->freed, n);
			KUNIT_EXPECT_EQ_MSG(test, table[i].want,
					    take(test, table[i].linear,
						 table[i].frags), "case %d", i);
			tx_done(ctx);
			KUNIT_EXPECT_EQ(test, ctx->freed, ++n);
		}
	}
	KUNIT_EXPECT_EQ(test, stat(ctx->dev, "tx0_packets"), n);
	KUNIT_EXPECT_EQ(test, stat(ctx->dev, "tx0_linearized"), 0);
	KUNIT_EXPECT_EQ(test, stat(ctx->dev, "tx0_drops"), 0);
}

/* A host that takes few segments gets frames in one piece. */
static void test_tx_linearize(struct kunit *test)
{
	struct net_ctx *ctx = ctx_of(test);

	start(test);
	set_up(ctx->dev, false);
	fake_set32(ctx->fake, VBUS_REG_QUEUE(1) + VBUS_QREG_SEG_MAX, 4);
	KUNIT_ASSERT_EQ(test, 0, set_up(ctx->dev, true));
	transmit(test, 60, 2, false);
	KUNIT_EXPECT_EQ(test, 4, take(test, 60, 2));
	transmit(test, 60, 3, true);
	KUNIT_EXPECT_EQ(test, stat(ctx->dev, "tx0_linearized"), 1);
	tx_done(ctx);
	KUNIT_EXPECT_EQ(test, ctx->freed, 1);

	/* And one that takes too few gets none. */
	set_up(ctx->dev, false);
	fake_set32(ctx->fake, VBUS_REG_QUEUE(1) + VBUS_QREG_SEG_MAX, 1);
	KUNIT_EXPECT_EQ(test, -EINVAL, set_up(ctx->dev, true));
	KUNIT_EXPECT_EQ(test, fake_get32(ctx->fake, VBUS_REG_STATUS),
			VBUS_STATUS_DRIVER | VBUS_STATUS_FEATURES_OK);
}

/* The ring fills, the queue stops, wakes with room, and nothing is lost. */
static void test_tx_full(struct kunit *test)
{
	struct net_ctx *ctx = ctx_of(test);
	struct netdev_queue *txq;
	unsigned int sent, took = 0;
	int lap;

	start(test);
	txq = netdev_get_tx_queue(ctx->dev, 0);
	/* Byte queue limits are the stack's; here the ring is the limit. */
	for (lap = 0; lap < 10; lap++) {
		sent = 0;
		while (!netif_tx_queue_stopped(txq) && sent < 2 * RING) {
			KUNIT_ASSERT_EQ(test, NETDEV_TX_OK,
					transmit(test, 60, 1, true));
			sent++;
		}
		KUNIT_EXPECT_LT(test, sent, RING);
		/* Nothing may be added now, and nothing is lost if it is. */
		KUNIT_EXPECT_EQ(test, NETDEV_TX_BUSY,
				transmit(test, 60, 1, true));
		while (take(test, 60, 1)) {
			took++;
			tx_done(ctx);
		}
		KUNIT_EXPECT_FALSE(test, netif_tx_queue_stopped(txq));
	}
	KUNIT_EXPECT_EQ(test, stat(ctx->dev, "tx0_packets"), took);
	KUNIT_EXPECT_GE(test, ctx->freed, took);
	KUNIT_EXPECT_GT(test, stat(ctx->dev, "tx0_stops"), 0);
}

/* What the host has not read when it goes is freed all the same. */
static void test_tx_left(struct kunit *test)
{
	struct net_ctx *ctx = ctx_of(test);
	int i;

	start(test);
	for (i = 0; i < 5; i++)
		transmit(test, 60, 2, i & 1);
	KUNIT_EXPECT_EQ(test, ctx->freed, 0);
	set_up(ctx->dev, false);
	KUNIT_EXPECT_EQ(test, ctx->freed, 5);
	KUNIT_ASSERT_EQ(test, 0, set_up(ctx->dev, true));
	for (i = 0; i < 5; i++)
		transmit(test, 60, 2, i & 1);
	fake_unregister(ctx->fake, true);
	ctx->dev = NULL;
	KUNIT_EXPECT_EQ(test, ctx->freed, 10);
}

static void test_tx_bad_ring(struct kunit *test)
{
	struct net_ctx *ctx = ctx_of(test);
	struct vproxy_queue *q;

	start(test);
	transmit(test, 60, 0, true);
	q = vproxy_queue(&ctx->fake->vdev, 1);
	/* A chain that is not with the host. */
	WRITE_ONCE(q->ring.comp[0], cpu_to_le64(VBUS_RING_AVAIL | 1ULL << 34));
	signal(ctx, 1);
	KUNIT_EXPECT_FALSE(test, netif_carrier_ok(ctx->dev));
	KUNIT_EXPECT_EQ(test, ctx->freed, 0);
	KUNIT_EXPECT_EQ(test, NETDEV_TX_OK, transmit(test, 60, 0, true));
	KUNIT_EXPECT_EQ(test, stat(ctx->dev, "tx0_drops"), 1);
	KUNIT_EXPECT_EQ(test, ctx->freed, 1);
	restart(test);
	KUNIT_EXPECT_EQ(test, ctx->freed, 2);
	transmit(test, 60, 0, true);
	KUNIT_EXPECT_EQ(test, 1, take(test, 60, 0));
	tx_done(ctx);
	KUNIT_EXPECT_EQ(test, ctx->freed, 3);
}

/* --- the device --- */

static void test_config(struct kunit *test)
{
	static const struct {
		const char *name;
		u32 mtu;
		u32 pairs;
		u32 version;
		u32 config_size;
		u32 queues;
		bool ok;
	} table[] = {
		{ "good", 1500, 1, 1, 32, 2, true },
		{ "smallest mtu", 68, 1, 1, 32, 2, true },
		{ "largest mtu", 65535, 1, 1, 32, 2, true },
		{ "mtu too small", 67, 1, 1, 32, 2, false },
		{ "mtu too large", 65536, 1, 1, 32, 2, false },
		{ "mtu negative", U32_MAX, 1, 1, 32, 2, false },
		{ "no pairs", 1500, 0, 1, 32, 2, false },
		{ "more pairs than queues", 1500, 64, 1, 32, 2, true },
		{ "absurd number of pairs", 1500, U32_MAX, 1, 32, 2, true },
		{ "one queue", 1500, 1, 1, 32, 1, false },
		{ "no queue", 1500, 1, 1, 32, 0, false },
		{ "later class version", 1500, 1, 2, 32, 2, false },
		{ "config too short", 1500, 1, 1, 31, 2, false },
		{ "longer config", 1500, 1, 1, 64, 2, true },
	};
	struct fake_dev *fake = net_device(test);
	struct net_device *dev;
	int i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		set_config(fake, table[i].mtu, table[i].pairs, 1);
		fake_set32(fake, VBUS_REG_CLASS_VERSION, table[i].version);
		fake_set32(fake, VBUS_REG_CONFIG_SIZE, table[i].config_size);
		fake_set32(fake, VBUS_REG_NR_QUEUES, table[i].queues);
		KUNIT_ASSERT_EQ(test, 0, fake_register(fake));
		dev = find_netdev(fake);
		KUNIT_EXPECT_EQ_MSG(test, !!dev, table[i].ok, "%s",
				    table[i].name);
		if (dev && table[i].ok) {
			KUNIT_EXPECT_EQ(test, dev->mtu, table[i].mtu);
			KUNIT_EXPECT_EQ(test, dev->num_tx_queues, 1);
			KUNIT_EXPECT_EQ(test, 0, set_up(dev, true));
		}
		fake_unregister(fake, false);
	}
}

/* Each feature of the stack needs features of the host. */
static void test_features(struct kunit *test)
{
	static const struct {
		u64 offered;
		netdev_features_t want;
		netdev_features_t never;
	} table[] = {
		{ 0, NETIF_F_SG, NETIF_F_HW_CSUM | NETIF_F_RXCSUM |
		  NETIF_F_ALL_TSO | NETIF_F_GSO_UDP_L4 },
		{ VBUS_NET_F_CSUM, NETIF_F_HW_CSUM,
		  NETIF_F_RXCSUM | NETIF_F_ALL_TSO | NETIF_F_GSO_UDP_L4 },
		{ VBUS_NET_F_CSUM | VBUS_NET_F_TSO,
		  NETIF_F_TSO | NETIF_F_TSO6,
		  NETIF_F_TSO_ECN | NETIF_F_GSO_UDP_L4 },
		{ VBUS_NET_F_CSUM | VBUS_NET_F_TSO | VBUS_NET_F_ECN,
		  NETIF_F_TSO | NETIF_F_TSO6 | NETIF_F_TSO_ECN,
		  NETIF_F_GSO_UDP_L4 },
		{ VBUS_NET_F_CSUM | VBUS_NET_F_USO, NETIF_F_GSO_UDP_L4,
		  NETIF_F_ALL_TSO },
		{ VBUS_NET_F_GUEST_CSUM, NETIF_F_RXCSUM, NETIF_F_HW_CSUM },
		/* Nonsense of the host: TSO without sums. */
		{ VBUS_NET_F_TSO | VBUS_NET_F_USO, NETIF_F_SG,
		  NETIF_F_ALL_TSO | NETIF_F_GSO_UDP_L4 },
	};
	struct fake_dev *fake = net_device(test);
	struct net_device *dev;
	int i;

	for (i = 0; i < ARRAY_SIZE(table); i++) {
		fake_set64(fake, VBUS_REG_FEATURES, table[i].offered);
		KUNIT_ASSERT_EQ(test, 0, fake_register(fake));
		dev = find_netdev(fake);
		KUNIT_ASSERT_NOT_NULL(test, dev);
		KUNIT_EXPECT_EQ_MSG(test, dev->features & table[i].want,
				    table[i].want, "row %d", i);
		KUNIT_EXPECT_EQ_MSG(test, dev->features & table[i].never, 0,
				    "row %d", i);
		fake_unregister(fake, false);
	}
}

static bool carrier_becomes(struct net_device *dev, bool on)
{
	int i;

	for (i = 0; i < 200 && netif_carrier_ok(dev) != on; i++)
		msleep(20);
	return netif_carrier_ok(dev) == on;
}

static void config_signal(struct fake_dev *fake)
{
	fake_set32(fake, VBUS_REG_CONFIG_GEN,
		   fake_get32(fake, VBUS_REG_CONFIG_GEN) + 1);
	fake_signal(fake, 0);
}

static void test_link(struct kunit *test)
{
	struct net_ctx *ctx = ctx_of(test);

	start(test);
	set_config(ctx->fake, 1000, 1, 0);
	config_signal(ctx->fake);
	KUNIT_EXPECT_TRUE(test, carrier_becomes(ctx->dev, false));
	set_config(ctx->fake, 1000, 1, 1);
	config_signal(ctx->fake);
	KUNIT_EXPECT_TRUE(test, carrier_becomes(ctx->dev, true));
	/* Only 1 is up. */
	set_config(ctx->fake, 1000, 1, 2);
	config_signal(ctx->fake);
	KUNIT_EXPECT_TRUE(test, carrier_becomes(ctx->dev, false));
	set_config(ctx->fake, 1000, 1, 1);
	config_signal(ctx->fake);
	KUNIT_EXPECT_TRUE(test, carrier_becomes(ctx->dev, true));

	/* The device stops: so do we, until a restart. */
	fake_set32(ctx->fake, VBUS_REG_STATUS,
		   fake_get32(ctx->fake, VBUS_REG_STATUS) |
		   VBUS_STATUS_NEEDS_RESET);
	config_signal(ctx->fake);
	KUNIT_EXPECT_TRUE(test, carrier_becomes(ctx->dev, false));
	fake_set32(ctx->fake, VBUS_REG_STATUS,
		   fake_get32(ctx->fake, VBUS_REG_STATUS) &
		   ~VBUS_STATUS_NEEDS_RESET);
	restart(test);
	receives(test);
}

static void test_tx_timeout(struct kunit *test)
{
	struct net_ctx *ctx = ctx_of(test);
	unsigned int resets;
	int i;

	start(test);
	transmit(test, 60, 0, true);
	resets = ctx->fake->resets;
	netif_tx_lock_bh(ctx->dev);
	ctx->dev->netdev_ops->ndo_tx_timeout(ctx->dev, 0);
	netif_tx_unlock_bh(ctx->dev);
	for (i = 0; i < 200 && !stat(ctx->dev, "tx0_timeouts"); i++)
		msleep(20);
	KUNIT_EXPECT_EQ(test, stat(ctx->dev, "tx0_timeouts"), 1);
	KUNIT_EXPECT_GT(test, ctx->fake->resets, resets);
	KUNIT_EXPECT_EQ(test, ctx->freed, 1);
	KUNIT_EXPECT_TRUE(test, carrier_becomes(ctx->dev, true));
	transmit(test, 60, 0, true);
	KUNIT_EXPECT_EQ(test, 1, take(test, 60, 0));
}

/*
 * Every allocation of open fails once; the next open works. The last case, since
 * among them is one of the DMA debugging, which then switches itself off.
 */
static void test_open_faults(struct kunit *test)
{
	struct net_ctx *ctx = ctx_of(test);
	unsigned int n, failed = 0;
	int err;

	fault_setup(test);
	start(test);
	set_up(ctx->dev, false);
	for (n = 1; n < FAULT_MAX; n++) {
		fault_arm(n);
		err = set_up(ctx->dev, true);
		if (!fault_disarm()) {
			KUNIT_EXPECT_EQ(test, err, 0);
			break;
		}
		failed += !!err;
		set_up(ctx->dev, false);
		KUNIT_EXPECT_EQ(test, fake_get32(ctx->fake, VBUS_REG_STATUS) &
				VBUS_STATUS_RUNNING, 0);
	}
	KUNIT_EXPECT_LT(test, n, FAULT_MAX);
	KUNIT_EXPECT_GT(test, failed, 3);
	receives(test);
}

static int net_init(struct kunit *test)
{
	struct net_ctx *ctx = kunit_kzalloc(test, sizeof(*ctx), GFP_KERNEL);

	if (!ctx)
		return -ENOMEM;
	skb_queue_head_init(&ctx->got);
	test->priv = ctx;
	return request_module("vbus-net");
}

static void net_exit(struct kunit *test)
{
	struct net_ctx *ctx = test->priv;

	if (ctx->dev) {
		rtnl_lock();
		netdev_rx_handler_unregister(ctx->dev);
		rtnl_unlock();
		if (ctx->fake->registered)
			fake_unregister(ctx->fake, false);
	}
	skb_queue_purge(&ctx->got);
}

static struct kunit_case net_cases[] = {
	KUNIT_CASE(test_rx_sizes),
	KUNIT_CASE(test_rx_bad),
	KUNIT_CASE(test_rx_bad_ring),
	KUNIT_CASE(test_order),
	KUNIT_CASE(test_tx_segments),
	KUNIT_CASE(test_tx_linearize),
	KUNIT_CASE(test_tx_full),
	KUNIT_CASE(test_tx_left),
	KUNIT_CASE(test_tx_bad_ring),
	KUNIT_CASE(test_config),
	KUNIT_CASE(test_features),
	KUNIT_CASE(test_link),
	KUNIT_CASE(test_tx_timeout),
	KUNIT_CASE(test_open_faults),
	{}
};

static struct kunit_suite net_suite = {
	.name = "vbus_net_driver",
	.init = net_init,
	.exit = net_exit,
	.test_cases = net_cases,
};

kunit_test_suite(net_suite);

MODULE_DESCRIPTION("Suite of the guest network driver");
MODULE_LICENSE("GPL");
