// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "net": guest to host, from guest memory into skbs.
 *
 * All of the data path is one NAPI poll, so it needs no lock.  Every byte of a
 * frame and of its header is copied before it is looked at.  Two kinds of fault
 * are distinguished: what the guest's driver alone decides (chains, addresses,
 * reserved fields) breaks the device; what may come from a user of the guest (the
 * frame, and all numbers of its header) costs that frame.  See hdr.c.
 *
 * Going to sleep: kicks are enabled before napi_complete_done().  A chain
 * published in between is either seen by ioq_south_enable_kicks() (barrier C) or
 * its kick finds NAPI scheduled still and marks it missed, so that it is polled
 * again.  The other way round a stray kick could start a poll on another CPU
 * while this one still writes kick_event.
 */
#include <linux/etherdevice.h>
#include <linux/skbuff.h>
#include <net/sock.h>
#include "net.h"

/* Where the next byte of a chain is. */
struct vdm_net_cursor {
	struct vbus_mem *mem;
	const struct ioq_seg *seg;
	u32 off;
};

/*
 * Counters of one poll, added up at its end, and the work it made, whether frames
 * were delivered or dropped.
 */
struct vdm_net_tx_sums {
	u64 v[VDM_NET_TX_STATS];
	u32 bytes;
	u32 segs;
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
		ret = vdm_net_hdr_apply(skb, &off);
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
	if (skb_is_gso(skb))
		sums->segs += DIV_ROUND_UP(skb->len, skb_shinfo(skb)->gso_size);
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

/* Has this poll done enough, whatever its budget of frames says? */
static bool vdm_net_tx_spent(const struct vdm_net_tx_sums *sums)
{
	return sums->bytes >= VDM_NET_TX_POLL_BYTES ||
	       sums->segs >= VDM_NET_TX_POLL_SEGS;
}

/* Return: 0, or -EPROTO when the queue must not be looked at again. */
static int vdm_net_tx_one(struct vdm_net_pair *pair,
			  const struct ioq_chain *chain,
			  struct vdm_net_tx_sums *sums)
{
	struct sk_buff *skb = vdm_net_tx_build(&pair->tx, chain);

	/* Nothing is copied of a longer one. */
	sums->bytes += min_t(u32, chain->out_len, VDM_NET_FRAME_MAX);
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

/*
 * Serve up to @budget chains, fewer if they make much work; complete them by one
 * entry.
 *
 * Return: chains served, or @budget if more may be there.
 */
static int vdm_net_tx_serve(struct vdm_net_pair *pair, int budget,
			    struct vdm_net_tx_sums *sums)
{
	struct vdm_net_tx *tx = &pair->tx;
	struct ioq_chain chain;
	u32 last = 0;
	int ret, done = 0;

	while (done < budget && !vdm_net_tx_spent(sums)) {
		ret = vbus_queue_get(tx->q, tx->segs, ARRAY_SIZE(tx->segs),
				     &chain);
		if (!ret)
			break;
		if (ret < 0 || vdm_net_tx_one(pair, &chain, sums)) {
			tx->dead = true;
			vdm_net_port_broken(pair->ndev);
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
	return vdm_net_tx_spent(sums) ? budget : done;
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
