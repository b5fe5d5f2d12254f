/* SPDX-License-Identifier: GPL-2.0 */
/*
 * North side of the vbus ring: owns the memory, adds chains, reaps them.
 *
 * Include vbus/ring.h, which names the barrier pairs A to D used here and
 * says who must serialise. North's private state (cookies, free ids, room)
 * is never in shared memory, and nothing south writes is used before it is
 * checked against that state; the first bad entry breaks the queue for good.
 */
#ifndef _VBUS_RING_NORTH_H
#define _VBUS_RING_NORTH_H

/* Private state of one id; slots == 0 says the id is free. */
struct ioq_north_slot {
	void *cookie;
	u32 in_len;		/* bytes south may report as written */
	u32 slots;
};

/* Beside IOQ_F_*: the queue is broken, and its chains are being taken back. */
#define IOQ_N_BROKEN		0x80U
#define IOQ_N_DETACHING		0x40U

/**
 * struct ioq_north - north's handle of one ring; fields are private
 *
 * What add and get touch lies in the first 64 bytes, so a handle that starts
 * on a cache line costs one line.
 */
struct ioq_north {
	/* private: */
	struct vbus_ring_desc *desc;
	__le64 *comp;
	struct ioq_north_slot *slot;
	u16 *ids;		/* out of order: free ids from [outstanding] on */
	u64 first;		/* withheld control word of the batch */
	/*
	 * Neighbours are written by the same operation: a compiler that loads two
	 * of them at once must not find them in two pending stores.
	 */
	u32 desc_pos;		/* add: next slot to fill */
	u32 head;		/* add: chains added */
	u32 comp_pos;		/* get: next completion to read */
	u32 tail;		/* get: chains handed back */
	u32 room;		/* slots not held by outstanding chains */
	u32 pub_pos;		/* south may see what is before it */
	u16 mask;
	u8 flags;		/* IOQ_F_*, IOQ_N_* */
	/* not touched by every operation: */
	struct vbus_ring_events *ev;
	u32 kicked;		/* pub_pos at the last kick decision */
	u32 batch_end;		/* in order: tail may go up to here */
	u32 batch_len;		/* in order: length for the last of them */
};

/**
 * ioq_north_state_bytes() - size of the private state to allocate
 * @size: ring size
 *
 * Return: bytes for the @state argument of ioq_north_init().
 */
static inline size_t ioq_north_state_bytes(u32 size)
{
	return size * (sizeof(struct ioq_north_slot) + sizeof(u16));
}

/**
 * ioq_north_init_at() - make an empty ring that starts at given positions
 * @q: handle to set up
 * @area: shared memory of ioq_bytes(@size), overwritten
 * @size: ring size
 * @flags: IOQ_F_IN_ORDER or 0, as south has it
 * @state: private memory of ioq_north_state_bytes(@size), overwritten
 * @pos: positions, all zero for a fresh ring
 *
 * Return: 0, or -EINVAL for a bad size, alignment or flag.
 */
static inline int ioq_north_init_at(struct ioq_north *q, void *area, u32 size,
				    u32 flags, void *state,
				    const struct ioq_pos *pos)
{
	struct vbus_ring_desc *desc;
	__le64 *comp;
	u32 i, mask;

	if (!ioq_size_valid(size) || (flags & ~IOQ_F_ALL) ||
	    (unsigned long)area & (VBUS_RING_ALIGN - 1))
		return -EINVAL;
	mask = size - 1;
	memset(q, 0, sizeof(*q));
	memset(area, 0, ioq_bytes(size));
	memset(state, 0, ioq_north_state_bytes(size));
	desc = (void *)((char *)area + VBUS_RING_DESC_OFFSET);
	comp = (void *)((char *)area + VBUS_RING_COMP_OFFSET((size_t)size));

	/* Every entry looks as one lap ago left it: not written in this one. */
	for (i = 0; i < size; i++) {
		desc[(pos->desc + i) & mask].ctl =
			cpu_to_le64(ioq_phase(pos->desc + i - size, mask));
		comp[(pos->comp + i) & mask] =
			cpu_to_le64(ioq_phase(pos->comp + i - size, mask));
	}
	q->desc = desc;
	q->comp = comp;
	q->slot = state;
	q->ids = (u16 *)(q->slot + size);
	q->ev = area;
	q->ev->signal_event = cpu_to_le32(pos->chain);
	q->ev->kick_event = cpu_to_le32(pos->desc);
	q->mask = mask;
	q->flags = flags;
	q->room = size;
	q->desc_pos = pos->desc;
	q->pub_pos = pos->desc;
	q->kicked = pos->desc - size;
	q->comp_pos = pos->comp;
	q->head = pos->chain;
	q->tail = pos->chain;
	q->batch_end = pos->chain;
	for (i = 0; i < size; i++)
		q->ids[i] = i;
	return 0;
}

/**
 * ioq_north_init() - make a fresh, empty ring
 * @q: handle to set up
 * @area: shared memory of ioq_bytes(@size), overwritten
 * @size: ring size
 * @flags: IOQ_F_IN_ORDER or 0, as south has it
 * @state: private memory of ioq_north_state_bytes(@size), overwritten
 *
 * Return: 0, or -EINVAL for a bad size, alignment or flag.
 */
static inline int ioq_north_init(struct ioq_north *q, void *area, u32 size,
				 u32 flags, void *state)
{
	static const struct ioq_pos zero;

	return ioq_north_init_at(q, area, size, flags, state, &zero);
}

/* From here on the queue moves nothing any more; no room, no completions. */
static inline void ioq_north_break(struct ioq_north *q)
{
	q->flags |= IOQ_N_BROKEN;
	q->room = 0;
}

/**
 * ioq_north_broken() - has south violated the protocol?
 * @q: the ring
 *
 * Return: true once a bad completion was seen; only a new init cures it.
 */
static inline bool ioq_north_broken(const struct ioq_north *q)
{
	return q->flags & IOQ_N_BROKEN;
}

/**
 * ioq_north_free() - slots that can be filled now
 * @q: the ring
 *
 * Return: number of slots; a direct chain takes one for each segment, an
 * indirect one takes one.
 */
static inline u32 ioq_north_free(const struct ioq_north *q)
{
	return q->room;
}

/**
 * ioq_north_outstanding() - chains added and not handed back yet
 * @q: the ring
 *
 * Return: number of chains, staged ones included.
 */
static inline u32 ioq_north_outstanding(const struct ioq_north *q)
{
	return q->head - q->tail;
}

/* Take an id and record the chain under it. There must be room. */
static __always_inline u32 ioq_north_take_id(struct ioq_north *q, u32 slots,
					     u32 in_len, void *cookie)
{
	struct ioq_north_slot *s;
	u32 id;

	if (q->flags & IOQ_F_IN_ORDER) {
		id = q->head & q->mask;
		s = &q->slot[id];
	} else {
		/* An array, since in a list each id waits for the one before. */
		id = q->ids[q->head - q->tail];
		s = &q->slot[id];
	}
	s->cookie = cookie;
	s->in_len = in_len;
	s->slots = slots;
	q->head++;
	q->room -= slots;
	return id;
}

/*
 * Fill the next slot. South stops at the first slot that was not written in
 * this lap, so holding back the batch's first word hides all the others.
 */
static __always_inline void ioq_north_put(struct ioq_north *q, u64 addr,
					  u64 word)
{
	u32 pos = q->desc_pos;
	struct vbus_ring_desc *d = &q->desc[pos & q->mask];

	if (!(pos & IOQ_DESC_LINE_MASK))
		prefetchw(&q->desc[(pos + IOQ_WRITE_AHEAD) & q->mask]);
	word |= ioq_phase(pos, q->mask);
	WRITE_ONCE(d->addr, cpu_to_le64(addr));
	if (pos == q->pub_pos)
		q->first = word;
	else
		WRITE_ONCE(d->ctl, cpu_to_le64(word));
	q->desc_pos = pos + 1;
}

/* Why a chain of @n slots cannot be added. */
static inline int ioq_north_refuse(const struct ioq_north *q, u32 n)
{
	if (ioq_north_broken(q))
		return -EIO;
	if (!n || n > (u32)q->mask + 1)
		return -EINVAL;
	return -ENOSPC;
}

/**
 * ioq_north_add() - stage a direct chain
 * @q: the ring
 * @segs: segments, those south reads before those it writes, none empty
 * @n: how many; each takes a slot
 * @cookie: what ioq_north_get() hands back, not NULL
 *
 * South sees nothing of it before ioq_north_publish().
 *
 * Return: 0; -ENOSPC when there is no room now; -EINVAL for a chain that can
 * never be sent; -EIO when the queue is broken. Nothing changes on error.
 */
static __always_inline int ioq_north_add(struct ioq_north *q,
					 const struct ioq_seg *segs, u32 n,
					 void *cookie)
{
	u64 in_len = 0, out_len = 0;
	u32 id, i;

	if (unlikely(!n || n > q->room))
		return ioq_north_refuse(q, n);
	if (unlikely(!cookie))
		return -EINVAL;
	/* Check all before filling any: a filled slot cannot be taken back. */
	for (i = 0; i < n; i++) {
		if (unlikely(!segs[i].len))
			return -EINVAL;
		if (unlikely(!segs[i].write && in_len))
			return -EINVAL;
		if (segs[i].write)
			in_len += segs[i].len;
		else
			out_len += segs[i].len;
	}
	if (unlikely(in_len > U32_MAX || out_len > U32_MAX))
		return -EINVAL;
	id = ioq_north_take_id(q, n, in_len, cookie);
	for (i = 0; i < n; i++) {
		u64 word = segs[i].len | (u64)id << VBUS_RING_ID_SHIFT;

		if (segs[i].write)
			word |= VBUS_RING_WRITE;
		if (i + 1 < n)
			word |= VBUS_RING_NEXT;
		ioq_north_put(q, segs[i].addr, word);
	}
	return 0;
}

/**
 * ioq_fill_table() - write an indirect table
 * @t: table of @n entries in memory south can reach
 * @segs: segments, those south reads before those it writes, none empty
 * @n: how many, at most VBUS_RING_MAX_TABLE
 *
 * The table belongs to south until its chain is handed back.
 *
 * Return: bytes south may write, for ioq_north_add_indirect().
 */
static inline u32 ioq_fill_table(struct vbus_ring_desc *t,
				 const struct ioq_seg *segs, u32 n)
{
	u32 i, in_len = 0;

	for (i = 0; i < n; i++) {
		t[i].addr = cpu_to_le64(segs[i].addr);
		t[i].ctl = cpu_to_le64(segs[i].len |
				       (segs[i].write ? VBUS_RING_WRITE : 0));
		if (segs[i].write)
			in_len += segs[i].len;
	}
	return in_len;
}

/**
 * ioq_north_add_indirect() - stage a chain whose segments are in a table
 * @q: the ring
 * @table: address of the table as south sees it
 * @n: entries in it, 1 to VBUS_RING_MAX_TABLE
 * @in_len: what ioq_fill_table() returned
 * @cookie: what ioq_north_get() hands back, not NULL
 *
 * Takes one slot whatever @n is.
 *
 * Return: as ioq_north_add().
 */
static __always_inline int ioq_north_add_indirect(struct ioq_north *q,
						  u64 table, u32 n, u32 in_len,
						  void *cookie)
{
	u32 id;

	if (unlikely(!q->room))
		return ioq_north_refuse(q, 1);
	if (unlikely(!n || n > VBUS_RING_MAX_TABLE || !cookie))
		return -EINVAL;
	id = ioq_north_take_id(q, 1, in_len, cookie);
	ioq_north_put(q, table, VBUS_RING_INDIRECT |
		      (u64)id << VBUS_RING_ID_SHIFT |
		      n * sizeof(struct vbus_ring_desc));
	return 0;
}

/**
 * ioq_north_publish() - make all staged chains visible at once
 * @q: the ring
 *
 * Return: true if there were any; then ioq_north_kick_needed() must be asked
 * before the caller may go to sleep.
 */
static __always_inline bool ioq_north_publish(struct ioq_north *q)
{
	if (q->desc_pos == q->pub_pos)
		return false;
	/* Barrier A: pairs with the load-acquire in ioq_south_get(). */
	virt_store_release(&q->desc[q->pub_pos & q->mask].ctl,
			   cpu_to_le64(q->first));
	q->pub_pos = q->desc_pos;
	return true;
}

/**
 * ioq_north_kick_needed() - does south want a kick for what was published?
 * @q: the ring
 *
 * Covers everything published since the last time it was asked.
 *
 * Return: true if the host must be kicked.
 */
static __always_inline bool ioq_north_kick_needed(struct ioq_north *q)
{
	u32 old = q->kicked;

	q->kicked = q->pub_pos;
	/*
	 * Barrier C: the published words before the read of kick_event; pairs
	 * with the barrier in ioq_south_enable_kicks_after().
	 */
	virt_mb();
	return ioq_need_event(le32_to_cpu(READ_ONCE(q->ev->kick_event)),
			      q->pub_pos, old);
}

/**
 * ioq_north_pending() - would ioq_north_get() find something?
 * @q: the ring
 *
 * Return: true if a completion is visible; false on a broken queue.
 */
static __always_inline bool ioq_north_pending(const struct ioq_north *q)
{
	u64 word;

	/* Neither is the case where it must be quick. */
	if (q->flags) {
		if (ioq_north_broken(q))
			return false;
		if (q->tail != q->batch_end)
			return true;
	}
	word = le64_to_cpu(READ_ONCE(q->comp[q->comp_pos & q->mask]));
	return ioq_written(word, q->comp_pos, q->mask);
}

/* In order: take the next entry, which may stand for many chains. */
static __always_inline bool ioq_north_next_batch(struct ioq_north *q)
{
	u32 ahead, id, len, pos = q->comp_pos;
	u64 word;

	/* Barrier B: pairs with the store-release in ioq_south_publish(). */
	word = le64_to_cpu(virt_load_acquire(&q->comp[pos & q->mask]));
	if (!ioq_written(word, pos, q->mask))
		return false;
	id = ioq_word_id(word);
	len = ioq_word_len(word);
	ahead = (id - q->tail) & q->mask;
	if (unlikely((word & VBUS_RING_FLAGS_MASK & ~VBUS_RING_AVAIL) ||
		     id > q->mask || ahead >= q->head - q->tail ||
		     len > q->slot[id & q->mask].in_len)) {
		ioq_north_break(q);
		return false;
	}
	if (!(pos & IOQ_COMP_LINE_MASK))
		prefetch(&q->comp[(pos + IOQ_READ_AHEAD) & q->mask]);
	q->batch_end = q->tail + ahead + 1;
	q->batch_len = len;
	q->comp_pos = pos + 1;
	return true;
}

static __always_inline void *ioq_north_get_in_order(struct ioq_north *q,
						    u32 *len)
{
	struct ioq_north_slot *s;

	if (q->tail == q->batch_end && !ioq_north_next_batch(q))
		return NULL;
	s = &q->slot[q->tail & q->mask];
	q->tail++;
	*len = q->tail == q->batch_end ? q->batch_len : 0;
	q->room += s->slots;
	s->slots = 0;
	return s->cookie;
}

/**
 * ioq_north_get() - take back the next completed chain
 * @q: the ring
 * @len: where to put the number of bytes south says it has written, never
 *	more than the chain can take; 0 for a chain that an in-order
 *	completion covered without an entry of its own
 *
 * Return: the chain's cookie, or NULL if none is complete or the queue is
 * broken (see ioq_north_broken()).
 */
static __always_inline void *ioq_north_get(struct ioq_north *q, u32 *len)
{
	struct ioq_north_slot *s;
	u32 id, pos = q->comp_pos;
	u64 word;

	if (q->flags)
		return ioq_north_broken(q) ? NULL :
					     ioq_north_get_in_order(q, len);
	/* Barrier B: pairs with the store-release in ioq_south_publish(). */
	word = le64_to_cpu(virt_load_acquire(&q->comp[pos & q->mask]));
	if (!ioq_written(word, pos, q->mask))
		return NULL;
	id = ioq_word_id(word);
	/* The mask also bounds the index under speculation. */
	s = &q->slot[id & q->mask];
	if (unlikely((word & VBUS_RING_FLAGS_MASK & ~VBUS_RING_AVAIL) ||
		     id > q->mask || !s->slots ||
		     ioq_word_len(word) > s->in_len)) {
		ioq_north_break(q);
		return NULL;
	}
	if (!(pos & IOQ_COMP_LINE_MASK))
		prefetch(&q->comp[(pos + IOQ_READ_AHEAD) & q->mask]);
	q->comp_pos = pos + 1;
	q->tail++;
	q->room += s->slots;
	s->slots = 0;
	q->ids[q->head - q->tail] = id;
	*len = ioq_word_len(word);
	return s->cookie;
}

/**
 * ioq_north_suppress_signals() - ask for no signal
 * @q: the ring
 *
 * For who will look at the ring soon in any case.  Until then a signal may still come.
 */
static __always_inline void ioq_north_suppress_signals(struct ioq_north *q)
{
	/* As far ahead as there is. */
	WRITE_ONCE(q->ev->signal_event, cpu_to_le32(q->tail + (1U << 31)));
}

/**
 * ioq_north_enable_signals() - ask for a signal
 * @q: the ring
 * @after: signal when this many more chains are complete, 1 for the next
 *
 * Until it is called again no further signal comes, apart from a stray one
 * every 2^32 chains.
 *
 * Return: true if no completion is visible, so that the signal is certain to
 * come; false if some are there already: reap them and ask again.
 */
static __always_inline bool ioq_north_enable_signals(struct ioq_north *q,
						     u32 after)
{
	WRITE_ONCE(q->ev->signal_event, cpu_to_le32(q->tail + after - 1));
	/*
	 * Barrier D: signal_event before the look at the ring; pairs with the
	 * barrier in ioq_south_signal_needed().
	 */
	virt_mb();
	return !ioq_north_pending(q);
}

/**
 * ioq_north_detach() - hand back an outstanding chain after south has let go
 * @q: the ring
 *
 * Call it until it returns NULL, once nobody serves the ring any more. It
 * works on a broken queue too. The ring takes no more chains afterwards and
 * must be initialised anew.
 *
 * Return: the next cookie, in no certain order, or NULL.
 */
static inline void *ioq_north_detach(struct ioq_north *q)
{
	struct ioq_north_slot *s;
	u32 i;

	ioq_north_break(q);
	/* batch_end is of no other use on a broken queue: it is our cursor. */
	if (!(q->flags & IOQ_N_DETACHING)) {
		q->flags |= IOQ_N_DETACHING;
		q->batch_end = 0;
	}
	for (i = q->batch_end; i <= q->mask; i++) {
		s = &q->slot[i];
		if (!s->slots)
			continue;
		s->slots = 0;
		q->tail++;
		q->batch_end = i + 1;
		return s->cookie;
	}
	q->batch_end = i;
	return NULL;
}

#endif /* _VBUS_RING_NORTH_H */
