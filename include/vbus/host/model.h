/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a host device model sees of the core, and the core of it.
 *
 * A model registers one struct vbus_model.  The admin's mkdir makes a struct
 * vbus_device (embedded in the model's own struct).  A connection (struct
 * vbus_conn) joins the device to one slot of one opened bus; it holds the
 * registers the guest sees and the queues.  A model never sees the transport.
 *
 * Order of calls for one device, each pair nested in the one before:
 *
 *	alloc .. free		mkdir .. rmdir
 *	enable .. disable	echo 1 > enable .. echo 0 > enable
 *	connect .. disconnect	a VMM opens the slot .. closes it, or dies
 *	start .. stop		the guest sets RUNNING .. resets, or is reset
 *
 * enable and disable run alone, with no lock held; connect, disconnect, start and stop
 * under conn->lock.  All of these may sleep, and wait for storage, but the last four must
 * not take the RTNL: with the loopback connector the guest's driver may hold it while it
 * writes the register that leads here.  What runs under bus->lock or dev->lock
 * (device_info, queue_info, stat, attributes) waits for nothing.  config_read runs under
 * a spinlock.  kick may come from any context, hard interrupts included, and must not
 * sleep.  A model that has to sleep has serve instead: the core calls it in process
 * context, one call at a time for each queue.  Both come only between start and
 * stop: when stop is called, neither runs and none will come.
 *
 * Lock order: RTNL, conn->lock, bus->lock, dev->lock, dev->config_lock.
 */
#ifndef _VBUS_HOST_MODEL_H
#define _VBUS_HOST_MODEL_H

#include <linux/configfs.h>
#include <linux/gfp.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <vbus/host/memory.h>
#include <vbus/ring.h>

struct mem_cgroup;
struct module;
struct vbus_conn;
struct vbus_device;
struct vbus_queue;
struct vbus_slot;

/**
 * struct vbus_queue_info - limits of one queue, from vbus_model.queue_info
 * @size_max: largest ring, power of two, 2..32768
 * @seg_max: most segments in one chain
 * @in_order: the model completes in order
 */
struct vbus_queue_info {
	u32 size_max;
	u32 seg_max;
	bool in_order;
};

/**
 * struct vbus_device_info - shape of a device, from vbus_model.device_info
 * @features: offered feature bits
 * @nr_queues: 0..VBUS_MAX_QUEUES
 * @config_size: bytes of config space, up to VBUS_CONFIG_MAX
 *
 * A device has one vector per queue and one for config changes.
 */
struct vbus_device_info {
	u64 features;
	u32 nr_queues;
	u32 config_size;
};

/**
 * struct vbus_model - a device class on the host
 * @name: class part of "class.name"; module alias is "vbus-dm-<name>"
 * @class_id: VBUS_CLASS_*
 * @version: class protocol version
 * @owner: THIS_MODULE
 * @attrs: class attributes, NULL terminated; see VBUS_DEVICE_ATTR()
 * @multi: the device may sit in several slots at once
 * @nr_stats: number of counters
 * @stat_names: their names
 * @alloc: new disabled device with defaults set; ERR_PTR on failure
 * @free: last reference is gone
 * @enable: check every attribute and build; 0 or errno after one log line
 * @disable: undo enable; no connection exists
 * @device_info: shape; only called while enabled; must not change until disable
 * @queue_info: limits of queue @q
 * @accept: driver's feature choice is consistent; optional; 0 or -EINVAL
 * @connect: optional
 * @disconnect: optional
 * @start: features are frozen, enabled queues attached; begin work
 * @stop: end work; when it returns no queue of @conn is touched any more
 * @kick: the guest kicked queue @q: it has (perhaps) new chains
 * @serve: the same, in process context; a model has either this or @kick.  With
 *	@nowait it runs in a thread of the VMM that is about to go back to its guest:
 *	it must not wait for anything but memory.  Returns true if it has left
 *	chains: it is then called again, without @nowait.  Not for @multi: the
 *	workqueue is the device's.
 * @config_read: copy config space bytes; range was checked; must not sleep
 * @stat: value of counter @nr
 */
struct vbus_model {
	const char *name;
	u32 class_id;
	u32 version;
	struct module *owner;
	struct configfs_attribute **attrs;
	bool multi;
	unsigned int nr_stats;
	const char *const *stat_names;

	struct vbus_device *(*alloc)(const char *name);
	void (*free)(struct vbus_device *dev);
	int (*enable)(struct vbus_device *dev);
	void (*disable)(struct vbus_device *dev);
	void (*device_info)(struct vbus_device *dev,
			    struct vbus_device_info *info);
	void (*queue_info)(struct vbus_device *dev, u32 q,
			   struct vbus_queue_info *info);
	int (*accept)(struct vbus_device *dev, u64 features);
	int (*connect)(struct vbus_conn *conn);
	void (*disconnect)(struct vbus_conn *conn);
	int (*start)(struct vbus_conn *conn);
	void (*stop)(struct vbus_conn *conn);
	void (*kick)(struct vbus_queue *q);
	bool (*serve)(struct vbus_queue *q, bool nowait);
	void (*config_read)(struct vbus_device *dev, u32 off, void *buf,
			    u32 len);
	u64 (*stat)(struct vbus_device *dev, unsigned int nr);

	/* private: core */
	struct list_head list;
	const struct config_item_type *type;
};

int vbus_register_model(struct vbus_model *model);
void vbus_unregister_model(struct vbus_model *model);

/* For request_module() on mkdir. */
#define MODULE_ALIAS_VBUS_MODEL(name)	MODULE_ALIAS("vbus-dm-" name)

#define VBUS_NAME_MAX	64

/**
 * struct vbus_device - a device the admin made; models embed it
 * @item: configfs item; its reference count is the device's
 * @model: set by the core after alloc
 * @name: full name, "net.web0"
 * @lock: guards @enabled, @change, the class attributes and @slots; a plugged device
 *	stays enabled, so connections need not take it.  Nothing is waited for under it
 * @enabled: built
 *
 * What follows is the core's:
 *
 * @change: who may enable or disable it, or change it while it is enabled; one at a
 *	time, without @lock
 * @still: waits for the end of that
 * @slots: those it is in
 * @wq: ends of connections, and its own; from enable to disable, as is
 * @serve_wq: see serve.c
 * @disable_work: runs the model's disable, in @wq
 * @down_work: what is to be done after that, outside @wq
 * @downs: how often it was disabled
 * @dropped: it was rmdir that disabled it
 * @drop_work: waits for it on the way back to user space
 * @drop_downs: @downs at that time
 * @config_lock: guards what config_read reads, and the next two
 * @conns: connections, but those at their end
 * @config_gen: generation count
 */
struct vbus_device {
	struct config_item item;
	struct vbus_model *model;
	char name[VBUS_NAME_MAX];
	struct mutex lock;	/* enabled, attributes, slots */
	bool enabled;
	/* private: core */
	unsigned int change;
	wait_queue_head_t still;
	struct list_head slots;
	struct workqueue_struct *wq;
	struct workqueue_struct *serve_wq;
	struct work_struct disable_work;
	struct work_struct down_work;
	u32 downs;
	bool dropped;
	struct callback_head drop_work;
	u32 drop_downs;
	/* guards conns, config_gen and what config_read reads */
	spinlock_t config_lock;
	struct list_head conns;
	u32 config_gen;
};

static inline struct vbus_device *to_vbus_device(struct config_item *item)
{
	return container_of(item, struct vbus_device, item);
}

/**
 * vbus_dev_err() - one rate-limited line that names the device
 */
#define vbus_dev_err(dev, fmt, ...) \
	pr_err_ratelimited("vbus: %s: " fmt, (dev)->name, ##__VA_ARGS__)

/*
 * Class attributes.  The model writes
 *	static ssize_t pfx_mtu_show(struct vbus_device *dev, char *page);
 *	static int pfx_mtu_set(struct vbus_device *dev, const char *value);
 * and VBUS_DEVICE_ATTR(pfx_, mtu) makes pfx_attr_mtu.  The core calls both
 * under dev->lock; set only while the device is disabled (else EBUSY), with
 * surrounding white space removed and at most one page long.
 *
 * VBUS_DEVICE_ATTR_LIVE() is for what is asked of a device while it is enabled: it
 * has no show, and set is called only then (else ENODEV), without dev->lock, so that it
 * may wait for storage; neither another one nor disable runs beside it.
 * VBUS_DEVICE_ATTR_RO() has no set.
 */
ssize_t vbus_device_attr_show(struct config_item *item, char *page,
			      ssize_t (*show)(struct vbus_device *dev,
					      char *page));
ssize_t vbus_device_attr_store(struct config_item *item, const char *page,
			       size_t count, bool live,
			       int (*set)(struct vbus_device *dev,
					  const char *value));

#define VBUS_DEVICE_ATTR(_pfx, _name)					\
static ssize_t _pfx##_name##_cfs_show(struct config_item *item,		\
				      char *page)			\
{									\
	return vbus_device_attr_show(item, page, _pfx##_name##_show);	\
}									\
static ssize_t _pfx##_name##_cfs_store(struct config_item *item,	\
				       const char *page, size_t count)	\
{									\
	return vbus_device_attr_store(item, page, count, false,		\
				      _pfx##_name##_set);		\
}									\
static struct configfs_attribute _pfx##attr_##_name = {			\
	.ca_name = __stringify(_name),					\
	.ca_mode = 0644,						\
	.ca_owner = THIS_MODULE,					\
	.show = _pfx##_name##_cfs_show,					\
	.store = _pfx##_name##_cfs_store,				\
}

#define VBUS_DEVICE_ATTR_RO(_pfx, _name)				\
static ssize_t _pfx##_name##_cfs_show(struct config_item *item,		\
				      char *page)			\
{									\
	return vbus_device_attr_show(item, page, _pfx##_name##_show);	\
}									\
static struct configfs_attribute _pfx##attr_##_name = {			\
	.ca_name = __stringify(_name),					\
	.ca_mode = 0444,						\
	.ca_owner = THIS_MODULE,					\
	.show = _pfx##_name##_cfs_show,					\
}

#define VBUS_DEVICE_ATTR_LIVE(_pfx, _name)				\
static ssize_t _pfx##_name##_cfs_store(struct config_item *item,	\
				       const char *page, size_t count)	\
{									\
	return vbus_device_attr_store(item, page, count, true,		\
				      _pfx##_name##_set);		\
}									\
static struct configfs_attribute _pfx##attr_##_name = {			\
	.ca_name = __stringify(_name),					\
	.ca_mode = 0200,						\
	.ca_owner = THIS_MODULE,					\
	.store = _pfx##_name##_cfs_store,				\
}

/**
 * vbus_device_config_changed() - class config space is about to differ
 * @dev: the device
 * @update: changes the values the config_read hook returns; may be NULL
 * @arg: for @update
 *
 * Calls @update under the lock that config_read runs under, moves the
 * generation count, so that a guest never mixes old and new bytes, and raises
 * the config signal of every connection.
 * Context: any; must not be called from config_read or @update.
 */
void vbus_device_config_changed(struct vbus_device *dev,
				void (*update)(struct vbus_device *dev,
					       void *arg), void *arg);

/**
 * struct vbus_queue - host end of one queue
 * @ring: south side of the ring; belongs to the model between start and stop,
 *	and one context at a time may use it
 * @conn: the connection
 * @index: queue number
 * @seg_max: most segments of one chain
 * @attached: the guest enabled the queue
 * @priv: the model's
 */
struct vbus_queue {
	struct ioq_south ring;
	struct vbus_conn *conn;
	u16 index;
	u32 seg_max;
	bool attached;
	void *priv;
};

/* Accessors for models. */
struct vbus_device *vbus_conn_device(struct vbus_conn *conn);
struct vbus_mem *vbus_conn_mem(struct vbus_conn *conn);
u64 vbus_conn_features(struct vbus_conn *conn);
struct vbus_queue *vbus_conn_queue(struct vbus_conn *conn, u32 q);
void vbus_conn_set_priv(struct vbus_conn *conn, void *priv);
void *vbus_conn_priv(struct vbus_conn *conn);

/*
 * For memory that a guest or its VMM can make the host keep.  At the limit of the cgroup
 * that pays, such an allocation fails: nothing in that cgroup is killed for it.
 */
#define VBUS_GFP_GUEST	(GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL)

/**
 * vbus_conn_memcg() - who pays for memory that the guest makes the host keep
 * @conn: a connection between connect and disconnect
 *
 * It is the memory cgroup of the process that opened the bus, wherever the request comes
 * from.  In connect, start and serve the core has made it the active one: there it is
 * enough to allocate with __GFP_ACCOUNT (%VBUS_GFP_GUEST).  In a work item or another
 * thread of its own a model says so itself::
 *
 *	old = set_active_memcg(vbus_conn_memcg(conn));
 *	p = kmalloc(size, VBUS_GFP_GUEST);
 *	set_active_memcg(old);
 *
 * Memory goes back to the cgroup that was charged, whoever frees it and when.
 *
 * Context: any.
 * Return: the cgroup, valid until disconnect returns; NULL if there is none, or without
 * CONFIG_MEMCG.
 */
struct mem_cgroup *vbus_conn_memcg(struct vbus_conn *conn);

/**
 * vbus_conn_broken() - the guest broke the protocol, or the back end died
 *
 * Sets NEEDS_RESET, raises the config signal, logs once. The model keeps its
 * queues until stop; it should no longer look at them.
 * Context: any.
 */
void vbus_conn_broken(struct vbus_conn *conn, const char *why);

/**
 * vbus_queue_get() - next chain of a queue
 * @q: an attached queue
 * @segs: filled in; room for @max
 * @max: at most q->seg_max is needed
 * @chain: filled in
 *
 * Context: any, one at a time per queue.
 * Return: 1, 0 if there is none, or -EPROTO after vbus_conn_broken().
 */
int vbus_queue_get(struct vbus_queue *q, struct ioq_seg *segs, u32 max,
		   struct ioq_chain *chain);

/**
 * vbus_queue_flush() - publish staged completions and signal if wanted
 *
 * Return: true if a signal was sent.
 */
bool vbus_queue_flush(struct vbus_queue *q);

/**
 * vbus_queue_signal() - signal the queue's vector unconditionally
 */
void vbus_queue_signal(struct vbus_queue *q);

/**
 * vbus_queue_serve() - have the queue served, as if the guest had kicked
 * @q: the queue, of a model with serve
 *
 * Context: any.  May come late: does nothing when the queue does not run.
 */
void vbus_queue_serve(struct vbus_queue *q);

#endif /* _VBUS_HOST_MODEL_H */
