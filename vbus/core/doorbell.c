// SPDX-License-Identifier: GPL-2.0
/*
 * Doorbells in: an eventfd whose wake-up callback kicks a queue, or looks at a call
 * page.
 *
 * The callback runs under the eventfd's wait queue lock, interrupts off, on the
 * CPU of whoever wrote.  The doorbell holds the eventfd's context, not its file:
 * when the last file closes (EPOLLHUP) the entry just stays silent until it is
 * unbound.  Binding and unbinding are under the owner's lock: conn->lock, or
 * native->lock.
 */
#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/poll.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include "core.h"

/**
 * struct vbus_doorbell - an eventfd bound to something that is kicked
 * @kick: called for each kick
 * @arg: its argument
 * @ctx: the eventfd
 * @wait: entry on its wait queue
 * @table: used once, to get there
 */
struct vbus_doorbell {
	void (*kick)(void *arg);
	void *arg;
	struct eventfd_ctx *ctx;
	wait_queue_entry_t wait;
	poll_table table;
};

static int vbus_doorbell_wake(wait_queue_entry_t *wait, unsigned int mode,
			      int sync, void *key)
{
	struct vbus_doorbell *bell = container_of(wait, struct vbus_doorbell,
						  wait);
	u64 count;

	if (!(key_to_poll(key) & EPOLLIN))
		return 0;
	/* Consume, so that the writer never finds the counter full. */
	eventfd_ctx_do_read(bell->ctx, &count);
	bell->kick(bell->arg);
	return 0;
}

static void vbus_doorbell_queue(struct file *file, wait_queue_head_t *wqh,
				poll_table *table)
{
	struct vbus_doorbell *bell = container_of(table, struct vbus_doorbell,
						  table);

	add_wait_queue(wqh, &bell->wait);
}

/*
 * @kick is called from hard interrupt context or with interrupts off, until
 * vbus_doorbell_destroy() has returned.  @memcg pays for the doorbell.
 */
struct vbus_doorbell *vbus_doorbell_create(struct mem_cgroup *memcg, int fd,
					   void (*kick)(void *arg), void *arg)
{
	struct vbus_doorbell *bell;
	struct mem_cgroup *old;
	struct file *file;
	int ret;

	file = fget(fd);
	if (!file)
		return ERR_PTR(-EBADF);

	old = set_active_memcg(memcg);
	bell = kzalloc(sizeof(*bell), VBUS_GFP_GUEST);
	set_active_memcg(old);
	if (!bell) {
		ret = -ENOMEM;
		goto err_file;
	}
	bell->kick = kick;
	bell->arg = arg;
	bell->ctx = eventfd_ctx_fileget(file);
	if (IS_ERR(bell->ctx)) {
		ret = PTR_ERR(bell->ctx);
		goto err_free;
	}
	init_waitqueue_func_entry(&bell->wait, vbus_doorbell_wake);
	init_poll_funcptr(&bell->table, vbus_doorbell_queue);

	/* A kick from before we listened is not lost. */
	if (vfs_poll(file, &bell->table) & EPOLLIN)
		kick(arg);
	fput(file);
	return bell;

err_free:
	kfree(bell);
err_file:
	fput(file);
	return ERR_PTR(ret);
}

/* Off the wait queue: when this returns no wake-up callback runs.  NULL will do. */
void vbus_doorbell_destroy(struct vbus_doorbell *bell)
{
	u64 count;

	if (!bell)
		return;
	eventfd_ctx_remove_wait_queue(bell->ctx, &bell->wait, &count);
	eventfd_ctx_put(bell->ctx);
	kfree(bell);
}

void vbus_doorbell_unbind(struct vbus_conn_queue *cq)
{
	vbus_doorbell_destroy(cq->doorbell);
	cq->doorbell = NULL;
}

static void vbus_doorbell_kick(void *arg)
{
	vbus_queue_kick(arg);
}

int vbus_conn_set_doorbell(struct vbus_conn *conn, u32 queue, int fd)
{
	struct vbus_doorbell *bell = NULL;
	struct vbus_conn_queue *cq;
	int ret = 0;

	mutex_lock(&conn->lock);
	if (!conn->connected) {
		ret = -ENODEV;
		goto unlock;
	}
	if (queue >= conn->info.nr_queues || fd < -1) {
		ret = -EINVAL;
		goto unlock;
	}
	cq = &conn->queues[array_index_nospec(queue, conn->info.nr_queues)];

	if (fd != -1) {
		bell = vbus_doorbell_create(conn->memcg, fd,
					    vbus_doorbell_kick, cq);
		if (IS_ERR(bell)) {
			ret = PTR_ERR(bell);
			goto unlock;
		}
	}
	vbus_doorbell_unbind(cq);
	cq->doorbell = bell;
unlock:
	mutex_unlock(&conn->lock);
	return ret;
}
EXPORT_SYMBOL_NS_GPL(vbus_conn_set_doorbell, VBUS_SESSION);
