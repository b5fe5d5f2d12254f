// SPDX-License-Identifier: GPL-2.0
/*
 * Sessions: one opening of a bus, its events and its ordered end.
 *
 * Everything here is under bus->lock, but vbus_session_event_pending(), which
 * reads a bitmap that only grows stale harmlessly: who posts wakes the reader
 * afterwards.
 */
#include <linux/memcontrol.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include "core.h"

/*
 * Note an event for the bus's user and for a guest that attaches without PCI, if
 * there are such.  Events are bits, so there
 * is nothing to overflow; a device that comes and goes unread leaves no trace.
 */
void vbus_session_post(struct vbus_slot *slot, u32 type)
{
	struct vbus_session *session = slot->bus->session;
	u8 *pending;

	lockdep_assert_held(&slot->bus->lock);
	if (!session || session->closing)
		return;

	if (session->native)
		vbus_native_news(session->native, slot->nr,
				 type == VBUS_EVENT_CHANGED);
	pending = &session->pending[slot->nr];
	if (type == VBUS_EVENT_REMOVED && *pending & BIT(VBUS_EVENT_ADDED)) {
		vbus_session_withdraw(slot, VBUS_EVENT_ADDED);
		vbus_session_withdraw(slot, VBUS_EVENT_CHANGED);
		return;
	}
	*pending |= BIT(type);
	__set_bit(slot->nr, session->slots);
	session->ops->event_pending(session->priv);
}

/* The VMM has closed a device that is still there: the guest may open it now. */
void vbus_session_free_slot(struct vbus_slot *slot)
{
	struct vbus_session *session = slot->bus->session;

	lockdep_assert_held(&slot->bus->lock);
	if (session && session->native)
		vbus_native_news(session->native, slot->nr, false);
}

/* Forget an event that is no longer true. */
void vbus_session_withdraw(struct vbus_slot *slot, u32 type)
{
	struct vbus_session *session = slot->bus->session;

	lockdep_assert_held(&slot->bus->lock);
	if (!session)
		return;
	session->pending[slot->nr] &= ~BIT(type);
	if (!session->pending[slot->nr])
		__clear_bit(slot->nr, session->slots);
}

/* Put back an event that could not be handed over. */
void vbus_session_requeue(struct vbus_session *session,
			  const struct vbus_event *ev)
{
	mutex_lock(&session->bus->lock);
	session->pending[ev->slot] |= BIT(ev->type);
	__set_bit(ev->slot, session->slots);
	mutex_unlock(&session->bus->lock);
}

bool vbus_session_event_pending(struct vbus_session *session)
{
	return !bitmap_empty(session->slots, VBUS_MAX_SLOTS);
}
EXPORT_SYMBOL_NS_GPL(vbus_session_event_pending, VBUS_SESSION);

/*
 * What is gone is reported before what came: REMOVED and UNPLUG speak of the device
 * before ADDED's.
 */
static const u8 vbus_event_order[] = {
	VBUS_EVENT_REMOVED,
	VBUS_EVENT_UNPLUG,
	VBUS_EVENT_ADDED,
	VBUS_EVENT_CHANGED,
};

bool vbus_session_next_event(struct vbus_session *session,
			     struct vbus_event *ev)
{
	struct vbus_bus *bus = session->bus;
	struct vbus_slot *slot;
	unsigned int nr, i;
	bool found = false;

	mutex_lock(&bus->lock);
	nr = find_first_bit(session->slots, VBUS_MAX_SLOTS);
	if (nr == VBUS_MAX_SLOTS)
		goto unlock;

	for (i = 0; i < ARRAY_SIZE(vbus_event_order); i++) {
		u8 type = vbus_event_order[i];

		if (!(session->pending[nr] & BIT(type)))
			continue;
		session->pending[nr] &= ~BIT(type);
		memset(ev, 0, sizeof(*ev));
		ev->type = type;
		ev->slot = nr;
		slot = bus->slots[nr];
		if (slot && slot->dev)
			ev->class_id = slot->dev->model->class_id;
		found = true;
		break;
	}
	if (!session->pending[nr])
		__clear_bit(nr, session->slots);
unlock:
	mutex_unlock(&bus->lock);
	return found;
}
EXPORT_SYMBOL_NS_GPL(vbus_session_next_event, VBUS_SESSION);

/*
 * The last fd of a bus, a device or a front is closed: does this thread wait for the end?
 * One of the process that opened the bus does: it finds the device free.  Any other may
 * have got hold of the file by chance, as the garbage collector of sockets does, or a
 * kernel thread that puts files for all.  Nor does one that exits: its fds are closed one
 * after the other, and the bus, which comes last or not, waits for all of them together.
 */
bool vbus_owner_waits(const struct pid *owner)
{
	return owner == task_tgid(current) && !(current->flags & PF_EXITING);
}

/* As vbus_session_open(), on a bus the caller holds a reference to. */
struct vbus_session *vbus_session_open_bus(struct vbus_bus *bus,
					   struct vbus_mem *mem,
					   const struct vbus_session_ops *ops,
					   void *priv)
{
	struct vbus_session *session;
	unsigned int nr;
	int ret;

	session = kzalloc(sizeof(*session), VBUS_GFP_GUEST);
	if (!session)
		return ERR_PTR(-ENOMEM);
	session->bus = bus;
	session->mem = mem;
	session->memcg = get_mem_cgroup_from_mm(current->mm);
	session->ops = ops;
	session->priv = priv;
	session->owner = get_pid(task_tgid(current));
	INIT_LIST_HEAD(&session->conns);

	/* From here rmdir of the bus answers EBUSY. */
	ret = vbus_item_pin(&bus->group.cg_item);
	if (ret)
		goto err_free;

	mutex_lock(&bus->lock);
	if (bus->session) {
		mutex_unlock(&bus->lock);
		ret = -EBUSY;
		goto err_undepend;
	}
	bus->session = session;
	for (nr = 0; nr < VBUS_MAX_SLOTS; nr++)
		if (bus->slots[nr] && bus->slots[nr]->dev)
			vbus_session_post(bus->slots[nr], VBUS_EVENT_ADDED);
	mutex_unlock(&bus->lock);
	config_group_get(&bus->group);
	return session;

err_undepend:
	configfs_undepend_item(&bus->group.cg_item);
err_free:
	mem_cgroup_put(session->memcg);
	put_pid(session->owner);
	kfree(session);
	return ERR_PTR(ret);
}

struct vbus_session *vbus_session_open(const char *name, struct vbus_mem *mem,
				       const struct vbus_session_ops *ops,
				       void *priv)
{
	struct vbus_session *session;
	struct vbus_bus *bus;

	bus = vbus_bus_find(name);
	if (!bus)
		return ERR_PTR(-ENOENT);
	session = vbus_session_open_bus(bus, mem, ops, priv);
	vbus_bus_put(bus);
	return session;
}
EXPORT_SYMBOL_NS_GPL(vbus_session_open, VBUS_SESSION);

/* Any connection that is not a shell yet, with a reference. */
static struct vbus_conn *vbus_session_conn(struct vbus_session *session)
{
	struct vbus_conn *conn;

	mutex_lock(&session->bus->lock);
	conn = list_first_entry_or_null(&session->conns, struct vbus_conn,
					session_node);
	if (conn)
		kref_get(&conn->ref);
	mutex_unlock(&session->bus->lock);
	return conn;
}

void vbus_session_close(struct vbus_session *session)
{
	struct vbus_bus *bus = session->bus;
	struct vbus_conn *conn;

	/* 1. All connections end at once: none waits for another one's storage. */
	mutex_lock(&bus->lock);
	session->closing = true;
	list_for_each_entry(conn, &session->conns, session_node)
		vbus_conn_claim(conn);
	mutex_unlock(&bus->lock);

	/* 2. The guest's calls end, and it forgets what it had open. */
	vbus_native_detach(session);

	/* 3. No model touches the guest any more; waiting unplugs complete. */
	while ((conn = vbus_session_conn(session))) {
		vbus_conn_wait_gone(conn);
		vbus_conn_put(conn);
	}

	/* 4. The bus is free. */
	mutex_lock(&bus->lock);
	bus->session = NULL;
	mutex_unlock(&bus->lock);

	/* 5. Guest memory, which nobody uses now. */
	vbus_mem_destroy(session->mem);

	/* 6. The bus may go. */
	configfs_undepend_item(&bus->group.cg_item);
	vbus_bus_put(bus);
	mem_cgroup_put(session->memcg);
	put_pid(session->owner);
	kfree(session);
}
EXPORT_SYMBOL_NS_GPL(vbus_session_close, VBUS_SESSION);

struct vbus_mem *vbus_session_mem(struct vbus_session *session)
{
	return session->mem;
}
EXPORT_SYMBOL_NS_GPL(vbus_session_mem, VBUS_SESSION);
