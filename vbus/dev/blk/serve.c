// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "blk": serving a queue, completing what has ended, signalling the guest.
 *
 * vdm_blk_serve() is called by the core in process context, one call at a time for a
 * queue: inline, in the vCPU thread that kicked, which must not wait, or by a worker.
 *
 * A request may end anywhere: inside its ->execute (a RAM disk, the page cache), in an
 * interrupt, in a work item.  vdm_blk_end() puts it on bq->done.  What ends inside
 * ->execute is completed by the thread that serves, in batches; everything else by an
 * irq_work, which runs when the interrupt is over and finds the others that ended in it.
 *
 * Completing is one thing, signalling the guest another.  Of what ends inline the guest is
 * signalled at once; it looks for answers itself when its kick returns, and then wants no
 * signal.  A worker moderates kicks and signals, see moderation.c, and what ends later is
 * moderated whoever served it.  Then a timer runs whenever the
 * guest was not signalled of something, or would not kick for the next chain.
 */
#include <linux/blkdev.h>
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/sched/clock.h>
#include "blk.h"

/* A vCPU thread is to go back to its guest; the rest of a long queue is the worker's. */
#define VDM_BLK_BUDGET_INLINE	32

/* Chains that are taken, and completed, together at most; and for how long. */
#define VDM_BLK_BATCH		32
#define VDM_BLK_BATCH_NS	(VDM_BLK_MOD_NS / 2)

/* A run of the worker takes so long at most; then others may have the thread. */
#define VDM_BLK_RUN_NS		(10 * NSEC_PER_MSEC)

/* Under bq->lock.  Counts a request that has ended. */
static void vdm_blk_count(struct vdm_blk_queue *bq,
			  const struct vdm_blk_req *req)
{
	static const enum vdm_blk_stat stat[VBUS_BLK_NR_OPS] = {
		[VBUS_BLK_OP_READ] = VDM_BLK_READS,
		[VBUS_BLK_OP_WRITE] = VDM_BLK_WRITES,
		[VBUS_BLK_OP_FLUSH] = VDM_BLK_FLUSHES,
		[VBUS_BLK_OP_DISCARD] = VDM_BLK_DISCARDS,
		[VBUS_BLK_OP_WRITE_ZEROES] = VDM_BLK_ZEROES,
	};
	u64 *v = bq->stats->v;

	if (req->deferred)
		v[VDM_BLK_DEFERRED]++;
	if (req->bounced)
		v[VDM_BLK_BOUNCED]++;
	if (req->status) {
		v[VDM_BLK_ERRORS]++;
		return;
	}
	v[stat[req->op]]++;
	if (req->op == VBUS_BLK_OP_READ)
		v[VDM_BLK_READ_BYTES] += req->len;
	else if (req->op == VBUS_BLK_OP_WRITE)
		v[VDM_BLK_WRITE_BYTES] += req->len;
}

/* Somebody waits for this one request, and can't go on without it. */
static bool vdm_blk_urgent(const struct vdm_blk_req *req)
{
	return req->op == VBUS_BLK_OP_FLUSH || req->flags & VBUS_BLK_REQ_FUA;
}

/*
 * Under bq->lock.  Have the timer come when moderation ends.  A timer that has become
 * needless comes all the same: that costs less than stopping and starting it each time.
 */
static void vdm_blk_arm(struct vdm_blk_queue *bq)
{
	u64 at = U64_MAX;

	if (bq->unsignalled)
		at = bq->deadline;
	if (bq->batching)
		at = min_t(u64, at, bq->since + VDM_BLK_MOD_KICK_NS);
	if (at == U64_MAX || (bq->armed && bq->timer_at == at))
		return;
	bq->armed = true;
	bq->timer_at = at;
	hrtimer_start(&bq->timer, ns_to_ktime(at), HRTIMER_MODE_ABS);
}

/* Under bq->lock.  Complete what has ended. */
static bool vdm_blk_complete(struct vdm_blk_queue *bq, u64 now)
{
	struct ioq_south *ring = &bq->q->ring;
	struct vdm_blk_req *req, *next;
	struct llist_node *ended;
	bool urgent = false;
	u32 len;

	ended = llist_reverse_order(llist_del_all(&bq->done));
	llist_for_each_entry_safe(req, next, ended, done) {
		vdm_blk_count(bq, req);
		len = req->op == VBUS_BLK_OP_READ ? req->len : 0;
		ioq_south_complete(ring, req->id,
				   req->status ? req->in_len : len);
		urgent |= vdm_blk_urgent(req);
		if (!bq->unsignalled++)
			bq->deadline = U64_MAX;
		bq->deadline = min(bq->deadline,
				   now + VDM_BLK_MOD_NS - req->waited);
		vdm_blk_put(bq, req);
	}
	ioq_south_publish(ring);
	return urgent;
}

/*
 * Under bq->lock.  Complete what has ended.  Return: the guest is to be signalled, since it
 * is time to and it wants that.
 */
static bool vdm_blk_settle(struct vdm_blk_queue *bq, enum vdm_blk_when when)
{
	u64 now = ktime_get_ns();
	bool signal;

	signal = vdm_blk_complete(bq, now) || when == VDM_BLK_NOW ||
		 now >= bq->deadline ||
		 (when == VDM_BLK_MOST && bq->unsignalled >= bq->inflight);
	if (signal) {
		signal = bq->unsignalled &&
			 ioq_south_signal_needed(&bq->q->ring);
		bq->unsignalled = 0;
		bq->stats->v[VDM_BLK_SIGNALS] += signal;
	}
	vdm_blk_arm(bq);
	return signal;
}

/**
 * vdm_blk_flush() - complete what has ended, and signal the guest if it is time to
 * @bq: the queue
 * @when: is it?
 *
 * Context: any.
 * Return: the guest was signalled.
 */
bool vdm_blk_flush(struct vdm_blk_queue *bq, enum vdm_blk_when when)
{
	unsigned long flags;
	bool signal, idle;

	spin_lock_irqsave(&bq->lock, flags);
	signal = vdm_blk_settle(bq, when);
	idle = READ_ONCE(bq->stopping) && !bq->inflight;
	spin_unlock_irqrestore(&bq->lock, flags);

	if (signal)
		vbus_queue_signal(bq->q);
	if (idle)
		wake_up(&bq->idle);
	return signal;
}

/**
 * vdm_blk_flush_work() - complete what has ended while nobody served
 * @work: of the queue
 */
void vdm_blk_flush_work(struct irq_work *work)
{
	vdm_blk_flush(container_of(work, struct vdm_blk_queue, work),
		      VDM_BLK_MOST);
}

/*
 * Have the guest kick when it has added @after chains, and the timer look for fewer.
 * Return: false if there are chains already: serve them, and ask again.
 */
static bool vdm_blk_enable_kicks(struct vdm_blk_queue *bq, unsigned int after)
{
	u32 slots = after > 1 ? min(after * bq->slots, bq->nr_reqs / 2) : 1;
	unsigned long flags;
	bool empty;

	spin_lock_irqsave(&bq->lock, flags);
	/* The guest can't know that it need not kick before this. */
	bq->since = ktime_get_ns();
	bq->waited = 0;
	empty = READ_ONCE(bq->dead) ||
		ioq_south_enable_kicks_after(&bq->q->ring, slots);
	if (empty) {
		bq->batching = slots > 1;
		vdm_blk_arm(bq);
	}
	spin_unlock_irqrestore(&bq->lock, flags);
	return empty;
}

/*
 * Moderation ends: for requests that have ended, or for those that the guest has added
 * without a kick.
 */
enum hrtimer_restart vdm_blk_timer(struct hrtimer *timer)
{
	struct vdm_blk_queue *bq = container_of(timer, struct vdm_blk_queue,
						timer);
	bool look, more = false, signal;
	unsigned long flags;

	spin_lock_irqsave(&bq->lock, flags);
	bq->armed = false;
	look = bq->batching &&
	       ktime_get_ns() >= bq->since + VDM_BLK_MOD_KICK_NS;
	if (look) {
		bq->batching = false;
		bq->waited = VDM_BLK_MOD_KICK_NS;
		more = !READ_ONCE(bq->dead) && !READ_ONCE(bq->stopping) &&
		       !ioq_south_enable_kicks(&bq->q->ring);
	}
	spin_unlock_irqrestore(&bq->lock, flags);

	if (more)
		vbus_queue_serve(bq->q);
	/* If it has added nothing it may well wait for what has ended. */
	signal = vdm_blk_flush(bq, look && !more ? VDM_BLK_NOW : VDM_BLK_LATER);
	/* With something in flight it may wait for that, and it may look itself. */
	if (look && (more || (signal && !READ_ONCE(bq->inflight))))
		WRITE_ONCE(bq->starved, true);
	return HRTIMER_NORESTART;
}

/* The guest has kicked, or the timer has: it does not kick again. */
static void vdm_blk_begin(struct vdm_blk_queue *bq)
{
	unsigned long flags;

	spin_lock_irqsave(&bq->lock, flags);
	if (bq->batching)
		bq->waited = min_t(u64, ktime_get_ns() - bq->since,
				   VDM_BLK_MOD_KICK_NS);
	bq->batching = false;
	spin_unlock_irqrestore(&bq->lock, flags);
}

/* Take chains until there are none, or for a while.  Return: how many. */
static unsigned int vdm_blk_batch(struct vdm_blk_queue *bq,
				  enum vdm_blk_who who)
{
	u64 end = local_clock() + VDM_BLK_BATCH_NS;
	struct blk_plug plug;
	unsigned int n = 0;

	/* What the host's disk is given together it can merge. */
	blk_start_plug(&plug);
	while (vdm_blk_take(bq, who) && ++n < VDM_BLK_BATCH &&
	       local_clock() < end)
		;
	blk_finish_plug(&plug);
	vdm_blk_place_count(&bq->place, who, n);
	return n;
}

/* Nothing is left to serve, and the guest kicks when it has added @after chains. */
static bool vdm_blk_drained(struct vdm_blk_queue *bq, unsigned int after)
{
	/* Asking for kicks while chains are there would only bring one that is needless. */
	if (!READ_ONCE(bq->dead) && ioq_south_pending(&bq->q->ring))
		return false;
	return vdm_blk_enable_kicks(bq, after);
}

/* Return: there may be more. */
static bool vdm_blk_serve_inline(struct vdm_blk_queue *bq)
{
	unsigned int n = 0;

	do {
		/* A chain that comes and goes again counts, too. */
		n += vdm_blk_batch(bq, VDM_BLK_INLINE) ?: 1;
		vdm_blk_flush(bq, VDM_BLK_NOW);
		if (vdm_blk_drained(bq, 1))
			return false;
	} while (n < VDM_BLK_BUDGET_INLINE);
	return true;
}

/* Complete what has ended, and signal the guest if a batch is full. */
static void vdm_blk_end_batch(struct vdm_blk_queue *bq, unsigned int n)
{
	bool starved = READ_ONCE(bq->starved);
	unsigned int sent;

	vdm_blk_flush(bq, VDM_BLK_LATER);
	if (starved) {
		WRITE_ONCE(bq->starved, false);
		if (vdm_blk_mod_short(&bq->mod))
			vdm_blk_place_retry(&bq->place);
	}
	sent = READ_ONCE(bq->unsignalled) + READ_ONCE(bq->inflight);
	if (starved || bq->place.who == VDM_BLK_INLINE ||
	    (n && vdm_blk_mod_full(&bq->mod, sent)))
		vdm_blk_flush(bq, VDM_BLK_NOW);
}

/* After how many more chains is the guest to kick? */
static unsigned int vdm_blk_kick_after(const struct vdm_blk_queue *bq)
{
	if (bq->place.who == VDM_BLK_INLINE)
		return 1;
	return vdm_blk_mod_kick_after(&bq->mod, READ_ONCE(bq->unsignalled),
				      READ_ONCE(bq->inflight));
}

/*
 * The guest goes on meanwhile, without an exit or an interrupt for each request.
 * Return: there may be more.
 */
static bool vdm_blk_serve_worker(struct vdm_blk_queue *bq)
{
	u64 end = local_clock() + VDM_BLK_RUN_NS;
	unsigned int n;

	do {
		n = vdm_blk_batch(bq, VDM_BLK_WORKER);
		vdm_blk_end_batch(bq, n);
		if (vdm_blk_drained(bq, vdm_blk_kick_after(bq)))
			return false;
	} while (local_clock() < end);
	return true;
}

/**
 * vdm_blk_serve() - the serve hook: see struct vbus_model
 * @q: the queue
 * @nowait: inline
 *
 * Return: there may be more.
 */
bool vdm_blk_serve(struct vbus_queue *q, bool nowait)
{
	struct vdm_blk_queue *bq = q->priv;
	bool more;

	/* The guest may go on: the worker is called next. */
	if (nowait && bq->place.who != VDM_BLK_INLINE)
		return true;
	bq->stats->v[nowait ? VDM_BLK_SERVED_BY_VCPU : VDM_BLK_SERVED]++;
	vdm_blk_begin(bq);
	WRITE_ONCE(bq->server, current);
	more = nowait ? vdm_blk_serve_inline(bq) : vdm_blk_serve_worker(bq);
	WRITE_ONCE(bq->server, NULL);
	return more;
}
