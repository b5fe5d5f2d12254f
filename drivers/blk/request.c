// SPDX-License-Identifier: GPL-2.0
/*
 * Guest disk driver: requests, to the ring and back.
 *
 * What has been taken out of a ring is completed when its lock has been let go: the
 * end of a request may bring the next one, into the same queue.
 */
#include <linux/dma-mapping.h>
#include <linux/dmapool.h>
#include "vblk.h"

/* How long after the host was short of memory it is asked again. */
#define VBLK_RETRY_MS	20

static blk_status_t vbus_blk_status(u32 status)
{
	switch (status) {
	case VBUS_BLK_S_UNSUPP:
		return BLK_STS_NOTSUPP;
	case VBUS_BLK_S_NOSPC:
		return BLK_STS_NOSPC;
	case VBUS_BLK_S_MEDIUM:
		return BLK_STS_MEDIUM;
	case VBUS_BLK_S_GONE:
		return BLK_STS_OFFLINE;
	case VBUS_BLK_S_RESOURCE:
		return BLK_STS_RESOURCE;
	case VBUS_BLK_S_TIMEOUT:
		return BLK_STS_TIMEOUT;
	}
	return BLK_STS_IOERR;
}

static struct device *vbus_blk_dma_dev(struct request *rq)
{
	struct vbus_blk *vb = rq->q->queuedata;

	return vb->vdev->dma_dev;
}

/* Fill the header.  Return: false for what the host has no word for. */
static bool vbus_blk_fill(struct request *rq, struct vbus_blk_req *req)
{
	u32 nr_sectors = 0;
	u64 sector = blk_rq_pos(rq);
	u16 op, flags = 0;

	switch (req_op(rq)) {
	case REQ_OP_READ:
		op = VBUS_BLK_OP_READ;
		break;
	case REQ_OP_WRITE:
		op = VBUS_BLK_OP_WRITE;
		if (rq->cmd_flags & REQ_FUA)
			flags |= VBUS_BLK_REQ_FUA;
		break;
	case REQ_OP_FLUSH:
		op = VBUS_BLK_OP_FLUSH;
		sector = 0;
		break;
	case REQ_OP_DISCARD:
		op = VBUS_BLK_OP_DISCARD;
		nr_sectors = blk_rq_sectors(rq);
		break;
	case REQ_OP_WRITE_ZEROES:
		op = VBUS_BLK_OP_WRITE_ZEROES;
		nr_sectors = blk_rq_sectors(rq);
		if (rq->cmd_flags & REQ_FUA)
			flags |= VBUS_BLK_REQ_FUA;
		if (rq->cmd_flags & REQ_NOUNMAP)
			flags |= VBUS_BLK_REQ_NOUNMAP;
		break;
	default:
		return false;
	}
	req->op = cpu_to_le16(op);
	req->flags = cpu_to_le16(flags);
	req->nr_sectors = cpu_to_le32(nr_sectors);
	req->sector = cpu_to_le64(sector);
	return true;
}

static void vbus_blk_unmap(struct request *rq)
{
	struct vbus_blk_pdu *pdu = blk_mq_rq_to_pdu(rq);

	if (pdu->nr_sg)
		dma_unmap_sg(vbus_blk_dma_dev(rq), pdu->sg, pdu->nr_sg,
			     rq_dma_dir(rq));
	pdu->nr_sg = 0;
}

/* Map the data and list the segments.  Return: how many, 0 without memory. */
static u32 vbus_blk_map(struct request *rq, struct ioq_seg *segs)
{
	struct vbus_blk_pdu *pdu = blk_mq_rq_to_pdu(rq);
	u32 n = 0, write = rq_data_dir(rq) == READ;
	struct scatterlist *sg;
	int i, mapped = 0;

	segs[n++] = (struct ioq_seg){
		.addr = pdu->dma + offsetof(struct vbus_blk_cmd, req),
		.len = sizeof(pdu->cmd->req),
	};
	pdu->data = 0;
	pdu->nr_sg = 0;
	if (req_op(rq) != REQ_OP_READ && req_op(rq) != REQ_OP_WRITE)
		goto status;
	sg_init_table(pdu->sg, blk_rq_nr_phys_segments(rq));
	pdu->nr_sg = blk_rq_map_sg(rq->q, rq, pdu->sg);
	mapped = dma_map_sg(vbus_blk_dma_dev(rq), pdu->sg, pdu->nr_sg,
			    rq_dma_dir(rq));
	if (!mapped) {
		pdu->nr_sg = 0;
		return 0;
	}
	for_each_sg(pdu->sg, sg, mapped, i)
		segs[n++] = (struct ioq_seg){
			.addr = sg_dma_address(sg),
			.len = sg_dma_len(sg),
			.write = write,
		};
	if (write)
		pdu->data = blk_rq_payload_bytes(rq);
status:
	pdu->in_len = pdu->data + sizeof(pdu->cmd->status);
	segs[n++] = (struct ioq_seg){
		.addr = pdu->dma + offsetof(struct vbus_blk_cmd, status),
		.len = sizeof(pdu->cmd->status),
		.write = 1,
	};
	return n;
}

/* The ring has a slot for each request, and VBLK_DIRECT for most. */
static int vbus_blk_add(struct vbus_blk_queue *q, struct request *rq,
			const struct ioq_seg *segs, u32 n)
{
	struct vbus_blk_pdu *pdu = blk_mq_rq_to_pdu(rq);
	u32 in_len;

	lockdep_assert_held(&q->lock);
	q->stat[VBLK_REQUESTS]++;
	q->added++;
	q->urgent |= req_op(rq) == REQ_OP_FLUSH || rq->cmd_flags & REQ_FUA;
	if (n <= VBLK_DIRECT)
		return ioq_north_add(&q->vq->ring, segs, n, rq);
	q->stat[VBLK_INDIRECT]++;
	in_len = ioq_fill_table(pdu->cmd->table, segs, n);
	return ioq_north_add_indirect(&q->vq->ring, pdu->dma +
				      offsetof(struct vbus_blk_cmd, table),
				      n, in_len, rq);
}

/* What has to be done when the lock was let go. */
enum vbus_blk_then {
	VBLK_NOTHING,
	VBLK_LOOK,		/* there are answers */
	VBLK_KICK,
};

/* Ask for a signal for the next answer.  Return: false if there are answers already. */
static bool vbus_blk_enable_signals(struct vbus_blk_queue *q)
{
	lockdep_assert_held(&q->lock);
	q->quiet = false;
	return ioq_north_enable_signals(&q->vq->ring, 1);
}

/*
 * Publish what was added.  A host that wants a kick later, since more may follow, can't
 * know that somebody waits for one request.
 *
 * When a kick returns its answers may be there, so no signal is wanted for them.  That
 * holds for requests of this publish alone: the vCPU that kicks may be away for long, and
 * those of other CPUs must not wait for its return.
 */
static enum vbus_blk_then vbus_blk_publish(struct vbus_blk_queue *q)
{
	struct ioq_north *ring = &q->vq->ring;
	bool urgent = q->urgent, answers = false;
	unsigned int added = q->added;

	lockdep_assert_held(&q->lock);
	if (!ioq_north_publish(ring))
		return VBLK_NOTHING;
	q->urgent = false;
	q->added = 0;
	if (q->quiet)
		answers = !vbus_blk_enable_signals(q);
	if (ioq_north_kick_needed(ring) || urgent) {
		if (!q->polled && ioq_north_outstanding(ring) == added) {
			ioq_north_suppress_signals(ring);
			q->quiet = true;
		}
		q->stat[VBLK_KICKS]++;
		return VBLK_KICK;
	}
	return !q->polled && (answers || ioq_north_pending(ring)) ?
	       VBLK_LOOK : VBLK_NOTHING;
}

/* What became of a request, by what the host says of it. */
static blk_status_t vbus_blk_result(struct vbus_blk_queue *q,
				    struct request *rq, u32 len)
{
	struct vbus_blk_pdu *pdu = blk_mq_rq_to_pdu(rq);
	blk_status_t result = BLK_STS_IOERR;

	if (likely(len == pdu->data))
		return BLK_STS_OK;
	q->stat[VBLK_ERRORS]++;
	if (len == pdu->in_len)
		result = vbus_blk_status(le32_to_cpu(READ_ONCE(pdu->cmd->status.status)));
	else
		dev_err_ratelimited(&q->vb->vdev->dev,
				    "the host reports %u bytes, not %u or %u\n",
				    len, pdu->data, pdu->in_len);
	if (result == BLK_STS_RESOURCE)
		q->stat[VBLK_RETRIES]++;
	return result;
}

/* Take out what the host has completed, in its order. */
static struct request *vbus_blk_reap(struct vbus_blk_queue *q)
{
	struct request *list = NULL, **tail = &list, *rq;
	struct vbus_blk_pdu *pdu;
	u32 len;

	lockdep_assert_held(&q->lock);
	while ((rq = ioq_north_get(&q->vq->ring, &len))) {
		pdu = blk_mq_rq_to_pdu(rq);
		pdu->result = vbus_blk_result(q, rq, len);
		rq_list_add_tail(&tail, rq);
	}
	/* What is left in it will not be answered. */
	if (unlikely(ioq_north_broken(&q->vq->ring)) && !q->dead)
		schedule_work(&q->vb->broken_work);
	return list;
}

static void vbus_blk_complete(struct request *rq)
{
	struct vbus_blk_pdu *pdu = blk_mq_rq_to_pdu(rq);

	vbus_blk_unmap(rq);
	if (unlikely(pdu->result == BLK_STS_RESOURCE)) {
		blk_mq_requeue_request(rq, false);
		blk_mq_delay_kick_requeue_list(rq->q, VBLK_RETRY_MS);
		return;
	}
	blk_mq_end_request(rq, pdu->result);
}

static void vbus_blk_complete_batch(struct io_comp_batch *iob)
{
	struct request *rq;

	rq_list_for_each(&iob->req_list, rq)
		vbus_blk_unmap(rq);
	blk_mq_end_request_batch(iob);
}

/* Return: whether there were any. */
static bool vbus_blk_complete_list(struct request *list,
				   struct io_comp_batch *iob)
{
	struct request *rq, *next;
	struct vbus_blk_pdu *pdu;
	bool any = list;

	for (rq = list; rq; rq = next) {
		next = rq_list_next(rq);
		pdu = blk_mq_rq_to_pdu(rq);
		if (!blk_mq_add_to_batch(rq, iob, (__force int)pdu->result,
					 vbus_blk_complete_batch))
			blk_mq_complete_request(rq);
	}
	return any;
}

/*
 * Complete what is there, and ask for a signal for the next.  Any context, without the lock.
 */
static void vbus_blk_look(struct vbus_blk_queue *q, bool signalled)
{
	DEFINE_IO_COMP_BATCH(iob);
	struct request *list;
	unsigned long flags;
	bool more;

	do {
		spin_lock_irqsave(&q->lock, flags);
		list = vbus_blk_reap(q);
		if (signalled)
			q->stat[VBLK_SIGNALS]++;
		else if (list)
			q->stat[VBLK_POLLS]++;
		signalled = false;
		more = !vbus_blk_enable_signals(q);
		spin_unlock_irqrestore(&q->lock, flags);
		vbus_blk_complete_list(list, &iob);
		/*
		 * As long as the host answers faster than this: in a batch no more than
		 * there are slots, as what was taken out is not free before the end.
		 */
	} while (more);
	if (!rq_list_empty(iob.req_list))
		iob.complete(&iob);
}

/* From hard interrupt context, or with interrupts off. */
void vbus_blk_signal(struct vproxy_queue *vq)
{
	vbus_blk_look(vq->priv, true);
}

/* Without the lock: kick, and spare the host the interrupt for what is there already. */
static void vbus_blk_then(struct vbus_blk_queue *q, enum vbus_blk_then then)
{
	if (then == VBLK_KICK)
		vproxy_queue_doorbell(q->vq);
	if (then == VBLK_NOTHING || q->polled)
		return;
	/* What ends in a softirq ends here, not when ksoftirqd gets its turn. */
	local_bh_disable();
	vbus_blk_look(q, false);
	local_bh_enable();
}

static blk_status_t vbus_blk_queue_rq(struct blk_mq_hw_ctx *hctx,
				      const struct blk_mq_queue_data *bd)
{
	struct ioq_seg segs[VBLK_MAX_SEGS + 2];
	struct vbus_blk_queue *q = hctx->driver_data;
	struct request *rq = bd->rq;
	struct vbus_blk_pdu *pdu = blk_mq_rq_to_pdu(rq);
	enum vbus_blk_then then = VBLK_NOTHING;
	unsigned long flags;
	int err = -EIO;
	u32 n;

	if (!vbus_blk_fill(rq, &pdu->cmd->req))
		return BLK_STS_NOTSUPP;
	n = vbus_blk_map(rq, segs);
	if (!n)
		return BLK_STS_RESOURCE;
	blk_mq_start_request(rq);

	spin_lock_irqsave(&q->lock, flags);
	if (!q->dead)
		err = vbus_blk_add(q, rq, segs, n);
	if (!err && bd->last)
		then = vbus_blk_publish(q);
	spin_unlock_irqrestore(&q->lock, flags);

	vbus_blk_then(q, then);
	if (!err)
		return BLK_STS_OK;
	vbus_blk_unmap(rq);
	return BLK_STS_IOERR;
}

static void vbus_blk_commit_rqs(struct blk_mq_hw_ctx *hctx)
{
	struct vbus_blk_queue *q = hctx->driver_data;
	enum vbus_blk_then then;
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	then = vbus_blk_publish(q);
	spin_unlock_irqrestore(&q->lock, flags);
	vbus_blk_then(q, then);
}

static int vbus_blk_poll(struct blk_mq_hw_ctx *hctx, struct io_comp_batch *iob)
{
	struct vbus_blk_queue *q = hctx->driver_data;
	struct request *list;
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	list = vbus_blk_reap(q);
	if (list)
		q->stat[VBLK_POLLS]++;
	spin_unlock_irqrestore(&q->lock, flags);
	return vbus_blk_complete_list(list, iob);
}

/*
 * Nobody serves the ring any more: fail what is in it, and all that comes.
 * Context: process context, the device is reset or gone.
 */
void vbus_blk_abort(struct vbus_blk_queue *q)
{
	struct request *list = NULL, **tail = &list, *rq;
	struct vbus_blk_pdu *pdu;
	unsigned long flags;

	spin_lock_irqsave(&q->lock, flags);
	q->dead = true;
	/* What was completed in time counts. */
	list = vbus_blk_reap(q);
	while (*tail)
		tail = &(*tail)->rq_next;
	while ((rq = ioq_north_detach(&q->vq->ring))) {
		pdu = blk_mq_rq_to_pdu(rq);
		pdu->result = BLK_STS_IOERR;
		rq_list_add_tail(&tail, rq);
	}
	spin_unlock_irqrestore(&q->lock, flags);
	vbus_blk_complete_list(list, NULL);
}

/*
 * Storage may be slow, and an answer is the only thing that ends a request: its pages
 * are the host's until then.  So all there is to do is to see whether there is one.
 */
static enum blk_eh_timer_return vbus_blk_timeout(struct request *rq)
{
	struct vbus_blk_queue *q = rq->mq_hctx->driver_data;
	struct vbus_blk *vb = q->vb;
	struct request *list;
	unsigned long flags;
	bool more;

	spin_lock_irqsave(&q->lock, flags);
	q->stat[VBLK_TIMEOUTS]++;
	spin_unlock_irqrestore(&q->lock, flags);
	/* If a signal was lost, the host thinks that the guest has had it. */
	do {
		spin_lock_irqsave(&q->lock, flags);
		list = vbus_blk_reap(q);
		more = !q->polled && !vbus_blk_enable_signals(q);
		spin_unlock_irqrestore(&q->lock, flags);
		vbus_blk_complete_list(list, NULL);
	} while (more);
	if (blk_mq_rq_state(rq) != MQ_RQ_IN_FLIGHT)
		return BLK_EH_DONE;

	dev_warn_ratelimited(&vb->vdev->dev,
			     "no answer to request %d for %u s\n", rq->tag,
			     rq->timeout / HZ);
	if (vproxy_device_gone(vb->vdev) || vproxy_needs_reset(vb->vdev)) {
		vbus_blk_kill(vb);
		if (blk_mq_rq_state(rq) != MQ_RQ_IN_FLIGHT)
			return BLK_EH_DONE;
	}
	return BLK_EH_RESET_TIMER;
}

static int vbus_blk_init_hctx(struct blk_mq_hw_ctx *hctx, void *data,
			      unsigned int index)
{
	struct vbus_blk *vb = data;

	hctx->driver_data = &vb->queue[index];
	return 0;
}

static int vbus_blk_init_request(struct blk_mq_tag_set *set,
				 struct request *rq, unsigned int hctx_idx,
				 unsigned int numa_node)
{
	struct vbus_blk_pdu *pdu = blk_mq_rq_to_pdu(rq);
	struct vbus_blk *vb = set->driver_data;

	pdu->cmd = dma_pool_zalloc(vb->pool, GFP_KERNEL, &pdu->dma);
	return pdu->cmd ? 0 : -ENOMEM;
}

static void vbus_blk_exit_request(struct blk_mq_tag_set *set,
				  struct request *rq, unsigned int hctx_idx)
{
	struct vbus_blk_pdu *pdu = blk_mq_rq_to_pdu(rq);
	struct vbus_blk *vb = set->driver_data;

	if (pdu->cmd)
		dma_pool_free(vb->pool, pdu->cmd, pdu->dma);
}

static void vbus_blk_map_queues(struct blk_mq_tag_set *set)
{
	struct blk_mq_queue_map *map = &set->map[HCTX_TYPE_DEFAULT];
	struct vbus_blk *vb = set->driver_data;

	map->nr_queues = vb->nr_queues;
	map->queue_offset = 0;
	blk_mq_map_queues(map);
	set->map[HCTX_TYPE_READ].nr_queues = 0;
	if (set->nr_maps <= HCTX_TYPE_POLL)
		return;
	map = &set->map[HCTX_TYPE_POLL];
	map->nr_queues = vb->nr_polled;
	map->queue_offset = vb->nr_queues;
	blk_mq_map_queues(map);
}

const struct blk_mq_ops vbus_blk_mq_ops = {
	.queue_rq = vbus_blk_queue_rq,
	.commit_rqs = vbus_blk_commit_rqs,
	.complete = vbus_blk_complete,
	.poll = vbus_blk_poll,
	.timeout = vbus_blk_timeout,
	.init_hctx = vbus_blk_init_hctx,
	.init_request = vbus_blk_init_request,
	.exit_request = vbus_blk_exit_request,
	.map_queues = vbus_blk_map_queues,
};
