// SPDX-License-Identifier: GPL-2.0
/*
 * Host model "blk": a queue and the requests in it, from their chain to their end.
 *
 * Serving the queue and completing what has ended are in serve.c.  A request that would
 * wait gets a work item of its own.
 */
#include <linux/blkdev.h>
#include <linux/hrtimer.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include "blk.h"

void vdm_blk_broken(struct vdm_blk_queue *bq, const char *why)
{
	WRITE_ONCE(bq->dead, true);
	vbus_conn_broken(bq->q->conn, why);
}

/**
 * vdm_blk_put() - the slot of a request is free again
 * @bq: its queue, locked
 * @req: the request
 */
void vdm_blk_put(struct vdm_blk_queue *bq, struct vdm_blk_req *req)
{
	lockdep_assert_held(&bq->lock);
	req->busy = false;
	bq->inflight--;
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

	if (vdm_blk_bounce_later(req, status)) {
		req->ended = true;
		queue_work(bq->blk->wq, &req->work);
		return;
	}
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
	 * The one that makes the list non-empty sees to it that it is emptied.  The server does so
	 * after its batch, and before it waits for anything.
	 */
	if (llist_add(&req->done, &bq->done) &&
	    !(in_task() && READ_ONCE(bq->server) == current))
		irq_work_queue(&bq->work);
	rcu_read_unlock();
}

static void vdm_blk_req_work(struct work_struct *work)
{
	struct vdm_blk_req *req = container_of(work, struct vdm_blk_req, work);

	/*
	 * Stopping waits for all that were taken, and these may take hours.  The guest
	 * sends it again, if it is still there.
	 */
	if (req->ended)
		vdm_blk_end(req, 0);
	else if (READ_ONCE(req->bq->stopping))
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
			req->waited = bq->waited;
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
 * No request is waited for while others of the queue could be served, and completed.  But a
 * block device that can't be asked not to wait mostly does not, and a worker may.
 */
static bool vdm_blk_nowait(const struct vdm_blk_req *req, enum vdm_blk_who who)
{
	const struct vdm_blk *blk = req->bq->blk;

	return who == VDM_BLK_INLINE || !blk->bdev || vdm_blk_bdev_nowait(blk->bdev) ||
	       req->op > VBUS_BLK_OP_FLUSH;
}

/**
 * vdm_blk_take() - take the next chain and carry it out, or begin to
 * @bq: the queue
 * @who: serves it
 *
 * Context: process context, the thread that serves.
 * Return: false if there was no chain.
 */
bool vdm_blk_take(struct vdm_blk_queue *bq, enum vdm_blk_who who)
{
	struct vdm_blk_req *req;
	struct ioq_chain chain;
	unsigned long flags;
	bool nowait;
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
		return true;
	}
	if (ret) {
		spin_lock_irqsave(&bq->lock, flags);
		vdm_blk_put(bq, req);
		spin_unlock_irqrestore(&bq->lock, flags);
		return false;
	}
	nowait = vdm_blk_nowait(req, who);
	/* What has ended does not wait with us. */
	if (!nowait && !llist_empty(&bq->done))
		vdm_blk_flush(bq, VDM_BLK_LATER);
	if (req->execute(req, nowait) == -EAGAIN)
		vdm_blk_defer(req);
	return true;
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

	bq = kzalloc(sizeof(*bq), VBUS_GFP_GUEST);
	if (!bq)
		return -ENOMEM;
	bq->nr_reqs = ioq_south_size(&q->ring);
	bq->reqs = kvcalloc(bq->nr_reqs, sizeof(*bq->reqs), VBUS_GFP_GUEST);
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
	/* A guest that can't ask for it gets it always; without a cache it costs nothing. */
	bq->sync = !(features & VBUS_BLK_F_FLUSH);
	vdm_blk_place_init(&bq->place);
	vdm_blk_mod_init(&bq->mod);
	spin_lock_init(&bq->lock);
	init_llist_head(&bq->done);
	init_irq_work(&bq->work, vdm_blk_flush_work);
	hrtimer_init(&bq->timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS);
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
