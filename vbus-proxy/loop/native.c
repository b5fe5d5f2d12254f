// SPDX-License-Identifier: GPL-2.0
/*
 * Loopback connector without short cuts: a host bus of this kernel attached to its
 * own guest bus through the native front.
 *
 * Each directory in configfs "vbus-loop-native" is one session of the host bus of
 * that name, and a window that is called instead of mapped.  Guest and host share
 * event queues and call pages as they would across machines, so vbus-native runs
 * here as it does in a guest.
 *
 * Locks: mkdir and rmdir run under this subsystem's su_mutex; nothing else is held
 * while devices come and go, which vbus-native sees to.
 */
#define pr_fmt(fmt) "vbus-loop-native: " fmt

#include <linux/configfs.h>
#include <linux/cpumask.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/vbus_native.h>
#include <vbus/host/memory.h>
#include <vbus/host/native.h>
#include <vbus/guest/native.h>
#include <vbus/host/session.h>
#include "loop.h"

/* Enough to give devices different priorities. */
#define LOOPN_QUEUES	3

/* Argument of one event queue's interrupt. */
struct loopn_queue {
	struct vnat_bus *bus;
	unsigned int nr;
};

/**
 * struct loopn_bus - a host bus attached to this kernel
 * @item: directory in configfs
 * @parent: of the guest devices, does DMA for them
 * @session: host side
 * @nv: the front
 * @bus: guest side
 * @queues: for interrupts
 * @surprise: rmdir takes devices away without asking
 */
struct loopn_bus {
	struct config_item item;
	struct loop_parent parent;
	struct vbus_session *session;
	struct vbus_native *nv;
	struct vnat_bus *bus;
	struct loopn_queue queues[LOOPN_QUEUES];
	bool surprise;
};

static inline struct loopn_bus *to_loopn_bus(struct config_item *item)
{
	return container_of(item, struct loopn_bus, item);
}

/* --- the window --- */

static u32 loopn_read32(void *priv, u32 off)
{
	struct loopn_bus *lb = priv;
	__le32 raw;

	if (vbus_native_read(lb->nv, off, &raw, sizeof(raw)))
		return U32_MAX;
	return le32_to_cpu(raw);
}

static void loopn_write32(void *priv, u32 off, u32 val)
{
	struct loopn_bus *lb = priv;
	__le32 raw = cpu_to_le32(val);

	vbus_native_write(lb->nv, off, &raw, sizeof(raw));
}

static void loopn_write64(void *priv, u32 off, u64 val)
{
	struct loopn_bus *lb = priv;
	__le64 raw = cpu_to_le64(val);

	vbus_native_write(lb->nv, off, &raw, sizeof(raw));
}

static void loopn_kick(void *priv, u32 page)
{
	struct loopn_bus *lb = priv;

	vbus_native_kick(lb->nv, page);
}

static const struct vnat_window_ops loopn_window_ops = {
	.read32 = loopn_read32,
	.write32 = loopn_write32,
	.write64 = loopn_write64,
	.kick = loopn_kick,
};

static void loopn_queue_interrupt(void *arg)
{
	struct loopn_queue *queue = arg;

	vnat_interrupt(queue->bus, queue->nr);
}

static void loopn_signal(void *arg)
{
	loop_interrupt(loopn_queue_interrupt, arg);
}

/* Nobody reads the session's events: the guest has its own. */
static void loopn_event_pending(void *priv)
{
}

static const struct vbus_session_ops loopn_session_ops = {
	.event_pending = loopn_event_pending,
};

/* --- attach and detach --- */

static int loopn_open_session(struct loopn_bus *lb, const char *name)
{
	struct vbus_session *session;
	struct vbus_mem *mem;

	mem = vbus_mem_create_direct();
	if (IS_ERR(mem))
		return PTR_ERR(mem);
	session = vbus_session_open(name, mem, &loopn_session_ops, lb);
	if (IS_ERR(session)) {
		if (PTR_ERR(session) == -ENOENT)
			pr_err("no bus %s; mkdir vbus/buses/%s first\n", name,
			       name);
		else if (PTR_ERR(session) == -EBUSY)
			pr_err("bus %s is open; one user at a time\n", name);
		else
			pr_err("%s: can't attach: %ld\n", name,
			       PTR_ERR(session));
		vbus_mem_destroy(mem);
		return PTR_ERR(session);
	}
	lb->session = session;
	return 0;
}

static int loopn_start(struct loopn_bus *lb)
{
	unsigned int i;
	int err;

	for (i = 0; i < vnat_bus_queues(lb->bus); i++) {
		lb->queues[i].bus = lb->bus;
		lb->queues[i].nr = i;
		err = vbus_native_set_irq_fn(lb->nv, i, loopn_signal,
					     &lb->queues[i]);
		if (err)
			return err;
	}
	err = vnat_bus_start(lb->bus);
	if (err)
		vnat_bus_stop(lb->bus, false);
	return err;
}

static int loopn_attach(struct loopn_bus *lb, const char *name)
{
	int err;

	err = loopn_open_session(lb, name);
	if (err)
		return err;
	lb->nv = vbus_native_open(lb->session, LOOPN_QUEUES,
				  min_t(u32, nr_cpu_ids, VBUS_NATIVE_MAX_PAGES),
				  0);
	if (IS_ERR(lb->nv)) {
		err = PTR_ERR(lb->nv);
		goto err_session;
	}
	lb->bus = vnat_bus_create(lb->parent.dev, &loopn_window_ops, lb,
				  LOOPN_QUEUES);
	if (IS_ERR(lb->bus)) {
		err = PTR_ERR(lb->bus);
		goto err_native;
	}
	err = loopn_start(lb);
	if (err)
		goto err_bus;
	return 0;

err_bus:
	/* No interrupt runs once the front is closed; the bus is freed after that. */
	vbus_native_close(lb->nv);
	vnat_bus_destroy(lb->bus);
	vbus_session_close(lb->session);
	return err;

err_native:
	vbus_native_close(lb->nv);
err_session:
	vbus_session_close(lb->session);
	return err;
}

static void loopn_detach(struct loopn_bus *lb, bool surprise)
{
	if (surprise)
		vbus_session_close(lb->session);
	vnat_bus_stop(lb->bus, surprise);
	vbus_native_close(lb->nv);
	vnat_bus_destroy(lb->bus);
	if (!surprise)
		vbus_session_close(lb->session);
}

/* --- configfs --- */

static ssize_t loopn_surprise_show(struct config_item *item, char *page)
{
	return sysfs_emit(page, "%d\n", READ_ONCE(to_loopn_bus(item)->surprise));
}

static ssize_t loopn_surprise_store(struct config_item *item, const char *page,
				    size_t count)
{
	bool val;
	int err;

	err = kstrtobool(page, &val);
	if (err)
		return err;
	WRITE_ONCE(to_loopn_bus(item)->surprise, val);
	return count;
}
CONFIGFS_ATTR(loopn_, surprise);

static struct configfs_attribute *loopn_bus_attrs[] = {
	&loopn_attr_surprise,
	NULL,
};

static void loopn_bus_release(struct config_item *item)
{
	kfree(to_loopn_bus(item));
}

static struct configfs_item_operations loopn_bus_item_ops = {
	.release = loopn_bus_release,
};

static const struct config_item_type loopn_bus_type = {
	.ct_owner = THIS_MODULE,
	.ct_item_ops = &loopn_bus_item_ops,
	.ct_attrs = loopn_bus_attrs,
};

static struct config_item *loopn_make_bus(struct config_group *group,
					  const char *name)
{
	struct loopn_bus *lb;
	int err;

	lb = kzalloc(sizeof(*lb), GFP_KERNEL);
	if (!lb)
		return ERR_PTR(-ENOMEM);
	err = loop_parent_make(&lb->parent);
	if (err)
		goto free;
	err = loopn_attach(lb, name);
	if (err)
		goto remove_parent;
	config_item_init_type_name(&lb->item, name, &loopn_bus_type);
	return &lb->item;

remove_parent:
	loop_parent_remove(&lb->parent);
free:
	kfree(lb);
	return ERR_PTR(err);
}

static void loopn_drop_bus(struct config_group *group, struct config_item *item)
{
	struct loopn_bus *lb = to_loopn_bus(item);

	loopn_detach(lb, lb->surprise);
	loop_parent_remove(&lb->parent);
	config_item_put(item);
}

static struct configfs_group_operations loopn_subsys_group_ops = {
	.make_item = loopn_make_bus,
	.drop_item = loopn_drop_bus,
};

static const struct config_item_type loopn_subsys_type = {
	.ct_owner = THIS_MODULE,
	.ct_group_ops = &loopn_subsys_group_ops,
};

static struct configfs_subsystem loopn_subsys = {
	.su_group = {
		.cg_item = {
			.ci_namebuf = "vbus-loop-native",
			.ci_type = &loopn_subsys_type,
		},
	},
};

static int __init loopn_init(void)
{
	config_group_init(&loopn_subsys.su_group);
	mutex_init(&loopn_subsys.su_mutex);
	return configfs_register_subsystem(&loopn_subsys);
}

/* Directories hold the module, so there is none. */
static void __exit loopn_exit(void)
{
	configfs_unregister_subsystem(&loopn_subsys);
}

module_init(loopn_init);
module_exit(loopn_exit);

MODULE_DESCRIPTION("vbus loopback connector through the native front");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS(VBUS_SESSION);
MODULE_IMPORT_NS(VBUS_LOOP);
MODULE_IMPORT_NS(VPROXY_WINDOW);
