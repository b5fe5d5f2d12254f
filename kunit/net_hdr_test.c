// SPDX-License-Identifier: GPL-2.0
/*
 * Guest network driver: the header of a frame, written from an skb and read
 * from a host that may write anything.
 *
 * Frames are made from a short description; the tables bend one thing each.
 */
#include <kunit/test.h>
#include <linux/module.h>

/* Not exported by the driver: a copy of its own. */
#include "../drivers/net/hdr.c"

#define ALL		VNET_FEATURES
#define FRAME_LEN	4000
#define HEAD_LEN	2000

#define TCP4		VBUS_NET_GSO_TCPV4
#define TCP6		VBUS_NET_GSO_TCPV6
#define UDP		VBUS_NET_GSO_UDP
#define ECN		VBUS_NET_GSO_ECN
#define PARTIAL		VBUS_NET_HDR_PARTIAL
#define VALID		VBUS_NET_HDR_VALID

/* What lies before the payload, and where the transport header is. */
enum frame { IP4_TCP, IP4_UDP, IP4_OPT_TCP, IP4_FRAG_TCP, IP4_LAST_TCP, IP6_TCP,
	     IP6_UDP, IP6_EXT_TCP, IP6_FRAG_TCP, VLAN_TCP, QINQ_TCP,
	     TRIPLE_TCP, ARP, NR_FRAMES };

static const u8 transport[NR_FRAMES] = {
	[IP4_TCP] = 34, [IP4_UDP] = 34, [IP4_OPT_TCP] = 58, [IP4_FRAG_TCP] = 34,
	[IP4_LAST_TCP] = 34, [IP6_TCP] = 54, [IP6_UDP] = 54, [IP6_EXT_TCP] = 78,
	[IP6_FRAG_TCP] = 62, [VLAN_TCP] = 38, [QINQ_TCP] = 42,
	[TRIPLE_TCP] = 46, [ARP] = 34,
};

static void build(u8 *f, enum frame kind)
{
	static const u8 tags[NR_FRAMES] = {
		[VLAN_TCP] = 1, [QINQ_TCP] = 2, [TRIPLE_TCP] = 3,
	};
	bool v6 = kind >= IP6_TCP && kind <= IP6_FRAG_TCP;
	bool udp = kind == IP4_UDP || kind == IP6_UDP;
	u8 proto = udp ? IPPROTO_UDP : IPPROTO_TCP;
	u32 off = 12, i;

	memset(f, 0, FRAME_LEN);
	for (i = 0; i < tags[kind]; i++, off += VLAN_HLEN)
		put_unaligned_be16(i + 1 < tags[kind] ? ETH_P_8021AD :
							ETH_P_8021Q, f + off);
	put_unaligned_be16(kind == ARP ? ETH_P_ARP :
			   v6 ? ETH_P_IPV6 : ETH_P_IP, f + off);
	off += 2;
	if (v6) {
		f[off] = 0x60;
		f[off + 6] = proto;
		if (kind == IP6_FRAG_TCP) {
			f[off + 6] = IPPROTO_FRAGMENT;
			f[off + 40] = proto;
		} else if (kind == IP6_EXT_TCP) {
			/* One of 8 bytes, one of 16. */
			f[off + 6] = IPPROTO_HOPOPTS;
			f[off + 40] = IPPROTO_DSTOPTS;
			f[off + 48] = proto;
			f[off + 49] = 1;
		}
	} else {
		/* More to come; not the first. */
		f[off + 6] = kind == IP4_FRAG_TCP ? 0x20 : 0;
		f[off + 7] = kind == IP4_LAST_TCP;
		f[off] = kind == IP4_OPT_TCP ? 0x4b : 0x45;
		f[off + 9] = proto;
	}
	/* A TCP header without options. */
	f[transport[kind] + 12] = 0x50;
}

struct bad_case {
	const char *name;
	enum frame kind;
	u8 flags;
	u8 gso;
	u16 gso_size;
	s16 start;		/* from the transport header */
	u16 offset;
	u64 features;
	u32 reserved;
	u32 head_len;		/* 0: HEAD_LEN */
	u32 len;		/* 0: FRAME_LEN */
	u16 hdr_len;
	s8 poke_at;		/* from the transport header, 0: none */
	u8 poke;
};

#define TCP_OK	.flags = PARTIAL, .gso_size = 1400, .offset = 16
#define UDP_OK	.flags = PARTIAL, .gso_size = 1400, .offset = 6

static const struct bad_case bad_cases[] = {
	{ "unknown flag", IP4_TCP, .flags = 4, .features = ALL },
	{ "both flags", IP4_TCP, .flags = PARTIAL | VALID, .offset = 16,
	  .features = ALL },
	{ "reserved word", IP4_TCP, .reserved = 1, .features = ALL },
	{ "header longer than the frame", IP4_TCP, .hdr_len = FRAME_LEN + 1,
	  .features = ALL },
	{ "partial was not negotiated", IP4_TCP, .flags = PARTIAL,
	  .offset = 16, .features = ALL & ~VBUS_NET_F_GUEST_CSUM },
	{ "valid was not negotiated", IP4_TCP, .flags = VALID,
	  .features = ALL & ~VBUS_NET_F_GUEST_CSUM },
	{ "sum inside the Ethernet header", IP4_TCP, .flags = PARTIAL,
	  .start = -21, .features = ALL },
	{ "sum field past the linear part", IP4_TCP, .flags = PARTIAL,
	  .offset = HEAD_LEN - 34 - 1, .features = ALL },
	{ "sum starts past the linear part", IP4_TCP, .flags = PARTIAL,
	  .start = HEAD_LEN, .features = ALL },
	{ "sum offset overflows", IP4_TCP, .flags = PARTIAL, .offset = 65535,
	  .features = ALL },
	{ "unknown GSO", IP4_TCP, TCP_OK, .gso = 4, .features = ALL },
	{ "GSO with unknown flag", IP4_TCP, TCP_OK, .gso = TCP4 | 0x40,
	  .features = ALL },
	{ "ECN alone", IP4_TCP, TCP_OK, .gso = ECN, .features = ALL },
	{ "GSO without sum", IP4_TCP, .gso = TCP4, .gso_size = 1400,
	  .features = ALL },
	{ "GSO with valid sum", IP4_TCP, .flags = VALID, .gso = TCP4,
	  .gso_size = 1400, .features = ALL },
	{ "GSO of size 0", IP4_TCP, .flags = PARTIAL, .offset = 16,
	  .gso = TCP4, .features = ALL },
	{ "TSO was not negotiated", IP4_TCP, TCP_OK, .gso = TCP4,
	  .features = ALL & ~VBUS_NET_F_GUEST_TSO },
	{ "TSO6 was not negotiated", IP6_TCP, TCP_OK, .gso = TCP6,
	  .features = ALL & ~VBUS_NET_F_GUEST_TSO },
	{ "ECN was not negotiated", IP4_TCP, TCP_OK, .gso = TCP4 | ECN,
	  .features = ALL & ~VBUS_NET_F_GUEST_ECN },
	{ "USO was not negotiated", IP4_UDP, UDP_OK, .gso = UDP,
	  .features = ALL & ~VBUS_NET_F_GUEST_USO },
	{ "USO with ECN", IP4_UDP, UDP_OK, .gso = UDP | ECN,
	  .features = ALL },
	{ "TCP of UDP", IP4_UDP, TCP_OK, .gso = TCP4, .features = ALL },
	{ "UDP of TCP", IP4_TCP, UDP_OK, .gso = UDP, .features = ALL },
	{ "TCPv6 of IPv4", IP4_TCP, TCP_OK, .gso = TCP6, .features = ALL },
	{ "TCPv4 of IPv6", IP6_TCP, TCP_OK, .gso = TCP4, .features = ALL },
	{ "TCP of ARP", ARP, TCP_OK, .gso = TCP4, .features = ALL },
	{ "three tags", TRIPLE_TCP, TCP_OK, .gso = TCP4, .features = ALL },
	{ "sum field of UDP in TCP", IP4_TCP, .flags = PARTIAL, .offset = 6,
	  .gso = TCP4, .gso_size = 1400, .features = ALL },
	{ "sum field of TCP in UDP", IP4_UDP, .flags = PARTIAL, .offset = 16,
	  .gso = UDP, .gso_size = 1400, .features = ALL },
	{ "transport elsewhere", IP4_TCP, TCP_OK, .start = 4, .gso = TCP4,
	  .features = ALL },
	{ "transport before the IP header's end", IP4_OPT_TCP, TCP_OK,
	  .start = -4, .gso = TCP4, .features = ALL },
	{ "transport inside IPv6", IP6_TCP, TCP_OK, .start = -1, .gso = TCP6,
	  .features = ALL },
	{ "TCP header too short", IP4_TCP, TCP_OK, .gso = TCP4,
	  .poke_at = 12, .poke = 0x40, .features = ALL },
	{ "TCP header past the linear part", IP4_TCP, TCP_OK, .gso = TCP4,
	  .head_len = 34 + 20, .poke_at = 12, .poke = 0x60, .features = ALL },
	{ "no whole TCP header", IP4_TCP, TCP_OK, .gso = TCP4,
	  .head_len = 34 + 18, .features = ALL },
	{ "TCP of a first fragment", IP4_FRAG_TCP, TCP_OK, .gso = TCP4,
	  .features = ALL },
	{ "TCP of a last fragment", IP4_LAST_TCP, TCP_OK, .gso = TCP4,
	  .features = ALL },
	{ "TCP of an IPv6 fragment", IP6_FRAG_TCP, TCP_OK, .gso = TCP6,
	  .features = ALL },
	{ "another protocol behind extension headers", IP6_EXT_TCP, TCP_OK,
	  .gso = TCP6, .poke_at = -24, .poke = IPPROTO_UDP, .features = ALL },
	{ "an extension header past the transport header", IP6_EXT_TCP, TCP_OK,
	  .gso = TCP6, .poke_at = -15, .poke = 2, .features = ALL },
	{ "transport inside an extension header", IP6_EXT_TCP, TCP_OK,
	  .start = -4, .gso = TCP6, .features = ALL },
	{ "GSO_BY_FRAGS", IP4_TCP, .flags = PARTIAL, .offset = 16, .gso = TCP4,
	  .gso_size = GSO_BY_FRAGS, .features = ALL },
	{ "GSO_BY_FRAGS of a frame longer than that", IP4_TCP, .flags = PARTIAL,
	  .offset = 16, .gso = TCP4, .gso_size = GSO_BY_FRAGS, .len = 66000,
	  .features = ALL },
	{ "one TCP segment too many", IP4_TCP, .flags = PARTIAL, .offset = 16,
	  .gso = TCP4, .gso_size = 2, .len = 54 + 2 * 2048 + 1,
	  .features = ALL },
	{ "one UDP segment too many", IP4_UDP, .flags = PARTIAL, .offset = 6,
	  .gso = UDP, .gso_size = 10, .len = 42 + 10 * 128 + 1,
	  .features = ALL },
	{ "longer than any frame", IP4_TCP, .len = VNET_FRAME_MAX + 1,
	  .features = ALL },
};

static void test_bad(struct kunit *test)
{
	u8 *frame = kunit_kzalloc(test, FRAME_LEN, GFP_KERNEL);
	struct vbus_net_offload off;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, frame);
	for (i = 0; i < ARRAY_SIZE(bad_cases); i++) {
		const struct bad_case *c = &bad_cases[i];
		struct vbus_net_hdr hdr = {
			.flags = c->flags,
			.gso_type = c->gso,
			.gso_size = cpu_to_le16(c->gso_size),
			.hdr_len = cpu_to_le16(c->hdr_len),
			.csum_offset = cpu_to_le16(c->offset),
			.reserved = cpu_to_le32(c->reserved),
		};

		build(frame, c->kind);
		if (c->flags & PARTIAL)
			hdr.csum_start = cpu_to_le16(transport[c->kind] +
						     c->start);
		if (c->poke_at)
			frame[transport[c->kind] + c->poke_at] = c->poke;
		KUNIT_EXPECT_EQ_MSG(test, -EINVAL,
				    vbus_net_hdr_parse(&hdr, frame,
						       c->head_len ?: HEAD_LEN,
						       c->len ?: FRAME_LEN,
						       c->features, &off),
				    "%s", c->name);
	}
}

struct good_case {
	enum frame kind;
	u8 gso;
	u16 size;
	unsigned int want;
};

static const struct good_case good_cases[] = {
	{ IP4_TCP, TCP4, 1400, SKB_GSO_TCPV4 },
	{ IP4_TCP, TCP4 | ECN, 1400, SKB_GSO_TCPV4 | SKB_GSO_TCP_ECN },
	{ IP4_OPT_TCP, TCP4, 2, SKB_GSO_TCPV4 },
	{ IP4_UDP, UDP, 31, SKB_GSO_UDP_L4 },
	{ IP6_TCP, TCP6, 1400, SKB_GSO_TCPV6 },
	{ IP6_EXT_TCP, TCP6 | ECN, 1400, SKB_GSO_TCPV6 | SKB_GSO_TCP_ECN },
	{ VLAN_TCP, TCP4, 1400, SKB_GSO_TCPV4 },
	{ QINQ_TCP, TCP4, 1400, SKB_GSO_TCPV4 },
	{ IP4_UDP, UDP, 1400, SKB_GSO_UDP_L4 },
	{ IP6_UDP, UDP, 1400, SKB_GSO_UDP_L4 },
	/* One segment: not GSO at all; one byte more: two. */
	{ IP4_TCP, TCP4, FRAME_LEN - 54, 0 },
	{ IP4_TCP, TCP4, FRAME_LEN - 55, SKB_GSO_TCPV4 },
	{ IP4_UDP, UDP, FRAME_LEN - 42, 0 },
	{ IP4_UDP, UDP, 65534, 0 },
};

static void test_gso(struct kunit *test)
{
	u8 *frame = kunit_kzalloc(test, FRAME_LEN, GFP_KERNEL);
	struct vbus_net_offload off;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, frame);
	for (i = 0; i < ARRAY_SIZE(good_cases); i++) {
		const struct good_case *c = &good_cases[i];
		bool udp = (c->gso & ~ECN) == UDP;
		struct vbus_net_hdr hdr = {
			.flags = PARTIAL,
			.gso_type = c->gso,
			.gso_size = cpu_to_le16(c->size),
			.csum_start = cpu_to_le16(transport[c->kind]),
			.csum_offset = cpu_to_le16(udp ? 6 : 16),
		};

		build(frame, c->kind);
		KUNIT_EXPECT_EQ_MSG(test, 0,
				    vbus_net_hdr_parse(&hdr, frame, HEAD_LEN,
						       FRAME_LEN, ALL, &off),
				    "case %d", i);
		KUNIT_EXPECT_EQ(test, off.gso_type,
				c->want ? c->want | SKB_GSO_DODGY : 0);
		KUNIT_EXPECT_EQ(test, off.gso_size, c->want ? c->size : 0);
		KUNIT_EXPECT_TRUE(test, off.partial);
		KUNIT_EXPECT_EQ(test, off.csum_start, transport[c->kind]);
	}
}

static void test_sums(struct kunit *test)
{
	struct vbus_net_hdr hdr = {};
	struct vbus_net_offload off;
	u8 frame[64] = {};

	KUNIT_EXPECT_EQ(test, 0, vbus_net_hdr_parse(&hdr, frame, 64, 64, 0,
						    &off));
	KUNIT_EXPECT_FALSE(test, off.partial);
	KUNIT_EXPECT_FALSE(test, off.valid);
	KUNIT_EXPECT_EQ(test, off.gso_type, 0);

	hdr.flags = VALID;
	KUNIT_EXPECT_EQ(test, 0, vbus_net_hdr_parse(&hdr, frame, 64, 64, ALL,
						    &off));
	KUNIT_EXPECT_TRUE(test, off.valid);
	KUNIT_EXPECT_FALSE(test, off.partial);

	/* The last two bytes, and one further. */
	hdr.flags = PARTIAL;
	hdr.csum_start = cpu_to_le16(14);
	hdr.csum_offset = cpu_to_le16(48);
	KUNIT_EXPECT_EQ(test, 0, vbus_net_hdr_parse(&hdr, frame, 64, 64, ALL,
						    &off));
	KUNIT_EXPECT_TRUE(test, off.partial);
	KUNIT_EXPECT_EQ(test, off.csum_offset, 48);
	hdr.csum_offset = cpu_to_le16(49);
	KUNIT_EXPECT_EQ(test, -EINVAL, vbus_net_hdr_parse(&hdr, frame, 64, 64,
							  ALL, &off));
}

struct fill_case {
	enum frame kind;
	unsigned int gso;
	bool partial;
	int want;
	u8 type;
	u16 hdr_len;
};

static const struct fill_case fill_cases[] = {
	{ IP4_TCP, 0, false, 0, 0, 0 },
	{ IP4_TCP, 0, true, 0, 0, 0 },
	{ IP4_TCP, SKB_GSO_TCPV4, true, 0, TCP4, 54 },
	{ IP4_TCP, SKB_GSO_TCPV4 | SKB_GSO_TCP_ECN, true, 0, TCP4 | ECN, 54 },
	{ IP4_TCP, SKB_GSO_TCPV4 | SKB_GSO_DODGY, true, 0, TCP4, 54 },
	{ IP6_TCP, SKB_GSO_TCPV6, true, 0, TCP6, 74 },
	{ IP4_UDP, SKB_GSO_UDP_L4, true, 0, UDP, 42 },
	{ IP6_UDP, SKB_GSO_UDP_L4, true, 0, UDP, 62 },
	{ IP4_TCP, SKB_GSO_SCTP, true, -EINVAL },
	{ IP4_UDP, SKB_GSO_UDP, true, -EINVAL },
	{ IP4_UDP, SKB_GSO_UDP_L4 | SKB_GSO_TCP_ECN, true, -EINVAL },
	{ IP4_TCP, SKB_GSO_TCPV4, false, -EINVAL },
	{ IP4_UDP, SKB_GSO_TCPV4, true, -EINVAL },
	{ IP4_TCP, SKB_GSO_UDP_L4, true, -EINVAL },
};

/* What is written must also be read as what it was. */
static void test_fill(struct kunit *test)
{
	struct vbus_net_offload off;
	struct vbus_net_hdr hdr;
	struct sk_buff *skb;
	int i;

	for (i = 0; i < ARRAY_SIZE(fill_cases); i++) {
		const struct fill_case *c = &fill_cases[i];
		bool udp = c->kind == IP4_UDP || c->kind == IP6_UDP;

		skb = alloc_skb(FRAME_LEN + 64, GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, skb);
		skb_reserve(skb, 64);
		build(skb_put(skb, FRAME_LEN), c->kind);
		skb_set_transport_header(skb, transport[c->kind]);
		if (c->partial) {
			skb->ip_summed = CHECKSUM_PARTIAL;
			skb->csum_start = skb_transport_header(skb) - skb->head;
			skb->csum_offset = udp ? 6 : 16;
		}
		if (c->gso) {
			skb_shinfo(skb)->gso_type = c->gso;
			skb_shinfo(skb)->gso_size = 1000;
		}
		memset(&hdr, 0xff, sizeof(hdr));
		KUNIT_EXPECT_EQ_MSG(test, c->want, vbus_net_hdr_fill(&hdr, skb),
				    "case %d", i);
		if (!c->want) {
			KUNIT_EXPECT_EQ(test, hdr.flags,
					c->partial ? PARTIAL : 0);
			KUNIT_EXPECT_EQ(test, hdr.gso_type, c->type);
			KUNIT_EXPECT_EQ(test, le16_to_cpu(hdr.hdr_len),
					c->hdr_len);
			KUNIT_EXPECT_EQ(test, le16_to_cpu(hdr.gso_size),
					c->gso ? 1000 : 0);
			KUNIT_EXPECT_EQ(test, le16_to_cpu(hdr.csum_start),
					c->partial ? transport[c->kind] : 0);
			KUNIT_EXPECT_EQ(test, le16_to_cpu(hdr.nr_chains), 0);
			KUNIT_EXPECT_EQ(test, le32_to_cpu(hdr.reserved), 0);
			KUNIT_EXPECT_EQ(test, 0,
					vbus_net_hdr_parse(&hdr, skb->data,
							   FRAME_LEN,
							   FRAME_LEN, ALL,
							   &off));
			KUNIT_EXPECT_EQ(test, off.gso_type | SKB_GSO_DODGY,
					c->gso | SKB_GSO_DODGY);
		}
		kfree_skb(skb);
	}
}

/* What a user can make the stack send: no header for it. */
static const struct {
	const char *name;
	enum frame kind;
	unsigned int gso;
	s32 start;		/* from the start of the frame, 0: transport */
	u16 offset;
	u16 size;
	u8 doff;		/* of TCP, in words; 0: 5 */
	u32 len;		/* 0: FRAME_LEN */
} unfit[] = {
	{ "sum in the Ethernet header", IP4_TCP, 0, 13, 16 },
	{ "sum before the frame", IP4_TCP, 0, -4, 16 },
	{ "sum field past the end", IP4_TCP, 0, FRAME_LEN - 17, 16 },
	{ "sum starts past the end", IP4_TCP, 0, FRAME_LEN + 1, 0 },
	{ "TCP segments, sum in the Ethernet header", IP4_TCP, SKB_GSO_TCPV4,
	  13, 16, 1000 },
	{ "TCP segments, sum field of UDP", IP4_TCP, SKB_GSO_TCPV4, 0, 6, 1000 },
	{ "UDP segments, sum field of TCP", IP4_UDP, SKB_GSO_UDP_L4, 0, 16, 1000 },
	{ "TCP header of 16 bytes", IP4_TCP, SKB_GSO_TCPV4, 0, 16, 1000, 4 },
	{ "TCP header of 60 bytes in a frame of 80", IP4_TCP, SKB_GSO_TCPV4, 0,
	  16, 10, 15, 80 },
	{ "half a TCP header", IP4_TCP, SKB_GSO_TCPV4, 50, 16, 10, 0, 68 },
	{ "half a UDP header", IP4_UDP, SKB_GSO_UDP_L4, 74, 6, 10, 0, 80 },
	{ "2049 TCP segments", IP4_TCP, SKB_GSO_TCPV4, 0, 16, 1, 0, 54 + 2049 },
	{ "129 UDP segments", IP4_UDP, SKB_GSO_UDP_L4, 0, 6, 1, 0, 42 + 129 },
};

static struct sk_buff *unfit_skb(struct kunit *test, int i)
{
	u32 len = unfit[i].len ?: FRAME_LEN;
	struct sk_buff *skb;
	u8 *frame;

	skb = alloc_skb(FRAME_LEN + 64, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_reserve(skb, 64);
	frame = skb_put(skb, FRAME_LEN);
	build(frame, unfit[i].kind);
	if (unfit[i].doff)
		frame[transport[unfit[i].kind] + 12] = unfit[i].doff << 4;
	__skb_trim(skb, len);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb->csum_start = skb_headroom(skb) +
			  (unfit[i].start ?: transport[unfit[i].kind]);
	skb->csum_offset = unfit[i].offset;
	skb_shinfo(skb)->gso_type = unfit[i].gso;
	skb_shinfo(skb)->gso_size = unfit[i].size;
	return skb;
}

static void test_unfit(struct kunit *test)
{
	struct vbus_net_hdr hdr;
	struct sk_buff *skb;
	int i;

	for (i = 0; i < ARRAY_SIZE(unfit); i++) {
		skb = unfit_skb(test, i);
		KUNIT_EXPECT_EQ_MSG(test, -EINVAL, vbus_net_hdr_fill(&hdr, skb),
				    "%s", unfit[i].name);
		kfree_skb(skb);
	}
}

/* What no header describes but the stack can send, the stack is to cut up. */
static void test_features(struct kunit *test)
{
	netdev_features_t all = NETIF_F_HW_CSUM | NETIF_F_SG | NETIF_F_TSO |
				NETIF_F_TSO6 | NETIF_F_GSO_UDP_L4;
	struct sk_buff *skb;
	int i;

	for (i = 0; i < ARRAY_SIZE(unfit); i++) {
		bool segs = unfit[i].size == 1;

		skb = unfit_skb(test, i);
		KUNIT_EXPECT_EQ_MSG(test,
				    segs ? all & ~NETIF_F_GSO_MASK : all,
				    vbus_net_features_check(skb, NULL, all),
				    "%s", unfit[i].name);
		/* One less is a frame for the host. */
		if (segs) {
			__skb_trim(skb, skb->len - 1);
			KUNIT_EXPECT_EQ(test, all,
					vbus_net_features_check(skb, NULL, all));
		}
		if (unfit[i].gso) {
			skb->ip_summed = CHECKSUM_UNNECESSARY;
			KUNIT_EXPECT_EQ(test, all & ~NETIF_F_GSO_MASK,
					vbus_net_features_check(skb, NULL, all));
		}
		kfree_skb(skb);
	}
}

static struct kunit_case net_hdr_cases[] = {
	KUNIT_CASE(test_bad),
	KUNIT_CASE(test_gso),
	KUNIT_CASE(test_sums),
	KUNIT_CASE(test_fill),
	KUNIT_CASE(test_unfit),
	KUNIT_CASE(test_features),
	{}
};

static struct kunit_suite net_hdr_suite = {
	.name = "vbus_net_hdr",
	.test_cases = net_hdr_cases,
};

kunit_test_suite(net_hdr_suite);

MODULE_DESCRIPTION("Suite of the guest network driver's frame header");
MODULE_LICENSE("GPL");
