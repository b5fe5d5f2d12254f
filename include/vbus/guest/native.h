/* SPDX-License-Identifier: GPL-2.0 */
/*
 * vbus-native: the guest's side of <linux/vbus_native.h>, for whoever finds a window.
 *
 * What a window is made of - memory-mapped registers of a platform device, or the
 * host core in the same kernel - is behind struct vnat_window_ops.  The bus of
 * devices behind it is the same.
 */
#ifndef _VBUS_GUEST_NATIVE_H
#define _VBUS_GUEST_NATIVE_H

#include <linux/types.h>

struct device;
struct vnat_bus;

/**
 * struct vnat_window_ops - access to a window
 * @read32: a register; all ones if the window is gone
 * @write32: a register; may sleep, as may @read32 and @write64
 * @write64: a register of 64 bits
 * @kick: doorbell of call page @page: when it returns the fast call there has been
 *	answered, unless something is wrong.  Any context, interrupts off.
 */
struct vnat_window_ops {
	u32 (*read32)(void *priv, u32 off);
	void (*write32)(void *priv, u32 off, u32 val);
	void (*write64)(void *priv, u32 off, u64 val);
	void (*kick)(void *priv, u32 page);
};

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
				 unsigned int max_queues);

/* How many event queues it uses: 1 to max_queues; each wants an interrupt. */
unsigned int vnat_bus_queues(const struct vnat_bus *bus);

/**
 * vnat_bus_start() - let events in and show the devices on the guest bus
 * @bus: the bus, whose interrupts are there
 *
 * Return: 0; -ENODEV it does not start.
 */
int vnat_bus_start(struct vnat_bus *bus);

/**
 * vnat_bus_stop() - unregister every device and reset the window
 * @bus: the bus; also after vnat_bus_start() has failed
 * @gone: the window is no longer there
 */
void vnat_bus_stop(struct vnat_bus *bus, bool gone);

/**
 * vnat_bus_destroy() - free a bus that is not started, or was stopped
 * @bus: the bus; no vnat_interrupt() runs or comes
 */
void vnat_bus_destroy(struct vnat_bus *bus);

/**
 * vnat_bus_fast_nop() - a fast call that does nothing, to measure what one costs
 * @bus: the bus
 *
 * Context: any.
 * Return: 0 or errno.
 */
int vnat_bus_fast_nop(struct vnat_bus *bus);

/**
 * vnat_interrupt() - the interrupt of an event queue
 * @bus: the bus
 * @queue: below vnat_bus_queues()
 *
 * Context: hard interrupt, or interrupts off.
 */
void vnat_interrupt(struct vnat_bus *bus, unsigned int queue);

#endif /* _VBUS_GUEST_NATIVE_H */
