/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Private types of vbus-native, and its lock rules.
 *
 * bus->slots belongs to slot_work and slot_retry, which run in turns and are alone
 * in opening, registering, unregistering and closing devices, and to vnat_bus_stop()
 * once that has cancelled them.  No lock of ours is held while a device is registered or
 * unregistered.
 *
 * vbus-proxy calls the transport with a device's core->lock held, and calls of the
 * transport take a page's mutex (slow half) or lock (fast half).  Nothing is taken
 * inside of these but what the window's kick() needs, so they come last.  The fast
 * half has a spinlock, as kicks come from any context; it is not a raw one: what
 * is behind kick() may be the host core, which has spinlocks of its own.
 *
 * A device's vectors, ndev->prio and ndev->vectors are written under its
 * core->lock.  Interrupts find vectors in queue->vectors under RCU: a vector is
 * freed a grace period after it was taken out.  The xarray's own lock is never
 * taken in an interrupt.
 *
 * bus->dead is set once: the window is gone, or was reset because a device in it
 * could not be stopped.  From then on calls fail with -ENODEV.
 */
#ifndef _VNAT_H
#define _VNAT_H

#include <linux/bitmap.h>
#include <linux/cache.h>
#include <linux/interrupt.h>
#include <linux/mutex.h>
#include <linux/ratelimit.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <uapi/linux/vbus_native.h>
#include <vbus/guest/bus.h>
#include <vbus/guest/native.h>

struct vnat_dev;

/**
 * struct vnat_vector - a vector of a device, and the event that stands for it
 * @ndev: the device
 * @nr: number of the vector
 * @queue: event queue its signals go to
 * @event: and the event in it
 */
struct vnat_vector {
	struct vnat_dev *ndev;
	unsigned int nr;
	unsigned int queue;
	u32 event;
};

/**
 * struct vnat_dev - a device that we have opened
 * @bus: where it is
 * @vdev: what the guest bus sees; has its own life, but asks us for nothing after
 *	it was unregistered
 * @slot: on the bus
 * @plugs: plug count it was opened with
 * @silent: a read got no answer
 * @prio: event queue for each of its vectors, there or not
 * @nr_vectors: entries of @vectors
 * @vectors: between setup_vectors and free_vectors
 * @missed: kicks that got no answer
 * @retry: repeats them later
 */
struct vnat_dev {
	struct vnat_bus *bus;
	struct vproxy_device *vdev;
	u32 slot;
	u32 plugs;
	bool silent;
	u8 prio[VBUS_MAX_VECTORS];
	unsigned int nr_vectors;
	struct vnat_vector *vectors;
	DECLARE_BITMAP(missed, VBUS_MAX_QUEUES);
	struct delayed_work retry;
};

/**
 * struct vnat_queue - an event queue
 * @bus: whose
 * @nr: number, which is also its priority
 * @mem: shared with the device side
 * @dma: address of @mem
 * @poll: looks at it while VBUS_NEVENT_BUSY is set
 * @vectors: by event
 */
struct vnat_queue {
	struct vnat_bus *bus;
	unsigned int nr;
	struct vbus_event_queue *mem;
	dma_addr_t dma;
	struct tasklet_struct poll;
	struct xarray vectors;
};

/**
 * struct vnat_page - a call page
 * @mem: shared with the device side
 * @dma: address of @mem
 * @lock: guards the fast half: @fast_seq, @fast_late
 * @fast_seq: number of the last fast call
 * @fast_late: it was given up, and the page not seen answered since
 * @mutex: guards the slow half: @slow_seq, @slow_late
 * @slow_seq: number of the last slow call
 * @slow_late: as @fast_late
 * @wait: for the answer to the slow call
 */
struct vnat_page {
	struct vbus_call_page *mem;
	dma_addr_t dma;
	spinlock_t lock;	/* fast half */
	u32 fast_seq;
	bool fast_late;
	struct mutex mutex;	/* slow half */
	u32 slow_seq;
	bool slow_late;
	wait_queue_head_t wait;
} ____cacheline_aligned_in_smp;

/**
 * struct vnat_bus - a window and the devices behind it
 * @dev: parent of the devices, does their DMA
 * @ops: access to the window
 * @priv: for @ops
 * @id: number of the bus on the guest side
 * @nr_queues: entries of @queues
 * @nr_pages: entries of @pages
 * @nr_slots: entries of @slots
 * @running: interrupts mean something
 * @dead: no call any more
 * @stopping: slot_work does nothing more
 * @stuck: the window did not stop: the memory it knows can't be given back
 * @wq: runs @slot_work
 * @slot_work: brings devices in line with what the slots hold
 * @slot_retry: the same, some time after a call that came to nothing
 * @limit: how many slots are looked at without a pause
 * @news: slots that it has to look at
 * @slots: what we have open in each
 * @ejected: plug counts of devices the user is rid of, by slot; 0 is none
 * @pages: call pages
 * @queues: event queues
 */
struct vnat_bus {
	struct device *dev;
	const struct vnat_window_ops *ops;
	void *priv;
	int id;
	unsigned int nr_queues;
	unsigned int nr_pages;
	unsigned int nr_slots;
	bool running;
	bool dead;
	bool stopping;
	bool stuck;
	struct workqueue_struct *wq;
	struct work_struct slot_work;
	struct delayed_work slot_retry;
	struct ratelimit_state limit;
	DECLARE_BITMAP(news, VBUS_NATIVE_MAX_SLOTS);
	struct vnat_dev **slots;
	u32 ejected[VBUS_NATIVE_MAX_SLOTS];
	struct vnat_page *pages;
	struct vnat_queue queues[VBUS_NATIVE_MAX_QUEUES];
};

/**
 * struct vnat_request - a slow call
 * @func: VBUS_FN_*
 * @slot: slot concerned
 * @arg: arguments
 * @out: data of the request
 * @out_len: bytes of it
 * @in: room for the data of the answer
 * @in_len: bytes of it to copy
 * @value: of the answer, if it is not an error
 */
struct vnat_request {
	u16 func;
	u32 slot;
	u64 arg[2];
	const void *out;
	u32 out_len;
	void *in;
	u32 in_len;
	u64 value;
};

/**
 * struct vnat_cmdline - a window that the command line tells of
 * @size: of the window
 * @address: of the window
 * @irq_first: interrupt of event queue 0
 * @irq_last: that of the last queue
 * @id: for the name of the platform device, or PLATFORM_DEVID_AUTO
 */
struct vnat_cmdline {
	u64 size;
	u64 address;
	unsigned int irq_first;
	unsigned int irq_last;
	int id;
};

/* bus.c */
bool vnat_bus_reset(struct vnat_bus *bus);
void vnat_bus_kill(struct vnat_bus *bus);
void vnat_bus_set_dead(struct vnat_bus *bus);
void vnat_bus_slot_news(struct vnat_bus *bus, unsigned int slot);

/* slot.c */
void vnat_slots_init(struct vnat_bus *bus);
void vnat_slot_eject(struct vproxy_device *vdev);
void vnat_slots_close(struct vnat_bus *bus, bool gone);

/* call.c */
extern unsigned int vnat_fast_deadline_us;
extern unsigned int vnat_slow_deadline_ms;
void vnat_page_init(struct vnat_page *page);
void vnat_page_event(struct vnat_bus *bus, unsigned int nr);
int vnat_fast_call(struct vnat_bus *bus, u16 func, u32 slot, u64 arg);
int vnat_slow_call(struct vnat_bus *bus, struct vnat_request *req);
int vnat_slow_simple(struct vnat_bus *bus, u16 func, u32 slot, u64 arg0,
		     u64 arg1);

/* event.c */
void vnat_queue_init(struct vnat_bus *bus, unsigned int nr);
void vnat_queue_destroy(struct vnat_queue *q);
int vnat_vector_assign(struct vnat_vector *vec, unsigned int queue);
void vnat_vector_unassign(struct vnat_vector *vec, unsigned int queue,
			  u32 event);
void vnat_vectors_unassign(struct vnat_dev *ndev);

/* dev.c */
extern const struct vproxy_transport_ops vnat_transport;
void vnat_retry_work(struct work_struct *work);

/* cmdline.c */
int vnat_cmdline_parse(const char *val, struct vnat_cmdline *win);
int vnat_cmdline_init(void);
void vnat_cmdline_exit(void);

#endif /* _VNAT_H */
