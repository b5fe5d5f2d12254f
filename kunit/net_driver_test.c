// SPDX-License-Identifier: GPL-2.0
/*
 * Guest network driver: transmitting, what it makes of a device's description,
 * link, restarts, and allocations that fail.
 */
#include "fault.h"
#include "net_card.h"

/* --- transmit --- */

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

/* What no header describes is dropped and counted, and harms nothing else. */
static void test_tx_bad(struct kunit *test)
{
	struct net_ctx *ctx = ctx_of(test);
	struct rtnl_link_stats64 stats;
	struct ioq_chain chain;
	struct ioq_seg segs[4];
	struct sk_buff *skb;

	start(test);
	skb = alloc_skb(200, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_reserve(skb, 64);
	make_frame(skb_put(skb, 60), 60);
	skb->dev = ctx->dev;
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_headroom(skb) + 12;
	skb->csum_offset = 16;
	local_bh_disable();
	KUNIT_EXPECT_EQ(test, NETDEV_TX_OK,
			netdev_start_xmit(skb, ctx->dev,
					  netdev_get_tx_queue(ctx->dev, 0),
					  false));
	local_bh_enable();
	KUNIT_EXPECT_EQ(test, 0, ioq_south_get(&ctx->fake->south[1], segs, 4,
					       &chain, NULL, NULL));
	KUNIT_EXPECT_EQ(test, stat(ctx->dev, "tx0_bad"), 1);
	KUNIT_EXPECT_EQ(test, stat(ctx->dev, "tx0_drops"), 0);
	dev_get_stats(ctx->dev, &stats);
	KUNIT_EXPECT_EQ(test, stats.tx_dropped, 1);

	transmit(test, 60, 0, true);
	KUNIT_EXPECT_EQ(test, 1, take(test, 60, 0));
	tx_done(ctx);
	KUNIT_EXPECT_EQ(test, ctx->freed, 1);
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

static struct kunit_case net_cases[] = {
	KUNIT_CASE(test_tx_segments),
	KUNIT_CASE(test_tx_bad),
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
MODULE_IMPORT_NS(VPROXY_DRIVER);
