// SPDX-License-Identifier: GPL-2.0
/*
 * Connections: opening a slot, the device's status machine, and the end.
 *
 * conn->lock guards the registers.  A connection is used by whoever opened it;
 * bus->lock decides whether it is still connected to a device.  Once
 * disconnected it is a shell that answers ENODEV until its last reference.
 */
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include "core.h"

static void vbus_conn_release(struct kref *ref)
{
	struct vbus_conn *conn = container_of(ref, struct vbus_conn, ref);

	config_item_put(&conn->slot->item);
	vbus_bus_put(conn->bus);
	mutex_destroy(&conn->lock);
	/* A kick through the native front may just have seen that it is a shell. */
	kfree_rcu(conn, rcu);
}

/* What a shell needs no more.  A grace period has passed since it was connected. */
static void vbus_conn_strip(struct vbus_conn *conn)
{
	vbus_conn_vectors_release(conn);
	vbus_conn_queues_put(conn);
}

void vbus_conn_put(struct vbus_conn *conn)
{
	kref_put(&conn->ref, vbus_conn_release);
}

/*
 * The guest no longer objects: ask it now for what the admin wants back.  bus->lock
 * comes before conn->lock, under which registers are written.
 */
static void vbus_conn_hold_work(struct work_struct *work)
{
	struct vbus_conn *conn = container_of(work, struct vbus_conn,
					      hold_work);
	struct vbus_slot *slot = conn->slot;

	mutex_lock(&conn->bus->lock);
	if (slot->conn == conn && slot->unplugging && !READ_ONCE(conn->hold))
		vbus_session_post(slot, VBUS_EVENT_UNPLUG);
	mutex_unlock(&conn->bus->lock);
	vbus_conn_put(conn);
}

/* A write to HOLD, or a reset by the VMM. */
int vbus_conn_set_hold(struct vbus_conn *conn, u32 hold)
{
	bool released = conn->hold && !hold;

	lockdep_assert_held(&conn->lock);
	if (hold & ~VBUS_HOLD_IN_USE)
		return -EINVAL;
	WRITE_ONCE(conn->hold, hold);
	if (!released)
		return 0;
	kref_get(&conn->ref);
	if (!queue_work(vbus_wq, &conn->hold_work))
		vbus_conn_put(conn);
	return 0;
}

static struct vbus_conn *vbus_conn_alloc(struct vbus_session *session,
					 struct vbus_slot *slot)
{
	struct vbus_conn *conn;
	int ret = -ENOMEM;

	conn = kzalloc(sizeof(*conn), VBUS_GFP_GUEST);
	if (!conn)
		return ERR_PTR(-ENOMEM);

	kref_init(&conn->ref);
	mutex_init(&conn->lock);
	INIT_WORK(&conn->hold_work, vbus_conn_hold_work);
	conn->bus = session->bus;
	conn->slot = slot;
	conn->dev = slot->dev;
	conn->mem = session->mem;
	conn->memcg = session->memcg;
	conn->config_vector = VBUS_NO_VECTOR;

	conn->dev->model->device_info(conn->dev, &conn->info);
	if (WARN_ON_ONCE(conn->info.nr_queues > VBUS_MAX_QUEUES ||
			 conn->info.config_size > VBUS_CONFIG_MAX)) {
		ret = -EINVAL;
		goto err_free;
	}
	conn->nr_vectors = conn->info.nr_queues + 1;

	ret = vbus_conn_vectors_init(conn);
	if (ret)
		goto err_free;
	conn->serve_wq = conn->dev->serve_wq;
	ret = vbus_conn_queues_init(conn);
	if (ret)
		goto err_vectors;

	config_item_get(&slot->item);
	config_group_get(&conn->bus->group);
	return conn;

err_vectors:
	vbus_conn_vectors_release(conn);
err_free:
	mutex_destroy(&conn->lock);
	kfree(conn);
	return ERR_PTR(ret);
}

struct vbus_conn *vbus_conn_open(struct vbus_session *session, u32 nr)
{
	struct vbus_bus *bus = session->bus;
	struct mem_cgroup *old;
	struct vbus_device *dev;
	struct vbus_conn *conn;
	struct vbus_slot *slot;
	int ret;

	if (nr >= VBUS_MAX_SLOTS)
		return ERR_PTR(-ENOENT);
	nr = array_index_nospec(nr, VBUS_MAX_SLOTS);

	old = set_active_memcg(session->memcg);
	mutex_lock(&bus->lock);
	slot = bus->slots[nr];
	if (!slot || !slot->dev) {
		ret = -ENOENT;
		goto err_unlock;
	}
	if (slot->conn) {
		ret = -EBUSY;
		goto err_unlock;
	}

	conn = vbus_conn_alloc(session, slot);
	if (IS_ERR(conn)) {
		ret = PTR_ERR(conn);
		goto err_unlock;
	}
	dev = conn->dev;

	mutex_lock(&conn->lock);
	ret = dev->model->connect ? dev->model->connect(conn) : 0;
	WRITE_ONCE(conn->connected, !ret);
	mutex_unlock(&conn->lock);
	if (ret) {
		vbus_conn_strip(conn);
		vbus_conn_put(conn);
		goto err_unlock;
	}

	config_item_get(&dev->item);
	list_add_tail(&conn->session_node, &session->conns);
	spin_lock_irq(&dev->config_lock);
	list_add_tail(&conn->dev_node, &dev->conns);
	spin_unlock_irq(&dev->config_lock);
	slot->conn = conn;
	mutex_unlock(&bus->lock);
	set_active_memcg(old);
	return conn;

err_unlock:
	mutex_unlock(&bus->lock);
	set_active_memcg(old);
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_GPL(vbus_conn_open);

/*
 * The one way a connection ends, in this order.  The caller holds bus->lock and
 * afterwards detaches the slot if an unplug was waiting.
 */
void vbus_conn_disconnect(struct vbus_conn *conn)
{
	struct vbus_device *dev = conn->dev;
	u32 i;

	lockdep_assert_held(&conn->bus->lock);

	/* 1. No config change finds it. */
	spin_lock_irq(&dev->config_lock);
	list_del(&conn->dev_node);
	spin_unlock_irq(&dev->config_lock);

	mutex_lock(&conn->lock);
	/* 2. No kick comes in. */
	for (i = 0; i < conn->info.nr_queues; i++)
		vbus_doorbell_unbind(&conn->queues[i]);
	/* 3. The model stops, rings are unmapped; nobody is asked for it any more. */
	WRITE_ONCE(conn->hold, 0);
	vbus_conn_reset(conn);
	if (dev->model->disconnect)
		dev->model->disconnect(conn);
	/* 4. From here every access answers ENODEV. */
	WRITE_ONCE(conn->connected, false);
	conn->dev = NULL;
	conn->mem = NULL;
	conn->memcg = NULL;
	/*
	 * 5. Signals and kicks that run end.  One grace period for all of it, as a
	 * dying VMM waits for this.
	 */
	synchronize_rcu();
	vbus_conn_strip(conn);
	mutex_unlock(&conn->lock);

	list_del_init(&conn->session_node);
	conn->slot->conn = NULL;
	config_item_put(&dev->item);
}

void vbus_conn_close(struct vbus_conn *conn)
{
	struct vbus_slot *slot = conn->slot;

	mutex_lock(&conn->bus->lock);
	/* Only bus->lock is needed to look: disconnecting takes it. */
	if (conn->connected) {
		vbus_conn_disconnect(conn);
		if (slot->unplugging) {
			/* Whose guest let go behind his back is told. */
			if (conn->native)
				vbus_session_post(slot, VBUS_EVENT_REMOVED);
			vbus_slot_detach(slot);
		} else if (!conn->native) {
			vbus_session_free_slot(slot);
		}
	}
	mutex_unlock(&conn->bus->lock);
	/* It has nothing left to do, and must not hold up what follows. */
	if (cancel_work_sync(&conn->hold_work))
		vbus_conn_put(conn);
	vbus_conn_put(conn);
}
EXPORT_SYMBOL_GPL(vbus_conn_close);

/* Hand the queues to the model and let kicks through. */
int vbus_conn_start(struct vbus_conn *conn)
{
	u32 i;
	int ret;

	lockdep_assert_held(&conn->lock);
	/* What broke has a ring, or a back end, that nobody can go on with. */
	if (test_bit(0, &conn->broken))
		return -EIO;
	ret = conn->dev->model->start(conn);
	if (ret)
		return ret;
	WRITE_ONCE(conn->started, true);

	for (i = 0; i < conn->info.nr_queues; i++) {
		struct vbus_conn_queue *cq = &conn->queues[i];

		if (!cq->q.attached)
			continue;
		/* Pairs with the acquire in vbus_queue_kick(). */
		smp_store_release(&cq->running, true);
		/* What was posted before had no one to ring for. */
		vbus_queue_kick(cq);
	}
	return 0;
}

/* Take the queues back: no kick runs when the model is told to stop. */
void vbus_conn_stop(struct vbus_conn *conn)
{
	u32 i;

	lockdep_assert_held(&conn->lock);
	if (!conn->started)
		return;
	for (i = 0; i < conn->info.nr_queues; i++)
		WRITE_ONCE(conn->queues[i].running, false);
	synchronize_rcu();
	if (conn->dev->model->serve)
		for (i = 0; i < conn->info.nr_queues; i++)
			vbus_serve_stop(&conn->queues[i]);
	conn->dev->model->stop(conn);
	WRITE_ONCE(conn->started, false);
}

/* As the guest writing STATUS 0. */
void vbus_conn_reset(struct vbus_conn *conn)
{
	u32 i;

	lockdep_assert_held(&conn->lock);
	vbus_conn_stop(conn);
	for (i = 0; i < conn->info.nr_queues; i++)
		vbus_queue_detach(&conn->queues[i]);
	WRITE_ONCE(conn->config_vector, VBUS_NO_VECTOR);
	conn->accepted = 0;
	conn->paused = false;
	WRITE_ONCE(conn->status, 0);
	clear_bit(0, &conn->broken);
}

/* Is the driver's choice of features one the device can work with? */
static bool vbus_conn_features_ok(struct vbus_conn *conn)
{
	const struct vbus_model *model = conn->dev->model;

	if (conn->accepted & ~conn->info.features) {
		vbus_conn_err(conn, "guest accepted features not offered: %#llx\n",
			      conn->accepted & ~conn->info.features);
		return false;
	}
	if (model->accept && model->accept(conn->dev, conn->accepted)) {
		vbus_conn_err(conn, "guest accepted features that don't go together: %#llx\n",
			      conn->accepted);
		return false;
	}
	return true;
}

/*
 * A write to STATUS.  0 resets; bits can only be added, in order.  A refused
 * FEATURES_OK is not an error: the bit reads back as 0.
 */
int vbus_conn_set_status(struct vbus_conn *conn, u32 status)
{
	u32 added;
	int ret;

	lockdep_assert_held(&conn->lock);
	if (!status) {
		vbus_conn_reset(conn);
		return 0;
	}

	/* Drivers write back what they read. */
	status &= ~VBUS_STATUS_NEEDS_RESET;
	if (status & ~(VBUS_STATUS_DRIVER | VBUS_STATUS_FEATURES_OK |
		       VBUS_STATUS_RUNNING))
		return -EINVAL;
	if (conn->status & ~status)
		return -EINVAL;
	if (status & VBUS_STATUS_FEATURES_OK && !(status & VBUS_STATUS_DRIVER))
		return -EINVAL;
	if (status & VBUS_STATUS_RUNNING && !(status & VBUS_STATUS_FEATURES_OK))
		return -EINVAL;

	added = status & ~conn->status;
	if (added & VBUS_STATUS_FEATURES_OK && !vbus_conn_features_ok(conn)) {
		WRITE_ONCE(conn->status, conn->status | VBUS_STATUS_DRIVER);
		return 0;
	}
	if (added & VBUS_STATUS_RUNNING) {
		ret = vbus_conn_start(conn);
		if (ret) {
			vbus_conn_err(conn, "%s did not start: %d\n",
				      conn->dev->name, ret);
			return ret;
		}
	}
	WRITE_ONCE(conn->status, status);
	return 0;
}

/* Accessors for models; a model sees only connected connections. */

struct vbus_device *vbus_conn_device(struct vbus_conn *conn)
{
	return conn->dev;
}
EXPORT_SYMBOL_GPL(vbus_conn_device);

struct vbus_mem *vbus_conn_mem(struct vbus_conn *conn)
{
	return conn->mem;
}
EXPORT_SYMBOL_GPL(vbus_conn_mem);

struct mem_cgroup *vbus_conn_memcg(struct vbus_conn *conn)
{
	return conn->memcg;
}
EXPORT_SYMBOL_GPL(vbus_conn_memcg);

u64 vbus_conn_features(struct vbus_conn *conn)
{
	return conn->accepted;
}
EXPORT_SYMBOL_GPL(vbus_conn_features);

void vbus_conn_set_priv(struct vbus_conn *conn, void *priv)
{
	conn->priv = priv;
}
EXPORT_SYMBOL_GPL(vbus_conn_set_priv);

void *vbus_conn_priv(struct vbus_conn *conn)
{
	return conn->priv;
}
EXPORT_SYMBOL_GPL(vbus_conn_priv);

void vbus_conn_broken(struct vbus_conn *conn, const char *why)
{
	if (test_and_set_bit(0, &conn->broken))
		return;
	vbus_conn_err(conn, "device stopped: %s; the guest must reset it\n",
		      why);
	vbus_conn_signal(conn, READ_ONCE(conn->config_vector));
}
EXPORT_SYMBOL_GPL(vbus_conn_broken);
