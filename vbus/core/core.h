/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private types of the host core.  Models and connectors never see them.
 *
 * Locks, in the order they are taken:
 *
 *	native->lock, nslot->lock
 *			mutexes of a session's native front, see native_priv.h.
 *	RTNL		with the loopback connector a guest's driver may hold it.
 *	conn->lock	mutex. Registers of one connection, start and stop of its
 *			queues.
 *	su_mutex	mutex of our configfs subsystem. configfs holds it
 *			while items are made and taken out of the tree, and
 *			vbus_item_pin() does. Not under conn->lock.
 *	bus->lock	mutex. The bus's session, what is plugged in which slot,
 *			which connections are at their end, pending events.
 *	  dev->lock	mutex. What the device is about to become, class
 *			attributes, list of slots.
 *	  dev->config_lock	spinlock, irq-safe. Class config space, its
 *			generation, and the list of connections. Also under
 *			conn->lock.
 *
 * What may wait.  native->lock, nslot->lock and conn->lock belong to one VMM and are
 * held while a device starts and stops, as long as storage takes.  From su_mutex on locks
 * are shared, with the admin and by way of su_mutex with all buses: under them nothing
 * is waited for that a guest, a VMM or storage can delay, and no memory is allocated that
 * a VMM's cgroup is charged for.  So the ends of connections and devices run without
 * them, in the device's own workqueue, and waiting for an end is killable and holds
 * nothing: see conn.c and device.c.
 *
 * vbus_buses_lock and vbus_models_lock guard only their lists and nest nothing
 * but allocation.
 *
 * The data path (kick, signal, guest memory) takes none of these: vectors,
 * doorbells and the running flag of a queue are published under RCU.
 *
 * User memory is never touched under any of these: a page whose fault does not
 * return would hold up everybody else.
 *
 * References: a connection holds its slot, its bus and its device until it is a shell
 * that the slot has forgotten.  A plugged device is held and pinned
 * (vbus_item_pin(): rmdir answers EBUSY) by its slot, from before the link exists
 * until the guest has let go.  While an unplug waits for the guest the slot is
 * pinned too, as is an open bus.
 */
#ifndef _VBUS_CORE_H
#define _VBUS_CORE_H

#include <linux/bitmap.h>
#include <linux/completion.h>
#include <linux/configfs.h>
#include <linux/irq_work.h>
#include <linux/kref.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/task_work.h>
#include <linux/uidgid.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <uapi/linux/vbus.h>
#include <uapi/linux/vbus_abi.h>
#include <vbus/host/model.h>
#include <vbus/host/session.h>

/* A slot becomes a PCI device number and function at most: 32 * 8. */
#define VBUS_MAX_SLOTS		256
/* Minor numbers taken from one dynamic char device region. */
#define VBUS_MAX_BUSES		1024
#define VBUS_BUS_NAME_MAX	32

struct eventfd_ctx;
struct mem_cgroup;
struct vbus_native;

/**
 * struct vbus_bus - a bus the admin made
 * @group: configfs group; its item's reference count is the bus's
 * @slots_group: the default group "slots"
 * @node: on the list of buses, under vbus_buses_lock
 * @lock: see the top of this file
 * @slots: by number; under @lock
 * @session: the one user, or NULL; under @lock
 * @plugs: devices plugged so far; under @lock
 * @minor: of the device node
 * @cdev_device: the node's device; replaced when ownership changes, under @lock
 * @uid: owner of the node; under @lock, as are the next two
 * @gid: group of the node
 * @mode: permissions of the node
 */
struct vbus_bus {
	struct config_group group;
	struct config_group slots_group;
	struct list_head node;
	struct mutex lock;	/* session, slots, events */
	struct vbus_slot *slots[VBUS_MAX_SLOTS];
	struct vbus_session *session;
	u32 plugs;
	int minor;
	struct device *cdev_device;
	kuid_t uid;
	kgid_t gid;
	umode_t mode;
};

/**
 * struct vbus_slot - the stable address of a device on a bus
 * @item: configfs item
 * @bus: the bus; the slot holds a reference
 * @nr: number
 * @dev: plugged device or NULL; under bus->lock, as all below
 * @dev_node: on dev->slots, under dev->lock
 * @conn: connection of the session, or NULL
 * @plugs: which plugging of this bus brought @dev
 * @unplugging: the admin removed the link, the guest has not let go yet, or what it had
 *	asked for has not come to its end; there is a connection
 * @pinned: the slot is pinned for that
 * @unplug_timeout: seconds until that counts as timed out; 0: never
 * @unplug_end: when that is, in jiffies
 * @alias: shown to the guest, NUL padded
 */
struct vbus_slot {
	struct config_item item;
	struct vbus_bus *bus;
	u32 nr;
	struct vbus_device *dev;
	struct list_head dev_node;
	struct vbus_conn *conn;
	u32 plugs;
	bool unplugging;
	bool pinned;
	u32 unplug_timeout;
	u64 unplug_end;
	char alias[VBUS_ALIAS_SIZE];
};

/**
 * struct vbus_session - one opening of a bus
 * @bus: pinned while the session exists
 * @mem: guest memory
 * @memcg: of the process that opened the bus, referenced: pays for what it or its guest
 *	makes us keep; NULL if there is none
 * @ops: event hook
 * @priv: its argument
 * @owner: the process that opened it
 * @closing: it is at its end: no event is posted, nothing opened; under bus->lock
 * @conns: connections, but those that are shells; under bus->lock
 * @native: how a guest attaches without PCI, or NULL; under bus->lock
 * @slots: slots with pending events; written under bus->lock
 * @pending: those events, BIT(VBUS_EVENT_*), by slot number; under bus->lock.
 *	Kept here, because an event may outlive its slot.
 */
struct vbus_session {
	struct vbus_bus *bus;
	struct vbus_mem *mem;
	struct mem_cgroup *memcg;
	const struct vbus_session_ops *ops;
	void *priv;
	struct pid *owner;
	bool closing;
	struct list_head conns;
	struct vbus_native *native;
	DECLARE_BITMAP(slots, VBUS_MAX_SLOTS);
	u8 pending[VBUS_MAX_SLOTS];
};

/**
 * struct vbus_irq - where a vector's signals go; freed by RCU
 * @ctx: eventfd, or NULL for a callback
 * @fn: callback
 * @arg: its argument
 */
struct vbus_irq {
	struct eventfd_ctx *ctx;
	void (*fn)(void *arg);
	void *arg;
};

/**
 * struct vbus_vector - one interrupt of a connection, or of an event queue
 * @irq: where it goes; updated under a lock of the owner
 * @pending: bit 0: a signal came while @irq was NULL
 * @work: for signals from inside an eventfd's wake-up
 */
struct vbus_vector {
	struct vbus_irq __rcu *irq;
	unsigned long pending;
	struct irq_work work;
};

struct vbus_doorbell;

/**
 * struct vbus_conn_queue - a queue and its registers
 * @q: what the model sees
 * @info: limits
 * @running: kicks are passed on; release/acquire and RCU
 * @vector: to signal; VBUS_NO_VECTOR none. Read without a lock.
 * @size: register, as are the next two
 * @ring: guest address
 * @pos: positions at attach
 * @map: the ring, while attached
 * @doorbell: eventfd that kicks; under conn->lock
 * @serve: state of serving, see serve.c, as the next two
 * @serve_task: serves in the thread that kicked
 * @serve_work: serves
 */
struct vbus_conn_queue {
	struct vbus_queue q;
	struct vbus_queue_info info;
	bool running;
	u32 vector;
	u32 size;
	u64 ring;
	struct ioq_pos pos;
	struct vbus_mem_map map;
	struct vbus_doorbell *doorbell;
	unsigned long serve;
	struct callback_head serve_task;
	struct work_struct serve_work;
};

#define to_conn_queue(queue)	container_of(queue, struct vbus_conn_queue, q)

/**
 * struct vbus_conn - a device as one guest sees it
 *
 * Once disconnected it is a shell that answers ENODEV: this struct, and whatever file
 * leads to it, is all that is left.
 *
 * @ref: shells may outlive the session
 * @rcu: frees it
 * @bus: referenced until it is a shell; NULL from then on, which is under @bus_lock
 * @slot: likewise
 * @bus_lock: guards the end of @bus and @slot
 * @dev: referenced until it is a shell
 * @mem: the session's; valid while @connected
 * @memcg: likewise
 * @session_node: on session->conns, under bus->lock
 * @dev_node: on dev->conns, under dev->config_lock
 * @lock: see the top of this file
 * @native: opened by a guest, unseen by the session's user
 * @closing: its end is claimed; under bus->lock
 * @forced: by the admin; likewise
 * @close_work: carries it out
 * @gone: it has come: no model touches the guest, the slot is free
 * @owner: the session's
 * @connected: under @lock; false for good once disconnected. A grace period later
 *	there are neither @queues nor @vectors
 * @info: shape of the device
 * @nr_vectors: one per queue and one for config
 * @accepted: register
 * @status: register without NEEDS_RESET; written under @lock
 * @config_vector: register; read without a lock
 * @hold: register; read without a lock
 * @paused: state was loaded or is being saved: RUNNING but not started
 * @started: model->start was called
 * @broken: bit 0: NEEDS_RESET
 * @priv: the model's
 * @serve_wq: the device's; used while a queue runs
 * @queue_users: one while connected, and one for each task work that serves
 * @queues: info.nr_queues of them, while there are users
 * @vectors: nr_vectors of them, while connected
 */
struct vbus_conn {
	struct kref ref;
	struct rcu_head rcu;
	struct vbus_bus *bus;
	struct vbus_slot *slot;
	spinlock_t bus_lock;	/* the end of bus and slot */
	struct vbus_device *dev;
	struct vbus_mem *mem;
	struct mem_cgroup *memcg;
	struct list_head session_node;
	struct list_head dev_node;
	struct mutex lock;	/* registers, start and stop */
	bool closing;
	bool forced;
	struct work_struct close_work;
	struct completion gone;
	struct pid *owner;
	bool native;
	bool connected;
	struct vbus_device_info info;
	u32 nr_vectors;
	u64 accepted;
	u32 status;
	u32 config_vector;
	u32 hold;
	bool paused;
	bool started;
	unsigned long broken;
	void *priv;
	struct workqueue_struct *serve_wq;
	refcount_t queue_users;
	struct vbus_conn_queue *queues;
	struct vbus_vector *vectors;
};

extern struct configfs_subsystem vbus_subsys;

#define vbus_bus_name(bus)	config_item_name(&(bus)->group.cg_item)
#define vbus_bus_err(bus, fmt, ...) \
	pr_err_ratelimited("vbus: bus %s: " fmt, vbus_bus_name(bus), \
			   ##__VA_ARGS__)
#define vbus_slot_err(slot, fmt, ...) do {				\
	const struct vbus_slot *__slot = (slot);			\
	pr_err_ratelimited("vbus: %s/slots/%u: " fmt,			\
			   vbus_bus_name(__slot->bus), __slot->nr,	\
			   ##__VA_ARGS__);				\
} while (0)
#define vbus_conn_err(conn, fmt, ...) \
	vbus_slot_err((conn)->slot, fmt, ##__VA_ARGS__)

static inline struct vbus_bus *to_vbus_bus(struct config_item *item)
{
	return container_of(to_config_group(item), struct vbus_bus, group);
}

static inline struct vbus_slot *to_vbus_slot(struct config_item *item)
{
	return container_of(item, struct vbus_slot, item);
}

/* main.c: vbus_wq for what is short, vbus_close_wq for ends of which a bus has one at a time */
extern struct workqueue_struct *vbus_wq, *vbus_close_wq;
int vbus_item_pin(struct config_item *item);

/* model.c */
struct vbus_model *vbus_model_get(const char *name);
void vbus_model_put(struct vbus_model *model);

/* device.c */
extern const struct config_item_type vbus_devices_type;
struct config_item_type *vbus_device_type_create(struct vbus_model *model);
void vbus_device_type_destroy(const struct config_item_type *type);
bool vbus_item_is_device(struct config_item *item);
int vbus_device_plug(struct vbus_device *dev, struct vbus_slot *slot);
void vbus_device_unplug(struct vbus_device *dev, struct vbus_slot *slot);

/* updown.c: what dev->change is taken for */
enum {
	VBUS_CHANGE_NONE,
	VBUS_CHANGE_UP,
	VBUS_CHANGE_DOWN,
	VBUS_CHANGE_LIVE,
};

void vbus_device_init(struct vbus_device *dev);
int vbus_device_enable(struct vbus_device *dev);
int vbus_device_disable(struct vbus_device *dev);
int vbus_device_change(struct vbus_device *dev,
		       int (*set)(struct vbus_device *dev, const char *value),
		       const char *value);
void vbus_device_drop(struct vbus_device *dev);

/* bus.c */
extern const struct config_item_type vbus_buses_type;
struct vbus_bus *vbus_bus_find(const char *name);
struct vbus_bus *vbus_bus_find_minor(int minor);
void vbus_bus_put(struct vbus_bus *bus);

/* slot.c */
extern const struct config_item_type vbus_slots_type;
void vbus_slot_detach(struct vbus_slot *slot);

/* node.c */
int vbus_node_init(void);
void vbus_node_exit(void);
struct device *vbus_node_create(struct vbus_bus *bus);
void vbus_node_remove(struct device *node);
int vbus_minor_alloc(void);
void vbus_minor_free(int minor);

/* session.c */
struct vbus_session *vbus_session_open_bus(struct vbus_bus *bus,
					   struct vbus_mem *mem,
					   const struct vbus_session_ops *ops,
					   void *priv);
bool vbus_owner_waits(const struct pid *owner);
void vbus_session_post(struct vbus_slot *slot, u32 type);
void vbus_session_withdraw(struct vbus_slot *slot, u32 type);
void vbus_session_free_slot(struct vbus_slot *slot);
void vbus_session_requeue(struct vbus_session *session,
			  const struct vbus_event *ev);

/* conn.c */
struct vbus_conn *vbus_conn_open_native(struct vbus_session *session, u32 nr,
					u32 plugs);
void vbus_conn_put(struct vbus_conn *conn);
bool vbus_conn_claim(struct vbus_conn *conn);
void vbus_conn_wait_gone(struct vbus_conn *conn);
void vbus_conn_end(struct vbus_conn *conn, bool wait);
void vbus_conn_reset(struct vbus_conn *conn);
int vbus_conn_set_status(struct vbus_conn *conn, u32 status);
int vbus_conn_set_hold(struct vbus_conn *conn, u32 hold);
int vbus_conn_start(struct vbus_conn *conn);
void vbus_conn_stop(struct vbus_conn *conn);

/* queue.c */
int vbus_conn_queues_alloc(struct vbus_conn *conn);
void vbus_conn_queues_init(struct vbus_conn *conn);
void vbus_conn_queues_put(struct vbus_conn *conn);
int vbus_queue_attach(struct vbus_conn_queue *cq);
void vbus_queue_detach(struct vbus_conn_queue *cq);
void vbus_queue_kick(struct vbus_conn_queue *cq);

/* serve.c */
void vbus_serve_init(struct vbus_conn_queue *cq);
void vbus_serve_kick(struct vbus_conn_queue *cq);
void vbus_serve_stop(struct vbus_conn_queue *cq);
struct workqueue_struct *vbus_serve_wq_create(const struct vbus_device *dev);

/* signal.c */
struct vbus_irq *vbus_irq_alloc(struct mem_cgroup *memcg,
				struct eventfd_ctx *ctx, void (*fn)(void *arg),
				void *arg);
void vbus_vector_init(struct vbus_vector *vector);
void vbus_vector_bind(struct vbus_vector *vector, struct vbus_irq *irq);
void vbus_vector_signal(struct vbus_vector *vector);
void vbus_vector_release(struct vbus_vector *vector);
int vbus_conn_vectors_init(struct vbus_conn *conn);
void vbus_conn_vectors_release(struct vbus_conn *conn);
void vbus_conn_signal(struct vbus_conn *conn, u32 vector);

/* doorbell.c */
struct vbus_doorbell *vbus_doorbell_create(struct mem_cgroup *memcg, int fd,
					   void (*kick)(void *arg), void *arg);
void vbus_doorbell_destroy(struct vbus_doorbell *bell);
void vbus_doorbell_unbind(struct vbus_conn_queue *cq);

/* attr.c: values in kernel memory; callers hold conn->lock */

/* Largest value: the config space, or the names of the counters. */
#define VBUS_ATTR_MAX	4096

/**
 * union vbus_attr_value - a value that a caller may set
 * @run: VBUS_STATE_RUN
 * @device: VBUS_STATE_DEVICE
 * @queue: VBUS_STATE_QUEUE()
 */
union vbus_attr_value {
	u32 run;
	struct vbus_state_device device;
	struct vbus_state_queue queue;
};

int vbus_conn_get_attr(struct vbus_conn *conn, u32 group, u32 attr, void *buf);
int vbus_conn_set_attr(struct vbus_conn *conn,
		       const struct vbus_dev_attr *attr,
		       const union vbus_attr_value *value, int fault);

/* native.c */
void vbus_native_news(struct vbus_native *nv, u32 slot, bool renamed);
void vbus_native_detach(struct vbus_session *session);
void vbus_native_close_file(struct vbus_native *nv);

/* ioctl.c */
long vbus_bus_ioctl(struct vbus_session *session, unsigned int cmd,
		    void __user *arg);
long vbus_dev_ioctl(struct vbus_conn *conn, unsigned int cmd,
		    void __user *arg);
long vbus_native_ioctl(struct vbus_native *nv, unsigned int cmd,
		       void __user *arg);

/* chardev.c, devfd.c, nativefd.c */
extern const struct file_operations vbus_bus_fops;
struct file *vbus_devfd_create(struct vbus_conn *conn);
struct file *vbus_nativefd_create(struct vbus_native *nv);

#endif /* _VBUS_CORE_H */
