// SPDX-License-Identifier: GPL-2.0
/*
 * The header before each frame: written from an skb, and read back with
 * suspicion.
 *
 * What an skb to be sent asks for may come from a user of this machine (a packet
 * socket, the tap of a nested guest) and is checked no more than the stack needs
 * for itself. The host would drop what makes no sense; a host less lenient might
 * stop the card. So all of the header's rules are checked here.
 *
 * No state, no locks. A received header is the caller's private copy; the
 * frame itself stays in memory the host may still write to, which is why
 * nothing read from it here serves as an index without a check of its own. What
 * passes is marked SKB_GSO_DODGY, so that the stack looks once more where it
 * matters.
 */
#include <linux/if_ether.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <asm/unaligned.h>

#include "vnet.h"

/* Tags before the network header that are looked through. */
#define MAX_VLAN_TAGS	2

/* A frame of @payload bytes in segments of @size: too many of them? */
static bool vbus_net_too_many_segs(u32 payload, u32 size, bool udp)
{
	return payload > size * (udp ? VBUS_NET_UDP_SEGS_MAX :
				       VBUS_NET_TCP_SEGS_MAX);
}

/* Where the payload of a GSO frame begins, or -EINVAL if no header can say so.
 * The transport header is where the sum starts: that is what the host goes by,
 * and skb->transport_header need not be set.
 */
static int vbus_net_payload_offset(const struct sk_buff *skb)
{
	unsigned int type = skb_shinfo(skb)->gso_type;
	int end = skb_checksum_start_offset(skb);
	const struct tcphdr *th;
	struct tcphdr buf;

	if (skb->ip_summed != CHECKSUM_PARTIAL || end < ETH_HLEN)
		return -EINVAL;
	if (type & (SKB_GSO_TCPV4 | SKB_GSO_TCPV6)) {
		th = skb_header_pointer(skb, end, sizeof(buf), &buf);
		if (!th || 4 * th->doff < sizeof(*th) ||
		    skb->csum_offset != offsetof(struct tcphdr, check))
			return -EINVAL;
		end += 4 * th->doff;
	} else if (type & SKB_GSO_UDP_L4) {
		if (type & SKB_GSO_TCP_ECN ||
		    skb->csum_offset != offsetof(struct udphdr, check))
			return -EINVAL;
		end += sizeof(struct udphdr);
	} else {
		return -EINVAL;
	}
	return end > skb->len || end > U16_MAX ? -EINVAL : end;
}

static int vbus_net_fill_gso(struct vbus_net_hdr *hdr, const struct sk_buff *skb)
{
	const struct skb_shared_info *info = skb_shinfo(skb);
	int hdr_len = vbus_net_payload_offset(skb);

	if (hdr_len < 0)
		return hdr_len;
	if (info->gso_type & SKB_GSO_TCPV4)
		hdr->gso_type = VBUS_NET_GSO_TCPV4;
	else if (info->gso_type & SKB_GSO_TCPV6)
		hdr->gso_type = VBUS_NET_GSO_TCPV6;
	else
		hdr->gso_type = VBUS_NET_GSO_UDP;
	if (vbus_net_too_many_segs(skb->len - hdr_len, info->gso_size,
				   hdr->gso_type == VBUS_NET_GSO_UDP))
		return -EINVAL;
	if (info->gso_type & SKB_GSO_TCP_ECN)
		hdr->gso_type |= VBUS_NET_GSO_ECN;
	hdr->hdr_len = cpu_to_le16(hdr_len);
	hdr->gso_size = cpu_to_le16(info->gso_size);
	return 0;
}

/**
 * vbus_net_hdr_fill() - describe what is to be done with a frame
 * @hdr: all of it is written
 * @skb: the frame, without a header before it
 *
 * Return: 0, or -EINVAL for a frame that no header can describe.
 */
int vbus_net_hdr_fill(struct vbus_net_hdr *hdr, const struct sk_buff *skb)
{
	int start;

	memset(hdr, 0, sizeof(*hdr));
	if (skb->ip_summed == CHECKSUM_PARTIAL) {
		start = skb_checksum_start_offset(skb);
		if (start < ETH_HLEN || start + skb->csum_offset +
					sizeof(__sum16) > skb->len)
			return -EINVAL;
		hdr->flags = VBUS_NET_HDR_PARTIAL;
		hdr->csum_start = cpu_to_le16(start);
		hdr->csum_offset = cpu_to_le16(skb->csum_offset);
	}
	return skb_is_gso(skb) ? vbus_net_fill_gso(hdr, skb) : 0;
}

/**
 * vbus_net_features_check() - what the stack may leave to us for this frame
 * @skb: about to be sent
 * @dev: the card
 * @features: to be reduced
 *
 * A large frame whose checksum is done already, such as one that is forwarded,
 * and one of very many segments are good frames, but no header describes them:
 * the stack makes segments of them. What makes no sense at all is left to
 * vbus_net_hdr_fill(), to be refused and counted.
 */
netdev_features_t vbus_net_features_check(struct sk_buff *skb,
					  struct net_device *dev,
					  netdev_features_t features)
{
	const struct skb_shared_info *info = skb_shinfo(skb);
	int hdr_len;

	if (!skb_is_gso(skb))
		return features;
	if (skb->ip_summed != CHECKSUM_PARTIAL)
		return features & ~NETIF_F_GSO_MASK;
	hdr_len = vbus_net_payload_offset(skb);
	if (hdr_len >= 0 && vbus_net_too_many_segs(skb->len - hdr_len, info->gso_size,
						   info->gso_type & SKB_GSO_UDP_L4))
		features &= ~NETIF_F_GSO_MASK;
	return features;
}

/* Find the network header; its offset, or 0 if @head_len ends before it. */
static u32 vbus_net_network_header(const u8 *frame, u32 head_len, __be16 *proto)
{
	u32 off = ETH_HLEN;
	int i;

	if (head_len < off)
		return 0;
	*proto = get_unaligned((const __be16 *)(frame + 2 * ETH_ALEN));
	for (i = 0; i < MAX_VLAN_TAGS && eth_type_vlan(*proto); i++) {
		if (head_len - off < VLAN_HLEN)
			return 0;
		*proto = get_unaligned((const __be16 *)(frame + off + 2));
		off += VLAN_HLEN;
	}
	return off;
}

/* Do extension headers from @off on lead to protocol @want at @start? A fragment
 * does not. Ends: each turn moves @off on.
 */
static bool vbus_net_extensions_lead_to(const u8 *frame, u32 off, u32 start, u8 next,
					u8 want)
{
	while (off < start) {
		if (start - off < sizeof(struct ipv6_opt_hdr) ||
		    (next != NEXTHDR_HOP && next != NEXTHDR_ROUTING &&
		     next != NEXTHDR_DEST))
			return false;
		next = frame[off];
		off += 8 * (frame[off + 1] + 1);
	}
	return off == start && next == want;
}

/* Does the frame hold protocol @want at @start, as the header claims? */
static bool vbus_net_transport_matches(const u8 *frame, u32 head_len, u32 start,
				       u8 gso, u8 want)
{
	__be16 proto;
	u32 off;

	off = vbus_net_network_header(frame, head_len, &proto);
	if (!off || start <= off || start > head_len)
		return false;
	if (proto == htons(ETH_P_IP) && gso != VBUS_NET_GSO_TCPV6) {
		__be16 frag;
		u32 ihl;

		if (start - off < sizeof(struct iphdr))
			return false;
		ihl = (frame[off] & 0xf) * 4;
		frag = get_unaligned((const __be16 *)(frame + off +
				     offsetof(struct iphdr, frag_off)));
		/* A fragment is not the whole of what is to be cut up. */
		return frame[off] >> 4 == 4 && start - off == ihl &&
		       !(frag & htons(IP_MF | IP_OFFSET)) &&
		       frame[off + offsetof(struct iphdr, protocol)] == want;
	}
	if (proto == htons(ETH_P_IPV6) && gso != VBUS_NET_GSO_TCPV4) {
		if (start - off < sizeof(struct ipv6hdr) ||
		    frame[off] >> 4 != 6)
			return false;
		return vbus_net_extensions_lead_to(frame, off + sizeof(struct ipv6hdr),
						   start,
						   frame[off + offsetof(struct ipv6hdr,
									nexthdr)], want);
	}
	return false;
}

static int vbus_net_parse_gso(const struct vbus_net_hdr *hdr, const u8 *frame,
			      u32 head_len, u32 len, u64 features,
			      struct vbus_net_offload *o)
{
	u8 gso = hdr->gso_type & ~VBUS_NET_GSO_ECN;
	bool ecn = hdr->gso_type & VBUS_NET_GSO_ECN;
	u16 size = le16_to_cpu(hdr->gso_size);
	u32 hdr_end = o->csum_start;
	unsigned int type;

	switch (gso) {
	case VBUS_NET_GSO_TCPV4:
	case VBUS_NET_GSO_TCPV6:
		if (!(features & VBUS_NET_F_GUEST_TSO) ||
		    (ecn && !(features & VBUS_NET_F_GUEST_ECN)))
			return -EINVAL;
		type = gso == VBUS_NET_GSO_TCPV4 ? SKB_GSO_TCPV4 :
						   SKB_GSO_TCPV6;
		if (ecn)
			type |= SKB_GSO_TCP_ECN;
		break;
	case VBUS_NET_GSO_UDP:
		if (!(features & VBUS_NET_F_GUEST_USO) || ecn)
			return -EINVAL;
		type = SKB_GSO_UDP_L4;
		break;
	default:
		return -EINVAL;
	}
	/* Segments get checksums of their own: one must be wanted. To the stack
	 * GSO_BY_FRAGS is no size, but says that there is a frag_list.
	 */
	if (!o->partial || !size || size == GSO_BY_FRAGS)
		return -EINVAL;

	if (gso == VBUS_NET_GSO_UDP) {
		if (o->csum_offset != offsetof(struct udphdr, check) ||
		    !vbus_net_transport_matches(frame, head_len, o->csum_start, gso,
						IPPROTO_UDP))
			return -EINVAL;
		hdr_end += sizeof(struct udphdr);
	} else {
		u32 doff;

		if (o->csum_offset != offsetof(struct tcphdr, check) ||
		    !vbus_net_transport_matches(frame, head_len, o->csum_start, gso,
						IPPROTO_TCP))
			return -EINVAL;
		if (head_len - o->csum_start < sizeof(struct tcphdr))
			return -EINVAL;
		doff = (frame[o->csum_start + 12] >> 4) * 4;
		if (doff < sizeof(struct tcphdr))
			return -EINVAL;
		hdr_end += doff;
	}
	if (hdr_end > head_len)
		return -EINVAL;
	/* One segment's worth needs no segmentation, whatever the host says. */
	if (len - hdr_end <= size)
		return 0;
	if (vbus_net_too_many_segs(len - hdr_end, size, gso == VBUS_NET_GSO_UDP))
		return -EINVAL;
	o->gso_type = type | SKB_GSO_DODGY;
	o->gso_size = size;
	return 0;
}

/**
 * vbus_net_hdr_parse() - check a received header
 * @hdr: private copy
 * @frame: start of the frame
 * @head_len: bytes at @frame
 * @len: bytes of the whole frame
 * @features: negotiated
 * @off: filled in
 *
 * Return: 0, or -EINVAL for a header that must not reach the stack.
 */
int vbus_net_hdr_parse(const struct vbus_net_hdr *hdr, const u8 *frame,
		       u32 head_len, u32 len, u64 features,
		       struct vbus_net_offload *off)
{
	memset(off, 0, sizeof(*off));
	/* Buffers hold a little more than the longest frame. */
	if (len > VNET_FRAME_MAX)
		return -EINVAL;
	if (hdr->reserved ||
	    hdr->flags & ~(VBUS_NET_HDR_PARTIAL | VBUS_NET_HDR_VALID) ||
	    hdr->flags == (VBUS_NET_HDR_PARTIAL | VBUS_NET_HDR_VALID) ||
	    le16_to_cpu(hdr->hdr_len) > len)
		return -EINVAL;
	if (hdr->flags && !(features & VBUS_NET_F_GUEST_CSUM))
		return -EINVAL;

	if (hdr->flags & VBUS_NET_HDR_PARTIAL) {
		u16 start = le16_to_cpu(hdr->csum_start);
		u16 offset = le16_to_cpu(hdr->csum_offset);

		/* The field, and some of what it covers, must be at hand. */
		if (start < ETH_HLEN ||
		    (u32)start + offset + sizeof(__sum16) > head_len)
			return -EINVAL;
		off->partial = true;
		off->csum_start = start;
		off->csum_offset = offset;
	} else if (hdr->flags & VBUS_NET_HDR_VALID) {
		off->valid = true;
	}
	if (hdr->gso_type == VBUS_NET_GSO_NONE)
		return 0;
	return vbus_net_parse_gso(hdr, frame, head_len, len, features, off);
}
