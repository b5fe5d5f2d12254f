// SPDX-License-Identifier: GPL-2.0
/*
 * Transmit: turns skbs into chains and frees them when the host has read them.
 *
 * Everything here runs under the stack's lock of the queue (ndo_start_xmit has
 * it, the NAPI takes it), so ring, segments and counters need no other.
 *
 * When are skbs freed? A sender may wait for its skb (socket buffer, byte queue
 * limits, zero copy), so each one must be reaped in bounded time after the host
 * is done, yet an interrupt for each would be too much. Whoever leaves with
 * chains outstanding has therefore asked for a signal after the last of them.
 * As long as more are sent in time the event moves on and reaping happens
 * here for free; the signal comes only when the host has caught up. A stopped
 * queue asks for it earlier, to be filled again before the host runs dry.
 */
#include <linux/dma-mapping.h>
#include <linux/skbuff.h>

#include "vnet.h"

static void vbus_net_tx_unmap(struct vbus_net_tx *tx, struct vbus_net_tx_seg *seg)
{
	struct device *dma_dev = tx->vn->vdev->dma_dev;

	if (!seg->len)
		return;
	if (seg->page)
		dma_unmap_page(dma_dev, seg->dma, seg->len, DMA_TO_DEVICE);
	else
		dma_unmap_single(dma_dev, seg->dma, seg->len, DMA_TO_DEVICE);
	seg->len = 0;
}

/* Free one chain; its segments start at @tail. */
static u32 vbus_net_tx_finish(struct vbus_net_tx *tx, u32 tail, int budget)
{
	struct vbus_net_tx_seg *first = &tx->seg[tail & tx->mask];
	u32 i, nr = first->nr;

	for (i = 0; i < nr; i++)
		vbus_net_tx_unmap(tx, &tx->seg[(tail + i) & tx->mask]);
	napi_consume_skb(first->skb, budget);
	first->skb = NULL;
	return nr;
}

/* Free what the host has read. Return: number of frames. */
static u32 vbus_net_tx_reclaim(struct vbus_net_tx *tx, int budget)
{
	struct ioq_north *ring = &tx->vq->ring;
	struct vbus_net_tx_seg *first;
	u32 packets = 0, bytes = 0, len;

	while ((first = ioq_north_get(ring, &len))) {
		/* Chains of this class come back in order. */
		if (unlikely(first != &tx->seg[tx->tail & tx->mask])) {
			vbus_net_broken(tx->vn, "transmit order");
			break;
		}
		packets++;
		bytes += first->bytes;
		tx->tail += vbus_net_tx_finish(tx, tx->tail, budget);
	}
	if (packets)
		netdev_tx_completed_queue(tx->txq, packets, bytes);
	if (unlikely(ioq_north_broken(ring)))
		vbus_net_broken(tx->vn, "transmit");
	return packets;
}

static void vbus_net_tx_wake(struct vbus_net_tx *tx)
{
	u32 room = min(2 * tx->max_segs, tx->mask + 1);

	if (netif_tx_queue_stopped(tx->txq) &&
	    ioq_north_free(&tx->vq->ring) >= room)
		netif_tx_wake_queue(tx->txq);
}

/* See the head of this file. Ends: each turn frees a chain and none is added. */
static void vbus_net_tx_arm(struct vbus_net_tx *tx, int budget)
{
	struct ioq_north *ring = &tx->vq->ring;
	u32 after;

	while ((after = ioq_north_outstanding(ring))) {
		if (netif_tx_queue_stopped(tx->txq))
			after -= after / 4;
		if (ioq_north_enable_signals(ring, after))
			return;
		if (!vbus_net_tx_reclaim(tx, budget))
			return;
		vbus_net_tx_wake(tx);
	}
}

/* Kick first: a host that works within the kick is done when we ask for the
 * signal, and then none is needed.
 */
static void vbus_net_tx_flush(struct vbus_net_tx *tx)
{
	if (vproxy_queue_kick(tx->vq))
		vbus_net_tx_count(tx, VNET_TX_KICKS, 1);
	vbus_net_tx_arm(tx, 0);
}

static bool vbus_net_tx_map(struct vbus_net_tx *tx, struct vbus_net_tx_seg *seg,
			    dma_addr_t dma, u32 len, bool page, struct ioq_seg *out)
{
	if (unlikely(dma_mapping_error(tx->vn->vdev->dma_dev, dma)))
		return false;
	seg->dma = dma;
	seg->len = len;
	seg->page = page;
	out->addr = dma;
	out->len = len;
	out->write = 0;
	return true;
}

/* Write the header, into the headroom if nobody else sees that.
 * Return: 1 if it needs a segment of its own, 0 if not, or errno.
 */
static int vbus_net_tx_header(struct vbus_net_tx *tx, struct sk_buff *skb)
{
	struct vbus_net_hdr hdr;
	int err;

	err = vbus_net_hdr_fill(&hdr, skb);
	if (unlikely(err))
		return err;
	if (skb_headroom(skb) >= VBUS_NET_HDR_SIZE &&
	    !skb_header_cloned(skb)) {
		memcpy(__skb_push(skb, VBUS_NET_HDR_SIZE), &hdr, sizeof(hdr));
		return 0;
	}
	tx->hdr[tx->head & tx->mask] = hdr;
	return 1;
}

/* Map all of @skb and add it to the ring. Nothing stays mapped on failure. */
static int vbus_net_tx_add(struct vbus_net_tx *tx, struct sk_buff *skb, bool own_hdr,
			   u32 bytes)
{
	struct vbus_net_tx_seg *first = &tx->seg[tx->head & tx->mask];
	struct device *dma_dev = tx->vn->vdev->dma_dev;
	struct ioq_seg out[VNET_MAX_SEGS];
	struct vbus_net_tx_seg *seg;
	u32 i, n = 0;
	int err;

	if (own_hdr) {
		first->len = 0;
		out[0].addr = tx->hdr_dma +
			      (tx->head & tx->mask) * sizeof(*tx->hdr);
		out[0].len = VBUS_NET_HDR_SIZE;
		out[0].write = 0;
		n = 1;
	}
	if (skb_headlen(skb)) {
		u32 len = skb_headlen(skb);

		seg = &tx->seg[(tx->head + n) & tx->mask];
		if (!vbus_net_tx_map(tx, seg, dma_map_single(dma_dev, skb->data, len,
							     DMA_TO_DEVICE),
				     len, false, &out[n]))
			goto unmap;
		n++;
	}
	for (i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
		const skb_frag_t *frag = &skb_shinfo(skb)->frags[i];
		u32 len = skb_frag_size(frag);

		if (!len)
			continue;
		seg = &tx->seg[(tx->head + n) & tx->mask];
		if (!vbus_net_tx_map(tx, seg, skb_frag_dma_map(dma_dev, frag, 0, len,
							       DMA_TO_DEVICE),
				     len, true, &out[n]))
			goto unmap;
		n++;
	}
	err = ioq_north_add(&tx->vq->ring, out, n, first);
	if (unlikely(err)) {
		while (n--)
			vbus_net_tx_unmap(tx, &tx->seg[(tx->head + n) & tx->mask]);
		return err;
	}
	first->skb = skb;
	first->bytes = bytes;
	first->nr = n;
	tx->head += n;
	return 0;

unmap:
	while (n--)
		vbus_net_tx_unmap(tx, &tx->seg[(tx->head + n) & tx->mask]);
	return -ENOMEM;
}

netdev_tx_t vbus_net_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct vbus_net *vn = netdev_priv(dev);
	struct vbus_net_tx *tx = &vn->pair[skb_get_queue_mapping(skb)].tx;
	struct ioq_north *ring = &tx->vq->ring;
	bool more = netdev_xmit_more();
	int own_hdr, why = VNET_TX_DROPS;
	u32 bytes = skb->len;

	vbus_net_tx_reclaim(tx, 0);
	if (unlikely(test_bit(0, &vn->broken)))
		goto drop;
	/* Stopped in time, so only a wake-up from outside can lead here. */
	if (unlikely(ioq_north_free(ring) < tx->max_segs)) {
		netif_tx_stop_queue(tx->txq);
		vbus_net_tx_flush(tx);
		return NETDEV_TX_BUSY;
	}
	if (unlikely(skb_shinfo(skb)->nr_frags + 2 > tx->max_segs)) {
		if (skb_linearize(skb))
			goto drop;
		vbus_net_tx_count(tx, VNET_TX_LINEARIZED, 1);
	}
	skb_tx_timestamp(skb);
	own_hdr = vbus_net_tx_header(tx, skb);
	if (unlikely(own_hdr < 0)) {
		why = VNET_TX_BAD;
		goto drop;
	}
	if (unlikely(vbus_net_tx_add(tx, skb, own_hdr, bytes)))
		goto drop;

	u64_stats_update_begin(&tx->sync);
	u64_stats_inc(&tx->stat[VNET_TX_PACKETS]);
	u64_stats_add(&tx->stat[VNET_TX_BYTES], bytes);
	u64_stats_update_end(&tx->sync);

	/* Needs no barrier before the signal is asked for: whom that brings
	 * takes the lock that we hold before it looks whether we stopped.
	 */
	if (ioq_north_free(ring) < tx->max_segs) {
		netif_tx_stop_queue(tx->txq);
		vbus_net_tx_count(tx, VNET_TX_STOPS, 1);
	}
	/* True as well when the queue is stopped, by us or by the limit. */
	if (__netdev_tx_sent_queue(tx->txq, bytes, more))
		vbus_net_tx_flush(tx);
	return NETDEV_TX_OK;

drop:
	vbus_net_tx_count(tx, why, 1);
	dev_kfree_skb_any(skb);
	/* Frames before this one may have counted on it for the kick. */
	if (!more)
		vbus_net_tx_flush(tx);
	return NETDEV_TX_OK;
}

int vbus_net_tx_poll(struct napi_struct *napi, int budget)
{
	struct vbus_net_tx *tx = container_of(napi, struct vbus_net_tx, napi);

	__netif_tx_lock(tx->txq, smp_processor_id());
	vbus_net_tx_count(tx, VNET_TX_POLLS, 1);
	vbus_net_tx_reclaim(tx, budget);
	vbus_net_tx_wake(tx);
	vbus_net_tx_arm(tx, budget);
	__netif_tx_unlock(tx->txq);
	/* A signal since then makes this run us again. */
	if (likely(budget))
		napi_complete_done(napi, 0);
	return 0;
}

int vbus_net_tx_setup(struct vbus_net_tx *tx, struct vproxy_queue *vq)
{
	tx->vq = vq;
	tx->mask = vq->size - 1;
	tx->head = 0;
	tx->tail = 0;
	tx->max_segs = min3(vq->seg_max, vq->size, (u32)VNET_MAX_SEGS);
	/* A header and a linear frame is the least. */
	if (tx->max_segs < 2)
		return -EINVAL;
	tx->seg = kvcalloc(vq->size, sizeof(*tx->seg), GFP_KERNEL);
	if (!tx->seg)
		return -ENOMEM;
	tx->hdr = dma_alloc_coherent(tx->vn->vdev->dma_dev,
				     vq->size * sizeof(*tx->hdr), &tx->hdr_dma,
				     GFP_KERNEL);
	return tx->hdr ? 0 : -ENOMEM;
}

/* After the device was reset, or before it ever ran. */
void vbus_net_tx_free(struct vbus_net_tx *tx)
{
	while (tx->tail != tx->head)
		tx->tail += vbus_net_tx_finish(tx, tx->tail, 0);
	while (tx->vq && ioq_north_detach(&tx->vq->ring))
		;
	netdev_tx_reset_queue(tx->txq);
	if (tx->hdr)
		dma_free_coherent(tx->vn->vdev->dma_dev,
				  (tx->mask + 1) * sizeof(*tx->hdr), tx->hdr,
				  tx->hdr_dma);
	tx->hdr = NULL;
	kvfree(tx->seg);
	tx->seg = NULL;
	tx->vq = NULL;
}
