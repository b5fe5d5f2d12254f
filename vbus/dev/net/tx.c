// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "net": guest to host, from guest memory into skbs.
 *
 * All of the data path is one NAPI poll, so it needs no lock.  Every byte of a
 * frame and of its header is copied before it is looked at.  Two kinds of fault
 * are told apart: what the guest's driver alone decides (chains, addresses,
 * vbus_net_hdr) breaks the device; what may come from a user of the guest (the
 * frame itself) costs that frame.
 *
 * Going to sleep: kicks are enabled before napi_complete_done().  A chain
 * published in between is either seen by ioq_south_enable_kicks() (barrier C) or
 * its kick finds NAPI scheduled still and marks it missed, so that it is polled
 * again.  The other way round a stray kick could start a poll on another CPU
 * while this one still writes kick_event.
 */
#include <linux/etherdevice.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/skbuff.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/ip.h>
#include <net/ipv6.h>
#include <net/sock.h>
#include "net.h"

/*
 * Smallest segments worth passing on: the smallest MSS Linux sends with, all
 * options taken off.  Smaller ones would turn one frame into tens of thousands.
 */
#define VDM_NET_GSO_MIN		8

/* Where the next byte of a chain is. */
struct vdm_net_cursor {
	struct vbus_mem *mem;
	const struct ioq_seg *seg;
	u32 off;
};

/* Counters of one poll, added up at its end. */
struct vdm_net_tx_sums {
	u64 v[VDM_NET_TX_STATS];
};

/* Copy the next @len bytes; the chain has that many. */
static int vdm_net_tx_read(struct vdm_net_cursor *cur, void *dst, u32 len)
{
	u32 n;

	while (len) {
		n = min(len, cur->seg->len - cur->off);
		if (vbus_mem_read(cur->mem, dst, cur->seg->addr + cur->off, n))
			return -EFAULT;
		dst += n;
		len -= n;
		cur->off += n;
		if (cur->off == cur->seg->len) {
			cur->seg++;
			cur->off = 0;
		}
	}
	return 0;
}

/* Feature a GSO type needs, and the least its transport header takes. */
static int vdm_net_gso_needs(u8 type, u64 *feature, u32 *hdr_min)
{
	switch (type) {
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

/**
 * vdm_net_hdr_check() - check a frame's header against the protocol
 * @hdr: private copy of what the guest wrote
 * @len: length of the frame, header not counted
 * @features: accepted by the guest
 * @off: filled in on success
 *
 * Return: 0 or -EPROTO.
 */
int vdm_net_hdr_check(const struct vbus_net_hdr *hdr, u32 len, u64 features,
		      struct vdm_net_offload *off)
{
	u32 end, hdr_min;
	u64 feature;

	*off = (struct vdm_net_offload){
		.flags = hdr->flags,
		.gso_type = hdr->gso_type & ~VBUS_NET_GSO_ECN,
		.ecn = hdr->gso_type & VBUS_NET_GSO_ECN,
		.hdr_len = le16_to_cpu(hdr->hdr_len),
		.gso_size = le16_to_cpu(hdr->gso_size),
		.csum_start = le16_to_cpu(hdr->csum_start),
		.csum_offset = le16_to_cpu(hdr->csum_offset),
	};
	if (hdr->nr_chains || hdr->reserved || off->hdr_len > len)
		return -EPROTO;

	switch (off->flags) {
	case 0:
		break;
	case VBUS_NET_HDR_PARTIAL:
	case VBUS_NET_HDR_VALID:
		if (!(features & VBUS_NET_F_CSUM))
			return -EPROTO;
		break;
	default:
		return -EPROTO;
	}
	if (off->flags & VBUS_NET_HDR_PARTIAL) {
		end = (u32)off->csum_start + off->csum_offset + sizeof(__sum16);
		if (off->csum_start < ETH_HLEN || end > len)
			return -EPROTO;
	} else if (off->csum_start || off->csum_offset) {
		return -EPROTO;
	}

	if (off->gso_type == VBUS_NET_GSO_NONE)
		return off->ecn || off->gso_size ? -EPROTO : 0;
	if (vdm_net_gso_needs(off->gso_type, &feature, &hdr_min))
		return -EPROTO;
	if (off->ecn) {
		if (off->gso_type == VBUS_NET_GSO_UDP)
			return -EPROTO;
		feature |= VBUS_NET_F_ECN;
	}
	if ((features & feature) != feature ||
	    !(off->flags & VBUS_NET_HDR_PARTIAL) || !off->gso_size ||
	    off->hdr_len < off->csum_start + hdr_min)
		return -EPROTO;
	return 0;
}

/*
 * Is the transport header where the guest says, and of the protocol it says?
 * On entry skb->data is at the Ethernet header.
 *
 * Return: IPPROTO_TCP or IPPROTO_UDP, else -EINVAL.
 */
static int vdm_net_tx_transport(struct sk_buff *skb, u32 thoff, __be16 *proto)
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
static int vdm_net_tx_gso_hdr(struct sk_buff *skb,
			      const struct vdm_net_offload *off)
{
	__be16 proto, want = htons(ETH_P_IPV6);
	u32 thoff = off->csum_start;
	const struct tcphdr *th;
	int ipproto;

	ipproto = vdm_net_tx_transport(skb, thoff, &proto);
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

static int vdm_net_tx_gso(struct sk_buff *skb,
			  const struct vdm_net_offload *off)
{
	struct skb_shared_info *shinfo;
	u32 payload;
	int len;

	len = vdm_net_tx_gso_hdr(skb, off);
	if (len < 0)
		return len;
	/* skb_shinfo moves when headers are pulled in. */
	shinfo = skb_shinfo(skb);
	payload = skb->len - off->csum_start - len;
	/* One segment is no GSO, and segmentation would refuse it. */
	if (payload <= off->gso_size)
		return 0;
	if (off->gso_size < VDM_NET_GSO_MIN)
		return -EINVAL;

	if (off->gso_type == VBUS_NET_GSO_UDP) {
		if (payload > off->gso_size * UDP_MAX_SEGMENTS)
			return -EINVAL;
		shinfo->gso_type = SKB_GSO_UDP_L4;
	} else {
		shinfo->gso_type = off->gso_type == VBUS_NET_GSO_TCPV4 ?
				   SKB_GSO_TCPV4 : SKB_GSO_TCPV6;
		if (off->ecn)
			shinfo->gso_type |= SKB_GSO_TCP_ECN;
	}
	shinfo->gso_size = off->gso_size;
	/* Whoever segments it checks again, and counts the segments. */
	shinfo->gso_type |= SKB_GSO_DODGY;
	shinfo->gso_segs = 0;
	return 0;
}

/* Return: 0, or -EINVAL for a frame that is not what its header says. */
static int vdm_net_tx_offload(struct sk_buff *skb,
			      const struct vdm_net_offload *off)
{
	if (off->flags & VBUS_NET_HDR_VALID)
		skb->ip_summed = CHECKSUM_UNNECESSARY;
	if (!(off->flags & VBUS_NET_HDR_PARTIAL))
		return 0;
	if (!pskb_may_pull(skb, off->csum_start + off->csum_offset +
			   sizeof(__sum16)) ||
	    !skb_partial_csum_set(skb, off->csum_start, off->csum_offset))
		return -EINVAL;
	if (off->gso_type == VBUS_NET_GSO_NONE)
		return 0;
	return vdm_net_tx_gso(skb, off);
}

/* Copy what does not go to the linear part into page fragments. */
static int vdm_net_tx_frags(struct vdm_net_tx *tx, struct sk_buff *skb,
			    struct vdm_net_cursor *cur, u32 len)
{
	struct page_frag *pf = &tx->frag;
	int i = 0;
	u32 n;

	while (len) {
		if (i == MAX_SKB_FRAGS ||
		    !skb_page_frag_refill(min_t(u32, len, PAGE_SIZE), pf,
					  GFP_ATOMIC | __GFP_NOWARN))
			return -ENOMEM;
		n = min(len, pf->size - pf->offset);
		if (vdm_net_tx_read(cur, page_address(pf->page) + pf->offset,
				    n))
			return -EFAULT;
		get_page(pf->page);
		skb_add_rx_frag(skb, i++, pf->page, pf->offset, n, n);
		pf->offset += n;
		len -= n;
	}
	return 0;
}

/*
 * Build the skb of one chain.
 *
 * Return: the skb; ERR_PTR: -EPROTO or -EFAULT the guest broke the rules,
 * -EMSGSIZE length, -EINVAL offload, -ENOMEM.
 */
static struct sk_buff *vdm_net_tx_build(struct vdm_net_tx *tx,
					const struct ioq_chain *chain)
{
	struct vdm_net_cursor cur = { .mem = tx->mem, .seg = tx->segs };
	struct vdm_net_offload off;
	struct vbus_net_hdr hdr;
	struct sk_buff *skb;
	u32 len, linear;
	int ret;

	if (chain->nr_in || chain->out_len < sizeof(hdr))
		return ERR_PTR(-EPROTO);
	ret = vdm_net_tx_read(&cur, &hdr, sizeof(hdr));
	if (ret)
		return ERR_PTR(ret);
	len = chain->out_len - sizeof(hdr);
	ret = vdm_net_hdr_check(&hdr, len, tx->features, &off);
	if (ret)
		return ERR_PTR(ret);
	if (len < ETH_HLEN || len > VDM_NET_FRAME_MAX)
		return ERR_PTR(-EMSGSIZE);

	linear = len;
	if (len > VDM_NET_LINEAR_MAX)
		linear = clamp_t(u32, off.hdr_len, VDM_NET_LINEAR,
				 VDM_NET_LINEAR_MAX);
	skb = napi_alloc_skb(&tx->napi, linear);
	if (!skb)
		return ERR_PTR(-ENOMEM);
	ret = vdm_net_tx_read(&cur, skb_put(skb, linear), linear);
	if (!ret)
		ret = vdm_net_tx_frags(tx, skb, &cur, len - linear);
	if (!ret)
		ret = vdm_net_tx_offload(skb, &off);
	if (ret) {
		dev_kfree_skb_any(skb);
		return ERR_PTR(ret);
	}
	return skb;
}

/* Hand a frame to the stack. */
static void vdm_net_tx_deliver(struct vdm_net_pair *pair, struct sk_buff *skb,
			       struct vdm_net_tx_sums *sums)
{
	struct net_device *ndev = pair->ndev;

	/*
	 * Going down, the stack clears this and waits for a grace period before
	 * it calls ndo_stop; poll is an RCU read-side section, so nothing is
	 * delivered after that.
	 */
	if (unlikely(!netif_running(ndev))) {
		sums->v[VDM_NET_TX_DROP_DOWN]++;
		dev_kfree_skb_any(skb);
		return;
	}
	sums->v[VDM_NET_TX_PACKETS]++;
	sums->v[VDM_NET_TX_BYTES] += skb->len;
	if (!(ndev->features & NETIF_F_RXCSUM) &&
	    skb->ip_summed == CHECKSUM_UNNECESSARY)
		skb->ip_summed = CHECKSUM_NONE;
	skb_record_rx_queue(skb, pair->index);
	skb->protocol = eth_type_trans(skb, ndev);
	skb_reset_network_header(skb);
	if (skb->ip_summed != CHECKSUM_PARTIAL)
		skb_probe_transport_header(skb);
	napi_gro_receive(&pair->tx.napi, skb);
}

/* Return: 0, or -EPROTO when the queue must not be looked at again. */
static int vdm_net_tx_one(struct vdm_net_pair *pair,
			  const struct ioq_chain *chain,
			  struct vdm_net_tx_sums *sums)
{
	struct sk_buff *skb = vdm_net_tx_build(&pair->tx, chain);

	if (!IS_ERR(skb)) {
		vdm_net_tx_deliver(pair, skb, sums);
		return 0;
	}
	switch (PTR_ERR(skb)) {
	case -EMSGSIZE:
		sums->v[VDM_NET_TX_DROP_LENGTH]++;
		return 0;
	case -EINVAL:
		sums->v[VDM_NET_TX_DROP_OFFLOAD]++;
		return 0;
	case -ENOMEM:
		sums->v[VDM_NET_TX_DROP_NOMEM]++;
		return 0;
	case -EFAULT:
		vbus_conn_broken(pair->tx.q->conn,
				 "frame is not in guest memory");
		return -EPROTO;
	default:
		vbus_conn_broken(pair->tx.q->conn,
				 "malformed transmit chain or header");
		return -EPROTO;
	}
}

/* Serve up to @budget chains; complete them by one entry. */
static int vdm_net_tx_serve(struct vdm_net_pair *pair, int budget,
			    struct vdm_net_tx_sums *sums)
{
	struct vdm_net_tx *tx = &pair->tx;
	struct ioq_chain chain;
	u32 last = 0;
	int ret, done = 0;

	while (done < budget) {
		ret = vbus_queue_get(tx->q, tx->segs, ARRAY_SIZE(tx->segs),
				     &chain);
		if (!ret)
			break;
		if (ret < 0 || vdm_net_tx_one(pair, &chain, sums)) {
			tx->dead = true;
			break;
		}
		last = chain.id;
		done++;
	}
	if (!done)
		return 0;
	ioq_south_complete(&tx->q->ring, last, 0);
	if (vbus_queue_flush(tx->q))
		sums->v[VDM_NET_TX_SIGNALS]++;
	return done;
}

/**
 * vdm_net_tx_poll() - NAPI poll of one pair
 * @napi: in the pair's struct vdm_net_tx
 * @budget: most frames; 0 from netpoll, which wants nothing we have
 */
int vdm_net_tx_poll(struct napi_struct *napi, int budget)
{
	struct vdm_net_tx *tx = container_of(napi, struct vdm_net_tx, napi);
	struct vdm_net_pair *pair = container_of(tx, struct vdm_net_pair, tx);
	struct vdm_net_tx_sums sums = { .v[VDM_NET_TX_POLLS] = 1 };
	int i, done = 0;

	if (unlikely(!budget))
		return 0;

	rcu_read_lock();
	if (likely(!tx->dead))
		done = vdm_net_tx_serve(pair, budget, &sums);
	/* More has come meanwhile: poll again rather than sleep. */
	if (done < budget && likely(!tx->dead) &&
	    !ioq_south_enable_kicks(&tx->q->ring))
		done = budget;
	rcu_read_unlock();

	u64_stats_update_begin(&tx->syncp);
	for (i = 0; i < VDM_NET_TX_STATS; i++)
		u64_stats_add(&tx->stats[i], sums.v[i]);
	u64_stats_update_end(&tx->syncp);

	if (done < budget)
		napi_complete_done(napi, done);
	return done;
}

static void vdm_net_tx_work(struct irq_work *work)
{
	struct vdm_net_tx *tx = container_of(work, struct vdm_net_tx, work);

	napi_schedule(&tx->napi);
}

/**
 * vdm_net_tx_init() - once, with the interface
 * @pair: zeroed but for ndev and index
 */
void vdm_net_tx_init(struct vdm_net_pair *pair)
{
	u64_stats_init(&pair->tx.syncp);
	init_irq_work(&pair->tx.work, vdm_net_tx_work);
	netif_napi_add(pair->ndev, &pair->tx.napi, vdm_net_tx_poll);
}

/**
 * vdm_net_tx_start() - serve a guest's transmit queue
 * @pair: the pair
 * @q: its transmit queue, attached; the first kick comes from the core
 */
void vdm_net_tx_start(struct vdm_net_pair *pair, struct vbus_queue *q)
{
	struct vdm_net_tx *tx = &pair->tx;

	q->priv = pair;
	tx->q = q;
	tx->mem = vbus_conn_mem(q->conn);
	tx->features = vbus_conn_features(q->conn);
	tx->dead = false;
	WRITE_ONCE(pair->tx_size, ioq_south_size(&q->ring));
	/* An earlier user of the ring may have owed a signal. */
	if (ioq_south_signal_needed(&q->ring))
		vbus_queue_signal(q);
	napi_enable(&tx->napi);
}

/**
 * vdm_net_tx_stop() - the ring is touched no more
 * @pair: started; no kick runs
 */
void vdm_net_tx_stop(struct vdm_net_pair *pair)
{
	struct vdm_net_tx *tx = &pair->tx;

	irq_work_sync(&tx->work);
	napi_disable(&tx->napi);
	tx->q = NULL;
	WRITE_ONCE(pair->tx_size, 0);
}
