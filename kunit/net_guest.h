/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest of the host model "net", for its suites: plays the driver by hand, over
 * a session in this kernel's own memory, so that it can do what no driver would.
 *
 * The device is net.kt0 in slot 1 of bus kt, its host end vkt0.  A suite calls
 * net_guest_create() in a case and net_guest_destroy() in its exit hook, which
 * also cleans up after a case that died.
 */
#ifndef _VBUS_KUNIT_NET_GUEST_H
#define _VBUS_KUNIT_NET_GUEST_H

#include <kunit/test.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/vbus_net.h>
#include "conn_guest.h"

#define NET_GUEST_BUF		(256 * 1024)
#define NET_GUEST_RX		0
#define NET_GUEST_TX		1

#define NET_GUEST_ALL							\
	(VBUS_NET_F_CSUM | VBUS_NET_F_GUEST_CSUM | VBUS_NET_F_TSO |	\
	 VBUS_NET_F_GUEST_TSO | VBUS_NET_F_ECN | VBUS_NET_F_GUEST_ECN |	\
	 VBUS_NET_F_USO | VBUS_NET_F_GUEST_USO)

/**
 * struct net_guest - the guest
 * @test: current case
 * @base: all that is not of the class
 * @ndev: host end, referenced
 * @seen: frames the host end received
 * @tap: fills @seen
 */
struct net_guest {
	struct kunit *test;
	struct conn_guest base;
	struct net_device *ndev;
	struct sk_buff_head seen;
	struct packet_type tap;
};

/* Device made, plugged and opened; not started; its host end is down. */
struct net_guest *net_guest_create(struct kunit *test, const char *queues);
void net_guest_destroy(struct net_guest *g);

void net_guest_config(struct net_guest *g, struct vbus_net_config *config);

/* All of it up to RUNNING, with the first @pairs; the host end is set up too. */
int net_guest_start(struct net_guest *g, u64 features, u32 pairs, u32 size);
void net_guest_up(struct net_guest *g, bool up);

/* Transmit one chain and take its completion; -EIO if that broke the device. */
int net_guest_send(struct net_guest *g, const struct ioq_seg *segs, u32 n);
/* Post a chain of @n writable pieces that follow each other from buf + @off. */
int net_guest_post(struct net_guest *g, u32 off, const u32 *lens, u32 n);
/* Let the host end transmit, as the stack does; NETDEV_TX_*. */
int net_guest_host_xmit(struct net_guest *g, struct sk_buff *skb, bool more);
/* A frame of an experimental EtherType with a pattern in it. */
struct sk_buff *net_guest_frame(struct net_guest *g, u32 len);

/* Offsets of the transport header. */
#define NET_GUEST_TH4	(ETH_HLEN + sizeof(struct iphdr))
#define NET_GUEST_TH6	(ETH_HLEN + sizeof(struct ipv6hdr))

/* Frames of a pattern with headers; V: VLAN tags, X: an extension header. */
enum net_guest_kind {
	NG_RAW, NG_TCP4, NG_TCP6, NG_UDP4, NG_UDP6, NG_VTCP4, NG_VVTCP4,
	NG_XTCP6
};

/* An Ethernet header to the host end; its length. */
u32 net_guest_put_eth(struct net_guest *g, u8 *frame, u16 proto, u32 tags);
/* Header at the start of buf, a frame behind it; the frame. */
void net_guest_put_hdr(struct net_guest *g, const struct vbus_net_hdr *hdr);
u8 *net_guest_put_frame(struct net_guest *g, enum net_guest_kind kind, u32 len);
/* Send both as one segment; as net_guest_send(). */
int net_guest_send_all(struct net_guest *g, u32 len);
/* Header of a frame whose checksum, and GSO, are left to the host. */
struct vbus_net_hdr net_guest_offload(u8 gso, u16 start, u16 offset, u16 size);

/* What is not of the class, for suites that have only to do with this one. */
static inline u64 net_guest_addr(struct net_guest *g, u32 off)
{
	return conn_guest_addr(&g->base, off);
}

static inline u64 net_guest_stat(struct net_guest *g, const char *name)
{
	return conn_guest_stat(&g->base, name);
}

static inline u32 net_guest_reg(struct net_guest *g, u32 off)
{
	return conn_guest_reg(&g->base, off);
}

static inline int net_guest_set(struct net_guest *g, u32 off, u32 val)
{
	return conn_guest_set(&g->base, off, val);
}

static inline bool net_guest_broken(struct net_guest *g)
{
	return conn_guest_broken(&g->base);
}

static inline int net_guest_negotiate(struct net_guest *g, u64 features)
{
	return conn_guest_negotiate(&g->base, features);
}

static inline int net_guest_enable(struct net_guest *g, u32 queue, u32 size)
{
	return conn_guest_enable(&g->base, queue, size);
}

static inline void net_guest_reset(struct net_guest *g)
{
	conn_guest_reset(&g->base);
}

static inline void net_guest_kick(struct net_guest *g, u32 q)
{
	conn_guest_kick(&g->base, q);
}

static inline u8 net_guest_pattern(u32 i)
{
	return i * 7 + (i >> 8) * 13 + 1;
}

#endif /* _VBUS_KUNIT_NET_GUEST_H */
