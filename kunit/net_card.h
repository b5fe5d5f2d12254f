/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A network card made of memory (fake_transport.h) for the suites of the guest
 * network driver, and the host behind it.
 *
 * The suite is the host: it writes completions by the ring's south side, or
 * straight into the ring where south would not. What the driver gives to the
 * stack is caught by an rx handler, before anyone else sees it. Each suite has
 * its own copy and need not use all of it.
 */
#ifndef _VBUS_KUNIT_NET_CARD_H
#define _VBUS_KUNIT_NET_CARD_H

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

#define ALL_FEATURES	0xffULL
#define RING		64

struct net_ctx {
	struct fake_dev *fake;
	struct net_device *dev;
	/* What the rx handler saw. */
	struct sk_buff_head got;
	unsigned int freed;	/* transmitted skbs */
};

static __maybe_unused struct net_ctx *ctx_of(struct kunit *test)
{
	return test->priv;
}

static __maybe_unused rx_handler_result_t catch_rx(struct sk_buff **pskb)
{
	struct net_ctx *ctx = rcu_dereference((*pskb)->dev->rx_handler_data);

	skb_queue_tail(&ctx->got, *pskb);
	return RX_HANDLER_CONSUMED;
}

static __maybe_unused void set_config(struct fake_dev *fake, u32 mtu, u32 pairs, u16 link)
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

static __maybe_unused struct fake_dev *net_device(struct kunit *test)
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

static __maybe_unused struct net_device *find_netdev(struct fake_dev *fake)
{
	struct net_device *dev, *found = NULL;

	rtnl_lock();
	for_each_netdev(&init_net, dev)
		if (dev->dev.parent == &fake->vdev.dev)
			found = dev;
	rtnl_unlock();
	return found;
}

static __maybe_unused int set_up(struct net_device *dev, bool up)
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
static __maybe_unused void start(struct kunit *test)
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
static __maybe_unused void signal(struct net_ctx *ctx, u32 q)
{
	local_bh_disable();
	fake_signal(ctx->fake, fake_get32(ctx->fake, VBUS_REG_QUEUE(q) +
					  VBUS_QREG_VECTOR));
	local_bh_enable();
	/* Left to ksoftirqd while that is runnable. */
	while (local_softirq_pending())
		msleep(20);
}

static __maybe_unused u64 stat(struct net_device *dev, const char *name)
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

/* Fill and complete the next posted chain; returns the bytes written. */
static __maybe_unused u32 put_chain(struct kunit *test, const void *hdr,
				    const u8 *data, u32 len)
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

static __maybe_unused void make_frame(u8 *frame, u32 len)
{
	u32 i;

	for (i = 0; i < len; i++)
		frame[i] = i * 7 + (i >> 8);
	memset(frame, 0xff, ETH_ALEN);
	frame[6] = 2;
	put_unaligned_be16(0x88b5, frame + 12);
}

/* Deliver a frame the way a good host does. */
static __maybe_unused void deliver(struct kunit *test, const u8 *frame, u32 len)
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

/* A restart cures what was broken. */
static __maybe_unused void restart(struct kunit *test)
{
	struct net_ctx *ctx = ctx_of(test);

	set_up(ctx->dev, false);
	KUNIT_ASSERT_EQ(test, 0, set_up(ctx->dev, true));
	KUNIT_EXPECT_TRUE(test, netif_carrier_ok(ctx->dev));
}

static __maybe_unused void receives(struct kunit *test)
{
	struct net_ctx *ctx = ctx_of(test);
	u8 frame[200];

	make_frame(frame, sizeof(frame));
	deliver(test, frame, sizeof(frame));
	KUNIT_EXPECT_EQ(test, skb_queue_len(&ctx->got), 1);
	skb_queue_purge(&ctx->got);
}

static __maybe_unused void tx_freed(struct sk_buff *skb)
{
	struct net_ctx *ctx = (void *)skb_shinfo(skb)->destructor_arg;

	ctx->freed++;
}

/* Straight to the driver, as a qdisc would hand it over. */
static __maybe_unused int transmit(struct kunit *test, u32 linear, u32 frags, bool headroom)
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
static __maybe_unused u32 take(struct kunit *test, u32 linear, u32 frags)
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

static __maybe_unused void tx_done(struct net_ctx *ctx)
{
	ioq_south_publish(&ctx->fake->south[1]);
	signal(ctx, 1);
}

static __maybe_unused int net_init(struct kunit *test)
{
	struct net_ctx *ctx = kunit_kzalloc(test, sizeof(*ctx), GFP_KERNEL);

	if (!ctx)
		return -ENOMEM;
	skb_queue_head_init(&ctx->got);
	test->priv = ctx;
	return request_module("vbus-net");
}

static __maybe_unused void net_exit(struct kunit *test)
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

#endif /* _VBUS_KUNIT_NET_CARD_H */
