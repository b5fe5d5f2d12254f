// SPDX-License-Identifier: GPL-2.0
/*
 * A bus: the window's registers, the memory given to it, start and stop.
 *
 * The window is believed only as far as it was checked in vnat_bus_create(); the
 * numbers of queues, pages and slots are then ours and never read again.  Queues
 * and pages live from create to destroy, and the device side knows of them
 * from start to stop.  Lock rules are in vnat.h.
 */
#define pr_fmt(fmt) "vbus-native: " fmt

#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include "vnat.h"

/* A register that says what there is, and what it may hold. */
struct vnat_limit {
	const char *name;
	u32 reg;
	u32 min;
	u32 max;
};

enum {
	LIMIT_MAGIC,
	LIMIT_VERSION,
	LIMIT_QUEUES,
	LIMIT_PAGES,
	LIMIT_SLOTS,
	NR_LIMITS,
};

static const struct vnat_limit vnat_limits[NR_LIMITS] = {
	[LIMIT_MAGIC] = { "magic", VBUS_NREG_MAGIC, VBUS_NATIVE_MAGIC,
			  VBUS_NATIVE_MAGIC },
	[LIMIT_VERSION] = { "version", VBUS_NREG_VERSION, VBUS_NATIVE_VERSION,
			    VBUS_NATIVE_VERSION },
	[LIMIT_QUEUES] = { "number of event queues", VBUS_NREG_NR_QUEUES, 1,
			   VBUS_NATIVE_MAX_QUEUES },
	[LIMIT_PAGES] = { "number of call pages", VBUS_NREG_NR_PAGES, 1,
			  VBUS_NATIVE_MAX_PAGES },
	[LIMIT_SLOTS] = { "number of slots", VBUS_NREG_NR_SLOTS, 1,
			  VBUS_NATIVE_MAX_SLOTS },
};

static int vnat_read_limits(struct vnat_bus *bus, unsigned int max_queues)
{
	u32 val[NR_LIMITS];
	unsigned int i;

	for (i = 0; i < NR_LIMITS; i++) {
		const struct vnat_limit *lim = &vnat_limits[i];

		val[i] = bus->ops->read32(bus->priv, lim->reg);
		if (val[i] < lim->min || val[i] > lim->max) {
			dev_err(bus->dev, "%s is 0x%x, not 0x%x..0x%x\n",
				lim->name, val[i], lim->min, lim->max);
			return -ENODEV;
		}
	}
	bus->nr_queues = min(val[LIMIT_QUEUES], max_queues);
	bus->nr_pages = min(val[LIMIT_PAGES], nr_cpu_ids);
	bus->nr_slots = val[LIMIT_SLOTS];
	return 0;
}

/*
 * Close every device and forget our memory.  Return: false if the window does not
 * say that it has; a window that is gone has.
 */
bool vnat_bus_reset(struct vnat_bus *bus)
{
	u32 status;

	bus->ops->write32(bus->priv, VBUS_NREG_STATUS, 0);
	status = bus->ops->read32(bus->priv, VBUS_NREG_STATUS);
	if (!status || status == U32_MAX)
		return true;
	dev_err(bus->dev, "the window does not stop (status 0x%x)\n", status);
	return false;
}

/* The window answers no more: wake waiting callers, remove the devices. Process context. */
void vnat_bus_set_dead(struct vnat_bus *bus)
{
	unsigned int i;

	/* Twice would do no harm. */
	if (READ_ONCE(bus->dead))
		return;
	WRITE_ONCE(bus->dead, true);
	dev_err(bus->dev, "bus %d is gone\n", bus->id);
	for (i = 0; i < bus->nr_pages; i++)
		vnat_page_event(bus, i);
	for (i = 0; i < bus->nr_slots; i++)
		vnat_bus_slot_news(bus, i);
}

/*
 * The last resort against a device that may still write to memory: reset them all.
 * Process context.
 */
void vnat_bus_kill(struct vnat_bus *bus)
{
	if (!vnat_bus_reset(bus))
		bus->stuck = true;
	vnat_bus_set_dead(bus);
}

/* There is something to ask about a slot; any context. */
void vnat_bus_slot_news(struct vnat_bus *bus, unsigned int slot)
{
	if (slot >= bus->nr_slots)
		return;
	set_bit(array_index_nospec(slot, bus->nr_slots), bus->news);
	if (!READ_ONCE(bus->stopping))
		queue_work(bus->wq, &bus->slot_work);
}

static void vnat_free_memory(struct vnat_bus *bus)
{
	unsigned int i;

	for (i = 0; i < bus->nr_queues; i++)
		if (bus->queues[i].mem)
			dma_free_coherent(bus->dev, VBUS_NATIVE_PAGE_SIZE,
					  bus->queues[i].mem,
					  bus->queues[i].dma);
	for (i = 0; i < bus->nr_pages; i++)
		if (bus->pages[i].mem)
			dma_free_coherent(bus->dev, VBUS_NATIVE_PAGE_SIZE,
					  bus->pages[i].mem,
					  bus->pages[i].dma);
}

/* Whatever the size, dma_alloc_coherent() aligns to a page of memory at least. */
static void *vnat_alloc_shared(struct vnat_bus *bus, dma_addr_t *dma)
{
	return dma_alloc_coherent(bus->dev, VBUS_NATIVE_PAGE_SIZE, dma,
				  GFP_KERNEL);
}

static int vnat_alloc_memory(struct vnat_bus *bus)
{
	unsigned int i;

	for (i = 0; i < bus->nr_queues; i++) {
		struct vnat_queue *q = &bus->queues[i];

		q->mem = vnat_alloc_shared(bus, &q->dma);
		if (!q->mem)
			return -ENOMEM;
	}
	for (i = 0; i < bus->nr_pages; i++) {
		struct vnat_page *page = &bus->pages[i];

		page->mem = vnat_alloc_shared(bus, &page->dma);
		if (!page->mem)
			return -ENOMEM;
	}
	return 0;
}

static int vnat_bus_setup(struct vnat_bus *bus)
{
	unsigned int i;
	int err;

	bus->pages = kcalloc(bus->nr_pages, sizeof(*bus->pages), GFP_KERNEL);
	if (!bus->pages)
		return -ENOMEM;
	bus->slots = kcalloc(bus->nr_slots, sizeof(*bus->slots), GFP_KERNEL);
	if (!bus->slots) {
		err = -ENOMEM;
		goto free_pages;
	}
	for (i = 0; i < bus->nr_pages; i++)
		vnat_page_init(&bus->pages[i]);
	for (i = 0; i < bus->nr_queues; i++)
		vnat_queue_init(bus, i);
	err = vnat_alloc_memory(bus);
	if (err)
		goto free_memory;
	bus->id = vproxy_bus_id_alloc();
	if (bus->id < 0) {
		err = bus->id;
		goto free_memory;
	}
	bus->wq = alloc_ordered_workqueue("vbus%d-slots", 0, bus->id);
	if (bus->wq)
		return 0;
	err = -ENOMEM;
	vproxy_bus_id_free(bus->id);
free_memory:
	vnat_free_memory(bus);
	kfree(bus->slots);
free_pages:
	kfree(bus->pages);
	return err;
}

/**
 * vnat_bus_create() - look at a window and set a bus up, still silent
 * @dev: parent of the devices, which does DMA for them; its mask is set
 * @ops: access to the window
 * @priv: for @ops
 * @max_queues: event queues to use at most: as many as there are interrupts
 *
 * Context: may sleep.
 * Return: the bus; ERR_PTR: -ENODEV not a window we know; -ENOMEM.
 */
struct vnat_bus *vnat_bus_create(struct device *dev,
				 const struct vnat_window_ops *ops, void *priv,
				 unsigned int max_queues)
{
	struct vnat_bus *bus;
	int err;

	if (!max_queues)
		return ERR_PTR(-EINVAL);
	bus = kzalloc(sizeof(*bus), GFP_KERNEL);
	if (!bus)
		return ERR_PTR(-ENOMEM);
	bus->dev = dev;
	bus->ops = ops;
	bus->priv = priv;
	vnat_slots_init(bus);
	err = vnat_read_limits(bus, max_queues);
	if (err)
		goto free;
	/* Left by an earlier user, a kernel that crashed perhaps. */
	ops->write32(priv, VBUS_NREG_STATUS, 0);
	if (ops->read32(priv, VBUS_NREG_STATUS)) {
		dev_err(dev, "the window can't be reset\n");
		err = -ENODEV;
		goto free;
	}
	err = vnat_bus_setup(bus);
	if (err)
		goto free;
	return bus;

free:
	kfree(bus);
	return ERR_PTR(err);
}
EXPORT_SYMBOL_NS_GPL(vnat_bus_create, VPROXY_WINDOW);

/**
 * vnat_bus_queues() - how many event queues a bus uses
 * @bus: the bus
 *
 * Return: 1 to max_queues; each wants an interrupt.
 */
unsigned int vnat_bus_queues(const struct vnat_bus *bus)
{
	return bus->nr_queues;
}
EXPORT_SYMBOL_NS_GPL(vnat_bus_queues, VPROXY_WINDOW);

/**
 * vnat_bus_start() - let events in and show the devices on the guest bus
 * @bus: the bus, whose interrupts are there
 *
 * The device side then raises the events of slots that hold a device.
 *
 * Return: 0; -ENODEV it does not start.
 */
int vnat_bus_start(struct vnat_bus *bus)
{
	const struct vnat_window_ops *ops = bus->ops;
	unsigned int i;
	u32 status;

	for (i = 0; i < bus->nr_queues; i++)
		ops->write64(bus->priv, VBUS_NREG_QUEUE(i),
			     bus->queues[i].dma | VBUS_NATIVE_ENABLE);
	for (i = 0; i < bus->nr_pages; i++)
		ops->write64(bus->priv, VBUS_NREG_PAGE(i),
			     bus->pages[i].dma | VBUS_NATIVE_ENABLE);
	/* The first interrupts can be there before the write returns. */
	WRITE_ONCE(bus->running, true);
	ops->write32(bus->priv, VBUS_NREG_STATUS, VBUS_NATIVE_RUNNING);
	status = ops->read32(bus->priv, VBUS_NREG_STATUS);
	if (status == VBUS_NATIVE_RUNNING)
		return 0;
	dev_err(bus->dev, "the window does not start (status 0x%x)\n", status);
	return -ENODEV;
}
EXPORT_SYMBOL_NS_GPL(vnat_bus_start, VPROXY_WINDOW);

/**
 * vnat_bus_stop() - unregister every device and reset the window
 * @bus: the bus; also after vnat_bus_start() has failed
 * @gone: the window is no longer there
 */
void vnat_bus_stop(struct vnat_bus *bus, bool gone)
{
	/* The slots are ours: work that is queued late looks first. */
	WRITE_ONCE(bus->stopping, true);
	/* Wake callers now; otherwise this waits out their deadline. */
	if (gone)
		vnat_bus_set_dead(bus);
	cancel_work_sync(&bus->slot_work);
	/* Only the former could have queued it. */
	cancel_delayed_work_sync(&bus->slot_retry);
	vnat_slots_close(bus, gone);
	if (!gone && !vnat_bus_reset(bus))
		bus->stuck = true;
	WRITE_ONCE(bus->dead, true);
	WRITE_ONCE(bus->running, false);
}
EXPORT_SYMBOL_NS_GPL(vnat_bus_stop, VPROXY_WINDOW);

/**
 * vnat_bus_destroy() - free a bus that is not started, or was stopped
 * @bus: the bus; no vnat_interrupt() runs or comes
 */
void vnat_bus_destroy(struct vnat_bus *bus)
{
	unsigned int i;

	for (i = 0; i < bus->nr_queues; i++)
		vnat_queue_destroy(&bus->queues[i]);
	/* Only the tasklets could still queue work. */
	destroy_workqueue(bus->wq);
	/* Memory that the device side may still write to is better lost. */
	if (!bus->stuck)
		vnat_free_memory(bus);
	vproxy_bus_id_free(bus->id);
	kfree(bus->slots);
	kfree(bus->pages);
	kfree(bus);
}
EXPORT_SYMBOL_NS_GPL(vnat_bus_destroy, VPROXY_WINDOW);
