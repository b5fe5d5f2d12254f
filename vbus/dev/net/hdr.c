// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "net": the header before each frame, read from a guest and written
 * for one.
 *
 * A guest's driver passes on what users of the guest ask its stack for: a packet
 * socket or a nested guest's tap can have any number in the header.  Two kinds of
 * fault are distinguished by the errno: -EPROTO is what no frame can cause, only a
 * driver that does not keep to the protocol, and breaks the device.  -EINVAL costs
 * the frame.  Anything a new rule here refuses is -EINVAL, unless it is a reserved
 * field, an unknown value or something that was not negotiated.
 *
 * No state, no locks.
 */
#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include "net.h"

/* Feature a GSO type needs, and the least its transport header takes. */
static int vdm_net_gso_needs(u8 type, u64 *feature, u32 *hdr_min)
{
	switch (type) {
	case VBUS_NET_GSO_NONE:
		*feature = 0;
		*hdr_min = 0;
		return 0;
	case VBUS_NET_GSO_TCPV4:
	case VBUS_NET_GSO_TCPV6:
		*feature = VBUS_NET_F_TSO;
		*hdr_min = sizeof(struct tcphdr);
		return 0;
	case VBUS_NET_GSO_UDP:
		*feature = VBUS_NET_F_USO;
		*hdr_min = sizeof(struct udphdr);
		return 0;
	}
	return -EPROTO;
}

/* What only the driver decides. */
static int vdm_net_hdr_protocol(const struct vbus_net_hdr *hdr, u64 features,
				const struct vdm_net_offload *off, u32 *hdr_min)
{
	u64 needs;

	if (hdr->nr_chains || hdr->reserved ||
	    vdm_net_gso_needs(off->gso_type, &needs, hdr_min))
		return -EPROTO;
	switch (off->flags) {
	case 0:
		break;
	case VBUS_NET_HDR_PARTIAL:
	case VBUS_NET_HDR_VALID:
		needs |= VBUS_NET_F_CSUM;
		break;
	default:
		return -EPROTO;
	}
	if (off->ecn)
		needs |= VBUS_NET_F_ECN;
	return needs & ~features ? -EPROTO : 0;
}

/**
 * vdm_net_hdr_check() - check a frame's header for itself
 * @hdr: private copy of what the guest wrote
 * @len: length of the frame, header not counted
 * @features: accepted by the guest
 * @off: filled in
 *
 * Return: 0; -EPROTO: the driver broke the protocol; -EINVAL: drop the frame.
 */
int vdm_net_hdr_check(const struct vbus_net_hdr *hdr, u32 len, u64 features,
		      struct vdm_net_offload *off)
{
	u32 end, hdr_min;
	int ret;

	*off = (struct vdm_net_offload){
		.flags = hdr->flags,
		.gso_type = hdr->gso_type & ~VBUS_NET_GSO_ECN,
		.ecn = hdr->gso_type & VBUS_NET_GSO_ECN,
		.hdr_len = le16_to_cpu(hdr->hdr_len),
		.gso_size = le16_to_cpu(hdr->gso_size),
		.csum_start = le16_to_cpu(hdr->csum_start),
		.csum_offset = le16_to_cpu(hdr->csum_offset),
	};
	ret = vdm_net_hdr_protocol(hdr, features, off, &hdr_min);
	if (ret)
		return ret;

	if (off->hdr_len > len)
		return -EINVAL;
	if (off->flags & VBUS_NET_HDR_PARTIAL) {
		end = (u32)off->csum_start + off->csum_offset + sizeof(__sum16);
		if (off->csum_start < ETH_HLEN || end > len)
			return -EINVAL;
	} else if (off->csum_start || off->csum_offset) {
		return -EINVAL;
	}
	if (off->gso_type == VBUS_NET_GSO_NONE)
		return off->ecn || off->gso_size ? -EINVAL : 0;
	if (off->ecn && off->gso_type == VBUS_NET_GSO_UDP)
		return -EINVAL;
	if (!(off->flags & VBUS_NET_HDR_PARTIAL) || !off->gso_size ||
	    off->hdr_len < off->csum_start + hdr_min)
		return -EINVAL;
	return 0;
}

/*
 * Is the transport header where the guest says, and of the protocol it says?
 * On entry skb->data is at the Ethernet header.
 *
 * Return: IPPROTO_TCP or IPPROTO_UDP, else -EINVAL.
 */
static int vdm_net_hdr_transport(struct sk_buff *skb, u32 thoff, __be16 *proto)
{
	const struct ipv6hdr *ip6;
	const struct iphdr *ip4;
	int nhoff = 0;
	__be16 frag;
	u8 next;

	skb_reset_mac_header(skb);
	/* Without a tag it gives mac_len, which is not set as yet. */
	*proto = __vlan_get_protocol(skb, eth_hdr(skb)->h_proto, &nhoff);
	if (!eth_type_vlan(eth_hdr(skb)->h_proto))
		nhoff = ETH_HLEN;
	switch (*proto) {
	case htons(ETH_P_IP):
		if (!pskb_may_pull(skb, nhoff + sizeof(*ip4)))
			return -EINVAL;
		ip4 = (struct iphdr *)(skb->data + nhoff);
		if (ip4->version != 4 || ip4->ihl < 5 || ip_is_fragment(ip4) ||
		    nhoff + 4 * ip4->ihl != thoff)
			return -EINVAL;
		return ip4->protocol;
	case htons(ETH_P_IPV6):
		if (!pskb_may_pull(skb, nhoff + sizeof(*ip6)))
			return -EINVAL;
		ip6 = (struct ipv6hdr *)(skb->data + nhoff);
		if (ip6->version != 6)
			return -EINVAL;
		next = ip6->nexthdr;
		if (ipv6_skip_exthdr(skb, nhoff + sizeof(*ip6), &next,
				     &frag) != thoff || frag)
			return -EINVAL;
		return next;
	}
	return -EINVAL;
}

/* Length of the transport header, if the GSO type fits the frame's headers. */
static int vdm_net_hdr_gso_len(struct sk_buff *skb,
			       const struct vdm_net_offload *off)
{
	__be16 proto, want = htons(ETH_P_IPV6);
	u32 thoff = off->csum_start;
	const struct tcphdr *th;
	int ipproto;

	ipproto = vdm_net_hdr_transport(skb, thoff, &proto);
	if (off->gso_type == VBUS_NET_GSO_UDP) {
		if (ipproto != IPPROTO_UDP ||
		    off->csum_offset != offsetof(struct udphdr, check))
			return -EINVAL;
		return sizeof(struct udphdr);
	}

	if (off->gso_type == VBUS_NET_GSO_TCPV4)
		want = htons(ETH_P_IP);
	if (ipproto != IPPROTO_TCP || proto != want ||
	    off->csum_offset != offsetof(struct tcphdr, check))
		return -EINVAL;
	if (!pskb_may_pull(skb, thoff + sizeof(*th)))
		return -EINVAL;
	th = (struct tcphdr *)(skb->data + thoff);
	if (th->doff < 5 || thoff + 4 * th->doff > skb->len)
		return -EINVAL;
	return 4 * th->doff;
}

/* A frame of @payload bytes in segments of @size: too many of them? */
static bool vdm_net_hdr_too_many(u32 payload, u32 size, bool udp)
{
	return payload > size * (udp ? VBUS_NET_UDP_SEGS_MAX :
				       VBUS_NET_TCP_SEGS_MAX);
}

static int vdm_net_hdr_gso(struct sk_buff *skb,
			   const struct vdm_net_offload *off)
{
	struct skb_shared_info *shinfo;
	u32 payload;
	int len;

	len = vdm_net_hdr_gso_len(skb, off);
	if (len < 0)
		return len;
	/* skb_shinfo moves when headers are pulled in. */
	shinfo = skb_shinfo(skb);
	payload = skb->len - off->csum_start - len;
	/* One segment is no GSO, and segmentation would refuse it. */
	if (payload <= off->gso_size)
		return 0;
	if (vdm_net_hdr_too_many(payload, off->gso_size,
				 off->gso_type == VBUS_NET_GSO_UDP))
		return -EINVAL;

	if (off->gso_type == VBUS_NET_GSO_UDP) {
		shinfo->gso_type = SKB_GSO_UDP_L4;
	} else {
		shinfo->gso_type = off->gso_type == VBUS_NET_GSO_TCPV4 ?
				   SKB_GSO_TCPV4 : SKB_GSO_TCPV6;
		if (off->ecn)
			shinfo->gso_type |= SKB_GSO_TCP_ECN;
	}
	shinfo->gso_size = off->gso_size;
	/* The code that segments it checks again, and counts the segments. */
	shinfo->gso_type |= SKB_GSO_DODGY;
	shinfo->gso_segs = 0;
	return 0;
}

/**
 * vdm_net_hdr_apply() - hand what the header says to the stack
 * @skb: the frame, skb->data at its Ethernet header
 * @off: from vdm_net_hdr_check() with the length of @skb
 *
 * Return: 0, or -EINVAL for a frame that is not what its header says.
 */
int vdm_net_hdr_apply(struct sk_buff *skb, const struct vdm_net_offload *off)
{
	if (off->flags & VBUS_NET_HDR_VALID)
		skb->ip_summed = CHECKSUM_UNNECESSARY;
	if (!(off->flags & VBUS_NET_HDR_PARTIAL))
		return 0;
	/* The same limit as in skb_partial_csum_set(), which would log it. */
	if (skb_headroom(skb) + off->csum_start >= U16_MAX ||
	    !pskb_may_pull(skb, off->csum_start + off->csum_offset +
			   sizeof(__sum16)) ||
	    !skb_partial_csum_set(skb, off->csum_start, off->csum_offset))
		return -EINVAL;
	if (off->gso_type == VBUS_NET_GSO_NONE)
		return 0;
	return vdm_net_hdr_gso(skb, off);
}

/*
 * Where the payload of a GSO frame begins, or -EINVAL if no header can say so.
 * Frames for a guest come from anywhere, packet sockets and other guests included:
 * nothing is taken for granted that the stack does not need itself.
 */
static int vdm_net_hdr_payload(const struct sk_buff *skb)
{
	unsigned int type = skb_shinfo(skb)->gso_type;
	int end = skb_checksum_start_offset(skb);
	const struct tcphdr *th;
	struct tcphdr buf;

	if (skb->ip_summed != CHECKSUM_PARTIAL || end < ETH_HLEN)
		return -EINVAL;
	if (type & (SKB_GSO_TCPV4 | SKB_GSO_TCPV6)) {
		th = skb_header_pointer(skb, end, sizeof(buf), &buf);
		if (!th || th->doff < 5 ||
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

/**
 * vdm_net_hdr_large() - can a header describe this large frame?
 * @skb: with GSO
 *
 * Return: false for a good frame that is to be cut up by the stack: with its
 * checksum done, or of too many segments.  What makes no sense is left to
 * vdm_net_hdr_fill().
 */
bool vdm_net_hdr_large(const struct sk_buff *skb)
{
	const struct skb_shared_info *shinfo = skb_shinfo(skb);
	int hdr_len;

	if (skb->ip_summed != CHECKSUM_PARTIAL)
		return false;
	hdr_len = vdm_net_hdr_payload(skb);
	return hdr_len < 0 ||
	       !vdm_net_hdr_too_many(skb->len - hdr_len, shinfo->gso_size,
				     shinfo->gso_type & SKB_GSO_UDP_L4);
}

static int vdm_net_hdr_fill_gso(const struct sk_buff *skb, u64 *needs,
				struct vbus_net_hdr *hdr)
{
	u32 type = skb_shinfo(skb)->gso_type;
	int hdr_len = vdm_net_hdr_payload(skb);

	if (hdr_len < 0 || !vdm_net_hdr_large(skb))
		return -EOPNOTSUPP;
	if (type & SKB_GSO_UDP_L4) {
		hdr->gso_type = VBUS_NET_GSO_UDP;
		*needs |= VBUS_NET_F_GUEST_USO;
	} else {
		hdr->gso_type = type & SKB_GSO_TCPV4 ? VBUS_NET_GSO_TCPV4 :
						       VBUS_NET_GSO_TCPV6;
		*needs |= VBUS_NET_F_GUEST_TSO;
	}
	if (type & SKB_GSO_TCP_ECN) {
		hdr->gso_type |= VBUS_NET_GSO_ECN;
		*needs |= VBUS_NET_F_GUEST_ECN;
	}
	hdr->hdr_len = cpu_to_le16(hdr_len);
	hdr->gso_size = cpu_to_le16(skb_shinfo(skb)->gso_size);
	return 0;
}

/**
 * vdm_net_hdr_fill() - describe a frame to the guest
 * @skb: the frame, skb->data at its Ethernet header
 * @features: accepted by the guest
 * @nr_chains: that the frame takes
 * @hdr: all of it is written
 *
 * The features were checked when the frame was queued, by the guest of that time;
 * another may have come since, so they are checked again.
 *
 * Return: 0, or -EOPNOTSUPP for a frame that no header describes to this guest.
 */
int vdm_net_hdr_fill(const struct sk_buff *skb, u64 features, u32 nr_chains,
		     struct vbus_net_hdr *hdr)
{
	u64 needs = VBUS_NET_F_GUEST_CSUM;
	int start, ret;

	*hdr = (struct vbus_net_hdr){ .nr_chains = cpu_to_le16(nr_chains) };
	if (skb->ip_summed == CHECKSUM_UNNECESSARY &&
	    features & VBUS_NET_F_GUEST_CSUM)
		hdr->flags = VBUS_NET_HDR_VALID;
	if (skb->ip_summed != CHECKSUM_PARTIAL)
		return skb_is_gso(skb) ? -EOPNOTSUPP : 0;

	start = skb_checksum_start_offset(skb);
	if (start < ETH_HLEN ||
	    start + skb->csum_offset + sizeof(__sum16) > skb->len)
		return -EOPNOTSUPP;
	hdr->flags = VBUS_NET_HDR_PARTIAL;
	hdr->csum_start = cpu_to_le16(start);
	hdr->csum_offset = cpu_to_le16(skb->csum_offset);
	if (skb_is_gso(skb)) {
		ret = vdm_net_hdr_fill_gso(skb, &needs, hdr);
		if (ret)
			return ret;
	}
	return needs & ~features ? -EOPNOTSUPP : 0;
}
