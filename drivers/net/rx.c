// SPDX-License-Identifier: GPL-2.0
/*
 * Receive: posts pages, builds skbs on them, hands those to GRO.
 *
 * Every chain is one page with room for skb padding before the data and for the
 * skb's shared info behind it, since the first page of a frame becomes the
 * linear part and the driver can't tell which page will be first. The largest
 * frame fills a linear part and MAX_SKB_FRAGS fragments.
 *
 * Pages come from a page pool, which takes them back from the stack. The pool
 * does not map them: a page it had mapped would be unmapped whenever a socket
 * lets go of it, perhaps long after the device is gone. Here each page is
 * mapped for as long as the host has it and no longer.
 *
 * All functions run in the queue's NAPI, or while NAPI is off.
 */
#include <linux/dma-mapping.h>
#include <linux/if_vlan.h>
#include <linux/skbuff.h>
#include <net/page_pool.h>

#include "vnet.h"

#define RX_PAD		(NET_SKB_PAD + NET_IP_ALIGN)
#define RX_ROOM		(PAGE_SIZE - RX_PAD - \
			 SKB_DATA_ALIGN(sizeof(struct skb_shared_info)))

/* Frames up to this length are copied, so that they don't hold a whole page. */
#define RX_COPYBREAK	256

/* Most chains of a frame: what an skb can hold. */
#define RX_MAX_CHAINS	(MAX_SKB_FRAGS + 1)

/* With fewer buffers a large frame may not fit and no signal would come. */
#define RX_LOW		(2 * RX_MAX_CHAINS)

/* Post this many at once, to move the ring's cache lines less often. */
#define RX_BATCH	32

#define RX_RETRY	msecs_to_jiffies(50)

/* Post buffers into all free slots. Return: false if memory ran out. */
static bool vbus_net_rx_fill(struct vbus_net_rx *rx, gfp_t gfp)
{
	struct device *dma_dev = rx->vn->vdev->dma_dev;
	struct ioq_north *ring = &rx->vq->ring;
	struct vbus_net_rx_buf *buf;
	struct ioq_seg seg;

	while (ioq_north_free(ring)) {
		buf = &rx->buf[rx->head & rx->mask];
		buf->page = page_pool_alloc_pages(rx->pool, gfp | __GFP_NOWARN);
		if (!buf->page)
			return false;
		buf->dma = dma_map_page(dma_dev, buf->page, RX_PAD, RX_ROOM,
					DMA_FROM_DEVICE);
		if (dma_mapping_error(dma_dev, buf->dma)) {
			page_pool_put_full_page(rx->pool, buf->page, false);
			return false;
		}
		seg.addr = buf->dma;
		seg.len = RX_ROOM;
		seg.write = 1;
		/* There is room, the segment is not empty: only a bug fails. */
		if (WARN_ON_ONCE(ioq_north_add(ring, &seg, 1, buf))) {
			dma_unmap_page(dma_dev, buf->dma, RX_ROOM,
				       DMA_FROM_DEVICE);
			page_pool_put_full_page(rx->pool, buf->page, false);
			return false;
		}
		rx->head++;
	}
	return true;
}

static void vbus_net_rx_refill(struct vbus_net_rx *rx)
{
	struct ioq_north *ring = &rx->vq->ring;
	bool complete = vbus_net_rx_fill(rx, GFP_ATOMIC);

	if (vproxy_queue_kick(rx->vq))
		vbus_net_rx_count(rx, VNET_RX_KICKS, 1);
	/* With enough buffers posted the next frame brings us back here. Else
	 * there may be no next frame: come back by time.
	 */
	if (!complete && ioq_north_outstanding(ring) < RX_LOW) {
		vbus_net_rx_count(rx, VNET_RX_REFILL_LATE, 1);
		schedule_delayed_work(&rx->refill, RX_RETRY);
	}
}

/* Let NAPI do it: the ring has one user. */
void vbus_net_rx_refill_work(struct work_struct *work)
{
	struct vbus_net_rx *rx = container_of(to_delayed_work(work),
					      struct vbus_net_rx, refill);

	local_bh_disable();
	napi_schedule(&rx->napi);
	local_bh_enable();
}

/* Next completed chain: its page, no longer mapped; or NULL. */
static struct page *vbus_net_rx_next(struct vbus_net_rx *rx, u32 *len)
{
	struct vbus_net_rx_buf *buf;

	buf = ioq_north_get(&rx->vq->ring, len);
	if (!buf)
		return NULL;
	/* Chains of this class come back in order. */
	if (unlikely(buf != &rx->buf[rx->tail & rx->mask])) {
		vbus_net_broken(rx->vn, "receive order");
		return NULL;
	}
	rx->tail++;
	dma_unmap_page(rx->vn->vdev->dma_dev, buf->dma, RX_ROOM,
		       DMA_FROM_DEVICE);
	return buf->page;
}

static struct sk_buff *vbus_net_rx_head(struct vbus_net_rx *rx, struct page *page,
					u32 len, bool whole)
{
	u8 *frame = page_address(page) + RX_PAD + VBUS_NET_HDR_SIZE;
	struct sk_buff *skb;

	if (whole && len <= RX_COPYBREAK) {
		skb = napi_alloc_skb(&rx->napi, len);
		if (skb) {
			skb_put_data(skb, frame, len);
			vbus_net_rx_count(rx, VNET_RX_COPIED, 1);
		}
		page_pool_recycle_direct(rx->pool, page);
		return skb;
	}
	skb = napi_build_skb(page_address(page), PAGE_SIZE);
	if (!skb) {
		page_pool_recycle_direct(rx->pool, page);
		return NULL;
	}
	skb_mark_for_recycle(skb);
	skb_reserve(skb, RX_PAD + VBUS_NET_HDR_SIZE);
	skb_put(skb, len);
	return skb;
}

/* Add the other chains of a frame to @skb, or just take them back if there is
 * none. Return: 0, -EINVAL for an empty chain, -EPROTO if some are missing:
 * the host publishes all of a frame at once.
 */
static int vbus_net_rx_frags(struct vbus_net_rx *rx, struct sk_buff *skb, u32 nr)
{
	struct page *page;
	int err = 0;
	u32 i, len;

	for (i = 0; i < nr; i++) {
		page = vbus_net_rx_next(rx, &len);
		if (!page)
			return -EPROTO;
		if (!len)
			err = -EINVAL;
		if (!skb || err)
			page_pool_recycle_direct(rx->pool, page);
		else
			skb_add_rx_frag(skb, i, page, RX_PAD, len, PAGE_SIZE);
	}
	return err;
}

/* Hand what the header says to the skb. */
static int vbus_net_rx_offload(struct vbus_net_rx *rx, struct sk_buff *skb,
			       const struct vbus_net_hdr *hdr)
{
	struct vbus_net_offload off;
	int err;

	err = vbus_net_hdr_parse(hdr, skb->data, skb_headlen(skb), skb->len,
				 rx->vn->vdev->features, &off);
	if (err)
		return err;
	if (off.partial) {
		if (!skb_partial_csum_set(skb, off.csum_start,
					  off.csum_offset))
			return -EINVAL;
	} else if (off.valid) {
		skb->ip_summed = CHECKSUM_UNNECESSARY;
	}
	if (off.gso_type) {
		skb_shinfo(skb)->gso_type = off.gso_type;
		skb_shinfo(skb)->gso_size = off.gso_size;
		/* The stack counts segments of dodgy frames itself. */
		skb_shinfo(skb)->gso_segs = 0;
	}
	return 0;
}

/* Receive a frame whose first chain is @page.
 * Return: bytes, 0 if it was dropped, -EPROTO for a violation of the protocol.
 */
static int vbus_net_rx_frame(struct vbus_net_rx *rx, struct page *page, u32 len)
{
	struct vbus_net_hdr hdr;
	struct sk_buff *skb;
	u32 nr, bytes;
	int err;

	if (len < VBUS_NET_HDR_SIZE) {
		page_pool_recycle_direct(rx->pool, page);
		return -EPROTO;
	}
	memcpy(&hdr, page_address(page) + RX_PAD, sizeof(hdr));
	nr = le16_to_cpu(hdr.nr_chains);
	if (!nr || nr > RX_MAX_CHAINS) {
		page_pool_recycle_direct(rx->pool, page);
		return -EPROTO;
	}
	len -= VBUS_NET_HDR_SIZE;
	if (len < ETH_HLEN) {
		page_pool_recycle_direct(rx->pool, page);
		err = vbus_net_rx_frags(rx, NULL, nr - 1);
		vbus_net_rx_count(rx, VNET_RX_BAD, 1);
		return err == -EPROTO ? err : 0;
	}

	skb = vbus_net_rx_head(rx, page, len, nr == 1);
	err = vbus_net_rx_frags(rx, skb, nr - 1);
	if (!skb) {
		vbus_net_rx_count(rx, VNET_RX_NOMEM, 1);
		return err == -EPROTO ? err : 0;
	}
	if (!err)
		err = vbus_net_rx_offload(rx, skb, &hdr);
	if (err) {
		napi_consume_skb(skb, 1);
		vbus_net_rx_count(rx, VNET_RX_BAD, 1);
		return err == -EPROTO ? err : 0;
	}
	bytes = skb->len;
	skb_record_rx_queue(skb, rx->vq->index / 2);
	skb->protocol = eth_type_trans(skb, rx->vn->dev);
	napi_gro_receive(&rx->napi, skb);
	return bytes;
}

int vbus_net_rx_poll(struct napi_struct *napi, int budget)
{
	struct vbus_net_rx *rx = container_of(napi, struct vbus_net_rx, napi);
	struct ioq_north *ring = &rx->vq->ring;
	u32 packets = 0, bytes = 0, len;
	struct page *page;
	int done = 0, ret;

	if (unlikely(!budget))
		return 0;
	if (unlikely(test_bit(0, &rx->vn->broken))) {
		napi_complete_done(napi, 0);
		return 0;
	}
	while (done < budget) {
		page = vbus_net_rx_next(rx, &len);
		if (!page)
			break;
		done++;
		ret = vbus_net_rx_frame(rx, page, len);
		if (unlikely(ret < 0))
			goto broken;
		if (ret) {
			packets++;
			bytes += ret;
		}
	}
	if (unlikely(ioq_north_broken(ring)) ||
	    unlikely(test_bit(0, &rx->vn->broken)))
		goto broken;
	if (packets) {
		u64_stats_update_begin(&rx->sync);
		u64_stats_add(&rx->stat[VNET_RX_PACKETS], packets);
		u64_stats_add(&rx->stat[VNET_RX_BYTES], bytes);
		u64_stats_update_end(&rx->sync);
	}
	if (ioq_north_free(ring) >= min_t(u32, RX_BATCH, rx->mask / 4 + 1) ||
	    ioq_north_outstanding(ring) < RX_LOW)
		vbus_net_rx_refill(rx);
	if (done == budget)
		return budget;
	/* While NAPI still owns the ring. A signal that comes before
	 * napi_complete_done() makes that run us again.
	 */
	if (!ioq_north_enable_signals(ring, 1))
		return budget;
	napi_complete_done(napi, done);
	return done;

broken:
	vbus_net_broken(rx->vn, "receive");
	done = min(done, budget - 1);
	napi_complete_done(napi, done);
	return done;
}

int vbus_net_rx_setup(struct vbus_net_rx *rx, struct vproxy_queue *vq)
{
	struct page_pool_params params = {
		.pool_size = vq->size,
		.nid = NUMA_NO_NODE,
		.dev = rx->vn->vdev->dma_dev,
		.dma_dir = DMA_FROM_DEVICE,
	};

	/* The largest MTU, and two VLAN tags. */
	BUILD_BUG_ON(RX_MAX_CHAINS * RX_ROOM < VBUS_NET_HDR_SIZE + ETH_HLEN +
		     2 * VLAN_HLEN + VBUS_NET_MTU_MAX);

	rx->vq = vq;
	rx->mask = vq->size - 1;
	rx->head = 0;
	rx->tail = 0;
	rx->buf = kvcalloc(vq->size, sizeof(*rx->buf), GFP_KERNEL);
	if (!rx->buf)
		return -ENOMEM;
	rx->pool = page_pool_create(&params);
	if (IS_ERR(rx->pool)) {
		int err = PTR_ERR(rx->pool);

		rx->pool = NULL;
		return err;
	}
	/* Some will do; less than the largest frame will not. */
	if (!vbus_net_rx_fill(rx, GFP_KERNEL) &&
	    ioq_north_outstanding(&vq->ring) < RX_MAX_CHAINS)
		return -ENOMEM;
	return 0;
}

/* After the device was reset, or before it ever ran. */
void vbus_net_rx_free(struct vbus_net_rx *rx)
{
	struct vbus_net_rx_buf *buf;

	for (; rx->tail != rx->head; rx->tail++) {
		buf = &rx->buf[rx->tail & rx->mask];
		dma_unmap_page(rx->vn->vdev->dma_dev, buf->dma, RX_ROOM,
			       DMA_FROM_DEVICE);
		page_pool_put_full_page(rx->pool, buf->page, false);
	}
	while (rx->vq && ioq_north_detach(&rx->vq->ring))
		;
	/* Waits in the background for pages that sockets still hold. */
	if (rx->pool)
		page_pool_destroy(rx->pool);
	rx->pool = NULL;
	kvfree(rx->buf);
	rx->buf = NULL;
	rx->vq = NULL;
}
