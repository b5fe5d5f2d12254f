/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The vbus ring: what both sides share, and the way to both halves.
 *
 * One source for the host kernel, the guest kernel and userspace (see
 * ring_user.h). The layout is in <linux/vbus_ring.h>, the whole argument in
 * Documentation/ring.rst. Needs 64-bit loads and stores that do not tear.
 *
 * Each side of a queue is single threaded: the caller serialises all calls
 * on one struct ioq_north, and all calls on one struct ioq_south. Between
 * the sides there are no locks, only these barriers; a letter names a pair:
 *
 *   A  north's store-release of a batch's first descriptor control word, in
 *      ioq_north_publish(), with south's load-acquire of control words in
 *      ioq_south_get(): a side that sees the word sees the whole batch, its tables
 *      and its buffers.
 *   B  south's store-release of a batch's first completion, in
 *      ioq_south_publish(), with north's load-acquire of completions in
 *      ioq_north_get(): a side that sees it sees the rest of the batch and the data
 *      written, and may reuse slots that south had read before.
 *   C  the full barriers in ioq_north_kick_needed() (between publishing and
 *      reading kick_event) and in ioq_south_enable_kicks() (between writing
 *      kick_event and looking at the ring again): one of the two sees the
 *      other's store, so no kick is lost.
 *   D  the same between ioq_south_signal_needed() and
 *      ioq_north_enable_signals() for signal_event and completions.
 *
 * The virt_ forms are used because a kernel built for one CPU still runs
 * against a peer on another.
 */
#ifndef _VBUS_RING_H
#define _VBUS_RING_H

#ifdef __KERNEL__
#include <linux/errno.h>
#include <linux/limits.h>
#include <linux/overflow.h>
#include <linux/prefetch.h>
#include <linux/string.h>
#include <linux/types.h>
#include <asm/barrier.h>
#include <asm/byteorder.h>
#else
#include "ring_user.h"
#endif
#include <linux/vbus_ring.h>

/*
 * How far ahead lines are fetched: entries written with a prefetch for
 * writing, which turns the wait for ownership of a line the peer has read
 * into overlap, and entries to be read, which are there when the batch is.
 * Measured; see "Cache lines" in Documentation/ring.rst.
 */
#define IOQ_WRITE_AHEAD		16
#define IOQ_READ_AHEAD		8

/* Both sides know it: chains complete in the order they were made. */
#define IOQ_F_IN_ORDER		0x1U
#define IOQ_F_ALL		IOQ_F_IN_ORDER

static_assert(sizeof(struct vbus_ring_desc) == 16, "layout");
static_assert(sizeof(struct vbus_ring_events) == VBUS_RING_DESC_OFFSET,
	      "layout");
static_assert(offsetof(struct vbus_ring_events, kick_event) == 64, "layout");

/**
 * struct ioq_seg - one piece of memory of a chain
 * @addr: address as south sees it
 * @len: bytes, never 0
 * @write: south writes it (1) or reads it (0)
 */
struct ioq_seg {
	u64 addr;
	u32 len;
	u32 write;
};

/**
 * struct ioq_pos - where a quiescent ring stands, for detach and attach
 * @desc: position of the next descriptor slot
 * @comp: position of the next completion entry
 * @chain: number of the next chain
 *
 * All are free running; all zero is a fresh ring. @chain equals @comp unless
 * the queue is in order.
 */
struct ioq_pos {
	u32 desc;
	u32 comp;
	u32 chain;
};

/**
 * ioq_size_valid() - may a ring have this many entries?
 * @size: number of descriptor slots and of completion entries
 *
 * Return: true for a power of two within the limits of the layout.
 */
static inline bool ioq_size_valid(u32 size)
{
	return size >= VBUS_RING_MIN_SIZE && size <= VBUS_RING_MAX_SIZE &&
	       !(size & (size - 1));
}

/**
 * ioq_bytes() - length of the shared area
 * @size: ring size
 *
 * Return: bytes, aligned to VBUS_RING_ALIGN where the area starts.
 */
static inline size_t ioq_bytes(u32 size)
{
	return VBUS_RING_BYTES((size_t)size);
}

/* Entries per cache line, less one: a prefetch once a line is enough. */
#define IOQ_DESC_LINE_MASK	3
#define IOQ_COMP_LINE_MASK	7

/* Control-word flag of an entry written at @pos; @mask is size - 1. */
static __always_inline u64 ioq_phase(u32 pos, u32 mask)
{
	return pos & (mask + 1) ? 0 : VBUS_RING_AVAIL;
}

/* Has the entry at @pos, whose word is @word, been written in this lap? */
static __always_inline bool ioq_written(u64 word, u32 pos, u32 mask)
{
	return (word & VBUS_RING_AVAIL) == ioq_phase(pos, mask);
}

static __always_inline u32 ioq_word_len(u64 word)
{
	return (u32)word;
}

static __always_inline u32 ioq_word_id(u64 word)
{
	return (word >> VBUS_RING_ID_SHIFT) & 0xffff;
}

/*
 * Did the move from @old to @new pass @event? All free running, so the
 * differences are right across the wrap at 2^32.
 */
static __always_inline bool ioq_need_event(u32 event, u32 new, u32 old)
{
	return (u32)(new - event - 1) < (u32)(new - old);
}

#include "ring_north.h"
#include "ring_south.h"

#endif /* _VBUS_RING_H */
