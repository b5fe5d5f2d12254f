// SPDX-License-Identifier: GPL-2.0
/*
 * Loopback connector: plugs host buses of this kernel into its own guest bus.
 *
 * With native.c, the only file that sees both sides.  Each directory in configfs
 * "vbus-loop" is one session of the host bus of that name; the memory of its guest
 * is this kernel's memory, addressed physically.
 *
 * Who runs when.  mkdir and rmdir run under this subsystem's su_mutex.  The
 * host's event hook runs under locks of the core and only queues bus->work;
 * bus->work, on a workqueue of its own, is alone in opening, registering,
 * unregistering and closing devices until rmdir has cancelled it and does the
 * last of that itself.
 *
 * Locks.  Drivers write registers with the RTNL and core->lock held, and
 * registering a device takes both: so no lock of this file is ever held while a
 * device is registered or unregistered, and the register path takes none.
 * bus->lock guards the list of devices alone, for readers of "slots".
 *
 * Signals are direct calls, made by loop_interrupt().
 */
#define pr_fmt(fmt) "vbus-loop: " fmt

#include <linux/configfs.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/vbus.h>
#include <linux/workqueue.h>
#include <vbus/host/memory.h>
#include <vbus/guest/bus.h>
#include <vbus/host/session.h>
#include "loop.h"

/**
 * struct loop_bus - a host bus attached to this kernel
 * @item: directory in configfs
 * @session: host side; NULL until it is complete
 * @closing: rmdir has begun; @work does nothing more
 * @parent: parent of the guest devices, does DMA for them
 * @id: number of the bus on the guest side
 * @surprise: rmdir takes devices away without asking
 * @wq: runs @work
 * @work: handles events of the session
 * @lock: guards @devices
 * @devices: those registered
 */
struct loop_bus {
	struct config_item item;
	struct vbus_session *session;
	struct loop_parent parent;
	int id;
	bool surprise;
	bool closing;
	struct workqueue_struct *wq;
	struct work_struct work;
	struct mutex lock;	/* guards devices */
	struct list_head devices;
};

static inline struct loop_bus *to_loop_bus(struct config_item *item)
{
	return container_of(item, struct loop_bus, item);
}

/* Argument of one vector's signal. */
struct loop_vector {
	struct loop_dev *ldev;
	unsigned int nr;
};

/**
 * struct loop_dev - one device, seen from both sides
 * @vdev: guest side; frees all of it with its last reference
 * @conn: host side; valid until the device is unregistered
 * @slot: slot on the host bus
 * @list: in bus->devices
 * @nr_vectors: entries of @vectors
 * @vectors: while the driver has queues
 */
struct loop_dev {
	struct vproxy_device vdev;
	struct vbus_conn *conn;
	u32 slot;
	struct list_head list;
	unsigned int nr_vectors;
	struct loop_vector *vectors;
};

static inline struct loop_dev *to_loop_dev(struct vproxy_device *vdev)
{
	return container_of(vdev, struct loop_dev, vdev);
}

/* --- transport --- */

static int loop_read(struct vproxy_device *vdev, u32 off, void *buf, size_t len)
{
	return vbus_conn_read(to_loop_dev(vdev)->conn, off, buf, len);
}

static int loop_write(struct vproxy_device *vdev, u32 off, const void *buf,
		      size_t len)
{
	return vbus_conn_write(to_loop_dev(vdev)->conn, off, buf, len);
}

static void loop_kick(struct vproxy_device *vdev, u32 q)
{
	vbus_conn_kick(to_loop_dev(vdev)->conn, q);
}

static void loop_vector_signal(void *arg)
{
	struct loop_vector *vec = arg;

	vproxy_signal(&vec->ldev->vdev, vec->nr);
}

static void loop_signal(void *arg)
{
	loop_interrupt(loop_vector_signal, arg);
}

static void loop_free_vectors(struct vproxy_device *vdev)
{
	struct loop_dev *ldev = to_loop_dev(vdev);
	unsigned int i;

	/*
	 * Unbinding waits for calls that run.  A connection that is cut already
	 * refuses it, but its model has stopped: no call runs or comes.
	 */
	for (i = 0; i < ldev->nr_vectors; i++)
		vbus_conn_set_irq_fn(ldev->conn, i, NULL, NULL);
	kfree(ldev->vectors);
	ldev->vectors = NULL;
	ldev->nr_vectors = 0;
}

static int loop_setup_vectors(struct vproxy_device *vdev, unsigned int want)
{
	struct loop_dev *ldev = to_loop_dev(vdev);
	unsigned int i;
	int err;

	ldev->vectors = kcalloc(want, sizeof(*ldev->vectors), GFP_KERNEL);
	if (!ldev->vectors)
		return -ENOMEM;
	for (i = 0; i < want; i++) {
		ldev->vectors[i].ldev = ldev;
		ldev->vectors[i].nr = i;
		err = vbus_conn_set_irq_fn(ldev->conn, i, loop_signal,
					   &ldev->vectors[i]);
		if (err) {
			loop_free_vectors(vdev);
			return err;
		}
		ldev->nr_vectors = i + 1;
	}
	return want;
}

static const struct vproxy_transport_ops loop_transport = {
	.owner = THIS_MODULE,
	.read = loop_read,
	.write = loop_write,
	.kick = loop_kick,
	.setup_vectors = loop_setup_vectors,
	.free_vectors = loop_free_vectors,
};

/* --- devices: only bus->work, or rmdir after it --- */

static void loop_dev_release(struct vproxy_device *vdev)
{
	kfree(to_loop_dev(vdev));
}

static struct loop_dev *loop_dev_find(struct loop_bus *bus, u32 slot)
{
	struct loop_dev *ldev;

	list_for_each_entry(ldev, &bus->devices, list)
		if (ldev->slot == slot)
			return ldev;
	return NULL;
}

static void loop_dev_remove(struct loop_bus *bus, struct loop_dev *ldev,
			    bool gone)
{
	struct vbus_conn *conn = ldev->conn;

	mutex_lock(&bus->lock);
	list_del(&ldev->list);
	mutex_unlock(&bus->lock);
	vproxy_device_unregister(&ldev->vdev, gone);
	vbus_conn_close(conn);
}

static void loop_dev_add(struct loop_bus *bus, u32 slot)
{
	struct loop_dev *ldev = loop_dev_find(bus, slot);
	struct vbus_conn *conn;
	int err;

	/* A new device where one was: the old one went without a word. */
	if (ldev)
		loop_dev_remove(bus, ldev, true);
	conn = vbus_conn_open(bus->session, slot);
	if (IS_ERR(conn)) {
		err = PTR_ERR(conn);
		goto fail;
	}
	ldev = kzalloc(sizeof(*ldev), GFP_KERNEL);
	if (!ldev) {
		vbus_conn_close(conn);
		err = -ENOMEM;
		goto fail;
	}
	ldev->conn = conn;
	ldev->slot = slot;
	ldev->vdev.ops = &loop_transport;
	ldev->vdev.dma_dev = bus->parent.dev;
	ldev->vdev.dev.parent = bus->parent.dev;
	err = vproxy_device_register(&ldev->vdev, bus->id, loop_dev_release);
	if (err) {
		vbus_conn_close(conn);
		goto fail;
	}
	mutex_lock(&bus->lock);
	list_add_tail(&ldev->list, &bus->devices);
	mutex_unlock(&bus->lock);
	return;

fail:
	pr_err("%s: slot %u can't be used: %d\n",
	       config_item_name(&bus->item), slot, err);
}

static void loop_event(struct loop_bus *bus, const struct vbus_event *ev)
{
	struct loop_dev *ldev;

	if (ev->type == VBUS_EVENT_ADDED) {
		loop_dev_add(bus, ev->slot);
		return;
	}
	ldev = loop_dev_find(bus, ev->slot);
	if (!ldev)
		return;
	if (ev->type == VBUS_EVENT_UNPLUG)
		loop_dev_remove(bus, ldev, false);
	else if (ev->type == VBUS_EVENT_REMOVED)
		loop_dev_remove(bus, ldev, true);
	else if (ev->type == VBUS_EVENT_CHANGED)
		vproxy_alias_changed(&ldev->vdev);
}

static void loop_work(struct work_struct *work)
{
	struct loop_bus *bus = container_of(work, struct loop_bus, work);
	struct vbus_session *session;
	struct vbus_event ev;

	/* Pairs with the release in loop_make_bus(), which then queues us. */
	session = smp_load_acquire(&bus->session);
	if (!session)
		return;
	while (!READ_ONCE(bus->closing) &&
	       vbus_session_next_event(session, &ev))
		loop_event(bus, &ev);
}

static void loop_event_pending(void *priv)
{
	struct loop_bus *bus = priv;

	queue_work(bus->wq, &bus->work);
}

static const struct vbus_session_ops loop_session_ops = {
	.event_pending = loop_event_pending,
};

/* --- configfs --- */

static ssize_t loop_slots_show(struct config_item *item, char *page)
{
	struct loop_bus *bus = to_loop_bus(item);
	struct loop_dev *ldev;
	ssize_t len = 0;

	mutex_lock(&bus->lock);
	list_for_each_entry(ldev, &bus->devices, list)
		len += scnprintf(page + len, PAGE_SIZE - len, "%u %s\n",
				 ldev->slot, dev_name(&ldev->vdev.dev));
	mutex_unlock(&bus->lock);
	return len;
}
CONFIGFS_ATTR_RO(loop_, slots);

static ssize_t loop_surprise_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%d\n", READ_ONCE(to_loop_bus(item)->surprise));
}

static ssize_t loop_surprise_store(struct config_item *item, const char *page,
				   size_t count)
{
	bool val;
	int err;

	err = kstrtobool(page, &val);
	if (err)
		return err;
	WRITE_ONCE(to_loop_bus(item)->surprise, val);
	return count;
}
CONFIGFS_ATTR(loop_, surprise);

static struct configfs_attribute *loop_bus_attrs[] = {
	&loop_attr_slots,
	&loop_attr_surprise,
	NULL,
};

static void loop_bus_release(struct config_item *item)
{
	kfree(to_loop_bus(item));
}

static struct configfs_item_operations loop_bus_item_ops = {
	.release = loop_bus_release,
};

static const struct config_item_type loop_bus_type = {
	.ct_owner = THIS_MODULE,
	.ct_item_ops = &loop_bus_item_ops,
	.ct_attrs = loop_bus_attrs,
};

static struct config_item *loop_make_bus(struct config_group *group,
					 const char *name)
{
	struct vbus_session *session;
	struct vbus_mem *mem;
	struct loop_bus *bus;
	int err;

	bus = kzalloc(sizeof(*bus), GFP_KERNEL);
	if (!bus)
		return ERR_PTR(-ENOMEM);
	mutex_init(&bus->lock);
	INIT_LIST_HEAD(&bus->devices);
	INIT_WORK(&bus->work, loop_work);
	bus->id = vproxy_bus_id_alloc();
	if (bus->id < 0) {
		err = bus->id;
		goto free_bus;
	}
	err = loop_parent_make(&bus->parent);
	if (err)
		goto free_id;
	err = -ENOMEM;
	bus->wq = alloc_ordered_workqueue("vbus-loop%d", 0, bus->id);
	if (!bus->wq)
		goto free_parent;
	mem = vbus_mem_create_direct();
	if (IS_ERR(mem)) {
		err = PTR_ERR(mem);
		goto free_wq;
	}
	config_item_init_type_name(&bus->item, name, &loop_bus_type);
	session = vbus_session_open(name, mem, &loop_session_ops, bus);
	if (IS_ERR(session)) {
		err = PTR_ERR(session);
		if (err == -ENOENT)
			pr_err("no bus %s; mkdir vbus/buses/%s first\n", name,
			       name);
		else if (err == -EBUSY)
			pr_err("bus %s is open; one user at a time\n", name);
		else
			pr_err("%s: can't attach: %d\n", name, err);
		vbus_mem_destroy(mem);
		goto free_name;
	}
	/* The first events may be there since before we had the session. */
	smp_store_release(&bus->session, session);
	queue_work(bus->wq, &bus->work);
	return &bus->item;

free_name:
	/* The last reference frees the bus too. */
	destroy_workqueue(bus->wq);
	loop_parent_remove(&bus->parent);
	vproxy_bus_id_free(bus->id);
	config_item_put(&bus->item);
	return ERR_PTR(err);

free_wq:
	destroy_workqueue(bus->wq);
free_parent:
	loop_parent_remove(&bus->parent);
free_id:
	vproxy_bus_id_free(bus->id);
free_bus:
	kfree(bus);
	return ERR_PTR(err);
}

/* rmdir. Attributes are shut already; events may still come. */
static void loop_drop_bus(struct config_group *group, struct config_item *item)
{
	struct loop_bus *bus = to_loop_bus(item);
	bool surprise = bus->surprise;
	struct loop_dev *ldev, *next;

	/* 1. The list of devices is ours: work that is queued late looks first. */
	WRITE_ONCE(bus->closing, true);
	cancel_work_sync(&bus->work);

	/* 2. Both ends of every device, host first to make it a surprise. */
	if (surprise)
		vbus_session_close(bus->session);
	list_for_each_entry_safe(ldev, next, &bus->devices, list)
		loop_dev_remove(bus, ldev, surprise);
	if (!surprise)
		vbus_session_close(bus->session);

	/* 3. Nobody queues work any more. */
	destroy_workqueue(bus->wq);
	loop_parent_remove(&bus->parent);
	vproxy_bus_id_free(bus->id);
	config_item_put(item);
}

static struct configfs_group_operations loop_subsys_group_ops = {
	.make_item = loop_make_bus,
	.drop_item = loop_drop_bus,
};

static const struct config_item_type loop_subsys_type = {
	.ct_owner = THIS_MODULE,
	.ct_group_ops = &loop_subsys_group_ops,
};

static struct configfs_subsystem loop_subsys = {
	.su_group = {
		.cg_item = {
			.ci_namebuf = "vbus-loop",
			.ci_type = &loop_subsys_type,
		},
	},
};

static int __init loop_init(void)
{
	config_group_init(&loop_subsys.su_group);
	mutex_init(&loop_subsys.su_mutex);
	return configfs_register_subsystem(&loop_subsys);
}

/* Directories hold the module, so there is none. */
static void __exit loop_exit(void)
{
	configfs_unregister_subsystem(&loop_subsys);
}

module_init(loop_init);
module_exit(loop_exit);

MODULE_DESCRIPTION("vbus loopback connector");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VBUS_SESSION);
MODULE_IMPORT_NS(VPROXY_TRANSPORT);
