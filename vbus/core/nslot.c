// SPDX-License-Identifier: GPL-2.0
/*
 * Devices that a guest opens by calls: what each function does.
 *
 * Slow functions run in the work of a call page, several at once but for one slot.
 * nv->session is there as long as they run.  A connection may be cut at any time
 * by the admin; then it is a shell that answers ENODEV until the guest closes it.
 */
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include "native_priv.h"

#define VBUS_ROUTE_NONE	((u64)VBUS_NO_VECTOR)

static struct vbus_conn *vbus_nslot_conn(struct vbus_nslot *ns)
{
	return rcu_dereference_protected(ns->conn, lockdep_is_held(&ns->lock));
}

/* Any context, as the signal of a vector. */
static void vbus_route_signal(void *arg)
{
	struct vbus_route *route = arg;
	u64 target = READ_ONCE(route->target);

	if (target != VBUS_ROUTE_NONE)
		vbus_event_post(route->native, upper_32_bits(target),
				lower_32_bits(target));
}

/* Fast: from the wake-up of a doorbell. */
int vbus_nslot_kick(struct vbus_native *nv, u32 slot, u64 queue)
{
	struct vbus_conn *conn;
	int ret = -ENODEV;

	if (slot >= VBUS_MAX_SLOTS || queue > U32_MAX)
		return -EINVAL;
	slot = array_index_nospec(slot, VBUS_MAX_SLOTS);
	rcu_read_lock();
	conn = rcu_dereference(nv->slots[slot].conn);
	if (conn && READ_ONCE(conn->connected)) {
		vbus_conn_kick(conn, queue);
		ret = 0;
	}
	rcu_read_unlock();
	return ret;
}

static int vbus_nslot_info(struct vbus_native *nv, struct vbus_nslot *ns,
			   struct vbus_request *req)
{
	struct vbus_slot_info info = {};
	struct vbus_bus *bus = nv->bus;
	struct vbus_slot *slot;
	u32 flags = 0;

	mutex_lock(&bus->lock);
	slot = bus->slots[req->slot];
	if (slot && slot->dev) {
		flags |= VBUS_SLOT_PRESENT;
		if (slot->conn && slot->conn == vbus_nslot_conn(ns)) {
			flags |= VBUS_SLOT_OPEN;
			if (slot->unplugging && !READ_ONCE(slot->conn->hold))
				flags |= VBUS_SLOT_UNPLUG;
		}
		if (test_and_clear_bit(req->slot, nv->renamed))
			flags |= VBUS_SLOT_ALIAS;
		info.class_id = cpu_to_le32(slot->dev->model->class_id);
		info.plugs = cpu_to_le32(slot->plugs);
	}
	mutex_unlock(&bus->lock);
	info.flags = cpu_to_le32(flags);
	memcpy(req->data, &info, sizeof(info));
	req->answer = sizeof(info);
	return 0;
}

/* Also for a connection that is a shell already. */
void vbus_nslot_close(struct vbus_nslot *ns)
{
	struct vbus_conn *conn = vbus_nslot_conn(ns);

	if (!conn)
		return;
	rcu_assign_pointer(ns->conn, NULL);
	/* It returns when no signal is under way any more. */
	vbus_conn_close(conn);
	kvfree(ns->routes);
	ns->routes = NULL;
}

static int vbus_nslot_bind(struct vbus_native *nv, struct vbus_nslot *ns,
			   struct vbus_conn *conn)
{
	u32 i;
	int ret;

	ns->routes = kvcalloc(conn->nr_vectors, sizeof(*ns->routes),
			      VBUS_GFP_GUEST);
	if (!ns->routes)
		return -ENOMEM;
	for (i = 0; i < conn->nr_vectors; i++) {
		ns->routes[i].native = nv;
		ns->routes[i].target = VBUS_ROUTE_NONE;
		ret = vbus_conn_set_irq_fn(conn, i, vbus_route_signal,
					   &ns->routes[i]);
		if (ret)
			return ret;
	}
	return 0;
}

static int vbus_nslot_open(struct vbus_native *nv, struct vbus_nslot *ns,
			   const struct vbus_request *req)
{
	struct vbus_conn *conn = vbus_nslot_conn(ns);
	int ret;

	if (conn && READ_ONCE(conn->connected))
		return -EBUSY;
	vbus_nslot_close(ns);
	if (req->arg[0] > U32_MAX)
		return -ESTALE;
	conn = vbus_conn_open_native(nv->session, req->slot, req->arg[0]);
	if (IS_ERR(conn))
		return PTR_ERR(conn);
	ret = vbus_nslot_bind(nv, ns, conn);
	rcu_assign_pointer(ns->conn, conn);
	if (ret)
		vbus_nslot_close(ns);
	return ret;
}

static int vbus_nslot_read(struct vbus_conn *conn, struct vbus_request *req)
{
	u64 off = req->arg[0], len = req->arg[1];
	int ret;

	if (off >= VBUS_WINDOW_SIZE || len > VBUS_CALL_DATA_SIZE)
		return -EINVAL;
	ret = vbus_conn_read(conn, off, req->data, len);
	if (ret)
		return ret;
	req->answer = len;
	req->value = len;
	return 0;
}

static int vbus_nslot_write(struct vbus_conn *conn,
			    const struct vbus_request *req)
{
	if (req->arg[0] >= VBUS_WINDOW_SIZE || req->length > 8)
		return -EINVAL;
	return vbus_conn_write(conn, req->arg[0], req->data, req->length);
}

static int vbus_nslot_vector(struct vbus_native *nv, struct vbus_nslot *ns,
			     struct vbus_conn *conn,
			     const struct vbus_request *req)
{
	u32 queue = upper_32_bits(req->arg[1]);
	u32 event = lower_32_bits(req->arg[1]);
	u64 target = req->arg[1];
	u32 vector;

	if (!READ_ONCE(conn->connected))
		return -ENODEV;
	if (req->arg[0] >= conn->nr_vectors)
		return -EINVAL;
	vector = array_index_nospec(req->arg[0], conn->nr_vectors);
	if (event == VBUS_NO_VECTOR)
		target = VBUS_ROUTE_NONE;
	else if (queue >= nv->nr_queues || event >= VBUS_NR_NEVENTS ||
		 (!queue && event < VBUS_NEVENT_FREE))
		return -EINVAL;
	queue = array_index_nospec(queue, nv->nr_queues);
	if (target != VBUS_ROUTE_NONE &&
	    !rcu_access_pointer(nv->queues[queue].mem))
		return -EINVAL;
	WRITE_ONCE(ns->routes[vector].target, target);
	return 0;
}

static int vbus_nslot_do(struct vbus_native *nv, struct vbus_nslot *ns,
			 struct vbus_request *req)
{
	struct vbus_conn *conn = vbus_nslot_conn(ns);

	if (req->func == VBUS_FN_SLOT)
		return vbus_nslot_info(nv, ns, req);
	if (req->func == VBUS_FN_OPEN)
		return vbus_nslot_open(nv, ns, req);
	if (req->func > VBUS_FN_OPEN && req->func <= VBUS_FN_VECTOR && !conn)
		return -ENODEV;
	switch (req->func) {
	case VBUS_FN_CLOSE:
		vbus_nslot_close(ns);
		return 0;
	case VBUS_FN_READ:
		return vbus_nslot_read(conn, req);
	case VBUS_FN_WRITE:
		return vbus_nslot_write(conn, req);
	case VBUS_FN_VECTOR:
		return vbus_nslot_vector(nv, ns, conn, req);
	}
	return -EOPNOTSUPP;
}

/* Context: may sleep. Return: 0 or an errno, which the guest gets. */
int vbus_nslot_request(struct vbus_native *nv, struct vbus_request *req)
{
	struct mem_cgroup *old;
	struct vbus_nslot *ns;
	int ret;

	if (req->func == VBUS_FN_SLOW_NOP)
		return 0;
	if (req->slot >= VBUS_MAX_SLOTS)
		return -EINVAL;
	req->slot = array_index_nospec(req->slot, VBUS_MAX_SLOTS);
	ns = &nv->slots[req->slot];
	/* This is a worker, and what the guest opens is for its VMM to pay. */
	old = set_active_memcg(nv->session->memcg);
	mutex_lock(&ns->lock);
	ret = vbus_nslot_do(nv, ns, req);
	mutex_unlock(&ns->lock);
	set_active_memcg(old);
	return ret;
}
