// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "net": host to guest, from the stack straight into guest buffers.
 *
 * Everything but the stall timer and kicks runs under the lock of one netdev tx
 * queue, which is all the serialisation there is.  A frame is done in two steps:
 * collect chains until there is room, then copy; nothing is written to the
 * guest before it is known to fit.
 *
 * Out of buffers: the stack's queue is stopped and kicks of the receive ring are
 * asked for.  The order is stop, then ask, then look again:
 *
 *	us					guest
 *	set XOFF				publish chains
 *	smp_mb__after_atomic()			barrier C
 *	write kick_event			read kick_event, kick
 *	barrier C				-> netif_tx_wake_queue(), which
 *	look at the ring			   tests and clears XOFF
 *
 * so that either we see the chains or the guest sees kick_event and kicks, and that
 * kick finds XOFF set and clears it.
 * Kicks are asked for past all chains that were looked at, and only then are
 * these put back, or else the too few that are there would be found each time.
 *
 * The stall timer is armed after that if it is not pending.  It may be about to run:
 * then it is pending no more and finds XOFF set, or we arm it anew.
 *
 *	us					timer
 *	set XOFF				is pending no more
 *	smp_mb__after_atomic()			smp_mb()
 *	is the timer pending?			is XOFF set?
 *
 * A guest that takes nothing must not hold other people's frames for ever: after
 * VDM_NET_STALL the queue is woken and drops what does not fit, until something
 * does.
 */
#include <linux/skbuff.h>
#include "net.h"

static void vdm_net_rx_wake(struct vdm_net_rx *rx)
{
	struct vdm_net_pair *pair = container_of(rx, struct vdm_net_pair, rx);

	netif_tx_wake_queue(netdev_get_tx_queue(pair->ndev, pair->index));
}

static void vdm_net_rx_work(struct irq_work *work)
{
	vdm_net_rx_wake(container_of(work, struct vdm_net_rx, work));
}

static void vdm_net_rx_stalled(struct timer_list *timer)
{
	struct vdm_net_rx *rx = from_timer(rx, timer, stall);
	struct vdm_net_pair *pair = container_of(rx, struct vdm_net_pair, rx);

	/*
	 * Not pending before the look at XOFF; pairs with the barrier in
	 * vdm_net_rx_stop_queue().
	 */
	smp_mb();
	/* Woken since, and nothing to send: the next stop arms it again. */
	if (!netif_tx_queue_stopped(netdev_get_tx_queue(pair->ndev,
							pair->index)))
		return;
	WRITE_ONCE(rx->dropping, true);
	vdm_net_rx_wake(rx);
}

/**
 * vdm_net_rx_init() - once, with the interface
 * @pair: zeroed
 */
void vdm_net_rx_init(struct vdm_net_pair *pair)
{
	struct vdm_net_rx *rx = &pair->rx;

	u64_stats_init(&rx->syncp);
	timer_setup(&rx->stall, vdm_net_rx_stalled, 0);
	init_irq_work(&rx->work, vdm_net_rx_work);
}

/**
 * vdm_net_rx_start() - let the stack transmit to a guest
 * @pair: the pair
 * @q: its receive queue, attached
 */
void vdm_net_rx_start(struct vdm_net_pair *pair, struct vbus_queue *q)
{
	struct netdev_queue *txq;
	struct vdm_net_rx *rx = &pair->rx;

	txq = netdev_get_tx_queue(pair->ndev, pair->index);
	q->priv = pair;
	__netif_tx_lock_bh(txq);
	rx->mem = vbus_conn_mem(q->conn);
	rx->features = vbus_conn_features(q->conn);
	rx->waiting = false;
	rx->dropping = false;
	rx->q = q;
	/* An earlier user of the ring may have owed a signal. */
	if (ioq_south_signal_needed(&q->ring))
		vbus_queue_signal(q);
	__netif_tx_unlock_bh(txq);
	WRITE_ONCE(pair->rx_size, ioq_south_size(&q->ring));
	netif_tx_wake_queue(txq);
}

/**
 * vdm_net_rx_stop() - the ring is touched no more
 * @pair: started; no kick runs
 */
void vdm_net_rx_stop(struct vdm_net_pair *pair)
{
	struct netdev_queue *txq;
	struct vdm_net_rx *rx = &pair->rx;

	txq = netdev_get_tx_queue(pair->ndev, pair->index);
	__netif_tx_lock_bh(txq);
	rx->q = NULL;
	__netif_tx_unlock_bh(txq);
	/* Without a ring nobody arms it again. */
	del_timer_sync(&rx->stall);
	irq_work_sync(&rx->work);
	WRITE_ONCE(pair->rx_size, 0);
}

/**
 * vdm_net_rx_features() - what this guest takes of what we offer
 * @skb: about to be transmitted
 * @ndev: the interface
 * @features: to be reduced
 *
 * What is stripped the stack does in software.
 */
netdev_features_t vdm_net_rx_features(struct sk_buff *skb,
				      struct net_device *ndev,
				      netdev_features_t features)
{
	const struct vdm_net_port *port = netdev_priv(ndev);
	u64 guest = READ_ONCE(port->features);

	features = vlan_features_check(skb, features);
	if (skb_is_gso(skb) && !vdm_net_hdr_large(skb))
		features &= ~NETIF_F_GSO_MASK;
	if (!(guest & VBUS_NET_F_GUEST_CSUM))
		features &= ~(NETIF_F_CSUM_MASK | NETIF_F_GSO_MASK);
	if (!(guest & VBUS_NET_F_GUEST_TSO))
		features &= ~NETIF_F_ALL_TSO;
	if (!(guest & VBUS_NET_F_GUEST_ECN))
		features &= ~NETIF_F_TSO_ECN;
	if (!(guest & VBUS_NET_F_GUEST_USO))
		features &= ~NETIF_F_GSO_UDP_L4;
	return features;
}

static void vdm_net_rx_begin(struct vdm_net_rx *rx)
{
	rx->nr_chains = 0;
	rx->nr_segs = 0;
	rx->nr_slots = 0;
	rx->room = 0;
}

/*
 * Collect chains until they have room for @need bytes; can be called again when
 * more chains have come.  Bounded: every round takes a chain.
 *
 * Return: 1; 0 if there are too few as yet; -E2BIG if there never will be
 * enough; -EPROTO.
 */
static int vdm_net_rx_gather(struct vdm_net_rx *rx, u32 need)
{
	struct vbus_queue *q = rx->q;
	struct ioq_chain c;
	int ret;

	while (rx->room < need) {
		if (rx->nr_chains == ARRAY_SIZE(rx->chains) ||
		    rx->nr_segs + q->seg_max > ARRAY_SIZE(rx->segs))
			return -E2BIG;
		ret = vbus_queue_get(q, rx->segs + rx->nr_segs, q->seg_max, &c);
		if (ret < 0)
			return ret;
		if (!ret) {
			/* All the ring can hold? */
			if (rx->nr_slots == ioq_south_size(&q->ring))
				return -E2BIG;
			return 0;
		}
		if (c.nr_out || c.in_len < VBUS_NET_HDR_SIZE) {
			vbus_conn_broken(q->conn,
					 "receive buffer is readable or shorter than a header");
			return -EPROTO;
		}
		rx->chains[rx->nr_chains++] = (struct vdm_net_rx_chain){
			.id = c.id,
			.in_len = c.in_len,
		};
		rx->nr_segs += c.nr_in;
		rx->nr_slots += c.slots;
		/* One chain may be up to 4 GiB long. */
		rx->room += min(c.in_len, need - rx->room);
	}
	return 1;
}

/* Write header and frame over the segments collected. */
static int vdm_net_rx_copy(struct vdm_net_rx *rx, struct sk_buff *skb,
			   const struct vbus_net_hdr *hdr)
{
	const u8 *src = (const u8 *)hdr;
	u32 avail = sizeof(*hdr), left = sizeof(*hdr) + skb->len;
	const struct ioq_seg *seg = rx->segs;
	struct skb_seq_state st;
	u32 n, off = 0, done = 0;
	int ret = -EFAULT;

	skb_prepare_seq_read(skb, 0, skb->len, &st);
	while (left) {
		if (!avail) {
			avail = skb_seq_read(done, &src, &st);
			/* Its length was a lie; never seen. */
			if (WARN_ON_ONCE(!avail))
				return -EIO;
			done += avail;
		}
		n = min(avail, seg->len - off);
		if (vbus_mem_write(rx->mem, seg->addr + off, src, n))
			goto abort;
		src += n;
		avail -= n;
		left -= n;
		off += n;
		if (off == seg->len) {
			seg++;
			off = 0;
		}
	}
	ret = 0;
abort:
	skb_abort_seq_read(&st);
	return ret;
}

/* Each chain has its own length. */
static void vdm_net_rx_complete(struct vdm_net_rx *rx, u32 left)
{
	u32 i, n;

	for (i = 0; i < rx->nr_chains; i++) {
		n = min(left, rx->chains[i].in_len);
		ioq_south_complete(&rx->q->ring, rx->chains[i].id, n);
		left -= n;
	}
}

/*
 * Too few buffers: stop the stack's queue, or find that there are more now.
 * See the top of this file for why nothing is lost.
 */
static bool vdm_net_rx_stop_queue(struct vdm_net_rx *rx,
				  struct netdev_queue *txq)
{
	/* What is done already the guest can turn into new buffers. */
	if (vbus_queue_flush(rx->q))
		u64_stats_inc(&rx->stats[VDM_NET_RX_SIGNALS]);
	netif_tx_stop_queue(txq);
	/*
	 * XOFF before kick_event, or the kick would find nothing to clear; pairs
	 * with test_and_clear_bit() in netif_tx_wake_queue().  And before the
	 * look at the timer; pairs with the barrier in vdm_net_rx_stalled().
	 */
	smp_mb__after_atomic();
	if (!ioq_south_enable_kicks(&rx->q->ring)) {
		netif_tx_start_queue(txq);
		return false;
	}
	u64_stats_inc(&rx->stats[VDM_NET_RX_STOPS]);
	rx->waiting = true;
	/* Kicks alone don't prolong it, only a frame that was taken does. */
	if (!timer_pending(&rx->stall))
		mod_timer(&rx->stall, jiffies + VDM_NET_STALL);
	return true;
}

/* The guest has broken the queue: as if there were none. */
static int vdm_net_rx_broken(struct vdm_net_rx *rx)
{
	struct vdm_net_pair *pair = container_of(rx, struct vdm_net_pair, rx);

	rx->q = NULL;
	vdm_net_port_broken(pair->ndev);
	return -VDM_NET_RX_DROP_NOGUEST;
}

/* Return: 1: done; 0: wait for buffers; else the counter to be raised, negated. */
static int vdm_net_rx_frame(struct vdm_net_rx *rx, struct sk_buff *skb,
			    struct netdev_queue *txq)
{
	struct ioq_mark mark = ioq_south_mark(&rx->q->ring);
	u32 len = skb->len + VBUS_NET_HDR_SIZE;
	int rounds = VDM_NET_RX_ROUNDS;
	struct vbus_net_hdr hdr;
	int ret;

	vdm_net_rx_begin(rx);
	while (!(ret = vdm_net_rx_gather(rx, len))) {
		if (!rounds--) {
			ret = -E2BIG;
			break;
		}
		if (READ_ONCE(rx->dropping)) {
			ioq_south_rewind(&rx->q->ring, mark);
			return -VDM_NET_RX_DROP_STALLED;
		}
		if (vdm_net_rx_stop_queue(rx, txq)) {
			ioq_south_rewind(&rx->q->ring, mark);
			return 0;
		}
	}
	if (ret == -E2BIG && !ioq_south_broken(&rx->q->ring)) {
		ioq_south_rewind(&rx->q->ring, mark);
		return -VDM_NET_RX_DROP_NOROOM;
	}
	if (ret < 0)
		return vdm_net_rx_broken(rx);
	if (vdm_net_hdr_fill(skb, rx->features, rx->nr_chains, &hdr)) {
		ioq_south_rewind(&rx->q->ring, mark);
		return -VDM_NET_RX_DROP_OFFLOAD;
	}
	if (vdm_net_rx_copy(rx, skb, &hdr)) {
		vbus_conn_broken(rx->q->conn,
				 "receive buffer is not guest memory");
		return vdm_net_rx_broken(rx);
	}
	vdm_net_rx_complete(rx, len);
	return 1;
}

/**
 * vdm_net_rx_xmit() - ndo_start_xmit of the host's interface
 * @skb: the frame, only read
 * @ndev: the interface
 */
netdev_tx_t vdm_net_rx_xmit(struct sk_buff *skb, struct net_device *ndev)
{
	const struct vdm_net_port *port = netdev_priv(ndev);
	u16 index = skb_get_queue_mapping(skb);
	struct vdm_net_rx *rx = &port->pairs[index].rx;
	struct netdev_queue *txq;
	int ret = -VDM_NET_RX_DROP_NOGUEST;

	txq = netdev_get_tx_queue(ndev, index);
	rcu_read_lock();
	u64_stats_update_begin(&rx->syncp);
	if (likely(rx->q))
		ret = vdm_net_rx_frame(rx, skb, txq);
	if (likely(ret > 0)) {
		u64_stats_inc(&rx->stats[VDM_NET_RX_PACKETS]);
		u64_stats_add(&rx->stats[VDM_NET_RX_BYTES], skb->len);
		u64_stats_add(&rx->stats[VDM_NET_RX_CHAINS], rx->nr_chains);
		if (unlikely(rx->waiting || READ_ONCE(rx->dropping))) {
			rx->waiting = false;
			del_timer(&rx->stall);
			WRITE_ONCE(rx->dropping, false);
		}
	} else if (ret < 0) {
		u64_stats_inc(&rx->stats[-ret]);
	}
	if (rx->q && (!netdev_xmit_more() || netif_xmit_stopped(txq)) &&
	    vbus_queue_flush(rx->q))
		u64_stats_inc(&rx->stats[VDM_NET_RX_SIGNALS]);
	u64_stats_update_end(&rx->syncp);
	rcu_read_unlock();

	if (!ret)
		return NETDEV_TX_BUSY;
	if (ret > 0)
		dev_consume_skb_any(skb);
	else
		dev_kfree_skb_any(skb);
	return NETDEV_TX_OK;
}
