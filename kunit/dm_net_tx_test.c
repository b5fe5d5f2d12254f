// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "net", guest to host: frames of every shape arrive as they were
 * sent, and chains that break rules break the device and nothing else.  What
 * happens to bad headers is in dm_net_hdr_test.c.
 */
#include <linux/delay.h>
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/module.h>
#include <asm/unaligned.h>
#include "net_guest.h"

#define FRAME_MAX	(VBUS_NET_MTU_MAX + ETH_HLEN + 2 * VLAN_HLEN)
#define RING		256

/* The one frame that was received; its Ethernet header is put back. */
static struct sk_buff *receive(struct net_guest *g)
{
	struct sk_buff *skb;

	KUNIT_ASSERT_EQ(g->test, 1U, skb_queue_len(&g->seen));
	skb = skb_dequeue(&g->seen);
	skb_push(skb, skb->data - skb_mac_header(skb));
	return skb;
}

static void expect_frame(struct net_guest *g, const struct sk_buff *skb,
			 const u8 *frame, u32 len)
{
	u8 *copy = kvmalloc(FRAME_MAX, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(g->test, copy);
	KUNIT_EXPECT_EQ(g->test, len, skb->len);
	if (len == skb->len) {
		KUNIT_EXPECT_EQ(g->test, 0, skb_copy_bits(skb, 0, copy, len));
		KUNIT_EXPECT_EQ_MSG(g->test, 0, memcmp(copy, frame, len),
				    "frame of %u bytes", len);
	}
	kvfree(copy);
}

static struct net_guest *start(struct kunit *test)
{
	struct net_guest *g = net_guest_create(test, "1");

	KUNIT_ASSERT_EQ(test, 0, net_guest_start(g, NET_GUEST_ALL, 1, RING));
	return g;
}

static void tx_lengths(struct kunit *test)
{
	static const u32 lens[] = {
		ETH_HLEN, 15, 60, 127, 128, 129, 255, 256, 257, 1514, 4095,
		4096, 4097, 32768, 65535, FRAME_MAX - 1, FRAME_MAX,
	};
	struct net_guest *g = start(test);
	struct vbus_net_hdr hdr = { };
	struct sk_buff *skb;
	u32 i;

	net_guest_put_hdr(g, &hdr);
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		u8 *frame = net_guest_put_frame(g, NG_RAW, lens[i]);

		KUNIT_ASSERT_EQ(test, 0, net_guest_send_all(g, lens[i]));
		skb = receive(g);
		expect_frame(g, skb, frame, lens[i]);
		KUNIT_EXPECT_EQ(test, (int)skb->ip_summed, CHECKSUM_NONE);
		KUNIT_EXPECT_EQ(test, ntohs(skb->protocol), ETH_P_802_EX1);
		KUNIT_EXPECT_EQ(test, (int)skb->pkt_type, PACKET_HOST);
		kfree_skb(skb);
	}
	KUNIT_EXPECT_EQ(test, net_guest_stat(g, "tx_packets"),
			(u64)ARRAY_SIZE(lens));
	KUNIT_EXPECT_GE(test, net_guest_stat(g, "tx_kicks"),
			(u64)ARRAY_SIZE(lens));
}

static void tx_bad_lengths(struct kunit *test)
{
	static const u32 lens[] = { 0, 1, ETH_HLEN - 1, FRAME_MAX + 1, 200000 };
	struct net_guest *g = start(test);
	struct vbus_net_hdr hdr = { };
	u32 i;

	net_guest_put_hdr(g, &hdr);
	net_guest_put_frame(g, NG_RAW, 200000);
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		KUNIT_EXPECT_EQ(test, 0, net_guest_send_all(g, lens[i]));
		KUNIT_EXPECT_EQ(test, net_guest_stat(g, "tx_drop_length"),
				i + 1ULL);
		KUNIT_EXPECT_FALSE(test, net_guest_broken(g));
	}
	KUNIT_EXPECT_EQ(test, 0U, skb_queue_len(&g->seen));
	KUNIT_EXPECT_EQ(test, 0, net_guest_send_all(g, 100));
	KUNIT_EXPECT_EQ(test, 1U, skb_queue_len(&g->seen));
}

/* The same bytes, cut in every way; 0 repeats the last length to the end. */
static void tx_segments(struct kunit *test)
{
	static const u32 cuts[][6] = {
		{ 16, 0 }, { 1, 0 }, { 15, 2, 4000 }, { 16, 14, 4000 },
		{ 17, 1, 1, 1, 4000 }, { 300, 0 }, { 8, 8, 100, 1000, 4000 },
	};
	struct net_guest *g = start(test);
	struct vbus_net_hdr hdr = { };
	struct ioq_seg segs[64];
	struct sk_buff *skb;
	u32 i;

	net_guest_put_hdr(g, &hdr);
	for (i = 0; i < ARRAY_SIZE(cuts); i++) {
		/* As long as 64 segments of the shortest cut can be. */
		u32 len = cuts[i][0] == 1 ? 48 : 900, left = len + 16;
		u8 *frame = net_guest_put_frame(g, NG_RAW, len);
		u32 n = 0, cut = 0, k = 0;

		while (left) {
			if (cuts[i][k])
				cut = cuts[i][k++];
			segs[n] = (struct ioq_seg){
				.addr = net_guest_addr(g, len + 16 - left),
				.len = min(cut, left),
			};
			left -= segs[n++].len;
		}
		KUNIT_ASSERT_EQ(test, 0, net_guest_send(g, segs, n));
		skb = receive(g);
		expect_frame(g, skb, frame, len);
		kfree_skb(skb);
	}
}

static const struct {
	const char *name;
	enum net_guest_kind kind;
	u8 gso;
	u16 start;
	u16 offset;
	u32 type;
} tx_kinds[] = {
	{ "tcp4", NG_TCP4, VBUS_NET_GSO_TCPV4, NET_GUEST_TH4, 16, SKB_GSO_TCPV4 },
	{ "tcp4 ecn", NG_TCP4, VBUS_NET_GSO_TCPV4 | VBUS_NET_GSO_ECN, NET_GUEST_TH4, 16,
	  SKB_GSO_TCPV4 | SKB_GSO_TCP_ECN },
	{ "tcp6", NG_TCP6, VBUS_NET_GSO_TCPV6, NET_GUEST_TH6, 16, SKB_GSO_TCPV6 },
	{ "tcp6 ext", NG_XTCP6, VBUS_NET_GSO_TCPV6, NET_GUEST_TH6 + 8, 16, SKB_GSO_TCPV6 },
	{ "udp4", NG_UDP4, VBUS_NET_GSO_UDP, NET_GUEST_TH4, 6, SKB_GSO_UDP_L4 },
	{ "udp6", NG_UDP6, VBUS_NET_GSO_UDP, NET_GUEST_TH6, 6, SKB_GSO_UDP_L4 },
	{ "vlan", NG_VTCP4, VBUS_NET_GSO_TCPV4, NET_GUEST_TH4 + 4, 16, SKB_GSO_TCPV4 },
	{ "qinq", NG_VVTCP4, VBUS_NET_GSO_TCPV4, NET_GUEST_TH4 + 8, 16, SKB_GSO_TCPV4 },
	{ "partial only", NG_TCP4, VBUS_NET_GSO_NONE, NET_GUEST_TH4, 16, 0 },
};

static void tx_offload(struct kunit *test)
{
	struct net_guest *g = start(test);
	struct vbus_net_hdr hdr;
	u32 i, len = 20000;

	for (i = 0; i < ARRAY_SIZE(tx_kinds); i++) {
		u32 type = tx_kinds[i].type;
		struct sk_buff *skb;
		u8 *frame;

		frame = net_guest_put_frame(g, tx_kinds[i].kind, len);
		hdr = net_guest_offload(tx_kinds[i].gso, tx_kinds[i].start,
					tx_kinds[i].offset, type ? 1000 : 0);
		net_guest_put_hdr(g, &hdr);
		KUNIT_ASSERT_EQ(test, 0, net_guest_send_all(g, len));
		KUNIT_ASSERT_EQ_MSG(test, 1U, skb_queue_len(&g->seen), "%s",
				    tx_kinds[i].name);
		skb = skb_dequeue(&g->seen);
		KUNIT_EXPECT_EQ(test, (int)skb->ip_summed, CHECKSUM_PARTIAL);
		KUNIT_EXPECT_EQ(test, skb->csum_offset, tx_kinds[i].offset);
		/* A tag may have been taken off the data, not out of place. */
		if (tx_kinds[i].kind != NG_VTCP4 && tx_kinds[i].kind != NG_VVTCP4) {
			skb_push(skb, skb->data - skb_mac_header(skb));
			expect_frame(g, skb, frame, len);
			KUNIT_EXPECT_EQ(test, skb_checksum_start_offset(skb),
					(int)tx_kinds[i].start);
		}
		KUNIT_EXPECT_EQ_MSG(test, skb_shinfo(skb)->gso_type,
				    type ? type | SKB_GSO_DODGY : 0, "%s",
				    tx_kinds[i].name);
		KUNIT_EXPECT_EQ(test, skb_shinfo(skb)->gso_size,
				type ? 1000 : 0);
		kfree_skb(skb);
	}

	/* What fits into one segment is none of several. */
	net_guest_put_frame(g, NG_TCP4, NET_GUEST_TH4 + 20 + 1000);
	hdr = net_guest_offload(VBUS_NET_GSO_TCPV4, NET_GUEST_TH4, 16, 1000);
	net_guest_put_hdr(g, &hdr);
	KUNIT_ASSERT_EQ(test, 0, net_guest_send_all(g, NET_GUEST_TH4 + 20 + 1000));
	KUNIT_ASSERT_EQ(test, 1U, skb_queue_len(&g->seen));
	KUNIT_EXPECT_FALSE(test, skb_is_gso(skb_peek(&g->seen)));
	skb_queue_purge(&g->seen);

	hdr = (struct vbus_net_hdr){ .flags = VBUS_NET_HDR_VALID };
	net_guest_put_hdr(g, &hdr);
	KUNIT_ASSERT_EQ(test, 0, net_guest_send_all(g, 1000));
	KUNIT_ASSERT_EQ(test, 1U, skb_queue_len(&g->seen));
	KUNIT_EXPECT_EQ(test, (int)skb_peek(&g->seen)->ip_summed,
			CHECKSUM_UNNECESSARY);
}

static void tx_bad_chains(struct kunit *test)
{
	struct net_guest *g = net_guest_create(test, "1");
	const struct {
		const char *name;
		struct ioq_seg segs[2];
		u32 n;
	} cases[] = {
		{ "shorter than a header",
		  { { net_guest_addr(g, 0), 15, 0 } }, 1 },
		{ "writable", { { net_guest_addr(g, 0), 200, 1 } }, 1 },
		{ "writable tail", { { net_guest_addr(g, 0), 200, 0 },
				     { net_guest_addr(g, 4096), 16, 1 } }, 2 },
		{ "header nowhere", { { CONN_GUEST_NOWHERE, 200, 0 } }, 1 },
		{ "frame nowhere", { { net_guest_addr(g, 0), 16, 0 },
				     { CONN_GUEST_NOWHERE, 100, 0 } }, 2 },
		{ "end nowhere", { { net_guest_addr(g, 0), 1000, 0 },
				   { CONN_GUEST_NOWHERE, 4000, 0 } }, 2 },
	};
	struct vbus_net_hdr hdr = { };
	u32 i;

	net_guest_put_hdr(g, &hdr);
	net_guest_put_frame(g, NG_RAW, 1500);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		KUNIT_ASSERT_EQ(test, 0, net_guest_start(g, NET_GUEST_ALL, 1,
							 RING));
		/* One that is good goes through all the same. */
		KUNIT_EXPECT_EQ(test, 0, net_guest_send_all(g, 100));
		KUNIT_EXPECT_EQ_MSG(test, -EIO,
				    net_guest_send(g, cases[i].segs,
						   cases[i].n),
				    "%s", cases[i].name);
		KUNIT_EXPECT_TRUE_MSG(test, net_guest_broken(g), "%s",
				      cases[i].name);
		KUNIT_EXPECT_FALSE_MSG(test, netif_carrier_ok(g->ndev), "%s",
				       cases[i].name);
		KUNIT_EXPECT_EQ(test, i + 1, skb_queue_len(&g->seen));
	}
}

/* More than one poll's budget, published at once: all come, in order. */
static void tx_burst(struct kunit *test)
{
	struct net_guest *g = start(test);
	struct ioq_north *north = &g->base.q[NET_GUEST_TX].north;
	struct ioq_seg seg = { .len = VBUS_NET_HDR_SIZE + 64 };
	struct sk_buff *skb;
	u32 i, n = 0, len;

	KUNIT_EXPECT_TRUE(test, ioq_north_enable_signals(north, RING));
	for (i = 0; i < RING; i++) {
		memset(g->base.buf + i * 128, 0, 128);
		net_guest_put_eth(g, g->base.buf + i * 128 + 16, ETH_P_802_EX1, 0);
		put_unaligned_be32(i, g->base.buf + i * 128 + 16 + ETH_HLEN);
		seg.addr = net_guest_addr(g, i * 128);
		KUNIT_ASSERT_EQ(test, 0, ioq_north_add(north, &seg, 1, g));
	}
	net_guest_kick(g, NET_GUEST_TX);
	for (i = 0; i < 100 && !atomic_read(&g->base.q[NET_GUEST_TX].signals); i++)
		msleep(20);
	while (n < RING && (skb = skb_dequeue(&g->seen))) {
		u32 nr = get_unaligned_be32(skb->data);

		KUNIT_EXPECT_EQ(test, nr, n);
		n++;
		kfree_skb(skb);
	}
	KUNIT_EXPECT_EQ(test, n, (u32)RING);
	for (n = 0; ioq_north_get(north, &len); n++)
		;
	KUNIT_EXPECT_EQ(test, n, (u32)RING);
	KUNIT_EXPECT_EQ(test, 1, atomic_read(&g->base.q[NET_GUEST_TX].signals));
	KUNIT_EXPECT_EQ(test, net_guest_stat(g, "tx_signals"), 1ULL);
}

/*
 * A poll is over when it has done much work, however few frames it was: as many
 * polls as the work is worth, and all is delivered.
 */
static const struct {
	const char *name;
	enum net_guest_kind kind;
	u8 gso;
	u32 payload;
	u32 size;
	u32 frames;
	u32 polls;
} tx_works[] = {
	/* 64 KiB 8 times are 512 KiB, with the headers. */
	{ "bytes", NG_RAW, 0, 65536 - 14 - 16, 0, 24, 3 },
	{ "bytes of GSO", NG_TCP4, VBUS_NET_GSO_TCPV4, 65536 - 54 - 16, 1460,
	  24, 3 },
	/* With the headers 1054 segments: two frames a poll. */
	{ "TCP segments", NG_TCP4, VBUS_NET_GSO_TCPV4, 1000, 1, 8, 4 },
	/* 170 segments: 13 frames. */
	{ "UDP segments", NG_UDP4, VBUS_NET_GSO_UDP, 128, 1, 52, 4 },
	{ "small", NG_RAW, 0, 1000, 0, 48, 1 },
};

static void tx_work(struct kunit *test)
{
	struct net_guest *g = net_guest_create(test, "1");
	struct ioq_seg seg = { .addr = net_guest_addr(g, 0) };
	struct ioq_north *north;
	struct vbus_net_hdr hdr;
	u32 i, n, len, th;
	u64 polls;

	for (i = 0; i < ARRAY_SIZE(tx_works); i++) {
		bool udp = tx_works[i].gso == VBUS_NET_GSO_UDP;

		KUNIT_ASSERT_EQ(test, 0, net_guest_start(g, NET_GUEST_ALL, 1,
							 RING));
		north = &g->base.q[NET_GUEST_TX].north;
		hdr = (struct vbus_net_hdr){ };
		th = ETH_HLEN;
		if (tx_works[i].gso) {
			th = NET_GUEST_TH4 + (udp ? 8 : 20);
			hdr = net_guest_offload(tx_works[i].gso, NET_GUEST_TH4,
						udp ? 6 : 16, tx_works[i].size);
		}
		net_guest_put_frame(g, tx_works[i].kind,
				    th + tx_works[i].payload);
		net_guest_put_hdr(g, &hdr);
		seg.len = VBUS_NET_HDR_SIZE + th + tx_works[i].payload;
		for (n = 0; n < tx_works[i].frames; n++)
			KUNIT_ASSERT_EQ(test, 0, ioq_north_add(north, &seg, 1,
							       g));
		polls = net_guest_stat(g, "tx_polls");
		net_guest_kick(g, NET_GUEST_TX);
		for (n = 0; n < 100 && skb_queue_len(&g->seen) <
				       tx_works[i].frames; n++)
			msleep(20);
		KUNIT_EXPECT_EQ_MSG(test, tx_works[i].frames,
				    skb_queue_len(&g->seen), "%s",
				    tx_works[i].name);
		/*
		 * Some find nothing: one after the last that was cut short, and
		 * that of the first kick of all, which may be late.
		 */
		polls = net_guest_stat(g, "tx_polls") - polls;
		KUNIT_EXPECT_GE_MSG(test, polls, tx_works[i].polls, "%s",
				    tx_works[i].name);
		KUNIT_EXPECT_LE_MSG(test, polls, tx_works[i].polls + 3, "%s",
				    tx_works[i].name);
		skb_queue_purge(&g->seen);
		for (n = 0; ioq_north_get(north, &len); n++)
			;
		KUNIT_EXPECT_EQ(test, n, tx_works[i].frames);
	}
}

/* A host end that is down takes frames, to nowhere. */
static void tx_down(struct kunit *test)
{
	struct net_guest *g = start(test);
	struct vbus_net_hdr hdr = { };

	net_guest_put_hdr(g, &hdr);
	net_guest_put_frame(g, NG_RAW, 100);
	net_guest_up(g, false);
	KUNIT_EXPECT_EQ(test, 0, net_guest_send_all(g, 100));
	KUNIT_EXPECT_EQ(test, net_guest_stat(g, "tx_drop_down"), 1ULL);
	net_guest_up(g, true);
	KUNIT_EXPECT_EQ(test, 0, net_guest_send_all(g, 100));
	KUNIT_EXPECT_EQ(test, net_guest_stat(g, "tx_drop_down"), 1ULL);
	KUNIT_EXPECT_EQ(test, 1U, skb_queue_len(&g->seen));
}

/* A doorbell with interrupts off in process context, as an eventfd's is. */
static void tx_kick_irqs_off(struct kunit *test)
{
	struct net_guest *g = start(test);
	struct ioq_seg seg = { net_guest_addr(g, 0), 16 + 100, 0 };
	struct vbus_net_hdr hdr = { };
	unsigned long flags;
	u32 len;
	int i;

	net_guest_put_hdr(g, &hdr);
	net_guest_put_frame(g, NG_RAW, 100);
	KUNIT_ASSERT_EQ(test, 0, ioq_north_add(&g->base.q[NET_GUEST_TX].north,
					       &seg, 1, g));
	local_irq_save(flags);
	net_guest_kick(g, NET_GUEST_TX);
	local_irq_restore(flags);
	for (i = 0; i < 100 && skb_queue_empty(&g->seen); i++)
		msleep(20);
	KUNIT_EXPECT_EQ(test, 1U, skb_queue_len(&g->seen));
	KUNIT_EXPECT_PTR_EQ(test, (void *)g,
			    ioq_north_get(&g->base.q[NET_GUEST_TX].north, &len));
}

static void tx_exit(struct kunit *test)
{
	net_guest_destroy(test->priv);
}

static struct kunit_case tx_cases[] = {
	KUNIT_CASE(tx_lengths),
	KUNIT_CASE(tx_bad_lengths),
	KUNIT_CASE(tx_segments),
	KUNIT_CASE(tx_offload),
	KUNIT_CASE(tx_bad_chains),
	KUNIT_CASE(tx_burst),
	KUNIT_CASE(tx_work),
	KUNIT_CASE(tx_down),
	KUNIT_CASE(tx_kick_irqs_off),
	{ }
};

static struct kunit_suite tx_suite = {
	.name = "dm_net_tx",
	.exit = tx_exit,
	.test_cases = tx_cases,
};

kunit_test_suite(tx_suite);

MODULE_DESCRIPTION("vbus test: host net model, guest to host");
MODULE_LICENSE("GPL");
