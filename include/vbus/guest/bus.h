/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest bus: what guest drivers and transports see of vbus-proxy.
 *
 * A transport finds devices and gives each a struct vproxy_transport_ops;
 * vproxy puts it on the "vbus" bus and binds a driver by class.  A driver never
 * sees the transport.
 *
 * Context: unless it says otherwise, a function may sleep and is called from
 * probe, remove or another process context of the driver, one at a time per
 * device.
 */
#ifndef _VBUS_GUEST_BUS_H
#define _VBUS_GUEST_BUS_H

#include <linux/device.h>
#include <linux/mod_devicetable.h>
#include <linux/types.h>
#include <uapi/linux/vbus_abi.h>
#include <vbus/ring.h>

struct cpumask;
struct vproxy_core;
struct vproxy_device;
struct vproxy_queue;

/**
 * enum vproxy_measure - what a transport can do for the sake of its cost alone
 * @VPROXY_MEASURE_IDLE: write to a doorbell that nobody listens to
 * @VPROXY_MEASURE_CALL: ask the host for nothing where it answers at once, in the
 *	way of a doorbell
 * @VPROXY_MEASURE_SLOW_CALL: the same where it answers later, in the way of a
 *	register
 */
enum vproxy_measure {
	VPROXY_MEASURE_IDLE,
	VPROXY_MEASURE_CALL,
	VPROXY_MEASURE_SLOW_CALL,
};

/**
 * struct vproxy_transport_ops - how registers, doorbells and signals travel
 * @owner: module of the transport that can't be unloaded while one of its
 *	devices exists; NULL if unloading it unregisters them
 * @reset_timeout_ms: how long a reset may take; 0: VPROXY_RESET_TIMEOUT_MS
 * @read: read @len bytes of the register window; 0 or errno.  Widths and
 *	alignment follow vbus_abi.h; in config space and the alias any length
 *	at any offset.  -ENODEV: the device is gone for good.
 * @write: write registers
 * @kick: kick queue @q.  Any context; must not sleep.
 * @setup_vectors: make up to @want vectors ready; returns how many there are
 *	(1..@want), or errno.  With fewer than wanted, queues share.
 *	vproxy_vector_name() tells what a vector will be for.
 * @free_vectors: undo; no vproxy_signal() for this device runs afterwards.
 *	Called once for each successful @setup_vectors, also when it is gone.
 * @vector_affinity: CPUs for a vector that serves one queue, NULL takes them
 *	back; optional
 * @quiesce: the device did not come to rest when it was reset: see to it that it
 *	can't reach memory any more, in whatever way the transport has, because
 *	the memory of its queues is going to be freed.  Called once at most, before
 *	@free_vectors, also when the device may be gone; optional.
 * @get_priority: how urgent the signals of @vector are among those of other vectors
 *	and devices, 0 being the least; optional, and only together with @set_priority
 * @set_priority: change that for @vector or VPROXY_ALL_VECTORS, also while there are
 *	vectors.  A signal on its way may come twice, but none is lost.  It lasts
 *	as long as the device.  -EINVAL: not so many priorities.
 * @eject: the guest lets go of the device, which nobody asked for: unregister it,
 *	some time later, and give it back; optional
 * @measure: do something useless once, and return when it is done; may be called
 *	beside any other operation; optional.  -EOPNOTSUPP: has no such thing;
 *	-ENODEV: the device is gone.
 */
struct vproxy_transport_ops {
	struct module *owner;
	unsigned int reset_timeout_ms;
	int (*read)(struct vproxy_device *vdev, u32 off, void *buf, size_t len);
	int (*write)(struct vproxy_device *vdev, u32 off, const void *buf,
		     size_t len);
	void (*kick)(struct vproxy_device *vdev, u32 q);
	int (*setup_vectors)(struct vproxy_device *vdev, unsigned int want);
	void (*free_vectors)(struct vproxy_device *vdev);
	void (*vector_affinity)(struct vproxy_device *vdev, unsigned int vector,
				const struct cpumask *mask);
	void (*quiesce)(struct vproxy_device *vdev);
	void (*eject)(struct vproxy_device *vdev);
	int (*get_priority)(struct vproxy_device *vdev, unsigned int vector);
	int (*set_priority)(struct vproxy_device *vdev, unsigned int vector,
			    unsigned int prio);
	int (*measure)(struct vproxy_device *vdev, enum vproxy_measure what);
};

#define VPROXY_RESET_TIMEOUT_MS	5000
#define VPROXY_ALL_VECTORS	UINT_MAX

/**
 * struct vproxy_device - a device on the guest bus
 * @dev: driver-model device, named "vbus<bus>-<slot>"
 * @ops: transport
 * @priv: the transport's
 * @dma_dev: device to map DMA with: the PCI function, or @dev itself
 * @class_id: VBUS_CLASS_*
 * @class_version: of the class protocol
 * @slot: slot number on the host's bus
 * @alias: name the host admin gave, or ""
 * @features: accepted; valid from probe on, 0 without a driver
 * @nr_queues: the device has
 */
struct vproxy_device {
	struct device dev;
	const struct vproxy_transport_ops *ops;
	void *priv;
	struct device *dma_dev;
	u32 class_id;
	u32 class_version;
	u32 slot;
	char alias[VBUS_ALIAS_SIZE + 1];
	u64 features;
	u32 nr_queues;
	/* private: vbus-proxy */
	struct vproxy_core *core;
};

#define to_vproxy_device(d)	container_of(d, struct vproxy_device, dev)

/**
 * struct vproxy_driver - a guest driver
 * @driver: name and owner
 * @class_id: VBUS_CLASS_* it drives
 * @features: class feature bits it can use
 * @probe: device is reset, DRIVER set, features negotiated (vdev->features).
 *	The driver makes queues with vproxy_create_queues() and then calls
 *	vproxy_device_ready().
 * @remove: undo probe. If vproxy_device_gone() the device went without asking.
 * @config_changed: config space changed, the device needs a reset (see
 *	vproxy_needs_reset()) or is gone.  Process context (workqueue), no lock
 *	held; optional; may be spurious.  Not before probe has returned and
 *	vproxy_device_ready() was called, and never runs beside remove.
 *
 * What a failed probe or a careless remove leaves behind (a running device,
 * queues) the bus takes down itself.
 *
 * Modalias is "vbus:<class name>", as MODULE_ALIAS("vbus:net").
 */
struct vproxy_driver {
	struct device_driver driver;
	u32 class_id;
	u64 features;
	int (*probe)(struct vproxy_device *vdev);
	void (*remove)(struct vproxy_device *vdev);
	void (*config_changed)(struct vproxy_device *vdev);
};

int __vproxy_register_driver(struct vproxy_driver *drv, struct module *owner);
#define vproxy_register_driver(drv) __vproxy_register_driver(drv, THIS_MODULE)
void vproxy_unregister_driver(struct vproxy_driver *drv);
#define module_vproxy_driver(drv) \
	module_driver(drv, vproxy_register_driver, vproxy_unregister_driver)

static inline void vproxy_set_drvdata(struct vproxy_device *vdev, void *data)
{
	dev_set_drvdata(&vdev->dev, data);
}

static inline void *vproxy_drvdata(struct vproxy_device *vdev)
{
	return dev_get_drvdata(&vdev->dev);
}

static inline bool vproxy_has_feature(const struct vproxy_device *vdev,
				      u64 bit)
{
	return vdev->features & bit;
}

/* --- for drivers --- */

/**
 * vproxy_config_read() - consistent copy of config space
 *
 * Retries while the generation count moves, a bounded number of times.
 * Return: 0, -EAGAIN, -ENODEV, -EINVAL (past the end).
 */
int vproxy_config_read(struct vproxy_device *vdev, u32 off, void *buf,
		       size_t len);

/**
 * struct vproxy_queue_params - one queue a driver wants
 * @name: for logs and interrupt names
 * @size: ring size wanted; rounded down to what the device takes; 0: largest
 * @signal: called when the device signalled the queue, from hard interrupt
 *	context or with interrupts off: schedule NAPI or work; may be spurious
 * @priv: for the driver
 */
struct vproxy_queue_params {
	const char *name;
	u32 size;
	void (*signal)(struct vproxy_queue *q);
	void *priv;
};

/**
 * vproxy_create_queues() - allocate rings and vectors, program and enable
 * @vdev: the device, features negotiated, without queues
 * @nr: queues 0..nr-1 of the device; with 0 there is only the config vector
 * @params: one for each
 *
 * On failure nothing is left and the device was reset: before another try comes
 * vproxy_renegotiate().
 *
 * Return: 0; -EINVAL bad arguments; -EBUSY there are queues, or the features
 * are not negotiated; -EPROTO the device describes its queues nonsensically or
 * does not take them; -ENODEV it is gone; -ENOMEM, or what the transport says.
 */
int vproxy_create_queues(struct vproxy_device *vdev, unsigned int nr,
			 const struct vproxy_queue_params *params);

/**
 * vproxy_device_ready() - set RUNNING: the device may now use the queues
 *
 * Return: 0; -EBUSY features not negotiated or running already; -EIO the device
 * could not start; -ENODEV.
 */
int vproxy_device_ready(struct vproxy_device *vdev);

/**
 * vproxy_reset() - stop the device: no queue is used and no signal comes after
 *
 * Outstanding chains are then taken back with ioq_north_detach().  Must not be
 * called where a signal callback is waited for.  A device that does not come to
 * rest in time is cut off from memory if the transport can do that, and from
 * then on taken for gone.
 */
void vproxy_reset(struct vproxy_device *vdev);

/**
 * vproxy_delete_queues() - free rings and vectors; after vproxy_reset()
 */
void vproxy_delete_queues(struct vproxy_device *vdev);

/**
 * vproxy_renegotiate() - after vproxy_reset(): DRIVER, features, FEATURES_OK
 *
 * For drivers that rebuild their queues (ring size change, resume), after
 * vproxy_delete_queues().  Then vproxy_create_queues() and
 * vproxy_device_ready() as in probe.  The features stay as they were; a device
 * that does not offer them any more is refused with -ENODEV.
 */
int vproxy_renegotiate(struct vproxy_device *vdev);

/**
 * vproxy_device_gone() - the device vanished or was reset by force
 *
 * Registers read as ones and no completion will come.  Context: any.
 */
bool vproxy_device_gone(const struct vproxy_device *vdev);

/**
 * vproxy_needs_reset() - the device has stopped and only a reset helps
 */
bool vproxy_needs_reset(struct vproxy_device *vdev);

/**
 * struct vproxy_queue - guest end of one queue
 * @ring: north side; the driver uses ioq_north_*() on it directly, one context
 *	at a time
 * @vdev: the device
 * @index: queue number
 * @size: ring size
 * @seg_max: most segments in one chain
 * @priv: from the params
 */
struct vproxy_queue {
	struct ioq_north ring;
	struct vproxy_device *vdev;
	u32 index;
	u32 size;
	u32 seg_max;
	void *priv;
	/* private: vbus-proxy */
	void (*signal)(struct vproxy_queue *q);
	u32 vector;
	void *area;
	dma_addr_t area_dma;
	void *state;
	char name[32];
};

/**
 * vproxy_queue() - queue by number
 * Return: the queue, or NULL if there is none between
 * vproxy_create_queues() and vproxy_delete_queues().
 */
struct vproxy_queue *vproxy_queue(struct vproxy_device *vdev, u32 index);

/**
 * vproxy_queue_kick() - publish staged chains; kick if wanted
 *
 * Context: any. Return: true if the host was kicked.
 */
bool vproxy_queue_kick(struct vproxy_queue *q);

/**
 * vproxy_queue_set_affinity() - which CPUs should hear of a queue
 * @mask: CPUs; NULL takes them back
 *
 * Nothing happens if the queue shares its vector, or the transport can't choose.
 */
void vproxy_queue_set_affinity(struct vproxy_queue *q,
			       const struct cpumask *mask);

/**
 * vproxy_queue_doorbell() - kick, whether there is a reason or not
 * @q: the queue
 *
 * For measurements; others use vproxy_queue_kick().  Context: any.
 */
void vproxy_queue_doorbell(struct vproxy_queue *q);

/**
 * vproxy_ping() - read one register, for measurements
 * @vdev: the device
 *
 * Return: 0; -ENODEV gone; -EIO that was no register of a device; or what the
 * transport says.
 */
int vproxy_ping(struct vproxy_device *vdev);

/**
 * vproxy_measure() - have the transport do something useless, for measurements
 * @vdev: the device
 * @what: it should do
 *
 * Return: 0; -EOPNOTSUPP it has no such thing; -ENODEV gone; or what it says.
 */
int vproxy_measure(struct vproxy_device *vdev, enum vproxy_measure what);

/* DMA mapping with the right device: use vdev->dma_dev and dma_map_*(). */

/* --- for transports --- */

/**
 * vproxy_device_register() - put a device on the bus
 * @vdev: zeroed; @ops, @priv, @dma_dev (NULL: use @dev), @dev.parent set
 * @bus_id: number of the bus in this guest, for the name
 * @release: frees @vdev when its last reference is gone, which may be long after
 *	it was unregistered; NULL: kfree().  A transport without an owner can't
 *	have one of its own.
 *
 * Reads the identity registers and refuses what makes no sense.
 *
 * Return: 0; -ENODEV nonsense, or gone; -EEXIST that slot of the bus is there
 * already; -ENOMEM.  After a failure @release has been called (or will be, when
 * the last reference goes): don't touch @vdev.
 */
int vproxy_device_register(struct vproxy_device *vdev, unsigned int bus_id,
			   void (*release)(struct vproxy_device *vdev));

/**
 * vproxy_device_unregister() - take a device off the bus
 * @gone: it is no longer there: don't touch registers
 *
 * Unbinds the driver, then drops the transport's reference.
 */
void vproxy_device_unregister(struct vproxy_device *vdev, bool gone);

/**
 * vproxy_alias_changed() - the host admin renamed a registered device
 */
void vproxy_alias_changed(struct vproxy_device *vdev);

/**
 * vproxy_signal() - a vector was signalled
 *
 * Finds the queues (or the config change) behind it. Context: any.
 */
void vproxy_signal(struct vproxy_device *vdev, unsigned int vector);

/**
 * vproxy_vector_name() - name an interrupt, as "vbus0-3-rx0"
 * @nr: vectors there are going to be
 * @vector: one of them
 *
 * For @setup_vectors of a transport.  Vector 0 is "-config"; a vector that
 * several queues share has the name of the first and a "+".
 */
void vproxy_vector_name(struct vproxy_device *vdev, unsigned int nr,
			unsigned int vector, char *buf, size_t size);

/* Bus numbers for transports: the smallest free one. */
int vproxy_bus_id_alloc(void);
void vproxy_bus_id_free(int id);

#endif /* _VBUS_GUEST_BUS_H */
