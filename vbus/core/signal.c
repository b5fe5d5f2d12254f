// SPDX-License-Identifier: GPL-2.0
/*
 * Signals out: a vector is an eventfd of the VMM, or a callback (loopback, native
 * front).
 *
 * vector->irq is replaced under a mutex of the vector's owner (conn->lock, or
 * native->lock) and read under RCU, so a signal takes no lock and may come from any
 * context.  Unbinding waits for a grace period: after it no signal uses the old
 * target.
 */
#include <linux/eventfd.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include "core.h"

static void vbus_irq_fire(struct vbus_vector *vector, struct vbus_irq *irq)
{
	if (!irq->ctx) {
		irq->fn(irq->arg);
		return;
	}
	/*
	 * Inside the wake-up of a doorbell eventfd another eventfd can't be
	 * signalled; from a hard interrupt it can.
	 */
	if (eventfd_signal_allowed())
		eventfd_signal(irq->ctx, 1);
	else
		irq_work_queue(&vector->work);
}

/* Any context; any number is harmless. */
void vbus_vector_signal(struct vbus_vector *vector)
{
	struct vbus_irq *irq;

	rcu_read_lock();
	irq = rcu_dereference(vector->irq);
	if (!irq) {
		set_bit(0, &vector->pending);
		/*
		 * Pairs with the barrier in vbus_vector_bind(): either we see
		 * the new target here or the binder sees the bit.
		 */
		smp_mb__after_atomic();
		irq = rcu_dereference(vector->irq);
		if (!irq || !test_and_clear_bit(0, &vector->pending))
			goto unlock;
	}
	vbus_irq_fire(vector, irq);
unlock:
	rcu_read_unlock();
}

static void vbus_vector_work(struct irq_work *work)
{
	vbus_vector_signal(container_of(work, struct vbus_vector, work));
}

/* Signal a vector of the connection. Any context; any number is harmless. */
void vbus_conn_signal(struct vbus_conn *conn, u32 vector)
{
	if (vector >= conn->nr_vectors)
		return;
	vector = array_index_nospec(vector, conn->nr_vectors);
	vbus_vector_signal(&conn->vectors[vector]);
}

/* A target that is an eventfd, or a callback; or NULL.  @memcg pays for it. */
struct vbus_irq *vbus_irq_alloc(struct mem_cgroup *memcg,
				struct eventfd_ctx *ctx, void (*fn)(void *arg),
				void *arg)
{
	struct mem_cgroup *old;
	struct vbus_irq *irq;

	old = set_active_memcg(memcg);
	irq = kzalloc(sizeof(*irq), VBUS_GFP_GUEST);
	set_active_memcg(old);
	if (irq) {
		irq->ctx = ctx;
		irq->fn = fn;
		irq->arg = arg;
	}
	return irq;
}

static void vbus_irq_free(struct vbus_irq *irq)
{
	if (irq && irq->ctx)
		eventfd_ctx_put(irq->ctx);
	kfree(irq);
}

/*
 * Point a vector at @irq (NULL: nowhere) and let go of the old target.  The caller
 * holds the owner's lock.
 */
void vbus_vector_bind(struct vbus_vector *vector, struct vbus_irq *irq)
{
	struct vbus_irq *old;

	old = rcu_replace_pointer(vector->irq, irq, true);
	/* Pairs with the barrier in vbus_vector_signal(). */
	smp_mb();
	if (irq && test_and_clear_bit(0, &vector->pending))
		vbus_irq_fire(vector, irq);
	if (!old)
		return;
	synchronize_rcu();
	irq_work_sync(&vector->work);
	vbus_irq_free(old);
}

/* To @ctx or @fn, or to nothing; @ctx is taken over on success. */
static int vbus_conn_bind(struct vbus_conn *conn, u32 nr,
			  struct eventfd_ctx *ctx, void (*fn)(void *arg),
			  void *arg)
{
	struct vbus_irq *irq = NULL;
	int ret = 0;

	mutex_lock(&conn->lock);
	if (!conn->connected) {
		ret = -ENODEV;
		goto unlock;
	}
	if (nr >= conn->nr_vectors) {
		ret = -EINVAL;
		goto unlock;
	}
	nr = array_index_nospec(nr, conn->nr_vectors);
	if (ctx || fn) {
		irq = vbus_irq_alloc(conn->memcg, ctx, fn, arg);
		if (!irq) {
			ret = -ENOMEM;
			goto unlock;
		}
	}
	vbus_vector_bind(&conn->vectors[nr], irq);
unlock:
	mutex_unlock(&conn->lock);
	return ret;
}

int vbus_conn_set_irq_fn(struct vbus_conn *conn, u32 vector,
			 void (*fn)(void *arg), void *arg)
{
	return vbus_conn_bind(conn, vector, NULL, fn, arg);
}
EXPORT_SYMBOL_NS_GPL(vbus_conn_set_irq_fn, VBUS_SESSION);

int vbus_conn_set_irq(struct vbus_conn *conn, u32 vector,
		      struct eventfd_ctx *ctx)
{
	return vbus_conn_bind(conn, vector, ctx, NULL, NULL);
}
EXPORT_SYMBOL_NS_GPL(vbus_conn_set_irq, VBUS_SESSION);

void vbus_vector_init(struct vbus_vector *vector)
{
	init_irq_work(&vector->work, vbus_vector_work);
}

int vbus_conn_vectors_init(struct vbus_conn *conn)
{
	u32 i;

	conn->vectors = kvcalloc(conn->nr_vectors, sizeof(*conn->vectors),
				 VBUS_GFP_GUEST);
	if (!conn->vectors)
		return -ENOMEM;
	for (i = 0; i < conn->nr_vectors; i++)
		vbus_vector_init(&conn->vectors[i]);
	return 0;
}

/* Nobody signals any more, and a grace period has passed since. */
void vbus_vector_release(struct vbus_vector *vector)
{
	struct vbus_irq *irq;

	irq_work_sync(&vector->work);
	irq = rcu_replace_pointer(vector->irq, NULL, true);
	vbus_irq_free(irq);
}

/* The same for all of a connection. */
void vbus_conn_vectors_release(struct vbus_conn *conn)
{
	u32 i;

	for (i = 0; i < conn->nr_vectors; i++)
		vbus_vector_release(&conn->vectors[i]);
	kvfree(conn->vectors);
	conn->vectors = NULL;
}
