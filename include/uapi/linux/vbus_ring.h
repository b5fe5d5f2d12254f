/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Shared-memory layout of the vbus ring; Documentation/ring.rst explains it.
 *
 * This file owns the layout and nothing else: no functions, no policy. The
 * side that owns the memory ("north", a guest driver) writes descriptors and
 * reads completions; the other side ("south", a host model) does the reverse.
 * Ordering rules live with the algorithm, not here.
 */
#ifndef _UAPI_LINUX_VBUS_RING_H
#define _UAPI_LINUX_VBUS_RING_H

#include <linux/types.h>

/* Ring sizes are powers of two between these, both included. */
#define VBUS_RING_MIN_SIZE	2
#define VBUS_RING_MAX_SIZE	32768

/* Most entries an indirect table may have. */
#define VBUS_RING_MAX_TABLE	1024

/* The whole area starts on such a boundary. */
#define VBUS_RING_ALIGN		64

/* One 64-bit control word: length in bits 0-31, id in 32-47, flags above. */
#define VBUS_RING_LEN_MASK	0x00000000ffffffffULL
#define VBUS_RING_ID_SHIFT	32
#define VBUS_RING_ID_MASK	0x0000ffff00000000ULL
#define VBUS_RING_FLAGS_MASK	0xffff000000000000ULL

/*
 * AVAIL carries the phase of the lap: at free-running position p of a ring
 * of n entries a written entry has AVAIL == !(p & n), so zeroed memory is an
 * empty ring. Completion entries use AVAIL alone.
 */
#define VBUS_RING_AVAIL		(1ULL << 48)
/* The chain goes on in the next slot. */
#define VBUS_RING_NEXT		(1ULL << 49)
/* South writes this segment; it reads those without the flag. */
#define VBUS_RING_WRITE		(1ULL << 50)
/* addr and len name a table of descriptors; alone in its chain. */
#define VBUS_RING_INDIRECT	(1ULL << 51)

#define VBUS_RING_DESC_FLAGS	(VBUS_RING_AVAIL | VBUS_RING_NEXT | \
				 VBUS_RING_WRITE | VBUS_RING_INDIRECT)

/**
 * struct vbus_ring_desc - one slot of the descriptor ring, or of a table
 * @addr: address of the segment as south sees it
 * @ctl: length, id and flags in one word, loaded and stored once
 *
 * Every slot of a chain carries the chain's id. In an indirect table only
 * @addr, the length and VBUS_RING_WRITE have a meaning; all else is zero.
 */
struct vbus_ring_desc {
	__le64 addr;
	__le64 ctl;
};

/**
 * struct vbus_ring_events - when each side wants to hear from the other
 * @signal_event: written by north: number of the completed chain it wants a
 *	signal for (free running, the first chain ever is 0)
 * @reserved0: zero
 * @kick_event: written by south: position of the descriptor slot it wants a
 *	kick for (free running, the first slot ever is 0)
 * @reserved1: zero
 *
 * One cache line for each writer. An event left where it is lies in the past
 * and suppresses further notifications.
 */
struct vbus_ring_events {
	__le32 signal_event;
	__le32 reserved0[15];
	__le32 kick_event;
	__le32 reserved1[15];
};

/* Offsets inside the one contiguous area, and its length. */
#define VBUS_RING_EVENTS_OFFSET		0
#define VBUS_RING_DESC_OFFSET		128
#define VBUS_RING_COMP_OFFSET(size)	(128 + (size) * 16)
#define VBUS_RING_BYTES(size)		(128 + (size) * 24)

#endif /* _UAPI_LINUX_VBUS_RING_H */
