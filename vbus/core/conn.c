// SPDX-License-Identifier: GPL-2.0
/*
 * Connections: opening a slot, the device's status machine, and the end.
 *
 * conn->lock guards the registers, and is held while the model starts and stops, which
 * may take as long as storage takes to answer.  So nothing waits for it that others
 * wait for: bus->lock comes after it.
 *
 * The end has three parts.  It is claimed under bus->lock (conn->closing), by whichever
 * of close, force and the end of the session comes first; from then on the slot answers
 * EBUSY.  The teardown runs without bus->lock, in a work item of the device or in a
 * thread that waits for it: the model stops and the connection becomes a shell.  Then,
 * under bus->lock again, the slot forgets it.
 */
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include "core.h"

static void vbus_conn_release(struct kref *ref)
{
	struct vbus_conn *conn = container_of(ref, struct vbus_conn, ref);

	put_pid(conn->owner);
	mutex_destroy(&conn->lock);
	/* A kick through the native front may just have seen that it is a shell. */
	kfree_rcu(conn, rcu);
}

void vbus_conn_put(struct vbus_conn *conn)
{
	kref_put(&conn->ref, vbus_conn_release);
}

/* The bus of what is not a shell yet, with a reference; or NULL. */
static struct vbus_bus *vbus_conn_bus(struct vbus_conn *conn)
{
	struct vbus_bus *bus;

	spin_lock(&conn->bus_lock);
	bus = conn->bus;
	if (bus)
		config_group_get(&bus->group);
	spin_unlock(&conn->bus_lock);
	return bus;
}

/*
 * A write to HOLD, or a reset by the VMM.  A guest that no longer objects is asked now
 * for what the admin wants back.
 */
int vbus_conn_set_hold(struct vbus_conn *conn, u32 hold)
{
	bool released = conn->hold && !hold;
	struct vbus_slot *slot = conn->slot;

	lockdep_assert_held(&conn->lock);
	if (hold & ~VBUS_HOLD_IN_USE)
		return -EINVAL;
	WRITE_ONCE(conn->hold, hold);
	if (!released)
		return 0;
	mutex_lock(&conn->bus->lock);
	if (!conn->closing && slot->unplugging)
		vbus_session_post(slot, VBUS_EVENT_UNPLUG);
	mutex_unlock(&conn->bus->lock);
	return 0;
}

/* What a shell needs no more.  A grace period has passed since it was connected. */
static void vbus_conn_strip(struct vbus_conn *conn)
{
	vbus_conn_vectors_release(conn);
	vbus_conn_queues_put(conn);
}

/* It leads nowhere from here on, and holds nobody. */
static void vbus_conn_unref(struct vbus_conn *conn, struct vbus_device *dev)
{
	struct vbus_slot *slot = conn->slot;
	struct vbus_bus *bus = conn->bus;

	spin_lock(&conn->bus_lock);
	conn->bus = NULL;
	conn->slot = NULL;
	spin_unlock(&conn->bus_lock);
	config_item_put(&dev->item);
	config_item_put(&slot->item);
	vbus_bus_put(bus);
}

/*
 * The part that may take as long as storage takes to answer; nothing is held but the
 * connection's own lock.
 */
static void vbus_conn_disconnect(struct vbus_conn *conn)
{
	const struct vbus_model *model = conn->dev->model;
	u32 i;

	mutex_lock(&conn->lock);
	/* Else the model has refused to connect. */
	if (conn->connected) {
		/* 4. No kick comes in. */
		for (i = 0; i < conn->info.nr_queues; i++)
			vbus_doorbell_unbind(&conn->queues[i]);
		/* 5. The model stops, rings are unmapped. */
		vbus_conn_reset(conn);
		if (model->disconnect)
			model->disconnect(conn);
	}
	/* 6. From here every access answers ENODEV. */
	WRITE_ONCE(conn->connected, false);
	conn->dev = NULL;
	conn->mem = NULL;
	conn->memcg = NULL;
	/*
	 * 7. Signals and kicks that run end.  One grace period for all of it, as a
	 * dying VMM waits for this.
	 */
	synchronize_rcu();
	vbus_conn_strip(conn);
	mutex_unlock(&conn->lock);
}

/* The slot forgets it, and lets its device go if that was waited for. */
static void vbus_conn_forget(struct vbus_conn *conn)
{
	struct vbus_slot *slot = conn->slot;

	mutex_lock(&conn->bus->lock);
	list_del_init(&conn->session_node);
	slot->conn = NULL;
	if (slot->unplugging) {
		/* The VMM gets an event, unless it was the one to let go. */
		if (conn->native || conn->forced)
			vbus_session_post(slot, VBUS_EVENT_REMOVED);
		vbus_slot_detach(slot);
	} else if (!conn->native) {
		vbus_session_free_slot(slot);
	}
	mutex_unlock(&conn->bus->lock);
}

static void vbus_conn_teardown(struct vbus_conn *conn)
{
	struct vbus_device *dev = conn->dev;

	vbus_conn_disconnect(conn);
	vbus_conn_forget(conn);
	vbus_conn_unref(conn, dev);
	complete_all(&conn->gone);
	/* The claim's. */
	vbus_conn_put(conn);
}

static void vbus_conn_close_work(struct work_struct *work)
{
	vbus_conn_teardown(container_of(work, struct vbus_conn, close_work));
}

/*
 * Begin its end, unless it has begun.  It goes on by itself: conn->gone is completed
 * when no model touches the guest for it any more, and the slot is free.
 * Return: true if this call began it.
 */
bool vbus_conn_claim(struct vbus_conn *conn)
{
	struct vbus_device *dev = conn->dev;

	lockdep_assert_held(&conn->bus->lock);
	if (conn->closing)
		return false;
	/* 1. The slot is busy. */
	conn->closing = true;
	/* 2. No config change finds it. */
	spin_lock_irq(&dev->config_lock);
	list_del(&conn->dev_node);
	spin_unlock_irq(&dev->config_lock);
	/* 3. The rest needs no lock of others. */
	kref_get(&conn->ref);
	queue_work(dev->wq, &conn->close_work);
	return true;
}

/*
 * Wait for the end of what is claimed.  If the work item is still queued the teardown runs
 * here: a thread less to wake, and none to be made when memory is short.
 */
void vbus_conn_wait_gone(struct vbus_conn *conn)
{
	if (cancel_work(&conn->close_work))
		vbus_conn_teardown(conn);
	else
		wait_for_completion(&conn->gone);
}

/* The caller's reference goes. */
void vbus_conn_end(struct vbus_conn *conn, bool wait)
{
	struct vbus_bus *bus = vbus_conn_bus(conn);

	if (bus) {
		mutex_lock(&bus->lock);
		vbus_conn_claim(conn);
		mutex_unlock(&bus->lock);
		if (wait)
			vbus_conn_wait_gone(conn);
		vbus_bus_put(bus);
	}
	vbus_conn_put(conn);
}

void vbus_conn_close(struct vbus_conn *conn)
{
	vbus_conn_end(conn, true);
}
EXPORT_SYMBOL_NS_GPL(vbus_conn_close, VBUS_SESSION);

static struct vbus_conn *vbus_conn_alloc(const struct vbus_device_info *info)
{
	struct vbus_conn *conn;
	int ret;

	if (WARN_ON_ONCE(info->nr_queues > VBUS_MAX_QUEUES ||
			 info->config_size > VBUS_CONFIG_MAX))
		return ERR_PTR(-EINVAL);
	conn = kzalloc(sizeof(*conn), VBUS_GFP_GUEST);
	if (!conn)
		return ERR_PTR(-ENOMEM);

	kref_init(&conn->ref);
	mutex_init(&conn->lock);
	spin_lock_init(&conn->bus_lock);
	INIT_WORK(&conn->close_work, vbus_conn_close_work);
	init_completion(&conn->gone);
	conn->config_vector = VBUS_NO_VECTOR;
	conn->info = *info;
	conn->nr_vectors = info->nr_queues + 1;

	ret = vbus_conn_vectors_init(conn);
	if (ret)
		goto err_free;
	ret = vbus_conn_queues_alloc(conn);
	if (ret)
		goto err_vectors;
	return conn;

err_vectors:
	vbus_conn_vectors_release(conn);
err_free:
	mutex_destroy(&conn->lock);
	kfree(conn);
	return ERR_PTR(ret);
}

/* The slot below VBUS_MAX_SLOTS, if there is a device in it that can be opened; or ERR_PTR. */
static struct vbus_slot *vbus_conn_slot(struct vbus_session *session, u32 nr)
{
	struct vbus_slot *slot;

	nr = array_index_nospec(nr, VBUS_MAX_SLOTS);
	slot = session->bus->slots[nr];
	lockdep_assert_held(&session->bus->lock);
	if (session->closing)
		return ERR_PTR(-ENODEV);
	if (!slot || !slot->dev)
		return ERR_PTR(-ENOENT);
	return slot->conn ? ERR_PTR(-EBUSY) : slot;
}

/* From here on it may be claimed, but conn->lock keeps the teardown off. */
static void vbus_conn_publish(struct vbus_conn *conn,
			      struct vbus_session *session,
			      struct vbus_slot *slot)
{
	struct vbus_device *dev = slot->dev;

	lockdep_assert_held(&conn->lock);
	conn->bus = session->bus;
	conn->slot = slot;
	conn->dev = dev;
	conn->mem = session->mem;
	conn->memcg = session->memcg;
	conn->owner = get_pid(session->owner);
	conn->serve_wq = dev->serve_wq;
	vbus_conn_queues_init(conn);
	config_group_get(&conn->bus->group);
	config_item_get(&slot->item);
	config_item_get(&dev->item);
	list_add_tail(&conn->session_node, &session->conns);
	spin_lock_irq(&dev->config_lock);
	list_add_tail(&conn->dev_node, &dev->conns);
	spin_unlock_irq(&dev->config_lock);
	slot->conn = conn;
}

/*
 * What the device looks like is asked first and memory allocated then, without bus->lock:
 * the memory is charged to a cgroup that may have to give back some before it gets any.
 */
static struct vbus_conn *vbus_conn_do_open(struct vbus_session *session,
					   u32 nr, const u32 *wanted)
{
	struct vbus_bus *bus = session->bus;
	struct vbus_device_info info = {};
	const struct vbus_model *model;
	struct vbus_conn *conn;
	struct vbus_slot *slot;
	u32 plugs = 0;
	int ret;

	if (nr >= VBUS_MAX_SLOTS)
		return ERR_PTR(-ENOENT);

	mutex_lock(&bus->lock);
	slot = vbus_conn_slot(session, nr);
	if (!IS_ERR(slot)) {
		plugs = slot->plugs;
		slot->dev->model->device_info(slot->dev, &info);
	}
	mutex_unlock(&bus->lock);
	if (IS_ERR(slot))
		return ERR_CAST(slot);
	if (wanted && *wanted != plugs)
		return ERR_PTR(-ESTALE);
	conn = vbus_conn_alloc(&info);
	if (IS_ERR(conn))
		return conn;
	conn->native = wanted;

	mutex_lock(&conn->lock);
	mutex_lock(&bus->lock);
	slot = vbus_conn_slot(session, nr);
	/* Another device by now: there is an event that says so. */
	if (!IS_ERR(slot) && slot->plugs != plugs)
		slot = ERR_PTR(-ENOENT);
	if (!IS_ERR(slot))
		vbus_conn_publish(conn, session, slot);
	mutex_unlock(&bus->lock);
	if (IS_ERR(slot)) {
		mutex_unlock(&conn->lock);
		vbus_conn_strip(conn);
		vbus_conn_put(conn);
		return ERR_CAST(slot);
	}
	model = conn->dev->model;
	ret = model->connect ? model->connect(conn) : 0;
	WRITE_ONCE(conn->connected, !ret);
	mutex_unlock(&conn->lock);
	if (ret) {
		vbus_conn_close(conn);
		return ERR_PTR(ret);
	}
	return conn;
}

struct vbus_conn *vbus_conn_open(struct vbus_session *session, u32 nr)
{
	struct mem_cgroup *old = set_active_memcg(session->memcg);
	struct vbus_conn *conn = vbus_conn_do_open(session, nr, NULL);

	set_active_memcg(old);
	return conn;
}
EXPORT_SYMBOL_NS_GPL(vbus_conn_open, VBUS_SESSION);

/*
 * For a guest that opens it by a call, which says as which plug of the slot it knows the
 * device: -ESTALE if it is another one.  All of that is settled before the connection
 * can be found, as it may be cut at once.
 */
struct vbus_conn *vbus_conn_open_native(struct vbus_session *session, u32 nr,
					u32 plugs)
{
	struct mem_cgroup *old = set_active_memcg(session->memcg);
	struct vbus_conn *conn = vbus_conn_do_open(session, nr, &plugs);

	set_active_memcg(old);
	return conn;
}

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
		/*
		 * Chains posted before RUNNING raised no kick.  Pairs with barrier C
		 * of the guest: a kick that found the queue not running came after a
		 * chain that the model finds now.
		 */
		smp_mb();
		vbus_queue_kick(cq);
	}
	return 0;
}

/* Take the queues back: no kick runs when the model stops. */
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
EXPORT_SYMBOL_NS_GPL(vbus_conn_device, VBUS_MODEL);

struct vbus_mem *vbus_conn_mem(struct vbus_conn *conn)
{
	return conn->mem;
}
EXPORT_SYMBOL_NS_GPL(vbus_conn_mem, VBUS_MODEL);

struct mem_cgroup *vbus_conn_memcg(struct vbus_conn *conn)
{
	return conn->memcg;
}
EXPORT_SYMBOL_NS_GPL(vbus_conn_memcg, VBUS_MODEL);

u64 vbus_conn_features(struct vbus_conn *conn)
{
	return conn->accepted;
}
EXPORT_SYMBOL_NS_GPL(vbus_conn_features, VBUS_MODEL);

void vbus_conn_set_priv(struct vbus_conn *conn, void *priv)
{
	conn->priv = priv;
}
EXPORT_SYMBOL_NS_GPL(vbus_conn_set_priv, VBUS_MODEL);

void *vbus_conn_priv(struct vbus_conn *conn)
{
	return conn->priv;
}
EXPORT_SYMBOL_NS_GPL(vbus_conn_priv, VBUS_MODEL);

void vbus_conn_broken(struct vbus_conn *conn, const char *why)
{
	if (test_and_set_bit(0, &conn->broken))
		return;
	vbus_conn_err(conn, "device stopped: %s; the guest must reset it\n",
		      why);
	vbus_conn_signal(conn, READ_ONCE(conn->config_vector));
}
EXPORT_SYMBOL_NS_GPL(vbus_conn_broken, VBUS_MODEL);
