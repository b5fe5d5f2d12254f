// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "net", the header before each frame a guest sends: each field is
 * bent in turn.  What only the driver decides breaks the device; what a user of
 * the guest could have sent costs one frame.
 */
#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/module.h>
#include <asm/unaligned.h>
#include "net_guest.h"

#define RING		256

static struct net_guest *hdr_start(struct kunit *test)
{
	struct net_guest *g = net_guest_create(test, "1");

	KUNIT_ASSERT_EQ(test, 0, net_guest_start(g, NET_GUEST_ALL, 1, RING));
	return g;
}

/* One field of a good header at a time. The frame is 3000 bytes of TCPv4. */
#define BEND_LEN	3000
enum bend {
	B_NOTHING,
	/* What no frame can be the cause of: the device breaks. */
	B_FLAGS_UNKNOWN, B_FLAGS_BOTH, B_GSO_4, B_GSO_127, B_NR_CHAINS,
	B_RESERVED,
#define B_LAST_BREAK B_RESERVED
	/* Numbers that make no sense: dropped. */
	B_NOT_PARTIAL, B_NO_FLAGS, B_GSO_UDP_ECN, B_ECN_ALONE,
	B_NO_GSO_BUT_SIZE, B_HDR_LEN_PAST_END, B_HDR_LEN_SHORT, B_HDR_LEN_ZERO,
	B_GSO_SIZE_0, B_CSUM_IN_ETH, B_CSUM_START_END, B_CSUM_OFFSET_END,
	B_CSUM_MAX,
	/* Header in order, frame not: dropped. */
	B_CSUM_OFFSET, B_CSUM_START, B_GSO_TCPV6, B_GSO_UDP, B_GSO_TINY,
	B_IP_VERSION, B_IP_IHL, B_IP_IHL_LONG, B_IP_FRAGMENT, B_IP_PROTO,
	B_ETH_PROTO, B_DOFF_SHORT, B_TAGS,
	B_END,
};

static void bend_header(struct vbus_net_hdr *h, enum bend bend)
{
	switch (bend) {
	case B_FLAGS_UNKNOWN:
		h->flags |= 4;
		break;
	case B_FLAGS_BOTH:
		h->flags = 3;
		break;
	case B_NOT_PARTIAL:
		h->flags = VBUS_NET_HDR_VALID;
		break;
	case B_NO_FLAGS:
		h->flags = 0;
		break;
	case B_GSO_4:
		h->gso_type = 4;
		break;
	case B_GSO_127:
		h->gso_type = 127;
		break;
	case B_GSO_UDP_ECN:
		h->gso_type = VBUS_NET_GSO_UDP | VBUS_NET_GSO_ECN;
		break;
	case B_ECN_ALONE:
		h->gso_type = VBUS_NET_GSO_ECN;
		h->gso_size = 0;
		break;
	case B_NO_GSO_BUT_SIZE:
		h->gso_type = VBUS_NET_GSO_NONE;
		break;
	case B_HDR_LEN_PAST_END:
		h->hdr_len = cpu_to_le16(BEND_LEN + 1);
		break;
	case B_HDR_LEN_SHORT:
		h->hdr_len = cpu_to_le16(NET_GUEST_TH4 + 19);
		break;
	case B_HDR_LEN_ZERO:
		h->hdr_len = 0;
		break;
	case B_GSO_SIZE_0:
		h->gso_size = 0;
		break;
	case B_CSUM_IN_ETH:
		h->csum_start = cpu_to_le16(ETH_HLEN - 1);
		break;
	case B_CSUM_START_END:
		h->csum_start = cpu_to_le16(BEND_LEN - 17);
		break;
	case B_CSUM_OFFSET_END:
		h->csum_offset = cpu_to_le16(BEND_LEN - NET_GUEST_TH4 - 1);
		break;
	case B_CSUM_MAX:
		h->csum_start = cpu_to_le16(0xffff);
		h->csum_offset = cpu_to_le16(0xffff);
		break;
	case B_NR_CHAINS:
		h->nr_chains = cpu_to_le16(1);
		break;
	case B_RESERVED:
		h->reserved = cpu_to_le32(1U << 31);
		break;
	default:
		break;
	}
}

static void bend_frame(struct vbus_net_hdr *h, u8 *frame, enum bend bend)
{
	u8 *ip = frame + ETH_HLEN;

	switch (bend) {
	case B_CSUM_OFFSET:
		h->csum_offset = cpu_to_le16(14);
		break;
	case B_CSUM_START:
		h->csum_start = cpu_to_le16(NET_GUEST_TH4 - 1);
		break;
	case B_GSO_TCPV6:
		h->gso_type = VBUS_NET_GSO_TCPV6;
		break;
	case B_GSO_UDP:
		h->gso_type = VBUS_NET_GSO_UDP;
		break;
	case B_GSO_TINY:
		h->gso_size = cpu_to_le16(1);
		break;
	case B_IP_VERSION:
		ip[0] = 0x65;
		break;
	case B_IP_IHL:
		ip[0] = 0x44;
		break;
	case B_IP_IHL_LONG:
		ip[0] = 0x4f;
		break;
	case B_IP_FRAGMENT:
		ip[6] = 0x20;
		break;
	case B_IP_PROTO:
		ip[9] = IPPROTO_UDP;
		break;
	case B_ETH_PROTO:
		put_unaligned_be16(ETH_P_ARP, frame + 12);
		break;
	case B_DOFF_SHORT:
		frame[NET_GUEST_TH4 + 12] = 4 << 4;
		break;
	case B_TAGS:
		/* More tags than anyone looks through. */
		for (ip -= 2; ip < frame + 200; ip += VLAN_HLEN)
			put_unaligned_be16(ETH_P_8021Q, ip);
		break;
	default:
		break;
	}
}

static void hdr_fields(struct kunit *test)
{
	struct net_guest *g = hdr_start(test);
	struct vbus_net_hdr hdr;
	u64 drops = 0, before;
	enum bend bend;
	u8 *frame;

	for (bend = B_NOTHING; bend < B_END; bend++) {
		frame = net_guest_put_frame(g, NG_TCP4, BEND_LEN);
		hdr = net_guest_offload(VBUS_NET_GSO_TCPV4, NET_GUEST_TH4, 16, 1000);
		bend_header(&hdr, bend);
		bend_frame(&hdr, frame, bend);
		net_guest_put_hdr(g, &hdr);
		before = net_guest_stat(g, "tx_packets");

		if (bend == B_NOTHING || bend > B_LAST_BREAK) {
			KUNIT_EXPECT_EQ_MSG(test, 0, net_guest_send_all(g, BEND_LEN),
					    "bend %d", bend);
			KUNIT_EXPECT_FALSE(test, net_guest_broken(g));
			if (bend)
				drops++;
			KUNIT_EXPECT_EQ_MSG(test,
					    net_guest_stat(g, "tx_drop_offload"),
					    drops, "bend %d", bend);
			KUNIT_EXPECT_EQ(test, net_guest_stat(g, "tx_packets"),
					before + !bend);
			continue;
		}
		KUNIT_EXPECT_EQ_MSG(test, -EIO, net_guest_send_all(g, BEND_LEN),
				    "bend %d", bend);
		KUNIT_EXPECT_TRUE_MSG(test, net_guest_broken(g), "bend %d",
				      bend);
		KUNIT_EXPECT_EQ(test, net_guest_stat(g, "tx_packets"), before);
		/* No frames for a guest that can't be reached. */
		KUNIT_EXPECT_FALSE(test, netif_carrier_ok(g->ndev));
		/* Nothing moves until the guest resets it. */
		net_guest_kick(g, NET_GUEST_TX);
		KUNIT_EXPECT_EQ(test, net_guest_stat(g, "tx_packets"), before);
		KUNIT_ASSERT_EQ(test, 0, net_guest_start(g, NET_GUEST_ALL, 1,
							 RING));
		KUNIT_EXPECT_FALSE(test, net_guest_broken(g));
		KUNIT_EXPECT_TRUE(test, netif_carrier_ok(g->ndev));
	}
	KUNIT_EXPECT_EQ(test, drops, (u64)B_END - B_LAST_BREAK - 1);
}

/* Segments may be small, down to a byte, but there is a limit to their number. */
static void hdr_segments(struct kunit *test)
{
	static const struct {
		enum net_guest_kind kind;
		u8 gso;
		u32 size;
		u32 most;
	} cases[] = {
		{ NG_UDP4, VBUS_NET_GSO_UDP, 100, VBUS_NET_UDP_SEGS_MAX },
		{ NG_UDP4, VBUS_NET_GSO_UDP, 1, VBUS_NET_UDP_SEGS_MAX },
		{ NG_TCP4, VBUS_NET_GSO_TCPV4, 31, VBUS_NET_TCP_SEGS_MAX },
		{ NG_TCP4, VBUS_NET_GSO_TCPV4, 1, VBUS_NET_TCP_SEGS_MAX },
	};
	struct net_guest *g = hdr_start(test);
	struct vbus_net_hdr hdr;
	struct sk_buff *skb;
	u32 i, len;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		bool udp = cases[i].gso == VBUS_NET_GSO_UDP;
		u16 offset = udp ? 6 : 16;

		len = NET_GUEST_TH4 + (udp ? 8 : 20) +
		      cases[i].most * cases[i].size;
		hdr = net_guest_offload(cases[i].gso, NET_GUEST_TH4, offset,
					cases[i].size);
		net_guest_put_hdr(g, &hdr);
		net_guest_put_frame(g, cases[i].kind, len);
		KUNIT_EXPECT_EQ(test, 0, net_guest_send_all(g, len));
		skb = skb_dequeue(&g->seen);
		KUNIT_ASSERT_NOT_NULL_MSG(test, skb, "case %u", i);
		KUNIT_EXPECT_EQ(test, skb_shinfo(skb)->gso_size, cases[i].size);
		kfree_skb(skb);
		net_guest_put_frame(g, cases[i].kind, len + 1);
		KUNIT_EXPECT_EQ(test, 0, net_guest_send_all(g, len + 1));
		KUNIT_EXPECT_EQ_MSG(test, 0U, skb_queue_len(&g->seen),
				    "case %u", i);
		KUNIT_EXPECT_EQ(test, net_guest_stat(g, "tx_drop_offload"),
				1ULL + i);
	}
}

/*
 * A sum that starts as far behind as a header can say: nothing in the log, which
 * is the host's and not for guests to fill.
 */
static void hdr_sum_far(struct kunit *test)
{
	struct net_guest *g = hdr_start(test);
	u32 len = VBUS_NET_MTU_MAX + ETH_HLEN;
	struct rtnl_link_stats64 stats;
	struct vbus_net_hdr hdr;

	hdr = net_guest_offload(VBUS_NET_GSO_NONE, 65500, 16, 0);
	net_guest_put_hdr(g, &hdr);
	net_guest_put_frame(g, NG_TCP4, len);
	KUNIT_EXPECT_EQ(test, 0, net_guest_send_all(g, len));
	KUNIT_EXPECT_EQ(test, net_guest_stat(g, "tx_drop_offload"), 1ULL);
	dev_get_stats(g->ndev, &stats);
	KUNIT_EXPECT_EQ(test, stats.rx_frame_errors, 1ULL);
	KUNIT_EXPECT_EQ(test, stats.rx_errors, 1ULL);
	KUNIT_EXPECT_EQ(test, 0, conn_guest_shell("! dmesg | grep -q 'bad partial csum'"));
}

/* An offload that was not accepted is a violation, whoever could do it. */
static void hdr_not_accepted(struct kunit *test)
{
	static const struct {
		u64 features;
		u8 flags;
		u8 gso;
	} cases[] = {
		{ 0, VBUS_NET_HDR_PARTIAL, VBUS_NET_GSO_NONE },
		{ 0, VBUS_NET_HDR_VALID, VBUS_NET_GSO_NONE },
		{ VBUS_NET_F_GUEST_CSUM, VBUS_NET_HDR_PARTIAL,
		  VBUS_NET_GSO_NONE },
		{ VBUS_NET_F_CSUM, VBUS_NET_HDR_PARTIAL, VBUS_NET_GSO_TCPV4 },
		{ VBUS_NET_F_CSUM | VBUS_NET_F_USO, VBUS_NET_HDR_PARTIAL,
		  VBUS_NET_GSO_TCPV4 },
		{ VBUS_NET_F_CSUM | VBUS_NET_F_TSO, VBUS_NET_HDR_PARTIAL,
		  VBUS_NET_GSO_TCPV4 | VBUS_NET_GSO_ECN },
		{ VBUS_NET_F_CSUM | VBUS_NET_F_TSO, VBUS_NET_HDR_PARTIAL,
		  VBUS_NET_GSO_UDP },
	};
	struct net_guest *g = net_guest_create(test, "1");
	struct vbus_net_hdr hdr;
	u32 i, size;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		KUNIT_ASSERT_EQ(test, 0, net_guest_start(g, cases[i].features,
							 1, RING));
		size = 0;
		if (cases[i].gso)
			size = 500;
		hdr = net_guest_offload(cases[i].gso, NET_GUEST_TH4, 16, size);
		hdr.flags = cases[i].flags;
		if (hdr.flags == VBUS_NET_HDR_VALID)
			hdr = (struct vbus_net_hdr){ .flags = hdr.flags };
		net_guest_put_hdr(g, &hdr);
		net_guest_put_frame(g, NG_TCP4, BEND_LEN);
		KUNIT_EXPECT_EQ(test, -EIO, net_guest_send_all(g, BEND_LEN));
		KUNIT_EXPECT_TRUE_MSG(test, net_guest_broken(g), "case %u", i);
		KUNIT_EXPECT_EQ(test, 0U, skb_queue_len(&g->seen));
	}
}

static void hdr_exit(struct kunit *test)
{
	net_guest_destroy(test->priv);
}

static struct kunit_case hdr_cases[] = {
	KUNIT_CASE(hdr_fields),
	KUNIT_CASE(hdr_segments),
	KUNIT_CASE(hdr_sum_far),
	KUNIT_CASE(hdr_not_accepted),
	{ }
};

static struct kunit_suite hdr_suite = {
	.name = "dm_net_hdr",
	.exit = hdr_exit,
	.test_cases = hdr_cases,
};

kunit_test_suite(hdr_suite);

MODULE_DESCRIPTION("vbus test: host net model, header of guest frames");
MODULE_LICENSE("GPL");
