// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "blk": from the ring to requests, and from their ends back to the ring.
 *
 * vdm_blk_serve() is run by the core in process context, one at a time for a queue:
 * often in the vCPU thread that rang, which must not wait, else in a work item.  A
 * request that would wait gets a work item of its own.
 *
 * A request may end anywhere: inside its ->execute (a RAM disk, the page cache), or in
 * an interrupt.  Its end only puts it on bq->done.  While somebody serves he flushes
 * the list, so that what ends at once is completed in batches; otherwise the first on
 * the list brings an irq_work, which runs when the interrupt is over and finds the
 * others that ended in it.  The list's cmpxchg and the barrier in vdm_blk_serve()
 * decide who flushes: see vdm_blk_end().
 *
 * Flushing is one thing, telling the guest another: who serves and is not the vCPU puts
 * the interrupt off as pace.c says, and has the guest ring after several chains only.  So
 * whenever the guest was not told of something, or would not ring for the next chain, a
 * timer runs.  It has chains served that are there, or else tells of what has ended, and
 * asks for a ring for the next one.
 */
#include <linux/blkdev.h>
#include <linux/hrtimer.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/sched/clock.h>
#include <linux/slab.h>
#include "blk.h"

/* While somebody serves for long, the guest is told so often of what has ended. */
#define VDM_BLK_UNTOLD_NS	(5 * NSEC_PER_MSEC)

/* A vCPU thread is to go back to its guest; the rest of a long queue is for others. */
#define VDM_BLK_BUDGET_VCPU	32

/* Chains that are taken, and completed, together at most. */
#define VDM_BLK_BATCH		32

/* A run of somebody else takes so long at most; then others may have the thread. */
#define VDM_BLK_RUN_NS		(10 * NSEC_PER_MSEC)

void vdm_blk_broken(struct vdm_blk_queue *bq, const char *why)
{
	WRITE_ONCE(bq->dead, true);
	vbus_conn_broken(bq->q->conn, why);
}

/* Under bq->lock. */
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

/* The slot is free again; under bq->lock. */
static void vdm_blk_free(struct vdm_blk_queue *bq, struct vdm_blk_req *req)
{
	req->busy = false;
	bq->inflight--;
}

/* Somebody waits for it, alone: the promise is what he needs to go on. */
static bool vdm_blk_urgent(const struct vdm_blk_req *req)
{
	return req->op == VBUS_BLK_OP_FLUSH || req->flags & VBUS_BLK_REQ_FUA;
}

/* When is the guest told of what has ended? */
enum vdm_blk_when {
	VDM_BLK_NOW,
	VDM_BLK_LATER,	/* the timer does */
	VDM_BLK_MOST,	/* now if it was most of what is in flight, or no timer runs */
};

/* Under bq->lock.  What the guest was not told of does not wait longer for what came later. */
static void vdm_blk_arm(struct vdm_blk_queue *bq, u64 ns)
{
	if (bq->armed && bq->untold)
		ns = clamp_t(s64, hrtimer_get_remaining(&bq->timer), 0, ns);
	bq->armed = true;
	hrtimer_start(&bq->timer, ns, HRTIMER_MODE_REL);
}

/*
 * Under bq->lock.  A callback that waits for it comes all the same, once too often; one that
 * calls this does not cancel itself, nor what was armed for others.
 */
static void vdm_blk_disarm(struct vdm_blk_queue *bq)
{
	bq->armed = false;
	hrtimer_try_to_cancel(&bq->timer);
}

/* Complete what has ended, and tell the guest, if it wants to be told.  Any context. */
static void vdm_blk_flush(struct vdm_blk_queue *bq, enum vdm_blk_when when)
{
	bool tell = when == VDM_BLK_NOW;
	struct ioq_south *ring = &bq->q->ring;
	struct vdm_blk_req *req, *next;
	struct llist_node *ended;
	unsigned long flags;
	bool signal, idle;
	u32 len;

	spin_lock_irqsave(&bq->lock, flags);
	ended = llist_reverse_order(llist_del_all(&bq->done));
	llist_for_each_entry_safe(req, next, ended, done) {
		vdm_blk_count(bq, req);
		len = req->op == VBUS_BLK_OP_READ ? req->len : 0;
		ioq_south_complete(ring, req->id,
				   req->status ? req->in_len : len);
		tell |= vdm_blk_urgent(req);
		vdm_blk_free(bq, req);
		bq->untold++;
	}
	ioq_south_publish(ring);
	if (when == VDM_BLK_MOST)
		tell |= !bq->armed || bq->untold >= bq->inflight;
	signal = tell && bq->untold && ioq_south_signal_needed(ring);
	if (tell)
		bq->untold = 0;
	else if (bq->untold && !bq->armed)
		vdm_blk_arm(bq, VDM_BLK_UNTOLD_NS);
	if (signal)
		bq->stats->v[VDM_BLK_SIGNALS]++;
	idle = READ_ONCE(bq->stopping) && !bq->inflight;
	spin_unlock_irqrestore(&bq->lock, flags);

	if (signal)
		vbus_queue_signal(bq->q);
	if (idle)
		wake_up(&bq->idle);
}

static void vdm_blk_flush_work(struct irq_work *work)
{
	vdm_blk_flush(container_of(work, struct vdm_blk_queue, work),
		      VDM_BLK_MOST);
}

/**
 * vdm_blk_end() - a request has ended
 * @req: the request; nobody may touch it any more
 * @status: 0 or VBUS_BLK_S_*
 *
 * Context: any.
 */
void vdm_blk_end(struct vdm_blk_req *req, u8 status)
{
	struct vdm_blk_queue *bq = req->bq;
	__le32 word;

	if (req->bounce)
		status = vdm_blk_bounce_end(req, status);
	vbus_mem_put(&req->ref);
	req->status = status;
	word = cpu_to_le32(status);
	if (status &&
	    vbus_mem_write(bq->mem, req->status_addr, &word, sizeof(word)))
		vdm_blk_broken(bq, "a status is not in guest memory");

	/* Stopping waits for a grace period: until then @bq is there. */
	rcu_read_lock();
	/*
	 * The full barrier in llist_add() pairs with the one in vdm_blk_serve():
	 * who is not seen serving here sees the list there.
	 */
	if (llist_add(&req->done, &bq->done) && !READ_ONCE(bq->serving))
		irq_work_queue(&bq->work);
	rcu_read_unlock();
}

static void vdm_blk_req_work(struct work_struct *work)
{
	struct vdm_blk_req *req = container_of(work, struct vdm_blk_req, work);

	/*
	 * Who stops waits for all that were taken, and these may take hours.  The guest
	 * sends it again, if it is still there.
	 */
	if (READ_ONCE(req->bq->stopping))
		vdm_blk_end(req, VBUS_BLK_S_RESOURCE);
	else
		req->execute(req, false);
}

/**
 * vdm_blk_defer() - carry a request out where it may wait
 * @req: its ->execute has returned -EAGAIN, or would
 *
 * Context: any.
 */
void vdm_blk_defer(struct vdm_blk_req *req)
{
	req->deferred = true;
	queue_work(req->bq->blk->wq, &req->work);
}

/* Take the next chain and a slot for it; NULL if there is none. */
static struct vdm_blk_req *vdm_blk_get(struct vdm_blk_queue *bq,
				       struct ioq_chain *chain)
{
	struct vdm_blk_req *req = NULL;
	unsigned long flags;
	bool twice = false;
	int ret;

	spin_lock_irqsave(&bq->lock, flags);
	ret = vbus_queue_get(bq->q, bq->segs, VDM_BLK_SEG_MAX, chain);
	if (ret > 0) {
		req = &bq->reqs[array_index_nospec(chain->id, bq->nr_reqs)];
		twice = req->busy;
		if (!twice) {
			req->busy = true;
			bq->inflight++;
		}
	}
	spin_unlock_irqrestore(&bq->lock, flags);

	if (ret < 0) {
		WRITE_ONCE(bq->dead, true);
		return NULL;
	}
	if (twice) {
		vdm_blk_broken(bq, "a chain has the id of one in flight");
		return NULL;
	}
	return req;
}

/*
 * Nobody waits for a request while others of the queue could be served, and completed.
 * But a block device that can't be asked not to wait mostly does not, and a thread may.
 */
static bool vdm_blk_nowait(const struct vdm_blk_req *req, bool here)
{
	const struct vdm_blk *blk = req->bq->blk;

	return here || !blk->bdev || bdev_nowait(blk->bdev) ||
	       req->op > VBUS_BLK_OP_FLUSH;
}

/* Return: false if there was no chain. */
static bool vdm_blk_serve_one(struct vdm_blk_queue *bq, bool here)
{
	struct vdm_blk_req *req;
	struct ioq_chain chain;
	unsigned long flags;
	int ret;

	if (READ_ONCE(bq->dead))
		return false;
	req = vdm_blk_get(bq, &chain);
	if (!req)
		return false;
	bq->slots = chain.slots;
	ret = vdm_blk_parse(req, &chain);
	if (ret > 0) {
		vdm_blk_end(req, ret);
	} else if (ret) {
		spin_lock_irqsave(&bq->lock, flags);
		vdm_blk_free(bq, req);
		spin_unlock_irqrestore(&bq->lock, flags);
		return false;
	} else if (req->execute(req, vdm_blk_nowait(req, here)) == -EAGAIN) {
		vdm_blk_defer(req);
	}
	return true;
}

/*
 * Have the guest ring when it has added @ask chains, and a timer run for @ns if it may not
 * come to that.  Return: false if there are chains already: look at them, and ask again.
 */
static bool vdm_blk_enable_kicks(struct vdm_blk_queue *bq, unsigned int ask,
				 u64 ns)
{
	u32 slots = ask > 1 ? min(ask * bq->slots, bq->nr_reqs / 2) : 1;
	unsigned long flags;
	bool empty;

	spin_lock_irqsave(&bq->lock, flags);
	empty = READ_ONCE(bq->dead) ||
		ioq_south_enable_kicks_after(&bq->q->ring, slots);
	if (empty) {
		/* From now on the timer is not for who serves, but for the guest. */
		WRITE_ONCE(bq->serving, false);
		WRITE_ONCE(bq->asked, ask > 1);
		if (ask > 1 || bq->untold)
			vdm_blk_arm(bq, ns);
		else if (bq->armed)
			vdm_blk_disarm(bq);
	}
	spin_unlock_irqrestore(&bq->lock, flags);
	return empty;
}

/* Somebody serves for long, or the guest has not sent as many as it was thought to. */
static enum hrtimer_restart vdm_blk_timer(struct hrtimer *timer)
{
	struct vdm_blk_queue *bq = container_of(timer, struct vdm_blk_queue,
						timer);
	unsigned long flags;
	bool serving, more, late;

	spin_lock_irqsave(&bq->lock, flags);
	serving = READ_ONCE(bq->serving);
	more = !serving && !READ_ONCE(bq->dead) && !READ_ONCE(bq->stopping) &&
	       !ioq_south_enable_kicks(&bq->q->ring);
	/* With something in flight it may wait for that, and if it rang it was in time. */
	late = READ_ONCE(bq->asked) && (more || (bq->untold && !bq->inflight));
	WRITE_ONCE(bq->asked, false);
	bq->armed = false;
	if (serving || more)
		vdm_blk_arm(bq, VDM_BLK_UNTOLD_NS);
	spin_unlock_irqrestore(&bq->lock, flags);

	if (late)
		WRITE_ONCE(bq->late, true);
	if (more)
		/* He tells of all together. */
		vbus_queue_serve(bq->q);
	else
		vdm_blk_flush(bq, VDM_BLK_NOW);
	return HRTIMER_NORESTART;
}

/* Take chains until there are none or @max.  Return: how many. */
static unsigned int vdm_blk_serve_batch(struct vdm_blk_queue *bq,
					unsigned int max, bool here)
{
	struct blk_plug plug;
	unsigned int n = 0;

	/* What the host's disk is given together it can join. */
	blk_start_plug(&plug);
	while (n < max && vdm_blk_serve_one(bq, here))
		n++;
	blk_finish_plug(&plug);
	vdm_blk_pace_count(&bq->pace, here, n);
	return n;
}

/* The vCPU serves what it has rung for, and tells its guest at once. */
static bool vdm_blk_serve_here(struct vdm_blk_queue *bq)
{
	unsigned int n = 0;

	do {
		/* A chain that comes and goes again counts, too. */
		n += vdm_blk_serve_batch(bq, VDM_BLK_BATCH, true) ?: 1;
		vdm_blk_flush(bq, VDM_BLK_NOW);
	} while (n < VDM_BLK_BUDGET_VCPU && !vdm_blk_enable_kicks(bq, 1, 0));
	return n >= VDM_BLK_BUDGET_VCPU;
}

/* Return: the guest has not sent as many as it was to, and waits. */
static bool vdm_blk_serve_begin(struct vdm_blk_queue *bq)
{
	unsigned long flags;

	/* The disk may let us wait, and what has ended until then must not. */
	spin_lock_irqsave(&bq->lock, flags);
	if (!bq->armed)
		vdm_blk_arm(bq, max_t(u64, VDM_BLK_UNTOLD_NS,
				      vdm_blk_pace_away(&bq->pace)));
	spin_unlock_irqrestore(&bq->lock, flags);
	if (!READ_ONCE(bq->late))
		return false;
	WRITE_ONCE(bq->late, false);
	vdm_blk_pace_late(&bq->pace);
	return true;
}

/* Complete what has ended; does the guest have to be told? */
static void vdm_blk_tell(struct vdm_blk_queue *bq, unsigned int n, bool late)
{
	unsigned int sent;

	vdm_blk_flush(bq, VDM_BLK_LATER);
	sent = READ_ONCE(bq->untold) + READ_ONCE(bq->inflight);
	if (late || bq->pace.here ||
	    (n && vdm_blk_pace_tell(&bq->pace, sent)))
		vdm_blk_flush(bq, VDM_BLK_NOW);
}

static unsigned int vdm_blk_ask(struct vdm_blk_queue *bq)
{
	return bq->pace.here ? 1 :
	       vdm_blk_pace_ask(&bq->pace, READ_ONCE(bq->untold),
				READ_ONCE(bq->inflight));
}

/*
 * The guest goes on meanwhile.  So let it add several, without an exit for each, and tell
 * it of many together.  To wait for each one by spinning would serve it at once, and take
 * the processor that a guest may need to add the next.
 */
static bool vdm_blk_serve_elsewhere(struct vdm_blk_queue *bq)
{
	u64 end = local_clock() + VDM_BLK_RUN_NS;
	bool late = vdm_blk_serve_begin(bq);
	unsigned int n;

	do {
		n = vdm_blk_serve_batch(bq, VDM_BLK_BATCH, false);
		vdm_blk_tell(bq, n, late);
		if (n < VDM_BLK_BATCH &&
		    vdm_blk_enable_kicks(bq, vdm_blk_ask(bq),
					 vdm_blk_pace_away(&bq->pace)))
			return false;
		late = false;
	} while (local_clock() < end);
	return true;
}

/* The serve hook: see struct vbus_model. */
bool vdm_blk_serve(struct vbus_queue *q, bool nowait)
{
	struct vdm_blk_queue *bq = q->priv;
	bool more;

	/* It was in time; a timer that has looked before blames it for once. */
	WRITE_ONCE(bq->asked, false);
	/* The guest may go on: somebody else is called next. */
	if (nowait && !bq->pace.here)
		return true;
	bq->stats->v[nowait ? VDM_BLK_SERVED_BY_VCPU : VDM_BLK_SERVED]++;
	WRITE_ONCE(bq->serving, true);
	more = nowait ? vdm_blk_serve_here(bq) : vdm_blk_serve_elsewhere(bq);
	WRITE_ONCE(bq->serving, false);
	/* Pairs with llist_add() in vdm_blk_end(). */
	smp_mb();
	if (!llist_empty(&bq->done))
		vdm_blk_flush(bq, VDM_BLK_MOST);
	return more;
}

static void vdm_blk_queue_free(struct vdm_blk_queue *bq)
{
	u32 i;

	for (i = 0; i < bq->nr_reqs; i++)
		kvfree(bq->reqs[i].more);
	kvfree(bq->reqs);
	kfree(bq);
}

/**
 * vdm_blk_queue_start() - make what serves a queue
 * @blk: the device
 * @q: its queue, attached
 * @features: accepted by the guest
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int vdm_blk_queue_start(struct vdm_blk *blk, struct vbus_queue *q,
			u64 features)
{
	struct vdm_blk_queue *bq;
	u32 i;

	bq = kzalloc(sizeof(*bq), GFP_KERNEL_ACCOUNT);
	if (!bq)
		return -ENOMEM;
	bq->nr_reqs = ioq_south_size(&q->ring);
	bq->reqs = kvcalloc(bq->nr_reqs, sizeof(*bq->reqs), GFP_KERNEL_ACCOUNT);
	if (!bq->reqs) {
		kfree(bq);
		return -ENOMEM;
	}
	for (i = 0; i < bq->nr_reqs; i++) {
		bq->reqs[i].bq = bq;
		INIT_WORK(&bq->reqs[i].work, vdm_blk_req_work);
	}
	bq->slots = 1;
	bq->q = q;
	bq->blk = blk;
	bq->mem = vbus_conn_mem(q->conn);
	bq->stats = &blk->stats[q->index];
	bq->features = features;
	/* Who can't ask for it is promised it; where there is no cache it costs nothing. */
	bq->sync = !(features & VBUS_BLK_F_FLUSH);
	vdm_blk_pace_init(&bq->pace);
	spin_lock_init(&bq->lock);
	init_llist_head(&bq->done);
	init_irq_work(&bq->work, vdm_blk_flush_work);
	hrtimer_init(&bq->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	bq->timer.function = vdm_blk_timer;
	init_waitqueue_head(&bq->idle);
	q->priv = bq;
	/* A completion that was published before a pause may have had no signal. */
	if (ioq_south_signal_needed(&q->ring))
		vbus_queue_signal(q);
	return 0;
}

static bool vdm_blk_idle(struct vdm_blk_queue *bq)
{
	bool idle;

	spin_lock_irq(&bq->lock);
	idle = !bq->inflight;
	spin_unlock_irq(&bq->lock);
	return idle;
}

/**
 * vdm_blk_queues_stop() - wait until all requests have ended, and free
 * @conn: the connection; nobody serves its queues any more
 * @nr: its queues
 *
 * Context: may sleep.  Takes as long as the storage takes to answer.
 */
void vdm_blk_queues_stop(struct vbus_conn *conn, u32 nr)
{
	struct vdm_blk_queue *bq;
	u32 i;

	/* All of them before waiting for any: what has not begun need not begin. */
	for (i = 0; i < nr; i++) {
		bq = vbus_conn_queue(conn, i)->priv;
		if (bq)
			WRITE_ONCE(bq->stopping, true);
	}
	for (i = 0; i < nr; i++) {
		bq = vbus_conn_queue(conn, i)->priv;
		if (bq)
			wait_event(bq->idle, vdm_blk_idle(bq));
	}
	/* vdm_blk_end() may still be about to ask for an irq_work. */
	synchronize_rcu();
	for (i = 0; i < nr; i++) {
		bq = vbus_conn_queue(conn, i)->priv;
		if (!bq)
			continue;
		irq_work_sync(&bq->work);
		hrtimer_cancel(&bq->timer);
		vbus_conn_queue(conn, i)->priv = NULL;
		vdm_blk_queue_free(bq);
	}
}
