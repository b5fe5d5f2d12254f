// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "net", host to guest: frames over buffers of every shape, too few
 * buffers and how the wait for more ends, offloads given or done in software, and
 * buffers that break the device.
 */
#include <linux/delay.h>
#include <linux/etherdevice.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/tcp.h>
#include <net/checksum.h>
#include <net/tcp.h>
#include "net_guest.h"

#define HDR	VBUS_NET_HDR_SIZE
#define RING	256

static struct net_guest *start(struct kunit *test, u64 features, u32 size)
{
	struct net_guest *g = net_guest_create(test, "1");

	KUNIT_ASSERT_EQ(test, 0, net_guest_start(g, features, 1, size));
	return g;
}

/* Post one chain of one piece. */
static void post(struct net_guest *g, u32 off, u32 len)
{
	KUNIT_ASSERT_EQ(g->test, 0, net_guest_post(g, off, &len, 1));
}

static void publish(struct net_guest *g)
{
	ioq_north_publish(&g->base.q[NET_GUEST_RX].north);
}

static bool got(struct net_guest *g, u32 *len)
{
	return ioq_north_get(&g->base.q[NET_GUEST_RX].north, len);
}

static const struct vbus_net_hdr *hdr_at(struct net_guest *g, u32 off)
{
	return (struct vbus_net_hdr *)(g->base.buf + off);
}

/* Frame bytes from @from on are what net_guest_frame() made. */
static void expect_pattern(struct net_guest *g, u32 off, u32 from, u32 len)
{
	u32 i;

	for (i = 0; i < len; i++) {
		/* Addresses and EtherType are no pattern. */
		if (from + i < ETH_HLEN)
			continue;
		if (g->base.buf[off + i] == net_guest_pattern(from + i))
			continue;
		KUNIT_FAIL(g->test, "byte %u of the frame is wrong", from + i);
		return;
	}
}

/* Chains of equal pieces that follow each other in memory. */
static const struct {
	u32 pieces;
	u32 piece;
	u32 frame;
	u32 chains;
} rx_shapes[] = {
	{ 1, 2048, 60, 1 },
	{ 1, 2048, 2032, 1 },
	{ 1, 2048, 2033, 2 },
	{ 1, 2048, 60000, 30 },
	{ 1, 16, 14, 2 },
	{ 1, 16, 1000, 64 },
	{ 1, 17, 1000, 60 },
	{ 2, 8, 100, 8 },
	{ 16, 1, 64, 5 },
	{ 3, 100, 1514, 6 },
	{ 17, 4096, 65549, 1 },
	{ 1, 131072, 65549, 1 },
	{ 1, 1526, 65549, 43 },
};

static void rx_layouts(struct kunit *test)
{
	struct net_guest *g = start(test, 0, RING);
	u32 i, j, k, len, total, lens[32];

	for (i = 0; i < ARRAY_SIZE(rx_shapes); i++) {
		u32 size = rx_shapes[i].pieces * rx_shapes[i].piece;
		u32 left = rx_shapes[i].frame + HDR;
		struct sk_buff *skb;

		KUNIT_ASSERT_EQ(test, 0, net_guest_start(g, 0, 1, RING));
		memset(g->base.buf, 0xee, NET_GUEST_BUF);
		for (k = 0; k < rx_shapes[i].pieces; k++)
			lens[k] = rx_shapes[i].piece;
		/* One more than is needed. */
		for (j = 0; j <= rx_shapes[i].chains &&
		     (j + 1) * size <= NET_GUEST_BUF; j++)
			KUNIT_ASSERT_EQ(test, 0,
					net_guest_post(g, j * size, lens, k));
		publish(g);
		skb = net_guest_frame(g, rx_shapes[i].frame);
		KUNIT_EXPECT_EQ(test, (int)NETDEV_TX_OK,
				net_guest_host_xmit(g, skb, false));
		for (j = 0, total = 0; got(g, &len); j++) {
			KUNIT_EXPECT_EQ(test, len, min(left, size));
			left -= len;
			total += len;
		}
		KUNIT_EXPECT_EQ_MSG(test, j, rx_shapes[i].chains, "shape %u",
				    i);
		KUNIT_EXPECT_EQ(test, total, rx_shapes[i].frame + HDR);
		KUNIT_EXPECT_EQ(test, le16_to_cpu(hdr_at(g, 0)->nr_chains),
				(u16)rx_shapes[i].chains);
		KUNIT_EXPECT_EQ(test, hdr_at(g, 0)->flags, 0);
		KUNIT_EXPECT_EQ(test, hdr_at(g, 0)->gso_type, 0);
		expect_pattern(g, HDR, 0, rx_shapes[i].frame);
		/* Not a byte more. */
		KUNIT_EXPECT_EQ(test, g->base.buf[total], 0xee);
		KUNIT_EXPECT_EQ(test, 1,
				atomic_read(&g->base.q[NET_GUEST_RX].signals));
	}
	KUNIT_EXPECT_EQ(test, net_guest_stat(g, "rx_packets"),
			(u64)ARRAY_SIZE(rx_shapes));
}

/* The source in fragments and a frag list, as the stack has them. */
static void rx_nonlinear(struct kunit *test)
{
	struct net_guest *g = start(test, 0, RING);
	struct sk_buff *skb, *more;
	struct page *page;
	u32 i, len;

	skb = net_guest_frame(g, 100);
	for (i = 0; i < 3; i++) {
		u8 *data;
		u32 k;

		page = alloc_page(GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, page);
		data = page_address(page);
		for (k = 0; k < 1000; k++)
			data[50 + k] = net_guest_pattern(100 + i * 1000 + k);
		skb_add_rx_frag(skb, i, page, 50, 1000, PAGE_SIZE);
	}
	more = alloc_skb(500, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, more);
	for (i = 0; i < 500; i++)
		*(u8 *)skb_put(more, 1) = net_guest_pattern(3100 + i);
	skb_shinfo(skb)->frag_list = more;
	skb->len += more->len;
	skb->data_len += more->len;
	skb->truesize += more->truesize;

	for (i = 0; i < 4; i++)
		post(g, i * 1024, 1024);
	publish(g);
	KUNIT_EXPECT_EQ(test, (int)NETDEV_TX_OK,
			net_guest_host_xmit(g, skb, false));
	for (i = 0; got(g, &len); i++)
		;
	KUNIT_EXPECT_EQ(test, i, 4U);
	expect_pattern(g, HDR, 0, 3600);
}

/* Signals wait for the end of a batch. */
static void rx_batch(struct kunit *test)
{
	struct net_guest *g = start(test, 0, RING);
	u32 i, len;

	for (i = 0; i < 8; i++)
		post(g, i * 1024, 1024);
	publish(g);
	for (i = 0; i < 4; i++) {
		KUNIT_EXPECT_EQ(test, (int)NETDEV_TX_OK,
				net_guest_host_xmit(g, net_guest_frame(g, 60),
						    i < 3));
		KUNIT_EXPECT_EQ(test, i == 3,
				atomic_read(&g->base.q[NET_GUEST_RX].signals));
	}
	for (i = 0; got(g, &len); i++)
		KUNIT_EXPECT_EQ(test, len, 60U + HDR);
	KUNIT_EXPECT_EQ(test, i, 4U);
	/* No one asked for another one. */
	KUNIT_EXPECT_EQ(test, (int)NETDEV_TX_OK,
			net_guest_host_xmit(g, net_guest_frame(g, 60), false));
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&g->base.q[NET_GUEST_RX].signals));
	KUNIT_EXPECT_EQ(test, net_guest_stat(g, "rx_signals"), 1ULL);
}

static bool wait_for_chain(struct net_guest *g, u32 *len, unsigned int ms)
{
	unsigned long end = jiffies + msecs_to_jiffies(ms);

	while (!got(g, len)) {
		if (time_after(jiffies, end))
			return false;
		msleep(20);
	}
	return true;
}

/* Too few buffers: the frame waits in the stack until a kick brings more. */
static void rx_wait(struct kunit *test)
{
	struct net_guest *g = start(test, 0, RING);
	struct netdev_queue *txq = netdev_get_tx_queue(g->ndev, 0);
	u32 len, total = 0;
	int i;

	for (i = 0; i < 3; i++)
		post(g, i * 500, 500);
	publish(g);
	dev_queue_xmit(net_guest_frame(g, 2000));
	for (i = 0; i < 50 && !netif_tx_queue_stopped(txq); i++)
		msleep(20);
	KUNIT_EXPECT_TRUE(test, netif_tx_queue_stopped(txq));
	KUNIT_EXPECT_EQ(test, net_guest_stat(g, "rx_stops"), 1ULL);
	KUNIT_EXPECT_FALSE(test, got(g, &len));

	/* A chain that still is not enough: looked at, and waited again. */
	post(g, 3 * 500, 500);
	KUNIT_EXPECT_TRUE(test, ioq_north_publish(&g->base.q[0].north));
	KUNIT_EXPECT_TRUE(test, ioq_north_kick_needed(&g->base.q[0].north));
	vbus_conn_kick(g->base.conn, NET_GUEST_RX);
	KUNIT_EXPECT_FALSE(test, wait_for_chain(g, &len, 100));
	KUNIT_EXPECT_EQ(test, net_guest_stat(g, "rx_stops"), 2ULL);

	post(g, 4 * 500, 500);
	KUNIT_EXPECT_TRUE(test, ioq_north_publish(&g->base.q[0].north));
	KUNIT_EXPECT_TRUE(test, ioq_north_kick_needed(&g->base.q[0].north));
	vbus_conn_kick(g->base.conn, NET_GUEST_RX);
	for (i = 0; i < 5 && wait_for_chain(g, &len, 1000); i++)
		total += len;
	KUNIT_EXPECT_EQ(test, i, 5);
	KUNIT_EXPECT_EQ(test, total, 2000U + HDR);
	expect_pattern(g, HDR, 0, 2000);
	KUNIT_EXPECT_FALSE(test, netif_tx_queue_stopped(txq));
	/* Buffers without a frame that waits need no doorbell. */
	post(g, 0, 500);
	publish(g);
	KUNIT_EXPECT_FALSE(test, ioq_north_kick_needed(&g->base.q[0].north));
	KUNIT_EXPECT_EQ(test, net_guest_stat(g, "rx_kicks"), 3ULL);
}

/* A doorbell with interrupts off wakes the queue too. */
static void rx_wait_irqs_off(struct kunit *test)
{
	struct net_guest *g = start(test, 0, RING);
	struct netdev_queue *txq = netdev_get_tx_queue(g->ndev, 0);
	unsigned long flags;
	u32 len;
	int i;

	dev_queue_xmit(net_guest_frame(g, 100));
	for (i = 0; i < 50 && !netif_tx_queue_stopped(txq); i++)
		msleep(20);
	KUNIT_EXPECT_TRUE(test, netif_tx_queue_stopped(txq));
	post(g, 0, 500);
	publish(g);
	local_irq_save(flags);
	vbus_conn_kick(g->base.conn, NET_GUEST_RX);
	local_irq_restore(flags);
	KUNIT_EXPECT_TRUE(test, wait_for_chain(g, &len, 1000));
}

/* A guest that takes nothing is given up on, and comes back when it does. */
static void rx_stall(struct kunit *test)
{
	struct net_guest *g = start(test, 0, RING);
	u32 len;
	int i;

	for (i = 0; i < 10; i++)
		dev_queue_xmit(net_guest_frame(g, 100));
	for (i = 0; i < 400 && net_guest_stat(g, "rx_drop_stalled") < 10; i++)
		msleep(20);
	KUNIT_EXPECT_EQ(test, net_guest_stat(g, "rx_drop_stalled"), 10ULL);
	dev_queue_xmit(net_guest_frame(g, 100));
	for (i = 0; i < 50 && net_guest_stat(g, "rx_drop_stalled") < 11; i++)
		msleep(20);
	KUNIT_EXPECT_EQ(test, net_guest_stat(g, "rx_drop_stalled"), 11ULL);

	post(g, 0, 500);
	publish(g);
	dev_queue_xmit(net_guest_frame(g, 100));
	KUNIT_EXPECT_TRUE(test, wait_for_chain(g, &len, 1000));
	/* Patience is back. */
	KUNIT_EXPECT_EQ(test, (int)NETDEV_TX_BUSY,
			net_guest_host_xmit(g, net_guest_frame(g, 100), false));
}

/* What can never fit must not wait. */
static void rx_noroom(struct kunit *test)
{
	struct net_guest *g = start(test, 0, 8);
	u32 i, len;

	for (i = 0; i < 8; i++)
		post(g, i * 100, 100);
	publish(g);
	KUNIT_EXPECT_EQ(test, (int)NETDEV_TX_OK,
			net_guest_host_xmit(g, net_guest_frame(g, 785), false));
	KUNIT_EXPECT_EQ(test, net_guest_stat(g, "rx_drop_noroom"), 1ULL);
	KUNIT_EXPECT_FALSE(test, got(g, &len));
	/* The buffers are there still. */
	KUNIT_EXPECT_EQ(test, (int)NETDEV_TX_OK,
			net_guest_host_xmit(g, net_guest_frame(g, 784), false));
	for (i = 0; got(g, &len); i++)
		;
	KUNIT_EXPECT_EQ(test, i, 8U);

	/* More than VBUS_NET_MAX_CHAINS chains. */
	KUNIT_ASSERT_EQ(test, 0, net_guest_start(g, 0, 1, RING));
	for (i = 0; i < RING; i++)
		post(g, i * 16, 16);
	publish(g);
	KUNIT_EXPECT_EQ(test, (int)NETDEV_TX_OK,
			net_guest_host_xmit(g, net_guest_frame(g, 64 * 16 - 15),
					    false));
	KUNIT_EXPECT_EQ(test, net_guest_stat(g, "rx_drop_noroom"), 2ULL);
	KUNIT_EXPECT_FALSE(test, got(g, &len));
	KUNIT_EXPECT_EQ(test, (int)NETDEV_TX_OK,
			net_guest_host_xmit(g, net_guest_frame(g, 64 * 16 - 16),
					    false));
	for (i = 0; got(g, &len); i++)
		;
	KUNIT_EXPECT_EQ(test, i, 64U);
	KUNIT_EXPECT_FALSE(test, net_guest_broken(g));
}

static void rx_bad_chains(struct kunit *test)
{
	struct net_guest *g = net_guest_create(test, "1");
	const struct {
		const char *name;
		struct ioq_seg segs[2];
		u32 n;
	} cases[] = {
		{ "readable", { { net_guest_addr(g, 0), 2048, 0 } }, 1 },
		{ "readable head", { { net_guest_addr(g, 0), 16, 0 },
				     { net_guest_addr(g, 16), 2048, 1 } }, 2 },
		{ "short", { { net_guest_addr(g, 0), 15, 1 } }, 1 },
		{ "nowhere", { { CONN_GUEST_NOWHERE, 2048, 1 } }, 1 },
		{ "nowhere tail", { { net_guest_addr(g, 0), 40, 1 },
				    { CONN_GUEST_NOWHERE, 2048, 1 } }, 2 },
	};
	u32 i, len;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		KUNIT_ASSERT_EQ(test, 0, net_guest_start(g, 0, 1, RING));
		KUNIT_ASSERT_EQ(test, 0, ioq_north_add(&g->base.q[0].north,
						       cases[i].segs,
						       cases[i].n, g));
		publish(g);
		KUNIT_EXPECT_EQ(test, (int)NETDEV_TX_OK,
				net_guest_host_xmit(g, net_guest_frame(g, 100),
						    false));
		KUNIT_EXPECT_TRUE_MSG(test, net_guest_broken(g), "%s",
				      cases[i].name);
		KUNIT_EXPECT_FALSE_MSG(test, netif_carrier_ok(g->ndev), "%s",
				       cases[i].name);
		KUNIT_EXPECT_FALSE(test, got(g, &len));
		/* From then on it is as if no guest were there. */
		KUNIT_EXPECT_EQ(test, (int)NETDEV_TX_OK,
				net_guest_host_xmit(g, net_guest_frame(g, 100),
						    false));
		KUNIT_EXPECT_EQ(test, net_guest_stat(g, "rx_drop_noguest"),
				2ULL * (i + 1));
	}
	net_guest_reset(g);
	KUNIT_EXPECT_FALSE(test, netif_carrier_ok(g->ndev));
	KUNIT_EXPECT_EQ(test, (int)NETDEV_TX_OK,
			net_guest_host_xmit(g, net_guest_frame(g, 100), false));
	KUNIT_EXPECT_EQ(test, net_guest_stat(g, "rx_drop_noguest"),
			2ULL * i + 1);
}

/* A TCPv4 or UDPv4 frame that asks for everything the stack could ask for. */
static struct sk_buff *large(struct net_guest *g, u32 len, u8 proto, u32 type)
{
	struct sk_buff *skb = net_guest_frame(g, len);
	u32 off = ETH_HLEN + sizeof(struct iphdr);
	struct iphdr *ip = (void *)(skb->data + ETH_HLEN);
	struct tcphdr *th = (void *)(skb->data + off);

	skb->protocol = htons(ETH_P_IP);
	put_unaligned_be16(ETH_P_IP, skb->data + 2 * ETH_ALEN);
	*ip = (struct iphdr){
		.version = 4, .ihl = 5, .ttl = 64, .protocol = proto,
		.tot_len = htons(len - ETH_HLEN),
		.saddr = htonl(0x0a090901), .daddr = htonl(0x0a090902),
	};
	ip->check = ip_fast_csum(ip, ip->ihl);
	skb_set_transport_header(skb, off);
	if (proto == IPPROTO_TCP) {
		memset(th, 0, sizeof(*th));
		th->doff = 5;
		th->check = ~tcp_v4_check(len - off, ip->saddr, ip->daddr, 0);
	} else {
		struct udphdr *uh = (void *)th;

		uh->len = htons(len - off);
		uh->check = ~csum_tcpudp_magic(ip->saddr, ip->daddr, len - off,
					       proto, 0);
	}
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_transport_header(skb) - skb->head;
	skb->csum_offset = proto == IPPROTO_TCP ? 16 : 6;
	if (type) {
		skb_shinfo(skb)->gso_type = type;
		skb_shinfo(skb)->gso_size = 1000;
		skb_shinfo(skb)->gso_segs = 5;
	}
	return skb;
}

#define GCSUM	VBUS_NET_F_GUEST_CSUM
#define GTSO	(GCSUM | VBUS_NET_F_GUEST_TSO)
#define GECN	(GTSO | VBUS_NET_F_GUEST_ECN)
#define GUSO	(GCSUM | VBUS_NET_F_GUEST_USO)

static const struct {
	const char *name;
	u64 features;
	u8 proto;
	u32 type;
	u32 frames;
	u8 flags;
	u8 gso;
} rx_offloads[] = {
	{ "csum given", GCSUM, IPPROTO_TCP, 0, 1, VBUS_NET_HDR_PARTIAL, 0 },
	{ "csum done", 0, IPPROTO_TCP, 0, 1, 0, 0 },
	{ "tso given", GTSO, IPPROTO_TCP, SKB_GSO_TCPV4, 1,
	  VBUS_NET_HDR_PARTIAL, VBUS_NET_GSO_TCPV4 },
	{ "tso done", GCSUM, IPPROTO_TCP, SKB_GSO_TCPV4, 5,
	  VBUS_NET_HDR_PARTIAL, 0 },
	{ "tso and csum done", 0, IPPROTO_TCP, SKB_GSO_TCPV4, 5, 0, 0 },
	{ "ecn given", GECN, IPPROTO_TCP, SKB_GSO_TCPV4 | SKB_GSO_TCP_ECN, 1,
	  VBUS_NET_HDR_PARTIAL, VBUS_NET_GSO_TCPV4 | VBUS_NET_GSO_ECN },
	{ "ecn done", GTSO, IPPROTO_TCP, SKB_GSO_TCPV4 | SKB_GSO_TCP_ECN, 5,
	  VBUS_NET_HDR_PARTIAL, 0 },
	{ "uso given", GUSO, IPPROTO_UDP, SKB_GSO_UDP_L4, 1,
	  VBUS_NET_HDR_PARTIAL, VBUS_NET_GSO_UDP },
	{ "uso done", GTSO, IPPROTO_UDP, SKB_GSO_UDP_L4, 5,
	  VBUS_NET_HDR_PARTIAL, 0 },
};

static void rx_offload(struct kunit *test)
{
	struct net_guest *g = net_guest_create(test, "1");
	u32 i, n, len, th = ETH_HLEN + sizeof(struct iphdr);

	for (i = 0; i < ARRAY_SIZE(rx_offloads); i++) {
		bool tcp = rx_offloads[i].proto == IPPROTO_TCP;
		u32 hlen = th + (tcp ? 20 : 8);
		const struct vbus_net_hdr *hdr = hdr_at(g, 0);
		bool partial = rx_offloads[i].flags & VBUS_NET_HDR_PARTIAL;

		KUNIT_ASSERT_EQ(test, 0,
				net_guest_start(g, rx_offloads[i].features, 1,
						RING));
		for (n = 0; n < 8; n++)
			post(g, n * 8192, 8192);
		publish(g);
		dev_queue_xmit(large(g, hlen + 5000, rx_offloads[i].proto,
				     rx_offloads[i].type));
		for (n = 0; n < rx_offloads[i].frames &&
		     wait_for_chain(g, &len, 1000); n++)
			KUNIT_EXPECT_EQ(test, len, HDR + hlen +
					5000 / rx_offloads[i].frames);
		KUNIT_EXPECT_EQ_MSG(test, n, rx_offloads[i].frames, "%s",
				    rx_offloads[i].name);
		KUNIT_EXPECT_FALSE(test, got(g, &len));
		KUNIT_EXPECT_EQ_MSG(test, hdr->flags, rx_offloads[i].flags,
				    "%s", rx_offloads[i].name);
		KUNIT_EXPECT_EQ(test, hdr->gso_type, rx_offloads[i].gso);
		KUNIT_EXPECT_EQ(test, le16_to_cpu(hdr->csum_start),
				(u16)(partial ? th : 0));
		KUNIT_EXPECT_EQ(test, le16_to_cpu(hdr->csum_offset),
				(u16)(!partial ? 0 : tcp ? 16 : 6));
		KUNIT_EXPECT_EQ(test, le16_to_cpu(hdr->gso_size),
				(u16)(rx_offloads[i].gso ? 1000 : 0));
		KUNIT_EXPECT_EQ(test, le16_to_cpu(hdr->hdr_len),
				(u16)(rx_offloads[i].gso ? hlen : 0));
		if (!partial && tcp) {
			const u8 *frame = g->base.buf + HDR;
			const struct iphdr *ip = (void *)(frame + ETH_HLEN);
			u32 tlen = ntohs(ip->tot_len) - sizeof(*ip);

			KUNIT_EXPECT_EQ(test, 0, (int)(__force u16)
				tcp_v4_check(tlen, ip->saddr, ip->daddr,
					     csum_partial(frame + th, tlen,
							  0)));
		}
	}

	/* Checked by someone before. */
	for (n = 0; n < 2; n++) {
		struct sk_buff *skb = net_guest_frame(g, 100);

		KUNIT_ASSERT_EQ(test, 0, net_guest_start(g, n ? GCSUM : 0, 1,
							 RING));
		post(g, 0, 2048);
		publish(g);
		skb->ip_summed = CHECKSUM_UNNECESSARY;
		net_guest_host_xmit(g, skb, false);
		KUNIT_EXPECT_TRUE(test, got(g, &len));
		KUNIT_EXPECT_EQ(test, hdr_at(g, 0)->flags,
				n ? VBUS_NET_HDR_VALID : 0);
	}
}

/* A frame made for another guest's features, or of a kind we can't describe. */
static void rx_offload_late(struct kunit *test)
{
	struct net_guest *g = start(test, GCSUM, RING);
	struct sk_buff *skb;
	u32 len;

	post(g, 0, 8192);
	publish(g);
	skb = large(g, 5054, IPPROTO_TCP, SKB_GSO_TCPV4);
	net_guest_host_xmit(g, skb, false);
	skb = large(g, 5054, IPPROTO_TCP, SKB_GSO_GRE);
	net_guest_host_xmit(g, skb, false);
	skb = large(g, 5054, IPPROTO_TCP, SKB_GSO_TCPV4);
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	net_guest_host_xmit(g, skb, false);
	KUNIT_EXPECT_EQ(test, net_guest_stat(g, "rx_drop_offload"), 3ULL);
	KUNIT_EXPECT_FALSE(test, got(g, &len));
	/* The buffer is still good. */
	net_guest_host_xmit(g, net_guest_frame(g, 100), false);
	KUNIT_EXPECT_TRUE(test, got(g, &len));
}

static void rx_exit(struct kunit *test)
{
	net_guest_destroy(test->priv);
}

static struct kunit_case rx_cases[] = {
	KUNIT_CASE(rx_layouts),
	KUNIT_CASE(rx_nonlinear),
	KUNIT_CASE(rx_batch),
	KUNIT_CASE(rx_wait),
	KUNIT_CASE(rx_wait_irqs_off),
	KUNIT_CASE(rx_stall),
	KUNIT_CASE(rx_noroom),
	KUNIT_CASE(rx_bad_chains),
	KUNIT_CASE(rx_offload),
	KUNIT_CASE(rx_offload_late),
	{ }
};

static struct kunit_suite rx_suite = {
	.name = "dm_net_rx",
	.exit = rx_exit,
	.test_cases = rx_cases,
};

kunit_test_suite(rx_suite);

MODULE_DESCRIPTION("vbus test: host net model, host to guest");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VBUS_SESSION);
