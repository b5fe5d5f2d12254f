/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest network driver: private types.
 *
 * Who may touch what:
 *   tx queue   ring, segment array and counters: under the txq lock of the
 *              stack, which ndo_start_xmit holds and the tx NAPI takes
 *   rx queue   ring, buffers and counters: in its NAPI, or while NAPI is off
 *   up, down   the queues exist between vbus_net_up() and vbus_net_down();
 *              both run under the RTNL
 *   link_lock  @up and the carrier; never taken before anything that waits
 *              for the RTNL, so config_changed may hold it
 *
 * The host is not trusted: what it writes is copied once, checked, then used,
 * and a violation of the protocol ends in vbus_net_broken().
 */
#ifndef _VNET_H
#define _VNET_H

#include <linux/etherdevice.h>
#include <linux/if_vlan.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/u64_stats_sync.h>
#include <linux/workqueue.h>
#include <uapi/linux/vbus_net.h>
#include <vbus/guest/bus.h>

struct page_pool;
struct vbus_net;

/* A frame of 64 KiB takes 18 receive buffers; 512 are 2 MiB and 28 frames. */
#define VNET_RX_RING	512
#define VNET_TX_RING	1024
#define VNET_RING_MIN	64
#define VNET_RING_MAX	4096

/* Linear part, page fragments, and a header of its own. */
#define VNET_MAX_SEGS	(MAX_SKB_FRAGS + 2)

/* The longest frame there can be: the largest MTU, two VLAN tags. */
#define VNET_FRAME_MAX	(VBUS_NET_MTU_MAX + ETH_HLEN + 2 * VLAN_HLEN)

/* Features that the driver can use. */
#define VNET_FEATURES \
	(VBUS_NET_F_CSUM | VBUS_NET_F_GUEST_CSUM | \
	 VBUS_NET_F_TSO | VBUS_NET_F_GUEST_TSO | \
	 VBUS_NET_F_ECN | VBUS_NET_F_GUEST_ECN | \
	 VBUS_NET_F_USO | VBUS_NET_F_GUEST_USO)

/* Counters: the order is that of the names in ethtool.c. */
enum {
	VNET_RX_PACKETS,
	VNET_RX_BYTES,
	VNET_RX_KICKS,
	VNET_RX_COPIED,	/* small frames copied out of their buffer */
	VNET_RX_BAD,	/* frames refused: header makes no sense */
	VNET_RX_NOMEM,	/* frames dropped for want of memory */
	VNET_RX_REFILL_LATE,	/* refills left to the delayed work */
	VNET_RX_NR_STATS
};

enum {
	VNET_TX_PACKETS,
	VNET_TX_BYTES,
	VNET_TX_KICKS,
	VNET_TX_POLLS,	/* NAPI runs, each after a signal */
	VNET_TX_STOPS,	/* ring full */
	VNET_TX_LINEARIZED,
	VNET_TX_DROPS,
	VNET_TX_BAD,	/* frames refused: no header describes them */
	VNET_TX_TIMEOUTS,
	VNET_TX_NR_STATS
};

/**
 * struct vbus_net_tx_seg - one mapped segment, one for each ring slot
 * @skb: of the chain that starts here
 * @dma: address
 * @len: bytes mapped; 0: nothing to unmap
 * @page: mapped as a page
 * @bytes: frame length, in the first of a chain
 * @nr: segments of the chain that starts here
 */
struct vbus_net_tx_seg {
	struct sk_buff *skb;
	dma_addr_t dma;
	u32 len;
	bool page;
	u32 bytes;
	u16 nr;
};

/**
 * struct vbus_net_tx - transmit queue
 * @vn: the card
 * @vq: the ring; NULL while down
 * @txq: the stack's queue
 * @seg: as many as ring slots, used in ring order
 * @hdr: headers of frames without room for one, indexed as @seg
 * @hdr_dma: where the host sees @hdr
 * @head: next segment to use, free running
 * @tail: oldest segment in use, free running
 * @mask: ring size - 1
 * @max_segs: longest chain
 * @stalled: the watchdog found it so
 * @napi: reaps when signalled
 * @sync: for readers of @stat on 32 bits
 * @stat: VNET_TX_*
 */
struct vbus_net_tx {
	struct vbus_net *vn;
	struct vproxy_queue *vq;
	struct netdev_queue *txq;
	struct vbus_net_tx_seg *seg;
	struct vbus_net_hdr *hdr;
	dma_addr_t hdr_dma;
	u32 head;
	u32 tail;
	u32 mask;
	u32 max_segs;
	u32 stalled;
	struct napi_struct napi;
	struct u64_stats_sync sync;
	u64_stats_t stat[VNET_TX_NR_STATS];
};

struct vbus_net_rx_buf {
	struct page *page;
	dma_addr_t dma;
};

/**
 * struct vbus_net_rx - receive queue
 * @vn: the card
 * @vq: the ring; NULL while down
 * @pool: where pages come from and return to
 * @buf: as many as ring slots, used in ring order
 * @head: next buffer to post, free running
 * @tail: oldest buffer posted, free running
 * @mask: ring size - 1
 * @napi: receives
 * @refill: tries again when there was no memory
 * @sync: for readers of @stat on 32 bits
 * @stat: VNET_RX_*
 */
struct vbus_net_rx {
	struct vbus_net *vn;
	struct vproxy_queue *vq;
	struct page_pool *pool;
	struct vbus_net_rx_buf *buf;
	u32 head;
	u32 tail;
	u32 mask;
	struct napi_struct napi;
	struct delayed_work refill;
	struct u64_stats_sync sync;
	u64_stats_t stat[VNET_RX_NR_STATS];
};

struct vbus_net_pair {
	struct vbus_net_rx rx;
	struct vbus_net_tx tx;
};

/**
 * struct vbus_net - a card; private part of its net_device
 * @dev: the net_device
 * @vdev: the device on the bus
 * @pair: queue pairs
 * @nr_pairs: how many
 * @rx_size: receive ring size wanted
 * @tx_size: transmit ring size wanted
 * @speed: Mbit/s, or SPEED_UNKNOWN
 * @link_lock: see the head of this file
 * @up: queues run and the carrier follows the host
 * @stale: negotiation has to be done again
 * @broken: the host violated the protocol; cleared by the next up
 * @reset: restarts the queues after a transmit timeout
 */
struct vbus_net {
	struct net_device *dev;
	struct vproxy_device *vdev;
	struct vbus_net_pair *pair;
	unsigned int nr_pairs;
	u32 rx_size;
	u32 tx_size;
	u32 speed;
	struct mutex link_lock;	/* @up and the carrier */
	bool up;
	bool stale;
	unsigned long broken;
	struct work_struct reset;
};

static inline void vbus_net_rx_count(struct vbus_net_rx *rx, int nr, u32 n)
{
	u64_stats_update_begin(&rx->sync);
	u64_stats_add(&rx->stat[nr], n);
	u64_stats_update_end(&rx->sync);
}

static inline void vbus_net_tx_count(struct vbus_net_tx *tx, int nr, u32 n)
{
	u64_stats_update_begin(&tx->sync);
	u64_stats_add(&tx->stat[nr], n);
	u64_stats_update_end(&tx->sync);
}

/* main.c */
int vbus_net_up(struct vbus_net *vn);
void vbus_net_down(struct vbus_net *vn);
void vbus_net_broken(struct vbus_net *vn, const char *what);

/* hdr.c */

/**
 * struct vbus_net_offload - what a received header asks for, checked
 * @partial: checksum is to be filled in at @csum_start + @csum_offset
 * @valid: checksum was verified
 * @csum_start: from the start of the frame
 * @csum_offset: from @csum_start
 * @gso_type: SKB_GSO_* or 0
 * @gso_size: payload bytes of one segment
 */
struct vbus_net_offload {
	bool partial;
	bool valid;
	u16 csum_start;
	u16 csum_offset;
	unsigned int gso_type;
	u16 gso_size;
};

int vbus_net_hdr_fill(struct vbus_net_hdr *hdr, const struct sk_buff *skb);
netdev_features_t vbus_net_features_check(struct sk_buff *skb,
					  struct net_device *dev,
					  netdev_features_t features);
int vbus_net_hdr_parse(const struct vbus_net_hdr *hdr, const u8 *frame,
		       u32 head_len, u32 len, u64 features,
		       struct vbus_net_offload *off);

/* tx.c */
netdev_tx_t vbus_net_xmit(struct sk_buff *skb, struct net_device *dev);
int vbus_net_tx_poll(struct napi_struct *napi, int budget);
int vbus_net_tx_setup(struct vbus_net_tx *tx, struct vproxy_queue *vq);
void vbus_net_tx_free(struct vbus_net_tx *tx);

/* rx.c */
int vbus_net_rx_poll(struct napi_struct *napi, int budget);
void vbus_net_rx_refill_work(struct work_struct *work);
int vbus_net_rx_setup(struct vbus_net_rx *rx, struct vproxy_queue *vq);
void vbus_net_rx_free(struct vbus_net_rx *rx);

/* ethtool.c */
extern const struct ethtool_ops vbus_net_ethtool_ops;

#endif /* _VNET_H */
