// SPDX-License-Identifier: GPL-2.0
/*
 * The guest of net_guest.h.  Cases run one at a time, so it has no locks.
 */
#include <linux/delay.h>
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>
#include <net/sch_generic.h>
#include "net_guest.h"

/* Frames the host end sends come by here as well; they are not wanted. */
static int net_guest_tap(struct sk_buff *skb, struct net_device *ndev,
			 struct packet_type *tap, struct net_device *orig)
{
	struct net_guest *g = container_of(tap, struct net_guest, tap);

	/* The stack has it too. */
	skb = skb_share_check(skb, GFP_ATOMIC);
	if (!skb)
		return 0;
	if (skb->pkt_type == PACKET_OUTGOING)
		kfree_skb(skb);
	else
		skb_queue_tail(&g->seen, skb);
	return 0;
}

/* No merging of frames, and none but ours. */
static void net_guest_quiet(struct net_guest *g)
{
	conn_guest_shell("echo 1 > /proc/sys/net/ipv6/conf/vkt0/disable_ipv6");
	rtnl_lock();
	g->ndev->wanted_features &= ~NETIF_F_GRO;
	netdev_update_features(g->ndev);
	rtnl_unlock();
	g->tap.type = htons(ETH_P_ALL);
	g->tap.dev = g->ndev;
	g->tap.func = net_guest_tap;
	dev_add_pack(&g->tap);
}

struct net_guest *net_guest_create(struct kunit *test, const char *queues)
{
	struct net_guest *g = kzalloc(sizeof(*g), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, g);
	g->test = test;
	skb_queue_head_init(&g->seen);
	test->priv = g;
	conn_guest_init(&g->base, test, "net.kt0", NET_GUEST_BUF);
	KUNIT_ASSERT_EQ(test, 0, conn_guest_attr(&g->base, "ifname", "vkt0"));
	KUNIT_ASSERT_EQ(test, 0, conn_guest_attr(&g->base, "queues", queues));
	KUNIT_ASSERT_EQ(test, 0, conn_guest_attr(&g->base, "enable", "1"));
	conn_guest_plug(&g->base);
	g->ndev = dev_get_by_name(&init_net, "vkt0");
	KUNIT_ASSERT_NOT_NULL(test, g->ndev);
	net_guest_quiet(g);
	return g;
}
EXPORT_SYMBOL_GPL(net_guest_create);

void net_guest_destroy(struct net_guest *g)
{
	if (!g)
		return;
	conn_guest_unplug(&g->base);
	if (g->tap.func)
		dev_remove_pack(&g->tap);
	if (g->ndev)
		dev_put(g->ndev);
	skb_queue_purge(&g->seen);
	conn_guest_destroy(&g->base);
	kfree(g);
}
EXPORT_SYMBOL_GPL(net_guest_destroy);

void net_guest_config(struct net_guest *g, struct vbus_net_config *config)
{
	KUNIT_EXPECT_EQ(g->test, 0, vbus_conn_read(g->base.conn, VBUS_REG_CONFIG,
						   config, sizeof(*config)));
}
EXPORT_SYMBOL_GPL(net_guest_config);

/*
 * Between the end of the guest before and this one's start the carrier is off.
 * If linkwatch looks just then, the stack drops all frames until it has looked
 * again.
 */
static void net_guest_wait_for_qdisc(struct net_guest *g)
{
	unsigned long end = jiffies + 10 * HZ;

	while (qdisc_tx_is_noop(g->ndev) && time_before(jiffies, end))
		msleep(20);
	KUNIT_EXPECT_FALSE(g->test, qdisc_tx_is_noop(g->ndev));
}

int net_guest_start(struct net_guest *g, u64 features, u32 pairs, u32 size)
{
	int ret = conn_guest_start(&g->base, features, 2 * pairs, size);

	if (ret)
		return ret;
	net_guest_up(g, true);
	net_guest_wait_for_qdisc(g);
	return 0;
}
EXPORT_SYMBOL_GPL(net_guest_start);

void net_guest_up(struct net_guest *g, bool up)
{
	rtnl_lock();
	if (up)
		KUNIT_EXPECT_EQ(g->test, 0, dev_open(g->ndev, NULL));
	else
		dev_close(g->ndev);
	rtnl_unlock();
}
EXPORT_SYMBOL_GPL(net_guest_up);

int net_guest_send(struct net_guest *g, const struct ioq_seg *segs, u32 n)
{
	struct ioq_north *north = &g->base.q[NET_GUEST_TX].north;
	int ret = ioq_north_add(north, segs, n, g);
	u32 len;
	int i;

	if (ret)
		return ret;
	net_guest_kick(g, NET_GUEST_TX);
	/* Served within the kick, unless ksoftirqd has been woken before. */
	for (i = 0; i < 100; i++) {
		if (ioq_north_get(north, &len))
			return 0;
		if (net_guest_broken(g))
			return -EIO;
		msleep(20);
	}
	return -ETIMEDOUT;
}
EXPORT_SYMBOL_GPL(net_guest_send);

int net_guest_post(struct net_guest *g, u32 off, const u32 *lens, u32 n)
{
	struct ioq_seg segs[32];
	u32 i;

	if (n > ARRAY_SIZE(segs))
		return -EINVAL;
	for (i = 0; i < n; i++) {
		segs[i] = (struct ioq_seg){
			.addr = net_guest_addr(g, off),
			.len = lens[i],
			.write = 1,
		};
		off += lens[i];
	}
	return ioq_north_add(&g->base.q[NET_GUEST_RX].north, segs, n, g);
}
EXPORT_SYMBOL_GPL(net_guest_post);

int net_guest_host_xmit(struct net_guest *g, struct sk_buff *skb, bool more)
{
	struct netdev_queue *txq = netdev_get_tx_queue(g->ndev, 0);
	int ret;

	skb_set_queue_mapping(skb, 0);
	local_bh_disable();
	HARD_TX_LOCK(g->ndev, txq, smp_processor_id());
	ret = netdev_start_xmit(skb, g->ndev, txq, more);
	HARD_TX_UNLOCK(g->ndev, txq);
	local_bh_enable();
	/* It would be tried again; not here. */
	if (ret == NETDEV_TX_BUSY)
		kfree_skb(skb);
	return ret;
}
EXPORT_SYMBOL_GPL(net_guest_host_xmit);

struct sk_buff *net_guest_frame(struct net_guest *g, u32 len)
{
	struct sk_buff *skb;
	u8 *data;
	u32 i;

	skb = alloc_skb(NET_SKB_PAD + len, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(g->test, skb);
	skb_reserve(skb, NET_SKB_PAD);
	data = skb_put(skb, len);
	for (i = 0; i < len; i++)
		data[i] = net_guest_pattern(i);
	eth_broadcast_addr(data);
	if (len >= ETH_HLEN)
		put_unaligned_be16(ETH_P_802_EX1, data + 2 * ETH_ALEN);
	skb->dev = g->ndev;
	skb->protocol = htons(ETH_P_802_EX1);
	skb_reset_mac_header(skb);
	skb_set_network_header(skb, ETH_HLEN);
	return skb;
}
EXPORT_SYMBOL_GPL(net_guest_frame);

u32 net_guest_put_eth(struct net_guest *g, u8 *frame, u16 proto, u32 tags)
{
	u32 off = 2 * ETH_ALEN;

	ether_addr_copy(frame, g->ndev->dev_addr);
	eth_random_addr(frame + ETH_ALEN);
	for (; tags; tags--) {
		put_unaligned_be16(tags == 2 ? ETH_P_8021AD : ETH_P_8021Q,
				   frame + off);
		put_unaligned_be16(5, frame + off + 2);
		off += VLAN_HLEN;
	}
	put_unaligned_be16(proto, frame + off);
	return off + 2;
}
EXPORT_SYMBOL_GPL(net_guest_put_eth);

static u32 put_ip(u8 *frame, u32 off, u32 len, bool v6, u8 proto, bool ext)
{
	struct ipv6hdr *ip6 = (void *)(frame + off);
	struct iphdr *ip4 = (void *)(frame + off);

	if (!v6) {
		*ip4 = (struct iphdr){
			.version = 4, .ihl = 5, .ttl = 64, .protocol = proto,
			.tot_len = htons(len - off),
			.saddr = htonl(0x0a090901), .daddr = htonl(0x0a090902),
		};
		return off + sizeof(*ip4);
	}
	*ip6 = (struct ipv6hdr){
		.version = 6, .hop_limit = 64,
		.nexthdr = ext ? NEXTHDR_DEST : proto,
		.payload_len = htons(len - off - sizeof(*ip6)),
	};
	off += sizeof(*ip6);
	if (ext) {
		memset(frame + off, 0, 8);
		frame[off] = proto;
		off += 8;
	}
	return off;
}

u8 *net_guest_put_frame(struct net_guest *g, enum net_guest_kind kind, u32 len)
{
	bool udp = kind == NG_UDP4 || kind == NG_UDP6;
	bool v6 = kind == NG_TCP6 || kind == NG_UDP6 || kind == NG_XTCP6;
	u8 *frame = g->base.buf + VBUS_NET_HDR_SIZE;
	u32 i, off, tags;

	for (i = 0; i < len; i++)
		frame[i] = net_guest_pattern(i);
	if (kind == NG_RAW) {
		if (len >= ETH_HLEN)
			net_guest_put_eth(g, frame, ETH_P_802_EX1, 0);
		return frame;
	}
	tags = kind == NG_VTCP4 ? 1 : kind == NG_VVTCP4 ? 2 : 0;
	off = net_guest_put_eth(g, frame, v6 ? ETH_P_IPV6 : ETH_P_IP, tags);
	off = put_ip(frame, off, len, v6, udp ? IPPROTO_UDP : IPPROTO_TCP,
		     kind == NG_XTCP6);
	if (!udp)
		frame[off + 12] = 5 << 4;
	return frame;
}
EXPORT_SYMBOL_GPL(net_guest_put_frame);

void net_guest_put_hdr(struct net_guest *g, const struct vbus_net_hdr *hdr)
{
	memcpy(g->base.buf, hdr, sizeof(*hdr));
}
EXPORT_SYMBOL_GPL(net_guest_put_hdr);

struct vbus_net_hdr net_guest_offload(u8 gso, u16 start, u16 offset, u16 size)
{
	u16 len = start + (offset == 6 ? 8 : 20);

	return (struct vbus_net_hdr){
		.flags = VBUS_NET_HDR_PARTIAL,
		.gso_type = gso,
		.hdr_len = cpu_to_le16(gso ? len : 0),
		.gso_size = cpu_to_le16(size),
		.csum_start = cpu_to_le16(start),
		.csum_offset = cpu_to_le16(offset),
	};
}
EXPORT_SYMBOL_GPL(net_guest_offload);

int net_guest_send_all(struct net_guest *g, u32 len)
{
	struct ioq_seg seg = {
		.addr = net_guest_addr(g, 0),
		.len = VBUS_NET_HDR_SIZE + len,
	};

	return net_guest_send(g, &seg, 1);
}
EXPORT_SYMBOL_GPL(net_guest_send_all);

MODULE_DESCRIPTION("vbus test helper: guest of a net device");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VBUS_SESSION);
