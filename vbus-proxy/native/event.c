// SPDX-License-Identifier: GPL-2.0
/*
 * Event queues: bitmaps that the device side sets and an interrupt announces.
 *
 * An interrupt sets VBUS_NEVENT_BUSY, makes one pass over what is pending, and
 * leaves the queue to a tasklet.  While BUSY is set no further interrupt comes: the
 * tasklet polls, one pass in each run, until it finds nothing and can clear
 * BUSY.  A pass mostly schedules NAPI, and the softirqs of a round run before the
 * tasklet that was scheduled with them: so while packets keep a CPU busy its queue
 * is polled, and the interrupts come back when there is nothing more to do.
 * Whatever the device side does, a pass is bounded, and softirqs have their own
 * limit.
 *
 * BUSY is never left behind: everyone who sets it schedules the tasklet after
 * that, and scheduling a tasklet that is running makes it run once more.
 *
 * Vectors are in an xarray and not in a flat array: an array of all events of
 * eight queues would be 256 KiB, most of it empty, and the xarray finds a free
 * event and publishes it in one step.  Events are given out from the lowest, so a
 * lookup is one node until there are more than 64 of them, and two at most.
 *
 * Any context may call in; nothing here sleeps but what assigns vectors.
 */
#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/irqflags.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/rcupdate.h>
#include "vnat.h"

/*
 * The device side is another CPU even if this kernel has only one, and then x86
 * takes the lock prefix out of cmpxchg(); xchg() always has it.
 */
#ifdef CONFIG_X86
#define vnat_sync_cmpxchg(p, old, new)	sync_cmpxchg(p, old, new)
#else
#define vnat_sync_cmpxchg(p, old, new)	cmpxchg(p, old, new)
#endif

#define VNAT_BUSY	cpu_to_le64(VBUS_NEVENT_BUSY)

static_assert(sizeof(struct vbus_event_queue) <= VBUS_NATIVE_PAGE_SIZE);

/*
 * Where exchanges have their barriers beside them, a kernel for one CPU leaves
 * those out.
 */
static __always_inline void vnat_mb_up(void)
{
	if (!IS_ENABLED(CONFIG_SMP))
		virt_mb();	/* the host has more than one */
}

/* Atomic, and a full barrier, for the device side too. */
static __le64 vnat_xchg(__le64 *word, __le64 new)
{
	__le64 old;

	vnat_mb_up();
	old = xchg(word, new);
	vnat_mb_up();
	return old;
}

static __le64 vnat_cmpxchg(__le64 *word, __le64 old, __le64 new)
{
	__le64 seen;

	vnat_mb_up();
	seen = vnat_sync_cmpxchg(word, old, new);
	vnat_mb_up();
	return seen;
}

static void vnat_vector_event(struct vnat_queue *q, unsigned int event)
{
	struct vnat_vector *vec;
	unsigned long flags;

	/* The vectors' owner waits for a grace period before it frees one. */
	rcu_read_lock();
	vec = xa_load(&q->vectors, event);
	if (vec) {
		/* A driver may rely on being called as from an interrupt. */
		local_irq_save(flags);
		vproxy_signal(vec->ndev->vdev, vec->nr);
		local_irq_restore(flags);
	}
	rcu_read_unlock();
}

static void vnat_event(struct vnat_queue *q, unsigned int event)
{
	if (q->nr || event >= VBUS_NEVENT_FREE)
		vnat_vector_event(q, event);
	else if (event >= VBUS_NEVENT_CALL(0))
		vnat_page_event(q->bus, event - VBUS_NEVENT_CALL(0));
	else
		vnat_bus_slot_news(q->bus, event);
}

/* Take what is pending now; what comes meanwhile is for the next pass. */
static void vnat_queue_pass(struct vnat_queue *q)
{
	struct vbus_event_queue *mem = q->mem;
	unsigned int word;
	u64 select, pending;

	/*
	 * A full barrier: pairs with that of the device side, which sets pending
	 * before it looks at select.
	 */
	select = le64_to_cpu(vnat_xchg(&mem->select, VNAT_BUSY));
	/* That also leaves no number of a word that isn't there. */
	select &= ~VBUS_NEVENT_BUSY;
	while (select) {
		word = __ffs64(select);
		select &= select - 1;
		pending = le64_to_cpu(vnat_xchg(&mem->pending[word], 0));
		while (pending) {
			vnat_event(q, word * 64 + __ffs64(pending));
			pending &= pending - 1;
		}
	}
	tasklet_schedule(&q->poll);
}

/* One pass over queue @nr, and before it over those that are more urgent. */
static void vnat_poll(struct vnat_bus *bus, unsigned int nr)
{
	struct vnat_queue *q;
	unsigned int i;

	for (i = bus->nr_queues - 1; i > nr; i--) {
		q = &bus->queues[i];
		if (READ_ONCE(q->mem->select) & ~VNAT_BUSY)
			vnat_queue_pass(q);
	}
	vnat_queue_pass(&bus->queues[nr]);
}

static void vnat_queue_poll(struct tasklet_struct *t)
{
	struct vnat_queue *q = from_tasklet(q, t, poll);

	if (!READ_ONCE(q->bus->running))
		return;
	/*
	 * Pairs with the device side's setting of a bit in select: either it sees
	 * that BUSY is gone and interrupts, or this fails.
	 */
	if (vnat_cmpxchg(&q->mem->select, VNAT_BUSY, 0) == VNAT_BUSY)
		return;
	vnat_poll(q->bus, q->nr);
}

/**
 * vnat_interrupt() - the interrupt of an event queue
 * @bus: the bus
 * @queue: below vnat_bus_queues()
 *
 * One that comes while the queue is polled means nothing and does no harm.
 *
 * Context: hard interrupt, or interrupts off.
 */
void vnat_interrupt(struct vnat_bus *bus, unsigned int queue)
{
	if (READ_ONCE(bus->running) && queue < bus->nr_queues)
		vnat_poll(bus, queue);
}
EXPORT_SYMBOL_NS_GPL(vnat_interrupt, VPROXY_WINDOW);

void vnat_queue_init(struct vnat_bus *bus, unsigned int nr)
{
	struct vnat_queue *q = &bus->queues[nr];

	q->bus = bus;
	q->nr = nr;
	tasklet_setup(&q->poll, vnat_queue_poll);
	xa_init_flags(&q->vectors, XA_FLAGS_ALLOC);
}

/* No vnat_interrupt() runs or comes, and running is not set. */
void vnat_queue_destroy(struct vnat_queue *q)
{
	tasklet_kill(&q->poll);
	xa_destroy(&q->vectors);
}

/**
 * vnat_vector_assign() - find an event for a vector
 * @vec: the vector; queue and event are filled in
 * @queue: event queue
 *
 * From here on the event signals the vector.
 *
 * Return: 0; -ENOSPC none is free; -ENOMEM.
 */
int vnat_vector_assign(struct vnat_vector *vec, unsigned int queue)
{
	u32 first = queue ? 0 : VBUS_NEVENT_FREE;
	struct vnat_bus *bus = vec->ndev->bus;
	u32 event;
	int err;

	err = xa_alloc(&bus->queues[queue].vectors, &event, vec,
		       XA_LIMIT(first, VBUS_NR_NEVENTS - 1), GFP_KERNEL);
	if (err)
		return err == -EBUSY ? -ENOSPC : err;
	vec->queue = queue;
	vec->event = event;
	return 0;
}

/* The vector may still be signalled until a grace period has passed. */
void vnat_vector_unassign(struct vnat_vector *vec, unsigned int queue,
			  u32 event)
{
	xa_erase(&vec->ndev->bus->queues[queue].vectors, event);
}

/*
 * Take all vectors of a device out, wherever they are: one whose new route was never
 * confirmed has two events.  Afterwards none is signalled.
 */
void vnat_vectors_unassign(struct vnat_dev *ndev)
{
	struct vnat_bus *bus = ndev->bus;
	struct vnat_vector *vec;
	unsigned long event;
	unsigned int i;

	/* Vectors of other devices may be freed while we look at them. */
	rcu_read_lock();
	for (i = 0; i < bus->nr_queues; i++)
		xa_for_each(&bus->queues[i].vectors, event, vec)
			if (vec->ndev == ndev)
				xa_erase(&bus->queues[i].vectors, event);
	rcu_read_unlock();
	synchronize_rcu();
}
