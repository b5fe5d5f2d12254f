// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "net" as admin and driver see it before any frame moves: attributes
 * and their limits, features, config space, which queues make a device run, and
 * what ethtool shows.
 */
#include <linux/delay.h>
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <net/net_namespace.h>
#include "fault.h"
#include "net_guest.h"

#define DEV	"devices/net.kt0/"

static void attr_expect(struct kunit *test, const char *attr, const char *want)
{
	char path[64], text[128];

	snprintf(path, sizeof(path), DEV "%s", attr);
	KUNIT_EXPECT_EQ(test, 0, conn_guest_read(path, text, sizeof(text)));
	KUNIT_EXPECT_STREQ(test, strim(text), want);
}

static int attr_set(const char *attr, const char *value)
{
	char path[64];

	snprintf(path, sizeof(path), DEV "%s", attr);
	return conn_guest_write(path, value);
}

/* A refused value (ret) must leave the last good one. */
static const struct {
	const char *attr;
	const char *value;
	int ret;
	const char *now;
} dm_attrs[] = {
	{ "mtu", "68", 0, "68" },
	{ "mtu", "65535\n", 0, "65535" },
	{ "mtu", "\t9000\n", 0, "9000" },
	{ "mtu", "67", -ERANGE, "9000" },
	{ "mtu", "0", -ERANGE, "9000" },
	{ "mtu", "65536", -ERANGE, "9000" },
	{ "mtu", "4294967296", -ERANGE, "9000" },
	{ "mtu", "-1500", -EINVAL, "9000" },
	{ "mtu", "0x100", -EINVAL, "9000" },
	{ "mtu", "1500 1500", -EINVAL, "9000" },
	{ "mtu", "\n", -EINVAL, "9000" },
	{ "queues", "1", 0, "1" },
	{ "queues", "64", 0, "64" },
	{ "queues", "2", 0, "2" },
	{ "queues", "0", -ERANGE, "2" },
	{ "queues", "65", -ERANGE, "2" },
	{ "queues", "two", -EINVAL, "2" },
	{ "queues", "\n", -EINVAL, "2" },
	{ "mac", "02:00:00:00:00:01", 0, "02:00:00:00:00:01" },
	{ "mac", "AA:bb:CC:dd:EE:fF\n", 0, "aa:bb:cc:dd:ee:ff" },
	{ "mac", "01:00:00:00:00:01", -EINVAL, "aa:bb:cc:dd:ee:ff" },
	{ "mac", "00:00:00:00:00:00", -EINVAL, "aa:bb:cc:dd:ee:ff" },
	{ "mac", "ff:ff:ff:ff:ff:ff", -EINVAL, "aa:bb:cc:dd:ee:ff" },
	{ "mac", "02:00:00:00:00", -EINVAL, "aa:bb:cc:dd:ee:ff" },
	{ "mac", "02:00:00:00:00:01:02", -EINVAL, "aa:bb:cc:dd:ee:ff" },
	{ "mac", "02:00:00:00:00:0g", -EINVAL, "aa:bb:cc:dd:ee:ff" },
	{ "mac", "02-00-00-00-00-01", -EINVAL, "aa:bb:cc:dd:ee:ff" },
	{ "mac", "\n", -EINVAL, "aa:bb:cc:dd:ee:ff" },
	{ "ifname", "vkt0", 0, "vkt0" },
	{ "ifname", "abcdefghijklmno", 0, "abcdefghijklmno" },
	{ "ifname", "abcdefghijklmnop", -EINVAL, "abcdefghijklmno" },
	{ "ifname", "\n", -EINVAL, "abcdefghijklmno" },
	{ "ifname", ".", -EINVAL, "abcdefghijklmno" },
	{ "ifname", "..", -EINVAL, "abcdefghijklmno" },
	{ "ifname", "a/b", -EINVAL, "abcdefghijklmno" },
	{ "ifname", "a b", -EINVAL, "abcdefghijklmno" },
	{ "ifname", "a:b", -EINVAL, "abcdefghijklmno" },
	{ "ifname", "vb%d", -EINVAL, "abcdefghijklmno" },
};

static void dm_attributes(struct kunit *test)
{
	char mac[128], other[128];
	u32 i;

	KUNIT_ASSERT_EQ(test, 0, conn_guest_shell("mkdir devices/net.kt0"));
	attr_expect(test, "mtu", "1500");
	attr_expect(test, "queues", "1");
	attr_expect(test, "ifname", "kt0");
	KUNIT_EXPECT_EQ(test, 0, conn_guest_read(DEV "mac", mac, sizeof(mac)));
	for (i = 0; i < ARRAY_SIZE(dm_attrs); i++) {
		KUNIT_EXPECT_EQ_MSG(test, dm_attrs[i].ret,
				    attr_set(dm_attrs[i].attr,
					     dm_attrs[i].value),
				    "%s \"%s\"", dm_attrs[i].attr,
				    dm_attrs[i].value);
		attr_expect(test, dm_attrs[i].attr, dm_attrs[i].now);
	}

	/* Fixed while enabled, and free again afterwards. */
	KUNIT_EXPECT_EQ(test, 0, attr_set("enable", "1"));
	KUNIT_EXPECT_EQ(test, -EBUSY, attr_set("mtu", "1500"));
	KUNIT_EXPECT_EQ(test, -EBUSY, attr_set("queues", "1"));
	KUNIT_EXPECT_EQ(test, -EBUSY, attr_set("mac", "02:00:00:00:00:01"));
	KUNIT_EXPECT_EQ(test, -EBUSY, attr_set("ifname", "vkt0"));
	attr_expect(test, "mtu", "9000");
	attr_expect(test, "ifname", "abcdefghijklmno");
	KUNIT_EXPECT_EQ(test, 0, attr_set("enable", "0"));
	KUNIT_EXPECT_EQ(test, 0, attr_set("mtu", "1500"));

	/* Addresses are random. */
	KUNIT_EXPECT_EQ(test, 0, conn_guest_shell("rmdir devices/net.kt0"));
	KUNIT_EXPECT_EQ(test, 0, conn_guest_shell("mkdir devices/net.kt0"));
	KUNIT_EXPECT_EQ(test, 0, conn_guest_read(DEV "mac", other,
						 sizeof(other)));
	KUNIT_EXPECT_STRNEQ(test, mac, other);
}

/* The interface comes and goes with enable, under its name or not at all. */
static void dm_ifname(struct kunit *test)
{
	static const char longest[] = "devices/net.a_name_of_16_chr";
	struct net_device *ndev;
	char text[128];

	KUNIT_ASSERT_EQ(test, 0, conn_guest_shell("mkdir devices/net.kt0"));
	KUNIT_EXPECT_EQ(test, 0, attr_set("mtu", "4000"));
	KUNIT_EXPECT_EQ(test, 0, attr_set("ifname", "lo"));
	KUNIT_EXPECT_EQ(test, -EEXIST, attr_set("enable", "1"));
	attr_expect(test, "enable", "0");
	attr_expect(test, "state", "disabled");

	KUNIT_EXPECT_EQ(test, 0, attr_set("ifname", "vkt0"));
	KUNIT_EXPECT_EQ(test, 0, attr_set("enable", "1"));
	ndev = dev_get_by_name(&init_net, "vkt0");
	KUNIT_ASSERT_NOT_NULL(test, ndev);
	KUNIT_EXPECT_EQ(test, ndev->mtu, 4000U);
	KUNIT_EXPECT_FALSE(test, netif_carrier_ok(ndev));
	KUNIT_EXPECT_TRUE(test, is_valid_ether_addr(ndev->dev_addr));
	snprintf(text, sizeof(text), "%pM", ndev->dev_addr);
	dev_put(ndev);
	KUNIT_EXPECT_EQ(test, 0, attr_set("enable", "0"));
	KUNIT_EXPECT_PTR_EQ(test, NULL,
			    (void *)__dev_get_by_name(&init_net, "vkt0"));

	/* A name too long for an interface is no default. */
	snprintf(text, sizeof(text), "mkdir %s", longest);
	KUNIT_ASSERT_EQ(test, 0, conn_guest_shell(text));
	snprintf(text, sizeof(text), "%s/enable", longest);
	KUNIT_EXPECT_EQ(test, -EINVAL, conn_guest_write(text, "1"));
	snprintf(text, sizeof(text), "rmdir %s", longest);
	KUNIT_EXPECT_EQ(test, 0, conn_guest_shell(text));
}

/*
 * Each allocation of enable fails in turn: nothing is left behind.  Ours come
 * first; of register_netdev()'s, which takes a second each and has its own ideas
 * of an errno, some are enough.
 */
#define DM_NOMEM	32

static void dm_nomem(struct kunit *test)
{
	unsigned int n, failed = 0;
	char text[8];
	int ret;

	fault_setup(test);
	KUNIT_ASSERT_EQ(test, 0, conn_guest_shell("mkdir devices/net.kt0"));
	KUNIT_ASSERT_EQ(test, 0, attr_set("ifname", "vkt0"));
	for (n = 1; n < DM_NOMEM; n++) {
		fault_arm(n);
		ret = attr_set("enable", "1");
		if (!fault_disarm())
			break;
		KUNIT_ASSERT_EQ(test, 0, conn_guest_read(DEV "enable", text,
							 sizeof(text)));
		KUNIT_EXPECT_EQ(test, text[0], ret ? '0' : '1');
		if (!ret) {
			KUNIT_ASSERT_EQ(test, 0, attr_set("enable", "0"));
			continue;
		}
		failed++;
		KUNIT_EXPECT_PTR_EQ(test, NULL, (void *)
				    __dev_get_by_name(&init_net, "vkt0"));
	}
	KUNIT_EXPECT_GT(test, failed, 5U);
	KUNIT_EXPECT_EQ(test, 0, attr_set("enable", "1"));
	KUNIT_EXPECT_EQ(test, 0, attr_set("enable", "0"));
}

static void dm_features(struct kunit *test)
{
	static const struct {
		u64 features;
		int ret;
	} cases[] = {
		{ 0, 0 },
		{ NET_GUEST_ALL, 0 },
		{ VBUS_NET_F_CSUM, 0 },
		{ VBUS_NET_F_GUEST_CSUM, 0 },
		{ VBUS_NET_F_CSUM | VBUS_NET_F_TSO, 0 },
		{ VBUS_NET_F_GUEST_CSUM | VBUS_NET_F_GUEST_USO, 0 },
		{ VBUS_NET_F_TSO, -EOPNOTSUPP },
		{ VBUS_NET_F_USO, -EOPNOTSUPP },
		{ VBUS_NET_F_TSO | VBUS_NET_F_GUEST_CSUM, -EOPNOTSUPP },
		{ VBUS_NET_F_CSUM | VBUS_NET_F_ECN, -EOPNOTSUPP },
		{ VBUS_NET_F_GUEST_TSO, -EOPNOTSUPP },
		{ VBUS_NET_F_GUEST_USO, -EOPNOTSUPP },
		{ VBUS_NET_F_GUEST_TSO | VBUS_NET_F_CSUM, -EOPNOTSUPP },
		{ VBUS_NET_F_GUEST_CSUM | VBUS_NET_F_GUEST_ECN, -EOPNOTSUPP },
		{ 1ULL << 8, -EOPNOTSUPP },
		{ 1ULL << 63, -EOPNOTSUPP },
	};
	struct net_guest *g = net_guest_create(test, "1");
	u32 i;

	KUNIT_EXPECT_EQ(test, net_guest_reg(g, VBUS_REG_CLASS),
			(u32)VBUS_CLASS_NET);
	KUNIT_EXPECT_EQ(test, net_guest_reg(g, VBUS_REG_CLASS_VERSION),
			(u32)VBUS_NET_VERSION);
	KUNIT_EXPECT_EQ(test, net_guest_reg(g, VBUS_REG_FEATURES),
			(u32)NET_GUEST_ALL);
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test, cases[i].ret,
				    net_guest_negotiate(g, cases[i].features),
				    "%#llx", cases[i].features);
}

static void dm_config(struct kunit *test)
{
	struct net_guest *g = net_guest_create(test, "2");
	struct vbus_net_config config;
	char mac[128], text[32];
	u32 gen;

	KUNIT_EXPECT_EQ(test, net_guest_reg(g, VBUS_REG_CONFIG_SIZE), 32U);
	KUNIT_EXPECT_EQ(test, net_guest_reg(g, VBUS_REG_NR_QUEUES), 4U);
	net_guest_config(g, &config);
	KUNIT_EXPECT_EQ(test, 0, conn_guest_read(DEV "mac", mac, sizeof(mac)));
	snprintf(text, sizeof(text), "%pM\n", config.mac);
	KUNIT_EXPECT_STREQ(test, text, mac);
	KUNIT_EXPECT_EQ(test, le16_to_cpu(config.link), 0);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(config.mtu), 1500U);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(config.nr_pairs), 2U);
	KUNIT_EXPECT_PTR_EQ(test, NULL, memchr_inv(&config.speed, 0, 16));

	/* Up, another MTU, down: each is notified. */
	KUNIT_ASSERT_EQ(test, 0, net_guest_start(g, 0, 1, 64));
	KUNIT_EXPECT_TRUE(test, netif_carrier_ok(g->ndev));
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&g->base.changes));
	net_guest_config(g, &config);
	KUNIT_EXPECT_EQ(test, le16_to_cpu(config.link), 1);

	gen = net_guest_reg(g, VBUS_REG_CONFIG_GEN);
	rtnl_lock();
	KUNIT_EXPECT_EQ(test, 0, dev_set_mtu(g->ndev, 65535));
	KUNIT_EXPECT_EQ(test, -EINVAL, dev_set_mtu(g->ndev, 65536));
	KUNIT_EXPECT_EQ(test, -EINVAL, dev_set_mtu(g->ndev, 67));
	rtnl_unlock();
	KUNIT_EXPECT_EQ(test, 2, atomic_read(&g->base.changes));
	KUNIT_EXPECT_NE(test, net_guest_reg(g, VBUS_REG_CONFIG_GEN), gen);
	net_guest_config(g, &config);
	KUNIT_EXPECT_EQ(test, le32_to_cpu(config.mtu), 65535U);
	attr_expect(test, "mtu", "1500");

	net_guest_up(g, false);
	KUNIT_EXPECT_EQ(test, 3, atomic_read(&g->base.changes));
	net_guest_config(g, &config);
	KUNIT_EXPECT_EQ(test, le16_to_cpu(config.link), 0);
	/* The guest is the carrier, whether the interface is up or not. */
	KUNIT_EXPECT_TRUE(test, netif_carrier_ok(g->ndev));
	net_guest_reset(g);
	KUNIT_EXPECT_FALSE(test, netif_carrier_ok(g->ndev));
}

/* Whole pairs, from the first on, at least one; else RUNNING is refused. */
static void dm_queues(struct kunit *test)
{
	struct net_guest *g = net_guest_create(test, "2");
	u32 run = VBUS_STATUS_DRIVER | VBUS_STATUS_FEATURES_OK |
		  VBUS_STATUS_RUNNING;
	u32 mask, q;

	for (q = 0; q < 4; q++) {
		u32 reg = VBUS_REG_QUEUE(q);

		KUNIT_EXPECT_EQ(test, net_guest_reg(g, reg + VBUS_QREG_FLAGS),
				(u32)VBUS_QUEUE_IN_ORDER);
		KUNIT_EXPECT_GE(test,
				net_guest_reg(g, reg + VBUS_QREG_SIZE_MAX),
				1024U);
		KUNIT_EXPECT_GE(test,
				net_guest_reg(g, reg + VBUS_QREG_SEG_MAX),
				MAX_SKB_FRAGS + 2U);
	}
	for (mask = 0; mask < 16; mask++) {
		bool ok = mask == 3 || mask == 15;

		KUNIT_ASSERT_EQ(test, 0, net_guest_negotiate(g, 0));
		for (q = 0; q < 4; q++)
			if (mask & 1 << q)
				KUNIT_ASSERT_EQ(test, 0,
						net_guest_enable(g, q, 64));
		KUNIT_EXPECT_EQ_MSG(test, ok ? 0 : -EINVAL,
				    net_guest_set(g, VBUS_REG_STATUS, run),
				    "queues %#x", mask);
		KUNIT_EXPECT_EQ(test, ok, netif_carrier_ok(g->ndev));
	}
}

/* With fewer pairs in use the stack stays within them. */
static void dm_select_queue(struct kunit *test)
{
	struct net_guest *g = net_guest_create(test, "2");
	const struct net_device_ops *ops = g->ndev->netdev_ops;
	struct sk_buff *skb = net_guest_frame(g, 100);
	u32 i, seen = 0;

	KUNIT_EXPECT_EQ(test, g->ndev->real_num_tx_queues, 2U);
	KUNIT_ASSERT_EQ(test, 0, net_guest_start(g, 0, 1, 64));
	for (i = 0; i < 64; i++) {
		__skb_set_hash(skb, i << 26, false, true);
		KUNIT_EXPECT_EQ(test, 0, ops->ndo_select_queue(g->ndev, skb,
							       NULL));
	}
	KUNIT_ASSERT_EQ(test, 0, net_guest_start(g, 0, 2, 64));
	for (i = 0; i < 64; i++) {
		__skb_set_hash(skb, i << 26, false, true);
		seen |= 1 << ops->ndo_select_queue(g->ndev, skb, NULL);
	}
	KUNIT_EXPECT_EQ(test, seen, 3U);
	kfree_skb(skb);
}

/* Kernel callers of ethtool go through the same ops. */
static void dm_ethtool(struct kunit *test)
{
	struct net_guest *g = net_guest_create(test, "2");
	const struct ethtool_ops *ops = g->ndev->ethtool_ops;
	struct kernel_ethtool_ringparam kring = { };
	struct ethtool_ringparam ring = { };
	struct ethtool_channels ch = { };
	struct ethtool_drvinfo info = { };
	struct rtnl_link_stats64 stats;
	char *names;
	u64 *vals;
	int i, n;
	u32 len;

	ops->get_drvinfo(g->ndev, &info);
	KUNIT_EXPECT_STREQ(test, info.driver, "vbus-dm-net");
	KUNIT_EXPECT_STREQ(test, info.bus_info, "net.kt0");
	ops->get_ringparam(g->ndev, &ring, &kring, NULL);
	KUNIT_EXPECT_EQ(test, ring.rx_pending, 0U);
	KUNIT_EXPECT_EQ(test, 0U, ops->get_link(g->ndev));
	KUNIT_ASSERT_EQ(test, 0, net_guest_start(g, 0, 1, 64));
	KUNIT_EXPECT_EQ(test, 1U, ops->get_link(g->ndev));
	ops->get_ringparam(g->ndev, &ring, &kring, NULL);
	KUNIT_EXPECT_EQ(test, ring.rx_pending, 64U);
	KUNIT_EXPECT_EQ(test, ring.tx_pending, 64U);
	KUNIT_EXPECT_GE(test, ring.rx_max_pending, 1024U);
	ops->get_channels(g->ndev, &ch);
	KUNIT_EXPECT_EQ(test, ch.max_combined, 2U);
	KUNIT_EXPECT_EQ(test, ch.combined_count, 1U);

	len = 1024;
	KUNIT_ASSERT_EQ(test, 0, net_guest_post(g, 0, &len, 1));
	ioq_north_publish(&g->base.q[NET_GUEST_RX].north);
	net_guest_host_xmit(g, net_guest_frame(g, 123), false);

	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP,
			ops->get_sset_count(g->ndev, ETH_SS_TEST));
	n = ops->get_sset_count(g->ndev, ETH_SS_STATS);
	KUNIT_ASSERT_GT(test, n, 2);
	names = kunit_kzalloc(test, n * ETH_GSTRING_LEN, GFP_KERNEL);
	vals = kunit_kzalloc(test, n * sizeof(*vals), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, names);
	KUNIT_ASSERT_NOT_NULL(test, vals);
	ops->get_strings(g->ndev, ETH_SS_TEST, names);
	KUNIT_EXPECT_EQ(test, names[0], '\0');
	ops->get_strings(g->ndev, ETH_SS_STATS, names);
	ops->get_ethtool_stats(g->ndev, NULL, vals);
	for (i = 0; i < n; i++) {
		const char *name = names + i * ETH_GSTRING_LEN;

		KUNIT_EXPECT_EQ(test, 0, strncmp(name, "guest_", 6));
		KUNIT_EXPECT_LT(test, strlen(name), (size_t)ETH_GSTRING_LEN);
		if (!strcmp(name, "guest_rx_bytes_0"))
			KUNIT_EXPECT_EQ(test, vals[i], 123ULL);
		if (!strcmp(name, "guest_rx_bytes_1"))
			KUNIT_EXPECT_EQ(test, vals[i], 0ULL);
	}
	dev_get_stats(g->ndev, &stats);
	KUNIT_EXPECT_EQ(test, stats.tx_packets, 1ULL);
	KUNIT_EXPECT_EQ(test, stats.tx_bytes, 123ULL);
	KUNIT_EXPECT_EQ(test, stats.rx_packets, 0ULL);
}

/* Guest and host end come and go in any order; counters stay. */
static void dm_restart(struct kunit *test)
{
	struct net_guest *g = net_guest_create(test, "2");
	u32 i, len = 1024;

	for (i = 0; i < 20; i++) {
		KUNIT_ASSERT_EQ(test, 0, net_guest_start(g, NET_GUEST_ALL,
							 1 + i % 2, 64));
		if (i % 3 == 0)
			net_guest_up(g, false);
		if (i % 3 == 1) {
			/* Leave one waiting for buffers. */
			dev_queue_xmit(net_guest_frame(g, 100));
			msleep(20);
		}
		if (i % 3 == 2) {
			KUNIT_ASSERT_EQ(test, 0, net_guest_post(g, 0, &len, 1));
			ioq_north_publish(&g->base.q[NET_GUEST_RX].north);
			net_guest_host_xmit(g, net_guest_frame(g, 100), false);
		}
		if (i % 2)
			net_guest_reset(g);
	}
	KUNIT_EXPECT_GE(test, net_guest_stat(g, "rx_packets"), 6ULL);
}

/* Some cases make the device without a guest. */
static void dm_exit(struct kunit *test)
{
	if (test->priv)
		net_guest_destroy(test->priv);
	else
		conn_guest_shell("rmdir devices/net.kt0");
}

static struct kunit_case dm_cases[] = {
	KUNIT_CASE(dm_attributes),
	KUNIT_CASE(dm_ifname),
	KUNIT_CASE(dm_nomem),
	KUNIT_CASE(dm_features),
	KUNIT_CASE(dm_config),
	KUNIT_CASE(dm_queues),
	KUNIT_CASE(dm_select_queue),
	KUNIT_CASE(dm_ethtool),
	KUNIT_CASE(dm_restart),
	{ }
};

static struct kunit_suite dm_suite = {
	.name = "dm_net",
	.exit = dm_exit,
	.test_cases = dm_cases,
};

kunit_test_suite(dm_suite);

MODULE_DESCRIPTION("vbus test: host net model");
MODULE_LICENSE("GPL");
