// SPDX-License-Identifier: GPL-2.0
/*
 * Queues of a connection: rings attached and detached, kicks, completions.
 *
 * Attaching and detaching are under conn->lock while the device is stopped.
 * Between start and stop the ring belongs to the model; only the running flag
 * is shared with kicks, and they read it under RCU.
 */
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include "core.h"

int vbus_conn_queues_alloc(struct vbus_conn *conn)
{
	refcount_set(&conn->queue_users, 1);
	if (!conn->info.nr_queues)
		return 0;
	conn->queues = kvcalloc(conn->info.nr_queues, sizeof(*conn->queues),
				VBUS_GFP_GUEST);
	return conn->queues ? 0 : -ENOMEM;
}

void vbus_conn_queues_init(struct vbus_conn *conn)
{
	const struct vbus_model *model = conn->dev->model;
	u32 i;

	for (i = 0; i < conn->info.nr_queues; i++) {
		struct vbus_conn_queue *cq = &conn->queues[i];

		model->queue_info(conn->dev, i, &cq->info);
		cq->vector = VBUS_NO_VECTOR;
		cq->q.conn = conn;
		cq->q.index = i;
		cq->q.seg_max = cq->info.seg_max;
		vbus_serve_init(cq);
	}
}

/* A task work has one of them inside: it may be the last to go. */
void vbus_conn_queues_put(struct vbus_conn *conn)
{
	if (refcount_dec_and_test(&conn->queue_users))
		kvfree(conn->queues);
}

/* A write of 1 to ENABLE: check what the guest programmed and map its ring. */
int vbus_queue_attach(struct vbus_conn_queue *cq)
{
	struct vbus_conn *conn = cq->q.conn;
	u32 flags = cq->info.in_order ? IOQ_F_IN_ORDER : 0;
	int ret;

	lockdep_assert_held(&conn->lock);
	if (cq->q.attached)
		return 0;
	if (cq->size < VBUS_RING_MIN_SIZE || cq->size > cq->info.size_max ||
	    !is_power_of_2(cq->size)) {
		vbus_conn_err(conn, "queue %u: ring size %u is not a power of two from %u to %u\n",
			      cq->q.index, cq->size, VBUS_RING_MIN_SIZE,
			      cq->info.size_max);
		return -EINVAL;
	}
	if (!IS_ALIGNED(cq->ring, VBUS_RING_ALIGN)) {
		vbus_conn_err(conn, "queue %u: ring address %#llx is not a multiple of %u\n",
			      cq->q.index, cq->ring, VBUS_RING_ALIGN);
		return -EINVAL;
	}

	ret = vbus_mem_map(conn->mem, cq->ring, ioq_bytes(cq->size), &cq->map);
	if (ret) {
		vbus_conn_err(conn, "queue %u: ring at %#llx, size %u, is not in guest memory: %d\n",
			      cq->q.index, cq->ring, cq->size, ret);
		return ret;
	}
	ret = ioq_south_init(&cq->q.ring, cq->map.vaddr, cq->size, flags,
			     cq->pos);
	if (ret) {
		vbus_mem_unmap(&cq->map);
		return ret;
	}
	cq->q.attached = true;
	return 0;
}

/* Back to how a reset device looks. */
void vbus_queue_detach(struct vbus_conn_queue *cq)
{
	lockdep_assert_held(&cq->q.conn->lock);
	if (cq->q.attached) {
		cq->q.attached = false;
		vbus_mem_unmap(&cq->map);
	}
	cq->size = 0;
	cq->ring = 0;
	memset(&cq->pos, 0, sizeof(cq->pos));
	WRITE_ONCE(cq->vector, VBUS_NO_VECTOR);
}

/* Any context. */
void vbus_queue_kick(struct vbus_conn_queue *cq)
{
	const struct vbus_model *model;

	rcu_read_lock();
	/* Pairs with the release in vbus_conn_start(). */
	if (smp_load_acquire(&cq->running)) {
		model = cq->q.conn->dev->model;
		if (model->serve)
			vbus_serve_kick(cq);
		else
			model->kick(&cq->q);
	}
	rcu_read_unlock();
}

void vbus_queue_serve(struct vbus_queue *q)
{
	vbus_queue_kick(to_conn_queue(q));
}
EXPORT_SYMBOL_NS_GPL(vbus_queue_serve, VBUS_MODEL);

void vbus_conn_kick(struct vbus_conn *conn, u32 queue)
{
	if (queue >= conn->info.nr_queues)
		return;
	queue = array_index_nospec(queue, conn->info.nr_queues);
	rcu_read_lock();
	/* The queues go a grace period after it. */
	if (READ_ONCE(conn->connected))
		vbus_queue_kick(&conn->queues[queue]);
	rcu_read_unlock();
}
EXPORT_SYMBOL_NS_GPL(vbus_conn_kick, VBUS_SESSION);

struct vbus_queue *vbus_conn_queue(struct vbus_conn *conn, u32 q)
{
	if (WARN_ON_ONCE(q >= conn->info.nr_queues))
		return NULL;
	return &conn->queues[q].q;
}
EXPORT_SYMBOL_NS_GPL(vbus_conn_queue, VBUS_MODEL);

static int vbus_queue_copy(void *ctx, void *dst, u64 addr, u32 len)
{
	return vbus_mem_read(ctx, dst, addr, len);
}

int vbus_queue_get(struct vbus_queue *q, struct ioq_seg *segs, u32 max,
		   struct ioq_chain *chain)
{
	int ret;

	ret = ioq_south_get(&q->ring, segs, max, chain, vbus_queue_copy,
			    q->conn->mem);
	if (unlikely(ret < 0)) {
		vbus_conn_broken(q->conn, ret == -E2BIG ?
				 "a chain has more segments than the queue takes" :
				 ret == -EFAULT ?
				 "an indirect table is not in guest memory" :
				 "a descriptor is malformed");
		ret = -EPROTO;
	}
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vbus_queue_get, VBUS_MODEL);

void vbus_queue_signal(struct vbus_queue *q)
{
	vbus_conn_signal(q->conn, READ_ONCE(to_conn_queue(q)->vector));
}
EXPORT_SYMBOL_NS_GPL(vbus_queue_signal, VBUS_MODEL);

bool vbus_queue_flush(struct vbus_queue *q)
{
	if (!ioq_south_publish(&q->ring) || !ioq_south_signal_needed(&q->ring))
		return false;
	vbus_queue_signal(q);
	return true;
}
EXPORT_SYMBOL_NS_GPL(vbus_queue_flush, VBUS_MODEL);
