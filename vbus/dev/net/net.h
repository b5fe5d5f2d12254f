/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Host model "net": private types.
 *
 * Directions are the guest's: "tx" is what the guest transmits and the host's
 * interface receives, "rx" is what the host's interface transmits and the guest
 * receives.  Each pair has one struct vdm_net_tx and one struct vdm_net_rx, and
 * nothing on the data path is shared between pairs.
 *
 * Who may touch what:
 *	vdm_net_tx	the pair's NAPI poll, which is enabled from start to stop
 *	vdm_net_rx	the holder of the pair's netdev tx queue lock; .q is NULL
 *			unless the guest runs
 *	vdm_net.config	dev->config_lock of the core (config_read, or the update
 *			hook of vbus_device_config_changed())
 *	attributes	dev->lock; they do not change while the device is enabled
 * Both counter arrays have the one writer named above; readers use syncp.
 *
 * Memory of the guest is reached by vbus_mem_read() and vbus_mem_write() inside
 * an RCU read-side section, and is never looked at twice.
 */
#ifndef _VDM_NET_H
#define _VDM_NET_H

#include <linux/cache.h>
#include <linux/if_ether.h>
#include <linux/if_vlan.h>
#include <linux/irq_work.h>
#include <linux/netdevice.h>
#include <linux/timer.h>
#include <linux/u64_stats_sync.h>
#include <linux/vbus_net.h>
#include <vbus/host/model.h>

#define VDM_NET_FEATURES						\
	(VBUS_NET_F_CSUM | VBUS_NET_F_GUEST_CSUM |			\
	 VBUS_NET_F_TSO | VBUS_NET_F_GUEST_TSO |			\
	 VBUS_NET_F_ECN | VBUS_NET_F_GUEST_ECN |			\
	 VBUS_NET_F_USO | VBUS_NET_F_GUEST_USO)

#define VDM_NET_RING_MAX	4096

/*
 * A Linux skb is a head and 17 fragments, and a guest may want the header apart
 * and fragments split at its page boundaries.
 */
#define VDM_NET_TX_SEG_MAX	64

/* 64 KiB in single pages, with room to spare. */
#define VDM_NET_RX_SEG_MAX	32

/* Segments of all chains of one frame. */
#define VDM_NET_RX_SEGS		256

/* The longest frame: the largest MTU, two VLAN tags. */
#define VDM_NET_FRAME_MAX	(VBUS_NET_MTU_MAX + ETH_HLEN + 2 * VLAN_HLEN)

/*
 * Frames up to this size, and the headers of longer ones, go to the linear
 * part of the skb: 128 holds Ethernet, IPv6 and TCP with all options.
 */
#define VDM_NET_LINEAR		128
#define VDM_NET_LINEAR_MAX	256

/*
 * A poll ends when its frames came to so many bytes, or to so many segments, and
 * counts as one that used up its budget: a budget of 64 frames was made for frames
 * of one MTU, and the largest are 40 times as long and may be cut up, by whoever the
 * stack hands them to within the poll, into thousands.  The bytes are those of
 * vhost-net; a poll in full frames of 64 KiB and an MTU of 1500 has 360 segments, so
 * only frames of small segments come to the second limit.  One frame may go beyond
 * either.
 */
#define VDM_NET_TX_POLL_BYTES	0x80000
#define VDM_NET_TX_POLL_SEGS	2048

/*
 * Looks at the ring for one frame, under the lock of the stack's queue: a guest
 * that posts while we look ends it after two, one that blinks never would.
 */
#define VDM_NET_RX_ROUNDS	8

/* A guest that takes no frame for so long has its frames dropped. */
#define VDM_NET_STALL		(5 * HZ)

enum vdm_net_tx_stat {
	VDM_NET_TX_PACKETS,
	VDM_NET_TX_BYTES,
	VDM_NET_TX_POLLS,
	VDM_NET_TX_SIGNALS,
	VDM_NET_TX_DROP_LENGTH,		/* too short or too long */
	VDM_NET_TX_DROP_OFFLOAD,	/* header and frame do not match */
	VDM_NET_TX_DROP_DOWN,		/* the host end is down */
	VDM_NET_TX_DROP_NOMEM,
	VDM_NET_TX_STATS,
};

enum vdm_net_rx_stat {
	VDM_NET_RX_PACKETS,
	VDM_NET_RX_BYTES,
	VDM_NET_RX_CHAINS,
	VDM_NET_RX_STOPS,		/* no buffers: queue stopped */
	VDM_NET_RX_SIGNALS,
	VDM_NET_RX_DROP_NOGUEST,	/* no guest, or it broke the queue */
	VDM_NET_RX_DROP_NOROOM,		/* can never fit into its buffers */
	VDM_NET_RX_DROP_STALLED,	/* took nothing for VDM_NET_STALL */
	VDM_NET_RX_DROP_OFFLOAD,	/* a kind of GSO we cannot describe */
	VDM_NET_RX_STATS,
};

/* Both directions count doorbells, in any context: see vdm_net_kick(). */
#define VDM_NET_NR_STATS	(VDM_NET_TX_STATS + 1 + VDM_NET_RX_STATS + 1)

struct vdm_net;
struct vdm_net_pair;

struct vdm_net_tx {
	struct napi_struct napi;
	struct vbus_queue *q;
	struct vbus_mem *mem;
	u64 features;
	bool dead;
	struct page_frag frag;
	struct irq_work work;
	unsigned long __percpu *kicks;
	struct u64_stats_sync syncp;
	u64_stats_t stats[VDM_NET_TX_STATS];
	struct ioq_seg segs[VDM_NET_TX_SEG_MAX];
};

/* One fetched chain of the frame that is being received. */
struct vdm_net_rx_chain {
	u32 id;
	u32 in_len;
};

struct vdm_net_rx {
	struct vbus_queue *q;
	struct vbus_mem *mem;
	u64 features;
	bool waiting;			/* stopped since the last frame */
	bool dropping;			/* the timer fired */
	u32 nr_chains;			/* of the current frame: */
	u32 nr_segs;
	u32 nr_slots;
	u32 room;
	struct timer_list stall;
	struct irq_work work;
	unsigned long __percpu *kicks;
	struct u64_stats_sync syncp;
	u64_stats_t stats[VDM_NET_RX_STATS];
	struct vdm_net_rx_chain chains[VBUS_NET_MAX_CHAINS];
	struct ioq_seg segs[VDM_NET_RX_SEGS];
};

struct vdm_net_pair {
	struct net_device *ndev;
	u16 index;
	u32 tx_size;			/* ring sizes, 0 while not running */
	u32 rx_size;
	struct vdm_net_tx tx ____cacheline_aligned_in_smp;
	struct vdm_net_rx rx ____cacheline_aligned_in_smp;
};

/* What netdev_priv() of the host end is. */
struct vdm_net_port {
	struct vdm_net *net;
	u64 features;			/* accepted by the guest */
	u32 active;			/* pairs the guest enabled */
	u32 nr_pairs;
	struct vdm_net_pair *pairs;
};

struct vdm_net {
	struct vbus_device dev;
	/* attributes */
	u8 mac[ETH_ALEN];
	u32 mtu;
	u32 queues;
	char ifname[IFNAMSIZ];
	/* while enabled */
	struct net_device *ndev;
	struct vbus_net_config config;
};

static inline struct vdm_net *to_vdm_net(struct vbus_device *dev)
{
	return container_of(dev, struct vdm_net, dev);
}

/**
 * struct vdm_net_offload - a struct vbus_net_hdr that was checked, in CPU order
 * @flags: VBUS_NET_HDR_*
 * @gso_type: VBUS_NET_GSO_* without the ECN flag
 * @ecn: VBUS_NET_GSO_ECN was set
 * @hdr_len: within the frame
 * @gso_size: not zero with GSO
 * @csum_start: with PARTIAL, the checksum field is within the frame
 * @csum_offset: from @csum_start
 */
struct vdm_net_offload {
	u8 flags;
	u8 gso_type;
	bool ecn;
	u16 hdr_len;
	u16 gso_size;
	u16 csum_start;
	u16 csum_offset;
};

/* main.c */
void vdm_net_kick(struct vbus_queue *q);
int vdm_net_accept(struct vbus_device *dev, u64 features);

/* configfs.c */
extern struct configfs_attribute *vdm_net_attrs[];
void vdm_net_set_defaults(struct vdm_net *net, const char *name);

/* hdr.c */
int vdm_net_hdr_check(const struct vbus_net_hdr *hdr, u32 len, u64 features,
		      struct vdm_net_offload *off);
int vdm_net_hdr_apply(struct sk_buff *skb, const struct vdm_net_offload *off);
bool vdm_net_hdr_large(const struct sk_buff *skb);
int vdm_net_hdr_fill(const struct sk_buff *skb, u64 features, u32 nr_chains,
		     struct vbus_net_hdr *hdr);

/* port.c */
void vdm_net_port_broken(struct net_device *ndev);
int vdm_net_port_create(struct vdm_net *net);
void vdm_net_port_destroy(struct vdm_net *net);

/* ethtool.c */
extern const struct ethtool_ops vdm_net_ethtool_ops;
extern const char *const vdm_net_stat_names[VDM_NET_NR_STATS];
void vdm_net_pair_stats(struct vdm_net_pair *pair, u64 *v);
u64 vdm_net_stat(struct vbus_device *dev, unsigned int nr);

/* tx.c */
int vdm_net_tx_poll(struct napi_struct *napi, int budget);
void vdm_net_tx_init(struct vdm_net_pair *pair);
void vdm_net_tx_start(struct vdm_net_pair *pair, struct vbus_queue *q);
void vdm_net_tx_stop(struct vdm_net_pair *pair);

/* rx.c */
netdev_tx_t vdm_net_rx_xmit(struct sk_buff *skb, struct net_device *ndev);
netdev_features_t vdm_net_rx_features(struct sk_buff *skb,
				      struct net_device *ndev,
				      netdev_features_t features);
void vdm_net_rx_init(struct vdm_net_pair *pair);
void vdm_net_rx_start(struct vdm_net_pair *pair, struct vbus_queue *q);
void vdm_net_rx_stop(struct vdm_net_pair *pair);

#endif /* _VDM_NET_H */
