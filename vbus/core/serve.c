// SPDX-License-Identifier: GPL-2.0
/*
 * Queues served in process context, for models with a serve hook.
 *
 * A kick comes with interrupts off, mostly inside the wake-up of a doorbell eventfd
 * that a vCPU thread of the VMM has just written to.  To wake a thread would cost
 * more than most requests do.  So that thread is given a task work: it runs before
 * the thread goes back to its guest, may sleep, and what it does is charged to the
 * VMM.  Where there is no such thread, or it has had its share, a work item serves.
 *
 * cq->serve holds the state, and nothing is guarded by a lock:
 *
 *   WANTED	a kick came that has not been looked at.  After setting it, one of
 *		the running server, the task work or the work item will look.
 *   RUNNING	the queue is being served; a bit lock.  Its holder looks at WANTED once
 *		more.
 *   TASKED	the task work is queued.  It holds a reference to the connection, its
 *		queues and this module, as it may come when all else is over.
 *
 * A kick is `set WANTED, barrier, look at RUNNING', the end of a run is `clear
 * RUNNING, barrier, look at WANTED': one of them sees the other's.
 */
#include <linux/eventfd.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/task_work.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>
#include "core.h"

enum {
	VBUS_SERVE_WANTED,
	VBUS_SERVE_RUNNING,
	VBUS_SERVE_TASKED,
};

/* In whatever thread: what the model allocates for the guest its VMM's cgroup pays for. */
static bool vbus_serve_model(struct vbus_conn_queue *cq, bool nowait)
{
	struct vbus_conn *conn = cq->q.conn;
	struct mem_cgroup *old;
	bool more;

	old = set_active_memcg(conn->memcg);
	more = conn->dev->model->serve(&cq->q, nowait);
	set_active_memcg(old);
	return more;
}

/*
 * Serve once.  What is wanted after that is for the work, whose thread may be taken for
 * others in between: a guest can go on kicking for ever.
 */
static void vbus_serve(struct vbus_conn_queue *cq, bool nowait)
{
	struct vbus_conn *conn = cq->q.conn;

	if (test_and_set_bit(VBUS_SERVE_RUNNING, &cq->serve))
		return;
	/* Stopping waits for RUNNING, so conn->dev is there. */
	if (smp_load_acquire(&cq->running) &&
	    test_and_clear_bit(VBUS_SERVE_WANTED, &cq->serve) &&
	    vbus_serve_model(cq, nowait))
		set_bit(VBUS_SERVE_WANTED, &cq->serve);
	clear_bit_unlock(VBUS_SERVE_RUNNING, &cq->serve);
	/* Pairs with those in vbus_serve_kick() and vbus_conn_stop(). */
	smp_mb__after_atomic();
	/* Stopping waits for those that see it running, and cancels the work after that. */
	rcu_read_lock();
	if (!READ_ONCE(cq->running))
		wake_up_bit(&cq->serve, VBUS_SERVE_RUNNING);
	else if (test_bit(VBUS_SERVE_WANTED, &cq->serve))
		queue_work(conn->serve_wq, &cq->serve_work);
	rcu_read_unlock();
}

static void vbus_serve_work(struct work_struct *work)
{
	vbus_serve(container_of(work, struct vbus_conn_queue, serve_work),
		   false);
}

static void vbus_serve_task(struct callback_head *head)
{
	struct vbus_conn_queue *cq = container_of(head, struct vbus_conn_queue,
						  serve_task);
	struct vbus_conn *conn = cq->q.conn;

	clear_bit(VBUS_SERVE_TASKED, &cq->serve);
	/* A ring from now on may queue it again. */
	smp_mb__after_atomic();
	vbus_serve(cq, true);
	vbus_conn_queues_put(conn);
	vbus_conn_put(conn);
	module_put(THIS_MODULE);
}

/*
 * Is this a thread of the VMM that has written to an eventfd?  It has no more to do in
 * the kernel than to go back to user space or into its guest.  Any other caller may wait
 * for the very request that it kicks for.  Nor is it a process that was handed the
 * eventfd: the guest's requests are not its to carry out, nor to pay for.
 */
static bool vbus_serve_task_ok(const struct vbus_conn *conn)
{
	return in_task() && !eventfd_signal_allowed() &&
	       !(current->flags & (PF_KTHREAD | PF_IO_WORKER | PF_EXITING)) &&
	       vbus_mem_is_mine(conn->mem);
}

static bool vbus_serve_by_task(struct vbus_conn_queue *cq)
{
	struct vbus_conn *conn = cq->q.conn;

	if (!vbus_serve_task_ok(conn) ||
	    test_and_set_bit(VBUS_SERVE_TASKED, &cq->serve))
		return false;
	kref_get(&conn->ref);
	/* Not from 0: kicks come to connected devices only. */
	refcount_inc(&conn->queue_users);
	__module_get(THIS_MODULE);
	if (!task_work_add(current, &cq->serve_task, TWA_RESUME))
		return true;
	clear_bit(VBUS_SERVE_TASKED, &cq->serve);
	module_put(THIS_MODULE);
	/* Neither was the last one. */
	vbus_conn_queues_put(conn);
	vbus_conn_put(conn);
	return false;
}

/* Any context; the queue runs, and rcu_read_lock() keeps it so. */
void vbus_serve_kick(struct vbus_conn_queue *cq)
{
	if (test_and_set_bit(VBUS_SERVE_WANTED, &cq->serve))
		return;
	/* Pairs with the one in vbus_serve(). */
	smp_mb__after_atomic();
	if (test_bit(VBUS_SERVE_RUNNING, &cq->serve))
		return;
	if (!vbus_serve_by_task(cq))
		queue_work(cq->q.conn->serve_wq, &cq->serve_work);
}

/*
 * The queue does not run any more and a grace period has passed.  When this returns
 * nothing serves, and a late run finds nothing to do.
 */
void vbus_serve_stop(struct vbus_conn_queue *cq)
{
	cancel_work_sync(&cq->serve_work);
	wait_on_bit(&cq->serve, VBUS_SERVE_RUNNING, TASK_UNINTERRUPTIBLE);
	/* Stale: vbus_conn_start() kicks again. */
	clear_bit(VBUS_SERVE_WANTED, &cq->serve);
}

void vbus_serve_init(struct vbus_conn_queue *cq)
{
	INIT_WORK(&cq->serve_work, vbus_serve_work);
	init_task_work(&cq->serve_task, vbus_serve_task);
}

/*
 * Each device has a workqueue of its own, from enable to disable: what one guest keeps
 * busy must not be what another one waits for, and a device that is served has one guest.
 * Only the admin makes devices, so the number of threads does not depend on what a VMM
 * opens, or how often.  Memory may be written out through it.
 */
struct workqueue_struct *vbus_serve_wq_create(const struct vbus_device *dev)
{
	return alloc_workqueue("vbus-%s-serve", WQ_UNBOUND | WQ_MEM_RECLAIM,
			       VBUS_MAX_QUEUES, dev->name);
}
