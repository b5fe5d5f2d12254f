/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private types of vbus-proxy, and its lock rules.
 *
 * One mutex per device, core->lock, serialises the control path: negotiation,
 * reset, making and deleting queues, and what sysfs shows of them.  Drivers
 * call that path with their own locks held (the RTNL, device_lock), and register
 * accesses, setup_vectors, free_vectors and quiesce of the transport are called
 * under it, so the order is: driver's locks, core->lock, transport's locks.  No
 * driver callback is called under it.
 *
 * The signal path takes no lock.  It reads core->map, which is published with a
 * release store when it is complete, with no vectors yet, and withdrawn only
 * after free_vectors has promised that no signal runs.
 *
 * core->gone is set once and never cleared; everyone may read it any time.
 */
#ifndef _VPROXY_PRIV_H
#define _VPROXY_PRIV_H

#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/ratelimit.h>
#include <linux/workqueue.h>
#include <vbus/guest/bus.h>

/* Tries of vproxy_config_read() while the generation count moves. */
#define VPROXY_CONFIG_TRIES	16

/* "vbus:" and the longest class name, "c" with eight digits */
#define VPROXY_CLASS_NAME_MAX	16

/**
 * struct vproxy_map - the queues of a device and who signals them
 * @nr_vectors: vectors the transport gave; 0 from free_vectors on
 * @nr_queues: entries of @queues
 * @queues: the queues
 */
struct vproxy_map {
	unsigned int nr_vectors;
	unsigned int nr_queues;
	struct vproxy_queue *queues[];
};

/**
 * struct vproxy_core - private half of a device
 * @vdev: public half
 * @release: frees @vdev; NULL: kfree()
 * @owner: module that is held, or NULL; the transport's ops may be gone by then
 * @bus_id: number of the bus
 * @list: in the list of device.c
 * @lock: see above; guards what follows up to @map
 * @status: what was written to STATUS last
 * @ready: RUNNING is set and was not taken back
 * @hold: value of HOLD that a reset does not change
 * @gen_seen: config generation that was read last
 * @news: there is something that the driver was not notified of yet
 * @gone_notified: the driver was notified that the device is gone
 * @quiesced: the transport was asked to cut it off from memory
 * @map: NULL without queues; written under @lock
 * @max_vectors: the device can use
 * @config_size: bytes of config space
 * @gone: no register access any more
 * @config_live: config_work may call the driver
 * @config_work: looks for a config change
 * @config_limit: how often the driver is notified, by config_work alone
 */
struct vproxy_core {
	struct vproxy_device *vdev;
	void (*release)(struct vproxy_device *vdev);
	struct module *owner;
	unsigned int bus_id;
	struct list_head list;

	struct mutex lock;	/* control path, up to map */
	u32 status;
	bool ready;
	u32 hold;
	u32 gen_seen;
	bool news;
	bool gone_notified;
	bool quiesced;
	struct vproxy_map *map;

	u32 max_vectors;
	u32 config_size;
	bool gone;
	bool config_live;
	struct delayed_work config_work;
	struct ratelimit_state config_limit;
};

static inline struct vproxy_driver *to_vproxy_driver(struct device_driver *drv)
{
	return container_of(drv, struct vproxy_driver, driver);
}

/* bus.c */
extern struct bus_type vproxy_bus_type;
void vproxy_class_name(u32 class_id, char name[VPROXY_CLASS_NAME_MAX]);

/* device.c: registers */
int vproxy_reg_read(struct vproxy_core *core, u32 off, void *buf, size_t len);
int vproxy_reg_write(struct vproxy_core *core, u32 off, const void *buf,
		     size_t len);
int vproxy_read32(struct vproxy_core *core, u32 off, u32 *val);
int vproxy_read64(struct vproxy_core *core, u32 off, u64 *val);
int vproxy_write32(struct vproxy_core *core, u32 off, u32 val);
int vproxy_write64(struct vproxy_core *core, u32 off, u64 val);

void vproxy_wait_released(void);

/* driver.c: binding */
int vproxy_bus_probe(struct device *dev);
void vproxy_bus_remove(struct device *dev);
void vproxy_bus_shutdown(struct device *dev);
void vproxy_config_init(struct vproxy_core *core);
void vproxy_config_look(struct vproxy_core *core);
int vproxy_reset_locked(struct vproxy_core *core);

/* queue.c */
void vproxy_free_vectors(struct vproxy_core *core);
void vproxy_delete_queues_locked(struct vproxy_core *core);

#endif /* _VPROXY_PRIV_H */
