/* SPDX-License-Identifier: GPL-2.0 */
/*
 * South side of the vbus ring: serves chains from memory it cannot trust.
 *
 * Include vbus/ring.h, which names the barrier pairs A to D used here and
 * says who must serialise. Every word north can write is loaded once into a
 * local, checked there, and used from there. A chain that breaks a rule
 * breaks the queue: nothing of it is handed out, and nothing after it.
 */
#ifndef _VBUS_RING_SOUTH_H
#define _VBUS_RING_SOUTH_H

/* Table entries fetched by one call of the copy function. */
#define IOQ_TABLE_CHUNK		16

/**
 * typedef ioq_copy_t - read memory of the ring's owner
 * @ctx: the argument given beside the function
 * @dst: private memory to fill
 * @addr: address as it stands in a descriptor, not yet checked
 * @len: bytes
 *
 * Return: 0, or a negative errno if any of it is out of bounds.
 */
typedef int (*ioq_copy_t)(void *ctx, void *dst, u64 addr, u32 len);

/**
 * struct ioq_chain - a chain as ioq_south_get() found it
 * @id: what ioq_south_complete() must be given; below the ring size, but a
 *	hostile north may use one twice
 * @nr_out: segments to read, they come first
 * @nr_in: segments to write
 * @out_len: bytes in all to read
 * @in_len: bytes in all to write
 * @slots: descriptor slots it took
 */
struct ioq_chain {
	u32 id;
	u32 nr_out;
	u32 nr_in;
	u32 out_len;
	u32 in_len;
	u32 slots;
};

/**
 * struct ioq_mark - a place in the ring to go back to
 */
struct ioq_mark {
	/* private: */
	u32 desc;
	u32 fetched;
};

/**
 * struct ioq_south - south's handle of one ring; fields are private, and the
 * whole of it is one cache line long
 */
struct ioq_south {
	/* private: */
	struct vbus_ring_desc *desc;
	__le64 *comp;
	struct vbus_ring_events *ev;
	u64 first;		/* withheld completion of the batch */
	u32 desc_pos;		/* next slot to read */
	u32 comp_pos;		/* next completion to fill */
	u32 pub_pos;		/* north may see what is before it */
	u32 fetched;		/* chains taken */
	u32 done;		/* chains completed, staged ones included */
	u32 signalled;		/* done at the last signal decision */
	u16 mask;
	u8 flags;
	u8 broken;
};

/**
 * ioq_south_init() - attach to a ring
 * @q: handle to set up
 * @area: shared memory of ioq_bytes(@size), left as it is
 * @size: ring size
 * @flags: IOQ_F_IN_ORDER or 0, as north has it
 * @pos: where to go on: zeroes for a fresh ring, or what ioq_south_pos()
 *	gave when an earlier south let go
 *
 * A signal or kick may have been lost between two souths: after attaching at
 * a saved position ask ioq_south_signal_needed() once and look at the ring
 * once before waiting for a kick.
 *
 * Return: 0, or -EINVAL for a bad size, alignment or flag.
 */
static inline int ioq_south_init(struct ioq_south *q, void *area, u32 size,
				 u32 flags, struct ioq_pos pos)
{
	if (!ioq_size_valid(size) || (flags & ~IOQ_F_ALL) ||
	    (unsigned long)area & (VBUS_RING_ALIGN - 1))
		return -EINVAL;
	memset(q, 0, sizeof(*q));
	q->desc = (void *)((char *)area + VBUS_RING_DESC_OFFSET);
	q->comp = (void *)((char *)area + VBUS_RING_COMP_OFFSET((size_t)size));
	q->ev = area;
	q->mask = size - 1;
	q->flags = flags;
	q->desc_pos = pos.desc;
	q->comp_pos = pos.comp;
	q->pub_pos = pos.comp;
	q->fetched = pos.chain;
	q->done = pos.chain;
	/* Whatever was asked for in the last lap may not have been answered. */
	q->signalled = pos.chain - size;
	return 0;
}

/**
 * ioq_south_pos() - where the ring stands, to attach again later
 * @q: the ring, with every completion published
 * @pos: filled in
 *
 * Return: true if no chain is in flight. Otherwise the chains in flight are
 * forgotten by attaching at @pos: complete or rewind them first.
 */
static inline bool ioq_south_pos(const struct ioq_south *q,
				 struct ioq_pos *pos)
{
	pos->desc = q->desc_pos;
	pos->comp = q->pub_pos;
	pos->chain = q->done;
	return q->fetched == q->done;
}

/**
 * ioq_south_broken() - has north violated the protocol?
 * @q: the ring
 *
 * Return: true once a bad chain was seen; only a new init cures it.
 */
static inline bool ioq_south_broken(const struct ioq_south *q)
{
	return q->broken;
}

/**
 * ioq_south_size() - number of descriptor slots
 * @q: the ring
 *
 * Return: the size it was attached with.
 */
static inline u32 ioq_south_size(const struct ioq_south *q)
{
	return (u32)q->mask + 1;
}

/**
 * ioq_south_inflight() - chains fetched and not completed yet
 * @q: the ring
 *
 * Return: their number, never more than the ring size.
 */
static inline u32 ioq_south_inflight(const struct ioq_south *q)
{
	return q->fetched - q->done;
}

/**
 * ioq_south_pending() - would ioq_south_get() find something?
 * @q: the ring
 *
 * Return: true if a chain is visible; false on a broken queue.
 */
static __always_inline bool ioq_south_pending(const struct ioq_south *q)
{
	u32 pos = q->desc_pos;
	u64 word;

	if (unlikely(q->broken))
		return false;
	word = le64_to_cpu(READ_ONCE(q->desc[pos & q->mask].ctl));
	return ioq_written(word, pos, q->mask);
}

static inline int ioq_south_break(struct ioq_south *q, int err)
{
	q->broken = 1;
	return err;
}

/* Check one segment and append it; the caller has made sure there is space. */
static __always_inline int ioq_south_seg(struct ioq_seg *segs,
					 struct ioq_chain *c, u64 addr,
					 u64 word)
{
	struct ioq_seg *s = &segs[c->nr_out + c->nr_in];
	u32 len = ioq_word_len(word);

	if (unlikely(!len || addr + (len - 1) < addr))
		return -EPROTO;
	s->addr = addr;
	s->len = len;
	if (word & VBUS_RING_WRITE) {
		s->write = 1;
		c->nr_in++;
		if (unlikely(check_add_overflow(c->in_len, len, &c->in_len)))
			return -EPROTO;
	} else {
		s->write = 0;
		c->nr_out++;
		if (unlikely(c->nr_in || check_add_overflow(c->out_len, len,
							    &c->out_len)))
			return -EPROTO;
	}
	return 0;
}

/* A chain of one direct segment: the common case, without the sums. */
static __always_inline int ioq_south_single(struct ioq_seg *segs,
					    struct ioq_chain *c, u32 id,
					    u64 addr, u64 word)
{
	u32 len = ioq_word_len(word), write = !!(word & VBUS_RING_WRITE);

	if (unlikely(!len || addr + (len - 1) < addr))
		return -EPROTO;
	segs->addr = addr;
	segs->len = len;
	segs->write = write;
	c->id = id;
	c->nr_out = !write;
	c->nr_in = write;
	c->out_len = write ? 0 : len;
	c->in_len = write ? len : 0;
	c->slots = 1;
	return 0;
}

/* Bring the table in piece by piece; what was checked is what was copied. */
static __always_inline int ioq_south_table(struct ioq_seg *segs, u32 max,
					   struct ioq_chain *c, u64 addr,
					   u32 len, ioq_copy_t copy, void *ctx)
{
	struct vbus_ring_desc chunk[IOQ_TABLE_CHUNK];
	u32 i, now, n = len / sizeof(chunk[0]);
	int err;

	if (!copy || !n || len % sizeof(chunk[0]) || n > VBUS_RING_MAX_TABLE)
		return -EPROTO;
	if (n > max)
		return -E2BIG;
	for (; n; n -= now) {
		now = n < IOQ_TABLE_CHUNK ? n : IOQ_TABLE_CHUNK;
		if (addr + (now * sizeof(chunk[0]) - 1) < addr ||
		    copy(ctx, chunk, addr, now * sizeof(chunk[0])))
			return -EPROTO;
		addr += now * sizeof(chunk[0]);
		for (i = 0; i < now; i++) {
			u64 word = le64_to_cpu(chunk[i].ctl);

			if (word & ~(VBUS_RING_LEN_MASK | VBUS_RING_WRITE))
				return -EPROTO;
			err = ioq_south_seg(segs, c, le64_to_cpu(chunk[i].addr),
					    word);
			if (err)
				return err;
		}
	}
	return 0;
}

/**
 * ioq_south_get() - take the next chain
 * @q: the ring
 * @segs: filled with the chain's segments
 * @max: how many fit in @segs
 * @c: filled with the chain's id and sums
 * @copy: reads north's memory, for indirect tables; NULL refuses those
 * @ctx: first argument of @copy
 *
 * Addresses in @segs are numbers north chose: nothing but their not wrapping
 * has been checked. No more than the ring size can be in flight.
 *
 * Return: 1 with a chain; 0 if there is none; -EPROTO if north has broken a
 * rule and -E2BIG if the chain has more than @max segments. After either
 * error the queue is broken, and every later call gives -EPROTO.
 */
static __always_inline int ioq_south_get(struct ioq_south *q,
					 struct ioq_seg *segs, u32 max,
					 struct ioq_chain *c, ioq_copy_t copy,
					 void *ctx)
{
	u32 mask = q->mask, pos = q->desc_pos;
	struct vbus_ring_desc *d;
	u64 addr, head, word;
	int err;
	u32 id;

	if (unlikely(q->broken))
		return -EPROTO;
	d = &q->desc[pos & mask];
	/* Barrier A: pairs with the store-release in ioq_north_publish(). */
	word = le64_to_cpu(virt_load_acquire(&d->ctl));
	if (!ioq_written(word, pos, mask))
		return 0;
	if (!(pos & IOQ_DESC_LINE_MASK))
		prefetch(&q->desc[(pos + IOQ_READ_AHEAD) & mask]);
	head = word;
	id = ioq_word_id(word);
	if (unlikely(id > mask || q->fetched - q->done > mask))
		return ioq_south_break(q, -EPROTO);
	if (q->flags & IOQ_F_IN_ORDER && unlikely(id != (q->fetched & mask)))
		return ioq_south_break(q, -EPROTO);
	if (likely(!(word & VBUS_RING_FLAGS_MASK &
		     ~(VBUS_RING_AVAIL | VBUS_RING_WRITE)))) {
		addr = le64_to_cpu(READ_ONCE(d->addr));
		if (unlikely(!max))
			return ioq_south_break(q, -E2BIG);
		err = ioq_south_single(segs, c, id, addr, word);
		if (unlikely(err))
			return ioq_south_break(q, err);
		q->desc_pos = pos + 1;
		q->fetched++;
		return 1;
	}
	*c = (struct ioq_chain){ .id = id };

	for (;;) {
		addr = le64_to_cpu(READ_ONCE(d->addr));
		if (unlikely(word & VBUS_RING_FLAGS_MASK &
			     ~VBUS_RING_DESC_FLAGS))
			return ioq_south_break(q, -EPROTO);
		if (unlikely(word & VBUS_RING_INDIRECT)) {
			if (c->slots ||
			    word & (VBUS_RING_NEXT | VBUS_RING_WRITE))
				return ioq_south_break(q, -EPROTO);
			err = ioq_south_table(segs, max, c, addr,
					      ioq_word_len(word), copy, ctx);
			if (err)
				return ioq_south_break(q, err);
		} else {
			if (unlikely(c->slots >= max))
				return ioq_south_break(q, -E2BIG);
			err = ioq_south_seg(segs, c, addr, word);
			if (unlikely(err))
				return ioq_south_break(q, err);
		}
		c->slots++;
		pos++;
		if (likely(!(word & VBUS_RING_NEXT)))
			break;
		/* The rest of a chain is published with its first slot. */
		d = &q->desc[pos & mask];
		word = le64_to_cpu(READ_ONCE(d->ctl));
		if (unlikely(c->slots > mask || !ioq_written(word, pos, mask) ||
			     (word ^ head) & VBUS_RING_ID_MASK))
			return ioq_south_break(q, -EPROTO);
	}
	q->desc_pos = pos;
	q->fetched++;
	return 1;
}

/**
 * ioq_south_mark() - remember the place in front of the next chain
 * @q: the ring
 *
 * Return: the mark, for ioq_south_rewind().
 */
static inline struct ioq_mark ioq_south_mark(const struct ioq_south *q)
{
	return (struct ioq_mark){ .desc = q->desc_pos, .fetched = q->fetched };
}

/**
 * ioq_south_rewind() - put back every chain taken since the mark
 * @q: the ring
 * @mark: from ioq_south_mark(); no chain taken since may have been completed
 *
 * The chains are read and checked again when they are taken again, and a
 * hostile north may have changed them meanwhile.
 */
static inline void ioq_south_rewind(struct ioq_south *q, struct ioq_mark mark)
{
	q->desc_pos = mark.desc;
	q->fetched = mark.fetched;
}

/**
 * ioq_south_complete() - stage the completion of a chain
 * @q: the ring
 * @id: the chain's id; in order it stands for all chains up to this one
 * @len: bytes written to it
 *
 * North sees nothing of it before ioq_south_publish(). Allowed on a broken
 * queue, so that what was in flight can end.
 */
static __always_inline void ioq_south_complete(struct ioq_south *q, u32 id,
					       u32 len)
{
	u32 pos = q->comp_pos;
	u64 word;

	if (!(pos & IOQ_COMP_LINE_MASK))
		prefetchw(&q->comp[(pos + IOQ_WRITE_AHEAD) & q->mask]);
	word = len | (u64)id << VBUS_RING_ID_SHIFT | ioq_phase(pos, q->mask);
	if (pos == q->pub_pos)
		q->first = word;
	else
		WRITE_ONCE(q->comp[pos & q->mask], cpu_to_le64(word));
	q->comp_pos = pos + 1;
	q->done += q->flags & IOQ_F_IN_ORDER ?
		   ((id - q->done) & q->mask) + 1 : 1;
}

/**
 * ioq_south_publish() - make all staged completions visible at once
 * @q: the ring
 *
 * Return: true if there were any; then ioq_south_signal_needed() must be
 * asked sooner or later.
 */
static __always_inline bool ioq_south_publish(struct ioq_south *q)
{
	if (q->comp_pos == q->pub_pos)
		return false;
	/* Barrier B: pairs with the load-acquire in ioq_north_get(). */
	virt_store_release(&q->comp[q->pub_pos & q->mask],
			   cpu_to_le64(q->first));
	q->pub_pos = q->comp_pos;
	return true;
}

/**
 * ioq_south_signal_needed() - does north want a signal for what is published?
 * @q: the ring, with every completion published
 *
 * Covers everything completed since the last time it was asked.
 *
 * Return: true if north must be signalled.
 */
static __always_inline bool ioq_south_signal_needed(struct ioq_south *q)
{
	u32 old = q->signalled;

	q->signalled = q->done;
	/*
	 * Barrier D: the published completions before the read of
	 * signal_event; pairs with the one in ioq_north_enable_signals().
	 */
	virt_mb();
	return ioq_need_event(le32_to_cpu(READ_ONCE(q->ev->signal_event)),
			      q->done, old);
}

/**
 * ioq_south_enable_kicks_after() - ask for a kick
 * @q: the ring
 * @slots: kick when this many more slots are filled, 1 for the next
 *
 * Until it is called again no further kick comes, apart from a stray one
 * every 2^32 slots.
 *
 * Return: true if no chain is visible, so that the kick is certain to come;
 * false if some are there already: serve them and ask again.
 */
static __always_inline bool ioq_south_enable_kicks_after(struct ioq_south *q,
							 u32 slots)
{
	WRITE_ONCE(q->ev->kick_event, cpu_to_le32(q->desc_pos + slots - 1));
	/*
	 * Barrier C: kick_event before the look at the ring; pairs with the
	 * one in ioq_north_kick_needed().
	 */
	virt_mb();
	return !ioq_south_pending(q);
}

/**
 * ioq_south_enable_kicks() - ask for a kick for the next chain
 * @q: the ring
 *
 * Return: as ioq_south_enable_kicks_after().
 */
static __always_inline bool ioq_south_enable_kicks(struct ioq_south *q)
{
	return ioq_south_enable_kicks_after(q, 1);
}

#endif /* _VBUS_RING_SOUTH_H */
