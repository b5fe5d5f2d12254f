/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Class "net": an Ethernet card.
 *
 * Queue pair n is queue 2n (receive: host to guest) and 2n + 1 (transmit:
 * guest to host).  All queues complete in order.  The guest enables both queues
 * of pairs 0 to n - 1 for any n it likes, at least 1.
 *
 * Transmit: a chain of readable segments; the first VBUS_NET_HDR_SIZE bytes
 * are a struct vbus_net_hdr, the frame follows (Ethernet header first).  The
 * header may share a segment with the frame.
 *
 * Receive: the guest posts chains of writable segments.  A frame fills one or
 * more consecutive chains, at most VBUS_NET_MAX_CHAINS; the header stands at
 * the start of the first and its nr_chains says how many the frame took.  Each
 * chain is completed by an entry of its own, its length the number of bytes
 * written into that chain, header included; all but the last are full.  Every
 * chain has room for VBUS_NET_HDR_SIZE bytes at least.  A frame that does not
 * fit into VBUS_NET_MAX_CHAINS chains, or into the whole ring, is dropped.
 *
 * What only a driver can get wrong breaks the device (NEEDS_RESET): chains,
 * addresses, nr_chains and reserved fields, flags and gso types that do not
 * exist or that were not accepted.  A driver may get everything else from a user
 * of its machine: a header whose numbers make no sense, or do not match the
 * frame, costs that frame, which is dropped and counted.
 */
#ifndef _UAPI_LINUX_VBUS_NET_H
#define _UAPI_LINUX_VBUS_NET_H

#include <linux/const.h>
#include <linux/types.h>

#define VBUS_NET_VERSION	1

/* Feature bits. The guest direction is what the guest can receive. */
#define VBUS_NET_F_CSUM		_BITULL(0)	/* host takes partial checksums */
#define VBUS_NET_F_GUEST_CSUM	_BITULL(1)	/* guest takes partial checksums */
#define VBUS_NET_F_TSO		_BITULL(2)	/* host takes TCPv4/v6 GSO; needs CSUM */
#define VBUS_NET_F_GUEST_TSO	_BITULL(3)	/* guest takes GSO; needs GUEST_CSUM */
#define VBUS_NET_F_ECN		_BITULL(4)	/* host takes GSO with ECN (CWR) */
#define VBUS_NET_F_GUEST_ECN	_BITULL(5)	/* guest takes GSO with ECN */
#define VBUS_NET_F_USO		_BITULL(6)	/* host takes UDP GSO; needs CSUM */
#define VBUS_NET_F_GUEST_USO	_BITULL(7)	/* guest takes UDP GSO */
/* ECN needs TSO, USO needs CSUM; the same for the guest direction. */

/**
 * struct vbus_net_config - config space of a net device (read-only)
 * @mac: Ethernet address
 * @link: 1 while the host end is up, else 0; a change raises the config signal
 * @mtu: MTU of the link in bytes, Ethernet header not counted; 68..65535
 * @nr_pairs: number of queue pairs, 1..VBUS_NET_MAX_PAIRS
 * @speed: link speed in Mbit/s, 0 unknown
 * @reserved: zero
 */
struct vbus_net_config {
	__u8 mac[6];
	__le16 link;
	__le32 mtu;
	__le32 nr_pairs;
	__le32 speed;
	__le32 reserved[3];
};

#define VBUS_NET_MAX_PAIRS	64
#define VBUS_NET_MAX_CHAINS	64
#define VBUS_NET_MTU_MIN	68
#define VBUS_NET_MTU_MAX	65535

/*
 * Most segments of a frame with GSO, as a bound to the work that one frame makes.
 * For TCP they hold the longest frame at the least MSS of Linux: 48 bytes, less the
 * options of established connections, 12.  For UDP it is the limit of UDP_SEGMENT.
 */
#define VBUS_NET_TCP_SEGS_MAX	2048
#define VBUS_NET_UDP_SEGS_MAX	128

/*
 * vbus_net_hdr.flags; at most one of them, and none unless CSUM (transmit) or
 * GUEST_CSUM (receive) was accepted.
 */
#define VBUS_NET_HDR_PARTIAL	0x1	/* checksum to be filled in at csum_* */
#define VBUS_NET_HDR_VALID	0x2	/* checksum was verified by the sender side */

/* vbus_net_hdr.gso_type */
#define VBUS_NET_GSO_NONE	0
#define VBUS_NET_GSO_TCPV4	1
#define VBUS_NET_GSO_TCPV6	2
#define VBUS_NET_GSO_UDP	3	/* UDP_L4: one datagram per gso_size */
#define VBUS_NET_GSO_ECN	0x80	/* flag: with CWR set on the first */

/**
 * struct vbus_net_hdr - precedes every frame in both directions
 * @flags: VBUS_NET_HDR_*; unknown bits are a protocol violation
 * @gso_type: VBUS_NET_GSO_*; anything but NONE needs VBUS_NET_HDR_PARTIAL; an
 *	unknown type is a protocol violation
 * @hdr_len: bytes of Ethernet, IP and transport header; with GSO past
 *	@csum_start, else a hint or zero; never more than the frame
 * @gso_size: payload bytes per segment, not zero with GSO, else zero; so large
 *	that there are no more than VBUS_NET_TCP_SEGS_MAX or
 *	VBUS_NET_UDP_SEGS_MAX segments
 * @csum_start: offset from the start of the frame where summing begins, not
 *	inside the Ethernet header; zero without VBUS_NET_HDR_PARTIAL
 * @csum_offset: offset from @csum_start of the 16-bit checksum field, which
 *	lies inside the frame; zero without VBUS_NET_HDR_PARTIAL
 * @nr_chains: receive: chains this frame took; transmit: zero
 * @reserved: zero
 */
struct vbus_net_hdr {
	__u8 flags;
	__u8 gso_type;
	__le16 hdr_len;
	__le16 gso_size;
	__le16 csum_start;
	__le16 csum_offset;
	__le16 nr_chains;
	__le32 reserved;
};

#define VBUS_NET_HDR_SIZE	16

#endif /* _UAPI_LINUX_VBUS_NET_H */
