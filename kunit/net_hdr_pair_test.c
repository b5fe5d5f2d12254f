// SPDX-License-Identifier: GPL-2.0
/*
 * The header before each frame, both ends of it: whatever an skb asks for, the
 * header that one end writes keeps every rule that the other end checks. The guest's
 * driver must never be the cause of NEEDS_RESET, and its user must not make it so.
 *
 * The skbs are random, from a fixed seed: any checksum offsets, any GSO type and
 * size, headers that match them or do not, in one piece or not.
 */
#include <kunit/test.h>
#include <linux/etherdevice.h>
#include <linux/module.h>
#include <linux/prandom.h>

/* Not exported by either: copies of our own. */
#include "../drivers/net/hdr.c"
#include "../vbus/dev/net/hdr.c"

#define ROUNDS		20000
#define HEADROOM	64
#define LEN_MAX		3000

static struct rnd_state rnd;

static u32 below(u32 n)
{
	return prandom_u32_state(&rnd) % n;
}

/* Ethernet, IPv4 or IPv6, TCP or UDP. Return: where the last begins. */
static u32 put_headers(u8 *f, bool v6, bool udp, u8 doff)
{
	u32 th = v6 ? 54 : 34;

	put_unaligned_be16(v6 ? ETH_P_IPV6 : ETH_P_IP, f + 12);
	f[14] = v6 ? 0x60 : 0x45;
	f[v6 ? 20 : 23] = udp ? IPPROTO_UDP : IPPROTO_TCP;
	if (!udp)
		f[th + 12] = doff << 4;
	return th;
}

/* Any offsets, about half of them where headers have them. */
static void put_sum(struct sk_buff *skb, u32 th, bool udp)
{
	static const u8 offsets[] = { 0, 2, 4, 6, 16, 18 };

	skb->ip_summed = CHECKSUM_PARTIAL;
	switch (below(8)) {
	case 0:
		skb->csum_start = HEADROOM + below(ETH_HLEN + 1);
		break;
	case 1:
		skb->csum_start = below(HEADROOM);
		break;
	case 2:
		skb->csum_start = HEADROOM + below(skb->len + 40);
		break;
	case 3:
		skb->csum_start = prandom_u32_state(&rnd);
		break;
	default:
		skb->csum_start = HEADROOM + th;
	}
	switch (below(8)) {
	case 0:
		skb->csum_offset = offsets[below(ARRAY_SIZE(offsets))];
		break;
	case 1:
		skb->csum_offset = below(skb->len);
		break;
	case 2:
		skb->csum_offset = prandom_u32_state(&rnd);
		break;
	default:
		skb->csum_offset = udp ? 6 : 16;
	}
}

static void put_gso(struct sk_buff *skb, bool v6, bool udp)
{
	static const unsigned int types[] = {
		SKB_GSO_TCPV4, SKB_GSO_TCPV6, SKB_GSO_UDP_L4, SKB_GSO_UDP,
		SKB_GSO_SCTP, SKB_GSO_TCPV4 | SKB_GSO_TCP_ECN,
		SKB_GSO_UDP_L4 | SKB_GSO_TCP_ECN,
	};
	static const u16 sizes[] = { 1, 7, 8, 48, 536, 1400, 65534, 65535 };
	struct skb_shared_info *info = skb_shinfo(skb);

	info->gso_size = sizes[below(ARRAY_SIZE(sizes))];
	info->gso_type = udp ? SKB_GSO_UDP_L4 : v6 ? SKB_GSO_TCPV6 :
						     SKB_GSO_TCPV4;
	if (!below(4))
		info->gso_type = types[below(ARRAY_SIZE(types))];
	if (below(2))
		info->gso_type |= SKB_GSO_DODGY;
}

/* The linear part ends anywhere. */
static struct sk_buff *random_skb(struct kunit *test)
{
	static const u8 sums[] = { CHECKSUM_NONE, CHECKSUM_UNNECESSARY,
				   CHECKSUM_COMPLETE };
	u32 len = below(3) ? ETH_HLEN + below(200) : ETH_HLEN + below(LEN_MAX);
	u32 head = below(2) ? len : ETH_HLEN + below(len - ETH_HLEN + 1);
	u8 doff = below(4) ? 5 + below(4) : below(16);
	bool v6 = below(2), udp = below(2);
	struct sk_buff *skb;
	struct page *page;
	u32 th;
	u8 *f;

	f = kunit_kzalloc(test, LEN_MAX + ETH_HLEN + 256, GFP_KERNEL);
	page = alloc_page(GFP_KERNEL);
	skb = alloc_skb(HEADROOM + LEN_MAX + ETH_HLEN, GFP_KERNEL);
	if (!f || !page || !skb)
		return NULL;
	th = put_headers(f, v6, udp, doff);
	skb_reserve(skb, HEADROOM);
	skb_put_data(skb, f, head);
	memcpy(page_address(page), f + head, len - head);
	skb_add_rx_frag(skb, 0, page, 0, len - head, PAGE_SIZE);
	kunit_kfree(test, f);

	skb->ip_summed = sums[below(ARRAY_SIZE(sums))];
	if (below(8))
		put_sum(skb, th, udp);
	if (below(3))
		put_gso(skb, v6, udp);
	/* Else it is not set, as behind a packet socket. */
	if (below(2))
		skb_set_transport_header(skb, th);
	return skb;
}

/* What the host makes of the frame, with the header that came before it. */
static int host_takes(struct kunit *test, const struct sk_buff *sent,
		      const struct vdm_net_offload *off)
{
	struct sk_buff *skb = alloc_skb(HEADROOM + sent->len, GFP_KERNEL);
	int ret;

	KUNIT_ASSERT_NOT_NULL(test, skb);
	skb_reserve(skb, HEADROOM);
	skb_copy_bits(sent, 0, skb_put(skb, sent->len), sent->len);
	ret = vdm_net_hdr_apply(skb, off);
	if (!ret && skb_is_gso(skb)) {
		KUNIT_EXPECT_EQ(test, skb_shinfo(skb)->gso_size,
				skb_shinfo(sent)->gso_size);
		KUNIT_EXPECT_EQ(test,
				skb_shinfo(skb)->gso_type | SKB_GSO_DODGY,
				skb_shinfo(sent)->gso_type | SKB_GSO_DODGY);
	}
	kfree_skb(skb);
	return ret;
}

/* Guest to host. */
static void pair_tx(struct kunit *test)
{
	u32 i, refused = 0, dropped = 0, large = 0, taken = 0;
	struct vdm_net_offload off;
	struct vbus_net_hdr hdr;
	struct sk_buff *skb;

	prandom_seed_state(&rnd, 12);
	for (i = 0; i < ROUNDS; i++) {
		skb = random_skb(test);
		KUNIT_ASSERT_NOT_NULL(test, skb);
		if (vbus_net_hdr_fill(&hdr, skb)) {
			refused++;
			goto next;
		}
		KUNIT_EXPECT_EQ_MSG(test, 0,
				    vdm_net_hdr_check(&hdr, skb->len,
						      VDM_NET_FEATURES, &off),
				    "round %u: len %u %*ph", i, skb->len,
				    (int)sizeof(hdr), &hdr);
		/* Frames need not be what they say, but none is harmful. */
		if (host_takes(test, skb, &off))
			dropped++;
		else if (hdr.gso_type)
			large++;
		else
			taken++;
next:
		kfree_skb(skb);
	}
	/* All of it has been seen, or the skbs are not what they should be. */
	KUNIT_EXPECT_GT(test, refused, ROUNDS / 10);
	KUNIT_EXPECT_GT(test, dropped, ROUNDS / 100);
	KUNIT_EXPECT_GT(test, large, ROUNDS / 20);
	KUNIT_EXPECT_GT(test, taken, ROUNDS / 10);
}

/*
 * Host to guest, where the same rules hold: the features have other bits, and
 * there are chains to count.
 */
static void pair_rx(struct kunit *test)
{
	u32 i, refused = 0, large = 0, taken = 0;
	struct vbus_net_offload parsed;
	struct vdm_net_offload off;
	struct vbus_net_hdr hdr;
	struct sk_buff *skb;
	int ret;

	prandom_seed_state(&rnd, 13);
	for (i = 0; i < ROUNDS; i++) {
		skb = random_skb(test);
		KUNIT_ASSERT_NOT_NULL(test, skb);
		if (vdm_net_hdr_fill(skb, VDM_NET_FEATURES, 3, &hdr)) {
			refused++;
			goto next;
		}
		KUNIT_EXPECT_EQ(test, le16_to_cpu(hdr.nr_chains), 3);
		hdr.nr_chains = 0;
		KUNIT_EXPECT_EQ_MSG(test, 0,
				    vdm_net_hdr_check(&hdr, skb->len,
						      VDM_NET_FEATURES, &off),
				    "round %u: len %u %*ph", i, skb->len,
				    (int)sizeof(hdr), &hdr);
		/* The guest agrees with the host on which frames are good. */
		if (skb_linearize(skb))
			goto next;
		ret = vbus_net_hdr_parse(&hdr, skb->data, skb->len, skb->len,
					 VNET_FEATURES, &parsed);
		if (hdr.gso_type && le16_to_cpu(hdr.gso_size) != GSO_BY_FRAGS)
			KUNIT_EXPECT_EQ_MSG(test, ret,
					    host_takes(test, skb, &off),
					    "round %u: len %u %*ph", i,
					    skb->len, (int)sizeof(hdr), &hdr);
		if (!ret && hdr.gso_type)
			large++;
		else if (!ret)
			taken++;
next:
		kfree_skb(skb);
	}
	KUNIT_EXPECT_GT(test, refused, ROUNDS / 10);
	KUNIT_EXPECT_GT(test, large, ROUNDS / 20);
	KUNIT_EXPECT_GT(test, taken, ROUNDS / 10);
}

static struct kunit_case pair_cases[] = {
	KUNIT_CASE(pair_tx),
	KUNIT_CASE(pair_rx),
	{ }
};

static struct kunit_suite pair_suite = {
	.name = "net_hdr_pair",
	.test_cases = pair_cases,
};

kunit_test_suite(pair_suite);

MODULE_DESCRIPTION("vbus test: the header of a frame, as both ends see it");
MODULE_LICENSE("GPL");
