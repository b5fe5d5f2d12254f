/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Inside libvbus.
 *
 * Locks, in the order they are taken:
 *
 *   struct lvb_fn ctl    one change of a function at a time: config writes, the
 *                        MSI-X table, resets.  Held across callbacks and ioctls.
 *   struct lvb_fn lock   what reads look at.  Held for memory accesses only, so a
 *                        vCPU that reads never waits for another's slow write.
 *   struct lvb_fn dev_lock  a leaf as lock is: with LIBVBUS_PCI_SHARED, which device
 *                        is open.  See claim.c.
 *
 * Writers hold both ctl and lock; under either it may be read.
 * Register accesses are forwarded under neither: the kernel puts them in order.
 *
 * The table bus->slots is read under RCU.  A reader takes a reference to the
 * function and leaves the read section before it does anything, so no grace
 * period waits for an ioctl.  The pointers are accessed with __atomic builtins,
 * release and acquire, which thread sanitizers understand.
 *
 * libvbus.a shows its internal names to the linker, so all begin with lvb_.
 */
#ifndef LIBVBUS_PRIVATE_H
#define LIBVBUS_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <linux/vbus.h>
#include <linux/vbus_abi.h>
#include <linux/vbus_pci.h>

/* Only what the header declares is seen outside. */
#pragma GCC visibility push(default)
#include "libvbus.h"
#pragma GCC visibility pop

#define LVB_ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* Beyond any kernel's; bounds what a broken one can make us allocate. */
#define LVB_MAX_SLOTS		65536

/* Extended config space is empty. */
#define LVB_CFG_SIZE		256

struct lvb_io;

/**
 * struct lvb_io_ops - a back end: the kernel, or a test's idea of it
 * @close: the bus; every device is closed already.  Frees @io
 * @poll_fd: readable while an event is pending
 * @get_info: VBUS_GET_INFO
 * @read_events: up to @max; 0 if none is pending
 * @mem_add: VBUS_MEM_ADD
 * @mem_del: VBUS_MEM_DEL
 * @open_slot: returns a device handle, not negative
 * @dev_close: let go of a device
 * @dev_read: a register, exactly @len bytes
 * @dev_write: likewise
 * @set_irq: VBUS_DEV_SET_IRQ
 * @set_doorbell: VBUS_DEV_SET_DOORBELL
 * @reset: VBUS_DEV_RESET
 * @get_attr: VBUS_DEV_GET_ATTR; returns the value's size
 * @set_attr: VBUS_DEV_SET_ATTR
 * @native_open: VBUS_OPEN_NATIVE; returns a handle, not negative
 * @native_close: let go of it
 * @native_set_irq: VBUS_NATIVE_SET_IRQ
 * @native_set_doorbell: VBUS_NATIVE_SET_DOORBELL
 * @native_reset: VBUS_NATIVE_RESET
 * @native_read: an access to the window, exactly @len bytes
 * @native_write: likewise
 *
 * All may sleep.  Those from dev_read() to set_attr(), and native_read() and
 * native_write(), are called by any thread.  They return a negative errno when they
 * fail.
 */
struct lvb_io_ops {
	void (*close)(struct lvb_io *io);
	int (*poll_fd)(struct lvb_io *io);
	int (*get_info)(struct lvb_io *io, struct vbus_info *info);
	int (*read_events)(struct lvb_io *io, struct vbus_event *ev, size_t max);
	int (*mem_add)(struct lvb_io *io, uint64_t guest_addr, uint64_t length,
		       void *mem, bool read_only);
	int (*mem_del)(struct lvb_io *io, uint64_t guest_addr, uint64_t length);
	int (*open_slot)(struct lvb_io *io, uint32_t slot);
	void (*dev_close)(struct lvb_io *io, int dev);
	int (*dev_read)(struct lvb_io *io, int dev, uint32_t off, void *buf,
			size_t len);
	int (*dev_write)(struct lvb_io *io, int dev, uint32_t off,
			 const void *buf, size_t len);
	int (*set_irq)(struct lvb_io *io, int dev, uint32_t vector, int fd);
	int (*set_doorbell)(struct lvb_io *io, int dev, uint32_t queue, int fd);
	int (*reset)(struct lvb_io *io, int dev);
	int (*get_attr)(struct lvb_io *io, int dev, uint32_t group,
			uint32_t attr, void *value, size_t size);
	int (*set_attr)(struct lvb_io *io, int dev, uint32_t group,
			uint32_t attr, const void *value, size_t size);
	int (*native_open)(struct lvb_io *io, uint32_t nr_queues,
			   uint32_t nr_pages, uint32_t bus);
	void (*native_close)(struct lvb_io *io, int native);
	int (*native_set_irq)(struct lvb_io *io, int native, uint32_t queue,
			      int fd);
	int (*native_set_doorbell)(struct lvb_io *io, int native,
				   uint32_t page, int fd);
	int (*native_reset)(struct lvb_io *io, int native);
	int (*native_read)(struct lvb_io *io, int native, uint32_t off,
			   void *buf, size_t len);
	int (*native_write)(struct lvb_io *io, int native, uint32_t off,
			    const void *buf, size_t len);
};

struct lvb_io {
	const struct lvb_io_ops *ops;
};

/**
 * struct lvb_vector - an entry of the MSI-X table
 * @addr: message address, as the guest wrote it
 * @data: message data
 * @ctrl: vector control
 * @fd: eventfd, made when the vector is unmasked first, or -1
 * @on: irq_enable() was called for it; ctl
 * @irq: with what; ctl
 */
struct lvb_vector {
	uint64_t addr;
	uint32_t data;
	uint32_t ctrl;
	int fd;
	bool on;
	struct libvbus_irq irq;
};

/**
 * struct lvb_bell - the doorbell of a queue, or an eventfd of the native front
 * @fd: eventfd, made when the BAR is mapped first, or -1
 * @on: the VMM's callback was called for it
 */
struct lvb_bell {
	int fd;
	bool on;
};

/**
 * struct lvb_fn - a function
 * @bus: its bus
 * @slot: its name
 * @dev: device handle of the back end; -1 while it is not open, see claim.c
 * @refs: one for the table, one for each call under way
 * @drained: @refs has become 0; bus->drain_lock
 * @info: what does not change while the device is plugged
 * @ctl: see above
 * @lock: see above
 * @dev_lock: see above
 * @cfg: config space
 * @vectors: MSI-X table, info.nr_vectors
 * @bells: doorbells, info.nr_queues; ctl
 * @map_addr: where the BAR is mapped; ctl
 * @mapped: BAR accesses are answered; changes under ctl, read by anybody
 * @dma: the function may touch memory: bus master in D0; likewise
 * @paused: the device is paused because it may not run; ctl
 * @command: command register as claim.c saw it last; ctl
 * @wanted: a driver of the guest's uses the function; ctl
 * @logged: LVB_LOGGED_*: what was logged once already; ctl
 */
struct lvb_fn {
	struct libvbus *bus;
	uint32_t slot;
	int dev;
	atomic_uint refs;
	bool drained;
	struct libvbus_info info;

	pthread_mutex_t ctl;
	pthread_mutex_t lock;
	pthread_rwlock_t dev_lock;
	uint8_t cfg[LVB_CFG_SIZE];
	struct lvb_vector *vectors;
	struct lvb_bell *bells;
	uint64_t map_addr;
	atomic_bool mapped;
	atomic_bool dma;
	bool paused;
	uint16_t command;
	bool wanted;
	unsigned int logged;
};

#define LVB_LOGGED_IRQ		0x1
#define LVB_LOGGED_BELL		0x2
#define LVB_LOGGED_RUN		0x4
#define LVB_LOGGED_RESET		0x8
#define LVB_LOGGED_CLAIM		0x10

/**
 * struct lvb_slot - what is known of a slot, for the thread that processes events
 * @class_id: class of the device that was announced to the VMM and not withdrawn; or 0
 * @asked: the admin wants it back
 * @busy: it could not be shown because the native front has it
 */
struct lvb_slot {
	uint32_t class_id;
	bool asked;
	bool busy;
};

/**
 * struct lvb_native - the open native front
 * @handle: of the back end
 * @nr_queues: event queues
 * @nr_pages: call pages
 * @irqs: one for each event queue
 * @bells: one for each call page, and the idle one
 */
struct lvb_native {
	int handle;
	uint32_t nr_queues;
	uint32_t nr_pages;
	struct lvb_bell *irqs;
	struct lvb_bell *bells;
};

struct libvbus {
	struct lvb_io *io;
	struct libvbus_ops ops;
	void *opaque;
	char *name;
	uint32_t number;
	uint32_t nr_slots;
	/* Read under RCU. */
	struct lvb_fn **fns;
	struct lvb_slot *slots;
	enum libvbus_pci pci;
	/* Set before vCPUs run, cleared after: see native.c. */
	struct lvb_native *native;
	uint64_t mem_bytes;
	pthread_mutex_t drain_lock;
	pthread_cond_t drain_cond;
};

/* ctx.c: the part of libvbus_open() that tests share; takes @io over */
int lvb_open_io(struct lvb_io *io, const char *name, uint32_t number,
		const struct libvbus_ops *ops, void *opaque,
		struct libvbus **bus);

/* ctx.c: a struct that begins with its size_t size; the caller's may be older or newer */
int lvb_copy_struct(void *to, size_t size, const void *from);

/* io_dev.c: the node @path, an open bus, or what is wrong with it */
int lvb_io_dev_open(const char *path, const struct libvbus_ops *ops,
		    void *opaque, struct lvb_io **io);

/* log.c */
void lvb_log_ops(const struct libvbus_ops *ops, void *opaque,
		 enum libvbus_log_level level, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void lvb_log(const struct libvbus *bus, enum libvbus_log_level level,
	     const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* What a guest can bring about again and again: once for a function.  ctl */
void lvb_log_once(struct lvb_fn *fn, unsigned int what, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* fn.c */
struct lvb_fn *lvb_fn_get(struct libvbus *bus, uint32_t slot);
void lvb_fn_put(struct lvb_fn *fn);
int lvb_fn_attach(struct libvbus *bus, uint32_t slot);
int lvb_fn_eject(struct libvbus *bus, uint32_t slot);
/* All but the alias. */
int lvb_fn_read_info(struct libvbus *bus, int dev, struct libvbus_info *info);

/* pci_cfg.c */
void lvb_cfg_init(struct lvb_fn *fn);
void lvb_cfg_reset(struct lvb_fn *fn, bool flr);
uint64_t lvb_cfg_bar(const struct lvb_fn *fn);
bool lvb_cfg_decode(const struct lvb_fn *fn);
bool lvb_cfg_dma(const struct lvb_fn *fn);
bool lvb_cfg_irqs(const struct lvb_fn *fn);

/* apply.c: make the world follow config space; ctl */
void lvb_fn_apply(struct lvb_fn *fn);
void lvb_fn_pause(struct lvb_fn *fn);
void lvb_fn_reset(struct lvb_fn *fn, bool flr);
void lvb_fn_quiesce(struct lvb_fn *fn);

/* msix.c */
int lvb_msix_init(struct lvb_fn *fn);
void lvb_msix_reset(struct lvb_fn *fn);
void lvb_msix_drain(struct lvb_fn *fn);
void lvb_msix_apply(struct lvb_fn *fn, bool allow);
void lvb_msix_forget(struct lvb_fn *fn);
void lvb_msix_destroy(struct lvb_fn *fn);
int lvb_msix_read(struct lvb_fn *fn, uint32_t off, void *buf, size_t len);
int lvb_msix_write(struct lvb_fn *fn, uint32_t off, const void *buf,
		   size_t len);

/* bar.c */
int lvb_bar_init(struct lvb_fn *fn);
void lvb_bar_map(struct lvb_fn *fn, uint64_t addr);
void lvb_bar_unmap(struct lvb_fn *fn);
void lvb_bar_bells_on(struct lvb_fn *fn);
void lvb_bar_bells_off(struct lvb_fn *fn);
void lvb_bar_forget(struct lvb_fn *fn);
void lvb_bar_destroy(struct lvb_fn *fn);

/* claim.c */
int lvb_dev_enter(struct lvb_fn *fn);
void lvb_dev_leave(struct lvb_fn *fn);
void lvb_shared_init(struct lvb_fn *fn);
void lvb_shared_give(struct lvb_fn *fn);
void lvb_shared_take(struct lvb_fn *fn, bool decode);
bool lvb_shared_stale(struct lvb_fn *fn);

/* ctx.c: devices that the native front had may be shown now */
void lvb_retry_busy(struct libvbus *bus);

/* native.c */
void lvb_native_close(struct libvbus *bus);

/* Little-endian, at any address. */
static inline uint16_t lvb_get16(const uint8_t *p)
{
	return p[0] | p[1] << 8;
}

static inline uint32_t lvb_get32(const uint8_t *p)
{
	return lvb_get16(p) | (uint32_t)lvb_get16(p + 2) << 16;
}

static inline uint64_t lvb_get64(const uint8_t *p)
{
	return lvb_get32(p) | (uint64_t)lvb_get32(p + 4) << 32;
}

static inline void lvb_put16(uint8_t *p, uint16_t v)
{
	p[0] = v;
	p[1] = v >> 8;
}

static inline void lvb_put32(uint8_t *p, uint32_t v)
{
	lvb_put16(p, v);
	lvb_put16(p + 2, v >> 16);
}

static inline void lvb_put64(uint8_t *p, uint64_t v)
{
	lvb_put32(p, v);
	lvb_put32(p + 4, v >> 32);
}

#endif /* LIBVBUS_PRIVATE_H */
